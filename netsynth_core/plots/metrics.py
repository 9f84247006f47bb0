"""The report at a glance: one dot per metric beside the band of its noise floor, and the verdict as a word."""

import plotly.graph_objects as go

from netsynth_core.evaluate.measure import figure_text
from netsynth_core.evaluate.metric import Family, MetricResult
from netsynth_core.evaluate.report import Report
from netsynth_core.plots.figure import Figure, count, dress, empty, label, plain, titled
from netsynth_core.plots.theme import LIGHT, Theme

SHORT = {"share": "share", "points": "share"}
"""Units that are written in a figure; the others are left to the words."""


def metric_dots(report: Report, family: Family, *, theme: Theme = LIGHT) -> Figure:
    """Values of one family as dots (± 2 sd) on bands of real against real; the verdict stands at the right."""
    title = f"{family.capitalize()}: synthetic against real"
    results = [r for r in report.family(family) if r.value is not None][::-1]
    if not results:
        return empty(theme, title=title, why="No metric of this family can be computed on these flows.")
    figure = go.Figure()
    places = list(range(len(results)))
    bands = [(place, r) for place, r in zip(places, results, strict=True) if r.floor is not None]
    figure.add_bar(
        x=[_high(r) - _low(r) for _, r in bands], base=[_low(r) for _, r in bands], y=[p for p, _ in bands],
        orientation="h", width=0.7, name="real against real (noise floor, ± 2 sd)",
        marker={"color": theme.reference.colour, "opacity": 0.35, "line": {"width": 0}}, hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=[r.floor for _, r in bands], y=[p for p, _ in bands], mode="markers", showlegend=False, hoverinfo="skip",
        marker={"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": theme.reference.colour}},
    )  # fmt: skip
    figure.add_scatter(
        x=[r.value for r in results], y=places, mode="markers", name="synthetic against real",
        marker={"color": theme.synthetic.colour, "symbol": "diamond", "size": 10},
        error_x={
            "array": [2 * (r.sd or 0) for r in results],
            "arrayminus": [_below(r) for r in results],
            "color": theme.synthetic.colour, "thickness": 1.5, "width": 3,
        },
        text=[label(r.sentence, length=200) for r in results], hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    for place, result in zip(places, results, strict=True):
        figure.add_annotation(
            x=1.01, xref="paper", y=place, xanchor="left", showarrow=False, font={"size": 12},
            text=f"{figure_text(result.value, SHORT.get(result.unit, ''))}, {result.verdict}",
        )  # fmt: skip
    highest = max([_high(r) for r in results] + [(r.value or 0) + 2 * (r.sd or 0) for r in results])
    lowest = min([0.0] + [r.value or 0 for r in results])
    figure.update_xaxes(
        range=[lowest - 0.02 * highest or -0.01, 1.05 * highest or 1], title_text="value, in the unit of each"
    )
    if all(r.unit == "share" for r in results):
        figure.update_xaxes(tickformat=".0%" if highest > 0.1 else ".1%", title_text="share of flows")
    figure.update_yaxes(tickvals=places, ticktext=[label(r.name) for r in results], range=[-0.6, len(results) - 0.4])
    more = f"n = {count(report.rows['real'])} real, {count(report.rows['synthetic'])} synthetic flows"
    height = 150 + 26 * max(3, len(results))
    figure = dress(figure, theme, title=titled(title, more), height=height)
    figure.update_layout(margin={"r": 190}, bargap=0)
    words = "; ".join(f"{r.name} {figure_text(r.value, r.unit)} ({r.verdict})" for r in reversed(results))
    return Figure(figure, plain(f"{title}. {words}.", length=1500))


def _below(result: MetricResult) -> float:
    """Two deviations, no further than 0 for what cannot be negative."""
    spread = 2 * (result.sd or 0.0)
    return spread if result.range[0] < 0 else min(spread, result.value or 0.0)


def _low(result: MetricResult) -> float:
    if result.goal == "down":
        return min(0.0, result.floor or 0.0)
    return max(0.0, (result.floor or 0.0) - 2 * (result.floor_sd or 0.0))


def _high(result: MetricResult) -> float:
    return (result.floor or 0.0) + 2 * (result.floor_sd or 0.0)
