"""Networks as the published FlowChronicle learns and charges them: hill climbing by BIC, values by the KT code.

It stands beside `netsynth_core.models.bayesnet.structure`, with the same words, so that a search may take either.
"""

from math import lgamma, log2

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.bayesnet.scores import MAX_PARENTS
from netsynth_core.models.bayesnet.structure import SharedCells, Structure
from netsynth_core.models.codelength import LN2, log2_binomial

LEAST_NATS = 1e-4
"""What a change of the structure must bring."""


class ClimbingLearner:
    """Chooses or scores parents of variables.

    Parameters
    ----------
    domains
        Number of codes of each column.
    """

    def __init__(self, domains: NDArray[np.int64]) -> None:
        self._domains = domains

    def learn(
        self, codes: NDArray[np.int32], columns: NDArray[np.int64], shared: SharedCells | None = None
    ) -> Structure:
        """Parents for the samples `codes` (variables x samples) by hill climbing; ``columns[v]`` is v's column."""
        from netsynth_core.models.bayesnet._kernels import climb, kt_bits

        data, cards = self._compact(codes, columns)
        parents = np.full((len(codes), MAX_PARENTS), -1, np.int64)
        if codes.shape[1]:
            climb(data, cards, parents, LEAST_NATS)
        bits = float(kt_bits(data, cards, parents).sum())
        return Structure(parents, published_network_bits(parents), bits, np.zeros(len(parents), np.bool_))

    def score(
        self,
        codes: NDArray[np.int32],
        columns: NDArray[np.int64],
        parents: NDArray[np.int64],
        shared: SharedCells | None = None,
    ) -> Structure:
        """Given parents on the samples `codes`."""
        from netsynth_core.models.bayesnet._kernels import kt_bits

        data, cards = self._compact(codes, columns)
        bits = float(kt_bits(data, cards, parents).sum())
        return Structure(parents, published_network_bits(parents), bits, np.zeros(len(parents), np.bool_))

    def _compact(
        self, codes: NDArray[np.int32], columns: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        from netsynth_core.models.bayesnet._kernels import compact_columns

        codes = np.ascontiguousarray(codes, np.int32)
        data = np.empty_like(codes)
        cards = np.zeros(len(codes), np.int64)
        domains = self._domains[columns]
        names = np.zeros((len(codes), int(domains.max(initial=1))), np.int64)
        compact_columns(codes, domains, np.zeros(len(codes), np.int64), data, cards, names)
        return data, cards


def published_network_bits(parents: NDArray[np.int64]) -> float:
    """Bits of a structure as published: log2 3 + log2 C(m - 1, k) for each of m variables with k parents.

    Kept as it is there: 0 to 3 parents are four numbers, for which log2 3 is too little, and a variable may have fewer
    than m - 1 others that close no cycle, for which it is too much.
    """
    m = len(parents)
    return sum(log2(3) + log2_binomial(m - 1, min(int(k), m - 1)) for k in (parents >= 0).sum(axis=1))


def kt_twin(child: NDArray[np.integer], parents: NDArray[np.integer]) -> float:
    """Readable twin of the kernel: bits of `child` given `parents` (samples x parents)."""
    values = len(set(child.tolist()))
    groups: dict[tuple[int, ...], list[int]] = {}
    for value, config in zip(child.tolist(), parents.tolist(), strict=True):
        groups.setdefault(tuple(config), []).append(value)
    nats = 0.0
    for group in groups.values():
        nats += lgamma(len(group) + values / 2) - lgamma(values / 2)
        nats -= sum(lgamma(group.count(value) + 0.5) - lgamma(0.5) for value in set(group))
    return nats / LN2
