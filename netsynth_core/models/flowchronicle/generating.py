"""Generating flows from a fitted model: any number of them, or those of any stretch of time."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.table import FlowTable
from netsynth_core.models.flowchronicle.learnt import LearntPattern
from netsynth_core.models.flowchronicle.sampling import choose_windows, decode, draw_codes, draw_starts, draw_values
from netsynth_core.models.flowchronicle.support import draw_possible
from netsynth_core.models.flowchronicle.times import period_of
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.units import format_duration

if TYPE_CHECKING:
    from netsynth_core.models.flowchronicle.model import FlowChronicle

Batch = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]
MOST_SAMPLED = 50_000_000


def sample_number(model: "FlowChronicle", n: int, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> FlowTable:
    """Draw exactly `n` flows over the training span.

    Raises
    ------
    InvalidParameter
        When `n` is negative or beyond what is sensible.
    """
    if not 0 <= n <= MOST_SAMPLED:
        raise InvalidParameter(f"{n} flows cannot be drawn.", hint=f"Ask for 0 to {MOST_SAMPLED} flows.")
    sources = (*model.patterns, model.empty)
    span = model.trained_on["last"] - model.trained_on["first"] + 1
    batches = []
    for learnt, count in zip(sources, choose_windows(sources, n, rng=rng), strict=True):
        offsets = learnt.starts.sample(int(count), span, rng=rng)
        batches.append(_windows_from(model, learnt, model.trained_on["first"] + offsets, rng))
        monitor.step("sampling flows", sum(len(batch[-1]) for batch in batches), n)
    return _decoded(model, batches, n, rng)


def sample_duration(
    model: "FlowChronicle",
    duration: int,
    start: int | None = None,
    *,
    rng: np.random.Generator,
    monitor: Monitor = SILENT,
) -> FlowTable:
    """Draw the flows of `duration` ns from `start` (ns; the training start when None), at the training rate.

    Windows start by the rate of the training span, repeated after it (after whole days for a span of about a day or
    more). All flows start before the end.
    """
    if duration <= 0:
        raise InvalidParameter(f"A duration of {duration} ns has no flows.", hint="Give a duration above 0.")
    first = model.trained_on["first"]
    span = model.trained_on["last"] - first + 1
    period = period_of(span)
    begin = first if start is None else start
    phase = (begin - first) % period if period > span * 0.8 and period != span else 0
    cycles = (phase + duration) // period + 1
    sources = (*model.patterns, model.empty)
    if sum(learnt.usage * len(learnt.pattern) for learnt in sources) * cycles > MOST_SAMPLED:
        raise InvalidParameter(
            f"{format_duration(duration)} at the training rate are too many flows.",
            hint=f"At most {MOST_SAMPLED} are drawn at once: ask for less time, or for a number of flows.",
        )
    batches = []
    for learnt in sources:
        # A Poisson number for all cycles, spread evenly over them, is one of its own for each.
        count = int(rng.poisson(learnt.usage * cycles))
        moments = learnt.starts.sample(count, span, rng=rng) + rng.integers(0, cycles, count) * period - phase
        moments = begin + moments[(moments >= 0) & (moments < duration)]
        batches.append(_windows_from(model, learnt, moments, rng))
        monitor.step("sampling flows", sum(len(batch[-1]) for batch in batches), None)
    kept: list[Batch] = []
    for codes, numbers, ts in batches:
        inside = ts < begin + duration
        kept.append((codes[inside], numbers[inside], ts[inside]))
    return _decoded(model, kept, None, rng)


def _windows_from(
    model: "FlowChronicle", learnt: LearntPattern, first: NDArray[np.int64], rng: np.random.Generator
) -> Batch:
    """Codes (flows x columns), numbers and starts of windows that start at `first`."""
    columns = model.columns
    codes = draw_possible(lambda n: draw_codes(learnt, n, len(columns), rng=rng), len(first), model.support, columns)
    starts = draw_starts(learnt, first, rng=rng)
    step = model.trained_on["resolution"]
    numbers = draw_values(learnt, codes, columns, rng=rng)
    flat = codes.reshape(-1, len(columns)), numbers.reshape(-1, numbers.shape[2])
    return (*flat, (starts // step * step).reshape(-1))


def _decoded(model: "FlowChronicle", batches: list[Batch], n: int | None, rng: np.random.Generator) -> FlowTable:
    codes, numbers, ts = (np.concatenate(parts)[:n] for parts in zip(*batches, strict=True))
    return decode(codes, numbers, ts, model.columns, model.rules, model.source_ports, rng=rng)
