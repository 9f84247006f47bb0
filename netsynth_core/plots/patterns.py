"""Figures of a pattern set: where the windows of each pattern lie in time, and what each pattern saves in bits."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from netsynth_core.plots.figure import Figure, count, dress, duration, empty, label, plain, thin, time_unit, titled
from netsynth_core.plots.theme import LIGHT, Theme
from netsynth_core.units import count as things
from netsynth_core.units import format_bits

MOST_PATTERNS: Final = 20
POINTS_EACH: Final = 2_000


def window_strip(
    windows: Mapping[str, tuple[ArrayLike, ArrayLike]], *, origin: int | None = None, theme: Theme = LIGHT
) -> Figure:
    """Where windows lie in time: a row per pattern, a stroke per window from its first to its last flow.

    Parameters
    ----------
    windows
        Pattern name to (starts, ends) of its windows, ns since the epoch.
    origin
        Instant that is time 0; by default the first start.
    """
    title = "Windows over time"
    given = {name: (np.asarray(a, np.int64), np.asarray(b, np.int64)) for name, (a, b) in windows.items()}
    given = {name: pair for name, pair in given.items() if len(pair[0])}
    if not given:
        return empty(theme, title=title, why="There are no windows.")
    ranked = sorted(given, key=lambda name: (-len(given[name][0]), name))
    shown = ranked[:MOST_PATTERNS][::-1]
    zero = min(int(a.min()) for a, _ in given.values()) if origin is None else origin
    scale, unit = time_unit(max(int(b.max()) for _, b in given.values()) - zero)
    figure = go.Figure()
    for place, name in enumerate(shown):
        starts, ends = given[name]
        order = np.argsort(starts, kind="stable")
        keep = order[thin(len(starts), most=POINTS_EACH)]
        x = np.column_stack([(starts[keep] - zero) / scale, (ends[keep] - zero) / scale, np.full(len(keep), np.nan)])
        figure.add_scatter(
            x=x.ravel(), y=np.tile([place, place, np.nan], len(keep)), mode="lines+markers",
            line={"color": theme.real.colour, "width": 4},
            marker={"symbol": "line-ns", "size": 10, "line": {"width": 1, "color": theme.real.colour}},
            hovertemplate="%{x:.5g} " + unit + "<extra>" + label(name, length=24) + "</extra>", connectgaps=False,
        )  # fmt: skip
    names = [f"{label(name, length=28)} ({count(len(given[name][0]))})" for name in shown]
    figure.update_yaxes(tickvals=list(range(len(shown))), ticktext=names, range=[-0.6, len(shown) - 0.4])
    figure.update_xaxes(title_text=f"time since the first window ({unit})" if origin is None else f"time ({unit})")
    total = sum(len(a) for a, _ in given.values())
    more = f"n = {things(total, 'window')} of {things(len(given), 'pattern')}"
    more += f"; the {len(shown)} commonest are shown" if len(shown) < len(given) else ""
    figure.update_layout(showlegend=False)
    words = "; ".join(
        f"{plain(name, length=30)}: {count(len(given[name][0]))} windows, median length"
        f" {duration(float(np.median(given[name][1] - given[name][0])))}"
        for name in ranked[:5]
    )
    figure = dress(figure, theme, title=titled(title, more), height=150 + 24 * max(3, len(shown)))
    return Figure(figure, plain(f"{title}. {words}.", length=600))


def codelength_waterfall(
    empty_bits: float, steps: Sequence[tuple[str, float]], *, most: int = MOST_PATTERNS, theme: Theme = LIGHT
) -> Figure:
    """From the empty model's bits to the model's: what each step adds (positive) or saves (negative), in bits.

    Parameters
    ----------
    empty_bits
        Total codelength of the empty model on the same data.
    steps
        Name and change in bits of each pattern or part, in order; beyond `most` the smaller ones are pooled.
    """
    title = "Codelength: from the empty model to the patterns"
    ranked = sorted(range(len(steps)), key=lambda i: (-abs(steps[i][1]), i))
    kept = sorted(ranked[:most])
    rest = sum(steps[i][1] for i in ranked[most:])
    bars = [(steps[i][0], steps[i][1]) for i in kept]
    if len(steps) > most:
        bars.append((f"({len(steps) - most} more)", rest))
    final = empty_bits + sum(bits for _, bits in steps)
    places = list(range(len(bars) + 2))
    changes = [bits for _, bits in bars]
    figure = go.Figure()
    figure.add_waterfall(
        orientation="h", y=places, x=[empty_bits, *changes, 0],
        measure=["absolute", *(["relative"] * len(bars)), "total"],
        text=[format_bits(empty_bits), *map(_signed, changes), format_bits(final)],
        textposition="outside", cliponaxis=False, hoverinfo="skip",
        connector={"line": {"color": theme.reference.colour, "width": 1, "dash": "dot"}},
        increasing={"marker": {"color": theme.synthetic.colour}},
        decreasing={"marker": {"color": theme.real.colour}},
        totals={"marker": {"color": theme.reference.colour}},
    )  # fmt: skip
    names = ["empty model", *(label(name, length=30) for name, _ in bars), "this model"]
    figure.update_yaxes(tickvals=places, ticktext=names, autorange="reversed")
    reached = np.concatenate([[empty_bits], empty_bits + np.cumsum(changes), [final]])
    low = max(0.0, float(reached.min()) - 0.25 * max(float(np.ptp(reached)), 1.0))
    figure.update_xaxes(title_text=f"bits (the axis begins at {format_bits(low)})" if low else "bits")
    figure.update_xaxes(range=[low, float(reached.max()) + 0.3 * max(float(reached.max()) - low, 1.0)])
    saved = (empty_bits - final) / empty_bits if empty_bits else 0.0
    more = f"{format_bits(final)}, {100 * saved:.1f} % less than {format_bits(empty_bits)}"
    figure.update_layout(showlegend=False)
    words = "; ".join(f"{plain(steps[i][0], length=30)} {format_bits(steps[i][1])}" for i in ranked[:5])
    figure = dress(figure, theme, title=titled(title, more), height=150 + 26 * len(places))
    return Figure(figure, plain(f"{title}: {more}. Largest steps: {words}.", length=500))


def _signed(bits: float) -> str:
    return f"{'+' if bits > 0 else ''}{format_bits(bits)}"
