"""The delays of one gap of a pattern: quantile functions, by the value of a cell where the data say so.

A delay may depend on a cell of the flows up to the one it leads to: the resolver that answers, the port that is opened.
For each candidate cell the delays' doubling bins are coded twice by a Dirichlet code, once together and once for each
value of the cell (values with few windows together); the cell of the largest saving is taken when it saves more than
naming it costs. Each value's quantiles are shrunk: with probability `SHRINKAGE` / (n + `SHRINKAGE`) a delay is drawn
from those of all windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log2

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.codelength import dirichlet_multinomial
from netsynth_core.models.flowchronicle.columns import draw_numbers, quantile_knots

DELAY_KNOTS = 33
"""Points of a quantile function."""
LEAST_WINDOWS = 12
"""Windows a value needs for delays of its own."""
MOST_VALUES = 32
"""Values of a cell with delays of their own."""
SHRINKAGE = 4.0


@dataclass(frozen=True, eq=False)
class DelayLaw:
    """Delays (ns) of one gap."""

    knots: NDArray[np.int64]
    """Quantiles over all windows, shape (`DELAY_KNOTS`,), ascending."""
    cell: tuple[int, int] | None = None
    """(flow, column) of the cell the delay depends on; None = it depends on none."""
    codes: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """Values of that cell with quantiles of their own, ascending."""
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Windows of each of them."""
    by_code: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, DELAY_KNOTS), np.int64))
    """Their quantiles, codes x `DELAY_KNOTS`."""

    def quantile(self, share: float) -> int:
        """The delay (ns) that a share (0-1) of all windows does not exceed."""
        return round(float(np.interp(share, np.linspace(0, 1, DELAY_KNOTS), self.knots)))

    def draw(self, codes: NDArray[np.int32], *, rng: np.random.Generator) -> NDArray[np.int64]:
        """A delay for each window (windows x flows x columns): log-linear between the knots, never beyond them."""
        n = len(codes)
        rows = np.zeros(n, np.int64)
        if self.cell is not None and len(self.codes):
            values = codes[:, self.cell[0], self.cell[1]]
            at = np.minimum(np.searchsorted(self.codes, values), len(self.codes) - 1)
            own = rng.random(n) < (self.counts / (self.counts + SHRINKAGE))[at]
            rows = np.where((self.codes[at] == values) & own, at + 1, 0)
        return draw_numbers(rows, np.concatenate((self.knots[None, :], self.by_code)), 1, rng=rng)


def fit_delays(delays: NDArray[np.int64], codes: NDArray[np.int32], candidates: Sequence[tuple[int, int]]) -> DelayLaw:
    """The law of one gap.

    Parameters
    ----------
    delays
        ns, one a window.
    codes
        Windows x flows x columns.
    candidates
        Cells the delay may depend on.
    """
    if not len(delays):
        return DelayLaw(np.zeros(DELAY_KNOTS, np.int64))
    knots = quantile_knots(delays, DELAY_KNOTS)
    best, saving = None, 0.0
    bins = _bins(delays)
    together = dirichlet_multinomial(np.bincount(bins), int(bins.max()) + 1)
    for cell in candidates:
        group, kept = _groups(codes[:, cell[0], cell[1]])
        if len(kept) == 0 or (len(kept) == 1 and not (group == 1).any()):
            continue
        apart = sum(
            dirichlet_multinomial(np.bincount(bins[group == g]), int(bins.max()) + 1)
            for g in range(len(kept) + 1)
            if (group == g).any()
        )
        # which cell, and how many of its values
        gain = together - apart - log2(len(candidates) + 1) - log2(MOST_VALUES)
        if gain > saving:
            best, saving = cell, gain
    if best is None:
        return DelayLaw(knots)
    group, kept = _groups(codes[:, best[0], best[1]])
    own = np.stack([quantile_knots(delays[group == g], DELAY_KNOTS) for g in range(len(kept))])
    return DelayLaw(knots, best, kept, np.bincount(group, minlength=len(kept) + 1)[: len(kept)].astype(np.int64), own)


def _bins(delays: NDArray[np.int64]) -> NDArray[np.int64]:
    """Half-octave bins of the delays, counted from the smallest."""
    level = np.floor(2 * np.log2(np.maximum(delays, 1))).astype(np.int64)
    return np.asarray(level - level.min(), np.int64)


def _groups(values: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The group of each window and the codes that have one; the last group is for all other codes."""
    found, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    kept = np.sort(found[order[counts[order] >= LEAST_WINDOWS]]).astype(np.int32)
    if not len(kept):
        return np.zeros(len(values), np.int64), kept
    at = np.minimum(np.searchsorted(kept, values), len(kept) - 1)
    return np.where(kept[at] == values, at, len(kept)).astype(np.int64), kept
