"""What a score is made of, so that one search serves several: the protocol, and the default one.

The default score is that of `netsynth_core.models.flowchronicle.length`; the one of the publication is in
`netsynth_core.models.flowchronicle.length_published`.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.bayesnet.prior import Prior
from netsynth_core.models.bayesnet.shared import SharedTables
from netsynth_core.models.bayesnet.structure import SharedCells, Structure, StructureLearner
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.length import (
    gap_histogram,
    hazard_bits,
    instant_bits,
    label_bits,
    pattern_bits,
)
from netsynth_core.models.flowchronicle.params import ScoreName
from netsynth_core.models.flowchronicle.pattern import Pattern


class NetworkLearner(Protocol):
    """Learns and scores Bayesian networks over columns."""

    def learn(
        self, codes: NDArray[np.int32], columns: NDArray[np.int64], shared: SharedCells | None = None
    ) -> Structure:
        """A structure for the samples `codes` (variables x samples); ``columns[v]`` is v's column."""
        ...

    def score(
        self,
        codes: NDArray[np.int32],
        columns: NDArray[np.int64],
        parents: NDArray[np.int64],
        shared: SharedCells | None = None,
    ) -> Structure:
        """A given structure on the samples `codes`."""
        ...


class Score(Protocol):
    """The terms of a codelength on one flow table, all in bits."""

    common: float
    """What every model of the table pays."""
    fixable: tuple[int, ...]
    """Columns whose values the search may propose to fix."""
    networks: NetworkLearner
    shared: SharedTables | None
    """What variables of patterns may fall back on, and rows in no window do; None for nothing."""
    reuses_within: bool
    """Whether a cell may reuse another of its own flow."""

    def shape_bits(self, pattern: Pattern) -> float:
        """L(p) without its network."""
        ...

    def gap_bits(self, pattern: Pattern, windows: NDArray[np.int64]) -> float:
        """Where the second and later flows of the windows (windows x flows) are."""
        ...

    def start_bits(self, starts: NDArray[np.int64]) -> float:
        """Where windows begin: `starts` are the windows of each pattern and, last, the rows left."""
        ...

    def limit_gains(
        self, sums: NDArray[np.float64], starts: NDArray[np.int64], spent: NDArray[np.int64], least: int
    ) -> NDArray[np.float64]:
        """Estimated bits saved under each gap limit, -inf where it is no candidate.

        ``sums[bin]`` holds hits, bits saved and rows passed over by the bin of the delay; `starts` are the windows by
        label so far, of which each hit spends `spent`; fewer than `least` hits are none.
        """
        ...


class DefaultScore:
    """The codelength of `netsynth_core.models.flowchronicle.length`.

    Parameters
    ----------
    parents
        Those of the shared tables, columns x 3; None to learn them on all rows.
    """

    reuses_within = True

    def __init__(self, index: FlowIndex, parents: NDArray[np.int64] | None = None) -> None:
        prior = Prior.of(index.codes, index.domains)
        self._index = index
        learner = StructureLearner(prior, index.domains)
        self.networks: NetworkLearner = learner
        if parents is None:
            columns = np.arange(len(index.sizes), dtype=np.int64)
            parents = learner.learn(np.ascontiguousarray(index.codes.T), columns).parents
        self.shared: SharedTables | None = SharedTables.of(index.codes, parents, prior)
        self.common = instant_bits(index.ts) + prior.bits
        self.fixable = index.categories

    def shape_bits(self, pattern: Pattern) -> float:
        """Term 2."""
        return pattern_bits(pattern, self._index.domains, self._index.hosts)

    def gap_bits(self, pattern: Pattern, windows: NDArray[np.int64]) -> float:
        """Term 4."""
        return sum(hazard_bits(counts) for counts in gap_histogram(pattern, windows, self._index))

    def start_bits(self, starts: NDArray[np.int64]) -> float:
        """Term 3."""
        return label_bits(starts)

    def limit_gains(
        self, sums: NDArray[np.float64], starts: NDArray[np.int64], spent: NDArray[np.int64], least: int
    ) -> NDArray[np.float64]:
        """What the hits save, less their continuations and the change of the labels."""
        from netsynth_core.models.flowchronicle._kernels import limit_gains

        gains = np.empty(len(sums))
        limit_gains(sums, starts, spent, least, gains)
        return gains


def score_of(name: ScoreName, index: FlowIndex, parents: NDArray[np.int64] | None = None) -> Score:
    """A score by name, on a flow table; `parents` are those of its shared tables, if they are not to be learnt."""
    if name == "published":
        from netsynth_core.models.flowchronicle.length_published import PublishedScore

        return PublishedScore(index)
    return DefaultScore(index, parents)
