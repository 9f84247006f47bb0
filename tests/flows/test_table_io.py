"""Flow tables as files: round trips to the nanosecond, lenient reading, errors that name line, column and value."""

import gzip
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.errors import SchemaError, StorageError, UnknownFormat
from netsynth_core.flows.table import COLUMNS, FlowTable
from netsynth_core.flows.table_io import format_seconds, read_flow_rows, read_flow_table, write_flow_table
from netsynth_core.units import ns_to_seconds, seconds_to_ns

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
COUNTS = st.integers(0, 10**12)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=6)
ROWS = st.fixed_dictionaries(
    {
        "ts": st.integers(0, 4 * 10**18),
        "duration": st.integers(0, 10**15),
        "proto": st.sampled_from(["TCP", "UDP", "ICMP", "ICMPv6", "47"]),
        "src_ip": ADDRESSES,
        "src_port": st.integers(-1, 65535),
        "dst_ip": ADDRESSES,
        "dst_port": st.integers(0, 65535),
        "fwd_packets": COUNTS,
        "bwd_packets": COUNTS,
        "fwd_bytes": COUNTS,
        "bwd_bytes": COUNTS,
        "flags": st.sampled_from(["......", ".AP.SF", "UAPRSF"]),
        "service": st.sampled_from(["", "http"]),
        "state": st.sampled_from(["", "SF"]),
        "label": TEXTS,
        "history": st.sampled_from(["", "ShADadFf", "D^c"]),
        "server_name": st.sampled_from(["", "example.org"]),
    }
)
TABLES = st.lists(ROWS, max_size=8).map(lambda rows: FlowTable.from_columns(pd.DataFrame(rows, columns=list(COLUMNS))))
FORMS = ("flows.csv", "flows.csv.gz", "flows.parquet")
SMALL = "ts,proto,src_ip,dst_ip,dst_port\n1.5,TCP,10.0.0.1,10.0.0.2,80\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", FORMS)
@given(table=TABLES)
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, name: str, table: FlowTable) -> None:
    path = tmp_path_factory.getbasetemp() / name
    write_flow_table(path, table)
    back = read_flow_table(path)
    pd.testing.assert_frame_equal(back.frame, table.frame)
    first = path.read_bytes()
    write_flow_table(path, back)
    assert path.read_bytes() == first


@given(st.lists(st.integers(-(2**62), 2**62), max_size=10))
def test_seconds_are_written_as_the_units_module_writes_them(instants: list[int]) -> None:
    assert format_seconds(np.array(instants, np.int64)).tolist() == [ns_to_seconds(ns) for ns in instants]


@given(st.integers(0, 4 * 10**9), st.text("0123456789", max_size=12))
def test_decimals_do_not_pass_through_a_float(
    tmp_path_factory: pytest.TempPathFactory, whole: int, digits: str
) -> None:
    text = f"{whole}.{digits}"
    path = written(tmp_path_factory.getbasetemp() / "t.csv", SMALL.replace("1.5", text))
    exact = seconds_to_ns(f"{whole}.{digits or '0'}")
    assert abs(int(read_flow_table(path).frame["ts"].iloc[0]) - exact) <= (0 if len(digits) <= 9 else 1)


def test_reading_is_lenient(tmp_path: Path) -> None:
    text = (
        "\ufeffDst_Port, proto,SRC_IP,extra,ts,dst_ip,fwd_bytes,duration,flags\n"
        "53,17,10.0.0.1,x,2.000000001,10.0.0.2,,,\n"
        "443,tcp,::1,y, 1.5e0 ,::2,62.0,9.5e-05,.AP.SF\n"
        "0,icmp6,::1,z,.25,::2,7,0.5,A\n"
    )
    table, rows = read_flow_rows(written(tmp_path / "odd.csv", text))
    frame = table.frame
    assert rows.tolist() == [2, 1, 0]
    assert frame["ts"].tolist() == [250_000_000, 1_500_000_000, 2_000_000_001]
    assert frame["duration"].tolist() == [500_000_000, 95_000, 0]
    assert frame["proto"].tolist() == ["ICMPv6", "TCP", "UDP"]
    assert frame["fwd_bytes"].tolist() == [7, 62, 0] and frame["src_port"].tolist() == [-1, -1, -1]
    assert frame["flags"].tolist() == [".A....", ".AP.SF", "......"]


