"""Figures of the core in the theme of the browser, each with its words."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from netsynth_core.plots.theme import Theme, theme
from pages.parts.text import plain

if TYPE_CHECKING:
    from netsynth_core.plots.figure import Figure

_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d"], "topojsonURL": ""}


def page_theme() -> Theme:
    """The theme the browser shows now."""
    return theme("dark" if st.context.theme.type == "dark" else "light")


def show(figure: "Figure", *, key: str, select: bool = False) -> None:
    """Draw a figure; what it says is read to those who cannot see it. With `select` its points can be pressed."""
    chosen: dict[str, Any] = {"on_select": "rerun", "selection_mode": "points"} if select else {}
    st.plotly_chart(
        figure.figure, theme=None, width="stretch", key=key, config=_CONFIG, alt=plain(figure.alt, limit=1500), **chosen
    )
