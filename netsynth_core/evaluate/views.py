"""Flow tables made ready for measuring: categories coded over all tables alike, sizes on a log scale, and each flow's
place among its neighbours worked out **before** rows are drawn.

So a draw of rows keeps what a row knows about its neighbours (gap to the flow before, next flow of the same source),
and the metrics of inter-flow structure can be measured on equal numbers of rows like all others.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.flows.table import SPARSE, FlowTable
from netsynth_core.units import NS_PER_S

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CATEGORICAL: Final = ("proto", "src_ip", "dst_ip", "dst_port", "flags", "service", "state")
NUMERIC: Final = ("duration", "fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes")
TOP: Final = 20
"""Categories kept apart where columns are crossed; the rest are pooled into one more."""
HORIZON_NS: Final = 60 * NS_PER_S
"""A next flow later than this counts as none."""
NEVER: Final = np.iinfo(np.int64).max
RUN: Final = 5
"""Flows in a row whose (source, destination, port, protocol) make one run for the sequence-copy metric."""


@dataclass(frozen=True, eq=False)
class View:
    """Rows of one flow table as arrays; `take` gives some of the rows."""

    start: Ints
    """Start of each flow, ns since the start of its table."""
    span: int
    """Last start minus first start of the whole table, ns; unchanged by `take`."""
    codes: dict[str, Ints]
    """Per categorical column, the code of each row; the same code means the same text in every view."""
    pooled: dict[str, Ints]
    """As `codes`, with only the `TOP` commonest real categories kept apart: 0..TOP, TOP = all others."""
    sizes: dict[str, int]
    """Per categorical column, the number of codes over all views."""
    filled: dict[str, bool]
    """Per categorical column, whether any row of the whole table has a value."""
    logs: dict[str, Floats]
    """Per numeric column log10(1 + x); durations and gaps in microseconds. ``gap`` = start minus the start before."""
    next_gap: Ints
    """ns to the next flow of the same source; `NEVER` when there is none."""
    next_port: Ints
    """Pooled code of that flow's dst_port; TOP + 1 when there is none within `HORIZON_NS`."""
    chain_gap: Ints
    """ns to the next flow whose source is this flow's destination; `NEVER` when there is none."""
    key: NDArray[np.uint64]
    """Hash of all columns but `ts` and `label`: equal keys = copies."""
    timed_key: NDArray[np.uint64]
    """The same with `ts`."""
    run_key: NDArray[np.uint64]
    """Hash of the run of `RUN` flows that begins here (0 where the table ends first)."""
    endpoint: NDArray[np.uint64]
    """Hash of (dst_ip, dst_port, proto)."""
    volume: Floats
    """fwd_bytes + bwd_bytes."""
    window: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """Number of the pattern whose window begins at this row, -1 = none; empty without a pattern set."""

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: Ints) -> "View":
        """The given rows, in the order given."""

        def some(columns: dict[str, Ints]) -> dict[str, Ints]:
            return {name: values[rows] for name, values in columns.items()}

        return View(
            start=self.start[rows],
            span=self.span,
            codes=some(self.codes),
            pooled=some(self.pooled),
            sizes=self.sizes,
            filled=self.filled,
            logs={name: values[rows] for name, values in self.logs.items()},
            next_gap=self.next_gap[rows],
            next_port=self.next_port[rows],
            chain_gap=self.chain_gap[rows],
            key=self.key[rows],
            timed_key=self.timed_key[rows],
            run_key=self.run_key[rows],
            endpoint=self.endpoint[rows],
            volume=self.volume[rows],
            window=self.window[rows] if len(self.window) else self.window,
        )


def next_of_key(key: Ints, start: Ints) -> tuple[Ints, Ints]:
    """For each row, the row of the next flow with the same key, and the ns until it starts.

    Parameters
    ----------
    key, start
        One per row, rows in order of their start.

    Returns
    -------
    row, gap
        -1 and `NEVER` where there is no later flow of that key.
    """
    row = np.full(len(key), -1, np.int64)
    gap = np.full(len(key), NEVER, np.int64)
    order = np.argsort(key, kind="stable")
    same = key[order][1:] == key[order][:-1]
    here, there = order[:-1][same], order[1:][same]
    row[here] = there
    gap[here] = start[there] - start[here]
    return row, gap


def next_from(target: Ints, source: Ints, start: Ints) -> Ints:
    """For each row i, ns until the next later row j (j > i) with ``source[j] == target[i]``; `NEVER` when none."""
    n = len(target)
    if n == 0:
        return np.zeros(0, np.int64)
    by_source = np.argsort(source * n + np.arange(n), kind="stable")
    ranks = (source * n + np.arange(n))[by_source]
    place = np.searchsorted(ranks, target * n + np.arange(n), side="right")
    found = place < n
    row = by_source[np.minimum(place, n - 1)]
    found &= source[row] == target
    gap = np.full(n, NEVER, np.int64)
    gap[found] = start[row[found]] - start[found.nonzero()[0]]
    return gap


