"""From an IP header to the payload: IPv4, IPv6 and its extension headers, transport headers.

Tunnels are for `rare`. Nothing is read at or behind `end`, the end of what was captured of the frame.
"""

from netsynth_core.capture._kernels.layout import (
    ACK,
    AT_PAYLOAD,
    BEGIN,
    DESTINATION,
    FIELDS,
    FIRST,
    FLAGS,
    FRAGMENT,
    IDENT,
    IP,
    LATER,
    PROTO,
    SEQ,
    SIZE,
    SOURCE,
    STOP,
    VERSION,
    WHOLE,
    WINDOW,
)
from netsynth_core.capture._kernels.links import find_ip
from netsynth_core.capture._kernels.words import be16, be32, byte, inner, least, most
from netsynth_core.capture.reasons import (
    BAD_ICMP,
    BAD_IPV4,
    BAD_IPV6,
    BAD_TCP,
    BAD_TRANSPORT,
    BAD_UDP,
    CUT_EXTENSION,
    CUT_ICMP,
    CUT_IPV4,
    CUT_IPV6,
    CUT_TCP,
    CUT_TRANSPORT,
    CUT_UDP,
    OK,
)


@inner
def _extensions(data, at, end, proto, fragment, ident):
    """Walk IPv6 extension headers (RFC 8200 section 4): ``(reason, proto, at, fragment, identification)``."""
    while True:
        if proto == 0 or proto == 43 or proto == 60 or proto == 135 or proto == 139 or proto == 140 or proto == 51:
            if at + 2 > end:
                return CUT_EXTENSION, proto, at, fragment, ident
            # the length counts words of 8 bytes beyond the first; that of AH words of 4 beyond two (RFC 4302 2.2)
            size = byte(data, at + 1)
            size = (size + 2) * 4 if proto == 51 else (size + 1) * 8
            proto = byte(data, at)
            at += size
        elif proto == 44:
            if at + 8 > end:
                return CUT_EXTENSION, proto, at, fragment, ident
            place = be16(data, at + 2)
            proto = byte(data, at)
            ident = be32(data, at + 4)
            at += 8
            if place & 0xFFF8:
                return OK, proto, at, LATER, ident
            if place & 1:
                fragment = FIRST
        else:
            return OK, proto, at, fragment, ident


@inner
def _network4(data, ip, end, true, fields):
    """An IPv4 header (RFC 791 section 3.1); `true` bytes are left of the frame from here on."""
    if ip + 20 > end:
        return CUT_IPV4
    header = (byte(data, ip) & 15) * 4
    if byte(data, ip) >> 4 != 4 or header < 20:
        return BAD_IPV4
    if ip + header > end:
        return CUT_IPV4
    size = be16(data, ip + 2)
    if size == 0:
        # segmentation was left to the network card: the frame alone knows
        size = true
    if size < header:
        return BAD_IPV4
    place = be16(data, ip + 6)
    fragment = LATER if place & 0x1FFF else FIRST if place & 0x2000 else WHOLE
    proto, begin = byte(data, ip + 9), ip + header
    if proto == 51 and fragment != LATER and begin + 2 <= end:
        proto, begin = byte(data, begin), begin + (byte(data, begin + 1) + 2) * 4
    fields[PROTO], fields[BEGIN], fields[SIZE] = proto, begin, size
    fields[FRAGMENT], fields[IDENT] = fragment, be16(data, ip + 4)
    return OK


@inner
def _network6(data, ip, end, true, fields):
    """An IPv6 header and its extension headers (RFC 8200 section 3)."""
    if ip + 40 > end:
        return CUT_IPV6
    if byte(data, ip) >> 4 != 6:
        return BAD_IPV6
    size = be16(data, ip + 4) + 40
    if size == 40 and byte(data, ip + 6) != 59:
        size = most(true, 40)
    why, proto, begin, fragment, ident = _extensions(data, ip + 40, end, byte(data, ip + 6), WHOLE, 0)
    fields[PROTO], fields[BEGIN], fields[SIZE] = proto, begin, size
    fields[FRAGMENT], fields[IDENT] = fragment, ident
    return why


