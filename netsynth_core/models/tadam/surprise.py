"""How surprising a word is, where, and why: bits by the automaton, and rarity against the training words.

A word is looked at from three sides, each a proper code:

    events   which events occur, and how often: like the counts of the training words (`models.counts`)
    order    the order of just these events: the automaton's filter, only events still to come allowed
    times    the delays, given the order

Bits of order and times are taken above what the automaton expected at that point, so that long words and places where
anything may follow are no anomalies; of the times, those of the oddest delay. The sides are made comparable by rarity:
x bits mean that one training word in 2**x is so far out (beyond the training words by their exponential tail). The
surprise of a word is its rarest side.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import NotEnoughData
from netsynth_core.files import content_hash
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.predicting import Filter, Predictions, predict
from netsynth_core.models.counts import CountCode, Difference, count_matrix
from netsynth_core.models.tadam.data import Observations
from netsynth_core.units import NS_PER_S, NS_PER_US, format_duration

if TYPE_CHECKING:
    from netsynth_core.models.tadam.model import Tadam

Floats = NDArray[np.float64]
Side = Literal["events", "order", "times"]
SIDES: Final[tuple[Side, ...]] = ("events", "order", "times")
_HAIR: Final = 1e-6
NOTABLE: Final = 4.0
"""Bits above expectation from which a step is worth naming."""


def word_bits(model: "Tadam", words: Words, *, timed: bool = True) -> Floats:
    """Bits of the cheapest explanation of each word, noise included.

    Unknown symbols are additions, all of one class of their own. Without `timed`, of symbols alone.

    Raises
    ------
    SchemaError
        When the words are in another unit than the training words.
    """
    from netsynth_core.models.tadam.alignment import align, sum_table
    from netsynth_core.models.tadam.explain import encode_like
    from netsynth_core.models.tadam.learner import stored_prices
    from netsynth_core.models.tadam.length import NoiseSwitches

    observations = encode_like(model.automaton, words)
    switches = NoiseSwitches.of(model.params)
    structure, fitted = stored_prices(model.automaton, model.noise, model.params)
    table = sum_table(model.automaton.scale)
    if not timed:
        # One code of delay and one of size: both are certain.
        sure = np.zeros((structure.transitions, 1))
        fitted = replace(
            fitted,
            delay_probabilities=sure + 1.0,
            delay_bits=sure,
            delay_row=None,
            size_bits=sure,
            copy_delay_bits=sure[0],
            added_delay_bits=sure[0],
            added_size_bits=sure[0],
            copy_size_bits=np.zeros(2),
        )
        nothing = np.zeros_like(observations.delays)
        observations = replace(observations, delays=nothing, sizes=nothing)
        table = np.zeros((1, 1), np.int32)
    bits: Floats = align(observations, structure, fitted, switches, table=table).bits
    return bits


@dataclass(frozen=True, eq=False)
class Tail:
    """How rare a value is among training words."""

    values: Floats
    """Ascending, one a word."""

    @classmethod
    def of(cls, values: Floats, weights: NDArray[np.int64]) -> "Tail":
        """The tail of weighted values."""
        return cls(np.sort(np.repeat(values, weights)))

    def rarity(self, values: Floats) -> Floats:
        """-log2 of the share of training words that are at least so far out, bits >= 0.

        Within the hundredth that is farthest out (ten words at least) an exponential takes over; it never falls
        faster than a bit for a bit, as no code can be beaten by more (no-hypercompression inequality).
        """
        n = len(self.values)
        if n == 0:
            return np.zeros(len(values))
        beyond = min(n, max(10, n // 100))
        edge = self.values[-beyond]
        mean = max(float((self.values[-beyond:] - edge).mean()), 1.0 / np.log(2.0))
        above = n - np.searchsorted(self.values, np.minimum(values, edge) - 1e-9, side="left")
        near = -np.log2(np.minimum(1.0, (above + 0.5) / (n + 0.5)))
        far: Floats = near + np.maximum(values - edge, 0.0) / (mean * np.log(2.0))
        return far


@dataclass(frozen=True, eq=False)
class Scores:
    """How surprising words are."""

    bits: Floats
    """Of events and order together: a proper code of each word's symbols."""
    sides: Mapping[Side, Floats]
    """Bits of events; bits above expectation of order and times."""
    rarity: Mapping[Side, Floats]
    """Rarity of each side."""
    steps: Predictions
    """What the automaton expected at each step, the events being known."""
    own: bool = False
    """Whether these are the training words: the counts of each are judged by those of the others."""

    @property
    def surprise(self) -> Floats:
        """The rarity of the rarest side of each word, bits."""
        rarest: Floats = np.max(np.stack([self.rarity[side] for side in SIDES]), axis=0)
        return rarest

    def rarest(self, word: int) -> Side:
        """The side that makes a word surprising."""
        return max(SIDES, key=lambda side: float(self.rarity[side][word]))


