"""Logs as cells: a text file (plain, gzip or Zstandard) becomes columns of texts that know their lines.

Whole columns are parsed at once; a line that does not fit is counted and left out, whatever it holds.
"""

import csv
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from netsynth_core.errors import UnknownFormat
from netsynth_core.files import require_file
from netsynth_core.flows.logs.report import CELLS, LONG, QUOTES, Tally

UNPACKED_LIMIT: Final = 4 << 30
"""Most bytes a packed log may unpack to."""
LINE_LIMIT: Final = 256 << 10
"""Longer lines are left out."""

HEAD: Final = 1 << 16
"""Bytes that are looked at to tell what a file is."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_CHUNK: Final = 4 << 20
_QUOTE: Final = ord('"')


@dataclass(frozen=True, eq=False)
class Text:
    """A text file in memory, UTF-8 with plain line ends."""

    path: Path
    data: bytes
    start: NDArray[np.int64]
    """Where each line starts."""
    end: NDArray[np.int64]
    """Where it ends, line end not counted."""
    notes: tuple[str, ...]

    def line(self, number: int) -> str:
        """The text of a line (0-based)."""
        return self.data[self.start[number] : self.end[number]].decode("utf-8", errors="replace")

    def firsts(self) -> NDArray[np.uint8]:
        """The first byte of each line, 0 for an empty one."""
        raw = np.frombuffer(self.data, np.uint8)
        filled = self.end > self.start
        found = np.zeros(len(self.start), np.uint8)
        found[filled] = raw[self.start[filled]]
        return found


@dataclass(frozen=True, eq=False)
class Sheet:
    """Cells of a log: columns of equal length."""

    columns: dict[str, Any]
    """Name -> pyarrow array of large strings."""
    lines: NDArray[np.int64]
    """1-based line of each row."""

    def __len__(self) -> int:
        return len(self.lines)

    def has(self, *names: str) -> bool:
        """Whether all of these columns are there."""
        return all(name in self.columns for name in names)

    def get(self, name: str, default: str = "") -> Any:
        """A column, or one of the default where there is none."""
        if name in self.columns:
            return self.columns[name]
        return pa.array([default], pa.large_string()).take(pa.array(np.zeros(len(self), np.int64)))


def load_text(path: str | Path) -> Text:
    """Read a text file whole.

    Bytes that are no UTF-8 are read as Windows-1252 (as logs saved by spreadsheets are); UTF-16 with a mark is known
    by the mark. Packed data that end too early give what they held. Each of these is noted.

    Raises
    ------
    StorageError
        When the file cannot be read.
    UnknownFormat
        When it unpacks to more than `UNPACKED_LIMIT` bytes, or packed data hold nothing.
    """
    target = require_file(path)
    data, notes = _unpacked(target)
    return _text_of(target, data, notes)


def _text_of(target: Path, data: bytes, notes: tuple[str, ...]) -> Text:
    """Lines of bytes, whatever their encoding and line ends."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", errors="replace").encode("utf-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data = data.decode("cp1252", errors="replace").encode("utf-8")
        notes = (*notes, "The log is no UTF-8 text; it was read as Windows-1252.")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b" " if b"\n" in data else b"\n")
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10).astype(np.int64)
    if data and not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1]) if len(ends) else ends
    return Text(target, data, starts, ends, notes)


