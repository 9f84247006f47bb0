"""From timed words to a settled automaton, and from a stored model back to the prices it aligns with.

Nothing here draws at random: the same words and parameters give the same model, byte for byte.
"""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import NotEnoughData, SchemaError
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.editing import default_names
from netsynth_core.models.codelength import Codelength, dirichlet_multinomial
from netsynth_core.models.delays import DelayLaw, DelayScale, Normal, SizeScale
from netsynth_core.models.tadam.alignment import explicit_bits, sum_table
from netsynth_core.models.tadam.cleaning import MOST_SPELT
from netsynth_core.models.tadam.data import Observations, deduplicate, encode_words
from netsynth_core.models.tadam.joint import Joint, joint_laws
from netsynth_core.models.tadam.length import Fitted, NoiseSwitches, size_bits_of_counts
from netsynth_core.models.tadam.length_published import RIDGE, published_prices, size_levels, spelt_bits
from netsynth_core.models.tadam.moves import Clock
from netsynth_core.models.tadam.noise import NoiseModel
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.models.tadam.search import resettled, search
from netsynth_core.models.tadam.simplifying import simplify
from netsynth_core.models.tadam.state import State, Task, settle
from netsynth_core.models.tadam.structure import (
    INITIAL,
    Structure,
    from_automaton,
    markov_chain,
    size_laws,
    to_automaton,
)
from netsynth_core.monitor import Monitor
from netsynth_core.units import count, format_number

