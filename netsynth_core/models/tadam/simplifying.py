"""Simplifying: an automaton larger than a person can review is made smaller, at the smallest price in bits.

The shortest description of varied traffic may have hundreds of transitions. Beyond a wanted number, the cheapest
transitions to explain by noise are left out and the cheapest locations merged, whichever costs fewer bits for each
transition that goes; what it cost is told to the user. Now and then the way there leads past a shorter description than
the search found: that one is kept even where no number is wanted.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from netsynth_core.models.tadam.cleaning import MOST_NOISE, removal_losses, without_transitions
from netsynth_core.models.tadam.contexts import walks
from netsynth_core.models.tadam.merging import merge_candidates
from netsynth_core.models.tadam.moves import Clock, recounted
from netsynth_core.models.tadam.operations import merge_locations
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.models.tadam.restoring import predicted_gains, repairs, with_transitions
from netsynth_core.models.tadam.state import State, Task, settle
from netsynth_core.units import format_bits, format_number

_MERGES = 12
_SHARE = 6
"""A sixth of the transitions that are too many goes at a time."""
_MOST_SPELT = 0.05
"""Most words that simplifying may leave without a path."""
GRACE: Final = 5.0
"""CPU seconds for simplifying where the search used up its budget or was stopped by hand."""
_DETOUR: Final = 0.02
"""How much longer the description may become on the way to a shorter one."""


@dataclass(frozen=True, eq=False)
class Simplified:
    """A state with fewer transitions, and why they are still more than wanted."""

    state: State
    kept: str = ""
    """In words, after "since"; empty where they are as few as wanted."""

    def told(self, shortest: State, state: State, params: TadamParams) -> list[str]:
        """What simplifying did, and why there are more transitions than wanted, in sentences.

        Parameters
        ----------
        shortest, state
            Before simplifying, and after it with all words aligned again.
        """
        sentences = []
        before, after = shortest.structure.transitions, state.structure.transitions
        longer = state.bits - shortest.bits
        if after < before:
            by = f"{format_bits(abs(longer))} ({100 * abs(longer) / max(shortest.bits, 1.0):.2g} %)"
            why = f"became {by} longer" if longer > 0 else f"became {by} shorter by it"
            sentences.append(
                f"Simplified from {before} to {after} transitions{' so that a person can review them' * (longer > 0)}: "
                f"the description {why}. Words with noise or without a path: {_noisy(state)}, before "
                f"{_noisy(shortest)}."
            )
        if longer > 0 and after < before:
            sentences[-1] += " With max_transitions=0 the shortest description is kept, however large."
        if self.kept:
            sentences.append(
                f"The automaton has {after} transitions, more than the {params.max_transitions} wanted "
                f"(max_transitions), since {self.kept}."
            )
        return sentences


def _noisy(state: State) -> str:
    """Words with noise, or without a path, of all."""
    usage = state.usage
    return f"{format_number(usage.noisy + usage.rejected)} of {format_number(usage.accepted + usage.rejected)}"


class _Grace(Clock):
    """A clock that goes on where the search was stopped; cancelling is noticed as ever."""

    @property
    def stopped(self) -> bool:
        return False


def simplifying_clock(clock: Clock) -> Clock:
    """The clock of simplifying: what the search left of its budget, but no less than `GRACE`, stopped or not."""
    left = max(GRACE, 0.0 if clock.stopped else clock.budget - clock.spent)
    grace = _Grace(clock.monitor, left, accepted=clock.accepted, bits=clock.bits)
    return grace if clock.over() else replace(clock, budget=left, started=grace.started)


def simplify(task: Task, state: State, params: TadamParams, clock: Clock) -> Simplified:
    """Bring the automaton down to the wanted number of transitions, as far as that is not too dear.

    It stops where the description would become longer than ``simplify_cost`` allows, or noise would not stay the
    exception: an automaton that is small but wrong serves nobody.
    """
    clock = simplifying_clock(clock)
    clock.phase = "simplifying"
    wanted, dearest = params.max_transitions, state.bits * (1.0 + params.simplify_cost)
    if not wanted:
        return Simplified(_shortest(task, state, clock))
    while state.structure.transitions > wanted:
        if clock.over():
            return Simplified(state, "simplifying it further would have taken more time")
        fewer = _step(task, state, wanted, dearest, clock)
        if fewer is None:
            why = (
                f"with fewer the description would be more than {100 * params.simplify_cost:g} % longer (simplify_cost)"
            )
            return Simplified(state, f"{why}, or noise would explain too much")
        state = fewer
        clock.tick()
    return Simplified(state)


def _shortest(task: Task, state: State, clock: Clock) -> State:
    """The shortest description on the way to as few transitions as are wanted by default."""
    best, wanted = state, int(TadamParams.model_fields["max_transitions"].default)
    while state.structure.transitions > wanted and not clock.over():
        fewer = _step(task, state, wanted, best.bits * (1.0 + _DETOUR), clock)
        if fewer is None:
            break
        state = fewer
        best = state if state.bits < best.bits else best
        clock.tick()
    return best


def _step(task: Task, state: State, wanted: int, dearest: float, clock: Clock) -> State | None:
    """The state with some transitions fewer, at the smallest price for each; None when that is too dear."""
    options = [_fewer_transitions(task, state, wanted, clock), *_merged(task, state)]
    ranked = sorted(
        (
            ((made.bits - state.bits) / (state.structure.transitions - made.structure.transitions), place, made)
            for place, made in enumerate(options)
            if made is not None and made.structure.transitions < state.structure.transitions
        ),
        key=lambda option: option[:2],
    )
    return next((made for _, _, made in ranked if made.bits <= dearest and _bearable(made)), None)


def _bearable(state: State) -> bool:
    ops, usage = state.usage.ops, state.usage
    noise = ops[1:].sum() <= MOST_NOISE * ops.sum()
    return bool(noise and usage.rejected <= _MOST_SPELT * (usage.accepted + usage.rejected))


def _fewer_transitions(task: Task, state: State, wanted: int, clock: Clock) -> State | None:
    """A part of what is too many is left out: more than should, then the best of it is put back.

    What a transition is worth depends on which others are left: twice as many go as should, and what the noise that
    comes of it asks for most is put back.
    """
    losses, saved = removal_losses(task, state, clock)
    order = np.argsort(losses - saved, kind="stable")
    order = order[np.isfinite(losses[order])]
    size = max(1, (state.structure.transitions - wanted) // _SHARE)
    made = without_transitions(state.structure, state.usage, order[: 2 * size]) if len(order) else None
    if made is None:
        return None
    fewer = settle(task, *made, tick=clock.tick)
    return _put_back(task, fewer, state.structure.transitions - size - fewer.structure.transitions, clock)


def _put_back(task: Task, state: State, room: int, clock: Clock) -> State:
    """The state with up to `room` transitions that spare most noise, when that is shorter."""
    found = repairs(task, state)
    gains = predicted_gains(state, found, linear=task.linear)
    order = np.argsort(-gains, kind="stable")
    order = order[gains[order] > 0][: max(room, 0)]
    if not len(order):
        return state
    more = settle(task, *with_transitions(state, found, order), tick=clock.tick)
    return more if more.bits < state.bits else state


def _merged(task: Task, state: State) -> list[State]:
    walk = walks(task, state)
    pairs = merge_candidates(task, state, least=-np.inf)[:_MERGES]
    return [recounted(task, *merge_locations(state, walk, keep, absorb)) for _, keep, absorb in pairs]
