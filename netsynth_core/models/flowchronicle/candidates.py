"""Candidate patterns, each with an estimate of the bits it saves; the search tests the most promising first.

Row types are closed sets of fixed cells: a frequent value with all that is constant among its rows. Two-flow candidates
join two types through a shared address; longer ones join a type to the windows of a pattern.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.bayesnet.network import Network
from netsynth_core.models.bayesnet.shared import SharedTables
from netsynth_core.models.flowchronicle._kernels import pair_counts
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.pattern import (
    WITHIN_STEPS,
    Fixed,
    PartialFlow,
    Pattern,
    Reused,
    insert_flow,
    rebind,
)
from netsynth_core.models.flowchronicle.score import Score
from netsynth_core.models.flowchronicle.solution import Placed, Solution

MAX_TYPES = 48
LEAST_HITS = 4
OVERHEAD = 40.0
"""Bits that any pattern is assumed to cost, in estimates only."""
MOST_BITS = 16.0
TIGHT = 0.85
"""Share of the largest estimated gain that a gap limit must reach."""


Way = tuple[tuple[int, int], ...]
"""Which address columns of a flow (first) equal which of a later one (second)."""
Bonds = tuple[tuple[tuple[int, int], int], ...]
"""Which free address cells (flow, column) of a pattern a new flow's columns equal."""


class Candidate(NamedTuple):
    """A pattern to test."""

    gain: float
    """Estimated bits saved."""
    pattern: Pattern


@dataclass(frozen=True, eq=False)
class RowType:
    """A closed set of fixed cells with the rows that have them."""

    fixed: tuple[Fixed, ...]
    rows: NDArray[np.int64]
    saved: NDArray[np.float64]
    """What fixing the cells saves, bits, by row of the table (0 outside `rows`)."""

    @cached_property
    def has(self) -> NDArray[np.bool_]:
        """Whether each row of the table is one of `rows`."""
        found = np.zeros(len(self.saved), np.bool_)
        found[self.rows] = True
        return found


def cell_costs(index: FlowIndex, empty: Solution, shared: SharedTables | None) -> NDArray[np.float64]:
    """Bits of every cell (flows x columns) by the shared tables, or else by the empty pattern's network on all rows."""
    if shared is not None:
        return np.minimum(shared.row_bits, MOST_BITS).astype(np.float64)
    codes = np.ascontiguousarray(index.codes.T)
    network = Network.fit(codes, empty.empty.parents)
    return np.minimum(-network.log2_probability(codes).T, MOST_BITS)


def row_types(index: FlowIndex, costs: NDArray[np.float64], *, least: int, fixable: tuple[int, ...]) -> list[RowType]:
    """The most frequent closed types over the columns `fixable`, by ascending rank of support; at most `MAX_TYPES`."""
    n = len(index)
    found: dict[tuple[Fixed, ...], NDArray[np.int64]] = {}
    for column in fixable:
        floor = max(least, n // 100) if column in index.hosts else least
        for code in range(index.sizes[column]):
            rows = index.posting(column, code)
            if len(rows) < floor:
                continue
            part = index.codes[rows]
            constant = np.flatnonzero((part == part[0]).all(axis=0))
            found.setdefault(tuple(Fixed(int(c), int(part[0, c])) for c in constant if c in fixable), rows)
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))[:MAX_TYPES]
    types = []
    for fixed, rows in ranked:
        saved = np.zeros(n)
        saved[rows] = costs[rows][:, [c.column for c in fixed]].sum(axis=1)
        types.append(RowType(fixed, rows, saved))
    return types


