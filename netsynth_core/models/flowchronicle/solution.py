"""A pattern set on a flow table: cover, networks and bits; the one place where a candidate set is scored.

`Scorer.solve` covers and scores a set of patterns; what did not change since the solution it starts from is taken over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.bayesnet.prior import Prior
from netsynth_core.models.bayesnet.structure import Structure, StructureLearner
from netsynth_core.models.codelength import universal_integer
from netsynth_core.models.flowchronicle.cover import cover_key, match
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.length import (
    gap_histogram,
    hazard_bits,
    instant_bits,
    label_bits,
    pattern_bits,
)
from netsynth_core.models.flowchronicle.pattern import Pattern


@dataclass(frozen=True, eq=False)
class Placed:
    """A pattern with its windows and what it costs."""

    pattern: Pattern
    windows: NDArray[np.int64]
    """Rows, windows x flows."""
    structure: Structure
    shape_bits: float
    """L(p) without its network."""
    gap_bits: float
    """Continuations of its windows."""

    @property
    def model_bits(self) -> float:
        """L(p)."""
        return self.shape_bits + self.structure.model_bits

    @property
    def data_bits(self) -> float:
        """Continuations and values of its windows."""
        return self.gap_bits + self.structure.data_bits


@dataclass(frozen=True, eq=False)
class Solution:
    """Patterns in the order of the cover, the rows left, and the bits of all terms."""

    placed: tuple[Placed, ...]
    left: NDArray[np.int64]
    """Rows of the empty pattern, ascending."""
    empty: Structure
    """Network of the empty pattern."""
    common: float
    """Instants and shares: the same for every model of the table."""

    @cached_property
    def model_bits(self) -> float:
        """L(M)."""
        return universal_integer(len(self.placed) + 1) + self.empty.model_bits + sum(p.model_bits for p in self.placed)

    @cached_property
    def labels(self) -> float:
        """Bits of the labels."""
        return label_bits(np.array([*(len(p.windows) for p in self.placed), len(self.left)], np.int64))

    @cached_property
    def data_bits(self) -> float:
        """L(D|M)."""
        values = self.empty.data_bits + sum(p.data_bits for p in self.placed)
        return self.common + self.labels + values

    @cached_property
    def total(self) -> float:
        """L(M) + L(D|M)."""
        return self.model_bits + self.data_bits

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """The patterns in the order of the cover."""
        return tuple(p.pattern for p in self.placed)


class Scorer:
    """Covers and scores pattern sets on one flow table."""

    def __init__(self, index: FlowIndex) -> None:
        self.index = index
        prior = Prior.of(index.codes, index.domains)
        self._learner = StructureLearner(prior, index.domains)
        self._columns = np.arange(len(index.sizes), dtype=np.int64)
        self._common = instant_bits(index.ts) + prior.bits
        self._all = np.arange(len(index), dtype=np.int64)

    def empty(self, *, parents: NDArray[np.int64] | None = None) -> Solution:
        """The empty pattern alone, its network learnt on all rows unless `parents` are given."""
        codes = self._row_codes(self._all)
        if parents is None:
            structure = self._learner.learn(codes, self._columns)
        else:
            structure = self._learner.score(codes, self._columns, parents)
        return Solution((), self._all, structure, self._common)

    def solve(
        self,
        patterns: Iterable[Pattern],
        *,
        base: Solution,
        parents: dict[Pattern, NDArray[np.int64]] | None = None,
        keep_unused: bool = False,
    ) -> Solution:
        """Cover with `patterns` and score; structures of patterns that `base` holds are kept, others are learnt.

        Parameters
        ----------
        parents
            Structures to use for patterns that `base` does not hold.
        keep_unused
            Whether patterns without a window stay in the solution.
        """
        known = {p.pattern: p for p in base.placed}
        ordered = sorted(set(patterns), key=cover_key)
        claimed = np.zeros(len(self.index), np.bool_)
        placed: list[Placed] = []
        changed = False
        for place, pattern in enumerate(ordered):
            before = known.get(pattern)
            changed = changed or place >= len(base.placed) or base.placed[place].pattern != pattern
            if before is not None and not changed:
                claimed[before.windows] = True
                placed.append(before)
                continue
            windows = match(pattern, self.index, claimed)
            if len(windows) or keep_unused:
                given = before.structure.parents if before is not None else (parents or {}).get(pattern)
                same = before is not None and np.array_equal(before.windows, windows)
                placed.append(before if before is not None and same else self.place(pattern, windows, given))
        left = np.flatnonzero(~claimed)
        if np.array_equal(left, base.left):
            return Solution(tuple(placed), left, base.empty, self._common)
        empty = self._learner.score(self._row_codes(left), self._columns, base.empty.parents)
        return Solution(tuple(placed), left, empty, self._common)

    def place(self, pattern: Pattern, windows: NDArray[np.int64], parents: NDArray[np.int64] | None) -> Placed:
        """A pattern scored on given windows; its structure learnt when `parents` is None."""
        codes = self.window_codes(pattern, windows)
        columns = np.array([c for _, c in pattern.free_cells(len(self.index.sizes))], np.int64)
        if parents is None:
            structure = self._learner.learn(codes, columns)
        else:
            structure = self._learner.score(codes, columns, parents)
        gaps = sum(hazard_bits(counts) for counts in gap_histogram(pattern, windows, self.index))
        return Placed(pattern, windows, structure, pattern_bits(pattern, self.index.domains, self.index.hosts), gaps)

    def relearnt(self, solution: Solution) -> Solution:
        """The solution with each network learnt anew where that is shorter."""
        placed = tuple(min(p, self.place(p.pattern, p.windows, None), key=_bits) for p in solution.placed)
        learnt = self._learner.learn(self._row_codes(solution.left), self._columns)
        empty = min(solution.empty, learnt, key=lambda s: s.total)
        return replace(solution, placed=placed, empty=empty)

    def window_codes(self, pattern: Pattern, windows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Codes of the free cells (cells x windows), in the order of `Pattern.free_cells`."""
        cells = pattern.free_cells(len(self.index.sizes))
        codes = np.empty((len(cells), len(windows)), np.int32)
        for v, (flow, column) in enumerate(cells):
            codes[v] = self.index.codes[windows[:, flow], column]
        return codes

    def _row_codes(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        return np.ascontiguousarray(self.index.codes[rows].T)


def _bits(placed: Placed) -> float:
    return placed.model_bits + placed.data_bits


def without(patterns: Sequence[Pattern], *dropped: Pattern) -> list[Pattern]:
    """The patterns that are not among `dropped`."""
    return [p for p in patterns if p not in dropped]
