"""Services over UDP: names, addresses, clocks, management, calls, tunnels."""

from typing import Final

import numpy as np

from netsynth_core.capture.packets import PROTO_TCP
from netsynth_core.flows.services.evidence import Evidence, Mask, Numbers, Side, as_mask

_CLASSES: Final = (1, 3, 4, 254, 255)
_LABELS: Final = 128
"""Most labels of a name, RFC 1035 section 2.3.4: 255 bytes."""
_WIREGUARD_SIZES: Final = {1: 148, 2: 92, 3: 64}


def _walk_name(s: Side, at: Numbers) -> tuple[Numbers, Mask]:
    """Where the name at `at` ends (behind it), and which names hold together as far as the head goes."""
    width = s.head.shape[1]
    fine = np.ones(len(s), np.bool_)
    going = np.ones(len(s), np.bool_)
    at = at.copy()
    for _ in range(_LABELS):
        label = s.pick(at)
        inside = at < np.minimum(width, s.size)
        fine &= ~going | ~inside | (label < 64) | (label >= 0xC0)
        end = (label == 0) | (label >= 0xC0)
        at = np.where(going & inside & fine, at + 1 + np.where(end, label >= 0xC0, label), at)
        going &= inside & fine & ~end
        if not going.any():
            break
    return at, fine


def dns_message(s: Side, shift: int, *, one_question: bool = True) -> Mask:
    """A header with sane flags and counts, and a question of labels, type and class (RFC 1035 section 4.1).

    `one_question` asks for exactly one question and a class that is given out, as needed where the port says nothing.
    """

    def told(part: Side) -> Mask:
        questions = part.word(shift + 4)
        counts = part.word(shift + 6) + part.word(shift + 8) + part.word(shift + 10)
        opcode = part.word(shift + 2) >> 11 & 15
        asked = (questions == 1) if one_question else (questions <= 64)
        at, fine = _walk_name(part, np.full(len(part), shift + 12))
        seen = at + 4 <= np.minimum(part.head.shape[1], part.size)
        kind = part.pick(at + 2) << 8 | part.pick(at + 3)
        classed = np.isin(kind & 0x7FFF, _CLASSES) | (not one_question)
        cut = at + 4 > part.size
        empty = (questions == 0) & ((counts == 0) | (part.byte(shift + 2) < 0x80))
        whole = fine & np.where(seen, classed, ~cut | (questions == 0))
        return as_mask(whole & asked & np.isin(opcode, (0, 1, 2, 4, 5)) & (counts <= 400) & ~empty)

    if one_question:
        gate = (s.byte(shift + 4) == 0) & (s.byte(shift + 5) == 1) & (s.byte(shift + 6) <= 1)
    else:
        gate = (s.byte(shift + 4) == 0) & (s.byte(shift + 5) <= 64) & (s.byte(shift + 6) == 0)
    return s.where(as_mask(gate & (s.size >= shift + 17)), told)


def dns(e: Evidence) -> Mask:
    """A query or an answer; by TCP behind two bytes of length (RFC 1035 section 4.2)."""
    if e.proto == PROTO_TCP:
        return as_mask(_framed_dns(e.orig) | _framed_dns(e.resp))
    told = dns_message(e.orig, 0) | dns_message(e.resp, 0)
    on_port = e.where(e.on(53), lambda part: as_mask(any_dns(part.orig) | any_dns(part.resp)))
    return as_mask((told | on_port) & ~e.on(137, 5353, 5355))


def _framed_dns(s: Side) -> Mask:
    def told(part: Side) -> Mask:
        length = part.word(0)
        return as_mask(dns_message(part, 2) & (length >= 17) & (length + 2 >= np.minimum(part.size, 1400)))

    return s.where(as_mask((s.byte(6) == 0) & (s.byte(7) == 1) & (s.size >= 19)), told)


def any_dns(s: Side) -> Mask:
    """Any DNS message, several questions or none included (RFC 6762 section 18, RFC 4795 section 2.1)."""
    return dns_message(s, 0, one_question=False)


