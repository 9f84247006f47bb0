"""What is in this capture, and was it read rightly?"""

import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from netsynth_core.units import format_bytes, format_duration, format_instant
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.contents import reports_of
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.store import Workspace
from pages.parts import frame, jobs, reads, state
from pages.parts.capture_overview import overview_part
from pages.parts.feedback import empty, flash, readable_errors
from pages.parts.forms import params_form
from pages.parts.mapping_form import mapping_form, wants_mapping
from pages.parts.pickers import names_of, pick, shown_name
from pages.parts.text import md, number, plain

MAX_UPLOAD_MB = 200


def open_form(workspace: Workspace, *, expanded: bool) -> None:
    """By path first, since captures are large; by upload for small ones."""
    with st.expander("Open a capture", icon=":material/folder_open:", expanded=expanded):
        by_path, by_upload = st.tabs(["By path", f"Upload (up to {MAX_UPLOAD_MB} MB)"])
        with by_path, st.form("open_path", border=False):
            text = st.text_input(
                "Path of a capture (pcap, pcapng; also .gz, .zst), a flow table, or a log of another tool",
                placeholder="/data/office.pcap.gz",
                key="capture_path",
            )
            copy = st.checkbox("Keep a copy in the workspace", help="Without a copy the file is read where it lies.")
            if st.form_submit_button("Open", type="primary"):
                if text.strip():
                    path = Path(text.strip()).expanduser()
                    jobs.take_in(workspace, path, copy=copy, name=path.name)
                else:
                    st.warning("Write the path of the file first.", icon=":material/edit:")
        with by_upload:
            given = st.file_uploader(
                "Capture or flow table", max_upload_size=MAX_UPLOAD_MB, key="upload", label_visibility="collapsed"
            )
            st.caption(f"At most {MAX_UPLOAD_MB} MB; larger files are opened by their path.")
            if given is not None and st.button("Take it into the workspace", type="primary", key="take_upload"):
                name = Path(given.name).name or "upload"
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / upload_name(name)
                    path.write_bytes(given.getbuffer())
                    jobs.take_in(workspace, path, copy=True, name=name)


def upload_name(name: str) -> str:
    """A name for the file of an upload: its own, without what a file system might take amiss."""
    kept = "".join(c if c.isalnum() or c in "-_. " else "_" for c in name).lstrip(".")
    return kept[-120:] or "upload"


def unread(workspace: Workspace, captures: list[Artefact], read: list[Artefact]) -> list[Artefact]:
    """Files that are in the workspace, were not read, and are not being read now."""
    used = {ref.id for flows in read for ref in flows.inputs}
    busy = {id for job in jobs.active(workspace) for id in job.recipe.inputs}
    return [capture for capture in captures if capture.id not in used | busy]


def mapped_part(workspace: Workspace, waiting: list[Artefact], *, alone: bool) -> None:
    """The form of the table whose columns are being told: the one just opened, or the only file there is."""
    if alone:
        st.session_state.setdefault(jobs.MAPPED, waiting[0].id)
    for capture in waiting:
        if st.session_state.get(jobs.MAPPED) == capture.id and wants_mapping(workspace, capture):
            mapping_form(workspace, capture)
            if st.button("Fold it away", icon=":material/unfold_less:", key="fold_mapping", type="tertiary"):
                st.session_state[jobs.MAPPED] = ""
                st.rerun()


def unread_part(workspace: Workspace, waiting: list[Artefact]) -> None:
    """A line for each file that was not read, with what can be done about it."""
    for capture in waiting:
        failed = jobs.failure_of(workspace, capture)
        name = shown_name(workspace, capture)
        odd = failed is None and wants_mapping(workspace, capture)
        if odd and st.session_state.get(jobs.MAPPED) == capture.id:
            continue
        with st.container(horizontal=True, vertical_alignment="center"):
            if odd:
                st.text(f"{name} is a table of unknown layout.")
                if st.button("Say which column is which", icon=":material/view_column:", key=f"unfold_{capture.id}"):
                    st.session_state[jobs.MAPPED] = capture.id
                    st.rerun()
            elif failed is None:
                st.text(f"{name} was not read yet.")
            else:
                st.text(f"{name} could not be read: {plain(failed[0], limit=400)}", help=md(failed[1], limit=600))
            label = "Read its flows" if failed is None else "Try again"
            if not odd and st.button(label, icon=":material/play_arrow:", key=f"read_{capture.id}"):
                jobs.read_flows(workspace, capture)
            if (odd or failed is not None) and st.button(
                "Remove", icon=":material/delete:", key=f"remove_{capture.id}"
            ):
                workspace.delete(capture.id)
                flash(f"{name} was moved to the trash of the workspace.")
                st.rerun()


