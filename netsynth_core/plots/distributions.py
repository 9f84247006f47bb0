"""Distributions of one column, real and synthetic on the same axes: ECDF, CCDF and shares of categories."""

from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy import stats

from netsynth_core.evaluate.marginals import ks_statistic
from netsynth_core.flows.table import FlowTable
from netsynth_core.plots.figure import (
    Figure,
    count,
    dress,
    empty,
    label,
    line,
    log_axis,
    marker,
    plain,
    share,
    thin,
    titled,
)
from netsynth_core.plots.theme import LIGHT, Role, Theme

Floats = NDArray[np.float64]
SIDES: Final[tuple[Role, ...]] = ("real", "synthetic")
CURVE_POINTS: Final = 2_000
"""Points a curve at most: more than a screen has."""
UNITS: Final = {
    "duration": "s",
    "fwd_packets": "packets",
    "bwd_packets": "packets",
    "fwd_bytes": "bytes",
    "bwd_bytes": "bytes",
    "inter-arrival": "s",
}


def column_values(table: FlowTable, column: str) -> Floats:
    """A numeric column in the unit people read: seconds for durations and ``inter-arrival``, else counts."""
    if column == "inter-arrival":
        return np.diff(table.frame["ts"].to_numpy(np.int64)) / 1e9
    values = table.frame[column].to_numpy(np.float64)
    return values / 1e9 if column == "duration" else values


def _smallest(values: list[Floats]) -> float:
    """Where zeros are drawn on a log axis: half the smallest positive value."""
    positive = [float(v[v > 0].min()) for v in values if (v > 0).any()]
    return min(positive) / 2 if positive else 0.5


def _axis_title(column: str) -> str:
    unit = UNITS.get(column, "")
    return f"{column} ({unit}), log" if unit else f"{column}, log"


def ecdf(real: Floats, synthetic: Floats, *, column: str, theme: Theme = LIGHT) -> Figure:
    """Share of flows with at most x, both sides overlaid, log axis; zeros stand at the left edge."""
    title = f"Distribution of {label(column)}"
    if not len(real) or not len(synthetic):
        return empty(theme, title=title, why="One side has no flows.")
    edge = _smallest([real, synthetic])
    figure = go.Figure()
    for role, values in zip(SIDES, (real, synthetic), strict=True):
        x, counts = np.unique(np.maximum(values, edge), return_counts=True)
        y = np.cumsum(counts) / len(values)
        keep = thin(len(x), most=CURVE_POINTS)
        figure.add_scatter(
            x=x[keep], y=y[keep], mode="lines", name=role, line=line(role, theme) | {"shape": "hv"},
            hovertemplate="%{x:.4g}: %{y:.1%}<extra>" + role + "</extra>",
        )  # fmt: skip
    a, b = np.log10(np.maximum(real, edge)), np.log10(np.maximum(synthetic, edge))
    ks = ks_statistic(a, b)
    w1 = float(stats.wasserstein_distance(a, b))
    more = f"KS {ks:.3f}, Wasserstein {w1:.3g} decades; n = {count(len(real))} real, {count(len(synthetic))} synthetic"
    figure.update_xaxes(**log_axis(edge, float(max(real.max(), synthetic.max(), edge)), title=_axis_title(column)))
    figure.update_yaxes(title_text="share of flows at most x", range=[0, 1.02], tickformat=".0%")
    medians = [float(np.median(v)) for v in (real, synthetic)]
    alt = (
        f"Distribution functions of {column}: median {medians[0]:.4g} real, {medians[1]:.4g} synthetic"
        f" {UNITS.get(column, '')}; largest gap {share(ks)}, {w1:.3g} decades apart on average."
    )
    return Figure(dress(figure, theme, title=titled(title, more)), plain(alt, length=300))


