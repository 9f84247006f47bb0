"""The starts of a pattern's windows, by the value of a cell where the data say so.

Flows that belong to no session are windows of one pattern, whatever their service; backups at night and browsing by day
then need starts of their own. As for delays, each candidate cell of the first flow is tried: starts by hour (of working
days and weekends, where the span tells them apart) are coded once together and once for each value of the cell, by a
Dirichlet code of the counts over their dispersion (starts in clumps are less evidence); the largest saving is taken
when it exceeds the price of naming the cell. Only spans that tell the hours are asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log, log2

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from netsynth_core.models.flowchronicle.generation.intensity import Ints, Known, StartCounts, daytype_hour
from netsynth_core.models.flowchronicle.generation.rhythms import Rhythm

LEAST_WINDOWS = 24
"""Windows a value needs for starts of its own."""
MOST_VALUES = 16


@dataclass(frozen=True, eq=False)
class StartLaw:
    """How often the windows of a pattern start."""

    all: StartCounts
    """All windows that are of no rhythm."""
    cell: int | None = None
    """Column of the first flow's cell that starts depend on; None = they depend on none."""
    codes: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """Values of that cell with starts of their own, ascending."""
    parts: tuple[StartCounts, ...] = ()
    """Starts of each of them, and of all other values."""
    usage: tuple[int, ...] = ()
    """Windows of each part."""
    rhythms: tuple[Rhythm, ...] = ()
    """Groups of windows that come at a beat or in bursts."""

    def part_of(self, codes: NDArray[np.int32]) -> Ints:
        """The part of each window (windows x flows x columns); the rhythms follow the parts."""
        part = np.zeros(len(codes), np.int64)
        if self.cell is not None:
            part = _part(codes[:, 0, self.cell], self.codes)
        for place, rhythm in enumerate(self.rhythms):
            part[rhythm.matches(codes[:, 0])] = max(len(self.parts), 1) + place
        return part


def _part(values: NDArray[np.int32], kept: NDArray[np.int32]) -> Ints:
    at = np.minimum(np.searchsorted(kept, values), len(kept) - 1)
    return np.where(kept[at] == values, at, len(kept)).astype(np.int64)


def fit_starts(starts: Ints, codes: NDArray[np.int32], candidates: Sequence[int], span: tuple[int, int]) -> StartLaw:
    """The law of one pattern's starts (ns, ascending).

    Parameters
    ----------
    codes
        Codes of the first flow of each window, windows x columns.
    candidates
        Columns that starts may depend on.
    span
        First and last start of training, ns.
    """
    together = StartCounts.fit(starts, *span)
    known = Known.of(*span)
    if not known.hours or len(starts) < 2 * LEAST_WINDOWS:
        return StartLaw(together)
    bins = daytype_hour(starts) if known.weekends else daytype_hour(starts) % 24
    size = 48 if known.weekends else 24
    whole = _bits(np.bincount(bins, minlength=size) / together.dispersion)
    best, saving = None, 0.0
    for column in candidates:
        kept = _kept(codes[:, column])
        if not len(kept):
            continue
        part = _part(codes[:, column], kept)
        table = np.bincount(part * size + bins, minlength=(len(kept) + 1) * size).reshape(-1, size)
        apart = sum(_bits(row / together.dispersion) for row in table if row.any())
        gain = whole - apart - log2(len(candidates) + 1) - log2(MOST_VALUES)
        if gain > saving:
            best, saving = column, gain
    if best is None:
        return StartLaw(together)
    kept = _kept(codes[:, best])
    part = _part(codes[:, best], kept)
    parts = tuple(StartCounts.fit(starts[part == p], *span) for p in range(len(kept) + 1))
    usage = np.bincount(part, minlength=len(kept) + 1)
    return StartLaw(together, best, kept, parts, tuple(int(n) for n in usage))


def _bits(counts: NDArray[np.float64]) -> float:
    """A Krichevsky-Trofimov code of counts that need not be whole."""
    half = 0.5 * len(counts)
    nats = gammaln(counts.sum() + half) - gammaln(half) - (gammaln(counts + 0.5) - gammaln(0.5)).sum()
    return float(nats / log(2))


def _kept(values: NDArray[np.int32]) -> NDArray[np.int32]:
    found, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    return np.sort(found[order[counts[order] >= LEAST_WINDOWS]]).astype(np.int32)
