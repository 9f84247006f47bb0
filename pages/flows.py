"""Which conversations are there: who with whom, how long, how much, and packet by packet?"""

import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.table_io import write_flow_table
from netsynth_core.units import format_bytes, format_duration
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.store import Workspace
from pages.parts import flow_columns, frame, jobs, reads, state
from pages.parts.feedback import empty, readable_errors
from pages.parts.ladder import show_ladder
from pages.parts.pickers import pick
from pages.parts.text import md, number, plain

SHOWN_LADDERS = 3


def filtered(view: pd.DataFrame) -> pd.DataFrame:
    """The rows that pass the filters the analyst set."""
    columns = st.columns([2, 2, 2, 2])
    services = columns[0].multiselect("Service", sorted(view["service"].unique()), key="f_service", placeholder="all")
    states = columns[1].multiselect("State", sorted(view["state"].unique()), key="f_state", placeholder="all")
    protocols = columns[2].multiselect("Protocol", sorted(view["proto"].unique()), key="f_proto", placeholder="all")
    host = columns[3].text_input("Address or port", key="f_host", placeholder="such as 443", max_chars=60).strip()
    if services:
        view = view[view["service"].isin(services)]
    if states:
        view = view[view["state"].isin(states)]
    if protocols:
        view = view[view["proto"].isin(protocols)]
    if host.isdecimal() and len(host) <= 5:
        view = view[(view["port"] == int(host)) | (view["port "] == int(host))]
    elif host:
        found = view["originator"].str.contains(host, regex=False) | view["responder"].str.contains(host, regex=False)
        view = view[found]
    return view


def summary(view: pd.DataFrame, total: int) -> None:
    """How much of the capture the filters leave."""
    size = int(view["bytes →"].sum() + view["bytes ←"].sum())
    packets = int(view["packets →"].sum() + view["packets ←"].sum())
    middle = format_duration(float(view["duration (s)"].median()) * 1e9) if len(view) else "none"
    st.caption(
        f"{number(len(view))} of {number(total)} flows, {number(packets)} packets, {format_bytes(size)}, "
        f"median duration {middle}. Select rows to see their packets."
    )


def export(table: FlowTable, rows: list[int], *, name: str) -> None:
    """The flows as CSV, in the exchange format."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flows.csv"
        write_flow_table(path, FlowTable(table.frame.iloc[sorted(rows)].reset_index(drop=True)))
        content = path.read_bytes()
    st.download_button(
        f"Save {number(len(rows))} as CSV",
        content,
        file_name=f"{Path(plain(name)).name.split('.')[0] or 'flows'}-flows.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="export_csv",
    )


def wireshark_filter(flow: pd.Series) -> str:
    """A display filter that shows this flow in Wireshark."""
    version = "ipv6" if ":" in flow["originator"] else "ip"
    parts = [f"{version}.addr == {flow['originator']}", f"{version}.addr == {flow['responder']}"]
    proto = str(flow["proto"]).lower()
    if proto in ("tcp", "udp"):
        parts += [f"{proto}.port == {flow['port ']}"]
        parts += [f"{proto}.port == {flow['port']}"] if flow["port"] >= 0 else []
    return " && ".join(parts)


def ladders(workspace: Workspace, chosen: Artefact, view: pd.DataFrame, rows: list[int]) -> None:
    """The packets of the selected flows."""
    if not rows:
        return
    if "conversations.npz" not in chosen.files:
        st.info("These flows come from a flow log, which holds no packets.", icon=":material/info:")
        return
    with readable_errors():
        words = reads.conversation_words(str(workspace.folder), chosen.id)
        for row in rows[:SHOWN_LADDERS]:
            flow = view.loc[row]
            st.markdown(
                f"**Flow {row}**: {md(flow['originator'])} → {md(flow['responder'])}, {md(flow['service'])}, "
                f"state {md(flow['state'])}, {format_duration(float(flow['duration (s)']) * 1e9)}"
            )
            if row in words:
                group, index = words[row]
                show_ladder(group.names(index), group[index], unit=group.unit, key=f"ladder_{row}")
            st.code(wireshark_filter(flow), language=None)
        if len(rows) > SHOWN_LADDERS:
            st.caption(f"The packets of the first {SHOWN_LADDERS} selected flows are shown.")


frame.title("Which conversations?", "Every bidirectional flow; the side that sent the first packet is the originator.")
workspace = state.require()
jobs.show_failure()
tables = workspace.artefacts(ArtefactKind.FLOWS)
if not tables:
    empty(
        "No flows yet.", "Open a capture: its flows are read at once.", page="pages/capture.py", label="Go to Capture"
    )
    st.stop()
chosen = pick("Flows", tables, workspace=workspace, name="flows", stale=reads.stale_ids(workspace))
view = reads.flow_view(str(workspace.folder), chosen.id)
shown = filtered(view)
summary(shown, len(view))
columns = shown.columns if shown["label"].any() else shown.columns.drop("label")
event = st.dataframe(
    shown,
    column_order=flow_columns.order(columns, index=True),
    hide_index=False,
    on_select="rerun",
    selection_mode="multi-row",
    height=420,
    key="flow_table",
    column_config=flow_columns.config(),
    alt="Flows in order of their start",
)
rows = [int(shown.index[place]) for place in event.selection.rows if place < len(shown)]
if len(shown):
    export(reads.flows(str(workspace.folder), chosen.id), rows or [int(i) for i in shown.index], name=chosen.name)
ladders(workspace, chosen, view, rows)
