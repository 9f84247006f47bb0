"""The table of flows: rows are sent as they are scrolled, and the number of a flow is the button that chooses it."""

import pandas as pd
import streamlit as st

from netsynth_core.units import format_bytes, format_duration
from pages.parts import flow_columns
from pages.parts.text import number

_TABLE = "flow_table"
_CLICKED = "flow_clicked"
SPARSE = ("label", "server name", "history", "message")
"""Columns that are left out where no flow has anything in them."""


def summary(view: pd.DataFrame, total: int) -> None:
    """How much of the capture the filters leave."""
    size = int(view["bytes →"].sum() + view["bytes ←"].sum())
    packets = int(view["packets →"].sum() + view["packets ←"].sum())
    middle = format_duration(float(view["duration (ms)"].median()) * 1e6) if len(view) else "none"
    st.caption(
        f"{number(len(view))} of {number(total)} flows, {number(packets)} packets, {format_bytes(size)} of IP, "
        f"median duration {middle}. Press the number of a flow to see its packets."
    )


ORDERS: dict[str, tuple[tuple[str, ...], bool]] = {
    "in order of start": ((), True),
    "longest first": (("duration (ms)",), False),
    "most bytes first": (("bytes →", "bytes ←"), False),
    "most packets first": (("packets →", "packets ←"), False),
    "by service": (("service",), True),
    "by originator": (("originator",), True),
    "by responder": (("responder",), True),
    "by server name": (("server name",), True),
    "by state": (("state",), True),
}
"""Orders of the table: the columns that are added up, and whether the least comes first.

A table with buttons in it has no sorting of its own.
"""


def order_choice() -> str:
    """The choice of the order, which stands before the summary."""
    return str(st.selectbox("Order", list(ORDERS), key="flow_order", label_visibility="collapsed", width=190))


def ordered(view: pd.DataFrame, order: str) -> pd.DataFrame:
    """The flows in an order of `ORDERS`; equal ones as they began, empty texts last."""
    columns, rising = ORDERS[order]
    if not columns:
        return view
    values = view[columns[0]] if len(columns) == 1 else view[list(columns)].sum(axis=1)
    if rising:
        values = values.where(values != "", None)
    places = values.reset_index(drop=True).sort_values(ascending=rising, kind="stable", na_position="last").index
    return view.iloc[places]


def chosen_rows(rows: pd.DataFrame, *, name: str) -> list[int]:
    """Draw the table; returns the flows that are chosen in it.

    Parameters
    ----------
    rows
        Rows of `reads.flow_rows`, in the order to show.
    name
        Name of the artefact the choice belongs to.
    """
    key = f"_flows_chosen_{name}"
    chosen: list[int] = st.session_state.setdefault(key, [])
    st.dataframe(
        rows,
        lazy=True,
        hide_index=True,
        height=min(420, 38 + 35 * max(len(rows), 1)),
        key=_TABLE,
        placeholder="",
        column_order=["flow", *flow_columns.order(rows.columns.drop("flow"))],
        column_config={
            **flow_columns.config(),
            "flow": st.column_config.ButtonColumn(
                "flow",
                width=70,
                type="tertiary",
                key=_CLICKED,
                on_click=_toggle,
                args=(key,),
                help="Press a number to choose the flow, once more to let it go.",
            ),
        },
        alt="Flows in order of their start",
    )
    here = [row for row in chosen if row in rows.index]
    if chosen:
        hidden = len(chosen) - len(here)
        with st.container(horizontal=True, vertical_alignment="center"):
            beside = f" ({number(hidden)} of them not in the table now)" if hidden else ""
            st.text(f"Chosen: {', '.join(map(str, chosen[:30]))}{' …' if len(chosen) > 30 else ''}{beside}")
            st.button("Choose none", key="choose_none", type="tertiary", on_click=chosen.clear)
    return here


def shown_columns(view: pd.DataFrame) -> list[str]:
    """The columns of a table that are shown: those in which any flow has something."""
    return [column for column in view.columns if column not in SPARSE or (view[column] != "").any()]


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
