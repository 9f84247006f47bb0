"""Kernels of the delay laws: fitting normals, gamma laws, single codes and a floor to a histogram, and sums.

The readable twin is `netsynth_core.models.delays.DelayLaw.probabilities`; a property test holds both equal.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

FLOOR_MIN = 0.5
NORMAL, GAMMA, POINT = 0, 1, 2


@njit(cache=True, nogil=True)
def cell_masses(mean: float, sd: float, out: NDArray[np.float64]) -> None:
    """Fill `out` with the masses of the unit cells around 0..len - 1 of a normal law, scaled to sum to one."""
    size = out.shape[0]
    scale = 1.0 / (sd * math.sqrt(2.0))
    low = math.erf((-0.5 - mean) * scale)
    total = math.erf((size - 0.5 - mean) * scale) - low
    before = low
    for code in range(size):
        after = math.erf((code + 0.5 - mean) * scale)
        out[code] = (after - before) / total
        before = after


@njit(cache=True, nogil=True)
def law_probabilities(
    means: NDArray[np.float64], sds: NDArray[np.float64], weights: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """P(code) of a mixture: `weights` holds the normals' weights and, last, the floor's."""
    size = out.shape[0]
    count = means.shape[0]
    out[:] = weights[count] / size
    cell = np.empty(size, np.float64)
    for k in range(count):
        cell_masses(means[k], sds[k], cell)
        for code in range(size):
            out[code] += weights[k] * cell[code]


@njit(cache=True, nogil=True)
def _histogram_bits(hist: NDArray[np.float64], probability: NDArray[np.float64]) -> float:
    bits = 0.0
    for code in range(hist.shape[0]):
        if hist[code] > 0:
            bits -= hist[code] * math.log2(probability[code])
    return bits


@njit(cache=True, nogil=True)
def _expectation_maximisation(
    hist: NDArray[np.float64],
    means: NDArray[np.float64],
    sds: NDArray[np.float64],
    weights: NDArray[np.float64],
    sd_min: float,
    rounds: int,
) -> None:
    size = hist.shape[0]
    count = means.shape[0]
    total = hist.sum()
    mass = np.zeros((count, 3), np.float64)
    share = np.empty(count, np.float64)
    for _ in range(rounds):
        mass[:] = 0.0
        floor = 0.0
        for code in range(size):
            if hist[code] <= 0:
                continue
            background = weights[count] / size
            norm = background
            for k in range(count):
                wide = sds[k] * sds[k] + 1.0 / 12.0
                gap = code - means[k]
                share[k] = weights[k] * math.exp(-0.5 * gap * gap / wide) / math.sqrt(2.0 * math.pi * wide)
                norm += share[k]
            floor += hist[code] * background / norm
            for k in range(count):
                part = hist[code] * share[k] / norm
                mass[k, 0] += part
                mass[k, 1] += part * code
                mass[k, 2] += part * code * code
        floor = max(floor, FLOOR_MIN)
        whole = floor
        for k in range(count):
            whole += mass[k, 0]
        moved = 0.0
        for k in range(count):
            if mass[k, 0] > 1e-9:
                mean = mass[k, 1] / mass[k, 0]
                variance = mass[k, 2] / mass[k, 0] - mean * mean - 1.0 / 12.0
                sd = max(math.sqrt(max(variance, 0.0)), sd_min)
                moved = max(moved, abs(mean - means[k]) + abs(sd - sds[k]))
                means[k] = mean
                sds[k] = sd
            weights[k] = mass[k, 0] / whole
        weights[count] = floor / whole
        if moved < 0.01:
            break
    if total > 0:
        for k in range(count + 1):
            weights[k] = round(weights[k] * 1e6) / 1e6
        rest = 0.0
        for k in range(count):
            rest += weights[k]
        weights[count] = max(1.0 - rest, 1e-6)
        scale = rest + weights[count]
        for k in range(count + 1):
            weights[k] /= scale


@njit(cache=True, nogil=True)
def _nearest(value: float, grid: NDArray[np.float64]) -> float:
    best = float(grid[0])
    for entry in grid:
        if abs(entry - value) < abs(best - value):
            best = float(entry)
    return best


@njit(cache=True, nogil=True)
def _most_missed(hist: NDArray[np.float64], probability: NDArray[np.float64]) -> int:
    """Centre of the 5-wide stretch of codes that the law explains worst."""
    size = hist.shape[0]
    total = hist.sum()
    best = 0.0
    where = 0
    for code in range(size):
        seen = 0.0
        expected = 0.0
        for near in range(max(code - 2, 0), min(code + 3, size)):
            seen += hist[near]
            expected += total * probability[near]
        excess = seen - expected
        if excess > best:
            best = excess
            where = code
    return where


@njit(cache=True, nogil=True)
def _part_cells(
    kind: int,
    mean: float,
    spread: float,
    shapes: NDArray[np.float64],
    gammas: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Fill `out` with the masses of one part."""
    if kind == NORMAL:
        cell_masses(mean, spread, out)
    elif kind == GAMMA:
        for row in range(shapes.shape[0]):
            if shapes[row] == spread:
                out[:] = gammas[row, round(2.0 * mean)]
    else:
        out[:] = 0.0
        out[int(mean)] = 1.0


