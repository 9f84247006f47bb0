"""Logs made to cost much: what they take stays in proportion to their size, and they are refused in words."""

import gzip
import tracemalloc
from pathlib import Path

import pytest

from netsynth_core.errors import SchemaError, UnknownFormat
from netsynth_core.flows.logs import Mapping, propose_mapping, read_head, read_log, read_mapped, text, zeek
from netsynth_core.flows.logs.cells import canonical
from netsynth_core.flows.source import kind_of
from tests.flows.logs import samples

FIELDS = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\n"
ROW = "1.5\tC\t10.0.0.{}\t1\t10.0.1.1\t80\ttcp\tSF\n"


@pytest.mark.parametrize("packed", [False, True])
def test_line_ends_take_little_more_than_themselves(tmp_path: Path, packed: bool) -> None:
    size = 16 << 20
    content = (FIELDS + ROW.format(1)).encode() + b"\n" * size + ROW.format(2).encode() + b"torn\n"
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(content, 9) if packed else content)
    del content
    tracemalloc.start()
    flows, report = read_log(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(flows) == 2
    assert report.first_skipped == {"wrong number of cells": size + 4}
    assert most < 6 * size


def test_packed_logs_unpack_to_a_multiple_of_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "UNPACK_FREE", 1 << 16)
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(samples.ZEEK.encode() + b"\n" * (1 << 20)))
    with pytest.raises(UnknownFormat, match=r"unpacks to more than") as refusal:
        read_log(path)
    assert "gunzip" in refusal.value.hint
    # rows do not pack like that
    path.write_bytes(gzip.compress((FIELDS + "".join(ROW.format(k % 250) for k in range(4000))).encode()))
    assert len(read_log(path)[0]) == 4000


@pytest.mark.parametrize("packed", [False, True])
def test_logs_have_a_most_of_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    path = tmp_path / "log"
    content = (FIELDS + "".join(ROW.format(k % 250) for k in range(4000))).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    monkeypatch.setattr(text, "SIZE_LIMIT", len(content))
    assert len(read_log(path)[0]) == 4000
    monkeypatch.setattr(text, "SIZE_LIMIT", len(content) - 1)
    with pytest.raises(UnknownFormat, match="log"):
        read_log(path)


def test_many_lines_that_cannot_be_flows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "LINES_FREE", 1000)
    path = tmp_path / "log"
    path.write_text(FIELDS + ROW.format(1) + "a\n" * 2000)
    with pytest.raises(UnknownFormat, match="bytes on average"):
        read_log(path)


def test_lines_keep_their_places_across_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"\n\nab\n\n\ncdefgh\n\r\nij"
    path = tmp_path / "text"
    path.write_bytes(content)
    for piece in (1, 2, 3, 5, 100):
        monkeypatch.setattr(text, "_PIECE", piece)
        loaded = text.load_text(path)
        assert [loaded.line(k) for k in range(len(loaded))] == ["ab", "cdefgh", "ij"]
        assert loaded.places.tolist() == [3, 6, 8]
    path.write_bytes(b"\n\n")
    assert len(text.load_text(path)) == 0


@pytest.mark.parametrize("piece", [1, 2, 3, 100])
def test_encodings_are_told_whatever_the_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(text, "_PIECE", piece)
    path = tmp_path / "text"
    path.write_bytes("größe €\n".encode())
    assert text.load_text(path).line(0) == "größe €" and not text.load_text(path).notes
    path.write_bytes("größe".encode("cp1252"))
    assert text.load_text(path).line(0) == "größe" and text.load_text(path).notes
    path.write_bytes("größe".encode()[:-2] + b"\xc3")
    assert text.load_text(path).notes


