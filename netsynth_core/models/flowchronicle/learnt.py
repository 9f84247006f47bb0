"""A pattern as the model holds it: with its name, its network, its times and what it is worth.

Built from a solution of the search or of an edit; independent of the training rows from then on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.bayesnet.network import Network
from netsynth_core.models.flowchronicle.columns import draw_numbers, quantile_knots
from netsynth_core.models.flowchronicle.pattern import PartialFlow, Pattern
from netsynth_core.models.flowchronicle.solution import Placed, Scorer, Solution, without
from netsynth_core.models.flowchronicle.times import StartRate, delay_knots

EMPTY_ID = "empty"
NUMBER_KNOTS = 9
"""Points of the quantile function of each code of a number cell."""
EMPTY_PATTERN = Pattern((PartialFlow(),))


@dataclass(frozen=True, eq=False)
class NumberLaw:
    """The values behind the codes of one number cell of a pattern, as quantile functions of its own windows."""

    codes: NDArray[np.int32]
    """Codes that occurred, ascending."""
    knots: NDArray[np.int64]
    """Codes x `NUMBER_KNOTS`, each row ascending."""

    @classmethod
    def fit(cls, codes: NDArray[np.int32], values: NDArray[np.int64]) -> "NumberLaw":
        """The quantiles of the values of each code."""
        found, group = np.unique(codes, return_inverse=True)
        knots = [quantile_knots(values[group == g], NUMBER_KNOTS) for g in range(len(found))]
        return cls(found, np.stack(knots) if knots else np.zeros((0, NUMBER_KNOTS), np.int64))

    def draw(self, codes: NDArray[np.int32], step: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
        """Values of codes that occurred."""
        return draw_numbers(np.searchsorted(self.codes, codes), self.knots, step, rng=rng)


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
    numbers: tuple[NumberLaw, ...]
    """How the codes of its number cells become values: one a flow and number column, flow by flow."""
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
        numbers=_number_laws(placed, scorer),
        parents=placed.structure.parents,
    )


def _number_laws(placed: Placed, scorer: Scorer) -> tuple[NumberLaw, ...]:
    index = scorer.index
    first = len(index.sizes) - index.numbers.shape[1]
    return tuple(
        NumberLaw.fit(index.codes[rows, first + number], index.numbers[rows, number])
        for rows in placed.windows.T
        for number in range(index.numbers.shape[1])
    )


def empty_placed(solution: Solution) -> Placed:
    """The rows left as windows of the pattern without cells."""
    return Placed(EMPTY_PATTERN, solution.left[:, None], solution.empty, 0.0, 0.0)


def saved_by(placed: Placed, solution: Solution, scorer: Scorer) -> float:
    """Bits the pattern saves: L without it, the cover made anew, minus L with it."""
    rest = without(solution.patterns, placed.pattern)
    return scorer.solve(rest, base=solution, keep_unused=True).total - solution.total
