"""Marginals: does each column, taken alone, look like the real one?

Categorical columns: Jensen-Shannon **distance**, base 2, so 0 (equal) to 1 (nothing in common). Numeric columns:
Wasserstein-1 of log10(1 + x), in decades (0.3 = sizes off by a factor of two on average), and Kolmogorov-Smirnov.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import stats
from scipy.spatial import distance

from netsynth_core.evaluate.metric import Measured, Metric, NotApplicable
from netsynth_core.evaluate.views import CATEGORICAL, NUMERIC, Floats, Ints, View

START_BINS: Final = 50
LIN: Final = "Lin 1991, IEEE Trans. Inf. Theory 37(1); the square root is a metric (Endres, Schindelin 2003)"
VALLENDER: Final = "Wasserstein-1 as the area between distribution functions (Vallender 1974)"
SMIRNOV: Final = "two-sample Kolmogorov-Smirnov statistic (Smirnov 1939)"


def jensen_shannon(p_counts: Ints | Floats, q_counts: Ints | Floats) -> float:
    """Jensen-Shannon distance of two histograms over the same categories: base 2, range 0..1.

    >>> jensen_shannon(np.array([3, 1]), np.array([6, 2]))
    0.0
    """
    if not p_counts.sum() or not q_counts.sum():
        raise NotApplicable("One side has no rows.")
    p = p_counts / p_counts.sum()
    q = q_counts / q_counts.sum()
    seen = (p > 0) | (q > 0)
    value = float(distance.jensenshannon(p[seen], q[seen], base=2))
    # Rounding can put the square root of a tiny negative number there: equal histograms are at distance 0.
    return min(value, 1.0) if np.isfinite(value) else 0.0


def _need_rows(reference: View, other: View) -> None:
    if not len(reference) or not len(other):
        raise NotApplicable("One side has no flows.")


def category_distance(column: str) -> Callable[[View, View], float]:
    """The Jensen-Shannon distance of one categorical column."""

    def measure(reference: View, other: View) -> float:
        _need_rows(reference, other)
        if not reference.filled[column]:
            raise NotApplicable(f"The real flows have no {column}.")
        if not other.filled[column]:
            raise NotApplicable(f"The flows compared have no {column}.")
        size = reference.sizes[column]
        return jensen_shannon(
            np.bincount(reference.codes[column], minlength=size), np.bincount(other.codes[column], minlength=size)
        )

    return measure


def wasserstein(column: str) -> Callable[[View, View], Measured]:
    """Wasserstein-1 of log10(1 + x) in decades; a part gives it in real interquartile ranges."""

    def measure(reference: View, other: View) -> Measured:
        _need_rows(reference, other)
        a, b = reference.logs[column], other.logs[column]
        if not a.any() and not b.any():
            raise NotApplicable(f"{column} is 0 everywhere.")
        value = float(stats.wasserstein_distance(a, b))
        spread = float(stats.iqr(a))
        return Measured(value, {"in real interquartile ranges": value / spread} if spread > 0 else {})

    return measure


def ks_statistic(a: Floats, b: Floats) -> float:
    """The largest gap between the empirical distribution functions of two samples, 0..1.

    scipy's `ks_2samp` computes a p-value as well, which costs more and warns at small n.
    """
    a, b = np.sort(a), np.sort(b)
    at = np.concatenate([a, b])
    rise_a = np.searchsorted(a, at, side="right") / len(a)
    rise_b = np.searchsorted(b, at, side="right") / len(b)
    return float(np.abs(rise_a - rise_b).max())


def kolmogorov_smirnov(column: str) -> Callable[[View, View], float]:
    """The largest gap between the two distribution functions, 0..1; no p-value: with many rows all of them vanish."""

    def measure(reference: View, other: View) -> float:
        _need_rows(reference, other)
        a, b = reference.logs[column], other.logs[column]
        if not a.any() and not b.any():
            raise NotApplicable(f"{column} is 0 everywhere.")
        return ks_statistic(a, b)

    return measure


def start_distance(reference: View, other: View) -> float:
    """Jensen-Shannon distance of the starts, binned by their share of the table's own span."""
    _need_rows(reference, other)
    if reference.span <= 0 or other.span <= 0:
        raise NotApplicable("All flows of one side start at the same instant.")

    def bins(view: View) -> Ints:
        place = np.minimum((view.start / view.span * START_BINS).astype(np.int64), START_BINS - 1)
        return np.bincount(place, minlength=START_BINS)

    return jensen_shannon(bins(reference), bins(other))


def _numeric(column: str, words: str) -> tuple[Metric, Metric]:
    name = "inter-arrival" if column == "gap" else column
    return (
        Metric(
            name=f"wasserstein {name}",
            family="marginals",
            goal="down",
            range=(0.0, None),
            source=VALLENDER,
            meaning=f"{words} differs on average by",
            function=wasserstein(column),
            tolerance=0.1,
            unit="decades",
        ),
        Metric(
            name=f"ks {name}",
            family="marginals",
            goal="down",
            range=(0.0, 1.0),
            source=SMIRNOV,
            meaning=f"The largest gap between the distribution functions of {words[0].lower()}{words[1:]} is",
            function=kolmogorov_smirnov(column),
            tolerance=0.05,
        ),
    )


METRICS: Final[tuple[Metric, ...]] = (
    *(
        Metric(
            name=f"jsd {column}",
            family="marginals",
            goal="down",
            range=(0.0, 1.0),
            source=LIN,
            meaning=f"The shares of {column} differ by a Jensen-Shannon distance of",
            function=category_distance(column),
        )
        for column in CATEGORICAL
    ),
    *(
        metric
        for column in (*NUMERIC, "gap")
        for metric in _numeric(column, "The time between starts" if column == "gap" else f"The {column}")
    ),
    Metric(
        name="jsd start time",
        family="marginals",
        goal="down",
        range=(0.0, 1.0),
        source=LIN,
        meaning=f"The load over {START_BINS} equal parts of the span differs by a Jensen-Shannon distance of",
        function=start_distance,
    ),
)
