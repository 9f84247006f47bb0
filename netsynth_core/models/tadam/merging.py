"""Merging: locations that behave alike become one."""

import numpy as np

from netsynth_core.models.tadam.contexts import block_bits, walks
from netsynth_core.models.tadam.moves import TRIES, Clock, recounted
from netsynth_core.models.tadam.operations import merge_locations
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.models.tadam.splitting import price_of
from netsynth_core.models.tadam.state import State, Task, settle

_MOST_RECOUNTED = 40
_NEAR = 40.0
"""Bits by which a merge may miss before its words are aligned again."""


def merge_candidates(task: Task, state: State, *, least: float = 0.0) -> list[tuple[float, int, int]]:
    """Pairs of locations by predicted gain: the prequential code of what leaves them, together against apart.

    Parameters
    ----------
    least
        Pairs with a smaller predicted gain are left out.
    """
    structure, usage = state.structure, state.usage
    price = price_of(task, state)
    outcome = structure.symbol * structure.locations + structure.target
    names, column = np.unique(outcome, return_inverse=True)
    table = np.zeros((structure.locations, len(names)))
    np.add.at(table, (structure.source, column), usage.count)
    into = structure.symbol * structure.locations + structure.source
    in_names, in_column = np.unique(into, return_inverse=True)
    incoming = np.zeros((structure.locations, len(in_names)), bool)
    incoming[structure.target, in_column] = True
    edge_of = np.arange(len(names))
    own = block_bits(table, incoming, edge_of, price)
    found = []
    for i in range(2, structure.locations):
        rest = np.arange(i + 1, structure.locations)
        if len(rest):
            both = block_bits(table[i] + table[rest], incoming[i] | incoming[rest], edge_of, price)
            gains = own[i] + own[rest] - both
            found += [(float(g), i, int(j)) for g, j in zip(gains, rest, strict=True) if g > least]
    found.sort(key=lambda item: (-item[0], item[1], item[2]))
    return found


def merge(task: Task, state: State, params: TadamParams, clock: Clock) -> State:
    """Merge locations that behave alike, as long as that helps.

    A merge is first recounted along the known alignments, which is never below what aligning again would give; only
    near misses are aligned.
    """
    clock.phase = "merging locations"
    while not clock.over():
        clock.tick()
        walk = walks(task, state)
        better = None
        near = []
        for _, keep, absorb in merge_candidates(task, state)[:_MOST_RECOUNTED]:
            made = recounted(task, *merge_locations(state, walk, keep, absorb))
            if made.bits < state.bits - 1e-6:
                better = made
                break
            if made.bits < state.bits + _NEAR:
                near.append(made)
        near.sort(key=lambda made: made.bits)
        for made in near[:TRIES] if better is None else ():
            tried = settle(task, made.structure, made.usage, tick=clock.tick)
            if tried.bits < state.bits - 1e-6:
                better = tried
                break
        if better is None:
            return state
        state = better
        clock.accept(state, "merge")
    return state
