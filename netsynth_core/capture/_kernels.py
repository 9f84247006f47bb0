"""Compiled loops over the bytes of a capture: where the frames lie, and what their headers say.

Every read is inside ``data[:end]`` of its frame; nothing here raises, whatever the bytes are. What the kernels must
equal is written plainly, with dpkt, in tests/capture/test_dissect.py.
"""

import numpy as np
from numba import njit

# Why a frame gave no row; the texts are in `netsynth_core.capture.dissect.REASONS`.
OK = 0
ARP = 1
LLC = 2
OTHER_TYPE = 3
CUT_LINK = 4
CUT_IPV4 = 5
BAD_IPV4 = 6
CUT_IPV6 = 7
BAD_IPV6 = 8
CUT_EXTENSION = 9
CUT_TCP = 10
CUT_UDP = 11
CUT_ICMP = 12
BAD_TCP = 13
BAD_UDP = 14
FRAGMENT = 15
LINK_TYPE = 16
BAD_INSTANT = 17
LLDP = 18
PPP_CONTROL = 19
EAPOL = 20
BAD_ICMP = 21
NOT_VERSION = 22

NO_INSTANT = np.iinfo(np.int64).min

_IP4 = 4
_IP6 = 6
_MAPPED = np.uint64(0xFFFF00000000)


@njit(cache=True, nogil=True)
def u16(data, at):
    """Big-endian 16 bits."""
    return (np.int64(data[at]) << 8) | np.int64(data[at + 1])


@njit(cache=True, nogil=True)
def u32(data, at):
    """Big-endian 32 bits."""
    return (u16(data, at) << 16) | u16(data, at + 2)


@njit(cache=True, nogil=True)
def word32(data, at, big):
    """32 bits in the byte order of the file."""
    if big:
        return u32(data, at)
    return (
        np.int64(data[at])
        | (np.int64(data[at + 1]) << 8)
        | (np.int64(data[at + 2]) << 16)
        | (np.int64(data[at + 3]) << 24)
    )


@njit(cache=True, nogil=True)
def word16(data, at, big):
    """16 bits in the byte order of the file."""
    if big:
        return u16(data, at)
    return np.int64(data[at]) | (np.int64(data[at + 1]) << 8)


@njit(cache=True, nogil=True)
def u64(data, at):
    """Big-endian 64 bits, unsigned."""
    return (np.uint64(u32(data, at)) << np.uint64(32)) | np.uint64(u32(data, at + 4))


@njit(cache=True, nogil=True)
def pcap_records(data, at, big, fraction_ns, header, limit, offset, captured, length, ts):
    """Fill the frame columns from classic pcap records until they are full or the file ends.

    Returns ``(n, at, status)``: frames found, position of the next record, status 0 columns full or end of file,
    1 file ends inside a record, 2 a record claims more than `limit` bytes.
    """
    size = len(data)
    n = 0
    while n < len(offset):
        if at == size:
            return n, at, 0
        if at + header > size:
            return n, at, 1
        kept = word32(data, at + 8, big)
        if kept > limit:
            return n, at, 2
        if at + header + kept > size:
            return n, at, 1
        offset[n] = at + header
        captured[n] = kept
        length[n] = min(max(word32(data, at + 12, big), kept), 0x7FFFFFFF)
        ts[n] = word32(data, at, big) * 1_000_000_000 + word32(data, at + 4, big) * fraction_ns
        at += header + kept
        n += 1
    return n, at, 0


@njit(cache=True, nogil=True)
def _instant(ticks, exponent, binary, offset_s):
    """Nanoseconds of `ticks` of 10**-exponent or 2**-exponent s, or NO_INSTANT where int64 cannot hold them."""
    base = np.uint64(10**9)
    if binary:
        shift = np.uint64(exponent)
        whole = ticks >> shift
        rest = ticks - (whole << shift)
        if exponent > 34:
            rest = rest >> np.uint64(exponent - 34)
            shift = np.uint64(34)
        fraction = (rest * base) >> shift
    else:
        unit = np.uint64(1)
        for _ in range(exponent):
            unit *= np.uint64(10)
        whole = ticks // unit
        rest = ticks - whole * unit
        if exponent > 9:
            for _ in range(exponent - 9):
                rest = rest // np.uint64(10)
        else:
            for _ in range(9 - exponent):
                rest *= np.uint64(10)
        fraction = rest
    if whole > np.uint64(2**33):
        return NO_INSTANT
    seconds = np.int64(whole) + offset_s
    if seconds > 2**33 or seconds < -(2**33):
        return NO_INSTANT
    return seconds * 1_000_000_000 + np.int64(fraction)


