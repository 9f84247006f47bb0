"""From the start of a frame to its IP header, for every link type that can hold one but radio (that is in `rare`).

Which way leads there is told by the table of `netsynth_core.capture.links`. Nothing is read at or behind `end`, the
end of what was captured.
"""

from netsynth_core.capture._kernels.layout import (
    FAMILY,
    FILTER_LOG,
    LLC_AT_ONCE,
    NO_WAY,
    PPP,
    TOKEN_RING,
    TYPED,
)
from netsynth_core.capture._kernels.words import be16, be32, byte, inner, le32
from netsynth_core.capture.reasons import (
    ARP,
    CUT_LINK,
    EAPOL,
    LINK_TYPE,
    LLC,
    LLDP,
    NOT_VERSION,
    OK,
    OTHER_TYPE,
    PPP_CONTROL,
)

BY_VERSION, _BY_PROTOCOL = -1, -2
"""What `ether` takes in place of an EtherType: IP of some version, PPP."""
_CUT, _UNKNOWN = -3, -4
"""What stands in place of an EtherType where it is not there, or nothing tells it; 0 is a length of IEEE 802.3."""


@inner
def _ppp(data, at, end):
    """The EtherType behind a PPP header (0: none that is IP), and where; -1 where it is cut.

    Address and control bytes may be there (RFC 1662 section 3.1), the protocol may be one byte (RFC 1661 section 6.5).
    """
    if at + 2 <= end and be16(data, at) == 0xFF03:
        at += 2
    if at + 2 > end:
        return -1, at
    protocol = be16(data, at)
    at += 2
    if protocol & 0x100:
        protocol >>= 8
        at -= 1
    if protocol == 0x21:
        return 0x0800, at
    if protocol == 0x57:
        return 0x86DD, at
    return 0, at


@inner
def _is_known(kind):
    """Whether this is an EtherType that `ether` follows, or one of ARP, LLDP, EAPOL and PPPoE's discovery."""
    if kind == 0x0800 or kind == 0x86DD or kind == 0x0806 or kind == 0x8100 or kind == 0x88A8 or kind == 0x9100:
        return True
    if kind == 0x8847 or kind == 0x8848 or kind == 0x8863 or kind == 0x8864:
        return True
    return kind == 0x88CC or kind == 0x888E or kind == 0x88E7


@inner
def _mpls(data, at, end):
    """Behind a stack of MPLS labels: the EtherType, `_UNKNOWN` or `_CUT`, and where.

    An Ethernet pseudowire is taken behind a control word, which starts with a zero nibble (RFC 4385 section 3), and
    without one (RFC 4448 section 4.6) where a known EtherType is in its place.
    """
    while at + 4 < end:
        at += 4
        if byte(data, at - 2) & 1:
            version = byte(data, at) >> 4
            if version == 4 or version == 6:
                return (0x0800 if version == 4 else 0x86DD), at
            controlled = version == 0 and at + 18 <= end
            bare = at + 14 <= end and _is_known(be16(data, at + 12))
            if controlled and not (bare and not _is_known(be16(data, at + 16))):
                return be16(data, at + 16), at + 18
            if bare:
                return be16(data, at + 12), at + 14
            return _UNKNOWN, at
    return _CUT, at


@inner
def _llc(data, at, end):
    """The EtherType behind an LLC header (RFC 1042), 0x800 for IP right above LLC (RFC 948), else 0; and where."""
    if at + 8 <= end and be16(data, at) == 0xAAAA and be32(data, at + 2) & 0xFFFF07 == 0:
        return be16(data, at + 6), at + 8
    if at + 3 <= end and be16(data, at) == 0x0606:
        return 0x0800, at + 3
    return 0, at


@inner
def ether(data, at, end, kind):
    """Follow tags, shims and LLC from an EtherType (below 0x600: an IEEE 802.3 length) to IP.

    Returns ``(reason, version, at)``: `reasons.OK` and where the IP header of that version (4 or 6) starts.
    """
    for _ in range(12):
        if kind == 0x0800:
            return OK, 4, at
        if kind == 0x86DD:
            return OK, 6, at
        if kind == 0x8100 or kind == 0x88A8 or kind == 0x9100 or kind == 0x9200 or kind == 0x9300:
            at += 4
            kind = be16(data, at - 2) if at <= end else _CUT
        elif kind == 0x8847 or kind == 0x8848:
            kind, at = _mpls(data, at, end)
            if kind == _UNKNOWN:
                return NOT_VERSION, 0, at
        elif kind == 0x8864 or kind == _BY_PROTOCOL:
            kind, at = _ppp(data, at + (6 if kind == 0x8864 else 0), end)
            if kind == 0:
                return PPP_CONTROL, 0, at
            kind = _CUT if kind < 0 else kind
        elif kind == 0x88E7:
            # provider backbone: service tag, then a whole Ethernet header (IEEE 802.1Q-2018 section 9.7)
            at += 18
            kind = be16(data, at - 2) if at <= end else _CUT
        elif kind == BY_VERSION:
            version = byte(data, at) >> 4 if at < end else -1
            if version >= 0 and version != 4 and version != 6:
                return NOT_VERSION, 0, at
            kind = _CUT if version < 0 else 0x0800 if version == 4 else 0x86DD
        elif kind < 0:
            return CUT_LINK, 0, at
        elif kind < 0x600:
            kind, at = _llc(data, at, end)
            if kind < 0x600:
                return LLC, 0, at
        else:
            break
    if kind == 0x0806 or kind == 0x8035:
        return ARP, 0, at
    if kind == 0x88CC:
        return LLDP, 0, at
    if kind == 0x888E:
        return EAPOL, 0, at
    return (PPP_CONTROL if kind == 0x8863 else OTHER_TYPE), 0, at


@inner
def find_ip(data, at, end, way, size, place):
    """The IP header of one frame: ``(reason, version, at)``.

    Parameters
    ----------
    way, size, place
        How the link type leads to it: one of the ways of `layout`, the bytes of the link header, and where in it the
        EtherType is.
    """
    start = at
    at += size
    if way == NO_WAY:
        return LINK_TYPE, 0, start
    if at > end:
        return CUT_LINK, 0, start
    kind = BY_VERSION
    if way == TYPED:
        kind = be16(data, start + place)
    elif way == LLC_AT_ONCE:
        kind = 0
    elif way == PPP:
        kind = _BY_PROTOCOL
    elif way == FAMILY:
        family = be32(data, start)
        if family > 0xFFFF:
            family = le32(data, start)
        if family != 2 and family != 24 and family != 28 and family != 30 and family != 10:
            return NOT_VERSION, 0, start
    elif way == TOKEN_RING:
        # the source address announces routing information (IEEE 802.5)
        kind = 0
        if byte(data, start + 8) & 0x80 and at < end:
            at += byte(data, at) & 0x1F
    elif way == FILTER_LOG:
        at = start + (byte(data, start) + 3) // 4 * 4
    return ether(data, at, end, kind)
