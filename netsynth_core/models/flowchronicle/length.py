"""The codelength, term by term, all in bits.

Sender and receiver share the dictionaries of the columns and the number of rows n.

1. **Common.** The starts of all rows are sent first, in order: the gaps between neighbours by a Dirichlet code over
   their doubling bins and uniformly inside a bin, at the resolution of the data (the first start is taken as known).
   Then, for each column, how often each value occurs: log2 V + log2 C(V, r) + log2 C(n - 1, r - 1) for r of V values.
   Every model of the same table pays the same for both. Because the instants are known before any pattern is named, no
   pattern pays by chaining rows that merely lie close in time: it has to make up, by values it need not send, for
   saying which rows belong together (term 4).

2. **Model.** L(M) = L_N(m + 1) + sum over the m patterns of L(p) + L(B_0), L_N being Rissanen's universal code.
   A pattern of k flows over C columns costs L(p) = L_N(k) + (k - 1) log2 W + L(B_p) plus, for each flow,
   log2(C + 1) + log2 C(C, f) for which f of its cells are fixed, log2 V_c for the value of each, and, when it has a > 0
   address cells that are not fixed and earlier flows have s > 0 free ones,
   log2(a + 1) + log2 C(a, u) + u log2 s for which u of them are reused, and of which. Each of its address cells that
   is left then, after the first one that is free, costs a bit for whether it equals a free one of its own flow before
   it, and if so the choice among them. W limits of a gap are possible.

3. **Labels.** Rows are labelled in order of time. A row that no open window claims begins something new: a window of
   one of the patterns, or a row of the empty pattern. This is sent by a Krichevsky-Trofimov (KT) code over the
   m + 1 labels.

4. **Continuations.** While a window waits for its next flow, each row that follows is asked whether it is the one: a
   KT code of yes and no for each pattern, gap and doubling bin of the delay so far, hence a learnt hazard of the delay.
   A window is cheap when its next row comes at a usual delay with few others between.

5. **Values.** The free cells of a pattern's windows, window after window, and all cells of the rows left. A network
   over the columns is learnt on all rows and sent once; its tables are shared: they count on over every row and pattern
   that uses them (`netsynth_core.models.bayesnet.shared`). The rows left use nothing else. Each free cell of a pattern
   says with one bit whether it uses them too, or has tables of its own in the pattern's Bayesian network: the v-th
   variable (from 0) then costs log2(min(3, v) + 1) + log2 C(v, parents) for its parents, and log2 5 for the strength s
   of its prior. Values are sent by (n_x + s q_x) / (n + s) for each configuration of the parents, q being the column's
   shares of term 1 (`netsynth_core.models.bayesnet.scores`). So a rare pattern need not learn again how many bytes a
   name lookup has; it pays for what it changes.

Differences from the paper: labels and continuations replace the uniform code of the start of every window and the
universal code of delays, which reward any chaining of near rows; the alphabets of columns are paid for, once; patterns
share tables; addresses may be fixed.
"""

from math import log2

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from netsynth_core.models.codelength import LN2, dirichlet_multinomial, log2_binomial, universal_integer
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.pattern import WITHIN_STEPS, Pattern


def pattern_bits(pattern: Pattern, domains: NDArray[np.int64], hosts: tuple[int, ...]) -> float:
    """Term 2 of one pattern, without its network."""
    columns = len(domains)
    bits = universal_integer(len(pattern)) + (len(pattern) - 1) * log2(WITHIN_STEPS)
    sources = 0
    for place, flow in enumerate(pattern.flows):
        fixed = {c.column for c in flow.fixed}
        bits += log2(columns + 1) + log2_binomial(columns, len(fixed))
        bits += sum(log2(max(int(domains[c]), 1)) for c in sorted(fixed))
        addresses = sum(c not in fixed for c in hosts)
        if addresses and sources:
            used = len(pattern.earlier(place))
            bits += log2(addresses + 1) + log2_binomial(addresses, used) + used * log2(sources)
        free = 0
        own = {c.column for c in pattern.own(place)}
        taken = fixed | {c.column for c in pattern.earlier(place)}
        for column in hosts:
            if column in taken:
                continue
            if free:
                bits += 1.0 + (log2(free) if column in own else 0.0)
            free += column not in own
        sources += free
    return bits


def label_bits(starts: NDArray[np.int64]) -> float:
    """Term 3: `starts` are the windows of each pattern and, last, the rows left."""
    return dirichlet_multinomial(starts, len(starts))


def gap_histogram(pattern: Pattern, windows: NDArray[np.int64], index: FlowIndex) -> list[NDArray[np.int64]]:
    """For each gap, continuations and rows passed over (bins x 2) by the bin of the delay."""
    from netsynth_core.models.flowchronicle._kernels import gap_counts

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
