"""TLS records (RFC 8446): hellos first, then protected records, each with its right length.

Also what other protocols use once they went over to TLS. Texts are refused: no record is text.
"""

import struct

from netsynth_core.forge.columns import FILL_LOW, FILL_RANDOM, FILL_ZERO, RANDOM, REPLAY, TEXT
from netsynth_core.forge.payloads.names import digest, host_labels
from netsynth_core.forge.payloads.pattern import Made, Want

_LONGEST = 16_384 + 256
"""Most bytes of a protected record (RFC 8446 section 5.2)."""
_CHANGE = bytes.fromhex("140303000101")
_SUITES = bytes.fromhex("130113021303c02bc02fc02cc030cca9cca8009c009d002f0035")
_GROUPS = bytes.fromhex("000a00080006001d00170018")
_SIGNATURES = bytes.fromhex("000d0012001004030804040105030805050108060601")
_VERSIONS = bytes.fromhex("002b0005040304" + "0303")
_POINTS = bytes.fromhex("000b00020100")


def _extension(number: int, body: bytes) -> bytes:
    return struct.pack(">HH", number, len(body)) + body


def _client_hello(want: Want, total: int) -> Made | None:
    """A ClientHello record of exactly `total` bytes; the least is 50."""
    least = 5 + 4 + 2 + 32 + 1 + 4 + 2
    if total < least:
        return None
    if total < least + 6 + 4:
        # no room for extensions: more suites fill what is left
        spare = total - least
        suites = (_SUITES * 2)[: 2 + spare - spare % 2]
        if spare % 2:
            return None
        body = (
            b"\x03\x03" + digest(32, "hello", want.variant) + b"\0" + struct.pack(">H", len(suites)) + suites + b"\1\0"
        )
        return _whole(b"\1" + len(body).to_bytes(3, "big") + body)
    name = ".".join(host_labels(18 + want.variant, want.variant)).encode("ascii")
    server_name = _extension(0, struct.pack(">HBH", len(name) + 3, 0, len(name)) + name)
    share = _extension(51, struct.pack(">HHH", 36, 29, 32) + digest(32, "share", want.variant))
    suites, extensions = _SUITES, b""
    fixed = 5 + 4 + 2 + 32 + 1 + 2 + len(suites) + 2 + 2
    if total < fixed + 4 or want.kind == RANDOM:
        suites = _SUITES[:2]
        fixed = 5 + 4 + 2 + 32 + 1 + 2 + 2 + 2 + 2
    parts: tuple[bytes, ...] = (_VERSIONS, server_name, _GROUPS, _SIGNATURES, share, _POINTS)
    if want.kind == RANDOM:
        # little but keys and the ticket, so that the whole reads as random
        parts = (_VERSIONS, share)
    for part in parts:
        if fixed + len(extensions) + len(part) + 4 <= total:
            extensions += part
    left = total - fixed - len(extensions) - 4
    head = b"\x03\x03" + digest(32, "hello", want.variant) + b"\0"
    head += struct.pack(">H", len(suites)) + suites + b"\1\0"
    head += struct.pack(">H", len(extensions) + 4 + left) + extensions
    # the last extension takes what is left: a ticket of random bytes, or padding
    padding = want.kind == REPLAY and want.rest == 0
    head += struct.pack(">HH", 21 if padding else 35, left)
    handshake = b"\1" + (len(head) + left).to_bytes(3, "big")
    record = b"\x16\x03\x01" + struct.pack(">H", total - 5)
    return Made(record + handshake + head, FILL_ZERO if padding else FILL_RANDOM)


def _whole(handshake: bytes) -> Made:
    return Made(b"\x16\x03\x01" + struct.pack(">H", len(handshake)) + handshake)


def _server_hello(want: Want, total: int) -> Made | None:
    """ServerHello, change of cipher, and protected records in `total` bytes."""
    share = _extension(51, struct.pack(">HH", 29, 32) + digest(32, "answer", want.variant))
    extensions = _extension(43, b"\x03\x04") + share
    body = b"\x03\x03" + digest(32, "server", want.variant) + b"\0" + b"\x13\x01" + b"\0"
    body += struct.pack(">H", len(extensions)) + extensions
    hello = b"\x02" + len(body).to_bytes(3, "big") + body
    flight = b"\x16\x03\x03" + struct.pack(">H", len(hello)) + hello + _CHANGE
    left = total - len(flight)
    if left < 5 + 17:
        return None
    return Made(
        flight + b"\x17\x03\x03" + struct.pack(">H", left - 5), FILL_LOW if want.kind == REPLAY else FILL_RANDOM
    )


def record(want: Want) -> Made | None:
    """One protected record, or what goes on with one."""
    fill = FILL_LOW if want.kind == REPLAY else FILL_RANDOM
    if want.kind == TEXT:
        return None
    if want.continued:
        return Made(b"\x80"[: want.size], fill)
    total = want.size + want.rest
    if total > 5 + _LONGEST:
        total = want.size
    if total == 6:
        return Made(_CHANGE)
    if total == 7:
        return Made(b"\x15\x03\x03\x00\x02\x01\x00")
    if total < 7 or want.size < 6:
        return None
    return Made(b"\x17\x03\x03" + struct.pack(">H", total - 5), fill)


def tls(want: Want) -> Made | None:
    """A record by its place in the connection."""
    total = want.size + want.rest
    if want.kind != TEXT and not want.continued and want.ordinal == 0:
        hello = (_client_hello if want.direction == 0 else _server_hello)(want, total)
        if hello is not None and len(hello.prefix) <= want.size:
            return hello
    closing_handshake = want.direction == 0 and want.ordinal == 1 and not want.continued
    closing_handshake &= want.kind != RANDOM or total > 100
    if want.kind != TEXT and closing_handshake and total >= len(_CHANGE) + 5 + 17 and want.size > 11:
        fill = FILL_LOW if want.kind == REPLAY else FILL_RANDOM
        return Made(_CHANGE + b"\x17\x03\x03" + struct.pack(">H", total - len(_CHANGE) - 5), fill)
    return record(want)
