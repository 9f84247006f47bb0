"""When windows start and how far apart their flows are, for sampling.

Starts follow a smoothed rate over the training span, not the training stamps. Delays follow the quantile function of
the training delays of each gap, log-linear between its knots: positive, with the right tail.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.units import NS_PER_S

DAY = 86400 * NS_PER_S
DELAY_KNOTS = 33
MOST_BINS = 96


@dataclass(frozen=True, eq=False)
class StartRate:
    """How often a pattern starts along the training span."""

    counts: NDArray[np.int64]
    """Starts in equal parts of the span."""

    @classmethod
    def fit(cls, starts: NDArray[np.int64], first: int, last: int) -> "StartRate":
        """Count starts (ns) in first..last."""
        bins = int(np.clip(np.sqrt(len(starts)), 1, MOST_BINS))
        place = ((starts - first) * bins // max(last - first + 1, 1)).astype(np.int64)
        return cls(np.bincount(np.clip(place, 0, bins - 1), minlength=bins).astype(np.int64))

    def weights(self) -> NDArray[np.float64]:
        """Share of the starts in each part, smoothed over neighbours; sums to one."""
        counts = self.counts + 0.5
        if len(counts) >= 3:
            padded = np.concatenate((counts[:1], counts, counts[-1:]))
            counts = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
        return np.asarray(counts / counts.sum(), np.float64)

    def sample(self, n: int, length: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
        """Offsets (ns, 0..length-1) of `n` starts over a span of `length` ns."""
        edges = np.linspace(0.0, 1.0, len(self.counts) + 1)
        cumulative = np.concatenate(([0.0], np.cumsum(self.weights())))
        place = np.interp(rng.random(n), cumulative / cumulative[-1], edges)
        return np.minimum((place * length).astype(np.int64), max(length - 1, 0))


def delay_knots(delays: NDArray[np.int64]) -> NDArray[np.int64]:
    """Quantiles of the delays (ns) of one gap."""
    if not len(delays):
        return np.zeros(DELAY_KNOTS, np.int64)
    ordered = np.sort(delays)
    at = np.rint(np.linspace(0, len(ordered) - 1, DELAY_KNOTS)).astype(np.int64)
    return np.asarray(ordered[at], np.int64)


def draw_delays(knots: NDArray[np.int64], n: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
    """`n` delays (ns, >= 0) between the first and the last knot."""
    spot = rng.random(n) * (len(knots) - 1)
    low = np.minimum(spot.astype(np.int64), len(knots) - 2)
    left, right = knots[low].astype(np.float64), knots[low + 1].astype(np.float64)
    ratio = np.maximum(right, 1.0) / np.maximum(left, 1.0)
    drawn = np.where(left > 0, left * ratio ** (spot - low), (spot - low) * right)
    return np.asarray(np.rint(np.clip(drawn, left, right)), np.int64)


def period_of(span: int) -> int:
    """After what time (ns) the rate repeats: whole days for a span near a day or more, else the span."""
    if span < 0.8 * DAY:
        return max(span, 1)
    return max(round(span / DAY), 1) * DAY
