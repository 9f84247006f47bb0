"""The report: every metric that applies, each with its value, its noise floor and its n.

``rows`` metrics are drawn on equal terms: n real rows A, n other real rows B (from the hold-out when there is one), n
synthetic rows S; the value is metric(A, S), the floor metric(A, B); several draws give means and deviations.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Final

import numpy as np
import pandas as pd

from netsynth_core.evaluate import dependence, marginals
from netsynth_core.evaluate.metric import FAMILIES, Measured, Metric, MetricResult, NotApplicable, Part
from netsynth_core.evaluate.views import View, prepare
from netsynth_core.files import dump_json, write_text
from netsynth_core.flows.table import FlowTable
from netsynth_core.monitor import SILENT, Monitor

METRICS: Final[tuple[Metric, ...]] = (*marginals.METRICS, *dependence.METRICS)
"""All metrics, in the order of a report."""

REPEATS: Final = 5
"""Draws per metric."""
MAX_ROWS: Final = 50_000
"""Rows a side per draw at most; more would cost time and change no digit that is shown."""
FORMAT: Final = "netsynth/report"
VERSION: Final = 1


@dataclass(frozen=True)
class Report:
    """What was measured on one pair of flow tables."""

    metrics: tuple[MetricResult, ...]
    rows: dict[str, int]
    """``real``, ``synthetic`` and, when given, ``holdout``: flows of each table."""

    def __iter__(self) -> Iterator[MetricResult]:
        return iter(self.metrics)

    def __getitem__(self, name: str) -> MetricResult:
        for result in self.metrics:
            if result.name == name:
                return result
        raise KeyError(name)

    def family(self, family: str) -> tuple[MetricResult, ...]:
        """The rows of one family, in order."""
        return tuple(result for result in self.metrics if result.family == family)

    def to_json(self) -> dict[str, Any]:
        """JSON-able, without NaN: ``{"format", "version", "rows", "metrics": [...]}``."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "rows": dict(self.rows),
            "metrics": [result.to_json() for result in self.metrics],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per metric: family, name, value, floor, sd, floor_sd, goal, verdict, n, note, ..."""
        rows = [
            {
                "family": r.family,
                "name": r.name,
                "value": math.nan if r.value is None else r.value,
                "floor": math.nan if r.floor is None else r.floor,
                "sd": math.nan if r.sd is None else r.sd,
                "floor_sd": math.nan if r.floor_sd is None else r.floor_sd,
                "goal": r.goal,
                "verdict": str(r.verdict),
                "unit": r.unit,
                "n_real": r.n.get("real", 0),
                "n_synthetic": r.n.get("synthetic", 0),
                "n_each": r.n.get("each", 0),
                "sentence": r.sentence,
                "note": r.note,
                "source": r.source,
            }
            for r in self.metrics
        ]
        return pd.DataFrame(rows)

    def write(self, path: str | PathLike[str]) -> None:
        """Write the JSON whole or not at all.

        Raises
        ------
        StorageError
            When the file cannot be written.
        """
        write_text(path, dump_json(self.to_json()))


@dataclass(frozen=True)
class _Draw:
    """Real rows A, other real rows B (None when there are too few), synthetic rows S; all equally many."""

    a: View
    b: View | None
    s: View


def evaluate(
    real: FlowTable,
    synthetic: FlowTable,
    *,
    holdout: FlowTable | None = None,
    rng: np.random.Generator,
    repeats: int = REPEATS,
    monitor: Monitor = SILENT,
) -> Report:
    """Measure synthetic flows against real ones.

    Parameters
    ----------
    real
        What the generator learnt from.
    holdout
        Real flows it never saw; the floor is then real against hold-out instead of half against half.
    rng
        Draws the rows; the same state gives the same report.
    repeats
        Draws per metric, at least 1.
    """
    tables = [real, synthetic] + ([holdout] if holdout is not None else [])
    monitor.step("reading the tables", 0, len(METRICS) + 1)
    views = prepare(tables)
    held = views[2] if holdout is not None else None
    counts = {"real": len(real), "synthetic": len(synthetic)} | ({"holdout": len(held)} if held is not None else {})
    draws = row_draws(views[0], views[1], held, repeats=repeats, rng=rng)
    results = []
    for done, metric in enumerate(METRICS):
        monitor.step("measuring", done + 1, len(METRICS) + 1, metric=metric.name)
        results.append(_over_draws(metric, draws, counts))
    monitor.step("measuring", len(METRICS) + 1, len(METRICS) + 1)
    return Report(tuple(sorted(results, key=lambda r: FAMILIES.index(r.family))), counts)


def row_draws(
    real: View, synthetic: View, holdout: View | None, *, repeats: int, rng: np.random.Generator
) -> list[_Draw]:
    """Draws of equally many rows; without hold-out the real rows are split, so at most half of them are on a side."""
    most = len(real) // 2 if holdout is None else min(len(real), len(holdout))
    n = min(most, len(synthetic), MAX_ROWS)
    if n == 0:
        n = min(len(real), len(synthetic), MAX_ROWS)
        whole = [np.sort(rng.permutation(len(view))[:n]) for view in (real, synthetic)]
        return [_Draw(real.take(whole[0]), None, synthetic.take(whole[1]))]
    draws = []
    for _ in range(max(1, repeats)):
        order = rng.permutation(len(real))
        other = real.take(order[n : 2 * n]) if holdout is None else holdout.take(rng.permutation(len(holdout))[:n])
        draws.append(_Draw(real.take(order[:n]), other, synthetic.take(rng.permutation(len(synthetic))[:n])))
    return draws


def _over_draws(metric: Metric, draws: Sequence[_Draw], counts: dict[str, int]) -> MetricResult:
    n = counts | {"each": len(draws[0].a), "repeats": len(draws)}
    try:
        values = [_measured(metric, draw.a, draw.s) for draw in draws]
    except NotApplicable as why:
        return _failed(metric, n, str(why))
    floors: list[Measured] = []
    note = values[0].note
    try:
        floors = [_measured(metric, draw.a, draw.b) for draw in draws if draw.b is not None]
    except NotApplicable as why:
        note = f"{note} No floor: {why}".strip()
    if not floors and "No floor" not in note:
        note = f"{note} No floor: too few real flows to split.".strip()
    return result_of(metric, values, floors, n=n, note=note)


def _measured(metric: Metric, *views: View) -> Measured:
    """One measurement; arithmetic that has no result on these rows is `NotApplicable`."""
    try:
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            measured = metric.function(*views)
    except (ValueError, ArithmeticError, IndexError) as error:
        raise NotApplicable(f"It has no value on these flows ({error}).") from error
    whole = measured if isinstance(measured, Measured) else Measured(float(measured))
    if not math.isfinite(whole.value):
        raise NotApplicable("It has no finite value on these flows.")
    return whole


def result_of(
    metric: Metric, values: Sequence[Measured], floors: Sequence[Measured], *, n: dict[str, int], note: str
) -> MetricResult:
    """The row of a metric from its values and floors over the draws."""
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
    result = MetricResult(
        name=metric.name,
        family=metric.family,
        value=value,
        floor=floor,
        goal=metric.goal,
        n=n,
        range=metric.range,
        note=note,
        source=metric.source,
        sd=sd,
        floor_sd=floor_sd,
        tolerance=metric.tolerance,
        unit=metric.unit,
        parts=parts,
    )
    return replace(result, sentence=_sentence(metric, result))


def _failed(metric: Metric, n: dict[str, int], note: str) -> MetricResult:
    return MetricResult(
        name=metric.name,
        family=metric.family,
        value=None,
        floor=None,
        goal=metric.goal,
        n=n,
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


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "unknown"
    if unit == "share":
        return f"{100 * value:.3g} %"
    return f"{value:.3g}" + (f" {unit}" if unit else "")


def _sentence(metric: Metric, result: MetricResult) -> str:
    text = f"{metric.meaning} {_figure(result.value, metric.unit)}"
    if result.floor is None:
        return f"{text}."
    return f"{text}; real against real: {_figure(result.floor, metric.unit)}."
