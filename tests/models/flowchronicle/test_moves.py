"""Every move of the search: a table in which it pays, a pattern set that lacks it, and the phase that must make it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from netsynth_core.flows.table import FlowTable
from netsynth_core.models.flowchronicle import FlowChronicle
from netsynth_core.models.flowchronicle.columns import Column, encode_flows, learn_columns, numbers_of
from netsynth_core.models.flowchronicle.cover import match
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.pattern import Cell, Fixed, PartialFlow, Pattern, Reused
from netsynth_core.models.flowchronicle.search import Search
from netsynth_core.monitor import SILENT

Flow = tuple[int, int, str, str]
"""Delay after the flow before (ms), port, and who source and destination are: a role, or a fixed address."""
FAR = 40
"""A gap limit of 12 days."""


def table(*kinds: list[Flow], count: int = 600, apart: int = 20_000, of: int = 120, seed: int = 0) -> FlowTable:
    """`count` sessions of random kinds, `apart` ms apart; a role is one random host of `of` in each session."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(count):
        now = s * apart
        hosts: dict[str, str] = {}
        for delay, port, *ends in kinds[int(rng.integers(len(kinds)))]:
            now += int(delay * rng.uniform(0.7, 1.4))
            for end in ends:
                if "." not in end:
                    hosts.setdefault(end, f"10.0.{len(end)}.{rng.integers(of)}")
            src, dst = (hosts.get(end, end) for end in ends)
            packets, flags = int(rng.integers(2, 30)) + port % 7 * 40, rng.choice([".AP.SF", ".A..SF"])
            rows.append((now * 10**6, "TCP", src, dst, port, packets, packets, packets * 90, packets * 400, flags))
    names = ["ts", "proto", "src_ip", "dst_ip", "dst_port", "fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes"]
    return FlowTable.from_columns(pd.DataFrame(rows, columns=[*names, "flags"]))


class Bench:
    """A search over a table, set on given patterns, and words for cells."""

    def __init__(self, flows: FlowTable) -> None:
        self.columns = learn_columns(flows, bins=24)
        kinds = [c.kind for c in self.columns]
        index = FlowIndex(
            encode_flows(self.columns, flows),
            flows.frame["ts"].to_numpy(),
            tuple(c.size for c in self.columns),
            tuple(i for i, kind in enumerate(kinds) if kind == "host"),
            tuple(i for i, kind in enumerate(kinds) if kind != "number"),
            numbers_of(flows),
        )
        self.search = Search(index, least=8, most_flows=6, seconds=None, monitor=SILENT)

    def column(self, name: str) -> int:
        return [c.name for c in self.columns].index(name)

    def fixed(self, **values: str) -> tuple[Fixed, ...]:
        cells = [
            Fixed(self.column(name), self.columns[self.column(name)].values.index(v)) for name, v in values.items()
        ]
        return tuple(sorted(cells))

    def flow(self, port: int, *reused: tuple[str, int, str], **values: str) -> PartialFlow:
        cells = tuple(sorted(Reused(self.column(c), flow, self.column(source)) for c, flow, source in reused))
        return PartialFlow(self.fixed(dst_port=str(port), **values), cells)

    def begin(self, *patterns: Pattern) -> float:
        scorer = self.search.scorer
        self.search.solution = scorer.solve(patterns, base=scorer.empty())
        assert set(self.search.solution.patterns) == set(patterns)
        return self.search.solution.total

    def settle(self, phase: Callable[[], Any]) -> None:
        """A phase again and again, as rounds repeat it, until it changes nothing."""
        before = np.inf
        while self.search.solution.total < before:
            before = self.search.solution.total
            self.search.seen.clear()
            phase()

    def ports(self) -> set[tuple[str, ...]]:
        """The ports of the flows of each pattern, "" where they are free."""
        found = set()
        at = self.column("dst_port")
        for pattern in self.search.solution.patterns:
            cells: list[Cell] = [flow.cell(at) for flow in pattern.flows]
            found.add(tuple(self.text(self.columns[at], cell) for cell in cells))
        return found

    @staticmethod
    def text(column: Column, cell: Cell) -> str:
        return column.text(cell.code) if isinstance(cell, Fixed) else ""


SAME = ("src_ip", 0, "src_ip")
THREE: list[Flow] = [(0, 53, "client", "a"), (80, 80, "client", "bb"), (200, 443, "client", "ccc")]
LONE: list[Flow] = [(0, 123, "other", "10.9.9.9")]


