"""The fitted model: sampling, other tables, documents, words."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare, ks_2samp

from netsynth_core.errors import DocumentError, InvalidParameter, NotEnoughData
from netsynth_core.flows.table import FlowTable
from netsynth_core.models.document import read_document, write_document
from netsynth_core.models.flowchronicle import FlowChronicle
from netsynth_core.models.flowchronicle.pattern import Fixed
from netsynth_core.units import NS_PER_S, count, format_bits

S = NS_PER_S


def draw(model: FlowChronicle, n: int, seed: int = 0) -> pd.DataFrame:
    """n sampled flows."""
    return model.sample(n, rng=np.random.default_rng(seed)).frame


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 17, 400])
def test_exactly_as_many_flows_as_asked_for(model: FlowChronicle, n: int) -> None:
    assert len(draw(model, n)) == n


def test_a_model_of_pairs_alone_still_gives_an_odd_number(make: Callable[..., Any], fitted: Callable[..., Any]) -> None:
    model = fitted(make(150, 4, "w").flows)
    assert model.empty.usage == 0
    assert [len(draw(model, n)) for n in (1, 3, 7)] == [1, 3, 7]


def test_sampled_flows_hold_the_patterns(planted: Any, model: FlowChronicle) -> None:
    """What is drawn is covered by the same patterns about as often as what was learnt from."""
    sample = model.sample(len(planted.flows), rng=np.random.default_rng(1))
    learnt, drawn = model.cover, model.windows(sample)
    for name, windows in learnt.windows.items():
        assert len(drawn.windows[name]) == pytest.approx(len(windows), rel=0.35, abs=12)


def test_sampled_values_follow_the_data(planted: Any, model: FlowChronicle) -> None:
    real, drawn = planted.flows.frame, draw(model, 8000)
    for name in ("fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes"):
        assert ks_2samp(real[name], drawn[name]).statistic < 0.06, name
    for name in ("proto", "dst_port", "flags"):
        shares = real[name].value_counts(normalize=True)
        counts = drawn[name].value_counts().reindex(shares.index, fill_value=0)
        assert counts.sum() == len(drawn)
        assert (counts / len(drawn) - shares).abs().max() < 0.04, name


def test_patterns_are_drawn_by_their_usage(model: FlowChronicle) -> None:
    from netsynth_core.models.flowchronicle.generation.drawing import choose_windows

    sources = (*model.patterns, model.empty)
    counts = choose_windows(sources, 20_000, rng=np.random.default_rng(0))
    usage = np.array([p.usage for p in sources])
    expected = usage / usage.sum() * counts.sum()
    assert chisquare(counts[usage > 0], expected[usage > 0]).pvalue > 1e-4


def test_sampled_flows_are_consistent(model: FlowChronicle) -> None:
    flows = draw(model, 3000)
    for way in ("fwd", "bwd"):
        assert ((flows[f"{way}_packets"] == 0) == (flows[f"{way}_bytes"] == 0)).all()
        assert (flows[f"{way}_bytes"] >= 28 * flows[f"{way}_packets"]).all()
    assert (flows["flags"][flows["proto"] != "TCP"] == "......").all()
    assert (flows["flags"][flows["proto"] == "TCP"] != "......").all()
    assert flows["src_port"].between(32768, 60999).all()
    assert flows["ts"].is_monotonic_increasing


def test_reused_cells_are_copied_and_delays_are_never_negative(model: FlowChronicle) -> None:
    from netsynth_core.models.flowchronicle.generation.drawing import draw_codes

    rng = np.random.default_rng(0)
    assert model.multi_flow_patterns
    for learnt in model.multi_flow_patterns:
        codes = draw_codes(learnt, 500, len(model.columns), rng=rng)
        for j, flow in enumerate(learnt.pattern.flows):
            for cell in flow.reused:
                assert (codes[:, j, cell.column] == codes[:, cell.flow, cell.source]).all()
            for fixed in flow.fixed:
                assert (codes[:, j, fixed.column] == fixed.code).all()
        gaps = np.array([law.draw(codes, rng=rng) for law in learnt.delays]).T
        assert (gaps >= 0).all()
        assert (gaps < np.array([1000 << w for w in learnt.pattern.within])).all()


def test_constant_patterns_are_generated(fitted: Callable[..., Any]) -> None:
    """Two beacons whose every cell is always the same leave no network to draw from, and are drawn all the same."""
    rng = np.random.default_rng(0)
    beacon = pd.DataFrame(
        {
            "ts": np.repeat(np.arange(100) * 60 * S, 2) + np.tile([0, S // 5], 100),
            "proto": "UDP",
            "src_ip": "10.0.0.5",
            "dst_ip": "192.0.2.9",
            "dst_port": np.tile([5555, 5556], 100),
            "fwd_packets": 1,
            "fwd_bytes": 60,
            "flags": "......",
        }
    )
    noise = pd.DataFrame(
        {
            "ts": rng.integers(0, 6000 * S, 300),
            "proto": "TCP",
            "src_ip": [f"10.0.0.{i}" for i in rng.integers(6, 90, 300)],
            "dst_ip": [f"198.51.100.{i}" for i in rng.integers(1, 90, 300)],
            "dst_port": rng.integers(1000, 1040, 300),
            "fwd_packets": rng.integers(1, 50, 300),
            "fwd_bytes": 9000,
            "flags": ".AP.SF",
        }
    )
    model = fitted(FlowTable.from_columns(pd.concat([beacon, noise], ignore_index=True)))
    port = [c.name for c in model.columns].index("dst_port")
    code = model.columns[port].values.index("5555")
    (constant,) = [p for p in model.patterns if Fixed(port, code) in p.pattern.flows[0].fixed]
    assert len(constant.pattern) == 2
    assert constant.pattern.free_cells(len(model.columns)) == []
    shares = draw(model, 1000)["dst_port"].value_counts(normalize=True)
    assert shares[5555] == shares[5556] == pytest.approx(0.2, abs=0.04)


def test_starts_are_new_and_follow_the_rate(planted: Any, model: FlowChronicle) -> None:
    real = planted.flows.frame["ts"]
    drawn = draw(model, len(real))["ts"]
    assert drawn.min() >= real.min()
    assert len(set(drawn) & set(real)) < 0.1 * len(real)
    assert ks_2samp(real, drawn).statistic < 0.1


def test_flows_for_a_duration_come_at_the_training_rate(planted: Any, model: FlowChronicle) -> None:
    real = planted.flows.frame["ts"]
    span = int(real.max() - real.min())
    start = 2_000_000_000 * S
    drawn = model.sample_for(3 * span, start, rng=np.random.default_rng(0)).frame
    assert drawn["ts"].between(start, start + 3 * span - 1).all()
    assert len(drawn) == pytest.approx(3 * len(real), rel=0.1)
    short = model.sample_for(span // 10, rng=np.random.default_rng(0)).frame
    assert short["ts"].between(real.min(), real.min() + span // 10).all()
    with pytest.raises(InvalidParameter):
        model.sample_for(0, rng=np.random.default_rng(0))


def test_icmp_keeps_its_types_as_source_ports(fitted: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    types = rng.choice([8, 13], 200)
    frame = pd.DataFrame(
        {
            "ts": np.arange(200) * S,
            "proto": np.where(np.arange(200) % 2, "ICMP", "TCP"),
            "src_ip": "10.0.0.1",
            "dst_ip": "10.0.0.2",
            "src_port": np.where(np.arange(200) % 2, types, rng.integers(40000, 50000, 200)),
            "dst_port": np.where(np.arange(200) % 2, 0, 80),
        }
    )
    drawn = draw(fitted(FlowTable.from_columns(frame)), 400)
    assert set(drawn["src_port"][drawn["proto"] == "ICMP"]) == {8, 13}
    assert drawn["src_port"][drawn["proto"] == "TCP"].between(32768, 60999).all()


def test_windows_on_other_flows(make: Callable[..., Any], model: FlowChronicle) -> None:
    """Patterns found in one table occur in another with other clients, servers and unseen values."""
    other = make(200, 99, "wwapn")
    frame = other.flows.frame.copy()
    frame["src_ip"] = frame["src_ip"].str.replace("10.0.0.", "172.16.0.", regex=False)
    flows = FlowTable.from_columns(frame)
    found = {w.rows for w in model.windows(flows) if len(w.rows) > 1}
    whole = len(found & other.windows) / len(other.windows)
    assert whole > 0.7
    bits = model.codelength(flows)
    assert bits.total < bits.empty
    with pytest.raises(NotEnoughData):
        model.codelength(flows.take(np.zeros(0, np.int64)))
    assert len(model.windows(flows.take(np.zeros(0, np.int64)))) == 0


def test_scoring_the_training_flows_gives_the_bits_of_the_card(planted: Any, model: FlowChronicle) -> None:
    again = model.codelength(planted.flows)
    assert again.total == pytest.approx(model.bits.total, rel=1e-12)
    assert again.empty == pytest.approx(model.bits.empty, rel=1e-3)


def test_the_same_flows_give_the_same_document(planted: Any, model: FlowChronicle, fitted: Callable[..., Any]) -> None:
    again = fitted(planted.flows).to_document()
    first = model.to_document()
    assert json.dumps(again.body, sort_keys=True) == json.dumps(first.body, sort_keys=True)
    assert draw(model, 60, 3).equals(draw(model, 60, 3))


def test_arrays_that_do_not_fit_are_refused(model: FlowChronicle, tmp_path: Path) -> None:
    write_document(tmp_path / "m.json", model.to_document())
    document = read_document(tmp_path / "m.json")
    for name, array in (
        ("codes", document.arrays["codes"][:, :-1]),
        ("codes", document.arrays["codes"] + 10**6),
        ("codes", document.arrays["codes"].astype(np.float64)),
        ("ts", document.arrays["ts"][::-1]),
    ):
        broken = dict(document.arrays) | {name: array}
        document_of = type(document)(document.kind, document.version, document.card, document.body, broken)
        with pytest.raises(DocumentError):
            FlowChronicle.from_document(document_of)


def test_a_pattern_is_shown_as_cells_and_as_a_sentence(model: FlowChronicle) -> None:
    sentences = {model.sentence(p) for p in model.patterns}
    planted = re.compile(
        r"A looks up a name at 10\.0\.9\.1, and 6\d\.?\d* ms later \(IQR \S+ ms\) opens HTTPS to one of \d+ hosts"
    )
    assert any(planted.fullmatch(s) for s in sentences), sentences
    assert model.whole_sentence(model.empty) == "Every flow is in a pattern"
    for learnt in model.patterns:
        share = 100 * learnt.usage * len(learnt.pattern) / model.trained_on["rows"]
        shown = f"{share:.0f}" if share >= 10 else f"{share:.2g}"
        worth = f"; {count(learnt.usage, 'time')}, {shown} % of all flows, saves {format_bits(learnt.saved_bits)}"
        assert model.whole_sentence(learnt) == model.sentence(learnt) + worth
    for learnt in model.multi_flow_patterns:
        grid = model.describe_pattern(learnt)
        assert [len(row) for row in grid] == [len(model.columns)] * len(learnt.pattern)
        given = {c.letter for row in grid for c in row if c.kind == "free" and c.letter}
        used = {c.letter for row in grid for c in row if c.kind == "reused"}
        assert used == given
        assert all(c.text == f"= {c.letter}" for row in grid for c in row if c.kind == "reused")


def test_the_card_counts_what_is_there(model: FlowChronicle) -> None:
    size = model.describe().size
    assert size["patterns"] == len(model.patterns)
    assert size["rows_covered"] == model.cover.rows_covered
    assert size["windows"] == len(model.cover)
    assert size["multi_flow_patterns"] == sum(len(p.pattern) > 1 for p in model.patterns)


def test_flows_of_one_instant_are_those_of_a_second(planted: Any, fitted: Callable[..., Any]) -> None:
    model = fitted(planted.flows.take(np.zeros(1, np.int64)))
    drawn = model.sample_for(200 * 10**9, rng=np.random.default_rng(0))
    assert 140 < len(drawn) < 260
    with pytest.raises(InvalidParameter, match="too many flows"):
        model.sample_for(10**9 * 10**9, rng=np.random.default_rng(0))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_kept_documents_are_still_read(version: int) -> None:
    """Written by each version; a change of the body needs a new version and a migration."""
    kept = Path(__file__).parent / "kept" / f"version-{version}.json"
    model = FlowChronicle.from_document(read_document(kept))
    assert [p.id for p in model.multi_flow_patterns] == ["p1"]
    assert len(model.sample(20, rng=np.random.default_rng(0))) == 20
    assert len(model.sample_for(model.trained_on["last"] - model.trained_on["first"], rng=np.random.default_rng(0)))
    assert model.to_document().version == FlowChronicle.version
