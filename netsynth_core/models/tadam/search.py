"""The search for the automaton of smallest codelength: clean, split, merge, and again, until nothing helps.

Every accepted move lowers the codelength of all words as it really is after aligning them again; gains that are only
predicted decide the order of trying. The search draws nothing and stops at its budget with the best automaton so far.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.delays import component_bits
from netsynth_core.models.tadam.alignment import Aligned, align_priced, build_graph, build_prices, entry_words, use
from netsynth_core.models.tadam.contexts import Price, Walks, best_partition, block_bits, incoming_all, walks
from netsynth_core.models.tadam.length import fit, transition_bits
from netsynth_core.models.tadam.operations import merge_locations, split_location
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.models.tadam.state import State, Task, measured, settle
from netsynth_core.models.tadam.structure import FINAL, INITIAL, Structure, Usage
from netsynth_core.monitor import Monitor

OPTIMISM = 0.01
MOST_NOISE = 0.25
"""Most operations that may be noise (the same bound as in the published learner)."""
MOST_SPELT = 0.01
"""Most words that cleaning may leave without a path."""
_WORST_LOSS = 7.0
_MOST_ATOMS = 48
_TRIES = 6


@dataclass
class Clock:
    """The budget of CPU time, and the place where cancelling is noticed."""

    monitor: Monitor
    budget: float
    started: float = field(default_factory=time.process_time)
    accepted: int = 0
    phase: str = "learning the automaton"
    bits: float = 0.0

    @property
    def spent(self) -> float:
        """CPU seconds so far."""
        return time.process_time() - self.started

    @property
    def over(self) -> bool:
        """Whether the budget is used up."""
        return self.spent > self.budget

    def tick(self) -> None:
        """Notice cancelling; reports nothing new."""
        self.monitor.step(self.phase, self.accepted, None, bits=round(self.bits, 3))

    def accept(self, state: State, move: str) -> None:
        """Report an accepted move."""
        self.accepted += 1
        self.bits = state.bits
        self.monitor.step(
            self.phase,
            self.accepted,
            None,
            bits=round(state.bits, 3),
            move=move,
            locations=state.structure.locations,
            transitions=state.structure.transitions,
            noisy_words=state.usage.noisy,
        )


def search(task: Task, structure: Structure, usage: Usage, params: TadamParams, clock: Clock) -> tuple[State, bool]:
    """Search from a structure whose words fit without noise.

    Returns
    -------
    state, finished
        The best state, and False when the budget ended the search.
    """
    state = settle(task, structure, usage, optimism=OPTIMISM, tick=clock.tick)
    clock.accept(state, "start")
    for _ in range(params.max_rounds):
        begun = state.bits
        for phase in (clean, split, merge):
            state = phase(task, state, params, clock)
            if clock.over:
                return state, False
        if state.bits > begun - 1e-6:
            return state, True
    return state, True


# --- cleaning -------------------------------------------------------------------------------------------------------


def words_by_transition(state: State) -> list[NDArray[np.int64]]:
    """The encoded words whose path takes each transition."""
    edges = state.structure.transitions
    words = entry_words(state.aligned)
    real = (state.aligned.steps >= 0) & state.aligned.explained[words]
    steps = state.aligned.steps[real]
    transition = np.where(steps >= edges, steps - edges, steps).astype(np.int64)
    pairs = np.unique(transition * (len(state.aligned.ends) + 1) + words[real])
    owner, word = np.divmod(pairs, len(state.aligned.ends) + 1)
    bounds = np.searchsorted(owner, np.arange(edges + 1))
    return [word[a:b] for a, b in pairwise(bounds)]


def removal_losses(task: Task, state: State, clock: Clock) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bits that the words of each transition cost more when it is gone, and what its description costs.

    Transitions that more than half of all words take are not asked about: infinite loss.
    """
    structure = state.structure
    fitted = fit(structure, state.usage, task.switches, optimism=OPTIMISM)
    graph = build_graph(structure)
    prices = build_prices(structure, graph, fitted, task.switches, task.table)
    weights = task.observations.weights
    users = words_by_transition(state)
    base = align_priced(task.observations, structure, graph, prices, fitted).bits
    losses = np.full(structure.transitions, np.inf)
    saved = np.zeros(structure.transitions)
    most = 0.5 * weights.sum()
    for e in range(structure.transitions):
        if weights[users[e]].sum() > most:
            continue
        clock.tick()
        repaired = align_priced(task.observations, structure, graph, prices, fitted, chosen=users[e], without=e).bits
        losses[e] = float(((repaired - base[users[e]]) * weights[users[e]]).sum())
        law = state.fitted.laws[e]
        speaking = structure.symbol[e] < structure.symbols
        saved[e] = transition_bits(structure) + (law.parameter_bits(int(state.usage.count[e])) if speaking else 0.0)
    return losses, saved


