"""Templates of payloads: what all messages of a kind share is kept, what varies becomes a field that is made up anew.

Texts are compared line by line and word by word, other payloads byte by byte over their first `HEAD` bytes. A literal
is kept only when at least `SUPPORT` conversations have it at the same place and none of the compared messages has
anything else there; so names, paths, keys and numbers of single users do not get into a template. What all of them
share does (the name of a server that everyone asked, the day of a short capture): templates are no anonymisation.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

SUPPORT: Final = 3
"""Conversations that must share a literal."""
MOST_TEMPLATES: Final = 8
LONGEST: Final = 1024
"""Bytes of a message that are looked at."""
LINES: Final = 24
HEAD: Final = 64
"""Bytes of a binary message that may be literal."""

FieldKind = Literal["digits", "hex", "letters", "mixed", "bytes"]
_CHARACTERS: Final[dict[str, bytes]] = {
    "digits": b"0123456789",
    "hex": b"0123456789abcdef",
    "letters": b"abcdefghijklmnopqrstuvwxyz",
    "mixed": b"abcdefghijklmnopqrstuvwxyz0123456789",
}
_WORDS: Final = re.compile(rb"[ \t]+|[^ \t]+")


class Part(NamedTuple):
    """One stretch of a template: a literal, or a field."""

    literal: bytes
    """Empty for a field."""
    field: FieldKind | Literal[""] = ""
    low: int = 0
    """Least bytes of the field."""
    high: int = 0
    """Most bytes of the field."""


class Template(NamedTuple):
    """How one kind of message is written; what a message has beyond it is filled by its payload class."""

    parts: tuple[Part, ...]
    seen: int
    """Messages it was learnt from."""

    def shown(self) -> str:
        """The template for people: fields as ``<digits 1-3>``, bytes that cannot be printed as escapes."""
        texts = []
        for part in self.parts:
            if part.field:
                size = f"{part.low}" if part.low == part.high else f"{part.low}-{part.high}"
                texts.append(f"<{part.field} {size}>")
            else:
                texts.append(part.literal.decode("latin-1").encode("unicode_escape").decode("ascii"))
        return "".join(texts)

    def write(self, size: int, *, rng: np.random.Generator) -> bytes:
        """At most `size` bytes: fields made up, as long as the size asks for within what was seen."""
        lengths = [part.low if part.field else len(part.literal) for part in self.parts]
        room = size - sum(lengths)
        open_parts = [i for i, part in enumerate(self.parts) if part.field and part.high > part.low]
        for at in rng.permutation(len(open_parts)).tolist():
            i = open_parts[at]
            more = min(max(room, 0), self.parts[i].high - self.parts[i].low)
            lengths[i] += more
            room -= more
        made = bytearray()
        for part, length in zip(self.parts, lengths, strict=True):
            made += _made_up(part.field, length, rng) if part.field else part.literal
        return bytes(made[:size])


def _made_up(kind: str, length: int, rng: np.random.Generator) -> bytes:
    if kind == "bytes":
        return rng.bytes(length)
    characters = np.frombuffer(_CHARACTERS[kind], np.uint8)
    drawn = characters[rng.integers(0, len(characters), length)]
    if kind == "digits" and length > 1 and drawn[0] == 48:
        drawn[0] = 49
    return drawn.tobytes()


def text_templates(messages: Sequence[bytes], conversations: Sequence[int]) -> tuple[Template, ...]:
    """Templates of texts, the most frequent first.

    Parameters
    ----------
    messages
        Payloads of one transition.
    conversations
        Which conversation each is of.
    """
    groups: dict[tuple[bytes, ...], list[int]] = defaultdict(list)
    split = [_lines(message[:LONGEST]) for message in messages]
    for i, lines in enumerate(split):
        groups[tuple(line.split(b" ", 1)[0].rstrip(b"\r\n") for line in lines)].append(i)
    found = []
    for _, members in sorted(groups.items()):
        if len({conversations[i] for i in members}) >= SUPPORT:
            parts: list[Part] = []
            for line in zip(*(split[i] for i in members), strict=True):
                parts += _line_parts(line)
            found.append(Template(_joined(parts), len(members)))
    found = found or _first_words(messages, conversations)
    return tuple(sorted(found, key=lambda t: (-t.seen, t.parts))[:MOST_TEMPLATES])


def _first_words(messages: Sequence[bytes], conversations: Sequence[int]) -> list[Template]:
    """Where no lines are alike: what all messages begin with, up to the end of a word."""
    if len(set(conversations)) < SUPPORT:
        return []
    shared = _common(messages)
    cut = max(shared.rfind(b" "), shared.rfind(b"\n"))
    return [Template((Part(shared[: cut + 1]),), len(messages))] if cut >= 0 else []


def _lines(message: bytes) -> list[bytes]:
    """The lines of the head of a message, with their ends; what an empty line closes off is left to the filler."""
    lines = []
    for line in message.splitlines(keepends=True)[:LINES]:
        lines.append(line)
        if not line.strip():
            break
    return lines


def _line_parts(lines: Sequence[bytes]) -> list[Part]:
    words = [_WORDS.findall(line) for line in lines]
    if len({len(w) for w in words}) > 1:
        return _column(lines)
    parts: list[Part] = []
    for column in zip(*words, strict=True):
        parts += _column(column)
    return parts


def _column(values: Sequence[bytes]) -> list[Part]:
    """What stands at one place: the same everywhere, or a field between what all begin and end with."""
    if len(set(values)) == 1:
        return [Part(values[0])]
    start = _common(values)
    # letters and digits that only happen to agree are part of the field
    start = start.rstrip(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    rest = [value[len(start) :] for value in values]
    end = _common([value[::-1] for value in rest])[::-1]
    end = end.lstrip(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    middle = [value[: len(value) - len(end)] for value in rest]
    sizes = [len(value) for value in middle]
    field = Part(b"", _kind(b"".join(middle)), min(sizes), max(sizes))
    return [part for part in (Part(start), field, Part(end)) if part.literal or part.high]


def _kind(sample: bytes) -> FieldKind:
    held = set(sample)
    if held <= set(b"0123456789"):
        return "digits"
    if held <= set(b"0123456789abcdefABCDEF"):
        return "hex"
    return "letters" if bytes(held).isalpha() else "mixed"


def _common(values: Sequence[bytes]) -> bytes:
    low, high = min(values), max(values)
    for i, character in enumerate(low):
        if i >= len(high) or high[i] != character:
            return low[:i]
    return low


def byte_templates(messages: Sequence[bytes], conversations: Sequence[int]) -> tuple[Template, ...]:
    """The template of structured bytes: positions of the first `HEAD` bytes at which all messages agree."""
    if len(set(conversations)) < SUPPORT:
        return ()
    width = min(HEAD, min(len(message) for message in messages))
    table = np.frombuffer(b"".join(message[:width] for message in messages), np.uint8).reshape(len(messages), width)
    fixed = (table == table[0]).all(axis=0)
    if not fixed.any():
        return ()
    last = int(np.flatnonzero(fixed)[-1]) + 1
    head = messages[0]
    parts = [Part(head[i : i + 1]) if fixed[i] else Part(b"", "bytes", 1, 1) for i in range(last)]
    return (Template(_joined(parts), len(messages)),)


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Neighbouring literals as one, and neighbouring fields of bytes."""
    found: list[Part] = []
    for part in parts:
        before = found[-1] if found else None
        if before is not None and not before.field and not part.field:
            found[-1] = Part(before.literal + part.literal)
        elif before is not None and before.field == part.field == "bytes":
            found[-1] = Part(b"", "bytes", before.low + part.low, before.high + part.high)
        else:
            found.append(part)
    return tuple(found)
