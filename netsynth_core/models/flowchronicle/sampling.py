"""Sampling flows from patterns, batch by batch: starts and delays, networks, reused cells, values, repair."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.flows.table import FlowTable
from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.learnt import LearntPattern
from netsynth_core.models.flowchronicle.repair import Rules, SourcePorts, draw_source_ports, mend, separate
from netsynth_core.models.flowchronicle.times import draw_delays


def choose_windows(patterns: Sequence[LearntPattern], n: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
    """How many windows of each pattern make exactly `n` flows, or more only when no pattern fits what is missing.

    Patterns are drawn independently by usage until the flows are complete; the last ones are drawn among those that
    fit.
    """
    sizes = np.array([len(p.pattern) for p in patterns], np.int64)
    usage = np.array([p.usage for p in patterns], np.float64)
    counts = np.zeros(len(patterns), np.int64)
    missing = n
    while missing > 0:
        fit = usage * (sizes <= missing)
        if not fit.any():
            fit = usage * (sizes == sizes[usage > 0].min())
        draws = max(1, int(missing / float(sizes @ fit) * float(fit.sum())) // 2)
        if missing < 4 * int(sizes.max()):
            draws = 1
        chosen = rng.multinomial(draws, fit / fit.sum())
        if draws > 1 and int(sizes @ chosen) > missing:
            continue
        counts += chosen
        missing -= int(sizes @ chosen)
    return counts


def draw_codes(learnt: LearntPattern, n: int, columns: int, *, rng: np.random.Generator) -> NDArray[np.int32]:
    """Codes of `n` windows: windows x flows x columns."""
    pattern = learnt.pattern
    codes = np.zeros((n, len(pattern), columns), np.int32)
    drawn = learnt.network.sample(n, rng=rng) if n else np.zeros((len(pattern.free_cells(columns)), 0), np.int32)
    for row, (flow, column) in zip(drawn, pattern.free_cells(columns), strict=True):
        codes[:, flow, column] = row
    for j, flow_cells in enumerate(pattern.flows):
        for fixed in flow_cells.fixed:
            codes[:, j, fixed.column] = fixed.code
        for reused in flow_cells.reused:
            codes[:, j, reused.column] = codes[:, reused.flow, reused.source]
    return codes


def draw_values(
    learnt: LearntPattern, codes: NDArray[np.int32], columns: Sequence[Column], *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Values of the number cells: windows x flows x numbers."""
    numbers = [c for c, column in enumerate(columns) if column.kind == "number"]
    values = np.zeros((*codes.shape[:2], len(numbers)), np.int64)
    if len(codes):
        for place, law in enumerate(learnt.numbers):
            flow, number = divmod(place, len(numbers))
            column = numbers[number]
            values[:, flow, number] = law.draw(codes[:, flow, column], columns[column].step, rng=rng)
    return values


def draw_starts(learnt: LearntPattern, first: NDArray[np.int64], *, rng: np.random.Generator) -> NDArray[np.int64]:
    """Starts (ns, windows x flows) of windows whose first flows start at `first`."""
    starts = np.empty((len(first), len(learnt.pattern)), np.int64)
    starts[:, 0] = first
    for gap, knots in enumerate(learnt.delays):
        starts[:, gap + 1] = starts[:, gap] + draw_delays(knots, len(first), rng=rng)
    return starts


def decode(
    codes: NDArray[np.int32],
    numbers: NDArray[np.int64],
    ts: NDArray[np.int64],
    columns: Sequence[Column],
    rules: Rules,
    ports: tuple[SourcePorts, ...],
    *,
    rng: np.random.Generator,
) -> FlowTable:
    """The flow table of sampled codes (flows x columns), numbers (flows x numbers) and starts (ns)."""
    order = np.argsort(ts, kind="stable")
    codes, numbers, ts = codes[order], numbers[order], ts[order]
    values: dict[str, object] = {"ts": ts}
    for c, column in enumerate(columns):
        if column.kind == "number":
            values[column.name] = numbers[:, c - len(columns)]
        elif column.kind == "port":
            values[column.name] = np.array([int(v) for v in column.values], np.int64)[codes[:, c]]
        else:
            values[column.name] = np.array(column.values, dtype=object)[codes[:, c]]
    frame = mend(pd.DataFrame(values), rules)
    proto = frame["proto"].to_numpy(dtype=object)
    frame["src_port"] = draw_source_ports(proto, frame["dst_port"].to_numpy(np.int64), ports, rng=rng)
    frame["src_port"] = separate(frame, rng=rng)
    return FlowTable.from_columns(frame)
