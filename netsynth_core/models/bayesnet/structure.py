"""Learning which variables depend on which: the K2 search with Dirichlet scores.

Called by the pattern search for every candidate, so it counts in kernels on compact codes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.bayesnet.prior import Prior
from netsynth_core.models.bayesnet.scores import MAX_PARENTS, network_bits, structure_table


@dataclass(frozen=True, eq=False)
class Structure:
    """The parents of every variable and what they cost on the data they were learnt or scored on."""

    parents: NDArray[np.int64]
    """Variables x 3, padded with -1; a parent has a smaller number than its child."""
    model_bits: float
    """Parents and strengths, bits."""
    data_bits: float
    """The values, bits."""

    @property
    def total(self) -> float:
        """Both."""
        return self.model_bits + self.data_bits


class StructureLearner:
    """Chooses or scores parents of variables that are columns of a table.

    Parameters
    ----------
    prior
        Base shares of the columns.
    domains
        Number of codes of each column.
    """

    def __init__(self, prior: Prior, domains: NDArray[np.int64]) -> None:
        self._prior = prior
        self._domains = domains

    def learn(self, codes: NDArray[np.int32], columns: NDArray[np.int64]) -> Structure:
        """Parents chosen greedily for the samples `codes` (variables x samples); ``columns[v]`` is v's column."""
        from netsynth_core.models.bayesnet._kernels import choose_parents

        data, cards, names = self._compact(codes, columns)
        parents = np.full((len(codes), MAX_PARENTS), -1, np.int64)
        table = structure_table(len(codes))
        prior = self._prior
        bits = choose_parents(data, cards, names, table, prior.weights, prior.rising, prior.totals, parents)
        return Structure(parents, network_bits(parents), float(bits.sum()))

    def score(self, codes: NDArray[np.int32], columns: NDArray[np.int64], parents: NDArray[np.int64]) -> Structure:
        """Given parents on the samples `codes`."""
        from netsynth_core.models.bayesnet._kernels import score_parents

        data, cards, names = self._compact(codes, columns)
        prior = self._prior
        bits = score_parents(data, cards, names, parents, prior.weights, prior.rising, prior.totals)
        return Structure(parents, network_bits(parents), float(bits.sum()))

    def _compact(
        self, codes: NDArray[np.int32], columns: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
        from netsynth_core.models.bayesnet._kernels import compact_columns

        codes = np.ascontiguousarray(codes, np.int32)
        data = np.empty_like(codes)
        cards = np.zeros(len(codes), np.int64)
        domains = self._domains[columns]
        names = np.zeros((len(codes), int(domains.max(initial=1))), np.int64)
        compact_columns(codes, domains, self._prior.first[columns], data, cards, names)
        return data, cards, names
