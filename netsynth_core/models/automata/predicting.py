"""What an automaton expects next, step by step: the probability of each event given all before it.

A filter over the locations (sums over every path, where an alignment keeps the cheapest): at each step a symbol is
read by a transition, possibly after missing ones, or repeats the one before, or does not belong. The end of a word is
one more step. Neighbours in the wrong order are explained as one that does not belong and a missing one. Predictions
are normalised at each step, so the words' probabilities sum to one; so do those of the orders of given counts, where
only symbols that are still to come are allowed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.automata.automaton import END, TimedAutomaton
from netsynth_core.models.delays import DelayLaw

Floats = NDArray[np.float64]
_BLOCK = 2048
"""Words that are filtered side by side."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Bits of every step, in flat arrays; word i has its symbols and its end at ``offsets[i]:offsets[i + 1]``."""

    offsets: NDArray[np.int64]
    bits: Floats
    """-log2 P(symbol, or end, given all before)."""
    expected: Floats
    """Mean of the bits over what might have come: their entropy."""
    delay_bits: Floats
    """-log2 P(delay code given the symbol and all before); 0 at ends."""
    delay_expected: Floats

    def excess(self) -> tuple[Floats, Floats]:
        """Bits above expectation of each word: of its symbols and end, and of its delays.

        Symbols add up, since an order goes wrong in several places at once. Of delays the largest counts, log2 of the
        sum of 2**excess: one that is too long would else drown in what the usual ones vary.
        """
        if len(self.offsets) < 2:
            return np.zeros(0), np.zeros(0)
        edges = self.offsets[:-1]
        order = np.add.reduceat(self.bits - self.expected, edges)
        return order, np.logaddexp2.reduceat(self.delay_bits - self.delay_expected, edges)

    def word_bits(self) -> Floats:
        """Bits of each word's symbols and end."""
        return np.add.reduceat(self.bits, self.offsets[:-1]) if len(self.offsets) > 1 else np.zeros(0)


@dataclass(frozen=True, eq=False)
class Filter:
    """An automaton and the shares of noise, as the matrices that a filter needs."""

    closure: Floats
    """Expected visits of each location from each other over missing transitions."""
    emission: Floats
    """P(next is symbol s, an unknown symbol (column -2), the end (column -1)) from each location, without noise that
    reads."""
    edges: tuple[tuple[tuple[int, int, float, int], ...], ...]
    """For each symbol: source, target, probability and row of the delay laws."""
    initial: int
    match: float
    copy: float
    addition: float
    """Share of additions of one symbol each."""
    laws: Floats
    """Shape (transitions + 2, delay codes); the last two are of copies and additions."""

    @classmethod
    def of(cls, automaton: TimedAutomaton, counts: Sequence[int], *, copies: DelayLaw, additions: DelayLaw) -> "Filter":
        """The filter of an automaton.

        Parameters
        ----------
        counts
            matches, deletions, re-emissions, transpositions, additions: how often each was seen; half a time is added.
        copies, additions
            Laws of the delays that they bring.
        """
        place = {location.id: k for k, location in enumerate(automaton.locations)}
        symbol = {name: k for k, name in enumerate(automaton.alphabet)}
        symbols, locations = len(symbol), len(place)
        seen = np.asarray(counts, np.float64) + 0.5
        match, missing, copy, _, addition = (seen / seen.sum()).tolist()
        total = np.zeros(locations)
        for transition in automaton.transitions:
            total[place[transition.source]] += transition.count + 0.5
        step = np.zeros((locations, locations))
        emission = np.zeros((locations, symbols + 2))
        edges: list[list[tuple[int, int, float, int]]] = [[] for _ in range(symbols)]
        flat = np.full(automaton.scale.codes, 1.0 / automaton.scale.codes)
        laws = [flat] * (len(automaton.transitions) + 2)
        laws[-2:] = [copies.probabilities, additions.probabilities]
        for row, transition in enumerate(automaton.transitions):
            source, target = place[transition.source], place[transition.target]
            share = (transition.count + 0.5) / total[source]
            if transition.symbol == END:
                emission[source, -1] += share
                continue
            emission[source, symbol[transition.symbol]] += share
            step[source, target] += share
            edges[symbol[transition.symbol]].append((source, target, share, row))
            if transition.delay is not None:
                laws[row] = transition.delay.probabilities
        closure = np.linalg.inv(np.eye(locations) - missing * step)
        return cls(
            closure=closure,
            emission=match * (closure @ emission),
            edges=tuple(tuple(part) for part in edges),
            initial=place[automaton.initial],
            match=match,
            copy=copy,
            addition=addition / (symbols + 1),
            laws=np.stack(laws),
        )


