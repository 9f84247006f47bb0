"""What the search may do to a structure: lead known walks through other locations (splits and merges).

Each gives a new structure together with the same words' alignments on it, so that nothing has to be aligned to recount.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.tadam.alignment import Aligned
from netsynth_core.models.tadam.contexts import Walks
from netsynth_core.models.tadam.state import State
from netsynth_core.models.tadam.structure import FINAL, INITIAL, Structure


def relabel(state: State, walk: Walks, target: NDArray[np.int64], names: tuple[str, ...]) -> tuple[Structure, Aligned]:
    """Lead each step of the walks to another location; transitions follow from the steps.

    Parameters
    ----------
    target
        New location of each entry of the walk; those of ``$`` must stay final.
    names
        Names of the new locations.
    """
    structure = state.structure
    source = np.empty_like(target)
    source[1:] = target[:-1]
    source[walk.begins] = INITIAL
    symbol = structure.symbol[walk.transition]
    size = len(names)
    keys = (source * size + target) * (structure.symbols + 1) + symbol
    kinds, first, index = np.unique(keys, return_index=True, return_inverse=True)
    edges = len(kinds)
    old = state.aligned.steps[walk.entry]
    steps = state.aligned.steps.copy()
    steps[walk.entry] = np.where(old >= structure.transitions, index + edges, index)
    used = np.zeros(size, bool)
    used[[INITIAL, FINAL]] = True
    used[target] = True
    place = np.cumsum(used) - 1
    built = Structure(
        structure.symbols,
        place[source[first]],
        place[target[first]],
        symbol[first],
        np.arange(1, edges + 1, dtype=np.int64),
        np.arange(int(used.sum()), dtype=np.int64),
        tuple(name for name, kept in zip(names, used, strict=True) if kept),
    )
    return built, replace(state.aligned, steps=steps)


def split_location(
    state: State, walk: Walks, location: int, block_of_way: NDArray[np.int64]
) -> tuple[Structure, Aligned]:
    """Split a location by how it is entered.

    Parameters
    ----------
    block_of_way
        Block of every way (transition and mode); block 0 keeps the location, others get copies.
    """
    structure = state.structure
    target = structure.target[walk.transition].copy()
    here = target == location
    block = block_of_way[walk.way[here]]
    target[here] = np.where(block == 0, location, structure.locations + block - 1)
    copies = int(block_of_way.max(initial=0))
    return relabel(state, walk, target, structure.names + (structure.names[location],) * copies)


def merge_locations(state: State, walk: Walks, keep: int, absorb: int) -> tuple[Structure, Aligned]:
    """Lead everything that enters `absorb` to `keep`; transitions with the same ends and symbol become one."""
    target = state.structure.target[walk.transition].copy()
    target[target == absorb] = keep
    return relabel(state, walk, target, state.structure.names)
