"""MQTT, Redis, PostgreSQL, MySQL, SMB and RDP messages of exact size."""

import struct

from netsynth_core.forge.columns import ANY, FILL_LOW, FILL_RANDOM, FILL_TEXT, REPLAY, TEXT
from netsynth_core.forge.payloads.names import digest, word
from netsynth_core.forge.payloads.pattern import Made, Want
from netsynth_core.forge.payloads.tls import record


def _varint(value: int) -> bytes:
    out = b""
    while True:
        value, low = divmod(value, 128)
        out += bytes([low | (0x80 if value else 0)])
        if not value:
            return out


def _publish(size: int, variant: int) -> bytes:
    """PUBLISH of `size` bytes; 130 has no encoding, so a ping goes before it."""
    for width in (1, 2, 3):
        body = size - 1 - width
        if len(_varint(body)) == width:
            topic = word(min(10, body - 2), "topic", variant).encode("ascii")
            text = word(body - 2 - len(topic), variant, size).encode("ascii")
            return b"\x30" + _varint(body) + struct.pack(">H", len(topic)) + topic + text
    return b"\xc0\0" + _publish(size - 2, variant)


def mqtt(want: Want) -> Made | None:
    """MQTT 3.1.1 control packets (OASIS standard, section 2)."""
    if want.kind == TEXT:
        return None
    size = want.size
    if size <= 2:
        return Made(b"\xd0\0" if want.direction else b"\xc0\0", size=2)
    if want.ordinal == 0 and want.direction == 0 and size >= 14:
        for width in (1, 2):
            body = size - 1 - width
            if len(_varint(body)) == width:
                name = word(body - 12, "client", want.variant).encode("ascii")
                head = b"\x10" + _varint(body) + b"\0\4MQTT\4\2\0\x3c"
                return Made(head + struct.pack(">H", len(name)) + name)
    if size <= 4:
        return Made(b"\x20\2\0\0" if want.ordinal == 0 and want.direction else b"\x40\2\0\1", size=4)
    if size == 5:
        return Made(b"\x90\3\0\1\0")
    if size == 6:
        return Made(b"\xc0\0\x40\2\0\1")
    return Made(_publish(size, want.variant))


_REPLIES = {"bulk": "$", "int": ":", "error": "-ERR", "array": "*1\r\n$", "null": "$-1", "": ""}


def redis(want: Want) -> Made | None:
    """RESP: arrays of bulk strings from the originator, simple and bulk strings back; always text."""
    if want.kind not in (TEXT, ANY):
        return None
    if want.direction == 0:
        return _command(want)
    token = _REPLIES.get(want.token, want.token) or ("$" if want.size > 40 else "+OK")
    if token.endswith("$"):
        return _bulk(token, want.size)
    room = want.size - len(token) - 2
    if room < 0:
        return None
    extra = " " + word(room - 1, want.variant) if room and token[0] in "+-" else "1" * room
    return Made(f"{token}{extra}\r\n".encode("ascii"))


def _bulk(head: str, size: int) -> Made | None:
    """`head`, the length of a bulk string, and the string, in `size` bytes."""
    for digits in (1, 2, 3, 4):
        length = size - len(head) - digits - 4
        if length >= 0 and len(str(length)) == digits:
            return Made(f"{head}{length}\r\n".encode("ascii"), FILL_TEXT, b"\r\n")
    return None


_ARGUMENTS = {"PING": 0, "QUIT": 0, "SET": 2, "HGET": 2, "HSET": 3, "EXPIRE": 2}


def _command(want: Want) -> Made | None:
    """A command whose last argument takes what is left."""
    names = [want.token] if want.token.isalpha() else ["GET"]
    count = _ARGUMENTS.get(names[0], 1)
    names += ["k"] * (count - 1)
    head = f"*{count + 1}\r\n" + "".join(f"${len(name)}\r\n{name}\r\n" for name in names)
    if count == 0:
        return Made(head.encode("ascii")) if len(head) == want.size else None
    return _bulk(head + "$", want.size)


def postgresql(want: Want) -> Made | None:
    """Start-up, query and data messages of protocol 3.0."""
    size, client = want.size, want.direction == 0
    if size == 1:
        return Made(b"N")
    if client and want.ordinal == 0:
        if size == 8:
            return Made(struct.pack(">II", 8, 80877103))
        fixed = struct.pack(">II", size, 196608) + b"user\0"
        room = size - len(fixed) - 2
        if room >= 1:
            return Made(fixed + word(room, want.variant).encode("ascii") + b"\0\0")
        return None
    if size < 5:
        return None
    if client:
        if size < 7:
            return Made(b"S\0\0\0\4" if size == 5 else b"Q" + struct.pack(">I", 5) + b"\0")
        return Made(b"Q" + struct.pack(">I", size - 1), FILL_TEXT, b";\0")
    ready = b"Z\0\0\0\5I"
    if size == 5:
        return Made(b"2\0\0\0\4")
    if size == 6:
        return Made(ready)
    if want.ordinal == 0:
        start = b"R" + struct.pack(">II", 8, 0)
        room = size - len(start) - len(ready) - 7
        if room >= 0:
            status = b"S" + struct.pack(">I", 6 + room) + word(room, want.variant).encode("ascii") + b"\0\0"
            return Made(start + status + ready)
    room = size - len(ready) - 11
    if room < 0:
        return Made(b"C" + struct.pack(">I", size - 1) + word(size - 6, want.variant).encode("ascii") + b"\0")
    row = b"D" + struct.pack(">IHI", 10 + room, 1, room)
    fill = FILL_RANDOM if want.kind not in (TEXT, ANY, REPLAY) else FILL_TEXT
    return Made(row, fill, ready)


