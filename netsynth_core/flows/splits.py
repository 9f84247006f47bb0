"""Splits of a flow table: the noise floor of a comparison is what two halves of the same data differ by."""

import numpy as np

from netsynth_core.errors import NotEnoughData
from netsynth_core.flows.table import FlowTable


def split_halves(flows: FlowTable, *, rng: np.random.Generator) -> tuple[FlowTable, FlowTable]:
    """Two random halves, row by row; the first is the larger one by at most a row.

    Raises
    ------
    NotEnoughData
        With fewer than two flows.
    """
    _require(flows)
    order = rng.permutation(len(flows))
    middle = (len(flows) + 1) // 2
    return flows.take(order[:middle]), flows.take(order[middle:])


def split_time_blocks(flows: FlowTable, *, blocks: int = 8, rng: np.random.Generator) -> tuple[FlowTable, FlowTable]:
    """Two halves made of whole blocks of consecutive flows, so that what depends on neighbours stays together.

    Parameters
    ----------
    blocks
        How many blocks the table is cut into, an even number >= 2; which half each goes to is drawn.

    Raises
    ------
    NotEnoughData
        With fewer flows than blocks.
    ValueError
        When `blocks` is odd or below 2.
    """
    if blocks < 2 or blocks % 2:
        raise ValueError(f"blocks is {blocks}; an even number >= 2 is needed")
    _require(flows, blocks)
    side = rng.permutation(np.repeat([False, True], blocks // 2))
    of_row = np.arange(len(flows)) * blocks // len(flows)
    chosen = side[of_row]
    return flows.take(np.flatnonzero(~chosen)), flows.take(np.flatnonzero(chosen))


def _require(flows: FlowTable, least: int = 2) -> None:
    if len(flows) < least:
        raise NotEnoughData(
            f"A split needs {least} flows; there are {len(flows)}.", hint="Use a longer capture or a larger table."
        )
