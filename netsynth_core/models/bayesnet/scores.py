"""What a Bayesian network costs in bits: its structure, and the Dirichlet code of its variables.

Variables have an order; a variable's parents come before it, so that no network has a cycle and none needs to be
searched for one (Cooper and Herskovits 1992, *A Bayesian method for the induction of probabilistic networks*, K2).
The code of a variable is prequential: value x, after n values of the same configuration of which n_x were x, has the
probability (n_x + s q_x) / (n + s), with q the base shares of the values and s the strength of the prior. With
s q_x = 1/2 this is the code of Krichevsky and Trofimov, with s q_x = 1 the K2 score.
"""

from functools import lru_cache
from math import lgamma, log2

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.codelength import LN2, log2_binomial

MAX_PARENTS = 3
STRENGTHS = (1.0, 4.0, 16.0, 64.0, 2.0**16)
"""Strengths a variable may choose from, each as likely. With the largest nothing is learnt: values cost what their base
shares say, which is the best for names that occur once. Without it a pattern could pay by beginning to count anew."""

TABLED = 8
"""Counts up to this have the logarithm of their rising factorial in a table."""


def structure_bits(earlier: int, count: int, *, max_parents: int = MAX_PARENTS) -> float:
    """Bits to say that a variable has `count` parents among the `earlier` ones: log2(max + 1) + log2 C(earlier, count).

    The number of parents is one of 0..min(max_parents, earlier); each set of that size is equally likely.
    """
    return log2(min(max_parents, earlier) + 1) + log2_binomial(earlier, count)


@lru_cache(maxsize=64)
def structure_table(variables: int, max_parents: int = MAX_PARENTS) -> NDArray[np.float64]:
    """`structure_bits` of variable v with k parents at ``[v, k]``; infinite where v has too few earlier ones."""
    table = np.full((max(variables, 1), max_parents + 1), np.inf)
    for v in range(variables):
        for k in range(min(v, max_parents) + 1):
            table[v, k] = structure_bits(v, k, max_parents=max_parents)
    table.flags.writeable = False
    return table


def network_bits(parents: NDArray[np.int64]) -> float:
    """Bits of a structure: parents and strength of every variable (parents padded with -1)."""
    table = structure_table(len(parents))
    return sum(float(table[v, k]) + log2(len(STRENGTHS)) for v, k in enumerate((parents >= 0).sum(axis=1)))


def dirichlet_bits(
    child: NDArray[np.integer], base: NDArray[np.float64], parents: NDArray[np.integer], *, strength: float
) -> float:
    """Readable twin of the kernels: bits of `child` given `parents` (samples x parents), by ln Gamma.

    ``base[x]`` is the base share of value x; the shares of all values sum to one.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for value, config in zip(child, parents, strict=True):
        groups.setdefault(tuple(int(p) for p in config), []).append(int(value))
    nats = 0.0
    for values in groups.values():
        nats += lgamma(len(values) + strength) - lgamma(strength)
        for value, count in zip(*np.unique(values, return_counts=True), strict=True):
            weight = strength * float(base[value])
            nats -= lgamma(int(count) + weight) - lgamma(weight)
    return nats / LN2


def sequential_bits(values: NDArray[np.integer], base: NDArray[np.float64], *, strength: float) -> float:
    """The same code without parents, value after value, as a receiver would decode it."""
    counts = np.zeros(len(base))
    bits = 0.0
    for seen, value in enumerate(values):
        bits -= log2((counts[value] + strength * base[value]) / (seen + strength))
        counts[value] += 1
    return bits