def netbios(e: Evidence) -> Mask:
    """Names on port 137 (RFC 1002 section 4.2.1), datagrams on port 138 (section 4.4.1)."""

    def name(s: Side) -> Mask:
        return as_mask(
            (s.size >= 50) & (s.byte(4) == 0) & (s.byte(5) <= 1) & ((s.byte(12) == 0x20) | (s.byte(12) == 0))
        )

    def datagram(s: Side) -> Mask:
        return as_mask((s.byte(0) >= 0x10) & (s.byte(0) <= 0x16) & (s.size >= 14))

    names = e.where(e.on(137), lambda p: as_mask(name(p.orig) | name(p.resp)))
    return as_mask(names | e.where(e.on(138), lambda p: as_mask(datagram(p.orig) | datagram(p.resp))))


def ntp(s: Side) -> Mask:
    """A version and a mode, and the size of the mode's messages (RFC 5905 section 7.3, RFC 9327 section 2)."""
    version, mode = s.byte(0) >> 3 & 7, s.byte(0) & 7
    clock = (mode >= 1) & (mode <= 5) & (s.size >= 48)
    control = (mode >= 6) & (s.size >= 8)
    return as_mask((version >= 1) & (version <= 4) & (clock | control))


def dhcp(s: Side) -> Mask:
    """A request or reply for a hardware address of at most 16 bytes (RFC 2131 section 2, BOOTP: RFC 951)."""
    return as_mask(((s.byte(0) == 1) | (s.byte(0) == 2)) & (s.byte(1) >= 1) & (s.byte(2) <= 16) & (s.size >= 236))


def dhcpv6(s: Side) -> Mask:
    """A message type and a first option within the datagram (RFC 8415 section 8)."""
    relay = s.among(0, (12, 13)) & (s.size >= 34)
    return as_mask(s.among(0, range(1, 12)) & (s.size >= 8) & (s.word(4) <= 143) & (s.word(6) + 8 <= s.size) | relay)


def rip(s: Side) -> Mask:
    """A command, a version, zeros and whole entries (RFC 2453 section 4)."""
    return as_mask(s.among(0, (1, 2)) & s.among(1, (1, 2)) & (s.word(2) == 0) & (s.size % 20 == 4))


def radius(s: Side) -> Mask:
    """A known code, the datagram's length, a first attribute of sane length (RFC 2865 section 3, RFC 5176)."""

    def told(part: Side) -> Mask:
        first = part.byte(21)
        attribute = (part.size == 20) | ((part.byte(20) > 0) & (first >= 2) & (first <= part.size - 20))
        return as_mask((part.word(2) == part.size) & attribute)

    return s.where(as_mask(s.among(0, (1, 2, 3, 4, 5, 11, 12, 13, *range(40, 46))) & (s.size >= 20)), told)


def tftp(s: Side) -> Mask:
    """A request with a name and a mode, as far as the head goes (RFC 1350 section 5)."""

    def told(part: Side) -> Mask:
        named = np.all(part.head[:, 2:] > 0x20, axis=1)
        mode = part.holds(b"\0octet") | part.holds(b"\0netascii") | part.holds(b"\0OCTET")
        return as_mask(mode | (named & (part.size > part.head.shape[1])))

    return s.where(as_mask((s.byte(0) == 0) & s.among(1, (1, 2)) & (s.byte(2) > 0x20) & (s.size >= 9)), told)


def quic(e: Evidence) -> Mask:
    """A long header of a known version, or packets with the fixed bit on port 443 (RFC 9000 section 17, RFC 9369).

    One of the first datagrams is padded to 1200 bytes (section 14.1). Google's versions before the standard are told
    by their public header (QUIC Q0xx wire layout).
    """

    def long(s: Side) -> Mask:
        known = s.at(1, b"\0\0\0\1") | s.at(1, b"\x6b\x33\x43\xcf") | s.at(1, b"\xff\0\0") | s.at(1, b"\xfa\xce\xb0")
        known |= (s.byte(1) == 0x51) & s.among(2, b"0") | (s.byte(1) == 0x54) & s.among(2, b"05")
        return as_mask((s.byte(0) >= 0xC0) & known & (s.byte(5) <= 20) & (s.size >= 20))

    def early(s: Side) -> Mask:
        return as_mask(s.among(0, (0x09, 0x0D)) & s.at(9, b"Q0") & (s.size >= 20))

    def short(s: Side) -> Mask:
        return as_mask((s.size == 0) | ((s.byte(0) & 0x40 != 0) & (s.size >= 21) & ~s.printable(12)))

    padded = (e.orig.size >= 1200) | (e.resp.size >= 1200) | e.on(443)
    told = (long(e.orig) | long(e.resp)) & padded | early(e.orig)
    return as_mask(told | (e.on(443) & short(e.orig) & short(e.resp) & (e.orig.size + e.resp.size > 0)))