def predict(
    filter: Filter,
    symbols: NDArray[np.int32],
    delays: NDArray[np.int32],
    offsets: NDArray[np.int64],
    *,
    known_counts: bool = False,
    timed: bool = True,
) -> Predictions:
    """Filter words.

    Parameters
    ----------
    symbols, delays, offsets
        Flat codes; word i is the slice ``offsets[i]:offsets[i + 1]``. Unknown symbols are -1.
    known_counts
        Whether it is known how often each symbol occurs in the word: then the bits are those of its order alone.
    timed
        Whether delays are predicted too, and tell locations apart.
    """
    words = len(offsets) - 1
    steps = np.asarray(offsets + np.arange(words + 1), np.int64)
    found = Predictions(steps, *(np.zeros(int(steps[-1])) for _ in range(4)))
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    for low in range(0, words, _BLOCK):
        rows = order[low : low + _BLOCK]
        _predict_block(filter, symbols, delays, offsets, rows, found, known_counts=known_counts, timed=timed)
    return found


def _predict_block(
    filter: Filter,
    symbols: NDArray[np.int32],
    delays: NDArray[np.int32],
    offsets: NDArray[np.int64],
    rows: NDArray[np.int64],
    found: Predictions,
    *,
    known_counts: bool,
    timed: bool,
) -> None:
    """Predict words side by side, the longest first."""
    columns = filter.emission.shape[1]
    begins, lengths = offsets[rows], np.diff(offsets)[rows]
    belief = np.zeros((len(rows), len(filter.closure)))
    belief[:, filter.initial] = 1.0
    left = _remaining(symbols, offsets, rows, columns) if known_counts else None
    before = np.full(len(rows), -1, np.int64)
    for step in range(int(lengths.max(initial=0)) + 1):
        active = int(np.searchsorted(-lengths, -step, side="right"))
        belief = belief[:active]
        reading = int(np.searchsorted(-lengths, -step, side="left"))
        chance = belief @ filter.emission
        chance[:, :-1] += filter.addition
        again = np.flatnonzero(before[:active] >= 0)
        chance[again, before[again]] += filter.copy
        if left is not None:
            chance = np.where(left[:active] > 0, np.maximum(chance, 1e-300), 0.0)
        chance /= chance.sum(axis=1, keepdims=True)
        spelt = -np.log2(np.maximum(chance, 1e-300))
        came = np.full(active, columns - 1, np.int64)
        at = begins[:reading] + step
        came[:reading] = np.where(symbols[at] < 0, columns - 2, symbols[at])
        out = found.offsets[:-1][rows[:active]] + step
        found.bits[out] = spelt[np.arange(active), came]
        found.expected[out] = (chance * spelt).sum(axis=1)
        belief = belief[:reading]
        belief = _read(filter, belief, came[:reading], before, delays[at], out[:reading], found, timed=timed)
        before = came[:reading]
        if left is not None:
            left[np.arange(reading), before] -= 1
            left[:reading, -1] = left[:reading, :-1].sum(axis=1) == 0


def _remaining(
    symbols: NDArray[np.int32], offsets: NDArray[np.int64], rows: NDArray[np.int64], columns: int
) -> NDArray[np.int64]:
    """How often each symbol is still to come; the last column says whether nothing is."""
    left = np.zeros((len(rows), columns), np.int64)
    for place, row in enumerate(rows.tolist()):
        part = symbols[offsets[row] : offsets[row + 1]]
        left[place, :-1] = np.bincount(np.where(part < 0, columns - 2, part), minlength=columns - 1)
    left[:, -1] = left[:, :-1].sum(axis=1) == 0
    return left


def _read(
    filter: Filter,
    belief: Floats,
    came: NDArray[np.int64],
    before: NDArray[np.int64],
    delays: NDArray[np.int32],
    out: NDArray[np.int64],
    found: Predictions,
    *,
    timed: bool,
) -> Floats:
    """The belief after the symbols that came, and the bits of their delays."""
    reached = belief @ filter.closure
    copied = np.where(before[: len(came)] == came, filter.copy, 0.0)
    new = belief * (copied + filter.addition)[:, None]
    for symbol in np.unique(came).tolist():
        here = np.flatnonzero(came == symbol)
        code = delays[here]
        law = filter.addition * filter.laws[-1][None, :] + copied[here, None] * filter.laws[-2][None, :]
        if timed:
            staying = law[np.arange(len(here)), code]
            new[here] = belief[here] * staying[:, None]
        for source, target, share, row in filter.edges[symbol] if symbol < len(filter.edges) else ():
            mass = filter.match * share * reached[here, source]
            if timed:
                law = law + mass[:, None] * filter.laws[row][None, :]
                mass = mass * filter.laws[row][code]
            new[here, target] += mass
        if timed:
            law = law / law.sum(axis=1, keepdims=True)
            bits = -np.log2(np.maximum(law, 1e-300))
            found.delay_bits[out[here]] = bits[np.arange(len(here)), code]
            found.delay_expected[out[here]] = (law * bits).sum(axis=1)
    total = new.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, new / np.maximum(total, 1e-300), belief))
