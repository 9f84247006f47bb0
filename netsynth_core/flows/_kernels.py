"""Compiled loops over packets: the flow table with timeouts and TCP endpoint states, the order of conversations, and
the tokens of payloads.

Plain twins are in tests/flows; endpoint states follow the table in `netsynth_core.flows.states`.
"""

import numpy as np
from numba import njit

INACTIVE = 0
PARTIAL = 1
SYN_SENT = 2
SYN_ACK_SENT = 3
ESTABLISHED = 4
CLOSED = 5
RESET = 6
ACTIVE = 7

_FIN = 1
_SYN = 2
_RST = 4
_ACK = 16


@njit(cache=True, nogil=True)
def _mix(value):
    """Scramble 64 bits (the finaliser of splitmix64)."""
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def _counterpart(proto, kind):
    """The ICMP type that answers `kind`, or -1 where none does."""
    if proto == 1:
        if kind == 8:
            return 0
        if kind == 0:
            return 8
        if kind == 13 or kind == 15 or kind == 17:
            return kind + 1
        if kind == 14 or kind == 16 or kind == 18:
            return kind - 1
        if kind == 10:
            return 9
        if kind == 9:
            return 10
    else:
        if kind == 128 or kind == 133 or kind == 135 or kind == 139:
            return kind + 1
        if kind == 129 or kind == 134 or kind == 136 or kind == 140:
            return kind - 1
        if kind == 130:
            return 131
        if kind == 131:
            return 130
    return -1


@njit(cache=True, nogil=True)
def _is_answer(proto, kind):
    """Whether an ICMP type only ever answers; advertisements and reports also come unasked."""
    if proto == 1:
        return kind == 0 or kind == 14 or kind == 16 or kind == 18
    return kind == 129 or kind == 140


@njit(cache=True, nogil=True)
def _answered_port(proto, sport, dport):
    """The destination port of the flow key: for ICMP requests and answers the type of the other one."""
    if proto == 1 or proto == 58:
        answer = _counterpart(proto, sport)
        if answer >= 0:
            return np.int64(answer)
    return dport


@njit(cache=True, nogil=True)
def _hash(a_hi, a_lo, b_hi, b_lo, a_port, b_port, proto):
    """Hash of a flow key, equal in both directions."""
    if a_hi > b_hi or (a_hi == b_hi and (a_lo > b_lo or (a_lo == b_lo and a_port > b_port))):
        a_hi, a_lo, a_port, b_hi, b_lo, b_port = b_hi, b_lo, b_port, a_hi, a_lo, a_port
    rest = (np.uint64((a_port << 16) | b_port) << np.uint64(8)) ^ np.uint64(proto)
    return _mix(a_lo ^ _mix(b_lo ^ _mix(a_hi ^ _mix(b_hi ^ rest))))


@njit(cache=True, nogil=True)
def _way(i, j, dport, first_dport, src_hi, src_lo, dst_hi, dst_lo, src_port):
    """Direction of packet `i` in the flow that packet `j` began: 0 the same, 1 the other, -1 of another flow."""
    sport = src_port[i]
    first_sport = src_port[j]
    same = src_lo[j] == src_lo[i] and dst_lo[j] == dst_lo[i] and src_hi[j] == src_hi[i] and dst_hi[j] == dst_hi[i]
    if same and first_sport == sport and first_dport == dport:
        return 0
    back = src_lo[j] == dst_lo[i] and dst_lo[j] == src_lo[i] and src_hi[j] == dst_hi[i] and dst_hi[j] == src_hi[i]
    if back and first_sport == dport and first_dport == sport:
        return 1
    return -1


@njit(cache=True, nogil=True)
def _widen(table, hashes):
    """A table of twice the size with the same entries."""
    size = 2 * len(table)
    wider = np.full(size, -1, np.int64)
    for entry in table:
        if entry >= 0:
            slot = np.int64(hashes[entry] & np.uint64(size - 1))
            while wider[slot] >= 0:
                slot = (slot + 1) & (size - 1)
            wider[slot] = entry
    return wider


@njit(cache=True, nogil=True)
def _is_over(mine, peer, pure_syn, again, numbered, gap, linger):
    """Whether a TCP packet opens a new flow, by the states of its side and the other, and what its SYN says."""
    if mine == RESET or peer == RESET or (mine == CLOSED and peer == CLOSED):
        return gap > linger or (pure_syn and not again)
    if pure_syn:
        if numbered:
            return not again
        return mine > SYN_ACK_SENT or mine == PARTIAL
    return False


