"""Guesses on tables of other tools: a total is said to be one, one direction needs evidence, synonyms are known."""

from pathlib import Path

import pytest

from netsynth_core.flows.logs import FIELDS, Mapping, propose_mapping, read_head, read_log, read_mapped
from netsynth_core.flows.logs.argus import state_of_argus
from netsynth_core.flows.logs.guessing import AMBIGUOUS, doubts, guess_columns
from netsynth_core.flows.logs.mapping import skeleton

ROW = "2024-05-01 10:00:0{k},123;2024-05-01 10:00:0{k},456;10.0.0.{k};10.0.0.9;51000;443;6;{counts}"
HEAD = "Start Time;End Time;Source;Destination;SPort;DPort;Protocol;"


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(path: Path, **changes: object) -> tuple[Mapping, list[dict[str, object]], tuple[str, ...]]:
    head = read_head(path)
    mapping = propose_mapping(head.header, head.rows, delimiter=head.delimiter, has_header=head.has_header)
    flows, report = read_mapped(path, mapping.model_copy(update=changes))
    return mapping, flows.frame.to_dict("records"), report.notes


def test_packets_of_both_sides_are_split_and_told(tmp_path: Path) -> None:
    lines = [ROW.format(k=1, counts="1200;5300;21"), ROW.format(k=2, counts="60;0;3")]
    mapping, rows, notes = read(table(tmp_path, HEAD + "Bytes Sent;Bytes Received;Pkts", *lines))
    assert mapping.columns["packets"] == "Pkts" and "fwd_packets" not in mapping.columns
    assert (mapping.columns["fwd_bytes"], mapping.columns["bwd_bytes"]) == ("Bytes Sent", "Bytes Received")
    assert not mapping.one_directional
    assert [(row["fwd_packets"], row["bwd_packets"]) for row in rows] == [(11, 10), (3, 0)]
    assert any("'Pkts' counts the packets of both sides" in note for note in notes)


def test_one_side_and_the_sum_give_the_other_side(tmp_path: Path) -> None:
    _, rows, notes = read(table(tmp_path, HEAD + "SrcBytes;TotBytes", ROW.format(k=1, counts="400;1000")))
    assert (rows[0]["fwd_bytes"], rows[0]["bwd_bytes"]) == (400, 600)
    assert any("No row has a count of packets" in note for note in notes)


def test_one_direction_needs_evidence(tmp_path: Path) -> None:
    head = "ts,src,dst,sport,dport,proto,packets,bytes"
    there, back = "1700000000,10.0.0.1,10.0.0.2,40000,80,tcp,5,400", "1700000001,10.0.0.2,10.0.0.1,80,40000,tcp,4,900"
    mapping, rows, notes = read(table(tmp_path, head, there))
    assert not mapping.one_directional and len(rows) == 1
    assert any("does not say which side's packets" in note for note in notes)
    mapping, rows, _ = read(table(tmp_path, head, there, back))
    assert mapping.one_directional
    assert [(row["fwd_bytes"], row["bwd_bytes"]) for row in rows] == [(400, 900)]


@pytest.mark.parametrize(
    "names,expected",
    [
        ("IN_BYTES OUT_BYTES IN_PKTS OUT_PKTS", {"fwd_bytes": "IN_BYTES", "bwd_bytes": "OUT_BYTES"}),
        ("bytes_in bytes_out", {"fwd_bytes": "bytes_out", "bwd_bytes": "bytes_in"}),
        ("orig_bytes resp_bytes", {"fwd_bytes": "orig_bytes", "bwd_bytes": "resp_bytes"}),
        ("tx_packets rx_packets", {"fwd_packets": "tx_packets", "bwd_packets": "rx_packets"}),
        ("Client-Bytes Server-Bytes", {"fwd_bytes": "Client-Bytes", "bwd_bytes": "Server-Bytes"}),
        ("Spkts Dpkts", {"fwd_packets": "Spkts", "bwd_packets": "Dpkts"}),
        ("dPkts dOctets", {"packets": "dPkts", "bytes": "dOctets"}),
        ("Packets Bytes Packets→AB Packets→BA", {"fwd_packets": "Packets→AB", "bytes": "Bytes"}),
    ],
)
def test_names_of_counts(names: str, expected: dict[str, str]) -> None:
    header = ["time", "client", "server", "port", *names.split()]
    found = guess_columns(header, [["1700000000", "a", "b", "25", *("1" for _ in names.split())]])
    assert expected.items() <= found.items()
    assert (found["src_ip"], found["dst_ip"], found["dst_port"]) == ("client", "server", "port")
    assert set(found) <= set(FIELDS)


