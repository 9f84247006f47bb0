"""Conditional sampling: the table and the walks against the enumeration of all paths of small automata."""

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from netsynth_core.errors import InvalidParameter
from netsynth_core.models.automata import conditioned
from netsynth_core.models.automata.automaton import Location, TimedAutomaton, Transition
from netsynth_core.models.automata.conditioned import BACKWARD, FORWARD, NEVER, conditioned_sampler
from netsynth_core.models.automata.running import flatten
from netsynth_core.models.delays import DelayLaw, DelayScale

SCALE = DelayScale("us", "decibel")
LAW = DelayLaw((), SCALE.codes)


def automaton(edges: list[tuple[int, int, str, int]], locations: int) -> TimedAutomaton:
    """Locations q0.. with q0 initial; edges (source, target, symbol, count); target -1 is the end."""
    names = [Location(f"q{i}", f"q{i}") for i in range(locations)] + [Location(f"q{locations}", "end")]
    transitions = tuple(
        Transition(f"e{i}", f"q{a}", f"q{locations if b < 0 else b}", "$" if b < 0 else s, n, None if b < 0 else LAW)
        for i, (a, b, s, n) in enumerate(edges)
    )
    alphabet = tuple(sorted({t.symbol for t in transitions} - {"$"}))
    return TimedAutomaton(alphabet, tuple(names), transitions, "q0", f"q{locations}", SCALE)


def way(name: str) -> int:
    return FORWARD if name.startswith("c") else BACKWARD


@st.composite
def automata(draw: st.DrawFn) -> TimedAutomaton:
    """Small automata in which every location is reached and can end."""
    locations = draw(st.integers(1, 4))
    edges = [(i, i + 1, draw(st.sampled_from(["cA", "sA"])), draw(st.integers(1, 9))) for i in range(locations - 1)]
    edges.append((locations - 1, -1, "$", draw(st.integers(1, 9))))
    for _ in range(draw(st.integers(0, 5))):
        source, target = draw(st.integers(0, locations - 1)), draw(st.integers(-1, locations - 1))
        symbol = "$" if target < 0 else draw(st.sampled_from(["cA", "cB", "sA", "sB"]))
        if not any(e[:3] == (source, target, symbol) for e in edges):
            edges.append((source, target, symbol, draw(st.integers(1, 9))))
    return automaton(edges, locations)


def all_paths(model: TimedAutomaton, longest: int) -> dict[tuple[int, int], dict[tuple[int, ...], float]]:
    """Probability of every path of at most `longest` packets, by its counts."""
    flat = flatten(model)
    found: dict[tuple[int, int], dict[tuple[int, ...], float]] = defaultdict(dict)

    def follow(at: int, path: tuple[int, ...], fwd: int, bwd: int, p: float) -> None:
        if at == flat.final:
            found[fwd, bwd][path] = found[fwd, bwd].get(path, 0.0) + p
            return
        for e in range(flat.first[at], flat.first[at + 1]):
            q = p * flat.probability[e]
            if flat.symbol[e] == len(model.alphabet):
                follow(flat.final, path, fwd, bwd, q)
            elif fwd + bwd < longest:
                step = way(model.alphabet[flat.symbol[e]]) == FORWARD
                follow(int(flat.target[e]), (*path, e), fwd + step, bwd + (not step), q)

    follow(flat.initial, (), 0, 0, 1.0)
    return found


@settings(max_examples=40)
@given(automata())
def test_the_table_holds_the_probability_of_all_paths_with_these_counts(model: TimedAutomaton) -> None:
    paths = all_paths(model, 5)
    sampler = conditioned_sampler(model, way, fwd=5, bwd=5)
    for fwd in range(6):
        for bwd in range(6 - fwd):
            told = sampler.log2_probability(np.array([fwd]), np.array([bwd]))[0]
            whole = sum(paths[fwd, bwd].values())
            assert 2.0**told == pytest.approx(whole, rel=1e-9)
            assert sampler.reachable(np.array([fwd]), np.array([bwd]))[0] == (whole > 0)


@settings(max_examples=15)
@given(automata(), st.integers(0, 2**32))
def test_paths_are_drawn_by_their_conditional_probability(model: TimedAutomaton, seed: int) -> None:
    paths = all_paths(model, 4)
    sampler = conditioned_sampler(model, way, fwd=4, bwd=4)
    counts = max((key for key in paths if sum(key)), key=lambda key: len(paths[key]), default=None)
    if counts is None:
        return
    n = 4000
    seeds = np.random.default_rng(seed).integers(0, 2**63, n).astype(np.uint64)
    runs = sampler.draw(np.full(n, counts[0]), np.full(n, counts[1]), seeds=seeds)
    assert runs.whole.all()
    drawn = Counter(tuple(runs.path[a:b]) for a, b in zip(runs.offsets[:-1], runs.offsets[1:], strict=True))
    whole = sum(paths[counts].values())
    assert set(drawn) <= set(paths[counts])
    for path, p in paths[counts].items():
        share = p / whole
        assert abs(drawn[path] / n - share) < 6 * np.sqrt(share * (1 - share) / n) + 2 / n


