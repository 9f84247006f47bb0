"""The filters for other tools select exactly the packets of the flows; tshark and libpcap are the judges."""

import subprocess
from pathlib import Path

import dpkt
import numpy as np
import pandas as pd
import pytest

from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.selecting import FlowIndex
from netsynth_core.flows.source import FlowSource, read_flows
from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.wireshark import MOST_FLOWS, capture_filter, display_filter
from tests.factories import CLIENT, SERVER, START, http_conversation, office_pcap, write_pcap
from tests.tools import needs

SAMPLE = Path(__file__).parents[2] / "sample_data" / "small.pcap"
S = 1_000_000_000


def _ip(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))


def framed(
    src: str, dst: str, proto: int, data: bytes, *, ident: int = 0, offset: int = 0, more: bool = False
) -> bytes:
    """An Ethernet frame with an IPv4 packet, or a fragment of one."""
    packet = dpkt.ip.IP(src=_ip(src), dst=_ip(dst), p=proto, ttl=64, id=ident, data=data)
    packet.len = 20 + len(data)
    packet._flags_offset = (0x2000 if more else 0) | offset // 8
    return bytes(dpkt.ethernet.Ethernet(src=b"\2\0\0\0\0\1", dst=b"\2\0\0\0\0\2", data=packet))


def odd_pcap(path: Path) -> Path:
    """A tuple used twice, pings both ways, an ICMP error that quotes the TCP flow, a datagram in fragments, ESP."""
    client = f"{CLIENT}10"
    frames = http_conversation(START, client, 40_000)
    frames += http_conversation(START + 400 * S, client, 40_000)
    quoted = http_conversation(START, client, 40_000)[0][1][14:]
    error = bytes(dpkt.icmp.ICMP(type=3, code=3, data=b"\0\0\0\0" + quoted[:28]))
    frames.append((START + S, framed(SERVER, client, 1, error)))
    for n, (kind, way) in enumerate(((8, 0), (0, 1), (8, 1), (0, 0))):
        echo = bytes(dpkt.icmp.ICMP(type=kind, code=0, data=dpkt.icmp.ICMP.Echo(id=7, seq=n, data=b"abcdefgh")))
        ends = (client, SERVER) if way == 0 else (SERVER, client)
        frames.append((START + 2 * S + n * 1_000_000, framed(*ends, 1, echo)))
    datagram = bytes(dpkt.udp.UDP(sport=5000, dport=6000, ulen=8 + 1600, data=bytes(1600)))
    for n, (begin, end) in enumerate(((0, 800), (800, 1608))):
        part = framed(client, SERVER, 17, datagram[begin:end], ident=77, offset=begin, more=end < 1608)
        frames.append((START + 3 * S + n * 1_000_000, part))
    frames.append((START + 4 * S, framed(client, SERVER, 50, bytes(40))))
    return write_pcap(path, frames)


