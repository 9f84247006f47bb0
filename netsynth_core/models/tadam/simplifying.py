"""Simplifying: an automaton larger than a person can review is made smaller, at the smallest price in bits.

The shortest description of varied traffic may have hundreds of transitions. Beyond a wanted number, the cheapest
transitions to explain by noise are left out and the cheapest locations merged, whichever costs fewer bits for each
transition that goes; what it cost is told to the user.
"""

import numpy as np

from netsynth_core.models.tadam.cleaning import MOST_NOISE, removal_losses, without_transitions
from netsynth_core.models.tadam.contexts import walks
from netsynth_core.models.tadam.merging import merge_candidates
from netsynth_core.models.tadam.moves import Clock, recounted
from netsynth_core.models.tadam.operations import merge_locations
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.models.tadam.restoring import predicted_gains, repairs, with_transitions
from netsynth_core.models.tadam.state import State, Task, settle

_MERGES = 12
_SHARE = 6
"""A sixth of the transitions that are too many goes at a time."""
_MOST_SPELT = 0.05
"""Most words that simplifying may leave without a path."""


def simplify(task: Task, state: State, params: TadamParams, clock: Clock) -> State:
    """Bring the automaton down to the wanted number of transitions, as far as that is not too dear.

    It stops where the description would become longer than ``simplify_cost`` allows, or noise would not stay the
    exception: an automaton that is small but wrong serves nobody.
    """
    clock.phase = "simplifying"
    wanted, dearest = params.max_transitions, state.bits * (1.0 + params.simplify_cost)
    while wanted and state.structure.transitions > wanted and not clock.over():
        options = [_fewer_transitions(task, state, wanted, clock), *_merged(task, state)]
        ranked = sorted(
            (
                ((made.bits - state.bits) / (state.structure.transitions - made.structure.transitions), place, made)
                for place, made in enumerate(options)
                if made is not None and made.structure.transitions < state.structure.transitions
            ),
            key=lambda option: option[:2],
        )
        chosen = next((made for _, _, made in ranked if made.bits <= dearest and _bearable(made)), None)
        if chosen is None:
            return state
        state = chosen
        clock.tick()
    return state


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
