"""How a table of flows is laid out: what is read first stands left, and widths that leave room for addresses."""

from typing import Any

import streamlit as st

ORDER = (
    "window",
    "flow",
    "row",
    "start (UTC)",
    "service",
    "proto",
    "originator",
    "port",
    "responder",
    "port ",
    "server name",
    "duration (ms)",
    "state",
    "packets →",
    "packets ←",
    "bytes →",
    "bytes ←",
    "message",
    "history",
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
        "start (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss.SSS", width=166),
        "service": text(width=70),
        "state": text(width=54),
        "originator": text(width=112, help="The side that began it: by SYN, else by the first packet and the ports."),
        "responder": text(width=112),
        "port ": number("port", format="%d", width=54, help="Port of the responder; ICMP has none."),
        "packets →": number("pkts →", width=64, help="Packets of the originator."),
        "packets ←": number("pkts ←", width=64, help="Packets of the responder."),
        "bytes →": number(width=74, help="IP bytes of the originator, headers counted."),
        "bytes ←": number(width=74, help="IP bytes of the responder, headers counted."),
        "duration (ms)": number(format="localized", width=94, help="From the first to the last packet, milliseconds."),
        "port": number("port", format="%d", width=54, help="Port of the originator; ICMP has none."),
        "proto": text(width=58),
        "server name": text(width=150, help="What the originator asked for: TLS SNI or HTTP Host."),
        "message": text("ICMP", width=150, help="Type of the ICMP message that began the flow, with its number."),
        "history": text(width=100, help="Zeek's letters of what happened; capitals are of the originator."),
        "flags": text(width=90),
        "label": text(width=110),
    }
