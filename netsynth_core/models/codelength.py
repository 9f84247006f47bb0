"""Codelengths in bits: the pieces every MDL score here is built from.

All logarithms are base 2. Each code below is a proper one: its Kraft sum is at most one.
"""

from dataclasses import dataclass
from math import lgamma, log, log2

import numpy as np
from numpy.typing import NDArray

# Normaliser of the universal code: 1 / sum over n >= 1 of 2^-log*(n) (Rissanen 1983, eq. for log2 c).
LOG2_UNIVERSAL = log2(2.865064)
LN2 = log(2.0)


@dataclass(frozen=True)
class Codelength:
    """Bits of a model and of the data given it."""

    model: float
    """L(M)"""
    data: float
    """L(D|M)"""
    empty: float
    """L(M) + L(D|M) of the empty model on the same data; what a gain is measured against."""

    @property
    def total(self) -> float:
        """L(M) + L(D|M)."""
        return self.model + self.data

    def to_json(self) -> dict[str, float]:
        """The keys that commands print: model, data, total, empty."""
        return {"model": self.model, "data": self.data, "total": self.total, "empty": self.empty}


def universal_integer(n: int) -> float:
    """Rissanen's universal code length of an integer n >= 1, bits: log2 c0 + log2 n + log2 log2 n + ...

    Only positive terms are added (Rissanen 1983, *A universal prior for integers*).

    >>> round(universal_integer(1), 3), round(universal_integer(16), 3)
    (1.519, 9.519)

    Raises
    ------
    ValueError
        When n < 1.
    """
    if n < 1:
        raise ValueError(f"the universal code is for integers >= 1, not {n}")
    bits = LOG2_UNIVERSAL
    term = log2(n)
    while term > 0:
        bits += term
        term = log2(term)
    return bits


def universal_integers(values: NDArray[np.integer]) -> NDArray[np.float64]:
    """`universal_integer` of each value >= 1, bits."""
    if len(values) and int(np.min(values)) < 1:
        raise ValueError("the universal code is for integers >= 1")
    bits = np.full(np.shape(values), LOG2_UNIVERSAL)
    term = np.log2(np.asarray(values, np.float64))
    while True:
        positive = term > 0
        if not positive.any():
            return bits
        bits[positive] += term[positive]
        term = np.where(positive, np.log2(np.where(positive, term, 1.0)), 0.0)


def log2_binomial(n: int, k: int) -> float:
    """log2 of n choose k, bits; 0 when k is 0 or n."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} cannot be chosen")
    return (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)) / LN2


def dirichlet_multinomial(counts: NDArray[np.integer], categories: int, *, alpha: float = 0.5) -> float:
    """Prequential (Krichevsky-Trofimov for alpha = 1/2) codelength of a sequence with these counts, bits.

    Parameters
    ----------
    counts
        Occurrences of the categories seen; zeros may be left out.
    categories
        Size of the alphabet, at least the number of counts.
    alpha
        Pseudo-count of each category, > 0.
    """
    if categories < 1:
        return 0.0
    seen = np.asarray(counts, np.float64)
    total = float(seen.sum())
    start = alpha * categories
    # here, since this module is imported before the first page is drawn and scipy takes a third of a second
    from scipy.special import gammaln

    bits = gammaln(total + start) - gammaln(start) - float(np.sum(gammaln(seen + alpha) - gammaln(alpha)))
    return float(bits) / LN2
