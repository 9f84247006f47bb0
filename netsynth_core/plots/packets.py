"""Figures of a capture: services, and who talks to whom."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import plotly.graph_objects as go

from netsynth_core.flows.overview import Talkers, talkers_of
from netsynth_core.flows.table import FlowTable
from netsynth_core.plots.figure import (
    Figure,
    count,
    dress,
    empty,
    label,
    plain,
    share,
    titled,
)
from netsynth_core.plots.theme import LIGHT, Theme

MOST_HOSTS: Final = 40
MOST_SERVICES: Final = 20


def services_bar(counts: Mapping[str, int], *, of: str = "flows", by: str = "service", theme: Theme = LIGHT) -> Figure:
    """How many flows each service has, the most on top; the unnamed service is called unknown.

    `of` and `by` name what is counted, and what it is grouped by.
    """
    title = f"{of.capitalize()} by {by}"
    ranked = sorted(((n, name) for name, n in counts.items() if n > 0), key=lambda item: (-item[0], item[1]))
    if not ranked:
        return empty(theme, title=title, why=f"There are no {of}.")
    total = sum(n for n, _ in ranked)
    shown = ranked[:MOST_SERVICES]
    rest = ranked[MOST_SERVICES:]
    if rest:
        shown.append((sum(n for n, _ in rest), f"({len(rest)} more)"))
    shown.reverse()
    places = list(range(len(shown)))
    figure = go.Figure()
    figure.add_bar(
        x=[n for n, _ in shown], y=places, orientation="h", marker={"color": theme.real.colour, "line": {"width": 0}},
        text=[f"{count(n)} ({share(n / total)})" for n, _ in shown], textposition="outside", cliponaxis=False,
        hoverinfo="skip",
    )  # fmt: skip
    figure.update_yaxes(tickvals=places, ticktext=[label(name, length=24) or "(unknown)" for _, name in shown])
    figure.update_xaxes(title_text=of, range=[0, 1.4 * max(n for n, _ in shown)], exponentformat="SI")
    figure = dress(figure, theme, title=titled(title, f"n = {count(total)}"), height=130 + 24 * max(3, len(shown)))
    words = ", ".join(
        f"{plain(name, length=24) or 'unknown'} {count(n)} ({share(n / total)})" for n, name in ranked[:5]
    )
    return Figure(figure, plain(f"{title}: n = {count(total)}; {words}.", length=400))


def talkers_heat_map(flows: FlowTable | Talkers, *, most: int = MOST_HOSTS, theme: Theme = LIGHT) -> Figure:
    """Flows between the busiest originators (rows) and responders (columns), busiest first, colour on a log scale."""
    title = "Who talks to whom"
    held = flows if isinstance(flows, Talkers) else talkers_of(flows, most=most)
    if not held.flows:
        return empty(theme, title=title, why="There are no flows.")
    rows, columns, matrix = held.originators[:most], held.responders[:most], held.matrix[:most, :most]
    size = matrix.shape
    shade = np.where(matrix > 0, np.log10(np.maximum(matrix, 1)) + 0.15, 0.0)
    top = int(np.ceil(np.log10(max(10, matrix.max()))))
    names_r, names_c = ([label(name, length=26) for name in names] for names in (rows, columns))
    figure = go.Figure()
    figure.add_heatmap(
        z=shade, colorscale=theme.sequential, zmin=0, zmax=top + 0.15, xgap=1, ygap=1,
        colorbar={
            "title": {"text": "flows", "side": "top"}, "thickness": 12,
            "tickvals": [e + 0.15 for e in range(top + 1)], "ticktext": [count(10**e) for e in range(top + 1)],
        },
        text=matrix, customdata=np.array([[f"{r} to {c}" for c in names_c] for r in names_r], dtype=object),
        hovertemplate="%{customdata}: %{text} flows<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(tickvals=list(range(size[1])), ticktext=names_c, tickangle=-60, title_text="responder")
    figure.update_yaxes(tickvals=list(range(size[0])), ticktext=names_r, autorange="reversed", title_text="originator")
    more = (
        f"{size[0]} of {count(held.all_originators)} originators, {size[1]} of {count(held.all_responders)}"
        f" responders<br>{share(int(matrix.sum()) / held.flows)} of n = {count(held.flows)} flows"
    )
    figure = dress(figure, theme, title=titled(title, more), height=260 + 18 * max(6, len(rows)))
    figure.update_xaxes(showgrid=False, tickfont_size=11)
    figure.update_yaxes(showgrid=False, tickfont_size=11)
    order = np.argsort(-matrix, axis=None, kind="stable")[:3]
    words = "; ".join(
        f"{plain(rows[i], length=30)} to {plain(columns[j], length=30)} {count(int(matrix[i, j]))} flows"
        for i, j in zip(*np.unravel_index(order, size), strict=True)
        if matrix[i, j]
    )
    return Figure(
        figure, plain(f"{title}: {more.replace(chr(0x202F), ' ').replace('<br>', '; ')}. Busiest: {words}.", length=500)
    )