def read_again(workspace: Workspace, captures: list[Artefact]) -> None:
    """Read flows with other timeouts, or from several files as one."""
    from netsynth_core.capture.options import ReadOptions
    from netsynth_core.flows.metering import MeterParams

    names = names_of(workspace, captures)
    with st.expander("Read flows again with other settings", icon=":material/tune:"), st.form("meter", border=False):
        chosen = st.multiselect(
            "Files, joined into one", list(names), default=list(names)[-1:], format_func=names.__getitem__
        )
        values = params_form(MeterParams, key="meter")
        options = params_form(ReadOptions, key="reading")
        if st.form_submit_button("Read flows", type="primary"):
            with readable_errors():
                if not chosen:
                    st.warning("Choose at least one file.", icon=":material/edit:")
                else:
                    recipe = Recipe(step=Step.FLOWS, inputs=tuple(chosen), parameters={**values, "options": options})
                    jobs.start(workspace, recipe)


def report_part(workspace: Workspace, flows: Artefact) -> None:
    """Figures of the reading, what was left out, and the load over time."""
    facts = flows.facts
    reports = reports_of(workspace, flows.id)
    starts = [report.first_ts for report in reports if report.first_ts is not None]
    ends = [report.last_ts for report in reports if report.last_ts is not None]
    skipped = sum(facts.get("skipped", {}).values())
    overview = reads.overview(str(workspace.folder), flows.id) if facts["flows"] else None
    ip_bytes = sum(size for _, size in overview.protocols.values()) if overview is not None else 0
    frame_bytes = facts.get("frame_bytes", 0 if facts.get("logs") else facts["bytes"])
    columns = st.columns(5)
    columns[0].metric("Packets", number(facts["packets"]))
    columns[1].metric(
        "IP bytes", format_bytes(ip_bytes), help="IP packets with their headers, without those of the link layer."
    )
    columns[2].metric("Flows", number(facts["flows"]))
    columns[3].metric("Span", format_duration(overview.span) if overview is not None else "none")
    columns[4].metric("Rows left out" if facts.get("logs") else "Frames left out", number(skipped))
    for log in facts.get("logs", []):
        st.caption(
            f"{md(Path(log['path']).name)}: read as {md(log['format'])}, {number(log['rows'])} rows, "
            f"{number(log['flows'])} flows."
        )
    if starts:
        links: dict[str, int] = {}
        for report in reports:
            for name, frames in report.link_types.items():
                links[name] = links.get(name, 0) + frames
        formats = {report.format for report in reports}
        told = ", ".join(
            f"{name} {number(frames)}" for name, frames in sorted(links.items(), key=lambda item: (-item[1], item[0]))
        )
        words = f"{', '.join(sorted(formats))}; frames by link type: {told}"
        size = f"; frames with IP in them: {format_bytes(frame_bytes)}" if frame_bytes else ""
        st.caption(f"From {format_instant(min(starts))} to {format_instant(max(ends))}. {md(words)}{md(size)}.")
    for note in facts.get("notes", []):
        st.warning(md(note, limit=500), icon=":material/info:")
    if skipped:
        first = facts.get("first_skipped", {})
        what, where = ("rows", "first line") if facts.get("logs") else ("frames", "first frame")
        rows = [
            {"reason": plain(reason), what: count, where: first.get(reason)}
            for reason, count in sorted(facts["skipped"].items(), key=lambda item: -item[1])
        ]
        label = f"{what.capitalize()} left out: {number(skipped)}"
        with st.expander(label, icon=":material/filter_alt_off:", expanded=True):
            st.dataframe(pd.DataFrame(rows), hide_index=True, alt=f"{what} left out by reason", key="skipped")


frame.title("What is in this capture?", "Was it read rightly, when was how much going on, and which services spoke?")
workspace = state.require()
jobs.show_failure()
captures = workspace.artefacts(ArtefactKind.CAPTURE)
read = workspace.artefacts(ArtefactKind.FLOWS)
open_form(workspace, expanded=not captures)
jobs.progress_here(workspace, (Step.CAPTURE, Step.FLOWS, Step.CUT))
waiting = unread(workspace, captures, read)
mapped_part(workspace, waiting, alone=not read and len(waiting) == 1)
if not read:
    unread_part(workspace, waiting)
    if not (waiting or jobs.active(workspace)):
        empty("No flows were read yet.", "Open a capture above: its flows are read at once.")
else:
    chosen = pick("Shown", read, workspace=workspace, name="flows", stale=reads.stale_ids(workspace), even_empty=True)
    report_part(workspace, chosen)
    if chosen.facts["flows"]:
        overview_part(workspace, chosen)
    unread_part(workspace, waiting)
if captures:
    read_again(workspace, captures)