@njit(cache=True, nogil=True)
def _begun_by_other(proto, bits, sport, dport, server):
    """Whether the first packet of a flow was sent by its responder."""
    if proto == 6:
        if bits & _SYN:
            return bits & _ACK != 0
        return server[0, sport] != 0 and server[0, dport] == 0
    if proto == 17:
        return server[1, sport] != 0 and server[1, dport] == 0
    return (proto == 1 or proto == 58) and _is_answer(proto, sport)


@njit(cache=True, nogil=True)
def _step(mine, peer, bits):
    """States of the sender and of the other side after a TCP packet."""
    if bits & _SYN:
        if bits & _ACK:
            if peer == SYN_SENT:
                mine, peer = ESTABLISHED, ESTABLISHED
            elif mine == INACTIVE:
                mine = SYN_ACK_SENT
        elif mine in (INACTIVE, PARTIAL):
            if peer == SYN_ACK_SENT:
                mine, peer = ESTABLISHED, ESTABLISHED
            else:
                mine = SYN_SENT
    elif not bits & _RST:
        if mine in (INACTIVE, SYN_SENT) and peer == SYN_SENT:
            mine, peer = ESTABLISHED, ESTABLISHED
        elif mine == INACTIVE:
            mine = PARTIAL
    if bits & _RST:
        if not (mine == CLOSED and peer == CLOSED):
            mine = RESET
    elif bits & _FIN and mine != RESET:
        mine = CLOSED
    return mine, peer


@njit(cache=True, nogil=True)
def meter(
    order, ts, src_hi, src_lo, dst_hi, dst_lo, proto, src_port, dst_port, flags, seq, server,
    idle, active, linger, flow, direction, first, last, states, origin,
):  # fmt: skip
    """Give each packet its flow and direction.

    Parameters: `order` rows in order of time; `server` 65536 flags per TCP (row 0) and UDP (row 1) port; `idle` ns per
    IP protocol number; `active` ns; `linger` ns a closed TCP flow still takes packets. Filled per packet: `flow`,
    `direction` (0 as the first packet of the flow). Filled per flow: `first`, `last` rows, `states` of the first
    sender and of the other, `origin` 1 when the originator is the other. Returns the number of flows.
    """
    table = np.full(1024, -1, np.int64)
    hashes = np.empty(len(order), np.uint64)
    numbers = np.zeros((len(order), 2), np.uint32)
    numbered = np.zeros((len(order), 2), np.uint8)
    flows = 0
    keys = 0
    for i in order:
        p = proto[i]
        bits = flags[i]
        sport = np.int64(src_port[i])
        dport = _answered_port(p, sport, np.int64(dst_port[i]))
        h = _hash(src_hi[i], src_lo[i], dst_hi[i], dst_lo[i], sport, dport, p)
        slot = np.int64(h & np.uint64(len(table) - 1))
        way = -1
        while table[slot] >= 0:
            j = first[table[slot]]
            if hashes[table[slot]] == h and proto[j] == p:
                first_dport = _answered_port(p, np.int64(src_port[j]), np.int64(dst_port[j]))
                way = _way(i, j, dport, first_dport, src_hi, src_lo, dst_hi, dst_lo, src_port)
                if way >= 0:
                    break
            slot = (slot + 1) & (len(table) - 1)
        f = table[slot]
        pure_syn = p == 6 and (bits & (_SYN | _ACK | _RST | _FIN)) == _SYN
        fresh = f < 0
        if not fresh:
            gap = ts[i] - ts[last[f]]
            fresh = gap > idle[p] or ts[i] - ts[first[f]] > active
            if not fresh and p == 6:
                again = pure_syn and numbered[f, way] != 0 and numbers[f, way] == seq[i]
                known = numbered[f, way] != 0
                fresh = _is_over(states[f, way], states[f, 1 - way], pure_syn, again, known, gap, linger)
        if fresh:
            keys += f < 0
            f = flows
            flows += 1
            way = 0
            table[slot] = f
            hashes[f] = h
            first[f] = i
            states[f, 0] = INACTIVE
            states[f, 1] = INACTIVE
            origin[f] = _begun_by_other(p, bits, sport, dport, server)
        elif pure_syn and (flags[first[f]] & _SYN) == 0 and numbered[f, 1 - way] == 0:
            origin[f] = way
        last[f] = i
        flow[i] = f
        direction[i] = way
        if p == 6:
            if bits & _SYN and numbered[f, way] == 0:
                numbered[f, way] = 1
                numbers[f, way] = seq[i]
            mine, peer = _step(np.int64(states[f, way]), np.int64(states[f, 1 - way]), bits)
            states[f, way] = mine
            states[f, 1 - way] = peer
        else:
            states[f, way] = ACTIVE
        if fresh and keys * 2 > len(table):
            table = _widen(table, hashes)
    return flows


