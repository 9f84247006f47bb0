"""Compiled parts of the forge: TCP numbering and the emission of frames.

Twins: `netsynth_core.forge.frames.frame_bytes` for `emit`; the rules of `number_segments` are checked packet by packet
in tests/forge. Offsets are those of `netsynth_core.forge.headers`.
"""

import numpy as np
from numba import njit

FIN = 1
SYN = 2
RST = 4
ACK = 16
LOOK = 64


@njit(cache=True, nogil=True)
def mix(value):
    """Scramble 64 bits (the finaliser of splitmix64, Steele et al. 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def _acknowledged_later(flags, direction, size, at, stop):
    """Whether a pure ACK of this side comes before the peer sends anything that takes sequence numbers."""
    for j in range(at + 1, min(stop, at + LOOK)):
        if direction[j] == direction[at]:
            if size[j] == 0 and (flags[j] & (SYN | FIN | RST | ACK)) == ACK:
                return True
            if flags[j] & (FIN | RST):
                return False
        elif size[j] > 0 or flags[j] & (SYN | FIN | RST):
            return False
    return False


@njit(cache=True, nogil=True)
def _take_number(bits, size, d, first, upcoming, started, closed, closing):
    """The sequence number of a segment of side d; what it takes of the sequence space is taken."""
    one = np.uint32(1)
    if bits & SYN:
        if not started[d]:
            started[d] = 1
            upcoming[d] = np.uint32(first[d] + size + one)
        return first[d]
    if not started[d]:
        if bits & RST:
            return np.uint32(0)
        started[d] = 1
        upcoming[d] = np.uint32(first[d] + one)
    number = upcoming[d]
    if bits & FIN:
        if closed[d] and size == 0:
            return closing[d]
        closed[d] = 1
        closing[d] = np.uint32(number + size)
        upcoming[d] = np.uint32(closing[d] + one)
    else:
        upcoming[d] = np.uint32(number + size)
    return number


@njit(cache=True, nogil=True)
def _acknowledge(number, d, pure, least, told, has_told, open_window):
    """Note what side d acknowledges and move its window: never back over what it had opened (RFC 9293 3.8.6)."""
    if has_told[d]:
        fresh = np.int64(np.uint32(number - told[d]))
        if fresh == 0 and pure and open_window[d] < 65535:
            open_window[d] += 1
        elif fresh > 0:
            open_window[d] = max(least, open_window[d] - (fresh >> 8))
    has_told[d] = 1
    told[d] = number


@njit(cache=True, nogil=True)
def number_segments(draft, flows, ts, seq, ack, window, layout, stamp, echo):
    """Give every TCP segment its numbers, window, option layout and timestamps.

    SYN and FIN take one number each (RFC 9293 section 3.4), repeated SYN and FIN repeat theirs; an ACK acknowledges
    what was seen, but data leave it to a pure ACK that follows, so that pure ACKs acknowledge something; one that has
    nothing new to say opens the window a little. `ts` is the instant of each packet.
    """
    numbers = np.zeros((4, 2), np.uint32)
    upcoming, closing, told, latest = numbers[0], numbers[1], numbers[2], numbers[3]
    marks = np.zeros((3, 2), np.uint8)
    started, closed, has_told = marks[0], marks[1], marks[2]
    open_window = np.zeros(2, np.int64)
    for f in range(len(draft.offsets) - 1):
        if flows.proto[f] != 6:
            continue
        secret = mix(flows.seed[f])
        first = np.array([np.uint32(secret & np.uint64(0xFFFFFFFF)), np.uint32(secret >> np.uint64(32))])
        clock = mix(flows.seed[f] ^ np.uint64(0x5DEECE66D))
        base = np.array([np.int64(clock & np.uint64(0x3FFFFFFF)), np.int64(clock >> np.uint64(34))])
        for side in range(2):
            started[side] = closed[side] = has_told[side] = 0
            latest[side] = told[side] = np.uint32(0)
            upcoming[side] = first[side]
            open_window[side] = flows.window[f, side]
        stop = draft.offsets[f + 1]
        for k in range(draft.offsets[f], stop):
            d = np.int64(draft.direction[k])
            o = 1 - d
            bits, size = draft.flags[k], np.uint32(draft.size[k])
            if draft.copy[k] > 0:
                seq[k] = seq[k - draft.copy[k]]
            else:
                seq[k] = _take_number(bits, size, d, first, upcoming, started, closed, closing)
            ack[k] = np.uint32(0)
            if bits & ACK:
                if not started[o]:
                    started[o] = 1
                    upcoming[o] = np.uint32(first[o] + np.uint32(1))
                pure = size == 0 and (bits & (SYN | FIN | RST | ACK)) == ACK
                held = has_told[d] and not pure and not bits & (SYN | FIN | RST)
                if held and _acknowledged_later(draft.flags, draft.direction, draft.size, k, stop):
                    ack[k] = told[d]
                else:
                    ack[k] = upcoming[o]
                _acknowledge(ack[k], d, pure, flows.window[f, d], told, has_told, open_window)
            window[k] = flows.syn_window[f, d] if bits & SYN else 0 if bits & RST else open_window[d]
            layout[k] = flows.syn_layout[f, d] if bits & SYN else 0 if bits & RST else flows.later_layout[f]
            stamp[k] = np.uint32(base[d] + ts[k] // 1000000)
            echo[k] = latest[o] if bits & ACK else np.uint32(0)
            latest[d] = stamp[k]


@njit(cache=True, nogil=True)
def number_messages(draft, flows, seq):
    """Give every ICMP echo its identifier and sequence number: answers repeat those of the request before them."""
    for f in range(len(draft.offsets) - 1):
        if flows.proto[f] != 1 and flows.proto[f] != 58:
            continue
        identifier = np.uint32(mix(flows.seed[f]) & np.uint64(0xFFFF)) << np.uint32(16)
        sent = np.zeros(2, np.int64)
        for k in range(draft.offsets[f], draft.offsets[f + 1]):
            d = draft.direction[k]
            kind = flows.messages[f, d, 0]
            sent[d] += 1
            echoes = kind == 8 or kind == 0 or kind == 128 or kind == 129 or (kind >= 13 and kind <= 18)
            seq[k] = identifier | np.uint32(sent[d] & 0xFFFF) if echoes else np.uint32(0)
            if flows.proto[f] == 58:
                # neighbour and router advertisements carry flags here, listener reports the number of their records
                if kind == 136:
                    seq[k] = np.uint32(0x60000000)
                elif kind == 134:
                    seq[k] = np.uint32(0x40000708)
                elif kind == 143:
                    seq[k] = np.uint32(max(draft.size[k], 0) // 20)


@njit(cache=True, nogil=True, inline="always")
def _put16(out, at, value):
    out[at] = np.uint8(value >> 8)
    out[at + 1] = np.uint8(value & 0xFF)


@njit(cache=True, nogil=True, inline="always")
def _put32(out, at, value):
    out[at] = np.uint8(value >> 24)
    out[at + 1] = np.uint8((value >> 16) & 0xFF)
    out[at + 2] = np.uint8((value >> 8) & 0xFF)
    out[at + 3] = np.uint8(value & 0xFF)


@njit(cache=True, nogil=True, inline="always")
def _put32_little(out, at, value):
    out[at] = np.uint8(value & 0xFF)
    out[at + 1] = np.uint8((value >> 8) & 0xFF)
    out[at + 2] = np.uint8((value >> 16) & 0xFF)
    out[at + 3] = np.uint8((value >> 24) & 0xFF)


@njit(cache=True, nogil=True)
def _sum16(out, start, stop):
    """Sum of the big-endian 16-bit words of a stretch, an odd last byte as the high one."""
    total = np.uint64(0)
    even = start + ((stop - start) & ~1)
    for at in range(start, even, 2):
        total += (np.uint64(out[at]) << np.uint64(8)) | np.uint64(out[at + 1])
    if even < stop:
        total += np.uint64(out[even]) << np.uint64(8)
    return total


@njit(cache=True, nogil=True)
def _fold(total):
    while total >> np.uint64(16):
        total = (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))
    return np.int64(total) ^ 0xFFFF


@njit(cache=True, nogil=True)
def _fill(out, at, size, how, seed, text):
    """Fill a stretch: 0 random bytes, 1 running text, 2 zeros, 3 random bytes of sixteen values above 127."""
    if how == 1:
        place = np.int64(seed % np.uint64(len(text)))
        for i in range(size):
            out[at + i] = text[place]
            place += 1
            if place == len(text):
                place = 0
        return
    if how == 2:
        out[at : at + size] = np.uint8(0)
        return
    whole = size & ~7
    for i in range(0, whole, 8):
        seed += np.uint64(0x9E3779B97F4A7C15)
        word = mix(seed)
        if how == 3:
            word = (word & np.uint64(0x0F0F0F0F0F0F0F0F)) | np.uint64(0x8080808080808080)
        for b in range(8):
            out[at + i + b] = np.uint8((word >> np.uint64(8 * b)) & np.uint64(0xFF))
    seed += np.uint64(0x9E3779B97F4A7C15)
    word = mix(seed)
    if how == 3:
        word = (word & np.uint64(0x0F0F0F0F0F0F0F0F)) | np.uint64(0x8080808080808080)
    for b in range(size - whole):
        out[at + whole + b] = np.uint8((word >> np.uint64(8 * b)) & np.uint64(0xFF))


@njit(cache=True, nogil=True)
def _payload(out, at, size, pattern, patterns, word, seed, text):
    """Write one payload: prefix, filled middle, suffix, and the packet's own word; cut where `size` is too small."""
    before = min(np.int64(patterns.prefix_size[pattern]), size)
    start = patterns.prefix_at[pattern]
    out[at : at + before] = patterns.arena[start : start + before]
    behind = min(np.int64(patterns.suffix_size[pattern]), size - before)
    middle = size - before - behind
    if middle > 0:
        _fill(out, at + before, middle, patterns.fill[pattern], seed, text)
    start = patterns.suffix_at[pattern]
    out[at + size - behind : at + size] = patterns.arena[start : start + behind]
    place = patterns.patch_at[pattern]
    if place >= 0 and place + 2 <= size:
        _put16(out, at + place, np.int64(word))


