"""Compiled conditional sampling: the backward table over packet counts and the walks that follow it.

Tests hold both against enumeration of all paths of small automata.
"""

import numpy as np
from numba import njit

NEVER = -np.inf


@njit(cache=True, nogil=True)
def _mix(value):
    """Scramble 64 bits (the finaliser of splitmix64, Steele et al. 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def backward(first, target, way, log_p, final, most, beta):
    """Fill ``beta[f, b, q]`` = log of the probability that a run from q ends after exactly f and b packets more.

    Parameters: transitions of location q are ``first[q]:first[q + 1]``; `way` 0 forward, 1 backward, 2 the end marker,
    3 never taken; `log_p` natural logarithms; cells with f + b > `most` are left at -inf.
    """
    locations = len(first) - 1
    widest = 1
    for q in range(locations):
        widest = max(widest, first[q + 1] - first[q])
    term = np.empty(widest, np.float64)
    for total in range(min(most, beta.shape[0] + beta.shape[1] - 2) + 1):
        for f in range(max(0, total - beta.shape[1] + 1), min(total, beta.shape[0] - 1) + 1):
            b = total - f
            for q in range(locations):
                if q == final:
                    beta[f, b, q] = 0.0 if total == 0 else NEVER
                    continue
                best = NEVER
                low = first[q]
                for e in range(low, first[q + 1]):
                    value = NEVER
                    if way[e] == 2:
                        if total == 0:
                            value = log_p[e]
                    elif way[e] == 0:
                        if f > 0:
                            value = log_p[e] + beta[f - 1, b, target[e]]
                    elif way[e] == 1 and b > 0:
                        value = log_p[e] + beta[f, b - 1, target[e]]
                    term[e - low] = value
                    best = max(best, value)
                if best == NEVER:
                    beta[f, b, q] = NEVER
                    continue
                mass = 0.0
                for e in range(low, first[q + 1]):
                    mass += np.exp(term[e - low] - best)
                beta[f, b, q] = best + np.log(mass)


@njit(cache=True, nogil=True)
def _horizon(fwd, bwd, most, rows, columns):
    """The counts to look ahead to: as they are within the table, else shrunk to its edge in proportion."""
    if fwd + bwd <= most and fwd < rows and bwd < columns:
        return fwd, bwd
    share = min(most / (fwd + bwd), 1.0)
    if fwd > 0:
        share = min(share, (rows - 1) / fwd)
    if bwd > 0:
        share = min(share, (columns - 1) / bwd)
    near_f, near_b = np.int64(fwd * share), np.int64(bwd * share)
    # a direction that is still to come keeps a packet at least
    if fwd > 0 and near_f == 0 and rows > 1:
        near_f = 1
        near_b = min(near_b, most - 1)
    if bwd > 0 and near_b == 0 and columns > 1:
        near_b = 1
        near_f = min(near_f, most - 1)
    return near_f, near_b


@njit(cache=True, nogil=True)
def _weigh(at, fwd, bwd, first, target, way, log_p, beta, near_f, near_b, shift, weight):
    """Weights of the transitions at a location, looking ahead to (near_f, near_b) + shift; returns their sum."""
    best = NEVER
    low = first[at]
    for e in range(low, first[at + 1]):
        value = NEVER
        f = near_f + shift - (1 if way[e] == 0 else 0)
        b = near_b - (1 if way[e] == 1 else 0)
        possible = (way[e] == 0 and fwd > 0) or (way[e] == 1 and bwd > 0)
        if possible and 0 <= f < beta.shape[0] and 0 <= b < beta.shape[1]:
            value = log_p[e] + beta[f, b, target[e]]
        weight[e - low] = value
        best = max(best, value)
    total = 0.0
    for e in range(low, first[at + 1]):
        weight[e - low] = 0.0 if best == NEVER else np.exp(weight[e - low] - best)
        total += weight[e - low]
    return total


@njit(cache=True, nogil=True)
def walk_to_counts(first, target, way, log_p, initial, most, beta, fwd, bwd, seeds, starts, path, made):
    """Walk once per wanted pair of counts, by the law of the automaton given these counts.

    Within the table the walk is exact: transition e is taken with p(e) beta(next) / beta(here). Beyond it every step
    looks ahead to the counts left shrunk to the table's edge, and the walk becomes exact when what is left fits.

    Parameters: `fwd`, `bwd` wanted; ``starts[i]`` where the packets of walk i go in `path` (room for fwd + bwd);
    ``made[i]`` becomes the number of packets walked: fwd + bwd, or fewer where no transition was left.
    """
    widest = 1
    for q in range(len(first) - 1):
        widest = max(widest, first[q + 1] - first[q])
    weight = np.empty(widest, np.float64)
    for i in range(len(fwd)):
        state = _mix(seeds[i] ^ np.uint64(0x9FB21C651E98DF25))
        made[i] = _follow(
            initial, fwd[i], bwd[i], starts[i], state, first, target, way, log_p, most, beta, weight, path
        )


@njit(cache=True, nogil=True)
def _follow(at, left_f, left_b, start, state, first, target, way, log_p, most, beta, weight, path):
    """Walk from location `at` until (left_f, left_b) packets are made or no transition is left; returns how many."""
    rows, columns = beta.shape[0], beta.shape[1]
    place = start
    while left_f + left_b > 0:
        near_f, near_b = _horizon(left_f, left_b, most, rows, columns)
        total = 0.0
        # where the shrunk counts have the wrong parity for this automaton a neighbour has the right one
        for shift in (0, -1, 1, -2, 2):
            if shift != 0 and near_f == left_f and near_b == left_b:
                break
            total = _weigh(at, left_f, left_b, first, target, way, log_p, beta, near_f, near_b, shift, weight)
            if total > 0.0:
                break
        if total <= 0.0:
            break
        state += np.uint64(0x9E3779B97F4A7C15)
        draw = np.float64(_mix(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0) * total
        edge = first[at]
        last = edge
        for e in range(first[at], first[at + 1]):
            if weight[e - first[at]] > 0.0:
                last = e
                draw -= weight[e - first[at]]
                if draw < 0.0:
                    break
        edge = last
        path[place] = edge
        place += 1
        if way[edge] == 0:
            left_f -= 1
        else:
            left_b -= 1
        at = target[edge]
    return place - start


@njit(cache=True, nogil=True)
def walk_far(
    first, target, way, log_p, most, beta, cumulative, odds, best, left, fwd, bwd, seed, start, budget, path
):  # fmt: skip
    """One run beyond the table, exactly; see `netsynth_core.models.automata.conditioning.tilting`.

    Parameters: `cumulative`, `odds`, `best` of the tilt; `left` packets are left to the table; `budget` most steps of
    all walks together. Returns the packets made: fwd + bwd, or 0 when the budget is spent.
    """
    widest = 1
    for q in range(len(first) - 1):
        widest = max(widest, first[q + 1] - first[q])
    weight = np.empty(widest, np.float64)
    state = _mix(seed ^ np.uint64(0x6C62272E07BB0142))
    far = fwd + bwd - left
    spent = 0
    while spent < budget:
        at = np.int64(0)
        f, b = fwd, bwd
        place = start
        while place - start < far and f >= 0 and b >= 0:
            low, high = first[at], first[at + 1]
            state += np.uint64(0x9E3779B97F4A7C15)
            draw = np.float64(_mix(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0) * cumulative[high - 1]
            e = low
            while e < high - 1 and draw >= cumulative[e]:
                e += 1
            if way[e] == 2:
                break
            path[place] = e
            place += 1
            if way[e] == 0:
                f -= 1
            else:
                b -= 1
            at = target[e]
        spent += place - start + 1
        if place - start < far or f < 0 or b < 0:
            continue
        state += np.uint64(0x9E3779B97F4A7C15)
        draw = np.float64(_mix(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)
        if draw < np.exp(odds[f, at] - best):
            more = _follow(at, f, b, place, state, first, target, way, log_p, most, beta, weight, path)
            return far + more
    return 0
