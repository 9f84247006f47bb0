"""How a metric becomes a row: draws on equal terms, means over the draws, and a note instead of an exception.

``rows``: n real rows A, n other real rows B (from the hold-out when there is one), n synthetic rows S; the value is
metric(A, S), the floor metric(A, B). ``segments``: the same with stretches of time. ``whole``: metric(synthetic) beside
metric(real or hold-out). ``held-out``: metric(A, B, S) with B from the hold-out.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from netsynth_core.evaluate.interflow import segment_length, segments
from netsynth_core.evaluate.metric import Measured, Metric, MetricResult, NotApplicable, Part
from netsynth_core.evaluate.views import View
from netsynth_core.flows.table import FlowTable

MAX_ROWS: Final = 50_000
"""Rows a side per draw at most; more would cost time and change no digit that is shown."""


@dataclass(frozen=True)
class Draw:
    """Real A, other real B (None when there is too little), synthetic S; all equally many rows or segments."""

    a: Any
    b: Any
    s: Any
    each: int


@dataclass(frozen=True, eq=False)
class Bench:
    """Everything that metrics are measured on, drawn once for all of them."""

    tables: tuple[FlowTable, FlowTable, FlowTable | None]
    """Real, synthetic, hold-out."""
    views: tuple[View, View, View | None]
    rows: tuple[Draw, ...]
    load: tuple[Draw, ...] | str
    """Draws of segments, or why there are none."""
    counts: dict[str, int]


def set_up(
    tables: tuple[FlowTable, FlowTable, FlowTable | None],
    views: tuple[View, View, View | None],
    *,
    repeats: int,
    rng: np.random.Generator,
) -> Bench:
    """Draw the rows and segments; the same generator state gives the same draws."""
    names = ("real", "synthetic", "holdout")
    counts = {name: len(table) for name, table in zip(names, tables, strict=True) if table is not None}
    rows = draws(*views, repeats=repeats, most=MAX_ROWS, pick=lambda view, at: view.take(at), rng=rng)
    load: tuple[Draw, ...] | str
    try:
        load = _load_draws(views, repeats=repeats, rng=rng)
    except NotApplicable as why:
        load = str(why)
    return Bench(tables, views, rows, load, counts)


def draws(
    real: Any,
    synthetic: Any,
    holdout: Any,
    *,
    repeats: int,
    most: int,
    pick: Callable[[Any, Any], Any],
    rng: np.random.Generator,
) -> tuple[Draw, ...]:
    """Draws of equally many items a side; without hold-out the real ones are split, so half of them is the most."""
    n = min(len(real) // 2 if holdout is None else min(len(real), len(holdout)), len(synthetic), most)
    if n == 0:
        n = min(len(real), len(synthetic), most)
        a, s = (pick(side, rng.permutation(len(side))[:n]) for side in (real, synthetic))
        return (Draw(a, None, s, n),)
    drawn = []
    for _ in range(max(1, repeats)):
        order = rng.permutation(len(real))
        other = pick(real, order[n : 2 * n]) if holdout is None else pick(holdout, rng.permutation(len(holdout))[:n])
        drawn.append(Draw(pick(real, order[:n]), other, pick(synthetic, rng.permutation(len(synthetic))[:n]), n))
    return tuple(drawn)


def _load_draws(views: tuple[View, View, View | None], *, repeats: int, rng: np.random.Generator) -> tuple[Draw, ...]:
    given = [view for view in views if view is not None]
    if any(not len(view) for view in given):
        raise NotApplicable("One side has no flows.")
    width, bins = segment_length([view.span for view in given])
    cut = [None if view is None else segments(view, width, bins) for view in views]
    return draws(cut[0], cut[1], cut[2], repeats=repeats, most=10_000, pick=lambda side, at: side[at], rng=rng)


def measure(metric: Metric, bench: Bench) -> MetricResult:
    """One row of the report; never raises for what the data are."""
    if metric.draw == "whole":
        return _whole(metric, bench)
    if metric.draw == "held-out":
        return _held_out(metric, bench)
    drawn = bench.rows if metric.draw == "rows" else bench.load
    if isinstance(drawn, str):
        return failed(metric, bench.counts, drawn)
    n = bench.counts | {"each": drawn[0].each, "repeats": len(drawn)}
    try:
        values = [_once(metric, draw.a, draw.s) for draw in drawn]
    except NotApplicable as why:
        return failed(metric, n, str(why))
    notes = [values[0].note]
    floors: list[Measured] = []
    try:
        floors = [_once(metric, draw.a, draw.b) for draw in drawn if draw.b is not None]
        if not floors:
            notes.append("No floor: too few real flows to split.")
    except NotApplicable as why:
        notes.append(f"No floor: {why}")
    if metric.remark is not None:
        with suppress(NotApplicable):
            notes.append(metric.remark(bench.views[0], bench.views[1]))
    return _row(metric, values, floors, n=n, note=" ".join(note for note in notes if note))


def _held_out(metric: Metric, bench: Bench) -> MetricResult:
    """The value with synthetic rows as the third side; the floor with held-out rows there, all sides half as large."""
    n = bench.counts | {"each": bench.rows[0].each, "repeats": len(bench.rows)}
    if bench.views[2] is None:
        return failed(metric, n, "It needs a hold-out: real flows that the generator never saw.")
    halves = np.array_split(np.arange(bench.rows[0].each), 2)
    try:
        values = [_once(metric, draw.a, draw.b, draw.s) for draw in bench.rows if draw.b is not None]
        if not values:
            return failed(metric, n, "Too few flows in the hold-out.")
        floors = [
            _once(metric, draw.a.take(halves[0]), draw.b.take(halves[0]), draw.b.take(halves[1])) for draw in bench.rows
        ]
    except NotApplicable as why:
        return failed(metric, n, str(why))
    return _row(metric, values, floors, n=n, note="")


def _whole(metric: Metric, bench: Bench) -> MetricResult:
    real, synthetic, holdout = bench.tables
    try:
        value = _once(metric, synthetic)
    except NotApplicable as why:
        return failed(metric, bench.counts, str(why))
    floors, against = [], "real" if holdout is None else "hold-out"
    note = f"Synthetic: {value.note}." if value.note else ""
    try:
        floors = [_once(metric, real if holdout is None else holdout)]
        note += f" {against.capitalize()}: {floors[0].note}." if floors[0].note else ""
    except NotApplicable as why:
        note += f" No floor: {why}"
    result = _row(metric, [value], floors, n=bench.counts, note=note.strip())
    return replace(result, sd=_standard_error(value), floor_sd=_standard_error(floors[0]) if floors else None)


def _standard_error(measured: Measured) -> float | None:
    """Binomial standard error of a share; with 0 or all of n, as if half an event more or less had been seen."""
    if not measured.n:
        return None
    p = min(max(measured.value, 0.5 / measured.n), 1 - 0.5 / measured.n) if measured.n > 1 else 0.5
    return math.sqrt(p * (1 - p) / measured.n)


def _once(metric: Metric, *sides: Any) -> Measured:
    """One measurement; arithmetic that has no result on these flows is `NotApplicable`."""
    try:
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            measured = metric.function(*sides)
    except (ValueError, ArithmeticError, IndexError) as error:
        raise NotApplicable(f"It has no value on these flows ({error}).") from error
    whole = measured if isinstance(measured, Measured) else Measured(float(measured))
    if not math.isfinite(whole.value):
        raise NotApplicable("It has no finite value on these flows.")
    return whole


def _row(
    metric: Metric, values: Sequence[Measured], floors: Sequence[Measured], *, n: dict[str, int], note: str
) -> MetricResult:
    value, sd = _mean_sd([v.value for v in values])
    floor, floor_sd = _mean_sd([f.value for f in floors])
    parts = tuple(
        Part(
            name,
            _mean_sd([v.parts[name] for v in values if name in v.parts])[0],
            _mean_sd([f.parts[name] for f in floors if name in f.parts])[0],
        )
        for name in values[0].parts
    )
    result = replace(
        failed(metric, n, note), value=value, floor=floor, sd=sd, floor_sd=floor_sd, parts=parts, sentence=""
    )
    return replace(result, sentence=_sentence(metric, result))


def failed(metric: Metric, n: dict[str, int], note: str) -> MetricResult:
    """A row without value."""
    return MetricResult(
        name=metric.name,
        family=metric.family,
        value=None,
        floor=None,
        goal=metric.goal,
        n=dict(n),
        range=metric.range,
        note=note,
        source=metric.source,
        sentence=f"Not computed: {note}",
        tolerance=metric.tolerance,
        unit=metric.unit,
    )


def _mean_sd(values: Sequence[float]) -> tuple[float | None, float | None]:
    if not values:
        return None, None
    array = np.array(values, np.float64)
    return float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else None


def figure_text(value: float | None, unit: str, *, digits: int = 3) -> str:
    """A value as people read it: shares in percent, decades as a factor too; a dash for None."""
    if value is None:
        return "–"
    if unit == "share":
        return f"{100 * value:.{digits}g}\u00a0%"
    if unit == "points":
        return f"{100 * value:.{digits}g} percentage points"
    if unit == "decades":
        return f"{value:.{digits}g} decades (a factor of {10**value:.3g})"
    return f"{value:.{digits}g}" + (f" {unit}" if unit else "")


def _sentence(metric: Metric, result: MetricResult) -> str:
    text = f"{metric.meaning} {figure_text(result.value, metric.unit)}"
    if result.floor is None:
        return f"{text}."
    return f"{text}; real against real: {figure_text(result.floor, metric.unit)}."
