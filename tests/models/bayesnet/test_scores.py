"""The codes of Bayesian networks: kernels against readable twins, against pgmpy, and against Kraft's inequality."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.models.bayesnet.prior import Prior, share_bits
from netsynth_core.models.bayesnet.scores import (
    STRENGTHS,
    dirichlet_bits,
    network_bits,
    sequential_bits,
    structure_bits,
)
from netsynth_core.models.bayesnet.structure import StructureLearner
from netsynth_core.models.codelength import LN2


def table(n: int, sizes: list[int], seed: int) -> np.ndarray:
    """Samples x columns."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, size, n) for size in sizes], axis=1).astype(np.int32)


@given(
    n=st.integers(1, 120),
    sizes=st.lists(st.integers(1, 30), min_size=4, max_size=4),
    seed=st.integers(0, 10**6),
    chosen=st.sets(st.integers(0, 2), max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_the_kernel_counts_like_its_twin(n: int, sizes: list[int], seed: int, chosen: set[int]) -> None:
    codes = table(n, sizes, seed)
    domains = np.array(sizes, np.int64)
    prior = Prior.of(codes, domains)
    parents = np.full((4, 3), -1, np.int64)
    parents[3, : len(chosen)] = sorted(chosen)
    scored = StructureLearner(prior, domains).score(codes.T, np.arange(4), parents)
    expected = 0.0
    for v in range(4):
        base = np.bincount(codes[:, v], minlength=sizes[v]) / n
        given_ = codes[:, sorted(chosen)] if v == 3 else codes[:, :0]
        expected += min(dirichlet_bits(codes[:, v], base, given_, strength=s) for s in STRENGTHS)
    assert scored.data_bits == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert scored.model_bits == pytest.approx(network_bits(parents))


def test_large_joint_alphabets_are_counted_alike() -> None:
    """Beyond the dense tables the kernel counts by hashing; both must agree with the twin."""
    codes = table(3000, [300, 400, 350], 1)
    domains = np.array([300, 400, 350])
    parents = np.array([[-1, -1, -1], [0, -1, -1], [0, 1, -1]])
    scored = StructureLearner(Prior.of(codes, domains), domains).score(codes.T, np.arange(3), parents)
    expected = 0.0
    for v in range(3):
        base = np.bincount(codes[:, v], minlength=int(domains[v])) / 3000
        expected += min(dirichlet_bits(codes[:, v], base, codes[:, :v], strength=s) for s in STRENGTHS)
    assert scored.data_bits == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.sampled_from([0.5, *STRENGTHS]))
def test_lgamma_equals_the_sequential_code(values: list[int], strength: float) -> None:
    base = np.array([0.1, 0.2, 0.3, 0.4])
    codes = np.array(values)
    once = dirichlet_bits(codes, base, np.zeros((len(codes), 0), np.int64), strength=strength)
    assert once == pytest.approx(sequential_bits(codes, base, strength=strength), rel=1e-9, abs=1e-9)


def test_the_value_code_sums_to_one() -> None:
    base = np.array([0.5, 0.3, 0.2])
    empty = np.zeros((4, 0), np.int64)
    total = sum(2 ** -dirichlet_bits(np.array(w), base, empty, strength=4.0) for w in product(range(3), repeat=4))
    assert total == pytest.approx(1.0)


@pytest.mark.parametrize("earlier", [0, 1, 2, 3, 7])
def test_the_structure_code_sums_to_one(earlier: int) -> None:
    sets = sum(
        2 ** -structure_bits(earlier, count)
        for count in range(min(3, earlier) + 1)
        for _ in range(len(list(combinations_of(earlier, count))))
    )
    assert sets == pytest.approx(1.0)


def combinations_of(n: int, k: int) -> list[tuple[int, ...]]:
    """All sets of k out of n."""
    return [c for c in product(range(n), repeat=k) if list(c) == sorted(set(c))]


def test_the_code_of_shares_sums_to_one() -> None:
    total = sum(2 ** -share_bits(np.array(c)) for c in product(range(6), repeat=3) if sum(c) == 5)
    assert total == pytest.approx(1.0)


def test_pseudo_counts_of_one_are_the_k2_score_of_pgmpy() -> None:
    from pgmpy.structure_score import K2 as score

    codes = table(80, [3, 2, 4], 5)
    frame = pd.DataFrame(codes, columns=list("abc"))
    for v, child in enumerate("abc"):
        for names in [(), *(((p,)) for p in "abc" if p != child), tuple(p for p in "abc" if p != child)]:
            size = frame[child].nunique()
            given_ = frame[list(names)].to_numpy()
            mine = dirichlet_bits(codes[:, v], np.full(size, 1 / size), given_, strength=float(size))
            assert -mine * LN2 == pytest.approx(score(frame).local_score(child, names), rel=1e-9)


def test_a_planted_dependence_is_found_and_none_between_independent_columns() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 4, 1500), rng.integers(0, 5, 1500)
    c = np.where(rng.random(1500) < 0.9, (a + b) % 4, rng.integers(0, 4, 1500))
    codes = np.stack([a, b, rng.integers(0, 6, 1500), c], axis=1).astype(np.int32)
    domains = np.array([4, 5, 6, 4])
    # The sum depends on a and b together only: each of the two alone says next to nothing.
    without = StructureLearner(Prior.of(codes, domains), domains).score(
        codes.T[:3], np.arange(3), np.full((3, 3), -1, np.int64)
    )
    learnt = StructureLearner(Prior.of(codes, domains), domains).learn(codes.T[:3], np.arange(3))
    assert learnt.total == pytest.approx(without.total, abs=5)
    copy = np.stack([a, b, np.where(rng.random(1500) < 0.9, a, 0)], axis=1).astype(np.int32)
    domains = np.array([4, 5, 4])
    found = StructureLearner(Prior.of(copy, domains), domains).learn(copy.T, np.arange(3))
    assert set(found.parents[2]) == {0, -1}
