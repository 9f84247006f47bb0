"""Agreement with the real tools: what argus and nfdump made of the sample capture is what our metering makes of it."""

import subprocess
from pathlib import Path
from shutil import which

import pandas as pd
import pytest

from netsynth_core.flows.logs import read_log
from netsynth_core.flows.logs.export import write_conn_log
from netsynth_core.flows.source import read_flows
from netsynth_core.flows.table import FlowTable

ROOT = Path(__file__).parents[3]
SMALL = ROOT / "sample_data" / "small.pcap"
OFFICE = ROOT / "sample_data" / "office.pcap.gz"
FIXTURES = Path(__file__).parent / "fixtures"
SHARED = ROOT.parent / "shared" / "data" / "flows"
KEY = ["proto", "src_ip", "src_port", "dst_ip", "dst_port"]
TOTALS = ["fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes"]


def totals(flows: FlowTable, *protos: str) -> pd.DataFrame:
    """Packets and bytes of both directions per key: tools differ in where they cut a flow, not in what it carries."""
    frame = flows.frame[flows.frame["proto"].isin(protos)]
    return frame.groupby(KEY)[TOTALS].sum()


@pytest.fixture(scope="module")
def small() -> FlowTable:
    return read_flows(SMALL).flows


@pytest.mark.parametrize("name", ["small_ra.csv", "small_nfdump.csv.gz"])
def test_tools_and_metering_agree_on_every_tcp_and_udp_flow(small: FlowTable, name: str) -> None:
    flows, report = read_log(FIXTURES / name)
    pd.testing.assert_frame_equal(totals(flows, "TCP", "UDP"), totals(small, "TCP", "UDP"))
    # neighbour discovery is cut differently, its packets are the same
    for column in ("packets", "bytes"):
        both = [f"fwd_{column}", f"bwd_{column}"]
        assert flows.frame[both].sum().sum() == small.frame[both].sum().sum()
    assert set(report.skipped) <= {"no IP protocol"}


def test_instants_agree_to_the_precision_of_the_tool(small: FlowTable) -> None:
    ours = small.frame[small.frame["proto"] == "TCP"].set_index(KEY).sort_index()
    for name, precision in (("small_ra.csv", 1_000), ("small_nfdump.csv.gz", 1_000_000_000)):
        theirs = read_log(FIXTURES / name)[0].frame
        theirs = theirs[theirs["proto"] == "TCP"].set_index(KEY).sort_index()
        assert ((ours["ts"] - theirs["ts"]).abs() < precision).all()
        if "nfdump" in name:
            assert (ours["flags"] == theirs["flags"]).all()
            continue
        # Argus's words for a state say some of the flags, and none that was not there
        pairs = zip(ours["flags"], theirs["flags"], strict=True)
        assert all(set(said) <= {".", *seen} for seen, said in pairs)


def test_a_binetflow_with_totals_only_keeps_bytes_and_the_sum_of_packets(small: FlowTable) -> None:
    flows, _ = read_log(FIXTURES / "small_binetflow.csv")
    mine, theirs = totals(small, "TCP", "UDP"), totals(flows, "TCP", "UDP")
    assert mine.index.equals(theirs.index)
    for name in ("packets", "bytes"):
        both = [f"fwd_{name}", f"bwd_{name}"]
        assert (mine[both].sum(axis=1) == theirs[both].sum(axis=1)).all()
    tcp = [frame[frame["proto"] == "TCP"].set_index(KEY).sort_index()["flags"] for frame in (small.frame, flows.frame)]
    assert (tcp[0] == tcp[1]).all()
    # the split is a guess, but hardly ever far off
    assert ((mine["fwd_packets"] - theirs["fwd_packets"]).abs() <= 0.25 * mine[TOTALS[:2]].sum(axis=1)).all()


@pytest.mark.skipif(which("argus") is None or which("ra") is None, reason="argus and ra are not installed")
def test_argus_on_the_office_capture(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "office.pcap").write_bytes(gzip.decompress(OFFICE.read_bytes()))
    subprocess.run(
        ["argus", "-r", tmp_path / "office.pcap", "-w", tmp_path / "office.argus", "-S", "3600"],
        check=True,
        timeout=120,
    )
    fields = ["stime", "ltime", "proto", "saddr", "sport", "dir", "daddr", "dport"]
    fields += ["spkts", "dpkts", "sbytes", "dbytes", "state"]
    made = subprocess.run(
        ["ra", "-r", tmp_path / "office.argus", "-c", ",", "-n", "-u", "-s", *fields],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (tmp_path / "office.csv").write_bytes(made.stdout)
    flows, _ = read_log(tmp_path / "office.csv")
    ours = read_flows(OFFICE).flows
    pd.testing.assert_frame_equal(totals(flows, "TCP", "UDP"), totals(ours, "TCP", "UDP"))
    assert totals(ours, "TCP", "UDP").shape[0] > 8000


def test_a_conn_log_of_the_sample_is_read_again(small: FlowTable, tmp_path: Path) -> None:
    write_conn_log(tmp_path / "conn.log.gz", small)
    back, _ = read_log(tmp_path / "conn.log.gz")
    held = [name for name in small.frame.columns if name not in ("server_name", "flags")]
    pd.testing.assert_frame_equal(back.frame[held], small.frame[held])
    assert (back.frame["flags"] == small.frame["flags"]).mean() > 0.9


@pytest.mark.skipif(not SHARED.exists(), reason="shared/data/flows is absent")
def test_logs_of_the_shared_data_are_read() -> None:
    paths = sorted(SHARED.glob("*.csv"))
    assert paths
    for path in paths:
        source = read_flows(path)
        lines = path.read_bytes().count(b"\n") - 1
        if path.name.startswith("derived_cidds"):
            report = source.logs[0]
            assert report.format == "cidds" and report.rows == lines and not report.skipped
            assert lines / 2 <= len(source.flows) < lines * 0.6
        else:
            assert len(source.flows) == lines


@pytest.mark.skipif(not SHARED.exists(), reason="shared/data/flows is absent")
def test_the_cidds_fixture_finds_the_flows_it_was_made_from() -> None:
    merged = read_flows(SHARED / "derived_cidds_format.csv").flows.frame
    made_from = read_flows(SHARED / "zeek_rita_proxy_rolling.csv").flows.frame
    both = made_from[(made_from["fwd_packets"] > 0) & (made_from["proto"] != "ICMPv6")]
    key = ["src_ip", "src_port", "dst_ip", "dst_port"]
    tcp = both[both["proto"] == "TCP"].set_index(key).index
    found = tcp.isin(merged[merged["proto"] == "TCP"].set_index(key).index)
    assert found.mean() > 0.99
