"""The loop over packets: the table of flows, their timeouts, and the layout of conversations."""

import numpy as np

from netsynth_core.flows._meter_kernels.compiled import part
from netsynth_core.flows._meter_kernels.heads import unfinished
from netsynth_core.flows._meter_kernels.tcp import (
    DUPLICATE,
    TURNED,
    append,
    has_ended,
    reopens,
    tcp_options,
    tcp_packet,
)

_FIN, _SYN, _RST, _ACK = np.array([1, 2, 4, 16])
_ACTIVE = np.uint8(7)
_LETTER_D = np.int64(4)
_HEAD, _OVER = np.array([64, 128], np.uint8)
_AGAIN, _AT_ONCE = np.array([100_000_000, 1_000_000])
_BROADCAST = 0x0000FFFFFFFFFFFF


@part
def _mix(value):
    """Scramble 64 bits (the finaliser of splitmix64)."""
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@part
def _words(keys, at, hi, lo):
    """The sum of the four words of 32 bits of an address, each times a key."""
    half = np.uint64(32)
    low = np.uint64(0xFFFFFFFF)
    return keys[at] * (lo & low) + keys[at + 1] * (lo >> half) + keys[at + 2] * (hi & low) + keys[at + 3] * (hi >> half)


@part
def _hash(keys, a_hi, a_lo, b_hi, b_lo, a_port, b_port, proto):
    """Hash of a flow key, equal in both directions: the lesser end counts first.

    Words of 32 bits, each times a secret key, are summed (Lemire and Kaser, "Strongly universal string hashing is
    fast", 2014, MULTILINEAR): nobody can choose addresses and ports that fall together.
    """
    if a_lo > b_lo or (a_lo == b_lo and (a_hi > b_hi or (a_hi == b_hi and a_port > b_port))):
        a_hi, b_hi = b_hi, a_hi
        a_lo, b_lo = b_lo, a_lo
        a_port, b_port = b_port, a_port
    ports = np.uint64(a_port) << np.uint64(16) | np.uint64(b_port)
    ends = _words(keys, 0, a_hi, a_lo) + _words(keys, 4, b_hi, b_lo)
    return _mix(ends + keys[8] * ports + keys[9] * np.uint64(proto) + keys[10])


@part
def _begun_by_other(proto, bits, sport, dport, dst_lo, server):
    """Whether the first packet of a flow was sent by its responder, by the ports servers listen on."""
    if proto == 1:
        return sport == 0 or sport == 14 or sport == 16 or sport == 18
    if proto == 58:
        return sport == 129 or sport == 140
    if dst_lo == _BROADCAST:
        return False
    if proto == 6:
        if bits & _SYN and not bits & _ACK:
            return False
        if server[0, sport] == 0:
            return False
        if server[0, dport] == 0:
            return True
        return bits & _SYN == 0 and sport < dport
    return proto == 17 and server[1, sport] != 0 and server[1, dport] == 0


@part
def rehash(keys, table, flows, sides, count):
    """Fill a table with the open flows of the first `count` records by secret keys; returns how many they are.

    Entries are the high half of the hash and the flow + 1.
    """
    mask = len(table) - 1
    filled = 0
    for f in range(count):
        w = flows[f]
        if w.serial == 0 or sides[2 * f].notes & _OVER:
            continue
        h = _hash(keys, w.src_hi, w.src_lo, w.dst_hi, w.dst_lo, w.sport, w.dport, w.proto)
        slot = np.int64(h & np.uint64(mask))
        while table[slot] != 0:
            slot = (slot + 1) & mask
        table[slot] = (h & np.uint64(0xFFFFFFFF00000000)) | np.uint64(f + 1)
        filled += 1
    return filled


