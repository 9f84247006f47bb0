"""Which addresses act as one machine: an IPv6 and an IPv4 address that take turns.

A client asks for a name over IPv6 and connects over IPv4; a resolver is asked over the one and asks on over the other.
Trains of windows of one machine are broken unless the two addresses are known to be one. They are told apart from mere
company by exclusiveness: among the addresses of the other version that are touched up to `TURN` before y starts a flow,
x has the largest share of x's touches and y's starts (counts squared over the product of the totals), and y the largest
for x; and their count exceeds chance (Poisson, by more nats than the logarithm of the number of candidates).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.support import family

Ints = NDArray[np.int64]

TURN = 20_000_000
"""ns."""
LOOK_BACK = 4
"""Flows before the start that are looked at."""
LEAST = 8
"""Turns of a pair."""


def learn_machines(ends: NDArray[np.int32], ts: Ints, hosts: Sequence[str]) -> Ints:
    """The machine of each host: its own code, or that of the address it takes turns with, the smaller of the two.

    Parameters
    ----------
    ends, ts
        Address codes of source and destination (flows x 2), and starts (ns), ascending.
    hosts
        Addresses by code.
    """
    version = np.array([_version(host) for host in hosts], np.int64)
    machine = np.arange(len(hosts), dtype=np.int64)
    if len(ts) < 2 or not ((version == 4).any() and (version == 6).any()):
        return machine
    size = len(hosts)
    source, target = ends.astype(np.int64).T
    turns = []
    for back in range(1, min(LOOK_BACK, len(ts) - 1) + 1):
        near = np.flatnonzero(ts[back:] - ts[:-back] <= TURN)
        for end in (source, target):
            x, y = end[near], source[near + back]
            other = version[x] * version[y] == 24
            turns.append(np.stack([near[other] + back, x[other], y[other]]))
    found = np.concatenate(turns, axis=1)
    # an address that is touched twice before a start counts once
    row_and_x = np.unique(found[0] * size + found[1])
    x, y = row_and_x % size, source[row_and_x // size]
    pairs, counts = np.unique(x * size + y, return_counts=True)
    touches = np.bincount(source, minlength=size) + np.bincount(target[target != source], minlength=size)
    starts = np.bincount(source, minlength=size)
    px, py = np.divmod(pairs, size)
    chance = touches[px] * starts[py] * (TURN / max(int(ts[-1] - ts[0]), 1))
    evidence = counts * np.log(counts / chance) - (counts - chance)
    sure = (counts >= LEAST) & (counts > chance) & (evidence > np.log(len(pairs) + 1) + 0.5 * np.log(counts))
    px, py, share = px[sure], py[sure], (counts**2 / (touches[px] * starts[py]))[sure]
    # either address may be the one that starts: the better direction of a pair stands for it
    low, high = np.minimum(px, py), np.maximum(px, py)
    order = np.lexsort((high, low, -share))
    taken = np.zeros(size, np.bool_)
    for a, b in zip(low[order].tolist(), high[order].tolist(), strict=True):
        # greedily by share: each address has one partner, its best that is not better paired
        if not taken[a] and not taken[b]:
            machine[b] = a
            taken[[a, b]] = True
    return machine


def _version(host: str) -> int:
    """4 or 6; 0 for names, and for addresses of one link or of groups."""
    text = host.lower()
    return 0 if text.startswith(("fe8", "fe9", "fea", "feb", "ff", "224.", "239.", "255.", "0.")) else family(host)
