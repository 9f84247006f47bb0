"""Dependence: do the columns of one flow belong together as in the real capture?

Joint tables of categorical pairs (total variation), strength of association apart from the marginals (Cramér's V),
correlation of numeric columns on a log scale (Pearson, Spearman), and categorical against numeric (correlation ratio).
"""

from itertools import combinations
from typing import Final

import numpy as np
from scipy import stats

from netsynth_core.evaluate.metric import Measured, Metric, NotApplicable
from netsynth_core.evaluate.views import CATEGORICAL, NUMERIC, TOP, Floats, Ints, View

SIDE: Final = TOP + 1


def joint_table(a: Ints, b: Ints) -> Floats:
    """Relative frequencies of pairs of pooled codes, shape (TOP + 1, TOP + 1), sum 1."""
    return np.bincount(a * SIDE + b, minlength=SIDE * SIDE).reshape(SIDE, SIDE) / max(1, len(a))


def cramers_v(table: Floats, n: int) -> float:
    """Cramér's V of a table of relative frequencies, corrected for its bias at small n; 0 when a side is constant."""
    rows, columns = table.sum(1), table.sum(0)
    table = table[rows > 0][:, columns > 0]
    rows, columns = rows[rows > 0], columns[columns > 0]
    r, k = table.shape
    if n < 2 or r < 2 or k < 2:
        return 0.0
    expected = np.outer(rows, columns)
    phi = float(((table - expected) ** 2 / expected).sum())
    phi = max(0.0, phi - (r - 1) * (k - 1) / (n - 1))
    side = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return float(min(1.0, np.sqrt(phi / side))) if side > 0 else 0.0


def correlation_ratio(groups: Ints, values: Floats) -> float:
    """Eta: root of the share of the variance of `values` that lies between the groups, 0..1; 0 for constant values."""
    total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if total <= 1e-12:
        return 0.0
    counts = np.bincount(groups, minlength=SIDE)
    sums = np.bincount(groups, weights=values, minlength=SIDE)
    held = counts > 0
    between = float((counts[held] * (sums[held] / counts[held] - values.mean()) ** 2).sum())
    return float(np.sqrt(min(1.0, between / total)))


def _crossable(reference: View, other: View) -> list[str]:
    if not len(reference) or not len(other):
        raise NotApplicable("One side has no flows.")
    return [c for c in CATEGORICAL if reference.filled[c] and other.filled[c]]


def _mean(parts: dict[str, float], why: str) -> Measured:
    if not parts:
        raise NotApplicable(why)
    return Measured(float(np.mean(list(parts.values()))), parts)


def contingency_difference(reference: View, other: View) -> Measured:
    """Mean over pairs of categorical columns of the total variation between the joint tables, 0..1."""
    parts = {}
    for a, b in combinations(_crossable(reference, other), 2):
        difference = joint_table(reference.pooled[a], reference.pooled[b]) - joint_table(
            other.pooled[a], other.pooled[b]
        )
        parts[f"{a} x {b}"] = float(0.5 * np.abs(difference).sum())
    return _mean(parts, "Fewer than two categorical columns are filled on both sides.")


def association_difference(reference: View, other: View) -> Measured:
    """Mean over pairs of categorical columns of |V_real - V_other|, 0..1."""
    parts = {}
    for a, b in combinations(_crossable(reference, other), 2):
        values = [cramers_v(joint_table(view.pooled[a], view.pooled[b]), len(view)) for view in (reference, other)]
        parts[f"{a} x {b}"] = abs(values[0] - values[1])
    return _mean(parts, "Fewer than two categorical columns are filled on both sides.")


def _moving(reference: View, other: View) -> list[str]:
    if len(reference) < 3 or len(other) < 3:
        raise NotApplicable("Correlation needs at least three flows a side.")
    return [c for c in NUMERIC if np.ptp(reference.logs[c]) > 0 and np.ptp(other.logs[c]) > 0]


def _correlations(view: View, columns: list[str], *, ranks: bool) -> Floats:
    data = np.stack([stats.rankdata(view.logs[c]) if ranks else view.logs[c] for c in columns])
    return np.asarray(np.corrcoef(data), dtype=np.float64)


def _correlation_difference(reference: View, other: View, *, ranks: bool) -> Measured:
    columns = _moving(reference, other)
    if len(columns) < 2:
        raise NotApplicable("Fewer than two numeric columns vary on both sides.")
    gap = np.abs(_correlations(reference, columns, ranks=ranks) - _correlations(other, columns, ranks=ranks))
    parts = {f"{columns[i]} x {columns[j]}": float(gap[i, j]) for i, j in combinations(range(len(columns)), 2)}
    still = [c for c in NUMERIC if c not in columns]
    note = f"Left out, constant on one side: {', '.join(still)}." if still else ""
    return Measured(float(np.mean(list(parts.values()))), parts, note)


def pearson_difference(reference: View, other: View) -> Measured:
    """Mean absolute difference of the Pearson correlations of log10(1 + x), off the diagonal, 0..2."""
    return _correlation_difference(reference, other, ranks=False)


def spearman_difference(reference: View, other: View) -> Measured:
    """Mean absolute difference of the rank correlations, off the diagonal, 0..2."""
    return _correlation_difference(reference, other, ranks=True)


def ratio_difference(reference: View, other: View) -> Measured:
    """Mean over (categorical, numeric) pairs of |eta_real - eta_other|, 0..1."""
    parts = {}
    for c in _crossable(reference, other):
        for x in NUMERIC:
            if np.ptp(reference.logs[x]) == 0 and np.ptp(other.logs[x]) == 0:
                continue
            a, b = (correlation_ratio(view.pooled[c], view.logs[x]) for view in (reference, other))
            parts[f"{c} x {x}"] = abs(a - b)
    return _mean(parts, "No categorical and numeric column vary on both sides.")


def _metric(name: str, function: object, meaning: str, source: str, top: float = 1.0) -> Metric:
    return Metric(
        name=name,
        family="dependence",
        goal="down",
        range=(0.0, top),
        source=source,
        meaning=meaning,
        function=function,  # type: ignore[arg-type]
    )


METRICS: Final[tuple[Metric, ...]] = (
    _metric(
        "contingency difference",
        contingency_difference,
        f"The joint shares of two categorical columns (the {TOP} commonest real values each, the rest pooled) differ, "
        "on average over the pairs, by a total variation of",
        "total variation of joint tables; a bounded form of the contingency difference of FlowChronicle (CoNEXT 2024)",
    ),
    _metric(
        "association difference",
        association_difference,
        "The association of two categorical columns (Cramér's V, whatever their shares) differs on average by",
        "Cramér 1946, bias-corrected after Bergsma 2013",
    ),
    _metric(
        "pearson difference",
        pearson_difference,
        "The correlation of two numeric columns on a log scale differs on average by",
        "Pearson; on log10(1 + x), since heavy tails make raw sizes too noisy",
        2.0,
    ),
    _metric(
        "spearman difference",
        spearman_difference,
        "The rank correlation of two numeric columns differs on average by",
        "Spearman 1904",
        2.0,
    ),
    _metric(
        "correlation ratio difference",
        ratio_difference,
        "How far a categorical column settles a numeric one (correlation ratio, 0 to 1) differs on average by",
        "Pearson 1905; Fisher 1925",
    ),
)