def _texts(table: FlowTable, column: str) -> pd.Series:
    return table.frame[column].astype("str")


def _filled(table: FlowTable, column: str) -> bool:
    values = table.frame[column]
    if column == "flags":
        return bool((values != "......").any())
    return bool((values.astype("str") != "").any())


def _hash(frame: pd.DataFrame) -> NDArray[np.uint64]:
    """One 64-bit hash per row; deterministic (pandas' fixed key)."""
    if not len(frame):
        return np.zeros(0, np.uint64)
    return np.asarray(pd.util.hash_pandas_object(frame, index=False), dtype=np.uint64)


def _run_key(flow_key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash of each run of `RUN` rows by a polynomial over 64-bit words (wraps round by design)."""
    runs = np.zeros(len(flow_key), np.uint64)
    whole = len(flow_key) - RUN + 1
    if whole > 0:
        total = np.zeros(whole, np.uint64)
        for offset in range(RUN):
            total = total * np.uint64(0x9E3779B97F4A7C15) + flow_key[offset : offset + whole]
        runs[:whole] = total
    return runs


def prepare(tables: list[FlowTable]) -> list[View]:
    """Views of several tables with common codes; the first table (the real one) says which categories are common."""
    codes: dict[str, list[Ints]] = {}
    pooled: dict[str, list[Ints]] = {}
    sizes: dict[str, int] = {}
    cuts = np.cumsum([len(table) for table in tables])[:-1]
    for column in CATEGORICAL:
        together = pd.concat([_texts(table, column) for table in tables], ignore_index=True)
        numbers, names = pd.factorize(together, sort=True)
        numbers = numbers.astype(np.int64)
        codes[column] = list(np.split(numbers, cuts))
        sizes[column] = max(1, len(names))
        counts = np.bincount(codes[column][0], minlength=sizes[column])
        common = np.argsort(-counts, kind="stable")[:TOP]
        place = np.full(sizes[column], TOP, np.int64)
        place[common] = np.arange(len(common))
        pooled[column] = list(np.split(place[numbers], cuts))
    hosts = _common_hosts(tables, cuts)
    return [
        _view(
            table,
            {column: codes[column][i] for column in CATEGORICAL},
            {column: pooled[column][i] for column in CATEGORICAL},
            sizes,
            hosts[i],
        )
        for i, table in enumerate(tables)
    ]


def _common_hosts(tables: list[FlowTable], cuts: Ints) -> list[tuple[Ints, Ints]]:
    """Source and destination addresses in one numbering, so that a destination can be found again as a source."""
    together = pd.concat(
        [_texts(t, "src_ip") for t in tables] + [_texts(t, "dst_ip") for t in tables], ignore_index=True
    )
    numbers = pd.factorize(together)[0].astype(np.int64)
    half = len(numbers) // 2
    return list(zip(np.split(numbers[:half], cuts), np.split(numbers[half:], cuts), strict=True))


def _view(
    table: FlowTable,
    codes: dict[str, Ints],
    pooled: dict[str, Ints],
    sizes: dict[str, int],
    hosts: tuple[Ints, Ints],
) -> View:
    frame = table.frame
    ts = frame["ts"].to_numpy(np.int64)
    start = ts - ts[0] if len(ts) else ts
    logs: dict[str, Floats] = {}
    for column in NUMERIC:
        values = frame[column].to_numpy(np.float64)
        logs[column] = np.log10(1 + np.maximum(values, 0) / (1_000 if column == "duration" else 1))
    logs["gap"] = np.log10(1 + np.diff(start, prepend=start[:1]) / 1_000)
    following, next_gap = next_of_key(hosts[0], start)
    near = next_gap <= HORIZON_NS
    next_port = np.where(near, pooled["dst_port"][following] if len(ts) else following, TOP + 1)
    # what only captures tell (history, server_name) is no part of a flow that a model could repeat
    flow_columns = [name for name in frame.columns if name not in ("ts", "label", *SPARSE)]
    return View(
        start=start,
        span=int(start[-1]) if len(start) else 0,
        codes=codes,
        pooled=pooled,
        sizes=sizes,
        filled={column: len(ts) > 0 and _filled(table, column) for column in CATEGORICAL},
        logs=logs,
        next_gap=next_gap,
        next_port=next_port.astype(np.int64),
        chain_gap=next_from(hosts[1], hosts[0], start),
        key=_hash(frame[flow_columns]),
        timed_key=_hash(frame[["ts", *flow_columns]]),
        run_key=_run_key(_hash(frame[["src_ip", "dst_ip", "dst_port", "proto"]])),
        endpoint=_hash(frame[["dst_ip", "dst_port", "proto"]]),
        volume=frame["fwd_bytes"].to_numpy(np.float64) + frame["bwd_bytes"].to_numpy(np.float64),
    )
