"""What generating has learnt, in words."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from netsynth_core.flows.table import FlowTable
from netsynth_core.models.flowchronicle import FlowChronicle
from netsynth_core.models.flowchronicle.describe import delay_words
from netsynth_core.models.flowchronicle.generation.delays import DelayLaw
from netsynth_core.models.flowchronicle.generation.intensity import DAY, HOUR, MONDAY, WEEK
from netsynth_core.models.flowchronicle.generation.words import (
    drawing_words,
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
    assert drawing_words(nightly, learnt.id)[0] == told
    assert "10.0.0.1 and fd00::1 act as one machine." in machine_words(nightly)


def test_a_delay_that_depends_on_a_cell_says_on_which(nightly: FlowChronicle) -> None:
    (learnt,) = nightly.multi_flow_patterns
    free = replace(learnt, delays=(replace(learnt.delays[0], cell=None),))
    assert delay_words(free, 0, nightly.columns).startswith("3.")
    place = next(c for c, column in enumerate(nightly.columns) if column.name == "dst_port")
    bound = replace(learnt, delays=(replace(learnt.delays[0], cell=(0, place)),))
    assert delay_words(bound, 0, nightly.columns).endswith(", depending on dst_port of flow 1)")
    instant = replace(bound, delays=(DelayLaw(np.zeros_like(learnt.delays[0].knots), (0, place)),))
    assert delay_words(instant, 0, nightly.columns) == "at the same time (depending on dst_port of flow 1)"


def test_a_pattern_without_a_window_is_said_not_to_be_generated(nightly: FlowChronicle) -> None:
    unused = replace(nightly.patterns[0], usage=0)
    emptied = replace(nightly, patterns=(unused, *nightly.patterns[1:]))
    (told,) = drawing_words(emptied, unused.id)
    assert "none is generated" in told


def test_links_are_told(model: FlowChronicle) -> None:
    assert "hours are not known" in start_words(model, "p1")
    links = [link for p in (*model.patterns, model.empty) for link in links_of(model, p.id)]
    assert sorted(map(id, links)) == sorted(map(id, model.links))
    for link in links:
        assert f"{link.count} seen" in link_words(link, model)
    told = drawing_words(model, "p1")
    assert told == (start_words(model, "p1"), *(link_words(link, model) for link in links_of(model, "p1")))
