"""The alignment kernel says what a readable shortest-path search over an explicit graph says."""

import heapq
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.flows.words import Words
from netsynth_core.models.delays import DelayScale, fit_delay_laws
from netsynth_core.models.tadam import Tadam, TadamParams
from netsynth_core.models.tadam.alignment import align, sum_law_bits, sum_table
from netsynth_core.models.tadam.data import Observations
from netsynth_core.models.tadam.explain import describe_alignments, encode_like
from netsynth_core.models.tadam.learner import stored_prices
from netsynth_core.models.tadam.length import Fitted, NoiseSwitches, size_bits_of_counts
from netsynth_core.models.tadam.structure import FINAL, INITIAL, Structure

SCALE = DelayScale("dbus", "plain")
TABLE = sum_table(SCALE)
SIZES = 3


def made_automaton(seed: int) -> tuple[Structure, Fitted]:
    """A random automaton of a few locations over two or three symbols, with random laws and prices."""
    rng = np.random.default_rng(seed)
    symbols, inner = int(rng.integers(2, 4)), int(rng.integers(1, 4))
    places = [INITIAL, *range(2, 2 + inner)]
    edges = set()
    for at, following in itertools.pairwise(places):
        edges.add((at, int(rng.integers(symbols)), following))
    for _ in range(int(rng.integers(1, 7))):
        edges.add((int(rng.choice(places)), int(rng.integers(symbols)), int(rng.choice(places[1:]))))
    edges |= {(place, symbols, FINAL) for place in places if place == places[-1] or rng.random() < 0.3}
    ordered = sorted(edges)
    n = len(ordered)
    structure = Structure(
        symbols,
        np.array([e[0] for e in ordered]),
        np.array([e[2] for e in ordered]),
        np.array([e[1] for e in ordered]),
        np.arange(1, n + 1),
        np.arange(2 + inner),
        tuple(str(i) for i in range(2 + inner)),
    )
    histograms = np.zeros((n + 2, SCALE.codes))
    for row in range(n + 2):
        np.add.at(histograms[row], np.clip(rng.normal(rng.integers(5, 50), 2, 30), 0, 99).astype(int), 1)
    laws, probabilities = fit_delay_laws(histograms)
    bits = -np.log2(probabilities)
    added = size_bits_of_counts(rng.integers(0, 9, (1, SIZES)).astype(float))[0]
    op = rng.uniform(2, 9, 5)
    op[0] = 0.1
    fitted = Fitted(
        laws=laws[:n],
        delay_probabilities=probabilities[:n],
        delay_bits=bits[:n],
        size_bits=size_bits_of_counts(rng.integers(0, 9, (n, SIZES)).astype(float)),
        step_bits=rng.uniform(0.1, 4, n),
        op_bits=op,
        copy_delay=laws[n],
        added_delay=laws[n + 1],
        copy_delay_bits=bits[n],
        added_delay_bits=bits[n + 1],
        added_size_bits=added,
        copy_size_bits=np.array([0.2, 3.0]),
        status_bits=np.array([0.1, 5.0]),
    )
    return structure, fitted