@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(automata(), st.integers(0, 2**32), st.integers(1, 3))
def test_paths_beyond_the_table_are_drawn_by_their_conditional_probability(
    model: TimedAutomaton, seed: int, most: int
) -> None:
    paths = all_paths(model, 7)
    counts = max((key for key in paths if sum(key) > most), key=lambda key: (len(paths[key]), key), default=None)
    if counts is None:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conditioned, "LARGEST_TABLE", most)
        sampler = conditioned_sampler(model, way, fwd=7, bwd=7)
    assert sampler.most == most
    n = 3000
    seeds = np.random.default_rng(seed).integers(0, 2**63, n).astype(np.uint64)
    runs = sampler.draw(np.full(n, counts[0]), np.full(n, counts[1]), seeds=seeds, budget=20_000)
    assert runs.exact.mean() > 0.9
    assert runs.whole[runs.exact].all()
    spans = zip(runs.offsets[:-1][runs.exact], runs.offsets[1:][runs.exact], strict=True)
    drawn = Counter(tuple(runs.path[a:b]) for a, b in spans)
    assert set(drawn) <= set(paths[counts])
    n = int(runs.exact.sum())
    shares = np.array([paths[counts][path] for path in sorted(paths[counts])])
    expected = n * shares / shares.sum()
    seen = np.array([drawn[path] for path in sorted(paths[counts])])
    chi = ((seen - expected) ** 2 / expected).sum()
    # 6 standard deviations above the mean of a chi-square, with room for rare paths
    assert chi < (len(seen) - 1) + 6 * np.sqrt(2 * (len(seen) - 1) + (1 / expected).sum()) + 6


def loop() -> TimedAutomaton:
    """A request and an answer, again and again, with idle acknowledgements."""
    return automaton(
        [(0, 1, "cS", 1), (1, 2, "sSA", 1), (2, 2, "cA", 2), (2, 3, "cP", 5), (3, 2, "sP", 9), (2, -1, "$", 1)], 4
    )


def test_counts_beyond_the_table_agree_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditioned, "LARGEST_TABLE", 24)
    fwd, bwd = np.array([40, 300, 200, 9]), np.array([30, 120, 200, 4])
    sampler = conditioned_sampler(loop(), way, fwd=300, bwd=200)
    assert sampler.most == 24
    runs = sampler.draw(fwd, bwd, seeds=np.arange(4, dtype=np.uint64))
    flat = flatten(loop())
    assert runs.whole.all()
    for i in range(4):
        path = runs.path[runs.offsets[i] : runs.offsets[i + 1]]
        forward = [way(loop().alphabet[flat.symbol[e]]) == FORWARD for e in path]
        assert (sum(forward), len(forward) - sum(forward)) == (fwd[i], bwd[i])
        assert path[0] in range(flat.first[flat.initial], flat.first[flat.initial + 1])
        assert all(flat.target[a] == flat.source[b] for a, b in pairwise(path))


def two_phases() -> TimedAutomaton:
    """Talk in one loop, then a second loop that cannot go back: how long each lasts is free."""
    return automaton(
        [
            (0, 1, "cS", 1),
            (1, 1, "cA", 3),
            (1, 1, "sA", 4),
            (1, 2, "cB", 1),
            (2, 2, "cA", 4),
            (2, 2, "sA", 3),
            (2, -1, "$", 1),
        ],
        3,
    )


@pytest.mark.parametrize("model", [loop(), two_phases()], ids=["loop", "two phases"])
def test_a_small_table_draws_by_the_law_of_a_large_one(model: TimedAutomaton, monkeypatch: pytest.MonkeyPatch) -> None:
    n, fwd, bwd = 1000, 120, 90
    seeds = np.arange(n, dtype=np.uint64)
    wide = conditioned_sampler(model, way, fwd=fwd, bwd=bwd)
    monkeypatch.setattr(conditioned, "LARGEST_TABLE", 48)
    narrow = conditioned_sampler(model, way, fwd=fwd, bwd=bwd)
    assert wide.most >= fwd + bwd > narrow.most
    drawn = []
    for sampler in (wide, narrow):
        runs = sampler.draw(np.full(n, fwd), np.full(n, bwd), seeds=seeds)
        assert runs.whole.all() and runs.exact.all()
        drawn.append(runs.path.reshape(n, fwd + bwd))
    edges = int(wide.product.edge.max()) + 1
    for statistic in (lambda p, e: (p[:, :60] == e).sum(axis=1), lambda p, e: np.argmax(p == e, axis=1)):
        for edge in range(edges):
            result = ks_2samp(*(statistic(paths, edge) for paths in drawn), method="asymp")
            assert result.pvalue > 1e-5


