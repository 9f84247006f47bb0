"""Which windows follow which: a client that opens several connections, a resolver that asks on, a host that retries.

Patterns hold what always belongs together. Beyond that, windows of one host come in trains. A link says: after flow f
of pattern a, with probability `share`, a window of pattern b begins whose first source is the source (or destination)
of that flow, after a delay drawn from the link's quantiles; and how often it goes to the flow's other end.

Learning. The first flow of each window has at most one cause: the last flow before it that touches its source. Were
the windows of b at host h to come independently at their mean rate, E of the touches of a link would be followed
within D, the time until the next touch counted; O are. With O ln(O/E) - (O - E) nats of evidence (Poisson), the limit
D (a doubling of 1 us) of most evidence is taken, and the link is kept when that exceeds ln of the number of candidates
and of limits, and half a logarithm of O. Its share is (O - E) / touches; a host that was touched often enough has one
of its own, shrunk towards that of all by `SHRINKAGE` touches. This is a cluster process with one cause an event
(Hawkes 1971); taking the nearest cause stands for the declustering of Zhuang, Ogata, Vere-Jones (2002).

Generating. The contents of all windows are drawn first, by patterns and networks alone; links only say which of them
follow which, and when. So links change no share of any value and no number of windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.columns import draw_numbers, quantile_knots
from netsynth_core.models.flowchronicle.generation.delays import DELAY_KNOTS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LIMITS = 1000 * 2 ** np.arange(0, 26, dtype=np.int64)
"""Longest delays (ns) that are tried: 1 us to 34 s."""
LEAST_FOLLOWED = 8
"""Windows a link needs."""
MOST_HOSTS = 256
SHRINKAGE = 4.0
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Link:
    """One pattern follows another at a host."""

    before: int
    """Number of the pattern that is followed, in the model's order, the empty pattern last."""
    flow: int
    """Its flow, 0-based."""
    end: int
    """Column of that flow's host that goes on: the source or the destination."""
    next: int
    """Number of the pattern that follows."""
    share: float
    """Probability after such a flow, where the host starts windows of that pattern at all."""
    pair_share: float
    """Share of those that follow which go to the other end of the flow."""
    knots: Ints
    """Quantiles of the delay (ns) from the flow's start to the first start of the window, shape (`DELAY_KNOTS`,)."""
    count: int
    """Windows that followed in training."""
    hosts: NDArray[np.int32]
    """Machines (codes, ascending) with shares of their own."""
    shares: Floats
    """Their shares, shrunk towards `share`."""


def learn_links(
    windows: Sequence[Ints], codes: NDArray[np.int32], ts: Ints, ends: tuple[int, int], machines: Ints
) -> tuple[Link, ...]:
    """The links between patterns.

    Parameters
    ----------
    windows
        Rows of each pattern's windows (windows x flows), the empty pattern's last; each row in one of them.
    codes, ts
        Flows x columns, and starts (ns), ascending.
    ends
        The columns of source and destination.
    machines
        The machine of each address code (`machines.learn_machines`).
    """
    n, hosts = len(ts), len(machines)
    ends_of = machines[codes[:, ends]]
    anchors = [(p, f, end) for p, w in enumerate(windows) for f in range(w.shape[1]) for end in range(2)]
    first_anchor = np.cumsum([0, *(2 * w.shape[1] for w in windows)])
    kind = np.empty((n, 2), np.int64)
    for p, rows in enumerate(windows):
        for f in range(rows.shape[1]):
            kind[rows[:, f], 0] = first_anchor[p] + 2 * f
            kind[rows[:, f], 1] = first_anchor[p] + 2 * f + 1
    # every touch of a host by a flow, in the order of host and row
    row = np.repeat(np.arange(n), 2)
    host = ends_of.ravel()
    # a flow from a host to itself touches it once
    real = np.ones(2 * n, np.bool_)
    real[1::2] = ends_of[:, 0] != ends_of[:, 1]
    order = np.argsort(host[real] * n + row[real], kind="stable")
    host, row = host[real][order], row[real][order]
    touch = kind.ravel()[real][order]
    until = np.full(len(row), NEVER, np.int64)
    same = host[1:] == host[:-1]
    until[:-1][same] = (ts[row[1:]] - ts[row[:-1]])[same]
    keys = host * n + row
    causes = _causes(windows, ends_of[:, 0], keys, host, n)
    return _significant(windows, ends_of, ts, ends, hosts, anchors, (host, row, touch, until), causes)