def made_words(structure: Structure, seed: int, count: int = 5) -> Observations:
    """Random words, so that hardly any fits the automaton."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 7, count)
    total = int(lengths.sum())
    return Observations(
        rng.integers(0, structure.symbols, total).astype(np.int32),
        rng.integers(0, 60, total).astype(np.int32),
        rng.integers(0, SIZES, total).astype(np.int32),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.ones(count, np.int64),
        np.arange(count),
    )


def cheapest(word: list[tuple[int, int, int]], structure: Structure, fitted: Fitted, switches: NoiseSwitches) -> float:
    """Dijkstra over (symbols read, location, last missing transition, whether a missing run forbids copies)."""
    edges = list(zip(structure.source.tolist(), structure.symbol.tolist(), structure.target.tolist(), strict=True))
    match, missing, copy, swap, addition = fitted.op_bits
    step, delay, size = fitted.step_bits, fitted.delay_bits, fitted.size_bits
    queue: list[tuple[float, int, int, int]] = [(0.0, 0, INITIAL, -1)]
    done: dict[tuple[int, int, int], float] = {}
    best = math.inf
    while queue:
        cost, at, place, pending = heapq.heappop(queue)
        if (at, place, pending) in done:
            continue
        done[at, place, pending] = cost

        def push(bits: float, read: int, target: int, gap: int, cost: float = cost) -> None:
            heapq.heappush(queue, (cost + bits, read, target, gap))

        for e, (source, symbol, target) in enumerate(edges):
            if source != place:
                continue
            if symbol == structure.symbols:
                if at == len(word):
                    best = min(best, cost + match + step[e])
                continue
            if switches.missing:
                push(missing + step[e], at, target, e)
            if at < len(word) and word[at][0] == symbol:
                law = delay[e]
                if pending >= 0:
                    law = sum_law_bits(np.array([pending]), np.array([e]), fitted.delay_probabilities, TABLE)[0]
                push(match + step[e] + law[word[at][1]] + size[e, word[at][2]], at + 1, target, -1)
            if switches.swaps and at + 1 < len(word) and word[at + 1][0] == symbol != word[at][0]:
                first = step[e] + delay[e, word[at + 1][1]] + size[e, word[at + 1][2]]
                for f, (source2, symbol2, target2) in enumerate(edges):
                    if source2 == target and symbol2 == word[at][0]:
                        second = step[f] + delay[f, word[at][1]] + size[f, word[at][2]]
                        push(swap + first + second, at + 2, target2, -1)
        if at < len(word) and pending < 0:
            symbol, gap, length = word[at]
            if switches.additions:
                more = math.log2(structure.symbols + 1) + fitted.added_delay_bits[gap] + fitted.added_size_bits[length]
                push(addition + more, at + 1, place, -1)
            if switches.copies and at > 0 and word[at - 1][0] == symbol:
                same = word[at - 1][2] == length
                other = fitted.copy_size_bits[1] + fitted.added_size_bits[length]
                push(
                    copy + fitted.copy_delay_bits[gap] + (fitted.copy_size_bits[0] if same else other),
                    at + 1,
                    place,
                    -1,
                )
    return best


def letters(observations: Observations, word: int) -> list[tuple[int, int, int]]:
    part = slice(observations.offsets[word], observations.offsets[word + 1])
    columns = (observations.symbols[part], observations.delays[part], observations.sizes[part])
    return list(zip(*(column.tolist() for column in columns), strict=True))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.tuples(*[st.booleans()] * 4))
def test_the_kernel_finds_the_cheapest_explanation(seed: int, chosen: tuple[bool, bool, bool, bool]) -> None:
    structure, fitted = made_automaton(seed)
    switches = NoiseSwitches(*chosen)
    observations = made_words(structure, seed + 1)
    aligned = align(observations, structure, fitted, switches, table=TABLE)
    for word in range(len(observations)):
        expected = cheapest(letters(observations, word), structure, fitted, switches) + fitted.status_bits[0]
        if aligned.explained[word]:
            assert aligned.bits[word] == pytest.approx(expected)
        else:
            assert aligned.bits[word] < expected


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_a_path_with_its_operations_spells_the_observed_word(seed: int) -> None:
    structure, fitted = made_automaton(seed)
    observations = made_words(structure, seed + 1, count=8)
    aligned = align(observations, structure, fitted, NoiseSwitches(), table=TABLE)
    ids = tuple(str(e) for e in range(structure.transitions))
    for alignment in describe_alignments(aligned, ids, observations):
        if not alignment.accepted:
            assert alignment.path == () == alignment.ops
            continue
        path = [int(e) for e in alignment.path]
        ends = [INITIAL, *(int(structure.target[e]) for e in path)]
        assert all(structure.source[e] == ends[i] for i, e in enumerate(path))
        assert ends[-1] == FINAL
        spoken = [int(structure.symbol[e]) for e in path[:-1]]
        observed = [letter[0] for letter in letters(observations, alignment.word)]
        kinds = [op.kind for op in alignment.ops]
        read = len(observed) - kinds.count("re-emission") - kinds.count("addition")
        assert len(spoken) - kinds.count("deletion") == read
        assert rebuilt(observed, alignment.ops, spoken) == spoken


def rebuilt(observed: list[int], ops: tuple[tuple[str, int], ...], spoken: list[int]) -> list[int]:
    """The symbols of the path: the observed word with every operation undone."""
    dropped = {at for kind, at in ops if kind in ("re-emission", "addition")}
    swapped = {at for kind, at in ops if kind == "transposition"}
    gaps = [at for kind, at in ops if kind == "deletion"]
    word: list[int] = []
    for at in range(len(observed) + 1):
        for _ in range(gaps.count(at)):
            word.append(spoken[len(word)])
        if at == len(observed) or at in dropped or at - 1 in swapped:
            continue
        word += [observed[at + 1], observed[at]] if at in swapped else [observed[at]]
    return word


def test_long_words_are_aligned_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    structure, fitted = made_automaton(3)
    rng = np.random.default_rng(0)
    n = 3000
    observations = Observations(
        rng.integers(0, structure.symbols, n).astype(np.int32),
        rng.integers(0, 60, n).astype(np.int32),
        np.zeros(n, np.int32),
        np.array([0, n]),
        np.ones(1, np.int64),
        np.zeros(1, np.int64),
    )
    whole = align(observations, structure, fitted, NoiseSwitches(), table=TABLE)
    monkeypatch.setattr("netsynth_core.models.tadam.alignment.BLOCK_CELLS", 1)
    cut = align(observations, structure, fitted, NoiseSwitches(), table=TABLE)
    assert whole.bits[0] <= cut.bits[0] <= 1.02 * whole.bits[0]


def operations_one_by_one(steps: list[int], where: list[int], edges: int, low: int) -> list[tuple[str, int]]:
    """Readable twin of the operations of one word, read off its entries."""
    ops = []
    reached = 0
    for entry, (code, at) in enumerate(zip(steps[:-1], where[:-1], strict=True)):
        position = (-2 - at if at < -1 else at) - low
        if at == -1:
            ops.append(("deletion", reached))
        elif code < 0:
            ops.append(("re-emission" if code == -2 else "addition", position))
            reached = position + 1
        elif code >= edges:
            ops.append(("transposition", position))
            reached = position + 2
        elif steps[entry + 1] < edges:
            reached = position + 1
    return sorted(ops, key=lambda op: op[1])


@pytest.mark.parametrize("seed", range(3))
def test_operations_are_those_read_one_by_one(seed: int) -> None:
    """Over words with every kind of noise, several of a word and side by side."""
    rng = np.random.default_rng(seed)
    words = []
    for _ in range(300):
        word = [(s, 30) for s in "abcdefgh"]
        for _ in range(int(rng.integers(0, 4))):
            at = int(rng.integers(0, len(word) - 1))
            kind = rng.integers(4)
            if kind == 0:
                word.pop(at)
            elif kind == 1:
                word.insert(at, word[at])
            elif kind == 2:
                word[at : at + 2] = word[at : at + 2][::-1]
            else:
                word.insert(at, ("z", 3))
        words.append(word)
    model = Tadam.fit(Words.from_lists(words, unit="dbus"), TadamParams(), rng=rng)
    observations = encode_like(model.automaton, Words.from_lists(words, unit="dbus"))
    structure, fitted = stored_prices(model.automaton, model.noise, model.params)
    switches = NoiseSwitches.of(model.params)
    aligned = align(observations, structure, fitted, switches, table=sum_table(model.automaton.scale))
    ids = tuple(t.id for t in model.automaton.transitions)
    kinds = set()
    begins = [0, *aligned.ends.tolist()]
    for word, found in enumerate(describe_alignments(aligned, ids, observations)):
        part = slice(begins[word], begins[word + 1])
        twin = operations_one_by_one(
            aligned.steps[part].tolist(), aligned.where[part].tolist(), len(ids), int(observations.offsets[word])
        )
        assert [tuple(op) for op in found.ops] == (twin if found.accepted else [])
        kinds |= {op.kind for op in found.ops}
    assert len(kinds) == 4
