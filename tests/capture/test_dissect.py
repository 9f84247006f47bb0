"""Dissection: equal to dpkt on whole frames, within bounds on broken ones, every frame a row or a counted reason."""

import struct
from pathlib import Path

import dpkt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture import PacketTable, ReadOptions, ReadReport, read_bytes
from netsynth_core.capture.addresses import format_address
from netsynth_core.capture.links import LINK_NAMES
from netsynth_core.capture.reasons import REASONS
from netsynth_core.flows.metering import Mark, meter_flows
from tests.capture.traffic import (
    CLIENT,
    CLIENT6,
    SERVER,
    SERVER6,
    START,
    Frame,
    enhanced,
    ether,
    icmp,
    interface,
    ip,
    mixed,
    pcap,
    section,
    segment,
    tcp,
    twin,
    udp,
)


def read(*frames: bytes, link: int = 1, tunnels: bool = False) -> tuple[PacketTable, ReadReport]:
    made = [Frame(START + k, data, None, link) for k, data in enumerate(frames)]
    return read_frames(made, tunnels=tunnels)


def read_frames(frames: list[Frame], *, tunnels: bool = False) -> tuple[PacketTable, ReadReport]:
    """Packets and report of frames of any link types."""
    links = sorted({frame.link for frame in frames} | {1})
    blocks = [interface(link) for link in links] + [enhanced(f, number=links.index(f.link)) for f in frames]
    capture = read_bytes(section() + b"".join(blocks), "made", ReadOptions(tunnels=tunnels))
    return capture.packets, capture.report


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


LINK_NUMBERS = sorted([*LINK_NAMES, 147, 4000])
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


@given(st.lists(st.tuples(st.binary(max_size=90), st.sampled_from(LINK_NUMBERS)), max_size=12))
def test_any_bytes_are_a_row_or_a_counted_reason(noise: list[tuple[bytes, int]]) -> None:
    packets, report = read_frames([Frame(START, data, None, link) for data, link in noise])
    assert len(packets) + sum(report.skipped.values()) == len(noise)
    assert report.packets == len(packets)
    assert set(report.first_skipped) == set(report.skipped) <= set(REASONS.values())
    ends = packets.payload_offset + packets.payload_captured
    assert np.all(packets.payload_captured >= 0) and np.all(packets.payload_captured <= packets.payload_length)
    assert np.all(ends <= len(packets.data))


@given(PACKETS, st.integers(0, 120), st.integers(0, 255))
def test_a_changed_byte_leaves_the_payload_inside_its_frame(packet: bytes, at: int, value: int) -> None:
    frame = bytearray(ether(packet))
    frame[at % len(frame)] = value
    packets, report = read(bytes(frame), b"\xff" * 50)
    assert len(packets) + sum(report.skipped.values()) == 2
    start = packets.data.tobytes().index(bytes(frame))
    for row in range(len(packets)):
        assert start <= packets.payload_offset[row]
        assert packets.payload_offset[row] + packets.payload_captured[row] <= start + len(frame)


@given(
    st.one_of(PACKETS, st.binary(min_size=1, max_size=80)),
    st.sampled_from(LINK_NUMBERS),
    st.integers(1, 120),
    st.integers(0, 119),
    st.integers(0, 255),
    st.booleans(),
)
def test_what_lies_behind_a_frame_does_not_matter(
    packet: bytes, link: int, kept: int, at: int, value: int, tunnels: bool
) -> None:
    frame = bytearray(ether(packet, 0x0800))
    frame[at % len(frame)] = value
    seen = Frame(START, bytes(frame[:kept]), 120, link)
    told = []
    for behind in (b"\0", b"\xff", b"\x45\0\0\x40"):
        content = pcap([seen, Frame(START, behind * 40, None, link)])
        capture = read_bytes(content, options=ReadOptions(tunnels=tunnels))
        first = [capture.report.first_skipped.get(reason) == 1 for reason in REASONS.values()]
        rows = np.flatnonzero(capture.packets.frame == 0)
        told.append((first, [getattr(capture.packets, name)[rows].tolist() for name in PacketTable.column_names()]))
    assert told[0] == told[1] == told[2]


PACKET = ip(CLIENT, SERVER, udp(5000, 53, b"abc"), 17)
PACKET6 = ip(CLIENT6, SERVER6, udp(5000, 53, b"abc"), 17)
SNAP = b"\xaa\xaa\x03\0\0\0\x08\0"


def wifi(control: int, flags: int) -> bytes:
    """A header of IEEE 802.11 with three addresses."""
    return bytes([control, flags]) + bytes(22)


