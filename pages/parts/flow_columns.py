"""How a table of flows is laid out: what is read first stands left, and widths that leave room for addresses."""

from typing import Any

import streamlit as st

ORDER = (
    "window",
    "flow",
    "row",
    "start (UTC)",
    "service",
    "state",
    "originator",
    "responder",
    "port ",
    "packets →",
    "packets ←",
    "bytes →",
    "bytes ←",
    "duration (s)",
    "server name",
    "history",
    "port",
    "proto",
    "flags",
    "label",
)
"""Columns in the order shown; those a table does not have are passed over."""


def order(columns: Any, *, index: bool = False) -> list[str]:
    """The columns of a table in the order shown, after its index where that is shown."""
    held = set(columns)
    return [*(["_index"] if index else []), *(name for name in ORDER if name in held)]


def config() -> dict[str, Any]:
    """Widths and formats of the columns of `reads.flow_view`."""
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "_index": number("flow", format="%d", width=56),
        "window": number(width=66),
        "flow": number(width=48),
        "row": number(width=56, help="Number of the flow in its table."),
        "start (UTC)": st.column_config.DatetimeColumn(format="HH:mm:ss.SSS", width=108, help="Time of day, UTC."),
        "service": text(width=78),
        "state": text(width=58),
        "originator": text(width=128, help="The side that sent the first packet."),
        "responder": text(width=128),
        "port ": number("port", format="%d", width=60, help="Port of the responder."),
        "packets →": number("pkts →", width=64, help="Packets of the originator."),
        "packets ←": number("pkts ←", width=64, help="Packets of the responder."),
        "bytes →": number(width=74, help="IP bytes of the originator, headers counted."),
        "bytes ←": number(width=74, help="IP bytes of the responder, headers counted."),
        "duration (s)": number(format="%.4g", width=92),
        "port": number("orig. port", format="%d", width=80, help="Port of the originator."),
        "proto": text(width=64),
        "server name": text(width=160, help="What the originator asked for: TLS SNI or HTTP Host."),
        "history": text(width=100, help="Zeek's letters of what happened; capitals are of the originator."),
        "flags": text(width=90),
        "label": text(width=110),
    }
