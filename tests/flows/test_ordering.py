"""Packets of windows in order of time: as if whole captures had been sorted."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture import PacketTable, join_packets
from netsynth_core.flows.metering import FlowMeter, meter_flows
from netsynth_core.flows.ordering import in_order, merged
from netsynth_core.flows.source import read_flows
from tests.capture.traffic import START, mixed, pcap, web
from tests.flows.meter_twin import P, S, table

A, B = "192.0.2.1", "198.51.100.7"
MS = S // 1000


def capture(instants: list[int]) -> PacketTable:
    """One packet per instant (ms); each has its own port and a payload that tells its number."""
    packets = table([P(START + at * MS, A, 1000 + k, B, 9999, 16, length=4) for k, at in enumerate(instants)])
    n = len(instants)
    data = np.arange(n, dtype=">u4").view(np.uint8) if n else np.zeros(0, np.uint8)
    return replace(
        packets,
        payload_offset=np.arange(0, 4 * n, 4),
        payload_captured=np.full(n, 4, np.int32),
        header_length=np.zeros(n, np.uint8),
        data=data,
    )


def cut(packets: PacketTable, cuts: list[int]) -> list[PacketTable]:
    """The capture in windows."""
    edges = sorted({0, *(min(at, len(packets)) for at in cuts), len(packets)})
    names = PacketTable.column_names()
    return [
        replace(packets, **{name: getattr(packets, name)[first:last] for name in names})
        for first, last in pairwise(edges)
    ]


def told(packets: PacketTable) -> list[tuple[int, int, bytes]]:
    """Instants, ports and payloads in order of time."""
    rows = np.argsort(packets.ts, kind="stable").tolist()
    return [(int(packets.ts[k]), int(packets.src_port[k]), packets.payload(k)) for k in rows]


def all_told(tables: list[PacketTable]) -> list[tuple[int, int, bytes]]:
    return [line for packets in tables for line in told(packets)]


CUTS = st.lists(st.integers(0, 40), max_size=5)


@given(st.lists(st.integers(0, 9), max_size=40), st.lists(st.integers(0, 30), min_size=40, max_size=40), CUTS)
def test_disorder_shorter_than_the_hold_is_put_right(steps: list[int], jitter: list[int], cuts: list[int]) -> None:
    instants = (np.cumsum([0, *steps])[:-1] + jitter[: len(steps)]).astype(int).tolist() if steps else []
    whole = capture(instants)
    tables = list(in_order(cut(whole, cuts), hold=40 * MS))
    assert all_told(tables) == told(whole)
    meter = FlowMeter(keep_packets=False)
    for packets in tables:
        meter.feed(packets)
    metered = meter.finish()
    assert metered.notes == ()
    assert metered.flows.frame.equals(meter_flows(whole).flows.frame)


@given(st.lists(st.integers(0, 50), max_size=40), CUTS, st.integers(0, 20), st.integers(1, 10))
def test_no_packet_is_lost_whatever_the_disorder(instants: list[int], cuts: list[int], hold: int, most: int) -> None:
    whole = capture(instants)
    tables = list(in_order(cut(whole, cuts), hold=hold * MS, most=most))
    assert sorted(all_told(tables)) == sorted(told(whole))
    assert all(len(packets) for packets in tables)


@given(st.lists(st.tuples(st.lists(st.integers(0, 30), max_size=20), CUTS, st.booleans()), min_size=1, max_size=4))
def test_captures_are_merged_by_time(captures: list[tuple[list[int], list[int], bool]]) -> None:
    whole = [capture(sorted(instants)) for instants, _, _ in captures]
    windows = [cut(packets, cuts) for packets, (_, cuts, _) in zip(whole, captures, strict=True)]
    starts = [
        int(packets.ts.min()) - MS if len(packets) and lazy else 0
        for packets, (_, _, lazy) in zip(whole, captures, strict=True)
    ]
    expected = told(join_packets(whole))
    assert all_told(list(merged([iter(tables) for tables in windows], starts))) == expected
    assert all_told(list(merged(windows))) == expected


def test_captures_behind_one_another_are_asked_for_in_turn() -> None:
    asked = []

    def windows(number: int) -> "list[PacketTable]":
        for packets in cut(capture([100 * number + k for k in range(6)]), [2, 4]):
            asked.append(number)
            yield packets

    starts = [START + 100 * number * MS for number in range(3)]
    tables = list(merged([windows(number) for number in range(3)], starts))
    assert asked == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [int(t) for packets in tables for t in packets.ts] == sorted(int(t) for p in tables for t in p.ts)


def test_packets_that_come_far_too_late_are_told_to_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    early = mixed()
    late = [frame._replace(ts=frame.ts + after * S) for after in (3600, 3700) for frame in web()]
    (tmp_path / "a.pcap").write_bytes(pcap(late + early))
    monkeypatch.setattr("netsynth_core.flows.source._WINDOW", 1)
    monkeypatch.setattr("netsynth_core.flows.source._LEAST", 1)
    source = read_flows(tmp_path / "a.pcap", keep_packets=False)
    assert any("came far too late" in note for note in source.notes)
    (tmp_path / "b.pcap").write_bytes(pcap(early + late))
    assert not any("too late" in note for note in read_flows(tmp_path / "b.pcap", keep_packets=False).notes)


def test_several_captures_give_the_flows_of_their_joined_packets(tmp_path: Path) -> None:
    frames = sorted(mixed() + web())
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for k, path in enumerate(paths):
        path.write_bytes(pcap(frames[k::3]))
    at_once, by_windows = read_flows(paths), read_flows(paths, keep_packets=False)
    assert by_windows.flows.frame.equals(at_once.flows.frame)
    assert by_windows.reports == at_once.reports and by_windows.packets is None
