"""Hill climbing and the KT code of the published score: kernels against twins, pgmpy and brute force."""

from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.models.bayesnet._kernels import bic, climb, kt_bits
from netsynth_core.models.bayesnet.climbing import ClimbingLearner, kt_twin, published_network_bits
from netsynth_core.models.bayesnet.network import Network, parents_first


def linked(n: int, variables: int, seed: int) -> np.ndarray:
    """Variables x samples in which some variables follow earlier ones."""
    rng = np.random.default_rng(seed)
    rows: list[np.ndarray] = []
    for v in range(variables):
        row = rng.integers(0, rng.integers(2, 5), n)
        for u in range(v):
            if rng.random() < 0.5:
                row = np.where(rng.random(n) < 0.7, (row + rows[u]) % 4, row)
        rows.append(np.unique(row, return_inverse=True)[1])
    return np.stack(rows).astype(np.int32)


def test_the_kt_code_by_hand() -> None:
    """0 0 1 of two values: 1/2, 3/4, 1/6 is 4 bits; given a parent that tells 0 0 from 1: (1/2 3/4) (1/2)."""
    data = np.array([[0, 0, 1], [0, 0, 1]], np.int32)
    cards = np.array([2, 2])
    alone = kt_bits(data, cards, np.array([[-1, -1, -1], [0, -1, -1]]))
    assert alone == pytest.approx([4.0, -np.log2(3 / 16)])


@given(st.integers(0, 10**6), st.integers(1, 300), st.sets(st.integers(0, 2), max_size=3))
@settings(max_examples=40, deadline=None)
def test_the_kt_kernel_counts_like_its_twin(seed: int, n: int, chosen: set[int]) -> None:
    data = linked(n, 4, seed)
    parents = np.full((4, 3), -1, np.int64)
    parents[3, : len(chosen)] = sorted(chosen)
    bits = kt_bits(data, (data.max(axis=1) + 1).astype(np.int64), parents)
    for v in range(4):
        given_ = data[sorted(chosen)] if v == 3 else data[:0]
        assert bits[v] == pytest.approx(kt_twin(data[v], given_.T), rel=1e-9, abs=1e-9)


def test_the_kt_code_sums_to_one() -> None:
    """Over all sequences of four in which both values occur; the rest have fewer values and codes of their own."""
    total = sum(
        2 ** -kt_bits(np.array([w], np.int32), np.array([2]), np.full((1, 3), -1))[0]
        for w in product(range(2), repeat=4)
    )
    assert total == pytest.approx(1.0)


@given(st.integers(0, 10**6), st.integers(20, 300))
@settings(max_examples=12, deadline=None)
def test_the_criterion_is_that_of_pgmpy(seed: int, n: int) -> None:
    from pgmpy.structure_score import BIC

    data = linked(n, 4, seed)
    cards = (data.max(axis=1) + 1).astype(np.int64)
    theirs = BIC(pd.DataFrame(data.T, columns=list("abcd")))
    for v, chosen in product(range(4), [(), (0,), (1, 2), (0, 1, 2)]):
        if v not in chosen:
            parents = np.array([*chosen, -1, -1, -1][:3], np.int64)
            expected = theirs.local_score("abcd"[v], tuple("abcd"[u] for u in chosen))
            assert bic(data, cards, v, parents) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.integers(0, 10**6), st.integers(20, 500), st.integers(2, 6))
@settings(max_examples=25, deadline=None)
def test_no_change_of_one_edge_betters_what_climbing_found(seed: int, n: int, variables: int) -> None:
    data = linked(n, variables, seed)
    cards = (data.max(axis=1) + 1).astype(np.int64)
    parents = np.full((variables, 3), -1, np.int64)
    scores = climb(data, cards, parents, 1e-4)
    edges = {(int(u), v) for v in range(variables) for u in parents[v] if u >= 0}

    def total(tried: set[tuple[int, int]]) -> float:
        rows = [sorted(u for u, w in tried if w == v) for v in range(variables)]
        if max(map(len, rows)) > 3:
            return -np.inf
        try:
            parents_first(rows)
        except ValueError:
            return -np.inf
        return sum(bic(data, cards, v, np.array([*r, -1, -1, -1][:3], np.int64)) for v, r in enumerate(rows))

    assert total(edges) == pytest.approx(float(scores.sum()), rel=1e-9)
    for u, v in permutations(range(variables), 2):
        changes = [edges - {(u, v)}, (edges - {(u, v)}) | {(v, u)}] if (u, v) in edges else [edges | {(u, v)}]
        for changed in changes:
            assert total(changed) <= total(edges) + 1.1e-4


def test_a_network_whose_parents_come_later_is_counted_and_sampled() -> None:
    """The first variable depends on the last: probabilities still sum to one and samples follow them."""
    data = np.array([[0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1], [3, 3, 3, 5, 5, 5]], np.int32)
    network = Network.fit(data, np.array([[2, -1, -1], [0, -1, -1], [-1, -1, -1]]))
    everything = np.array(list(product([0, 1], [0, 1], [3, 5]))).T.astype(np.int32)
    assert np.exp2(network.log2_probability(everything).sum(axis=0)).sum() == pytest.approx(1.0)
    drawn = network.sample(4000, rng=np.random.default_rng(0))
    share = np.mean((drawn[0] == 1) == (drawn[2] == 5))
    expected = np.exp2(network.log2_probability(data[:, :1]))[0, 0]
    assert share == pytest.approx(expected, abs=0.02)
    with pytest.raises(ValueError, match="ancestor"):
        parents_first([[1], [0]])


def test_a_structure_costs_what_was_published() -> None:
    """Three variables with no, one and two parents: 3 log2 3 + log2 C(2, 1) + log2 C(2, 2)."""
    parents = np.array([[-1, -1, -1], [0, -1, -1], [0, 1, -1]])
    assert published_network_bits(parents) == pytest.approx(3 * np.log2(3) + 1)


def test_no_samples_cost_nothing() -> None:
    learnt = ClimbingLearner(np.array([3, 3])).learn(np.zeros((2, 0), np.int32), np.arange(2))
    assert learnt.data_bits == 0.0
    assert (learnt.parents == -1).all()