def dtls(s: Side) -> Mask:
    """A record with a version of DTLS and its length (RFC 6347 section 4.1)."""

    def told(part: Side) -> Mask:
        version = (part.word(1) == 0xFEFF) | (part.word(1) == 0xFEFD) | (part.word(1) == 0x0100)
        return as_mask(version & (part.word(11) + 13 <= part.size) & (part.word(11) > 0))

    return s.where(as_mask((s.byte(0) >= 20) & (s.byte(0) <= 26) & (s.size >= 14)), told)


def stun(s: Side) -> Mask:
    """The magic cookie, or a binding message before it, with the message's length (RFC 8489 section 5, RFC 3489)."""

    def told(part: Side) -> Mask:
        binding = np.isin(part.word(0), (0x0001, 0x0101, 0x0111))
        return as_mask((part.word(2) + 20 == part.size) & (part.at(4, b"\x21\x12\xa4\x42") | binding))

    return s.where(as_mask((s.byte(0) < 0x40) & (s.byte(3) & 3 == 0) & (s.size >= 20)), told)


def rtp(e: Evidence) -> Mask:
    """Both sides send version 2, no sources, and one payload type that RFC 3551 section 6 gives out (RFC 3550 5.1)."""

    def framed(s: Side) -> Mask:
        kind = s.byte(1) & 0x7F
        return as_mask((s.byte(0) & 0xCF == 0x80) & ((kind <= 34) | (kind >= 96)) & (s.size >= 13))

    return as_mask(framed(e.orig) & framed(e.resp) & ((e.orig.byte(1) ^ e.resp.byte(1)) & 0x7F == 0) & (e.port >= 1024))


def bittorrent(s: Side) -> Mask:
    """The handshake between peers (BEP 3), a query of the distributed table (BEP 5), local discovery (BEP 14)."""
    return s.starts(b"\x13BitTorrent protocol", b"d1:ad2:id20:", b"d1:rd2:id20:", b"d2:ip", b"BT-SEARCH * HTTP")


def wireguard(e: Evidence) -> Mask:
    """A handshake message of its exact size, any message on the port; reserved bytes zero (WireGuard: messages)."""

    def told(s: Side) -> Mask:
        sized = [(s.byte(0) == kind) & (s.size == size) for kind, size in _WIREGUARD_SIZES.items()]
        on_port = (s.byte(0) >= 1) & (s.byte(0) <= 4) & (s.size >= 32) & e.on(51820)
        return as_mask((np.logical_or.reduce(sized) | on_port) & (s.byte(1) == 0) & (s.word(2) == 0))

    return as_mask(told(e.orig) | told(e.resp))


def openvpn(e: Evidence) -> Mask:
    """A hard reset of client or server, with key 0; by TCP behind two bytes of length (OpenVPN network protocol)."""
    shift = 2 if e.proto == PROTO_TCP else 0

    def reset(s: Side, opcodes: tuple[int, ...]) -> Mask:
        framed = s.word(0) + 2 == s.size if shift else s.size >= 14
        return as_mask(s.among(shift, opcodes) & framed & (s.size >= shift + 14) & (s.size <= 128 + shift))

    asked, replied = reset(e.orig, (0x38, 0x50)), reset(e.resp, (0x40,))
    return as_mask((asked & replied) | (asked & (e.resp.size == 0) & e.on(1194)))


def ike(e: Evidence) -> Mask:
    """A header of version 1 or 2 with the message's length; on port 4500 behind a marker (RFC 7296 3.1, 2.23)."""

    def header(s: Side, shift: int) -> Mask:
        def told(part: Side) -> Mask:
            return as_mask(part.long(shift + 24) == part.size - shift)

        exchanges = (*range(1, 8), *range(32, 44))
        gate = s.among(shift + 17, (0x10, 0x20)) & s.among(shift + 18, exchanges) & (s.size >= shift + 28)
        return s.where(as_mask(gate), told)

    plain = header(e.orig, 0) | header(e.resp, 0)
    behind = (header(e.orig, 4) | header(e.resp, 4)) & e.on(4500)
    return as_mask(plain | behind)


