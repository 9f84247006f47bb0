"""Exports: what is written is read again, as far as the layout can hold it; equal tables, equal bytes."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.logs import read_log
from netsynth_core.flows.logs.cells import canonical
from netsynth_core.flows.logs.export import write_conn_log, write_flows_as, write_netflow_csv
from netsynth_core.flows.logs.zeek import flags_of_history
from netsynth_core.flows.source import read_flows
from netsynth_core.flows.table import COLUMNS, FlowTable

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=6) | st.sampled_from(
    ["-", "(empty)", "a\tb", "x\ny", "\\x41", 'say "no"', "1,2"]
)
COUNTS = st.integers(0, 10**12)
PROTOS = st.sampled_from(["TCP", "UDP", "47"])


@st.composite
def flow_rows(draw: st.DrawFn) -> dict[str, object]:
    """A flow with values that a log can hold: a history only with the flags that follow from it."""
    proto = draw(PROTOS)
    history = draw(st.sampled_from(["", "ShADadFf", "Sr", "D"])) if proto != "47" else ""
    v = draw(st.sampled_from([4, 6]))
    return {
        "ts": draw(st.integers(0, 4 * 10**18)),
        "duration": draw(st.integers(0, 10**15)),
        "proto": proto,
        "src_ip": canonical(str(draw(st.ip_addresses(v=v)))),
        "src_port": draw(st.integers(-1, 65535)) if proto != "47" else 0,
        "dst_ip": canonical(str(draw(st.ip_addresses(v=v)))),
        "dst_port": draw(st.integers(0, 65535)) if proto != "47" else 0,
        "fwd_packets": draw(st.integers(1, 10**9)),
        "bwd_packets": draw(st.integers(1, 10**9)),
        "fwd_bytes": draw(COUNTS),
        "bwd_bytes": draw(COUNTS),
        "flags": flags_of_history(history) if proto == "TCP" else "......",
        "service": draw(st.sampled_from(["", "http", "tls", "kerberos", "dcerpc"])),
        "state": draw(st.sampled_from(["", "SF", "S0"])),
        "label": draw(WORDS),
        "history": history,
    }


TABLES = st.lists(flow_rows(), min_size=1, max_size=8).map(
    lambda rows: FlowTable.from_columns(pd.DataFrame(rows, columns=[c for c in COLUMNS if c != "server_name"]))
)


@given(table=TABLES)
@pytest.mark.parametrize("name", ["flows.log", "flows.log.gz"])
def test_a_conn_log_is_read_again(tmp_path_factory: pytest.TempPathFactory, name: str, table: FlowTable) -> None:
    path = tmp_path_factory.getbasetemp() / name
    write_conn_log(path, table)
    first = path.read_bytes()
    back, report = read_log(path)
    assert report.skipped == {}
    frame = table.frame.copy()
    # blanks around a text do not survive a table of cells
    frame["label"] = frame["label"].str.strip()
    back.frame["label"] = back.frame["label"].str.strip()
    pd.testing.assert_frame_equal(back.frame, frame)
    write_conn_log(path, table)
    assert path.read_bytes() == first


@given(table=TABLES)
def test_netflow_is_read_again(tmp_path_factory: pytest.TempPathFactory, table: FlowTable) -> None:
    path = tmp_path_factory.getbasetemp() / "netflow.csv.gz"
    # an endpoint that answers from a known port to an unknown one is turned around by readers of this layout
    kept = table.frame[(table.frame["src_port"] >= 49152) & (table.frame["dst_port"] >= 49152)].reset_index(drop=True)
    if not len(kept):
        return
    write_netflow_csv(path, FlowTable(kept))
    back, report = read_log(path)
    same = ["ts", "duration", "proto", "src_ip", "src_port", "dst_ip", "dst_port"]
    same += ["fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes", "flags"]
    assert report.skipped == {}
    pd.testing.assert_frame_equal(back.frame[same], kept[same])


def test_icmp_survives_both(tmp_path: Path) -> None:
    rows = [(1, "ICMP", 8, 0), (2, "ICMP", 3, 1), (3, "ICMPv6", 128, 129), (4, "ICMPv6", 1, 4), (5, "ICMP", 0, 8)]
    frame = pd.DataFrame(rows, columns=["ts", "proto", "src_port", "dst_port"])
    six = frame["proto"] == "ICMPv6"
    frame["src_ip"], frame["dst_ip"] = np.where(six, "fe80::1", "10.0.0.1"), np.where(six, "fe80::2", "10.0.0.2")
    table = FlowTable.from_columns(frame.assign(fwd_packets=1, bwd_packets=1, fwd_bytes=84, bwd_bytes=84))
    for write in (write_conn_log, write_netflow_csv):
        write(tmp_path / "icmp", table)
        pd.testing.assert_frame_equal(read_log(tmp_path / "icmp")[0].frame, table.frame)


def test_the_form_of_zeeks_log(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ts": [0, 0], "proto": "UDP", "src_ip": "10.0.0.1", "dst_ip": "10.0.0.2", "dst_port": 53})
    write_conn_log(tmp_path / "conn.log", FlowTable.from_columns(frame))
    lines = (tmp_path / "conn.log").read_text().splitlines()
    assert lines[0] == "#separator \\x09" and lines[4] == "#path\tconn" and lines[-1] == "#close\t1970-01-01-00-00-00"
    fields, types = lines[6].split("\t")[1:], lines[7].split("\t")[1:]
    assert len(fields) == len(types) == len(lines[8].split("\t")) == len(lines[9].split("\t"))
    row = dict(zip(fields, lines[8].split("\t"), strict=True))
    assert (row["ts"], row["proto"], row["duration"], row["service"], row["id.orig_p"]) == (
        "0.000",
        "udp",
        "-",
        "-",
        "-",
    )
    uids = [line.split("\t")[1] for line in lines[8:10]]
    assert len(set(uids)) == 2 and all(re.fullmatch(r"C[0-9A-Za-z]{17}", uid) for uid in uids)


def test_the_ending_says_the_format(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ts": [0], "proto": "UDP", "src_ip": "10.0.0.1", "dst_ip": "10.0.0.2", "dst_port": 53})
    table = FlowTable.from_columns(frame.assign(fwd_packets=1, bwd_packets=1))
    for name, form in (("a.log", None), ("a.log.gz", None), ("a.csv", None), ("a.parquet", None), ("b.csv", "netflow")):
        write_flows_as(tmp_path / name, table, form)
        source = read_flows(tmp_path / name)
        assert len(source.flows) == 1
        kind = [report.format for report in source.logs]
        assert kind == (["zeek"] if ".log" in name else ["nfdump"] if form else [])
    with pytest.raises(InvalidParameter, match="is to hold parquet"):
        write_flows_as(tmp_path / "a.csv", table, "parquet")
    with pytest.raises(InvalidParameter, match="no format"):
        write_flows_as(tmp_path / "a.csv", table, "xml")