# a second word of presence, a time stamp on its boundary, then the flag that the 802.11 header is padded
PADDED = struct.pack("<BBHII4xQB", 0, 0, 25, 0x80000003, 0, 0, 0x20)
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
    "Cisco HDLC": (104, b"\x0f\0\x08\0" + PACKET),
    "PPP of pppd": (166, b"\1\3\0\x21" + PACKET),
    "PPP with direction": (204, b"\1\xff\3\0\x21" + PACKET),
    "PPPoE alone": (51, b"\x11\0\0\1\0\x30\0\x21" + PACKET),
    "Ethernet in MPLS": (1, ether(b"\0\1\1\x40" + bytes(4) + ether(PACKET), 0x8847)),
    "Ethernet in MPLS, no control word": (1, ether(b"\0\1\1\x40" + ether(PACKET), 0x8847)),
    "NFLOG": (239, b"\2\0\0\0" + b"\x08\0\1\0" + bytes(4) + b"\x23\0\x09\0" + PACKET + b"\0"),
    "NFLOG, big": (239, b"\2\0\0\0" + b"\0\x05\0\x0a" + bytes(4) + b"\0\x23\0\x09" + PACKET + b"\0"),
    "PPI, Ethernet": (192, b"\0\0\x08\0\1\0\0\0" + ether(PACKET)),
    "provider backbone": (1, ether(bytes(4) + ether(PACKET), 0x88E7)),
    "QinQ": (1, ether(PACKET, tags=(0x88A8, 0x8100))),
    "token ring": (6, bytes(14) + SNAP + PACKET),
    "token ring, routed": (6, bytes(8) + b"\x80" + bytes(5) + b"\4\0\0\0" + SNAP + PACKET),
    "IP over IEEE 1394": (138, bytes(16) + b"\x08\0" + PACKET),
    "IP over InfiniBand": (242, bytes(40) + b"\x08\0\0\0" + PACKET),
    "IP over Fibre Channel": (122, bytes(16) + SNAP + PACKET),
    "SLIP": (8, bytes(16) + PACKET),
    "packet filter log": (117, bytes([61]) + bytes(63) + PACKET),
    "802.11": (105, wifi(0x08, 1) + SNAP + PACKET),
    "802.11, QoS": (105, wifi(0x88, 2) + bytes(2) + SNAP + PACKET),
    "802.11, four addresses": (105, wifi(0x08, 3) + bytes(6) + SNAP + PACKET),
    "802.11, four addresses, QoS, HT": (105, wifi(0x88, 0x83) + bytes(12) + SNAP + PACKET),
    "802.11, A-MSDU": (105, wifi(0x88, 1) + b"\x80\0" + bytes(14) + SNAP + PACKET),
    "802.11, radiotap": (127, b"\0\0\x0c\0\4\0\0\0" + bytes(4) + wifi(0x08, 1) + SNAP + PACKET),
    "802.11, radiotap, padded": (127, PADDED + wifi(0x88, 1) + bytes(4) + SNAP + PACKET),
    "802.11, Prism": (119, b"\0\0\0\x44" + b"\x90\0\0\0" + bytes(136) + wifi(0x08, 1) + SNAP + PACKET),
    "802.11, AVS": (163, b"\x80\x21\x10\1\0\0\0\x40" + bytes(56) + wifi(0x08, 1) + SNAP + PACKET),
    "802.11, AVS as Prism": (119, b"\x80\x21\x10\1\0\0\0\x40" + bytes(56) + wifi(0x08, 1) + SNAP + PACKET),
    "802.11, PPI": (192, b"\0\0\x08\0\x69\0\0\0" + wifi(0x08, 1) + SNAP + PACKET),
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
    # 14 bytes hold ports, numbers and flags; with less the packet cannot be told from another
    "truncated TCP header": segment(True, 2)[:47],
    "truncated UDP header": ether(PACKET)[:41],
    "truncated ICMP header": ether(ip(CLIENT, SERVER, icmp(8), 1))[:37],
    "broken TCP header": ether(ip(CLIENT, SERVER, bytes(12) + b"\x40" + bytes(7), 6)),
    "broken UDP header": ether(ip(CLIENT, SERVER, b"\0\1\0\2\0\7\0\0", 17)),
    "broken ICMP header": ether(ip(CLIENT, SERVER, b"\x08\0", 1) + bytes(20)),
    "truncated SCTP, DCCP or UDP-Lite header": ether(ip(CLIENT, SERVER, bytes(12), 132))[:40],
    "broken SCTP, DCCP or UDP-Lite header": ether(ip(CLIENT, SERVER, bytes(16), 33)),
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
    assert report.skipped == {"unsupported link type": 1} and report.link_types == {"private use 0": 1}
    assert read(b"\x03\0\0\0" + bytes(40), link=0)[1].skipped == {"not IP: unknown version or family": 1}