def test_a_long_cell_is_left_out_wherever_it_stands(tmp_path: Path) -> None:
    long = "a" * 200_000
    row = "1700000000.5,10.0.0.1,10.0.0.2,1,80,tcp\n"
    path = tmp_path / "table.csv"
    path.write_text(f"ts,src,dst,sport,dport,proto\n{long},10.0.0.1,10.0.0.2,1,80,tcp\n{row}")
    assert kind_of(path) in ("log", "table")
    table = read_head(path)
    assert len(table.rows) == 1
    mapping = propose_mapping(table.header, table.rows, delimiter=table.delimiter)
    flows, report = read_mapped(path, mapping)
    assert len(flows) == 1 and sum(report.skipped.values()) == 1 and set(report.first_skipped.values()) == {2}
    path.write_text(f"ts,src,{long}\n{row}")
    for read in (read_head, lambda path: read_mapped(path, mapping)):
        with pytest.raises(SchemaError, match="its first line has 200007 characters"):
            read(path)
    with pytest.raises((SchemaError, UnknownFormat)):
        read_log(path)


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_a_long_first_line_is_no_log_of_any_kind(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "log"
    path.write_text(delimiter.join(["1"] * 11 + ["a" * 200_000]) + "\n")
    with pytest.raises((SchemaError, UnknownFormat)):
        read_log(path)


def test_headers_met_again_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    read = zeek.read_sheet
    monkeypatch.setattr(
        zeek, "read_sheet", lambda *args, **named: (calls.append(len(args[1])), read(*args, **named))[1]
    )
    other = FIELDS.replace("\tuid", "").replace("id.orig_h\tid.orig_p", "id.orig_p\tid.orig_h")
    turned = "2.5\t1\t10.0.0.{}\t10.0.1.1\t80\ttcp\tSF\n"
    parts = [(FIELDS + ROW.format(k)) if k % 3 else (other + turned.format(k)) for k in range(200)]
    path = tmp_path / "conn.log"
    path.write_text(FIELDS + "#fields\ta\n" * 500 + "".join(parts) + "#fields\ta\n" * 500)
    flows, report = read_log(path)
    assert len(calls) == 2 and sum(calls) == 200 == report.rows
    frame = flows.frame
    assert set(frame["src_ip"]) == {f"10.0.0.{k}" for k in range(200)}
    early = frame["ts"] == 1_500_000_000
    assert {int(host.rpartition(".")[2]) % 3 for host in frame["src_ip"][~early]} == {0}


def test_rows_before_the_header_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "conn.log"
    path.write_text(
        "#separator \\x09\n\n" + ROW.format(1) + FIELDS + ROW.format(2) + "x\n" + FIELDS + "#close\n" + "y\n"
    )
    flows, report = read_log(path)
    assert list(flows.frame["src_ip"]) == ["10.0.0.2"]
    assert report.first_skipped == {"no record": 3, "wrong number of cells": 6}
    assert report.rows == 4 and report.skipped["wrong number of cells"] == 2


def test_one_host_has_one_name(tmp_path: Path) -> None:
    spellings = ["fe80::1", "FE80::1%eth0", "fe80:0:0:0:0:0:0:1", "fe80::0001%25", "[fe80::1]"]
    path = tmp_path / "conn.log"
    path.write_text(
        FIELDS
        + "".join(f"1.5\tC\t{host}\t1\t::ffff:10.0.0.1\t80\ttcp\tSF\n" for host in (*spellings, "printer", "a:b"))
    )
    frame = read_log(path)[0].frame
    assert sorted(frame["src_ip"]) == ["a:b", *["fe80::1"] * 5, "printer"]
    assert set(frame["dst_ip"]) == {"10.0.0.1"}
    table = tmp_path / "table.csv"
    table.write_text("start,src,dst\n" + "".join(f"1.5,{host},2001:DB8::0:1\n" for host in spellings))
    mapped, _ = read_mapped(table, Mapping(columns={"ts": "start", "src_ip": "src", "dst_ip": "dst"}))
    assert set(mapped.frame["src_ip"]) == {"fe80::1"} and set(mapped.frame["dst_ip"]) == {"2001:db8::1"}


def test_spelling_again_changes_nothing() -> None:
    for host in ("2001:db8::1", "10.0.0.1", "00:16:3e:11:22:33", "", "::", "::1", "1::%", "host%1"):
        assert canonical(canonical(host)) == canonical(host)
