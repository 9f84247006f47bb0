"""A pattern set on a flow table: cover, networks and bits; the one place where a candidate set is scored.

`Scorer.solve` covers and scores a set of patterns; what did not change since the solution it starts from is taken over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.bayesnet.structure import SharedCells, Structure
from netsynth_core.models.codelength import universal_integer
from netsynth_core.models.flowchronicle.cover import cover_key, match
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.pattern import PartialFlow, Pattern
from netsynth_core.models.flowchronicle.score import DefaultScore, Score

EMPTY_PATTERN = Pattern((PartialFlow(),))


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
    """Where the later rows of its windows are."""

    @property
    def model_bits(self) -> float:
        """L(p)."""
        return self.shape_bits + self.structure.model_bits

    @property
    def data_bits(self) -> float:
        """Continuations and values of its windows; what the shared tables send is about what it costs there."""
        return self.gap_bits + self.structure.data_bits

    @property
    def own_bits(self) -> float:
        """The same without what the shared tables send."""
        return self.data_bits - self.structure.shared_bits


@dataclass(frozen=True, eq=False)
class Solution:
    """Patterns in the order of the cover, the rows left, and the bits of all terms."""

    placed: tuple[Placed, ...]
    left: NDArray[np.int64]
    """Rows of the empty pattern, ascending."""
    empty: Structure
    """Network of the empty pattern: the shared tables, with all that they send, or else one on the rows left."""
    common: float
    """What is the same for every model of the table."""
    start_bits: float
    """Where windows begin."""

    @cached_property
    def model_bits(self) -> float:
        """L(M)."""
        return universal_integer(len(self.placed) + 1) + self.empty.model_bits + sum(p.model_bits for p in self.placed)

    @cached_property
    def data_bits(self) -> float:
        """L(D|M)."""
        values = self.empty.data_bits + sum(p.own_bits for p in self.placed)
        return self.common + self.start_bits + values

    @cached_property
    def total(self) -> float:
        """L(M) + L(D|M)."""
        return self.model_bits + self.data_bits

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """The patterns in the order of the cover."""
        return tuple(p.pattern for p in self.placed)


class Scorer:
    """Covers and scores pattern sets on one flow table; by the default score unless another is given."""

    def __init__(self, index: FlowIndex, score: Score | None = None) -> None:
        self.index = index
        self.terms: Score = DefaultScore(index) if score is None else score
        self._learner = self.terms.networks
        self._columns = np.arange(len(index.sizes), dtype=np.int64)
        self._all = np.arange(len(index), dtype=np.int64)

    def empty(self, *, parents: NDArray[np.int64] | None = None) -> Solution:
        """The empty pattern alone, its network learnt on all rows unless `parents` are given."""
        return self._solution((), self._all, self._network_of((), self._all, parents))

    def _network_of(
        self, placed: Sequence[Placed], left: NDArray[np.int64], parents: NDArray[np.int64] | None
    ) -> Structure:
        """The shared tables with all they send; without such, a network over the rows left, learnt if no parents are
        given."""
        shared = self.terms.shared
        if shared is not None:
            rows = [[left] for _ in self.index.sizes]
            for one in placed:
                cells = one.pattern.free_cells(len(self.index.sizes))
                for (flow, column), falls_back in zip(cells, one.structure.falls_back.tolist(), strict=True):
                    if falls_back:
                        rows[column].append(one.windows[:, flow])
            return shared.structure([np.concatenate(of) for of in rows])
        codes = self._row_codes(left)
        if parents is None:
            return self._learner.learn(codes, self._columns)
        return self._learner.score(codes, self._columns, parents)

    def _shared_cells(self, pattern: Pattern, windows: NDArray[np.int64]) -> SharedCells | None:
        """What the shared tables say about the free cells of a pattern."""
        shared = self.terms.shared
        if shared is None:
            return None
        cells = pattern.free_cells(len(self.index.sizes))
        number = {cell: v for v, cell in enumerate(cells)}
        same = {(j, r.column): (r.flow, r.source) for j, flow in enumerate(pattern.flows) for r in flow.reused}
        parents = np.full((len(cells), shared.parents.shape[1]), -1, np.int64)
        for v, (flow, column) in enumerate(cells):
            found = [number.get(same.get((flow, int(u)), (flow, int(u)))) for u in shared.parents[column] if u >= 0]
            kept = list(dict.fromkeys(u for u in found if u is not None))
            parents[v, : len(kept)] = kept
        return shared.cells([windows[:, flow] for flow, _ in cells], [column for _, column in cells], parents)

    def _untouched(self, pattern: Pattern, touched: NDArray[np.bool_]) -> bool:
        """Whether none of the rows that the pattern may take is among the touched ones: its windows stay."""
        return not any(touched[self.index.rows_for(pattern, j)].any() for j in range(len(pattern)))

    def _solution(self, placed: tuple[Placed, ...], left: NDArray[np.int64], empty: Structure) -> Solution:
        starts = np.array([*(len(p.windows) for p in placed), len(left)], np.int64)
        return Solution(placed, left, empty, self.terms.common, self.terms.start_bits(starts))

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
        # What was claimed when the solution before came to the same pattern, which both hold in the same order.
        claimed_then = np.zeros(len(self.index), np.bool_)
        waiting = iter(base.placed)
        changed = False
        for place, pattern in enumerate(ordered):
            before = known.get(pattern)
            changed = changed or place >= len(base.placed) or base.placed[place].pattern != pattern
            if before is not None:
                for other in waiting:
                    if other is before:
                        break
                    claimed_then[other.windows] = True
                same = not changed or self._untouched(pattern, claimed ^ claimed_then)
                claimed_then[before.windows] = True
                if same:
                    claimed[before.windows] = True
                    placed.append(before)
                    continue
            windows = match(pattern, self.index, claimed)
            if len(windows) or keep_unused:
                used = before is not None and len(before.windows)
                given = before.structure.parents if before is not None and used else (parents or {}).get(pattern)
                same = before is not None and np.array_equal(before.windows, windows)
                placed.append(before if before is not None and same else self.place(pattern, windows, given))
        left = np.flatnonzero(~claimed)
        if self.terms.shared is None and np.array_equal(left, base.left):
            return self._solution(tuple(placed), left, base.empty)
        empty = self._network_of(placed, left, base.empty.parents)
        return self._solution(tuple(placed), left, empty)

    def place(self, pattern: Pattern, windows: NDArray[np.int64], parents: NDArray[np.int64] | None) -> Placed:
        """A pattern scored on given windows; its structure learnt when `parents` is None."""
        codes = self.window_codes(pattern, windows)
        columns = np.array([c for _, c in pattern.free_cells(len(self.index.sizes))], np.int64)
        shared = self._shared_cells(pattern, windows)
        if parents is None:
            structure = self._learner.learn(codes, columns, shared)
        else:
            structure = self._learner.score(codes, columns, parents, shared)
        gaps = self.terms.gap_bits(pattern, windows)
        return Placed(pattern, windows, structure, self.terms.shape_bits(pattern), gaps)

    def relearnt(self, solution: Solution) -> Solution:
        """The solution with each network learnt anew where that is shorter."""
        placed = tuple(min(p, self.place(p.pattern, p.windows, None), key=_bits) for p in solution.placed)
        empty = self._network_of(placed, solution.left, None)
        if self.terms.shared is None:
            empty = min(solution.empty, empty, key=lambda s: s.total)
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
