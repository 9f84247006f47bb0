"""When the windows of patterns start, learnt over a solution: rhythms, what intensities are left with, and links."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.generation.chains import Link, learn_links
from netsynth_core.models.flowchronicle.generation.rhythms import fit_rhythms
from netsynth_core.models.flowchronicle.generation.starts import fit_starts
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.learnt import LearntPattern
from netsynth_core.models.flowchronicle.solution import Placed, Scorer


def in_time(
    learnt: LearntPattern, placed: Placed, scorer: Scorer, columns: Sequence[Column], trained_on: Mapping[str, Any]
) -> LearntPattern:
    """The pattern with the rhythms of its windows; the starts of the others are learnt without them."""
    index, first = scorer.index, placed.windows[:, 0]
    source, target = index.hosts[:2]
    port = next(c for c, column in enumerate(columns) if column.name == "dst_port")
    span = (int(trained_on["first"]), int(trained_on["last"]))
    keys = ((source,), (source, target), (source, port))
    rhythms, rest = fit_rhythms(index.ts[first], index.codes[first], keys, span, int(trained_on["resolution"]))
    if not rhythms:
        return learnt
    free = [column for flow, column in placed.pattern.free_cells(len(columns)) if flow == 0]
    candidates = [column for column in free if column in index.categories]
    starts = fit_starts(index.ts[first[rest]], index.codes[first[rest]], candidates, span)
    return replace(learnt, starts=replace(starts, rhythms=rhythms))


def links_between(
    patterns: Sequence[LearntPattern],
    windows: Sequence[NDArray[np.int64]],
    index: FlowIndex,
    machines: NDArray[np.int64],
) -> tuple[Link, ...]:
    """Which patterns follow which, the empty one last; what comes by a rhythm follows nothing.

    Parameters
    ----------
    windows
        Rows of each pattern's windows (windows x flows).
    """
    free, bound = [], []
    for learnt, rows in zip(patterns, windows, strict=True):
        beating = learnt.starts.part_of(index.codes[rows[:, :1]]) >= max(len(learnt.starts.parts), 1)
        free.append(rows[~beating])
        bound.append(rows[beating])
    both = [*free, *(rows for rows in bound if len(rows))]
    links = learn_links(both, index.codes, index.ts, (index.hosts[0], index.hosts[1]), machines)
    return tuple(link for link in links if max(link.before, link.next) < len(patterns))
