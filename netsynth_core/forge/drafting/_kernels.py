"""Compiled drafting of default conversations; the rules are told in `netsynth_core.forge.drafting.defaults`.

Promises that tests check for every state and count: the packets of each direction are as many as asked, and where the
bytes can be reached with segments within the limit they are reached exactly.
"""

import numpy as np
from numba import njit

from netsynth_core.forge._kernels import mix

FIN = 1
SYN = 2
RST = 4
PSH = 8
ACK = 16
S0, S1, SF, REJ, S2, S3, RSTO, RSTR, RSTOS0, RSTRH, SH, SHR, OTH = range(13)


@njit(cache=True, nogil=True)
def uniform(state):
    """The next number of a stream, 0 <= u < 1; `state` is one 64-bit word, changed in place (splitmix64)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    return np.float64(mix(state[0]) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def _put(direction, flags, at, way, bits):
    direction[at] = way
    flags[at] = bits
    return at + 1


@njit(cache=True, nogil=True)
def _only_opening(state, fwd, bwd, direction, flags, at):
    """Flows that never got past the opening; returns 0 when the counts do not fit."""
    if state == S0 and bwd == 0 and fwd > 0:
        for _ in range(fwd):
            at = _put(direction, flags, at, 0, SYN)
        return 1
    if state == REJ and fwd > 0 and bwd > 0:
        for _ in range(fwd):
            at = _put(direction, flags, at, 0, SYN)
        for _ in range(bwd):
            at = _put(direction, flags, at, 1, RST | ACK)
        return 1
    if state in (RSTOS0, SH) and bwd == 0 and fwd > 1:
        for _ in range(fwd - 1):
            at = _put(direction, flags, at, 0, SYN)
        _put(direction, flags, at, 0, RST if state == RSTOS0 else FIN | ACK)
        return 1
    if state in (RSTRH, SHR) and fwd == 0 and bwd > 1:
        for _ in range(bwd - 1):
            at = _put(direction, flags, at, 1, SYN | ACK)
        _put(direction, flags, at, 1, RST if state == RSTRH else FIN | ACK)
        return 1
    return 0


@njit(cache=True, nogil=True)
def _closing(state, fwd, bwd, responder_first, ways, bits):
    """The last packets of a connection within `fwd` and `bwd` packets; returns their number."""
    n = 0
    if state == SF and fwd > 0 and bwd > 0:
        first = 1 if responder_first else 0
        n = _put(ways, bits, n, first, FIN | ACK)
        n = _put(ways, bits, n, 1 - first, FIN | ACK)
        if (fwd if first == 0 else bwd) > 1:
            n = _put(ways, bits, n, first, ACK)
    elif state == S2 and fwd > 0:
        n = _put(ways, bits, n, 0, FIN | ACK)
        if bwd > 1:
            n = _put(ways, bits, n, 1, ACK)
    elif state == S3 and bwd > 0:
        n = _put(ways, bits, n, 1, FIN | ACK)
        if fwd > 1:
            n = _put(ways, bits, n, 0, ACK)
    elif state == RSTO and fwd > 0:
        n = _put(ways, bits, n, 0, RST | ACK)
    elif state == RSTR and bwd > 0:
        n = _put(ways, bits, n, 1, RST | ACK)
    return n


@njit(cache=True, nogil=True)
def draft_tcp(state, handshake, fwd, bwd, responder_first, direction, flags):
    """Directions and flags of a TCP flow. Returns (first, stop) of the middle, which carries the data."""
    if _only_opening(state, fwd, bwd, direction, flags, 0):
        return fwd + bwd, fwd + bwd
    ways = np.zeros(3, np.uint8)
    bits = np.zeros(3, np.uint8)
    opened = handshake and state != OTH and fwd > 0 and bwd > 0
    # a connection that cannot both open and close in so few packets was joined in the middle
    if opened and state != S1:
        opened = _closing(state, fwd - 1, bwd - 1, responder_first, ways, bits) > 0
    rest = np.array([fwd, bwd], np.int64)
    at = 0
    if opened:
        at = _put(direction, flags, at, 0, SYN)
        at = _put(direction, flags, at, 1, SYN | ACK)
        rest -= 1
    closing = _closing(state, rest[0], rest[1], responder_first, ways, bits)
    for c in range(closing):
        rest[ways[c]] -= 1
    if opened and rest[0] > 0:
        at = _put(direction, flags, at, 0, ACK)
        rest[0] -= 1
    low = at
    at = interleave(rest[0], rest[1], direction, at)
    for k in range(low, at):
        flags[k] = ACK
    for c in range(closing):
        direction[at + c] = ways[c]
        flags[at + c] = bits[c]
    return low, at


@njit(cache=True, nogil=True)
def interleave(fwd, bwd, direction, at):
    """Lay `fwd` and `bwd` packets evenly through each other, the originator first; returns the end."""
    done_f = 0
    done_b = 0
    while done_f < fwd or done_b < bwd:
        if done_b >= bwd or (done_f < fwd and (2 * done_f + 1) * bwd <= (2 * done_b + 1) * fwd):
            direction[at] = 0
            done_f += 1
        else:
            direction[at] = 1
            done_b += 1
        at += 1
    return at


@njit(cache=True, nogil=True)
def spread_bytes(total, least, limit, chosen, count, size, weights):
    """Share `total` payload bytes over the chosen packets, each `least` to `limit`, exactly where possible."""
    whole = 0.0
    for c in range(count):
        whole += weights[c]
    left = total
    for c in range(count):
        share = np.int64(total * weights[c] / whole)
        share = min(max(share, least), limit)
        size[chosen[c]] = share
        left -= share
    for c in range(count):
        if left == 0:
            break
        now = np.int64(size[chosen[c]])
        change = min(left, limit - now) if left > 0 else max(left, least - now)
        size[chosen[c]] = now + change
        left -= change


@njit(cache=True, nogil=True)
def _size_tcp(way, low, stop, end, total, limit, direction, flags, size, chosen, weights, stream):
    """Choose the data packets of one direction and their sizes; `total` < 0 = unknown."""
    available = 0
    for k in range(low, stop):
        if direction[k] == way:
            chosen[available] = k
            available += 1
    if total > available * limit:
        # the FIN carries data where the packets before it cannot carry all
        for k in range(stop, end):
            if direction[k] == way and flags[k] & FIN:
                chosen[available] = k
                available += 1
    if available == 0 or total == 0:
        return
    if total < 0:
        total = np.int64(((available + 1) // 2) * (80 + 400 * uniform(stream)))
    count = min(available, max((total + limit - 1) // limit, (available + 1) // 2))
    count = min(count, total)
    for c in range(count):
        # spread the data packets evenly over those of the direction
        chosen[c] = chosen[c * available // count]
        weights[c] = 0.4 + uniform(stream)
    spread_bytes(total, 1, limit, chosen, count, size, weights)
    for c in range(count):
        if size[chosen[c]] < limit:
            flags[chosen[c]] |= PSH


@njit(cache=True, nogil=True)
def cap_gaps(gap, first, stop, longest):
    """Cut gaps to `longest` and give what they lose to the others, so that their sum stays; where that is possible."""
    total = np.int64(0)
    for k in range(first + 1, stop):
        total += gap[k]
    if total >= longest * (stop - first - 1):
        return
    excess = np.int64(0)
    for k in range(first + 1, stop):
        if gap[k] > longest:
            excess += gap[k] - longest
            gap[k] = longest
    while excess > 0:
        free = 0
        for k in range(first + 1, stop):
            if gap[k] < longest:
                free += 1
        share = max(excess // free, np.int64(1))
        for k in range(first + 1, stop):
            more = min(share, longest - gap[k], excess)
            gap[k] += more
            excess -= more


@njit(cache=True, nogil=True)
def longest_gap(tcp):
    """The longest silence (ns) that does not end a flow, by the idle timeouts readers use: 300 s for TCP, else 60 s."""
    return np.int64(290_000_000_000) if tcp else np.int64(58_000_000_000)


@njit(cache=True, nogil=True)
def _pause(direction, flags, size, first, stop, duration, gap, stream):
    """Gaps that sum up to `duration` ns; < 0 = unknown. Handshakes and answers come soon, requests take their time."""
    whole = 0.0
    gap[first] = 0
    for k in range(first + 1, stop):
        weight = 0.05 - np.log(1.0 - uniform(stream))
        if flags[k] & SYN and flags[k - 1] & SYN and direction[k] == direction[k - 1]:
            weight = 3.0
        elif flags[k - 1] & SYN or direction[k] != direction[k - 1] or flags[k] & FIN:
            weight *= 0.2
        elif flags[k] and size[k] == 0:
            weight *= 0.05
        gap[k] = np.int64(weight * 1e7)
        whole += gap[k]
    if duration < 0 or stop - first < 2:
        return
    left = duration
    for k in range(first + 1, stop):
        share = np.int64(gap[k] / whole * duration)
        gap[k] = share
        left -= share
    gap[stop - 1] += left


@njit(cache=True, nogil=True)
def draft_defaults(
    rows, seed, proto, state, handshake, fwd, bwd, total_bytes, duration,
    syn_length, later_length, plain_length, limit, draft,
):  # fmt: skip
    """Draft the default conversations of the flows `rows` into their slices of `draft`.

    `total_bytes` (n, 2) IP bytes or -1; `duration` ns or -1; `plain_length` header bytes of a segment without options,
    or of a datagram.
    """
    stream = np.zeros(1, np.uint64)
    for f in rows:
        first, stop = draft.offsets[f], draft.offsets[f + 1]
        stream[0] = mix(seed[f] ^ np.uint64(0xD1B54A32D192ED03))
        direction, flags, size = draft.direction[first:stop], draft.flags[first:stop], draft.size[first:stop]
        n = stop - first
        chosen = np.zeros(n, np.int64)
        weights = np.zeros(n, np.float64)
        size[:] = 0
        flags[:] = 0
        if proto[f] == 6:
            low, high = draft_tcp(state[f], handshake[f], fwd[f], bwd[f], uniform(stream) < 0.4, direction, flags)
        else:
            low, high = 0, interleave(fwd[f], bwd[f], direction, 0)
        for way in range(2):
            total = total_bytes[f, way]
            if total >= 0:
                for k in range(n):
                    if direction[k] != way:
                        continue
                    if proto[f] != 6 or flags[k] & RST:
                        total -= plain_length[f]
                    else:
                        total -= syn_length[f, way] if flags[k] & SYN else later_length[f]
                total = max(total, 0)
            if proto[f] == 6:
                _size_tcp(way, low, high, n, total, limit[f], direction, flags, size, chosen, weights, stream)
            else:
                count = 0
                for k in range(n):
                    if direction[k] == way:
                        chosen[count] = k
                        weights[count] = 1.0
                        count += 1
                if count:
                    spread_bytes(48 * count if total < 0 else total, 0, limit[f], chosen, count, size, weights)
        for k in range(first, stop):
            draft.kind[k] = 4 if draft.size[k] > 0 else 0
            draft.token[k] = -1
            draft.copy[k] = 0
        _pause(draft.direction, draft.flags, draft.size, first, stop, duration[f], draft.gap, stream)
        cap_gaps(draft.gap, first, stop, longest_gap(proto[f] == 6))
