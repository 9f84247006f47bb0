"""Services of plants and buildings."""

import numpy as np

from netsynth_core.flows.services.evidence import Evidence, Mask, Numbers, Side, as_mask

_DNP3_POLYNOMIAL = 0xA6BC
_MODBUS_FUNCTIONS = (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43, 90)
_ENIP_COMMANDS = (0x04, 0x63, 0x64, 0x65, 0x66, 0x6F, 0x70, 0x72, 0x73)


def dnp3(s: Side) -> Mask:
    """The two start bytes and the checksum of the link header (IEEE 1815 section 9.2.4)."""

    def told(part: Side) -> Mask:
        crc: Numbers = np.zeros(len(part), np.int64)
        for k in range(8):
            crc ^= part.byte(k)
            for _ in range(8):
                crc = np.where(crc & 1, crc >> 1 ^ _DNP3_POLYNOMIAL, crc >> 1)
        return as_mask((part.byte(2) >= 5) & (part.word(8, little=True) == (crc ^ 0xFFFF)))

    return s.where(as_mask((s.byte(0) == 0x05) & (s.byte(1) == 0x64) & (s.size >= 10)), told)


def dnp3_start(s: Side) -> Mask:
    """The two start bytes: enough on the port of DNP3."""
    return as_mask((s.byte(0) == 0x05) & (s.byte(1) == 0x64) & (s.size >= 10))


def modbus(e: Evidence) -> Mask:
    """The application header with the payload's length and a known function (Modbus messaging on TCP/IP section 3.1.3).

    Off its port both sides must speak it, each with a whole message.
    """

    def framed(s: Side) -> Mask:
        def told(part: Side) -> Mask:
            length = part.word(4)
            function = np.isin(part.byte(7) & 0x7F, _MODBUS_FUNCTIONS)
            return as_mask(function & (length >= 2) & (length <= 254) & (length + 6 <= part.size))

        return s.where(as_mask((s.byte(2) == 0) & (s.byte(3) == 0) & (s.byte(4) == 0) & (s.size >= 8)), told)

    asked, replied = framed(e.orig), framed(e.resp)
    whole = (e.orig.word(4) + 6 == e.orig.size) & (e.resp.word(4) + 6 == e.resp.size)
    return as_mask((asked & replied & whole) | ((asked | replied) & e.on(502)))


def opcua(s: Side) -> Mask:
    """A message type, a chunk type and a length (OPC 10000-6 section 7.1.2)."""
    named = s.starts(b"HELF", b"ACKF", b"ERRF", b"RHEF", b"OPNF", b"MSGF", b"MSGC", b"CLOF")
    return s.where(named, lambda p: as_mask((p.long(4, little=True) >= 8) & (p.long(4, little=True) < 1 << 24)))


def s7(e: Evidence) -> Mask:
    """S7 data in COTP, or a connection between transport selectors of two bytes on port 102 (RFC 1006, RFC 905 13.3).

    The first byte of Siemens' called selector is the kind of connection, 1 to 3.
    """

    def told(s: Side) -> Mask:
        framed = (s.word(0) == 0x0300) & (s.word(2) <= s.size)
        data = (s.byte(4) == 2) & (s.byte(5) == 0xF0) & s.among(7, (0x32, 0x72))
        called = s.nothing()
        at: Numbers = np.full(len(s), 11)
        for _ in range(3):
            selector, kind = s.pick(at) == 0xC2, s.pick(at + 2)
            called |= selector & (s.pick(at + 1) == 2) & (kind >= 1) & (kind <= 3)
            at = at + 2 + s.pick(at + 1)
        called |= s.where(as_mask(s.byte(0) == 3), lambda part: part.holds(b"SIMATIC-ROOT"))
        return as_mask(framed & (data | (s.among(5, (0xE0, 0xD0)) & called)))

    return e.where(e.on(102), lambda part: as_mask(told(part.orig) | told(part.resp)))


def iso_tsap(e: Evidence) -> Mask:
    """Any connection of the ISO transport over TCP on its port (RFC 1006): MMS, X.400, S7 not told as such."""

    def told(s: Side) -> Mask:
        return as_mask((s.word(0) == 0x0300) & s.among(5, (0xE0, 0xD0, 0xF0)) & (s.word(2) <= s.size))

    return e.where(e.on(102), lambda part: as_mask(told(part.orig) | told(part.resp)))


def iec104(e: Evidence) -> Mask:
    """A frame of a known format: start of transfer anywhere, any frame on the port (IEC 60870-5-104 section 5)."""

    def framed(s: Side) -> Mask:
        return as_mask((s.byte(0) == 0x68) & (s.byte(1) >= 4) & (s.byte(1).astype(np.int64) + 2 <= s.size))

    start = e.orig.starts(b"\x68\4\7\0\0\0") & (e.orig.size == 6)
    return as_mask(start | (e.on(2404) & (framed(e.orig) | framed(e.resp))))


def enip(s: Side) -> Mask:
    """An encapsulation header: a known command and status, the data's length, no options (CIP volume 2 section 2-3)."""

    def told(part: Side) -> Mask:
        command = np.isin(part.word(0, little=True), _ENIP_COMMANDS)
        known = np.isin(part.long(8, little=True), (0, 1, 2, 3, 0x64, 0x65, 0x69))
        return as_mask(command & known & (part.word(2, little=True) + 24 == part.size) & (part.long(20) == 0))

    return s.where(as_mask((s.byte(1) == 0) & s.among(0, _ENIP_COMMANDS) & (s.size >= 24)), told)


def bacnet(s: Side) -> Mask:
    """The virtual link header with the datagram's length (ASHRAE 135 annex J.2)."""
    gate = as_mask((s.byte(0) == 0x81) & (s.byte(1) <= 0x0C) & (s.size >= 4))
    return s.where(gate, lambda part: as_mask(part.word(2) == part.size))


def synchrophasor(s: Side) -> Mask:
    """A sync word of a known frame and version and the frame's size (IEEE C37.118.2 section 6.2)."""

    def told(part: Side) -> Mask:
        frame, version = part.byte(1) >> 4, part.byte(1) & 0x0F
        return as_mask((frame <= 5) & (version >= 1) & (version <= 2) & (part.word(2) == part.size))

    return s.where(as_mask((s.byte(0) == 0xAA) & (s.size >= 16)), told)
