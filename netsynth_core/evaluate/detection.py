"""Detection: can a classifier tell synthetic flows from real ones? What it finds, no single metric need have named.

A classifier two-sample test: extremely randomised trees on the columns (pooled categories, sizes on a log scale),
scored on out-of-bag rows by 2 AUC - 1: 0 = it tells them by chance, 1 = always; far below 0 = rows of one side are
copies of rows of the other (a row left out is known by its twin, which has the other label). Two of them: the columns
of one flow alone, and with what the flow knows of its neighbours.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from netsynth_core.evaluate.metric import Family, Metric, NotApplicable
from netsynth_core.evaluate.views import HORIZON_NS, NUMERIC, Floats, View

MOST_ROWS: Final = 1_000
"""Rows a side; the floor says what that many can show."""
LEAST_ROWS: Final = 50
TREES: Final = 40
SOURCE: Final = "classifier two-sample test (Lopez-Paz, Oquab 2017); extremely randomised trees (Geurts et al. 2006)"


def flow_features(view: View) -> Floats:
    """The columns of each flow, shape (rows, columns)."""
    return np.column_stack([*view.pooled.values(), *(view.logs[column] for column in NUMERIC)]).astype(np.float64)


def neighbour_features(view: View) -> Floats:
    """The columns of each flow, the time to its neighbours and the port that follows."""
    gaps = [np.log10(1 + np.minimum(gap, HORIZON_NS) / 1_000) for gap in (view.next_gap, view.chain_gap)]
    return np.column_stack([flow_features(view), view.logs["gap"], *gaps, view.next_port])


def detectability(features: Callable[[View], Floats]) -> Callable[[View, View], float]:
    """2 AUC - 1 of telling other rows from the reference, -1..1; the same rows give the same value."""

    def measure(reference: View, other: View) -> float:
        n = min(len(reference), len(other), MOST_ROWS)
        if n < LEAST_ROWS:
            raise NotApplicable(f"A classifier needs {LEAST_ROWS} flows a side; there are {n}.")
        from sklearn.ensemble import ExtraTreesClassifier
        from sklearn.metrics import roc_auc_score

        rows = np.arange(n)
        x = np.vstack([features(reference.take(rows)), features(other.take(rows))])
        y = np.repeat([0, 1], n)
        trees = ExtraTreesClassifier(
            TREES, min_samples_leaf=5, bootstrap=True, oob_score=True, random_state=0, n_jobs=1
        ).fit(x, y)
        return 2 * float(roc_auc_score(y, trees.oob_decision_function_[:, 1])) - 1

    return measure


def _metric(name: str, family: Family, features: Callable[[View], Floats], words: str) -> Metric:
    return Metric(
        name=name,
        family=family,
        goal="down",
        range=(-1.0, 1.0),
        source=SOURCE,
        meaning=f"A classifier that sees {words} tells synthetic from real flows (0 = by chance, 1 = always):",
        function=detectability(features),
        tolerance=0.2,
    )


ONE_FLOW: Final = _metric("classifier, one flow", "dependence", flow_features, "the columns of one flow")
NEIGHBOURS: Final = _metric(
    "classifier, with neighbours", "inter-flow", neighbour_features, "a flow and the times to its neighbours"
)
