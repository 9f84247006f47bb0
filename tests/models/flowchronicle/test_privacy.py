"""What a model says about single hosts, and learning without it."""

from collections.abc import Callable
from typing import Any

import pytest

from netsynth_core.models.flowchronicle import FlowChronicle
from netsynth_core.models.flowchronicle.pattern import Reused
from netsynth_core.models.flowchronicle.privacy import exposures, pattern_privacy, privacy_notes


def model_column(model: FlowChronicle, name: str) -> int:
    """Number of a column."""
    return [c.name for c in model.columns].index(name)


def test_raw_addresses_and_few_hosts_are_named(planted: Any, model: FlowChronicle) -> None:
    told = {e.pattern: e for e in exposures(model)}
    frame = planted.flows.frame
    for learnt in model.patterns:
        held = told[learnt.id].addresses
        rows = model.cover.windows[learnt.id]
        fixed = {
            value
            for place, flow in enumerate(learnt.pattern.flows)
            for end in ("src_ip", "dst_ip")
            if not isinstance(flow.cell(model_column(model, end)), Reused)
            for values in [frame[end].iloc[rows[:, place]].unique()]
            if len(values) == 1
            for value in values
        }
        assert set(held) == fixed
        sources = frame["src_ip"].iloc[model.cover.windows[learnt.id][:, 0]].nunique()
        assert told[learnt.id].hosts == sources
    assert any(e.addresses for e in told.values())
    notes = privacy_notes(model, 10**6)
    assert "10.0.9.1" in notes[0] and f"fewer than {10**6} hosts" in notes[1]
    assert set(privacy_notes(model, 5)) <= set(model.describe().warnings)
    holding = next(p for p in model.patterns if told[p.id].addresses)
    assert "shows the address" in pattern_privacy(holding, model.columns, 1)
    assert "rests on" in pattern_privacy(holding, model.columns, 10**6)


@pytest.fixture(scope="module")
def general(planted: Any) -> FlowChronicle:
    from netsynth_core.models.flowchronicle import FlowChronicleParams

    params = FlowChronicleParams(generalise=True, privacy_k=5)
    import numpy as np

    return FlowChronicle.fit(planted.flows, params, rng=np.random.default_rng(0))


def test_a_generalised_model_names_no_address_and_nobody(
    general: FlowChronicle, model: FlowChronicle, planted: Any, found_rows: Callable[..., Any]
) -> None:
    told = [e for e in exposures(general) if e.addresses]
    notes = privacy_notes(general, 5)
    # a cell that has but one value in the data shows it, fixed or not, and that is said
    assert [note for note in notes if "raw addresses (" in note] == [n for n in notes[:-1] if told]
    assert "--anonymise" in notes[-1] and set(notes) <= set(general.describe().warnings)
    assert general.multi_flow_patterns
    assert general.bits.total >= model.bits.total
    assert general.bits.total < 0.98 * general.bits.empty
    again = general.codelength(planted.flows)
    assert again.total == pytest.approx(general.bits.total, rel=1e-12)
    # what many clients do is still there
    assert len(found_rows(general, planted.flows) & planted.windows) > 0.5 * len(planted.windows)


def test_when_every_pattern_rests_on_few_hosts_none_is_left(planted: Any, fitted: Callable[..., Any]) -> None:
    assert fitted(planted.flows, generalise=True, privacy_k=10_000).patterns == ()