@njit(cache=True, nogil=True)
def _network(out, p, flows, hosts, f, source, sink, proto, transport, counters):
    """Write the IPv4 or IPv6 header; returns the sum of the addresses for the pseudo header."""
    if flows.ipv6[f]:
        _put32(out, p, 0x60000000)
        _put16(out, p + 4, transport)
        out[p + 6] = proto
        out[p + 7] = hosts.ttl[source]
        for b in range(16):
            out[p + 8 + b] = hosts.address[source, b]
            out[p + 24 + b] = hosts.address[sink, b]
        return _sum16(out, p + 8, p + 40)
    _put16(out, p, 0x4500)
    _put16(out, p + 2, 20 + transport)
    _put16(out, p + 4, np.int64(counters[source]))
    counters[source] += np.uint16(1)
    _put16(out, p + 6, 0x4000)
    out[p + 8] = hosts.ttl[source]
    out[p + 9] = proto
    _put16(out, p + 10, 0)
    for b in range(4):
        out[p + 12 + b] = hosts.address[source, 12 + b]
        out[p + 16 + b] = hosts.address[sink, 12 + b]
    _put16(out, p + 10, _fold(_sum16(out, p, p + 20)))
    return _sum16(out, p + 12, p + 20)


@njit(cache=True, nogil=True)
def _segment(out, q, frames, flows, i, f, d, extra, options, mss_at, stamp_at):
    """Write the TCP header with its options, the checksum left 0."""
    _put16(out, q, np.int64(flows.ports[f, d]))
    _put16(out, q + 2, np.int64(flows.ports[f, 1 - d]))
    _put32(out, q + 4, np.int64(frames.seq[i]))
    _put32(out, q + 8, np.int64(frames.ack[i]))
    out[q + 12] = np.uint8((5 + extra // 4) << 4)
    out[q + 13] = frames.flags[i]
    _put16(out, q + 14, np.int64(frames.window[i]))
    _put32(out, q + 16, 0)
    kind = frames.layout[i]
    for b in range(extra):
        out[q + 20 + b] = options[kind, b]
    if mss_at[kind] >= 0:
        _put16(out, q + 20 + mss_at[kind], 1440 if flows.ipv6[f] else 1460)
    if stamp_at[kind] >= 0:
        _put32(out, q + 20 + stamp_at[kind], np.int64(frames.stamp[i]))
        _put32(out, q + 24 + stamp_at[kind], np.int64(frames.echo[i]))


@njit(cache=True, nogil=True)
def _quote(out, body, size, flows, hosts, f, d):
    """Turn the packet an ICMP error quotes into one of this flow's: from the receiver of the error to its sender."""
    v6 = flows.ipv6[f]
    kind = flows.messages[f, d, 0]
    errors = kind >= 1 and kind <= 4 if v6 else kind == 3 or kind == 4 or kind == 5 or kind == 11 or kind == 12
    width = 16 if v6 else 4
    at = body + (8 if v6 else 12)
    if not errors or at + 2 * width > body + size:
        return
    for b in range(width):
        out[at + b] = hosts.address[flows.ends[f, 1 - d], 16 - width + b]
        out[at + width + b] = hosts.address[flows.ends[f, d], 16 - width + b]
    if not v6:
        _put16(out, body + 10, 0)
        _put16(out, body + 10, _fold(_sum16(out, body, body + 20)))


@njit(cache=True, nogil=True)
def _check(out, q, check, transport, proto, pseudo):
    """Write the transport checksum; that of ICMP has no pseudo header, and UDP writes 0 as 0xFFFF (RFC 768)."""
    total = _sum16(out, q, q + transport)
    if proto != 1:
        total += pseudo + np.uint64(proto) + np.uint64(transport)
    value = _fold(total)
    if proto == 17 and value == 0:
        value = 0xFFFF
    _put16(out, check, value)


@njit(cache=True, nogil=True)
def _record(out, at, ts, length):
    """Write the pcap record header."""
    seconds = ts // 1000000000
    _put32_little(out, at, seconds)
    _put32_little(out, at + 4, ts - seconds * 1000000000)
    _put32_little(out, at + 8, length)
    _put32_little(out, at + 12, length)


@njit(cache=True, nogil=True)
def emit(
    order, low, frames, flows, hosts, patterns, text, options, option_sizes, mss_at, stamp_at, counters, out, ends
):  # fmt: skip
    """Write the frames ``order[low:]`` with their pcap record headers into `out` until it is full.

    Parameters: `options` (layouts, 40) bytes, `option_sizes` their lengths, `mss_at` and `stamp_at` where MSS and
    timestamps stand in each (-1 = not there); `counters` the next IP identification of each host, changed in place.
    Returns the number of frames written and of bytes used; ``ends[0]`` becomes the sum of the frames' lengths.
    """
    at = 0
    k = low
    lengths = 0
    while k < len(order):
        i = order[k]
        f = frames.flow[i]
        d = np.int64(frames.direction[i])
        proto = flows.proto[f]
        size = np.int64(frames.size[i])
        extra = np.int64(option_sizes[frames.layout[i]]) if proto == 6 else 0
        transport = 20 + extra + size if proto == 6 else 8 + size
        network = 40 if flows.ipv6[f] else 20
        length = 14 + network + transport
        if at + 16 + length > len(out):
            break
        _record(out, at, frames.ts[i], length)
        at += 16
        source, sink = flows.ends[f, d], flows.ends[f, 1 - d]
        for b in range(6):
            out[at + b] = hosts.mac[sink, b]
            out[at + 6 + b] = hosts.mac[source, b]
        _put16(out, at + 12, 0x86DD if flows.ipv6[f] else 0x0800)
        pseudo = _network(out, at + 14, flows, hosts, f, source, sink, proto, transport, counters)
        q = at + 14 + network
        body, check = q + 8, q + 2
        if proto == 6:
            _segment(out, q, frames, flows, i, f, d, extra, options, mss_at, stamp_at)
            body, check = q + 20 + extra, q + 16
        elif proto == 17:
            _put16(out, q, np.int64(flows.ports[f, d]))
            _put16(out, q + 2, np.int64(flows.ports[f, 1 - d]))
            _put16(out, q + 4, transport)
            _put16(out, q + 6, 0)
            check = q + 6
        else:
            out[q] = flows.messages[f, d, 0]
            out[q + 1] = flows.messages[f, d, 1]
            _put16(out, q + 2, 0)
            _put32(out, q + 4, np.int64(frames.seq[i]))
        if size > 0:
            _payload(out, body, size, frames.pattern[i], patterns, frames.word[i], frames.filler[i], text)
            if proto == 1 or proto == 58:
                _quote(out, body, size, flows, hosts, f, d)
        _check(out, q, check, transport, proto, pseudo)
        at += length
        lengths += length
        k += 1
    ends[0] = lengths
    return k - low, at
