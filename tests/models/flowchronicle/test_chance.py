"""Patterns whose flows merely happen to follow each other are told from those whose flows belong together."""

import numpy as np
import pandas as pd
import pytest

from netsynth_core.flows.table import FlowTable
from netsynth_core.models.flowchronicle.chance import by_chance
from netsynth_core.models.flowchronicle.columns import learn_columns
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.pattern import Fixed, PartialFlow, Pattern, Reused
from netsynth_core.models.flowchronicle.stored import index_flows

SECOND = 10**9
PORT, SRC = 1, 3


def index_with(delay: float | None, *, seed: int, sessions: int = 150) -> FlowIndex:
    """DNS by one of six clients, and HTTPS by the same after about `delay` seconds; None = at any time at all."""
    rng = np.random.default_rng(seed)
    begin = np.sort(rng.integers(0, 20_000, sessions)) * SECOND
    who = rng.integers(0, 6, sessions)
    if delay is None:
        later = rng.integers(0, 20_000, sessions) * SECOND
    else:
        later = begin + (delay * SECOND * rng.lognormal(0, 0.4, sessions)).astype(np.int64)
    times = np.concatenate((begin, later))
    frame = pd.DataFrame(
        {
            "ts": times,
            "proto": ["UDP"] * sessions + ["TCP"] * sessions,
            "src_ip": [f"10.0.0.{w}" for w in np.tile(who, 2)],
            "dst_ip": ["10.0.9.9"] * sessions + [f"10.0.1.{i}" for i in rng.integers(0, 9, sessions)],
            "dst_port": [53] * sessions + [443] * sessions,
            "duration": 10**6,
            "fwd_packets": 3,
            "bwd_packets": 3,
            "fwd_bytes": 300,
            "bwd_bytes": 300,
            "flags": "......",
        }
    )
    flows = FlowTable.from_columns(frame.sort_values("ts", kind="stable").reset_index(drop=True))
    columns = learn_columns(flows, bins=4)
    assert [c.name for c in columns][PORT] == "dst_port"
    assert [c.name for c in columns].index("src_ip") == SRC
    return index_flows(columns, flows)


def pair(within: int) -> Pattern:
    """Port 53, then port 443 from the same address within 2**within microseconds."""
    first = PartialFlow((Fixed(PORT, 0),))
    return Pattern((first, PartialFlow((Fixed(PORT, 1),), (Reused(SRC, 0, SRC),))), (within,))


@pytest.mark.parametrize(("delay", "within"), [(0.1, 20), (60.0, 28), (300.0, 29)])
@pytest.mark.parametrize("seed", range(3))
def test_what_was_planted_is_no_chance(delay: float, within: int, seed: int) -> None:
    assert not by_chance(pair(within), index_with(delay, seed=seed))


@pytest.mark.parametrize("within", [20, 28, 31, 34])
@pytest.mark.parametrize("seed", range(4))
def test_flows_at_any_time_follow_by_chance(within: int, seed: int) -> None:
    assert by_chance(pair(within), index_with(None, seed=seed))


def test_a_limit_that_lets_chance_in_is_seen_whatever_the_cause() -> None:
    """HTTPS a tenth of a second later, but a limit of hours: half of the windows would be others'."""
    assert by_chance(pair(36), index_with(0.1, seed=0))


def test_every_gap_is_looked_at() -> None:
    index = index_with(0.1, seed=1)
    third = PartialFlow((Fixed(PORT, 0),))
    assert by_chance(Pattern((*pair(20).flows, third), (20, 33)), index)


def test_one_flow_follows_nothing() -> None:
    assert not by_chance(Pattern((PartialFlow((Fixed(PORT, 0),)),)), index_with(0.1, seed=0))
