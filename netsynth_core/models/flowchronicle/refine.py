"""Variants of patterns that are already there: trimmed cells and limits, and two patterns joined.

Each list is finite and in a fixed order; the search tests every variant by the whole codelength.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from netsynth_core.models.flowchronicle._kernels import pair_counts
from netsynth_core.models.flowchronicle.candidates import Candidate, Estimator
from netsynth_core.models.flowchronicle.pattern import (
    WITHIN_STEPS,
    Fixed,
    Free,
    Pattern,
    concatenate,
    cut,
    rebind,
)
from netsynth_core.models.flowchronicle.solution import Placed, Scorer, Solution

SHARED = 0.75
"""Least share of windows in which two address cells are equal for a reuse to be proposed."""
LEAST_SPECIAL = 0.02
"""Least share of a pattern's windows that a value must have for a pattern of its own to be proposed."""
MOST_SPECIAL = 24
MOST_PARTS = 6
NEARLY_ALL = 0.95
"""Least share of a pattern's windows that its parts must hold together."""
MOST_MERGED = 16
"""Multi-flow patterns that are tried for merging, the most used first."""


def refinements(placed: Placed, scorer: Scorer) -> Iterator[Pattern]:
    """Variants of one pattern: a reuse introduced, a gap limit moved, a cell freed, an end flow dropped."""
    pattern = placed.pattern
    yield from reuses(placed, scorer)
    for gap in range(len(pattern.within)):
        for other in gap_limits(placed, scorer, gap):
            yield replace(pattern, within=(*pattern.within[:gap], other, *pattern.within[gap + 1 :]))
    for j, flow in enumerate(pattern.flows):
        for cell in flow.cells:
            if pattern.covered > 1:
                yield pattern.with_cell(j, Free(cell.column))
    if len(pattern) > 1:
        yield from (shorter for shorter in shortened(pattern) if shorter.covered)


def gap_limits(placed: Placed, scorer: Scorer, gap: int) -> list[int]:
    """Limits worth trying for a gap: those that let through half, nine tenths and 99 % of its delays, half the
    longest delay, and wider ones than now. One that lets all through and is no wider changes no window."""
    ts, windows, within = scorer.index.ts, placed.windows, placed.pattern.within[gap]
    delays = np.sort(ts[windows[:, gap + 1]] - ts[windows[:, gap]]) // 1000
    narrower: list[int] = []
    if len(delays):
        places = (np.array([0.5, 0.9, 0.99]) * (len(delays) - 1)).astype(np.int64)
        most = int(delays[-1]).bit_length()
        narrower = [w for w in (*(int(d).bit_length() for d in delays[places]), most - 1) if 0 <= w < most]
    return [w for w in dict.fromkeys((*narrower, within + 1, within + 3)) if w < WITHIN_STEPS]


def specialisations(placed: Placed, scorer: Scorer) -> Iterator[Pattern]:
    """The pattern with one more cell fixed at a frequent value, the most frequent first; to stand beside it."""
    pattern, index = placed.pattern, scorer.index
    sources = pattern.sources()
    found = []
    for j, c in pattern.free_cells(len(index.sizes)):
        if c not in scorer.terms.fixable or (j, c) in sources or not len(placed.windows):
            continue
        counts = np.bincount(index.codes[placed.windows[:, j], c], minlength=index.sizes[c])[: index.sizes[c]]
        for code in np.flatnonzero((counts >= LEAST_SPECIAL * len(placed.windows)) & (counts < len(placed.windows))):
            found.append((-int(counts[code]), pattern.with_cell(j, Fixed(c, int(code)))))
    yield from (variant for _, variant in sorted(found)[:MOST_SPECIAL])


def partitions(placed: Placed, scorer: Scorer) -> Iterator[tuple[Pattern, ...]]:
    """Patterns to stand in for one: a cell fixed at each of the few values that make up nearly all of its windows."""
    pattern, index = placed.pattern, scorer.index
    sources = pattern.sources()
    for j, c in pattern.free_cells(len(index.sizes)):
        if c not in scorer.terms.fixable or (j, c) in sources or not len(placed.windows):
            continue
        counts = np.bincount(index.codes[placed.windows[:, j], c], minlength=index.sizes[c])[: index.sizes[c]]
        codes = np.flatnonzero(counts >= LEAST_SPECIAL * len(placed.windows))
        if 2 <= len(codes) <= MOST_PARTS and counts[codes].sum() >= NEARLY_ALL * len(placed.windows):
            yield tuple(pattern.with_cell(j, Fixed(c, int(code))) for code in codes)


def reuses(placed: Placed, scorer: Scorer) -> Iterator[Pattern]:
    """A free address cell bound to a free one before it, of its own flow too, that equals it in most windows."""
    pattern, codes, hosts = placed.pattern, scorer.index.codes, scorer.index.hosts
    free = [(j, c) for j, flow in enumerate(pattern.flows) for c in hosts if c not in flow.bound]
    within = scorer.terms.reuses_within
    for target in free:
        for source in free:
            if source[0] < target[0] or (within and source[0] == target[0] and source[1] < target[1]):
                left = codes[placed.windows[:, source[0]], source[1]]
                right = codes[placed.windows[:, target[0]], target[1]]
                if len(left) and float(np.mean(left == right)) >= SHARED:
                    yield rebind(pattern, target, source)


def shortened(pattern: Pattern) -> Iterator[Pattern]:
    """The pattern without its first, and without its last flow."""
    yield Pattern(pattern.flows[:-1], pattern.within[:-1])
    yield cut(pattern, 1)[1]


def merges(estimator: Estimator, solution: Solution, most_flows: int) -> Iterator[Candidate]:
    """Windows of one pattern followed by windows of another that share an address."""
    index = estimator.index
    ranked = sorted(solution.placed, key=lambda p: (-p.windows.size, p.pattern))[:MOST_MERGED]
    for second in ranked:
        if len(second.pattern) < 2:
            continue
        heads = np.ascontiguousarray(second.windows[:, 0])
        free = np.zeros(len(index), np.bool_)
        free[heads] = True
        roots = [(j, c) for j, f in enumerate(second.pattern.flows) for c in index.hosts if c not in f.bound]
        for first in ranked:
            if len(first.pattern) < 2 or len(first.pattern) + len(second.pattern) > most_flows:
                continue
            tails = np.ascontiguousarray(first.windows[:, -1])
            for target in roots:
                hosts_of = index.codes[second.windows[:, target[0]], target[1]].astype(np.int64)
                keys = np.sort(hosts_of * len(index) + heads)
                other = np.zeros(len(index))
                other[heads] = estimator.costs[second.windows[:, target[0]], target[1]]
                for source in [(j, c) for j, f in enumerate(first.pattern.flows) for c in index.hosts]:
                    if source[1] in first.pattern.flows[source[0]].bound:
                        continue
                    group = index.codes[first.windows[:, source[0]], source[1]].astype(np.int64)
                    sums = np.zeros((WITHIN_STEPS, 3))
                    bound = np.full(len(tails), len(index), np.int64)
                    pair_counts(tails, np.zeros(len(tails)), keys, group, index.ts, free, other, bound, True, sums)
                    starts = np.array([len(solution.left), len(first.windows) + len(second.windows)])
                    gain, within = estimator.best_limit(sums, starts, np.array([0, 2]))
                    if gain > 0:
                        joined = concatenate(first.pattern, second.pattern, within)
                        yield Candidate(gain, rebind(joined, (target[0] + len(first.pattern), target[1]), source))