def _unpacked(target: Path) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of a file, unpacked."""
    with target.open("rb") as handle:
        head = handle.read(4)
        handle.seek(0)
        if head[:2] != _GZIP and head != _ZSTD:
            return handle.read(), ()
        parts, size, problem = [], 0, ""
        try:
            for part in _gunzip(handle) if head[:2] == _GZIP else _unzstd(handle):
                parts.append(part)
                size += len(part)
                if size > UNPACKED_LIMIT:
                    break
        except (OSError, EOFError, zlib.error) as error:
            problem = str(error)
    if size > UNPACKED_LIMIT:
        raise UnknownFormat(f"{target} unpacks to more than {UNPACKED_LIMIT >> 30} GiB.", hint="Split the log.")
    if problem and not size:
        raise UnknownFormat(f"{target} is damaged packed data: {problem}.", hint="Copy or pack it again.")
    note = f"The packed data end too early or are damaged ({problem}); what could be unpacked was read."
    return b"".join(parts), (note,) if problem else ()


def _gunzip(handle: BinaryIO, chunk: int = _CHUNK) -> Iterator[bytes]:
    """The unpacked parts of gzip data, member after member; damage raises after what came before it."""
    unpack = zlib.decompressobj(wbits=31)
    while packed := handle.read(chunk):
        while packed:
            if unpack.eof:
                # some writers pad the last member with zeros
                packed = packed.lstrip(b"\0")
                unpack = zlib.decompressobj(wbits=31) if packed else unpack
                continue
            part = unpack.decompress(packed, chunk)
            packed = unpack.unconsumed_tail or unpack.unused_data
            if part:
                yield part
    yield unpack.flush()
    if not unpack.eof:
        raise EOFError("the end is missing")


def _unzstd(handle: BinaryIO) -> Iterator[bytes]:
    """The unpacked parts of Zstandard data."""
    stream = pa.CompressedInputStream(handle, "zstd")
    while part := bytes(stream.read(HEAD)):
        yield part


def read_sheet(
    text: Text,
    rows: NDArray[np.int64],
    names: Sequence[str],
    tally: Tally,
    *,
    delimiter: str = ",",
    quoted: bool = True,
    wanted: Sequence[str] | None = None,
) -> Sheet:
    """Split lines into cells.

    Parameters
    ----------
    text, rows
        The file and the numbers (0-based) of the lines that are rows.
    names
        A name for each cell; of two equal ones the first counts.
    tally
        Where lines that have another number of cells, or are otherwise broken, are counted.
    quoted
        Whether cells may stand in double quotes (RFC 4180), which then may not hold line ends.
    wanted
        Columns to keep; all by default.
    """
    rows = _refuse(text, rows, tally, LONG, text.end[rows] - text.start[rows] > LINE_LIMIT)
    if quoted and b'"' in text.data:
        marks = np.flatnonzero(np.frombuffer(text.data, np.uint8) == _QUOTE)
        counts = np.bincount(np.searchsorted(text.start, marks, side="right") - 1, minlength=len(text.start))
        rows = _refuse(text, rows, tally, QUOTES, counts[rows] % 2 == 1)
    kept = [name for name in dict.fromkeys(names) if wanted is None or name in wanted]
    places = {name: f"c{list(names).index(name)}" for name in kept}
    if not len(rows):
        return Sheet({name: pa.array([], pa.large_string()) for name in kept}, rows + 1)
    parsed = _parse(_body(text, rows), len(names), delimiter, quoted, list(places.values()), len(rows))
    if parsed is None:
        parsed = _parse_slowly(text, rows, len(names), delimiter, quoted, list(places.values()))
    table, bad = parsed
    tally.add(CELLS, rows[bad] + 1)
    good = np.ones(len(rows), bool)
    good[bad] = False
    return Sheet({name: _whole(table[place]) for name, place in places.items()}, rows[good] + 1)


def _refuse(
    text: Text, rows: NDArray[np.int64], tally: Tally, reason: str, bad: NDArray[np.bool_]
) -> NDArray[np.int64]:
    if not bad.any():
        return rows
    tally.add(reason, rows[bad] + 1)
    return rows[~bad]


def _body(text: Text, rows: NDArray[np.int64]) -> Any:
    """The bytes of these lines; not copied where they follow one another."""
    view = memoryview(text.data)
    breaks = np.flatnonzero(np.diff(rows) != 1)
    first, last = rows[np.append(0, breaks + 1)], rows[np.append(breaks, len(rows) - 1)]
    if len(first) == 1:
        return pa.py_buffer(view[int(text.start[first[0]]) : int(text.end[last[0]])])
    return pa.py_buffer(
        b"\n".join(view[int(a) : int(b)] for a, b in zip(text.start[first], text.end[last], strict=True))
    )


def _parse(
    body: Any, width: int, delimiter: str, quoted: bool, places: list[str], expected: int
) -> tuple[Any, NDArray[np.int64]] | None:
    """Columns and the numbers of the rows with another width; None when the parser lost count of the lines."""
    bad: list[int] = []

    def odd(row: Any) -> str:
        bad.append(row.number - 1)
        return "skip"

    try:
        table = pa_csv.read_csv(
            body,
            read_options=pa_csv.ReadOptions(
                use_threads=False, column_names=[f"c{k}" for k in range(width)], block_size=8 << 20
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter,
                quote_char='"' if quoted else False,
                invalid_row_handler=odd,
                ignore_empty_lines=False,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys((f"c{k}" for k in range(width)), pa.large_string()),
                strings_can_be_null=False,
                include_columns=places,
            ),
        )
    except pa.ArrowException:
        return None
    if table.num_rows + len(bad) != expected:
        return None
    return table, np.array(bad, np.int64)


def _parse_slowly(
    text: Text, rows: NDArray[np.int64], width: int, delimiter: str, quoted: bool, places: list[str]
) -> tuple[Any, NDArray[np.int64]]:
    """`_parse` line by line, for files that the column parser gives up on."""
    limit = csv.field_size_limit(LINE_LIMIT * 2)
    chosen = [int(place[1:]) for place in places]
    cells: list[list[str]] = []
    bad: list[int] = []
    try:
        for k, row in enumerate(rows.tolist()):
            try:
                found = next(
                    csv.reader(
                        [text.line(row)], delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
                    ),
                    [],
                )
            except csv.Error:
                found = []
            if len(found) == width:
                cells.append([found[place] for place in chosen])
            else:
                bad.append(k)
    finally:
        csv.field_size_limit(limit)
    columns = {place: pa.array([row[k] for row in cells], pa.large_string()) for k, place in enumerate(places)}
    return pa.table(columns), np.array(bad, np.int64)


def _whole(column: Any) -> Any:
    """One array of a chunked one."""
    whole = column.combine_chunks()
    return whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole


def load_head(path: str | Path) -> Text:
    """The whole lines at the beginning of a text file, unpacked: enough to tell what it is."""
    target = require_file(path)
    with target.open("rb") as handle:
        head = handle.read(4)
        handle.seek(0)
        if head[:2] != _GZIP and head != _ZSTD:
            data = handle.read(HEAD)
        else:
            data = b""
            with suppress(OSError, EOFError, zlib.error):
                for part in _gunzip(handle, HEAD) if head[:2] == _GZIP else _unzstd(handle):
                    data += part
                    if len(data) >= HEAD:
                        break
            data = data[:HEAD]
    whole = len(data) < HEAD
    text = _text_of(target, data, ())
    if whole or len(text.start) < 2:
        return text
    return Text(target, text.data, text.start[:-1], text.end[:-1], ())
