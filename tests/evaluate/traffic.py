"""Hand-made flow tables for the tests: one flow with defaults that break no rule, and a toy network with structure."""

from typing import Any

import numpy as np
import pandas as pd

from netsynth_core.flows.table import FlowTable

S = 1_000_000_000

FLOW: dict[str, Any] = {
    "ts": 0,
    "duration": S,
    "proto": "TCP",
    "src_ip": "10.0.0.1",
    "src_port": 40000,
    "dst_ip": "10.0.0.2",
    "dst_port": 80,
    "fwd_packets": 5,
    "bwd_packets": 4,
    "fwd_bytes": 500,
    "bwd_bytes": 4000,
    "flags": ".AP.SF",
    "service": "http",
    "state": "SF",
}


def flows(*changes: dict[str, Any], **common: Any) -> FlowTable:
    """One flow per dictionary of changes to `FLOW`; start at 0, 1, 2 ... s unless they say otherwise."""
    rows = [FLOW | {"ts": i * S} | common | change for i, change in enumerate(changes)]
    return FlowTable.from_columns(pd.DataFrame(rows, columns=list(FLOW)))


def empty() -> FlowTable:
    """A flow table without rows."""
    return flows({}).take(np.zeros(0, np.int64))


def network(n: int, *, seed: int) -> FlowTable:
    """`n` sessions of a DNS lookup and, 10 to 100 ms later, a web flow of the same client; no rule is broken.

    Sizes depend on the port, servers on the client: there is something to lose by shuffling.
    """
    rng = np.random.default_rng(seed)
    begin = np.cumsum(rng.exponential(2.0, n))
    client = rng.integers(0, 20, n)
    rows = []
    for t, c, gap, size in zip(begin, client, rng.uniform(0.01, 0.1, n), rng.lognormal(7, 1, n), strict=True):
        source = f"10.0.0.{c + 1}"
        dns = {
            "ts": int(t * S), "duration": 5_000_000, "proto": "UDP", "src_ip": source, "dst_ip": "10.0.1.1",
            "dst_port": 53, "fwd_packets": 1, "bwd_packets": 1, "fwd_bytes": 60 + int(c), "bwd_bytes": 150,
            "flags": "......", "service": "dns", "state": "SF",
        }  # fmt: skip
        packets = 4 + int(size) // 1000
        web = {
            "ts": int((t + gap) * S), "src_ip": source, "dst_ip": f"192.0.2.{c % 7 + 1}",
            "dst_port": 443 if c % 3 else 80, "service": "tls" if c % 3 else "http",
            "fwd_packets": packets, "bwd_packets": packets,
            "fwd_bytes": 40 * packets + int(size) // 10, "bwd_bytes": 40 * packets + int(size),
            "duration": int(size) * 1_000_000,
        }  # fmt: skip
        rows += [FLOW | dns, FLOW | web]
    return FlowTable.from_columns(pd.DataFrame(rows, columns=list(FLOW)))


def shuffled_columns(table: FlowTable, *, seed: int) -> FlowTable:
    """Every column but the start shuffled on its own: marginals stay, dependence goes."""
    rng = np.random.default_rng(seed)
    frame = table.frame.copy()
    for column in frame.columns.drop("ts"):
        frame[column] = rng.permutation(frame[column].to_numpy())
    return FlowTable.from_columns(frame)


def shuffled_starts(table: FlowTable, *, seed: int) -> FlowTable:
    """Starts dealt out anew: each flow and the load stay, who follows whom goes."""
    frame = table.frame.copy()
    frame["ts"] = np.random.default_rng(seed).permutation(frame["ts"].to_numpy())
    return FlowTable.from_columns(frame)