@dataclass(frozen=True)
class Reason:
    """One thing that makes a word surprising."""

    side: Side
    symbol: str
    """The event it is about; ``$`` = the end."""
    position: int | None
    """Index of the event in the word; its length = the end. None where the event is not there."""
    bits: float
    """What it costs above expectation."""
    sentence: str


@dataclass(frozen=True, eq=False)
class Detector:
    """An automaton with what its training words say about counts and about what is usual."""

    model: "Tadam"
    filter: Filter
    counts: CountCode
    tails: Mapping[Side, Tail]
    training: Floats
    """Surprise of each training word, each left out of the counts; ascending."""
    timed: bool
    """Whether the training words have delays."""

    @classmethod
    def of(cls, model: "Tadam") -> "Detector":
        """The detector of a learnt automaton.

        Raises
        ------
        NotEnoughData
            When its training words are not at hand.
        """
        held = model.observations
        if held is None or not len(held):
            raise NotEnoughData(
                "The training words of this model are not at hand: what is usual cannot be told.",
                hint="Keep its .npz beside its .json, or rank by the bits of each word.",
            )
        filter = Filter.of(
            model.automaton,
            model.noise.counts,
            copies=model.noise.duplicate_delay,
            additions=model.noise.addition_delay,
        )
        timed = bool(held.delays.any())
        vectors = count_matrix(held.symbols, held.offsets, len(model.automaton.alphabet))
        counts = CountCode.learn(vectors, held.weights)
        steps = predict(filter, held.symbols, held.delays, held.offsets, known_counts=True, timed=timed)
        order, times = steps.excess()
        sides: dict[Side, Floats] = {"events": counts.others_bits(vectors), "order": order, "times": times}
        tails = {side: Tail.of(sides[side], held.weights) for side in SIDES if timed or side != "times"}
        rarest = np.max(np.stack([tails[side].rarity(sides[side]) for side in tails]), axis=0)
        return cls(model, filter, counts, tails, np.sort(np.repeat(rarest, held.weights)), timed)

    def score(self, words: Words) -> Scores:
        """The surprise of words; of the training words themselves, each left out of the counts.

        Raises
        ------
        SchemaError
            When the words are in another unit than the training words.
        """
        from netsynth_core.models.tadam.explain import encode_like

        codes = encode_like(self.model.automaton, words)
        steps = predict(self.filter, codes.symbols, codes.delays, codes.offsets, known_counts=True, timed=self.timed)
        order, times = steps.excess()
        own = training_content(words) == self.model.trained_on.get("content")
        vectors = self._vectors(codes)
        events = self.counts.others_bits(vectors) if own else self.counts.bits(vectors)
        sides: dict[Side, Floats] = {"events": events, "order": order, "times": times}
        nothing = np.zeros(len(words))
        rarity = {side: self.tails[side].rarity(sides[side]) if side in self.tails else nothing for side in SIDES}
        return Scores(events + steps.word_bits(), sides, rarity, steps, own)

    def threshold(self, false_alarms: float = 0.01) -> float:
        """The least surprise that at most so large a share of the training words reaches, bits.

        Parameters
        ----------
        false_alarms
            Share of usual words that may be taken for anomalies, 0-1.
        """
        allowed = int(false_alarms * len(self.training) + 1e-9)
        if allowed >= len(self.training):
            return 0.0
        return float(self.training[len(self.training) - 1 - allowed]) + _HAIR

    def reasons(self, words: Words, word: int, scores: Scores, *, most: int = 12) -> tuple[Reason, ...]:
        """Why a word is surprising, the weightiest first.

        Positions count its events from 0; sentences, which people read, from 1. A delay stands behind events that are
        further beyond expectation than it is, since delays of that kind come by mere chance; also at or next to an
        unexpected event, where it belongs to another step.
        """
        names = words.names(word)
        found = [self._event_reason(names, difference) for difference in self._differences(words, word, scores.own)]
        low, high = int(scores.steps.offsets[word]), int(scores.steps.offsets[word + 1])
        excess = (scores.steps.bits - scores.steps.expected)[low:high]
        for position in np.flatnonzero(excess >= NOTABLE).tolist():
            name = names[position] if position < len(names) else "$"
            place = "" if name == "$" else f" at {position + 1}"
            sentence = f"{_said(name)}{place} is unusual here: {excess[position]:.1f} bits above expectation."
            found.append(Reason("order", name, position, float(excess[position]), sentence))
        if self.timed:
            found += self._time_reasons(words, word, scores)
        weight = {side: float(scores.rarity[side][word]) for side in SIDES}
        places = {r.position for r in found if r.side != "times" and r.position is not None}
        furthest = max((r.bits for r in found if r.side != "times"), default=0.0)

        def follows(reason: Reason) -> bool:
            at = reason.position
            if reason.side != "times" or at is None:
                return False
            return reason.bits < furthest or not places.isdisjoint((at - 1, at, at + 1))

        ranked = sorted(
            found, key=lambda r: (follows(r), -weight[r.side], -r.bits, -1 if r.position is None else r.position)
        )
        return tuple(ranked[:most])

    def _vectors(self, codes: Observations) -> NDArray[np.int64]:
        return count_matrix(codes.symbols, codes.offsets, len(self.model.automaton.alphabet))

    def _differences(self, words: Words, word: int, own: bool) -> tuple[Difference, ...]:
        from netsynth_core.models.tadam.explain import encode_like

        one = encode_like(self.model.automaton, words.take(np.array([word])))
        return self.counts.differences(self._vectors(one)[0], left_out=own)

    def _event_reason(self, names: list[str], difference: Difference) -> Reason:
        alphabet = self.model.automaton.alphabet
        known = difference.symbol < len(alphabet)
        held = set(alphabet)
        places = [
            k for k, name in enumerate(names) if (name == alphabet[difference.symbol] if known else name not in held)
        ]
        name = alphabet[difference.symbol] if known else names[places[0]]
        seen, expected = difference.seen, difference.expected
        if not known:
            others = f", {seen} such events" if seen > 1 else ""
            sentence = f"{_said(name)} was never seen in training{others}."
        elif expected == 0:
            sentence = f"{_said(name)} should not be there; it comes {_times(seen)}."
        elif seen == 0:
            sentence = f"{_said(name)} is missing; {_times(expected)} is usual."
        else:
            sentence = f"{_said(name)} comes {_times(seen)}; {_times(expected)} is usual."
        place = None if not places else places[min(expected, len(places) - 1)] if seen > expected else places[-1]
        return Reason("events", name, place, difference.bits, sentence)

    def _time_reasons(self, words: Words, word: int, scores: Scores) -> list[Reason]:
        low, high = int(scores.steps.offsets[word]), int(scores.steps.offsets[word + 1]) - 1
        excess = (scores.steps.delay_bits - scores.steps.delay_expected)[low:high]
        delays = words[word].delays
        found = []
        for position in np.flatnonzero(excess >= NOTABLE).tolist():
            name = words.names(word)[position]
            after = _delay(int(delays[position]), words.unit)
            sentence = f"{_said(name)} at {position + 1} comes after {after}: an unusual delay."
            found.append(Reason("times", name, position, float(excess[position]), sentence))
        return found


def _said(name: str) -> str:
    return "The end" if name == "$" else f"Event {name}"


def _delay(delay: int, unit: str) -> str:
    scale = {"ns": 1, "us": NS_PER_US, "s": NS_PER_S}.get(unit)
    return f"{delay} {unit}".rstrip() if scale is None else format_duration(delay * scale)


def training_content(words: Words) -> str:
    """The content of words as a model keeps it in ``trained_on``."""
    symbols = np.ascontiguousarray(words.symbols).tobytes()
    return content_hash("\n".join(words.alphabet), symbols, np.ascontiguousarray(words.delays).tobytes())


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"
