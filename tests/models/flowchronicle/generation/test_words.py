"""What generating has learnt, in words."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from netsynth_core.flows.table import FlowTable
from netsynth_core.models.flowchronicle import FlowChronicle
from netsynth_core.models.flowchronicle.generation.intensity import DAY, HOUR, MONDAY, WEEK
from netsynth_core.models.flowchronicle.generation.words import (
    delay_words,
    link_words,
    links_of,
    machine_words,
    start_profile,
    start_words,
)


@pytest.fixture(scope="module")
def nightly() -> FlowChronicle:
    """Three nights: a job asks over IPv6 and copies over IPv4 at two, with an answer to each copy."""
    from netsynth_core.models.flowchronicle import FlowChronicleParams

    rng = np.random.default_rng(0)
    rows: list[tuple[Any, ...]] = []
    for night in range(3):
        for _ in range(120):
            at = MONDAY + 2800 * WEEK + night * DAY + 2 * HOUR + int(rng.integers(0, HOUR))
            i = int(rng.integers(1, 5))
            copy = at + 3_000_000 + int(rng.integers(0, 10**6))
            rows.append((at, "UDP", f"fd00::{i}", "fd00::53", 53, 1, 80))
            rows.append((copy, "TCP", f"10.0.0.{i}", "10.0.0.9", 873, 9, 9000))
    for hour in range(72):
        rows.append((MONDAY + 2800 * WEEK + hour * HOUR, "UDP", "10.0.0.9", "10.0.0.1", 123, 1, 76))
    names = ["ts", "proto", "src_ip", "dst_ip", "dst_port", "fwd_packets", "fwd_bytes"]
    flows = FlowTable.from_columns(pd.DataFrame(rows, columns=names))
    return FlowChronicle.fit(flows, FlowChronicleParams(), rng=np.random.default_rng(0))


def test_starts_delays_and_machines_are_told(nightly: FlowChronicle) -> None:
    (learnt,) = nightly.multi_flow_patterns
    profile = start_profile(nightly, learnt.id)
    assert profile.shape == (168,)
    assert profile[:72].sum() == pytest.approx(learnt.usage, rel=0.05)
    told = start_words(nightly, learnt.id)
    assert "from 02:00 UTC" in told and "weekdays are not told apart" in told
    assert delay_words(learnt.delays[0], nightly).startswith("3.")
    assert "10.0.0.1 and fd00::1 act as one machine." in machine_words(nightly)


def test_links_are_told(model: FlowChronicle) -> None:
    assert "hours are not known" in start_words(model, "p1")
    links = [link for p in (*model.patterns, model.empty) for link in links_of(model, p.id)]
    assert sorted(map(id, links)) == sorted(map(id, model.links))
    for link in links:
        assert f"{link.count} seen" in link_words(link, model)