@njit(cache=True, nogil=True)
def _packet_block(data, at, big, kind, total, interfaces):
    """A packet block: ``(start, interface, kept, true, ticks)``; start 0 for another block, -1 for a broken one."""
    zero = np.uint64(0)
    if (kind == 6 or kind == 2) and total >= 32:
        interface = word32(data, at + 8, big) if kind == 6 else word16(data, at + 8, big)
        kept = word32(data, at + 20, big)
        if interface < interfaces and kept > total - 32:
            return -1, interface, kept, kept, zero
        ticks = (np.uint64(word32(data, at + 12, big)) << np.uint64(32)) | np.uint64(word32(data, at + 16, big))
        return at + 28, interface, kept, word32(data, at + 24, big), ticks
    if kind == 3 and total >= 16:
        true = word32(data, at + 8, big)
        return at + 12, np.int64(0), min(true, total - 16), true, zero
    return 0, np.int64(0), np.int64(0), np.int64(0), zero


@njit(cache=True, nogil=True)
def pcapng_blocks(data, at, big, last, interfaces, known, offset, captured, length, ts, link):
    """Fill the frame columns from the packet blocks of one pcapng section.

    `interfaces` is (5, `known` or more): link type, exponent of the resolution, whether it is one of 2, offset in s,
    snaplen. Stops before a section header or interface description, which the caller reads. A simple packet block has
    no instant: it takes that of the packet before, at first `last`. Returns ``(n, at, status, lost, undated, last)``:
    status 0 columns full or end, 1 file ends inside a block, 2 broken block, 3 section header, 4 interface description;
    `lost` counts packet blocks of an unknown interface, `undated` simple packet blocks.
    """
    n = 0
    lost = 0
    undated = 0
    while n < len(offset):
        if at == len(data):
            return n, at, 0, lost, undated, last
        if at + 12 > len(data):
            return n, at, 1, lost, undated, last
        kind = word32(data, at, big)
        if kind == 0x0A0D0D0A:
            return n, at, 3, lost, undated, last
        total = word32(data, at + 4, big)
        if total < 12 or total % 4 != 0:
            return n, at, 2, lost, undated, last
        if at + total > len(data):
            return n, at, 1, lost, undated, last
        if kind == 1:
            return n, at, 4, lost, undated, last
        start, interface, kept, true, ticks = _packet_block(data, at, big, kind, total, known)
        if start < 0:
            return n, at, 2, lost, undated, last
        if start > 0 and interface >= known:
            lost += 1
        elif start > 0:
            if kind == 3:
                undated += 1
                ts[n] = last
                if interfaces[4, 0] > 0:
                    kept = min(kept, interfaces[4, 0])
            else:
                row = interfaces[:, interface]
                ts[n] = _instant(ticks, row[1], row[2] != 0, row[3])
                if ts[n] != NO_INSTANT:
                    last = ts[n]
            offset[n] = start
            captured[n] = kept
            length[n] = min(max(true, kept), 0x7FFFFFFF)
            link[n] = interfaces[0, interface]
            n += 1
        at += total
    return n, at, 0, lost, undated, last


@njit(cache=True, nogil=True)
def _ether(data, at, end, kind):
    """Follow tags and shims from an EtherType to IP: ``(reason, version, at)``, version 4 or 6."""
    for _ in range(8):
        if kind == 0x0800:
            return OK, _IP4, at
        if kind == 0x86DD:
            return OK, _IP6, at
        if kind == 0x8100 or kind == 0x88A8 or kind == 0x9100 or kind == 0x9200:
            if at + 4 > end:
                return CUT_LINK, 0, at
            kind = u16(data, at + 2)
            at += 4
        elif kind == 0x8847 or kind == 0x8848:
            bottom = False
            while not bottom:
                if at + 4 > end:
                    return CUT_LINK, 0, at
                bottom = data[at + 2] & 1 == 1
                at += 4
            return _by_version(data, at, end)
        elif kind == 0x8864:
            if at + 8 > end:
                return CUT_LINK, 0, at
            return _ppp(data, at + 6, end)
        elif kind == 0x0806 or kind == 0x8035:
            return ARP, 0, at
        elif kind == 0x88CC:
            return LLDP, 0, at
        elif kind == 0x888E:
            return EAPOL, 0, at
        elif kind == 0x8863:
            return PPP_CONTROL, 0, at
        elif kind < 0x600:
            # IEEE 802.3: a length; SNAP with the zero OUI carries an EtherType all the same (RFC 1042)
            if at + 8 <= end and data[at] == 0xAA and data[at + 1] == 0xAA and u16(data, at + 3) == 0:
                kind = u16(data, at + 6)
                at += 8
                if kind < 0x600:
                    return LLC, 0, at
            else:
                return LLC, 0, at
        else:
            return OTHER_TYPE, 0, at
    return OTHER_TYPE, 0, at