@njit(cache=True, nogil=True)
def _other_families(
    hist: NDArray[np.float64],
    shapes: NDArray[np.float64],
    gammas: NDArray[np.float64],
    rise: NDArray[np.float64],
    own: float,
    prices: NDArray[np.float64],
    kinds: NDArray[np.int64],
    means: NDArray[np.float64],
    spreads: NDArray[np.float64],
    weights: NDArray[np.float64],
    table: NDArray[np.float64],
    bits: float,
) -> float:
    """Make each normal (of price `own`) a gamma law or a single code where that is shorter; `table` follows.

    Returns
    -------
    float
        Bits of the values and of the parts.
    """
    bits += kinds.shape[0] * own
    size = hist.shape[0]
    rest = np.empty(size, np.float64)
    cell = np.empty(size, np.float64)
    for k in range(kinds.shape[0]):
        cell_masses(means[k], spreads[k], cell)
        for code in range(size):
            rest[code] = max(table[code] - weights[k] * cell[code], 0.0)
        kind, mean, spread = NORMAL, means[k], spreads[k]
        others = bits - own
        others -= _histogram_bits(hist, table)
        for row in range(shapes.shape[0]):
            centre = round(2.0 * (means[k] + rise[row]))
            for half in range(max(centre - 1, 0), min(centre + 2, 2 * size)):
                found = others + prices[0]
                for code in range(size):
                    if hist[code] > 0:
                        found -= hist[code] * math.log2(rest[code] + weights[k] * gammas[row, half, code] + 1e-300)
                        if found >= bits:
                            break
                if found < bits - 1e-9:
                    bits, kind, mean, spread = found, GAMMA, half / 2.0, shapes[row]
        if spreads[k] < 0.5:
            found = others + prices[2]
            at = round(means[k])
            for code in range(size):
                if hist[code] > 0:
                    found -= hist[code] * math.log2(rest[code] + (weights[k] if code == at else 0.0) + 1e-300)
            if found < bits - 1e-9:
                bits, kind, mean, spread = found, POINT, float(at), 0.0
        kinds[k], means[k], spreads[k] = kind, mean, spread
        _part_cells(kind, mean, spread, shapes, gammas, cell)
        for code in range(size):
            table[code] = rest[code] + weights[k] * cell[code]
    return bits


