"""Flow tables as Parquet: the columns of the exchange format, instants and durations as exact decimals of 9 places.

A decimal of seconds is what the CSV writes too, and no other type holds nanoseconds since the epoch in seconds exactly.
Tables of other writers may hold them as floating-point or whole seconds, texts, timestamps or durations.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.errors import SchemaError, UnknownFormat
from netsynth_core.units import NS_PER_S

TIMES: Final = ("ts", "duration")


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write the frame of a flow table."""
    import pyarrow.parquet as pq

    pq.write_table(arrow_table(frame), path)


def arrow_table(frame: pd.DataFrame) -> Any:
    """The frame of a flow table as an Arrow table."""
    import pyarrow as pa

    columns = {}
    for name in frame.columns:
        if name in TIMES:
            words = np.empty((len(frame), 2), np.int64)
            words[:, 0] = frame[name].to_numpy()
            words[:, 1] = words[:, 0] >> 63
            buffers = [None, pa.py_buffer(words.tobytes())]
            columns[name] = pa.Array.from_buffers(pa.decimal128(19, 9), len(frame), buffers)
        else:
            columns[name] = pa.Array.from_pandas(frame[name])
    return pa.table(columns)


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a table; `ts` and `duration` become integer nanoseconds unless they are texts, all else stays as it is.

    Raises
    ------
    UnknownFormat
        When the file is damaged.
    SchemaError
        When a column of times is of a type that holds none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UnknownFormat(f"{path} is a damaged Parquet file: {error}.", hint="Write or copy it again.") from error
    columns = {}
    for name in table.column_names:
        if name.strip().lower() in TIMES:
            columns[name] = _times(path, name, table[name].combine_chunks())
        else:
            columns[name] = table[name].to_pandas()
    return pd.DataFrame(columns)


def _times(path: Path, name: str, column: Any) -> pd.Series:
    """A column of times as integer nanoseconds, or as the texts it holds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pd.Series(column.to_pandas())
    if column.null_count and name.strip().lower() == "ts":
        row = int(np.argmax(pc.is_null(column).to_numpy(zero_copy_only=False)))
        raise SchemaError(
            f"{path} row {row}: column {name!r} is empty; Unix seconds are needed.", hint="Drop the row or fill it in."
        )
    try:
        ns = _nanoseconds(column, kind)
    except (pa.ArrowException, OverflowError) as error:
        raise SchemaError(
            f"{path}: column {name!r} holds a number of seconds beyond what nanoseconds can hold: {error}.",
            hint="Write Unix seconds, as a decimal, a float, or a timestamp.",
        ) from error
    if ns is None:
        raise SchemaError(
            f"{path}: column {name!r} is of type {kind}; seconds are needed.",
            hint="Write Unix seconds, as a decimal, a float, or a timestamp.",
        )
    return pd.Series(ns)


def _nanoseconds(column: Any, kind: Any) -> NDArray[np.int64] | None:
    """Integer nanoseconds of a numeric or temporal column; nulls are 0; None when the type holds no time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        unit = pa.timestamp("ns") if pa.types.is_timestamp(kind) else pa.duration("ns")
        return np.asarray(pc.fill_null(column.cast(unit).cast(pa.int64()), 0))
    if pa.types.is_decimal(kind) or pa.types.is_integer(kind):
        exact = column if pa.types.is_decimal(kind) else column.cast(pa.decimal128(20, 0))
        filled = pc.fill_null(exact.cast(pa.decimal128(38, 9)), 0)
        words = np.frombuffer(filled.buffers()[1], np.int64).reshape(-1, 2)[filled.offset : filled.offset + len(filled)]
        if np.any(words[:, 1] != words[:, 0] >> 63):
            raise OverflowError("beyond the year 2262")
        return np.array(words[:, 0], np.int64)
    if pa.types.is_floating(kind):
        seconds = pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False).astype(np.float64)
        if not np.all(np.abs(seconds) < 2**33):
            raise OverflowError("not finite, or beyond the year 2242")
        whole = np.floor(seconds)
        # seconds since the epoch as a double are exact to a quarter of a microsecond: round to whole microseconds
        micros = np.rint((seconds - whole) * 1e6).astype(np.int64)
        return np.asarray(whole.astype(np.int64) * NS_PER_S + micros * 1000, dtype=np.int64)
    return None
