"""Rhythms: sources whose windows come at a beat, or in a short burst, and keep that when they are generated.

An intensity knows how often windows start, not how far apart. A beacon every sixty seconds, or a scan of four hundred
ports in forty seconds, is a group of windows (by source, and by destination or port where that is narrower) that comes
in runs. Groups are tried in the order of what they save: a run costs its begin and its length, the gaps inside runs a
Krichevsky-Trofimov code of half-octave bins and their place inside the bin; against it stands the better of a flat rate
and a KT code of the counts by part of the training span, both without the order of the starts. A group is taken when it
saves bits and its gaps are regular (three quarters of them below `REGULAR` times the first quartile), or its runs are
shorter than `SHORT` parts of the span; everything else is left to the intensity.

Generating. For the training span the runs lie where they lay. For another time a rhythm that went on for half of the
training span goes on all the time, and others come in runs as long as those that were seen, by the intensity of the
group. Gaps are drawn from their quantiles. Windows that are more than a run has room for start over inside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from netsynth_core.models.codelength import dirichlet_multinomial, universal_integers
from netsynth_core.models.flowchronicle.columns import draw_numbers, quantile_knots
from netsynth_core.models.flowchronicle.generation.intensity import COURSE, Floats, Ints, StartCounts

GAP_KNOTS = 33
"""Points of the quantile function of gaps."""
LEAST_RUN = 16
"""Windows of a run."""
LEAST_BURST = 32
"""Windows of a run that is kept for its shortness alone."""
MOST_RUNS = 16
MOST_RHYTHMS = 32
"""Rhythms of one pattern."""
WHOLE = 0.8
"""Share of a group's windows that lie in its runs."""
REGULAR = 1.5
HOLES = 2.0
"""A beat's mean gap is at most so many times its median: with longer pauses it is none."""
SHORT = 4
BREAKS = 4.0 ** np.arange(1, 7)
"""How many times the median gap ends a run, as tried."""
PRICE = 16.0
"""Bits that a rhythm must save beyond naming its group."""


