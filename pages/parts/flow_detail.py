"""One conversation: its ladder, page by page, and the packet that is looked at."""

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from netsynth_core.units import format_bytes, format_duration, format_instant
from netsynth_core.workspace.artefacts import Artefact
from netsynth_core.workspace.store import Workspace
from pages.parts import figures, reads
from pages.parts.feedback import readable_errors
from pages.parts.text import count, md, number, plain

if TYPE_CHECKING:
    from netsynth_core.flows.steps import Steps

PER_PAGE = 25
SHOWN = 3
"""Conversations shown at once."""


def details(workspace: Workspace, flows: Artefact, view: pd.DataFrame, rows: list[int]) -> None:
    """The packets of the chosen flows."""
    if not rows:
        return
    if "conversations.npz" not in flows.files:
        st.info("These flows come from a flow log, which holds no packets.", icon=":material/info:")
        return
    for row in rows[:SHOWN]:
        with readable_errors():
            _conversation(workspace, flows, view.loc[row], row)
    if len(rows) > SHOWN:
        st.caption(f"The packets of the first {SHOWN} chosen flows are shown.")


def _conversation(workspace: Workspace, flows: Artefact, flow: pd.Series, row: int) -> None:
    folder = str(workspace.folder)
    steps = reads.steps(folder, flows.id, row)
    name = f", asked for **{md(flow['server name'])}**" if flow["server name"] else ""
    said = f" {md(flow['message'])}" if flow["message"] else ""
    history = f", history {md(flow['history'])}" if flow["history"] else ""
    st.markdown(
        f"**Flow {row}**: {md(_end(flow['originator'], flow['port']))} → {md(_end(flow['responder'], flow['port ']))}, "
        f"{md(flow['service'])}{said}, state {md(flow['state'])}{history}, "
        f"{format_duration(float(flow['duration (ms)']) * 1e6)}{name}"
    )
    if any(steps.marks):
        st.caption(md(_trouble(steps)))
    left, right = st.columns([5, 3])
    with left:
        page = _page(len(steps), row)
        chosen = _chosen(row, len(steps), page)
        _ladder(steps, flow, row=row, page=page, chosen=chosen)
    with right:
        _packet(folder, flows, steps, chosen, row=row)
    with st.expander(f"As a table: {count(len(steps), 'packet')}", icon=":material/table_rows:"):
        _table(steps, row)


def _end(host: str, port: object) -> str:
    shown = f"[{host}]" if ":" in str(host) else str(host)
    return str(host) if pd.isna(port) else f"{shown}:{port}"


def _trouble(steps: "Steps") -> str:
    """How many packets have which mark."""
    found: dict[str, int] = {}
    for text in steps.marks:
        for word in filter(None, text.split(", ")):
            found[word] = found.get(word, 0) + 1
    return "Marked: " + ", ".join(f"{word} {number(n)}" for word, n in sorted(found.items(), key=lambda i: -i[1])) + "."


