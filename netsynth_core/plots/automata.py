"""Figures of a timed automaton: the delays of one transition with the fitted law, and payload sizes."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from netsynth_core.plots.figure import Figure, count, dress, duration, empty, label, line, plain, share, titled
from netsynth_core.plots.theme import LIGHT, Theme
from netsynth_core.units import format_bytes

Floats = NDArray[np.float64]
UNIT_NS: Final = {"ns": 1.0, "us": 1e3, "s": 1e9}


def delay_text(delay: float, unit: str) -> str:
    """A delay as people read it.

    >>> delay_text(30, "dbus")
    '1 ms'
    """
    if unit == "dbus":
        return duration(10 ** (delay / 10) * 1e3)
    if unit in UNIT_NS:
        return duration(delay * UNIT_NS[unit])
    return f"{delay:.4g}"


def delay_histogram(
    centres: ArrayLike,
    counts: ArrayLike,
    fitted: ArrayLike | None = None,
    *,
    unit: str = "us",
    name: str = "",
    guard: tuple[float, float] | None = None,
    model_median: str = "",
    theme: Theme = LIGHT,
) -> Figure:
    """Observed delays of a transition as bars, the fitted probabilities as a line, the guard as a band.

    Parameters
    ----------
    centres, counts
        Bin centres in `unit` (increasing) and how many delays fell into each bin.
    fitted
        Probability of each bin under the model, same length.
    unit
        ``us``, ``ns``, ``s``: log axis; ``dbus`` (10 log10 µs): is logarithmic, ticks say the time; ``""``: as it is.
    name
        Which transition, for the title.
    guard
        Smallest and largest delay the transition allows, in `unit`.
    model_median
        Median of the model's law in words; the title then says it instead of the observed one, which can lie a bin
        beside it.
    """
    x, n = np.asarray(centres, np.float64), np.asarray(counts, np.float64)
    title = f"Delays of {label(name, length=60)}" if name else "Delays"
    if not len(x) or not n.sum():
        return empty(theme, title=title, why="No delay was observed.")
    figure = go.Figure()
    observed = n / n.sum()
    edges = _edges(x, log=unit in UNIT_NS)
    figure.add_bar(
        x=(edges[1:] + edges[:-1]) / 2, width=np.diff(edges), y=observed, name="observed",
        marker={"color": theme.real.colour, "opacity": 0.55, "line": {"width": 0}},
        text=[f"{delay_text(v, unit)}: {c:.0f}" for v, c in zip(x, n, strict=True)], textposition="none",
        hovertemplate="%{text}<extra>observed</extra>",
    )  # fmt: skip
    if fitted is not None:
        figure.add_scatter(
            x=x, y=np.asarray(fitted, np.float64), mode="lines", name="model", line=line("model", theme),
            hovertemplate="%{y:.3g}<extra>model</extra>",
        )  # fmt: skip
    if guard is not None:
        figure.add_vrect(
            x0=guard[0], x1=guard[1], fillcolor=theme.reference.colour, opacity=0.15, line_width=0, layer="below",
            annotation_text="guard", annotation_position="top left",
        )  # fmt: skip
    _delay_axis(figure, x, unit)
    figure.update_yaxes(title_text="share of delays", tickformat=".0%", rangemode="tozero")
    figure.update_layout(bargap=0)
    law = None if fitted is None else np.asarray(fitted, np.float64)
    middle = f"median of the model {plain(model_median, length=40)}" if model_median else ""
    more = f"n = {count(int(n.sum()))}, {middle or f'median {delay_text(_median(x, n), unit)}'}"
    figure = dress(figure, theme, title=titled(title, more), height=300)
    return Figure(figure, _delay_words(x, n, law, unit=unit, name=name))


def _median(x: Floats, n: Floats) -> float:
    return float(x[np.searchsorted(np.cumsum(n), n.sum() / 2)])


def _delay_words(x: Floats, n: Floats, law: Floats | None, *, unit: str, name: str) -> str:
    seen = x[n > 0]
    alt = (
        f"Delays{f' of {plain(name)}' if name else ''}: n = {count(int(n.sum()))}, observed median"
        f" {delay_text(_median(x, n), unit)}, commonest {delay_text(float(x[int(n.argmax())]), unit)}"
        f" ({share(float(n.max() / n.sum()))} of the delays), from {delay_text(float(seen[0]), unit)} to"
        f" {delay_text(float(seen[-1]), unit)}."
    )
    if law is not None:
        apart = 0.5 * float(np.abs(n / n.sum() - law).sum())
        alt += f" The model differs from the observed shares by {share(min(apart, 1.0))} (total variation)."
    return plain(alt, length=400)


def _edges(x: Floats, *, log: bool) -> Floats:
    """Bin edges half way between the centres (geometrically on a log axis)."""
    if log and x[0] > 0:
        return np.asarray(np.exp(_edges(np.log(x), log=False)))
    if len(x) == 1:
        return np.array([x[0] - 0.5, x[0] + 0.5])
    between = (x[1:] + x[:-1]) / 2
    return np.concatenate([[2 * x[0] - between[0]], between, [2 * x[-1] - between[-1]]])


def _delay_axis(figure: go.Figure, x: Floats, unit: str) -> None:
    if unit == "dbus":
        first, last = math.floor(x[0] / 10) * 10, math.ceil(x[-1] / 10) * 10
        ticks: Sequence[float] = list(range(first, last + 1, 10))
        figure.update_xaxes(tickvals=ticks, ticktext=[delay_text(t, unit) for t in ticks], title_text="delay, log")
    elif unit in UNIT_NS and x[0] > 0:
        low, high = math.floor(math.log10(x[0])), math.ceil(math.log10(x[-1]))
        ticks = [10.0**e for e in range(low, high + 1)]
        figure.update_xaxes(type="log", tickvals=ticks, ticktext=[delay_text(t, unit) for t in ticks])
        figure.update_xaxes(title_text="delay, log")
    else:
        figure.update_xaxes(title_text=f"delay ({unit})" if unit else "delay")


def payload_histogram(sizes: ArrayLike, *, name: str = "", bins: int = 60, theme: Theme = LIGHT) -> Figure:
    """Payload sizes in bytes as a histogram over equal bins; few different sizes are shown one by one."""
    values = np.asarray(sizes, np.float64)
    title = f"Payload sizes of {label(name, length=60)}" if name else "Payload sizes"
    if not len(values):
        return empty(theme, title=title, why="No payload was observed.")
    distinct, each = np.unique(values, return_counts=True)
    if len(distinct) <= 30:
        centres, counts, width = distinct, each, max(1.0, float(np.ptp(distinct)) / 200)
    else:
        counts, edges = np.histogram(values, bins=bins)
        centres, width = (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])
    figure = go.Figure()
    figure.add_bar(
        x=centres, y=counts, width=width, name="observed", marker={"color": theme.real.colour, "line": {"width": 0}},
        hovertemplate="%{x:.0f} bytes: %{y}<extra></extra>",
    )  # fmt: skip
    margin = 0.02 * max(float(values.max()), 50.0)
    figure.update_xaxes(title_text="payload (bytes)", range=[-margin, float(values.max()) + margin])
    figure.update_yaxes(title_text="packets", rangemode="tozero")
    of = f" of {plain(name)}" if name else ""
    common = distinct[np.argsort(-each, kind="stable")[:3]]
    alt = (
        f"Payload sizes{of}: n = {count(len(values))}, median {format_bytes(float(np.median(values)))}, largest"
        f" {format_bytes(float(values.max()))}; commonest {', '.join(f'{c:.0f}' for c in common)} bytes."
    )
    more = f"n = {count(len(values))}, median {format_bytes(float(np.median(values)))}"
    figure.update_layout(showlegend=False)
    return Figure(dress(figure, theme, title=titled(title, more), height=300), plain(alt, length=300))
