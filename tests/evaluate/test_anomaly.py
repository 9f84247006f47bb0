"""Anomaly scores: by hand, against scikit-learn, and what a threshold set on usual words alone promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score, roc_curve

from netsynth_core.errors import NotEnoughData
from netsynth_core.evaluate.anomaly import Calls, au_roc, calls_at, f1_at, folds, usual_threshold, youden

scores = st.lists(st.integers(-4, 9).map(float), min_size=1, max_size=30)


@given(scores, scores)
def test_area_and_best_threshold_are_those_of_scikit_learn(usual: list[float], anomalous: list[float]) -> None:
    labels = [0] * len(usual) + [1] * len(anomalous)
    assert au_roc(usual, anomalous) == pytest.approx(roc_auc_score(labels, usual + anomalous))
    fpr, tpr, _ = roc_curve(labels, usual + anomalous, drop_intermediate=False)
    found = youden(usual, anomalous)
    # The curve begins with a threshold that calls nothing; a useless score's best is as good as that.
    assert found.tpr - found.fpr == pytest.approx(max((tpr - fpr)[1:]))
    assert calls_at(usual, anomalous, found.threshold) == found


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 60), st.integers(0, 60))
def test_f1_at_the_test_sets_own_prevalence_is_scikit_learns(
    anomalous: int, found: int, usual: int, false: int
) -> None:
    found, false = min(found, anomalous), min(false, usual)
    truth = [1] * anomalous + [0] * usual
    called = [1] * found + [0] * (anomalous - found) + [1] * false + [0] * (usual - false)
    expected = f1_score(truth, called, zero_division=0.0)
    assert f1_at(found / anomalous, false / usual, anomalous / (anomalous + usual)) == pytest.approx(expected)


def test_f1_of_the_published_table() -> None:
    # TADAM's row on HDFS: TPR .998, FPR .025 and F1 .705 at 16 838 anomalies of 575 061 blocks.
    assert f1_at(0.998, 0.025, 16_838 / 575_061) == pytest.approx(0.705, abs=0.004)
    assert Calls(0.0, 1.0, 0.142).f1(0.0293) == pytest.approx(0.298, abs=0.001)
    with pytest.raises(ValueError, match="prevalence"):
        f1_at(1.0, 0.0, 0.0)


def test_by_hand() -> None:
    usual, anomalous = [1.0, 2.0, 3.0, 4.0], [3.0, 5.0]
    assert au_roc(usual, anomalous) == (2.5 + 4) / 8
    assert youden(usual, anomalous) == Calls(5.0, 0.5, 0.0)
    assert youden([1.0, 1.0, 2.0], [2.0, 3.0]) == Calls(2.0, 1.0, 1 / 3)


@given(scores, st.floats(0, 1))
def test_the_honest_threshold_keeps_its_promise_on_the_words_it_saw(held_out: list[float], share: float) -> None:
    threshold = usual_threshold(held_out, share)
    called = np.mean(np.array(held_out) >= threshold)
    assert called <= share + 1e-9
    lower = max((s for s in held_out if s < threshold), default=None)
    if lower is not None:
        assert np.mean(np.array(held_out) >= lower) > share


def test_folds_hold_every_position_once() -> None:
    parts = folds(11, 4)
    assert sorted(np.concatenate(parts).tolist()) == list(range(11))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert len(folds(2, 5)) == 2


def test_nothing_to_compare_is_said() -> None:
    with pytest.raises(NotEnoughData, match="0 usual"):
        au_roc([], [1.0])
    with pytest.raises(NotEnoughData, match="none"):
        usual_threshold([])
    with pytest.raises(ValueError, match="not a number"):
        au_roc([float("nan")], [1.0])