@part
def ended(flows, sides, count, idle, active, linger, clock, found):
    """List the flows that no packet from `clock` on can belong to; returns how many they are.

    They are those that another flow of their key took over from, and those whose timeouts have passed.
    """
    n = 0
    for f in range(count):
        w = flows[f]
        if w.serial == 0:
            continue
        one = sides[2 * f]
        gap = clock - w.last
        over = one.notes & _OVER != 0 or gap > idle[w.proto] or clock - w.first > active
        if over or (w.proto == 6 and has_ended(one, sides[2 * f + 1], gap, linger)):
            found[n] = f
            n += 1
    return n


@part
def meter(
    begin, order, ts, src_hi, src_lo, dst_hi, dst_lo, proto, src_port, dst_port, flags, seq, ack, window,
    ip_length, ip_id, payload_offset, payload_length, payload_captured, header_length, fragment, data,
    server, answers, idle, active, linger, keys, table, flows, sides, free, counts, flow, direction, marks, heads,
):  # fmt: skip
    """Give each packet its flow, side and marks, and move the state of its flow on.

    Parameters: `begin` position in `order` to start at; `order` rows in order of time, empty for the order they have;
    `server` 65536 flags per TCP (row 0) and UDP (row 1) port; `answers` the ICMP type that answers each type (-1 =
    none) per protocol number; `idle` ns per IP protocol number; `active` and `linger` ns. `keys` 11 secret
    numbers. State: `table` of flow keys (a power of two long), `flows` and `sides` records, zero where unused, `free` a
    stack of records to use again, `counts` (records used or free, keys, heads, free ones, flows so far).
    Filled per packet: `flow`, `direction` (the side), `marks`; `heads` (twice as long) lists the packets that
    are the first with payload of their side, and as -1 - row those that hold a ClientHello of several, from the first
    on. Returns the position it came to: less than the number of packets when `flows` or `table`
    need more room.
    """
    n = len(ts)
    mask = len(table) - 1
    for at in range(begin, n):
        i = order[at] if len(order) else at
        if (counts[0] == len(flows) and counts[3] == 0) or counts[1] * 2 > len(table):
            return at
        p = np.int64(proto[i])
        bits = np.int64(flags[i])
        sport = np.int64(src_port[i])
        dport = np.int64(dst_port[i])
        if p == 1 or p == 58:
            answer = np.int64(answers[p, sport & 255])
            if answer >= 0:
                dport = answer
        s_hi, s_lo, d_hi, d_lo = src_hi[i], src_lo[i], dst_hi[i], dst_lo[i]
        now = ts[i]
        h = _hash(keys, s_hi, s_lo, d_hi, d_lo, sport, dport, p)
        slot = np.int64(h & np.uint64(mask))
        way = np.int64(-1)
        f = np.int64(-1)
        while table[slot] != 0:
            if (table[slot] ^ h) >> np.uint64(32) == 0:
                f = np.int64(table[slot] & np.uint64(0xFFFFFFFF)) - 1
                w = flows[f]
                if w.proto == p:
                    there = w.src_lo == s_lo and w.dst_lo == d_lo and w.src_hi == s_hi and w.dst_hi == d_hi
                    if there and w.sport == sport and w.dport == dport:
                        way = np.int64(0)
                        break
                    back = w.src_lo == d_lo and w.dst_lo == s_lo and w.src_hi == d_hi and w.dst_hi == s_hi
                    if back and w.sport == dport and w.dport == sport:
                        way = np.int64(1)
                        break
            slot = (slot + 1) & mask
        tcp = p == 6 and fragment[i] != 2
        number = seq[i]
        echo = (np.uint64(number) << np.uint64(32) | np.uint64(ack[i])) * np.uint64(0x9E3779B97F4A7C15)
        echo ^= np.uint64(ip_id[i]) << np.uint64(48) | np.uint64(window[i]) << np.uint64(32)
        echo ^= np.uint64(bits) << np.uint64(24) ^ np.uint64(ip_length[i])
        fresh = way < 0
        doubled = False
        if not fresh:
            w = flows[f]
            me = sides[2 * f + way]
            gap = now - w.last
            # fragments of one packet look alike here
            if me.print == echo and me.packets > 0 and fragment[i] == 0:
                doubled = abs(now - me.last) < (_AGAIN if ip_id[i] != 0 else _AT_ONCE if tcp else 0)
                if ip_id[i] == 0 and payload_length[i] == 0 and not bits & (_SYN | _FIN):
                    # acknowledgements, and the RST that answers each of several segments, are sent alike
                    doubled = doubled and bits & (_RST | _ACK) == _RST | _ACK
            fresh = gap > idle[p] or now - w.first > active
            # windows may go back in time
            fresh = fresh or w.first - now > idle[p] or w.last - now > active
            if not fresh and p == 6:
                peer = sides[2 * f + 1 - way]
                fresh = has_ended(me, peer, gap, linger)
                if not fresh and tcp and bits & _SYN and not doubled:
                    fresh = reopens(w, me, peer, way, bits, number)
        if fresh:
            if way < 0:
                counts[1] += 1
            else:
                sides[2 * f].notes |= _OVER
            if counts[3] > 0:
                counts[3] -= 1
                f = np.int64(free[counts[3]])
            else:
                f = counts[0]
                counts[0] += 1
            counts[4] += 1
            way = np.int64(0)
            doubled = False
            table[slot] = (h & np.uint64(0xFFFFFFFF00000000)) | np.uint64(f + 1)
            w = flows[f]
            w.serial = counts[4]
            w.src_hi = s_hi
            w.src_lo = s_lo
            w.dst_hi = d_hi
            w.dst_lo = d_lo
            w.sport = sport
            w.dport = dport
            w.proto = p
            w.first = now
            w.last = now
            w.turned = _begun_by_other(p, bits, sport, dport, d_lo, server)
            if w.turned and (p == 6 or p == 17):
                append(w, TURNED, way)
        w = flows[f]
        me = sides[2 * f + way]
        w.first = min(w.first, now)
        w.last = max(w.last, now)
        w.flags |= bits
        me.packets += 1
        me.bytes += ip_length[i]
        mark = 0
        goes_on = me.hello > 0 and tcp and number == me.next and payload_captured[i] > 0
        if tcp:
            length = np.int64(payload_length[i])
            if bits & _SYN:
                tcp_options(me, data, payload_offset[i] - header_length[i] + 20, payload_offset[i])
            peer = sides[2 * f + 1 - way]
            mark = tcp_packet(w, me, peer, way, bits, number, ack[i], window[i], length, now, doubled)
        else:
            if doubled:
                mark = DUPLICATE
            me.state = _ACTIVE if p != 6 else me.state
            if p == 17 and not me.seen:
                me.seen = 1
                append(w, _LETTER_D, way)
        me.last = now
        me.print = echo
        if payload_captured[i] > 0 and not me.notes & _HEAD and fragment[i] != 2:
            me.notes |= _HEAD
            heads[counts[2]] = i
            counts[2] += 1
            if tcp:
                me.hello = unfinished(data, payload_offset[i], payload_captured[i], payload_length[i])
                goes_on = me.hello > 0
        elif goes_on:
            whole = payload_captured[i] >= payload_length[i]
            me.hello = max(np.int64(me.hello) - np.int64(payload_captured[i]), 0) if whole else 0
        if goes_on:
            heads[counts[2]] = -1 - i
            counts[2] += 1
        flow[i] = f
        direction[i] = way
        marks[i] = mark
    return n


@part
def lay_out(order, flow, direction, rank, turned, base, place, rows, ways):
    """Lay the packets of a window out conversation by conversation.

    `rank` is the row of the flow table each metered flow becomes (empty: its number), `turned` turns its sides round,
    `base` the number of the window's first packet, `place` the next free position of each row (moved on). Fills per
    position `rows` (packet row) and `ways` (0 = as the originator sends).
    """
    for step in range(len(flow)):
        i = order[step] if len(order) else step
        f = flow[i]
        r = rank[f] if len(rank) else np.int64(f)
        at = place[r]
        rows[at] = base + i
        ways[at] = direction[i] ^ turned[f]
        place[r] = at + 1