@njit(cache=True, nogil=True)
def tally(
    order, flow, direction, swapped, rank, ip_length, flags,
    fwd_packets, bwd_packets, fwd_bytes, bwd_bytes, union, offsets, rows, ways,
):  # fmt: skip
    """Sum the packets of each flow and lay them out conversation by conversation.

    `rank` is the row of the flow table each metered flow becomes, `swapped` turns its directions round. Fills the sums
    per row, `offsets` (flows + 1), and per position of the conversations `rows` (packet row) and `ways` (0 = as the
    originator sends).
    """
    for f in range(len(fwd_packets)):
        offsets[f] = 0
    for i in range(len(flow)):
        r = rank[flow[i]]
        offsets[r + 1] += 1
        union[r] |= flags[i]
        if direction[i] ^ swapped[flow[i]]:
            bwd_packets[r] += 1
            bwd_bytes[r] += ip_length[i]
        else:
            fwd_packets[r] += 1
            fwd_bytes[r] += ip_length[i]
    for r in range(len(fwd_packets)):
        offsets[r + 1] += offsets[r]
    place = offsets.copy()
    for step in range(len(order)):
        i = order[step]
        r = rank[flow[i]]
        at = place[r]
        rows[at] = i
        ways[at] = direction[i] ^ swapped[flow[i]]
        place[r] = at + 1


@njit(cache=True, nogil=True)
def first_payloads(offsets, rows, ways, payload_captured, found):
    """Row of the first packet with payload per flow and direction; -1 where there is none. `found` is (flows, 2)."""
    for f in range(len(offsets) - 1):
        found[f, 0] = -1
        found[f, 1] = -1
        for at in range(offsets[f], offsets[f + 1]):
            way = ways[at]
            if found[f, way] < 0 and payload_captured[rows[at]] > 0:
                found[f, way] = rows[at]
                if found[f, 1 - way] >= 0:
                    break


@njit(cache=True, nogil=True)
def prefixes(data, payload_offset, payload_captured, rows, out):
    """The first bytes of the payloads of `rows` (-1 = none), zero behind their end."""
    width = out.shape[1]
    for k in range(len(rows)):
        i = rows[k]
        size = 0 if i < 0 else min(payload_captured[i], width)
        for b in range(size):
            out[k, b] = data[payload_offset[i] + b]
        for b in range(size, width):
            out[k, b] = 0


@njit(cache=True, nogil=True)
def turns(offsets, rows, ways, payload_length, begins):
    """Mark the positions whose payload begins a turn: the payload before it went the other way, or there was none."""
    for f in range(len(offsets) - 1):
        way = 2
        for at in range(offsets[f], offsets[f + 1]):
            if payload_length[rows[at]] > 0:
                begins[at] = ways[at] != way
                way = ways[at]
            else:
                begins[at] = False


@njit(cache=True, nogil=True)
def _is_space(c):
    return c == 32 or c == 9 or c == 10 or c == 13


@njit(cache=True, nogil=True)
def first_words(data, payload_offset, payload_captured, rows, out):
    """The first words of some payloads. `out` is (rows, words, bytes), zero behind a word; longer words are cut."""
    for k in range(len(rows)):
        at = payload_offset[rows[k]]
        stop = at + min(payload_captured[rows[k]], 256)
        for w in range(out.shape[1]):
            while at < stop and _is_space(data[at]):
                at += 1
            b = 0
            while at < stop and not _is_space(data[at]):
                if b < out.shape[2]:
                    out[k, w, b] = data[at]
                    b += 1
                at += 1
            for rest in range(b, out.shape[2]):
                out[k, w, rest] = 0
