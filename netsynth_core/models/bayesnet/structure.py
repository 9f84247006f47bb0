"""Learning which variables depend on which: the K2 search with Dirichlet scores.

Called by the pattern search for every candidate, so it counts in kernels on compact codes.
"""

from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.bayesnet.prior import Prior
from netsynth_core.models.bayesnet.scores import MAX_PARENTS, STRENGTHS, structure_table

STRENGTH_BITS = log2(len(STRENGTHS))


@dataclass(frozen=True, eq=False)
class SharedCells:
    """What the shared tables say about the variables of a pattern, on its windows."""

    bits: NDArray[np.float64]
    """About what each variable costs there."""
    parents: NDArray[np.int64]
    """Its parents among the variables of the pattern: variables x 3, padded with -1."""


@dataclass(frozen=True, eq=False)
class Structure:
    """The parents of every variable and what they cost on the data they were learnt or scored on."""

    parents: NDArray[np.int64]
    """Variables x 3, padded with -1; a parent has a smaller number than its child."""
    model_bits: float
    """Parents and strengths, bits."""
    data_bits: float
    """The values, bits; of variables that are sent by the shared tables, about what they cost there."""
    falls_back: NDArray[np.bool_]
    """Which variables are sent by the shared tables."""
    shared_bits: float = 0.0
    """What of `data_bits` is sent by the shared tables."""

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

    def learn(
        self, codes: NDArray[np.int32], columns: NDArray[np.int64], shared: SharedCells | None = None
    ) -> Structure:
        """Parents chosen greedily for the samples `codes` (variables x samples); ``columns[v]`` is v's column.

        A variable that the shared network describes in fewer bits has the parents it has there.
        """
        from netsynth_core.models.bayesnet._kernels import choose_parents

        data, cards, names = self._compact(codes, columns)
        parents = np.full((len(codes), MAX_PARENTS), -1, np.int64)
        table = structure_table(len(codes))
        prior = self._prior
        known = np.full(len(codes), np.inf) if shared is None else shared.bits
        least = np.where(known <= table[:, 0] + STRENGTH_BITS, 0.0, known)
        bits = choose_parents(data, cards, names, table, prior.weights, prior.rising, prior.totals, least, parents)
        if shared is not None:
            own = bits + _own_bits(parents)
            parents = np.where((shared.bits <= own)[:, None], shared.parents, parents)
        return self._scored(data, cards, names, parents, shared)

    def score(
        self,
        codes: NDArray[np.int32],
        columns: NDArray[np.int64],
        parents: NDArray[np.int64],
        shared: SharedCells | None = None,
    ) -> Structure:
        """Given parents on the samples `codes`; each variable as the shared network has it where that is shorter."""
        return self._scored(*self._compact(codes, columns), parents, shared)

    def _scored(
        self,
        data: NDArray[np.int32],
        cards: NDArray[np.int64],
        names: NDArray[np.int64],
        parents: NDArray[np.int64],
        shared: SharedCells | None,
    ) -> Structure:
        from netsynth_core.models.bayesnet._kernels import score_parents

        prior = self._prior
        bits = score_parents(data, cards, names, parents, prior.weights, prior.rising, prior.totals)
        own = _own_bits(parents)
        if shared is None:
            return Structure(parents, float(own.sum()), float(bits.sum()), np.zeros(len(own), np.bool_))
        falls_back = shared.bits <= bits + own
        model = len(own) + float(own[~falls_back].sum())
        elsewhere = float(shared.bits[falls_back].sum())
        return Structure(parents, model, float(bits[~falls_back].sum()) + elsewhere, falls_back, elsewhere)

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


def _own_bits(parents: NDArray[np.int64]) -> NDArray[np.float64]:
    """Bits of the parents and the strength of every variable with tables of its own."""
    table = structure_table(len(parents))
    count = (parents >= 0).sum(axis=1)
    return np.asarray(table[np.arange(len(parents)), count] + STRENGTH_BITS, np.float64)