@njit(cache=True, nogil=True)
def _reweighted(
    hist: NDArray[np.float64],
    shapes: NDArray[np.float64],
    gammas: NDArray[np.float64],
    kinds: NDArray[np.int64],
    means: NDArray[np.float64],
    spreads: NDArray[np.float64],
    weights: NDArray[np.float64],
    table: NDArray[np.float64],
) -> None:
    """Fit the weights again (expectation-maximisation, parts as they are), and `table` with them."""
    size = hist.shape[0]
    count = kinds.shape[0]
    cells = np.empty((count + 1, size), np.float64)
    for k in range(count):
        _part_cells(kinds[k], means[k], spreads[k], shapes, gammas, cells[k])
    cells[count] = 1.0 / size
    mass = np.empty(count + 1, np.float64)
    for _ in range(12):
        mass[:] = 0.0
        for code in range(size):
            if hist[code] <= 0:
                continue
            norm = 0.0
            for k in range(count + 1):
                norm += weights[k] * cells[k, code]
            for k in range(count + 1):
                mass[k] += hist[code] * weights[k] * cells[k, code] / norm
        mass[count] = max(mass[count], FLOOR_MIN)
        weights[:] = mass / mass.sum()
    rest = 0.0
    for k in range(count):
        weights[k] = round(weights[k] * 1e6) / 1e6
        rest += weights[k]
    weights[count] = max(1.0 - rest, 1e-6)
    weights /= rest + weights[count]
    table[:] = 0.0
    for k in range(count + 1):
        for code in range(size):
            table[code] += weights[k] * cells[k, code]


@njit(cache=True, nogil=True)
def _add_point(
    hist: NDArray[np.float64],
    price: float,
    used: int,
    kinds: NDArray[np.int64],
    means: NDArray[np.float64],
    weights: NDArray[np.float64],
    table: NDArray[np.float64],
) -> bool:
    """Add the single code that shortens the description most, if one does; the floor's weight stays last."""
    size = hist.shape[0]
    total = hist.sum()
    best = -price
    where = -1
    share = 0.0
    for code in range(size):
        seen = hist[code] / total
        if seen <= table[code] or seen <= 0.0 or table[code] >= 1.0:
            continue
        weight = round((seen - table[code]) / (1.0 - table[code]) * 1e6) / 1e6
        if weight <= 0.0 or weight >= 1.0:
            continue
        gain = hist[code] * math.log2(((1.0 - weight) * table[code] + weight) / table[code])
        gain += (total - hist[code]) * math.log2(1.0 - weight)
        if gain + best > 1e-9:
            best = -gain
            where = code
            share = weight
    if where < 0:
        return False
    for k in range(used + 1):
        weights[k] *= 1.0 - share
    weights[used + 1] = weights[used]
    weights[used] = share
    kinds[used] = POINT
    means[used] = float(where)
    for code in range(size):
        table[code] *= 1.0 - share
    table[where] += share
    return True


