"""What the search finds, what it must not find, and how it ends."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from netsynth_core.errors import Cancelled, InvalidParameter
from netsynth_core.flows.table import FlowTable
from netsynth_core.models.flowchronicle import FlowChronicle, FlowChronicleParams
from netsynth_core.models.flowchronicle.columns import learn_columns
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.search import Search
from netsynth_core.models.flowchronicle.solution import Scorer
from netsynth_core.models.flowchronicle.stored import index_flows
from netsynth_core.monitor import SILENT, CallbackMonitor

Windows = set[tuple[int, ...]]


def scores(found: Windows, planted: Windows) -> tuple[float, float]:
    """Precision and recall of whole windows."""
    right = len(found & planted)
    return right / max(len(found), 1), right / len(planted)


def shuffled(flows: FlowTable, *, whole_rows: bool) -> FlowTable:
    """The same instants with every column, or every whole row, in another order."""
    rng = np.random.default_rng(7)
    frame = flows.frame.copy()
    order = rng.permutation(len(frame))
    for name in frame.columns:
        if name != "ts":
            frame[name] = frame[name].to_numpy()[order if whole_rows else rng.permutation(len(frame))]
    return FlowTable.from_columns(frame)


def index_of(flows: FlowTable) -> FlowIndex:
    """The encoded table."""
    return index_flows(learn_columns(flows, bins=24), flows)


def test_planted_sessions_are_found_whole(
    planted: Any, model: FlowChronicle, found_rows: Callable[..., Windows]
) -> None:
    precision, recall = scores(found_rows(model, planted.flows), planted.windows)
    assert precision >= 0.97
    assert recall >= 0.97


def test_an_address_is_reused_across_columns(
    make: Callable[..., Any], fitted: Callable[..., Any], found_rows: Callable[..., Windows]
) -> None:
    """The destination of the first flow is the source of the second, with several proxies."""
    table = make(400, 3, "pn")
    frame = table.flows.frame.copy()
    proxies = {w[0]: f"10.0.9.{20 + w[0] % 5}" for w in table.windows}
    for first, second in table.windows:
        frame.loc[first, "dst_ip"] = frame.loc[second, "src_ip"] = proxies[first]
    flows = FlowTable.from_columns(frame)
    model = fitted(flows)
    precision, recall = scores(found_rows(model, flows), table.windows)
    assert min(precision, recall) >= 0.97
    names = [c.name for c in model.columns]
    bonds = {
        (names[cell.source], names[cell.column])
        for learnt in model.multi_flow_patterns
        for flow in learnt.pattern.flows
        for cell in flow.reused
    }
    assert ("dst_ip", "src_ip") in bonds


def test_dns_then_https_is_found_in_the_benchmark(
    bench: Callable[..., Any], fitted: Callable[..., Any], found_rows: Callable[..., Windows]
) -> None:
    flows, planted = bench("2k")
    precision, recall = scores(found_rows(fitted(flows), flows), planted)
    assert min(precision, recall) >= 0.9


@pytest.mark.parametrize("whole_rows", [True, False])
def test_nothing_joins_flows_whose_order_is_chance(
    make: Callable[..., Any], fitted: Callable[..., Any], whole_rows: bool
) -> None:
    """The instants stay as bursty as they were; only which flow stands where is chance."""
    flows = shuffled(make(600, 2, "wwapn").flows, whole_rows=whole_rows)
    assert len(flows) >= 1000
    assert fitted(flows).multi_flow_patterns == ()


def test_the_codelength_never_rises(planted: Any) -> None:
    heard: list[float] = []

    def listen(phase: str, done: int, total: int | None, facts: dict[str, object]) -> None:
        if "bits" in facts:
            heard.append(float(str(facts["bits"])))

    FlowChronicle.fit(
        planted.flows, FlowChronicleParams(), rng=np.random.default_rng(0), monitor=CallbackMonitor(listen)
    )
    assert len(heard) > 10
    assert np.diff(heard).max() <= 1e-6
    assert heard[-1] < heard[0]


def test_what_the_search_kept_up_to_date_equals_scoring_from_scratch(planted: Any) -> None:
    index = index_of(planted.flows)
    solution = Search(index, least=8, most_flows=6, seconds=None, monitor=SILENT).run().solution
    scorer = Scorer(index)
    parents = {p.pattern: p.structure.parents for p in solution.placed}
    again = scorer.solve(solution.patterns, base=scorer.empty(parents=solution.empty.parents), parents=parents)
    assert again.patterns == solution.patterns
    assert all((a.windows == b.windows).all() for a, b in zip(again.placed, solution.placed, strict=True))
    assert again.total == pytest.approx(solution.total, rel=1e-12)


def test_every_pattern_that_is_kept_pays(model: FlowChronicle) -> None:
    assert model.patterns
    assert all(p.saved_bits >= -1e-6 for p in model.patterns)
    assert model.bits.total < model.bits.empty


def test_rows_are_in_one_window_at_most(planted: Any, model: FlowChronicle) -> None:
    cover = model.windows(planted.flows)
    rows = [row for window in cover for row in window.rows]
    assert len(rows) == len(set(rows)) == cover.rows_covered
    assert sorted([*rows, *cover.uncovered.tolist()]) == list(range(len(planted.flows)))
    assert {p.id: p.usage for p in model.patterns} == {name: len(w) for name, w in cover.windows.items()}


def test_a_spent_budget_ends_with_a_model_and_says_so(planted: Any, fitted: Callable[..., Any]) -> None:
    model = fitted(planted.flows, budget="0s")
    assert any("budget" in warning for warning in model.describe().warnings)
    assert len(model.sample(10, rng=np.random.default_rng(0))) == 10


class Impatient:
    """A watcher who wants the best so far after some steps."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.heard: list[float] = []

    def step(self, phase: str, done: int, total: int | None = None, **facts: object) -> None:
        if "bits" in facts:
            self.heard.append(float(str(facts["bits"])))

    @property
    def stopping(self) -> bool:
        return len(self.heard) >= self.patience


