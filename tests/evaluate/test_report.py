"""The report: every metric has its row, values stand beside honest floors, and nothing raises."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.errors import DocumentError, NewerDocument, NotEnoughData
from netsynth_core.evaluate import FAMILIES, METRICS, MetricResult, Report, Verdict, evaluate, verdict
from netsynth_core.evaluate.interflow import PatternCover
from netsynth_core.flows.table import FlowTable
from netsynth_core.monitor import CallbackMonitor
from tests.evaluate.traffic import empty, flows, network, shuffled_columns, shuffled_starts

BENCH = Path(__file__).parents[2] / ".." / "shared" / "bench" / "flows_2k.csv"


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def far(report: Report, family: str) -> set[str]:
    return {r.name for r in report.family(family) if r.verdict == Verdict.FAR}


@pytest.fixture(scope="module")
def table() -> FlowTable:
    return network(600, seed=11)


def test_fresh_traffic_of_the_same_source_is_within_the_floor(table: FlowTable) -> None:
    report = evaluate(table, network(600, seed=12), rng=rng())
    verdicts = report.verdicts()
    assert verdicts[Verdict.FAR] == 0, {r.name: (r.value, r.floor) for r in report if r.verdict == Verdict.FAR}
    # A 2 sd bound on some fifty metrics lets a few through.
    assert verdicts[Verdict.WITHIN] >= 0.85 * sum(r.value is not None for r in report)


def test_shuffled_columns_break_dependence_and_rules_but_no_marginal(table: FlowTable) -> None:
    report = evaluate(table, shuffled_columns(table, seed=1), rng=rng(), repeats=3)
    assert far(report, "marginals") == set()
    assert far(report, "dependence") == {r.name for r in report.family("dependence")}
    assert "any rule" in far(report, "rules")
    assert "new endpoints" in far(report, "novelty")


def test_shuffled_starts_break_the_order_only(table: FlowTable) -> None:
    report = evaluate(table, shuffled_starts(table, seed=1), rng=rng(), repeats=3)
    for family in ("marginals", "dependence", "rules"):
        assert far(report, family) == set()
    assert {"next of source in 1 s", "jsd next port", "wasserstein next of source"} <= far(report, "inter-flow")


def test_copying_the_training_flows_is_seen(table: FlowTable) -> None:
    report = evaluate(table, table, rng=rng(), repeats=3)
    assert far(report, "novelty") >= {"copies", "copies with start", "copied runs of 5"}
    assert "100.0 %" in report["copies"].note
    assert all(r.verdict == Verdict.WITHIN for r in report.family("dependence"))


def test_a_hold_out_is_the_floor_when_given(table: FlowTable) -> None:
    other = shuffled_columns(table, seed=3)
    report = evaluate(table, table, holdout=other, rng=rng(), repeats=2)
    contingency = report["contingency difference"]
    assert contingency.value is not None and contingency.floor is not None
    assert contingency.floor > 5 * contingency.value
    assert contingency.n["each"] == len(table)
    assert report.rows == {"real": len(table), "synthetic": len(table), "holdout": len(table)}


def test_floor_and_value_are_drawn_with_equally_many_rows(table: FlowTable) -> None:
    report = evaluate(table, network(50, seed=4), rng=rng(), repeats=2)
    assert report["jsd dst_ip"].n == {"real": 1200, "synthetic": 100, "each": 100, "repeats": 2}
    report = evaluate(table, network(1000, seed=4), rng=rng(), repeats=2)
    assert report["jsd dst_ip"].n["each"] == 600


def test_same_seed_same_bytes_other_seed_other_draws(table: FlowTable) -> None:
    made = network(300, seed=9)
    texts = [json.dumps(evaluate(table, made, rng=np.random.default_rng(s), repeats=2).to_json()) for s in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]


TABLES = {
    "empty": empty(),
    "one flow": flows({}),
    "two flows": flows({}, {}),
    "constant": flows(*[{"ts": 0}] * 40),
    "bare": flows(*[{"service": "", "state": "", "flags": "......", "proto": "UDP", "dst_port": 9}] * 5),
    "some": network(30, seed=2),
}


@pytest.mark.parametrize("a", sorted(TABLES))
@pytest.mark.parametrize("b", sorted(TABLES))
def test_degenerate_tables_give_rows_with_notes_and_json_without_nan(a: str, b: str) -> None:
    for holdout in (None, TABLES[a], TABLES["empty"]):
        report = evaluate(TABLES[a], TABLES[b], holdout=holdout, rng=rng(), repeats=2)
        assert [r.name for r in report] == [m.name for m in METRICS]
        text = json.dumps(report.to_json(), allow_nan=False)
        assert json.loads(text)["metrics"][0].keys() >= {"name", "family", "value", "floor", "goal", "n", "note"}
        for result in report:
            assert result.value is not None or result.note
            if result.value is not None:
                low, high = result.range
                assert low - 1e-9 <= result.value <= (np.inf if high is None else high + 1e-9), result.name


huge = st.integers(0, 2**62)
wild = st.fixed_dictionaries(
    {
        "ts": st.integers(0, 2**61),
        "duration": huge,
        "proto": st.sampled_from(["TCP", "UDP", "ICMP", "", "<b>", "17"]),
        "src_ip": st.text(max_size=6),
        "dst_ip": st.sampled_from(["10.0.0.1", "::1", "ff02::1", "", "\x00"]),
        "src_port": st.integers(-1, 65535),
        "dst_port": st.integers(0, 65535),
        "fwd_packets": huge,
        "bwd_packets": huge,
        "fwd_bytes": huge,
        "bwd_bytes": huge,
        "flags": st.sampled_from(["......", "UAPRSF", "", "junk"]),
        "service": st.text(max_size=3),
        "state": st.sampled_from(["", "SF", "??"]),
    }
)


@settings(max_examples=25)
@given(st.lists(wild, max_size=8), st.lists(wild, max_size=8))
def test_wild_tables_give_numbers_or_notes(a: list[dict[str, object]], b: list[dict[str, object]]) -> None:
    report = evaluate(flows(*a), flows(*b), rng=rng(), repeats=1)
    json.dumps(report.to_json(), allow_nan=False)
    assert all(r.value is not None or r.note for r in report)


def test_identical_whole_tables_have_distance_0() -> None:
    """With a hold-out equal to the real flows nothing is split, so equal tables are at 0 from each other."""
    table = network(40, seed=1)
    by_chance = {"classifier, one flow", "classifier, with neighbours", "nearer to training"}
    report = evaluate(table, table, holdout=table, rng=rng(), repeats=2)
    for result in report:
        if result.value is not None and result.goal == "down" and result.name not in by_chance:
            assert result.value == pytest.approx(result.floor, abs=1e-9), result.name
            if result.family != "rules":
                assert result.value == pytest.approx(0, abs=1e-9), result.name


class Refusing:
    """A pattern set that cannot be matched."""

    def windows(self, table: FlowTable) -> PatternCover:
        raise NotEnoughData("nothing fits", hint="try another")


def test_a_pattern_set_that_fails_is_a_note(table: FlowTable) -> None:
    result = evaluate(table, table, patterns=Refusing(), rng=rng(), repeats=1)["pattern windows"]
    assert result.value is None
    assert "nothing fits" in result.note


def test_progress_names_every_metric(table: FlowTable) -> None:
    seen: list[object] = []
    evaluate(
        table,
        table,
        rng=rng(),
        repeats=1,
        monitor=CallbackMonitor(lambda phase, done, total, facts: seen.append(facts)),
    )
    assert [f["metric"] for f in seen if isinstance(f, dict) and "metric" in f] == [m.name for m in METRICS]


def test_registry_is_complete_and_names_are_unique() -> None:
    assert len({m.name for m in METRICS}) == len(METRICS)
    assert {m.family for m in METRICS} == set(FAMILIES)
    assert all(m.source and m.meaning and m.tolerance > 0 for m in METRICS)
    assert [m.family for m in METRICS] == sorted((m.family for m in METRICS), key=FAMILIES.index)


def test_report_as_frame_and_file(table: FlowTable, tmp_path: Path) -> None:
    report = evaluate(table, table, rng=rng(), repeats=1)
    frame = report.to_frame()
    assert list(frame["name"]) == [m.name for m in METRICS]
    assert frame["value"].isna().sum() == sum(r.value is None for r in report)
    report.write(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == report.to_json()


def test_a_report_comes_back_from_its_json(table: FlowTable) -> None:
    report = evaluate(table, network(50, seed=3), rng=rng(), repeats=2)
    again = Report.from_json(json.loads(json.dumps(report.to_json())))
    assert again == report
    assert again.to_json() == report.to_json()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ([], DocumentError),
        ({"format": "netsynth/tadam"}, DocumentError),
        ({"format": "netsynth/report", "version": 2}, NewerDocument),
        ({"format": "netsynth/report", "version": 1, "rows": {}, "metrics": [{"name": "x"}]}, DocumentError),
        ({"format": "netsynth/report", "version": 1, "rows": {"real": "many"}, "metrics": []}, DocumentError),
    ],
)
def test_a_strange_report_is_refused(content: object, error: type[DocumentError]) -> None:
    with pytest.raises(error):
        Report.from_json(content)


def result(value: float | None, floor: float | None, **more: object) -> MetricResult:
    plain = MetricResult(
        name="x", family="marginals", value=value, floor=floor, goal="down", n={}, range=(0, None), tolerance=0.05
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def test_verdict_thresholds() -> None:
    assert verdict(result(0.1, 0.2)) == Verdict.WITHIN
    assert verdict(result(0.13, 0.1, sd=0.009, floor_sd=0.012)) == Verdict.WITHIN  # 2 * hypot = 0.03
    assert verdict(result(0.14, 0.1, sd=0.009, floor_sd=0.012)) == Verdict.NEAR
    assert verdict(result(0.2, 0.1)) == Verdict.NEAR  # twice the floor
    assert verdict(result(0.21, 0.1)) == Verdict.FAR
    assert verdict(result(0.04, 0.0)) == Verdict.NEAR  # below the tolerance
    assert verdict(result(0.1, 0.2, goal="match")) == Verdict.FAR
    assert verdict(result(0.17, 0.2, goal="match")) == Verdict.NEAR
    assert verdict(result(0.1, 0.2, goal="up")) == Verdict.FAR
    assert verdict(result(0.3, 0.2, goal="up")) == Verdict.WITHIN
    assert verdict(result(0.3, None)) == Verdict.NO_FLOOR
    assert verdict(result(None, None)) == Verdict.UNKNOWN
    assert verdict(result(0.1, 0.2, n={"real": 5000, "synthetic": 39})) == Verdict.FEW
    assert verdict(result(0.1, 0.2, n={"real": 40, "synthetic": 40})) == Verdict.WITHIN


def test_json_of_infinite_and_nan_values_is_null() -> None:
    text = json.dumps(result(float("nan"), float("inf")).to_json(), allow_nan=False)
    assert json.loads(text)["value"] is None and json.loads(text)["floor"] is None


@pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH.name} is not in the folder shared beside the checkout")
def test_halves_of_the_benchmark_in_time_are_within_or_near() -> None:
    from netsynth_core.flows.table_io import read_flow_table

    table = read_flow_table(BENCH)
    middle = len(table) // 2
    first, second = table.take(np.arange(middle)), table.take(np.arange(middle, len(table)))
    report = evaluate(first, second, rng=rng())
    assert report.verdicts()[Verdict.FAR] == 0, {r.name: (r.value, r.floor) for r in report if r.verdict == Verdict.FAR}
