"""Flow tables with planted sessions, and the benchmark tables where they are."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from netsynth_core.flows.table import FlowTable
from netsynth_core.models.flowchronicle import FlowChronicle, FlowChronicleParams

BENCH = Path(__file__).parents[4] / "shared" / "bench"
START = 1_700_000_000 * 10**9
Row = tuple[int, str, str, str, int, int, int, int, int, int, str]
NAMES = [
    "ts",
    "proto",
    "src_ip",
    "dst_ip",
    "dst_port",
    "fwd_packets",
    "bwd_packets",
    "fwd_bytes",
    "bwd_bytes",
    "duration",
    "flags",
]


class Planted:
    """A flow table made of sessions, and which rows belong together."""

    def __init__(self, sessions: list[list[Row]]) -> None:
        rows = sorted((row[0], s, place, row) for s, rows in enumerate(sessions) for place, row in enumerate(rows))
        self.flows = FlowTable.from_columns(pd.DataFrame([row for *_, row in rows], columns=NAMES))
        members: dict[int, list[int]] = {}
        for at, (_, s, _, _) in enumerate(rows):
            members.setdefault(s, []).append(at)
        self.windows = {tuple(m) for m in members.values() if len(m) > 1}


def sessions(count: int, seed: int, kinds: str) -> list[list[Row]]:
    """`count` sessions of random clients; `kinds` has a letter for each kind: w(eb), a (A + AAAA), p(roxy), n(tp)."""
    rng = np.random.default_rng(seed)
    made: list[list[Row]] = []
    now = START
    for _ in range(count):
        now += int(rng.exponential(2e9))
        kind = kinds[int(rng.integers(len(kinds)))]
        client = f"10.0.0.{int(rng.integers(2, 40))}"
        server = f"198.51.100.{int(rng.zipf(1.3)) % 200}"
        delay = now + int(rng.lognormal(np.log(6e7), 0.5)) // 1000 * 1000
        packets = int(rng.integers(4, 60))
        web = (delay, "TCP", client, server, 443, packets, packets + 2, packets * 90, packets * 800, 10**9, ".AP.SF")
        if kind == "w":
            made.append([dns(now, client, rng), web])
        elif kind == "a":
            made.append([dns(now - 9_000_000, client, rng), dns(now, client, rng), web])
        elif kind == "p":
            onward = ("TCP", "10.0.9.9", server, 443, packets, packets, packets * 90, packets * 700, 10**9, ".AP.SF")
            made.append([(now, "TCP", client, "10.0.9.9", 8080, 9, 9, 900, 9000, 10**9, ".AP.SF"), (delay, *onward)])
        else:
            made.append([(now, "UDP", client, "10.0.0.1", 123, 1, 1, 76, 76, 10**6, "......")])
    return made


def dns(now: int, client: str, rng: np.random.Generator) -> Row:
    """One question to the resolver."""
    return (
        now,
        "UDP",
        client,
        "10.0.9.1",
        53,
        1,
        1,
        60 + int(rng.integers(30)),
        90 + int(rng.integers(99)),
        10**6,
        "......",
    )


def found(model: FlowChronicle, flows: FlowTable) -> set[tuple[int, ...]]:
    """Rows of all windows of two and more flows."""
    return {window.rows for window in model.windows(flows) if len(window.rows) > 1}


def fit(flows: FlowTable, **params: Any) -> FlowChronicle:
    """A model with the given parameters."""
    return FlowChronicle.fit(flows, FlowChronicleParams(**params), rng=np.random.default_rng(0))


@pytest.fixture(scope="session")
def planted() -> Planted:
    """Web sessions with one and two questions, proxied ones, and lone NTP."""
    return Planted(sessions(500, 1, "wwapn"))


@pytest.fixture(scope="session")
def model(planted: Planted) -> FlowChronicle:
    """A model of `planted`."""
    return fit(planted.flows)


@pytest.fixture
def make() -> Callable[..., Planted]:
    """Makes planted tables: ``make(count, seed, kinds)``."""
    return lambda count, seed, kinds: Planted(sessions(count, seed, kinds))


@pytest.fixture
def fitted() -> Callable[..., FlowChronicle]:
    """Fits: ``fitted(flows, **params)``."""
    return fit


@pytest.fixture
def found_rows() -> Callable[[FlowChronicle, FlowTable], set[tuple[int, ...]]]:
    """Rows of the windows of several flows."""
    return found


@pytest.fixture
def bench() -> Iterator[Callable[[str], tuple[FlowTable, set[tuple[int, ...]]]]]:
    """A benchmark table by name with its planted windows; skips where it is absent."""

    def read(name: str) -> tuple[FlowTable, set[tuple[int, ...]]]:
        from netsynth_core.flows.table_io import read_flow_table

        path = BENCH / f"flows_{name}.csv"
        if not path.exists():
            pytest.skip(f"{path} is absent")
        truth = pd.read_csv(BENCH / f"flows_{name}_truth.csv")
        groups = truth[truth["kind"] != "noise"].groupby("session")["row"]
        return read_flow_table(path), {tuple(int(r) for r in rows) for _, rows in groups}

    yield read
