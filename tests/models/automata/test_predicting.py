"""The filter: a proper probability over words, over the orders of given counts, and over delays."""

from itertools import permutations, product

import numpy as np
import pytest

from netsynth_core.models.automata.automaton import Location, TimedAutomaton, Transition
from netsynth_core.models.automata.predicting import Filter, predict
from netsynth_core.models.delays import DelayLaw, DelayScale, Normal

SCALE = DelayScale("", "plain")
QUICK = DelayLaw((Normal(0.9, 2.0, 1.0),), SCALE.codes)
SLOW = DelayLaw((Normal(0.9, 30.0, 2.0),), SCALE.codes)
NOISE = (200, 3, 4, 0, 2)


def automaton() -> TimedAutomaton:
    """a, then b's, then c or the end; c may lead back."""
    names = ("q0", "q1", "q2", "q3")
    rows = [
        ("q0", "q2", "a", 40, QUICK),
        ("q2", "q2", "b", 30, SLOW),
        ("q2", "q3", "c", 25, QUICK),
        ("q3", "q2", "b", 5, QUICK),
        ("q2", "q1", "$", 20, None),
        ("q3", "q1", "$", 20, None),
    ]
    transitions = tuple(Transition(f"e{i}", *row[:4], row[4]) for i, row in enumerate(rows, 1))
    return TimedAutomaton(("a", "b", "c"), tuple(Location(n, n) for n in names), transitions, "q0", "q1", SCALE)


def made(noise: tuple[int, ...] = NOISE) -> Filter:
    return Filter.of(automaton(), noise, copies=QUICK, additions=DelayLaw((), SCALE.codes))


def flat(words: list[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    symbols = np.array([s for word in words for s in word], np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(word) for word in words])]).astype(np.int64)
    return symbols, np.zeros(len(symbols), np.int32), offsets


def bits(words: list[tuple[int, ...]], **options: bool) -> np.ndarray:
    return predict(made(), *flat(words), timed=False, **options).word_bits()


def test_words_of_all_lengths_sum_to_at_most_one_and_nearly_to_one() -> None:
    totals = [np.exp2(-bits(list(product((-1, 0, 1, 2), repeat=n)))).sum() for n in range(8)]
    assert sum(totals) <= 1 + 1e-9
    assert sum(totals) > 0.9
    # What words go on to do is what the shorter ones left over.
    assert totals[3] < 1 - sum(totals[:3])


@pytest.mark.parametrize("counts", [(0,), (0, 1, 2), (0, 0, 1, 2, 2), (1, 1, 1), (-1, 0, 2, 2)])
def test_orders_of_given_events_sum_to_one(counts: tuple[int, ...]) -> None:
    orders = sorted(set(permutations(counts)))
    assert np.exp2(-bits(orders, known_counts=True)).sum() == pytest.approx(1.0)


def test_one_order_only_costs_nothing() -> None:
    assert bits([(1, 1, 1), ()], known_counts=True) == pytest.approx(0.0, abs=1e-9)


def test_each_step_is_the_ratio_of_two_prefixes() -> None:
    """Brute force: P(prefix) by summing paths of an explicit matrix, additions and copies included."""
    filter = made()
    word = (0, 1, 1, 2)
    locations = len(filter.closure)
    belief = np.eye(locations)[filter.initial]
    expected = []
    for place, symbol in enumerate(word):
        weight = np.zeros(5)
        after = []
        for s in (0, 1, 2, 3):
            move = np.zeros((locations, locations))
            for source, target, share, _ in filter.edges[s] if s < 3 else ():
                move[source, target] += share
            stay = filter.addition + (filter.copy if place and word[place - 1] == s else 0.0)
            step = filter.match * filter.closure @ move + stay * np.eye(locations)
            after.append(belief @ step)
            weight[s] = after[-1].sum()
        weight[4] = belief @ filter.emission[:, -1]
        expected.append(-np.log2(weight[symbol] / weight.sum()))
        belief = after[symbol] / after[symbol].sum()
    found = predict(filter, *flat([word]), timed=False)
    assert found.bits[:-1] == pytest.approx(expected)


def test_a_slow_event_is_seen_in_its_delay_and_nowhere_else() -> None:
    symbols, delays, offsets = flat([(0, 1, 2), (0, 1, 2)])
    delays[:] = (2, 30, 2, 2, 30, 90)
    found = predict(made(), symbols, delays, offsets)
    order, times = found.excess()
    assert times[1] > times[0] + 4
    assert order[1] == pytest.approx(order[0], abs=0.5)
    assert int(np.argmax(found.delay_bits)) == 6


def test_expectation_is_the_mean_of_the_bits() -> None:
    found = predict(made(), *flat([(0,)]), timed=False)
    words = [(s, s) for s in (-1, 0, 1, 2)]
    first = np.array([predict(made(), *flat([word]), timed=False).bits[0] for word in words])
    end = predict(made(), *flat([()]), timed=False).bits[0]
    each = np.append(first, end)
    assert np.exp2(-each).sum() == pytest.approx(1.0)
    assert (np.exp2(-each) * each).sum() == pytest.approx(found.expected[0])


def test_words_side_by_side_are_words_alone() -> None:
    words = [(0, 1, 2), (), (0,), (2, 2, 2, 2), (0, 1, 1, 1, 2)]
    alone = np.concatenate([bits([word], known_counts=True) for word in words])
    assert bits(words, known_counts=True) == pytest.approx(alone)
    assert len(predict(made(), *flat([]), timed=False).word_bits()) == 0