@pytest.mark.parametrize(("missing", "move"), [(0, "prepend"), (1, "insert"), (2, "append")])
def test_a_flow_is_put_before_between_and_after(missing: int, move: str) -> None:
    bench = Bench(table(THREE, LONE))
    there = [port for place, port in enumerate((53, 80, 443)) if place != missing]
    start = Pattern((bench.flow(there[0]), bench.flow(there[1], SAME)), (20,))
    before = bench.begin(start)
    bench.settle(bench.search._extensions)
    assert ("53", "80", "443") in bench.ports(), move
    assert bench.search.solution.total < before - 100
    longest = max(bench.search.solution.patterns, key=len)
    assert {cell.flow for flow in longest.flows for cell in flow.reused} == {0}


def test_two_patterns_are_merged() -> None:
    four: list[Flow] = [(0, 53, "u", "aa"), (80, 80, "u", "bbb"), (500, 445, "u", "cccc"), (60, 88, "u", "ddddd")]
    bench = Bench(table(four, LONE))
    first = Pattern((bench.flow(53), bench.flow(80, SAME)), (18,))
    second = Pattern((bench.flow(445), bench.flow(88, SAME)), (18,))
    before = bench.begin(first, second)
    bench.settle(bench.search._merges)
    assert ("53", "80", "445", "88") in bench.ports()
    assert bench.search.solution.total < before - 100


def test_a_pattern_of_two_services_is_split() -> None:
    one: list[Flow] = [(0, 53, "u", "aa"), (80, 80, "u", "10.7.7.7")]
    other: list[Flow] = [(0, 53, "u", "aa"), (2000, 993, "u", "10.8.8.8")]
    bench = Bench(table(one, other, apart=60))
    either = Pattern((bench.flow(53), PartialFlow((), bench.flow(80, SAME).reused)), (22,))
    before = bench.begin(either)
    bench.settle(bench.search._specialisations)
    assert {("53", "80"), ("53", "993")} <= bench.ports()
    assert bench.search.solution.total < before


def test_a_cell_that_costs_windows_is_dropped() -> None:
    """Half of the second flows have other flags."""
    bench = Bench(table(THREE[:2], LONE))
    narrow = Pattern((bench.flow(53), bench.flow(80, SAME, flags=".AP.SF")), (18,))
    before = bench.begin(narrow)
    bench.settle(bench.search._refinements)
    wider = [p for p in bench.search.solution.placed if len(p.pattern) == 2]
    assert all(Fixed not in {type(c) for c in (p.pattern.flows[1].cell(bench.column("flags")),)} for p in wider)
    assert sum(len(p.windows) for p in wider) > 60
    assert bench.search.solution.total < before - 100


def test_an_end_flow_that_is_chance_is_dropped() -> None:
    """The NTP flows have nothing to do with the pairs; the pattern that waits for one loses most of them."""
    bench = Bench(table(THREE[:2], LONE))
    long = Pattern((bench.flow(53), bench.flow(80, SAME), bench.flow(123)), (18, 36))
    before = bench.begin(long)
    bench.settle(bench.search._refinements)
    assert ("53", "80") in bench.ports()
    assert bench.search.solution.total < before - 100


def test_a_pattern_that_does_not_pay_is_dropped() -> None:
    """Lone flows of a kind alone or by two: one of these says it all."""
    bench = Bench(table(THREE[:2], LONE, LONE))
    good = Pattern((bench.flow(53), bench.flow(80, SAME)), (18,))
    lone = Pattern((bench.flow(123),))
    chance = Pattern((bench.flow(123), bench.flow(123)), (FAR,))
    before = bench.begin(good, lone, chance)
    bench.settle(bench.search._prune)
    kept = set(bench.search.solution.patterns)
    assert good in kept
    assert len(kept) == 2
    assert bench.search.solution.total < before


def test_what_is_constant_is_fixed() -> None:
    """The destination of every second flow is one host; the candidate does not say so."""
    bench = Bench(table([(0, 53, "u", "aa"), (80, 80, "u", "10.7.7.7")], LONE))
    bench.begin()
    assert bench.search.test(Pattern((bench.flow(53), bench.flow(80, SAME)), (18,)), phase="")
    assert bench.search.solution.patterns[0].flows[1].cell(bench.column("dst_ip")) == bench.fixed(dst_ip="10.7.7.7")[0]


