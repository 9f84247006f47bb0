"""What a metric is and what measuring it gives: a number with its direction, range, n, noise floor and a sentence.

A metric never raises to its caller: what cannot be computed becomes a `MetricResult` without value and with a note.
Every value stands beside its **floor**: the same number for real traffic against real traffic on equal terms.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal

from netsynth_core.evaluate.views import View

Goal = Literal["down", "up", "match"]
"""``down``: 0 is best; ``up``: more is better; ``match``: as near to the floor as possible, neither less nor more."""

Family = Literal["marginals", "dependence", "inter-flow", "rules", "novelty"]

FAMILIES: Final[tuple[Family, ...]] = ("marginals", "dependence", "inter-flow", "rules", "novelty")


FEWEST = 40
"""Flows on the smaller side below which a verdict would only say that little can be told apart."""


class Verdict(StrEnum):
    """A word for the distance between a value and its floor (see `verdict`)."""

    WITHIN = "within the floor"
    NEAR = "near"
    FAR = "far"
    FEW = "too few flows"
    NO_FLOOR = "no floor"
    UNKNOWN = "not computed"


class NotApplicable(Exception):
    """The metric has no meaning on these tables; the text becomes the note of its row."""


@dataclass(frozen=True)
class Part:
    """One constituent of a metric, such as one pair of columns."""

    name: str
    value: float | None
    floor: float | None = None


@dataclass(frozen=True)
class Measured:
    """What a metric function returns when it has more to say than one number."""

    value: float
    parts: dict[str, float] = field(default_factory=dict)
    """Constituents by name, in the order to show them."""
    note: str = ""
    n: int | None = None
    """Flows that a rate is a share of; its standard error follows from it."""


@dataclass(frozen=True)
class Metric:
    """One metric: what it is called, which way is better, and how it is computed.

    Parameters
    ----------
    name
        Unique; column metrics end in the column name: ``jsd dst_port``.
    function
        ``(reference, other) -> float | Measured``, of two views for `draw` ``rows``, of two arrays of load segments for
        ``segments``; of one table for ``whole``; of training, held-out and other views for ``held-out``. It raises
        `NotApplicable` where it has no meaning.
    draw
        ``rows``: equally many rows of both sides, drawn several times (the metric is biased by n);
        ``segments``: equally many stretches of time of equal length; ``whole``: a figure of one table, taken from the
        synthetic one (value) and from the real one (floor); ``held-out``: equally many rows of three sides, only with
        a hold-out.
    tolerance
        The difference to the floor that does not matter in practice, in the unit of the metric; used by `verdict`.
    """

    name: str
    family: Family
    goal: Goal
    range: tuple[float, float | None]
    """Smallest and largest possible value; None = unbounded."""
    source: str
    meaning: str
    """What the number is, as the beginning of a sentence: ``The shares of dst_port differ by``."""
    function: Callable[..., float | Measured]
    draw: Literal["rows", "segments", "whole", "held-out"] = "rows"
    tolerance: float = 0.05
    unit: str = ""
    """``share`` and ``points`` (differences of shares) are written in percent; others stand behind the number."""
    remark: Callable[[View, View], str] | None = None
    """A sentence for the note from the whole real and synthetic views."""


@dataclass(frozen=True)
class MetricResult:
    """One row of a report."""

    name: str
    family: Family
    value: float | None
    """Synthetic against real; None when it cannot be computed (the note says why)."""
    floor: float | None
    """Real against real on equal terms; None when there is too little real data."""
    goal: Goal
    n: dict[str, int]
    """``real``, ``synthetic``: rows of the tables; ``each``: rows (or segments) a side per draw; ``repeats``: draws."""
    range: tuple[float, float | None]
    note: str = ""
    source: str = ""
    sentence: str = ""
    """One line that says what the number means."""
    sd: float | None = None
    """Standard deviation of the value over the draws (binomial standard error for rates of whole tables)."""
    floor_sd: float | None = None
    tolerance: float = 0.05
    unit: str = ""
    parts: tuple[Part, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The word of `verdict`."""
        return verdict(self)

    def to_json(self) -> dict[str, Any]:
        """JSON-able: at least name, family, value, floor, goal, n, note; never NaN or infinity."""
        return {
            "name": self.name,
            "family": self.family,
            "value": finite(self.value),
            "floor": finite(self.floor),
            "goal": self.goal,
            "n": dict(self.n),
            "note": self.note,
            "range": [finite(self.range[0]), finite(self.range[1])],
            "source": self.source,
            "sentence": self.sentence,
            "sd": finite(self.sd),
            "floor_sd": finite(self.floor_sd),
            "tolerance": self.tolerance,
            "unit": self.unit,
            "verdict": str(self.verdict),
            "parts": [{"name": p.name, "value": finite(p.value), "floor": finite(p.floor)} for p in self.parts],
        }


def finite(value: float | None) -> float | None:
    """The value as a plain float, or None for None, NaN and infinity."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def excess(result: MetricResult) -> float | None:
    """How much worse the value is than its floor, in the unit of the metric; below 0 = better. None when unknown."""
    if result.value is None or result.floor is None:
        return None
    difference = result.value - result.floor
    if result.goal == "match":
        return abs(difference)
    return -difference if result.goal == "up" else difference


def verdict(result: MetricResult) -> Verdict:
    """A word for how far the value is from the noise floor.

    With ``excess`` = value - floor (floor - value for goal ``up``, its absolute value for ``match``):

    - *within the floor*: excess <= 2 * sqrt(sd**2 + floor_sd**2): real data split in two differ as much;
    - *near*: excess <= tolerance of the metric, or <= the floor itself (at most twice the noise) for goal ``down``;
    - *far*: more than that;
    - *too few flows*: fewer than `FEWEST` real or synthetic flows, of which any value could be noise;
    - *no floor*: there is nothing to compare the value with; *not computed*: there is no value.
    """
    worse = excess(result)
    if worse is None:
        return Verdict.UNKNOWN if result.value is None else Verdict.NO_FLOOR
    if min(result.n.get("real", FEWEST), result.n.get("synthetic", FEWEST)) < FEWEST:
        return Verdict.FEW
    spread = math.hypot(result.sd or 0.0, result.floor_sd or 0.0)
    if worse <= 2 * spread + 1e-12:
        return Verdict.WITHIN
    near = result.tolerance
    if result.goal == "down" and result.floor is not None:
        near = max(near, result.floor)
    return Verdict.NEAR if worse <= near else Verdict.FAR
