"""The ladder of one conversation: an arrow per packet between originator and responder, time running down."""

from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from netsynth_core.flows.steps import UNSET, Steps
from netsynth_core.plots.figure import Figure, count, dress, duration, empty, label, plain, titled
from netsynth_core.plots.theme import LIGHT, Theme
from netsynth_core.units import format_instant

MOST_STEPS: Final = 25
STEP_PX: Final = 36
_OUTER: Final = (-0.34, 1.44)


def ladder(
    steps: Steps,
    *,
    first: int = 0,
    most: int = MOST_STEPS,
    originator: str = "originator",
    responder: str = "responder",
    chosen: int | None = None,
    theme: Theme = LIGHT,
) -> Figure:
    """A part of a conversation as a ladder; the markers carry the place of their packet as `customdata`.

    Parameters
    ----------
    first, most
        The first packet to draw, 0-based, and how many.
    chosen
        Place of the packet that is outlined.
    """
    title = "Packets of the conversation"
    if not len(steps):
        return empty(theme, title=title, why="The conversation has no packets.")
    places = np.arange(first, min(first + most, len(steps)))
    figure = go.Figure()
    _rails(figure, len(places), label(originator, length=40), label(responder, length=40), theme)
    marked = np.array([bool(steps.marks[place]) for place in places], np.bool_)
    along = steps.forward[places]
    for way in (True, False):
        _arrows(figure, steps, places, (along == way) & ~marked, way, theme.real.colour, "solid")
        _arrows(figure, steps, places, (along == way) & marked, way, theme.synthetic.colour, "dash")
    lines = range(len(places))
    start = int(steps.ts[0])
    times = [f"{place + 1}   +{duration(int(steps.ts[place]) - start)}" for place in places.tolist()]
    _texts(figure, 0.5, [line - 0.3 for line in lines], [_above(steps, place, theme) for place in places.tolist()])
    _texts(figure, -0.03, lines, times, "middle left")
    _texts(figure, 1.03, lines, [label(steps.symbols[place], length=28) for place in places.tolist()], "middle right")
    if chosen is not None and first <= chosen < first + len(places):
        figure.add_shape(
            type="rect", x0=_OUTER[0], x1=_OUTER[1], y0=chosen - first - 0.62, y1=chosen - first + 0.34,
            line={"color": theme.accent, "width": 2}, layer="below",
        )  # fmt: skip
    figure.update_xaxes(visible=False, range=list(_OUTER), fixedrange=True)
    figure.update_yaxes(visible=False, range=[len(places) - 0.4, -1.5], fixedrange=True)
    figure.update_layout(showlegend=False)
    more = _heading(steps, places)
    words = "; ".join(_spoken(steps, place) for place in places[:12].tolist())
    alt = f"{title} between {originator} and {responder}: {more.replace(chr(0x202F), ' ')}: {words}."
    figure = dress(figure, theme, title=titled(title, more), height=110 + STEP_PX * (len(places) + 1))
    figure.update_layout(margin={"l": 8, "r": 8, "b": 8})
    return Figure(figure, plain(alt, length=1400))


def _heading(steps: Steps, places: NDArray[np.int64]) -> str:
    span = duration(int(steps.ts.max() - steps.ts.min()))
    text = f"n = {count(len(steps))} packets in {span}, from {format_instant(int(steps.ts[0]))}"
    if len(places) < len(steps):
        text += f"; {count(int(places[0]) + 1)} to {count(int(places[-1]) + 1)} are shown"
    return f"{text}; symbols at the right"


def _details(steps: Steps, place: int) -> str:
    """What stands on an arrow: flags, relative numbers, payload."""
    parts = [steps.flags[place]] if steps.flags[place] else []
    if steps.seq[place] != UNSET:
        parts.append(f"seq {steps.seq[place]}")
    if steps.ack[place] != UNSET:
        parts.append(f"ack {steps.ack[place]}")
    size = int(steps.payload[place])
    parts.append(f"{size} B {steps.classes[place]}" if size else "no payload")
    return " · ".join(parts)


def _above(steps: Steps, place: int, theme: Theme) -> str:
    """The text above an arrow; what is marked says so in words, bold and in colour."""
    text = label(_details(steps, place), length=70)
    if not steps.marks[place]:
        return text
    return f'{text} · <b><span style="color:{theme.synthetic.colour}">{label(steps.marks[place])}</span></b>'


def _spoken(steps: Steps, place: int) -> str:
    way = "to" if steps.forward[place] else "from"
    mark = f", {steps.marks[place]}" if steps.marks[place] else ""
    return f"{way} responder {_details(steps, place)}{mark}"


def _hover(steps: Steps, place: int) -> str:
    """Everything about a packet, a line each."""
    before = int(steps.ts[place] - steps.ts[place - 1]) if place else 0
    lines = [
        f"<b>packet {place + 1}</b>, frame {steps.frames[place]}",
        format_instant(int(steps.ts[place])),
        f"+{duration(before)} after the one before" if place else "the first",
        label(_details(steps, place), length=80),
    ]
    if steps.window[place] != UNSET:
        lines.append(f"window {steps.window[place]}")
    if steps.symbols[place]:
        lines.append(f"symbol {label(steps.symbols[place])}")
    if steps.marks[place]:
        lines.append(f"<b>{label(steps.marks[place])}</b>")
    return "<br>".join(lines)


def _rails(figure: go.Figure, shown: int, originator: str, responder: str, theme: Theme) -> None:
    for at in (0, 1):
        figure.add_scatter(
            x=[at, at], y=[-0.6, shown - 0.45], mode="lines", hoverinfo="skip",
            line={"color": theme.reference.colour, "width": 2},
        )  # fmt: skip
    _texts(figure, 0, [-1.0], [f"<b>{originator}</b>"])
    _texts(figure, 1, [-1.0], [f"<b>{responder}</b>"])


def _arrows(
    figure: go.Figure,
    steps: Steps,
    places: NDArray[np.int64],
    which: NDArray[np.bool_],
    forward: bool,
    colour: str,
    dash: str,
) -> None:
    """Arrows of one direction: a line each and a triangle at the receiver."""
    lines = np.flatnonzero(which)
    if not len(lines):
        return
    figure.add_scatter(
        x=np.tile([0.0, 1.0, np.nan], len(lines)), y=np.repeat(lines, 3), mode="lines", connectgaps=False,
        line={"color": colour, "width": 1.6, "dash": dash}, hoverinfo="skip",
    )  # fmt: skip
    for x, symbol, size in (
        (0.993 if forward else 0.007, "triangle-right" if forward else "triangle-left", 12),
        (0.5, "circle", 7),
    ):
        figure.add_scatter(
            x=np.full(len(lines), x), y=lines, mode="markers", customdata=places[lines],
            marker={"symbol": symbol, "size": size, "color": colour},
            hovertext=[_hover(steps, place) for place in places[lines].tolist()], hoverinfo="text",
        )  # fmt: skip


def _texts(figure: go.Figure, x: float, y: object, texts: list[str], at: str = "middle center") -> None:
    held = list(y)  # type: ignore[call-overload]
    place = {"x": [x] * len(held), "y": held, "textposition": at}
    figure.add_scatter(**place, mode="text", text=texts, textfont={"size": 12}, hoverinfo="skip")
