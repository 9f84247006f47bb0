"""Numbers behind codes: monotone inside bins, tails of the right shape, limits kept without lumps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import genpareto, ks_2samp

from netsynth_core.models.flowchronicle.columns import Column, _number_column
from netsynth_core.models.flowchronicle.generation.limits import FAR
from netsynth_core.models.flowchronicle.generation.values import (
    NumberLaw,
    draw_uniforms,
    fit_shape,
    learn_together,
    tail_shape,
)


def law_of(values: np.ndarray, bins: int = 24) -> tuple[Column, NumberLaw]:
    column = _number_column("fwd_bytes", values, bins)
    codes = column.encode(pd.Series(values))
    return column, NumberLaw.fit(codes, values, column, tail_shape(column, values))


def draw(column: Column, law: NumberLaw, values: np.ndarray, seed: int = 0) -> np.ndarray:
    codes = column.encode(pd.Series(values))
    uniform = np.random.default_rng(seed).random(len(codes))
    return law.draw(codes, uniform, column.step, np.zeros(len(codes), np.int64), np.full(len(codes), FAR))


LAWS = {
    "lognormal": lambda rng, n: rng.lognormal(7, 1.8, n),
    "pareto 0.8": lambda rng, n: 60 * (1 + rng.pareto(0.8, n)),
    "pareto 1.6": lambda rng, n: 60 * (1 + rng.pareto(1.6, n)),
    "few values": lambda rng, n: rng.choice([40, 52, 60, 1500], n, p=[0.5, 0.3, 0.15, 0.05]),
    "mixture": lambda rng, n: np.where(rng.random(n) < 0.6, 76, rng.lognormal(9, 1, n)),
    "uniform": lambda rng, n: rng.uniform(100, 60_000, n),
}


@pytest.mark.parametrize("name", LAWS)
def test_drawn_numbers_follow_held_out_ones(name: str) -> None:
    rng = np.random.default_rng(1)
    train, held = (LAWS[name](rng, 6000).astype(np.int64) for _ in range(2))
    column, law = law_of(train)
    drawn = draw(column, law, train)
    # twice the largest distance of two real samples in a hundred
    assert ks_2samp(drawn, held).statistic < 0.04
    far = np.quantile(held, 0.97)
    tail, real = drawn[drawn > far], held[held > far]
    assert len(tail) == pytest.approx(len(real), rel=0.35, abs=3)
    if len(real) > 20:
        assert ks_2samp(tail, real).statistic < 0.22


@pytest.mark.parametrize("alpha", [0.7, 1.0, 1.4, 2.5])
def test_the_tail_index_of_a_pareto_law_comes_back(alpha: float) -> None:
    rng = np.random.default_rng(2)
    values = (50 * (1 + rng.pareto(alpha, 20_000))).astype(np.int64)
    column, law = law_of(values)
    assert law.tail is not None
    assert law.tail.shape == pytest.approx(1 / alpha, abs=0.3)
    drawn = draw(column, law, values, seed=3)
    top = np.sort(drawn)[-400:].astype(float)
    hill = np.log(top[1:] / top[0]).mean()
    assert hill == pytest.approx(1 / alpha, rel=0.3)
    assert drawn.max() <= 10 * values.max()
    assert len(np.unique(drawn[drawn > np.quantile(values, 0.99)])) > 100


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.4, 0.9])
def test_shapes_are_those_of_the_greatest_likelihood(shape: float) -> None:
    excess = genpareto.rvs(shape, scale=300, size=4000, random_state=5)
    assert fit_shape(excess) == pytest.approx(shape, abs=0.08)


def test_a_number_that_stops_at_a_limit_has_no_long_tail() -> None:
    """Durations cut at 60 s: nothing far beyond is drawn."""
    rng = np.random.default_rng(6)
    values = np.minimum(rng.lognormal(23, 1.5, 5000), 60e9).astype(np.int64)
    column, law = law_of(values)
    assert draw(column, law, values).max() < 1.5 * 60e9


@given(
    st.lists(st.integers(1, 10**7), min_size=1, max_size=120),
    st.integers(2, 12),
    st.lists(st.tuples(st.floats(0, 0.999999), st.integers(0, 10**7), st.integers(0, 10**7)), min_size=1, max_size=20),
)
@settings(max_examples=80, deadline=None)
def test_limits_are_kept_and_larger_uniforms_give_larger_values(
    numbers: list[int], bins: int, draws: list[tuple[float, int, int]]
) -> None:
    values = np.array(numbers, np.int64)
    column, law = law_of(values, bins)
    for code in np.unique(column.encode(pd.Series(values))):
        codes = np.full(len(draws), code, np.int32)
        uniform = np.sort([u for u, _, _ in draws])
        low = np.array([min(a, b) for _, a, b in draws], np.int64)
        high = np.array([max(a, b) for _, a, b in draws], np.int64)
        drawn = law.draw(codes, uniform, 1, low, high)
        assert ((low <= drawn) & (drawn <= high)).all()
        free = law.draw(codes, uniform, 1, np.zeros(len(draws), np.int64), np.full(len(draws), FAR))
        assert (np.diff(free) >= 0).all()
        row = int(np.searchsorted(law.codes, code))
        part = slice(law.offsets[row], law.offsets[row + 1])
        assert (free >= law.values[part][0]).all()
        # the readable twin: log-linear between the points (no tail this far down)
        inside = uniform < (law.levels[part][-1] if law.tail is not None else 1.0)
        levels, points = law.levels[part], law.values[part].astype(float)
        at = np.clip(np.searchsorted(levels, uniform[inside], side="right") - 1, 0, len(levels) - 2)
        width = levels[at + 1] - levels[at]
        share = np.where(width > 0, (uniform[inside] - levels[at]) / np.where(width > 0, width, 1), 0)
        twin = np.exp((1 - share) * np.log(points[at]) + share * np.log(points[at + 1]))
        assert np.abs(free[inside] - twin).max(initial=0) <= 0.5 + 1e-6 * twin.max(initial=1)


def test_limits_cut_the_law_and_make_no_lump() -> None:
    values = np.random.default_rng(7).lognormal(8, 1, 8000).astype(np.int64)
    column = _number_column("fwd_bytes", values, 1)
    law = NumberLaw.fit(column.encode(pd.Series(values)), values, column, 0.0)
    n = 20_000
    uniform = np.random.default_rng(8).random(n)
    codes = np.ones(n, np.int32)
    drawn = law.draw(codes, uniform, 1, np.full(n, 2000), np.full(n, 9000))
    inside = values[(values >= 2000) & (values <= 9000)]
    assert ks_2samp(drawn, inside).statistic < 0.03
    assert max((drawn == 2000).mean(), (drawn == 9000).mean()) < 0.01


def test_numbers_go_together_as_in_training() -> None:
    rng = np.random.default_rng(9)
    packets = rng.lognormal(4, 1, 8000)
    numbers = np.stack(
        [packets, rng.lognormal(4, 1, 8000), packets * rng.lognormal(5, 0.1, 8000), rng.lognormal(8, 1, 8000)], axis=1
    )
    numbers = np.column_stack([numbers, np.zeros(8000)]).astype(np.int64)
    codes = np.stack([_number_column("x", c, 3).encode(pd.Series(c)) for c in numbers.T], axis=1)
    together = learn_together(codes, numbers)
    assert together[0, 2] > 0.5 and abs(together[0, 1]) < 0.05
    assert (np.diag(together) == pytest.approx(1)) and (together[4, :4] == 0).all()
    drawn = draw_uniforms(20_000, together, rng=rng)
    assert np.corrcoef(drawn[0], drawn[2])[0, 1] == pytest.approx(together[0, 2], abs=0.05)
    assert ks_2samp(drawn[2], rng.random(20_000)).pvalue > 1e-4