def _page(packets: int, row: int) -> int:
    """Which part of the conversation is shown, from 0."""
    pages = -(-packets // PER_PAGE)
    if pages <= 1:
        return 0
    return st.pagination(pages, key=f"ladder_page_{row}", width="stretch") - 1


def _chosen(row: int, packets: int, page: int) -> int:
    """The packet that is looked at: clicked in the ladder or set by number."""
    key, seen_key = f"packet_{row}", f"_packet_clicked_{row}"
    event = st.session_state.get(f"ladder_{row}_{page}")
    points = event["selection"]["points"] if event else []
    clicked = (page, tuple(int(point["customdata"]) for point in points if "customdata" in point))
    if clicked != st.session_state.get(seen_key):
        st.session_state[seen_key] = clicked
        if clicked[1]:
            st.session_state[key] = clicked[1][0] + 1
        elif not page * PER_PAGE < st.session_state.get(key, 1) <= (page + 1) * PER_PAGE:
            st.session_state[key] = page * PER_PAGE + 1
    st.session_state[key] = min(max(int(st.session_state.get(key) or 1), 1), packets)
    return int(st.session_state[key]) - 1


def _ladder(steps: "Steps", flow: pd.Series, *, row: int, page: int, chosen: int) -> None:
    from netsynth_core.plots import ladder

    drawn = ladder(
        steps,
        first=page * PER_PAGE,
        most=PER_PAGE,
        originator=_end(flow["originator"], flow["port"]),
        responder=_end(flow["responder"], flow["port "]),
        chosen=chosen,
        theme=figures.page_theme(),
    )
    figures.show(drawn, key=f"ladder_{row}_{page}", select=True)


def _packet(folder: str, flows: Artefact, steps: "Steps", chosen: int, *, row: int) -> None:
    """Facts and payload of one packet; what it holds is shown as it is, never read as markup."""
    from netsynth_core.flows.steps import PREVIEW, UNSET, hex_dump, readable_text

    with st.container(border=True):
        st.number_input(
            f"Packet (1 to {number(len(steps))})",
            min_value=1,
            max_value=len(steps),
            step=1,
            key=f"packet_{row}",
            help="Or press an arrow of the ladder.",
        )
        facts = [
            ("frame", number(int(steps.frames[chosen]))),
            ("when", format_instant(int(steps.ts[chosen]))),
            ("way", "from the originator" if steps.forward[chosen] else "from the responder"),
            ("flags", steps.flags[chosen]),
            ("sequence", number(int(steps.seq[chosen])) if steps.seq[chosen] != UNSET else ""),
            ("acknowledges", number(int(steps.ack[chosen])) if steps.ack[chosen] != UNSET else ""),
            ("window", number(int(steps.window[chosen])) if steps.window[chosen] != UNSET else ""),
            ("payload", f"{format_bytes(int(steps.payload[chosen]))}, {steps.classes[chosen]}"),
            ("symbol", steps.symbols[chosen]),
            ("marked", steps.marks[chosen]),
        ]
        st.markdown("  \n".join(f"{name}: **{md(text)}**" for name, text in facts if text))
        packets = reads.packets(folder, flows.id)
        data = packets.payload(int(steps.rows[chosen]))[:PREVIEW]
        if not len(data):
            st.caption("No payload." if not steps.payload[chosen] else "The payload was not captured.")
            return
        as_text = steps.classes[chosen] == "Text"
        kind = st.segmented_control(
            "Payload",
            ["text", "hex"],
            default="text" if as_text else "hex",
            required=True,
            key=f"preview_{row}_{'text' if as_text else 'hex'}",
        )
        st.code(readable_text(data) if kind == "text" else hex_dump(data), language=None, wrap_lines=kind == "text")
        held = int(steps.payload[chosen])
        if held > len(data):
            st.caption(f"The first {len(data)} of {number(held)} bytes.")


def _table(steps: "Steps", row: int) -> None:
    """The same packets as a table, for sorting, searching and reading aloud."""
    start = int(steps.ts[0])
    frame = pd.DataFrame(
        {
            "packet": range(1, len(steps) + 1),
            "frame": steps.frames,
            "time (s)": (steps.ts - start) / 1e9,
            "way": ["→" if forward else "←" for forward in steps.forward],
            "flags": steps.flags,
            "seq": pd.Series(steps.seq).where(steps.seq >= 0),
            "ack": pd.Series(steps.ack).where(steps.ack >= 0),
            "window": pd.Series(steps.window).where(steps.window >= 0),
            "payload (B)": steps.payload,
            "class": steps.classes,
            "symbol": [plain(symbol, limit=60) for symbol in steps.symbols],
            "marked": steps.marks,
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        height=min(38 + 35 * len(frame), 480),
        key=f"ladder_table_{row}",
        column_config={"time (s)": st.column_config.NumberColumn(format="%.6f")},
        alt=f"Packets of flow {row}",
    )