@pytest.mark.parametrize("source", ["src_ip", "dst_ip"])
@pytest.mark.parametrize("target", ["src_ip", "dst_ip"])
def test_an_address_is_reused_in_every_combination_of_columns(source: str, target: str) -> None:
    first = ("shared", "aa") if source == "src_ip" else ("aa", "shared")
    second = ("shared", "bbb") if target == "src_ip" else ("bbb", "shared")
    bench = Bench(table([(0, 53, *first), (80, 80, *second)]))
    before = bench.begin(Pattern((bench.flow(53), bench.flow(80)), (18,)))
    bench.settle(bench.search._refinements)
    (pattern,) = bench.search.solution.patterns
    assert pattern.flows[1].reused == (Reused(bench.column(target), 0, bench.column(source)),)
    assert bench.search.solution.total < before - 100


def test_an_address_is_reused_within_one_flow(
    fitted: Callable[..., FlowChronicle], found_rows: Callable[..., set[tuple[int, ...]]]
) -> None:
    """Hosts that talk to themselves, alone and after a question: the destination is the source."""
    flows = table([(0, 53, "u", "aa"), (80, 5355, "u", "u")], [(0, 631, "u", "u")], count=240)
    model = fitted(flows)
    own = {
        learnt.id: (j, cell)
        for learnt in model.patterns
        for j, flow in enumerate(learnt.pattern.flows)
        for cell in flow.reused
        if cell.flow == j
    }
    sentences = " ".join(model.sentence(learnt) for learnt in model.patterns)
    bound = sum(model.pattern(id_).usage for id_ in own)
    assert bound > 90
    assert "itself" in sentences
    assert len(found_rows(model, flows)) > 90
    again = FlowChronicle.from_document(model.to_document())
    drawn = again.sample(500, rng=np.random.default_rng(0)).frame
    for port in (631, 5355):
        mine = drawn[drawn["dst_port"] == port]
        assert len(mine) > 50
        assert (mine["src_ip"] == mine["dst_ip"]).mean() > 0.97


def test_a_single_flow_to_itself_is_proposed_at_once() -> None:
    bench = Bench(table([(0, 631, "u", "u")], LONE, [(0, 443, "u", "aa")], count=1500))
    bench.begin()
    bench.settle(bench.search._singles)
    own = [p for p in bench.search.solution.patterns if p.own(0)]
    assert own
    assert all(cell == Reused(bench.column("dst_ip"), 0, bench.column("src_ip")) for p in own for cell in p.own(0))


@pytest.mark.parametrize("within", [17, FAR])
def test_a_gap_limit_is_learnt(within: int) -> None:
    """Gaps of 56 to 112 ms: 2**17 us loses none, and of the wider ones none is kept that takes rows by chance."""
    bench = Bench(table(THREE[:2], LONE, [(0, 53, "u", "aa")], [(0, 80, "u", "aa")], apart=300, of=12))
    pair = Pattern((bench.flow(53), bench.flow(80, SAME)), (within,))
    bench.begin(pair)
    bench.settle(bench.search._refinements)
    (kept,) = [p for p in bench.search.solution.patterns if len(p) == 2]
    index = bench.search.index
    windows = match(kept, index, np.zeros(len(index), np.bool_))
    gaps = np.diff(index.ts[windows], axis=1).ravel()
    assert len(windows) > 25
    assert (gaps < 120 * 10**6).mean() > 0.97


def test_a_blocked_window_takes_its_next_continuation() -> None:
    """Two first flows, then two second ones of the same host: the second start is not lost to the nearest row."""
    flows = table(
        [(0, 53, "10.0.0.1", "aa"), (10, 53, "10.0.0.1", "aa"), (90, 80, "10.0.0.1", "b"), (5, 80, "10.0.0.1", "b")]
    )
    bench = Bench(flows)
    pair = Pattern((bench.flow(53), bench.flow(80, ("src_ip", 0, "src_ip"))), (18,))
    windows = match(pair, bench.search.index, np.zeros(len(flows), np.bool_))
    assert len(windows) == len(flows) // 2
    assert len(np.unique(windows)) == len(flows)


def test_only_moves_that_shorten_are_kept(planted: Any) -> None:
    """Whatever is tested, the total after it is never above the total before."""
    bench = Bench(planted.flows)
    totals = [bench.search.solution.total]
    accept = bench.search._accept

    def watched(trial: Any) -> bool:
        before = bench.search.solution.total
        kept = accept(trial)
        totals.extend((before, bench.search.solution.total))
        assert kept == (totals[-1] < before)
        return kept

    bench.search._accept = watched  # type: ignore[method-assign]
    bench.search.run()
    assert len(totals) > 8
    assert (np.diff(totals) <= 0).all()
    assert bench.search.solution.total <= totals[-1]
