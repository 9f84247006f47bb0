"""DNS messages of any size from 17 bytes (RFC 1035; EDNS RFC 6891, padding RFC 7830): a query and the answer to it.

A query and the response of the same ordinal share the transaction id (the packet's own word) and the question, because
both are planned from the two sizes together. Also LLMNR, multicast DNS and NetBIOS names, which have the same form.
"""

import struct
from functools import lru_cache

from netsynth_core.forge.columns import FILL_ZERO, TEXT
from netsynth_core.forge.payloads.names import digest, host_labels, word
from netsynth_core.forge.payloads.pattern import Made, Want

_A, _CNAME, _TXT, _AAAA, _OPT = 1, 5, 16, 28, 41
_HEADER = 12
_LEAST = 17


def _encode(labels: tuple[str, ...]) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in labels) + b"\0"


def _opt(padding: int | None) -> bytes:
    """An OPT record; `padding` octets of a padding option, None without the option."""
    options = b"" if padding is None else struct.pack(">HH", 12, padding) + bytes(padding)
    return b"\0" + struct.pack(">HHIH", _OPT, 1232, 0, len(options)) + options


@lru_cache(maxsize=65536)
def _question(size: int, variant: int) -> tuple[bytes, bytes]:
    """Name and additional record of a query of `size` bytes (at least 17)."""
    room = size - _HEADER - 4
    for extra in (b"", _opt(None)):
        wire = room - len(extra)
        if wire == 1 or 3 <= wire <= 64:
            return _encode(host_labels(wire, variant)), extra
    if room == 2:
        # no name takes two bytes
        return _encode(host_labels(3, variant)), b""
    wire = min(34, room - 15)
    return _encode(host_labels(wire, variant)), _opt(room - wire - 15)


def _record(kind: int, data: bytes, ttl: int) -> bytes:
    return struct.pack(">HHHIH", 0xC00C, kind, 1, ttl, len(data)) + data


def _answers(room: int, variant: int) -> tuple[list[bytes], bytes, int]:
    """Answer records and additional record of exactly `room` bytes where possible, and the type asked for."""
    ttl = 60 * (1 + variant)
    if room <= 0:
        return [], b"", _A
    if room < 16:
        return [], _opt(None if room < 15 else room - 15) if room >= 11 else b"", _A
    for kind, width in ((_A, 16), (_AAAA, 28)):
        if room % width == 0 and room // width <= 24:
            return [_record(kind, digest(width - 12, variant, i), ttl) for i in range(room // width)], b"", kind
    for addresses in range(min((room - 16) // 16, 8), -1, -1):
        label = room - 15 - 16 * addresses
        if 1 <= label <= 63:
            alias = _record(_CNAME, bytes([label]) + word(label, variant).encode("ascii") + b"\xc0\x0c", ttl)
            # the alias points into the question's name, so its records stand under it
            return [alias] + [_record(_A, digest(4, variant, i), ttl) for i in range(addresses)], b"", _A
    records = []
    while room:
        data = min(room - 12, 256)
        if 0 < room - 12 - data < 14:
            data -= 14
        text = word(data - 1, variant, room).encode("ascii")
        records.append(_record(_TXT, bytes([len(text)]) + text, ttl))
        room -= 12 + data
    return records, b"", _TXT


@lru_cache(maxsize=65536)
def exchange(query: int, response: int, variant: int, identifier: bool) -> tuple[bytes, bytes]:
    """A query and the response to it, as near to these sizes as the format allows (0 = none of that kind)."""
    name, extra = _question(max(query or min(response, 40), _LEAST), variant)
    room = response - _HEADER - len(name) - 4
    records, additional, kind = _answers(room, variant)
    if len(records) == 0 and not additional and extra and room >= len(extra):
        additional = extra
    question = name + struct.pack(">HH", kind, 1)
    asked = struct.pack(">HHHHHH", 0, 0x0100 if identifier else 0, 1, 0, 0, 1 if extra else 0) + question + extra
    if response == _HEADER:
        return asked, struct.pack(">HHHHHH", 0, 0x8185, 0, 0, 0, 0)
    code = 0x8180 if records else 0x8183
    head = struct.pack(">HHHHHH", 0, code if identifier else 0x8400, 1, len(records), 0, 1 if additional else 0)
    return asked, head + question + b"".join(records) + additional


def dns(want: Want) -> Made | None:
    """A query (originator) or response (responder); over TCP with its length before it."""
    if want.kind == TEXT:
        return None
    framed = 2 if want.proto == 6 else 0
    own = want.size + (want.rest if framed else 0) - framed
    peer = max(want.peer - framed, 0)
    if framed and want.continued:
        return Made(b"", FILL_ZERO)
    sizes = (own, peer) if want.direction == 0 else (peer, own)
    message = exchange(*sizes, want.variant, want.port != 5353)[want.direction]
    if framed:
        return Made(struct.pack(">H", len(message)) + message, FILL_ZERO, patch_at=2, size=len(message) + 2)
    return Made(message, FILL_ZERO, patch_at=0 if want.port != 5353 else -1, size=len(message))


def netbios(want: Want) -> Made | None:
    """NetBIOS name queries and answers (RFC 1002 section 4.2); datagrams of port 138 are opaque."""
    if want.port != 137:
        return None
    letters = word(15, want.variant).upper().ljust(16).encode("ascii")
    coded = b"".join(bytes([0x41 + (byte >> 4), 0x41 + (byte & 15)]) for byte in letters)
    name = b"\x20" + coded + b"\0"
    record = struct.pack(">HHIHH", 0x20, 1, 300_000, 6, 0) + digest(4, want.variant)
    if want.direction == 1:
        message = struct.pack(">HHHHHH", 0, 0x8500, 0, 1, 0, 0) + name + record
    elif want.size >= 68:
        question = name + struct.pack(">HH", 0x20, 1)
        message = struct.pack(">HHHHHH", 0, 0x2910, 1, 0, 0, 1) + question + b"\xc0\x0c" + record
    else:
        message = struct.pack(">HHHHHH", 0, 0x0110, 1, 0, 0, 0) + name + struct.pack(">HH", 0x20, 1)
    return Made(message, patch_at=0, size=len(message))
