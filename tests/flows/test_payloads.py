"""Payload classes: equal to a plain twin on any bytes; uniform bytes are random, known protocols are what they are."""

import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture import PacketTable
from netsynth_core.flows.payloads import (
    BOUNDS,
    CLASS_NAMES,
    LEAST,
    PREFIX,
    RANDOM,
    REPLAY,
    TEXT,
    TLS_SKIP,
    classify,
    random_bounds,
)


def table(payloads: list[bytes], lengths: list[int] | None = None) -> PacketTable:
    """Packets that hold nothing but payloads; `lengths` their true lengths where a snaplen cut them."""
    n = len(payloads)
    zero = np.zeros(n, np.int64)
    sizes = [len(payload) for payload in payloads]
    columns = dict.fromkeys(PacketTable.column_names(), zero)
    columns["payload_offset"] = np.cumsum([0, *sizes[:-1]])[:n].astype(np.int64)
    columns["payload_captured"] = np.array(sizes, np.int32)
    columns["payload_length"] = np.array(lengths or sizes, np.int32)
    return PacketTable(data=np.frombuffer(b"".join(payloads) + b"\0", np.uint8), **columns)  # type: ignore[arg-type]


def classes(*payloads: bytes) -> list[str]:
    return [CLASS_NAMES[c] for c in classify(table(list(payloads)))]


def twin(payload: bytes, length: int) -> str:
    """The rules of the docstring, one at a time."""
    if length == 0:
        return "Empty"
    part = payload[:PREFIX]
    if not part:
        return "Replay"
    if part[0] < 0x80 and (printable(part, cut=len(part) < length) or closed_head(part)):
        return "Text"
    if len(part) >= TLS_SKIP + LEAST and part[0] == 23 and part[1] == 3 and part[2] <= 4:
        part = part[TLS_SKIP:]
    if len(part) < LEAST:
        return "Replay"
    statistic = 0.0
    for nibbles in ([byte >> 4 for byte in part], [byte & 15 for byte in part]):
        even = len(part) / 16
        statistic += sum((nibbles.count(value) - even) ** 2 / even for value in range(16))
    most = max(bound for bound in BOUNDS if bound[0] <= len(part))[1]
    return "Random" if statistic <= most + 1e-9 else "Replay"


def printable(part: bytes, *, cut: bool) -> bool:
    for tail in range(4 if cut else 1):
        try:
            text = part[: len(part) - tail].decode("utf-8")
        except UnicodeDecodeError as error:
            if cut and error.reason == "unexpected end of data":
                continue
            return False
        return all((ord(c) >= 32 and ord(c) != 127) or c in "\t\r\n" for c in text)
    return False


def closed_head(part: bytes) -> bool:
    end = part.find(b"\r\n\r\n")
    return end >= 0 and printable(part[: end + 4], cut=False)


ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300).map(str.encode)
PAYLOADS = st.one_of(
    st.binary(max_size=300),
    ASCII,
    st.text(max_size=80).map(str.encode),
    st.tuples(ASCII, st.binary(max_size=100)).map(lambda pair: pair[0] + b"\r\n\r\n" + pair[1]),
    st.builds(lambda n, seed: random.Random(seed).randbytes(n), st.integers(1, 1500), st.integers(0, 2**32)),
    st.builds(lambda n: b"\x17\x03\x03" + random.Random(n).randbytes(n), st.integers(1, 1500)),
)


@given(st.lists(PAYLOADS, min_size=1, max_size=6), st.integers(0, 3))
def test_classes_equal_their_plain_twin(payloads: list[bytes], missing: int) -> None:
    lengths = [len(payload) + missing for payload in payloads]
    found = [CLASS_NAMES[c] for c in classify(table(payloads, lengths))]
    assert found == [twin(payload, length) for payload, length in zip(payloads, lengths, strict=True)]


@pytest.mark.parametrize("size", [16, 24, 40, 64, 200, 256, 500, 1024, 1460])
def test_uniform_bytes_are_random(size: int) -> None:
    rng = np.random.default_rng(5)
    payloads = [rng.integers(0, 256, size, dtype=np.uint8).tobytes() for _ in range(2000)]
    found = classify(table(payloads))
    assert np.mean(found == RANDOM) >= 0.995


@pytest.mark.parametrize("size", [16, 40, 100, 400])
def test_counters_and_letters_are_not_random(size: int) -> None:
    rng = np.random.default_rng(6)
    letters = [b"\x01" + rng.integers(97, 123, size - 1, dtype=np.uint8).tobytes() for _ in range(300)]
    words = [struct.pack("<I", k) * (size // 4) for k in range(300)]
    assert set(classify(table(letters + words)).tolist()) <= {REPLAY}


def test_known_protocols() -> None:
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, 400, dtype=np.uint8).tobytes()
    hello = (
        b"\x16\x03\x01\0\xc8\x01\0\0\xc4\x03\x03" + noise[:32] + b"\0\0\x1c" + bytes(range(28)) + b"\1\0" + bytes(60)
    )
    query = bytes.fromhex("12340100000100000000000003777777076578616d706c6503636f6d0000010001")
    assert classes(
        b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n\x1f\x8b\x08" + noise
    ) == [
        "Empty",
        "Text",
        "Text",
    ]
    assert classes(query, hello, b"\x17\x03\x03\1\x90" + noise, noise[:36]) == ["Replay", "Replay", "Random", "Random"]
    assert classes(b"\x17\x03\x03\0\x28" + bytes(7) + b"\1" + noise[:32]) == ["Random"]
    assert classes("grüß dich\n".encode(), "über".encode(), b"short\0") == ["Text", "Replay", "Replay"]


def test_a_payload_that_was_not_captured_is_no_text() -> None:
    assert classify(table([b""], [100])).tolist() == [REPLAY]
    assert classify(table(["abc é".encode()[:-1]], [100])).tolist() == [TEXT]


def test_bounds_hold_for_every_size() -> None:
    bounds = random_bounds()
    assert len(bounds) == PREFIX + 1
    assert [bounds[0], bounds[63], bounds[64], bounds[255], bounds[256], bounds[PREFIX]] == [60, 60, 75, 75, 85, 85]
