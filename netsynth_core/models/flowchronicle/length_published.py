"""The score of the published FlowChronicle (CoNEXT 2024), so that results can be compared; all in bits.

``--set score=published`` searches by it. With N rows over C = 10 columns, V_c the number of values of column c in the
table, and T the span of the starts in ticks of 10 ms:

1. **Model.** L(M) = L_N(m + 1) + sum over the m patterns of L(p) + L(B_0), L_N being Rissanen's universal code.
   L(p) = L_N(k) + L(B_p) plus, for each of its k flows with f fixed, u reused and s set cells (a set cell is a free one
   that a later cell reuses), S being the set cells of earlier flows:
   log2 C + log2 C(C, f) + sum of log2 V_c over the fixed cells; where S > 0 and C - f - s > 0,
   log2(C - f - s) + log2 C(C - f, u) + u log2 S; log2(C - f - u) (0 where none is left) + log2 C(C - f - u, s).
   A network over m variables costs log2 3 + log2 C(m - 1, parents) for each.

2. **Data.** Each pattern pays L_N of the number of its windows. Each window pays log2 T for its first start and
   L_N(delay in ticks + 1) for each further one; each row left pays log2 T. Values go by the network of the pattern,
   learnt by hill climbing with BIC and at most three parents, and a Krichevsky-Trofimov code over the values that occur
   in its windows.

What is imprecise there is kept here: "how many" cells are charged log2 of the number of columns where one more number
is possible; log2 3 is charged for 0 to 3 parents; the number of rows left, the values that occur in a pattern's
windows, and the order of windows are not charged; a start is uniform over T where T + 1 ticks are possible. Starts
and delays are charged although chaining any two near rows saves log2 T - L_N(delay + 1), so this score finds patterns
that are not there (the default one does not).

What differs from the publication is the search alone: windows have gap limits, which cost nothing because a receiver
does not need them (the delays are sent), a pattern's windows and their cover are those of
`netsynth_core.models.flowchronicle.cover`, and addresses share one dictionary, so that one column's may be reused in
the other. No cell reuses one of its own flow, which that language does not hold. Addresses are fixed only where they
are constant in all windows, as there. The empty pattern's network is learnt on all rows, as there, and once more on the
rows left when a round ends, which can only shorten. A pattern that an edit left without windows pays nothing for their
number.
"""

from math import log2

import numpy as np
from numpy.typing import NDArray

from netsynth_core.flows.table import FlowTable
from netsynth_core.models.bayesnet.climbing import ClimbingLearner
from netsynth_core.models.bayesnet.shared import SharedTables
from netsynth_core.models.codelength import log2_binomial, universal_integer, universal_integers
from netsynth_core.models.flowchronicle.columns import NUMBERS, Column, column_of_edges, learn_columns
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.pattern import WITHIN_STEPS, Pattern
from netsynth_core.models.flowchronicle.score import NetworkLearner

TICK_NS = 10_000_000
BINS = 40
LEFT_OUT = ("service", "state")


class PublishedScore:
    """The published score on one flow table."""

    common = 0.0
    shared: SharedTables | None = None
    reuses_within = False

    def __init__(self, index: FlowIndex) -> None:
        self.networks: NetworkLearner = ClimbingLearner(index.domains)
        self.fixable = tuple(c for c in index.categories if c not in index.hosts)
        self._ticks = (index.ts + TICK_NS // 2) // TICK_NS
        span = int(self._ticks[-1] - self._ticks[0]) if len(index) else 0
        self._start = log2(max(span, 1))
        self._values = tuple(len(np.unique(index.codes[:, c])) for c in range(len(index.sizes)))
        # A delay of bin w is about three quarters of its upper end, 2**w microseconds.
        ticks = np.array([3 * 2**w // (4 * TICK_NS // 1000) for w in range(WITHIN_STEPS)], np.int64)
        self._delay = universal_integers(ticks + 1)

    def shape_bits(self, pattern: Pattern) -> float:
        """L(p) without its network."""
        return published_pattern_bits(pattern, self._values)

    def gap_bits(self, pattern: Pattern, windows: NDArray[np.int64]) -> float:
        """L_N(delay + 1) of every second and later row."""
        return float(universal_integers(np.diff(self._ticks[windows], axis=1).ravel() + 1).sum())

    def start_bits(self, starts: NDArray[np.int64]) -> float:
        """L_N of the number of each pattern's windows, and log2 T for every window and row left."""
        used = starts[:-1][starts[:-1] > 0]
        return float(universal_integers(used).sum()) + int(starts.sum()) * self._start

    def limit_gains(
        self, sums: NDArray[np.float64], starts: NDArray[np.int64], spent: NDArray[np.int64], least: int
    ) -> NDArray[np.float64]:
        """What the hits save by values, and by starts that become delays."""
        hits = np.cumsum(sums[:, 0])
        fewer = int(spent.sum()) - 1
        gains = np.cumsum(sums[:, 1] + sums[:, 0] * (fewer * self._start - self._delay[: len(sums)]))
        return np.where((hits < least) | (sums[:, 0] == 0), -np.inf, gains)


def published_pattern_bits(pattern: Pattern, values: tuple[int, ...]) -> float:
    """Term 1 of one pattern, without its network; ``values[c]`` is the number of values of column c."""
    columns = len(values)
    sources = pattern.sources()
    bits = universal_integer(len(pattern))
    before = 0
    for j, flow in enumerate(pattern.flows):
        fixed, reused = len(flow.fixed), len(flow.reused)
        sets = sum(place == j for place, _ in sources)
        bits += log2(columns) + log2_binomial(columns, fixed)
        bits += sum(log2(values[c.column]) for c in flow.fixed)
        if before and columns - fixed - sets > 0:
            bits += log2(columns - fixed - sets) + log2_binomial(columns - fixed, reused) + reused * log2(before)
        left = columns - fixed - reused
        bits += (log2(left) if left else 0.0) + log2_binomial(left, sets)
        before += sets
    return bits


def learn_published_columns(flows: FlowTable) -> tuple[Column, ...]:
    """The ten columns: numbers cut at their 40-quantiles (linear between values, closed on the right; equal ones once,
    empty bins left out), zero a value of its own."""
    learnt = [c for c in learn_columns(flows, bins=BINS) if c.name not in LEFT_OUT]
    return tuple(_cut(c, flows.frame[c.name].to_numpy(np.int64)) if c.name in NUMBERS else c for c in learnt)


def _cut(column: Column, values: NDArray[np.int64]) -> Column:
    positive = np.sort(values[values != 0])
    if not len(positive):
        return column
    inner = np.unique(np.quantile(positive, np.arange(1, BINS) / BINS))
    # A quantile that equals the smallest value is the first edge twice: its bin reaches to the next one.
    inner = inner[inner > positive[0]]
    # Whole numbers up to q lie below floor(q) + 1, the left edge of the next bin.
    edges = np.concatenate(([positive[0]], np.floor(inner).astype(np.int64) + 1))
    counts = np.diff(np.append(np.searchsorted(positive, np.unique(edges)), len(positive)))
    return column_of_edges(column.name, positive, np.unique(edges)[counts > 0])
