"""Event logs as words: tables with a case, an event and perhaps a time on each row, or one sequence of events a line.

Rows of one case become one word, in the order of their times (of the file, where there are none); the delay of an event
is the time since the one before. Names of events lose what words cannot hold (spaces, colons, ``$``) and stay distinct.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from netsynth_core.capture.unpack import load_bytes
from netsynth_core.errors import NotEnoughData, SchemaError, UnknownFormat
from netsynth_core.files import require_file
from netsynth_core.flows.words import Words
from netsynth_core.flows.words_io import looks_like_words, parse_words
from netsynth_core.units import count

CASE_NAMES: Final = (
    *("case_id", "caseid", "case", "case_concept_name", "sequence_id", "sequence", "trace_id", "trace", "session_id"),
    *("session", "block_id", "blockid", "block", "request_id", "instance", "id"),
)
"""Names of columns that hold the case, the likeliest first; written as `_plain` writes them."""
EVENT_NAMES: Final = (
    *("event_id", "eventid", "event", "activity", "concept_name", "event_template", "event_name", "template"),
    *("action", "symbol", "message", "type", "name"),
)
TIME_NAMES: Final = (
    *("timestamp", "time_timestamp", "time", "ts", "datetime", "date", "complete_timestamp", "start_time", "start"),
)
MOST_EVENTS: Final = 20_000_000
MOST_NAME: Final = 200
_FORM: Final = "Give a table with a header, or one sequence of events a line; a table needs columns for case and event."
_DELIMITERS: Final = ",;\t|"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T]+(\d{1,2}:\d{2}.*))?")


@dataclass(frozen=True, eq=False)
class EventLog:
    """The words of an event log, and what they are called."""

    words: Words
    cases: tuple[str, ...]
    """Name of each word: its case, or the line it stands on."""
    columns: dict[str, str]
    """Which column was taken for case, event and time; empty for one sequence a line."""
    notes: tuple[str, ...] = ()
    """What a person should know about how it was read."""


def read_event_log(path: str | Path, *, case: str = "", event: str = "", time: str = "") -> EventLog:
    """Read an event log, plain or compressed.

    Parameters
    ----------
    case, event, time
        Names of the columns; empty = told by their names. ``time="-"`` leaves times out.

    Raises
    ------
    SchemaError
        When a column is not there, or a cell does not hold what it needs; the message names the line.
    NotEnoughData
        When it holds no event.
    UnknownFormat
        When it is no text.
    StorageError
        When it cannot be read.
    """
    target = require_file(path)
    raw, _ = load_bytes(target)
    held = raw.tobytes()
    try:
        # What spreadsheets call "Unicode text" begins with the mark of UTF-16.
        text = held.decode("utf-16" if held.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnknownFormat(
            f"{target} is no UTF-8 text: {error.reason} at byte {error.start}.",
            hint="Choose an event log; a spreadsheet saves one as CSV UTF-8.",
        ) from error
    if "\0" in text[:4096]:
        raise UnknownFormat(f"{target} is no text.", hint="Choose an event log.")
    log = parse_event_log(text, name=target.name, case=case, event=event, time=time)
    stem = target.name.split(".")[0]
    service = "".join(c if c.isalnum() or c in "-_" else "-" for c in stem) or "log"
    return replace(log, words=replace(log.words, service=log.words.service or service))


def parse_event_log(text: str, *, name: str = "log", case: str = "", event: str = "", time: str = "") -> EventLog:
    """The words of a text; see `read_event_log`."""
    head = text.split("\n", 1)[0].rstrip("\r")
    asked = bool(case or event or time)
    header = _header(head)
    if not asked and (looks_like_words(head) or not _is_table(header)):
        if len(header) >= 2 and not any(symbol in head for symbol in " \t"):
            raise _lacking(header, name)
        return _sequences(text, name)
    columns = {
        "case": _column(header, case, CASE_NAMES, name, "case"),
        "event": _column(header, event, EVENT_NAMES, name, "event"),
    }
    wanted = "" if time == "-" else _column(header, time, TIME_NAMES, name, "time")
    if wanted:
        columns["time"] = wanted
    return _grouped(text, name, header, columns)


def looks_like_event_log(head: str) -> bool:
    """Whether a text begins with the header of an event log that can be read without being told its columns."""
    return _is_table(_header(head.split("\n", 1)[0].rstrip("\r")))


def refuse_unnamed(head: str, name: str) -> None:
    """See that a text whose header names some of case, event and time names enough of them.

    Raises
    ------
    SchemaError
        When its columns do not tell which holds the case, or the event; the message names what is missing.
    """
    line = head.split("\n", 1)[0].rstrip("\r")
    header = _header(line)
    known = {*CASE_NAMES, *EVENT_NAMES, *TIME_NAMES}
    told = sum(_plain(column) in known for column in header)
    if len(header) >= 2 and told and not looks_like_words(head) and not _is_table(header) and " " not in line:
        raise _lacking(header, name)


def _lacking(header: list[str], name: str) -> SchemaError:
    plain = {_plain(column) for column in header}
    lacking = [role for role, known in (("case", CASE_NAMES), ("event", EVENT_NAMES)) if not plain & set(known)]
    return SchemaError(
        f"{name}: none of the columns {_listed(header)} is known to hold the {' or the '.join(lacking)}.",
        hint=f"Name the column: {' '.join(f'--{role} NAME' for role in lacking)}, or under Columns in the app.",
    )


def _sequences(text: str, name: str) -> EventLog:
    words = parse_words(text, name=name)
    if not len(words.symbols):
        raise NotEnoughData(f"{name} holds no event.", hint=_FORM)
    lines = [i for i, line in enumerate(text.split("\n"), 1) if not line.startswith("#")]
    return EventLog(words, tuple(f"line {i}" for i in lines[: len(words)]), {})


def _grouped(text: str, name: str, header: list[str], columns: dict[str, str]) -> EventLog:
    places = {role: header.index(column) for role, column in columns.items()}
    least = max(places.values()) + 1
    held: dict[str, list[tuple[int, str]]] = {}
    backwards = 0
    zones = [0, 0]
    number_unit: list[int] = []
    for line, row in _rows(text, name):
        if len(row) < least:
            raise SchemaError(f"{name} line {line}: {count(len(row), 'cell')}; {least} are needed.", hint=_FORM)
        key, symbol = row[places["case"]].strip(), row[places["event"]].strip()
        if not key or not symbol:
            role = "case" if not key else "event"
            raise SchemaError(
                f"{name} line {line}: the column {columns[role]!r} is empty.", hint=f"Every row needs its {role}."
            )
        at = _instant(row[places["time"]].strip(), number_unit, f"{name} line {line}") if "time" in places else 0
        if "time" in places:
            zones[_has_zone(row[places["time"]].strip())] += 1
        events = held.setdefault(key, [])
        backwards += bool(events) and at < events[-1][0]
        events.append((at, symbol))
    if not held:
        raise NotEnoughData(f"{name} holds no event.", hint=_FORM)
    names, renamed = _safe_names({symbol for events in held.values() for _, symbol in events})
    words = []
    for events in held.values():
        events.sort(key=lambda item: item[0])
        before = [events[0][0], *(at for at, _ in events)]
        words.append([(names[symbol], (at - b) // 1000) for (at, symbol), b in zip(events, before, strict=False)])
    made = Words.from_lists(words, unit="us" if "time" in places else "")
    return EventLog(made, tuple(key[:MOST_NAME] for key in held), columns, _notes(renamed, backwards, zones, columns))


def _notes(renamed: int, backwards: int, zones: list[int], columns: dict[str, str]) -> tuple[str, ...]:
    notes = [f"Read by the columns {', '.join(f'{column!r} ({role})' for role, column in columns.items())}."]
    if "time" not in columns:
        notes.append("No column of times: events are in the order of the file, without delays.")
    if all(zones):
        notes.append(f"{count(zones[0], 'time')} of {sum(zones)} named no zone: taken for UTC.")
    if backwards:
        notes.append(f"{count(backwards, 'row')} stood after a later one of the same case: sorted by time.")
    if renamed:
        notes.append(f"{count(renamed, 'name')} of events held spaces, colons or $: they became _.")
    return tuple(notes)


def _header(line: str) -> list[str]:
    delimiter = _delimiter(line)
    return [cell.strip() for cell in next(csv.reader([line[:100_000]], delimiter=delimiter), [])]


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Rows below the header with their lines."""
    delimiter = _delimiter(text.split("\n", 1)[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        next(reader, None)
        for number, row in enumerate(reader):
            if number >= MOST_EVENTS:
                raise SchemaError(f"{name} holds more than {MOST_EVENTS} events.", hint="Cut the log into parts.")
            if any(row):
                yield reader.line_num, row
    except csv.Error as error:
        raise SchemaError(f"{name} line {reader.line_num}: {error}.", hint=_FORM) from error


def _plain(name: str) -> str:
    """A column's name as the lists above write it: small letters, anything else as _."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _is_table(header: Sequence[str]) -> bool:
    plain = {_plain(name) for name in header}
    return len(header) >= 2 and bool(plain & set(CASE_NAMES)) and bool(plain & set(EVENT_NAMES))


def _column(header: list[str], asked: str, known: tuple[str, ...], name: str, role: str) -> str:
    """The column of a role; empty when it was not asked for and is none (times only)."""
    if asked:
        if asked not in header:
            raise SchemaError(f"{name} has no column {asked!r}.", hint=f"Its columns are {_listed(header)}.")
        return asked
    plain = {_plain(column): column for column in reversed(header)}
    found = next((plain[candidate] for candidate in known if candidate in plain), "")
    if not found and role != "time":
        raise SchemaError(
            f"{name}: no column is known to hold the {role}; there are {_listed(header)}.",
            hint=f"Name the column: --{role} NAME, or under Columns in the app.",
        )
    return found


def _listed(header: list[str]) -> str:
    return ", ".join(repr(column[:40]) for column in header[:12])


def _instant(cell: str, unit: list[int], where: str) -> int:
    """Nanoseconds of a time: ISO 8601, or a number of seconds, ms, us or ns; the first number says which."""
    try:
        value = float(cell)
    except ValueError:
        return _iso(cell, where)
    if not 0 <= value < 2**63:
        raise SchemaError(f"{where}: {cell[:40]!r} is no time.", hint="Write times as ISO 8601 or as Unix seconds.")
    if not unit:
        unit.append(
            next(scale for scale, least in ((1, 1e17), (10**3, 1e14), (10**6, 1e11), (10**9, -1)) if value > least)
        )
    whole = int(cell) if cell.isascii() and cell.isdigit() else None
    at = whole * unit[0] if whole is not None else round(value * unit[0])
    if at >= 2**63:
        raise SchemaError(f"{where}: {cell[:40]!r} is in another unit than the first.", hint="Use one unit of time.")
    return at


def _moment(cell: str) -> datetime:
    """ISO 8601, with slashes or commas too, or the day first with dots: ``31.12.2024 23:59``."""
    told = _DAY_FIRST.fullmatch(cell)
    if told is not None:
        day, month, year, clock = told.groups(default="00:00")
        cell = f"{year}-{month:0>2}-{day:0>2}T{'0' if clock[1] == ':' else ''}{clock}"
    return datetime.fromisoformat(cell.replace("/", "-").replace(",", "."))


def _has_zone(cell: str) -> bool:
    """Whether an ISO 8601 time names its zone."""
    return re.search(r"(?:[zZ]|\d[+-]\d{2}:?\d{2}|:\d{2}(?:\.\d+)?[+-]\d{2})$", cell) is not None


def _iso(cell: str, where: str) -> int:
    try:
        moment = _moment(cell)
    except ValueError:
        raise SchemaError(
            f"{where}: {cell[:40]!r} is no time.",
            hint="Write times as ISO 8601 (2024-05-01T12:00:00) or Unix seconds, or read without times (--time -, or "
            "- under Columns in the app).",
        ) from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def _safe_names(symbols: set[str]) -> tuple[dict[str, str], int]:
    """A name for each symbol that words can hold, all different; and how many had to be changed."""
    names: dict[str, str] = {}
    taken = {symbol for symbol in symbols if _fits(symbol)}
    for symbol in sorted(symbols):
        safe = symbol
        if symbol not in taken:
            stem = re.sub(r"[\s:$#]+", "_", symbol)[:MOST_NAME].strip("_") or "_"
            safe, k = stem, 2
            while safe in taken:
                safe, k = f"{stem}-{k}", k + 1
            taken.add(safe)
        names[symbol] = safe
    return names, sum(symbol != safe for symbol, safe in names.items())


def _fits(symbol: str) -> bool:
    return len(symbol) <= MOST_NAME and re.search(r"[\s:$#]", symbol) is None
