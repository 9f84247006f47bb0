"""What a Bayesian network costs in bits: structure, alphabets and the Krichevsky-Trofimov code of its variables.

Variables have an order; a variable's parents come before it, so that no network has a cycle and none needs to be
searched for one (Cooper and Herskovits 1992, *A Bayesian method for the induction of probabilistic networks*, K2).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from netsynth_core.models.codelength import dirichlet_multinomial, log2_binomial

MAX_PARENTS = 3


def structure_bits(earlier: int, count: int, *, max_parents: int = MAX_PARENTS) -> float:
    """Bits to say that a variable has `count` parents among the `earlier` ones: log2(max + 1) + log2 C(earlier, count).

    The number of parents is one of 0..min(max_parents, earlier); each set of that size is equally likely.
    """
    return float(np.log2(min(max_parents, earlier) + 1)) + log2_binomial(earlier, count)


def alphabet_bits(domain: int, used: int) -> float:
    """Bits to say which `used` (1..domain) of `domain` values occur: log2 domain + log2 C(domain, used)."""
    if used == 0:
        return 0.0
    return float(np.log2(domain)) + log2_binomial(domain, used)


@lru_cache(maxsize=64)
def structure_table(variables: int, max_parents: int = MAX_PARENTS) -> NDArray[np.float64]:
    """`structure_bits` of variable v with k parents at ``[v, k]``; infinite where v has too few earlier ones."""
    table = np.full((max(variables, 1), max_parents + 1), np.inf)
    for v in range(variables):
        for k in range(min(v, max_parents) + 1):
            table[v, k] = structure_bits(v, k, max_parents=max_parents)
    table.flags.writeable = False
    return table


def half_integer_lgamma(size: int) -> NDArray[np.float64]:
    """ln Gamma(k / 2) for k = 0..size-1; entry 0, where Gamma has a pole, is 0 and is never used."""
    table = np.zeros(size)
    table[1:] = gammaln(np.arange(1, size) / 2.0)
    return table


def kt_bits(child: NDArray[np.integer], card: int, parents: NDArray[np.integer]) -> float:
    """Readable twin of the kernels: bits of `child` given `parents` (samples x parents), one KT code a
    configuration."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for value, config in zip(child, parents, strict=True):
        groups.setdefault(tuple(int(p) for p in config), []).append(int(value))
    return sum(dirichlet_multinomial(np.bincount(values, minlength=card), card) for values in groups.values())
