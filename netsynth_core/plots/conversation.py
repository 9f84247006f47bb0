"""The ladder of one conversation: an arrow per packet between originator and responder, time running down."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from netsynth_core.plots.figure import Figure, count, dress, duration, empty, label, plain, titled
from netsynth_core.plots.theme import LIGHT, Theme

MOST_STEPS: Final = 60


def ladder(
    ts: ArrayLike,
    forward: ArrayLike,
    texts: Sequence[str],
    *,
    originator: str = "originator",
    responder: str = "responder",
    states: Sequence[str] | None = None,
    theme: Theme = LIGHT,
) -> Figure:
    """One conversation as a ladder, the state of the automaton after each packet at the right.

    Parameters
    ----------
    ts
        Instants, ns.
    forward
        True for packets from the originator.
    texts
        What to write on each arrow, such as the symbol and the payload size.
    states
        Location of the automaton after each packet.
    """
    instants, along = np.asarray(ts, np.int64), np.asarray(forward, np.bool_)
    title = "Ladder of one conversation"
    if not len(instants):
        return empty(theme, title=title, why="The conversation has no packets.")
    shown = min(len(instants), MOST_STEPS)
    figure = go.Figure()
    _rails(figure, shown, label(originator, length=34), label(responder, length=34), theme)
    for way in (True, False):
        _arrows(figure, np.flatnonzero(along[:shown] == way), way, theme)
    steps = range(shown)
    since = [f"+{duration(int(t - instants[0]))}" for t in instants[:shown]]
    _texts(figure, 0.5, [step - 0.32 for step in steps], [label(t, length=44) for t in texts[:shown]], "middle center")
    _texts(figure, -0.03, steps, since, "middle left")
    if states is not None:
        _texts(figure, 1.03, steps, [label(s, length=24) for s in states[:shown]], "middle right")
    figure.update_xaxes(visible=False, range=[-0.22, 1.3 if states is not None else 1.12])
    figure.update_yaxes(visible=False, range=[shown - 0.3, -1.5])
    figure.update_layout(showlegend=False)
    span = duration(int(instants[-1] - instants[0]))
    more = f"n = {count(len(instants))} packets in {span}"
    more += f"; the first {shown} are shown" if shown < len(instants) else ""
    words = "; ".join(
        f"{'to' if along[i] else 'from'} responder {plain(texts[i], length=44)}" for i in range(min(shown, 12))
    )
    alt = f"{title} between {originator} and {responder}: {len(instants)} packets in {span}: {words}."
    figure = dress(figure, theme, title=titled(title, more), height=140 + 30 * (shown + 1))
    return Figure(figure, plain(alt, length=900))


def _rails(figure: go.Figure, shown: int, originator: str, responder: str, theme: Theme) -> None:
    for at in (0, 1):
        figure.add_scatter(
            x=[at, at], y=[-0.6, shown - 0.4], mode="lines", hoverinfo="skip",
            line={"color": theme.reference.colour, "width": 2},
        )  # fmt: skip
    figure.add_scatter(
        x=[0, 1], y=[-1, -1], mode="text", text=[originator, responder], textfont={"size": 13}, hoverinfo="skip"
    )


def _arrows(figure: go.Figure, steps: NDArray[np.int64], forward: bool, theme: Theme) -> None:
    """Arrows of one direction: a line each and a triangle at the receiver."""
    colour = theme.real.colour if forward else theme.model.colour
    figure.add_scatter(
        x=np.tile([0.0, 1.0, np.nan], len(steps)), y=np.repeat(steps, 3), mode="lines", connectgaps=False,
        line={"color": colour, "width": 1.6}, hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=np.full(len(steps), 0.993 if forward else 0.007), y=steps, mode="markers", hoverinfo="skip",
        marker={"symbol": "triangle-right" if forward else "triangle-left", "size": 11, "color": colour},
    )  # fmt: skip


def _texts(figure: go.Figure, x: float, y: Sequence[float], texts: list[str], at: str) -> None:
    place = {"x": [x] * len(texts), "y": list(y), "textposition": at}
    figure.add_scatter(**place, mode="text", text=texts, textfont={"size": 11}, hoverinfo="skip")