def _causes(windows: Sequence[Ints], source: Ints, keys: Ints, host: Ints, n: int) -> tuple[Ints, Ints, Ints]:
    """First row, pattern and causing touch of every window that has one."""
    first = np.concatenate([w[:, 0] for w in windows])
    pattern = np.repeat(np.arange(len(windows)), [len(w) for w in windows])
    cause = np.searchsorted(keys, source[first] * n + first) - 1
    found = cause >= 0
    found[found] = host[cause[found]] == source[first[found]]
    return first[found], pattern[found], cause[found]


def _significant(
    windows: Sequence[Ints],
    ends_of: Ints,
    ts: Ints,
    ends: tuple[int, int],
    hosts: int,
    anchors: list[tuple[int, int, int]],
    touches: tuple[Ints, Ints, Ints, Ints],
    causes: tuple[Ints, Ints, Ints],
) -> tuple[Link, ...]:
    host, row, touch, until = touches
    first, pattern, cause = causes
    delay = ts[first] - ts[row[cause]]
    patterns = len(windows)
    candidate = touch[cause] * patterns + pattern
    found, group, counts = np.unique(candidate, return_inverse=True, return_counts=True)
    span = max(int(ts[-1] - ts[0]), 1)
    by_touch = np.argsort(touch, kind="stable")
    bounds = np.searchsorted(touch[by_touch], np.arange(len(anchors) + 1))
    rates = {}
    members = np.argsort(group, kind="stable")
    cuts = np.searchsorted(group[members], np.arange(len(found) + 1))
    links = []
    for g in np.flatnonzero(counts >= LEAST_FOLLOWED):
        anchor, following = divmod(int(found[g]), patterns)
        if following not in rates:
            sources = ends_of[windows[following][:, 0], 0]
            rates[following] = np.bincount(sources, minlength=hosts) / span
        exposed = by_touch[bounds[anchor] : bounds[anchor + 1]]
        rate = rates[following][host[exposed]]
        able = rate > 0
        exposed, rate = exposed[able], rate[able]
        chosen = members[cuts[g] : cuts[g + 1]]
        limit, chance = _limit(delay[chosen], until[exposed], rate, np.log(len(found) * len(LIMITS)))
        if limit == 0:
            continue
        inside = chosen[delay[chosen] < limit]
        before, flow, end = anchors[anchor]
        other = ends_of[row[cause[inside]], 1 - end]
        pairs = ends_of[first[inside], 1] == other
        share = float(min((len(inside) - chance) / max(len(exposed), 1), 1.0))
        own, shares = _by_host(host[exposed], host[cause[inside]], share, chance / len(inside), hosts)
        links.append(
            Link(
                before,
                flow,
                ends[end],
                following,
                share,
                float(pairs.mean()),
                quantile_knots(delay[inside], DELAY_KNOTS),
                len(inside),
                own,
                shares,
            )
        )
    return tuple(links)


def _by_host(
    touched: Ints, followed: Ints, share: float, chance: float, hosts: int
) -> tuple[NDArray[np.int32], Floats]:
    """Hosts and shares of a link where a host was touched `LEAST_FOLLOWED` times, the most touched ones.

    Parameters
    ----------
    touched, followed
        Hosts of the touches, and of those that were followed.
    chance
        Share of the followers that came by chance.
    """
    size = max(int(touched.max(initial=0)) + 1, hosts)
    touches, followers = np.bincount(touched, minlength=size), np.bincount(followed, minlength=size)
    often = np.flatnonzero(touches >= LEAST_FOLLOWED)
    often = np.sort(often[np.argsort(-touches[often], kind="stable")[:MOST_HOSTS]])
    shares = (followers[often] * (1 - chance) + SHRINKAGE * share) / (touches[often] + SHRINKAGE)
    return often.astype(np.int32), np.asarray(np.clip(shares, 0.0, 1.0), np.float64)


def _limit(delays: Ints, until: Ints, rate: Floats, price: float) -> tuple[int, float]:
    """The limit (ns) of most evidence and the windows expected below it by chance; 0 where the evidence is short."""
    best, limit, chance = 0.0, 0, 0.0
    ordered, waits = np.sort(delays), np.minimum(until, LIMITS[-1])
    for most in LIMITS:
        observed = int(np.searchsorted(ordered, most))
        if observed < LEAST_FOLLOWED:
            continue
        expected = float((np.minimum(waits, most) * rate).sum())
        if observed <= expected:
            continue
        evidence = observed * np.log(observed / max(expected, 1e-9)) - (observed - expected)
        evidence -= price + 0.5 * np.log(observed)
        if evidence > best:
            best, limit, chance = float(evidence), int(most), expected
    return limit, chance