def gtp(e: Evidence) -> Mask:
    """Version 1 or 2 with the message's length on its ports (3GPP TS 29.060 section 6, 29.281 section 5, 29.274)."""

    def told(s: Side) -> Mask:
        one = (s.byte(0) & 0xE0 == 0x20) & (s.word(2) + 8 == s.size)
        two = (s.byte(0) & 0xE0 == 0x40) & (s.word(2) + 4 == s.size)
        return as_mask((s.size >= 8) & (one | two))

    return e.where(e.on(2123, 2152, 3386), lambda part: as_mask(told(part.orig) | told(part.resp)))


def teredo(e: Evidence) -> Mask:
    """An IPv6 packet from or to Teredo's prefix; on port 3544 also an indication before one (RFC 4380 section 5.1)."""

    def plain(s: Side) -> Mask:
        prefixed = s.at(8, b"\x20\x01\0\0") | s.at(24, b"\x20\x01\0\0")
        return as_mask(prefixed & (s.word(4) + 40 <= s.size) & (s.byte(6) <= 60))

    def told(s: Side) -> Mask:
        indicated = (s.byte(0) == 0) & (s.byte(1) <= 1) & (s.size >= 40)
        return as_mask(indicated & e.on(3544) | s.where(as_mask((s.byte(0) >> 4 == 6) & (s.size >= 40)), plain))

    return as_mask(told(e.orig) | told(e.resp))


def vxlan(s: Side) -> Mask:
    """Flags with only the identifier's, reserved bytes zero (RFC 7348 section 5)."""
    return as_mask(s.at(0, b"\x08\0\0\0") & (s.byte(7) == 0) & (s.size >= 22))


def netflow(s: Side) -> Mask:
    """NetFlow 5 with all its records, or IPFIX of the message's length (RFC 3954, RFC 7011 section 3.1)."""

    def told(part: Side) -> Mask:
        five = (part.word(0) == 5) & (part.word(2) * 48 + 24 == part.size)
        return as_mask(five | ((part.word(0) == 10) & (part.word(2) == part.size) & (part.size >= 20)))

    return s.where(as_mask((s.byte(0) == 0) & s.among(1, (5, 10))), told)


def netflow9(s: Side) -> Mask:
    """NetFlow 9: a version, few records, a first set of sane length (RFC 3954 section 5.1)."""
    return as_mask((s.word(0) == 9) & (s.word(2) <= 512) & (s.size >= 24) & (s.word(22) + 20 <= s.size))


def sflow(s: Side) -> Mask:
    """Version 5 and an address family (sFlow version 5 section 5)."""
    return as_mask(s.at(0, b"\0\0\0\5") & (s.long(4) >= 1) & (s.long(4) <= 2) & (s.size >= 28))


def slp(s: Side) -> Mask:
    """Version 2, a function, the message's length (RFC 2608 section 8)."""
    gate = as_mask((s.byte(0) == 2) & (s.byte(1) >= 1) & (s.byte(1) <= 11) & (s.size >= 14))
    return s.where(gate, lambda part: as_mask(part.number(2, 3) == part.size))


def ptp(s: Side) -> Mask:
    """Version 2 and the message's length (IEEE 1588 section 13.3)."""
    gate = as_mask((s.byte(1) & 0x0F == 2) & (s.byte(0) & 0x0F <= 13) & (s.size >= 34))
    return s.where(gate, lambda part: as_mask(part.word(2) <= part.size))


def coap(s: Side) -> Mask:
    """Version 1, a token of at most eight bytes, a known class of code (RFC 7252 section 3)."""
    code = s.byte(1)
    known = (code <= 7) | np.isin(code >> 5, (2, 4, 5, 7))
    return as_mask((s.byte(0) >> 6 == 1) & (s.byte(0) & 0x0F <= 8) & known & (s.size >= 4))


def discovery(s: Side) -> Mask:
    """A SOAP envelope (WS-Discovery 1.1 section 2.4)."""
    return s.where(as_mask(s.byte(0) == 0x3C), lambda part: as_mask(part.holds(b"<?xml") | part.holds(b"Envelope")))
