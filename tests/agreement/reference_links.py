"""The plain reader's first half: from the start of a frame to its IP header (see `reference`)."""

from tests.agreement.reference_ip import Skip

CUT = "truncated link header"
UNKNOWN = "not IP: unknown version or family"
PPP_CONTROL = "not IP: PPP control"
TAGS = (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)
OTHERS = {
    0x0806: "not IP: ARP", 0x8035: "not IP: ARP", 0x88CC: "not IP: LLDP", 0x888E: "not IP: EAPOL",
    0x8863: PPP_CONTROL,
}  # fmt: skip
KNOWN = (0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8, 0x9100, 0x8847, 0x8848, 0x8863, 0x8864, 0x88CC, 0x888E, 0x88E7)
Found = tuple[int, int]


def _be(frame: bytes, at: int, size: int = 2) -> int:
    raw = frame[at : at + size]
    if len(raw) < size:
        raise Skip(CUT)
    return int.from_bytes(raw, "big")


def _le(frame: bytes, at: int, size: int = 4) -> int:
    _be(frame, at, size)
    return int.from_bytes(frame[at : at + size], "little")


def _by_version(frame: bytes, at: int) -> Found:
    version = _be(frame, at, 1) >> 4
    if version not in (4, 6):
        raise Skip(UNKNOWN)
    return version, at


def _ppp(frame: bytes, at: int) -> Found:
    protocol = _be(frame, at)
    size = 2
    if protocol & 0x100:
        protocol, size = protocol >> 8, 1
    if protocol not in (0x21, 0x57):
        raise Skip(PPP_CONTROL)
    return (4 if protocol == 0x21 else 6), at + size


def _framed_ppp(frame: bytes, at: int) -> Found:
    return _ppp(frame, at + 2 if frame[at : at + 2] == b"\xff\x03" else at)


def ether(frame: bytes, at: int, kind: int) -> Found:
    """Behind an EtherType (below 0x600: the length of IEEE 802.3) through tags, shims and LLC to IP."""
    for _ in range(12):
        if kind in (0x0800, 0x86DD):
            return (4 if kind == 0x0800 else 6), at
        if kind in TAGS:
            kind, at = _be(frame, at + 2), at + 4
        elif kind in (0x8847, 0x8848):
            kind, at = _mpls(frame, at)
        elif kind == 0x8864:
            return _ppp(frame, at + 6)
        elif kind == 0x88E7:
            kind, at = _be(frame, at + 16), at + 18
        elif kind < 0x600:
            kind, at = _llc(frame, at)
        else:
            break
    raise Skip(OTHERS.get(kind, "not IP: other EtherType"))


def _mpls(frame: bytes, at: int) -> Found:
    while True:
        label = _be(frame, at, 4)
        at += 4
        if label & 0x100:
            break
    version = _be(frame, at, 1) >> 4
    if version in (4, 6):
        return (0x0800 if version == 4 else 0x86DD), at
    straight, behind = (
        int.from_bytes(frame[k : k + 2], "big") if len(frame) >= k + 2 else 0 for k in (at + 12, at + 16)
    )
    if straight in KNOWN and not (version == 0 and behind in KNOWN):
        return straight, at + 14
    if version == 0 and len(frame) >= at + 18:
        return _be(frame, at + 16), at + 18
    raise Skip(UNKNOWN)


def _llc(frame: bytes, at: int) -> Found:
    raw = frame[at : at + 8]
    if len(raw) == 8 and raw[:2] == b"\xaa\xaa" and raw[3:5] == b"\0\0" and raw[5] & 7 == 0:
        kind = _be(frame, at + 6)
        if kind >= 0x600:
            return kind, at + 8
    elif len(raw) >= 3 and raw[:2] == b"\x06\x06":
        return 0x0800, at + 3
    raise Skip("not IP: LLC")


def _wifi(frame: bytes, at: int, *, padded: bool = False) -> Found:
    if len(frame) < at + 24:
        raise Skip(CUT)
    control, flags = frame[at], frame[at + 1]
    kind = control >> 2 & 3
    if kind != 2:
        raise Skip(("not IP: 802.11 management", "not IP: 802.11 control", "", "broken link header")[kind])
    if control & 0x40:
        raise Skip("not IP: 802.11 data frame without data")
    if flags & 0x40:
        raise Skip("protected 802.11 frame")
    if frame[at + 22] & 15:
        raise Skip("802.11 fragment after the first")
    size = 30 if flags & 3 == 3 else 24
    if control & 0x80:
        several = _be(frame, at + size) & 0x8000
        size += (6 if flags & 0x80 else 2) + (14 if several else 0)
    if padded:
        size += -size % 4
    if len(frame) < at + size + 8:
        raise Skip(CUT)
    return ether(frame, at + size, 0)


