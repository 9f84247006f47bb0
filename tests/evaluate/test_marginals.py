"""Marginals: known values, equality with scipy, the ends of the range."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from netsynth_core.evaluate.marginals import (
    category_distance,
    jensen_shannon,
    kolmogorov_smirnov,
    ks_statistic,
    start_distance,
)
from netsynth_core.evaluate.marginals import wasserstein as wasserstein_of
from netsynth_core.evaluate.metric import Measured, NotApplicable
from netsynth_core.evaluate.views import View, prepare
from tests.evaluate.traffic import S, empty, flows

counts = st.lists(st.integers(0, 50), min_size=1, max_size=8).map(np.array).filter(lambda c: c.sum() > 0)


def pair(a: list[dict[str, object]], b: list[dict[str, object]]) -> tuple[View, View]:
    views = prepare([flows(*a), flows(*b)])
    return views[0], views[1]


@given(st.data())
def test_jensen_shannon_is_scipys_in_base_2_and_a_bounded_symmetric_distance(data: st.DataObject) -> None:
    p = data.draw(counts)
    q = data.draw(
        st.lists(st.integers(0, 50), min_size=len(p), max_size=len(p)).map(np.array).filter(lambda c: c.sum() > 0)
    )
    value = jensen_shannon(p, q)
    assert value == pytest.approx(float(distance.jensenshannon(p, q, base=2)), abs=1e-7)
    assert 0 <= value <= 1
    assert value == pytest.approx(jensen_shannon(q, p), abs=1e-7)
    assert jensen_shannon(p, 3 * p) == pytest.approx(0, abs=1e-7)


def test_jensen_shannon_by_hand() -> None:
    # p = (1, 0), q = (1/2, 1/2): m = (3/4, 1/4); divergence = (log2(4/3) + log2(2/3)/2 + log2(2)/2) / 2.
    expected = math.sqrt((math.log2(4 / 3) + 0.5 * math.log2(2 / 3) + 0.5) / 2)
    assert jensen_shannon(np.array([4, 0]), np.array([1, 1])) == pytest.approx(expected)


def test_category_distance_is_1_for_disjoint_and_0_for_equal_shares() -> None:
    web, dns = {"dst_port": 80}, {"dst_port": 53}
    measure = category_distance("dst_port")
    assert measure(*pair([web] * 3, [dns] * 5)) == 1
    assert measure(*pair([web, dns], [dns, dns, web, web])) == pytest.approx(0, abs=1e-9)


def test_a_column_that_one_side_lacks_has_no_value() -> None:
    for a, b in (({"service": ""}, {}), ({}, {"service": ""})):
        with pytest.raises(NotApplicable, match="no service"):
            category_distance("service")(*pair([a], [b]))
    with pytest.raises(NotApplicable, match="no flags"):
        category_distance("flags")(*pair([{"flags": "......"}], [{}]))


def test_wasserstein_is_measured_in_decades() -> None:
    measured = wasserstein_of("fwd_bytes")(*pair([{"fwd_bytes": 99}] * 4, [{"fwd_bytes": 999}] * 3))
    assert isinstance(measured, Measured)
    assert measured.value == pytest.approx(1.0)


def test_a_constant_column_against_a_spread_one_is_far_unlike_the_published_distance() -> None:
    """All values at the real minimum must be far from the real column (the published number says 0.0045)."""
    rng = np.random.default_rng(0)
    sizes = rng.lognormal(5, 2.2, 2000).astype(int)
    real = [{"fwd_bytes": int(s)} for s in sizes]
    views = pair(real, [{"fwd_bytes": int(sizes.min())}] * 2000)
    assert wasserstein_of("fwd_bytes")(*views).value > 1.5
    assert kolmogorov_smirnov("fwd_bytes")(*views) > 0.9


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=30), st.lists(st.integers(0, 10**6), min_size=1, max_size=30)
)
def test_wasserstein_equals_scipys_and_ks_brute_force(a: list[int], b: list[int]) -> None:
    views = pair([{"bwd_bytes": x} for x in a], [{"bwd_bytes": x} for x in b])
    if not any(a) and not any(b):
        with pytest.raises(NotApplicable):
            kolmogorov_smirnov("bwd_bytes")(*views)
        return
    logs = [np.log10(1 + np.array(x, float)) for x in (a, b)]
    assert wasserstein_of("bwd_bytes")(*views).value == pytest.approx(stats.wasserstein_distance(*logs), abs=1e-12)
    brute = max(abs(float((logs[0] <= x).mean()) - float((logs[1] <= x).mean())) for x in np.concatenate(logs))
    assert kolmogorov_smirnov("bwd_bytes")(*views) == pytest.approx(brute, abs=1e-12)


def test_ks_is_scipys_on_a_large_sample() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=700), rng.normal(0.3, 1.2, size=900)
    assert ks_statistic(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic, abs=1e-12)


def test_start_distance_compares_load_over_the_own_span() -> None:
    even = [{"ts": i * S} for i in range(100)]
    slower = [{"ts": 7 * i * S + 5} for i in range(100)]
    burst = [{"ts": 0}] * 99 + [{"ts": 99 * S}]
    assert start_distance(*pair(even, slower)) == pytest.approx(0, abs=0.1)
    assert start_distance(*pair(even, burst)) > 0.8
    with pytest.raises(NotApplicable, match="same instant"):
        start_distance(*pair(even, [{"ts": 0}] * 3))


def test_empty_sides_have_no_value() -> None:
    real, none = prepare([flows({}, {}), empty()])
    for measure in (
        category_distance("proto"),
        wasserstein_of("duration"),
        kolmogorov_smirnov("gap"),
        start_distance,
    ):
        with pytest.raises(NotApplicable):
            measure(real, none)
