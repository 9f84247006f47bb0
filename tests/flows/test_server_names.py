"""Names of servers: those that clients ask for, and nothing from hostile bytes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.flows.services import server_name, server_names


def extension(kind: int, body: bytes) -> bytes:
    return struct.pack("!HH", kind, len(body)) + body


def sni(name: bytes, kind: int = 0) -> bytes:
    entry = bytes([kind]) + struct.pack("!H", len(name)) + name
    return extension(0, struct.pack("!H", len(entry)) + entry)


def hello(*extensions: bytes, session: int = 32) -> bytes:
    """A ClientHello without its record."""
    body = b"\3\3" + bytes(32) + bytes([session]) + bytes(session) + b"\0\4\x13\1\x13\2" + b"\1\0"
    listed = b"".join(extensions)
    body += struct.pack("!H", len(listed)) + listed
    return b"\1" + len(body).to_bytes(3, "big") + body


def record(fragment: bytes) -> bytes:
    return b"\x16\x03\x01" + struct.pack("!H", len(fragment)) + fragment


ASKED = hello(extension(10, b"\0\2\0\x1d"), sni(b"made.example"), extension(43, b"\2\3\4"))


def test_the_server_name_of_tls() -> None:
    assert server_name(record(ASKED)) == "made.example"
    assert server_name(record(hello(sni(b"XN--BCHER-KVA.Example."), session=0))) == "xn--bcher-kva.example"
    assert server_name(record(hello(extension(10, b"\0\2\0\x1d")))) == ""
    assert server_name(record(hello(sni(b"made.example", kind=7)))) == ""


def test_a_greeting_in_several_records_or_cut_behind_the_name() -> None:
    assert server_name(record(ASKED[:50]) + record(ASKED[50:])) == "made.example"
    end = record(ASKED).index(b"made.example") + len(b"made.example")
    assert server_name(record(ASKED)[:end]) == "made.example"
    assert server_name(record(ASKED)[: end - 1]) == ""


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (b"GET / HTTP/1.1\r\nHost: made.example\r\n\r\n", "made.example"),
        (b"GET / HTTP/1.1\r\nAccept: */*\r\nhOST:Made.Example:8080\r\n\r\n", "made.example"),
        (b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "[2001:db8::1]"),
        (b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n", "192.0.2.1"),
        (b"CONNECT made.example:443 HTTP/1.1\r\n\r\n", "made.example"),
        (b"GET http://ann@made.example:81/a?b HTTP/1.0\r\n\r\n", "made.example"),
        (b"GET /a HTTP/1.0\r\n\r\nHost: body.example\r\n", ""),
        (b"GET / HTTP/1.1\r\nHost: <b>bold</b>\r\n\r\n", ""),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", ""),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", ""),
        (b"GET / HTTP/1.1\r\nHost: " + b"a" * 256 + b"\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nHost: made.example\r\n\r\n", ""),
        (b"", ""),
    ],
)
def test_the_host_of_http(request_: bytes, name: str) -> None:
    assert server_name(request_) == name


MUTATED = st.tuples(
    st.sampled_from([record(ASKED), b"GET / HTTP/1.1\r\nHost: made.example\r\n\r\n"]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    st.integers(0, 400),
)


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=200).map(lambda b: b"\x16\3\1\0\xff" + b)), MUTATED)
def test_hostile_bytes_yield_plain_text_or_nothing(
    noise: bytes, mutated: tuple[bytes, list[tuple[int, int]], int]
) -> None:
    base = bytearray(mutated[0])
    for at, value in mutated[1]:
        base[at % len(base)] = value
    for name in server_names([noise, bytes(base)[: mutated[2]]]):
        assert len(name) <= 255 and name.isascii() and all(c.isalnum() or c in "-._*:[]" for c in name)