def test_ipv6_extension_headers_are_skipped() -> None:
    datagram = bytes(udp(1, 2, b"abc"))
    routing = bytes([17, 1]) + bytes(14)
    chain = bytes([43, 0]) + bytes(6) + routing
    packets, _ = read(ether(ip(CLIENT6, SERVER6, chain + datagram, 0)))
    assert facts(packets, 0)[2:] == (17, 1, 2, 40 + 8 + 16 + 11, b"abc")


def test_a_total_length_of_zero_is_taken_from_the_frame() -> None:
    whole = ip(CLIENT, SERVER, tcp(1, 2, 24, b"x" * 3000), 6)
    offloaded = whole[:2] + b"\0\0" + whole[4:]
    packets, report = read(ether(offloaded))
    assert report.skipped == {} and packets.payload_length.tolist() == [3000] and packets.ip_length.tolist() == [3040]


def test_a_cut_payload_keeps_its_true_length() -> None:
    frame = segment(True, 24, b"x" * 500)
    packets, report = read_frames([Frame(START, frame[:100], len(frame))])
    assert packets.payload_length.tolist() == [500] and packets.payload_captured.tolist() == [46]
    assert report.bytes == len(frame)


def test_padding_of_short_frames_is_no_payload() -> None:
    packets, _ = read(segment(True, 16) + bytes(6))
    assert packets.payload_length.tolist() == [0] and packets.payload_captured.tolist() == [0]


def test_tcp_columns_hold_the_header() -> None:
    packets, _ = read(ether(ip(CLIENT, SERVER, tcp(1, 2, 0xFF, seq=2**32 - 1, ack=77), 6)))
    assert (int(packets.seq[0]), int(packets.ack[0])) == (2**32 - 1, 77)
    assert (int(packets.flags[0]), int(packets.window[0]), int(packets.ttl[0])) == (255, 1000, 64)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        # what is left of a stack is a label, whatever its first bits look like
        (ether(b"\0\1\0\x40" + b"\x45\0\0\x40", 0x8847), "truncated link header"),
        (ether(b"\0\1\0\x40" + b"\x25\0\0\x40", 0x8847), "truncated link header"),
        (ether(b"\0\1\1\x40" + b"\x25" + bytes(30), 0x8847), "not IP: unknown version or family"),
        # a pseudowire with a length of IEEE 802.3, which may be 0
        (ether(b"\0\1\1\x40" + bytes(4) + bytes(14) + b"\x42\x42\x03" + bytes(40), 0x8847), "not IP: LLC"),
    ],
)
def test_stacks_of_labels_end_for_a_reason(frame: bytes, reason: str) -> None:
    _, report = read(frame)
    assert report.skipped == {reason: 1}


def test_the_report_counts_what_the_mixed_capture_holds() -> None:
    _, report = read_frames(mixed())
    assert report.packets == 27
    assert report.protocols == {"TCP": 20, "UDP": 4, "ICMP": 2, "GRE": 1}
    assert report.skipped == {
        "not IP: ARP": 1,
        "not IP: LLC": 1,
        "truncated IPv4 header": 1,
    }
    assert report.first_skipped == {
        "not IP: ARP": 1,
        "not IP: LLC": 8,
        "truncated IPv4 header": 9,
    }
    assert (report.first_ts, report.link_types) == (START + 1000, {"Ethernet": 30})


def test_a_tcp_header_cut_behind_its_flags_is_a_row() -> None:
    """Ports, numbers and flags are known; window and options may be missing.

    tshark 4.0 gives such a packet its ports and flags too, but counts it in no conversation; Zeek leaves it out.
    """
    options = ether(ip(CLIENT, SERVER, dpkt.tcp.TCP(sport=1, dport=2, flags=2, win=9, opts=bytes(20), off=10), 6))
    packets, report = read_frames([Frame(START, options[:cut], len(options)) for cut in (48, 50, 54, 60, 74)])
    assert report.skipped == {} and packets.flags.tolist() == [2] * 5
    assert packets.window.tolist() == [65535, 9, 9, 9, 9]
    assert packets.header_length.tolist() == [14, 16, 20, 26, 40]
    assert packets.payload_captured.tolist() == [0] * 5 and packets.payload_length.tolist() == [0] * 5