def mysql(want: Want) -> Made | None:
    """Greeting, login, queries and results of the client/server protocol."""
    size = want.size
    if want.kind == TEXT:
        return None
    # the shortest command, the shortest result
    size = max(size, 11 if want.direction else 5)
    head = (size - 4).to_bytes(3, "little")
    if want.direction == 1 and want.ordinal == 0:
        fixed = struct.pack("<I", 17 + want.variant) + digest(8, "salt", want.variant).replace(b"\0", b"s") + b"\0"
        fixed += b"\xff\xf7\x21\x02\0\xff\x81\x15" + bytes(10)
        fixed += digest(12, "salt2", want.variant).replace(b"\0", b"s") + b"\0mysql_native_password\0"
        room = size - 4 - 1 - 1 - len(fixed)
        if room >= 5:
            version = ("8.0.0-" + word(max(0, room - 6), want.variant))[:room]
            return Made(head + b"\0\x0a" + version.encode("ascii") + b"\0" + fixed)
    if want.direction == 0:
        if want.ordinal == 0:
            fixed = struct.pack("<IIB", 0x000FA20D & ~8, 1 << 24, 33) + bytes(23)
            tail = b"\0\x14" + digest(20, "proof", want.variant) + b"mysql_native_password\0"
            room = size - 4 - len(fixed) - len(tail)
            if room >= 1:
                return Made(head + b"\1" + fixed + word(room, want.variant).encode("ascii") + tail)
        return Made(head + b"\0\x03", FILL_TEXT, size=size)
    return Made(head + b"\2\0\0\0\2\0\0\0", FILL_TEXT, size=size)


def smb(want: Want) -> Made | None:
    """Encrypted SMB 3 messages (MS-SMB2 2.2.41) behind their NetBIOS length; 4 bytes are a keep-alive."""
    if want.kind == TEXT or want.continued:
        return None
    if want.size == 4 and not want.rest:
        return Made(b"\x85\0\0\0")
    total = want.size + want.rest - 4
    if total < 52 + 66 or want.size < 56 + 66:
        return None
    head = b"\0" + total.to_bytes(3, "big") + b"\xfdSMB" + digest(32, "smb", want.variant, want.ordinal)
    head += struct.pack("<IHHQ", total - 52, 0, 1, 0x400000000001 + want.variant)
    # readers without the key take the ciphertext for a message: no command they know, no other message chained to it
    sealed = digest(12, "sealed", want.variant) + b"\xff\xa9" + bytes(10) + digest(40, "more", want.variant) + b"\2\0"
    return Made(head + sealed, FILL_LOW if want.kind == REPLAY else FILL_RANDOM)


def rdp(want: Want) -> Made | None:
    """Connection request and confirmation (ITU-T X.224 in TPKT), then TLS."""
    if want.ordinal == 0 and want.size >= 19 and want.kind in (ANY, REPLAY):
        cookie = b"Cookie: mstshash=" + word(want.size - 38, want.variant).encode("ascii") + b"\r\n"
        negotiation = b"\1\0\x08\0\3\0\0\0" if want.direction == 0 else b"\2\x1f\x08\0\2\0\0\0"
        body = cookie if want.direction == 0 and want.size >= 39 else b""
        whole = 11 + len(body) + 8
        if want.size == whole <= 255:
            code = 0xE0 if want.direction == 0 else 0xD0
            head = struct.pack(">BBHBB", 3, 0, whole, whole - 5, code) + bytes(5)
            return Made(head + body + negotiation)
    return record(want)


def opcua(want: Want) -> Made | None:
    """OPC UA connection protocol (IEC 62541-6, 7.1): hello from the originator, errors with their reason back."""
    client = want.direction == 0
    size = max(want.size, 32 if client else 16)
    if client:
        head = b"HELF" + struct.pack("<IIIIIIi", size, 0, 65536, 65536, 0, 0, size - 32)
    else:
        head = b"ERRF" + struct.pack("<IIi", size, 0x80010000, size - 16)
    return Made(head, FILL_TEXT, size=size)
