"""A point of the search: a structure with what the words use of it, and its codelength; and how one is settled.

Settling is Viterbi expectation-maximisation: price, align all words, recount, refit; never worse than it began.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.tadam.alignment import Aligned, align, sum_law_bits, use
from netsynth_core.models.tadam.data import Observations
from netsynth_core.models.tadam.length import Fitted, Length, NoiseSwitches, fit, measure
from netsynth_core.models.tadam.structure import Structure, Usage


@dataclass(frozen=True, eq=False)
class Task:
    """What does not change during a search."""

    observations: Observations
    switches: NoiseSwitches
    table: NDArray[np.int32]
    """Code of the sum of two delays."""
    delay_codes: int
    size_codes: int
    linear: bool = False
    """Whether delay codes count time itself."""
    levels: NDArray[np.float64] | None = None
    """Level of each size code under the published score; None = the default score."""

    def fit(self, structure: Structure, usage: Usage, *, optimism: float = 0.0) -> Fitted:
        """Laws and prices of a usage, by the score of this task."""
        if self.levels is None:
            return fit(structure, usage, self.switches, optimism=optimism, linear=self.linear)
        from netsynth_core.models.tadam.length_published import fit_published

        return fit_published(structure, usage, self.switches, self.levels, optimism=optimism)


@dataclass(frozen=True, eq=False)
class State:
    """A structure, settled."""

    structure: Structure
    usage: Usage
    fitted: Fitted
    aligned: Aligned
    length: Length

    @property
    def bits(self) -> float:
        """L(M) + L(D|M)."""
        return self.length.total


def measured(task: Task, structure: Structure, usage: Usage, aligned: Aligned) -> State:
    """The state of known alignments: laws refitted, codelength taken."""
    fitted = task.fit(structure, usage)
    if task.levels is not None:
        from netsynth_core.models.tadam.length_published import measure_published

        walked = (aligned.steps, aligned.where, aligned.ends, aligned.explained)
        length = measure_published(task.observations, structure, usage, fitted, task.levels, *walked)
        return State(structure, usage, fitted, aligned, length)
    sums = usage.sums
    pairs, index = np.unique(sums[:, :2], axis=0, return_inverse=True) if len(sums) else (sums[:, :2], sums[:, 0])
    rows = sum_law_bits(
        np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]), fitted.delay_probabilities, task.table
    )
    sum_bits = rows[index, sums[:, 2]] if len(sums) else np.zeros(0)
    return State(structure, usage, fitted, aligned, measure(structure, usage, fitted, task.switches, sum_bits))


def aligned_state(task: Task, structure: Structure, fitted: Fitted) -> State:
    """Align all words at the prices of `fitted`, recount, refit; transitions that nothing uses are dropped."""
    aligned = align(task.observations, structure, fitted, task.switches, table=task.table)
    usage = use(task.observations, structure, aligned, size_codes=task.size_codes, delay_codes=task.delay_codes)
    kept = usage.count > 0
    if kept.all() or not kept.any():
        return measured(task, structure, usage, aligned)
    slim, usage, aligned = drop_unused(structure, usage, aligned, kept)
    return measured(task, slim, usage, aligned)


def drop_unused(
    structure: Structure, usage: Usage, aligned: Aligned, kept: NDArray[np.bool_]
) -> tuple[Structure, Usage, Aligned]:
    """Leave out transitions of count 0 and renumber what refers to them."""
    place = np.cumsum(kept) - 1
    edges = structure.transitions
    steps = aligned.steps.copy()
    plain = (steps >= 0) & (steps < edges)
    swapped = steps >= edges
    steps[plain] = place[steps[plain]]
    steps[swapped] = place[steps[swapped] - edges] + int(kept.sum())
    sums = usage.sums.copy()
    if len(sums):
        sums[:, 0], sums[:, 1] = place[sums[:, 0]], place[sums[:, 1]]
    slim = structure.keep(kept)
    narrow = replace(usage, count=usage.count[kept], delays=usage.delays[kept], sizes=usage.sizes[kept], sums=sums)
    return slim, narrow, replace(aligned, steps=steps)


def settle(
    task: Task,
    structure: Structure,
    usage: Usage,
    *,
    passes: int = 2,
    optimism: float = 0.0,
    tick: Callable[[], None] = lambda: None,
) -> State:
    """Align and refit up to `passes` times, as long as the codelength falls; the best state is returned."""
    state = aligned_state(task, structure, task.fit(structure, usage, optimism=optimism))
    for _ in range(passes - 1):
        tick()
        again = aligned_state(task, state.structure, task.fit(state.structure, state.usage))
        if again.bits >= state.bits - 1e-6:
            break
        state = again
    return state
