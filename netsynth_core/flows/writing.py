"""Flow tables that are too long for memory, written as they come: CSV (plain or gzip) and Parquet.

The same cells as `write_flow_table` writes, piece after piece; the file is whole or not there. Columns that files hold
only where something is set are left out: what is streamed is made, and none of it is set.
"""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.files import atomic_path
from netsynth_core.flows.parquet import TIMES, arrow_table
from netsynth_core.flows.table import COLUMNS, SPARSE, UNSET_PORT, FlowTable
from netsynth_core.units import NS_PER_S

_NAMES = tuple(name for name in COLUMNS if name not in SPARSE)
_QUOTED = (",", '"', "\n", "\r")
"""What makes a cell need quotes (RFC 4180, section 2)."""


def write_flow_stream(path: str | Path, tables: Iterable[FlowTable]) -> int:
    """Write tables one after the other: Parquet for ``.parquet``, gzip CSV for ``.gz``, CSV otherwise.

    Returns
    -------
    int
        Rows written.
    """
    target = Path(path)
    with atomic_path(target) as temporary:
        if target.suffix == ".parquet":
            return _write_parquet(temporary, tables)
        with _opened(temporary, packed=target.suffix == ".gz") as handle:
            return _write_csv(handle, tables)


@contextmanager
def _opened(path: Path, *, packed: bool) -> Iterator[Any]:
    with path.open("wb") as plain:
        if not packed:
            yield plain
            return
        # no name and no time in the header: equal tables give equal bytes
        with gzip.GzipFile(filename="", mode="wb", fileobj=plain, compresslevel=6, mtime=0) as handle:
            yield handle


def _write_csv(handle: Any, tables: Iterable[FlowTable]) -> int:
    import pyarrow as pa
    import pyarrow.csv as pc

    handle.write((",".join(_NAMES) + "\n").encode())
    options = pc.WriteOptions(include_header=False, quoting_style="none")
    rows = 0
    for table in tables:
        cells = pa.table({name: _cells(name, table.frame[name]) for name in _NAMES})
        if _needs_quotes(cells):
            # rare: Arrow can quote all texts or none
            text = cells.to_pandas().to_csv(index=False, header=False, lineterminator="\n")
            handle.write(text.encode("utf-8"))
        elif len(table):
            pc.write_csv(cells, handle, options)
        rows += len(table)
    return rows


def _cells(name: str, values: "pd.Series[Any]") -> Any:
    """A column as Arrow texts or numbers."""
    import pyarrow as pa

    if name in TIMES:
        return seconds_texts(values.to_numpy(np.int64))
    if name == "src_port":
        texts = values.astype("str").where(values != UNSET_PORT, "")
        return pa.Array.from_pandas(texts) if (values == UNSET_PORT).any() else pa.Array.from_pandas(values)
    return pa.Array.from_pandas(values)


def _needs_quotes(cells: Any) -> bool:
    import pyarrow.compute as pc

    named = ("proto", "src_ip", "dst_ip", "flags", "service", "state", "label")
    distinct = [text for name in named for text in pc.unique(cells[name]).to_pylist()]
    return any(mark in text for text in distinct for mark in _QUOTED)


def seconds_texts(ns: NDArray[np.int64]) -> Any:
    """Decimal seconds of nanoseconds as Arrow texts: exact, at least 3 and at most 9 decimals."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole, rest = np.divmod(np.abs(ns), NS_PER_S)
    digits = pc.utf8_slice_codeunits(pc.cast(pa.array(rest + NS_PER_S), pa.string()), 1, 10)
    fraction = pc.utf8_rpad(pc.utf8_rtrim(digits, "0"), 3, "0")
    text = pc.binary_join_element_wise(pc.cast(pa.array(whole), pa.string()), fraction, ".")
    if not bool((ns < 0).any()):
        return text
    return pc.if_else(pa.array(ns < 0), pc.binary_join_element_wise("-", text, ""), text)


def _write_parquet(path: Path, tables: Iterable[FlowTable]) -> int:
    import pyarrow.parquet as pq

    rows, writer = 0, None
    try:
        for table in tables:
            made = arrow_table(table.frame[list(_NAMES)])
            if writer is None:
                writer = pq.ParquetWriter(path, made.schema)
            writer.write_table(made)
            rows += len(table)
        if writer is None:
            empty = pd.DataFrame({name: pd.Series(dtype=COLUMNS[name][0]) for name in _NAMES})
            pq.write_table(arrow_table(empty), path)
    finally:
        if writer is not None:
            writer.close()
    return rows
