"""What can be done with chosen flows: save them as CSV, cut their packets out, find them in Wireshark."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from netsynth_core.units import format_bytes
from netsynth_core.workspace.artefacts import Artefact
from netsynth_core.workspace.cutting import AT_ONCE_BYTES, SOURCE_AT_ONCE_BYTES, cut_flows, cut_suffix, format_rows
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.store import Workspace
from pages.parts import jobs, reads
from pages.parts.feedback import readable_errors
from pages.parts.text import count, number, plain

FOLDED = 500
"""Characters beyond which a filter is shown in a box of a few lines."""


def stem(name: str) -> str:
    """The name of an artefact as the beginning of a file name."""
    first = Path(plain(name)).name.split(".")[0]
    return "".join(c if c.isalnum() or c in "-_ " else "_" for c in first).strip() or "flows"


def actions(workspace: Workspace, flows: Artefact, rows: list[int], *, size: int) -> None:
    """Buttons for some flows; `size` is how many bytes their packets have."""
    if not rows:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        _csv(workspace, flows, rows)
        if "conversations.npz" in flows.files:
            _pcap(workspace, flows, rows, size)
    _filters(workspace, flows, rows)


def _csv(workspace: Workspace, flows: Artefact, rows: list[int]) -> None:
    folder, id = str(workspace.folder), flows.id

    def content() -> bytes:
        import pandas as pd

        from netsynth_core.flows.table import FlowTable
        from netsynth_core.flows.table_io import write_flow_table

        frame: pd.DataFrame = reads.flows(folder, id).frame.iloc[sorted(rows)].reset_index(drop=True)
        return _written(".csv", lambda path: write_flow_table(path, FlowTable(frame)))

    st.download_button(
        f"Save {count(len(rows), 'flow')} as CSV",
        content,
        file_name=f"{stem(flows.name)}-flows.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="export_csv",
    )


def _written(suffix: str, write: Callable[[Path], object]) -> bytes:
    """What is written to a file of that kind."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / f"made{suffix}"
        write(path)
        return path.read_bytes()


def _pcap(workspace: Workspace, flows: Artefact, rows: list[int], size: int) -> None:
    """A cut of the capture: made when it is asked for, or by a job where that takes longer."""
    suffix = cut_suffix(workspace, flows.id)
    sources = sum(int(workspace.get(ref.id).facts.get("size", 0)) for ref in flows.inputs)
    label = f"packets of {count(len(rows), 'flow')}"
    help_text = "The records of the original file, byte for byte, in the same format."
    if size > AT_ONCE_BYTES or sources > SOURCE_AT_ONCE_BYTES:
        if st.button(f"Cut out the {label}", icon=":material/content_cut:", key="cut_job", help=help_text):
            name = f"{count(len(rows), 'flow')} of {workspace.label(flows.id).name}"
            parameters = {"rows": format_rows(rows)}
            jobs.start(workspace, Recipe(step=Step.CUT, inputs=(flows.id,), parameters=parameters, name=plain(name)))
        st.caption(f"{format_bytes(size)} of packets: a job cuts them out; they become a capture of this workspace.")
        return

    def content() -> bytes:
        return _written(suffix, lambda path: cut_flows(workspace, flows.id, rows, path))

    st.download_button(
        f"Save {label} as {suffix[1:]}",
        content,
        file_name=f"{stem(flows.name)}-cut{suffix}",
        mime="application/vnd.tcpdump.pcap",
        icon=":material/content_cut:",
        on_click="ignore",
        key="cut_now",
        help=help_text,
    )


def _filters(workspace: Workspace, flows: Artefact, rows: list[int]) -> None:
    """Filters of other tools for the flows, ready to be copied."""
    from netsynth_core.flows.wireshark import MOST_FLOWS, capture_filter, display_filter

    if len(rows) > MOST_FLOWS:
        st.caption(f"A Wireshark filter can be had for up to {MOST_FLOWS} flows: filter further, or choose some.")
        return
    folder = str(workspace.folder)
    with (
        st.expander(f"As a Wireshark filter ({count(len(rows), 'flow')})", icon=":material/filter_alt:"),
        readable_errors(),
    ):
        index = reads.flow_index(folder, flows.id)
        known = "conversations.npz" in flows.files and reads.packets_are_held(folder, flows.id)
        text = display_filter(
            index,
            rows,
            packets=reads.packets(folder, flows.id) if known else None,
            conversations=reads.metered(folder, flows.id).conversations if known else None,
            tunnels=reads.tunnels(flows),
        )
        st.caption(
            "Display filter (Wireshark 4.0 or later, tshark -Y): exactly the packets of these flows." + _long(text)
        )
        _code(text)
        other = capture_filter(index, rows)
        st.caption(
            "Capture filter (tcpdump, BPF): the same ends, at any time; no later fragments, no VLAN tags."
            + _long(other)
        )
        _code(other)


def _long(text: str) -> str:
    """How long a filter is, where only a part of it is in sight."""
    return (
        f" {number(len(text))} characters; the button at its corner copies all of them." if len(text) > FOLDED else ""
    )


def _code(text: str) -> None:
    st.code(text, language=None, wrap_lines=True, height=110 if len(text) > FOLDED else "content")
