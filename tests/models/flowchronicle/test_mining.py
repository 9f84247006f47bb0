"""Long tables are searched in stretches; what is found is then counted on all flows."""

from typing import Any

import numpy as np
import pytest

from netsynth_core.models.flowchronicle import FlowChronicle, FlowChronicleParams
from netsynth_core.models.flowchronicle.mining import STRETCHES, stretches
from netsynth_core.models.flowchronicle.search import Search
from netsynth_core.monitor import SILENT


def fit(flows: Any, **settings: Any) -> FlowChronicle:
    params = FlowChronicleParams(**settings)
    return FlowChronicle.fit(flows, params, rng=np.random.default_rng(0))


def test_a_long_table_is_searched_in_stretches_and_counted_whole(make: Any) -> None:
    planted = make(1600, 3, "wwapn")
    whole, part = fit(planted.flows), fit(planted.flows, search_flows=1000)
    assert len(planted.flows) > 3000
    assert not any("stretches" in warning for warning in whole.warnings)
    assert any(f"1,000 of {len(planted.flows):,}" in warning for warning in part.warnings)
    assert {p.pattern.flows for p in whole.multi_flow_patterns} == {p.pattern.flows for p in part.multi_flow_patterns}
    assert part.bits.total == pytest.approx(part.codelength(planted.flows).total)
    assert part.bits.total == pytest.approx(whole.bits.total, rel=0.01)
    assert sum(p.usage * len(p.pattern) for p in part.patterns) + part.empty.usage == len(planted.flows)


def test_stretches_are_whole_and_spread_over_the_table(planted: Any) -> None:
    index = fit(planted.flows).training
    assert index is not None
    assert stretches(index, len(index)) is index
    few = stretches(index, 400)
    assert len(few) == 400
    assert (np.diff(few.ts) >= 0).all()
    assert few.ts[0] == index.ts[0]
    assert few.ts[-1] == index.ts[-1]
    places = np.searchsorted(index.ts, few.ts)
    assert np.count_nonzero(np.diff(places) > 1) <= STRETCHES


def test_patterns_that_do_not_pay_on_the_whole_are_left_out(planted: Any) -> None:
    model = fit(planted.flows)
    index = model.training
    assert index is not None
    search = Search(index, least=8, most_flows=6, seconds=None, monitor=SILENT)
    known = [p.pattern for p in model.patterns]
    settled = search.settle([*known, *(p.pattern for p in model.patterns[:1])])
    assert set(settled.patterns) <= set(known)
    assert settled.total == pytest.approx(model.bits.total, rel=1e-3)