def test_a_bad_optional_cell_is_emptied_and_counted(tmp_path: Path) -> None:
    lines = [
        HEAD + "Bytes Sent;Bytes Received",
        "2024-05-01 10:00:00;2024-05-01 10:00:05;10.0.0.1;10.0.0.2;51000;443;6;1,200;5 300",
        "2024-05-01 10:00:03;;10.0.0.3;10.0.0.2;none;443;6;?;120",
        "2024-05-01 10:00:04;;10.0.0.300;10.0.0.2;51000;443;6;1;120",
    ]
    path = table(tmp_path, *lines)
    _, rows, notes = read(path)
    assert [(row["fwd_bytes"], row["bwd_bytes"], row["duration"]) for row in rows] == [
        (1200, 5300, 5 * 10**9),
        (0, 120, 0),
    ]
    assert rows[1]["src_port"] == -1
    assert [note for note in notes if "first in line 3" in note and "1 cell of 'End Time'" in note]
    assert [note for note in notes if "1 cell of 'Bytes Sent'" in note]


def test_days_and_months_that_cannot_be_told_apart_are_noted(tmp_path: Path) -> None:
    path = table(tmp_path, "time,src,dst", "01/05/2024 10:00:00,a,b")
    head = read_head(path)
    assert AMBIGUOUS in doubts(guess_columns(head.header, head.rows), head.header, head.rows)
    assert AMBIGUOUS in read(path)[2]
    assert AMBIGUOUS not in read(table(tmp_path, "time,src,dst", "31/05/2024 10:00:00,a,b"))[2]


def test_several_columns_behind_one(tmp_path: Path) -> None:
    header = "frame.time_epoch,ip.src,ip.dst,ipv6.src,ipv6.dst,ip.proto,ipv6.nxt,frame.len"
    ports = "tcp.srcport,tcp.dstport,udp.srcport,udp.dstport"
    path = table(
        tmp_path,
        f"{header},{ports}",
        "1700000000.5,10.0.0.1,10.0.0.2,,,6,,74,40000,80,,",
        "1700000001.5,,,fd00::1,fd00::2,,17,95,,,40001,53",
    )
    mapping, rows, notes = read(path)
    assert mapping.columns["src_port"] == ("tcp.srcport", "udp.srcport")
    ends = [(r["proto"], r["src_ip"], r["src_port"], r["dst_ip"], r["dst_port"]) for r in rows]
    assert ends == [("TCP", "10.0.0.1", 40000, "10.0.0.2", 80), ("UDP", "fd00::1", 40001, "fd00::2", 53)]
    assert [(row["fwd_packets"], row["fwd_bytes"]) for row in rows] == [(1, 74), (1, 95)]
    assert any("Each row is a packet" in note for note in notes)
    again = Mapping.model_validate_json(mapping.model_dump_json())
    assert again == mapping
    without = {k: v for k, v in mapping.columns.items() if "port" not in k}
    assert "No flow has a port." in read(path, columns=without)[2]


def test_a_skeleton_has_empty_slots_for_what_is_missing(tmp_path: Path) -> None:
    head = read_head(table(tmp_path, "time,colour,weight", "1700000000,red,1.5"))
    made = skeleton(head)
    assert made["columns"] == {"ts": "time", "src_ip": "", "dst_ip": ""}


@pytest.mark.parametrize(
    "argus,zeek",
    [
        ("S_", "S0"),
        ("S_RA", "REJ"),
        ("S_SA", "S1"),
        ("FSPA_FSPA", "SF"),
        ("FSPA_SPA", "S2"),
        ("SPA_FSPA", "S3"),
        ("SRPA_SPA", "RSTO"),
        ("FSPA_SRPA", "RSTR"),
        ("SRPA_SRPA", ""),
        ("PA_PA", ""),
        ("FIN", ""),
        ("RST", ""),
        ("REQ", "S0"),
        ("CLO", "SF"),
    ],
)
def test_states_of_argus_where_they_say_enough(argus: str, zeek: str) -> None:
    assert state_of_argus(argus, tcp=True) == zeek
    assert state_of_argus("CON", tcp=False) == "SF" and state_of_argus("INT", tcp=False) == "S0"


def test_states_follow_the_sides_of_a_row_that_is_turned(tmp_path: Path) -> None:
    head = "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,SrcPkts,DstPkts,SrcBytes,DstBytes,State"
    lines = [
        "1700000000.0,1.0,tcp,10.0.0.1,80,<-,10.0.0.2,40000,5,5,400,400,FSPA_SPA",
        "1700000001.0,1.0,tcp,10.0.0.2,40001,->,10.0.0.1,80,5,5,400,400,FSPA_SPA",
        "1700000002.0,1.0,udp,10.0.0.2,40001,<->,10.0.0.1,53,1,1,80,80,CON",
        "1700000003.0,1.0,tcp,10.0.0.2,40001,->,10.0.0.1,80,5,5,400,400,FIN",
    ]
    flows, report = read_log(table(tmp_path, head, *lines))
    assert flows.frame["state"].tolist() == ["S3", "S2", "SF", ""]
    assert any(note.startswith("1 state of Argus") for note in report.notes)
