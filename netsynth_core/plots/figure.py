"""What every figure function here returns, and the helpers they share.

A figure is never alone: `Figure.alt` says in a sentence or two what a sighted reader takes from it, with its numbers.
Text that comes from a capture or a file goes through `label` before Plotly sees it.
"""

import math
import unicodedata
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from netsynth_core.flows.overview import bin_width as round_width
from netsynth_core.plots.theme import FONT, Role, Theme
from netsynth_core.units import NS_PER_S, format_duration

MAX_POINTS: Final = 20_000
LABEL_LENGTH: Final = 40
BINS: Final = 300
"""Most bins of a figure over time."""


@dataclass(frozen=True, eq=False)
class Figure:
    """A Plotly figure with its text twin."""

    figure: Any
    """`plotly.graph_objects.Figure`."""
    alt: str
    """The same in words; plain text."""


def label(text: object, *, length: int = LABEL_LENGTH) -> str:
    """Text that Plotly shows as it is written: no markup, no control or direction characters, at most `length` long.

    Plotly reads a subset of HTML (``<b>``, ``<a href>``, ``<br>``) and entities in every text; here ``&``, ``<`` and
    ``>`` are written as entities. The length counts characters shown. ``%{`` of hover templates is broken up as well.

    >>> label("<b>x</b>")
    '&lt;b&gt;x&lt;/b&gt;'
    """
    shown = "".join("�" if unicodedata.category(c)[0] == "C" else c for c in str(text)[: 4 * length])
    shown = " ".join(shown.split())
    if len(shown) > length:
        shown = shown[: length - 1] + "…"
    shown = shown.replace("%{", "%\u2009{")
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(text: object, *, length: int = 80) -> str:
    """`label` for texts that are not markup, such as `Figure.alt`: cleaned and cut, nothing escaped."""
    return label(text, length=length).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def count(n: int) -> str:
    """A number of things with thin group separators.

    >>> count(12345)
    '12\u202f345'
    """
    return f"{n:,}".replace(",", "\u202f")


def share(value: float) -> str:
    """A share in percent.

    >>> share(0.1234)
    '12.3 %'
    """
    return f"{100 * value:.3g} %"


def duration(ns: float) -> str:
    """A duration without empty smaller units.

    >>> duration(120 * 10**9)
    '2 min'
    """
    return format_duration(ns).removesuffix(" 0 s").removesuffix(" 0 min")


def thin(n: int, *, most: int = MAX_POINTS) -> NDArray[np.int64]:
    """Positions to draw of n sorted points: all when few, else evenly spaced with the first and the last."""
    if n <= most:
        return np.arange(n)
    return np.unique(np.linspace(0, n - 1, most).round().astype(np.int64))


def line(role: Role, theme: Theme, *, width: float = 2) -> dict[str, Any]:
    """Line style of a role."""
    series = theme.series(role)
    return {"color": series.colour, "dash": series.dash, "width": width}


def marker(role: Role, theme: Theme, *, size: float = 9) -> dict[str, Any]:
    """Marker style of a role."""
    series = theme.series(role)
    return {"color": series.colour, "symbol": series.marker, "size": size, "line": {"width": 0}}


def dress(figure: go.Figure, theme: Theme, *, title: str, height: int = 360) -> go.Figure:
    """Give a figure the fonts, colours, margins and title of the theme.

    `title` may hold ``<br><sup>..</sup>`` of our own making; captured text in it must have gone through `label`.
    """
    axis = {
        "gridcolor": theme.grid,
        "zerolinecolor": theme.grid,
        "linecolor": theme.grid,
        "automargin": True,
        "ticklabelstandoff": 4,
        "title": {"standoff": 8},
    }
    named = sum(trace.showlegend is not False and trace.name is not None for trace in figure.data)
    legend = figure.layout.showlegend is not False and named > 1
    figure.update_layout(
        showlegend=legend,
        title={"text": title, "x": 0, "xref": "paper", "xanchor": "left", "y": 1, "yanchor": "top", "pad": {"t": 12}},
        height=height,
        margin={"l": 60, "r": 24, "t": 88 if legend else 68, "b": 48},
        paper_bgcolor=theme.background,
        plot_bgcolor=theme.background,
        font={"family": FONT, "size": 13, "color": theme.text},
        colorway=[s.colour for s in (theme.real, theme.synthetic, theme.model, theme.reference)],
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
        hoverlabel={"font": {"family": FONT, "size": 12}},
    )
    figure.update_layout(title_font_size=15)
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure


def titled(main: str, more: str = "") -> str:
    """A title with a smaller second line; both plain or already through `label`."""
    return f"{main}<br><sup>{more}</sup>" if more else main


def empty(theme: Theme, *, title: str, why: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure = go.Figure()
    figure.add_annotation(text=label(why, length=120), showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return Figure(dress(figure, theme, title=title, height=200), f"{title}: {plain(why, length=200)}")


def decade_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Ticks at powers of ten between two positive numbers, with names such as ``1k``."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    step = max(1, (last - first) // 8)
    values = [10.0**e for e in range(first, last + 1, step)]
    return values, [_short(v) for v in values]


def log_axis(low: float, high: float, *, title: str) -> dict[str, Any]:
    """Settings of a log axis from `low` to `high` (both > 0): ticks at powers of ten where there are two or more."""
    axis: dict[str, Any] = {"type": "log", "title_text": title, "exponentformat": "SI"}
    if high >= 100 * low:
        axis["tickvals"], axis["ticktext"] = decade_ticks(low, high)
    return axis


def _short(value: float) -> str:
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{name}"
    return f"{value:g}"


def bin_width(span: int, *, bins: int = BINS) -> int:
    """The smallest round bin width (ns) that cuts `span` into at most `bins` parts, as figures do."""
    return round_width(span, bins=bins)


def time_unit(span: int) -> tuple[int, str]:
    """The unit to write times of a span (ns) in: its size in ns and its name."""
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if span >= 2 * size * NS_PER_S:
            return size * NS_PER_S, name
    return NS_PER_S, "s"


def faded(colour: str) -> str:
    """A colour as a light fill."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.25)"
