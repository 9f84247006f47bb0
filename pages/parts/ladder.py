"""One conversation as a ladder: who sent what, when, how much; in text, so that it can be read, copied and heard."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from netsynth_core.flows.words import TimedWord
from netsynth_core.units import NS_PER_US, format_duration
from pages.parts.text import plain

WIDTH = 22
CONTEXT = 3
"""Packets shown before and after one with noise."""
_SCALE = {"us": NS_PER_US, "ns": 1, "s": 1_000_000_000}


def arrow(symbol: str) -> str:
    """The packet as an arrow between originator (left) and responder (right)."""
    back = symbol.startswith("<_") or "_<_" in symbol
    name = f" {plain(symbol, limit=WIDTH - 2)} "
    line = name.center(WIDTH + 6, "─")
    return f"◀{line}─" if back else f"─{line}▶"


def ladder_rows(names: list[str], word: TimedWord, *, unit: str) -> pd.DataFrame:
    """One row a packet: time since the first, delay since the one before, arrow, payload bytes."""
    scale = _SCALE.get(unit, 1)
    delays = [int(delay) * scale for delay in word.delays]
    since, rows = 0, []
    for place, (name, delay) in enumerate(zip(names, delays, strict=True)):
        since += delay if place else 0
        rows.append(
            {
                "#": place,
                "time": format_duration(since) if since else "0",
                "delay": format_duration(delay) if place else "",
                "originator  ···  responder": arrow(name),
                "payload (B)": int(word.sizes[place]) if word.sizes is not None else None,
            }
        )
    return pd.DataFrame(rows)


def show_ladder(
    names: list[str],
    word: TimedWord,
    *,
    unit: str,
    key: str,
    remarks: dict[int, str] | None = None,
    marks: Sequence[str] = (),
) -> None:
    """Draw the ladder of one conversation.

    `remarks` stand beside the packet of that place; so does what TCP's own numbers say of it, one mark a packet.
    """
    rows = ladder_rows(names, word, unit=unit)
    if any(marks) and len(marks) == len(rows):
        rows.insert(1, "TCP", list(marks))
    if remarks:
        rows.insert(1, "noise", [remarks.get(place, "") for place in range(len(rows))])
        if len(rows) in remarks:
            st.caption(f"After the last packet: {remarks[len(rows)]}.")
        near = [place for place in range(len(rows)) if any(abs(place - at) <= CONTEXT for at in remarks)]
        if len(near) < len(rows) and not st.toggle(f"All {len(rows)} packets", key=f"{key}_all"):
            st.caption("Packets around the noise:")
            rows = rows.iloc[near]
    st.dataframe(
        rows,
        hide_index=True,
        key=key,
        height=min(38 + 35 * max(len(rows), 1), 640),
        column_config={
            "originator  ···  responder": st.column_config.TextColumn(width="large"),
            "payload (B)": st.column_config.NumberColumn(width="small"),
            "noise": st.column_config.TextColumn(width="medium"),
            "TCP": st.column_config.TextColumn(
                width="medium",
                help="By sequence numbers and identifications, which the automaton does not see: "
                "evidence for or against its explanation.",
            ),
        },
        alt=f"Ladder of a conversation of {len(rows)} packets",
    )
