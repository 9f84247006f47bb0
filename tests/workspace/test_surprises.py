"""The threshold of models that know no surprise: no more false alarms than allowed, and never one needlessly high."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from netsynth_core.flows.words import Words
from netsynth_core.models.baselines import Markov, MarkovParams
from netsynth_core.workspace.surprises import By, rank, usual_bits


@dataclass(frozen=True)
class Priced:
    """A model with given bits for each word."""

    bits: tuple[float, ...]

    def word_bits(self, words: Words) -> NDArray[np.float64]:
        return np.array(self.bits)


def words_of(lengths: list[int]) -> Words:
    return Words.from_lists([[("a", 0)] * length for length in lengths], unit="us")


@pytest.mark.parametrize("by", ["bits", "per-event"])
@given(
    told=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4)), min_size=1, max_size=60),
    share=st.sampled_from([0.001, 0.01, 0.1, 0.5]),
)
def test_no_more_false_alarms_than_allowed(told: list[tuple[int, int]], share: float, by: By) -> None:
    model = Priced(tuple(float(bits) for bits, _ in told))
    threshold = usual_bits(model, words_of([length for _, length in told]), by=by, false_alarms=share)
    values = np.array([bits / (max(length, 1) if by == "per-event" else 1) for bits, length in told])
    assert np.sum(values >= threshold) <= share * len(told)
    lower = values[values < threshold]
    assert np.sum(values >= lower.max()) > share * len(told)


def test_without_words_everything_is_unusual() -> None:
    assert usual_bits(Priced(()), words_of([]), by="bits") == 0.0


def test_automata_without_noise_say_where_a_sequence_leaves_them() -> None:
    usual = Words.from_lists([[("in", 1), ("work", 1), ("out", 1)]] * 20, unit="us")
    model = Markov.fit(usual, MarkovParams(), rng=np.random.default_rng(0))
    seen = Words.from_lists([[("in", 1), ("out", 1)], [("in", 1), ("work", 1), ("out", 1)], [("in", 1)]], unit="us")
    rows = {row.word: row for row in rank(model, seen, detector=None).rows}
    here = next(t.target for t in model.automaton.transitions if t.symbol == "in")
    assert [(rows[k].leaves_at, rows[k].leaves_from) for k in range(3)] == [(1, here), (None, ""), (1, here)]
