"""Kernels of Bayesian networks over integer codes: counting, Dirichlet codes, greedy choice of parents.

Variables lie in rows: ``data[v, i]`` is the compact code (0..cards[v]-1) of variable v in sample i, and
``names[v, data]`` the number of that value in the tables of the prior. All bits are base 2. Readable twins:
`netsynth_core.models.bayesnet.scores`; a property test holds both equal.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from netsynth_core.models.bayesnet.scores import TABLED

LOG2_E = 1.4426950408889634
SHORTLIST = 8
TIE = 1e-7
"""Nats that rounding may add: changes that differ by less are equal, and the first of them is taken."""


@njit(cache=True, nogil=True)
def compact_columns(
    codes: NDArray[np.int32],
    domains: NDArray[np.int64],
    first: NDArray[np.int64],
    data: NDArray[np.int32],
    cards: NDArray[np.int64],
    names: NDArray[np.int64],
) -> None:
    """Number the values that occur in each row of `codes` 0, 1, ... by ascending code, into `data`.

    How many there are goes into `cards`, and ``first[v]`` + code of each into `names`.
    """
    for v in range(codes.shape[0]):
        seen = np.zeros(domains[v], np.int32)
        for i in range(codes.shape[1]):
            seen[codes[v, i]] = 1
        count = 0
        for value in range(domains[v]):
            if seen[value] == 1:
                names[v, count] = first[v] + value
                seen[value] = count
                count += 1
        for i in range(codes.shape[1]):
            data[v, i] = seen[codes[v, i]]
        cards[v] = count


@njit(cache=True, nogil=True)
def _number(keys: NDArray[np.int64], ids: NDArray[np.int64], distinct: NDArray[np.int64]) -> int:
    """Number distinct keys 0, 1, ... by first appearance, list them in `distinct`; how many there are."""
    size = 16
    while size < 2 * keys.shape[0]:
        size *= 2
    slots = np.full(size, -1, np.int64)
    count = 0
    for i in range(keys.shape[0]):
        key = keys[i]
        mixed = key * np.int64(-7046029254386353131)
        at = (mixed ^ (mixed >> 29)) & (size - 1)
        while slots[at] >= 0 and distinct[slots[at]] != key:
            at = (at + 1) & (size - 1)
        if slots[at] < 0:
            slots[at] = count
            distinct[count] = key
            count += 1
        ids[i] = slots[at]
    return count


@njit(cache=True, nogil=True)
def join_configs(
    config: NDArray[np.int64], size: int, parent: NDArray[np.int32], card: int, out: NDArray[np.int64]
) -> int:
    """Numbers of the pairs (configuration, parent value) into `out`; how many may occur."""
    keys = config * card + parent
    if size * card <= 4 * config.shape[0] + 1024:
        out[:] = keys
        return size * card
    return _number(keys, out, np.empty(keys.shape[0], np.int64))


@njit(cache=True, nogil=True)
def _cell_nats(
    counts: NDArray[np.int64],
    values: NDArray[np.int64],
    used: int,
    weights: NDArray[np.float64],
    rising: NDArray[np.float64],
    nats: NDArray[np.float64],
) -> None:
    """Subtract ln of the rising factorials of `used` cells from ``nats[a]``, for each strength a of the prior."""
    for a in range(nats.shape[0]):
        total = 0.0
        for c in range(used):
            count = counts[c]
            if count <= TABLED:
                total += rising[a, values[c], count]
            else:
                weight = weights[a, values[c]]
                total += math.lgamma(count + weight) - math.lgamma(weight)
        nats[a] -= total


@njit(cache=True, nogil=True)
def node_bits(
    child: NDArray[np.int32],
    card: int,
    names: NDArray[np.int64],
    config: NDArray[np.int64],
    size: int,
    weights: NDArray[np.float64],
    rising: NDArray[np.float64],
    totals_table: NDArray[np.float64],
) -> float:
    """Bits of `child` given its parents' configurations 0..size-1, under the strength of the prior that suits it best.

    ``weights[a, x]`` is strength a times the base share of value x, ``rising[a, x, c]`` ln Gamma(c + weight) - ln
    Gamma(weight), ``totals_table[a, n]`` the same for strength a itself.
    """
    n = child.shape[0]
    if n == 0:
        return 0.0
    totals = np.zeros(size, np.int64)
    keys = config * card + child
    for i in range(n):
        totals[config[i]] += 1
    cells = size * card
    if cells > 4 * n + 4096:
        ids = np.empty(n, np.int64)
        distinct = np.empty(n, np.int64)
        cells = _number(keys, ids, distinct)
        counts = np.zeros(cells, np.int64)
        for i in range(n):
            counts[ids[i]] += 1
        values = np.empty(cells, np.int64)
        for c in range(cells):
            values[c] = names[distinct[c] % card]
    else:
        dense = np.zeros(cells, np.int64)
        for i in range(n):
            dense[keys[i]] += 1
        counts = np.empty(min(cells, n), np.int64)
        values = np.empty(min(cells, n), np.int64)
        used = 0
        for c in range(cells):
            if dense[c] > 0:
                counts[used] = dense[c]
                values[used] = names[c % card]
                used += 1
        cells = used
    nats = np.zeros(weights.shape[0], np.float64)
    for c in range(size):
        if totals[c] > 0:
            for a in range(nats.shape[0]):
                nats[a] += totals_table[a, totals[c]]
    _cell_nats(counts, values, cells, weights, rising, nats)
    return float(nats.min() * LOG2_E)


@njit(cache=True, nogil=True)
def counted_nats(
    config: NDArray[np.int32],
    entry: NDArray[np.int32],
    weight: NDArray[np.float64],
    configs: int,
    strength: float,
    rows: NDArray[np.int64],
) -> float:
    """Nats of the values of `rows`: the Dirichlet code of each configuration, ``weight[e]`` the prior of an entry."""
    totals = np.zeros(configs, np.int64)
    counts = np.zeros(weight.shape[0], np.int64)
    for row in rows:
        totals[config[row]] += 1
        counts[entry[row]] += 1
    nats = 0.0
    start = math.lgamma(strength)
    for total in totals:
        if total > 0:
            nats += math.lgamma(total + strength) - start
    for e in range(counts.shape[0]):
        count = counts[e]
        if count == 0:
            continue
        w = weight[e]
        if count <= 4:
            product = w
            for k in range(1, count):
                product *= w + k
            nats -= math.log(product)
        else:
            nats -= math.lgamma(count + w) - math.lgamma(w)
    return nats


@njit(cache=True, nogil=True)
def score_parents(
    data: NDArray[np.int32],
    cards: NDArray[np.int64],
    names: NDArray[np.int64],
    parents: NDArray[np.int64],
    weights: NDArray[np.float64],
    rising: NDArray[np.float64],
    totals_table: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Bits of every variable with the given parents (rows padded with -1)."""
    m, n = data.shape
    bits = np.zeros(m, np.float64)
    for v in range(m):
        config = np.zeros(n, np.int64)
        size = 1
        for u in parents[v]:
            if u >= 0:
                joint = np.empty(n, np.int64)
                size = join_configs(config, size, data[u], cards[u], joint)
                config = joint
        bits[v] = node_bits(data[v], cards[v], names[v], config, size, weights, rising, totals_table)
    return bits


