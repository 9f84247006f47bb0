"""A pattern as a table of cells that can be clicked: fixed, free and reused told apart by border, mark and words.

The table is built in the browser from text nodes only, so a value taken from a capture can never become markup.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent

_HTML = """
<div class="grid" data-ready="0">
  <div class="scroll"></div>
  <p class="key">
    <span class="cell fixed">&#9632; value</span> fixed: always this value
    <span class="cell free">&#9676; free: n values</span> free: drawn by the Bayesian network
    <span class="cell reused">&#8617; = A</span> reused: the same address as A
  </p>
</div>
"""


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    return st.components.v2.component(
        "netsynth_pattern_grid",
        html=_HTML,
        css=(_HERE / "grid.css").read_text("utf-8"),
        js=(_HERE / "grid.js").read_text("utf-8"),
    )


def _nothing() -> None:
    """The clicked cell is read from the session; having a callback is what keeps it there."""


def pattern_grid(
    columns: Sequence[str],
    rows: Sequence[dict[str, Any]],
    *,
    selected: tuple[int, str] | None,
    label: str,
    key: str,
) -> None:
    """Draw a pattern.

    A click or Enter on a cell starts a rerun with ``st.session_state[key]["cell"]``:
    ``{"flow": 1.., "column": name, "at": milliseconds}``.

    Parameters
    ----------
    rows
        One a flow: ``head`` (what stands before it) and ``cells``, each ``{"kind", "text", "spoken"}``.
    selected
        Flow (from 1) and column of the cell drawn as selected.
    """
    _component()(
        key=key,
        data={
            "columns": list(columns),
            "rows": list(rows),
            "selected": None if selected is None else {"flow": selected[0], "column": selected[1]},
            "label": label,
        },
        default={"cell": None},
        on_cell_change=_nothing,
    )