@dataclass(frozen=True, eq=False)
class Rhythm:
    """The runs of one group of windows."""

    cells: tuple[tuple[int, int], ...]
    """(column, code) of the first flow that the group has in common."""
    counts: StartCounts
    """When its windows start, for times without training."""
    usage: int
    """Windows."""
    runs: Ints
    """First and last start (ns) and windows of each run, runs x 3, in order."""
    knots: Ints
    """Quantiles of the gaps (ns) inside runs, shape (`GAP_KNOTS`,)."""

    @property
    def mean_run(self) -> float:
        """Windows of a run."""
        return float(self.runs[:, 2].mean())

    @property
    def median_gap(self) -> int:
        """ns."""
        return int(self.knots[GAP_KNOTS // 2])

    @property
    def regular(self) -> bool:
        """Whether its gaps are alike: a beat."""
        return bool(self.knots[3 * GAP_KNOTS // 4] <= REGULAR * self.knots[GAP_KNOTS // 4])

    def lasting(self, span: int) -> bool:
        """Whether its runs took half of `span` ns."""
        return bool(2 * int((self.runs[:, 1] - self.runs[:, 0]).sum()) >= span)

    def matches(self, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which windows are of the group, by the codes of their first flows (windows x columns)."""
        found = np.ones(len(codes), np.bool_)
        for column, code in self.cells:
            found &= codes[:, column] == code
        return found


def fit_rhythms(
    starts: Ints, codes: NDArray[np.int32], keys: Sequence[Sequence[int]], span: tuple[int, int], resolution: int
) -> tuple[tuple[Rhythm, ...], NDArray[np.bool_]]:
    """The rhythms of one pattern, and which windows belong to none.

    Parameters
    ----------
    starts
        ns, ascending.
    codes
        Codes of the first flow of each window, windows x columns.
    keys
        Columns that may make a group, each a set of them.
    span, resolution
        First and last start of training, and the step of time stamps, ns.
    """
    free = np.ones(len(starts), np.bool_)
    length = max(span[1] - span[0] + 1, resolution)
    found = []
    groups = [(key, rows) for key in keys for rows in _groups(codes[:, list(key)])]
    for key, rows in groups:
        runs, gaps, saved = _runs(starts[rows], length, resolution)
        saved -= PRICE + np.log2(len(groups))
        if saved > 0:
            found.append((saved, tuple(key), rows, runs, gaps))
    found.sort(key=lambda item: (-item[0], item[1], int(item[2][0])))
    rhythms: list[Rhythm] = []
    for _, key, rows, runs, gaps in found:
        if len(rhythms) == MOST_RHYTHMS or not free[rows].all():
            continue
        free[rows] = False
        cells = tuple((column, int(codes[rows[0], column])) for column in key)
        counts = StartCounts.fit(starts[rows], *span)
        rhythms.append(Rhythm(cells, counts, len(rows), runs, quantile_knots(gaps, GAP_KNOTS)))
    return tuple(rhythms), free


def _groups(values: NDArray[np.int32]) -> list[Ints]:
    """Rows of each group of equal values that is large enough, in the order of rows."""
    if len(values) < LEAST_RUN:
        return []
    order = np.lexsort(values.T[::-1])
    ordered = values[order]
    cuts = np.flatnonzero((ordered[1:] != ordered[:-1]).any(axis=1)) + 1
    return [np.asarray(part, np.int64) for part in np.split(order, cuts) if len(part) >= LEAST_RUN]


def _runs(starts: Ints, span: int, resolution: int) -> tuple[Ints, Ints, float]:
    """Runs (begin, last, windows) of a group, the gaps inside them, and the bits they save; -inf where it has none."""
    none = np.zeros((0, 3), np.int64), np.zeros(0, np.int64), -np.inf
    gaps = np.diff(starts)
    middle = float(np.median(gaps))
    if middle < resolution and int(gaps.sum()) < resolution * len(gaps):
        return none
    best = none
    for factor in BREAKS:
        ends = np.flatnonzero(gaps > factor * max(middle, resolution))
        first, last = np.append(0, ends + 1), np.append(ends, len(gaps))
        sizes = last - first + 1
        kept = sizes >= LEAST_RUN
        if not 1 <= int(kept.sum()) <= MOST_RUNS or int(sizes[kept].sum()) < WHOLE * len(starts):
            continue
        runs = np.stack((starts[first[kept]], starts[last[kept]], sizes[kept]), axis=1)
        inside = np.concatenate([gaps[a:b] for a, b in zip(first[kept], last[kept], strict=True)])
        if not _tells(runs, inside, span):
            continue
        members = np.concatenate([starts[a : b + 1] for a, b in zip(first[kept], last[kept], strict=True)])
        saved = _plain_bits(members, starts, span, resolution) - _run_bits(runs, inside, span, resolution)
        if saved > best[2]:
            best = runs, inside, saved
    return best


def _tells(runs: Ints, gaps: Ints, span: int) -> bool:
    """Whether runs are a beat, or short bursts: what an intensity by parts of the span cannot say."""
    low, high = np.quantile(gaps, [0.25, 0.75])
    if low > 0 and high <= REGULAR * low and float(gaps.mean()) <= HOLES * float(np.median(gaps)):
        return True
    short = bool(((runs[:, 1] - runs[:, 0]) * COURSE <= SHORT * span).all())
    return short and bool((runs[:, 2] >= LEAST_BURST).all())


def _run_bits(runs: Ints, gaps: Ints, span: int, resolution: int) -> float:
    """Begins and lengths of the runs, and the gaps inside them."""
    steps = gaps // resolution + 1
    level = np.floor(2 * np.log2(steps)).astype(np.int64)
    width = np.maximum(2 ** ((level + 1) / 2) - 2 ** (level / 2), 1.0)
    seen = np.bincount(level - level.min())
    named = 2 * np.log2(64) + dirichlet_multinomial(seen, len(seen))
    begins = len(runs) * np.log2(max(span / resolution, 2.0)) + universal_integers(runs[:, 2]).sum()
    return float(begins + named + np.log2(width).sum())


def _plain_bits(members: Ints, starts: Ints, span: int, resolution: int) -> float:
    """The same starts by a flat rate, or by counts in parts of the span."""
    n = len(members)
    unordered = float(gammaln(n + 1) / np.log(2))
    flat = n * np.log2(max(span / resolution, 2.0))
    part = np.minimum((members - int(starts[0])) * COURSE // span, COURSE - 1)
    parts = dirichlet_multinomial(np.bincount(part, minlength=COURSE), COURSE)
    return float(min(flat, parts + n * np.log2(max(span / COURSE / resolution, 1.0)))) - unordered


def with_runs(edges: Ints, expected: Floats, rhythms: Sequence[Rhythm | None]) -> tuple[Ints, Floats]:
    """Expected windows by part of the training span, cut at the runs, where rhythms have theirs.

    Parameters
    ----------
    edges, expected
        Edges (ns, parts + 1) and windows, rows x parts.
    rhythms
        The rhythm of each row; None = by its intensity.
    """
    if not any(rhythms):
        return edges, expected
    marks = np.concatenate([r.runs[:, :2].ravel() + [0, 1] * len(r.runs) for r in rhythms if r is not None])
    cut = np.unique(np.concatenate((edges, np.clip(marks, edges[0], edges[-1]))))
    made = np.empty((len(expected), len(cut) - 1))
    for row, rhythm in enumerate(rhythms):
        if rhythm is None:
            made[row] = np.diff(np.interp(cut, edges, np.append(0.0, np.cumsum(expected[row]))))
            continue
        made[row] = 0.0
        for begin, last, windows in rhythm.runs:
            made[row] += np.diff(np.clip((cut - begin) / (last + 1 - begin), 0.0, 1.0)) * windows
        made[row] *= rhythm.usage / rhythm.runs[:, 2].sum()
    return cut, made


class Beats:
    """Draws the starts of one rhythm, slice by slice of time; a beat goes on from one slice to the next."""

    def __init__(self, rhythm: Rhythm, span: int) -> None:
        self.rhythm = rhythm
        self.lasting = rhythm.lasting(span)
        self._next: dict[int, int] = {}

    def as_trained(self, n: int, begin: int, end: int, *, rng: np.random.Generator) -> Ints:
        """`n` starts in begin..end - 1 (ns), in the runs that lie there."""
        first, last = self.rhythm.runs[:, 0], self.rhythm.runs[:, 1] + 1
        low, high = np.maximum(first, begin), np.minimum(last, end)
        overlap = np.maximum(high - low, 0) / (last - first) * self.rhythm.runs[:, 2]
        if not overlap.any():
            return begin + rng.integers(0, max(end - begin, 1), n)
        at = np.rint(np.append(0.0, np.cumsum(overlap)) / overlap.sum() * n).astype(np.int64)
        parts = [
            self._run(r, int(k), int(low[r]), int(high[r]), int(first[r]) >= begin, rng)
            for r, k in enumerate(np.diff(at))
            if k
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def going_on(self, n: int, begin: int, end: int, *, rng: np.random.Generator) -> Ints:
        """`n` starts of a beat that goes on all the time."""
        return self._run(0, n, begin, end, False, rng)

    def in_runs(self, begins: Ints, n: int, *, rng: np.random.Generator) -> Ints:
        """`n` starts in runs that begin at given times."""
        at = np.rint(np.linspace(0, n, len(begins) + 1)).astype(np.int64)
        gaps = self._gaps(n, rng)
        starts = np.empty(n, np.int64)
        for begin, low, high in zip(begins, at[:-1], at[1:], strict=True):
            starts[low:high] = begin + np.cumsum(gaps[low:high]) - gaps[low:high][:1].sum()
        return starts

    def _gaps(self, n: int, rng: np.random.Generator) -> Ints:
        return draw_numbers(np.zeros(n, np.int64), self.rhythm.knots[None, :], 1, rng=rng)

    def _run(self, run: int, n: int, low: int, high: int, fresh: bool, rng: np.random.Generator) -> Ints:
        """`n` starts of a run that has the room low..high - 1; `fresh` = it begins there."""
        begin = self._next.get(run, -1)
        if not low <= begin < high:
            begin = low if fresh else low + int(rng.random() * min(self.rhythm.median_gap, high - low))
        gaps = self._gaps(n, rng)
        passed = np.cumsum(gaps)
        self._next[run] = begin + int(passed[-1]) if n else begin
        starts = begin - low + passed - gaps
        return np.asarray(low + starts % max(high - low, 1), np.int64)
