"""Compiled loops of generating; each has a readable twin in the tests."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _level_of(value, begin, end, levels, values, threshold, shape, scale, most):
    """Share of a code's law below `value` (its points are begin..end - 1; scale 0 = no tail)."""
    last = end - 1
    if value > values[last]:
        if scale <= 0.0:
            return 1.0
        whole = _tail_share(most - values[last], shape, scale)
        part = _tail_share(min(value, most) - values[last], shape, scale)
        return threshold + (1.0 - threshold) * part / whole
    if value <= values[begin]:
        return 0.0
    low, high = begin, last
    while high - low > 1:
        middle = (low + high) // 2
        if values[middle] < value:
            low = middle
        else:
            high = middle
    left, right = float(values[low]), float(values[high])
    if left > 0.0:
        share = np.log(value / left) / np.log(right / left)
    else:
        share = (value - left) / (right - left)
    return levels[low] + share * (levels[high] - levels[low])


@njit(cache=True, nogil=True)
def _tail_share(excess, shape, scale):
    """Share of a generalised Pareto law up to an excess."""
    if abs(shape) < 1e-9:
        return 1.0 - np.exp(-excess / scale)
    inside = 1.0 + shape * excess / scale
    if inside <= 0.0:
        return 1.0
    return 1.0 - inside ** (-1.0 / shape)


@njit(cache=True, nogil=True)
def draw_quantiles(rows, uniform, offsets, levels, values, tail, step, low, high, out):
    """See `NumberLaw.draw`; `tail` is (shape, scale, most) of the last code, scale 0 when it has none."""
    codes = len(offsets) - 1
    for i in range(len(rows)):
        row = rows[i]
        begin, end = offsets[row], offsets[row + 1]
        shape, scale, most = tail[0], tail[1], tail[2]
        if row != codes - 1:
            scale = 0.0
        threshold = levels[end - 1] if scale > 0.0 else 1.0
        first, last = values[begin], values[end - 1]
        top = float(last) if scale <= 0.0 else most
        u = uniform[i]
        if low[i] > first or high[i] < top:
            under = _level_of(low[i] - 0.5, begin, end, levels, values, threshold, shape, scale, most)
            over = _level_of(high[i] + 0.5, begin, end, levels, values, threshold, shape, scale, most)
            if over <= under:
                # none of the law lies inside: the limit that is nearest to it
                out[i] = high[i] if first > high[i] else low[i]
                continue
            u = under + u * (over - under)
        if scale > 0.0 and u >= threshold:
            whole = _tail_share(most - last, shape, scale)
            q = (u - threshold) / (1.0 - threshold) * whole
            if abs(shape) < 1e-9:
                drawn = last - scale * np.log1p(-q)
            else:
                drawn = last + scale * ((1.0 - q) ** (-shape) - 1.0) / shape
            drawn = min(drawn, most)
            bottom, limit = last, np.int64(most)
        else:
            at, right = begin, end - 1
            while right - at > 1:
                middle = (at + right) // 2
                if levels[middle] <= u:
                    at = middle
                else:
                    right = middle
            bottom, limit = values[at], values[right]
            if bottom == limit:
                drawn = float(bottom)
            else:
                share = (u - levels[at]) / (levels[right] - levels[at]) if levels[right] > levels[at] else 0.0
                if bottom > 0:
                    drawn = bottom * (limit / bottom) ** share
                else:
                    drawn = bottom + (limit - bottom) * share
        value = np.int64(np.rint(drawn / step)) * step
        value = min(max(value, bottom), limit)
        out[i] = min(max(value, low[i]), high[i])


@njit(cache=True, nogil=True)
def _unclaimed(key, keys, starts, members, heads, earliest, parent):
    """The next member of a bucket after window `earliest` that follows none; -1 when there is none left."""
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    if low == len(keys) or keys[low] != key:
        return -1
    at = heads[low]
    while at < starts[low + 1] and (members[at] <= earliest or parent[members[at]] >= 0):
        at += 1
    heads[low] = at
    return members[at] if at < starts[low + 1] else -1


@njit(cache=True, nogil=True)
def follow(pattern, link_starts, child, share, pair_share, hosts, base, near, far, uniform, pair_uniform,
           keys, starts, members, heads, pair_keys, pair_starts, pair_members, pair_heads, parent, link):  # fmt: skip
    """Choose which window follows which: `parent` and `link` (-1 = none) of each; see `chains.follow_windows`.

    A window is followed only by later ones (the order is random), so that nothing follows itself.
    """
    for i in range(len(pattern)):
        first = link_starts[pattern[i]]
        for k in range(first, link_starts[pattern[i] + 1]):
            at = base[i] + k - first
            if uniform[at] >= share[at]:
                continue
            key = child[k] * hosts + near[at]
            chosen = -1
            if pair_uniform[at] < pair_share[k]:
                chosen = _unclaimed(key * hosts + far[at], pair_keys, pair_starts, pair_members, pair_heads, i, parent)
            if chosen < 0:
                chosen = _unclaimed(key, keys, starts, members, heads, i, parent)
            if chosen >= 0:
                parent[chosen] = i
                link[chosen] = k


@njit(cache=True, nogil=True)
def start_after(parent, after, starts):
    """Set the start of each window that follows one (parent >= 0) to that one's plus `after`; parents come first."""
    for i in range(len(parent)):
        if parent[i] >= 0:
            starts[i] = starts[parent[i]] + after[i]
