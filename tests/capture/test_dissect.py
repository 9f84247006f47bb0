"""Dissection: equal to dpkt on whole frames, within bounds on broken ones, every frame a row or a counted reason."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture import PacketTable, ReadReport
from netsynth_core.capture.addresses import format_address
from netsynth_core.capture.dissect import REASONS, dissect
from netsynth_core.capture.records import Frames
from tests.capture.traffic import (
    CLIENT,
    CLIENT6,
    SERVER,
    SERVER6,
    START,
    Frame,
    ether,
    icmp,
    ip,
    mixed,
    segment,
    tcp,
    twin,
    udp,
)


def frames_from(frames: list[Frame]) -> Frames:
    sizes = [len(f.data) for f in frames]
    return Frames(
        data=np.frombuffer(b"".join(f.data for f in frames) or b"\0", np.uint8),
        offset=np.cumsum([0, *sizes[:-1]])[: len(frames)].astype(np.int64),
        captured=np.array(sizes, np.int32),
        length=np.array([len(f.data) if f.length is None else f.length for f in frames], np.int32),
        ts=np.array([f.ts for f in frames], np.int64),
        link=np.array([f.link for f in frames], np.uint16),
        format="made",
        truncated=False,
        notes=(),
    )


def read(*frames: bytes, link: int = 1) -> tuple[PacketTable, ReadReport]:
    return dissect(frames_from([Frame(START + k, data, None, link) for k, data in enumerate(frames)]), "made")


def facts(packets: PacketTable, row: int) -> tuple[object, ...]:
    return (
        format_address(int(packets.src_hi[row]), int(packets.src_lo[row])),
        format_address(int(packets.dst_hi[row]), int(packets.dst_lo[row])),
        int(packets.proto[row]),
        int(packets.src_port[row]),
        int(packets.dst_port[row]),
        int(packets.ip_length[row]),
        packets.payload(row),
    )


PORTS = st.integers(0, 65535)
BODIES = st.one_of(
    st.builds(
        lambda a, b, f, p: (bytes(tcp(a, b, f, p)), 6), PORTS, PORTS, st.integers(0, 255), st.binary(max_size=60)
    ),
    st.builds(lambda a, b, p: (bytes(udp(a, b, p)), 17), PORTS, PORTS, st.binary(max_size=60)),
)
PACKETS = st.one_of(
    st.builds(lambda b: ip(CLIENT, SERVER, *b), BODIES),
    st.builds(lambda b: ip(CLIENT6, SERVER6, *b), BODIES),
    st.builds(
        lambda t, p: ip(CLIENT, SERVER, icmp(t, payload=p), 1), st.sampled_from([0, 8, 13]), st.binary(max_size=20)
    ),
    st.builds(lambda p: ip(CLIENT6, SERVER6, icmp(128, payload=p), 58), st.binary(max_size=20)),
)


@given(st.lists(st.tuples(PACKETS, st.sampled_from([(), (0x8100,), (0x88A8, 0x8100)])), min_size=1, max_size=8))
def test_whole_frames_read_as_dpkt_reads_them(made: list[tuple[bytes, tuple[int, ...]]]) -> None:
    packets, report = read(*(ether(packet, tags=tags) for packet, tags in made))
    assert report.skipped == {}
    assert [facts(packets, row) for row in range(len(made))] == [twin(ether(packet)) for packet, _ in made]


@given(
    st.lists(st.tuples(st.binary(max_size=90), st.sampled_from([0, 1, 9, 10, 101, 108, 113, 147, 276])), max_size=12)
)
def test_any_bytes_are_a_row_or_a_counted_reason(noise: list[tuple[bytes, int]]) -> None:
    frames = frames_from([Frame(START, data, None, link) for data, link in noise])
    packets, report = dissect(frames, "made")
    assert len(packets) + sum(report.skipped.values()) == len(noise)
    assert report.packets == len(packets)
    assert set(report.first_skipped) == set(report.skipped) <= set(REASONS[1:])
    ends = packets.payload_offset + packets.payload_captured
    assert np.all(packets.payload_captured >= 0) and np.all(packets.payload_captured <= packets.payload_length)
    assert np.all(ends <= len(frames.data))


@given(PACKETS, st.integers(0, 120), st.integers(0, 255))
def test_a_changed_byte_leaves_the_payload_inside_its_frame(packet: bytes, at: int, value: int) -> None:
    frame = bytearray(ether(packet))
    frame[at % len(frame)] = value
    packets, report = read(bytes(frame), b"\xff" * 50)
    assert len(packets) + sum(report.skipped.values()) == 2
    for row in range(len(packets)):
        assert 0 <= packets.payload_offset[row] <= len(frame)
        assert packets.payload_offset[row] + packets.payload_captured[row] <= len(frame)


PACKET = ip(CLIENT, SERVER, udp(5000, 53, b"abc"), 17)
PACKET6 = ip(CLIENT6, SERVER6, udp(5000, 53, b"abc"), 17)
COOKED = struct.pack("!HHH8s", 0, 1, 6, bytes(8))
LINKS = {
    "ethernet": (1, ether(PACKET)),
    "cooked v1": (113, COOKED + b"\x08\0" + PACKET),
    "cooked v1, VLAN": (113, COOKED + b"\x81\0\0\7\x08\0" + PACKET),
    "cooked v2": (276, b"\x08\0" + bytes(18) + PACKET),
    "raw 101": (101, PACKET),
    "raw 12": (12, PACKET),
    "raw 14": (14, PACKET),
    "raw IPv4": (228, PACKET),
    "loopback, little": (0, b"\2\0\0\0" + PACKET),
    "loopback, big": (0, b"\0\0\0\2" + PACKET),
    "loopback, OpenBSD": (108, b"\0\0\0\2" + PACKET),
    "PPP": (9, b"\0\x21" + PACKET),
    "PPP, short": (9, b"\x21" + PACKET),
    "PPP, HDLC": (50, b"\xff\x03\0\x21" + PACKET),
    "PPPoE": (1, ether(b"\x11\0\0\1\0\x30\0\x21" + PACKET, 0x8864)),
    "MPLS": (1, ether(b"\0\1\0\x40" + b"\0\1\1\x40" + PACKET, 0x8847)),
    "SNAP": (1, ether(b"\xaa\xaa\x03\0\0\0\x08\0" + PACKET, 46)),
    "FDDI": (10, bytes(13) + b"\xaa\xaa\x03\0\0\0\x08\0" + PACKET),
    "ethernet, IPv6": (1, ether(PACKET6)),
    "cooked v2, IPv6": (276, b"\x86\xdd" + bytes(18) + PACKET6),
    "loopback, IPv6 (macOS)": (0, b"\x1e\0\0\0" + PACKET6),
    "raw IPv6": (229, PACKET6),
}


@pytest.mark.parametrize("name", LINKS)
def test_every_link_type_gives_the_same_packet(name: str) -> None:
    link, frame = LINKS[name]
    packets, report = read(frame, link=link)
    assert report.skipped == {}
    assert facts(packets, 0)[2:] == (17, 5000, 53, 51 if "IPv6" in name else 31, b"abc")


HOP = bytes([0]) + bytes(7)
BROKEN = {
    "not IP: ARP": ether(bytes(28), 0x0806),
    "not IP: LLC": ether(b"\x42\x42\x03" + bytes(40), 43),
    "not IP: LLDP": ether(bytes(40), 0x88CC),
    "not IP: EAPOL": ether(bytes(40), 0x888E),
    "not IP: other EtherType": ether(bytes(40), 0x9999),
    "not IP: PPP control": ether(b"\x11\0\0\1\0\4\xc0\x21\1\1\0\4", 0x8864),
    "truncated link header": ether(PACKET)[:13],
    "truncated IPv4 header": ether(PACKET)[:33],
    "broken IPv4 header": ether(b"\x42" + PACKET[1:]),
    "truncated IPv6 header": ether(PACKET6)[:53],
    "broken IPv6 header": ether(b"\x56" + PACKET6[1:], 0x86DD),
    "truncated IPv6 extension header": ether(ip(CLIENT6, SERVER6, b"\0", 0)),
    "truncated TCP header": segment(True, 2)[:53],
    "truncated UDP header": ether(PACKET)[:41],
    "truncated ICMP header": ether(ip(CLIENT, SERVER, icmp(8), 1))[:37],
    "broken TCP header": ether(ip(CLIENT, SERVER, bytes(12) + b"\x40" + bytes(7), 6)),
    "broken UDP header": ether(ip(CLIENT, SERVER, b"\0\1\0\2\0\7\0\0", 17)),
    "broken ICMP header": ether(ip(CLIENT, SERVER, b"\x08\0", 1) + bytes(20)),
    "IP fragment after the first": ether(PACKET[:6] + b"\0\1" + PACKET[8:]),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_every_broken_frame_has_its_reason(reason: str) -> None:
    packets, report = read(segment(True, 2), BROKEN[reason], segment(False, 18), BROKEN[reason])
    assert len(packets) == 2
    assert report.skipped == {reason: 2}
    assert report.first_skipped == {reason: 2}


def test_link_types_that_cannot_be_read_are_named() -> None:
    packets, report = read(bytes(60), link=147)
    assert len(packets) == 0
    assert report.skipped == {"unsupported link type": 1} and report.link_types == {"link type 147": 1}
    assert read(b"\x03\0\0\0" + bytes(40), link=0)[1].skipped == {"not IP: unknown version or family": 1}


def test_ipv6_extension_headers_are_skipped() -> None:
    datagram = bytes(udp(1, 2, b"abc"))
    routing = bytes([17, 1]) + bytes(14)
    chain = bytes([43, 0]) + bytes(6) + routing
    packets, _ = read(ether(ip(CLIENT6, SERVER6, chain + datagram, 0)))
    assert facts(packets, 0)[2:] == (17, 1, 2, 40 + 8 + 16 + 11, b"abc")
    first = bytes([17, 0, 0, 1]) + bytes(4)
    later = bytes([17, 0, 0, 9]) + bytes(4)
    packets, report = read(ether(ip(CLIENT6, SERVER6, first + datagram, 44)), ether(ip(CLIENT6, SERVER6, later, 44)))
    assert len(packets) == 1 and report.skipped == {"IP fragment after the first": 1}


def test_a_total_length_of_zero_is_taken_from_the_frame() -> None:
    whole = ip(CLIENT, SERVER, tcp(1, 2, 24, b"x" * 3000), 6)
    offloaded = whole[:2] + b"\0\0" + whole[4:]
    packets, report = read(ether(offloaded))
    assert report.skipped == {} and packets.payload_length.tolist() == [3000] and packets.ip_length.tolist() == [3040]


def test_a_cut_payload_keeps_its_true_length() -> None:
    frame = segment(True, 24, b"x" * 500)
    frames = frames_from([Frame(START, frame[:100], len(frame))])
    packets, report = dissect(frames, "made")
    assert packets.payload_length.tolist() == [500] and packets.payload_captured.tolist() == [46]
    assert report.bytes == len(frame)


def test_padding_of_short_frames_is_no_payload() -> None:
    packets, _ = read(segment(True, 16) + bytes(6))
    assert packets.payload_length.tolist() == [0] and packets.payload_captured.tolist() == [0]


def test_tcp_columns_hold_the_header() -> None:
    packets, _ = read(ether(ip(CLIENT, SERVER, tcp(1, 2, 0xFF, seq=2**32 - 1, ack=77), 6)))
    assert (int(packets.seq[0]), int(packets.ack[0])) == (2**32 - 1, 77)
    assert (int(packets.flags[0]), int(packets.window[0]), int(packets.ttl[0])) == (255, 1000, 64)


def test_the_report_counts_what_the_mixed_capture_holds() -> None:
    _, report = dissect(frames_from(mixed()), "made")
    assert report.packets == 26
    assert report.skipped == {
        "not IP: ARP": 1,
        "not IP: LLC": 1,
        "truncated IPv4 header": 1,
        "IP fragment after the first": 1,
    }
    assert report.first_skipped == {
        "not IP: ARP": 1,
        "IP fragment after the first": 7,
        "not IP: LLC": 8,
        "truncated IPv4 header": 9,
    }
    assert (report.first_ts, report.link_types) == (START + 1000, {"Ethernet": 30})


NASTY = Path(__file__).parents[2] / ".." / "shared" / "data" / "nasty"


@pytest.mark.skipif(not NASTY.is_dir(), reason=f"{NASTY} is absent")
def test_no_nasty_capture_raises_anything_but_a_message() -> None:
    from netsynth_core.capture import read_capture
    from netsynth_core.errors import NetsynthError

    refused = []
    for path in sorted(NASTY.iterdir()):
        try:
            report = read_capture(path).report
        except NetsynthError as error:
            assert error.hint
            refused.append(path.suffix)
            continue
        assert sum(report.link_types.values()) == report.packets + sum(report.skipped.values())
    assert sorted(refused) == [".snoop", ".zst"]
