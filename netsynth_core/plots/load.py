"""Load over time: flows and bytes per bin, real above synthetic, on one time axis that starts at 0 for both."""

from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from netsynth_core.flows.table import FlowTable
from netsynth_core.plots.figure import Figure, count, dress, empty, line, titled
from netsynth_core.plots.theme import LIGHT, Role, Theme
from netsynth_core.units import NS_PER_S, format_bytes, format_duration

BINS: Final = 300
NICE_NS: Final = tuple(
    int(step * scale)
    for scale in (1e6, 1e7, 1e8, 1e9, 1e10)
    for step in (1, 2, 5)
) + tuple(s * NS_PER_S for s in (60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800))  # fmt: skip


def bin_width(span: int, *, bins: int = BINS) -> int:
    """The smallest round bin width (ns) that cuts `span` into at most `bins` parts."""
    for width in NICE_NS:
        if span <= bins * width:
            return width
    return span // bins + 1


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
    scale = width / NS_PER_S
    unit = "s"
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if max(spans) >= 2 * size * NS_PER_S:
            scale, unit = width / NS_PER_S / size, name
            break
    figure = make_subplots(rows=len(series), cols=1, shared_xaxes=True, shared_yaxes="all", vertical_spacing=0.06)
    for row, (role, values) in enumerate(series.items(), start=1):
        style = line(role, theme, width=1.5) | {"shape": "hv", "dash": "solid"}
        figure.add_trace(
            go.Scatter(
                x=np.arange(len(values)) * scale, y=values, mode="lines", name=role, line=style, fill="tozeroy",
                fillcolor=_faded(theme.series(role).colour),
                hovertemplate="%{x:.4g} " + unit + ": %{y:.4g}<extra>" + role + "</extra>",
            ),
            row=row, col=1,
        )  # fmt: skip
        figure.update_yaxes(title_text=f"{role}", rangemode="tozero", exponentformat="SI", row=row, col=1)
    figure.update_xaxes(title_text=f"time since the first flow ({unit})", row=len(series), col=1)
    figure.update_layout(showlegend=False)
    n = ", ".join(f"{count(len(table))} {role}" for role, table in tables.items())
    more = f"{of} per {format_duration(width)}; n = {n}"
    alt = ". ".join(_words(role, values, of, width) for role, values in series.items())
    return Figure(dress(figure, theme, title=titled(title, more), height=150 + 150 * len(series)), f"{title}. {alt}.")


def _words(role: str, values: NDArray[np.float64], of: str, width: int) -> str:
    write = format_bytes if of == "bytes" else (lambda v: f"{v:.3g}")
    return (
        f"{role}: {write(float(values.mean()))} {of if of != 'bytes' else ''} per {format_duration(width)} on average,"
        f" at most {write(float(values.max()))}, over {format_duration(len(values) * width)}"
    ).replace("  ", " ")


def _faded(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.25)"
