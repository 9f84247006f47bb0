"""What is given to ``netsynth flows``: given twice, of another form, with another delimiter, without rows."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netsynth_core.cli import main
from netsynth_core.flows.table_io import read_flow_table, write_flow_table
from tests.factories import START, _frame, dns_conversation, flow_table, office_pcap, write_pcap


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def answered(*args: object) -> dict[str, object]:
    done = run(*args, "--json")
    assert done.exit_code == 0, done.output
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_a_capture_given_twice_is_refused(tmp_path: Path) -> None:
    source, copy, other = (tmp_path / name for name in ("a.pcap", "b.pcap", "c.pcap"))
    office_pcap(source, 2)
    copy.write_bytes(source.read_bytes())
    office_pcap(other, 3)
    (tmp_path / "link.pcap").symlink_to(source)
    for again in (source, copy, tmp_path / "link.pcap"):
        done = run("flows", source, again, "-o", tmp_path / "f.csv")
        assert done.exit_code == 2 and "count double" in done.stderr
    assert run("flows", source, other, "-o", tmp_path / "f.csv").exit_code == 0


def test_rows_of_a_table_given_twice_are_noted(tmp_path: Path) -> None:
    write_flow_table(tmp_path / "a.csv", flow_table(12))
    answer = answered("flows", tmp_path / "a.csv", tmp_path / "a.csv", "-o", tmp_path / "f.csv")
    assert any(note.startswith("12 rows of these tables repeat others") for note in answer["notes"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_flow_table_with_another_delimiter_is_read(tmp_path: Path, mark: str, packed: bool) -> None:
    write_flow_table(tmp_path / "a.csv", flow_table(12))
    other = tmp_path / ("b.csv.gz" if packed else "b.csv")
    text = (tmp_path / "a.csv").read_text().replace(",", mark).encode()
    other.write_bytes(gzip.compress(text) if packed else text)
    assert read_flow_table(other).frame.equals(read_flow_table(tmp_path / "a.csv").frame)


@pytest.mark.parametrize(
    "text,said",
    [
        ("Start;Source;Destination\n2024-05-01 10:00:00,123;a;b\n2024-05-01 10:00:00;a;b\n", "--show-mapping"),
        ("2026-11-21 15:48:46.2,2026-11-21 15:48:46.3,0.1,10.0.0.1,10.0.0.2,1,2,TCP\n", "has no header"),
        ("frame.time_epoch,ip.src,ip.dst\n1700000000,10.0.0.1,10.0.0.2\n", "table of packets"),
        ("ts,proto,src_ip,dst_ip,dst_port\n1,TCP,a,b,80\n1,TCP,a,b,80,9\n", "line 3 has 6 cells, the header 5"),
        ('{"index":{"_index":"packets"}}\n{"timestamp":"1","layers":{}}\n', "Give the capture itself"),
        ('[{"type" : "FLOW", "t_first" : "2026"}]', "nfdump -o csv"),
        ('[{"a": 1}]', "JSON lines of Zeek"),
        ("=======\nTCP Conversations\nFilter:<No Filter>\n | <- | -> |\n", "for people"),
        ("         StartTime      Flgs  Proto            SrcAddr  Sport   Dir\n 20:03 man 0 0\n", "ra -c , -u"),
        ("Date first seen             Duration     Proto      Src IP Addr:Port\n2026 0 TCP a\n", "nfdump -o csv"),
    ],
)
def test_other_forms_are_told_with_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    done = run("flows", tmp_path / "a.txt", "-o", tmp_path / "f.csv")
    assert done.exit_code == 2 and said in done.stderr
    assert "C error" not in done.stderr and "tokenizing" not in done.stderr
    assert not (tmp_path / "f.csv").exists()


@pytest.mark.parametrize("magic,said", [("0ca50200", "nfdump -o csv"), ("83100020", "ra -c , -u")])
def test_binary_records_of_other_tools_are_told(tmp_path: Path, magic: str, said: str) -> None:
    (tmp_path / "a.bin").write_bytes(bytes.fromhex(magic) + bytes(200))
    done = run("flows", tmp_path / "a.bin", "-o", tmp_path / "f.csv")
    assert done.exit_code == 2 and said in done.stderr


def test_a_table_without_rows_is_noted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("ts,proto,src_ip,dst_ip,dst_port\n")
    answer = answered("flows", tmp_path / "a.csv", "-o", tmp_path / "f.csv")
    assert answer["flows"] == 0 and any("holds no rows" in note for note in answer["notes"])  # type: ignore[attr-defined]


def test_what_is_known_needs_no_mapping(tmp_path: Path) -> None:
    office_pcap(tmp_path / "a.pcap", 2)
    for name in ("a.csv", "conn.log"):
        assert run("flows", tmp_path / "a.pcap", "-o", tmp_path / name).exit_code == 0
    for name, what in (("a.pcap", "a capture"), ("a.csv", "a flow table"), ("conn.log", "a Zeek conn.log")):
        done = run("flows", tmp_path / name, "--show-mapping")
        assert done.exit_code == 2 and f"is {what}, which needs no mapping" in done.stderr and done.stdout == ""


def test_a_mapping_is_written_and_a_skeleton_printed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("start,from,to\n1700000000,10.0.0.1,10.0.0.2\n")
    done = run("flows", tmp_path / "a.csv", "--show-mapping", "-o", tmp_path / "m.json")
    assert done.exit_code == 0, done.output
    made = run("flows", tmp_path / "a.csv", "--mapping", tmp_path / "m.json", "-o", tmp_path / "f.csv")
    assert made.exit_code == 0 and len(read_flow_table(tmp_path / "f.csv")) == 1
    (tmp_path / "b.csv").write_text("start,colour,weight\n1700000000,red,1.5\n")
    shown = run("flows", tmp_path / "b.csv", "--show-mapping")
    assert shown.exit_code == 0 and "Fill in" in shown.stderr
    assert json.loads(shown.stdout)["columns"] == {"ts": "start", "src_ip": "", "dst_ip": ""}
    (tmp_path / "n.json").write_text(shown.stdout)
    unfilled = run("flows", tmp_path / "b.csv", "--mapping", tmp_path / "n.json", "-o", tmp_path / "g.csv")
    assert unfilled.exit_code == 2 and "'src_ip'" in unfilled.stderr


def test_tunnels_that_nobody_looks_into_are_noted(tmp_path: Path) -> None:
    packets = [(ts, frame[14:]) for ts, frame in dns_conversation(START, "192.0.2.1", 40000)]
    outer = [(ts, _frame("203.0.113.1", "203.0.113.2", b"\0\0\x08\0" + packet, 47)) for ts, packet in packets]
    write_pcap(tmp_path / "a.pcap", outer)
    said = [
        note.startswith(f"There are tunnels: {len(outer)} packets of GRE")
        for note in answered("flows", tmp_path / "a.pcap", "-o", tmp_path / "f.csv")["notes"]  # type: ignore[attr-defined]
    ]
    assert said == [True]
    assert answered("flows", tmp_path / "a.pcap", "--tunnels", "-o", tmp_path / "f.csv")["notes"] == []


def test_results_of_the_chain_are_not_written_over_its_input(tmp_path: Path) -> None:
    write_flow_table(tmp_path / "flows.csv", flow_table(12))
    before = (tmp_path / "flows.csv").read_bytes()
    done = run("generate", tmp_path / "flows.csv", "-o", tmp_path)
    assert done.exit_code == 2 and "written over" in done.stderr
    assert (tmp_path / "flows.csv").read_bytes() == before
