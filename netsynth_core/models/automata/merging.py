"""Merging locations of a machine and folding what follows, until no two transitions of a location clash.

Which transitions clash is a small object of the learner's choice: `SameSymbol` keeps a machine deterministic by symbol,
`OverlappingGuards` by symbol and delay. Futures (`Futures`) tell which locations go on alike for so many symbols.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.automata.prefix_tree import prefix_tree

Ints = NDArray[np.int64]
ROOT: Final = 0
FINAL: Final = 1


class Clash(Protocol):
    """Says which two transitions of one location and symbol cannot stay beside each other."""

    def __call__(self, machine: "Machine", one: int, other: int) -> bool:
        """Whether transition `one` must be folded into transition `other`."""
        ...


class SameSymbol:
    """Every symbol leads to one location."""

    def __call__(self, machine: "Machine", one: int, other: int) -> bool:
        return True


class OverlappingGuards:
    """Every symbol and delay leads to one location."""

    def __call__(self, machine: "Machine", one: int, other: int) -> bool:
        return machine.low[one] <= machine.high[other] and machine.low[other] <= machine.high[one]


@dataclass
class Machine:
    """Locations and transitions that are being merged; 0 is the initial location, 1 the final one.

    Ids stay: what was merged away points to what it became (`location_of`, `transition_of`).
    """

    end: int
    """Symbol of the end marker: the only one that leads to the final location."""
    source: list[int]
    target: list[int]
    symbol: list[int]
    low: list[int]
    """Smallest delay code seen on each transition."""
    high: list[int]
    """Largest delay code."""
    taken: Ints
    """For each symbol of the words, end markers included, the transition it takes (as it was at first)."""
    leaving: list[dict[int, list[int]]]
    """Per location: its transitions by symbol."""
    _location: list[int] = field(default_factory=list)
    _transition: list[int] = field(default_factory=list)

    @classmethod
    def of_words(cls, symbols: Ints, delays: Ints, offsets: Ints, *, end: int) -> Self:
        """The prefix tree of words that hold their end markers.

        Parameters
        ----------
        symbols, delays
            Codes; every word ends with the symbol `end`.
        """
        tree = prefix_tree(symbols, offsets)
        # the nodes that the end marker leads to are one location
        number = np.cumsum(tree.symbol != end)
        place = np.where(tree.symbol == end, FINAL, number)
        place[0] = ROOT
        edge = tree.arrived - 1
        low = np.full(len(tree) - 1, np.iinfo(np.int64).max)
        high = np.zeros(len(tree) - 1, np.int64)
        np.minimum.at(low, edge, delays)
        np.maximum.at(high, edge, delays)
        source, symbol = place[tree.parent[1:]].tolist(), tree.symbol[1:].tolist()
        leaving: list[dict[int, list[int]]] = [{} for _ in range(int(number[-1]) + 1)]
        for i, (q, a) in enumerate(zip(source, symbol, strict=True)):
            leaving[q][a] = [i]
        return cls(
            end, source, place[1:].tolist(), symbol, low.tolist(), high.tolist(), edge, leaving,
            list(range(len(leaving))), list(range(len(source))),
        )  # fmt: skip

    def location_of(self, location: int) -> int:
        """What a location became."""
        return _root(self._location, location)

    def transition_of(self, transition: int) -> int:
        """What a transition became."""
        return _root(self._transition, transition)

    def locations(self) -> list[int]:
        """Locations that are left, ascending."""
        return [q for q, up in enumerate(self._location) if q == up]

    def transitions(self) -> list[int]:
        """Transitions that are left, ascending."""
        return [e for e, up in enumerate(self._transition) if e == up]

    def runs(self) -> Ints:
        """`taken`, each transition as what it became."""
        became = np.array([self.transition_of(e) for e in range(len(self.source))], np.int64)
        return np.asarray(became[self.taken], np.int64)

    def add_location(self) -> int:
        """A new location without transitions."""
        self.leaving.append({})
        self._location.append(len(self._location))
        return len(self._location) - 1

    def add_transition(self, source: int, target: int, symbol: int, low: int, high: int) -> int:
        """A new transition."""
        new = len(self.source)
        self.source.append(source)
        self.target.append(target)
        self.symbol.append(symbol)
        self.low.append(low)
        self.high.append(high)
        self._transition.append(new)
        self.leaving[source].setdefault(symbol, []).append(new)
        return new

    def move_source(self, transition: int, source: int) -> None:
        """Let a transition leave another location."""
        here, symbol = self.leaving[self.source[transition]], self.symbol[transition]
        here[symbol].remove(transition)
        if not here[symbol]:
            del here[symbol]
        self.source[transition] = source
        self.leaving[source].setdefault(symbol, []).append(transition)

    def merge(self, pairs: Iterable[tuple[int, int]], clash: Clash) -> None:
        """Make the two locations of each pair one, and fold until nothing clashes; the smaller id stays."""
        todo = list(pairs)
        while todo:
            one, other = (self.location_of(q) for q in todo.pop())
            if one == other:
                continue
            keep, gone = min(one, other), max(one, other)
            self._location[gone] = keep
            moved, self.leaving[gone] = self.leaving[gone], {}
            for edges in moved.values():
                for edge in edges:
                    self._place(edge, keep, clash, todo)

    def _place(self, edge: int, source: int, clash: Clash, todo: list[tuple[int, int]]) -> None:
        """Let a transition leave `source`; those it clashes with there take it in."""
        self.source[edge] = source
        beside = self.leaving[source].setdefault(self.symbol[edge], [])
        place = 0
        while place < len(beside):
            other = beside[place]
            if not clash(self, edge, other):
                place += 1
                continue
            del beside[place]
            keep, gone = min(edge, other), max(edge, other)
            self._transition[gone] = keep
            self.low[keep], self.high[keep] = (
                min(self.low[keep], self.low[gone]),
                max(self.high[keep], self.high[gone]),
            )
            todo.append((self.target[keep], self.target[gone]))
            self.source[keep] = source
            # its guard is wider now: it may clash with others
            edge, place = keep, 0
        beside.append(edge)


def _root(up: list[int], item: int) -> int:
    top = item
    while up[top] != top:
        top = up[top]
    while up[item] != top:
        up[item], item = top, up[item]
    return top


@dataclass
class Futures:
    """Which locations of a machine can be followed by the same strings of `length` symbols (shorter at the end).

    A future is interned as a number: that of the sorted pairs (symbol, future one symbol shorter after it), so that
    locations of equal futures have equal numbers.
    """

    length: int
    _numbers: dict[tuple[tuple[int, int], ...], int] = field(default_factory=lambda: {(): 0})
    _parts: list[tuple[tuple[int, int], ...]] = field(default_factory=lambda: [()])
    _unions: dict[tuple[int, int], int] = field(default_factory=dict)

    def of(self, machine: Machine, locations: Sequence[int]) -> dict[int, int]:
        """The number of each location's future."""
        now = dict.fromkeys(locations, 0)
        for _ in range(self.length):
            shorter = now
            now = {}
            for q in locations:
                parts = []
                for symbol, edges in machine.leaving[q].items():
                    after = shorter[machine.location_of(machine.target[edges[0]])]
                    for edge in edges[1:]:
                        after = self._union(after, shorter[machine.location_of(machine.target[edge])])
                    parts.append((symbol, after))
                now[q] = self._intern(tuple(sorted(parts)))
        return now

    def _intern(self, parts: tuple[tuple[int, int], ...]) -> int:
        number = self._numbers.setdefault(parts, len(self._parts))
        if number == len(self._parts):
            self._parts.append(parts)
        return number

    def _union(self, one: int, other: int) -> int:
        """The future of what goes on in either way."""
        if one == other:
            return one
        key = (min(one, other), max(one, other))
        if key not in self._unions:
            parts = dict(self._parts[one])
            for symbol, after in self._parts[other]:
                parts[symbol] = self._union(parts[symbol], after) if symbol in parts else after
            self._unions[key] = self._intern(tuple(sorted(parts.items())))
        return self._unions[key]


def classes(numbers: dict[int, int]) -> list[list[int]]:
    """Locations of equal numbers, in order of the first of each; only where there are two or more."""
    found: dict[int, list[int]] = {}
    for location, number in numbers.items():
        found.setdefault(number, []).append(location)
    return [members for members in found.values() if len(members) > 1]
