"""Merging of one-directional records: planted flows are found again, and no packet is lost or made."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.flows.logs.merging import MERGE_GAP_NS, merge_directions
from netsynth_core.units import NS_PER_S

COLUMNS = ["ts", "duration", "proto", "src_ip", "src_port", "dst_ip", "dst_port", "packets", "bytes", "flags"]
KEY = ["proto", "src_ip", "src_port", "dst_ip", "dst_port"]
TOTALS = ["fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes"]


def records(*rows: tuple[object, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=COLUMNS)


def planted(rng: np.random.Generator, count: int) -> pd.DataFrame:
    """Flows between a few hosts: TCP that reuses ports after a FIN, UDP whose keys rest longer than the gap."""
    rows = []
    free: dict[tuple[object, ...], int] = {}
    for _ in range(count):
        proto = str(rng.choice(["TCP", "UDP"]))
        server, port = f"10.0.0.{rng.integers(1, 4)}", int(rng.choice([53, 80, 443]))
        key = (proto, f"10.0.1.{rng.integers(1, 4)}", int(rng.integers(40000, 40004)), server, port)
        rest = NS_PER_S if proto == "TCP" else MERGE_GAP_NS + NS_PER_S
        begin = free.get(key, 0) + rest + int(rng.integers(0, 600 * NS_PER_S))
        length = int(rng.integers(0, 300 * NS_PER_S))
        answered = bool(rng.random() < 0.8)
        packets = rng.integers(6, 50, 2)
        flags = ".AP.SF" if proto == "TCP" else "......"
        both = (int(packets[0]), int(packets[1]) * answered, int(packets[0]) * 60, int(packets[1]) * 90 * answered)
        rows.append((begin, length, *key, *both, flags))
        free[key] = begin + length
    frame = pd.DataFrame(rows, columns=["ts", "duration", *KEY, *TOTALS, "flags"])
    return frame.sort_values("ts", kind="stable", ignore_index=True)


def split(flows: pd.DataFrame, rng: np.random.Generator, *, active_ns: int) -> pd.DataFrame:
    """Each flow as an exporter writes it: a record per direction, cut by an active timeout, in any order."""
    rows = []
    for flow in flows.itertuples(index=False):
        ends = ((flow.src_ip, flow.src_port), (flow.dst_ip, flow.dst_port))
        for way, (packets, size) in enumerate(((flow.fwd_packets, flow.fwd_bytes), (flow.bwd_packets, flow.bwd_bytes))):
            if not packets:
                continue
            late = 0 if way == 0 else int(rng.integers(0, min(flow.duration, 2 * NS_PER_S) + 1))
            begin, last = flow.ts + late, flow.ts + flow.duration
            pieces = min(packets, 1 + (last - begin) // active_ns)
            edges = [begin + (last - begin) * k // pieces for k in range(pieces + 1)]
            for k in range(pieces):
                share = [value // pieces + (value % pieces if k == 0 else 0) for value in (packets, size)]
                flags = set(flow.flags) - ({"S"} if k else set()) - ({"F"} if k < pieces - 1 else set())
                text = "".join(c if c in flags else "." for c in "UAPRSF")
                gap = 0 if k == 0 else min(int(rng.integers(0, NS_PER_S)), edges[k + 1] - edges[k])
                start = edges[k] + gap
                (src, sport), (dst, dport) = ends if way == 0 else ends[::-1]
                rows.append((start, edges[k + 1] - start, flow.proto, src, sport, dst, dport, *share, text))
    return records(*rows).iloc[rng.permutation(len(rows))]


def test_planted_flows_are_found_again() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        flows = planted(rng, 300)
        for active in (10**15, 60 * NS_PER_S, 7 * NS_PER_S):
            merged = merge_directions(split(flows, rng, active_ns=active))
            pd.testing.assert_frame_equal(merged[flows.columns], flows, check_dtype=False)


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_every_packet_is_in_one_flow_whatever_the_order_of_the_records(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    hosts, ports = np.array(["a", "b", "c"]), np.array([53, 80, 40000])
    table = pd.DataFrame(
        {
            "ts": rng.integers(0, 1000, count) * NS_PER_S,
            "duration": rng.integers(0, 200, count) * NS_PER_S,
            "proto": rng.choice(["TCP", "UDP", "ICMP"], count),
            "src_ip": rng.choice(hosts, count),
            "src_port": rng.choice(ports, count),
            "dst_ip": rng.choice(hosts, count),
            "dst_port": rng.choice(ports, count),
            "packets": rng.integers(1, 9, count),
            "bytes": rng.integers(40, 900, count),
            "flags": rng.choice([".A..S.", ".AP...", ".A...F", "...R.."], count),
        }
    )
    merged = merge_directions(table)
    for name in ("packets", "bytes"):
        assert merged[f"fwd_{name}"].sum() + merged[f"bwd_{name}"].sum() == table[name].sum()
    assert (merged["duration"] >= 0).all() and (np.diff(merged["ts"]) >= 0).all()
    assert 1 <= len(merged) <= count
    shuffled = merge_directions(table.iloc[rng.permutation(count)])
    assert (
        sorted(merged[["ts", *TOTALS]].itertuples(index=False, name=None))
        == sorted(shuffled[["ts", *TOTALS]].itertuples(index=False, name=None))
        or table.duplicated(["ts", "proto"]).any()
    )


def test_the_gap_is_120_seconds_after_the_latest_end() -> None:
    first = (0, 10 * NS_PER_S, "UDP", "a", 40000, "b", 53, 1, 60, "......")
    for late, flows in ((0, 1), (1, 2)):
        second = (10 * NS_PER_S + MERGE_GAP_NS + late, 0, "UDP", "b", 53, "a", 40000, 1, 90, "......")
        assert len(merge_directions(records(first, second))) == flows


def test_the_originator_starts_first_and_ties_go_by_port() -> None:
    ask = (5, 1, "TCP", "a", 40000, "b", 80, 1, 60, "....S.")
    answer = (4, 1, "TCP", "b", 80, "a", 40000, 2, 90, ".A..S.")
    assert merge_directions(records(ask, answer))["src_ip"].tolist() == ["b"]
    tie = (5, *answer[1:])
    for both in ((ask, tie), (tie, ask)):
        merged = merge_directions(records(*both))
        assert merged[["src_ip", "dst_port", "fwd_packets", "bwd_packets"]].iloc[0].tolist() == ["a", 80, 1, 2]


def test_a_port_used_again_is_another_flow() -> None:
    made = []
    for k in range(3):
        begin = k * 3 * NS_PER_S
        made.append((begin, NS_PER_S, "TCP", "a", 40000, "b", 80, 5, 300, ".AP.SF"))
        made.append((begin + 1, NS_PER_S, "TCP", "b", 80, "a", 40000, 4, 200, ".AP.SF"))
    assert merge_directions(records(*made))[TOTALS].to_numpy().tolist() == [[5, 4, 300, 200]] * 3
    # SYNs that nothing answered are one attempt
    syns = [(k * 10 * NS_PER_S, 0, "TCP", "a", 40000, "b", 80, 1, 60, "....S.") for k in range(3)]
    assert len(merge_directions(records(*syns))) == 1


def test_the_label_that_says_something_is_kept() -> None:
    table = records(
        (0, 1, "UDP", "a", 40000, "b", 53, 1, 60, "......"),
        (1, 1, "UDP", "b", 53, "a", 40000, 1, 60, "......"),
    ).assign(label=["normal", "dos"])
    assert merge_directions(table)["label"].tolist() == ["dos"]
