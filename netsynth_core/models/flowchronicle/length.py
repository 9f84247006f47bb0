"""The codelength, term by term, all in bits. Sender and receiver share the dictionaries of the columns and n, the rows.

1. **Instants.** The starts of all rows are sent first, once, in order: the span, then the gaps between neighbours by a
   Krichevsky-Trofimov (KT) code over their doubling bins and uniformly inside a bin, at the resolution of the data.
   Every model of the same data pays the same for them. So no pattern can pay by chaining rows that merely lie close
   in time: it must make up, by values it need not send, for saying which rows belong together (term 4).

2. **Model.** L(M) = L_N(\\|M\\| + 1) + sum over patterns L(p) + L(B_0), with L_N Rissanen's universal code. For a
pattern of k
   flows over C columns:
   L(p) = L_N(k) + (k - 1) log2 W + sum over flows [ log2(C + 1) + log2 C(C, f) + sum over fixed cells log2 \\|V_c\\|
   + (log2(a + 1) + log2 C(a, u) + u log2 S, when a and S > 0) ] + L(B_p):
   f fixed cells, their values out of the column's \\|V_c\\|; a address cells that are not fixed, u of them reused,
   each of one of the S free address cells of earlier flows; W possible limits for each gap.

3. **Labels.** Rows are labelled in order of time. A row that no open window claims starts something new: which
pattern, or
   none, is sent by a KT code over \\|M\\| + 1 labels.

4. **Continuations.** While a window waits for its next flow, each following row is asked whether it is the one: a KT
code
   of yes and no for each pattern, gap and doubling bin of the delay so far. This is the delay model: the learnt
   hazard of each delay. A window costs little when its next row comes at a usual delay with few others between.

5. **Values.** The free cells of a pattern's windows, and all cells of the rows left, by the pattern's Bayesian network:
   structure log2(min(3, v) + 1) + log2 C(v, parents) for the variable with v before it; alphabet log2 \\|V_c\\| +
   log2 C(\\|V_c\\|, r) for the r values that occur; values by a KT code for each configuration of the parents.
"""

from math import log2

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from netsynth_core.models.codelength import LN2, dirichlet_multinomial, log2_binomial, universal_integer
from netsynth_core.models.flowchronicle._kernels import gap_counts
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.pattern import WITHIN_STEPS, Pattern


def pattern_bits(pattern: Pattern, domains: NDArray[np.int64], hosts: tuple[int, ...]) -> float:
    """Term 2 of one pattern, without its network."""
    columns = len(domains)
    bits = universal_integer(len(pattern)) + (len(pattern) - 1) * log2(WITHIN_STEPS)
    sources = 0
    for flow in pattern.flows:
        fixed = {c.column for c in flow.fixed}
        bits += log2(columns + 1) + log2_binomial(columns, len(fixed))
        bits += sum(log2(max(int(domains[c]), 1)) for c in sorted(fixed))
        addresses = sum(c not in fixed for c in hosts)
        if addresses and sources:
            used = len(flow.reused)
            bits += log2(addresses + 1) + log2_binomial(addresses, used) + used * log2(sources)
        sources += sum(c not in flow.bound for c in hosts)
    return bits


def label_bits(starts: NDArray[np.int64]) -> float:
    """Term 3: `starts` are the windows of each pattern and, last, the rows left."""
    return dirichlet_multinomial(starts, len(starts))


def gap_histogram(pattern: Pattern, windows: NDArray[np.int64], index: FlowIndex) -> list[NDArray[np.int64]]:
    """For each gap, continuations and rows passed over (bins x 2) by the bin of the delay."""
    result = []
    for gap, within in enumerate(pattern.within):
        counts = np.zeros((within + 1, 2), np.int64)
        before = np.ascontiguousarray(windows[:, gap])
        gap_counts(before, np.ascontiguousarray(windows[:, gap + 1]), index.ts, counts)
        result.append(counts)
    return result


def hazard_bits(counts: NDArray[np.int64] | NDArray[np.float64]) -> float:
    """Term 4 of one gap: a KT code of yes and no in each bin (bins x 2)."""
    total = counts.sum(axis=1)
    bits = gammaln(total + 1.0) - np.sum(gammaln(counts + 0.5), axis=1) + 2.0 * gammaln(0.5)
    return float(np.sum(bits)) / LN2


def resolution(ts: NDArray[np.int64]) -> int:
    """The largest power of ten, in ns, up to a second, that divides every start."""
    step = 10**9
    while step > 1 and bool(np.any(ts % step)):
        step //= 10
    return step


def instant_bits(ts: NDArray[np.int64]) -> float:
    """Term 1."""
    if len(ts) < 2:
        return 0.0
    gaps = np.diff(ts) // resolution(ts)
    bins = np.array([int(g).bit_length() for g in gaps])
    largest = int(bins.max()) + 1
    inside = np.maximum(bins - 1, 0).sum()
    return universal_integer(largest) + dirichlet_multinomial(np.bincount(bins), largest) + float(inside)
