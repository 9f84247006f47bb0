"""Timed words as text: one word a line, ``symbol:delay`` or ``symbol:delay:size``; event sequences without delays.

The header line ``# netsynth words 1 unit=us service=http state=SF`` is optional; without it delays are integers of an
unknown unit and taken as they are.
"""

from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.unpack import load_bytes
from netsynth_core.errors import NewerDocument, SchemaError, UnknownFormat
from netsynth_core.files import require_file, write_text
from netsynth_core.flows.words import UNITS, Words
from netsynth_core.units import count

VERSION: Final = 1
_HEADER: Final = "# netsynth words "
_FORM: Final = "Write words as symbol:delay or symbol:delay:size, separated by single spaces, one word a line."


def write_words(path: str | Path, words: Words) -> None:
    """Write words with their header; whole or not at all."""
    write_text(path, format_words(words))


def format_words(words: Words) -> str:
    """The text of words, header included."""
    header = f"{_HEADER}{VERSION}"
    for name, value in (("unit", words.unit), ("service", words.service), ("state", words.state)):
        if value:
            header += f" {name}={value}"
    names = [words.alphabet[s] for s in words.symbols.tolist()]
    delays = words.delays.tolist()
    if words.sizes is None:
        items = [f"{n}:{d}" for n, d in zip(names, delays, strict=True)]
    else:
        items = [f"{n}:{d}:{z}" for n, d, z in zip(names, delays, words.sizes.tolist(), strict=True)]
    cuts = words.offsets.tolist()
    lines = [" ".join(items[a:b]) for a, b in pairwise(cuts)]
    return "\n".join([header, *lines]) + "\n"


def read_words(path: str | Path) -> Words:
    """Read a word file or a file of event sequences, plain or gzip.

    Raises
    ------
    SchemaError
        When a line has not the form of words; the message names it.
    UnknownFormat
        When the file is no text.
    NewerDocument
        When its header names a newer version.
    StorageError
        When it cannot be read.
    """
    target = require_file(path)
    raw, _ = load_bytes(target)
    try:
        text = raw.tobytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnknownFormat(
            f"{target} is no UTF-8 text: {error.reason} at byte {error.start}.", hint="Choose a file of timed words."
        ) from error
    return parse_words(text, name=str(target))


def parse_words(text: str, *, name: str = "words") -> Words:
    """The words of a text; `name` is what messages call it.

    An empty line is an empty word. Lines that begin with ``#`` are comments.
    """
    lines = text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    labels = _labels(lines[0].rstrip("\r"), name) if lines and lines[0].startswith(_HEADER) else {}
    numbered = [(i, line.rstrip("\r")) for i, line in enumerate(lines, 1) if not line.startswith("#")]
    items: list[str] = []
    offsets = np.zeros(len(numbered) + 1, np.int64)
    numbers: list[int] = []
    for k, (number, line) in enumerate(numbered):
        parts = line.split()
        items.extend(parts)
        numbers.extend([number] * len(parts))
        offsets[k + 1] = len(items)
    fields = [item.split(":") for item in items]
    width = len(fields[0]) if fields else 2
    if width > 3:
        raise SchemaError(f"{name} line {numbers[0]}: {items[0]!r} has too many colons.", hint=_FORM)
    uneven = next((k for k, parts in enumerate(fields) if len(parts) != width or not parts[0] or "$" in parts[0]), None)
    if uneven is not None:
        raise SchemaError(
            f"{name} line {numbers[uneven]}: {items[uneven]!r} is no item of the form "
            f"{('symbol', 'symbol:delay', 'symbol:delay:size')[width - 1]} that the file begins with.",
            hint=_FORM,
        )
    alphabet = sorted({parts[0] for parts in fields})
    code = {symbol: i for i, symbol in enumerate(alphabet)}
    columns = [[parts[c] for parts in fields] for c in range(1, width)]
    values = [_integers(column, items, numbers, name) for column in columns]
    return Words(
        alphabet=tuple(alphabet),
        symbols=np.array([code[parts[0]] for parts in fields], np.int32),
        delays=values[0] if values else np.zeros(len(items), np.int64),
        offsets=offsets,
        sizes=values[1] if len(values) > 1 else None,
        unit=labels.get("unit", ""),
        service=labels.get("service", ""),
        state=labels.get("state", ""),
    )


def notes_on(words: Words) -> tuple[str, ...]:
    """What a person should know about words without symbols, without a header or without delays."""
    blank = int((np.diff(words.offsets) == 0).sum())
    empty = (f"{count(blank, 'word')} without a symbol (blank lines count as such).",) if blank else ()
    if words.unit or not len(words.symbols):
        return empty
    if words.sizes is None and not words.delays.any():
        return (
            *empty,
            f"No delays: read as event sequences, {count(len(words), 'word')}, "
            f"{count(len(words.alphabet), 'different symbol')}.",
        )
    said = f"a header such as {_HEADER}{VERSION} unit=us says it"
    return (*empty, f"No unit of time: the delays are taken as integers; {said}.")


def looks_like_words(head: str) -> bool:
    """Whether a text begins as a word file does."""
    if head.startswith(_HEADER):
        return True
    first = head.split("\n", 1)[0].split()
    return bool(first) and all(item.rpartition(":")[2].isdigit() and ":" in item for item in first[:-1] or first)


def _integers(column: list[str], items: list[str], numbers: list[int], name: str) -> NDArray[np.int64]:
    """Whole numbers of a column of texts."""
    bad = next((k for k, cell in enumerate(column) if not (cell.isascii() and cell.isdigit() and len(cell) < 19)), None)
    if bad is not None:
        least = "from 0 to 10^18 - 1" if column[bad].isascii() and column[bad].isdigit() else "0 or more"
        raise SchemaError(
            f"{name} line {numbers[bad]}: {items[bad]!r} holds {column[bad]!r}; a whole number, {least}, is needed.",
            hint=_FORM,
        )
    return np.array(column, dtype=np.int64) if column else np.zeros(0, np.int64)


def _labels(header: str, name: str) -> dict[str, str]:
    """Unit, service and state of a header line."""
    version, *pairs = header.removeprefix(_HEADER).split()
    if version.isdigit() and int(version) > VERSION:
        raise NewerDocument(
            f"{name} is of version {version} of the word format; this netsynth reads up to {VERSION}.",
            hint="Update netsynth.",
        )
    if version != str(VERSION):
        raise SchemaError(f"{name} line 1: {version!r} is no version.", hint=f"Begin with {_HEADER}{VERSION} unit=us.")
    labels = dict(pair.partition("=")[::2] for pair in pairs)
    if labels.get("unit", "") not in UNITS:
        raise SchemaError(
            f"{name} line 1: {labels['unit']!r} is no unit of delays.", hint=f"Use one of {', '.join(UNITS[:-1])}."
        )
    return labels