@pytest.mark.parametrize("patience", [0, 5, 30])
def test_a_search_stopped_by_hand_keeps_the_best_so_far_and_says_so(planted: Any, patience: int) -> None:
    watcher = Impatient(patience)
    model = FlowChronicle.fit(planted.flows, FlowChronicleParams(), rng=np.random.default_rng(0), monitor=watcher)
    assert any("ended by hand" in warning for warning in model.describe().warnings)
    assert model.bits.total == pytest.approx(min(watcher.heard, default=model.bits.empty), rel=1e-9)
    assert len(watcher.heard) <= patience + 60
    assert len(model.sample(10, rng=np.random.default_rng(0))) == 10
    again = FlowChronicle.fit(
        planted.flows, FlowChronicleParams(), rng=np.random.default_rng(0), monitor=Impatient(patience)
    )
    assert [p.pattern for p in again.patterns] == [p.pattern for p in model.patterns]


def test_the_search_can_be_cancelled_in_the_middle(planted: Any) -> None:
    def stop(phase: str, done: int, total: int | None, facts: dict[str, object]) -> None:
        if done > 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        FlowChronicle.fit(
            planted.flows, FlowChronicleParams(), rng=np.random.default_rng(0), monitor=CallbackMonitor(stop)
        )


def test_patterns_are_no_longer_than_allowed(planted: Any, fitted: Callable[..., Any]) -> None:
    assert max(len(p.pattern) for p in fitted(planted.flows, most_flows=2).patterns) <= 2
    assert fitted(planted.flows, most_flows=1).multi_flow_patterns == ()


@pytest.mark.parametrize("text", ["soon", "-3s", "5 weeks"])
def test_a_budget_that_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        FlowChronicleParams.from_settings([f"budget={text}"])


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_few_rows_give_a_model(rows: int, planted: Any, fitted: Callable[..., Any]) -> None:
    few = planted.flows.take(np.arange(rows))
    model = fitted(few)
    assert np.isfinite(model.bits.total)
    assert len(model.sample(7, rng=np.random.default_rng(0))) == 7


def test_equal_rows_at_one_instant_give_a_model(fitted: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"ts": [5] * 40, "proto": "UDP", "src_ip": "a", "dst_ip": "b", "dst_port": 53})
    model = fitted(FlowTable.from_columns(frame))
    drawn = model.sample(20, rng=np.random.default_rng(0)).frame
    assert set(drawn["ts"]) == {0} or set(drawn["ts"]) == {5}
    assert set(drawn["src_ip"]) == {"a"}
