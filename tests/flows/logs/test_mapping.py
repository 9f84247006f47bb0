"""Mappings: proposed from names and values, corrected, saved, given back; units told by size."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.cli import main
from netsynth_core.errors import SchemaError
from netsynth_core.flows.logs import FIELDS, Mapping, propose_mapping, read_head, read_mapped, read_mapping

NFSTREAM = (
    "src_ip,src_port,dst_ip,dst_port,protocol,bidirectional_first_seen_ms,bidirectional_duration_ms,"
    "src2dst_packets,src2dst_bytes,dst2src_packets,dst2src_bytes,application_name"
)
IPFIX = (
    "flowStartMilliseconds;sourceIPv4Address;destinationIPv4Address;sourceTransportPort;destinationTransportPort;"
    "protocolIdentifier;packetDeltaCount;octetDeltaCount;tcpControlBits"
)
PLAIN = "When|Who|Whom|Service Port|How"


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def proposed(path: Path) -> Mapping:
    head = read_head(path)
    return propose_mapping(head.header, head.rows, delimiter=head.delimiter, has_header=head.has_header)


def test_names_of_other_tools_are_known(tmp_path: Path) -> None:
    path = table(tmp_path, NFSTREAM, "10.0.0.1,40000,10.0.0.2,80,6,1700000000123,1500,5,400,4,900,HTTP")
    mapping = proposed(path)
    assert (mapping.ts_unit, mapping.duration_unit, mapping.one_directional) == ("ms", "ms", False)
    flows, report = read_mapped(path, mapping)
    row = flows.frame.iloc[0]
    assert (row["ts"], row["duration"]) == (1_700_000_000_123_000_000, 1_500_000_000)
    names = ["proto", "src_port", "dst_port", "fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes", "service"]
    assert row[names].tolist() == [
        "TCP", 40000, 80, 5, 4, 400, 900, "HTTP",
    ]  # fmt: skip
    assert report.format == "mapping"


def test_records_of_one_direction_are_merged(tmp_path: Path) -> None:
    first = "1700000000123;10.0.0.1;10.0.0.2;40000;443;6;5;400;27"
    path = table(tmp_path, IPFIX, first, "1700000000125;10.0.0.2;10.0.0.1;443;40000;6;4;900;27")
    mapping = proposed(path)
    assert mapping.one_directional and mapping.delimiter == ";"
    flows, _ = read_mapped(path, mapping)
    row = flows.frame.iloc[0]
    assert len(flows) == 1 and row["flags"] == ".AP.SF"
    assert row[["fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes"]].tolist() == [5, 4, 400, 900]


def test_values_tell_where_names_do_not(tmp_path: Path) -> None:
    path = table(tmp_path, PLAIN, "2024-01-02 03:04:05.5|10.0.0.1|10.0.0.2|53|udp")
    mapping = proposed(path)
    assert mapping.columns == {
        "ts": "When",
        "proto": "How",
        "src_ip": "Who",
        "dst_ip": "Whom",
        "src_port": "Service Port",
    }
    # what was guessed wrong is corrected by hand
    columns = {**mapping.columns, "dst_port": "Service Port"}
    del columns["src_port"]
    flows, _ = read_mapped(path, mapping.model_copy(update={"columns": columns}))
    row = flows.frame.iloc[0]
    assert (row["ts"], row["proto"], row["src_port"], row["dst_port"]) == (1_704_164_645_500_000_000, "UDP", -1, 53)


def test_a_table_without_header_has_numbered_columns(tmp_path: Path) -> None:
    path = table(tmp_path, "1700000000.25\t10.0.0.1\t10.0.0.2\ttcp", "1700000001.25\t10.0.0.1\t10.0.0.3\ttcp")
    head = read_head(path)
    assert head.header == ("1", "2", "3", "4") and not head.has_header
    flows, _ = read_mapped(path, proposed(path))
    assert flows.frame["ts"].tolist() == [1_700_000_000_250_000_000, 1_700_000_001_250_000_000]


@pytest.mark.parametrize("unit,factor", [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_units_are_told_by_size(tmp_path: Path, unit: str, factor: int) -> None:
    path = table(
        tmp_path,
        "start,end,src,dst",
        *(f"{(1_700_000_000 + k) * factor},{(1_700_000_002 + k) * factor},a,b" for k in range(3)),
    )
    mapping = proposed(path)
    assert mapping.ts_unit == unit
    flows, _ = read_mapped(path, mapping)
    assert flows.frame["ts"].tolist() == [(1_700_000_000 + k) * 10**9 for k in range(3)]
    assert flows.frame["duration"].tolist() == [2 * 10**9] * 3


def test_month_first_dates_are_told_by_their_numbers(tmp_path: Path) -> None:
    path = table(tmp_path, "timestamp,src,dst", "02/14/2018 08:31:01 PM,a,b", "02/03/2018 08:31:01 AM,a,b")
    mapping = proposed(path)
    assert mapping.ts_unit == "text month first"
    assert read_mapped(path, mapping)[0].frame["ts"].tolist() == [1_517_646_661 * 10**9, 1_518_640_261 * 10**9]


@given(
    columns=st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(min_size=1, max_size=8)),
    unit=st.sampled_from(["s", "ms", "us", "ns", "text"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_a_mapping_is_saved_and_given_back(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, str], unit: str, delimiter: str
) -> None:
    full = {"ts": "a", "src_ip": "b", "dst_ip": "c"} | columns
    mapping = Mapping.model_validate({"columns": full, "ts_unit": unit, "delimiter": delimiter})
    path = tmp_path_factory.getbasetemp() / "mapping.json"
    path.write_text(mapping.model_dump_json(), encoding="utf-8")
    assert read_mapping(path) == mapping


@pytest.mark.parametrize(
    "text,said",
    [
        ("{", "no JSON"),
        ("[]", "an object is needed"),
        ('{"columns": {"ts": "a"}}', "names no column for 'src_ip'"),
        ('{"columns": {"ts": "a", "src_ip": "b", "dst_ip": "c", "colour": "d"}}', "no column 'colour'"),
        ('{"columns": {"ts": "a", "src_ip": "b", "dst_ip": "c"}, "ts_unit": "weeks"}', "ts_unit"),
    ],
)
def test_a_wrong_mapping_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(SchemaError, match=said) as caught:
        read_mapping(tmp_path / "m.json")
    assert caught.value.hint


def test_what_cannot_be_mapped_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="address of the originator"):
        propose_mapping(["ts", "colour", "weight"], [["1700000000", "red", "1.5"]])
    path = table(tmp_path, "ts,src,dst", "1,a,b")
    wrong = Mapping(columns={"ts": "time", "src_ip": "src", "dst_ip": "dst"})
    with pytest.raises(SchemaError, match="has no column 'time'"):
        read_mapped(path, wrong)


def test_the_command_shows_a_mapping_and_reads_through_it(tmp_path: Path) -> None:
    path = table(tmp_path, NFSTREAM, "10.0.0.1,40000,10.0.0.2,80,6,1700000000123,1500,5,400,4,900,HTTP", "x,y")
    shown = CliRunner().invoke(main, ["flows", str(path), "--show-mapping"])
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["ts_unit"] == "ms"
    (tmp_path / "m.json").write_text(shown.stdout)
    refused = CliRunner().invoke(main, ["flows", str(path), "-o", str(tmp_path / "f.csv")])
    assert refused.exit_code == 2 and "--show-mapping" in refused.stderr
    made = CliRunner().invoke(
        main, ["flows", str(path), "--mapping", str(tmp_path / "m.json"), "-o", str(tmp_path / "conn.log"), "--json"]
    )
    assert made.exit_code == 0, made.stderr
    answer = json.loads(made.stdout)
    assert answer["flows"] == 1 and answer["skipped"] == {"wrong number of cells": 1}
    assert answer["first_skipped"] == {"wrong number of cells": 3}
    again = CliRunner().invoke(
        main, ["flows", str(tmp_path / "conn.log"), "-o", str(tmp_path / "g.csv"), "--format", "netflow"]
    )
    assert again.exit_code == 0, again.stderr
    assert (tmp_path / "g.csv").read_text().startswith("ts,te,td,sa,da")
