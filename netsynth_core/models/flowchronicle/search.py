"""The search: greedy, by candidates in order of estimated gain.

A move is kept only when the total codelength falls, and when the flows it joins follow each other more often than by
chance (`netsynth_core.models.flowchronicle.chance`).

Phases: two-flow patterns straight from row types; longer ones by a flow before, between or after; merges; one-flow
patterns; then each pattern is trimmed (cells fixed, freed or reused, gap limits, flows dropped) and what no longer
pays is removed. Every phase has finitely many candidates, and the rounds are bounded.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import takewhile
from time import monotonic
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.candidates import Candidate, Estimator, cell_costs, row_types
from netsynth_core.models.flowchronicle.chance import by_chance
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.params import ScoreName
from netsynth_core.models.flowchronicle.pattern import Fixed, PartialFlow, Pattern, constants_fixed
from netsynth_core.models.flowchronicle.refine import merges, partitions, refinements, specialisations
from netsynth_core.models.flowchronicle.score import score_of
from netsynth_core.models.flowchronicle.solution import Placed, Scorer, Solution, without
from netsynth_core.monitor import Monitor, stopping

MOST_ROUNDS = 12
PATIENCE = 40
"""Candidates of one phase that may fail in a row; the best estimates are often variants of one bad candidate."""
SHORT_PATIENCE = 12
"""The same where every pattern learns tables of its own, which makes tests slow."""
HOPELESS = 150.0
"""Bits too many that fixing constant cells is not expected to make up for."""
LEAST_SAVED = 1.0
"""Bits a move must save."""


@dataclass(frozen=True)
class SearchOutcome:
    """What the search ended with."""

    solution: Solution
    stopped: Literal["", "budget", "hand"]
    """What ended it early: the time budget, or the watcher; empty when it came to its own end."""
    tested: int
    """Pattern sets covered and scored."""


class Search:
    """One run on one flow table.

    Parameters
    ----------
    least
        Fewest rows of a row type.
    most_flows
        Most flows of a pattern.
    seconds
        Time budget; None for none.
    """

    def __init__(
        self,
        index: FlowIndex,
        *,
        least: int,
        most_flows: int,
        seconds: float | None,
        monitor: Monitor,
        score: ScoreName = "default",
    ) -> None:
        self.index = index
        self.scorer = Scorer(index, score_of(score, index))
        self.monitor = monitor
        self.most_flows = most_flows
        self.patience = SHORT_PATIENCE if self.scorer.terms.shared is None else PATIENCE
        self.tested = 0
        self.seen: set[Pattern] = set()
        self._moves = 0
        # Patterns that were not kept, with the number of moves made before.
        self._failed: dict[Pattern, int] = {}
        # Placements whose variants have all failed.
        self._settled: dict[tuple[Pattern, str], Placed] = {}
        self._chance: dict[Pattern, bool] = {}
        self._stopped: Literal["", "budget", "hand"] = ""
        self._end = None if seconds is None else monotonic() + seconds
        self.monitor.step("learning the empty pattern", 0, None)
        self.solution = self.scorer.empty()
        costs = cell_costs(index, self.solution, self.scorer.terms.shared)
        self.types = row_types(index, costs, least=least, fixable=self.scorer.terms.fixable)
        self.estimator = Estimator(index, costs, self.scorer.terms)

    def run(self) -> SearchOutcome:
        """Search until a round changes nothing, the rounds are used up, or the time is."""
        whole = False
        for _ in range(MOST_ROUNDS):
            before = self.solution.total
            if whole:
                self._settled = {}
            # What failed since the last move would fail again.
            self.seen = {pattern for pattern, moves in self._failed.items() if moves == self._moves}
            self._pairs()
            self._extensions()
            self._merges()
            self._singles()
            self._refinements()
            self._specialisations()
            self._prune()
            changed = self.solution.total < before - LEAST_SAVED
            if self.ended or (whole and not changed):
                break
            # What has not changed since its variants failed is not looked at again, until nothing else changes.
            whole = not changed
        return SearchOutcome(self.solution, self._stopped, self.tested)

    def settle(self, patterns: Iterable[Pattern]) -> Solution:
        """What given patterns come to on this table, without those that do not pay."""
        self._step("covering all flows")
        self.solution = self.scorer.solve(patterns, base=self.solution)
        self._prune()
        return self.solution

    @property
    def ended(self) -> bool:
        """Whether the time budget is used up, or the watcher wants the best so far."""
        if not self._stopped:
            if stopping(self.monitor):
                self._stopped = "hand"
            elif self._end is not None and monotonic() > self._end:
                self._stopped = "budget"
        return bool(self._stopped)

    def _step(self, phase: str) -> None:
        s = self.solution
        self.monitor.step(phase, self.tested, None, bits=s.total, patterns=len(s.placed))

    def test(
        self, pattern: Pattern, *, instead_of: tuple[Pattern, ...] = (), rest: Pattern | None = None, phase: str
    ) -> bool:
        """Keep the pattern, beside or instead of others, when the total falls; say whether it did.

        `rest` is a pattern that keeps what the new one leaves, and whose constant cells may be fixed then.
        """
        patterns = without(self.solution.patterns, *instead_of)
        if pattern in patterns or len(pattern) > self.most_flows:
            return False
        self.tested += 1
        trial = self.scorer.solve([*patterns, pattern], base=self.solution)
        if trial.total < self.solution.total + HOPELESS:
            trial = self._absorbed(trial, pattern)
            if rest is not None:
                trial = self._absorbed(trial, rest)
        if len(pattern) > 1 and not instead_of and trial.total < self.solution.total - LEAST_SAVED:
            trial = min(trial, self._apart(pattern, trial), key=lambda s: s.total)
        better = trial.total < self.solution.total - LEAST_SAVED
        kept = better and not self._new_by_chance(trial) and self._accept(trial)
        if not kept:
            self._failed[pattern] = self._moves
        self._step(phase)
        return kept

    def _apart(self, pattern: Pattern, trial: Solution) -> Solution:
        """The solution with the flows of `pattern` as patterns of their own, with all that is constant among the rows
        they have in the trial: joining them must save more than this."""
        placed = next((p for p in trial.placed if p.pattern == pattern), None)
        parts = []
        for j, flow in enumerate(pattern.flows):
            own = tuple(replace(r, flow=0) for r in pattern.own(j))
            parts.append(Pattern((PartialFlow(flow.fixed, own),)))
            if placed is not None and len(placed.windows):
                rows = self.index.codes[placed.windows[:, j]]
                constant = np.flatnonzero((rows == rows[0]).all(axis=0))
                known = {r.column for r in own} | {r.source for r in own}
                fixed = [Fixed(int(c), int(rows[0, c])) for c in constant if c in self.scorer.terms.fixable]
                fixed = [f for f in fixed if f.column not in known and f.code < self.index.sizes[f.column]]
                parts.append(Pattern((PartialFlow(tuple(fixed), own),)))
        parts = [p for p in dict.fromkeys(parts) if p.covered]
        return self.scorer.solve([*self.solution.patterns, *parts], base=self.solution)

    def _absorbed(self, trial: Solution, pattern: Pattern) -> Solution:
        """The trial with the pattern's constant cells fixed, when that is shorter."""
        placed = next((p for p in trial.placed if p.pattern == pattern), None)
        if placed is None or not len(placed.windows):
            return trial
        sources = pattern.sources()
        cells = pattern.free_cells(len(self.index.sizes))
        codes = self.scorer.window_codes(pattern, placed.windows)
        sizes = self.index.sizes
        constant = {
            cell: int(row[0])
            for cell, row in zip(cells, codes, strict=True)
            if cell not in sources and row[0] < sizes[cell[1]] and (row == row[0]).all()
        }
        if not constant:
            return trial
        narrower = constants_fixed(pattern, constant)
        fixed = self.scorer.solve([*without(trial.patterns, pattern), narrower], base=trial)
        return min(trial, fixed, key=lambda s: s.total)

    def _new_by_chance(self, trial: Solution) -> bool:
        """Whether the trial brings a pattern whose flows follow each other by chance."""
        if self.scorer.terms.shared is None:
            return False
        new = [p for p in trial.patterns if len(p) > 1 and p not in self.solution.patterns]
        for pattern in new:
            if pattern not in self._chance:
                self._chance[pattern] = by_chance(pattern, self.index)
        return any(self._chance[p] for p in new)

    def _accept(self, trial: Solution) -> bool:
        if not trial.total < self.solution.total - LEAST_SAVED:
            return False
        self.solution = self._pruned(trial)
        self._moves += 1
        return True

    def _pruned(self, solution: Solution) -> Solution:
        """The solution without patterns that lost windows and no longer pay: L without p < L with p."""
        before = {p.pattern: len(p.windows) for p in self.solution.placed}
        shrunk = [p for p in solution.placed if len(p.windows) < before.get(p.pattern, 0)]
        for placed in sorted(shrunk, key=lambda p: (len(p.windows) - before[p.pattern], p.pattern)):
            trial = self.scorer.solve(without(solution.patterns, placed.pattern), base=solution)
            if trial.total < solution.total:
                solution = trial
        return solution

    def free_rows(self) -> NDArray[np.bool_]:
        """Rows open to longer patterns: those in no window, or in a window of one row."""
        free = np.ones(len(self.index), np.bool_)
        for placed in self.solution.placed:
            if len(placed.pattern) > 1:
                free[placed.windows] = False
        return free

    def _pairs(self) -> None:
        free = self.free_rows()
        queue: list[tuple[float, Pattern, tuple[int, int, int]]] = []
        for a, first in enumerate(self.types):
            self._step("joining flows")
            if self.ended:
                return
            queue += [
                (-c.gain, c.pattern, (a, b, way)) for c, (b, way) in self.estimator.pairs(first, self.types, free)
            ]
        heapq.heapify(queue)
        failures = 0
        while queue and failures < self.patience and not self.ended:
            _, _, (a, b, way) = heapq.heappop(queue)
            first, second = self.types[a], self.types[b]
            fresh = self.estimator.pair(first, second, self.estimator.ways(first, second)[way], free)
            if fresh is None or fresh.pattern in self.seen:
                continue
            if queue and -fresh.gain > queue[0][0]:
                heapq.heappush(queue, (-fresh.gain, fresh.pattern, (a, b, way)))
                continue
            self.seen.add(fresh.pattern)
            if self.test(fresh.pattern, phase="joining flows"):
                failures = 0
                free = self.free_rows()
            else:
                failures += 1

    def _extensions(self) -> None:
        tried: set[Pattern] = set()
        while not self.ended:
            waiting = [p for p in self.solution.placed if p.pattern not in tried and len(p.pattern) < self.most_flows]
            if not waiting:
                return
            placed = max(waiting, key=lambda p: (p.windows.size, p.pattern))
            tried.add(placed.pattern)
            if len(placed.pattern) == 1:
                continue
            candidates = self.estimator.extensions(placed, self.types, self.free_rows())
            self._test_in_order(candidates, "lengthening patterns", most=self.patience)

    def _merges(self) -> None:
        candidates = merges(self.estimator, self.solution, self.most_flows)
        self._test_in_order(candidates, "merging patterns", most=self.patience)

    def _singles(self) -> None:
        for _ in range(len(self.types)):
            free = np.zeros(len(self.index), np.bool_)
            free[self.solution.left] = True
            candidates = [c for c in (self.estimator.single(t, free) for t in self.types) if c is not None]
            candidates += self.estimator.own_singles(self.types, free)
            if not self._test_in_order(candidates, "single flows", most=self.patience, one=True):
                return

    def _test_in_order(self, candidates: Iterable[Candidate], phase: str, *, most: int, one: bool = False) -> bool:
        """Test the best candidates, best first, until `most` in a row fail (or `one` is kept); whether any was kept."""
        in_time = takewhile(lambda _: not self.ended, candidates)
        ranked = sorted(in_time, key=lambda c: (-c.gain, c.pattern))
        failures = 0
        kept = False
        for candidate in ranked:
            if failures >= most or self.ended or (one and kept):
                break
            if candidate.pattern in self.seen:
                continue
            self.seen.add(candidate.pattern)
            if self.test(candidate.pattern, phase=phase):
                kept, failures = True, 0
            else:
                failures += 1
        return kept

    def _refinements(self) -> None:
        for pattern in self.solution.patterns:
            current: Pattern | None = pattern
            for _ in range(3):
                placed = self._placed(current)
                current = None
                if placed is None or self._settled.get((placed.pattern, "refined")) is placed:
                    break
                for variant in refinements(placed, self.scorer):
                    if self.ended:
                        return
                    if variant in self.seen:
                        continue
                    self.seen.add(variant)
                    if self.test(variant, instead_of=(placed.pattern,), phase="trimming patterns"):
                        current = variant
                        break
                if current is None:
                    self._settled[placed.pattern, "refined"] = placed
                    break

    def _specialisations(self) -> None:
        for pattern in self.solution.patterns:
            placed = self._placed(pattern)
            if placed is None or len(pattern) < 2 or self._settled.get((pattern, "special")) is placed:
                continue
            self._settled[pattern, "special"] = placed
            if any(self._split(parts, pattern) for parts in partitions(placed, self.scorer)):
                continue
            for variant in specialisations(placed, self.scorer):
                if self.ended:
                    return
                if variant not in self.seen:
                    self.seen.add(variant)
                    self.test(variant, rest=pattern, phase="splitting patterns")

    def _split(self, parts: tuple[Pattern, ...], pattern: Pattern) -> bool:
        """Keep the parts instead of the pattern when the total falls; say whether it did."""
        if self.ended:
            return False
        self.tested += 1
        trial = self.scorer.solve([*without(self.solution.patterns, pattern), *parts], base=self.solution)
        for part in parts:
            trial = self._absorbed(trial, part)
        kept = not self._new_by_chance(trial) and self._accept(trial)
        self._step("splitting patterns")
        return kept

    def _placed(self, pattern: Pattern | None) -> Placed | None:
        return next((p for p in self.solution.placed if p.pattern == pattern), None)

    def _prune(self) -> None:
        """Remove every pattern without which the total is smaller, and learn the networks anew."""
        for pattern in reversed(self.solution.patterns):
            if self.ended:
                return
            trial = self.scorer.solve(without(self.solution.patterns, pattern), base=self.solution)
            if trial.total < self.solution.total:
                self.solution = trial
                self._moves += 1
            self._step("pruning")
        relearnt = self.scorer.relearnt(self.solution)
        if relearnt.total < self.solution.total:
            self.solution = relearnt
            self._moves += 1
        self._step("pruning")
