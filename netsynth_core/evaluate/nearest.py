"""Distances between flows, and what neighbourhoods tell: density and coverage.

The distance is the mean over the columns: a categorical one is 0 (equal) or 1; a numeric one |difference| of log10(1
+ x) over `LOG_RANGE`, at most 1. One scale for all tables: with the range of each table the one with the larger
outlier would look nearer. The start is no column: a generated flow of next week is not far from anything.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.evaluate.metric import Metric, NotApplicable
from netsynth_core.evaluate.views import CATEGORICAL, NUMERIC, View

Distances = NDArray[np.float32]

MOST_ROWS: Final = 1_000
"""Rows a side: all pairs are compared."""
BLOCK: Final = 500
LOG_RANGE: Final = 6.0
"""Decades that count as entirely different."""
NEIGHBOURS: Final = 5


def distances(rows: View, among: View) -> Distances:
    """Distance of each row to each one in `among`, 0..1: shape (len(rows), len(among))."""
    total = np.zeros((len(rows), len(among)), np.float32)
    for column in CATEGORICAL:
        total += rows.codes[column][:, None] != among.codes[column][None, :]
    for column in NUMERIC:
        a, b = (view.logs[column].astype(np.float32) for view in (rows, among))
        total += np.minimum(np.abs(a[:, None] - b[None, :]) / np.float32(LOG_RANGE), 1)
    return total / np.float32(len(CATEGORICAL) + len(NUMERIC))


def nearest_distances(rows: View, among: View) -> Distances:
    """Distance of each row to its nearest one in `among`, 0..1."""
    blocks = [np.arange(begin, min(begin + BLOCK, len(rows))) for begin in range(0, len(rows), BLOCK)]
    return np.concatenate([distances(rows.take(block), among).min(axis=1) for block in blocks])


def _neighbourhoods(reference: View, other: View) -> NDArray[np.bool_]:
    """Which other row (second axis) lies within which reference row's distance to its `NEIGHBOURS`-th neighbour."""
    n = min(len(reference), len(other), MOST_ROWS)
    if n <= NEIGHBOURS:
        raise NotApplicable(f"Neighbourhoods need more than {NEIGHBOURS} flows a side; there are {n}.")
    a, s = reference.take(np.arange(n)), other.take(np.arange(n))
    among_themselves = distances(a, a)
    np.fill_diagonal(among_themselves, np.inf)
    radius = np.partition(among_themselves, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]
    # "Within" includes the edge: flows repeat, and a radius of 0 holds the copies.
    return np.asarray(distances(a, s) <= radius[:, None])


def coverage(reference: View, other: View) -> float:
    """Share of the reference rows with an other row in their neighbourhood, 0..1: what is not covered was left out."""
    return float(_neighbourhoods(reference, other).any(axis=1).mean())


def density(reference: View, other: View) -> float:
    """Mean neighbourhoods a row lies in, over `NEIGHBOURS`; below the floor: off the data, above: too typical."""
    return float(_neighbourhoods(reference, other).sum(axis=0).mean() / NEIGHBOURS)


SOURCE: Final = "Naeem et al. 2020 (PRDC), k = 5, without the start and on one scale"

METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        name="coverage",
        family="dependence",
        goal="up",
        range=(0.0, 1.0),
        source=SOURCE,
        meaning="Real flows that have a flow of the other side in their neighbourhood:",
        function=coverage,
        unit="share",
    ),
    Metric(
        name="density",
        family="dependence",
        goal="match",
        range=(0.0, None),
        source=SOURCE,
        meaning="Real neighbourhoods that a flow lies in, as a multiple of those expected:",
        function=density,
        tolerance=0.15,
    ),
)
