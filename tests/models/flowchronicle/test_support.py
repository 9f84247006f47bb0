"""Sampled flows join only what training flows joined; what is possible keeps its share."""

import numpy as np
import pandas as pd

from netsynth_core.flows.table import FlowTable
from netsynth_core.models.flowchronicle import FlowChronicle, FlowChronicleParams
from netsynth_core.models.flowchronicle.columns import encode_flows
from netsynth_core.models.flowchronicle.support import draw_possible, family, learn_support, possible

HOSTS = {4: [f"10.0.0.{i}" for i in range(1, 7)], 6: [f"fd00::{i}" for i in range(1, 7)]}


def mixed_network(n: int = 400) -> FlowTable:
    """Hosts of both IP versions that each talk to everybody of their own version but themselves."""
    rng = np.random.default_rng(3)
    rows = []
    for i in range(n):
        src, dst = rng.choice(HOSTS[4 if rng.random() < 0.5 else 6], 2, replace=False)
        kind = [("TCP", 80, "SF", ".AP.SF"), ("TCP", 22, "REJ", ".A.RS."), ("UDP", 53, "SF", "......")][rng.integers(3)]
        back = 0 if kind[2] == "REJ" and rng.random() < 0.5 else 1
        rows.append(
            {
                "ts": i * 10**9, "proto": kind[0], "src_ip": src, "dst_ip": dst, "dst_port": kind[1], "state": kind[2],
                "flags": kind[3], "fwd_packets": 1, "bwd_packets": back, "fwd_bytes": 60, "bwd_bytes": 60 * back,
            }
        )  # fmt: skip
    return FlowTable.from_columns(pd.DataFrame(rows))


def test_families() -> None:
    assert [family(a) for a in ("10.0.0.1", "fd00::1", "::ffff:1.2.3.4", "EXT_SERVER", "10000_34")] == [4, 6, 6, 0, 0]


def test_no_sampled_flow_joins_what_no_flow_joined() -> None:
    real = mixed_network()
    model = FlowChronicle.fit(real, FlowChronicleParams(), rng=np.random.default_rng(0))
    drawn = model.sample(5000, rng=np.random.default_rng(1)).frame
    ends = drawn["src_ip"].map(family), drawn["dst_ip"].map(family)
    assert (ends[0] == ends[1]).all()
    assert (drawn["src_ip"] != drawn["dst_ip"]).all()
    for names in (["proto", "dst_port"], ["proto", "state", "flags"]):
        known = set(real.frame[names].itertuples(index=False, name=None))
        assert set(drawn[names].itertuples(index=False, name=None)) <= known
    assert abs(ends[0].eq(6).mean() - 0.5) < 0.1


def test_impossible_windows_are_drawn_again_and_nothing_loops() -> None:
    real = mixed_network()
    model = FlowChronicle.fit(real, FlowChronicleParams(), rng=np.random.default_rng(0))
    codes = encode_flows(model.columns, real)
    support = learn_support(codes, model.columns)
    assert possible(support, codes[:, None, :], model.columns).all()
    src, dst = (next(c for c, k in enumerate(model.columns) if k.name == name) for name in ("src_ip", "dst_ip"))
    bad = codes[:1].copy()
    bad[0, dst] = bad[0, src]
    assert not possible(support, bad[:, None, :], model.columns).any()
    calls = []

    def stubborn(n: int) -> np.ndarray:
        calls.append(n)
        return np.repeat(bad[:, None, :], n, axis=0)

    assert draw_possible(stubborn, 3, support, model.columns).shape[0] == 3
    assert len(calls) < 50


def test_no_two_sampled_flows_have_one_key() -> None:
    """A few hosts and ports and very many flows: ephemeral ports collide unless they are kept apart."""
    frame = mixed_network().frame
    frame["src_ip"], frame["dst_ip"] = "10.0.0.1", "10.0.0.2"
    model = FlowChronicle.fit(FlowTable(frame), FlowChronicleParams(), rng=np.random.default_rng(0))
    drawn = model.sample(5000, rng=np.random.default_rng(1)).frame
    assert not drawn.duplicated(["proto", "src_ip", "src_port", "dst_ip", "dst_port"]).any()