@njit(cache=True, nogil=True)
def _by_version(data, at, end):
    """IP by its version nibble."""
    if at >= end:
        return CUT_LINK, 0, at
    version = data[at] >> 4
    if version == 4 or version == 6:
        return OK, np.int64(version), at
    return NOT_VERSION, 0, at


@njit(cache=True, nogil=True)
def _ppp(data, at, end):
    """IP inside PPP; the protocol field may be one byte (RFC 1661 section 6.5)."""
    if at >= end:
        return CUT_LINK, 0, at
    protocol = np.int64(data[at])
    if protocol & 1:
        at += 1
    else:
        if at + 2 > end:
            return CUT_LINK, 0, at
        protocol = u16(data, at)
        at += 2
    if protocol == 0x21:
        return OK, _IP4, at
    if protocol == 0x57:
        return OK, _IP6, at
    return PPP_CONTROL, 0, at


@njit(cache=True, nogil=True)
def _link(data, at, end, link):
    """The IP header of one frame: ``(reason, version, at)``."""
    if link == 1:
        if at + 14 > end:
            return CUT_LINK, 0, at
        return _ether(data, at + 14, end, u16(data, at + 12))
    if link == 113:
        if at + 16 > end:
            return CUT_LINK, 0, at
        return _ether(data, at + 16, end, u16(data, at + 14))
    if link == 276:
        if at + 20 > end:
            return CUT_LINK, 0, at
        return _ether(data, at + 20, end, u16(data, at))
    if link == 12 or link == 14 or link == 101 or link == 228 or link == 229:
        return _by_version(data, at, end)
    if link == 0 or link == 108:
        if at + 4 > end:
            return CUT_LINK, 0, at
        family = u32(data, at)
        if family > 0xFFFF:
            family = word32(data, at, False)
        if family == 2 or family == 24 or family == 28 or family == 30 or family == 10:
            return _by_version(data, at + 4, end)
        return NOT_VERSION, 0, at
    if link == 10:
        return _ether(data, at + 13, end, 0)
    if link == 9 or link == 50:
        if at + 2 <= end and data[at] == 0xFF and data[at + 1] == 0x03:
            at += 2
        return _ppp(data, at, end)
    return LINK_TYPE, 0, at


@njit(cache=True, nogil=True)
def _extensions(data, at, end, proto):
    """Walk IPv6 extension headers (RFC 8200 section 4): ``(reason, proto, at)``."""
    while True:
        if proto == 0 or proto == 43 or proto == 60 or proto == 135 or proto == 139 or proto == 140:
            if at + 2 > end:
                return CUT_EXTENSION, proto, at
            proto = np.int64(data[at])
            at += (np.int64(data[at + 1]) + 1) * 8
        elif proto == 51:
            if at + 2 > end:
                return CUT_EXTENSION, proto, at
            proto = np.int64(data[at])
            at += (np.int64(data[at + 1]) + 2) * 4
        elif proto == 44:
            if at + 8 > end:
                return CUT_EXTENSION, proto, at
            if u16(data, at + 2) & 0xFFF8:
                return FRAGMENT, proto, at
            proto = np.int64(data[at])
            at += 8
        else:
            return OK, proto, at


@njit(cache=True, nogil=True)
def _network4(data, ip, end, true):
    """An IPv4 header: ``(reason, protocol, at, length)``; `true` bytes are left of the frame from here on."""
    if ip + 20 > end:
        return CUT_IPV4, 0, ip, 0
    header = np.int64(data[ip] & 15) * 4
    if data[ip] >> 4 != 4 or header < 20:
        return BAD_IPV4, 0, ip, 0
    if ip + header > end:
        return CUT_IPV4, 0, ip, 0
    size = u16(data, ip + 2)
    if size == 0:
        # segmentation was left to the network card: the frame alone knows
        size = true
    if size < header:
        return BAD_IPV4, 0, ip, 0
    if u16(data, ip + 6) & 0x1FFF:
        return FRAGMENT, 0, ip, 0
    return OK, np.int64(data[ip + 9]), ip + header, size


@njit(cache=True, nogil=True)
def _network6(data, ip, end, true):
    """An IPv6 header and its extension headers: ``(reason, protocol, at, length)``."""
    if ip + 40 > end:
        return CUT_IPV6, 0, ip, 0
    if data[ip] >> 4 != 6:
        return BAD_IPV6, 0, ip, 0
    size = u16(data, ip + 4) + 40
    if size == 40 and data[ip + 6] != 59:
        size = max(true, 40)
    why, proto, at = _extensions(data, ip + 40, end, np.int64(data[ip + 6]))
    return why, proto, at, size


