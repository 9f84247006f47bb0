"""Greetings of TLS that come in several segments: the name asked for is found, what waits is bounded and let go."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture import PacketTable
from netsynth_core.flows import heads
from netsynth_core.flows.metering import FlowMeter, meter_flows
from tests.capture.traffic import ACK, PSH, START, SYN
from tests.flows.meter_twin import P, S, table

A, B = "192.0.2.1", "198.51.100.7"


def hello(name: bytes, padding: int, records: int = 1) -> bytes:
    """A ClientHello whose name stands behind so many bytes of key share."""
    entry = b"\0" + len(name).to_bytes(2, "big") + name
    listed = len(entry).to_bytes(2, "big") + entry
    told = b"\0\x33" + padding.to_bytes(2, "big") + bytes(padding) + b"\0\0" + len(listed).to_bytes(2, "big") + listed
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + len(told).to_bytes(2, "big") + told
    shake = b"\1" + len(body).to_bytes(3, "big") + body
    size = -(-len(shake) // records)
    parts = [shake[k : k + size] for k in range(0, len(shake), size)]
    return b"".join(b"\x16\3\1" + len(part).to_bytes(2, "big") + part for part in parts)


def segments(texts: list[tuple[int, bytes]], port: int = 40000, server: int = 443) -> list[tuple[P, bytes]]:
    """A connection whose client sends these texts at these places of its stream."""
    opening = [
        (P(START, A, port, B, server, SYN, seq=0), b""),
        (P(START + 1, B, server, A, port, SYN | ACK, ack=1), b""),
    ]
    return opening + [
        (P(START + 2 + k, A, port, B, server, PSH | ACK, seq=1 + at, ack=1, length=len(text), ip_id=k + 1), text)
        for k, (at, text) in enumerate(texts)
    ]


def packets_of(sent: list[tuple[P, bytes]]) -> PacketTable:
    data = b"".join(text for _, text in sent)
    sizes = np.array([len(text) for _, text in sent])
    return replace(
        table([p for p, _ in sent]),
        payload_offset=(np.cumsum(sizes) - sizes).astype(np.int64),
        payload_captured=sizes.astype(np.int32),
        header_length=np.zeros(len(sent), np.uint8),
        data=np.frombuffer(data + b"\0", np.uint8),
    )


def pieces(text: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(text)}), len(text)]
    return [(a, text[a:b]) for a, b in pairwise(edges)]


def named(packets: PacketTable) -> list[list[str]]:
    return meter_flows(packets).flows.frame[["service", "server_name"]].to_numpy().tolist()


@given(
    st.sampled_from([(10, 1), (1500, 1), (1500, 3), (3000, 1)]),
    st.lists(st.integers(1, 3200), max_size=4) | st.sampled_from([[1], [5], [1, 2, 3, 4, 5, 6], [70], [1400]]),
    st.integers(0, 8),
)
def test_the_name_is_found_wherever_the_segments_end(shape: tuple[int, int], cuts: list[int], window: int) -> None:
    text = hello(b"made.example", *shape)
    packets = packets_of(segments(pieces(text, cuts), server=8000))
    assert named(packets) == [["tls", "made.example"]]
    # the bytes of a window are gone when the next one comes
    meter, rows = FlowMeter(keep_packets=False), np.arange(len(packets))
    for some in (rows[:window], rows[window:]):
        columns = {name: getattr(packets, name)[some] for name in PacketTable.column_names()}
        meter.feed(replace(packets, **columns))
    assert meter.finish().flows.frame[["service", "server_name"]].to_numpy().tolist() == [["tls", "made.example"]]
    assert not meter._heads._hellos and not meter._heads._longer and meter._heads._held == 0


def test_what_follows_a_whole_greeting_is_no_part_of_it() -> None:
    text, other = hello(b"made.example", 100), hello(b"other.example", 100)
    sent = [*pieces(text, [50]), (len(text), other), (len(text) + len(other), other)]
    assert named(packets_of(segments(sent))) == [["tls", "made.example"]]


def test_a_segment_sent_again_is_taken_once_and_a_hole_ends_it() -> None:
    text = hello(b"made.example", 1500)
    parts = pieces(text, [700, 1400])
    assert named(packets_of(segments([parts[0], parts[0], parts[1], parts[1], parts[2]]))) == [["tls", "made.example"]]
    assert named(packets_of(segments([parts[0], parts[2]]))) == [["tls", ""]]


def test_a_greeting_longer_than_what_is_kept_has_no_name() -> None:
    text = hello(b"made.example", 5000)
    assert named(packets_of(segments(pieces(text, [1400, 2800, 4200])))) == [["tls", ""]]
    meter = FlowMeter()
    meter.feed(packets_of(segments(pieces(text, [1400, 2800]))))
    assert sum(len(kept) for _, kept in meter._heads._hellos.values()) <= heads._HELLO


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "_HELD", 5000)
    text = hello(b"made.example", 1500)
    meter = FlowMeter()
    sent = [pair for k in range(50) for pair in segments(pieces(text, [1000])[:1], port=40000 + k)]
    meter.feed(packets_of([(p._replace(at=START + k), said) for k, (p, said) in enumerate(sent)]))
    assert 0 < meter._heads._held <= 5000 and len(meter._heads._hellos) == 3
    # the oldest were given up, the newest find their names
    rest = [
        (P(START + S, A, 40000 + k, B, 443, ACK, seq=1001, ack=1, length=len(text) - 1000), text[1000:])
        for k in (0, 49)
    ]
    meter.feed(packets_of(rest))
    names = meter.finish().flows.frame.set_index("src_port")["server_name"]
    assert names[40049] == "made.example" and names[40000] == ""


@pytest.mark.parametrize(
    ("port", "first", "service"),
    [
        (443, b"\x16", "tls"), (443, b"\x16\3\1\2", "tls"), (443, b"\x16\3\1\2\0", "tls"), (443, b"\0\1", ""),
        (443, b"ab\r\nc", ""), (443, bytes(40), ""), (443, b"\x16\4\1\2", ""),
        (80, b"G", "http"), (80, b"POST", "http"), (80, b"X", ""), (22, b"SSH-", "ssh"), (22, b"hello", ""),
    ],
)  # fmt: skip
def test_the_beginning_of_a_message_does_not_speak_against_its_port(port: int, first: bytes, service: str) -> None:
    assert named(packets_of(segments([(0, first)], server=port))) == [[service, ""]]
