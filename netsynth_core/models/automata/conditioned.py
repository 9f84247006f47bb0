"""Runs of an automaton that have exactly so many packets in each direction, drawn from the automaton's own law.

With beta(q, f, b) the probability that a run from location q ends after exactly f forward and b backward packets,
drawing each transition with p(transition) beta(next) / beta(here) gives every path its probability under the automaton
conditioned on these counts: no approximation and no rejection. The table is filled once an automaton, by backward
dynamic programming in the domain of logarithms, so that long runs do not vanish.

Counts beyond the table are drawn by the same law, with the same memory: a tilted walk up to the edge of the table, kept
or thrown away by its odds there (`netsynth_core.models.automata.conditioning.tilting`). Where no walk is kept within
`BUDGET` steps the run is walked with a receding horizon: every step looks ahead to what is left, shrunk in proportion
to the edge of the table. Such runs agree with the counts but follow the law only nearly; `Runs.exact` tells them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import InvalidParameter, NotEnoughData
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.conditioning.tilting import Tilt, tilt_towards
from netsynth_core.models.automata.running import FlatAutomaton, flatten

LARGEST_TABLE: Final = 400
"""Most packets of both directions together that the table covers."""
TABLE_BYTES: Final = 64 << 20
"""Most memory of one table; automata of many locations have a smaller table."""
MARGIN: Final = 8
"""The table reaches so far beyond the largest counts asked for, so that near ones can be told."""
BUDGET: Final = (1_000_000, 1000, 40_000_000)
"""Steps that walks beyond the table may take for one run: at least, per packet of the run, at most."""

TILT_BYTES: Final = 32 << 20
"""About so much memory is kept in tilts."""

FORWARD, BACKWARD, LAST, NEVER = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Runs:
    """Drawn runs: positions of transitions in `flatten(automaton)`, end markers left out."""

    path: NDArray[np.int64]
    offsets: NDArray[np.int64]
    """n + 1 positions: run i is ``path[offsets[i]:offsets[i + 1]]``."""
    whole: NDArray[np.bool_]
    """Whether run i has the counts asked for; one that has not is cut short and must not be used."""
    exact: NDArray[np.bool_]
    """Whether run i was drawn by the automaton's law under its counts; else by nearly that law."""


class Constraint(Protocol):
    """A deterministic machine that reads along and says which runs are wanted; its states are small integers."""

    start: int

    def step(self, state: int, symbol: int) -> int:
        """The state after a symbol (its position in the alphabet), or -1 when no wanted run goes on like this."""
        ...

    def accepts(self, state: int) -> bool:
        """Whether a run may end here."""
        ...


@dataclass(frozen=True, eq=False)
class _Product:
    """The automaton's locations together with what the constraint remembers; sorted by source."""

    first: NDArray[np.int64]
    target: NDArray[np.int64]
    edge: NDArray[np.int64]
    """Position of each transition in the automaton without constraint."""
    final: int