@inner
def _tcp(data, begin, end, stop, first, fields):
    """A TCP header (RFC 9293 section 3.1); it may be cut behind its flags, and in a first fragment behind its ports.

    A window that was not captured is not one of zero: it is the largest.
    """
    seen = least(end, stop) if first else end
    if begin + (4 if first else 14) > seen:
        return CUT_TCP
    header = 20
    if begin + 14 <= seen:
        header = (byte(data, begin + 12) >> 4) * 4
        if header < 20 or (begin + header > stop and not first):
            return BAD_TCP
        fields[FLAGS] = byte(data, begin + 13)
    fields[SOURCE], fields[DESTINATION] = be16(data, begin), be16(data, begin + 2)
    fields[SEQ] = be32(data, begin + 4) if begin + 8 <= seen else 0
    fields[ACK] = be32(data, begin + 8) if begin + 12 <= seen else 0
    fields[WINDOW] = be16(data, begin + 14) if begin + 16 <= seen else 0xFFFF
    fields[AT_PAYLOAD] = begin + header
    return OK


@inner
def _udp(data, begin, end, stop, fields):
    """A UDP header (RFC 768)."""
    if begin + 8 > end:
        return CUT_UDP
    datagram = be16(data, begin + 4)
    if datagram == 0:
        # a jumbogram (RFC 2675 section 4), or segmentation left to the network card
        datagram = stop - begin
    if datagram < 8 or begin + 8 > stop:
        return BAD_UDP
    fields[SOURCE], fields[DESTINATION] = be16(data, begin), be16(data, begin + 2)
    fields[AT_PAYLOAD], fields[STOP] = begin + 8, least(stop, begin + datagram)
    return OK


@inner
def _icmp(data, begin, end, stop, proto, fields):
    """An ICMP or ICMPv6 header: type and code stand for ports, an echo's identifier for the sequence number."""
    if begin + 4 > end:
        return CUT_ICMP
    if begin + 4 > stop:
        return BAD_ICMP
    kind = byte(data, begin)
    fields[SOURCE], fields[DESTINATION], fields[AT_PAYLOAD] = kind, byte(data, begin + 1), least(begin + 8, stop)
    echo = (kind == 8 or kind == 0) if proto == 1 else (kind == 128 or kind == 129)
    if echo and begin + 6 <= end:
        fields[SEQ] = be16(data, begin + 4)
    return OK


@inner
def _ported(data, begin, end, stop, proto, fields):
    """SCTP (RFC 9260 section 3.1), UDP-Lite (RFC 3828 section 3.1) and DCCP (RFC 4340 section 5.1): their ports."""
    if begin + 8 > end:
        return CUT_TRANSPORT
    header = 12 if proto == 132 else 8
    if proto == 33:
        header = byte(data, begin + 4) * 4
        if header < 12:
            return BAD_TRANSPORT
    if begin + header > stop:
        return BAD_TRANSPORT
    fields[SOURCE], fields[DESTINATION], fields[AT_PAYLOAD] = be16(data, begin), be16(data, begin + 2), begin + header
    return OK


@inner
def read_headers(data, ip, end, true, version, fields):
    """Network and transport headers of one IP packet: fills `fields` and returns the reason."""
    for k in range(FIELDS):
        fields[k] = 0
    fields[IP], fields[VERSION] = ip, version
    why = _network4(data, ip, end, true, fields) if version == 4 else _network6(data, ip, end, true, fields)
    if why != OK:
        return why
    proto, begin, stop = fields[PROTO], fields[BEGIN], ip + fields[SIZE]
    fields[AT_PAYLOAD], fields[STOP] = begin, stop
    if fields[FRAGMENT] == LATER:
        return OK
    if proto == 6:
        return _tcp(data, begin, end, stop, fields[FRAGMENT] == FIRST, fields)
    if proto == 17:
        return _udp(data, begin, end, stop, fields)
    if proto == 1 or proto == 58:
        return _icmp(data, begin, end, stop, proto, fields)
    if proto == 132 or proto == 136 or proto == 33:
        return _ported(data, begin, end, stop, proto, fields)
    return OK


@inner
def read_frame(data, start, end, true, way, size, place, fields):
    """The IP packet of a frame: fills `fields` and returns the reason.

    `true` is the frame's length on the wire; `way`, `size` and `place` as `find_ip` takes them.
    """
    why, version, ip = find_ip(data, start, end, way, size, place)
    if why == OK:
        why = read_headers(data, ip, end, true - (ip - start), version, fields)
    return why
