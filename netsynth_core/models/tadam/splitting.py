"""Splitting: a location becomes several, told apart by how it was entered (left context, delay modes included).

What is told apart may matter one or two steps later; the prediction comes from tables of ways in against ways out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.delays import component_bits
from netsynth_core.models.tadam.contexts import Price, Walks, best_partition, block_bits, incoming_all, walks
from netsynth_core.models.tadam.length import transition_bits
from netsynth_core.models.tadam.moves import TRIES, Clock, recounted
from netsynth_core.models.tadam.operations import split_location
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.models.tadam.state import State, Task, settle
from netsynth_core.models.tadam.structure import FINAL, INITIAL

_MOST_ATOMS = 48
"""Ways into a location that are told apart, the most frequent ones."""


@dataclass(frozen=True, eq=False)
class SplitPlan:
    """One split, with what it is predicted to save."""

    location: int
    block_of_way: NDArray[np.int64]
    gain: float
    then: int = -1
    """A location to split right after, by what the first split tells apart; -1 = none."""


def price_of(task: Task, state: State) -> Price:
    """What transitions and normals cost at the size of this structure."""
    uses = float(np.median(state.usage.count)) if len(state.usage.count) else 1.0
    return Price(transition_bits(state.structure) + 2.5, component_bits(task.delay_codes) + 0.5 * np.log2(uses + 1.0))


def _table(
    rows: NDArray[np.int64], columns: NDArray[np.int64], weight: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    row_names, row = np.unique(rows, return_inverse=True)
    column_names, column = np.unique(columns, return_inverse=True)
    table = np.zeros((len(row_names), len(column_names)))
    np.add.at(table, (row, column), weight)
    return row_names, column_names, table


def _dense(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(np.unique(values, return_inverse=True)[1], np.int64)


def split_plans(task: Task, state: State, walk: Walks, *, depth: int) -> list[SplitPlan]:
    """Splits of every location by what happens `depth` steps later, the most promising first."""
    structure = state.structure
    price = price_of(task, state)
    ways = int(walk.modes.sum())
    edge_of_way = np.repeat(np.arange(structure.transitions), walk.modes)
    way = walk.way
    target = structure.target[walk.transition]
    count = len(way)
    index = np.arange(max(count - depth, 0))
    unbroken = np.ones(len(index), bool)
    for step in range(1, depth + 1):
        unbroken &= ~walk.begins[index + step]
    index = index[unbroken]
    if not len(index):
        return []
    chain = target[index]
    for step in range(1, depth):
        chain = chain * structure.locations + target[index + step]
    plans: list[SplitPlan] = []
    order = np.argsort(chain, kind="stable")
    _, bounds = np.unique(chain[order], return_index=True)
    for low, high in zip(bounds, [*bounds[1:], len(order)], strict=True):
        rows = index[order[low:high]]
        if len(rows) < 4:
            continue
        atoms, outcomes, table = _table(way[rows], way[rows + depth], walk.weight[rows])
        if len(atoms) < 2 or len(outcomes) < 2:
            continue
        if len(atoms) > _MOST_ATOMS:
            heavy = np.sort(np.argsort(-table.sum(axis=1), kind="stable")[:_MOST_ATOMS])
            atoms, table = atoms[heavy], table[heavy]
            seen = table.sum(axis=0) > 0
            outcomes, table = outcomes[seen], table[:, seen]
        atom_edge, outcome_edge = _dense(edge_of_way[atoms]), _dense(edge_of_way[outcomes])
        blocks, gain = best_partition(table, atom_edge, outcome_edge, price)
        if blocks.max() == 0:
            continue
        block_of_way = np.zeros(ways, np.int64)
        block_of_way[atoms] = blocks
        location = int(target[rows[0]])
        if location in (INITIAL, FINAL):
            continue
        then = -1
        if depth > 1:
            gain -= _splitting_cost(way, target, walk, location, block_of_way, edge_of_way, price)
            then = int(target[rows[0] + 1])
        if gain > 0:
            plans.append(SplitPlan(location, block_of_way, gain, then))
    plans.sort(key=lambda plan: -plan.gain)
    return plans


def _splitting_cost(
    way: NDArray[np.int64],
    target: NDArray[np.int64],
    walk: Walks,
    location: int,
    block_of_way: NDArray[np.int64],
    edge_of_way: NDArray[np.int64],
    price: Price,
) -> float:
    """Bits that a split costs at its own location (negative: saves)."""
    rows = np.flatnonzero((target[:-1] == location) & ~walk.begins[1:])
    atoms, outcomes, table = _table(way[rows], way[rows + 1], walk.weight[rows])
    atom_edge, outcome_edge = _dense(edge_of_way[atoms]), _dense(edge_of_way[outcomes])
    whole = block_bits(table.sum(axis=0, keepdims=True), incoming_all(atom_edge), outcome_edge, price)[0]
    blocks = block_of_way[atoms]
    apart = 0.0
    for block in np.unique(blocks):
        inside = blocks == block
        row = table[inside].sum(axis=0, keepdims=True)
        apart += float(block_bits(row, incoming_all(atom_edge[inside]), outcome_edge, price)[0])
    return apart - float(whole)


def _carry_out(task: Task, state: State, walk: Walks, plan: SplitPlan, clock: Clock) -> State:
    made = recounted(task, *split_location(state, walk, plan.location, plan.block_of_way))
    if plan.then >= 0:
        name = state.structure.names[plan.then]
        again = walks(task, made)
        for follow in split_plans(task, made, again, depth=1):
            if made.structure.names[follow.location] == name:
                made = recounted(task, *split_location(made, again, follow.location, follow.block_of_way))
                break
    # Along the known alignments a split is never cheaper than after aligning again.
    return made if made.bits < state.bits - 1e-6 else settle(task, made.structure, made.usage, tick=clock.tick)


def split(task: Task, state: State, params: TadamParams, clock: Clock) -> State:
    """Split locations by left context, one or two steps ahead, as long as that helps."""
    clock.phase = "splitting locations"
    while not clock.over() and state.structure.locations < params.max_locations:
        walk = walks(task, state)
        better = None
        for depth in (1, 2):
            for plan in split_plans(task, state, walk, depth=depth)[:TRIES]:
                tried = _carry_out(task, state, walk, plan, clock)
                if tried.bits < state.bits - 1e-6:
                    better = tried
                    break
            if better is not None:
                break
        if better is None:
            return state
        state = better
        clock.accept(state, "split")
    return state
