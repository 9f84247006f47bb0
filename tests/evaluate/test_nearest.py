"""Distances against brute force; coverage falls when a part is left out, density when flows lie off the data."""

import numpy as np
import pytest

from netsynth_core.evaluate.metric import NotApplicable
from netsynth_core.evaluate.nearest import LOG_RANGE, coverage, density, distances, nearest_distances
from netsynth_core.evaluate.views import CATEGORICAL, NUMERIC, prepare
from tests.evaluate.traffic import flows, network, shuffled_columns


def test_nearest_distance_equals_brute_force() -> None:
    a, b = prepare([network(40, seed=1), network(30, seed=2)])
    expected = []
    for i in range(len(a)):
        apart = []
        for j in range(len(b)):
            different = [float(a.codes[c][i] != b.codes[c][j]) for c in CATEGORICAL]
            sizes = [min(abs(a.logs[c][i] - b.logs[c][j]) / LOG_RANGE, 1.0) for c in NUMERIC]
            apart.append(np.mean(different + sizes))
        expected.append(min(apart))
    np.testing.assert_allclose(nearest_distances(a, b), expected, atol=1e-6)
    assert not nearest_distances(a, a).any()


def test_distances_are_bounded_and_symmetric() -> None:
    a, b = prepare([network(20, seed=1), network(20, seed=2)])
    there, back = distances(a, b), distances(b, a)
    np.testing.assert_allclose(there, back.T, atol=1e-6)
    assert there.min() >= 0 and there.max() <= 1


def test_fresh_flows_cover_and_a_collapsed_generator_does_not() -> None:
    table = network(300, seed=1)
    real, fresh = prepare([table, network(300, seed=2)])
    only_dns = fresh.take(np.flatnonzero(fresh.codes["proto"] == fresh.codes["proto"][0]))
    assert coverage(real, fresh) > 0.85
    assert coverage(real, only_dns) < 0.6
    assert coverage(real, fresh.take(np.zeros(len(fresh), np.int64))) < 0.2


def test_density_falls_off_the_data() -> None:
    table = network(300, seed=1)
    real, fresh, loose = prepare([table, network(300, seed=2), shuffled_columns(table, seed=0)])
    assert density(real, loose) < 0.3 * density(real, fresh)


def test_a_table_covers_itself() -> None:
    real = prepare([network(50, seed=1)])[0]
    assert coverage(real, real) == 1
    assert density(real, real) >= 1


def test_too_few_flows_have_no_neighbourhoods() -> None:
    few = prepare([flows({}, {}, {})])[0]
    for measure in (coverage, density):
        with pytest.raises(NotApplicable, match="Neighbourhoods need"):
            measure(few, few)
