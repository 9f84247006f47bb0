"""Odd tables: each gives a model that says what it is and can be used, or a refusal that says what is needed."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from netsynth_core.errors import NotEnoughData
from netsynth_core.flows.table import FlowTable
from netsynth_core.models.flowchronicle import FlowChronicle

SCORES = [{}, {"score": "published", "most_flows": 1}]


def varied(n: int, seed: int = 0) -> pd.DataFrame:
    """Flows of a few hosts and services, nothing planted."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "ts": np.cumsum(rng.integers(1, 10**9, n)),
            "proto": rng.choice(["TCP", "UDP"], n),
            "src_ip": [f"10.0.0.{i}" for i in rng.integers(0, 9, n)],
            "dst_ip": [f"10.0.1.{i}" for i in rng.integers(0, 9, n)],
            "dst_port": rng.choice([53, 80, 443], n),
            "flags": rng.choice([".AP.SF", "......"], n),
        }
    )
    packets = rng.integers(1, 30, (2, n))
    frame["fwd_packets"], frame["bwd_packets"] = packets
    frame["fwd_bytes"], frame["bwd_bytes"] = packets * rng.integers(60, 900, (2, n))
    frame["duration"] = rng.integers(1, 10**9, n)
    return frame


def used(model: FlowChronicle, flows: FlowTable) -> FlowTable:
    """Everything a user may ask of the model is asked; returns a sample."""
    assert math.isfinite(model.bits.total)
    assert model.bits.total <= model.bits.empty + 1e-6
    assert model.codelength(flows).total == pytest.approx(model.bits.total, rel=1e-9)
    card = model.describe()
    assert card.size["rows_covered"] <= len(flows)
    assert all(model.sentence(learnt) for learnt in (*model.patterns, model.empty))
    again = FlowChronicle.from_document(model.to_document())
    drawn = again.sample(30, rng=np.random.default_rng(0))
    assert len(drawn) == 30
    return drawn


def test_no_flow_is_refused(fitted: Callable[..., Any]) -> None:
    with pytest.raises(NotEnoughData, match="no flow"):
        fitted(FlowTable.from_columns(varied(3).iloc[:0]))


@pytest.mark.parametrize("params", SCORES, ids=["default", "published"])
@pytest.mark.parametrize("n", [1, 2, 7, 49])
def test_fewer_than_fifty_flows(n: int, params: dict[str, Any], fitted: Callable[..., Any]) -> None:
    flows = FlowTable.from_columns(varied(n))
    used(fitted(flows, **params), flows)


@pytest.mark.parametrize("params", SCORES, ids=["default", "published"])
@pytest.mark.parametrize("column", ["proto", "dst_port", "flags", "src_ip", "dst_ip", "duration", "fwd_packets"])
def test_one_constant_column(column: str, params: dict[str, Any], fitted: Callable[..., Any]) -> None:
    frame = varied(120)
    frame[column] = frame[column].iloc[0]
    flows = FlowTable.from_columns(frame)
    drawn = used(fitted(flows, **params), flows)
    assert set(drawn.frame[column]) == set(flows.frame[column])


@pytest.mark.parametrize("params", SCORES, ids=["default", "published"])
def test_every_column_constant(params: dict[str, Any], fitted: Callable[..., Any]) -> None:
    frame = varied(120)
    for column in frame.columns:
        if column != "ts":
            frame[column] = frame[column].iloc[0]
    flows = FlowTable.from_columns(frame)
    model = fitted(flows, **params)
    assert len(used(model, flows).frame.drop(columns=["ts", "src_port"]).drop_duplicates()) == 1


@pytest.mark.parametrize("params", SCORES, ids=["default", "published"])
def test_one_host_that_talks_to_itself(params: dict[str, Any], fitted: Callable[..., Any]) -> None:
    frame = varied(120).assign(src_ip="10.0.0.1", dst_ip="10.0.0.1")
    flows = FlowTable.from_columns(frame)
    drawn = used(fitted(flows, **params), flows)
    assert set(drawn.frame["src_ip"]) == set(drawn.frame["dst_ip"]) == {"10.0.0.1"}


@pytest.mark.parametrize("params", SCORES, ids=["default", "published"])
@pytest.mark.parametrize(
    ("column", "missing"), [("dst_port", -1), ("flags", "......"), ("service", ""), ("duration", 0)]
)
def test_a_column_that_is_all_missing(
    column: str, missing: Any, params: dict[str, Any], fitted: Callable[..., Any]
) -> None:
    flows = FlowTable.from_columns(varied(120).assign(**{column: missing}))
    drawn = used(fitted(flows, **params), flows)
    assert set(drawn.frame[column]) == {missing}


@pytest.mark.parametrize("params", SCORES, ids=["default", "published"])
def test_as_many_ports_and_hosts_as_flows(params: dict[str, Any], fitted: Callable[..., Any]) -> None:
    """No value occurs twice, so there is nothing to build a pattern of several flows on."""
    n = 5000
    frame = varied(n).assign(dst_port=np.arange(n) * 200, src_ip=[f"10.{i // 250}.{i % 250}.1" for i in range(n)])
    flows = FlowTable.from_columns(frame)
    model = fitted(flows, **params)
    if not params:
        assert model.multi_flow_patterns == ()
    used(model, flows)


@pytest.mark.parametrize("params", SCORES, ids=["default", "published"])
def test_all_at_one_instant(params: dict[str, Any], fitted: Callable[..., Any]) -> None:
    flows = FlowTable.from_columns(varied(200).assign(ts=10**18))
    model = fitted(flows, **params)
    used(model, flows)
    if not params:
        assert model.multi_flow_patterns == ()


def test_independent_hosts_have_no_pattern_of_several_flows(fitted: Callable[..., Any]) -> None:
    """Each host is a Poisson process of its own with its own habits: busy and quiet ones, day and night."""
    rng = np.random.default_rng(5)
    parts = []
    for host in range(30):
        n = int(rng.integers(10, 120))
        hours = rng.normal(rng.uniform(6, 20), 2.5, n) + 24 * rng.integers(0, 2, n)
        part = varied(n, seed=host).assign(
            ts=(np.sort(hours) * 3600e9).astype(np.int64) + 10**18,
            src_ip=f"10.0.0.{host}",
            dst_port=rng.choice([53, 80, 443, 22], n, p=rng.dirichlet([1, 1, 1, 1])),
        )
        parts.append(part)
    model = fitted(FlowTable.from_columns(pd.concat(parts, ignore_index=True)))
    assert model.multi_flow_patterns == ()


def test_equal_times_are_told_of(fitted: Any) -> None:
    """The order of flows that start together is that of the file, and says nothing."""
    rng = np.random.default_rng(0)
    rows = 200
    frame = pd.DataFrame({"ts": np.full(rows, 10**18), "proto": "TCP", "src_ip": "10.0.0.1", "dst_ip": "10.0.0.2"})
    frame["dst_port"] = rng.choice([80, 443], rows)
    model = fitted(FlowTable.from_columns(frame.assign(fwd_packets=1, fwd_bytes=60)))
    assert any("start at the same time" in warning for warning in model.describe().warnings)


def test_a_search_that_found_nothing_yet_says_so(planted: Any, fitted: Any) -> None:
    model = fitted(planted.flows, budget="0.001s")
    assert model.patterns == ()
    (warning,) = [w for w in model.warnings if "ended" in w]
    assert "before any pattern was found" in warning and "best so far" not in warning