def without_transitions(structure: Structure, usage: Usage, gone: NDArray[np.int64]) -> tuple[Structure, Usage] | None:
    """Structure and usage without some transitions; None when no run would be left."""
    kept = np.ones(structure.transitions, bool)
    kept[gone] = False
    slim = structure.keep(kept)
    if slim.transitions == 0 or not (slim.symbol == slim.symbols).any():
        return None
    still = np.isin(structure.transition_ids, slim.transition_ids)
    fewer = Usage(
        usage.count[still],
        usage.delays[still],
        usage.sizes[still],
        usage.ops,
        usage.copy_delays,
        usage.added_delays,
        usage.added_sizes,
        usage.copy_sizes,
        np.zeros((0, 4), np.int64),
        usage.accepted,
        usage.rejected,
        usage.noisy,
        usage.rejected_bits,
    )
    return slim, fewer


def _prefixes(count: int) -> Iterator[int]:
    size = count
    while size > 0:
        yield size
        size = min(size - 1, round(size * 0.88))


def tolerable(tried: State, state: State) -> bool:
    """Whether noise stays the exception: at most a quarter of the operations, and hardly a word spelt out.

    Without this a few words of a rare kind would be cheapest to declare noise altogether.
    """
    ops = tried.usage.ops
    words = tried.usage.accepted + tried.usage.rejected
    spelt = max(state.usage.rejected, int(MOST_SPELT * words))
    return ops[1:].sum() <= MOST_NOISE * ops.sum() and tried.usage.rejected <= spelt


def clean(task: Task, state: State, params: TadamParams, clock: Clock) -> State:
    """Leave out transitions that noise explains for less, many at once where that helps."""
    clock.phase = "separating noise"
    while not clock.over:
        losses, saved = removal_losses(task, state, clock)
        per_use = (losses - saved) / np.maximum(state.usage.count, 1)
        order = np.argsort(per_use, kind="stable")
        order = order[(per_use[order] < _WORST_LOSS) & np.isfinite(losses[order])]
        best = state
        for size in _prefixes(len(order)):
            made = without_transitions(state.structure, state.usage, order[:size])
            if made is None:
                continue
            tried = settle(task, *made, passes=2, optimism=OPTIMISM, tick=clock.tick)
            if tried.bits < best.bits - 1e-6 and tolerable(tried, state):
                best = tried
        if best is state:
            return state
        polished = settle(task, best.structure, best.usage, passes=3, tick=clock.tick)
        state = polished if polished.bits < best.bits else best
        clock.accept(state, "clean")
    return state


# --- splitting ------------------------------------------------------------------------------------------------------


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


def _recounted(task: Task, structure: Structure, aligned: Aligned) -> State:
    usage = use(task.observations, structure, aligned, size_codes=task.size_codes, delay_codes=task.delay_codes)
    return measured(task, structure, usage, aligned)


def _carry_out(task: Task, state: State, walk: Walks, plan: SplitPlan, clock: Clock) -> State:
    made = _recounted(task, *split_location(state, walk, plan.location, plan.block_of_way))
    if plan.then >= 0:
        name = state.structure.names[plan.then]
        again = walks(task, made)
        for follow in split_plans(task, made, again, depth=1):
            if made.structure.names[follow.location] == name:
                made = _recounted(task, *split_location(made, again, follow.location, follow.block_of_way))
                break
    return settle(task, made.structure, made.usage, tick=clock.tick)


def split(task: Task, state: State, params: TadamParams, clock: Clock) -> State:
    """Split locations by left context, one or two steps ahead, as long as that helps."""
    clock.phase = "splitting locations"
    while not clock.over and state.structure.locations < params.max_locations:
        walk = walks(task, state)
        better = None
        for depth in (1, 2):
            for plan in split_plans(task, state, walk, depth=depth)[:_TRIES]:
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


# --- merging --------------------------------------------------------------------------------------------------------


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
        for _, keep, absorb in merge_candidates(task, state)[: 2 * _TRIES]:
            made = _recounted(task, *merge_locations(state, walk, keep, absorb))
            tried = settle(task, made.structure, made.usage, tick=clock.tick)
            if tried.bits < state.bits - 1e-6:
                better = tried
                break
        if better is None:
            return state
        state = better
        clock.accept(state, "merge")
    return state


Phase = Callable[[Task, State, TadamParams, Clock], State]
