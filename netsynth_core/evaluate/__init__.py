"""Synthetic flows measured against real ones, each number beside its noise floor."""

from netsynth_core.evaluate.metric import FAMILIES, Family, Goal, Metric, MetricResult, Part, Verdict, verdict
from netsynth_core.evaluate.report import METRICS, Report, evaluate

__all__ = [
    "FAMILIES",
    "METRICS",
    "Family",
    "Goal",
    "Metric",
    "MetricResult",
    "Part",
    "Report",
    "Verdict",
    "evaluate",
    "verdict",
]
