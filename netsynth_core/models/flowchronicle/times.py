"""When windows start and how far apart their flows are, for sampling.

Starts follow a smoothed rate over the training span, not the training stamps. Delays follow the quantile function of
the training delays of each gap, log-linear between its knots: positive, with the right tail.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.columns import draw_numbers, quantile_knots
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
    return quantile_knots(delays, DELAY_KNOTS) if len(delays) else np.zeros(DELAY_KNOTS, np.int64)


def draw_delays(knots: NDArray[np.int64], n: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
    """`n` delays (ns, >= 0) between the first and the last knot."""
    return draw_numbers(np.zeros(n, np.int64), knots[None, :], 1, rng=rng)


def period_of(span: int) -> int:
    """After what time (ns) the rate repeats: whole days for a span near a day or more, else the span, at least 1 s.

    Flows of one instant have no rate; they are taken for the flows of a second.
    """
    if span < 0.8 * DAY:
        return max(span, NS_PER_S)
    return max(round(span / DAY), 1) * DAY
