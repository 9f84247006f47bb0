"""Restoring: noise that keeps coming back at one place is no noise, but a transition that is missing.

The opposite of cleaning: every kind of repair at a location (a copy or an addition there, a run of missing packets
before a symbol) is counted as if it were a transition of its own, and those that would pay are put in, many at once
where that helps.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.delays import fit_delay_laws
from netsynth_core.models.tadam.alignment import entry_words
from netsynth_core.models.tadam.length import transition_bits
from netsynth_core.models.tadam.moves import Clock, prefixes
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.models.tadam.state import State, Task, settle
from netsynth_core.models.tadam.structure import FINAL, INITIAL, Structure, Usage

_LEAST_USES = 3
_MOST_TRIED = 60


@dataclass(frozen=True, eq=False)
class Repairs:
    """Transitions that would have spared noise operations; one row each."""

    source: NDArray[np.int64]
    symbol: NDArray[np.int64]
    target: NDArray[np.int64]
    count: NDArray[np.int64]
    saved: NDArray[np.float64]
    """Bits of the operations that each would spare."""
    delays: NDArray[np.float64]
    sizes: NDArray[np.float64]


def repairs(task: Task, state: State) -> Repairs:
    """All transitions that would have spared noise operations, `$` included."""
    structure, aligned, observed = state.structure, state.aligned, task.observations
    edges = structure.transitions
    words = entry_words(aligned)
    live = aligned.explained[words]
    steps, where = aligned.steps[live].astype(np.int64), aligned.where[live].astype(np.int64)
    words = words[live]
    real = steps >= 0
    transition = np.where(real, np.where(steps >= edges, steps - edges, steps), 0)
    begins = np.ones(len(steps), bool)
    begins[1:] = words[1:] != words[:-1]
    # The location before each entry: the target of the last transition before it in the same word.
    order = np.arange(len(steps))
    last = np.maximum.accumulate(np.where(real, order, -1))
    before = np.concatenate([[-1], last[:-1]]) if len(steps) else last
    start = np.maximum.accumulate(np.where(begins, order, 0))
    place = np.where(before >= start, structure.target[transition[before]], INITIAL)
    missing = real & (where == -1) & (structure.symbol[transition] < structure.symbols)
    extra = ~real
    # A match after missing packets: the run began where the first of them began.
    gap_start = np.maximum.accumulate(np.where(~missing, order, -1)) if len(steps) else order
    first = np.concatenate([[-1], gap_start[:-1]]) + 1 if len(steps) else order
    closing = real & ~missing & ~begins & np.concatenate([[False], missing[:-1]])
    at = np.where(where < -1, -2 - where, where)
    rows = np.flatnonzero(extra | closing)
    origin = np.where(extra[rows], place[rows], place[np.maximum(first[rows], 0)])
    goal = np.where(extra[rows], place[rows], structure.target[transition[rows]])
    read = np.where(extra[rows], observed.symbols[np.maximum(at[rows], 0)], structure.symbol[transition[rows]])
    saved = _operation_bits(task, state, steps, missing, at)
    total = np.concatenate([[0.0], np.cumsum(saved)])
    spared = total[rows + 1] - np.where(extra[rows], total[rows], total[np.maximum(first[rows], 0)])
    return _gathered(task, state, rows, origin, read, goal, spared, at, words)


def _operation_bits(
    task: Task, state: State, steps: NDArray[np.int64], missing: NDArray[np.bool_], at: NDArray[np.int64]
) -> NDArray[np.float64]:
    fitted, observed = state.fitted, task.observations
    copies, additions = steps == -2, steps == -3
    bits = np.where(missing, fitted.op_bits[1] + fitted.step_bits[np.where(missing, steps, 0)], 0.0)
    delays = observed.delays[np.maximum(at, 0)]
    bits += np.where(copies, fitted.op_bits[2] + fitted.copy_delay_bits[delays], 0.0)
    named = np.log2(state.structure.symbols + 1)
    bits += np.where(additions, fitted.op_bits[4] + fitted.added_delay_bits[delays] + named, 0.0)
    return np.asarray(bits, np.float64)


def _gathered(
    task: Task,
    state: State,
    rows: NDArray[np.int64],
    origin: NDArray[np.int64],
    read: NDArray[np.int64],
    goal: NDArray[np.int64],
    spared: NDArray[np.float64],
    at: NDArray[np.int64],
    words: NDArray[np.int64],
) -> Repairs:
    structure, observed = state.structure, task.observations
    size = structure.locations
    keys = (origin * (structure.symbols + 1) + read) * size + goal
    there = (structure.source * (structure.symbols + 1) + structure.symbol) * size + structure.target
    new = ~np.isin(keys, there) & (read >= 0) & ((read == structure.symbols) == (goal == FINAL)) & (origin != FINAL)
    rows, spared = rows[new], spared[new]
    kinds, first, index = np.unique(keys[new], return_index=True, return_inverse=True)
    weight = observed.weights[words[rows]]
    delays = np.zeros((len(kinds), task.delay_codes))
    sizes = np.zeros((len(kinds), task.size_codes))
    spoken = at[rows] >= 0
    seen = at[rows][spoken]
    np.add.at(delays, (index[spoken], observed.delays[seen]), weight[spoken])
    np.add.at(sizes, (index[spoken], observed.sizes[seen]), weight[spoken])
    count = np.zeros(len(kinds), np.int64)
    np.add.at(count, index, weight)
    saved = np.zeros(len(kinds))
    np.add.at(saved, index, spared * weight)
    return Repairs(origin[new][first], read[new][first], goal[new][first], count, saved, delays, sizes)


def predicted_gains(state: State, found: Repairs, *, linear: bool = False) -> NDArray[np.float64]:
    """Bits that each transition would save: operations spared, less its steps, delays and description."""
    visits = np.zeros(state.structure.locations)
    np.add.at(visits, state.structure.source, state.usage.count)
    share = found.count / (visits[found.source] + 1.0)
    steps = found.count * -np.log2(np.minimum(share, 0.99))
    laws, tables = fit_delay_laws(found.delays, linear=linear)
    delays = -(found.delays * np.log2(tables)).sum(axis=1)
    described = np.array([law.parameter_bits(int(n)) for law, n in zip(laws, found.count, strict=True)])
    return np.asarray(found.saved - steps - delays - described - transition_bits(state.structure), np.float64)


def with_transitions(state: State, found: Repairs, chosen: NDArray[np.int64]) -> tuple[Structure, Usage]:
    """Structure and usage with some of the transitions put in."""
    structure, usage = state.structure, state.usage
    fresh = int(structure.transition_ids.max(initial=0)) + 1 + np.arange(len(chosen))
    larger = replace(
        structure,
        source=np.concatenate([structure.source, found.source[chosen]]),
        target=np.concatenate([structure.target, found.target[chosen]]),
        symbol=np.concatenate([structure.symbol, found.symbol[chosen]]),
        transition_ids=np.concatenate([structure.transition_ids, fresh]),
    )
    return larger, replace(
        usage,
        count=np.concatenate([usage.count, found.count[chosen]]),
        delays=np.concatenate([usage.delays, found.delays[chosen]]),
        sizes=np.concatenate([usage.sizes, found.sizes[chosen]]),
        sums=np.zeros((0, 4), np.int64),
    )


def restore(task: Task, state: State, params: TadamParams, clock: Clock) -> State:
    """Put in transitions for noise that keeps coming back, as long as that helps."""
    clock.phase = "putting back what is no noise"
    while not clock.over() and len(task.observations.symbols):
        found = repairs(task, state)
        gains = predicted_gains(state, found, linear=task.linear)
        order = np.argsort(-gains, kind="stable")
        order = order[(gains[order] > 0) & (found.count[order] >= _LEAST_USES)][:_MOST_TRIED]
        best = state
        for size in prefixes(len(order), 0.6):
            if clock.over():
                break
            tried = settle(task, *with_transitions(state, found, order[:size]), tick=clock.tick)
            if tried.bits < best.bits - 1e-6:
                best = tried
        if best is state:
            return state
        state = best
        clock.accept(state, "restore")
    return state