def shown(path: Path, text: str) -> list[int]:
    """0-based numbers of the frames that a display filter passes."""
    command = ["tshark", "-n", "-r", str(path), "-Y", text, "-T", "fields", "-e", "frame.number"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [int(number) - 1 for number in done.stdout.split()]


def held(source: FlowSource, row: int) -> list[int]:
    """0-based numbers of the frames of a flow."""
    assert source.packets is not None and source.metered is not None
    return sorted(set(source.packets.frame[source.metered.conversations.rows(row)].tolist()))


def filter_of(source: FlowSource, rows: list[int]) -> str:
    assert source.metered is not None
    index = FlowIndex(source.flows)
    return display_filter(index, rows, packets=source.packets, conversations=source.metered.conversations)


@needs("tshark")
def test_the_display_filter_of_odd_flows_is_exact(tmp_path: Path) -> None:
    path = odd_pcap(tmp_path / "odd.pcap")
    source = read_flows(path)
    assert {"TCP", "UDP", "ICMP", "50"} <= set(source.flows.frame["proto"])
    for row in range(len(source.flows)):
        text = filter_of(source, [row])
        assert shown(path, text) == held(source, row), text


@needs("tshark")
def test_many_flows_are_joined_and_exact_on_real_packets() -> None:
    source = read_flows(SAMPLE)
    rows = [0, 1, 4, 17, 40, 77, len(source.flows) - 1]
    expected = sorted({frame for row in rows for frame in held(source, row)})
    assert shown(SAMPLE, filter_of(source, rows)) == expected
    assert any(":" in source.flows.frame["src_ip"].iloc[row] for row in rows)


@needs("tshark")
@pytest.mark.parametrize("seed", range(3))
def test_many_flows_share_what_they_have_in_common_and_stay_exact(seed: int) -> None:
    source = read_flows(SAMPLE)
    rows = sorted(np.random.default_rng(seed).choice(len(source.flows), 60, replace=False).tolist())
    expected = sorted({frame for row in rows for frame in held(source, row)})
    text = filter_of(source, rows)
    assert shown(SAMPLE, text) == expected
    assert len(text) < 0.7 * sum(len(filter_of(source, [row])) for row in rows)


def test_flows_of_one_responder_name_it_once_in_each_direction() -> None:
    flow = {"ts": 0, "proto": "TCP", "dst_ip": "10.0.0.1", "dst_port": 80}
    ends = [("10.0.0.2", 5), ("10.0.0.2", 6), ("10.0.0.2", 7), ("10.0.0.2", 9), ("10.0.0.3", 5)]
    rows = [flow | {"src_ip": host, "src_port": port} for host, port in ends]
    index = FlowIndex(FlowTable.from_columns(pd.DataFrame(rows)))
    text = display_filter(index, range(5))
    assert text.count("== 10.0.0.1") == 2 and text.count("in {5..7, 9}") == 2 and text.count("!icmp &&") == 1
    assert "tcp.srcport == 5" in display_filter(index, [4])


def test_the_time_stands_in_the_filter_only_where_it_must(tmp_path: Path) -> None:
    source = read_flows(odd_pcap(tmp_path / "odd.pcap"))
    frame = source.flows.frame
    twice = frame.index[(frame["proto"] == "TCP")].tolist()
    assert len(twice) == 2 and all("frame.time_epoch" in filter_of(source, [row]) for row in twice)
    assert "frame.time_epoch" not in filter_of(source, [int(frame.index[frame["proto"] == "UDP"][0])])


@needs("tcpdump")
def test_the_capture_filter_is_taken_by_libpcap_and_passes_the_flow(tmp_path: Path) -> None:
    path = office_pcap(tmp_path / "a.pcap", sessions=3)
    source = read_flows(path)
    index = FlowIndex(source.flows)
    for rows in ([0], [1], [0, 3, 5]):
        command = ["tcpdump", "-n", "-r", str(path), "-w", str(tmp_path / "b.pcap"), capture_filter(index, rows)]
        subprocess.run(command, check=True, capture_output=True)
        again = read_flows(tmp_path / "b.pcap").flows.frame
        assert again.equals(source.flows.frame.iloc[rows].reset_index(drop=True))
    odd = FlowIndex(read_flows(odd_pcap(tmp_path / "odd.pcap")).flows)
    sample = FlowIndex(read_flows(SAMPLE).flows)
    for index, rows in ((odd, list(range(len(odd)))), (sample, list(range(60)))):
        subprocess.run(["tcpdump", "-d", "-y", "EN10MB", capture_filter(index, rows)], check=True, capture_output=True)


def test_flows_that_no_filter_can_name_are_refused() -> None:
    names = {"ts": 0, "proto": "TCP", "src_ip": "EXT_SERVER", "src_port": 5, "dst_ip": "10.0.0.1", "dst_port": 80}
    rows = [names, names | {"src_ip": "10.0.0.2", "src_port": -1}]
    index = FlowIndex(FlowTable.from_columns(pd.DataFrame(rows)))
    for chosen in ([0], [1], [], [0] * (MOST_FLOWS + 1)):
        with pytest.raises(InvalidParameter):
            display_filter(index, chosen)