class Estimator:
    """Estimates what patterns would save; `free` says which rows are open to them."""

    def __init__(self, index: FlowIndex, costs: NDArray[np.float64], score: Score) -> None:
        self.index = index
        self.costs = costs
        self._score = score

    def best_limit(
        self, sums: NDArray[np.float64], starts: NDArray[np.int64], spent: NDArray[np.int64]
    ) -> tuple[float, int]:
        """The tightest gap limit with nearly the largest estimated gain, from hits, gains and passed rows by delay bin.

        Tight, because a wide limit lets a long pattern take rows that the estimate holds to be another pattern's.

        `starts` are the windows by label so far; each hit spends `spent` of them and is a window of its own.
        """
        gains = self._score.limit_gains(sums, starts, spent, LEAST_HITS) - OVERHEAD
        most = float(gains.max())
        if not most > 0:
            return most, 0
        within = int(np.argmax(gains >= TIGHT * most))
        return float(gains[within]), within

    def pair(self, first: RowType, second: RowType, way: Way, free: NDArray[np.bool_]) -> Candidate | None:
        """`first` then `second`, whose addresses equal those of the first that `way` names."""
        index = self.index
        rows = first.rows[free[first.rows]]
        if len(rows) < LEAST_HITS:
            return None
        reused = tuple(sorted(Reused(column, 0, source) for source, column in way))
        group = self._group([index.codes[rows, cell.source] for cell in reused], len(rows))
        other = second.saved + self.costs[:, [cell.column for cell in reused]].sum(axis=1)
        flow = PartialFlow(second.fixed, reused)
        sums = np.zeros((WITHIN_STEPS, 3))
        bound = np.full(len(rows), len(index), np.int64)
        pair_counts(rows, first.saved[rows], index.keys_of(flow), group, index.ts, free, other, bound, True, sums)
        gain, within = self.best_limit(sums, np.array([int(free.sum())]), np.array([2]))
        if not gain > 0:
            return None
        return Candidate(gain, Pattern((PartialFlow(first.fixed), flow), (within,)))

    def _group(self, codes: list[NDArray[np.int32]], rows: int) -> NDArray[np.int64]:
        """Addresses folded into one number, as `FlowIndex.keys_of` does."""
        group = np.zeros(rows, np.int64)
        for column in codes:
            group = group * self.index.host_count + column
        return group

    def pairs(
        self, first: RowType, types: list[RowType], free: NDArray[np.bool_]
    ) -> Iterator[tuple[Candidate, tuple[int, int]]]:
        """Two-flow candidates that begin with `first` and look worth testing, with (number of the second type, way)."""
        for b, second in enumerate(types):
            for number, way in enumerate(self.ways(first, second)):
                candidate = self.pair(first, second, way, free)
                if candidate is not None:
                    yield candidate, (b, number)

    def ways(self, first: RowType, second: RowType) -> list[Way]:
        """How two types may share addresses: every pair of columns neither fixes, and two such pairs at once; none when
        both fix one."""
        fixed = [{c.column for c in t.fixed} for t in (first, second)]
        one = [(a, b) for a in self.index.hosts for b in self.index.hosts if a not in fixed[0] and b not in fixed[1]]
        ways: list[Way] = [(bond,) for bond in one]
        ways += [(x, y) for x in one for y in one if x[0] < y[0] and x[1] != y[1]]
        if all(any(c in f for c in self.index.hosts) for f in fixed):
            ways.append(())
        return ways

    def single(self, kind: RowType, free: NDArray[np.bool_]) -> Candidate | None:
        """One flow of a type."""
        rows = kind.rows[free[kind.rows]]
        if len(rows) < LEAST_HITS:
            return None
        total = int(free.sum())
        after, before = np.array([len(rows), total - len(rows)]), np.array([total])
        starts = self._score.start_bits(after) - self._score.start_bits(before)
        gain = float(kind.saved[rows].sum()) - starts - OVERHEAD
        return Candidate(gain, Pattern((PartialFlow(kind.fixed),))) if gain > 0 else None

    def own_singles(self, types: list[RowType], free: NDArray[np.bool_]) -> Iterator[Candidate]:
        """One flow of a type, or of any, whose later address equals the earlier one."""
        if not self._score.reuses_within:
            return
        total, codes = int(free.sum()), self.index.codes
        starts_before = self._score.start_bits(np.array([total]))
        for column, source in ((b, a) for a in self.index.hosts for b in self.index.hosts if a < b):
            equal = np.flatnonzero(free & (codes[:, column] == codes[:, source]))
            if len(equal) < LEAST_HITS:
                continue
            # Where the empty network has learnt that the two are equal, its counts hide what it pays for learning it.
            share = np.bincount(codes[:, column])[codes[equal, column]] / len(codes)
            reused = np.zeros(len(codes))
            reused[equal] = -np.log2(share)
            for kind in (None, *types):
                fixed = () if kind is None else kind.fixed
                if any(c.column in (column, source) for c in fixed):
                    continue
                rows = equal if kind is None else equal[kind.has[equal]]
                if len(rows) < LEAST_HITS:
                    continue
                starts = self._score.start_bits(np.array([len(rows), total - len(rows)])) - starts_before
                saved = 0.0 if kind is None else float(kind.saved[rows].sum())
                gain = saved + float(reused[rows].sum()) - starts - OVERHEAD
                if gain > 0:
                    yield Candidate(gain, Pattern((PartialFlow(fixed, (Reused(column, 0, source),)),)))

    def extensions(self, placed: Placed, types: list[RowType], free: NDArray[np.bool_]) -> Iterator[Candidate]:
        """A flow of each type before, between and after the flows of a pattern, sharing one of its addresses, or both
        addresses of one of its flows."""
        roots = [(j, c) for j, f in enumerate(placed.pattern.flows) for c in self.index.hosts if c not in f.bound]
        bonds: list[Bonds] = [((root, column),) for root in roots for column in self.index.hosts]
        bonds += [(x[0], y[0]) for x in bonds for y in bonds if _same_flow(x[0], y[0])]
        for place in range(len(placed.pattern) + 1):
            for kind in types:
                fixed = {c.column for c in kind.fixed}
                for bond in bonds:
                    if not any(column in fixed for _, column in bond):
                        candidate = self._extension(placed, place, kind, bond, free)
                        if candidate is not None:
                            yield candidate
                if any(c in fixed for c in self.index.hosts):
                    candidate = self._extension(placed, place, kind, (), free)
                    if candidate is not None:
                        yield candidate

    def _extension(
        self, placed: Placed, place: int, kind: RowType, bonds: Bonds, free: NDArray[np.bool_]
    ) -> Candidate | None:
        index, windows = self.index, placed.windows
        if not len(windows):
            return None
        forward = place > 0
        anchor = np.ascontiguousarray(windows[:, place - 1 if forward else 0])
        inside = 0 < place < windows.shape[1]
        bound = np.ascontiguousarray(windows[:, place]) if inside else np.full(len(windows), len(index), np.int64)
        reused = tuple(sorted(Reused(column, root, source) for (root, source), column in bonds))
        flow = PartialFlow(kind.fixed, reused)
        group = self._group([index.codes[windows[:, cell.flow], cell.source] for cell in reused], len(windows))
        other = kind.saved + self.costs[:, [cell.column for cell in reused]].sum(axis=1)
        sums = np.zeros((WITHIN_STEPS, 3))
        nothing = np.zeros(len(windows))
        pair_counts(anchor, nothing, index.keys_of(flow), group, index.ts, free, other, bound, forward, sums)
        gain, within = self.best_limit(sums, np.array([len(windows), int(free.sum())]), np.array([1, 1]))
        if not gain > 0:
            return None
        return Candidate(gain, extended(placed.pattern, place, kind.fixed, bonds, within))


def _same_flow(one: tuple[tuple[int, int], int], other: tuple[tuple[int, int], int]) -> bool:
    """Whether two bonds are to the two addresses of one flow, by two columns; each pair once."""
    return one[0][0] == other[0][0] and one[0][1] < other[0][1] and one[1] != other[1]


def extended(pattern: Pattern, place: int, fixed: tuple[Fixed, ...], bonds: Bonds, within: int) -> Pattern:
    """The pattern with a flow at `place`, bound to free address cells (flow, column) by its own columns."""
    limits = list(pattern.within)
    if 0 < place < len(pattern):
        limits[place - 1 : place] = [within, limits[place - 1]]
    else:
        limits.insert(max(place - 1, 0), within)
    longer = insert_flow(pattern, place, PartialFlow(fixed), tuple(limits))
    for (root, source), column in bonds:
        if root < place:
            longer = longer.with_cell(place, Reused(column, root, source))
        else:
            longer = rebind(longer, (root + 1, source), (place, column))
    return longer
