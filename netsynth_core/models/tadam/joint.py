"""Delay and payload size of a transition jointly, as P(size) P(delay | size), where that shortens the description.

After the search each transition may tell small payloads from larger ones: a law of delays up to a size and one beyond.
It is taken when both laws, the cut and the delays under them are shorter than one law and its delays. Whether it is
taken costs one bit a transition. Delays that hold that of a missing packet keep the law of all sizes.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import log2

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.delays import SizedDelays, SizeScale, fit_delay_laws
from netsynth_core.models.tadam.alignment import entry_words
from netsynth_core.models.tadam.state import State, Task

LEAST_USES = 24
"""Delays that a transition needs to be looked at."""
MOST_CUTS = 12


@dataclass(frozen=True, eq=False)
class Joint:
    """Laws by size, and what they change of the codelength."""

    laws: tuple[SizedDelays | None, ...]
    """One for each transition."""
    model: float
    """Bits added to L(M)."""
    data: float
    """Bits added to L(D|M), 0 or less."""


def joint_laws(task: Task, state: State, scale: SizeScale | None) -> Joint:
    """Which transitions tell delays by size; none where words have no sizes or the score is the published one."""
    structure = state.structure
    nothing = Joint((None,) * structure.transitions, 0.0, 0.0)
    if scale is None or task.levels is not None:
        return nothing
    speaking = structure.symbol < structure.symbols
    laws: list[SizedDelays | None] = []
    model, data = float(speaking.sum()), 0.0
    for edge, (sizes, delays, weight) in enumerate(_values(task, state)):
        law = None
        if speaking[edge] and weight.sum() >= LEAST_USES:
            alone = state.fitted.laws[edge]
            plain = (alone.parameter_bits(int(weight.sum())), float(alone.bits[delays] @ weight))
            found = _best_cut(task, scale, sizes, delays, weight)
            if found is not None and found[1] + found[2] < sum(plain) - 1e-6:
                law = found[0]
                model, data = model + found[1] - plain[0], data + found[2] - plain[1]
        laws.append(law)
    return Joint(tuple(laws), model, data)


Values = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def _values(task: Task, state: State) -> list[Values]:
    """Size codes, delay codes and weights of each transition's own values."""
    aligned, observed = state.aligned, task.observations
    words = entry_words(aligned)
    edges = state.structure.transitions
    own = (aligned.steps >= 0) & (aligned.where >= 0) & aligned.explained[words]
    edge = aligned.steps[own].astype(np.int64)
    edge = np.where(edge >= edges, edge - edges, edge)
    at = aligned.where[own]
    order = np.argsort(edge, kind="stable")
    bounds = np.searchsorted(edge[order], np.arange(edges + 1))
    sizes, delays = observed.sizes[at].astype(np.int64), observed.delays[at].astype(np.int64)
    weight = observed.weights[words[own]].astype(np.float64)
    rows = [order[low:high] for low, high in pairwise(bounds)]
    return [(sizes[row], delays[row], weight[row]) for row in rows]


def _best_cut(
    task: Task, scale: SizeScale, sizes: NDArray[np.int64], delays: NDArray[np.int64], weight: NDArray[np.float64]
) -> tuple[SizedDelays, float, float] | None:
    """The cut with the shortest description, its parameters' bits and those of the delays; None with one size alone."""
    level = scale.centres[sizes]
    cuts = np.unique(level)[:-1]
    if not len(cuts):
        return None
    if len(cuts) > MOST_CUTS:
        cuts = cuts[np.unique(np.linspace(0, len(cuts) - 1, MOST_CUTS).round().astype(np.int64))]
    best: tuple[SizedDelays, float, float] | None = None
    for cut in cuts:
        small = level <= cut
        counts = np.stack([np.bincount(delays[m], weight[m], task.delay_codes) for m in (small, ~small)]).astype(
            np.float64
        )
        (below, above), _ = fit_delay_laws(counts, linear=task.linear)
        model = log2(task.size_codes)
        model += below.parameter_bits(int(counts[0].sum())) + above.parameter_bits(int(counts[1].sum()))
        data = float((counts * np.stack([below.bits, above.bits])).sum())
        if best is None or model + data < best[1] + best[2]:
            best = (SizedDelays(float(cut), below, above), model, data)
    return best
