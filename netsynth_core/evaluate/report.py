"""The report: every metric that applies to a pair of flow tables, each with its value, its noise floor and its n."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Final

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from netsynth_core.errors import DocumentError, NetsynthError, NewerDocument
from netsynth_core.evaluate import dependence, detection, interflow, marginals, nearest, novelty, rules
from netsynth_core.evaluate.interflow import PatternSource, window_starts
from netsynth_core.evaluate.measure import measure, set_up
from netsynth_core.evaluate.metric import Metric, MetricResult, Verdict
from netsynth_core.evaluate.views import View, prepare
from netsynth_core.files import dump_json, write_text
from netsynth_core.flows.table import FlowTable
from netsynth_core.monitor import SILENT, Monitor

METRICS: Final[tuple[Metric, ...]] = (
    *marginals.METRICS,
    *dependence.METRICS,
    *nearest.METRICS,
    detection.ONE_FLOW,
    *interflow.METRICS,
    detection.NEIGHBOURS,
    *rules.METRICS,
    *novelty.METRICS,
)
"""All metrics, in the order of a report."""

REPEATS: Final = 5
"""Draws per metric."""
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

    def verdicts(self) -> dict[Verdict, int]:
        """How many metrics have each verdict."""
        return {word: sum(result.verdict == word for result in self.metrics) for word in Verdict}

    def to_json(self) -> dict[str, Any]:
        """JSON-able, without NaN: ``{"format", "version", "rows", "metrics": [...]}``."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "rows": dict(self.rows),
            "metrics": [result.to_json() for result in self.metrics],
        }

    @classmethod
    def from_json(cls, content: Any) -> "Report":
        """The report that `to_json` wrote.

        Raises
        ------
        NewerDocument
            When a newer version of netsynth wrote it.
        DocumentError
            When it is no report, or a broken one.
        """
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DocumentError("This is no netsynth report.", hint="Give a file written by netsynth evaluate.")
        if isinstance(content.get("version"), int) and content["version"] > VERSION:
            raise NewerDocument(
                f"The report has version {content['version']}; this netsynth knows {VERSION}.", hint="Update netsynth."
            )
        try:
            stored = _Stored.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise DocumentError(
                f"The report is broken at {place}: {first['msg']}.", hint="Evaluate again to write a new one."
            ) from error
        return cls(stored.metrics, stored.rows)

    def to_frame(self) -> pd.DataFrame:
        """One row per metric; value, floor and their deviations are NaN where there is none."""
        return pd.DataFrame(
            [
                {
                    "family": r.family,
                    "name": r.name,
                    "value": _nan(r.value),
                    "floor": _nan(r.floor),
                    "sd": _nan(r.sd),
                    "floor_sd": _nan(r.floor_sd),
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
        )

    def write(self, path: str | PathLike[str]) -> None:
        """Write the JSON whole or not at all.

        Raises
        ------
        StorageError
            When the file cannot be written.
        """
        write_text(path, dump_json(self.to_json()))


class _Stored(BaseModel):
    """A report as it is written; verdicts are written for readers and worked out again."""

    model_config = ConfigDict(allow_inf_nan=False)
    rows: dict[str, int]
    metrics: tuple[MetricResult, ...]


def _nan(value: float | None) -> float:
    return math.nan if value is None else value


def evaluate(
    real: FlowTable,
    synthetic: FlowTable,
    *,
    holdout: FlowTable | None = None,
    patterns: PatternSource | None = None,
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
    patterns
        A model that finds its patterns in a flow table; without it the metric of pattern windows has no value.
    rng
        Draws the rows; the same state gives the same report.
    repeats
        Draws per metric, at least 1.

    Returns
    -------
    Report
        A row for every metric of `METRICS`; what cannot be computed has no value and a note.

    Raises
    ------
    Cancelled
        When the monitor's watcher wants the work to stop.
    """
    total = len(METRICS) + 1
    monitor.step("preparing the flows", 0, total)
    held = [] if holdout is None else [holdout]
    views = prepare([real, synthetic, *held])
    why = ""
    if patterns is not None:
        try:
            views = _with_windows(patterns, [real, synthetic, *held], views, monitor)
        except NetsynthError as error:
            why = f"The pattern set cannot be found in these flows: {error.message}"
    tables = (real, synthetic, holdout)
    bench = set_up(tables, (views[0], views[1], views[2] if held else None), repeats=repeats, rng=rng)
    results = []
    for done, metric in enumerate(METRICS, start=1):
        monitor.step("measuring", done, total, metric=metric.name)
        result = measure(metric, bench)
        if why and metric.function is interflow.window_rates:
            result = replace(result, note=why, sentence=f"Not computed: {why}")
        results.append(result)
    monitor.step("measuring", total, total)
    return Report(tuple(results), bench.counts)


def _with_windows(patterns: PatternSource, tables: list[FlowTable], views: list[View], monitor: Monitor) -> list[View]:
    numbers: dict[str, int] = {}
    found: list[View] = []
    for table, view in zip(tables, views, strict=True):
        monitor.step("finding pattern windows", len(found), len(tables))
        found.append(replace(view, window=window_starts(patterns, table, numbers)))
    return found
