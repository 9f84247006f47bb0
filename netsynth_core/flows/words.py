"""Timed words as columns: the symbols, delays and payload sizes of many conversations in flat arrays.

Word i is the slice ``offsets[i]:offsets[i + 1]`` of `symbols`, `delays` and `sizes`. The text format (one word a line)
is read and written in `netsynth_core.flows.words_io`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import SchemaError
from netsynth_core.files import content_hash

UNITS = ("us", "ns", "s", "dbus", "")
"""Units of delays; ``dbus`` is round(10 log10 microseconds); empty = unknown, integers taken as they are."""


class TimedWord(NamedTuple):
    """One word: views into the flat arrays."""

    symbols: NDArray[np.int32]
    delays: NDArray[np.int64]
    sizes: NDArray[np.int64] | None


@dataclass(frozen=True, eq=False)
class Words:
    """Many timed words over one alphabet."""

    alphabet: tuple[str, ...]
    """Names of the symbols; `symbols` holds positions in it. Sorted, without the end marker ``$``."""
    symbols: NDArray[np.int32]
    delays: NDArray[np.int64]
    """Time since the symbol before, >= 0, in `unit`; the first symbol of a word has 0 or what the file says."""
    offsets: NDArray[np.int64]
    """n + 1 positions: word i is ``offsets[i]:offsets[i + 1]``; empty words are allowed."""
    sizes: NDArray[np.int64] | None = None
    """Payload bytes of each symbol; None when the input holds none."""
    unit: str = ""
    service: str = ""
    state: str = ""
    flow_rows: NDArray[np.int64] | None = field(default=None)
    """Row of the flow table each word comes from; None when unknown."""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise SchemaError(f"{self.unit!r} is no unit of delays.", hint=f"Use one of {', '.join(UNITS[:-1])}.")
        if len(self.offsets) < 1 or self.offsets[0] != 0 or self.offsets[-1] != len(self.symbols):
            raise SchemaError(
                "The offsets of the words do not span the symbols.", hint="Build words with Words.from_lists."
            )
        if len(self.delays) != len(self.symbols) or (self.sizes is not None and len(self.sizes) != len(self.symbols)):
            raise SchemaError(
                "Symbols, delays and sizes differ in length.", hint="Give one delay and one size per symbol."
            )
        if len(self.delays) and int(self.delays.min()) < 0:
            raise SchemaError("A delay is negative.", hint="Delays are the time since the symbol before, 0 or more.")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> TimedWord:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        part = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return TimedWord(self.symbols[part], self.delays[part], None if self.sizes is None else self.sizes[part])

    def __iter__(self) -> Iterator[TimedWord]:
        return (self[i] for i in range(len(self)))

    def names(self, index: int) -> list[str]:
        """The symbols of word `index` by name."""
        return [self.alphabet[s] for s in self[index].symbols]

    def summary(self) -> dict[str, str | int]:
        """Names, numbers and a content hash: what a model says of the words it learnt from."""
        symbols, delays = (np.ascontiguousarray(of).tobytes() for of in (self.symbols, self.delays))
        return {
            "service": self.service,
            "state": self.state,
            "unit": self.unit,
            "words": len(self),
            "symbols": len(self.symbols),
            "content": content_hash("\n".join(self.alphabet), symbols, delays),
        }

    def take(self, rows: NDArray[np.int64]) -> "Words":
        """The words of the given positions, in the order given, over the same alphabet."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        index = np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Words(
            alphabet=self.alphabet,
            symbols=self.symbols[index],
            delays=self.delays[index],
            offsets=offsets,
            sizes=None if self.sizes is None else self.sizes[index],
            unit=self.unit,
            service=self.service,
            state=self.state,
            flow_rows=None if self.flow_rows is None else self.flow_rows[rows],
        )

    @classmethod
    def from_lists(
        cls,
        words: list[list[tuple[str, int]]] | list[list[tuple[str, int, int]]],
        *,
        unit: str = "",
        service: str = "",
        state: str = "",
    ) -> "Words":
        """Words from lists of ``(symbol, delay)`` or ``(symbol, delay, size)``."""
        names = sorted({item[0] for word in words for item in word})
        code = {name: i for i, name in enumerate(names)}
        flat = [item for word in words for item in word]
        offsets = np.zeros(len(words) + 1, np.int64)
        np.cumsum([len(word) for word in words], out=offsets[1:])
        sized = bool(flat) and len(flat[0]) == 3
        return cls(
            alphabet=tuple(names),
            symbols=np.array([code[item[0]] for item in flat], np.int32),
            delays=np.array([item[1] for item in flat], np.int64),
            offsets=offsets,
            sizes=np.array([item[-1] for item in flat], np.int64) if sized else None,
            unit=unit,
            service=service,
            state=state,
        )