@njit(cache=True, nogil=True)
def _transport(data, at, end, stop, proto):
    """A transport header: ``(reason, source port, destination port, payload at, payload stop)``."""
    if proto == 6:
        if at + 20 > end:
            return CUT_TCP, 0, 0, at, stop
        header = np.int64(data[at + 12] >> 4) * 4
        if header < 20 or at + header > stop:
            return BAD_TCP, 0, 0, at, stop
        return OK, u16(data, at), u16(data, at + 2), at + header, stop
    if proto == 17:
        if at + 8 > end:
            return CUT_UDP, 0, 0, at, stop
        datagram = u16(data, at + 4)
        if datagram == 0:
            datagram = stop - at
        if datagram < 8 or at + 8 > stop:
            return BAD_UDP, 0, 0, at, stop
        return OK, u16(data, at), u16(data, at + 2), at + 8, min(stop, at + datagram)
    if proto == 1 or proto == 58:
        if at + 4 > end:
            return CUT_ICMP, 0, 0, at, stop
        if at + 4 > stop:
            return BAD_ICMP, 0, 0, at, stop
        return OK, np.int64(data[at]), np.int64(data[at + 1]), min(at + 8, stop), stop
    return OK, 0, 0, at, stop


@njit(cache=True, nogil=True)
def _is_echo(proto, kind):
    """Whether an ICMP message carries an identifier."""
    if proto == 1:
        return kind == 8 or kind == 0
    return proto == 58 and (kind == 128 or kind == 129)


@njit(cache=True, nogil=True)
def dissect_frames(
    data, offset, captured, length, ts, link,
    o_ts, src_hi, src_lo, dst_hi, dst_lo, proto, src_port, dst_port, ip_length, flags, seq, ack, window, ttl,
    payload_offset, payload_length, payload_captured, frame, file, ip_id, header_length, fragment, reason,
):  # fmt: skip
    """Fill the packet columns, one row per frame that holds an IP packet whose headers are whole.

    `reason` gets one code per frame. Returns ``(rows, bytes)``: rows filled and the sum of their frames' true lengths.
    """
    row = 0
    total = 0
    for i in range(len(offset)):
        end = offset[i] + captured[i]
        if ts[i] == NO_INSTANT:
            reason[i] = BAD_INSTANT
            continue
        why, version, ip = _link(data, offset[i], end, link[i])
        transport = size = at = begin = stop = np.int64(0)
        sport = dport = np.int64(0)
        if why == OK:
            true = np.int64(length[i]) - (ip - offset[i])
            if version == _IP4:
                why, transport, begin, size = _network4(data, ip, end, true)
            else:
                why, transport, begin, size = _network6(data, ip, end, true)
        if why == OK:
            why, sport, dport, at, stop = _transport(data, begin, end, ip + size, transport)
        reason[i] = why
        if why != OK:
            continue
        if version == _IP4:
            src_hi[row] = 0
            src_lo[row] = _MAPPED | np.uint64(u32(data, ip + 12))
            dst_hi[row] = 0
            dst_lo[row] = _MAPPED | np.uint64(u32(data, ip + 16))
        else:
            src_hi[row] = u64(data, ip + 8)
            src_lo[row] = u64(data, ip + 16)
            dst_hi[row] = u64(data, ip + 24)
            dst_lo[row] = u64(data, ip + 32)
        is_tcp = transport == 6
        seq[row] = u32(data, begin + 4) if is_tcp else 0
        ack[row] = u32(data, begin + 8) if is_tcp else 0
        flags[row] = data[begin + 13] if is_tcp else 0
        window[row] = u16(data, begin + 14) if is_tcp else 0
        if _is_echo(transport, sport) and begin + 6 <= end:
            seq[row] = u16(data, begin + 4)
        o_ts[row] = ts[i]
        proto[row] = transport
        src_port[row] = sport
        dst_port[row] = dport
        ip_length[row] = min(size, 0x7FFFFFFF)
        ttl[row] = data[ip + 8] if version == _IP4 else data[ip + 7]
        payload_offset[row] = min(at, end)
        payload_length[row] = min(max(stop - at, 0), 0x7FFFFFFF)
        payload_captured[row] = max(min(stop, end) - at, 0)
        frame[row] = i
        file[row] = 0
        ip_id[row] = u16(data, ip + 4) if version == _IP4 else 0
        known = is_tcp or transport == 17 or transport == 1 or transport == 58
        header_length[row] = at - begin if known else 0
        fragment[row] = 1 if version == _IP4 and data[ip + 6] & 0x20 else 0
        total += length[i]
        row += 1
    return row, total
