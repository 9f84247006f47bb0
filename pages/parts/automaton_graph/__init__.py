"""The automaton as a graph that can be clicked: dot's SVG drawn by a small component of our own, selection sent back.

The layout comes from the core and is computed once for each drawing; what is selected, hidden or thick is said by
element id and needs no new layout. The SVG is rebuilt in the browser from an allow-list of elements, so a name taken
from a capture can never become markup.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent

_HTML = """
<div class="frame" data-ready="0">
  <div class="bar" role="toolbar" aria-label="View of the graph">
    <button type="button" data-view="fit" title="Show the whole graph (0)">Fit</button>
    <button type="button" data-view="in" title="Zoom in (+)" aria-label="Zoom in">+</button>
    <button type="button" data-view="out" title="Zoom out (-)" aria-label="Zoom out">&minus;</button>
    <input type="search" placeholder="Find…" aria-label="Find a location or transition" />
    <span class="count" aria-live="polite"></span>
  </div>
  <div class="canvas" role="group"></div>
  <div class="line" aria-live="polite"></div>
</div>
"""


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    return st.components.v2.component(
        "netsynth_automaton_graph",
        html=_HTML,
        css=(_HERE / "graph.css").read_text("utf-8"),
        js=(_HERE / "graph.js").read_text("utf-8"),
    )


def _nothing() -> None:
    """The selection is read from the session at the start of the rerun; having a callback is what keeps it there."""


def automaton_graph(
    svg: str,
    elements: Sequence[dict[str, Any]],
    *,
    selected: Sequence[str],
    hidden: Sequence[str] = (),
    label: str,
    key: str,
) -> None:
    """Draw a laid-out automaton.

    A click, Enter, or Shift with either starts a rerun with ``st.session_state[key]["selected"]``:
    ``{"ids": [...], "at": milliseconds}``.

    Parameters
    ----------
    svg
        Graphviz output whose ``g.node`` and ``g.edge`` carry the ids of `elements`.
    elements
        One dict each: ``id``, ``label`` (spoken and shown in the line below), ``weight`` (width of the line, 0-1).
    selected, hidden
        Ids drawn as selected, and ids faded out and not reachable.
    label
        What the graph is, for a screen reader.
    """
    _component()(
        key=key,
        data={
            "svg": svg,
            "elements": list(elements),
            "selected": list(selected),
            "hidden": list(hidden),
            "label": label,
        },
        default={"selected": {"ids": [], "at": 0}},
        on_selected_change=_nothing,
    )
