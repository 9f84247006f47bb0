"""Logs of one JSON object a line: all at once where every line is as expected, else line by line."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json
from numpy.typing import NDArray

from netsynth_core.flows.logs.report import NO_RECORD, Tally
from netsynth_core.flows.logs.text import Sheet, Text


def read_typed(text: Text, schema: pa.Schema, rows: int) -> pa.Table | None:
    """The objects as a table of the schema's fields; None when one of the `rows` lines is not of these types."""
    try:
        table = pa_json.read_json(
            pa.BufferReader(text.data),
            read_options=pa_json.ReadOptions(use_threads=False, block_size=8 << 20),
            parse_options=pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowException:
        return None
    return table if table.num_rows == rows else None


def read_any(
    text: Text,
    lines: NDArray[np.int64],
    names: Sequence[str],
    value: Callable[[dict[str, Any], str], object],
    tally: Tally,
) -> Sheet:
    """The objects whatever their types, line by line; what is no object is counted and left out.

    Parameters
    ----------
    lines
        Numbers (0-based) of the lines.
    names
        Columns of the sheet.
    value
        What an object has for a column.
    """
    held: dict[str, list[str]] = {name: [] for name in names}
    good = np.ones(len(lines), bool)
    for k, line in enumerate(lines.tolist()):
        try:
            found = json.loads(text.line(line))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            good[k] = False
            continue
        for name in names:
            held[name].append(_as_text(value(found, name)))
    tally.add(NO_RECORD, text.places[lines[~good]])
    columns = {name: pa.array(values, pa.large_string()) for name, values in held.items()}
    return Sheet(columns, text.places[lines[good]])


def _as_text(value: object) -> str:
    """A JSON value as a cell."""
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, float):
        return f"{value:.6f}"
    # a surrogate half, which JSON can spell, is no text
    return str(value).encode("utf-8", errors="replace").decode("utf-8")
