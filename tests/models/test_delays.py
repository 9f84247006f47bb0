"""Delay and size laws are proper, fit planted modes, and survive the way there and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.models.codelength import universal_integer
from netsynth_core.models.delays import (
    LOG_CODES,
    DelayLaw,
    DelayScale,
    Gamma,
    Normal,
    Point,
    SizeLaw,
    SizeScale,
    fit_delay_laws,
    gamma_cells,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 191), st.integers(1, 500)), max_size=12), st.booleans())
def test_a_fitted_law_sums_to_one_and_the_kernel_equals_the_twin(values: list[tuple[int, int]], linear: bool) -> None:
    histogram = np.zeros((1, 192))
    for code, count in values:
        histogram[0, code] += count
    laws, tables = fit_delay_laws(histogram, linear=linear)
    assert tables[0].sum() == pytest.approx(1)
    assert (tables[0] > 0).all()
    np.testing.assert_allclose(laws[0].probabilities, tables[0], rtol=1e-9, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 191), st.floats(0.2, 40)), max_size=4),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 191), st.floats(0.3, 9), st.booleans()), max_size=3),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 191)), max_size=3),
    st.sampled_from([192, 256]),
)
def test_any_law_sums_to_one(
    normals: list[tuple[float, float, float]],
    gammas: list[tuple[float, float, float, bool]],
    points: list[tuple[float, int]],
    codes: int,
) -> None:
    scale = 0.99 / max(sum(part[0] for part in (*normals, *gammas, *points)), 1.0)
    law = DelayLaw(
        tuple(Normal(scale * w, m, s) for w, m, s in normals),
        codes,
        tuple(Gamma(scale * w, m, shape, linear) for w, m, shape, linear in gammas),
        tuple(Point(scale * w, code) for w, code in points),
    )
    assert law.probabilities.sum() == pytest.approx(1)
    assert (law.probabilities > 0).all()
    assert len(law.modes) == len(law.parts)


def times_of(family: str, n: int, rng: np.random.Generator) -> np.ndarray:
    return {
        "normal": rng.lognormal(8, 0.8, n),
        "gamma": rng.gamma(1.0, 3000.0, n),
        "steep": rng.gamma(0.5, 3000.0, n),
        "point": np.full(n, 2000.0),
    }[family]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("family", "expected"), [("normal", Normal), ("gamma", Gamma), ("steep", Gamma), ("point", Point)]
)
def test_the_data_choose_the_family(family: str, expected: type, seed: int) -> None:
    scale = DelayScale("us", "decibel")
    times = times_of(family, 3000, np.random.default_rng(seed)).round().astype(np.int64)
    histogram = np.bincount(scale.encode(times), minlength=scale.codes)[None].astype(float)
    law = fit_delay_laws(histogram)[0][0]
    heavy = [part for part in law.parts if part.weight > 0.05]
    assert [type(part) for part in heavy] == [expected]
    if family == "gamma":
        assert law.gammas[0].shape == pytest.approx(1, abs=0.3)
        assert law.gammas[0].mean - scale.offset == pytest.approx(10 * np.log10(3000), abs=0.6)


def test_gamma_laws_of_plain_times_are_found() -> None:
    drawn = np.random.default_rng(0).gamma(1.0, 12.0, 4000).round().astype(int)
    histogram = np.bincount(drawn, minlength=256)[None].astype(float)
    law = fit_delay_laws(histogram, linear=True)[0][0]
    assert [type(part) for part in law.parts if part.weight > 0.05] == [Gamma]
    assert law.gammas[0].mean == pytest.approx(12, abs=1)
    as_normal = law.gammas[0].as_normal
    assert as_normal.mean == pytest.approx(drawn.mean(), rel=0.15)
    assert as_normal.sd == pytest.approx(drawn.std(), rel=0.2)


def test_a_timer_beside_spread_delays_is_a_single_code() -> None:
    rng = np.random.default_rng(1)
    codes = np.concatenate([np.full(400, 70), np.rint(rng.normal(66, 6, 1600)).astype(int)])
    law = fit_delay_laws(np.bincount(codes, minlength=192)[None].astype(float))[0][0]
    assert [p.code for p in law.points] == [70]
    assert law.points[0].weight == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("linear", [False, True])
def test_the_table_of_gamma_laws_holds_the_laws(linear: bool) -> None:
    table, rise = gamma_cells(192, linear)
    np.testing.assert_allclose(table.sum(axis=2), 1)
    assert (table >= 0).all()
    np.testing.assert_allclose(table[6, 81], Gamma(1.0, 40.5, 1.0, linear).cells(192), rtol=1e-9, atol=1e-15)
    law = Gamma(1.0, 100.0, 1.45)
    assert law.as_normal.mean == pytest.approx(law.cells(192) @ np.arange(192), abs=0.05)
    if not linear:
        assert law.mean - law.as_normal.mean == pytest.approx(rise[8])


def test_choosing_costs_what_it_says() -> None:
    """One of four families in 2 bits, then mean and deviation (coarse or fine), mean and shape, or the code."""
    law = DelayLaw((Normal(0.2, 20, 2), Normal(0.2, 20.125, 2)), 256, (Gamma(0.2, 30, 1.0),), (Point(0.2, 7),))
    bits = universal_integer(5) + (2 + 9 + 4) + (2 + 11 + 7) + (2 + 9 + 4) + (2 + 8) + 4 * 0.5 * np.log2(100 + 1)
    assert law.parameter_bits(100) == pytest.approx(bits)


def test_planted_modes_are_found_again() -> None:
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(36, 2, 150), rng.normal(57, 2, 850)])
    histogram = np.bincount(np.rint(values).astype(int), minlength=192)[None].astype(float)
    law = fit_delay_laws(histogram)[0][0]
    assert [round(n.mean) for n in law.normals] == pytest.approx([36, 57], abs=1)
    assert law.normals[0].weight == pytest.approx(0.15, abs=0.02)


def test_one_normal_is_not_split() -> None:
    rng = np.random.default_rng(4)
    histogram = np.bincount(np.rint(rng.normal(40, 3, 5000)).astype(int), minlength=192)[None].astype(float)
    assert len(fit_delay_laws(histogram)[0][0].normals) == 1


@pytest.mark.parametrize("unit", ["us", "ns", "s", ""])
def test_delays_come_back_within_half_a_decibel(unit: str) -> None:
    scale = DelayScale.of(unit, 10**9)
    delays = np.array([0, 1000, 12_345, 10**6, 10**9])
    back = scale.decode(scale.encode(delays), rng=np.random.default_rng(0))
    assert back[0] == 0
    assert np.abs(10 * np.log10(back[1:] / delays[1:])).max() <= 1.0


def test_small_unknown_integers_and_decibels_are_taken_as_they_are() -> None:
    for unit in ("", "dbus"):
        scale = DelayScale.of(unit, 130)
        delays = np.arange(131)
        np.testing.assert_array_equal(scale.decode(scale.encode(delays), rng=np.random.default_rng(0)), delays)


def test_sums_of_delays_add_time_not_decibels() -> None:
    scale = DelayScale("dbus", "plain")
    codes = np.array([30, 57, 0], np.int32)
    np.testing.assert_array_equal(scale.add(codes, np.array([30, 20, 44], np.int32)), [33, 57, 44])


def test_sampled_codes_follow_the_law() -> None:
    law = DelayLaw((Normal(0.3, 20, 2), Normal(0.69, 50, 1.5)), 192)
    drawn = law.sample(40_000, rng=np.random.default_rng(1))
    seen = np.bincount(drawn, minlength=192)
    likely = law.probabilities * 40_000 > 8
    expected = law.probabilities[likely] * 40_000
    statistic = ((seen[likely] - expected) ** 2 / expected).sum()
    assert statistic < likely.sum() + 5 * np.sqrt(2 * likely.sum())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=60))
def test_sizes_come_back_exact_or_within_their_bin(sizes: list[int]) -> None:
    values = np.array(sizes)
    scale = SizeScale.of(np.concatenate([values, values, values]))
    back = scale.decode(scale.encode(values), rng=np.random.default_rng(0))
    own = np.isin(values, scale.points)
    np.testing.assert_array_equal(back[own], values[own])
    np.testing.assert_array_equal(scale.encode(back), scale.encode(values))
    assert 2.0 ** -scale.width_bits()[scale.encode(values)].max() > 0


def test_a_size_law_sums_to_one_and_draws_what_was_seen() -> None:
    law = SizeLaw(((2, 9), (5, 1)), 8)
    assert law.probabilities.sum() == pytest.approx(1)
    assert set(law.sample(500, rng=np.random.default_rng(0)).tolist()) == {2, 5}


def test_small_integers_of_unknown_unit_may_be_times_or_levels() -> None:
    """As levels two equal delays add up to 3 dB more; as times to twice the number."""
    plain, level = DelayScale.candidates("", 130)
    fifty = np.array([50], np.int32)
    assert plain.add(fifty, fifty).tolist() == [100]
    assert level.add(fifty, fifty).tolist() == [53]
    for scale in (plain, level):
        np.testing.assert_array_equal(
            scale.decode(scale.encode(np.arange(131)), rng=np.random.default_rng(0)), np.arange(131)
        )
    assert len(DelayScale.candidates("us", 130)) == len(DelayScale.candidates("dbus", 130)) == 1
    assert [s.kind for s in DelayScale.candidates("", 10**6)] == ["decibel"]


def test_samples_stay_between_the_delays_that_were_seen() -> None:
    """The floor prices every delay, up to centuries; none of them is drawn that nobody saw."""
    rng = np.random.default_rng(0)
    counts = np.zeros(LOG_CODES)
    for code in (31, 60, 61, 61, 62, 60, 61, 90):
        counts[code] += 1
    (law,), _ = fit_delay_laws(counts[None])
    assert law.seen == (31, 90)
    drawn = law.sample(20_000, rng=rng)
    assert drawn.min() >= 31
    assert drawn.max() <= 90
    (single,), _ = fit_delay_laws(np.eye(LOG_CODES)[[7]])
    assert set(single.sample(100, rng=rng).tolist()) == {7}


def test_a_law_of_unknown_delays_is_drawn_without_its_floor() -> None:
    law = DelayLaw((Normal(0.5, 50.0, 1.0),), LOG_CODES)
    drawn = law.sample(20_000, rng=np.random.default_rng(0))
    assert drawn.min() > 40
    assert drawn.max() < 60
    assert law.probabilities.sum() == pytest.approx(1.0)
    assert law.probabilities.min() > 0
