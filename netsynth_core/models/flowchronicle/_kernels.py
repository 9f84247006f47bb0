"""Kernels of window matching: the earliest free continuation of each start, disjoint choice, gap counts.

Rows are in order of their start. Readable twins are in the tests (brute force over all rows).
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

LN2 = math.log(2.0)


@njit(cache=True, nogil=True)
def _first_above(keys: NDArray[np.int64], low: int, high: int, key: int) -> int:
    """The first place in keys[low:high] (ascending) whose key is > `key`."""
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] <= key:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _group_of(refs: NDArray[np.int64], rows: NDArray[np.int64], codes: NDArray[np.int32], hosts: int) -> int:
    """The addresses that a flow reuses, folded into one number."""
    group = np.int64(0)
    for m in range(refs.shape[0]):
        if refs[m, 0] >= 0:
            group = group * hosts + codes[rows[refs[m, 0]], refs[m, 1]]
    return int(group)


@njit(cache=True, nogil=True)
def find_windows(
    starts: NDArray[np.int64],
    keys: NDArray[np.int64],
    offsets: NDArray[np.int64],
    refs: NDArray[np.int64],
    limits: NDArray[np.int64],
    codes: NDArray[np.int32],
    ts: NDArray[np.int64],
    hosts: int,
    claimed: NDArray[np.bool_],
    windows: NDArray[np.int64],
) -> int:
    """For each unclaimed start the window with the earliest unclaimed rows, into `windows` (rows x flows); their
    number.

    Flow j >= 1 has the keys ``keys[offsets[j]:offsets[j + 1]]``: (addresses it reuses, folded) * rows + row, ascending.
    ``refs[j, m]`` is (earlier flow, column) of the m-th reused cell, -1 when there is none. Blocked or missing
    continuations are backed out of, flow by flow; at most 256 steps are spent on one start.
    """
    n = codes.shape[0]
    k = offsets.shape[0] - 1
    found = 0
    place = np.zeros(k, np.int64)
    end = np.zeros(k, np.int64)
    rows = np.zeros(k, np.int64)
    for s in range(starts.shape[0]):
        if claimed[starts[s]]:
            continue
        rows[0] = starts[s]
        j = 1
        fresh = True
        steps = 0
        while 0 < j < k and steps < 256:
            if fresh:
                group = _group_of(refs[j], rows, codes, hosts)
                place[j] = _first_above(keys, offsets[j], offsets[j + 1], group * n + rows[j - 1])
                end[j] = (group + 1) * n
                fresh = False
            steps += 1
            here = -1
            while place[j] < offsets[j + 1] and keys[place[j]] < end[j]:
                row = keys[place[j]] % n
                if ts[row] - ts[rows[j - 1]] >= limits[j - 1]:
                    break
                place[j] += 1
                if not claimed[row]:
                    here = row
                    break
            if here >= 0:
                rows[j] = here
                j += 1
                fresh = True
            else:
                j -= 1
        if j == k:
            for i in range(k):
                windows[found, i] = rows[i]
            found += 1
    return found


@njit(cache=True, nogil=True)
def claim(windows: NDArray[np.int64], order: NDArray[np.int64], claimed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take the windows in `order`, each unless one of its rows is claimed already; marks what it takes."""
    taken = np.zeros(windows.shape[0], np.bool_)
    for w in order:
        clear = True
        for i in range(windows.shape[1]):
            if claimed[windows[w, i]]:
                clear = False
                break
        if clear:
            taken[w] = True
            for i in range(windows.shape[1]):
                claimed[windows[w, i]] = True
    return taken