def ccdf(real: Floats, synthetic: Floats, *, column: str, theme: Theme = LIGHT) -> Figure:
    """Share of flows with more than x, both axes log: how heavy the tails are."""
    title = f"Tail of {label(column)}"
    if not (real > 0).any() or not (synthetic > 0).any():
        return empty(theme, title=title, why="One side has no values above 0.")
    figure = go.Figure()
    for role, values in zip(SIDES, (real, synthetic), strict=True):
        x = np.sort(values[values > 0])
        # Share of all flows with x or more, so that the largest value is still drawn on a log axis.
        y = np.arange(len(x), 0, -1) / len(values)
        # Evenly spaced in the logarithm of the rank: the tail is what this figure shows.
        ranks = np.unique(np.geomspace(1, len(x), min(len(x), CURVE_POINTS)).round().astype(np.int64))
        keep = len(x) - ranks[::-1]
        figure.add_scatter(
            x=x[keep], y=y[keep], mode="lines", name=role, line=line(role, theme),
            hovertemplate="%{x:.4g} or more: %{y:.3g}<extra>" + role + "</extra>",
        )  # fmt: skip
    more = f"n = {count(len(real))} real, {count(len(synthetic))} synthetic; both axes logarithmic"
    ends = _smallest([real, synthetic]), float(max(real.max(), synthetic.max()))
    figure.update_xaxes(**log_axis(*ends, title=_axis_title(column)))
    figure.update_yaxes(type="log", title_text="share of flows with x or more", dtick=1)
    top = [[float(np.quantile(v, q)) for q in (0.99, 1.0)] for v in (real, synthetic)]
    alt = (
        f"Tails of {column}: 99th percentile {top[0][0]:.4g} real, {top[1][0]:.4g} synthetic; largest value"
        f" {top[0][1]:.4g} real, {top[1][1]:.4g} synthetic."
    )
    return Figure(dress(figure, theme, title=titled(title, more)), plain(alt, length=300))


def category_shares(
    real: "pd.Series[Any]", synthetic: "pd.Series[Any]", *, column: str, most: int = 20, theme: Theme = LIGHT
) -> Figure:
    """Dumbbells: the share of each category on both sides, sorted by how much they differ, the largest on top."""
    title = f"Shares of {label(column)}"
    if not len(real) or not len(synthetic):
        return empty(theme, title=title, why="One side has no flows.")
    shares = pd.DataFrame(
        {
            "real": real.astype("str").value_counts(normalize=True),
            "synthetic": synthetic.astype("str").value_counts(normalize=True),
        }
    ).fillna(0.0)
    shares = shares.loc[sorted(shares.index)]
    gap = (shares["synthetic"] - shares["real"]).abs()
    order = gap.sort_values(ascending=False, kind="stable").index
    shown = shares.loc[order[:most]].iloc[::-1]
    names = [label(name, length=30) or "(unset)" for name in shown.index]
    places = list(range(len(shown)))
    figure = go.Figure()
    between: list[float | None] = []
    rows: list[int | None] = []
    for place, a, b in zip(places, shown["real"], shown["synthetic"], strict=True):
        between += [float(a), float(b), None]
        rows += [place, place, None]
    figure.add_scatter(
        x=between, y=rows, mode="lines", line={"color": theme.reference.colour, "width": 2}, showlegend=False,
        hoverinfo="skip",
    )  # fmt: skip
    for role in SIDES:
        figure.add_scatter(
            x=shown[role].to_numpy(), y=places, text=names, mode="markers", name=role,
            marker=marker(role, theme, size=10),
            hovertemplate="%{text}: %{x:.2%}<extra>" + role + "</extra>",
        )  # fmt: skip
    more = f"largest differences first; n = {count(len(real))} real, {count(len(synthetic))} synthetic"
    if len(shares) > len(shown):
        rest = float(gap[order[most]])
        more += f"; {count(len(shares) - len(shown))} more not shown"
        more += f", each off by {share(rest)} at most" if rest > 0 else ", all equal"
    widest = max(float(shown.to_numpy().max()), 0.01)
    figure.update_xaxes(title_text="share of flows", tickformat=".0%", range=[-0.02 * widest, 1.05 * widest])
    figure.update_yaxes(tickvals=places, ticktext=names, range=[-0.6, len(shown) - 0.4], zeroline=False)
    worst = [
        f"{plain(name, length=30) or '(unset)'} {share(shares['real'][name])} real,"
        f" {share(shares['synthetic'][name])} synthetic"
        for name in order[:3]
    ]
    alt = f"Shares of {column}, largest differences: {'; '.join(worst)}."
    height = 150 + 24 * max(3, len(shown))
    return Figure(dress(figure, theme, title=titled(title, more), height=height), plain(alt, length=400))
