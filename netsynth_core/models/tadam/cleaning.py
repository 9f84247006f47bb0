"""Cleaning: transitions that noise explains for less are left out, many at once where that helps.

Each rare transition is priced against the best repair of the words that use it; then the cheapest are removed together,
in several numbers, because single removals do not pay while noise is still thought to be rare.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.tadam.alignment import align_priced, build_graph, build_prices, entry_words
from netsynth_core.models.tadam.length import transition_bits
from netsynth_core.models.tadam.moves import OPTIMISM, Clock, prefixes
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.models.tadam.state import State, Task, settle
from netsynth_core.models.tadam.structure import Structure, Usage

MOST_NOISE = 0.25
"""Most operations that may be noise (the same bound as in the published learner)."""
MOST_SPELT = 0.01
"""Most words that cleaning may leave without a path."""
FINE_RATIO, COARSE_RATIO = 0.88, 0.5
"""How much smaller each next number of transitions is that is tried; coarse where words are many, begun from a part."""
LARGE = 200_000
_WORST_LOSS = 7.0
"""Bits a use that leaving out a transition may seem to cost, to be tried at all."""


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
    fitted = task.fit(structure, state.usage, optimism=OPTIMISM)
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
    while not clock.over():
        losses, saved = removal_losses(task, state, clock)
        per_use = (losses - saved) / np.maximum(state.usage.count, 1)
        order = np.argsort(per_use, kind="stable")
        order = order[(per_use[order] < _WORST_LOSS) & np.isfinite(losses[order])]
        best = state
        ratio = FINE_RATIO if len(task.observations.symbols) <= LARGE else COARSE_RATIO
        for size in prefixes(len(order), ratio):
            if clock.over():
                break
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