@njit(cache=True, nogil=True)
def gap_counts(
    before: NDArray[np.int64], after: NDArray[np.int64], ts: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    """Add to ``counts[bin, 0]`` the delays of the gaps before -> after, to ``counts[bin, 1]`` those of the rows
    between.

    Bin 0 is a delay below 1 microsecond, bin b below 2**b.
    """
    last = counts.shape[0] - 1
    for w in range(before.shape[0]):
        start = ts[before[w]]
        row = before[w] + 1
        stop = after[w]
        bin_ = 0
        while row < stop and bin_ < last:
            bound = start + (np.int64(1000) << bin_)
            low = row
            if stop - row > 16:
                high = stop
                while low < high:
                    middle = (low + high) >> 1
                    if ts[middle] < bound:
                        low = middle + 1
                    else:
                        high = middle
            else:
                while low < stop and ts[low] < bound:
                    low += 1
            counts[bin_, 1] += low - row
            row = low
            bin_ += 1
        if row < stop:
            counts[last, 1] += stop - row
        delay = (ts[stop] - start) // 1000
        bin_ = 0
        while delay > 0 and bin_ < last:
            delay >>= 1
            bin_ += 1
        counts[bin_, 0] += 1


@njit(cache=True, nogil=True)
def pair_counts(
    first: NDArray[np.int64],
    gain: NDArray[np.float64],
    keys: NDArray[np.int64],
    group: NDArray[np.int64],
    ts: NDArray[np.int64],
    free: NDArray[np.bool_],
    other: NDArray[np.float64],
    bound: NDArray[np.int64],
    forward: bool,
    sums: NDArray[np.float64],
) -> None:
    """Hits by delay of the nearest free partner of each row of `first`: ``sums[bin] += (1, gain, rows between)``.

    ``keys`` are group * rows + row of the partners, ascending; ``group[i]`` is the group that partners of ``first[i]``
    are in. `forward` looks for the next partner, below row ``bound[i]``, otherwise for the one before. The gain of a
    hit is ``gain[i]`` plus ``other[partner]``.
    """
    n = ts.shape[0]
    bins = sums.shape[0]
    step = 1 if forward else -1
    for i in range(first.shape[0]):
        row = first[i]
        key = group[i] * n + row
        at = _first_above(keys, 0, keys.shape[0], key)
        if not forward:
            at -= 1
            if at >= 0 and keys[at] == key:
                at -= 1
        tries = 0
        while 0 <= at < keys.shape[0] and keys[at] // n == group[i] and tries < 16:
            partner = keys[at] % n
            if forward and partner >= bound[i]:
                break
            if free[partner]:
                delay = abs(ts[partner] - ts[row]) // 1000
                bin_ = 0
                while delay > 0 and bin_ < bins - 1:
                    delay >>= 1
                    bin_ += 1
                sums[bin_, 0] += 1.0
                sums[bin_, 1] += gain[i] + other[partner]
                sums[bin_, 2] += abs(partner - row) - 1
                break
            at += step
            tries += 1


@njit(cache=True, nogil=True)
def _kt_nats(count: float) -> float:
    """ln of the rising factorial of 1/2."""
    return math.lgamma(count + 0.5) - math.lgamma(0.5)


@njit(cache=True, nogil=True)
def limit_gains(
    sums: NDArray[np.float64],
    starts: NDArray[np.int64],
    spent: NDArray[np.int64],
    least: int,
    gains: NDArray[np.float64],
) -> None:
    """Bits saved under each gap limit: what the hits save, less their continuations and the change of the labels.

    ``sums[bin]`` holds hits, bits saved and rows passed over; `starts` the windows by label so far, of which each hit
    spends `spent`. ``gains[w]`` is -inf where bin w adds no hit or there are fewer than `least`.
    """
    labels = starts.shape[0]
    before = math.lgamma(starts.sum() + labels / 2) - math.lgamma(labels / 2)
    for label in range(labels):
        before -= _kt_nats(starts[label])
    hits, saved, asked = 0.0, 0.0, 0.0
    for within in range(sums.shape[0]):
        yes, no = sums[within, 0], sums[within, 2]
        hits += yes
        saved += sums[within, 1]
        asked += math.lgamma(yes + no + 1.0) - _kt_nats(yes) - _kt_nats(no)
        gains[within] = -np.inf
        if hits < least or yes == 0.0:
            continue
        total = hits
        after = -_kt_nats(hits)
        for label in range(labels):
            count = max(starts[label] - hits * spent[label], 0.0)
            total += count
            after -= _kt_nats(count)
        after += math.lgamma(total + (labels + 1) / 2) - math.lgamma((labels + 1) / 2)
        gains[within] = saved - (asked + after - before) / LN2