@pytest.mark.parametrize(("proto", "header"), [(132, 12), (136, 8), (33, 16)])
def test_other_transports_have_their_ports(proto: int, header: int) -> None:
    body = struct.pack("!HHBBH", 7, 9, header // 4, 0, 0) + bytes(header - 8) + b"abc"
    packets, _ = read(ether(ip(CLIENT, SERVER, body, proto)), ether(ip(CLIENT6, SERVER6, body, proto)))
    assert [facts(packets, row)[3:5] + facts(packets, row)[6:] for row in (0, 1)] == [(7, 9, b"abc")] * 2
    assert packets.header_length.tolist() == [header] * 2


def test_authentication_headers_are_passed() -> None:
    body = bytes(udp(1, 2, b"abc"))
    header = bytes([17, 4]) + bytes(22)
    packets, _ = read(ether(ip(CLIENT, SERVER, header + body, 51)), ether(ip(CLIENT6, SERVER6, header + body, 51)))
    assert [facts(packets, row)[2:5] for row in (0, 1)] == [(17, 1, 2)] * 2
    assert packets.payload(0) == packets.payload(1) == b"abc"


INNER = ip("10.0.0.1", "10.0.0.2", udp(5000, 53, b"abc"), 17)
INNER6 = ip(CLIENT6, SERVER6, udp(5000, 53, b"abc"), 17)
TUNNELS = {
    "VXLAN": ip(CLIENT, SERVER, udp(9, 4789, b"\x08\0\0\0\0\0\7\0" + ether(INNER, tags=(0x8100,))), 17),
    "GRE": ip(CLIENT, SERVER, b"\0\0\x08\0" + INNER, 47),
    "GRE, key and sequence": ip(CLIENT, SERVER, b"\x30\0\x08\0" + bytes(8) + INNER, 47),
    "GRE, Ethernet": ip(CLIENT6, SERVER6, b"\0\0\x65\x58" + ether(INNER), 47),
    "4in4": ip(CLIENT, SERVER, INNER, 4),
    "6in4": ip(CLIENT, SERVER, INNER6, 41),
    "4in6": ip(CLIENT6, SERVER6, INNER, 4),
    "6in6": ip(CLIENT6, SERVER6, INNER6, 41),
}


@pytest.mark.parametrize("name", TUNNELS)
def test_tunnels_are_looked_into_on_demand(name: str) -> None:
    frame = ether(TUNNELS[name])
    outer, _ = read(frame)
    assert facts(outer, 0)[:2] in [(CLIENT, SERVER), (CLIENT6, SERVER6)]
    packets, _ = read(frame, tunnels=True)
    inside = (CLIENT6, SERVER6) if name.startswith("6in") else ("10.0.0.1", "10.0.0.2")
    assert facts(packets, 0)[:5] == (*inside, 17, 5000, 53) and packets.payload(0) == b"abc"
    broken, _ = read(frame[:-20], tunnels=True)
    assert facts(broken, 0)[0] in (CLIENT, CLIENT6)


WIFI_REASONS = {
    "not IP: 802.11 management": wifi(0x80, 0) + bytes(20),
    "not IP: 802.11 control": wifi(0xD4, 0),
    "not IP: 802.11 data frame without data": wifi(0x48, 1),
    "protected 802.11 frame": wifi(0x08, 0x41) + bytes(40),
    "802.11 fragment after the first": wifi(0x08, 1)[:22] + b"\1\0" + bytes(40),
}


@pytest.mark.parametrize("reason", WIFI_REASONS)
def test_frames_of_radio_without_packets_have_their_reason(reason: str) -> None:
    assert read(WIFI_REASONS[reason], link=105)[1].skipped == {reason: 1}


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
    assert refused == [".snoop"]


@pytest.mark.parametrize("more", [0, 1])
def test_mirrored_frames_of_erspan_three_are_looked_into(more: int) -> None:
    head = struct.pack("!HHI", 0x1000, 0x22EB, 1) + bytes(11) + bytes([more]) + bytes(8 * more)
    packets, _ = read(ether(ip(SERVER6, CLIENT6, head + ether(PACKET), 47)), tunnels=True)
    assert facts(packets, 0)[2:] == (17, 5000, 53, 31, b"abc")


@pytest.mark.parametrize("kept", [14, 15, 16, 20])
def test_a_window_that_was_not_captured_is_not_one_of_zero(kept: int) -> None:
    closed = bytearray(segment(True, 16, b"data"))
    closed[48:50] = b"\0\0"
    for whole, window in ((segment(True, 16, b"data"), 1000), (bytes(closed), 0)):
        packets, _ = read_frames([Frame(START, whole[: 34 + kept], len(whole))])
        assert packets.window.tolist() == [window if kept >= 16 else 65535]
        marks = meter_flows(packets).marks
        assert bool(marks[0] & Mark.ZERO_WINDOW) == (window == 0 and kept >= 16)
