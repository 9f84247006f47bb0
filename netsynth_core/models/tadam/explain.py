"""Alignments as a person and a file see them: transition ids, kinds of noise, positions in the observed word."""

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import InvalidEdit, SchemaError
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.tadam.alignment import Aligned, align, entry_words, sum_table, use
from netsynth_core.models.tadam.data import Observations, encode_words
from netsynth_core.models.tadam.learner import stored_prices
from netsynth_core.models.tadam.length import NoiseSwitches
from netsynth_core.models.tadam.noise import KINDS, Alignment, NoiseModel, NoiseOp
from netsynth_core.models.tadam.params import TadamParams

_COPY = -2


def encode_like(automaton: TimedAutomaton, words: Words) -> Observations:
    """Words in the codes of an automaton.

    Raises
    ------
    SchemaError
        When their delays are in another unit.
    """
    if len(words) and words.unit != automaton.scale.unit:
        raise SchemaError(
            f"The words have delays in {words.unit or 'an unknown unit'}; the automaton was learnt from "
            f"{automaton.scale.unit or 'an unknown unit'}.",
            hint="Convert the delays, or learn an automaton from words of this unit.",
        )
    return encode_words(words, automaton.alphabet, automaton.scale, automaton.size_scale)


def explain_words(automaton: TimedAutomaton, noise: NoiseModel, params: TadamParams, words: Words) -> list[Alignment]:
    """The cheapest explanation of each word by a stored model."""
    observations = encode_like(automaton, words)
    switches = NoiseSwitches.of(params)
    structure, fitted = stored_prices(automaton, noise, params)
    aligned = align(observations, structure, fitted, switches, table=sum_table(automaton.scale))
    ids = tuple(transition.id for transition in automaton.transitions)
    return describe_alignments(aligned, ids, observations)


def seen_delays(
    automaton: TimedAutomaton,
    noise: NoiseModel,
    params: TadamParams,
    observations: Observations | None,
    id: str,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Codes, counts and probabilities of the delays of one transition.

    Raises
    ------
    InvalidEdit
        When there is no such transition, it reads ``$``, or the training words are gone.
    """
    law = automaton.transition(id).delay
    if law is None:
        raise InvalidEdit(f"Transition {id} ends a word: it has no delay.", hint="Choose another transition.")
    if observations is None:
        raise InvalidEdit("The training words of this model are not at hand.", hint="Keep its .npz beside its .json.")
    switches = NoiseSwitches.of(params)
    structure, fitted = stored_prices(automaton, noise, params)
    aligned = align(observations, structure, fitted, switches, table=sum_table(automaton.scale))
    usage = use(
        observations, structure, aligned, size_codes=fitted.size_bits.shape[1], delay_codes=automaton.scale.codes
    )
    counts = usage.delays[[t.id for t in automaton.transitions].index(id)]
    shown = np.flatnonzero((counts > 0) | (law.probabilities > 1e-3))
    codes = np.arange(shown.min(), shown.max() + 1) if len(shown) else np.arange(1)
    return codes.astype(np.int64), counts[codes], law.probabilities[codes]


def describe_alignments(aligned: Aligned, ids: tuple[str, ...], observations: Observations) -> list[Alignment]:
    """Flat alignments as values.

    Parameters
    ----------
    ids
        Ids of the transitions in the order of the structure.
    """
    edges = len(ids)
    steps, ends = aligned.steps.tolist(), aligned.ends.tolist()
    bits, explained = aligned.bits.tolist(), aligned.explained.tolist()
    ops, bounds = _operations(aligned, edges, observations)
    names = (*ids, *ids)
    found = []
    begin = 0
    for word, end in enumerate(ends):
        if not explained[word]:
            found.append(Alignment(word, bits[word], (), (), False))
        elif bounds[word] == bounds[word + 1]:
            found.append(Alignment(word, bits[word], tuple([names[e] for e in steps[begin:end]]), (), True))
        else:
            path = tuple([names[e] for e in steps[begin:end] if e >= 0])
            found.append(Alignment(word, bits[word], path, tuple(ops[bounds[word] : bounds[word + 1]]), True))
        begin = end
    return found


def _operations(aligned: Aligned, edges: int, observations: Observations) -> tuple[list[NoiseOp], list[int]]:
    """All operations by word and position, and where those of each word begin."""
    word = entry_words(aligned)
    steps, where = aligned.steps.astype(np.int64), aligned.where.astype(np.int64)
    entries = np.arange(len(steps))
    first, last = np.ones(len(steps), bool), np.ones(len(steps), bool)
    first[1:] = last[:-1] = word[1:] != word[:-1]
    position = np.where(where < -1, -2 - where, where) - observations.offsets[word]
    extra, swap = steps < 0, steps >= edges
    missing = (where == -1) & ~last
    # The first transition of a swap reads the later symbol; the pair is reported with the second.
    partner = np.zeros(len(steps), bool)
    partner[:-1] = swap[1:]
    reached = np.where(swap, position + 2, position + 1)
    known = ~(missing | partner | last)
    # How far the word is read before each entry: what the last entry before it that reads has reached.
    before = np.full(len(steps), -1, np.int64)
    before[1:] = np.maximum.accumulate(np.where(known, entries, -1))[:-1]
    begun = np.maximum.accumulate(np.where(first, entries, 0))
    position = np.where(missing, np.where(before >= begun, reached[before], 0), position)
    chosen = np.flatnonzero((extra | swap | missing) & aligned.explained[word] & ~last)
    chosen = chosen[np.lexsort((position[chosen], word[chosen]))]
    kind = np.where(missing, 0, np.where(swap, 2, np.where(steps == _COPY, 1, 3)))[chosen]
    ops = list(map(NoiseOp, [KINDS[k] for k in kind.tolist()], position[chosen].tolist()))
    return ops, np.searchsorted(word[chosen], np.arange(len(aligned.ends) + 1)).tolist()
