"""The overview adds up to the packets and flows it was made of, and is the same after a file."""

from pathlib import Path

import numpy as np
import pytest

from netsynth_core.errors import DocumentError
from netsynth_core.flows.overview import (
    GROUPS,
    Overview,
    bin_width,
    overview_of_flows,
    read_overview,
    write_overview,
)
from netsynth_core.flows.source import read_flows
from tests.factories import flow_table, office_pcap


def of_packets(path: Path, *, marks: bool = False) -> Overview:
    source = read_flows(office_pcap(path, sessions=6))
    assert source.packets is not None and source.metered is not None
    marked = np.zeros(len(source.packets), np.uint8)
    marked[[3, 5]] = 1
    marked[5] |= 4
    return overview_of_flows(
        source.flows,
        packets=source.packets,
        conversations=source.metered.conversations,
        marks=marked if marks else None,
    )


def test_series_add_up_to_the_packets(tmp_path: Path) -> None:
    found = of_packets(tmp_path / "a.pcap")
    assert found.from_packets and found.flows.sum() == 12
    for series in (found.by_protocol, found.by_service):
        assert series.packets.sum() == 6 * 12
        assert series.packets.shape == (len(series.names), len(found.flows))
    assert found.protocols["TCP"][0] == 60 and found.protocols["UDP"][0] == 12
    assert dict(zip(found.by_service.names, found.by_service.packets.sum(axis=1), strict=True)) == {
        "http": 60,
        "dns": 12,
    }


def test_marked_packets_are_counted_once_for_each_mark(tmp_path: Path) -> None:
    found = of_packets(tmp_path / "a.pcap", marks=True)
    counts = dict(zip(found.marks.names, found.marks.packets.sum(axis=1), strict=True))
    assert counts == {"retransmission": 2, "duplicate ACK": 1}


def test_hosts_see_every_packet_at_both_ends() -> None:
    table = flow_table(60)
    found = overview_of_flows(table)
    frame = table.frame
    assert not found.from_packets
    total = int((frame["fwd_bytes"] + frame["bwd_bytes"]).sum())
    assert sum(host.bytes_sent for host in found.hosts) == sum(host.bytes_received for host in found.hosts) == total
    assert sum(host.flows_begun for host in found.hosts) == sum(host.flows_answered for host in found.hosts) == 60
    assert found.all_hosts == len(found.hosts) == 9
    assert found.talkers.matrix.sum() == found.talkers.flows == 60


def test_rare_groups_are_joined() -> None:
    table = flow_table(60)
    table.frame["service"] = [f"service{n}" for n in range(60)]
    series = overview_of_flows(table).by_service
    assert len(series.names) == GROUPS and series.names[-1] == "(other)"
    assert series.bytes.sum() == (table.frame["fwd_bytes"] + table.frame["bwd_bytes"]).sum()


@pytest.mark.parametrize("rows", [0, 1, 60])
def test_a_file_gives_the_same_overview(tmp_path: Path, rows: int) -> None:
    made = overview_of_flows(flow_table(rows))
    write_overview(tmp_path / "o.npz", made)
    back = read_overview(tmp_path / "o.npz")
    for name in ("start", "width", "span", "from_packets", "protocols", "hosts", "all_hosts"):
        assert getattr(back, name) == getattr(made, name)
    for name in ("by_protocol", "by_service", "marks"):
        a, b = getattr(made, name), getattr(back, name)
        assert a.names == b.names and np.array_equal(a.packets, b.packets) and np.array_equal(a.bytes, b.bytes)
    assert np.array_equal(back.flows, made.flows) and np.array_equal(back.talkers.matrix, made.talkers.matrix)
    assert (back.talkers.originators, back.talkers.all_responders) == (
        made.talkers.originators,
        made.talkers.all_responders,
    )


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    write_overview(tmp_path / "o.npz", overview_of_flows(flow_table(4)))
    (tmp_path / "o.npz").write_bytes((tmp_path / "o.npz").read_bytes()[:200])
    with pytest.raises(DocumentError, match="is broken"):
        read_overview(tmp_path / "o.npz")


def test_bins_are_round_and_few() -> None:
    for span in (0, 10**6, 7 * 10**9, 3600 * 10**9, 10**17, 9 * 10**18):
        width = bin_width(span, bins=1800)
        assert span / width <= 1800
