"""The recorded sample: counts as tshark gives them, payload classes as the protocols' own framing tells them."""

import struct
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture import PacketTable, ReadReport, read_capture
from netsynth_core.flows.extraction import extract_words
from netsynth_core.flows.metering import Metered, MeterParams, meter_flows
from netsynth_core.flows.payloads import RANDOM, REPLAY, TEXT, classify

SAMPLE = Path(__file__).parents[2] / "sample_data" / "office.pcap.gz"

TSHARK_STREAMS = (3034, 5224)
TSHARK_TCP_BYTES = 9_353_491


@lru_cache(maxsize=1)
def office() -> tuple[PacketTable, ReadReport, Metered]:
    capture = read_capture(SAMPLE)
    return capture.packets, capture.report, meter_flows(capture.packets)


def rows_of(service: str) -> NDArray[np.int64]:
    """Packet rows with payload of the flows of a service."""
    packets, _, metered = office()
    chosen = (metered.flows.frame["service"] == service).to_numpy()
    rows = metered.conversations.packets[chosen[metered.conversations.flow_of()]]
    return rows[packets.payload_captured[rows] > 0]


def test_frames_and_conversations_are_those_of_tshark() -> None:
    """`tshark -T fields -e tcp.stream -e udp.stream -e tcp.len` (4.0.17): 3034 TCP and 5224 UDP streams.

    One SYN (10.20.1.19:53568) comes again, with its number, a second after it was refused: one stream there, two flows
    here, since a SYN after the end of a connection begins another one (as in Zeek).
    """
    packets, report, _ = office()
    assert report.packets + sum(report.skipped.values()) == 82552
    assert set(report.skipped) == {"not IP: ARP"}
    endless = MeterParams(
        idle_timeout_tcp=1e6, idle_timeout_udp=1e6, idle_timeout_icmp=1e6, active_timeout=1e8, linger=1e6
    )
    protocols = meter_flows(packets, endless).flows.frame["proto"].value_counts()
    assert (protocols["TCP"] - 1, protocols["UDP"]) == TSHARK_STREAMS
    assert int(packets.payload_length[packets.proto == 6].sum()) == TSHARK_TCP_BYTES


def test_nothing_is_lost_between_packets_flows_and_words() -> None:
    packets, _, metered = office()
    frame = metered.flows.frame
    assert int((frame["fwd_packets"] + frame["bwd_packets"]).sum()) == len(packets)
    assert int((frame["fwd_bytes"] + frame["bwd_bytes"]).sum()) == int(packets.ip_length.sum())
    groups = extract_words(packets, metered)
    assert sum(len(words.symbols) for words in groups) == len(packets)
    assert sorted(int(row) for words in groups for row in words.flow_rows) == list(range(len(frame)))  # type: ignore[union-attr]
    assert max(len(words.alphabet) for words in groups) <= 40


def test_ciphertext_is_random() -> None:
    """TLS application records that fill their packet (RFC 8446 section 5.1)."""
    packets, _, _ = office()
    rows = []
    for row in rows_of("tls"):
        payload = packets.payload(int(row))
        if (
            len(payload) >= 5
            and payload[:2] == b"\x17\x03"
            and struct.unpack("!H", payload[3:5])[0] == len(payload) - 5
        ):
            rows.append(row)
    assert len(rows) > 500
    assert np.mean(classify(packets)[rows] == RANDOM) >= 0.97


def test_handshakes_and_names_are_structure() -> None:
    packets, _, _ = office()
    classes = classify(packets)
    hellos = [
        row for row in rows_of("tls") if packets.payload(int(row))[5:6] == b"\1" and packets.payload(int(row))[0] == 22
    ]
    assert len(hellos) > 500 and np.mean(classes[hellos] == REPLAY) >= 0.97
    assert np.mean(classes[rows_of("dns")] == REPLAY) >= 0.97
    assert np.mean(classes[rows_of("ntp")] == REPLAY) >= 0.97


def test_heads_of_http_are_text() -> None:
    packets, _, _ = office()
    heads = (b"GET ", b"POST ", b"HEAD ", b"HTTP/1.")
    rows = [row for row in rows_of("http") if packets.payload(int(row)).startswith(heads)]
    assert len(rows) > 1000 and np.mean(classify(packets)[rows] == TEXT) >= 0.97


def test_what_follows_the_new_keys_of_ssh_is_random() -> None:
    """Packets of an SSH conversation behind the one that ends with NEWKEYS (RFC 4253 section 7.3) of its direction."""
    packets, _, metered = office()
    conversations = metered.conversations
    rows = []
    for flow in np.flatnonzero(metered.flows.frame["service"] == "ssh"):
        part = slice(int(conversations.offsets[flow]), int(conversations.offsets[flow + 1]))
        keyed = {0: False, 1: False}
        for row, way in zip(conversations.packets[part].tolist(), conversations.direction[part].tolist(), strict=True):
            payload = packets.payload(row)
            if keyed[way] and payload:
                rows.append(row)
            keyed[way] = keyed[way] or payload[-16:-10] == b"\0\0\0\x0c\x0a\x15"
    assert len(rows) > 1000
    assert np.mean(classify(packets)[rows] == RANDOM) >= 0.97
