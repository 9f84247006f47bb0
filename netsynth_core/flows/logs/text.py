"""Logs as cells: a text file (plain, gzip or Zstandard) becomes columns of texts that know their lines.

Whole columns are parsed at once; a line that does not fit is counted and left out, whatever it holds.
"""

import codecs
import csv
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from netsynth_core.capture.unpack import UNPACK_RATIO
from netsynth_core.errors import UnknownFormat
from netsynth_core.files import require_file
from netsynth_core.flows.logs.report import CELLS, LONG, QUOTES, Tally
from netsynth_core.units import format_bytes

SIZE_LIMIT: Final = 4 << 30
"""Most bytes of a log, unpacked."""
UNPACK_FREE: Final = 64 << 20
"""From so many bytes on a packed log may unpack to `UNPACK_RATIO` times its own size: logs do not, a trap does."""
LINES_FREE: Final = 1 << 20
SHORTEST: Final = 8
"""Beyond `LINES_FREE` lines the mean line has so many bytes at least: a flow cannot be told in fewer."""
LINE_LIMIT: Final = 256 << 10
"""Longer lines are left out."""

HEAD: Final = 1 << 16
"""Bytes that are looked at to tell what a file is."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_CHUNK: Final = 4 << 20
_PIECE: Final = 1 << 19
_QUOTE: Final = ord('"')


@dataclass(frozen=True, eq=False)
class Text:
    """A text file in memory, UTF-8 with plain line ends. Its lines are those that are not empty."""

    path: Path
    data: bytes
    start: NDArray[np.int64]
    """Where each line starts."""
    end: NDArray[np.int64]
    """Where it ends, line end not counted; beyond its start."""
    places: NDArray[np.int64]
    """1-based place of each line in the file, empty ones counted."""
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.start)

    def line(self, number: int) -> str:
        """The text of a line (0-based among those that are not empty)."""
        return self.data[self.start[number] : self.end[number]].decode("utf-8", errors="replace")

    def firsts(self) -> NDArray[np.uint8]:
        """The first byte of each line."""
        return np.frombuffer(self.data, np.uint8)[self.start]


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
        When it has more than `SIZE_LIMIT` bytes, unpacks to more than logs do, is mere line ends, or packed data hold
        nothing.
    """
    target = require_file(path)
    data, notes = _unpacked(target)
    return _text_of(target, data, notes)


def _text_of(target: Path, data: bytes, notes: tuple[str, ...]) -> Text:
    """Lines of bytes, whatever their encoding and line ends."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", errors="replace").encode("utf-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not _is_utf8(data):
        data = data.decode("cp1252", errors="replace").encode("utf-8")
        notes = (*notes, "The log is no UTF-8 text; it was read as Windows-1252.")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b" " if b"\n" in data else b"\n")
    return Text(target, data, *_lines_of(target, data), notes)


def _is_utf8(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    try:
        for at in range(0, len(data), _PIECE):
            decoder.decode(view[at : at + _PIECE], at + _PIECE >= len(data))
    except UnicodeDecodeError:
        return False
    return True


def _lines_of(target: Path, data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Start, end and place of each line that is not empty."""
    raw = np.frombuffer(data, np.uint8)
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
    begin = before = kept = 0
    for at in range(0, len(data), _PIECE):
        ends = np.flatnonzero(raw[at : at + _PIECE] == 10).astype(np.int64) + at
        if at + _PIECE >= len(data) and raw[-1] != 10:
            ends = np.append(ends, len(data))
        if not len(ends):
            continue
        starts = np.append(begin, ends[:-1] + 1)
        filled = np.flatnonzero(ends > starts)
        parts.append((starts[filled], ends[filled], filled + before + 1))
        begin, before, kept = int(ends[-1]) + 1, before + len(ends), kept + len(filled)
        if kept > max(LINES_FREE, min(at + _PIECE, len(data)) // SHORTEST):
            raise UnknownFormat(
                f"{target} is no log of flows: its lines have less than {SHORTEST} bytes on average.",
                hint="Give a log with one flow a line.",
            )
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    start, end, places = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return start, end, places


def _unpacked(target: Path) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of a file, unpacked."""
    packed = target.stat().st_size
    with target.open("rb") as handle:
        head = handle.read(4)
        handle.seek(0)
        if head[:2] != _GZIP and head != _ZSTD:
            if packed > SIZE_LIMIT:
                raise UnknownFormat(
                    f"{target} has {format_bytes(packed)}; logs are read up to {format_bytes(SIZE_LIMIT)}.",
                    hint="Split the log.",
                )
            return handle.read(), ()
        data, problem = bytearray(), ""
        most = min(SIZE_LIMIT, max(UNPACK_FREE, UNPACK_RATIO * packed))
        try:
            for part in _gunzip(handle) if head[:2] == _GZIP else _unzstd(handle):
                data += part
                if len(data) > most:
                    break
        except (OSError, EOFError, zlib.error) as error:
            problem = str(error)
    if len(data) > most:
        raise UnknownFormat(
            f"{target} ({format_bytes(packed)}) unpacks to more than {format_bytes(most)}.",
            hint="Split the log, or unpack it with gunzip or zstd -d if it is sound.",
        )
    if problem and not data:
        raise UnknownFormat(f"{target} is damaged packed data: {problem}.", hint="Copy or pack it again.")
    note = f"The packed data end too early or are damaged ({problem}); what could be unpacked was read."
    return bytes(data), (note,) if problem else ()


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


def split_line(line: str, delimiter: str = ",", *, quoted: bool = True) -> list[str]:
    """The cells of a line; none where it is longer than `LINE_LIMIT`, or has a cell longer than Python's csv takes."""
    if len(line) > LINE_LIMIT:
        return []
    style: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    try:
        return next(csv.reader([line], delimiter=delimiter, quoting=style), [])
    except csv.Error:
        return []


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
        return Sheet({name: pa.array([], pa.large_string()) for name in kept}, text.places[rows])
    parsed = _parse(_body(text, rows), len(names), delimiter, quoted, list(places.values()), len(rows))
    if parsed is None:
        parsed = _parse_slowly(text, rows, len(names), delimiter, quoted, list(places.values()))
    table, bad = parsed
    tally.add(CELLS, text.places[rows[bad]])
    good = np.ones(len(rows), bool)
    good[bad] = False
    return Sheet({name: _whole(table[place]) for name, place in places.items()}, text.places[rows[good]])


def _refuse(
    text: Text, rows: NDArray[np.int64], tally: Tally, reason: str, bad: NDArray[np.bool_]
) -> NDArray[np.int64]:
    if not bad.any():
        return rows
    tally.add(reason, text.places[rows[bad]])
    return rows[~bad]


def _body(text: Text, rows: NDArray[np.int64]) -> Any:
    """The bytes of these lines; not copied where they follow one another."""
    view = memoryview(text.data)
    breaks = np.flatnonzero(text.start[rows[1:]] != text.end[rows[:-1]] + 1)
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
    chosen = [int(place[1:]) for place in places]
    cells: list[list[str]] = []
    bad: list[int] = []
    for k, row in enumerate(rows.tolist()):
        found = split_line(text.line(row), delimiter, quoted=quoted)
        if len(found) == width:
            cells.append([found[place] for place in chosen])
        else:
            bad.append(k)
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
    text = _text_of(target, data, ())
    if len(data) < HEAD or len(text) < 2 or data.endswith(b"\n"):
        return text
    return Text(target, text.data, text.start[:-1], text.end[:-1], text.places[:-1], ())