@njit(cache=True, nogil=True)
def choose_parents(
    data: NDArray[np.int32],
    cards: NDArray[np.int64],
    names: NDArray[np.int64],
    structure: NDArray[np.float64],
    weights: NDArray[np.float64],
    rising: NDArray[np.float64],
    totals_table: NDArray[np.float64],
    least: NDArray[np.float64],
    parents: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Add to each variable, greedily, the earlier variables that shorten it most; fills `parents`, returns bits.

    Variables with ``least[v] == 0`` cannot be made shorter than they are known to be: they are left without.

    ``structure[v, k]`` are the bits to name k of the v earlier variables. Second and later parents are taken from the
    `SHORTLIST` earlier variables that help most alone.
    """
    m, n = data.shape
    bits = np.zeros(m, np.float64)
    parents[:] = -1
    for v in range(m):
        config = np.zeros(n, np.int64)
        size = 1
        bits[v] = node_bits(data[v], cards[v], names[v], config, size, weights, rising, totals_table)
        if cards[v] <= 1 or n == 0 or least[v] == 0.0:
            continue
        alone = np.full(v, np.inf, np.float64)
        for u in range(v):
            if cards[u] > 1:
                alone[u] = node_bits(
                    data[v], cards[v], names[v], data[u].astype(np.int64), cards[u], weights, rising, totals_table
                )
        order = np.argsort(alone, kind="mergesort")
        count = 0
        while count < parents.shape[1] and count < v:
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
                    trial = node_bits(data[v], cards[v], names[v], joint, joint_size, weights, rising, totals_table)
                if trial < best:
                    best = trial
                    chosen = u
            if chosen < 0:
                break
            parents[v, count] = chosen
            joint = np.empty(n, np.int64)
            size = join_configs(config, size, data[chosen], cards[chosen], joint)
            config = joint
            bits[v] = best
            count += 1
    return bits


@njit(cache=True, nogil=True)
def _joint(
    data: NDArray[np.int32], cards: NDArray[np.int64], chosen: NDArray[np.int64], config: NDArray[np.int64]
) -> int:
    """Number the configurations of the variables `chosen` (those >= 0) into `config`; how many may occur."""
    config[:] = 0
    size = 1
    for u in chosen:
        if u >= 0:
            joint = np.empty(config.shape[0], np.int64)
            size = join_configs(config, size, data[u], cards[u], joint)
            config[:] = joint
    return size


@njit(cache=True, nogil=True)
def _cells(child: NDArray[np.int32], card: int, config: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """How often each pair (configuration, value) occurs, those that do not left out at will."""
    n = child.shape[0]
    keys = config * card + child
    if size * card > 4 * n + 4096:
        ids = np.empty(n, np.int64)
        counts = np.zeros(_number(keys, ids, np.empty(n, np.int64)), np.int64)
        for i in range(n):
            counts[ids[i]] += 1
        return counts
    counts = np.zeros(size * card, np.int64)
    for i in range(n):
        counts[keys[i]] += 1
    return counts


@njit(cache=True, nogil=True)
def kt_bits(data: NDArray[np.int32], cards: NDArray[np.int64], parents: NDArray[np.int64]) -> NDArray[np.float64]:
    """Bits of every variable by the code of Krichevsky and Trofimov over the values that occur, given its parents."""
    m, n = data.shape
    bits = np.zeros(m, np.float64)
    config = np.empty(n, np.int64)
    half = math.lgamma(0.5)
    for v in range(m):
        size = _joint(data, cards, parents[v], config)
        totals = np.zeros(size, np.int64)
        for i in range(n):
            totals[config[i]] += 1
        start = cards[v] / 2.0
        nats = 0.0
        for total in totals:
            if total > 0:
                nats += math.lgamma(total + start) - math.lgamma(start)
        for count in _cells(data[v], cards[v], config, size):
            if count > 0:
                nats -= math.lgamma(count + 0.5) - half
        bits[v] = nats * LOG2_E
    return bits


@njit(cache=True, nogil=True)
def bic(data: NDArray[np.int32], cards: NDArray[np.int64], v: int, chosen: NDArray[np.int64]) -> float:
    """Bayesian information criterion of one variable given its parents, nats: ln likelihood - ln(n)/2 per parameter."""
    n = data.shape[1]
    config = np.empty(n, np.int64)
    size = _joint(data, cards, chosen, config)
    totals = np.zeros(size, np.int64)
    for i in range(n):
        totals[config[i]] += 1
    score = 0.0
    for count in _cells(data[v], cards[v], config, size):
        if count > 0:
            score += count * math.log(count)
    for total in totals:
        if total > 0:
            score -= total * math.log(total)
    return float(score - _penalty(cards, n, v, chosen))


@njit(cache=True, nogil=True)
def _penalty(cards: NDArray[np.int64], n: int, v: int, chosen: NDArray[np.int64]) -> float:
    """Half ln(n) for each parameter of a full table."""
    cells = 1.0
    for u in chosen:
        if u >= 0:
            cells *= cards[u]
    return float(0.5 * math.log(n) * cells * (cards[v] - 1))


@njit(cache=True, nogil=True)
def _moves_of(
    data: NDArray[np.int32],
    cards: NDArray[np.int64],
    v: int,
    parents: NDArray[np.int64],
    scores: NDArray[np.float64],
    moves: NDArray[np.float64],
) -> None:
    """What adding or removing each u as a parent of v changes, into ``moves[v, u]``; -inf where it cannot help."""
    n = data.shape[1]
    count = 0
    for u in parents[v]:
        if u >= 0:
            count += 1
    scores[v] = bic(data, cards, v, parents[v])
    trial = np.empty(parents.shape[1], np.int64)
    # No set of parents makes the likelihood better than 1.
    likelihood = scores[v] + _penalty(cards, n, v, parents[v])
    for u in range(cards.shape[0]):
        moves[v, u] = -np.inf
        if u == v:
            continue
        place = -1
        for k in range(count):
            if parents[v, k] == u:
                place = k
        trial[:] = parents[v]
        if place >= 0:
            trial[place] = trial[count - 1]
            trial[count - 1] = -1
        elif count < parents.shape[1]:
            trial[count] = u
            if _penalty(cards, n, v, trial) >= _penalty(cards, n, v, parents[v]) - likelihood:
                continue
        else:
            continue
        moves[v, u] = bic(data, cards, v, trial) - scores[v]


@njit(cache=True, nogil=True)
def _reaches(parents: NDArray[np.int64], ancestor: int, v: int, skipped: int) -> bool:
    """Whether `ancestor` leads to v, not counting the edge skipped -> v."""
    waiting = [v]
    seen = np.zeros(parents.shape[0], np.bool_)
    while len(waiting) > 0:
        here = waiting.pop()
        for u in parents[here]:
            if u < 0 or (here == v and u == skipped):
                continue
            if u == ancestor:
                return True
            if not seen[u]:
                seen[u] = True
                waiting.append(u)
    return False


@njit(cache=True, nogil=True)
def _toggle(parents: NDArray[np.int64], v: int, u: int) -> None:
    """Make u a parent of v, or no longer one; parents ascending, then -1."""
    row = parents[v]
    kept = np.full(row.shape[0] + 1, np.int64(1 << 60))
    count = 0
    found = False
    for p in row:
        if p == u:
            found = True
        elif p >= 0:
            kept[count] = p
            count += 1
    if not found:
        kept[count] = u
        count += 1
    kept.sort()
    for k in range(row.shape[0]):
        row[k] = kept[k] if k < count else -1


@njit(cache=True, nogil=True)
def climb(
    data: NDArray[np.int32], cards: NDArray[np.int64], parents: NDArray[np.int64], least: float
) -> NDArray[np.float64]:
    """Greedy hill climbing over networks by `bic`: the edge whose adding, removing or reversal helps most, again.

    Fills `parents` (ascending, padded with -1; any variable may be a parent of any other) and returns the scores. It
    ends when no change helps by `least` nats.
    """
    m = data.shape[0]
    parents[:] = -1
    scores = np.zeros(m, np.float64)
    moves = np.full((m, m), -np.inf)
    for v in range(m):
        _moves_of(data, cards, v, parents, scores, moves)
    for _ in range(20 * m * parents.shape[1] + 20):
        best = least
        child, parent, turned = -1, -1, False
        for v in range(m):
            for u in range(m):
                has = (parents[v] == u).any()
                if moves[v, u] > best + TIE and (has or not ((parents[u] == v).any() or _reaches(parents, v, u, -1))):
                    best, child, parent, turned = moves[v, u], v, u, False
                if has and moves[v, u] + moves[u, v] > best + TIE and not _reaches(parents, u, v, u):
                    best, child, parent, turned = moves[v, u] + moves[u, v], v, u, True
        if child < 0:
            break
        _toggle(parents, child, parent)
        _moves_of(data, cards, child, parents, scores, moves)
        if turned:
            _toggle(parents, parent, child)
            _moves_of(data, cards, parent, parents, scores, moves)
    return scores
