"""The table of flows: small ones are sent whole and rows are selected; large ones are sent as they are scrolled."""

from typing import Any

import pandas as pd
import streamlit as st

from netsynth_core.units import format_bytes, format_duration
from pages.parts import flow_columns
from pages.parts.text import number

LAZY_ABOVE = 2000
"""Rows beyond which only those in sight are sent to the browser; Streamlit selects no rows in such a table."""
_TABLE = "flow_table"
_CLICKED = "flow_clicked"
SPARSE = ("label", "server name", "history")


def summary(view: pd.DataFrame, total: int) -> None:
    """How much of the capture the filters leave."""
    size = int(view["bytes →"].sum() + view["bytes ←"].sum())
    packets = int(view["packets →"].sum() + view["packets ←"].sum())
    middle = format_duration(float(view["duration (s)"].median()) * 1e9) if len(view) else "none"
    how = "Select rows" if len(view) <= LAZY_ABOVE else "Press the number of a flow"
    st.caption(
        f"{number(len(view))} of {number(total)} flows, {number(packets)} packets, {format_bytes(size)}, "
        f"median duration {middle}. {how} to see packets."
    )


def chosen_rows(view: pd.DataFrame, *, name: str, state_of: object) -> list[int]:
    """Draw the table; returns the flows that are chosen in it.

    Parameters
    ----------
    name
        Name of the artefact the choice belongs to.
    state_of
        What the rows depend on (the filters): a selection of places ends when it changes.
    """
    columns = [column for column in view.columns if column not in SPARSE or view[column].any()]
    if len(view) > LAZY_ABOVE:
        return _lazy(view, columns, name)
    shown = view
    settings: dict[str, Any] = {
        "column_order": flow_columns.order(columns, index=True),
        "hide_index": False,
        "height": 420,
        "column_config": flow_columns.config(),
        "alt": "Flows in order of their start",
    }
    held = st.session_state.setdefault(f"_{_TABLE}_of", {})
    if held.get(name) != state_of:
        held[name] = state_of
        st.session_state[f"_{_TABLE}_turn"] = st.session_state.get(f"_{_TABLE}_turn", 0) + 1
    turn = st.session_state.get(f"_{_TABLE}_turn", 0)
    key = f"{_TABLE}_{turn}"
    event = st.dataframe(shown, on_select="rerun", selection_mode="multi-row", key=key, **settings)
    return [int(shown.index[place]) for place in event.selection.rows if place < len(shown)]


def _lazy(view: pd.DataFrame, columns: list[str], name: str) -> list[int]:
    """A table of which the browser asks for the rows in sight; the number of a flow is a button."""
    key = f"_flows_chosen_{name}"
    chosen: list[int] = st.session_state.setdefault(key, [])
    with_button = view[columns].copy(deep=False)
    with_button.insert(0, "flow", view.index.astype(str))
    st.dataframe(
        with_button,
        lazy=True,
        hide_index=True,
        height=420,
        key=f"{_TABLE}_lazy",
        column_order=["flow", *flow_columns.order(columns)],
        column_config={
            **flow_columns.config(),
            "flow": st.column_config.ButtonColumn(
                "flow",
                width=74,
                type="tertiary",
                key=_CLICKED,
                on_click=_toggle,
                args=(key,),
                help="Press a number to choose the flow, once more to let it go.",
            ),
        },
        alt="Flows in order of their start",
    )
    if chosen:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"Chosen: {', '.join(map(str, chosen[:30]))}{' …' if len(chosen) > 30 else ''}")
            st.button("Choose none", key="choose_none", type="tertiary", on_click=chosen.clear)
    held = set(view.index)
    return [row for row in chosen if row in held]


def _toggle(key: str) -> None:
    """Choose the flow whose number was pressed, or let it go."""
    clicked = st.session_state.get(_CLICKED)
    if clicked is None or not str(clicked["label"]).isdecimal():
        return
    row, chosen = int(clicked["label"]), st.session_state[key]
    if row in chosen:
        chosen.remove(row)
    else:
        chosen.append(row)
