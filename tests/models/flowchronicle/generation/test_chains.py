"""Links between windows: planted ones are found, chance makes none, and placing them changes no contents."""

import numpy as np
import pytest

from netsynth_core.models.flowchronicle.generation.chains import Drawn, Link, follow_windows, learn_links
from netsynth_core.models.flowchronicle.generation.delays import DELAY_KNOTS

MS = 10**6
ENDS = (0, 1)
HOSTS = np.arange(60)


def traffic(follow: float, seed: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Pattern 0 (two flows: client to resolver, client to server) at random; after its second flow the server opens a
    flow of pattern 1 with some probability 4-6 ms later; further windows of pattern 1 and rows of the empty pattern
    come at random."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(1500):
        at = int(rng.integers(0, 3000 * 10**9))
        client, server = int(rng.integers(10, 50)), int(rng.integers(1, 6))
        rows += [(at, client, 0, 0, i, 0), (at + 2 * MS, client, server, 0, i, 1)]
        if rng.random() < follow:
            back = client if rng.random() < 0.8 else 55
            rows.append((at + 2 * MS + int(rng.integers(4 * MS, 6 * MS)), server, back, 1, i, 0))
        else:
            rows.append((int(rng.integers(0, 3000 * 10**9)), server, 55, 1, i, 0))
        rows.append((int(rng.integers(0, 3000 * 10**9)), client, server, 2, i, 0))
    rows.sort()
    table = np.array(rows)
    windows = []
    for p, width in ((0, 2), (1, 1), (2, 1)):
        mine = np.flatnonzero(table[:, 3] == p)
        order = mine[np.lexsort((table[mine, 5], table[mine, 4]))]
        windows.append(order.reshape(-1, width))
    return windows, table[:, 1:3].astype(np.int32), table[:, 0]


def test_a_planted_link_is_found_with_its_share_and_delay() -> None:
    links = learn_links(*traffic(0.6, 0), ENDS, HOSTS)
    (link,) = [link for link in links if link.next == 1]
    assert (link.before, link.flow, link.end) == (0, 1, 1)
    assert link.share == pytest.approx(0.6, abs=0.05)
    assert link.pair_share == pytest.approx(0.8, abs=0.06)
    assert link.knots[0] >= 4 * MS and link.knots[-1] <= 8 * MS
    assert link.knots[DELAY_KNOTS // 2] == pytest.approx(5 * MS, rel=0.1)
    assert link.count == pytest.approx(900, abs=80)
    assert len(links) == 1


@pytest.mark.parametrize("seed", range(4))
def test_chance_makes_no_link(seed: int) -> None:
    assert learn_links(*traffic(0.0, seed), ENDS, HOSTS) == ()


def test_hosts_differ_in_their_shares() -> None:
    windows, codes, ts = traffic(0.0, 9)
    # only the first server answers
    second = windows[0][:, 1]
    answering = second[codes[second, 1] == 1]
    replies = windows[1][codes[windows[1][:, 0], 0] == 1][: len(answering), 0]
    ts = ts.copy()
    ts[replies] = ts[answering[: len(replies)]] + MS
    order = np.argsort(ts, kind="stable")
    place = np.argsort(order)
    links = learn_links([place[w] for w in windows], codes[order], ts[order], ENDS, HOSTS)
    (link,) = links
    shares = dict(zip(link.hosts.tolist(), link.shares, strict=True))
    assert shares[1] > 0.8
    assert all(share < 0.05 for host, share in shares.items() if host != 1)


def drawn(n: int, seed: int) -> list[Drawn]:
    rng = np.random.default_rng(seed)
    first = np.stack([rng.integers(10, 20, n), np.zeros(n, np.int64)], axis=1)
    second = np.stack([first[:, 0], rng.integers(1, 4, n)], axis=1)
    a = np.stack([first, second], axis=1).astype(np.int32)
    b = np.stack([rng.integers(1, 4, n), rng.integers(10, 20, n)], axis=1)[:, None].astype(np.int32)
    lag = np.stack([np.zeros(n, np.int64), np.full(n, 2 * MS)], axis=1)
    return [
        Drawn(a, lag, rng.integers(0, 10**12, n)),
        Drawn(b, np.zeros((n, 1), np.int64), rng.integers(0, 10**12, n)),
    ]


def link(before: int, flow: int, end: int, after: int, share: float, pair: float = 0.0) -> Link:
    nothing = np.zeros(0, np.int32), np.zeros(0)
    return Link(before, flow, end, after, share, pair, np.full(DELAY_KNOTS, 5 * MS), 9, *nothing)


def test_windows_follow_with_the_probability_and_delay_of_the_link() -> None:
    parts = drawn(3000, 1)
    before = [d.codes.copy() for d in parts]
    starts = follow_windows(parts, [link(0, 1, 1, 1, 0.5)], ENDS, HOSTS, rng=np.random.default_rng(0))
    assert (starts[0] == parts[0].starts).all()
    moved = np.flatnonzero(starts[1] != parts[1].starts)
    assert len(moved) == pytest.approx(1500, abs=120)
    causes = {}
    for i, at in enumerate(parts[0].starts):
        causes.setdefault((int(at) + 7 * MS, int(parts[0].codes[i, 1, 1])), []).append(i)
    for j in moved:
        assert (int(starts[1][j]), int(parts[1].codes[j, 0, 0])) in causes
    assert all((d.codes == codes).all() for d, codes in zip(parts, before, strict=True))


def test_a_pattern_that_follows_itself_makes_trains_not_circles() -> None:
    rng = np.random.default_rng(2)
    codes = np.stack([rng.integers(0, 3, 900), np.full(900, 9)], axis=1)[:, None].astype(np.int32)
    part = Drawn(codes, np.zeros((900, 1), np.int64), rng.integers(0, 10**15, 900))
    (starts,) = follow_windows([part], [link(0, 0, 0, 0, 0.9)], ENDS, HOSTS, rng=rng)
    kept = starts == part.starts
    assert 40 < kept.sum() < 200
    for host in range(3):
        mine = np.sort(starts[codes[:, 0, 0] == host])
        gaps = np.diff(mine)
        assert (gaps == 5 * MS).mean() > 0.7


def test_pairs_are_preferred() -> None:
    parts = drawn(3000, 3)
    for share, low, high in ((0.0, 0.0, 0.35), (1.0, 0.8, 1.0)):
        starts = follow_windows(parts, [link(0, 1, 1, 1, 0.3, share)], ENDS, HOSTS, rng=np.random.default_rng(0))
        moved = np.flatnonzero(starts[1] != parts[1].starts)
        by_start = {int(at): i for i, at in enumerate(parts[0].starts)}
        cause = np.array([by_start[int(at) - 7 * MS] for at in starts[1][moved]])
        same = parts[0].codes[cause, 1, 0] == parts[1].codes[moved, 0, 1]
        assert low <= same.mean() <= high


def test_the_same_seed_places_the_same() -> None:
    links = [link(0, 1, 1, 1, 0.5), link(0, 0, 0, 0, 0.2)]
    once, twice = (follow_windows(drawn(500, 4), links, ENDS, HOSTS, rng=np.random.default_rng(7)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(once, twice, strict=True))
