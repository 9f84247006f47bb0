"""Kerberos (RFC 4120), LDAP (RFC 4511) and SNMP (RFC 3416) messages of exact size, in DER.

A message has one part of free length; `_exactly` finds the length that makes the whole as long as asked. Where a jump
of a length field leaves a size out, a second part of another length brings it back.
"""

import struct
from collections.abc import Callable

from netsynth_core.forge.columns import FILL_ZERO, TEXT
from netsynth_core.forge.payloads.names import digest, word
from netsynth_core.forge.payloads.pattern import Made, Want


def _tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    width = (len(body).bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + len(body).to_bytes(width, "big") + body


def _integer(value: int) -> bytes:
    return _tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _exactly(build: Callable[[int, int], bytes], size: int) -> bytes | None:
    """What `build(free, extra)` gives when it is `size` bytes long, or nearly; None when it is longer at least."""
    least = build(0, 0)
    if len(least) > size:
        return None
    for extra in range(6):
        free = size - len(build(0, extra))
        while free >= 0:
            made = build(free, extra)
            if len(made) == size:
                return made
            if len(made) < size:
                break
            free -= len(made) - size
    return least


def _name(*parts: str) -> bytes:
    return _tlv(0x30, _tlv(0xA0, _integer(1)), _tlv(0xA1, _tlv(0x30, *(_tlv(0x1B, part.encode()) for part in parts))))


def _realm(extra: int) -> bytes:
    return _tlv(0x1B, ("EXAMPLE" + "X" * extra).encode())


_TIME = _tlv(0x18, b"20370101000000Z")


def _request(variant: int) -> Callable[[int, int], bytes]:
    def build(free: int, extra: int) -> bytes:
        body = _tlv(
            0x30,
            _tlv(0xA0, _tlv(3, b"\0\x50\0\0\0")),
            _tlv(0xA1, _name(word(6, variant))),
            _tlv(0xA2, _realm(extra)),
            _tlv(0xA3, _name("krbtgt", "EXAMPLE")),
            _tlv(0xA5, _TIME),
            _tlv(0xA7, _integer(int.from_bytes(digest(3, "nonce", variant), "big"))),
            _tlv(0xA8, _tlv(0x30, _integer(18), _integer(17))),
        )
        # type 133: a cookie that only the one who gave it can read (RFC 6113)
        cookie = _tlv(0x30, _tlv(0xA1, _integer(133)), _tlv(0xA2, _tlv(4, digest(free, "cookie", variant))))
        padata = _tlv(0xA3, _tlv(0x30, cookie)) if free else b""
        return _tlv(0x6A, _tlv(0x30, _tlv(0xA1, _integer(5)), _tlv(0xA2, _integer(10)), padata, _tlv(0xA4, body)))

    return build


def _refusal(variant: int) -> Callable[[int, int], bytes]:
    def build(free: int, extra: int) -> bytes:
        text = _tlv(0xAB, _tlv(0x1B, word(free, variant).encode())) if free else b""
        fields = (
            _tlv(0xA0, _integer(5)),
            _tlv(0xA1, _integer(30)),
            _tlv(0xA4, _TIME),
            _tlv(0xA5, _integer(variant)),
            _tlv(0xA6, _integer(6)),
            _tlv(0xA9, _realm(extra)),
            _tlv(0xAA, _name("krbtgt", "EXAMPLE")),
            text,
        )
        return _tlv(0x7E, _tlv(0x30, *fields))

    return build


def _sealed(size: int, *parts: object) -> bytes:
    return _tlv(0x30, _tlv(0xA0, _integer(18)), _tlv(0xA1, _integer(2)), _tlv(0xA2, _tlv(4, digest(size, *parts))))


def _reply(variant: int) -> Callable[[int, int], bytes]:
    def build(free: int, extra: int) -> bytes:
        ticket = _tlv(
            0x61,
            _tlv(
                0x30,
                _tlv(0xA0, _integer(5)),
                _tlv(0xA1, _realm(0)),
                _tlv(0xA2, _name("krbtgt", "EXAMPLE")),
                _tlv(0xA3, _sealed(60, "ticket", variant)),
            ),
        )
        fields = (
            _tlv(0xA0, _integer(5)),
            _tlv(0xA1, _integer(11)),
            _tlv(0xA3, _realm(extra)),
            _tlv(0xA4, _name(word(6, variant))),
            _tlv(0xA5, ticket),
            _tlv(0xA6, _sealed(free, "reply", variant)),
        )
        return _tlv(0x6B, _tlv(0x30, *fields))

    return build


def kerberos(want: Want) -> Made | None:
    """AS-REQ from the originator; AS-REP or, where it is too short for one, KRB-ERROR from the responder."""
    framed = 4 if want.proto == 6 else 0
    if want.kind == TEXT:
        return None
    total = want.size - framed
    makers = (_request,) if want.direction == 0 else (_reply, _refusal)
    for maker in makers:
        message = _exactly(maker(want.variant), total)
        if message is not None:
            return _framed(message, framed)
    message = makers[-1](want.variant)(0, 0)
    return _framed(message, framed)


def _framed(message: bytes, framed: int) -> Made:
    head = struct.pack(">I", len(message)) if framed else b""
    return Made(head + message, FILL_ZERO, size=framed + len(message))


def ldap(want: Want) -> Made | None:
    """Bind and search requests; results and entries."""
    if want.kind == TEXT:
        return None
    number = _integer(1 + want.ordinal)

    def bind(free: int, extra: int) -> bytes:
        name = _tlv(4, ("cn=" + word(free + extra, want.variant)).encode())
        return _tlv(0x30, number, _tlv(0x60, _integer(3), name, _tlv(0x80, b"")))

    def search(free: int, extra: int) -> bytes:
        present = _tlv(0x87, b"objectClass")
        base = _tlv(4, ("dc=" + word(free, want.variant)).encode())
        limits = _tlv(10, b"\2") + _tlv(10, b"\0") + _integer(0) + _integer(0) + _tlv(1, b"\0")
        wanted = _tlv(0x30, *([_tlv(4, b"c" * extra)] if extra else []))
        return _tlv(0x30, number, _tlv(0x63, base, limits, present, wanted))

    def result(free: int, extra: int) -> bytes:
        tag = 0x61 if want.ordinal == 0 else 0x65
        said = word(free, want.variant).encode()
        return _tlv(0x30, number, _tlv(tag, _tlv(10, b"\0"), _tlv(4, b"d" * extra), _tlv(4, said)))

    if want.direction == 0:
        builders = (bind,) if want.ordinal == 0 else (search, bind)
    else:
        builders = (result,)
    return _first(builders, want)


def snmp(want: Want) -> Made | None:
    """GetRequest and response of SNMPv2c for one text variable."""
    if want.kind == TEXT:
        return None

    def build(free: int, extra: int) -> bytes:
        oid = _tlv(6, b"\x2b\6\1\2\1\1\5\0")
        value = _tlv(4, word(free, want.variant).encode()) if want.direction else _tlv(5)
        community = "public" + "c" * (extra + (0 if want.direction else free))
        pdu = _tlv(
            0xA2 if want.direction else 0xA0,
            _integer(1 + want.variant),
            _integer(0),
            _integer(0),
            _tlv(0x30, _tlv(0x30, oid, value)),
        )
        return _tlv(0x30, _integer(1), _tlv(4, community.encode()), pdu)

    return _first((build,), want)


def _first(builders: tuple[Callable[[int, int], bytes], ...], want: Want) -> Made:
    for build in builders:
        message = _exactly(build, want.size)
        if message is not None:
            return Made(message, FILL_ZERO, size=len(message))
    message = builders[-1](0, 0)
    return Made(message, FILL_ZERO, size=len(message))