@njit(cache=True, nogil=True)
def fit_law(
    hist: NDArray[np.float64],
    grids: tuple[NDArray[np.float64], NDArray[np.float64]],
    gammas: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    most: int,
    prices: NDArray[np.float64],
    out_kinds: NDArray[np.int64],
    out_means: NDArray[np.float64],
    out_spreads: NDArray[np.float64],
    out_weights: NDArray[np.float64],
    out_table: NDArray[np.float64],
) -> int:
    """Fit a mixture and the floor to a histogram, keeping families and number of parts of the smallest codelength.

    Normals are fitted by expectation-maximisation, one more at a time; each may then become a gamma law or a single
    code; at last single codes are added while they pay.

    Parameters
    ----------
    hist
        Weighted counts of the codes.
    grids
        Allowed standard deviations, coarse (with means on half integers) and fine (with means on eighths), ascending.
    gammas
        Allowed shapes of gamma laws, and `delays.gamma_cells`.
    most
        Most normals and gamma laws.
    prices
        Bits of a coarse normal or gamma law, of a fine normal, and of a single code; each weight costs half the log of
        the number of values besides.
    out_kinds, out_means, out_spreads, out_weights, out_table
        Room for the parts (kind, mean or code, deviation or shape), one more weight (the floor last after the used
        ones), and P(code).

    Returns
    -------
    int
        Number of parts.
    """
    size = hist.shape[0]
    total = hist.sum()
    weight_bits = 0.5 * math.log2(total + 1.0)
    table = np.full(size, 1.0 / size)
    out_table[:] = table
    out_weights[0] = 1.0
    best_bits = _histogram_bits(hist, table)
    best = 0
    if total <= 0:
        return 0
    means = np.empty(most, np.float64)
    sds = np.empty(most, np.float64)
    weights = np.empty(most + 1, np.float64)
    mean = 0.0
    square = 0.0
    for code in range(size):
        mean += hist[code] * code
        square += hist[code] * code * code
    mean /= total
    means[0] = mean
    sds[0] = max(math.sqrt(max(square / total - mean * mean, 0.0)), grids[0][0])
    weights[0] = 1.0 - 0.5 / (total + 1.0)
    weights[1] = 0.5 / (total + 1.0)
    for count in range(1, most + 1):
        if count > 1:
            means[count - 1] = _most_missed(hist, table)
            sds[count - 1] = 2.0
            for k in range(count - 1):
                weights[k] *= 0.75
            weights[count] = weights[count - 1] * 0.75 + 1e-6
            weights[count - 1] = 0.25
        _expectation_maximisation(hist, means[:count], sds[:count], weights[: count + 1], grids[0][0], 40)
        for fine in range(2):
            steps = 8.0 if fine else 2.0
            kinds = np.full(count, NORMAL, np.int64)
            q_means = np.empty(count, np.float64)
            q_sds = np.empty(count, np.float64)
            for k in range(count):
                q_means[k] = min(max(round(means[k] * steps) / steps, 0.0), size - 1.0)
                q_sds[k] = _nearest(sds[k], grids[fine])
            law_probabilities(q_means, q_sds, weights[: count + 1], table)
            own = table.copy()
            bits = _histogram_bits(hist, own) + count * weight_bits
            bits = _other_families(
                hist, gammas[0], gammas[1], gammas[2], prices[fine], prices, kinds, q_means, q_sds, weights, own, bits
            )
            part_weights = weights[: count + 1].copy()
            if (kinds != NORMAL).any():
                bits -= _histogram_bits(hist, own)
                _reweighted(hist, gammas[0], gammas[1], kinds, q_means, q_sds, part_weights, own)
                bits += _histogram_bits(hist, own)
            if bits < best_bits - 1e-9:
                best_bits = bits
                best = count
                out_kinds[:count] = kinds
                out_means[:count] = q_means
                out_spreads[:count] = q_sds
                out_weights[: count + 1] = part_weights
                out_table[:] = own
        if count > best + 1:
            break
    while best < out_kinds.shape[0]:
        if not _add_point(hist, prices[2] + weight_bits, best, out_kinds, out_means, out_weights, out_table):
            break
        out_spreads[best] = 0.0
        best += 1
    return best


@njit(cache=True, nogil=True)
def sum_law(
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    added: NDArray[np.int32],
    least: float,
    out: NDArray[np.float64],
) -> None:
    """-log2 P of the sum of two delays; ``added[a, b]`` is the code of the sum of two codes.

    Codes of a probability up to `least` are left out and their mass is spread evenly, so that all still sum to one.
    """
    codes = one.shape[0]
    support = np.empty(codes, np.int64)
    found = 0
    for code in range(codes):
        if other[code] > least:
            support[found] = code
            found += 1
    out[:] = 0.0
    mass = 0.0
    for code in range(codes):
        if one[code] <= least:
            continue
        for k in range(found):
            share = one[code] * other[support[k]]
            out[added[code, support[k]]] += share
            mass += share
    rest = max(1.0 - mass, 1e-6) / codes
    scale = 1.0 / (mass + rest * codes)
    for code in range(codes):
        out[code] = -np.log2((out[code] + rest) * scale)


@njit(cache=True, nogil=True)
def sum_laws(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    probability: NDArray[np.float64],
    added: NDArray[np.int32],
    least: float,
    out: NDArray[np.float64],
) -> None:
    """`sum_law` of each pair of rows of `probability`, into the rows of `out`."""
    for pair in range(first.shape[0]):
        sum_law(probability[first[pair]], probability[second[pair]], added, least, out[pair])