def _behind(frame: bytes, size: int, *, padded: bool = False) -> Found:
    """802.11 behind `size` bytes of what the radio told."""
    if size < 8:
        raise Skip("broken link header")
    return _wifi(frame, size, padded=padded)


def _radiotap(frame: bytes) -> Found:
    size, word = _le(frame, 2, 2), _le(frame, 4)
    present = word
    if size < 8 or size > len(frame):
        raise Skip("broken link header")
    fields = 8
    while word >> 31 and fields + 4 <= size:
        word, fields = _le(frame, fields), fields + 4
    if present & 1:
        fields += -fields % 8 + 8
    return _behind(frame, size, padded=bool(present & 2) and fields < size and frame[fields] & 0x20 != 0)


def _prism(frame: bytes) -> Found:
    size = _le(frame, 4)
    return _behind(frame, _be(frame, 4, 4) if _be(frame, 0, 4) >> 12 == 0x80211 else size)


def _ppi(frame: bytes) -> Found:
    link, size = _le(frame, 4), _le(frame, 2, 2)
    if link not in (1, 105):
        raise Skip("unsupported link type")
    return _typed(frame, 12, 14, size) if link == 1 and size >= 8 else _behind(frame, size)


def _nflog(frame: bytes) -> Found:
    at = 4
    while True:
        size, kind = (_le if _be(frame, at + 2) > 255 else _be)(frame, at, 2), max(frame[at + 2 : at + 4])
        both = frame[at + 2] and frame[at + 3]
        if size < 4:
            raise Skip("broken link header")
        if kind == 9 and not both:
            return _by_version(frame, at + 4)
        at += size + -size % 4


def _family(frame: bytes) -> Found:
    family = _be(frame, 0, 4)
    if family > 0xFFFF:
        family = _le(frame, 0)
    if family not in (2, 10, 24, 28, 30):
        raise Skip(UNKNOWN)
    return _by_version(frame, 4)


def _typed(frame: bytes, place: int, size: int, start: int = 0) -> Found:
    if len(frame) < start + size:
        raise Skip(CUT)
    return ether(frame, start + size, _be(frame, start + place))


def _skipped(frame: bytes, size: int) -> Found:
    if len(frame) < size:
        raise Skip(CUT)
    return ether(frame, size, 0)


def _token_ring(frame: bytes) -> Found:
    if len(frame) < 14:
        raise Skip(CUT)
    routing = frame[14] & 0x1F if frame[8] & 0x80 and len(frame) > 14 else 0
    return ether(frame, 14 + routing, 0)


def _flagged(frame: bytes) -> Found:
    size = _be(frame, 0, 1)
    return _by_version(frame, size + -size % 4)


LINKS = {
    0: _family, 108: _family,
    1: lambda f: _typed(f, 12, 14), 113: lambda f: _typed(f, 14, 16), 276: lambda f: _typed(f, 0, 20),
    **dict.fromkeys((12, 14, 101, 228, 229), lambda f: _by_version(f, 0)),
    9: lambda f: _framed_ppp(f, 0), 50: lambda f: _framed_ppp(f, 0), 51: lambda f: _ppp(f, 6),
    166: lambda f: _ppp(f, 2), 204: lambda f: _framed_ppp(f, 1),
    105: lambda f: _wifi(f, 0), 127: _radiotap, 119: _prism, 163: lambda f: _behind(f, _be(f, 4, 4)), 192: _ppi,
    239: _nflog,
    104: lambda f: _typed(f, 2, 4), 10: lambda f: _skipped(f, 13), 6: _token_ring, 100: lambda f: _skipped(f, 0),
    122: lambda f: _skipped(f, 16), 138: lambda f: _typed(f, 16, 18), 242: lambda f: _typed(f, 40, 44),
    8: lambda f: _by_version(f, 16), 109: lambda f: _by_version(f, 12), 117: _flagged,
    240: lambda f: _typed(f, 12, 14, 4),
}  # fmt: skip


def ip_of(frame: bytes, link: int) -> Found:
    """Version and place of the IP header of a frame.

    Raises
    ------
    Skip
        When there is none, or it was cut.
    """
    if link not in LINKS:
        raise Skip("unsupported link type")
    return LINKS[link](frame)
