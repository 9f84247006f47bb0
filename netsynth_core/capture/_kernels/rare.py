"""What few captures hold: IEEE 802.11, PPI and NFLOG below IP, and tunnels to look into.

It is apart so that a capture without it need not wait until it is compiled. Nothing is read at or behind `end`, the
end of what was captured.
"""

from netsynth_core.capture._kernels.layout import (
    BEGIN,
    DESTINATION,
    FIELDS,
    FIRST,
    FRAGMENT,
    IDENT,
    IP,
    LATER,
    NETFILTER,
    PER_PACKET,
    PROTO,
    SHELL,
    SHELL_VERSION,
    SIZE,
    STOP,
    VERSION,
    WHOLE,
    WIFI,
    WIFI_AVS,
    WIFI_PRISM,
    WIFI_RADIOTAP,
)
from netsynth_core.capture._kernels.links import BY_VERSION, ether
from netsynth_core.capture._kernels.network import read_frame, read_headers
from netsynth_core.capture._kernels.words import be16, be32, byte, inner, le16, le32, least
from netsynth_core.capture.reasons import (
    BAD_LINK,
    CUT_LINK,
    LINK_TYPE,
    OK,
    OTHER_TYPE,
    WIFI_CONTROL,
    WIFI_FRAGMENT,
    WIFI_MANAGEMENT,
    WIFI_NULL,
    WIFI_PROTECTED,
)


@inner
def _wifi(data, at, end, padded):
    """Where the LLC header of a data frame of IEEE 802.11 (IEEE 802.11-2016 section 9.3.2.1) is: ``(reason, at)``.

    Of an A-MSDU that of the first frame inside; `padded`: the header fills words of four bytes.
    """
    if at + 24 > end:
        return CUT_LINK, at
    control, flags = byte(data, at), byte(data, at + 1)
    kind = control & 0x0C
    if kind != 8:
        return (WIFI_MANAGEMENT if kind == 0 else WIFI_CONTROL if kind == 4 else BAD_LINK), at
    if control & 0x40:
        return WIFI_NULL, at
    if flags & 0x40:
        return WIFI_PROTECTED, at
    if byte(data, at + 22) & 0x0F:
        return WIFI_FRAGMENT, at
    size = 30 if flags & 3 == 3 else 24
    if control & 0x80:
        if at + size + 2 > end:
            return CUT_LINK, at
        several = byte(data, at + size) & 0x80
        size += 6 if flags & 0x80 else 2
        if several:
            size += 14
    if padded:
        size = (size + 3) // 4 * 4
    return (OK if at + size + 8 <= end else CUT_LINK), at + size


@inner
def _radiotap(data, at, end):
    """Bytes of radiotap before the 802.11 header and whether that is padded; -1 where they are broken."""
    size = le16(data, at + 2)
    if at + size > end:
        return -1, False
    present = le32(data, at + 4)
    fields, word = at + 8, present
    while word & 0x80000000 and fields + 4 <= at + size:
        word = le32(data, fields)
        fields += 4
    if present & 2 == 0:
        return size, False
    if present & 1:
        fields += (at - fields) % 8 + 8
    return size, fields < at + size and byte(data, fields) & 0x20 != 0


@inner
def _netfilter(data, at, end):
    """The packet in the attributes of NFLOG (www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html): ``(reason, at, kind)``.

    Their numbers are in the order of the machine that captured; since no type reaches 256, its bytes tell which.
    """
    at += 4
    while at + 4 <= end:
        little = byte(data, at + 2) != 0
        size, kind = (le16(data, at), le16(data, at + 2)) if little else (be16(data, at), be16(data, at + 2))
        if size < 4:
            return BAD_LINK, at, 0
        if kind == 9:
            return OK, at + 4, BY_VERSION
        at += (size + 3) // 4 * 4
    return CUT_LINK, at, 0


