"""The code of counts: a proper probability, cheap where words differ, dear where they never do."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.models.counts import CountCode, count_matrix

vectors = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=12)


def every(most: int) -> np.ndarray:
    return np.array(list(product(range(most), repeat=2)), np.int64)


@given(vectors)
@settings(max_examples=15)
def test_it_sums_to_one(rows: list[tuple[int, int]]) -> None:
    total = np.exp2(-CountCode.learn(np.array(rows, np.int64)).bits(every(120))).sum()
    # What lies beyond 120 is the tail of 1 / (k (k + 1)).
    assert total <= 1 + 1e-9
    assert total > 0.95


@given(vectors)
@settings(max_examples=15)
def test_leaving_a_word_out_is_learning_what_was_seen_without_it(rows: list[tuple[int, int]]) -> None:
    """Only the two probabilities of moving still know it; with them fixed both are the same code."""
    counts = np.array(rows, np.int64)
    code = CountCode.learn(counts)
    assert (code.others_bits(counts) >= code.bits(counts) - 1e-9).all()
    assert np.isfinite(code.others_bits(counts)).all()


def test_what_never_moves_is_dear_and_what_always_moves_is_cheap() -> None:
    rng = np.random.default_rng(3)
    reads = rng.integers(0, 40, 400)
    learnt = np.stack([np.full(400, 3), reads, np.zeros(400, np.int64)], axis=1)
    code = CountCode.learn(learnt)
    usual, fewer, foreign = code.bits(np.array([[3, 41, 0], [2, 5, 0], [3, 5, 1]]))
    assert fewer > usual + 3
    assert foreign > usual + 3
    named = code.differences(np.array([2, 5, 0]))
    assert [(d.symbol, d.seen, d.expected) for d in named] == [(0, 2, 3)]
    assert code.differences(np.array([3, 5, 0])) == ()


def test_weights_are_words() -> None:
    counts = np.array([[1, 0], [2, 0], [2, 1]])
    weights = np.array([4, 1, 2])
    once = CountCode.learn(counts, weights)
    twice = CountCode.learn(np.repeat(counts, weights, axis=0))
    assert once.bits(every(6)) == pytest.approx(twice.bits(every(6)))


def test_counts_of_words_with_unknown_symbols() -> None:
    symbols = np.array([0, 1, 1, -1, 0], np.int32)
    assert count_matrix(symbols, np.array([0, 3, 3, 5]), 2).tolist() == [[1, 2, 0], [0, 0, 0], [1, 0, 1]]


def test_one_word_is_enough() -> None:
    code = CountCode.learn(np.array([[2, 1]]))
    assert code.bits(np.array([[2, 1]]))[0] < code.bits(np.array([[2, 2]]))[0]
    assert np.isfinite(code.others_bits(np.array([[2, 1]]))).all()
