"""Compiled shaping of drawn paths: sizes and delays from the transitions' laws, led to the flow's bytes and duration.

Promises that tests check: a size never leaves what its class allows, the order of packets stays, and gaps add up to the
duration where one is known.
"""

import numpy as np
from numba import njit

from netsynth_core.forge._kernels import mix
from netsynth_core.forge.drafting._kernels import cap_gaps, longest_gap, uniform

SYN = 2
RST = 4
TRIES = 4


@njit(cache=True, nogil=True)
def _headers(draft, first, stop, way, tcp, syn_length, later_length, plain_length):
    """Header bytes above Ethernet of the packets of one direction."""
    total = np.int64(0)
    for k in range(first, stop):
        if draft.direction[k] == way:
            if not tcp or draft.flags[k] & RST:
                total += plain_length
            else:
                total += syn_length if draft.flags[k] & SYN else later_length
    return total


@njit(cache=True, nogil=True)
def _lead_sizes(draft, edges, first, stop, way, target, limit, pool, low, high, stream):
    """Draw sizes again, one by one, while that brings their sum nearer to the target; then shift within the laws."""
    error = -target
    count = 0
    for k in range(first, stop):
        if draft.direction[k] == way:
            error += draft.size[k]
            count += 1
    for _ in range(TRIES * count):
        if error == 0:
            return
        k = first + np.int64(uniform(stream) * (stop - first))
        if draft.direction[k] != way or draft.copy[k] > 0 or high[edges[k]] == low[edges[k]]:
            continue
        size = min(pool[edges[k], np.int64(uniform(stream) * pool.shape[1])], limit)
        after = error + size - draft.size[k]
        if abs(after) < abs(error):
            draft.size[k] = size
            error = after
    for k in range(first, stop):
        if error == 0:
            return
        if draft.direction[k] != way or draft.copy[k] > 0 or draft.size[k] == 0:
            continue
        top = min(np.int64(high[edges[k]]), limit)
        size = min(max(draft.size[k] - error, np.int64(low[edges[k]])), top)
        if low[edges[k]] < top:
            error += size - draft.size[k]
            draft.size[k] = size


@njit(cache=True, nogil=True)
def _level(gap, first, stop, duration):
    """The level to which pauses are cut so that they add up to the duration."""
    low, high = 0.0, 0.0
    for k in range(first + 1, stop):
        high = max(high, np.float64(gap[k]))
    for _ in range(64):
        middle = 0.5 * (low + high)
        total = 0.0
        for k in range(first + 1, stop):
            total += min(np.float64(gap[k]), middle)
        if total > duration:
            high = middle
        else:
            low = middle
    return low


@njit(cache=True, nogil=True)
def lead_gaps(gap, first, stop, duration):
    """Make the gaps add up to `duration`: too long, and the longest pauses are cut to a common level; too short, and
    what lacks goes to them in proportion to their squares. Short answers keep their time either way."""
    if stop - first < 2:
        return
    total = np.int64(0)
    squares = 0.0
    for k in range(first + 1, stop):
        total += gap[k]
        squares += np.float64(gap[k]) * np.float64(gap[k])
    if total > duration:
        level = np.int64(_level(gap, first, stop, duration))
        total = np.int64(0)
        for k in range(first + 1, stop):
            gap[k] = min(gap[k], level)
            total += gap[k]
    elif squares > 0.0:
        lack = np.float64(duration - total)
        for k in range(first + 1, stop):
            more = np.int64(lack * (np.float64(gap[k]) * np.float64(gap[k]) / squares))
            gap[k] += more
            total += more
    longest = first + 1
    for k in range(first + 1, stop):
        if gap[k] > gap[longest]:
            longest = k
    gap[longest] = max(gap[longest] + duration - total, 0)


@njit(cache=True, nogil=True)
def _lead_delays(draft, edges, first, stop, duration, pool, stream):
    """Draw delays again, one by one, while that brings their sum nearer to the duration; then make it equal."""
    error = -duration
    for k in range(first + 1, stop):
        error += draft.gap[k]
    for _ in range(TRIES * (stop - first - 1)):
        if abs(error) * 50 <= duration:
            break
        k = first + 1 + np.int64(uniform(stream) * (stop - first - 1))
        gap = pool[edges[k], np.int64(uniform(stream) * pool.shape[1])]
        after = error + gap - draft.gap[k]
        if abs(after) < abs(error):
            draft.gap[k] = gap
            error = after
    lead_gaps(draft.gap, first, stop, duration)


@njit(cache=True, nogil=True)
def shape_paths(
    rows, edges, seed, tcp, octets, duration, syn_length, later_length, plain_length, limit,
    way, flags, kind, token, delays, sizes, low, high, draft,
):  # fmt: skip
    """Fill the slices `rows` of a draft from the transitions taken.

    Parameters: `edges` per packet of the draft; per transition `way`, `flags`, `kind`, `token`, pools of drawn `delays`
    (ns) and `sizes`, and the least and largest size `low` and `high`. ``draft.copy`` is set before; a packet that
    repeats another one has its size.
    """
    stream = np.zeros(1, np.uint64)
    for f in rows:
        first, stop = draft.offsets[f], draft.offsets[f + 1]
        stream[0] = mix(seed[f] ^ np.uint64(0x8CB92BA72F3D8DD7))
        for k in range(first, stop):
            e = edges[k]
            draft.direction[k] = way[e]
            draft.flags[k] = flags[e]
            draft.kind[k] = kind[e]
            draft.token[k] = token[e]
            size = sizes[e, np.int64(uniform(stream) * sizes.shape[1])]
            draft.size[k] = min(np.int64(size), limit[f])
            gap = delays[e, np.int64(uniform(stream) * delays.shape[1])]
            draft.gap[k] = gap if k > first else 0
        for side in range(2):
            if octets[f, side] >= 0:
                spent = _headers(
                    draft, first, stop, side, tcp[f], syn_length[f, side], later_length[f], plain_length[f]
                )
                target = max(octets[f, side] - spent, 0)
                _lead_sizes(draft, edges, first, stop, side, target, limit[f], sizes, low, high, stream)
        for k in range(first, stop):
            if draft.copy[k] > 0:
                draft.size[k] = draft.size[k - draft.copy[k]]
        if duration[f] >= 0 and stop - first > 1:
            _lead_delays(draft, edges, first, stop, duration[f], delays, stream)
        cap_gaps(draft.gap, first, stop, longest_gap(tcp[f]))
