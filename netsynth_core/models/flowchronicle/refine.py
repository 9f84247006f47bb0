"""Variants of patterns that are already there: trimmed cells and limits, and two patterns joined.

Each list is finite and in a fixed order; the search tests every variant by the whole codelength.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.candidates import LEAST_HITS, Candidate, Estimator
from netsynth_core.models.flowchronicle.pattern import (
    WITHIN_STEPS,
    Fixed,
    Free,
    Pattern,
    constants_fixed,
    cut,
    interleave,
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
USUAL_GAP = 0.98
"""Share of the delays that the limits of a merged pattern let through."""
MOST_MERGED = 16
"""Patterns that are tried for merging, the most used first."""


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
    """Windows of one pattern that begin between or after the flows of another: both in one, in the order they mostly
    have, sharing an address when either has one to share."""
    ranked = sorted(solution.placed, key=lambda p: (-p.windows.size, p.pattern))[:MOST_MERGED]
    for first in ranked:
        for second in ranked:
            flows = len(first.pattern) + len(second.pattern)
            if first is second or flows > most_flows or flows < 3:
                continue
            for bond in _bonds(first.pattern, second.pattern, estimator.index.hosts):
                candidate = _merged(estimator, solution, first, second, bond)
                if candidate is not None:
                    yield candidate


Bond = tuple[tuple[int, int], tuple[int, int]]


def _bonds(first: Pattern, second: Pattern, hosts: tuple[int, ...]) -> list[Bond | None]:
    """Free address cells (flow, column) of both that may be equal; None for no such."""
    roots = [[(j, c) for j, f in enumerate(p.flows) for c in hosts if c not in f.bound] for p in (first, second)]
    return [None, *((a, b) for a in roots[0] for b in roots[1])]


def _merged(
    estimator: Estimator, solution: Solution, first: Placed, second: Placed, bond: Bond | None
) -> Candidate | None:
    """Each window of `first` with the next one of `second` to begin, if that is worth it."""
    index = estimator.index
    heads, tops = first.windows[:, 0], second.windows[:, 0]
    groups = [np.zeros(len(p.windows), np.int64) for p in (first, second)]
    saved = np.zeros(len(tops))
    if bond is not None:
        groups = [
            index.codes[p.windows[:, flow], column].astype(np.int64)
            for p, (flow, column) in zip((first, second), bond, strict=True)
        ]
        saved = estimator.costs[second.windows[:, bond[1][0]], bond[1][1]]
    keys = groups[1] * len(index) + tops
    order = np.argsort(keys)
    at = np.searchsorted(keys[order], groups[0] * len(index) + heads, side="right")
    found = np.flatnonzero(at < len(keys))
    partner = order[at[found]]
    found, partner = found[groups[0][found] == groups[1][partner]], partner[groups[0][found] == groups[1][partner]]
    # Of several windows before one of the second, the nearest has it.
    nearest = np.append(partner[1:] != partner[:-1], True) if len(partner) else np.zeros(0, np.bool_)
    if bond is not None and len(partner):
        nearest = np.zeros(len(partner), np.bool_)
        nearest[len(partner) - 1 - np.unique(partner[::-1], return_index=True)[1]] = True
    found, partner = found[nearest], partner[nearest]
    if len(found) < LEAST_HITS:
        return None
    rows = np.concatenate((first.windows[found], second.windows[partner]), axis=1)
    places = np.argsort(rows, axis=1, kind="stable")
    kinds, kind, counts = np.unique(places, axis=0, return_inverse=True, return_counts=True)
    usual = kind.ravel() == int(np.argmax(counts))
    rows = np.sort(rows[usual], axis=1)
    delays = (index.ts[tops[partner[usual]]] - index.ts[heads[found[usual]]]) // 1000
    bins = np.minimum(_bit_lengths(delays), WITHIN_STEPS - 1)
    sums = np.zeros((WITHIN_STEPS, 3))
    passed = np.maximum(rows[:, -1] - rows[:, 0] + 1 - rows.shape[1], 0) / rows.shape[1]
    for column, weights in enumerate((np.ones(len(rows)), saved[partner[usual]], passed)):
        sums[:, column] = np.bincount(bins, weights=weights, minlength=WITHIN_STEPS)
    starts = np.array([len(solution.left), len(first.windows), len(second.windows)])
    gain, within = estimator.best_limit(sums, starts, np.array([0, 1, 1]))
    if not gain > 0:
        return None
    kept = rows[bins <= within]
    gaps = np.sort(np.diff(index.ts[kept], axis=1) // 1000, axis=0)
    widest = _bit_lengths(gaps[int(USUAL_GAP * (len(gaps) - 1))])
    limits = tuple(int(w) for w in np.minimum(widest, WITHIN_STEPS - 1))
    pattern = interleave(first.pattern, second.pattern, tuple(int(p) for p in kinds[np.argmax(counts)]), limits)
    if bond is not None:
        size, (left, right) = len(first.pattern), bond
        spot = {int(p): new for new, p in enumerate(kinds[np.argmax(counts)])}
        cells = sorted(((spot[left[0]], left[1]), (spot[size + right[0]], right[1])))
        pattern = rebind(pattern, cells[1], cells[0])
    codes = index.codes[kept]
    constant = {
        (j, c): int(codes[0, j, c])
        for j, c in pattern.free_cells(len(index.sizes))
        if c in index.hosts and (j, c) not in pattern.sources() and (codes[:, j, c] == codes[0, j, c]).all()
    }
    return Candidate(gain, constants_fixed(pattern, constant) if constant else pattern)


def _bit_lengths(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bits that each value >= 0 has."""
    return np.where(values > 0, np.floor(np.log2(np.maximum(values, 1) + 0.5)).astype(np.int64) + 1, 0)
