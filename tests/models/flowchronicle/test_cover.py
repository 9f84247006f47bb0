"""Windows and covers against brute force over all rows."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.errors import InvalidEdit
from netsynth_core.models.flowchronicle._kernels import gap_counts
from netsynth_core.models.flowchronicle.cover import ROUNDS, match
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.pattern import (
    Fixed,
    PartialFlow,
    Pattern,
    Reused,
    check_pattern,
    insert_flow,
    rebind,
)

KIND, SRC, DST = 0, 1, 2
NO_NUMBERS = np.zeros((64, 0), np.int64)


def small_index(n: int, seed: int, hosts: int = 3) -> FlowIndex:
    """n rows: a kind of three, a source and a destination; starts milliseconds apart, some equal."""
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, 3, n), rng.integers(0, hosts, n), rng.integers(0, hosts, n)], axis=1)
    ts = np.cumsum(rng.integers(0, 4, n)) * 10**6
    return FlowIndex(codes.astype(np.int32), ts, (3, hosts, hosts), (SRC, DST), (KIND, SRC, DST), NO_NUMBERS[:n])


def holds(pattern: Pattern, rows: tuple[int, ...], index: FlowIndex) -> bool:
    """Whether the rows are an occurrence, cell by cell."""
    for j, (row, flow) in enumerate(zip(rows, pattern.flows, strict=True)):
        if any(index.codes[row, c.column] != c.code for c in flow.fixed):
            return False
        if any(index.codes[row, c.column] != index.codes[rows[c.flow], c.source] for c in flow.reused):
            return False
        if j and (row <= rows[j - 1] or index.ts[row] - index.ts[rows[j - 1]] >= 1000 << pattern.within[j - 1]):
            return False
    return True


def brute_force(pattern: Pattern, index: FlowIndex, claimed: set[int]) -> list[tuple[int, ...]]:
    """The greedy cover of one pattern by definition: each start's first free occurrence, tightest first, again and
    again."""
    everything = [rows for rows in product(range(len(index)), repeat=len(pattern)) if holds(pattern, rows, index)]
    claimed = set(claimed)
    chosen: list[tuple[int, ...]] = []
    starts = set(range(len(index)))
    for _ in range(ROUNDS):
        offered: dict[int, tuple[int, ...]] = {}
        for rows in everything:
            if rows[0] in starts and not claimed & set(rows):
                offered.setdefault(rows[0], rows)
        blocked = set()
        for rows in sorted(offered.values(), key=lambda r: (index.ts[r[-1]] - index.ts[r[0]], r[0])):
            if claimed & set(rows):
                blocked.add(rows[0])
            else:
                chosen.append(rows)
                claimed |= set(rows)
        if not blocked:
            break
        starts = blocked
    return sorted(chosen)


PATTERNS = [
    Pattern((PartialFlow((Fixed(KIND, 0),)), PartialFlow((Fixed(KIND, 1),), (Reused(SRC, 0, SRC),))), (13,)),
    Pattern((PartialFlow((Fixed(KIND, 0),)), PartialFlow((), (Reused(SRC, 0, DST),))), (12,)),
    Pattern((PartialFlow((Fixed(KIND, 2),)), PartialFlow((), (Reused(SRC, 0, DST), Reused(DST, 0, SRC)))), (20,)),
    Pattern(
        (
            PartialFlow((Fixed(KIND, 0),)),
            PartialFlow((Fixed(KIND, 0),), (Reused(SRC, 0, SRC),)),
            PartialFlow((Fixed(KIND, 1),), (Reused(DST, 1, DST),)),
        ),
        (13, 14),
    ),
    Pattern((PartialFlow((Fixed(DST, 1),)), PartialFlow((Fixed(SRC, 1),))), (11,)),
]


@given(st.integers(0, 10**6), st.integers(2, 16), st.sampled_from(PATTERNS), st.integers(0, 3))
@settings(max_examples=120, deadline=None)
def test_windows_are_those_of_brute_force(seed: int, n: int, pattern: Pattern, taken: int) -> None:
    index = small_index(n, seed)
    claimed = np.zeros(n, np.bool_)
    claimed[:taken] = True
    before = set(np.flatnonzero(claimed).tolist())
    windows = match(pattern, index, claimed)
    assert [tuple(w) for w in windows.tolist()] == brute_force(pattern, index, before)
    assert set(np.flatnonzero(claimed).tolist()) == before | set(windows.ravel().tolist())


def test_interleaved_hosts_are_kept_apart() -> None:
    """0 and 1 of two hosts, crossing each other: each host's rows make a window."""
    codes = np.array([[0, 0, 2], [0, 1, 2], [1, 1, 2], [1, 0, 2]], np.int32)
    index = FlowIndex(codes, np.arange(4) * 10**6, (3, 3, 3), (SRC, DST), (KIND, SRC, DST), NO_NUMBERS[:4])
    windows = match(PATTERNS[0], index, np.zeros(4, np.bool_))
    assert windows.tolist() == [[0, 3], [1, 2]]


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(0, 16))
@settings(max_examples=60, deadline=None)
def test_gap_counts_are_those_of_counting(seed: int, n: int, last: int) -> None:
    rng = np.random.default_rng(seed)
    ts = np.cumsum(rng.integers(0, 9000, n))
    before = rng.integers(0, n - 1, 10)
    after = np.array([rng.integers(b + 1, n) for b in before])
    counts = np.zeros((last + 1, 2), np.int64)
    gap_counts(before, after, ts, counts)
    expected = np.zeros_like(counts)
    for b, a in zip(before, after, strict=True):
        for row in range(b + 1, a + 1):
            place = min((int(ts[row] - ts[b]) // 1000).bit_length(), last)
            expected[place, 0 if row == a else 1] += 1
    assert counts.tolist() == expected.tolist()


def test_reuse_of_what_is_not_an_earlier_free_address_is_refused() -> None:
    sizes, hosts = (3, 3, 3), (SRC, DST)
    later = Pattern((PartialFlow((), (Reused(SRC, 1, SRC),)), PartialFlow((Fixed(KIND, 0),))), (3,))
    fixed = Pattern((PartialFlow((Fixed(SRC, 0),)), PartialFlow((), (Reused(SRC, 0, SRC),))), (3,))
    chain = (PartialFlow(), PartialFlow((), (Reused(SRC, 0, SRC),)), PartialFlow((), (Reused(SRC, 1, SRC),)))
    chained = Pattern(chain, (3, 3))
    column = Pattern((PartialFlow(), PartialFlow((), (Reused(KIND, 0, KIND),))), (3,))
    twice = Pattern((PartialFlow((Fixed(KIND, 0), Fixed(KIND, 1))),))
    value = Pattern((PartialFlow((Fixed(KIND, 3),)),))
    for broken in (later, fixed, chained, column, twice, value, Pattern(()), Pattern((PartialFlow(),), (1,))):
        with pytest.raises(InvalidEdit):
            check_pattern(broken, sizes, hosts)
    for sound in PATTERNS:
        check_pattern(sound, sizes, hosts)


@given(st.integers(0, 10**6), st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_a_flow_put_in_front_keeps_what_reuse_means(seed: int, place: int) -> None:
    """Windows of the longer pattern, without the new flow's row, are occurrences of the old one."""
    old = PATTERNS[0]
    limits = (old.within[0], 40) if place == 2 else (40, old.within[0]) if place == 0 else (40, 40)
    new = insert_flow(old, place, PartialFlow((Fixed(KIND, 2),)), limits)
    if place == 0:
        new = rebind(new, (1, SRC), (0, DST))
    check_pattern(new, (3, 3, 3), (SRC, DST))
    index = small_index(24, seed)
    for rows in match(new, index, np.zeros(24, np.bool_)).tolist():
        assert holds(new, tuple(rows), index)
        wide = Pattern(old.flows, (43,))
        assert holds(wide, tuple(r for j, r in enumerate(rows) if j != place), index)