def test_services_follow_the_ports_only_where_no_column_holds_them(tmp_path: Path) -> None:
    head = "ts,proto,src_ip,dst_ip,dst_port"
    rows = ["1,TCP,10.0.0.1,10.0.0.2,443", "2,UDP,10.0.0.1,10.0.0.2,53", "3,TCP,10.0.0.1,10.0.0.2,53", "4,ICMP,a,b,443"]
    table = read_flow_table(written(tmp_path / "t.csv", "\n".join([head, *rows, "5,TCP,a,b,9"]) + "\n"))
    assert table.frame["service"].tolist() == ["tls", "dns", "dns", "", ""]
    named = "\n".join(
        [head + ",service", *(f"{row},{name}" for row, name in zip(rows, ["", "doh", "", ""], strict=True))]
    )
    assert read_flow_table(written(tmp_path / "n.csv", named + "\n")).frame["service"].tolist() == ["", "doh", "", ""]


def test_rows_say_where_they_stood_ties_in_order(tmp_path: Path) -> None:
    lines = [f"{ts},TCP,10.0.0.{k},10.0.0.9,80" for k, ts in enumerate([3, 1, 2, 1, 3])]
    table, rows = read_flow_rows(written(tmp_path / "t.csv", SMALL.split("\n")[0] + "\n" + "\n".join(lines) + "\n"))
    assert rows.tolist() == [1, 3, 2, 0, 4]
    assert table.frame["src_ip"].tolist() == [f"10.0.0.{row}" for row in rows]


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("dst_port", "http", "column 'dst_port' is 'http'; a number 0-65535 is needed"),
        ("dst_port", "65536", "column 'dst_port' is '65536'"),
        ("dst_port", "-1", "column 'dst_port' is '-1'"),
        ("ts", "yesterday", "column 'ts' is 'yesterday'"),
        ("ts", "", "column 'ts' is ''"),
        ("ts", "nan", "column 'ts' is 'nan'"),
        ("ts", "99999999999999", "column 'ts' is '99999999999999'"),
        ("proto", "quic", "column 'proto' is 'quic'"),
        ("ts", "-5", "column 'ts' is '-5'; Unix seconds, 0 or more, is needed"),
        ("proto", "FROB", "column 'proto' is 'FROB'"),
        ("proto", "256", "column 'proto' is '256'"),
        ("src_ip", "", "column 'src_ip' is ''"),
        ("src_ip", "999.20.1.13", "column 'src_ip' is '999.20.1.13'; an IPv4 address is needed"),
        ("dst_ip", "10.0.0.01", "column 'dst_ip' is '10.0.0.01'"),
    ],
)
def test_errors_name_file_line_column_and_value(tmp_path: Path, column: str, value: str, told: str) -> None:
    frame = pd.DataFrame(
        [["1.5", "TCP", "10.0.0.1", "10.0.0.2", "80"]] * 9, columns=["ts", "proto", "src_ip", "dst_ip", "dst_port"]
    )
    frame.loc[6, column] = value
    frame.to_csv(tmp_path / "flows.csv", index=False)
    with pytest.raises(SchemaError) as caught:
        read_flow_table(tmp_path / "flows.csv")
    assert f"flows.csv line 8: {told}" in caught.value.message and caught.value.hint


def test_negative_durations_odd_flags_and_counts_with_units_are_refused(tmp_path: Path) -> None:
    for column, value in (("duration", "-1"), ("flags", "SYN!"), ("fwd_bytes", "1.2 M"), ("bwd_packets", "-3")):
        text = SMALL.replace("dst_port\n", f"dst_port,{column}\n").replace(",80\n", f",80,{value}\n")
        with pytest.raises(SchemaError, match=f"line 2: column '{column}'"):
            read_flow_table(written(tmp_path / "t.csv", text))


def test_a_missing_column_is_named_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="no column 'dst_port'; it has 'ts', 'proto', 'src_ip', 'dst_ip'") as caught:
        read_flow_table(written(tmp_path / "t.csv", "ts,proto,src_ip,dst_ip\n1,TCP,a,b\n"))
    assert "ts, proto, src_ip, dst_ip, dst_port" in caught.value.hint


