"""Learning which variables depend on which: the K2 search with the Krichevsky-Trofimov score.

Called by the pattern search for every candidate, so it counts in kernels on compact codes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.bayesnet._kernels import choose_parents, compact_columns, score_parents
from netsynth_core.models.bayesnet.scores import MAX_PARENTS, alphabet_bits, half_integer_lgamma, structure_table


@dataclass(frozen=True, eq=False)
class Structure:
    """The parents of every variable and what they cost on the data they were learnt or scored on."""

    parents: NDArray[np.int64]
    """Variables x 3, padded with -1; a parent has a smaller number than its child."""
    model_bits: float
    """Structure and alphabets, bits."""
    data_bits: float
    """KT code of the values, bits."""


class StructureLearner:
    """Chooses or scores parents; keeps the table of ln Gamma that both need.

    Parameters
    ----------
    samples, largest_domain
        The largest number of samples and of values that will come.
    """

    def __init__(self, samples: int, largest_domain: int) -> None:
        self._lgam = half_integer_lgamma(2 * samples + largest_domain + 4)

    def learn(self, codes: NDArray[np.int32], domains: NDArray[np.int64]) -> Structure:
        """Parents chosen greedily for the samples `codes` (variables x samples, codes below `domains`)."""
        data, cards = self._compact(codes, domains)
        parents = np.full((len(codes), MAX_PARENTS), -1, np.int64)
        table = structure_table(len(codes))
        bits = choose_parents(data, cards, MAX_PARENTS, table, self._lgam, parents)
        return Structure(parents, model_bits(parents, cards, domains), float(bits.sum()))

    def score(self, codes: NDArray[np.int32], domains: NDArray[np.int64], parents: NDArray[np.int64]) -> Structure:
        """Given parents on the samples `codes`."""
        data, cards = self._compact(codes, domains)
        bits = score_parents(data, cards, parents, self._lgam)
        return Structure(parents, model_bits(parents, cards, domains), float(bits.sum()))

    @staticmethod
    def _compact(codes: NDArray[np.int32], domains: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        codes = np.ascontiguousarray(codes, np.int32)
        data = np.empty_like(codes)
        cards = np.zeros(len(codes), np.int64)
        compact_columns(codes, domains, data, cards)
        return data, cards


def model_bits(parents: NDArray[np.int64], cards: NDArray[np.int64], domains: NDArray[np.int64]) -> float:
    """Bits of the structure and of the alphabets that occur."""
    table = structure_table(len(parents))
    counts = (parents >= 0).sum(axis=1)
    bits = sum(float(table[v, k]) for v, k in enumerate(counts))
    return bits + sum(alphabet_bits(int(d), int(c)) for d, c in zip(domains, cards, strict=True))
