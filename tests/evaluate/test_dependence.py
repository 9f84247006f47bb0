"""Dependence: known tables, equality with numpy and scipy, invariance to the marginals where promised."""

import numpy as np
import pytest
from scipy import stats

from netsynth_core.evaluate.dependence import (
    association_difference,
    contingency_difference,
    correlation_ratio,
    cramers_v,
    joint_table,
    pearson_difference,
    ratio_difference,
    spearman_difference,
)
from netsynth_core.evaluate.metric import NotApplicable
from netsynth_core.evaluate.views import NUMERIC, TOP, prepare
from tests.evaluate.traffic import flows, network, shuffled_columns


def test_contingency_is_the_total_variation_of_the_joint_table() -> None:
    """Real: TCP-80 and UDP-53 half each; other: TCP-53 and UDP-80: equal marginals, disjoint tables."""
    web, dns = {"proto": "TCP", "dst_port": 80}, {"proto": "UDP", "dst_port": 53}
    odd = [{"proto": "TCP", "dst_port": 53}, {"proto": "UDP", "dst_port": 80}]
    real, other = prepare([flows(web, dns), flows(*odd)])
    measured = contingency_difference(real, other)
    assert measured.parts["proto x dst_port"] == pytest.approx(1.0)
    assert measured.parts["proto x src_ip"] == pytest.approx(0.0)
    assert measured.value == pytest.approx(np.mean(list(measured.parts.values())))


def test_categories_beyond_the_commonest_are_pooled() -> None:
    many = [{"dst_port": port} for port in range(1, TOP + 6) for _ in range(50 - port)]
    view = prepare([flows(*many)])[0]
    assert view.pooled["dst_port"].max() == TOP
    assert (view.pooled["dst_port"] == TOP).sum() == sum(50 - port for port in range(TOP + 1, TOP + 6))
    assert joint_table(view.pooled["dst_port"], view.pooled["proto"]).sum() == pytest.approx(1)


def test_cramers_v_is_1_for_a_bijection_and_0_for_independence() -> None:
    assert cramers_v(np.diag([0.5, 0.3, 0.2]), 10**6) == pytest.approx(1, abs=1e-3)
    assert cramers_v(np.outer([0.5, 0.5], [0.2, 0.8]), 10**6) == 0
    assert cramers_v(np.array([[1.0]]), 10) == 0


def test_cramers_v_without_correction_is_scipys() -> None:
    table = np.array([[30, 10], [5, 55]])
    ours = cramers_v(table / table.sum(), 10**12)
    assert ours == pytest.approx(stats.contingency.association(table), rel=1e-6)


def test_correlation_ratio_by_hand() -> None:
    groups, values = np.array([0, 0, 1, 1]), np.array([0.0, 2.0, 4.0, 6.0])
    # Mean 3, total 20; group means 1 and 5: between 2 * 4 + 2 * 4 = 16.
    assert correlation_ratio(groups, values) == pytest.approx(np.sqrt(16 / 20))
    assert correlation_ratio(groups, np.ones(4)) == 0


def test_correlations_equal_numpys_and_scipys() -> None:
    real, other = network(60, seed=1), network(60, seed=2)
    views = prepare([real, other])
    moving = list(NUMERIC)
    pearson = [np.corrcoef([v.logs[c] for c in moving]) for v in views]
    upper = np.triu_indices(len(moving), 1)
    assert pearson_difference(*views).value == pytest.approx(np.abs(pearson[0] - pearson[1])[upper].mean())
    spearman = [stats.spearmanr(np.column_stack([v.logs[c] for c in moving])).statistic for v in views]
    assert spearman_difference(*views).value == pytest.approx(np.abs(spearman[0] - spearman[1])[upper].mean())


def test_opposite_correlation_is_at_the_end_of_the_range() -> None:
    up = [{"duration": 0, "bwd_packets": 0, "bwd_bytes": 0, "fwd_packets": 10**i, "fwd_bytes": 10**i} for i in range(6)]
    down = [row | {"fwd_bytes": 10 ** (5 - i)} for i, row in enumerate(up)]
    real, other = prepare([flows(*up), flows(*down)])
    measured = pearson_difference(real, other)
    # log10(1 + x) bends the straight line a little.
    assert measured.value == pytest.approx(2, abs=0.02)
    assert "duration" in measured.note
    assert spearman_difference(real, other).value == pytest.approx(2)


def test_every_difference_is_0_on_equal_tables_and_large_on_shuffled_columns() -> None:
    table = network(300, seed=3)
    real, same, loose = prepare([table, table, shuffled_columns(table, seed=0)])
    for measure in (
        contingency_difference, association_difference, pearson_difference, spearman_difference, ratio_difference,
    ):  # fmt: skip
        assert measure(real, same).value == pytest.approx(0, abs=1e-12)
        assert measure(real, loose).value > 0.2, measure.__name__


def test_too_little_to_correlate_has_no_value() -> None:
    real, other = prepare([flows({}, {}, {}), flows({}, {}, {})])
    with pytest.raises(NotApplicable, match="two numeric columns"):
        pearson_difference(real, other)
    few, more = prepare([flows({}), flows({}, {}, {})])
    with pytest.raises(NotApplicable, match="three flows"):
        pearson_difference(few, more)