@dataclass(frozen=True, eq=False)
class ConditionedSampler:
    """An automaton with its table of counts."""

    product: _Product
    way: NDArray[np.int64]
    """Per transition of the product: `FORWARD`, `BACKWARD`, `LAST` for the end marker, or `NEVER`."""
    log_p: NDArray[np.float64]
    """Per transition of the product: natural logarithm of its probability in the automaton."""
    beta: NDArray[np.float64]
    """(F + 1, B + 1, locations): log probability to end after exactly f and b packets more."""
    most: int
    """Largest f + b of the table."""
    _tilts: dict[tuple[int, int], Tilt | None] = field(default_factory=dict)

    def covers(self, fwd: NDArray[np.int64], bwd: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which counts lie within the table."""
        rows, columns = self.beta.shape[:2]
        inside: NDArray[np.bool_] = (fwd + bwd <= self.most) & (fwd < rows) & (bwd < columns)
        return inside

    def log2_probability(self, fwd: NDArray[np.int64], bwd: NDArray[np.int64]) -> NDArray[np.float64]:
        """log2 of the probability that a run has these counts; -inf where it cannot, nan beyond the table."""
        inside = self.covers(fwd, bwd)
        out = np.full(len(fwd), np.nan)
        out[inside] = self.beta[fwd[inside], bwd[inside], 0] / np.log(2.0)
        return out

    def reachable(self, fwd: NDArray[np.int64], bwd: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which counts runs can have; those beyond the table are taken to be so until a walk fails."""
        impossible: NDArray[np.bool_] = np.isneginf(self.log2_probability(fwd, bwd))
        return ~impossible

    def nearest(self, fwd: int, bwd: int, *, at_most: bool = False) -> tuple[int, int] | None:
        """The counts nearest to these (least sum of differences, then the likelier) that runs can have.

        Parameters
        ----------
        at_most
            Whether neither count may be larger than asked.

        Returns
        -------
        tuple or None
            None when the table holds none; for counts beyond the table, when no run has any that differ by at most
            `MARGIN` packets together.
        """
        if not self.covers(np.array([fwd]), np.array([bwd]))[0]:
            return self._nearest_far(fwd, bwd, at_most=at_most)
        rows, columns, _ = self.beta.shape
        here = self.beta[:, :, 0]
        if at_most:
            here = here[: min(rows, fwd + 1), : min(columns, bwd + 1)]
        f, b = np.nonzero(here > -np.inf)
        f, b = f[f + b > 0], b[f + b > 0]
        if len(f) == 0:
            return None
        best = np.lexsort((-here[f, b], np.abs(f - fwd) + np.abs(b - bwd)))[0]
        return int(f[best]), int(b[best])

    def _nearest_far(self, fwd: int, bwd: int, *, at_most: bool) -> tuple[int, int] | None:
        """The nearest counts beyond the table for which a walk with a receding horizon ends as wanted."""
        low = 0 if at_most else MARGIN
        around = [(f, b) for f in range(-MARGIN, low + 1) for b in range(-MARGIN, low + 1)]
        for f, b in sorted(around, key=lambda step: (abs(step[0]) + abs(step[1]), abs(step[0]))):
            near = fwd + f, bwd + b
            if abs(f) + abs(b) > MARGIN or min(near) < 0 or sum(near) == 0:
                continue
            one = [np.array([count], np.int64) for count in near]
            if self.reachable(*one)[0] and self.draw(*one, seeds=np.zeros(1, np.uint64), budget=0).whole[0]:
                return near
        return None

    def draw(
        self, fwd: NDArray[np.int64], bwd: NDArray[np.int64], *, seeds: NDArray[np.uint64], budget: int | None = None
    ) -> Runs:
        """One run per pair of counts.

        Parameters
        ----------
        fwd, bwd
            Packets of each direction, >= 0.
        seeds
            One number per run; a run depends on nothing else, so batches may be cut anywhere.
        budget
            Most steps for each run beyond the table; None = by `BUDGET`, 0 = walk those with a receding horizon.
        """
        from netsynth_core.models.automata.conditioning._kernels import walk_to_counts

        counts = np.asarray(fwd + bwd, np.int64)
        offsets = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        path = np.full(int(offsets[-1]), -1, np.int64)
        made = np.zeros(len(counts), np.int64)
        inside = self.covers(fwd, bwd)
        if budget != 0:
            self._draw_far(np.flatnonzero(~inside), fwd, bwd, seeds, budget, offsets, path, made)
        exact = inside | (made > 0)
        near = np.flatnonzero(inside | (made == 0))
        walked = np.zeros(len(near), np.int64)
        walk_to_counts(
            self.product.first, self.product.target, self.way, self.log_p, 0, self.most, self.beta,
            np.asarray(fwd[near], np.int64), np.asarray(bwd[near], np.int64), np.asarray(seeds[near], np.uint64),
            offsets[near], path, walked,
        )  # fmt: skip
        made[near] = walked
        empty = (counts == 0) & ~self.reachable(fwd, bwd)
        path = np.where(path >= 0, self.product.edge[path], -1)
        return Runs(path, offsets, (made == counts) & ~empty, exact)

    def _draw_far(
        self,
        rows: NDArray[np.int64],
        fwd: NDArray[np.int64],
        bwd: NDArray[np.int64],
        seeds: NDArray[np.uint64],
        budget: int | None,
        offsets: NDArray[np.int64],
        path: NDArray[np.int64],
        made: NDArray[np.int64],
    ) -> None:
        """Draw the runs `rows`, which lie beyond the table, into `path`; ``made`` stays 0 where none is found."""
        from netsynth_core.models.automata.conditioning._kernels import walk_far

        product = self.product
        for i in rows.tolist():
            tilt = self._tilt(int(fwd[i]), int(bwd[i]))
            if tilt is None:
                continue
            least, each, most = BUDGET
            steps = min(max(least, each * int(fwd[i] + bwd[i])), most) if budget is None else budget
            made[i] = walk_far(
                product.first, product.target, self.way, self.log_p, self.most, self.beta,
                tilt.cumulative, tilt.odds, tilt.best, self.most, int(fwd[i]), int(bwd[i]), np.uint64(seeds[i]),
                int(offsets[i]), steps, path,
            )  # fmt: skip

    def _tilt(self, fwd: int, bwd: int) -> Tilt | None:
        """The tilt for some counts; those asked for last are kept."""
        # cells that a walk may arrive at must lie in the table
        if min(self.most, fwd) >= self.beta.shape[0] or min(self.most, bwd) >= self.beta.shape[1]:
            return None
        if (fwd, bwd) not in self._tilts:
            product = self.product
            while self._tilts and sum(t.odds.nbytes for t in self._tilts.values() if t is not None) > TILT_BYTES:
                del self._tilts[next(iter(self._tilts))]
            self._tilts[fwd, bwd] = tilt_towards(
                product.first, product.target, self.way, self.log_p, product.final, self.beta,
                fwd=fwd, bwd=bwd, left=self.most,
            )  # fmt: skip
        return self._tilts[fwd, bwd]


def conditioned_sampler(
    automaton: TimedAutomaton,
    direction_of: Callable[[str], int],
    *,
    fwd: int,
    bwd: int,
    constraint: Constraint | None = None,
) -> ConditionedSampler:
    """Prepare an automaton for drawing runs with given counts.

    Parameters
    ----------
    automaton
        Its symbols are all of one direction each.
    direction_of
        `FORWARD` or `BACKWARD` of each symbol's name, or `NEVER` to condition on the symbol not occurring.
    fwd, bwd
        Largest counts that will be asked for; the table reaches `MARGIN` beyond them, and no further than
        `LARGEST_TABLE` packets or `TABLE_BYTES`.
    constraint
        What else runs must satisfy; the law is then conditioned on that as well.

    Raises
    ------
    NotEnoughData
        When the automaton has counted no word.
    InvalidParameter
        When a count is negative.
    """
    from netsynth_core.models.automata.conditioning._kernels import backward

    if fwd < 0 or bwd < 0:
        raise InvalidParameter(f"A run cannot have {fwd} and {bwd} packets.", hint="Ask for 0 packets or more.")
    flat = flatten(automaton)
    if not flat.count.any():
        raise NotEnoughData("The automaton has counted no word.", hint="Learn it from at least one word.")
    ways = np.array([direction_of(name) for name in automaton.alphabet] + [LAST], np.int64)[flat.symbol]
    product = _product(flat, ways, len(automaton.alphabet), constraint)
    way = ways[product.edge]
    with np.errstate(divide="ignore"):
        log_p = np.log(flat.probability)[product.edge]
    nodes = len(product.first) - 1
    most = _table_size(nodes, fwd + MARGIN, bwd + MARGIN)
    beta = np.full((min(fwd + MARGIN, most) + 1, min(bwd + MARGIN, most) + 1, nodes), -np.inf)
    backward(product.first, product.target, way, log_p, product.final, most, beta)
    return ConditionedSampler(product, way, log_p, beta, most)


def _product(flat: FlatAutomaton, ways: NDArray[np.int64], end: int, constraint: Constraint | None) -> _Product:
    """Every pair of location and constraint state that a run can reach, the initial one first."""
    begin = (flat.initial, 0 if constraint is None else constraint.start)
    number = {begin: 0}
    nodes = [begin]
    rows: list[tuple[int, int, int]] = []
    final: int | None = None
    at = 0
    while at < len(nodes):
        location, state = nodes[at]
        for edge in range(int(flat.first[location]), int(flat.first[location + 1])):
            after = state
            if flat.symbol[edge] == end:
                if constraint is not None and not constraint.accepts(state):
                    continue
                after = 0
            elif ways[edge] == NEVER or flat.count[edge] == 0:
                continue
            elif constraint is not None:
                after = constraint.step(state, int(flat.symbol[edge]))
                if after < 0:
                    continue
            node = (int(flat.target[edge]), after)
            if node not in number:
                number[node] = len(nodes)
                nodes.append(node)
                if node[0] == flat.final:
                    final = number[node]
            rows.append((at, number[node], edge))
        at += 1
    table = np.array(rows, np.int64).reshape(-1, 3)
    first = np.searchsorted(table[:, 0], np.arange(len(nodes) + 1)).astype(np.int64)
    return _Product(first, table[:, 1].copy(), table[:, 2].copy(), -1 if final is None else final)


def _table_size(locations: int, fwd: int, bwd: int) -> int:
    """The largest f + b, at most `LARGEST_TABLE`, whose table fits into `TABLE_BYTES`."""
    most = min(LARGEST_TABLE, fwd + bwd)
    while most > 16 and (min(fwd, most) + 1) * (min(bwd, most) + 1) * locations * 8 > TABLE_BYTES:
        most = most * 7 // 8
    return most
