"""Any table of flows through a mapping: which of its columns is which of ours, and in which units its times are.

`propose_mapping` guesses one from the names and some values; a person corrects it; `read_mapped` reads with it. A
mapping is a value that is saved as JSON and given back.

>>> proposal = propose_mapping(["start", "src", "dst"], [["1700000000.5", "10.0.0.1", "10.0.0.2"]])
>>> proposal.columns["ts"], proposal.ts_unit
('start', 's')
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from netsynth_core.errors import SchemaError
from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.guessing import (
    FIELDS,
    Column,
    TimeUnit,
    guess_columns,
    guess_duration_unit,
    guess_time_unit,
    is_one_directional,
    is_value,
)
from netsynth_core.flows.logs.layout import DELIMITERS
from netsynth_core.flows.logs.text import Text, load_text, split_line
from netsynth_core.params import problem_of

__all__ = [
    "FIELDS",
    "REQUIRED",
    "Mapping",
    "Table",
    "TimeUnit",
    "checked_mapping",
    "guess_columns",
    "guess_time_unit",
    "head_of",
    "propose_mapping",
    "read_head",
    "read_mapping",
    "skeleton",
    "sniff_delimiter",
]

REQUIRED: Final = ("ts", "src_ip", "dst_ip")
"""What a mapping must name; without `proto` every flow is taken as TCP."""


class Mapping(BaseModel):
    """How a table is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, Column] = Field(
        description="Our name (a key of FIELDS) -> the table's own name of the column, or several names, of which the "
        "first whose cell is not empty counts."
    )
    ts_unit: TimeUnit = Field("s", description="Unit of ts and end.")
    duration_unit: cells.Unit = Field("s", description="Unit of duration.")
    delimiter: Literal[",", ";", "\t", "|"] = Field(",", description="What stands between cells.")
    header: bool = Field(True, description="Whether the first line holds names; otherwise they are '1', '2', ...")
    one_directional: bool = Field(
        False, description="Whether rows are records of one direction, to be merged by reversed key."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = [name for name in self.columns if name not in FIELDS]
        if unknown:
            raise SchemaError(
                f"There is no column {unknown[0]!r} to map to.", hint=f"The columns are: {', '.join(FIELDS)}."
            )
        missing = [name for name in REQUIRED if not self.names_of(name)]
        if missing:
            raise SchemaError(
                f"The mapping names no column for {missing[0]!r} ({FIELDS[missing[0]]}).",
                hint=f"{', '.join(REQUIRED)} are always needed.",
            )
        return self

    def names_of(self, ours: str) -> tuple[str, ...]:
        """The table's columns behind one of ours; none where it has none."""
        theirs = self.columns.get(ours, ())
        return tuple(name for name in ((theirs,) if isinstance(theirs, str) else theirs) if name)


@dataclass(frozen=True)
class Table:
    """The head of a delimited table, for showing it and proposing a mapping."""

    header: tuple[str, ...]
    """Names of the columns; ``1``, ``2``, ... where the first line holds values."""
    rows: tuple[tuple[str, ...], ...]
    """The first rows that have as many cells."""
    delimiter: str
    has_header: bool
    line: int = 0
    """0-based line of the header."""


def read_head(path: str | Path, *, rows: int = 50) -> Table:
    """The head of a delimited text table (plain, gzip or Zstandard).

    Raises
    ------
    SchemaError
        When no delimiter (comma, semicolon, tab, bar) splits its lines alike.
    StorageError, UnknownFormat
        When it cannot be read.
    """
    return head_of(load_text(path), rows=rows)


def head_of(text: Text, *, rows: int = 50, delimiter: str | None = None, has_header: bool | None = None) -> Table:
    """`read_head` of a text that is loaded; what is known of it is given."""
    numbers = [k for k in range(min(len(text), rows + 20)) if text.line(k).strip()][: rows + 1]
    lines = [text.line(k) for k in numbers]
    if lines and not split_line(lines[0]):
        raise SchemaError(
            f"{text.path} is no table: its first line has {len(lines[0])} characters, too long for a header or a flow.",
            hint="Give a table of flows with a header, or a log of one of the known tools.",
        )
    mark = delimiter or sniff_delimiter(lines)
    if mark is None or not lines:
        raise SchemaError(
            f"{text.path} is no table: no comma, semicolon, tab or bar splits its lines into at least three cells.",
            hint="Give a table of flows with a header, or a log of one of the known tools.",
        )
    split = [tuple(cell.strip() for cell in split_line(line, mark)) for line in lines]
    width = len(split[0])
    named = has_header if has_header is not None else not any(is_value(cell) for cell in split[0])
    names = split[0] if named else tuple(map(str, range(1, width + 1)))
    body = tuple(row for row in split[named:] if len(row) == width)[:rows]
    return Table(names, body, mark, named, numbers[0])


def sniff_delimiter(lines: Sequence[str]) -> str | None:
    """The delimiter that splits most lines into the same number of cells, at least three; None when there is none."""
    best: tuple[float, str] | None = None
    for delimiter in DELIMITERS:
        widths = [len(split_line(line, delimiter)) for line in lines]
        if not widths or widths[0] < 3:
            continue
        alike = sum(width == widths[0] for width in widths) / len(widths)
        if alike >= 0.5 and (best is None or alike * widths[0] > best[0]):
            best = (alike * widths[0], delimiter)
    return best[1] if best else None


def propose_mapping(
    header: Sequence[str], sample_rows: Sequence[Sequence[str]], *, delimiter: str = ",", has_header: bool = True
) -> Mapping:
    """Guess which column is which, from the names and, where these do not say, from the values.

    Parameters
    ----------
    header
        Names of the columns.
    sample_rows
        Some rows, each as long as the header.

    Returns
    -------
    Mapping
        With every column that could be told.

    Raises
    ------
    SchemaError
        When start or addresses are not found; the message names what is missing.
    """
    columns = guess_columns(header, sample_rows)
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise SchemaError(
            f"No column of {', '.join(map(repr, header))} looks like {' or '.join(FIELDS[m] for m in missing)}.",
            hint="Write a mapping by hand: a JSON object with columns (ours to theirs); "
            f"{', '.join(REQUIRED)} are always needed.",
        )
    held = {name: _held(header, sample_rows, column) for name, column in columns.items()}
    duration = columns.get("duration", "")
    return Mapping(
        columns=columns,
        ts_unit=guess_time_unit(held["ts"]),
        duration_unit=guess_duration_unit(str(duration), held.get("duration", [])),
        delimiter=delimiter,
        header=has_header,
        one_directional=is_one_directional(columns, header, sample_rows),
    )


def _held(header: Sequence[str], rows: Sequence[Sequence[str]], column: Column) -> list[str]:
    """The cells of a column, or of the first of several."""
    place = list(header).index(column if isinstance(column, str) else column[0])
    return [row[place] for row in rows]


def skeleton(table: Table) -> dict[str, object]:
    """A mapping to be filled in by hand, with what could be told of a table; what is needed and missing is empty."""
    columns = guess_columns(table.header, table.rows)
    return {
        "columns": dict.fromkeys(REQUIRED, "") | dict(columns),
        "ts_unit": guess_time_unit(_held(table.header, table.rows, columns["ts"])) if "ts" in columns else "s",
        "duration_unit": "s",
        "delimiter": table.delimiter,
        "header": table.has_header,
        "one_directional": False,
    }


def read_mapping(path: str | Path) -> Mapping:
    """A mapping from its JSON file.

    Raises
    ------
    SchemaError
        When it is no mapping; the message says what does not fit.
    """
    text = load_text(path)
    try:
        value = json.loads(text.data[: 1 << 20])
    except (ValueError, RecursionError) as error:
        raise SchemaError(
            f"{path} is no JSON: {error}.", hint="Print a mapping with netsynth flows --show-mapping."
        ) from error
    return checked_mapping(value, where=str(path))


def checked_mapping(value: object, *, where: str = "The mapping") -> Mapping:
    """A mapping from the object that JSON holds.

    Raises
    ------
    SchemaError
        When it is no mapping; the message says what does not fit.
    """
    try:
        return Mapping.model_validate(value)
    except ValidationError as error:
        said, hint = problem_of(error)
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise SchemaError(
            f"{where} is no mapping: {place + ': ' if place else ''}{said}.",
            hint=hint or "Print one with netsynth flows --show-mapping and correct that.",
        ) from error
