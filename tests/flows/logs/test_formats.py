"""Every layout: told by content, read to the exact values it holds, wrong rows counted with reason and line."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from netsynth_core.errors import SchemaError, UnknownFormat
from netsynth_core.flows.logs import LogReport, format_of, read_log
from netsynth_core.flows.table import FlowTable
from netsynth_core.units import NS_PER_S
from tests.flows.logs import samples

MARCH = 1_489_536_000 * NS_PER_S
"""2017-03-15 00:00 UTC."""


def read(tmp_path: Path, text: str, *, encoding: str = "utf-8") -> tuple[FlowTable, LogReport]:
    path = tmp_path / "log"
    path.write_bytes(text.encode(encoding))
    return read_log(path)


def rows(flows: FlowTable, *names: str) -> list[tuple[object, ...]]:
    return list(flows.frame[list(names)].itertuples(index=False, name=None))


ENDS = ("proto", "src_ip", "src_port", "dst_ip", "dst_port")
COUNTS = ("fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes")


@pytest.mark.parametrize("name", samples.LOGS)
def test_a_log_is_told_by_content_packed_or_not(tmp_path: Path, name: str) -> None:
    text = samples.LOGS[name].encode("latin-1")
    packed = pa.compress(text, codec="zstd", asbytes=True)
    for place, content in enumerate((text, gzip.compress(text), packed, text.replace(b"\n", b"\r\n"))):
        path = tmp_path / f"{place}"
        path.write_bytes(content)
        found = format_of(path)
        assert found is not None and found.name == name.split()[0]
        if place == 0:
            flows, report = read_log(path)
        again, same = read_log(path)
        assert again.frame.equals(flows.frame)
        assert (same.skipped, same.first_skipped, same.rows) == (report.skipped, report.first_skipped, report.rows)
    assert report.flows == len(flows) > 0


def test_zeek(tmp_path: Path) -> None:
    flows, report = read(tmp_path, samples.ZEEK)
    assert rows(flows, *ENDS) == [
        ("TCP", "10.0.0.5", 50000, "203.0.113.9", 443),
        ("UDP", "10.0.0.5", 53001, "10.0.0.1", 53),
        ("ICMP", "10.0.0.7", 8, "10.0.0.1", 0),
        ("ICMPv6", "fe80::1", 135, "ff02::1", 136),
        ("47", "10.0.0.8", 0, "10.0.0.9", 0),
    ]
    first = flows.frame.iloc[0]
    assert (first["ts"], first["duration"]) == (1_713_484_800_250_001_000, 1_500_000_000)
    assert rows(flows, *COUNTS)[0] == (6, 5, 420, 1160)
    assert (first["flags"], first["state"], first["history"], first["service"]) == (".AP.SF", "SF", "ShADadFf", "tls")
    assert flows.frame["flags"].tolist()[1:] == ["......"] * 4
    assert report.skipped == {} and report.rows == 5


def test_zeek_as_json_is_the_same(tmp_path: Path) -> None:
    flows, _ = read(tmp_path, samples.ZEEK)
    again, _ = read(tmp_path, samples.ZEEK_JSON)
    assert again.frame.equals(flows.frame.iloc[:2])
    # one broken record makes the reader go line by line, to the same values
    broken, report = read(tmp_path, samples.ZEEK_JSON + '{"ts": 1713484802.0, "id.orig\n')
    assert broken.frame.equals(again.frame)
    assert report.first_skipped == {"no record": 3}


def test_zeek_without_ip_bytes_takes_payload_and_the_shortest_headers(tmp_path: Path) -> None:
    text = samples.ZEEK.replace("\t420\t5\t1160", "\t-\t5\t-").replace("\t58\t1\t88", "\t-\t1\t-")
    flows, report = read(tmp_path, text)
    assert rows(flows, *COUNTS)[:2] == [(6, 5, 100 + 6 * 40, 900 + 5 * 40), (1, 1, 30 + 28, 60 + 28)]
    assert any("shortest headers" in note for note in report.notes)


def test_zeek_with_another_separator_and_two_sections(tmp_path: Path) -> None:
    one = "#separator \\x7c\n#unset_field|?\n#fields|ts|id.orig_h|id.orig_p|id.resp_h|id.resp_p|proto|duration\n"
    two = "#fields|ts|proto|id.orig_h|id.orig_p|id.resp_h|id.resp_p|duration\n"
    flows, report = read(
        tmp_path, one + "1.0|10.0.0.1|4|10.0.0.2|80|tcp|?\n" + two + "2.0|udp|10.0.0.3|5|10.0.0.2|53|1.5\nx\n"
    )
    assert rows(flows, *ENDS) == [("TCP", "10.0.0.1", 4, "10.0.0.2", 80), ("UDP", "10.0.0.3", 5, "10.0.0.2", 53)]
    assert flows.frame["service"].tolist() == ["http", "dns"]
    assert report.first_skipped == {"wrong number of cells": 7}


def test_zeek_with_a_plain_header(tmp_path: Path) -> None:
    whole, _ = read(tmp_path, samples.ZEEK)
    lines = [line for line in samples.ZEEK.splitlines() if not line.startswith("#") or line.startswith("#fields")]
    plain = "\n".join(lines).removeprefix("#fields\t")
    assert read(tmp_path, plain)[0].frame.equals(whole.frame)
    commas = plain.replace("\t", ",").replace("id.orig", "id_orig").replace("id.resp", "id_resp")
    assert read(tmp_path, commas)[0].frame.equals(whole.frame)


def test_argus(tmp_path: Path) -> None:
    flows, report = read(tmp_path, samples.ARGUS)
    assert rows(flows, *ENDS, *COUNTS, "flags") == [
        ("TCP", "10.0.0.5", 50000, "203.0.113.9", 443, 6, 5, 420, 1160, ".AP.SF"),
        ("UDP", "10.0.0.5", 53001, "10.0.0.1", 53, 1, 1, 58, 88, "......"),
        ("ICMP", "10.0.0.7", 8, "10.0.0.1", 0, 1, 0, 84, 0, "......"),
        ("TCP", "10.0.0.5", 40000, "10.0.0.1", 22, 1, 2, 46, 92, ".A.R.."),
    ]
    assert flows.frame["duration"].tolist()[:2] == [1_500_000_000, 10_000_000]
    assert report.skipped == {"no IP protocol": 1} and report.first_skipped == {"no IP protocol": 2}


def test_argus_in_the_layout_of_ctu13(tmp_path: Path) -> None:
    flows, report = read(tmp_path, samples.CTU)
    assert rows(flows, *ENDS, *COUNTS, "flags") == [
        ("UDP", "212.50.71.179", 39678, "147.32.84.229", 13363, 6, 6, 329, 378, "......"),
        ("TCP", "10.0.0.5", 50000, "10.0.0.6", 80, 1, 1, 54, 46, ".A.RS."),
    ]
    assert flows.frame["ts"][0] == 1_312_969_613_047_277_000
    assert flows.frame["label"].tolist() == ["flow=Background-UDP-Established", "flow=From-Botnet"]
    assert report.first_skipped == {"no IP protocol": 4}
    assert any("both sides together" in note for note in report.notes)


def test_argus_without_ethernet_keeps_its_bytes(tmp_path: Path) -> None:
    flows, report = read(tmp_path, samples.ARGUS.replace(",1,1,72,102,", ",1,1,30,102,"))
    assert rows(flows, *COUNTS)[0] == (6, 5, 504, 1230)
    assert any("too small" in note for note in report.notes)


def test_nfdump_merges_directions_and_leaves_the_summary(tmp_path: Path) -> None:
    flows, report = read(tmp_path, samples.NFDUMP)
    assert rows(flows, *ENDS, *COUNTS, "flags") == [
        ("TCP", "10.0.0.5", 50000, "203.0.113.9", 443, 6, 5, 420, 1160, ".AP.SF"),
        ("ICMP", "10.0.0.7", 8, "10.0.0.1", 0, 1, 1, 84, 84, "......"),
    ]
    assert report.skipped == {} and report.rows == 4
    new, _ = read(tmp_path, samples.NFDUMP_NEW)
    assert rows(new, "ts", "duration", *COUNTS) == [(1_713_484_800_250_000_000, 1_500_000_000, 6, 0, 420, 0)]


def test_nfdump_of_both_directions_is_taken_row_by_row(tmp_path: Path) -> None:
    head, first, *_ = samples.NFDUMP.splitlines()
    answer = first.replace("10.0.0.5,203.0.113.9,50000,443", "203.0.113.9,10.0.0.5,443,50001")
    text = f"{head}\n{first.replace('420,0,0', '420,5,1160')}\n{answer.replace('420,0,0', '420,2,80')}\n"
    flows, _ = read(tmp_path, text)
    assert rows(flows, *ENDS, *COUNTS) == [
        ("TCP", "10.0.0.5", 50000, "203.0.113.9", 443, 6, 5, 420, 1160),
        ("TCP", "10.0.0.5", 50001, "203.0.113.9", 443, 2, 6, 80, 420),
    ]


def test_cidds(tmp_path: Path) -> None:
    flows, report = read(tmp_path, samples.CIDDS)
    assert rows(flows, *ENDS, *COUNTS, "label") == [
        ("TCP", "192.168.220.16", 58844, "192.168.100.5", 445, 1, 1, 174, 108, "normal"),
        ("TCP", "EXT_SERVER", 40000, "10000_34", 80, 12, 9, 1_400_000, 900, "dos"),
        ("ICMP", "DNS", 8, "10000_34", 0, 1, 1, 84, 84, "normal"),
    ]
    assert flows.frame["ts"][0] == MARCH + 76_552_000_000
    assert flows.frame["duration"].tolist() == [80_000_000, 2_100_000_000, 10_000_000]
    assert report.rows == 6 and any("1.4 M" in note for note in report.notes)


def test_cicflowmeter(tmp_path: Path) -> None:
    flows, report = read(tmp_path, samples.CIC, encoding="latin-1")
    assert rows(flows, "duration", *COUNTS, "flags", "label") == [
        (3 * NS_PER_S, 2, 1, 12 + 40 + 40, 6 + 20 + 20, ".A..S.", "BENIGN"),
        (0, 1, 0, 40, 0, "......", "Web Attack \u2013 XSS"),
        (0, 2, 0, 80 + 16 + 40, 0, "......", "BENIGN"),
    ]
    assert flows.frame["ts"][0] == 1_499_398_200 * NS_PER_S
    assert report.first_skipped == {"no record": 5}
    for words in ("AM or PM", "impossible", "Windows-1252"):
        assert any(words in note for note in report.notes), words
    features = "Destination Port, Flow Duration, Total Fwd Packets, Total Backward Packets, Label\n80,1,1,1,BENIGN\n"
    with pytest.raises(UnknownFormat, match="without addresses"):
        read(tmp_path, features)


def test_ugr(tmp_path: Path) -> None:
    flows, report = read(tmp_path, samples.UGR)
    assert rows(flows, *ENDS, *COUNTS, "flags", "label") == [
        ("UDP", "42.219.153.7", 53113, "143.72.8.137", 53, 1, 1, 59, 150, "......", "background"),
        ("TCP", "42.219.153.8", 50000, "143.72.8.137", 80, 5, 0, 500, 0, ".AP.SF", "blacklist"),
    ]
    assert flows.frame["ts"][0] == 1_469_627_005_800_000_000 and flows.frame["duration"][0] == 200_000_000
    assert report.rows == 3


def test_suricata(tmp_path: Path) -> None:
    flows, report = read(tmp_path, samples.SURICATA)
    assert rows(flows, *ENDS, *COUNTS, "flags", "service") == [
        ("TCP", "10.0.0.5", 50000, "203.0.113.9", 443, 6, 5, 420, 1160, ".AP.SF", "tls"),
        ("ICMP", "10.0.0.7", 8, "10.0.0.1", 0, 1, 1, 84, 84, "......", ""),
    ]
    assert flows.frame["ts"][0] == 1_622_987_990_250_001_000 and flows.frame["duration"][0] == 1_500_000_000
    assert report.skipped == {"another kind of event": 1}
    broken, again = read(tmp_path, samples.SURICATA + "{broken\n")
    assert broken.frame.equals(flows.frame)
    assert again.first_skipped == {"another kind of event": 1, "no record": 4}
    merged, _ = read(tmp_path, samples.SURICATA_NETFLOW)
    assert rows(merged, *ENDS, *COUNTS, "flags") == [
        ("TCP", "45.129.33.153", 47047, "172.31.16.139", 443, 3, 2, 138, 92, ".A..SF")
    ]


def test_wrong_rows_are_counted_by_reason_with_their_first_line(tmp_path: Path) -> None:
    good = samples.NFDUMP_NEW.splitlines()[1]
    bad = [
        good.replace("2024-04-19 00:00:00.250", "yesterday"),
        good.replace("10.0.0.5", "10.0.0.555"),
        good.replace("50000", "70000"),
        good.replace("TCP", "CARRIER-PIGEON"),
        good.replace(",6,420,", ",six,420,"),
        good + ",and more",
        good.replace("TCP", '"TCP'),
    ]
    text = "\n".join([samples.NFDUMP_NEW.splitlines()[0], good, *bad, *bad])
    flows, report = read(tmp_path, text)
    assert len(flows) == 1 and report.rows == 15
    reasons = ["no instant", "no address", "no port", "no IP protocol", "no count", "wrong number of cells"]
    reasons.append("quote that is not closed")
    assert report.first_skipped == {reason: 3 + k for k, reason in enumerate(reasons)}
    assert set(report.skipped.values()) == {2}


def test_a_log_without_one_good_row_says_what_was_expected(tmp_path: Path) -> None:
    head = samples.CIDDS.splitlines()[0]
    with pytest.raises(SchemaError, match=r"none of its 2 rows.*no instant: 1 \(first in line 3\)") as caught:
        read(tmp_path, head + "\nrubbish\n" + samples.CIDDS.splitlines()[1].replace("2017-03-15 00:01:16.632", "soon"))
    assert "Date first seen" in caught.value.hint
    with pytest.raises(SchemaError, match="holds no rows"):
        read(tmp_path, head + "\n")
    with pytest.raises(UnknownFormat, match="no log of a known kind"):
        read(tmp_path, "a,b,c\n1,2,3\n")


def test_damaged_packed_logs_give_what_they_held(tmp_path: Path) -> None:
    body = "".join(samples.ZEEK.splitlines(keepends=True)[8:9]) * 20000
    packed = gzip.compress((samples.ZEEK + body).encode(), mtime=0)
    (tmp_path / "log").write_bytes(packed[: len(packed) // 2])
    flows, report = read_log(tmp_path / "log")
    assert 5 < len(flows) < 20005
    assert any("end too early" in note for note in report.notes)