MOST_SYMBOLS = 512
"""The search starts with a location for each symbol and looks at paths between all of them: cubic in this."""
KEPT_SYMBOLS = 128
"""Of larger alphabets so many symbols are learnt, the most frequent ones; others are noise (additions)."""
LEAST_COVERED = 0.8
"""Share of all symbols that those learnt must make up."""
FIRST_SYMBOLS = (10_000, 80_000)
"""Parts of so many symbols are searched before all words: in few words, noise that recurs does not pay for itself."""
LEAST_WORDS = 300
"""Different words that such a part needs."""
SCALE_SYMBOLS = 10_000
"""Where delays may be on several scales, words of so many symbols tell which one is taken for all."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """What the learner found."""

    automaton: TimedAutomaton
    noise: NoiseModel
    codelength: Codelength
    observations: Observations
    warnings: tuple[str, ...]


def learn(data: Words, params: TadamParams, monitor: Monitor) -> Learnt:
    """Learn an automaton.

    Raises
    ------
    NotEnoughData
        When there is no word.
    SchemaError
        When the words have more than `MOST_SYMBOLS` different symbols and the frequent ones are too few of all.
    """
    if len(data) == 0:
        raise NotEnoughData(
            "There is no word to learn an automaton from; at least one is needed.",
            hint="Choose a service with conversations, or widen the filter.",
        )
    alphabet, rare = learnt_alphabet(data)
    clock = Clock(monitor, params.budget)
    scales = DelayScale.candidates(data.unit, int(data.delays.max(initial=0)))
    if len(scales) > 1 and len(data.symbols) > SCALE_SYMBOLS:
        scales = (_likelier(scales, data, alphabet, params, clock),)
    found: list[Learnt] = []
    for place, scale in enumerate(scales):
        if not found or not clock.over():
            found.append(_learn_on(scale, data, alphabet, params, clock.share(place, len(scales))))
    best = min(found, key=lambda learnt: learnt.codelength.total)
    if rare:
        best = replace(best, warnings=(*best.warnings, rare))
    if params.score == "published":
        warning = "Bits of the published score do not compare with those of the default score, nor of other learners."
        best = replace(best, warnings=(*best.warnings, warning))
    if best.codelength.total > best.codelength.empty:
        warning = "The model is longer than the words sent without one: they are too few, or follow no protocol."
        best = replace(best, warnings=(*best.warnings, warning))
    return best


def learnt_alphabet(data: Words) -> tuple[tuple[str, ...], str]:
    """The symbols that are learnt, sorted, and a warning when they are not all.

    Raises
    ------
    SchemaError
        When there are more than `MOST_SYMBOLS` and the `KEPT_SYMBOLS` most frequent ones cover too little.
    """
    counts = np.bincount(data.symbols, minlength=len(data.alphabet))
    seen = np.flatnonzero(counts)
    if len(seen) <= MOST_SYMBOLS:
        return tuple(sorted(data.alphabet[i] for i in seen)), ""
    kept = seen[np.lexsort((seen, -counts[seen]))][:KEPT_SYMBOLS]
    kept = kept[counts[kept] > 1]
    covered = counts[kept].sum() / counts.sum()
    if covered < LEAST_COVERED:
        often = (
            f"the {count(len(kept), 'symbol')} seen most often make up {100 * covered:.0f} % of all"
            if len(kept)
            else "each was seen only once"
        )
        raise SchemaError(
            f"The words have {len(seen)} different symbols, and {often}; an automaton needs at most {MOST_SYMBOLS}, or "
            f"{KEPT_SYMBOLS} that make up {100 * LEAST_COVERED:.0f} %.",
            hint="Symbols are classes of packets or event templates: leave out what is different each time.",
        )
    warning = (
        f"Of {count(len(seen), 'symbol')} the {len(kept)} most frequent are learnt; the others "
        f"({100 * (1.0 - covered):.2g} % of all) count as additions, and none of them is drawn."
    )
    return tuple(sorted(data.alphabet[i] for i in kept)), warning


def _likelier(
    scales: tuple[DelayScale, ...], data: Words, alphabet: tuple[str, ...], params: TadamParams, clock: Clock
) -> DelayScale:
    """The scale on which evenly spread words of `SCALE_SYMBOLS` symbols have the shortest description."""
    part = data.take(spread_rows(len(data), len(data.symbols), SCALE_SYMBOLS))
    bits = [
        _learn_on(scale, part, alphabet, params, clock.share(place, 4 * len(scales))).codelength.total
        for place, scale in enumerate(scales)
    ]
    return scales[int(np.argmin(bits))]


def _learn_on(scale: DelayScale, data: Words, alphabet: tuple[str, ...], params: TadamParams, clock: Clock) -> Learnt:
    """Learn an automaton with delays on one scale."""
    size_scale = None if data.sizes is None else SizeScale.of(data.sizes)
    observations = deduplicate(encode_words(data, alphabet, scale, size_scale))
    everything = make_task(observations, params, scale, size_scale)
    searched = search_part(observations, params.search_symbols)
    task = everything if searched is observations else replace(everything, observations=searched)
    state, finished = _searched(task, alphabet, params, clock)
    shortest = state
    simple = simplify(task, state, params, clock)
    state = resettled(task, simple.state, clock)
    said = simple.told(shortest, state, params)
    if task is not everything:
        state = settle(everything, state.structure, state.usage, tick=clock.tick)
    state = replace(state, structure=canonical(state.structure))
    warnings = []
    if clock.stopped:
        warnings.append("The search was stopped by hand: this is the best automaton it had found.")
    elif not finished:
        warnings.append(f"The search stopped at its budget of {params.budget:g} s; more time may shorten the model.")
    warnings += said
    if task is not everything:
        warnings.append(
            f"The search looked at {format_number(searched.words)} of {count(observations.words, 'word')}; "
            "all were counted."
        )
    joint = joint_laws(everything, state, size_scale)
    automaton = automaton_of(state, joint, alphabet=alphabet, scale=scale, size_scale=size_scale)
    automaton = replace(automaton, locations=default_names(automaton))
    return Learnt(
        automaton, noise_of(state, size_scale), codelength_of(everything, state, joint), observations, tuple(warnings)
    )


def _searched(task: Task, alphabet: tuple[str, ...], params: TadamParams, clock: Clock) -> tuple[State, bool]:
    """Search growing parts of the words, each from what the one before showed, then all of them."""
    words = task.observations
    parts = [first_part(words, size) for size in FIRST_SYMBOLS if 2 * size <= len(words.symbols)]
    parts = [part for part in parts if len(part) >= LEAST_WORDS]
    first = parts[0] if parts else words
    structure, usage = markov_chain(first, alphabet, delay_codes=task.delay_codes, size_codes=task.size_codes)
    for part in parts:
        begun, _ = search(replace(task, observations=part), structure, usage, params, clock)
        structure, usage = begun.structure, begun.usage
    state, finished = search(task, structure, usage, params, clock)
    if not parts or state.usage.rejected <= MOST_SPELT * words.weights.sum() or clock.over():
        return state, finished
    # The parts lacked what many words hold: begin from all of them as well.
    structure, usage = markov_chain(words, alphabet, delay_codes=task.delay_codes, size_codes=task.size_codes)
    other, finished = search(task, structure, usage, params, clock)
    return (other if other.bits < state.bits else state), finished


def make_task(observations: Observations, params: TadamParams, scale: DelayScale, size_scale: SizeScale | None) -> Task:
    """What stays fixed while a model of these words is searched or edited."""
    return Task(
        observations,
        NoiseSwitches.of(params),
        sum_table(scale),
        scale.codes,
        1 if size_scale is None else size_scale.codes,
        scale.linear,
        size_levels(size_scale) if params.score == "published" else None,
    )


def search_part(observations: Observations, symbols: int) -> Observations:
    """Evenly spread words of about so many symbols; the same object when there are no more."""
    total = len(observations.symbols)
    if total <= symbols:
        return observations
    return observations.take(spread_rows(len(observations), total, symbols))


def first_part(observations: Observations, symbols: int) -> Observations:
    """Evenly spread words of about so many symbols, and the first words with each symbol that is not among them."""
    rows = spread_rows(len(observations), len(observations.symbols), symbols)
    words = np.repeat(np.arange(len(observations)), np.diff(observations.offsets))
    names, first = np.unique(observations.symbols, return_index=True)
    there = np.unique(observations.symbols[np.isin(words, rows)])
    return observations.take(np.union1d(rows, words[first[~np.isin(names, there)]]).astype(np.int64))


def spread_rows(words: int, symbols: int, wanted: int) -> NDArray[np.int64]:
    """Evenly spread rows of `words` words with together about `wanted` of their `symbols` symbols; at least one."""
    rows = min(words, max(1, int(words * wanted / max(symbols, 1))))
    return np.unique(np.linspace(0, words - 1, rows).round().astype(np.int64))


def canonical(structure: Structure) -> Structure:
    """Ids in the order of a breadth-first walk, the most natural reading: q0 the start, q1 the end, then q2, ..."""
    order = np.lexsort((structure.target, structure.symbol, structure.source))
    leaving: dict[int, list[int]] = {}
    for e in order:
        leaving.setdefault(int(structure.source[e]), []).append(int(e))
    location_ids = np.full(structure.locations, -1, np.int64)
    location_ids[:2] = (0, 1)
    transition_ids = np.zeros(structure.transitions, np.int64)
    todo = deque([INITIAL])
    next_location, next_transition = 2, 1
    while todo:
        for at in leaving.get(todo.popleft(), ()):
            transition_ids[at] = next_transition
            next_transition += 1
            target = int(structure.target[at])
            if location_ids[target] < 0:
                location_ids[target] = next_location
                next_location += 1
                todo.append(target)
    return replace(structure, location_ids=location_ids, transition_ids=transition_ids)


def automaton_of(
    state: State, joint: Joint, *, alphabet: tuple[str, ...], scale: DelayScale, size_scale: SizeScale | None
) -> TimedAutomaton:
    """The automaton of a state, locations and transitions by their ids."""
    made = to_automaton(
        state.structure, state.usage, state.fitted.laws, alphabet=alphabet, scale=scale, size_scale=size_scale
    )
    laws = zip(made.transitions, joint.laws, strict=True)
    made = replace(made, transitions=tuple(replace(t, by_size=law) for t, law in laws))
    return replace(
        made,
        locations=tuple(sorted(made.locations, key=lambda q: int(q.id[1:]))),
        transitions=tuple(sorted(made.transitions, key=lambda t: int(t.id[1:]))),
    )


def noise_of(state: State, size_scale: SizeScale | None) -> NoiseModel:
    """The noise model of a state."""
    usage = state.usage
    matches, missing, copies, swaps, additions = (int(n) for n in usage.ops)
    return NoiseModel(
        matches=matches,
        missing=missing,
        duplicates=copies,
        swaps=swaps,
        additions=additions,
        duplicate_delay=state.fitted.copy_delay,
        addition_delay=state.fitted.added_delay,
        accepted=usage.accepted,
        rejected=usage.rejected,
        noisy=usage.noisy,
        copies_alike=int(usage.copy_sizes[0]),
        copies_unlike=int(usage.copy_sizes[1]),
        addition_size=None if size_scale is None else size_laws(usage.added_sizes[None])[0],
    )


def codelength_of(task: Task, state: State, joint: Joint) -> Codelength:
    """Bits of a state; the empty model spells every word out."""
    weights = task.observations.weights
    if task.levels is not None:
        empty = float((spelt_bits(task.observations, state.structure, state.fitted) * weights).sum())
        return Codelength(model=state.length.model, data=state.length.data, empty=empty)
    spelt = explicit_bits(task.observations, state.structure, task.delay_codes, task.size_codes)
    empty = float((spelt * weights).sum()) + dirichlet_multinomial(np.array([0, int(weights.sum())]), 2)
    return Codelength(model=state.length.model + joint.model, data=state.length.data + joint.data, empty=empty)


def stored_prices(automaton: TimedAutomaton, noise: NoiseModel, params: TadamParams) -> tuple[Structure, Fitted]:
    """The structure and prices of a model as stored; equal to those it was learnt with."""
    switches = NoiseSwitches.of(params)
    structure = from_automaton(automaton)
    codes = automaton.scale.codes
    size_codes = 1 if automaton.size_scale is None else automaton.size_scale.codes
    flat = np.full(codes, 1.0 / codes)
    probabilities = np.stack([flat if t.delay is None else t.delay.probabilities for t in automaton.transitions])
    sizes = np.zeros((structure.transitions, size_codes))
    for row, transition in enumerate(automaton.transitions):
        for code, seen in () if transition.size is None else transition.size.counts:
            sizes[row, code] = seen
    added = np.zeros((1, size_codes))
    for code, seen in () if noise.addition_size is None else noise.addition_size.counts:
        added[0, code] = seen
    counts = np.array([t.count for t in automaton.transitions], np.int64)
    if params.score == "published":
        laws = [
            DelayLaw((Normal(1.0, 0.0, RIDGE**0.5),), codes) if t.delay is None else t.delay
            for t in automaton.transitions
        ]
        status = (noise.accepted, noise.rejected)
        ops = np.array(noise.counts)
        return structure, published_prices(
            structure, laws, sizes, counts, ops, status, switches, size_levels(automaton.size_scale)
        )
    total = np.zeros(structure.locations)
    np.add.at(total, structure.source, counts + 0.5)
    uniform = noise.duplicate_delay
    delay_bits, delay_row = _rows_by_size(automaton, -np.log2(np.maximum(probabilities, 1e-30)))
    fitted = Fitted(
        laws=[uniform if t.delay is None else t.delay for t in automaton.transitions],
        delay_probabilities=probabilities,
        delay_bits=delay_bits,
        delay_row=delay_row,
        size_bits=size_bits_of_counts(sizes),
        step_bits=-np.log2((counts + 0.5) / total[structure.source]),
        op_bits=_shares(np.array(noise.counts), switches.mask),
        copy_delay=noise.duplicate_delay,
        added_delay=noise.addition_delay,
        copy_delay_bits=noise.duplicate_delay.bits,
        added_delay_bits=noise.addition_delay.bits,
        added_size_bits=size_bits_of_counts(added)[0],
        copy_size_bits=_shares(np.array([noise.copies_alike, noise.copies_unlike]), np.ones(2, bool)),
        status_bits=_shares(np.array([noise.accepted, noise.rejected]), np.ones(2, bool)),
    )
    return structure, fitted


def _rows_by_size(
    automaton: TimedAutomaton, bits: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """Rows of delay prices with those of sizes after them, and the row of each transition and size code."""
    scale = automaton.size_scale
    if scale is None or all(t.by_size is None for t in automaton.transitions):
        return bits, None
    row = np.repeat(np.arange(len(bits))[:, None], scale.codes, axis=1)
    extra: list[NDArray[np.float64]] = []
    for edge, transition in enumerate(automaton.transitions):
        if transition.by_size is not None:
            place = len(bits) + len(extra)
            row[edge] = np.where(transition.by_size.is_small(scale), place, place + 1)
            extra += [transition.by_size.small.bits, transition.by_size.large.bits]
    return np.concatenate([bits, np.stack(extra)]), row


def _shares(counts: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    seen = counts + 0.5
    bits: NDArray[np.float64] = -np.log2(seen / seen[mask].sum())
    return bits