@pytest.mark.parametrize("text", ["\n", "ts,proto,src_ip,dst_ip,dst_port\n1,TCP,a,b\n1,2,3,4,5,6,7,8\n"])
def test_irregular_files_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SchemaError):
        read_flow_table(written(tmp_path / "t.csv", text))


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    assert len(read_flow_table(written(tmp_path / "t.csv", SMALL.split("\n")[0] + "\n"))) == 0


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(b"ts,\xff\xfe\n1,2\n")
    with pytest.raises(UnknownFormat, match="UTF-8"):
        read_flow_table(tmp_path / "b.csv")
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(SMALL.encode())[:30])
    with pytest.raises(UnknownFormat, match="gzip"):
        read_flow_table(tmp_path / "c.csv.gz")
    (tmp_path / "d.parquet").write_bytes(b"PAR1" + bytes(40))
    with pytest.raises(UnknownFormat, match="damaged Parquet"):
        read_flow_table(tmp_path / "d.parquet")
    with pytest.raises(StorageError, match="does not exist"):
        read_flow_table(tmp_path / "none.csv")


def foreign(path: Path, ts: pa.Array, **more: pa.Array) -> Path:
    n = len(ts)
    base = {"proto": ["tcp"] * n, "src_ip": ["10.0.0.1"] * n, "dst_ip": ["10.0.0.2"] * n, "dst_port": [80] * n}
    pq.write_table(pa.table({"ts": ts, **base, **more}), path)
    return path


@pytest.mark.parametrize(
    ("ts", "ns"),
    [
        (pa.array([1_700_000_000, 1_700_000_001]), [1_700_000_000 * 10**9, 1_700_000_001 * 10**9]),
        (pa.array([1_700_000_000.25, 1_700_000_001.000001]), [1_700_000_000_250_000_000, 1_700_000_001_000_001_000]),
        (pa.array([Decimal("1.000000001"), Decimal("2.5")]), [1_000_000_001, 2_500_000_000]),
        (pa.array(["1.000000001", "2.5"]), [1_000_000_001, 2_500_000_000]),
        (pa.array([7, 8], pa.timestamp("us")), [7000, 8000]),
    ],
)
def test_parquet_of_others(tmp_path: Path, ts: pa.Array, ns: list[int]) -> None:
    table = read_flow_table(foreign(tmp_path / "t.parquet", ts))
    assert table.frame["ts"].tolist() == ns and table.frame["proto"].tolist() == ["TCP", "TCP"]


@pytest.mark.parametrize(
    "ts",
    [
        pa.array([True, False]),
        pa.array([1e300, 1.0]),
        pa.array([float("nan"), 1.0]),
        pa.array([2**62, 1]),
        pa.array([1, None]),
    ],
)
def test_parquet_times_that_are_none_are_refused(tmp_path: Path, ts: pa.Array) -> None:
    with pytest.raises(SchemaError, match="column 'ts'"):
        read_flow_table(foreign(tmp_path / "t.parquet", ts))


def test_parquet_counts_may_be_empty(tmp_path: Path) -> None:
    table = read_flow_table(foreign(tmp_path / "t.parquet", pa.array([1, 2]), fwd_bytes=pa.array([None, 5])))
    assert table.frame["fwd_bytes"].tolist() == [0, 5]


def test_our_parquet_holds_seconds(tmp_path: Path) -> None:
    table = read_flow_table(written(tmp_path / "t.csv", SMALL))
    write_flow_table(tmp_path / "t.parquet", table)
    assert pq.read_table(tmp_path / "t.parquet")["ts"].to_pylist() == [Decimal("1.5")]


FLOWS = Path(__file__).parents[2] / ".." / "shared" / "data" / "flows"


@pytest.mark.skipif(not FLOWS.is_dir(), reason=f"{FLOWS} is absent")
def test_public_flow_logs_are_read_but_for_those_of_another_schema() -> None:
    refused = []
    for path in sorted(FLOWS.glob("*.csv")):
        try:
            assert len(read_flow_table(path)) > 0
        except SchemaError as error:
            refused.append((path.name, error.message.partition(" has ")[2][:14]))
    for path in sorted((FLOWS / ".." / ".." / "bench").glob("flows_*k.csv")):
        assert len(read_flow_table(path)) > 0
    assert refused == [("derived_cidds_format.csv", "no column 'ts'")]
