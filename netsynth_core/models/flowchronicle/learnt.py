"""A pattern as the model holds it: with its name, its network, its times and what it is worth.

Built from a solution of the search or of an edit; independent of the training rows from then on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.bayesnet.network import Network
from netsynth_core.models.flowchronicle.pattern import PartialFlow, Pattern
from netsynth_core.models.flowchronicle.solution import Placed, Scorer, Solution, without
from netsynth_core.models.flowchronicle.times import StartRate, delay_knots

EMPTY_ID = "empty"
EMPTY_PATTERN = Pattern((PartialFlow(),))


@dataclass(frozen=True, eq=False)
class LearntPattern:
    """A pattern with all that sampling and showing it needs."""

    id: str
    """Stable id: p1, p2, ...; ``empty`` for the empty pattern."""
    name: str
    """What the analyst calls it; empty = unnamed."""
    pattern: Pattern
    network: Network
    """Over the free cells, in the order of `Pattern.free_cells`."""
    usage: int
    """Windows on the training flows; for the empty pattern, rows left."""
    model_bits: float
    """L(p)."""
    data_bits: float
    """Continuations and values of its windows."""
    saved_bits: float
    """How much longer the whole becomes when the pattern is taken out and its rows fall to the others; 0 for the empty
    pattern and for one that is dropped."""
    starts: StartRate
    delays: tuple[NDArray[np.int64], ...]
    """For each gap, quantiles of its delays, ns."""
    parents: NDArray[np.int64]
    """Parents of each free cell, padded with -1; kept also when there is no window to count."""


def learn_pattern(
    placed: Placed, scorer: Scorer, *, id_: str, name: str, saved_bits: float, span: tuple[int, int]
) -> LearntPattern:
    """The pattern of a solution with its network counted and its times fitted."""
    ts = scorer.index.ts
    windows = placed.windows
    codes = scorer.window_codes(placed.pattern, windows)
    network = Network.fit(codes, placed.structure.parents) if len(windows) else Network(())
    starts = ts[windows]
    gaps = np.diff(starts, axis=1) if len(windows) else np.zeros((0, len(placed.pattern) - 1), np.int64)
    return LearntPattern(
        id=id_,
        name=name,
        pattern=placed.pattern,
        network=network,
        usage=len(windows),
        model_bits=placed.model_bits,
        data_bits=placed.data_bits,
        saved_bits=saved_bits,
        starts=StartRate.fit(starts[:, 0], *span),
        delays=tuple(delay_knots(gaps[:, g]) for g in range(len(placed.pattern) - 1)),
        parents=placed.structure.parents,
    )


def empty_placed(solution: Solution) -> Placed:
    """The rows left as windows of the pattern without cells."""
    return Placed(EMPTY_PATTERN, solution.left[:, None], solution.empty, 0.0, 0.0)


def saved_by(placed: Placed, solution: Solution, scorer: Scorer) -> float:
    """Bits the pattern saves: L without it, the cover made anew, minus L with it."""
    rest = without(solution.patterns, placed.pattern)
    return scorer.solve(rest, base=solution, keep_unused=True).total - solution.total
