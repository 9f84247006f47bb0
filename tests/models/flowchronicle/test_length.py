"""The terms of the codelength: proper codes, and sums that agree with the parts."""

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.models.codelength import universal_integer
from netsynth_core.models.flowchronicle._kernels import limit_gains
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.length import (
    gap_histogram,
    hazard_bits,
    instant_bits,
    label_bits,
    pattern_bits,
    resolution,
)
from netsynth_core.models.flowchronicle.pattern import WITHIN_STEPS, Fixed, PartialFlow, Pattern, Reused

DOMAINS = np.array([2, 3, 3])
HOSTS = (1, 2)


def flows_of(free_before: list[tuple[int, int]], place: int) -> list[PartialFlow]:
    """Every partial flow there is at a place after flows with these free address cells."""
    flows = []
    for cells in product(*(["free", *range(size)] for size in DOMAINS)):
        fixed = tuple(Fixed(c, v) for c, v in enumerate(cells) if v != "free")
        addresses = [c for c in HOSTS if cells[c] == "free"]
        choices = [[None, *free_before] for _ in addresses]
        for sources in product(*choices):
            reused = tuple(Reused(c, *s) for c, s in zip(addresses, sources, strict=True) if s is not None)
            flows.append(PartialFlow(fixed, reused))
            if len(addresses) == 2 and sources == (None, None):
                flows.append(PartialFlow(fixed, (Reused(HOSTS[1], place, HOSTS[0]),)))
    return flows


def test_the_code_of_patterns_of_two_flows_sums_to_the_code_of_their_length() -> None:
    """Summed over all patterns of two flows and all limits, 2^-L(p) is 2^-L_N(2)."""
    total = 0.0
    for first in flows_of([], 0):
        free = [(0, c) for c in HOSTS if c not in first.bound]
        for second in flows_of(free, 1):
            total += WITHIN_STEPS * 2 ** -pattern_bits(Pattern((first, second), (0,)), DOMAINS, HOSTS)
    assert total == pytest.approx(2 ** -universal_integer(2))


def test_the_code_of_continuations_sums_to_one() -> None:
    """Over all sequences of five questions in one bin."""
    total = sum(comb(5, yes) * 2 ** -hazard_bits(np.array([[yes, 5 - yes]])) for yes in range(6))
    assert total == pytest.approx(1.0)


def test_the_code_of_labels_sums_to_one() -> None:
    total = sum(2 ** -label_bits(np.bincount(w, minlength=3)) for w in product(range(3), repeat=4))
    assert total == pytest.approx(1.0)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.floats(0, 900), st.integers(0, 400)), min_size=1, max_size=8),
    st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)
def test_the_estimated_gain_is_made_of_the_terms(bins: list[tuple[int, float, int]], extra: int) -> None:
    sums = np.array(bins, np.float64)
    starts, spent = np.array([900, 40, 7][: extra or 1]), np.array([2, 0, 1][: extra or 1])
    gains = np.empty(len(bins))
    limit_gains(sums, starts, spent, 4, gains)
    for within in range(len(bins)):
        hits = int(sums[: within + 1, 0].sum())
        if hits < 4 or sums[within, 0] == 0:
            assert gains[within] == -np.inf
            continue
        after = np.append(np.maximum(starts - hits * spent, 0), hits)
        expected = sums[: within + 1, 1].sum() - hazard_bits(sums[: within + 1, [0, 2]])
        assert gains[within] == pytest.approx(expected - label_bits(after) + label_bits(starts), abs=1e-6)


def test_instants_cost_the_same_whatever_the_unit() -> None:
    ts = np.cumsum(np.random.default_rng(0).integers(1, 900, 50)) * 10**6
    assert resolution(ts) == 10**6
    assert instant_bits(ts) == pytest.approx(instant_bits(ts // 1000))
    assert instant_bits(ts[:1]) == 0.0


@pytest.mark.parametrize("largest", [1, 2, 3])
def test_the_code_of_instants_sums_to_the_code_of_the_largest_gap(largest: int) -> None:
    """Over all pairs of gaps whose larger one is in the last of `largest` doubling bins; the KT code also has room
    for pairs that do not reach it, which is what is lacking to 2^-L_N."""
    total = 0.0
    for gaps in product(range(2 ** (largest - 1)), repeat=2):
        if max(gaps).bit_length() + 1 == largest:
            total += 2 ** -instant_bits(np.cumsum([1, *gaps]))
    half = largest / 2
    not_reached = (half - 0.5) / half * (half + 0.5) / (half + 1)
    assert total == pytest.approx(2 ** -universal_integer(largest) * (1 - not_reached))


@pytest.mark.parametrize("gaps", [(0, 0, 0, 0), (1, 1, 1, 1), (5, 1, 90, 2), (400, 3, 3, 70_000)])
def test_the_code_of_which_rows_belong_together_sums_to_one_at_most(gaps: tuple[int, ...]) -> None:
    """Over every way to put five rows into windows of a two-flow pattern and rows of the empty one: labels of what
    begins, and continuations. What is lacking to one are answers that cannot be: two windows that claim one row, a
    window that never goes on."""
    ts = np.cumsum([1, *gaps]) * 1000
    zeros = np.zeros((5, 1), np.int32)
    index = FlowIndex(zeros, ts, (1,), (), (0,), np.zeros((5, 0), np.int64))
    pair = Pattern((PartialFlow(), PartialFlow()), (WITHIN_STEPS - 1,))
    total = 0.0
    for windows in pairings(tuple(range(5))):
        rows = np.array(windows, np.int64).reshape(-1, 2)
        bits = sum(hazard_bits(counts) for counts in gap_histogram(pair, rows, index))
        total += 2 ** -(bits + label_bits(np.array([len(rows), 5 - 2 * len(rows)])))
    assert 0.3 < total <= 1.0 + 1e-12


def pairings(rows: tuple[int, ...]) -> list[list[tuple[int, int]]]:
    """Every set of disjoint pairs of ascending rows."""
    if not rows:
        return [[]]
    first, *rest = rows
    alone = pairings(tuple(rest))
    return alone + [
        [(first, other), *more] for other in rest for more in pairings(tuple(r for r in rest if r != other))
    ]
