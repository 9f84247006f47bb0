"""Sources: captures and flow tables are told apart by what they hold; splits share out every flow once."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from netsynth_core.errors import InvalidParameter, NotEnoughData, SchemaError, TruncatedCapture, UnknownFormat
from netsynth_core.flows.logs import Mapping
from netsynth_core.flows.metering import MeterParams
from netsynth_core.flows.source import kind_of, needs_mapping, read_flows
from netsynth_core.flows.splits import split_halves, split_time_blocks
from netsynth_core.flows.table_io import write_flow_table
from tests.capture.traffic import START, mixed, pcap, pcapng, web


def test_kinds_are_told_by_content_not_by_name(tmp_path: Path) -> None:
    capture = tmp_path / "flows.csv"
    capture.write_bytes(gzip.compress(pcapng(mixed())))
    source = read_flows(capture)
    assert len(source.flows) == 7 and source.metered is not None and source.packets is not None
    assert [report.format for report in source.reports] == ["gzip pcapng"]
    for name in ("capture.pcap", "t.csv.gz", "t.parquet"):
        write_flow_table(tmp_path / name, source.flows)
        again = read_flows([tmp_path / name])
        assert again.flows.frame.equals(source.flows.frame)
        assert again.packets is None and again.metered is None and again.reports == []


def test_several_inputs_are_one_table(tmp_path: Path) -> None:
    for k in range(2):
        (tmp_path / f"{k}.pcap").write_bytes(pcap(web(START + (2 - k) * 10**9, port=40000 + k)))
        write_flow_table(tmp_path / f"{k}.csv", read_flows(tmp_path / f"{k}.pcap").flows)
    captures = read_flows([tmp_path / "0.pcap", tmp_path / "1.pcap"])
    tables = read_flows([tmp_path / "0.csv", tmp_path / "1.csv"])
    assert captures.flows.frame["src_port"].tolist() == [40001, 40000]
    assert tables.flows.frame.equals(captures.flows.frame)


def test_parameters_reach_the_meter(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap(web(gap=2 * 10**9)))
    assert len(read_flows(tmp_path / "a").flows) == 1
    assert len(read_flows(tmp_path / "a", MeterParams(idle_timeout_tcp=1)).flows) == 10


def test_mixing_kinds_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(web()))
    write_flow_table(tmp_path / "b.csv", read_flows(tmp_path / "a.pcap").flows)
    with pytest.raises(UnknownFormat, match=r"a\.pcap is a capture and .*b\.csv a flow table"):
        read_flows([tmp_path / "a.pcap", tmp_path / "b.csv"])
    with pytest.raises(NotEnoughData):
        read_flows([])


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b'{"a": 1}', b"no commas here\n", b"\0\1\2\3" * 10])
def test_what_is_neither_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UnknownFormat, match="neither a capture nor a flow table"):
        kind_of(tmp_path / "x")


def test_logs_of_other_tools_are_read_by_content_and_joined(tmp_path: Path) -> None:
    zeek = "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\n"
    (tmp_path / "a.txt").write_text(zeek + "2.5\t10.0.0.1\t4000\t10.0.0.2\t80\ttcp\t-\nbroken\n")
    head = "Date first seen,Duration,Proto,Src IP Addr,Src Pt,Dst IP Addr,Dst Pt,Packets,Bytes,Flags\n"
    (tmp_path / "b.csv").write_text(head + "1970-01-01 00:00:01.500,0.1,TCP,10.0.0.3,4001,10.0.0.2,80,1,60,....S.\n")
    (tmp_path / "c.csv").write_text("ts,proto,src_ip,dst_ip,dst_port\n9,TCP,10.0.0.4,10.0.0.2,80\n")
    assert [kind_of(tmp_path / name) for name in ("a.txt", "b.csv", "c.csv")] == ["log", "log", "table"]
    source = read_flows([tmp_path / "a.txt", tmp_path / "b.csv", tmp_path / "c.csv"])
    assert source.flows.frame["src_ip"].tolist() == ["10.0.0.3", "10.0.0.1", "10.0.0.4"]
    assert [report.format for report in source.logs] == ["zeek", "cidds"]
    assert source.logs[0].skipped == {"wrong number of cells": 1}
    assert source.logs[0].first_skipped == {"wrong number of cells": 4}


def test_another_table_needs_a_mapping_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("when;who;whom\n1700000000;10.0.0.1;10.0.0.2\n")
    assert needs_mapping(tmp_path / "t.csv")
    with pytest.raises(SchemaError) as caught:
        read_flows(tmp_path / "t.csv")
    assert "mapping" in caught.value.hint
    mapping = Mapping(columns={"ts": "when", "src_ip": "who", "dst_ip": "whom"}, delimiter=";")
    source = read_flows(tmp_path / "t.csv", mapping=mapping)
    assert source.flows.frame["ts"].tolist() == [1_700_000_000_000_000_000]
    (tmp_path / "a.pcap").write_bytes(pcap(web()))
    assert not needs_mapping(tmp_path / "a.pcap")
    with pytest.raises(InvalidParameter, match="is a capture"):
        read_flows(tmp_path / "a.pcap", mapping=mapping)


def test_other_logs_of_zeek_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("#separator \\x09\n#path\thttp\n#fields\tts\tuid\n1\tC\n")
    with pytest.raises(UnknownFormat, match=r"http\.log of Zeek"):
        kind_of(tmp_path / "x.log")


def test_names_that_are_no_addresses_are_kept_and_counted(tmp_path: Path) -> None:
    head = "ts,proto,src_ip,dst_ip,dst_port\n"
    (tmp_path / "t.csv").write_text(head + "1,TCP,EXT_SERVER,10000_34,80\n2,TCP,10000_34,fe80::1,80\n")
    source = read_flows(tmp_path / "t.csv")
    assert source.flows.frame["src_ip"].tolist() == ["EXT_SERVER", "10000_34"]
    assert source.notes == ("2 names that are no addresses (such as 10000_34) are kept as they are.",)
    (tmp_path / "u.csv").write_text(head + "1,TCP,10.0.0.1,fe80::1,80\n")
    assert read_flows(tmp_path / "u.csv").notes == ()


def test_splits_share_out_every_flow_once(tmp_path: Path) -> None:
    frames = [f for k in range(21) for f in web(START + k * 10**9, port=40000 + k)]
    (tmp_path / "a").write_bytes(pcap(frames))
    flows = read_flows(tmp_path / "a").flows
    for split in (split_halves, split_time_blocks):
        one, other = split(flows, rng=np.random.default_rng(3))
        ports = one.frame["src_port"].tolist() + other.frame["src_port"].tolist()
        assert sorted(ports) == list(range(40000, 40021))
        assert abs(len(one) - len(other)) <= (1 if split is split_halves else 4)
        again, _ = split(flows, rng=np.random.default_rng(3))
        assert again.frame.equals(one.frame)
    first, second = split_time_blocks(flows, blocks=2, rng=np.random.default_rng(3))
    spans = sorted([(t.frame["ts"].min(), t.frame["ts"].max()) for t in (first, second)])
    assert spans[0][1] < spans[1][0]


def test_splits_need_enough_flows(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap(web()))
    flows = read_flows(tmp_path / "a").flows
    with pytest.raises(NotEnoughData, match="there are 1"):
        split_halves(flows, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="even number"):
        split_time_blocks(flows, blocks=3, rng=np.random.default_rng(0))


@pytest.mark.parametrize("packed", [False, True])
def test_without_its_packets_a_capture_gives_the_same_flows(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(gzip.compress(pcap(mixed())) if packed else pcap(mixed()))
    whole, slim = read_flows(path), read_flows(path, keep_packets=False)
    assert slim.flows.frame.equals(whole.flows.frame) and slim.reports == whole.reports
    assert slim.packets is None and slim.metered is not None and slim.metered.kept is None
    other = tmp_path / "b.pcap"
    other.write_bytes(pcap(web()))
    both = [read_flows([path, other], keep_packets=keep) for keep in (True, False)]
    assert both[0].flows.frame.equals(both[1].flows.frame) and both[1].packets is None


def test_what_goes_wrong_while_reading_ahead_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(mixed())[:20])
    with pytest.raises(TruncatedCapture):
        read_flows(tmp_path / "a.pcap", keep_packets=False)


def test_empty_cells_of_numbers_are_told_of(tmp_path: Path) -> None:
    """A table without ports is one of port 0 otherwise, and nobody would know."""
    header = "ts,proto,src_ip,dst_ip,dst_port,fwd_packets,duration"
    rows = [f"{i},TCP,10.0.0.1,10.0.0.2,{'' if i < 3 else 80},1," for i in range(5)]
    rows.append("9,ICMP,10.0.0.1,10.0.0.2,,1,")
    table = tmp_path / "a.csv"
    table.write_text("\n".join([header, *rows]))
    duration, port = read_flows([table]).notes
    assert "'dst_port' is empty in 3 rows of 5" in port and "port 0" in port
    assert "'duration' is empty: every flow" in duration
    again = tmp_path / "b.csv"
    write_flow_table(again, read_flows([table]).flows)
    assert read_flows([again]).notes == ()
    both = read_flows([table, again]).notes
    assert any(note.startswith(str(table)) for note in both)
