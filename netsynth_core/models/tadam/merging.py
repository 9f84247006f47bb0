"""Merging: locations that behave alike become one."""

import numpy as np

from netsynth_core.models.tadam.contexts import block_bits, walks
from netsynth_core.models.tadam.moves import TRIES, Clock, recounted
from netsynth_core.models.tadam.operations import merge_locations
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.models.tadam.splitting import price_of
from netsynth_core.models.tadam.state import State, Task, settle


def merge_candidates(task: Task, state: State) -> list[tuple[float, int, int]]:
    """Pairs of locations by predicted gain: the prequential code of what leaves them, together against apart."""
    structure, usage = state.structure, state.usage
    price = price_of(task, state)
    speaking = structure.locations
    outcome = structure.symbol * structure.locations + structure.target
    names, column = np.unique(outcome, return_inverse=True)
    table = np.zeros((speaking, len(names)))
    np.add.at(table, (structure.source, column), usage.count)
    into = structure.symbol * structure.locations + structure.source
    in_names, in_column = np.unique(into, return_inverse=True)
    incoming = np.zeros((speaking, len(in_names)), bool)
    incoming[structure.target, in_column] = True
    edge_of = np.arange(len(names))
    own = block_bits(table, incoming, edge_of, price)
    found = []
    for i in range(2, speaking):
        rest = np.arange(i + 1, speaking)
        if len(rest):
            both = block_bits(table[i] + table[rest], incoming[i] | incoming[rest], edge_of, price)
            gains = own[i] + own[rest] - both
            found += [(float(g), i, int(j)) for g, j in zip(gains, rest, strict=True) if g > 0]
    found.sort(key=lambda item: (-item[0], item[1], item[2]))
    return found


def merge(task: Task, state: State, params: TadamParams, clock: Clock) -> State:
    """Merge locations that behave alike, as long as that helps."""
    clock.phase = "merging locations"
    while not clock.over:
        walk = walks(task, state)
        better = None
        for _, keep, absorb in merge_candidates(task, state)[: 2 * TRIES]:
            made = recounted(task, *merge_locations(state, walk, keep, absorb))
            tried = settle(task, made.structure, made.usage, tick=clock.tick)
            if tried.bits < state.bits - 1e-6:
                better = tried
                break
        if better is None:
            return state
        state = better
        clock.accept(state, "merge")
    return state
