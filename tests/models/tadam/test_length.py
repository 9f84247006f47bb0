"""Every code is proper, the codelength is the sum of its parts, and what is recounted is what a readable count says."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.flows.words import Words
from netsynth_core.models.delays import DelayScale
from netsynth_core.models.tadam.alignment import sum_law_bits, sum_table
from netsynth_core.models.tadam.contexts import Price, best_partition, block_bits, incoming_all
from netsynth_core.models.tadam.data import Observations, deduplicate, encode_words
from netsynth_core.models.tadam.length import NoiseSwitches, prequential_choices, prequential_sizes
from netsynth_core.models.tadam.state import State, Task, measured, settle
from netsynth_core.models.tadam.structure import FINAL, INITIAL, markov_chain

SCALE = DelayScale("dbus", "plain")


def made_words(seed: int = 0, n: int = 60) -> Words:
    rng = np.random.default_rng(seed)
    words = []
    for _ in range(n):
        word = [("a", 0)]
        while rng.random() < 0.7:
            word += [("b", round(rng.normal(30, 2))), ("c", round(rng.normal(50, 2)))]
        if rng.random() < 0.2:
            word.insert(1, ("a", 5))
        words.append(word)
    return Words.from_lists(words, unit="dbus")


def settled(words: Words) -> tuple[Task, State]:
    observations = deduplicate(encode_words(words, words.alphabet, SCALE, None))
    task = Task(observations, NoiseSwitches(), sum_table(SCALE), SCALE.codes, 1)
    structure, usage = markov_chain(observations, words.alphabet, delay_codes=SCALE.codes, size_codes=1)
    return task, settle(task, structure, usage)


@pytest.mark.parametrize("kinds", [2, 3, 4])
def test_the_code_of_choices_is_proper(kinds: int) -> None:
    total = 0.0
    for sequence in itertools.product(range(kinds), repeat=4):
        total += 2.0 ** -prequential_choices(np.bincount(sequence, minlength=kinds).astype(np.int64))
    assert total == pytest.approx(1)


def test_the_code_of_sizes_is_proper() -> None:
    total = sum(
        2.0 ** -prequential_sizes(np.bincount(sequence, minlength=3)[None].astype(float))[0]
        for sequence in itertools.product(range(3), repeat=4)
    )
    assert total == pytest.approx(1)


def test_laws_of_sums_are_proper_and_peak_at_the_sum() -> None:
    codes = np.arange(SCALE.codes)
    rows = np.stack([np.exp(-0.5 * ((codes - mean) / 2.0) ** 2) + 1e-6 for mean in (40, 43)])
    rows /= rows.sum(axis=1, keepdims=True)
    bits = sum_law_bits(np.array([0, 1]), np.array([1, 1]), rows, sum_table(SCALE))
    np.testing.assert_allclose(np.exp2(-bits).sum(axis=1), 1)
    assert np.argmin(bits[0]) == pytest.approx(45, abs=1)
    assert np.argmin(bits[1]) == pytest.approx(46, abs=1)


def test_the_markov_chain_counts_pairs() -> None:
    words = made_words()
    observations = deduplicate(encode_words(words, words.alphabet, SCALE, None))
    structure, usage = markov_chain(observations, words.alphabet, delay_codes=SCALE.codes, size_codes=1)
    expected: dict[tuple[str, str], int] = {}
    for i in range(len(words)):
        for pair in itertools.pairwise(["start", *words.names(i), "$"]):
            expected[pair] = expected.get(pair, 0) + 1
    names = (*words.alphabet, "$")
    found = {
        (structure.names[s], names[a]): int(n)
        for s, a, n in zip(structure.source, structure.symbol, usage.count, strict=True)
    }
    assert found == expected
    assert usage.delays.sum() == len(words.symbols)


def test_flows_through_every_location_balance_after_settling() -> None:
    task, state = settled(made_words())
    structure, usage = state.structure, state.usage
    entering = np.bincount(structure.target, usage.count, structure.locations)
    leaving = np.bincount(structure.source, usage.count, structure.locations)
    np.testing.assert_array_equal(entering[2:], leaving[2:])
    assert leaving[INITIAL] == entering[FINAL] == usage.accepted
    assert usage.accepted + usage.rejected == task.observations.words
    symbols = int((np.diff(task.observations.offsets) * task.observations.weights).sum())
    matches, _, copies, swaps, additions = usage.ops
    assert matches - usage.accepted + copies + 2 * swaps + additions == symbols


def test_recounting_known_alignments_changes_nothing() -> None:
    task, state = settled(made_words())
    again = measured(task, state.structure, state.usage, state.aligned)
    assert again.bits == pytest.approx(state.bits)
    assert state.length.total == pytest.approx(state.length.model + state.length.data)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_equal_words_are_kept_once_and_found_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = Words.from_lists(
        [[(str(rng.choice(["a", "b"])), int(rng.integers(2))) for _ in range(rng.integers(0, 3))] for _ in range(25)],
        unit="dbus",
    )
    single = encode_words(words, words.alphabet, SCALE, None)
    unique = deduplicate(single)
    assert unique.weights.sum() == len(words) == unique.words
    assert len({letters(unique, i) for i in range(len(unique))}) == len(unique)
    for i in range(len(words)):
        assert letters(single, i) == letters(unique, int(unique.origin[i]))


def letters(observations: Observations, word: int) -> tuple[tuple[int, int], ...]:
    part = slice(observations.offsets[word], observations.offsets[word + 1])
    return tuple(zip(observations.symbols[part].tolist(), observations.delays[part].tolist(), strict=True))


# --- partitions -----------------------------------------------------------------------------------------------------

PRICE = Price(20.0, 15.0)


def partitions(items: list[int]) -> list[list[list[int]]]:
    """All partitions of a few items."""
    if not items:
        return [[]]
    found = []
    for rest in partitions(items[1:]):
        found.append([[items[0]], *rest])
        found += [[*rest[:i], [items[0], *rest[i]], *rest[i + 1 :]] for i in range(len(rest))]
    return found


def total_bits(table: np.ndarray, blocks: list[list[int]], atom_edge: np.ndarray, edge_of: np.ndarray) -> float:
    bits = 0.0
    for block in blocks:
        row = table[block].sum(axis=0, keepdims=True)
        bits += float(block_bits(row, incoming_all(atom_edge[block]), edge_of, PRICE)[0])
    return bits


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_a_partition_never_beats_the_best_one_and_its_gain_is_true(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.poisson(rng.choice([0.3, 30.0], (5, 4))).astype(float)
    atom_edge, edge_of = np.array([0, 0, 1, 2, 3]), np.array([0, 0, 1, 2])
    blocks, gain = best_partition(table, atom_edge, edge_of, PRICE)
    chosen = [np.flatnonzero(blocks == b).tolist() for b in np.unique(blocks)]
    whole = total_bits(table, [list(range(5))], atom_edge, edge_of)
    assert gain == pytest.approx(whole - total_bits(table, chosen, atom_edge, edge_of))
    best = min(total_bits(table, p, atom_edge, edge_of) for p in partitions(list(range(5))))
    assert -1e-9 <= gain <= whole - best + 1e-9


def test_two_kinds_of_context_are_told_apart() -> None:
    table = np.array([[200.0, 2], [180, 1], [3, 190], [1, 170]])
    blocks, gain = best_partition(table, np.arange(4), np.arange(2), PRICE)
    assert blocks[0] == blocks[1] != blocks[2] == blocks[3]
    assert gain > 100
