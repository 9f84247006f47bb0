"""Fragments: later ones are rows of the flow of their first one, whatever lies between and around them."""

import struct
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture import PacketTable, ReadOptions, read_bytes
from netsynth_core.capture._kernels.fragments import REACH, TIMEOUT
from tests.capture.traffic import CLIENT, CLIENT6, SERVER, SERVER6, START, Frame, ether, ip, pcap, segment, tcp, udp

FILLER = segment(True, 16)


class Piece(NamedTuple):
    """A fragment of datagram `name`."""

    name: int
    first: bool
    data: bytes


def pieces_of(name: int, body: bytes, proto: int, *, version: int = 4, size: int = 24) -> list[Piece]:
    """The fragments of a datagram."""
    pieces = []
    for at in range(0, len(body), size):
        part, more = body[at : at + size], at + size < len(body)
        if version == 4:
            raw = bytearray(ip(CLIENT, SERVER, part, proto))
            raw[4:8] = struct.pack("!HH", name, (0x2000 if more else 0) | at // 8)
        else:
            header = struct.pack("!BBHI", proto, 0, at | more, 0xABCD0000 | name)
            raw = bytearray(ip(CLIENT6, SERVER6, header + part, 44))
        pieces.append(Piece(name, at == 0, ether(bytes(raw))))
    return pieces


def read(frames: list[bytes], *, gap: int = 1000) -> PacketTable:
    return read_bytes(pcap([Frame(START + k * gap, data) for k, data in enumerate(frames)])).packets


DATAGRAMS = [
    (4, 17, bytes(udp(1001, 53, bytes(range(90))))),
    (6, 17, bytes(udp(1002, 53, bytes(range(70))))),
    (4, 6, bytes(tcp(1003, 80, 24, bytes(range(60))))),
    (6, 58, b"\x80\0\0\0\0\7\0\1" + bytes(range(50))),
    (4, 17, bytes(udp(1004, 54, bytes(range(120))))),
]


@given(st.permutations([(k, n) for k in range(5) for n in range(8)]), st.lists(st.booleans(), min_size=40, max_size=40))
def test_fragments_in_any_order_have_the_ports_of_their_first(
    order: list[tuple[int, int]], fillers: list[bool]
) -> None:
    made = [pieces_of(k, body, proto, version=v) for k, (v, proto, body) in enumerate(DATAGRAMS)]
    frames: list[bytes] = []
    wanted: list[tuple[int, int, int, int] | None] = []
    for (k, n), filler in zip(order, fillers, strict=True):
        if filler and len(frames) < REACH - 20:
            frames.append(FILLER)
            wanted.append(None)
        if n < len(made[k]):
            _, proto, body = DATAGRAMS[k]
            ports = (body[0], body[1]) if proto == 58 else struct.unpack("!HH", body[:4])
            frames.append(made[k][n].data)
            wanted.append((proto, ports[0], ports[1], 1 if n == 0 else 2))
    packets = read(frames)
    for row, facts in enumerate(wanted):
        if facts is not None:
            found = (packets.proto[row], packets.src_port[row], packets.dst_port[row], packets.fragment[row])
            assert tuple(map(int, found)) == facts
            assert packets.fragment[row] == 1 or packets.flags[row] == packets.header_length[row] == 0


def test_the_payloads_of_all_fragments_are_that_of_the_datagram() -> None:
    for version, proto, body in DATAGRAMS:
        packets = read([piece.data for piece in pieces_of(9, body, proto, version=version)])
        header = {17: 8, 6: 20, 58: 8}[proto]
        assert b"".join(packets.payload(row) for row in range(len(packets))) == body[header:]
        assert set(packets.ip_id.tolist()) == {9}
        assert packets.payload_length.tolist() == packets.payload_captured.tolist()


def test_a_fragment_without_its_first_has_no_ports() -> None:
    first, second, third, *_ = pieces_of(7, DATAGRAMS[0][2], 17)
    assert read([second.data]).src_port.tolist() == [0]
    assert read([first.data, second.data], gap=TIMEOUT).src_port.tolist() == [1001, 1001]
    assert read([first.data, second.data], gap=TIMEOUT + 1000).src_port.tolist() == [1001, 0]
    late = [third.data, *[FILLER] * REACH, first.data, second.data]
    assert read(late).src_port.tolist()[0] == 0 and read(late).src_port.tolist()[-1] == 1001
    assert read([third.data, *[FILLER] * (REACH - 1), first.data]).src_port.tolist()[0] == 1001


def test_a_first_fragment_that_splits_the_header_has_its_ports() -> None:
    pieces = pieces_of(3, DATAGRAMS[2][2], 6, size=8)
    packets = read([piece.data for piece in pieces])
    assert set(zip(packets.proto.tolist(), packets.src_port.tolist(), packets.dst_port.tolist(), strict=True)) == {
        (6, 1003, 80)
    }
    assert packets.header_length.tolist()[0] == 8


@pytest.mark.parametrize("place", [0, 8, 1, 0xFFF8, 0x1FFF])
def test_nonsense_in_fragments_is_read_within_bounds(place: int) -> None:
    raw = bytearray(ip(CLIENT, SERVER, b"abcdefgh", 6))
    raw[6:8] = struct.pack("!H", place)
    packets = read([ether(bytes(raw))] * 3)
    assert (packets.payload_captured <= 8).all()
    header = struct.pack("!BBHI", 44, 0, place, 5)
    six = read([ether(ip(CLIENT6, SERVER6, header * 5 + b"abcdefgh", 44))] * 3)
    assert (six.payload_captured <= 48).all()


def cut_up(packet: bytes, *, proto: int, name: int = 21, size: int = 64) -> list[bytes]:
    """The fragments, as frames, of an IPv4 packet that carries `packet`."""
    frames = []
    for at in range(0, len(packet), size):
        raw = bytearray(ip("203.0.113.1", "203.0.113.2", packet[at : at + size], proto))
        raw[4:8] = struct.pack("!HH", name, (0x2000 if at + size < len(packet) else 0) | at // 8)
        frames.append(ether(bytes(raw)))
    return frames


@pytest.mark.parametrize("order", [1, -1])
def test_an_authenticated_datagram_is_known_by_the_protocol_of_its_ip_header(order: int) -> None:
    header = struct.pack("!BBHII", 17, 4, 0, 1, 1) + bytes(12)
    packets = read(cut_up(header + bytes(udp(1111, 2222, bytes(150))), proto=51)[::order])
    assert set(zip(packets.proto.tolist(), packets.src_port.tolist(), strict=True)) == {(17, 1111)}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("kind", ["ip", "gre", "vxlan"])
def test_all_fragments_of_a_tunnel_are_packets_of_the_flow_inside(kind: str, version: int, order: int) -> None:
    ends = (CLIENT, SERVER) if version == 4 else (CLIENT6, SERVER6)
    within = ip(*ends, udp(1111, 2222, bytes(range(200))), 17)
    proto, body = {
        "ip": (4 if version == 4 else 41, within),
        "gre": (47, struct.pack("!HH", 0, 0x0800 if version == 4 else 0x86DD) + within),
        "vxlan": (17, bytes(udp(7, 4789, struct.pack("!II", 0x08000000, 256) + ether(within)))),
    }[kind]
    frames = cut_up(body, proto=proto, size=120)[::order]
    content = pcap([Frame(START + k * 1000, data) for k, data in enumerate(frames)])
    packets = read_bytes(content, options=ReadOptions(tunnels=True)).packets
    whole = read_bytes(pcap([Frame(START, ether(within))])).packets
    for name in ("src_hi", "src_lo", "dst_hi", "dst_lo", "proto", "src_port", "dst_port"):
        assert set(getattr(packets, name).tolist()) == set(getattr(whole, name).tolist()), name
    assert sorted(packets.fragment.tolist()) == [1] + [2] * (len(frames) - 1)
    assert b"".join(packets.payload(row) for row in range(len(packets))[::order]) == bytes(range(200))
    assert packets.payload_length.tolist() == packets.payload_captured.tolist()
    outside = read_bytes(content).packets
    assert set(outside.src_lo.tolist()) != set(packets.src_lo.tolist())
