"""Streamed flow tables: the same bytes as one table written at once, in pieces of any size."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.table_io import format_seconds, read_flow_table, write_flow_table
from netsynth_core.flows.writing import seconds_texts, write_flow_stream


def table(n: int = 50) -> FlowTable:
    """Flows with unset ports, names in need of quotes and times of all lengths."""
    rng = np.random.default_rng(0)
    return FlowTable.from_columns(
        pd.DataFrame(
            {
                "ts": np.cumsum(rng.choice([0, 1, 10**6, 5 * 10**8, 10**9], n)) + 10**18,
                "duration": rng.choice([0, 1, 120_000, 10**9], n),
                "proto": rng.choice(["TCP", "UDP"], n),
                "src_ip": rng.choice(["10.0.0.1", 'a "quoted" name', "one,two"], n),
                "src_port": rng.choice([-1, 0, 40000], n),
                "dst_ip": "2001:db8::1",
                "dst_port": 443,
                "fwd_bytes": rng.integers(0, 10**15, n),
                "service": rng.choice(["", "tls"], n),
            }
        )
    )


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=40))
def test_seconds_are_written_as_everywhere(values: list[int]) -> None:
    ns = np.array(values, np.int64)
    assert seconds_texts(ns).to_pylist() == list(format_seconds(ns))


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_pieces_make_the_same_table(tmp_path: Path, ending: str) -> None:
    flows = table()
    cuts = [0, 1, 1, 20, len(flows)]
    rows = write_flow_stream(
        tmp_path / f"s{ending}", (flows.take(np.arange(a, b, dtype=np.int64)) for a, b in pairwise(cuts))
    )
    write_flow_table(tmp_path / f"w{ending}", flows)
    assert rows == len(flows)
    pd.testing.assert_frame_equal(
        read_flow_table(tmp_path / f"s{ending}").frame, read_flow_table(tmp_path / f"w{ending}").frame
    )
    if ending == ".csv":
        assert (tmp_path / "s.csv").read_bytes() == (tmp_path / "w.csv").read_bytes()


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_nothing_is_a_table_without_rows(tmp_path: Path, ending: str) -> None:
    assert write_flow_stream(tmp_path / f"s{ending}", []) == 0
    assert len(read_flow_table(tmp_path / f"s{ending}")) == 0


def test_a_stream_that_breaks_leaves_the_old_file(tmp_path: Path) -> None:
    def broken():  # type: ignore[no-untyped-def]
        yield table(3)
        raise RuntimeError("the source broke")

    (tmp_path / "s.csv").write_text("old")
    with pytest.raises(RuntimeError):
        write_flow_stream(tmp_path / "s.csv", broken())
    assert (tmp_path / "s.csv").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["s.csv"]
