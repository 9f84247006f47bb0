"""Shared tables: a proper code, counted as its twin counts, and cheap for what is as in general."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.models.bayesnet.prior import Prior
from netsynth_core.models.bayesnet.scores import STRENGTHS, dirichlet_bits, network_bits
from netsynth_core.models.bayesnet.shared import SharedTables, twin_bits
from netsynth_core.models.bayesnet.structure import SharedCells, StructureLearner

NONE = np.full((2, 3), -1, np.int64)
CHAIN = np.array([[-1, -1, -1], [0, -1, -1]])


def tables_of(codes: np.ndarray, domains: list[int], parents: np.ndarray) -> SharedTables:
    return SharedTables.of(codes, parents, Prior.of(codes, np.array(domains)))


@pytest.mark.parametrize("parents", [NONE, CHAIN])
def test_the_code_of_a_whole_table_sums_to_one_at_most(parents: np.ndarray) -> None:
    """Base shares, parents, strengths and values, over every table of three rows and two columns of two values."""
    total = 0.0
    rows = [np.arange(3, dtype=np.int64)] * 2
    for cells in product(range(2), repeat=6):
        codes = np.array(cells, np.int32).reshape(3, 2)
        prior = Prior.of(codes, np.array([2, 2]))
        total += 2 ** -(prior.bits + SharedTables.of(codes, parents, prior).structure(rows).total)
    assert 0.01 < total <= 1.0


@given(
    n=st.integers(1, 90),
    sizes=st.lists(st.integers(1, 12), min_size=3, max_size=3),
    seed=st.integers(0, 10**6),
    share=st.floats(0, 1),
)
@settings(max_examples=50, deadline=None)
def test_the_kernel_counts_like_its_twins(n: int, sizes: list[int], seed: int, share: float) -> None:
    """On any part of the rows, and as the Dirichlet code of `scores` does on all of them."""
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, size, n) for size in sizes], axis=1).astype(np.int32)
    parents = np.array([[-1, -1, -1], [0, -1, -1], [1, 0, -1]])
    shared = tables_of(codes, sizes, parents)
    part = np.flatnonzero(rng.random(n) < share)
    everything = np.arange(n, dtype=np.int64)
    for v, counter in enumerate(shared._columns):
        assert counter.bits(part) == pytest.approx(twin_bits(counter, part), rel=1e-9, abs=1e-7)
        base = np.bincount(codes[:, v], minlength=sizes[v]) / n
        given_ = codes[:, parents[v][parents[v] >= 0]]
        best = min(dirichlet_bits(codes[:, v], base, given_, strength=s) for s in STRENGTHS)
        assert counter.bits(everything) == pytest.approx(best, rel=1e-9, abs=1e-7)
    assert shared.structure([everything] * 3).model_bits == pytest.approx(network_bits(parents))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=2, max_size=40))
@settings(max_examples=40, deadline=None)
def test_a_cell_costs_what_leaving_it_out_saves(rows: list[tuple[int, int]]) -> None:
    codes = np.array(rows, np.int32)
    shared = tables_of(codes, [3, 4], CHAIN)
    n = len(codes)
    everything = np.arange(n, dtype=np.int64)
    for row in range(n):
        for v, counter in enumerate(shared._columns):
            saved = counter.bits(everything) - counter.bits(np.delete(everything, row))
            assert shared.row_bits[row, v] == pytest.approx(saved, rel=1e-4, abs=1e-4)


def test_a_variable_has_tables_of_its_own_only_where_they_pay() -> None:
    """Of two columns the second follows the first in general; in some rows the pattern breaks the rule."""
    rng = np.random.default_rng(3)
    first = rng.integers(0, 8, 3000)
    codes = np.stack([first, first], axis=1).astype(np.int32)
    odd = np.arange(0, 3000, 5)
    codes[odd, 1] = 3
    domains = np.array([8, 8])
    prior = Prior.of(codes, domains)
    learner = StructureLearner(prior, domains)
    shared = SharedTables.of(codes, CHAIN, prior)
    columns = np.arange(2, dtype=np.int64)

    def learnt(rows: np.ndarray) -> tuple[bool, ...]:
        cells = shared.cells([rows, rows], [0, 1], CHAIN)
        structure = learner.learn(np.ascontiguousarray(codes[rows].T), columns, cells)
        assert structure.total <= learner.learn(np.ascontiguousarray(codes[rows].T), columns).total + 2
        return tuple(structure.falls_back.tolist())

    usual = np.setdiff1d(np.arange(3000), odd)[:60]
    assert learnt(usual) == (True, True)
    assert learnt(odd) == (True, False)


def test_what_the_shared_tables_send_is_counted_apart() -> None:
    codes = np.array([[0, 1], [1, 0], [0, 1], [1, 1]], np.int32)
    domains = np.array([2, 2])
    learner = StructureLearner(Prior.of(codes, domains), domains)
    columns = np.arange(2, dtype=np.int64)
    plain = learner.score(codes.T, columns, NONE)
    cheap = learner.score(codes.T, columns, NONE, SharedCells(np.array([0.5, 1e9]), NONE))
    assert cheap.falls_back.tolist() == [True, False]
    assert cheap.shared_bits == 0.5
    assert cheap.model_bits == pytest.approx(2 + plain.model_bits - np.log2(len(STRENGTHS)))
