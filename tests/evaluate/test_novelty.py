"""Novelty: copies are found, the start set aside or not, and in their order."""

import numpy as np
import pytest

from netsynth_core.evaluate.metric import NotApplicable
from netsynth_core.evaluate.novelty import METRICS, nearer_share
from netsynth_core.evaluate.views import RUN, View, prepare
from tests.evaluate.traffic import S, empty, flows, network, shuffled_starts

BY_NAME = {metric.name: metric for metric in METRICS}


def value(name: str, reference: View, other: View) -> float:
    measured = BY_NAME[name].function(reference, other)
    assert isinstance(measured, float)
    return measured


def test_copies_are_counted_with_and_without_their_start() -> None:
    real = flows({"fwd_bytes": 300}, {"fwd_bytes": 400}, {"fwd_bytes": 500})
    made = flows(
        {"ts": 0, "fwd_bytes": 300}, {"ts": 70 * S, "fwd_bytes": 400}, {"ts": 80 * S, "fwd_bytes": 401},
        {"ts": 90 * S, "fwd_bytes": 300, "src_port": 1},
    )  # fmt: skip
    reference, other = prepare([real, made])
    assert value("copies", reference, other) == 0.5
    assert value("copies with start", reference, other) == 0.25


def test_a_label_does_not_hide_a_copy() -> None:
    real = flows({})
    made = real.__class__(real.frame.assign(label="synthetic"))
    reference, other = prepare([real, made])
    assert value("copies with start", reference, other) == 1


def test_runs_are_copied_in_order_only() -> None:
    table = network(100, seed=3)
    again, mixed = prepare([table, shuffled_starts(table, seed=2)])
    name = f"copied runs of {RUN}"
    assert value(name, again, again) == 1
    assert value(name, again, mixed) < 0.02
    assert value("copies", again, mixed) == 1


def test_new_endpoints_are_made_up_ones() -> None:
    real = flows({"dst_ip": "10.0.0.2", "dst_port": 80}, {"dst_ip": "10.0.0.3", "dst_port": 443})
    made = flows({"dst_ip": "10.0.0.2", "dst_port": 443}, {"dst_ip": "10.0.0.3", "dst_port": 443})
    reference, other = prepare([real, made])
    assert value("new endpoints", reference, other) == 0.5
    assert value("new endpoints", reference, reference) == 0


def test_too_short_a_table_has_no_runs() -> None:
    few, none = prepare([flows({}, {}), empty()])
    assert not few.run_key.any()
    for metric in METRICS:
        sides = (none, few, few) if metric.draw == "held-out" else (few if "runs" in metric.name else none, few)
        with pytest.raises(NotApplicable):
            metric.function(*sides)


def test_keys_of_different_flows_differ() -> None:
    view = prepare([network(500, seed=1)])[0]
    # Starts are all different, so keys with the start are as many as rows.
    assert len(np.unique(view.timed_key)) == len(view)


def test_memorised_flows_are_nearer_to_training_and_fresh_ones_are_not() -> None:
    training, held_out, fresh = prepare([network(400, seed=seed) for seed in (1, 2, 3)])
    assert nearer_share(training, held_out, training) > 0.7
    assert nearer_share(training, held_out, fresh) == pytest.approx(0.5, abs=0.06)