@dataclass(frozen=True, eq=False)
class Drawn:
    """Windows of one pattern whose contents are drawn."""

    codes: NDArray[np.int32]
    """Windows x flows x columns."""
    offsets: Ints
    """Starts (ns) after the first flow's, windows x flows."""
    starts: Ints
    """When each would start if it followed nothing, ns."""


def follow_windows(
    drawn: Sequence[Drawn],
    links: Sequence[Link],
    ends: tuple[int, int],
    machines: Ints,
    bound: Sequence[NDArray[np.bool_]] | None = None,
    *,
    rng: np.random.Generator,
) -> list[Ints]:
    """Starts (ns) of the windows of each pattern once links have chosen which follow which.

    Windows whose start is `bound` (to a rhythm) neither follow nor are followed. Others are gone through in random
    order. For each link of its pattern a window is followed, with the link's probability, by the next one of the right
    pattern and first source that follows none yet.
    """
    from netsynth_core.models.flowchronicle.generation._kernels import follow, start_after

    starts = [d.starts for d in drawn]
    if not links or not sum(map(len, starts)):
        return starts
    links, hosts = sorted(links, key=lambda link: link.before), len(machines)
    sizes = [len(s) for s in starts]
    order = rng.permutation(sum(sizes))
    pattern = np.repeat(np.arange(len(drawn)), sizes)
    link_starts = np.searchsorted([link.before for link in links], np.arange(len(drawn) + 1)).astype(np.int64)
    per = np.diff(link_starts)
    source, target = (machines[np.concatenate([d.codes[:, 0, end] for d in drawn])] for end in ends)
    base = np.concatenate(([0], np.cumsum(per[pattern]))).astype(np.int64)
    near, far, lag = (np.zeros(base[-1], np.int64) for _ in range(3))
    share = np.zeros(base[-1])
    begins = np.concatenate(([0], np.cumsum(sizes)))
    for k, link in enumerate(links):
        d = drawn[link.before]
        at = base[begins[link.before] : begins[link.before + 1]] + k - link_starts[link.before]
        near[at] = machines[d.codes[:, link.flow, link.end]]
        far[at] = machines[d.codes[:, link.flow, ends[1] if link.end == ends[0] else ends[0]]]
        lag[at] = d.offsets[:, link.flow]
        share[at] = link.share
        if len(link.hosts):
            own = np.minimum(np.searchsorted(link.hosts, near[at]), len(link.hosts) - 1)
            share[at] = np.where(link.hosts[own] == near[at], link.shares[own], link.share)
    key = pattern * hosts + source
    pair = key * hosts + target
    if bound is not None:
        fast = np.concatenate(bound)
        # in no bucket that is asked for, and followed with probability 0
        key, pair = np.where(fast, -1, key), np.where(fast, -1, pair)
        share[np.repeat(fast, per[pattern])] = 0.0
    parent, by = np.full(len(order), -1, np.int64), np.full(len(order), -1, np.int64)
    follow(
        pattern[order],
        link_starts,
        np.array([link.next for link in links], np.int64),
        share,
        np.array([link.pair_share for link in links]),
        hosts,
        base[order],
        near,
        far,
        rng.random(base[-1]),
        rng.random(base[-1]),
        *_buckets(key[order]),
        *_buckets(pair[order]),
        parent,
        by,
    )
    after = np.zeros(len(order), np.int64)
    followed = np.flatnonzero(parent >= 0)
    knots = np.stack([link.knots for link in links])
    cause = order[parent[followed]]
    after[followed] = lag[base[cause] + by[followed] - link_starts[pattern[cause]]]
    after[followed] += draw_numbers(by[followed], knots, 1, rng=rng)
    moments = np.concatenate(starts)[order]
    start_after(parent, after, moments)
    placed = np.empty(len(order), np.int64)
    placed[order] = moments
    return [placed[begins[p] : begins[p + 1]] for p in range(len(drawn))]


def _buckets(keys: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Distinct keys, where each one's members begin, the members in order, and the first member of each."""
    members = np.argsort(keys, kind="stable")
    found, first = np.unique(keys[members], return_index=True)
    starts = np.append(first, len(keys)).astype(np.int64)
    return found, starts, members.astype(np.int64), starts[:-1].copy()
