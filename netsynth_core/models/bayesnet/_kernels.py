"""Kernels of Bayesian networks over integer codes: counting, Krichevsky-Trofimov bits, greedy choice of parents.

Variables lie in rows: ``data[v, i]`` is the code (0..cards[v]-1) of variable v in sample i. All bits are base 2.
Readable twins: `netsynth_core.models.bayesnet.scores`; a property test holds both equal.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

LOG2_E = 1.4426950408889634
SHORTLIST = 8


@njit(cache=True, nogil=True)
def compact_columns(
    codes: NDArray[np.int32], domains: NDArray[np.int64], data: NDArray[np.int32], cards: NDArray[np.int64]
) -> None:
    """Number the values that occur in each row of `codes` 0, 1, ... by ascending code, into `data`; how many, into
    `cards`."""
    for v in range(codes.shape[0]):
        seen = np.zeros(domains[v], np.int32)
        for i in range(codes.shape[1]):
            seen[codes[v, i]] = 1
        count = 0
        for value in range(domains[v]):
            if seen[value] == 1:
                seen[value] = count
                count += 1
        for i in range(codes.shape[1]):
            data[v, i] = seen[codes[v, i]]
        cards[v] = count


@njit(cache=True, nogil=True)
def _number(keys: NDArray[np.int64], ids: NDArray[np.int64]) -> int:
    """Number distinct keys 0, 1, ... by first appearance; how many there are."""
    size = 16
    while size < 2 * keys.shape[0]:
        size *= 2
    slots = np.full(size, -1, np.int64)
    names = np.empty(size, np.int64)
    count = 0
    for i in range(keys.shape[0]):
        key = keys[i]
        mixed = key * np.int64(-7046029254386353131)
        at = (mixed ^ (mixed >> 29)) & (size - 1)
        while slots[at] >= 0 and names[at] != key:
            at = (at + 1) & (size - 1)
        if slots[at] < 0:
            slots[at] = count
            names[at] = key
            count += 1
        ids[i] = slots[at]
    return count


@njit(cache=True, nogil=True)
def join_configs(
    config: NDArray[np.int64], size: int, parent: NDArray[np.int32], card: int, out: NDArray[np.int64]
) -> int:
    """Numbers of the pairs (configuration, parent value) into `out`; how many may occur."""
    for i in range(config.shape[0]):
        out[i] = config[i] * card + parent[i]
    if size * card <= 4 * config.shape[0] + 1024:
        return size * card
    keys = out.copy()
    return _number(keys, out)


@njit(cache=True, nogil=True)
def node_bits(
    child: NDArray[np.int32], card: int, config: NDArray[np.int64], size: int, lgam: NDArray[np.float64]
) -> float:
    """KT bits of `child` given its parents' configurations 0..size-1; ``lgam[k]`` is ln Gamma(k / 2)."""
    n = child.shape[0]
    if card <= 1 or n == 0:
        return 0.0
    totals = np.zeros(size, np.int64)
    keys = np.empty(n, np.int64)
    for i in range(n):
        totals[config[i]] += 1
        keys[i] = config[i] * card + child[i]
    cells = size * card
    if cells > 4 * n + 4096:
        cells = _number(keys.copy(), keys)
    counts = np.zeros(cells, np.int64)
    for i in range(n):
        counts[keys[i]] += 1
    nats = 0.0
    for c in range(size):
        if totals[c] > 0:
            nats += lgam[2 * totals[c] + card] - lgam[card]
    for c in range(cells):
        if counts[c] > 0:
            nats -= lgam[2 * counts[c] + 1] - lgam[1]
    return nats * LOG2_E


@njit(cache=True, nogil=True)
def score_parents(
    data: NDArray[np.int32], cards: NDArray[np.int64], parents: NDArray[np.int64], lgam: NDArray[np.float64]
) -> NDArray[np.float64]:
    """KT bits of every variable with the given parents (rows padded with -1)."""
    m, n = data.shape
    bits = np.zeros(m, np.float64)
    for v in range(m):
        config = np.zeros(n, np.int64)
        size = 1
        for u in parents[v]:
            if u >= 0:
                size = join_configs(config, size, data[u], cards[u], config)
        bits[v] = node_bits(data[v], cards[v], config, size, lgam)
    return bits


@njit(cache=True, nogil=True)
def choose_parents(
    data: NDArray[np.int32],
    cards: NDArray[np.int64],
    max_parents: int,
    structure: NDArray[np.float64],
    lgam: NDArray[np.float64],
    parents: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Add to each variable, greedily, the earlier variables that shorten it most; fills `parents`, returns KT bits.

    ``structure[v, k]`` are the bits to name k of the v earlier variables. Second and later parents are taken from the
    `SHORTLIST` earlier variables that help most alone.
    """
    m, n = data.shape
    bits = np.zeros(m, np.float64)
    parents[:] = -1
    for v in range(m):
        config = np.zeros(n, np.int64)
        size = 1
        bits[v] = node_bits(data[v], cards[v], config, size, lgam)
        if cards[v] <= 1 or n == 0:
            continue
        alone = np.full(v, np.inf, np.float64)
        for u in range(v):
            if cards[u] > 1:
                alone[u] = node_bits(data[v], cards[v], data[u].astype(np.int64), cards[u], lgam)
        order = np.argsort(alone, kind="mergesort")
        count = 0
        while count < max_parents and count < v:
            best = bits[v] + structure[v, count] - structure[v, count + 1] - 1e-6
            chosen = -1
            for rank in range(min(SHORTLIST, v)):
                u = order[rank]
                if alone[u] == np.inf or (parents[v] == u).any():
                    continue
                if count == 0:
                    trial = alone[u]
                else:
                    joint = np.empty(n, np.int64)
                    joint_size = join_configs(config, size, data[u], cards[u], joint)
                    trial = node_bits(data[v], cards[v], joint, joint_size, lgam)
                if trial < best:
                    best = trial
                    chosen = u
            if chosen < 0:
                break
            parents[v, count] = chosen
            size = join_configs(config, size, data[chosen], cards[chosen], config)
            bits[v] = best
            count += 1
    return bits
