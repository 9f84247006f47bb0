"""Inter-flow structure: neighbours against brute force, patterns that are planted, load that is correlated."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.evaluate.interflow import (
    MAX_CELLS,
    METRICS,
    autocorrelation,
    next_port_distance,
    segment_length,
    segments,
    window_rates,
    window_starts,
)
from netsynth_core.evaluate.metric import NotApplicable
from netsynth_core.evaluate.views import NEVER, TOP, next_from, next_of_key, prepare
from netsynth_core.flows.table import FlowTable
from tests.evaluate.traffic import S, flows, network, shuffled_starts

hosts = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), max_size=25)


@given(hosts)
def test_next_flow_equals_brute_force(rows: list[tuple[int, int, int]]) -> None:
    source = np.array([r[0] for r in rows], np.int64)
    target = np.array([r[1] for r in rows], np.int64)
    start = np.cumsum(np.array([r[2] for r in rows], np.int64))
    row, gap = next_of_key(source, start)
    chained = next_from(target, source, start)
    for i in range(len(rows)):
        later = [j for j in range(i + 1, len(rows)) if source[j] == source[i]]
        assert row[i] == (later[0] if later else -1)
        assert gap[i] == (start[later[0]] - start[i] if later else NEVER)
        taken = [j for j in range(i + 1, len(rows)) if source[j] == target[i]]
        assert chained[i] == (start[taken[0]] - start[i] if taken else NEVER)


def test_next_port_names_the_port_or_none_beyond_the_horizon() -> None:
    a, b = {"src_ip": "10.0.0.1"}, {"src_ip": "10.0.0.9"}
    table = flows(
        a | {"ts": 0, "dst_port": 53}, b | {"ts": S, "dst_port": 80}, a | {"ts": 2 * S, "dst_port": 443},
        a | {"ts": 100 * S, "dst_port": 53},
    )  # fmt: skip
    view = prepare([table])[0]
    assert view.next_port[0] == view.pooled["dst_port"][2]
    assert list(view.next_port[1:]) == [TOP + 1] * 3


def test_order_is_seen_where_the_columns_are_equal() -> None:
    dns, web = {"dst_port": 53}, {"dst_port": 443}
    lookups_first = flows(*[dns, web] * 20)
    apart = flows(*[dns] * 20, *[web] * 20)
    real, same, other = prepare([lookups_first, lookups_first, apart])
    assert next_port_distance(real, same) == pytest.approx(0, abs=1e-9)
    assert next_port_distance(real, other) > 0.9


def test_shuffled_starts_break_who_follows_whom_and_keep_the_load() -> None:
    table = network(400, seed=5)
    real, mixed = prepare([table, shuffled_starts(table, seed=1)])
    by_name = {m.name: m for m in METRICS}
    for name in ("next of source in 1 s", "jsd next port", "wasserstein next of source"):
        assert by_name[name].function(real, real) == pytest.approx(0, abs=1e-9)
        measured = by_name[name].function(real, mixed)
        assert isinstance(measured, float) and measured > 0.25, name
    width, bins = segment_length([real.span, mixed.span])
    np.testing.assert_array_equal(segments(real, width, bins)[:, 0], segments(mixed, width, bins)[:, 0])


def test_chained_flows_are_those_of_a_proxy() -> None:
    proxy = [{"src_ip": "10.0.0.1", "dst_ip": "10.0.0.9", "ts": 0}, {"src_ip": "10.0.0.9", "ts": S // 10}]
    direct = [{"src_ip": "10.0.0.1", "dst_ip": "10.0.0.8", "ts": 0}, {"src_ip": "10.0.0.9", "ts": S // 10}]
    real, other = prepare([flows(*proxy), flows(*direct)])
    chained = next(m for m in METRICS if m.name == "chained in 1 s")
    assert chained.function(real, other) == pytest.approx(0.5)


class Planted:
    """Finds a lookup and a web flow in neighbouring rows, and single web flows."""

    def windows(self, table: FlowTable) -> "FoundWindows":
        ports = table.frame["dst_port"].to_numpy()
        first = np.flatnonzero((ports[:-1] == 53) & (ports[1:] == 443))
        return FoundWindows({"pair": np.column_stack([first, first + 1]), "one": np.flatnonzero(ports == 80)[:, None]})


@dataclass
class FoundWindows:
    windows: dict[str, np.ndarray]


def test_window_rates_count_multi_flow_patterns_per_flow() -> None:
    dns, web, lone = {"dst_port": 53}, {"dst_port": 443}, {"dst_port": 80}
    tables = [flows(*[dns, web] * 30), flows(*[dns, web] * 10, *[lone] * 40)]
    numbers: dict[str, int] = {}
    views = []
    for table, view in zip(tables, prepare(tables), strict=True):
        starts = window_starts(Planted(), table, numbers)
        views.append(view.__class__(**{**view.__dict__, "window": starts}))
    assert numbers == {"pair": 0}
    # 30 windows in 60 flows against 10 in 60: (30 - 10) / (30 + 10).
    assert window_rates(*views).value == pytest.approx(0.5)
    assert window_rates(views[0], views[0]).value == 0
    with pytest.raises(NotApplicable, match="No pattern set"):
        window_rates(*prepare(tables))


def test_autocorrelation_by_hand_and_its_bounds() -> None:
    wave = np.tile([1.0, -1.0], (3, 50))
    np.testing.assert_allclose(autocorrelation(wave, [1, 2, 3]), [-1, 1, -1])
    noise = np.random.default_rng(0).normal(size=(8, 500))
    assert np.abs(autocorrelation(noise, [1, 5, 20])).max() < 0.06
    with pytest.raises(NotApplicable, match="constant"):
        autocorrelation(np.ones((2, 10)), [1])


def test_bursts_and_an_even_load_differ() -> None:
    rng = np.random.default_rng(1)
    even = np.sort(rng.uniform(0, 2000, 2000))
    bursts = np.sort(np.concatenate([rng.uniform(t, t + 8, 20) for t in rng.uniform(0, 1990, 100)]))
    tables = [flows(*[{"ts": int(t * S)} for t in starts]) for starts in (bursts, even)]
    views = prepare(tables)
    width, bins = segment_length([v.span for v in views])
    assert width == S
    parts = [segments(view, width, bins) for view in views]
    load = next(m for m in METRICS if m.name == "autocorrelation flows")
    measured = load.function(*parts)
    assert not isinstance(measured, float)
    assert measured.parts["lag 1"] > 0.4
    assert measured.parts["lag 21"] < 0.15


def test_segments_hold_every_flow_of_whole_segments_once() -> None:
    table = network(200, seed=7)
    view = prepare([table])[0]
    width, bins = segment_length([view.span])
    parts = segments(view, width, bins)
    inside = view.start < len(parts) * width * bins
    assert parts[:, 0].sum() == inside.sum()
    with pytest.raises(NotApplicable, match="too little time"):
        segment_length([100])


def test_a_table_that_spans_years_is_sampled() -> None:
    """One far-off start must not ask for a bin per second of ten years."""
    far = flows(*[{"ts": i * S} for i in range(100)], {"ts": 315_360_000 * S})
    parts = segments(prepare([far])[0], S, 64)
    assert parts.shape[0] * parts.shape[2] <= MAX_CELLS
    assert parts[0, 0].sum() == 64
