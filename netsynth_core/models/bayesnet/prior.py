"""Base shares of every column, sent once before all else: what the networks fall back on where they have few counts.

Every model of the same table has the same prior and pays the same for it, so a rare pattern need not pay again for the
values a column may take.
"""

from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from netsynth_core.models.bayesnet.scores import STRENGTHS, TABLED
from netsynth_core.models.codelength import log2_binomial


@dataclass(frozen=True, eq=False)
class Prior:
    """Base shares of the values of all columns, and the tables that the kernels count with."""

    first: NDArray[np.int64]
    """Where each column's values begin in the tables."""
    shares: NDArray[np.float64]
    """Base share of every value of every column."""
    weights: NDArray[np.float64]
    """Strengths x values: strength times share; 1 where the share is 0, which is never asked for."""
    rising: NDArray[np.float64]
    """Strengths x values x counts: ln Gamma(count + weight) - ln Gamma(weight) for small counts."""
    totals: NDArray[np.float64]
    """Strengths x samples: ln Gamma(n + strength) - ln Gamma(strength)."""
    bits: float
    """What sending the shares costs."""

    @classmethod
    def of(cls, codes: NDArray[np.int32], domains: NDArray[np.int64]) -> "Prior":
        """The shares of the values in `codes` (samples x columns)."""
        n = len(codes)
        counts = [np.bincount(codes[:, c], minlength=int(d)) for c, d in enumerate(domains)]
        first = np.concatenate(([0], np.cumsum(domains)[:-1])).astype(np.int64)
        shares = np.concatenate(counts) / max(n, 1)
        strengths = np.array(STRENGTHS)
        weights = strengths[:, None] * shares
        weights[weights == 0] = 1.0
        start = gammaln(weights)[:, :, None]
        return cls(
            first=first,
            shares=shares,
            weights=weights,
            rising=gammaln(weights[:, :, None] + np.arange(TABLED + 1)) - start,
            totals=gammaln(np.arange(n + 1) + strengths[:, None]) - gammaln(strengths)[:, None],
            bits=sum(share_bits(c) for c in counts),
        )


def share_bits(counts: NDArray[np.integer]) -> float:
    """Bits to send how often each value of a column occurs, the number of samples n known.

    log2 V for the number r of values that occur (of V), log2 C(V, r) for which, log2 C(n - 1, r - 1) for n as a sum of
    r positive counts.
    """
    n, size, used = int(counts.sum()), len(counts), int((counts > 0).sum())
    if n == 0 or size == 0:
        return 0.0
    return log2(size) + log2_binomial(size, used) + log2_binomial(n - 1, used - 1)
