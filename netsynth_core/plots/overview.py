"""The load of a capture over time, whole or in strips: by protocol, by service, by what the TCP analysis marked."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from netsynth_core.flows.overview import NICE_NS, Overview, Series
from netsynth_core.plots.figure import (
    Figure,
    bin_width,
    count,
    dress,
    duration,
    empty,
    faded,
    label,
    line,
    plain,
    titled,
)
from netsynth_core.plots.theme import LIGHT, Theme
from netsynth_core.units import format_bytes, format_instant

Of = Literal["packets", "bytes", "flows"]
By = Literal["all", "protocol", "service", "marks"]

SHOWN_BINS: Final = 300
_STRIP_PX: Final = 78


def widths(overview: Overview) -> list[int]:
    """The widths of bins (ns) a figure of this overview can have, the finest first."""
    coarsest = max(overview.width, overview.span // 4)
    found = [width for width in NICE_NS if width % overview.width == 0 and width <= coarsest]
    return found or [overview.width]


def usual_width(overview: Overview) -> int:
    """The width that shows at most `SHOWN_BINS` bins."""
    wanted = bin_width(overview.span, bins=SHOWN_BINS)
    return next((width for width in widths(overview) if width >= wanted), overview.width)


def capture_over_time(
    overview: Overview, *, of: Of = "packets", by: By = "all", width: int | None = None, theme: Theme = LIGHT
) -> Figure:
    """Load over time, one strip per group, each with its own scale and all with one axis of time.

    Parameters
    ----------
    of
        What is counted: packets, IP bytes, or flows that start (which have no groups).
    width
        Width of a bin, one of `widths`; None = `usual_width`.
    """
    what = "IP bytes" if of == "bytes" else of
    title = f"{what[:1].upper()}{what[1:]} over time" + (
        "" if by == "all" else " by TCP trouble" if by == "marks" else f" by {by}"
    )
    strips = _strips(overview, of, by)
    if not overview.flows.size:
        return empty(theme, title=title, why="There are no packets.")
    if not strips:
        return empty(theme, title=title, why="No packet is a retransmission, out of order, or marked otherwise.")
    chosen = width or usual_width(overview)
    factor = max(1, chosen // overview.width)
    figure = make_subplots(rows=len(strips), cols=1, shared_xaxes=True, vertical_spacing=0.25 / (4 * len(strips)))
    role = theme.synthetic if by == "marks" else theme.real
    words = []
    for row, (name, values) in enumerate(strips, start=1):
        load = joined(values, factor)
        figure.add_scatter(
            x=(overview.start + np.arange(len(load)) * chosen).astype("datetime64[ns]"), y=load,
            mode="lines", fill="tozeroy", row=row, col=1, fillcolor=faded(role.colour), showlegend=False,
            line=line("real", theme, width=1.4) | {"shape": "hv", "color": role.colour},
            hovertemplate=f"%{{x|%Y-%m-%d %H:%M:%S.%L}}: %{{y:,.5~g}} {what}<extra>{label(name, length=24)}</extra>",
        )  # fmt: skip
        total, peak = _said(of, float(values.sum())), _said(of, float(load.max()))
        words.append(f"{plain(name, length=24) or of}: {total}, at most {peak} per {duration(chosen)}")
        if by != "all":
            # room above the highest bar for the name of the strip
            figure.update_yaxes(range=[0, 1.45 * max(1.0, float(load.max()))], row=row, col=1)
            figure.add_annotation(
                text=f"<b>{label(name, length=24)}</b>  {total}", xref="paper", x=1.0, xanchor="right", showarrow=False,
                yref=f"y{row if row > 1 else ''} domain", y=1.0, yanchor="top", bgcolor=theme.background, opacity=0.9,
            )  # fmt: skip
    figure.update_yaxes(rangemode="tozero", exponentformat="SI", nticks=4 if len(strips) > 1 else 7)
    figure.update_xaxes(type="date")
    figure.update_xaxes(title_text=f"time (UTC), from {format_instant(overview.start)}", row=len(strips), col=1)
    n = int((overview.flows if of == "flows" else _values(overview.by_protocol, "packets")).sum())
    counted = "flows" if of == "flows" else "packets"
    more = f"per {duration(chosen)}; n = {count(n)} {counted} in {duration(overview.span)}"
    if not overview.from_packets and of != "flows":
        more += "; whole flows at their start"
    height = 300 if len(strips) == 1 else 130 + _STRIP_PX * len(strips)
    figure = dress(figure, theme, title=titled(title, more), height=height)
    return Figure(figure, plain(f"{title}, {more}. {'; '.join(words)}.", length=900))


def _strips(overview: Overview, of: Of, by: By) -> list[tuple[str, NDArray[np.int64]]]:
    """Name and series of each strip, the largest first; what is left over last."""
    if of == "flows":
        return [("", overview.flows)]
    if by == "all":
        held = _values(overview.by_protocol, of)
        return [("", held.sum(axis=0))]
    series = {"protocol": overview.by_protocol, "service": overview.by_service, "marks": overview.marks}[by]
    return list(zip(series.names, _values(series, of), strict=True))


def _values(series: Series, of: Of) -> NDArray[np.int64]:
    return series.bytes if of == "bytes" else series.packets


def joined(values: NDArray[np.int64], factor: int) -> NDArray[np.int64]:
    """A series in bins `factor` times as wide.

    >>> joined(np.array([1, 2, 3, 4, 5]), 2).tolist()
    [3, 7, 5]
    """
    padded = np.zeros(-(-len(values) // factor) * factor, np.int64)
    padded[: len(values)] = values
    return np.asarray(padded.reshape(-1, factor).sum(axis=1), np.int64)


def _said(of: Of, amount: float) -> str:
    return format_bytes(amount) if of == "bytes" else f"{count(round(amount))} {of}"
