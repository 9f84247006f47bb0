"""A pattern as the model holds it: with its name, its network, its times and what it is worth.

Built from a solution of the search or of an edit; independent of the training rows from then on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.bayesnet.network import Network
from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.generation.delays import DelayLaw, fit_delays
from netsynth_core.models.flowchronicle.generation.starts import StartLaw, fit_starts
from netsynth_core.models.flowchronicle.generation.values import NumberLaw, tail_shape
from netsynth_core.models.flowchronicle.pattern import Pattern
from netsynth_core.models.flowchronicle.solution import EMPTY_PATTERN, Placed, Scorer, Solution

EMPTY_ID = "empty"


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
    starts: StartLaw
    delays: tuple[DelayLaw, ...]
    """For each gap, its delays, ns."""
    numbers: tuple[NumberLaw, ...]
    """How the codes of its number cells become values: one a flow and number column, flow by flow."""
    parents: NDArray[np.int64]
    """Parents of each free cell, padded with -1; kept also when there is no window to count."""
    weight: float = 1.0
    """How often it is generated, as a multiple of how often it occurs."""


def learn_pattern(
    placed: Placed,
    scorer: Scorer,
    *,
    id_: str,
    name: str,
    saved_bits: float,
    span: tuple[int, int],
    columns: tuple[Column, ...],
    shapes: tuple[float, ...],
) -> LearntPattern:
    """The pattern of a solution with its network counted, its times and its values fitted.

    Parameters
    ----------
    span
        First and last start of training, ns.
    shapes
        Tail shapes of the number columns (`tail_shapes`).
    """
    index, windows = scorer.index, placed.windows
    codes = scorer.window_codes(placed.pattern, windows)
    network = Network.fit(codes, placed.structure.parents) if len(windows) else Network(())
    return LearntPattern(
        id=id_,
        name=name,
        pattern=placed.pattern,
        network=network,
        usage=len(windows),
        model_bits=placed.model_bits,
        data_bits=placed.data_bits,
        saved_bits=saved_bits,
        starts=fit_starts(index.ts[windows[:, 0]], index.codes[windows[:, 0]], _start_cells(placed, scorer), span),
        delays=_delay_laws(placed, scorer),
        numbers=tuple(
            NumberLaw.fit(
                index.codes[rows, len(columns) - len(shapes) + number],
                index.numbers[rows, number],
                columns[len(columns) - len(shapes) + number],
                shape,
            )
            for rows in windows.T
            for number, shape in enumerate(shapes)
        ),
        parents=placed.structure.parents,
    )


def tail_shapes(columns: tuple[Column, ...], numbers: NDArray[np.int64]) -> tuple[float, ...]:
    """The tail shape of each number column, which are the last columns."""
    width = numbers.shape[1]
    return tuple(tail_shape(columns[len(columns) - width + c], numbers[:, c]) for c in range(width))


def _start_cells(placed: Placed, scorer: Scorer) -> list[int]:
    """Columns of the first flow that starts may depend on: free ones that are no numbers."""
    free = placed.pattern.free_cells(len(scorer.index.sizes))
    return [column for flow, column in free if flow == 0 and column in scorer.index.categories]


def _delay_laws(placed: Placed, scorer: Scorer) -> tuple[DelayLaw, ...]:
    """The delays of each gap; they may depend on free cells that are no numbers, of the flows up to the next one."""
    index, windows = scorer.index, placed.windows
    gaps = np.diff(index.ts[windows], axis=1)
    codes = index.codes[windows]
    free = placed.pattern.free_cells(len(index.sizes))
    laws = []
    for gap in range(len(placed.pattern) - 1):
        candidates = [cell for cell in free if cell[0] <= gap + 1 and cell[1] in index.categories]
        laws.append(fit_delays(gaps[:, gap], codes, candidates))
    return tuple(laws)


def empty_placed(solution: Solution) -> Placed:
    """The rows left as windows of the pattern without cells."""
    return Placed(EMPTY_PATTERN, solution.left[:, None], solution.empty, 0.0, 0.0)
