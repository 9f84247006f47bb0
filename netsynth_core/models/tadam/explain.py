"""Alignments as a person and a file see them: transition ids, kinds of noise, positions in the observed word."""

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import InvalidEdit, SchemaError
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.tadam.alignment import Aligned, align, sum_table, use
from netsynth_core.models.tadam.data import Observations, encode_words
from netsynth_core.models.tadam.learner import stored_prices
from netsynth_core.models.tadam.length import NoiseSwitches
from netsynth_core.models.tadam.noise import Alignment, NoiseModel, NoiseOp
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
    steps, where = aligned.steps.tolist(), aligned.where.tolist()
    ends, offsets = aligned.ends.tolist(), observations.offsets.tolist()
    bits, explained = aligned.bits.tolist(), aligned.explained.tolist()
    noisy = _has_noise(aligned, edges)
    names = (*ids, *ids)
    found = []
    begin = 0
    for word, end in enumerate(ends):
        if not explained[word]:
            found.append(Alignment(word, bits[word], (), (), False))
        elif not noisy[word]:
            found.append(Alignment(word, bits[word], tuple([ids[e] for e in steps[begin:end]]), (), True))
        else:
            path = tuple([names[e] for e in steps[begin:end] if e >= 0])
            ops = _operations(steps[begin:end], where[begin:end], edges, offsets[word], offsets[word + 1])
            found.append(Alignment(word, bits[word], path, ops, True))
        begin = end
    return found


def _has_noise(aligned: Aligned, edges: int) -> list[bool]:
    special = (aligned.steps < 0) | (aligned.steps >= edges) | (aligned.where < 0)
    counts = np.concatenate([[0], np.cumsum(special)])
    starts = np.concatenate([[0], aligned.ends[:-1]]).astype(np.int64)
    # The last entry of a word is the transition of the end marker: it has no position and is no noise.
    noisy: list[bool] = (counts[aligned.ends] - counts[starts] > 1).tolist()
    return noisy


def _operations(steps: list[int], where: list[int], edges: int, low: int, high: int) -> tuple[NoiseOp, ...]:
    ops = []
    reached = 0
    for entry, (code, at) in enumerate(zip(steps, where, strict=True)):
        if entry == len(steps) - 1:
            break
        position = (-2 - at if at < -1 else at) - low
        if at == -1:
            ops.append(NoiseOp("deletion", reached))
        elif code < 0:
            ops.append(NoiseOp("re-emission" if code == _COPY else "addition", position))
            reached = position + 1
        elif code >= edges:
            ops.append(NoiseOp("transposition", position))
            reached = position + 2
        elif entry + 1 < len(steps) and steps[entry + 1] >= edges:
            # The first transition of a swap reads the later symbol; the pair is reported with the second.
            continue
        else:
            reached = position + 1
    return tuple(sorted(ops, key=lambda op: op.position))
