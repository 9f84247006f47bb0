"""Windows of patterns and the greedy cover: no two windows share a row.

Patterns take their turn in a fixed order: more flows first, then more fixed and reused cells. Within a pattern the
tightest windows go first; a window that is blocked tries its next continuation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.pattern import Pattern

ROUNDS = 12
"""How often blocked windows look for another continuation."""


class Window(NamedTuple):
    """One place where a pattern occurs."""

    pattern: str
    """Id of the pattern."""
    rows: tuple[int, ...]
    """Rows of the flow table, one a flow of the pattern, ascending."""


@dataclass(frozen=True, eq=False)
class Cover:
    """The chosen windows of a flow table."""

    windows: dict[str, NDArray[np.int64]]
    """Rows (windows x flows) by pattern id, in order of their first row."""
    rows: int
    """Rows of the flow table."""

    @property
    def uncovered(self) -> NDArray[np.int64]:
        """Rows in no window, ascending: they fall to the empty pattern."""
        free = np.ones(self.rows, np.bool_)
        for found in self.windows.values():
            free[found] = False
        return np.flatnonzero(free)

    @property
    def rows_covered(self) -> int:
        """Rows in a window."""
        return sum(found.size for found in self.windows.values())

    def __len__(self) -> int:
        return sum(len(found) for found in self.windows.values())

    def __iter__(self) -> Iterator[Window]:
        listed = [Window(name, tuple(int(r) for r in w)) for name, found in self.windows.items() for w in found]
        return iter(sorted(listed, key=lambda w: w.rows))


def cover_key(pattern: Pattern) -> tuple[int, int, Pattern]:
    """Sort key of the order in which patterns take their windows."""
    return (-len(pattern), -pattern.covered, pattern)


def match(pattern: Pattern, index: FlowIndex, claimed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Disjoint windows of one pattern over unclaimed rows; marks their rows in `claimed`.

    Returns
    -------
    Rows, windows x flows, by ascending first row.
    """
    starts = index.rows_for(pattern, 0)
    if len(pattern) == 1:
        free = starts[~claimed[starts]]
        claimed[free] = True
        return free[:, None]
    from netsynth_core.models.flowchronicle._kernels import claim, find_windows

    lists = [np.zeros(0, np.int64), *(index.keys_for(pattern, j) for j in range(1, len(pattern)))]
    offsets = np.cumsum([0, *(len(keys) for keys in lists)])
    # Flow 0 has no keys, so that flow j's keys begin at offsets[j].
    keys = np.concatenate(lists)
    refs = np.full((len(pattern), 2, 2), -1, np.int64)
    for j in range(1, len(pattern)):
        for m, cell in enumerate(pattern.earlier(j)):
            refs[j, m] = cell.flow, cell.source
    limits = np.array([1000 << w for w in pattern.within], np.int64)
    taken = []
    for _ in range(ROUNDS):
        buffer = np.empty((len(starts), len(pattern)), np.int64)
        found = find_windows(
            starts, keys, offsets, refs, limits, index.codes, index.ts, index.host_count, claimed, buffer
        )
        windows = buffer[:found]
        if not found:
            break
        spans = index.ts[windows[:, -1]] - index.ts[windows[:, 0]]
        chosen = claim(windows, np.lexsort((windows[:, 0], spans)), claimed)
        taken.append(windows[chosen])
        if chosen.all():
            break
        starts = windows[~chosen, 0]
    if not taken:
        return np.zeros((0, len(pattern)), np.int64)
    windows = np.concatenate(taken)
    return windows[np.argsort(windows[:, 0], kind="stable")]
