"""Whether the flows of a pattern follow each other more often than by chance.

A busy host does anything some time after anything, and the codelength may gain by telling one by the other. An analyst
wants to know that they belong together: so each flow must follow those before it clearly more often than it would if
these were moved in time, round the span of the table, by a few fixed shares of it.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.cover import match
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.pattern import Pattern

SHIFTS = (0.137, 0.293, 0.419, 0.587, 0.731, 0.863)
"""Shares of the span."""
LEAST_RATIO = 1.25
LEAST_DEVIATIONS = 4.0


def by_chance(pattern: Pattern, index: FlowIndex) -> bool:
    """Whether some flow of the pattern follows those before it about as often after a shift in time."""
    for flow in range(1, len(pattern)):
        before = Pattern(pattern.flows[:flow], pattern.within[: flow - 1])
        windows = match(before, index, np.zeros(len(index), np.bool_))
        last = index.ts[windows[:, -1]]
        first, span = int(index.ts[0]), int(index.ts[-1] - index.ts[0]) + 1
        found = _followed(pattern, flow, windows, last, index)
        shifted = [first + (last - first + int(share * span)) % span for share in SHIFTS]
        usual = float(np.mean([_followed(pattern, flow, windows, at, index) for at in shifted]))
        if found < LEAST_RATIO * usual or found - usual < LEAST_DEVIATIONS * sqrt(usual + 1.0):
            return True
    return False


def _followed(pattern: Pattern, flow: int, windows: NDArray[np.int64], at: NDArray[np.int64], index: FlowIndex) -> int:
    """How many windows have the next flow of the pattern within its limit after the instants `at`."""
    keys = index.keys_for(pattern, flow)
    if not len(keys):
        return 0
    group = np.zeros(len(windows), np.int64)
    for cell in pattern.earlier(flow):
        group = group * index.host_count + index.codes[windows[:, cell.flow], cell.source]
    place = np.searchsorted(keys, group * len(index) + np.searchsorted(index.ts, at, side="right"))
    key = keys[np.minimum(place, len(keys) - 1)]
    same = (place < len(keys)) & (key // len(index) == group)
    return int(np.count_nonzero(same & (index.ts[key % len(index)] - at < 1000 << pattern.within[flow - 1])))
