"""Pairs of columns, and pairs of flows: heat maps of real, synthetic and their difference on one scale around 0."""

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from netsynth_core.evaluate.views import HORIZON_NS, next_of_key
from netsynth_core.flows.table import FlowTable
from netsynth_core.plots.figure import Figure, count, dress, empty, label, plain, share, titled
from netsynth_core.plots.theme import LIGHT, Theme
from netsynth_core.units import NS_PER_S

MOST: Final = 12
OTHER: Final = "(other)"
NONE: Final = "(none)"

Column = "pd.Series[Any]"


def pair_heat_maps(
    real: FlowTable, synthetic: FlowTable, *, x: str, y: str, most: int = MOST, theme: Theme = LIGHT
) -> Figure:
    """Joint shares of two categorical columns on both sides and their difference; rarer categories are pooled."""
    title = f"{label(y)} by {label(x)}"
    if not len(real) or not len(synthetic):
        return empty(theme, title=title, why="One side has no flows.")
    sides = [(t.frame[x].astype("str"), t.frame[y].astype("str")) for t in (real, synthetic)]
    return _three(sides, title=title, x=x, y=y, most=most, n=(len(real), len(synthetic)), theme=theme)


def next_port_heat_map(real: FlowTable, synthetic: FlowTable, *, most: int = MOST, theme: Theme = LIGHT) -> Figure:
    """Which port follows which at the same source: shares of (port now, port next) and their difference."""
    title = "Which port follows which, at the same source"
    if not len(real) or not len(synthetic):
        return empty(theme, title=title, why="One side has no flows.")
    sides = [next_ports(table) for table in (real, synthetic)]
    sides = [(following, now) for now, following in sides]
    return _three(
        sides, title=title, x=f"next port (within {HORIZON_NS // NS_PER_S} s)", y="port now", most=most,
        n=(len(real), len(synthetic)), theme=theme,
    )  # fmt: skip


def next_ports(table: FlowTable) -> "tuple[pd.Series[Any], pd.Series[Any]]":
    """Port of each flow and of its source's next flow (`NONE` when there is none within the horizon), as text."""
    ports = table.frame["dst_port"].astype("str").to_numpy(object)
    sources = pd.factorize(table.frame["src_ip"])[0].astype(np.int64)
    following, gap = next_of_key(sources, table.frame["ts"].to_numpy(np.int64))
    after = np.where(gap <= HORIZON_NS, ports[following], NONE)
    return pd.Series(ports, dtype="str"), pd.Series(after, dtype="str")


def _kept(values: "list[pd.Series[Any]]", most: int) -> list[str]:
    """The commonest categories over both sides, each side weighing the same; ties by name."""
    weight = sum(v.value_counts(normalize=True).reindex(_union(values)).fillna(0.0) for v in values)
    ranked = pd.Series(weight).sort_index().sort_values(ascending=False, kind="stable")
    return [str(name) for name in ranked.index[:most]]


def _union(values: "list[pd.Series[Any]]") -> list[str]:
    return sorted({str(name) for v in values for name in v.unique()})


def _shares(x: "pd.Series[Any]", y: "pd.Series[Any]", columns: list[str], rows: list[str]) -> NDArray[np.float64]:
    at_x, at_y = _places(x, columns), _places(y, rows)
    flat = at_y * len(columns) + at_x
    return np.bincount(flat, minlength=len(rows) * len(columns)).reshape(len(rows), len(columns)) / len(x)


def _places(values: "pd.Series[Any]", names: list[str]) -> NDArray[np.int64]:
    """Position of each value among the names; those not named go to the last one, `OTHER`."""
    found = np.asarray(pd.Index(names).get_indexer(pd.Index(values)), np.int64)
    return np.where(found < 0, len(names) - 1, found)


def _three(
    sides: "list[tuple[pd.Series[Any], pd.Series[Any]]]", *, title: str, x: str, y: str, most: int,
    n: tuple[int, int], theme: Theme,
) -> Figure:  # fmt: skip
    columns = _kept([side[0] for side in sides], most)
    rows = _kept([side[1] for side in sides], most)
    columns += [OTHER] if len(_union([side[0] for side in sides])) > len(columns) else []
    rows += [OTHER] if len(_union([side[1] for side in sides])) > len(rows) else []
    real, synthetic = (_shares(side[0], side[1], columns, rows) for side in sides)
    difference = synthetic - real
    top = max(float(real.max()), float(synthetic.max()))
    away = max(float(np.abs(difference).max()), 1e-9)
    figure = make_subplots(
        rows=1, cols=3, shared_yaxes=True, horizontal_spacing=0.03,
        subplot_titles=("real", "synthetic", "synthetic - real"),
    )  # fmt: skip
    names_x, names_y = ([label(name, length=18) or "(unset)" for name in names] for names in (columns, rows))
    for at, values in enumerate((real, synthetic, difference), start=1):
        scale = theme.diverging if at == 3 else theme.sequential
        figure.add_heatmap(
            z=values, row=1, col=at, colorscale=scale, zmin=-away if at == 3 else 0, zmax=away if at == 3 else top,
            xgap=1, ygap=1, showscale=at > 1,
            colorbar={
                "len": 0.42, "y": 0.78 if at == 2 else 0.25, "tickformat": ".0%" if top > 0.05 else ".1%",
                "thickness": 12, "nticks": 4, "title": {"text": "share" if at == 2 else "difference", "side": "top"},
            },
            customdata=np.array([[f"{ny}, {nx}" for nx in names_x] for ny in names_y], dtype=object),
            hovertemplate="%{customdata}: %{z:.2%}<extra></extra>",
        )  # fmt: skip
        figure.update_xaxes(tickvals=list(range(len(columns))), ticktext=names_x, tickangle=-60, row=1, col=at)
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=names_y, autorange="reversed")
    distance = 0.5 * float(np.abs(difference).sum())
    more = f"total variation {share(distance)}; n = {count(n[0])} real, {count(n[1])} synthetic"
    figure.update_xaxes(title_text=label(x, length=30), row=1, col=2)
    figure.update_yaxes(title_text=label(y), row=1, col=1)
    worst = np.unravel_index(np.argsort(-np.abs(difference), axis=None)[:3], difference.shape)
    words = "; ".join(
        f"{plain(rows[i], length=20)}, {plain(columns[j], length=20)}: {share(real[i, j])} real,"
        f" {share(synthetic[i, j])} synthetic"
        for i, j in zip(*worst, strict=True)
    )
    figure = dress(figure, theme, title=titled(title, more), height=230 + 24 * max(8, len(rows)))
    figure.update_xaxes(showgrid=False)
    figure.update_yaxes(showgrid=False)
    alt = f"Joint shares of {y} and {x}; total variation {share(distance)}. Largest differences: {words}."
    return Figure(figure, plain(alt, length=500))
