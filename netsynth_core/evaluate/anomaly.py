"""How well scores tell anomalies: area under the ROC curve, the best threshold in hindsight, and an honest one.

Higher scores are more anomalous; a word is called an anomaly when its score is at least the threshold. A threshold that
is chosen on the labels (Youden's) flatters every method; `usual_threshold` looks at scores of usual words alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netsynth_core.errors import NotEnoughData

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calls:
    """What a threshold calls anomalies."""

    threshold: float
    tpr: float
    """Share of the anomalies that are called so."""
    fpr: float
    """Share of the usual words that are called anomalies."""

    def f1(self, prevalence: float) -> float:
        """F1 when so large a share of the words are anomalies; see `f1_at`."""
        return f1_at(self.tpr, self.fpr, prevalence)


def f1_at(tpr: float, fpr: float, prevalence: float) -> float:
    """Harmonic mean of recall and of the precision at a prevalence; 0 when nothing is called.

    With recall R = TPR and precision P = TPR p / (TPR p + FPR (1 - p)), F1 = 2 TPR p / (p + TPR p + FPR (1 - p)).

    Parameters
    ----------
    prevalence
        Share of anomalies among all words, above 0 and at most 1; that of a test set is not that of the world.
    """
    if not 0 < prevalence <= 1:
        raise ValueError(f"a prevalence lies above 0 and is at most 1, not {prevalence}")
    return 2 * tpr * prevalence / (prevalence + tpr * prevalence + fpr * (1 - prevalence))


def au_roc(usual: ArrayLike, anomalous: ArrayLike) -> float:
    """Probability that an anomaly scores above a usual word, ties half; 0.5 = by chance.

    Raises
    ------
    NotEnoughData
        When one of them is empty.
    """
    low, high = _both(usual, anomalous)
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, side="left")
    tied = np.searchsorted(ordered, high, side="right") - below
    return float((below + 0.5 * tied).mean() / len(low))


def youden(usual: ArrayLike, anomalous: ArrayLike) -> Calls:
    """The threshold of largest TPR - FPR, the highest among equals (Youden 1950): what labels would choose."""
    low, high = _both(usual, anomalous)
    values = np.unique(np.concatenate([low, high]))[::-1]
    tpr, fpr = _share_from(high, values), _share_from(low, values)
    best = int(np.argmax(tpr - fpr))
    return Calls(float(values[best]), float(tpr[best]), float(fpr[best]))


def usual_threshold(held_out: ArrayLike, false_alarms: float = 0.01) -> float:
    """The lowest threshold that calls at most so large a share of usual words anomalies.

    Parameters
    ----------
    held_out
        Scores of usual words that the model did not learn from (cross-validation inside the training set).
    false_alarms
        Share, 0-1.

    Raises
    ------
    NotEnoughData
        When there is no score.
    """
    scores = np.sort(np.asarray(held_out, np.float64))
    if not len(scores):
        raise NotEnoughData("A threshold needs scores of usual words; there is none.", hint="Hold some words out.")
    allowed = int(np.floor(false_alarms * len(scores) + 1e-9))
    if allowed >= len(scores):
        return float(scores[0])
    # just above the highest score that must not be called
    return float(np.nextafter(scores[len(scores) - 1 - allowed], np.inf))


def calls_at(usual: ArrayLike, anomalous: ArrayLike, threshold: float) -> Calls:
    """What a given threshold calls."""
    low, high = _both(usual, anomalous)
    return Calls(threshold, float((high >= threshold).mean()), float((low >= threshold).mean()))


def folds(n: int, parts: int) -> list[NDArray[np.int64]]:
    """Positions 0..n-1 dealt out like cards: part k holds k, k + parts, ...; at most n parts, so that none is empty."""
    return [np.arange(k, n, parts, dtype=np.int64) for k in range(min(parts, n))]


def _both(usual: ArrayLike, anomalous: ArrayLike) -> tuple[Floats, Floats]:
    low, high = np.asarray(usual, np.float64), np.asarray(anomalous, np.float64)
    if not len(low) or not len(high):
        raise NotEnoughData(
            f"{len(low)} usual and {len(high)} anomalous words cannot be compared.", hint="Give some of each."
        )
    if np.isnan(low).any() or np.isnan(high).any():
        raise ValueError("a score is not a number")
    return low, high


def _share_from(scores: Floats, thresholds: Floats) -> Floats:
    ordered = np.sort(scores)
    share: Floats = (len(ordered) - np.searchsorted(ordered, thresholds, side="left")) / len(ordered)
    return share
