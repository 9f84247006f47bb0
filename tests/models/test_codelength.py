"""The codes are proper: monotone where they must be, and their probabilities sum to at most one."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.models.codelength import (
    dirichlet_multinomial,
    log2_binomial,
    universal_integer,
    universal_integers,
)


def test_universal_integer_is_monotone_and_kraft() -> None:
    bits = np.array([universal_integer(n) for n in range(1, 70_000)])
    assert np.all(np.diff(bits) >= 0)
    assert np.sum(2.0**-bits) < 1


def test_universal_integer_known_values() -> None:
    """log* by hand: log2 c0, then + 4 + 2 + 1 at n = 16, + 16 + 4 + 2 + 1 at n = 65536."""
    assert universal_integer(1) == pytest.approx(math.log2(2.865064))
    assert universal_integer(16) == pytest.approx(math.log2(2.865064) + 7)
    assert universal_integer(65536) == pytest.approx(math.log2(2.865064) + 23)


@given(st.lists(st.integers(1, 2**50), max_size=30))
def test_universal_integers_equals_its_scalar_twin(values: list[int]) -> None:
    vector = universal_integers(np.array(values, np.int64))
    assert vector == pytest.approx([universal_integer(v) for v in values])


@pytest.mark.parametrize("n", [0, -1])
def test_universal_integer_refuses(n: int) -> None:
    with pytest.raises(ValueError):
        universal_integer(n)
    with pytest.raises(ValueError):
        universal_integers(np.array([n]))


@given(st.integers(0, 200), st.data())
def test_binomial(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    assert log2_binomial(n, k) == pytest.approx(math.log2(math.comb(n, k)), abs=1e-8)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(0, 3))
def test_dirichlet_multinomial_equals_the_sequential_code(sequence: list[int], more: int) -> None:
    """The closed form is the sum of -log2 of each prequential (count + 1/2) / (n + r/2)."""
    categories = 4 + more
    counts = np.zeros(categories, np.int64)
    bits = 0.0
    for n, symbol in enumerate(sequence):
        bits -= math.log2((counts[symbol] + 0.5) / (n + categories / 2))
        counts[symbol] += 1
    assert dirichlet_multinomial(counts, categories) == pytest.approx(bits, abs=1e-9)


def test_dirichlet_multinomial_sums_to_one_over_all_sequences() -> None:
    total = 0.0
    for code in range(3**5):
        sequence = [code // 3**i % 3 for i in range(5)]
        total += 2 ** -dirichlet_multinomial(np.bincount(sequence, minlength=3), 3)
    assert total == pytest.approx(1.0)
