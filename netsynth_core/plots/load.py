"""Load over time (real above synthetic, both from time 0 on one axis) and its autocorrelation."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from netsynth_core.evaluate.interflow import autocorrelation, segment_length, segments
from netsynth_core.evaluate.metric import NotApplicable
from netsynth_core.evaluate.views import prepare
from netsynth_core.flows.table import FlowTable
from netsynth_core.plots.figure import (
    Figure,
    bin_width,
    count,
    dress,
    duration,
    empty,
    faded,
    line,
    marker,
    time_unit,
    titled,
)
from netsynth_core.plots.theme import LIGHT, Role, Theme
from netsynth_core.units import format_bytes


def load_series(table: FlowTable, width: int, *, of: str = "flows") -> NDArray[np.float64]:
    """Flows (or bytes, by the start of their flow) per bin of `width` ns since the first start."""
    ts = table.frame["ts"].to_numpy(np.int64)
    if not len(ts):
        return np.zeros(0)
    weights = None
    if of == "bytes":
        weights = (table.frame["fwd_bytes"] + table.frame["bwd_bytes"]).to_numpy(np.float64)
    return np.bincount((ts - ts[0]) // width, weights=weights).astype(np.float64)


def load_over_time(
    real: FlowTable, synthetic: FlowTable | None = None, *, of: str = "flows", theme: Theme = LIGHT
) -> Figure:
    """Flows or bytes (`of`) per bin over time; with both sides in two rows that share the axes."""
    title = "Bytes over time" if of == "bytes" else "Flows over time"
    sides: tuple[tuple[Role, FlowTable | None], ...] = (("real", real), ("synthetic", synthetic))
    tables: dict[Role, FlowTable] = {role: table for role, table in sides if table is not None and len(table)}
    if not tables:
        return empty(theme, title=title, why="There are no flows.")
    spans = [int(np.ptp(table.frame["ts"].to_numpy(np.int64))) for table in tables.values()]
    width = bin_width(max(spans))
    series = {role: load_series(table, width, of=of) for role, table in tables.items()}
    scale, unit = time_unit(max(spans))
    figure = make_subplots(rows=len(series), cols=1, shared_xaxes=True, shared_yaxes="all", vertical_spacing=0.06)
    for row, (role, values) in enumerate(series.items(), start=1):
        style = line(role, theme, width=1.5) | {"shape": "hv", "dash": "solid"}
        figure.add_trace(
            go.Scatter(
                x=np.arange(len(values)) * (width / scale), y=values, mode="lines", name=role, line=style,
                fill="tozeroy",
                fillcolor=faded(theme.series(role).colour),
                hovertemplate="%{x:.4g} " + unit + ": %{y:.4g}<extra>" + role + "</extra>",
            ),
            row=row, col=1,
        )  # fmt: skip
        figure.update_yaxes(title_text=f"{role}", rangemode="tozero", exponentformat="SI", row=row, col=1)
    figure.update_xaxes(title_text=f"time since the first flow ({unit})", row=len(series), col=1)
    figure.update_layout(showlegend=False)
    n = ", ".join(f"{count(len(table))} {role}" for role, table in tables.items())
    more = f"{of} per {duration(width)}; n = {n}"
    alt = ". ".join(_words(role, values, of, width) for role, values in series.items())
    return Figure(dress(figure, theme, title=titled(title, more), height=150 + 150 * len(series)), f"{title}. {alt}.")


def autocorrelation_lines(
    real: FlowTable, synthetic: FlowTable, *, of: str = "flows", most: int = 60, theme: Theme = LIGHT
) -> Figure:
    """Autocorrelation of the load on both sides over lags 1 to `most` bins, as the report measures it."""
    title = f"Autocorrelation of {'log bytes' if of == 'bytes' else 'flows'} per bin"
    if not len(real) or not len(synthetic):
        return empty(theme, title=title, why="One side has no flows.")
    views = prepare([real, synthetic])
    which = 1 if of == "bytes" else 0
    try:
        width, bins = segment_length([view.span for view in views])
        lags = list(range(1, min(most, bins // 4) + 1))
        curves = [autocorrelation(segments(view, width, bins)[:, which], lags) for view in views]
    except NotApplicable as why:
        return empty(theme, title=title, why=str(why))
    figure = go.Figure()
    sides: tuple[Role, Role] = ("real", "synthetic")
    for role, curve in zip(sides, curves, strict=True):
        figure.add_scatter(
            x=lags, y=curve, mode="lines+markers", name=role, line=line(role, theme),
            marker=marker(role, theme, size=5), hovertemplate="lag %{x}: %{y:.3f}<extra>" + role + "</extra>",
        )  # fmt: skip
    figure.add_hline(y=0, line={"color": theme.reference.colour, "width": 1})
    figure.update_xaxes(title_text=f"lag (bins of {duration(width)})", range=[0, len(lags) + 1])
    figure.update_yaxes(title_text="autocorrelation")
    gap = float(np.abs(curves[0] - curves[1]).mean())
    more = f"mean difference {gap:.3f}; n = {count(len(real))} real, {count(len(synthetic))} synthetic flows"
    alt = (
        f"{title} of {duration(width)}: at lag 1 {curves[0][0]:.3f} real, {curves[1][0]:.3f} synthetic; mean"
        f" difference over {len(lags)} lags {gap:.3f}."
    )
    return Figure(dress(figure, theme, title=titled(title, more), height=320), alt)


def _words(role: str, values: NDArray[np.float64], of: str, width: int) -> str:
    write = format_bytes if of == "bytes" else (lambda v: f"{v:.3g}")
    return (
        f"{role}: {write(float(values.mean()))} {of if of != 'bytes' else ''} per {duration(width)} on average,"
        f" at most {write(float(values.max()))}, over {duration(len(values) * width)}"
    ).replace("  ", " ")
