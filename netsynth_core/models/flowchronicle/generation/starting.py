"""What the starts of one slice of time are drawn from: intensities, and the rhythms of those that keep one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.generation.intensity import draw_starts
from netsynth_core.models.flowchronicle.generation.rhythms import Beats

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Starts:
    """What the starts of one slice are drawn from."""

    edges: Ints
    """ns, parts + 1."""
    cumulative: Floats
    """Windows expected up to each edge, patterns' parts x (parts + 1)."""
    bounds: Floats
    """First and last place of the slice among the parts."""
    beats: dict[int, Beats]
    as_trained: bool
    """Whether these are flows for the training span."""

    def of_rhythm(self, part: int, n: int, *, rng: np.random.Generator) -> Ints:
        """`n` starts (ns) of a rhythm."""
        beat = self.beats[part]
        begin, end = (place_of(self.edges, place) for place in self.bounds)
        if self.as_trained:
            return beat.as_trained(n, begin, end, rng=rng)
        if beat.lasting:
            return beat.going_on(n, begin, end, rng=rng)
        number = max(round(n / beat.rhythm.mean_run), 1)
        begins = draw_starts(self.edges, self.cumulative[part], self.bounds, number, rng=rng)
        return beat.in_runs(begins, n, rng=rng)


def place_of(edges: Ints, part: float) -> int:
    """The instant (ns) of a place among the parts."""
    at = min(int(part), len(edges) - 2)
    return int(edges[at]) + int((part - at) * float(edges[at + 1] - edges[at]))
