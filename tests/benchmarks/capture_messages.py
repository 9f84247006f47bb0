"""What conversations of the benchmark captures say: TLS, HTTP, SSH, a structured binary protocol, DNS, NTP, media.

Each is a stream of messages, (direction, bytes), drawn from pools of noise, text and numbers; TLS and SSH open as
their documents say (RFC 8446 section 4.1, RFC 4253 section 7.1) and go on with noise, as ciphers look.
"""

import random
import struct
from collections.abc import Callable, Iterator

_POOL = 1 << 20
Message = tuple[int, bytes]


class Words:
    """Where conversations draw their bytes from."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.noise = rng.randbytes(_POOL)
        words = [b"value", b"order", b"item", b"the", b"of", b"<td>", b"</td>", b"\r\n", b"name=", b"user", b"page"]
        self.text = b" ".join(rng.choice(words) for _ in range(_POOL // 5))[:_POOL]
        self.table = b"".join(
            struct.pack("<IHHfBBH", i, i & 7, 1, i * 0.5, i & 3, 0, 0xFFFF) for i in range(_POOL // 16)
        )

    def piece(self, pool: bytes, size: int) -> bytes:
        """Some bytes of a pool."""
        at = self.rng.randrange(_POOL - size)
        return pool[at : at + size]


Speech = Callable[[Words, int], Iterator[Message]]
"""The messages of a conversation, from its number."""


def size_of(make: Words, median: float, spread: float, limit: int = 60_000) -> int:
    return min(limit, max(1, int(make.rng.lognormvariate(0.0, spread) * median)))


def _tls(make: Words, number: int) -> Iterator[Message]:
    name = f"www{number % 997}.example.net".encode()
    entry = b"\0" + len(name).to_bytes(2, "big") + name
    names = len(entry).to_bytes(2, "big") + entry
    extensions = b"\0\0" + len(names).to_bytes(2, "big") + names + bytes.fromhex("002b0003020304")
    body = b"\x03\x03" + make.piece(make.noise, 32) + b"\0\0\x06\x13\x01\x13\x02\xc0\x2f\x01\0"
    body += len(extensions).to_bytes(2, "big") + extensions
    yield 0, _record(22, b"\x01" + len(body).to_bytes(3, "big") + body)
    hello = b"\x03\x03" + make.piece(make.noise, 32) + b"\0\x13\x01\0\0\0"
    secret = make.piece(make.noise, size_of(make, 2500, 0.2))
    yield 1, _record(22, b"\x02" + len(hello).to_bytes(3, "big") + hello) + _record(20, b"\x01") + _record(23, secret)
    yield 0, _record(20, b"\x01") + _record(23, make.piece(make.noise, 53))
    for _ in range(make.rng.randint(1, 3)):
        yield 0, _record(23, make.piece(make.noise, size_of(make, 300, 0.6, 8000)))
        left = size_of(make, 2500, 0.9)
        answer = []
        while left > 0:
            answer.append(_record(23, make.piece(make.noise, min(left, 16_000))))
            left -= 16_000
        yield 1, b"".join(answer)


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(body)) + body


def _http(make: Words, number: int) -> Iterator[Message]:
    for turn in range(make.rng.randint(1, 3)):
        host = f"host{number % 311}.example.com"
        ask = f"GET /page/{turn}?id={number} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n"
        yield 0, ask.encode()
        size = size_of(make, 4600, 0.9)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {size}\r\n\r\n"
        yield 1, head.encode() + make.piece(make.text, size)


def _ssh(make: Words, number: int) -> Iterator[Message]:
    yield 1, b"SSH-2.0-OpenSSH_9.6\r\n"
    yield 0, b"SSH-2.0-OpenSSH_9.3\r\n"
    for way in (0, 1):
        lists = b"".join(len(names).to_bytes(4, "big") + names for names in _SSH_LISTS)
        body = b"\x14" + make.piece(make.noise, 16) + lists + bytes(5)
        pad = 4 + (-len(body) - 9) % 8
        yield way, struct.pack("!IB", len(body) + pad + 1, pad) + body + bytes(pad)
    for _ in range(make.rng.randint(2, 8)):
        yield 0, make.piece(make.noise, 36)
        yield 1, make.piece(make.noise, size_of(make, 120, 0.8, 4000))


_SSH_LISTS = (
    b"curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group16-sha512,diffie-hellman-group14-sha256",
    b"rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519",
    *(b"chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr,aes128-gcm@openssh.com",) * 2,
    *(b"umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512",) * 2,
    *(b"none,zlib@openssh.com",) * 2,
    *(b"",) * 2,
)  # fmt: skip


def _binary(make: Words, number: int) -> Iterator[Message]:
    for _ in range(make.rng.randint(2, 6)):
        at = 16 * make.rng.randrange(_POOL // 16 - 2000)
        yield 0, struct.pack("<IHH", 0x0000ABCD, 1, 24) + make.table[at : at + 24]
        yield 1, struct.pack("<IHH", 0x0000ABCD, 2, 4096) + make.table[at : at + 16 * make.rng.randint(4, 600)]


def _dns(make: Words, number: int) -> Iterator[Message]:
    for _ in range(make.rng.randint(1, 2)):
        ident = make.rng.randrange(1 << 16)
        label = f"srv{make.rng.randrange(5000)}".encode()
        name = bytes([len(label)]) + label + b"\x07example\x03org\0"
        yield 0, struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, 0) + name + b"\0\x01\0\x01"
        records = make.rng.randint(1, 4) if make.rng.random() < 0.98 else 260
        answer = b"".join(b"\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04" + make.piece(make.noise, 4) for _ in range(records))
        yield 1, struct.pack("!HHHHHH", ident, 0x8180, 1, records, 0, 0) + name + b"\0\x01\0\x01" + answer


def _ntp(make: Words, number: int) -> Iterator[Message]:
    stamp = make.piece(make.noise, 8)
    yield 0, b"\x23\0\x06\xec" + bytes(36) + stamp
    yield 1, b"\x24\x01\x06\xec" + bytes(8) + b"GPS\0" + stamp * 4


def _media(make: Words, number: int) -> Iterator[Message]:
    source = make.piece(make.noise, 4)
    for turn in range(make.rng.randint(8, 40)):
        head = struct.pack("!BBHI", 0x80, 96, turn, turn * 960) + source
        yield 1 if turn % 4 else 0, head + make.piece(make.noise, make.rng.randint(600, 1180))


TCP: dict[str, tuple[int, Speech]] = {
    "tls": (443, _tls), "http": (80, _http), "ssh": (22, _ssh), "binary": (9009, _binary),
}  # fmt: skip
UDP: dict[str, tuple[int, Speech]] = {
    "dns": (53, _dns), "ntp": (123, _ntp), "media": (5004, _media),
}  # fmt: skip
TCP_MIX = (("tls", "http", "ssh", "binary"), (55, 28, 7, 10))
UDP_MIX = (("dns", "ntp", "media"), (68, 12, 20))
