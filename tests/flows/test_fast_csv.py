"""The CSV written straight from columns has the bytes of the flow table's writer, whatever the flows hold."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.flows.columns import FlowColumns
from netsynth_core.flows.fast_csv import csv_parts, write_columns
from netsynth_core.flows.states import STATES
from netsynth_core.flows.table_io import write_flow_table

WORDS = st.one_of(
    st.integers(0, 2**64 - 1),
    st.sampled_from([0, 1, 0xFFFF0A000001, 2**64 - 1, 0x1_0000_0000_0001, 0x20010DB800000000, 0xFFFF_0000]),
)
COUNTS = st.one_of(st.integers(0, 100), st.integers(0, 2**62))
LETTERS = st.lists(st.integers(1, 23), max_size=36)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "ts": st.one_of(st.integers(0, 4 * 10**18), st.integers(0, 10**6).map(lambda k: k * 10**12)),
            "duration": st.one_of(st.just(0), st.integers(0, 10**15)),
            "proto": st.integers(0, 255),
            "words": st.tuples(WORDS | st.just(0), WORDS, WORDS | st.just(0), WORDS),
            "ports": st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
            "counts": st.tuples(COUNTS, COUNTS, COUNTS, COUNTS),
            "flags": st.integers(0, 255),
            "state": st.integers(0, len(STATES) - 1),
            "history": LETTERS,
            "service": st.integers(0, 2),
            "server_name": st.sampled_from(["", "", "a.example", 'odd, "name"', "ünd"]),
        }
    ),
    max_size=6,
)


def columns(rows: list[dict[str, object]]) -> FlowColumns:
    rows = sorted(rows, key=lambda row: int(str(row["ts"])))

    def column(name: str, dtype: type, place: int | None = None) -> np.ndarray:
        values = [row[name] if place is None else row[name][place] for row in rows]  # type: ignore[index]
        return np.array(values, dtype=dtype)

    history = np.zeros((len(rows), 3), np.uint64)
    for k, row in enumerate(rows):
        for at, letter in enumerate(row["history"]):  # type: ignore[call-overload]
            history[k, at // 12] |= np.uint64(letter << 5 * (at % 12))
    words = [column("words", np.uint64, k) for k in range(4)]
    counts = [column("counts", np.int64, k) for k in range(4)]
    return FlowColumns(
        column("ts", np.int64), column("duration", np.int64), column("proto", np.uint8), *words,
        column("ports", np.int32, 0), column("ports", np.int32, 1), *counts, column("flags", np.uint8),
        column("state", np.uint8), history, column("service", np.int32), ("", "dns", "made-up"),
        column("server_name", object),
    )  # fmt: skip


@given(ROWS)
def test_the_bytes_are_those_of_the_table_writer(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    flows = columns(rows)
    folder = tmp_path_factory.getbasetemp()
    write_flow_table(folder / "table.csv", flows.table())
    assert b"".join(csv_parts(flows)) == (folder / "table.csv").read_bytes()


@pytest.mark.parametrize("hi", [0, 0x20010DB8_00000000, 0x20010DB8_00000001, 0x00010000_00000000, 2**64 - 1])
@pytest.mark.parametrize("lo", [0, 1, 0x0001_0000_0000_0000, 0x0000_0000_0001_0000, 0xFFFF_7F000001])
def test_addresses_are_written_as_everywhere(hi: int, lo: int) -> None:
    row = {"ts": 1, "duration": 0, "proto": 6, "words": (hi, lo, lo, hi), "ports": (1, 2), "counts": (0, 0, 0, 0)}
    flows = columns([{**row, "flags": 0, "state": 0, "history": [], "service": 0, "server_name": ""}])
    line = b"".join(csv_parts(flows)).decode().splitlines()[1].split(",")
    frame = flows.table().frame
    assert [line[3], line[5]] == [frame["src_ip"].iloc[0], frame["dst_ip"].iloc[0]]


def test_gzip_holds_the_same_bytes(tmp_path: Path) -> None:
    flows = columns([])
    write_columns(tmp_path / "a.csv", flows)
    write_columns(tmp_path / "a.csv.gz", flows)
    packed = (tmp_path / "a.csv.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "a.csv").read_bytes()
    write_flow_table(tmp_path / "b.csv.gz", flows.table())
    assert (tmp_path / "b.csv.gz").read_bytes() == packed
