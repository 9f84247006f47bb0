"""The Bayesian network of a pattern to be read: its cells, what each depends on, and the table of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsynth_core.models.bayesnet.network import BACK_OFF
from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.learnt import LearntPattern


@dataclass(frozen=True)
class TableRow:
    """Probabilities of a cell's values for one configuration of the cells it depends on."""

    given: tuple[str, ...]
    """Value of each parent, in words."""
    count: int
    """Windows with this configuration."""
    probabilities: tuple[float, ...]
    """Of `NodeTable.values`; what they lack to one falls to the other values."""


@dataclass(frozen=True)
class NodeTable:
    """The conditional probabilities of one free cell."""

    cell: str
    """``2.dst_ip``: flow from 1, column."""
    parents: tuple[str, ...]
    """Cells it depends on."""
    values: tuple[str, ...]
    """Its most frequent values, in words."""
    rows: tuple[TableRow, ...]
    """The most frequent configurations."""
    all_values: int
    all_rows: int


def cell_names(learnt: LearntPattern, columns: Sequence[Column]) -> list[str]:
    """The free cells, in the order of the network; empty where there is no window to count."""
    if not learnt.network.variables:
        return []
    return [f"{flow + 1}.{columns[c].name}" for flow, c in learnt.pattern.free_cells(len(columns))]


def node_table(
    learnt: LearntPattern, columns: Sequence[Column], node: int, *, most_rows: int = 40, most_values: int = 10
) -> NodeTable:
    """The table of one free cell.

    Parameters
    ----------
    node
        Its place in `cell_names`.
    most_rows, most_values
        How many configurations and values are shown, the most frequent first.
    """
    names = cell_names(learnt, columns)
    cells = learnt.pattern.free_cells(len(columns))
    variables = learnt.network.variables
    variable = variables[node]
    share = variable.share()
    shown = np.argsort(-share, kind="stable")[:most_values]
    column = columns[cells[node][1]]
    counts = np.add.reduceat(variable.counts, variable.offsets[:-1])
    rows = []
    for at in np.argsort(-counts, kind="stable")[:most_rows]:
        given, rest = [], int(variable.configs[at])
        for parent in reversed(variable.parents):
            alphabet = variables[parent].alphabet
            rest, value = divmod(rest, len(alphabet))
            given.append(columns[cells[parent][1]].text(int(alphabet[value])))
        own = np.zeros(len(share))
        entries = slice(int(variable.offsets[at]), int(variable.offsets[at + 1]))
        own[variable.values[entries]] = variable.counts[entries]
        probability = (own + BACK_OFF * share) / (counts[at] + BACK_OFF)
        rows.append(TableRow(tuple(reversed(given)), int(counts[at]), tuple(float(p) for p in probability[shown])))
    return NodeTable(
        cell=names[node],
        parents=tuple(names[p] for p in variable.parents),
        values=tuple(column.text(int(variable.alphabet[v])) for v in shown),
        rows=tuple(rows),
        all_values=len(share),
        all_rows=len(counts),
    )
