"""A real pattern set through the report: its windows are found on both sides and a shuffled table loses them."""

import numpy as np

from netsynth_core.evaluate import Verdict, evaluate
from netsynth_core.models.flowchronicle import FlowChronicle, FlowChronicleParams
from tests.evaluate.traffic import network, shuffled_starts


def test_pattern_windows_of_a_learnt_model() -> None:
    table = network(100, seed=1)
    model = FlowChronicle.fit(table, FlowChronicleParams(), rng=np.random.default_rng(0))
    fresh = evaluate(table, network(100, seed=2), patterns=model, rng=np.random.default_rng(0))["pattern windows"]
    mixed = shuffled_starts(table, seed=0)
    broken = evaluate(table, mixed, patterns=model, rng=np.random.default_rng(0))["pattern windows"]
    assert fresh.value is not None and broken.value is not None
    assert fresh.verdict in (Verdict.WITHIN, Verdict.NEAR), fresh
    assert broken.verdict == Verdict.FAR
    assert broken.value > 3 * fresh.value
