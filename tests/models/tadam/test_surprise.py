"""Surprise: proper bits, planted faults found, each for its reason and at its place."""

from functools import cache
from itertools import product

import numpy as np
import pytest

from netsynth_core.errors import NotEnoughData
from netsynth_core.flows.words import Words
from netsynth_core.models.generator import Describing
from netsynth_core.models.tadam import Tadam, TadamParams
from netsynth_core.models.tadam.surprise import Detector, Side, Tail, word_bits
from netsynth_core.models.tadam.tracing import leaving, trace

Word = list[tuple[str, int]]


def usual(rng: np.random.Generator) -> Word:
    """Open, as many reads as one likes, two closes, the end; a pause of about 50 before the first close."""
    reads = int(rng.integers(1, 6))
    return [
        ("open", 0),
        *[("read", int(rng.integers(1, 4)))] * reads,
        ("close", int(rng.integers(45, 55))),
        ("close", 1),
    ]


@cache
def learnt() -> tuple[Tadam, Detector, Words]:
    rng = np.random.default_rng(11)
    train = Words.from_lists([usual(rng) for _ in range(400)])
    model = Tadam.fit(train, TadamParams(max_transitions=0), rng=np.random.default_rng(0))
    return model, Detector.of(model), train


FAULTS: dict[str, tuple[Word, Side, str]] = {
    "missing": ([("open", 0), ("read", 2), ("read", 2), ("close", 50)], "events", "Event close"),
    "unknown": ([("open", 0), ("read", 2), ("fail", 2), ("close", 50), ("close", 1)], "events", "never seen"),
    "order": ([("read", 2), ("open", 2), ("close", 50), ("read", 1), ("close", 1)], "order", "unusual here"),
    "slow": ([("open", 0), ("read", 2), ("read", 2), ("close", 50), ("close", 200)], "times", "unusual delay"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_for_its_reason(fault: str) -> None:
    _, detector, train = learnt()
    word, side, sentence = FAULTS[fault]
    words = Words.from_lists([word])
    scores = detector.score(words)
    assert scores.surprise[0] > detector.threshold(0.01)
    assert scores.rarest(0) == side
    assert sentence in detector.reasons(words, 0, scores)[0].sentence
    usual_ones = detector.score(train.take(np.arange(50)))
    assert np.mean(usual_ones.surprise >= scores.surprise[0]) <= 0.02


def test_the_threshold_lets_so_many_training_words_pass() -> None:
    _, detector, train = learnt()
    scores = detector.score(train)
    assert scores.own
    for share in (0.01, 0.05, 0.2):
        assert np.mean(scores.surprise >= detector.threshold(share)) <= share


def test_words_that_are_all_alike_hold_no_anomaly() -> None:
    train = Words.from_lists([[("a", 0), ("b", 3)]] * 50)
    detector = Detector.of(Tadam.fit(train, TadamParams(), rng=np.random.default_rng(0)))
    words = Words.from_lists([[("a", 0), ("b", 3)], [("a", 0)], [], [("x", 0), ("b", 3)]])
    found = detector.score(words).surprise >= detector.threshold()
    assert found.tolist() == [False, True, True, True]


def test_reasons_name_what_is_there() -> None:
    _, detector, _ = learnt()
    words = Words.from_lists([FAULTS["unknown"][0], FAULTS["missing"][0]])
    scores = detector.score(words)
    foreign = detector.reasons(words, 0, scores)[0]
    assert (foreign.symbol, foreign.position) == ("fail", 2)
    gone = next(r for r in detector.reasons(words, 1, scores) if r.side == "events")
    assert "comes once; 2 times is usual" in gone.sentence


def test_word_bits_are_those_of_the_alignment_and_proper() -> None:
    model, _, train = learnt()
    assert isinstance(model, Describing)
    assert model.word_bits(train) == pytest.approx([a.bits for a in model.align(train)])
    names = ("open", "read", "close", "other")
    every = [[(n, 0) for n in word] for k in range(6) for word in product(names, repeat=k)]
    untimed = word_bits(model, Words.from_lists(every), timed=False)
    assert np.isfinite(untimed).all()
    assert np.exp2(-untimed).sum() <= 1
    assert (model.word_bits(Words.from_lists(every)) >= untimed - 1e-9).all()


def test_bits_of_events_and_order_are_proper() -> None:
    _, detector, _ = learnt()
    names = ("open", "read", "close", "other")
    every = [[(n, 0) for n in word] for k in range(7) for word in product(names, repeat=k)]
    total = np.exp2(-detector.score(Words.from_lists(every)).bits).sum()
    assert 0.3 < total <= 1


def test_without_training_words_nothing_is_usual() -> None:
    from dataclasses import replace

    with pytest.raises(NotEnoughData, match="not at hand"):
        Detector.of(replace(learnt()[0], observations=None))


def test_rarity_is_the_share_of_training_words_and_grows() -> None:
    values = np.arange(1000, dtype=np.float64)
    tail = Tail.of(values, np.ones(1000, np.int64))
    assert tail.rarity(np.array([500.0, 750.0])) == pytest.approx([1.0, 2.0], abs=0.01)
    grid = np.linspace(-5, 3000, 500)
    assert (np.diff(tail.rarity(grid)) >= 0).all()
    # No faster than a bit for a bit, whatever was seen.
    flat = Tail.of(np.zeros(100), np.ones(100, np.int64)).rarity(np.array([0.0, 10.0, 20.0]))
    assert flat == pytest.approx([0.0, flat[1], flat[1] + 10.0])


def test_a_trace_walks_the_automaton_and_leaves_it_where_the_word_does() -> None:
    model, _, train = learnt()
    automaton = model.automaton
    words = Words.from_lists([word for word, _, _ in FAULTS.values()])
    for index, alignment in enumerate(model.align(words)):
        names = words.names(index)
        steps = trace(automaton, alignment, len(names))
        read = [s.position for s in steps if s.position is not None]
        assert sorted(read) == list(range(len(names) + 1))
        at = automaton.initial
        for step in steps:
            assert step.before == at
            if step.transition is not None:
                way = automaton.transition(step.transition)
                assert (way.source, way.target) == (at, step.after)
                if step.op is None and step.position is not None and step.position < len(names):
                    assert way.symbol == names[step.position]
            at = step.after
        assert at == automaton.final
        assert (leaving(steps) is None) == (not alignment.ops)
    fits = model.align(train.take(np.array([0])))[0]
    assert leaving(trace(automaton, fits, len(train[0].symbols))) is None


def test_the_delay_at_an_unexpected_event_stands_behind_it() -> None:
    rng = np.random.default_rng(3)
    usual = [
        [("open", 0), ("read", int(rng.integers(900, 1100))), ("close", int(rng.integers(90_000, 110_000)))]
        for _ in range(200)
    ]
    model = Tadam.fit(Words.from_lists(usual, unit="us"), TadamParams(), rng=rng)
    odd = Words.from_lists([[("open", 0), ("close", 1000), ("read", 100_000)]], unit="us")
    detector = Detector.of(model)
    reasons = detector.reasons(odd, 0, detector.score(odd))
    sides = [reason.side for reason in reasons]
    assert {"order", "times"} <= set(sides)
    assert sides.index("times") > max(k for k, side in enumerate(sides) if side != "times")


def test_a_chance_delay_stands_behind_an_event_that_is_further_beyond_expectation() -> None:
    rng = np.random.default_rng(5)
    names = ("open", "check", "pay", "ship", "close")
    usual = [[(name, int(rng.exponential(30e6))) for name in names] for _ in range(300)]
    model = Tadam.fit(Words.from_lists(usual, unit="us"), TadamParams(), rng=rng)
    swapped = [("open", 0), ("pay", 30_000_000), ("check", 30_000_000), ("ship", 30_000_000), ("close", 110_000)]
    odd = Words.from_lists([swapped], unit="us")
    detector = Detector.of(model)
    reasons = detector.reasons(odd, 0, detector.score(odd))
    assert any(reason.side == "times" and reason.position == 4 for reason in reasons)
    assert reasons[0].side != "times"