def test_a_run_of_fifty_thousand_packets_is_exact_in_little_memory() -> None:
    sampler = conditioned_sampler(loop(), way, fwd=30_000, bwd=25_000)
    assert sampler.most <= conditioned.LARGEST_TABLE
    runs = sampler.draw(np.array([30_000]), np.array([25_000]), seeds=np.array([3], np.uint64))
    assert runs.whole[0] and runs.exact[0]
    again = sampler.draw(np.array([30_000]), np.array([25_000]), seeds=np.array([3], np.uint64))
    assert np.array_equal(runs.path, again.path)


def test_a_run_that_no_walk_finds_is_told() -> None:
    sampler = conditioned_sampler(loop(), way, fwd=3000, bwd=1500)
    runs = sampler.draw(np.array([3000]), np.array([1500]), seeds=np.array([3], np.uint64), budget=0)
    assert runs.whole[0] and not runs.exact[0]


def test_long_runs_do_not_vanish() -> None:
    rare = automaton([(0, 0, "cA", 1), (0, 0, "sA", 1), (0, -1, "$", 10**6)], 1)
    sampler = conditioned_sampler(rare, way, fwd=150, bwd=150)
    told = sampler.log2_probability(np.array([150]), np.array([150]))[0]
    assert told < -5000
    assert sampler.draw(np.array([150]), np.array([150]), seeds=np.array([1], np.uint64)).whole[0]


def test_counts_that_cannot_be_are_told_with_the_nearest_that_can() -> None:
    pairs = automaton([(0, 1, "cA", 1), (1, 0, "sA", 1), (0, -1, "$", 1)], 2)
    sampler = conditioned_sampler(pairs, way, fwd=6, bwd=6)
    assert not sampler.reachable(np.array([3]), np.array([5]))[0]
    assert not sampler.draw(np.array([3]), np.array([5]), seeds=np.array([1], np.uint64)).whole[0]
    assert sampler.nearest(3, 5) == (3, 3)
    assert sampler.nearest(5, 4, at_most=True) == (4, 4)


def test_the_nearest_counts_beyond_the_table_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditioned, "LARGEST_TABLE", 20)
    pairs = automaton([(0, 1, "cA", 1), (1, 0, "sA", 1), (0, -1, "$", 1)], 2)
    sampler = conditioned_sampler(pairs, way, fwd=90, bwd=90)
    assert sampler.most == 20
    assert not sampler.draw(np.array([70]), np.array([73]), seeds=np.array([1], np.uint64)).whole[0]
    assert sampler.nearest(70, 73, at_most=True) == (70, 70)
    assert sampler.nearest(60, 60) == (60, 60)
    assert sampler.nearest(90, 40) is None


def test_a_run_depends_on_its_seed_alone() -> None:
    sampler = conditioned_sampler(loop(), way, fwd=20, bwd=20)
    fwd, bwd, seeds = np.full(30, 9), np.full(30, 5), np.arange(30, dtype=np.uint64)
    whole = sampler.draw(fwd, bwd, seeds=seeds)
    part = sampler.draw(fwd[7:], bwd[7:], seeds=seeds[7:])
    assert np.array_equal(whole.path[whole.offsets[7] :], part.path)


class _NoSecondP:
    """At most one cP."""

    start = 0

    def step(self, state: int, symbol: int) -> int:
        is_p = loop().alphabet[symbol] == "cP"
        return -1 if is_p and state else state or int(is_p)

    def accepts(self, state: int) -> bool:
        return state == 1


def test_a_constraint_is_one_more_condition() -> None:
    model = loop()
    sampler = conditioned_sampler(model, way, fwd=9, bwd=9, constraint=_NoSecondP())
    assert sampler.reachable(np.array([5]), np.array([2]))[0]
    assert not sampler.reachable(np.array([5]), np.array([3]))[0]
    runs = sampler.draw(np.full(50, 5), np.full(50, 2), seeds=np.arange(50, dtype=np.uint64))
    spoken = np.array(model.alphabet)[flatten(model).symbol[runs.path]].reshape(50, 7)
    assert ((spoken == "cP").sum(axis=1) == 1).all()
    p = sampler.log2_probability(np.array([5]), np.array([2]))[0]
    free = conditioned_sampler(model, way, fwd=9, bwd=9).log2_probability(np.array([5]), np.array([2]))[0]
    assert p == pytest.approx(free)  # two answers need one cP and the SYN's, so the condition adds nothing here


def test_symbols_can_be_ruled_out() -> None:
    sampler = conditioned_sampler(loop(), lambda name: NEVER if name == "cA" else way(name), fwd=9, bwd=9)
    assert not sampler.reachable(np.array([5]), np.array([2]))[0]
    assert sampler.reachable(np.array([2]), np.array([2]))[0]


def test_negative_counts_are_refused() -> None:
    with pytest.raises(InvalidParameter):
        conditioned_sampler(loop(), way, fwd=-1, bwd=3)