@inner
def _radio(data, at, end, way):
    """Behind what the radio told: radiotap, AVS, Prism or PPI; ``(reason, at, kind)`` of what follows 802.11.

    PPI may have Ethernet behind it. `kind` is what `ether` takes.
    """
    padded = False
    size = 0
    if way != WIFI:
        if at + 8 > end:
            return CUT_LINK, at, 0
        if way == WIFI_RADIOTAP:
            size, padded = _radiotap(data, at, end)
        elif way == PER_PACKET:
            link = le32(data, at + 4)
            if link != 105 and link != 1:
                return LINK_TYPE, at, 0
            size = le16(data, at + 2)
            if link == 1 and size >= 8:
                at += size + 14
                return (OK, at, be16(data, at - 2)) if at <= end else (CUT_LINK, at, 0)
        elif way == WIFI_AVS or be32(data, at) >> 12 == 0x80211:
            size = be32(data, at + 4)
        elif way == WIFI_PRISM:
            size = le32(data, at + 4)
        if size < 8:
            return BAD_LINK, at, 0
    why, at = _wifi(data, at + size, end, padded)
    return why, at, 0


@inner
def _tunnelled(data, begin, end, proto, port):
    """Where a packet is inside GRE (RFC 2784, 2890), VXLAN (RFC 7348 section 5) or IP: ``(reason, version, at)``."""
    if proto == 4:
        return OK, 4, begin
    if proto == 41:
        return OK, 6, begin
    if proto == 17 and (port == 4789 or port == 8472) and begin + 30 <= end and byte(data, begin + 8) & 8:
        return ether(data, begin + 30, end, be16(data, begin + 28))
    if proto == 47 and begin + 4 <= end and be16(data, begin) & 0x4007 == 0:
        flags, kind = be16(data, begin), be16(data, begin + 2)
        at = begin + 4
        for bit in (0x8000, 0x2000, 0x1000):
            if flags & bit:
                at += 4
        if kind == 0x88BE and flags & 0x1000:
            at += 8
        if kind == 0x22EB and at + 12 <= end:
            # ERSPAN III; the last bit announces eight bytes more
            at += 20 if byte(data, at + 11) & 1 else 12
        if kind == 0x6558 or kind == 0x88BE or kind == 0x22EB:
            return ether(data, at + 14, end, be16(data, at + 12)) if at + 14 <= end else (OTHER_TYPE, 0, at)
        if kind >= 0x600:
            return ether(data, at, end, kind)
    return OTHER_TYPE, 0, begin


@inner
def read_any_frame(data, start, end, true, way, size, place, tunnels, fields, inside):
    """As `network.read_frame`, through radio too.

    With `tunnels` it is the packet that the packet carries, where its headers are whole; `inside` is room for its
    fields. Where the tunnel's packet was fragmented and the one inside was not, that is the first fragment.
    """
    if way >= WIFI:
        why, at, kind = _netfilter(data, start, end) if way == NETFILTER else _radio(data, start, end, way)
        if why != OK:
            return why
        why, version, ip = ether(data, at, end, kind)
        if why == OK:
            why = read_headers(data, ip, end, true - (ip - start), version, fields)
    else:
        why = read_frame(data, start, end, true, way, size, place, fields)
    if not tunnels or why != OK or fields[FRAGMENT] == LATER:
        return why
    found, version, at = _tunnelled(data, fields[BEGIN], end, fields[PROTO], fields[DESTINATION])
    if found == OK:
        limit = least(end, fields[STOP])
        if read_headers(data, at, limit, fields[STOP] - at, version, inside) == OK:
            if fields[FRAGMENT] == FIRST and inside[FRAGMENT] == WHOLE:
                # the later fragments of the tunnel belong to the packet inside, of which this frame holds the start
                inside[SHELL], inside[SHELL_VERSION] = fields[IP], fields[VERSION]
                inside[IDENT], inside[FRAGMENT] = fields[IDENT], FIRST
                inside[SIZE] = least(inside[SIZE], fields[STOP] - at)
                inside[STOP] = least(inside[STOP], fields[STOP])
            for k in range(FIELDS):
                fields[k] = inside[k]
    return why
