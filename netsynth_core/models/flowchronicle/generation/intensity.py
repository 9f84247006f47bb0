"""When the windows of a pattern start: an intensity over the week, and the course of the training span.

What is stored are counts; intensities are derived. A count k in a cell, of which m were expected, multiplies the
intensity there by (k + s) / (m + s): the mean of a gamma law of shape s after k Poisson events (Gelman et al. 2013,
*Bayesian Data Analysis*, section 2.6). Expected is what the level above says, and the levels are

    flat -> hour of the day -> the same on working days and weekends -> the same on each weekday

first for all patterns together, then for each pattern, once on top of what all do and once on top of a flat rate; the
two are averaged by their evidence (Hoeting et al. 1999, *Bayesian model averaging*). s, the strength of the shrinkage,
is the one of largest marginal (negative binomial) likelihood on each level; where no s beats a plain Poisson law by
half a logarithm of the count (BIC), the level changes nothing. Starts that come in clumps are less evidence than they
seem: counts are divided by their dispersion first (quasi-likelihood, Wedderburn 1974), measured on what the profile
leaves over from day to day, or inside the hours while no cell has been seen twice. A level is used only when the span
can tell (`Known`): an hour of traffic says nothing about the night, two days say nothing about the weekday. Hours and
weekdays are those of UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from netsynth_core.units import NS_PER_S, format_duration

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOUR = 3600 * NS_PER_S
DAY = 24 * HOUR
WEEK = 7 * DAY
HOURS = 168
MONDAY = 4 * DAY
"""The first Monday of the epoch began four days after it."""
SLOTS = 4
"""Slots of an hour: the intensity runs evenly from one hour to the next in this many steps."""
COURSE = 96
"""Equal parts of the training span in which starts are counted."""
STRENGTHS = 2.0 ** np.arange(-2, 13)
WEEKEND = (5, 6)


@dataclass(frozen=True)
class Known:
    """What a training span can tell about the week."""

    span: int
    """ns."""
    hours: bool
    """By hour of the day: from 20 hours on."""
    weekends: bool
    """Working days against weekends: two working days and a day of a weekend were seen."""
    weekdays: bool
    """Each weekday: all seven were seen."""

    @classmethod
    def of(cls, first: int, last: int) -> "Known":
        """What the span from `first` to `last` (ns) can tell."""
        seen = exposure(first, last).reshape(7, 24).sum(axis=1)
        work, rest = seen[:5], seen[list(WEEKEND)]
        hours = last - first + 1 >= 20 * HOUR
        weekends = hours and int((work >= 18).sum()) >= 2 and bool((rest >= 18).any())
        return cls(last - first + 1, hours, weekends, weekends and bool((seen >= 18).all()))

    def sentence(self) -> str:
        """What start times are inferred from, for the model card."""
        span = format_duration(self.span)
        if not self.hours:
            return (
                f"The training flows span {span}: that says nothing about the hour or the weekday. Flows for another "
                f"time come at the mean rate; flows for the training span follow its course, in {COURSE} parts."
            )
        if self.weekdays:
            return (
                f"Start times follow the hour of the day (UTC) and the weekday, inferred from {span} and shrunk "
                "towards what all patterns do and towards a flat rate."
            )
        if self.weekends:
            return (
                f"Start times follow the hour of the day (UTC) and tell working days from weekends, inferred from "
                f"{span}; not every weekday was seen, so weekdays are not told apart."
            )
        return (
            f"Start times follow the hour of the day (UTC), inferred from {span}; that says nothing about the weekday."
        )


@dataclass(frozen=True, eq=False)
class StartCounts:
    """How often the windows of a pattern start, as counted in training."""

    week: Floats
    """By hour of the week from Monday 00:00 UTC, shape (168,); all 0 in models of version 1."""
    course: Floats
    """By part of the training span, shape (`COURSE`,)."""
    dispersion: float
    """Variance of the counts over their mean, 1 or more: 1 for independent starts."""

    @classmethod
    def fit(cls, starts: Ints, first: int, last: int) -> "StartCounts":
        """Count starts (ns) in first..last."""
        week = np.bincount(hour_of_week(starts), minlength=HOURS).astype(np.float64)
        place = np.clip(((starts - first) / (last - first + 1) * COURSE).astype(np.int64), 0, COURSE - 1)
        course = np.bincount(place, minlength=COURSE).astype(np.float64)
        return cls(week, course, _dispersion(starts, first, last))


def hour_of_week(ts: Ints) -> Ints:
    """Hours since Monday 00:00 UTC, 0..167."""
    return np.asarray((ts - MONDAY) % WEEK // HOUR, np.int64)


def exposure(first: int, last: int) -> Floats:
    """How many hours of each hour of the week lie in first..last (ns), shape (168,)."""
    whole, rest = divmod(last - first + 1, WEEK)
    hours = np.full(HOURS, float(whole))
    at = first
    while rest > 0:
        step = min(rest, HOUR - (at - MONDAY) % HOUR)
        hours[int(hour_of_week(np.array([at]))[0])] += step / HOUR
        at, rest = at + step, rest - step
    return hours


def _dispersion(starts: Ints, first: int, last: int) -> float:
    """Pearson's statistic over its degrees of freedom: what the starts vary beyond a Poisson law of their profile."""
    if len(starts) < 20:
        return 1.0
    known = Known.of(first, last)
    if known.span >= 2 * WEEK:
        cell, group = HOUR, hour_of_week
    elif known.span >= 3 * DAY:
        cell, group = HOUR, daytype_hour
    else:
        cell, group = max(min(HOUR // SLOTS, known.span // 64), 1), None
    number = (last - first) // cell + 1
    counts = np.bincount((starts - first) // cell, minlength=number).astype(np.float64)
    begins = first + np.arange(number) * cell
    groups = group(begins) if group is not None else np.arange(number) // SLOTS
    sums = np.bincount(groups, weights=counts)
    sizes = np.bincount(groups)
    mean = (sums / np.maximum(sizes, 1))[groups]
    used = mean > 0
    free = int(used.sum()) - int((sums > 0).sum())
    statistic = float(((counts[used] - mean[used]) ** 2 / mean[used]).sum())
    return max(1.0, statistic / max(free, 1))


def daytype_hour(ts: Ints) -> Ints:
    """Hours of the day, 0..23 on working days and 24..47 on weekends."""
    hours = hour_of_week(ts)
    return np.asarray(hours % 24 + 24 * np.isin(hours // 24, WEEKEND), np.int64)


def shrunk(counts: Floats, expected: Floats, dispersion: float) -> tuple[Floats, float]:
    """By what each cell's expectation is multiplied, (k + s) / (m + s) for the s of largest evidence; and by how many
    nats that evidence exceeds the one of a Poisson law.

    Parameters
    ----------
    counts, expected
        k and m of each cell; the same sum.
    dispersion
        Counts are worth one over this.
    """
    k, m = counts / dispersion, expected / dispersion
    seen = m > 0
    if not seen.any():
        return np.ones(len(k)), 0.0
    kept, mean = k[seen], m[seen]
    s = STRENGTHS[:, None]
    fixed = kept * np.log(mean)
    evidence = gammaln(kept + s) - gammaln(s) + s * np.log(s) - (kept + s) * np.log(mean + s) + fixed
    scores = evidence.sum(axis=1) - 0.5 * np.log(max(float(kept.sum()), 2.0))
    best = int(np.argmax(scores))
    gain = float(scores[best] - (fixed - mean).sum())
    if gain <= 0:
        return np.ones(len(k)), 0.0
    strength = float(STRENGTHS[best])
    return np.asarray((k + strength) / (m + strength), np.float64), gain


def _levels(known: Known) -> list[Ints]:
    """Which cell of each level an hour of the week belongs to."""
    hours = np.arange(HOURS)
    levels = []
    if known.hours:
        levels.append(hours % 24)
    if known.weekends:
        levels.append(hours % 24 + 24 * np.isin(hours // 24, WEEKEND))
    if known.weekdays:
        levels.append(hours)
    return levels


def _refined(
    base: Floats, counts: Floats, exposed: Floats, levels: Sequence[Ints], dispersion: float
) -> tuple[Floats, float]:
    """The relative intensity `base` multiplied, level by level, by what the counts say; and the evidence, in nats."""
    shape = base.copy()
    mean = exposed * shape
    seen = (counts > 0) & (mean > 0)
    evidence = float((counts[seen] / dispersion * np.log(mean[seen] / mean.sum())).sum())
    for level in levels:
        mean = exposed * shape
        total = float(mean.sum())
        if total <= 0 or counts.sum() <= 0:
            return shape, evidence
        k = np.asarray(np.bincount(level, weights=counts), np.float64)
        m = np.asarray(np.bincount(level, weights=mean * (counts.sum() / total)), np.float64)
        factors, gain = shrunk(k, m, dispersion)
        shape = np.asarray(shape * factors[level], np.float64)
        evidence += gain
    return shape, evidence


def _averaged(common: Floats, counts: Floats, exposed: Floats, levels: Sequence[Ints], dispersion: float) -> Floats:
    """A pattern's relative intensity: on top of what all do, and on top of a flat rate, by their evidence."""
    total = float(exposed.sum())
    shapes, evidences = [], []
    for base in (common, np.ones(len(common))):
        shape, evidence = _refined(base, counts, exposed, levels, dispersion)
        shapes.append(shape * (total / max(float((exposed * shape).sum()), 1e-300)))
        evidences.append(evidence)
    weight = 1.0 / (1.0 + np.exp(np.clip(evidences[1] - evidences[0], -700, 700)))
    return np.asarray(weight * shapes[0] + (1 - weight) * shapes[1], np.float64)


@dataclass(frozen=True, eq=False)
class Intensities:
    """The intensities of several patterns, derived from their counts and what all of them do."""

    counts: tuple[StartCounts, ...]
    usage: Floats
    """Windows of each in training."""
    first: int
    last: int

    @cached_property
    def known(self) -> Known:
        """What the span can tell; nothing about the week when it was not counted."""
        known = Known.of(self.first, self.last)
        counted = sum(float(c.week.sum()) for c in self.counts) > 0
        return known if counted else Known(known.span, False, False, False)

    @cached_property
    def _clumped(self) -> float:
        """Dispersion of all starts together: the mean of the patterns', by windows."""
        total = float(self.usage.sum())
        weighted = sum(c.dispersion * float(u) for c, u in zip(self.counts, self.usage, strict=True))
        return weighted / total if total else 1.0

    @cached_property
    def week(self) -> Floats:
        """Windows an hour of each pattern by slot of the week, shape (patterns, 168 * `SLOTS`).

        Over the hours that were seen they sum to the windows that were seen.
        """
        # Flows of one instant have no rate; they are taken for the flows of a second.
        exposed = exposure(self.first, max(self.last, self.first + NS_PER_S - 1))
        levels = _levels(self.known)
        everything = np.sum([c.week for c in self.counts], axis=0)
        common, _ = _refined(np.ones(HOURS), everything, exposed, levels, self._clumped)
        rates = np.empty((len(self.counts), HOURS * SLOTS))
        for row, (counts, windows) in enumerate(zip(self.counts, self.usage, strict=True)):
            shape = _averaged(common, counts.week, exposed, levels, counts.dispersion)
            rates[row] = np.repeat(shape * (windows / max(float((exposed * shape).sum()), 1e-12)), SLOTS)
        return _smooth(rates)

    @cached_property
    def course(self) -> Floats:
        """Share of each pattern's windows in the parts of the training span, shape (patterns, `COURSE`).

        What is followed here is what happened, clumps and all: counts are not divided by their dispersion.
        """
        flat = np.ones(COURSE)
        level = [np.arange(COURSE)]
        everything = np.sum([c.course for c in self.counts], axis=0)
        common, _ = _refined(flat, everything, flat, level, 1.0)
        shares = np.stack([_averaged(common, c.course, flat, level, 1.0) for c in self.counts])
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float64)

    def over(self, begin: int, length: int) -> tuple[Ints, Floats]:
        """Edges (ns, parts + 1) of the parts of a stretch of time, and expected windows (patterns x parts)."""
        first = (begin - MONDAY) // (HOUR // SLOTS)
        last = (begin + length - 1 - MONDAY) // (HOUR // SLOTS)
        slots = np.arange(first, last + 1)
        edges = np.append(MONDAY + slots * (HOUR // SLOTS), begin + length)
        edges[0] = begin
        return edges, self.week[:, slots % (HOURS * SLOTS)] * (np.diff(edges) / HOUR)

    def as_trained(self) -> tuple[Ints, Floats]:
        """The same for the training span: by its course, or by the week once the span tells about hours."""
        length = max(self.last - self.first + 1, 1)
        if self.known.hours:
            return self.over(self.first, length)
        edges = self.first + np.linspace(0, length, COURSE + 1).astype(np.int64)
        return edges, self.course * self.usage[:, None]


def _smooth(rates: Floats) -> Floats:
    """Slots between the middles of two hours run evenly from one to the other; each hour keeps its sum."""
    hours = rates[:, ::SLOTS]
    middle = np.arange(HOURS) + 0.5
    around = np.concatenate(([middle[0] - 1], middle, [middle[-1] + 1]))
    wanted = (np.arange(HOURS * SLOTS) + 0.5) / SLOTS
    smooth = np.stack([np.interp(wanted, around, np.concatenate((row[-1:], row, row[:1]))) for row in hours])
    sums = smooth.reshape(len(rates), HOURS, SLOTS).mean(axis=2)
    return np.asarray(smooth * np.repeat(hours / np.maximum(sums, 1e-300), SLOTS, axis=1), np.float64)


def draw_starts(edges: Ints, cumulative: Floats, bounds: Floats, n: int, *, rng: np.random.Generator) -> Ints:
    """`n` starts (ns) of one pattern, by its intensity inside some parts; not sorted.

    Parameters
    ----------
    edges
        ns, parts + 1.
    cumulative
        Windows expected up to each edge, parts + 1.
    bounds
        First and last place among the parts, such as 0 and the number of parts.
    """
    parts = np.arange(len(edges), dtype=np.float64)
    low, high = np.interp(bounds, parts, cumulative)
    uniform = rng.random(n)
    if high > low:
        place = np.interp(low + uniform * (high - low), cumulative, parts)
    else:
        place = bounds[0] + uniform * (bounds[1] - bounds[0])
    at = np.minimum(place.astype(np.int64), len(edges) - 2)
    inside = (place - at) * (edges[at + 1] - edges[at]).astype(np.float64)
    return np.asarray(edges[at] + np.clip(inside.astype(np.int64), 0, np.maximum(edges[at + 1] - edges[at] - 1, 0)))
