"""What do I have, what is stale, what next?"""

from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from netsynth_core.errors import NetsynthError
from netsynth_core.workspace.stale import stale
from netsynth_core.workspace.store import Workspace
from pages.parts import frame, jobs, state
from pages.parts.feedback import notice, readable_errors
from pages.parts.pickers import names_of, shown_name
from pages.parts.text import md, plain

SAMPLE_FOLDER = Path(__file__).parent.parent / "sample_data"
SUFFIXES = (".pcap", ".pcapng", ".pcap.gz", ".pcapng.gz")
SAMPLE = "office.pcap.gz"
NEXT = {
    "Capture": "Open a capture: the sample, or one of your own.",
    "Flows": "Read the flows of your capture: who spoke with whom, when, how much.",
    "Patterns": "Mine the flow patterns: which flows follow one another.",
    "Automata": "Learn the protocol automata: which packets follow one another.",
    "Synthetic": "Generate flows and packets from what was learnt.",
    "Report": "Compare real and synthetic.",
}


def sample_captures() -> list[Path]:
    """The captures that come with netsynth, the one for the lesson first."""
    found = [path for path in SAMPLE_FOLDER.glob("*") if path.name.endswith(SUFFIXES)]
    return sorted(found, key=lambda path: (path.name != SAMPLE, -path.stat().st_size))


def sample_button(workspace: Workspace, place: DeltaGenerator) -> None:
    """One click from nothing to flows."""
    samples = sample_captures()
    if samples and place.button("Open the sample capture", icon=":material/play_arrow:", type="primary"):
        jobs.take_in(workspace, samples[0].resolve(), copy=False, name=samples[0].name)


def next_step(workspace: Workspace) -> None:
    """Say what to do next, with the way there."""
    marks = frame.step_marks(workspace)
    missing = next((mark for mark in marks if not mark.made), None)
    old = next((mark for mark in marks if mark.stale), None)
    with st.container(border=True):
        if missing is None and old is None:
            st.markdown(":material/done_all: **Everything is made and nothing is stale.**")
            return
        if missing is not None and not (old is not None and marks.index(old) < marks.index(missing)):
            st.markdown(f":material/flag: **Next:** {NEXT[missing.name]}")
            left, right = st.columns(2)
            left.page_link(missing.page, label=f"Go to {missing.name}", icon=":material/arrow_forward:")
            if missing.name == "Capture":
                sample_button(workspace, right)
        elif old is not None:
            st.markdown(
                f":material/update: **{old.name}: {old.stale} stale.** What it was made from has changed since."
            )
            st.page_link(old.page, label=f"Go to {old.name}", icon=":material/arrow_forward:")


def contents(workspace: Workspace) -> None:
    """The table of what the workspace holds."""
    held = workspace.artefacts()
    reasons = stale(workspace)
    rows = [
        {
            "what": artefact.kind.value,
            "name": shown_name(workspace, artefact),
            "made": pd.Timestamp(artefact.created),
            "state": "stale" if artefact.id in reasons else "fresh",
            "why stale": plain(reasons[artefact.id][0].sentence) if artefact.id in reasons else "",
            "id": artefact.id,
        }
        for artefact in reversed(held)
    ]
    st.subheader("In this workspace", anchor=False)
    if not rows:
        st.markdown("Nothing yet. What you open and learn is listed here, with what it was made from.")
        return
    table = pd.DataFrame(rows)
    st.dataframe(
        table if table["why stale"].any() else table.drop(columns="why stale"),
        hide_index=True,
        column_config={"made": st.column_config.DatetimeColumn("made (UTC)", format="YYYY-MM-DD HH:mm:ss")},
        alt="What the workspace holds, the newest first",
        key="home_contents",
    )


def trash(workspace: Workspace) -> None:
    """Give names, delete, take back."""
    held = workspace.artefacts()
    with st.expander("Rename, delete, restore", icon=":material/edit:"):
        if held:
            names = names_of(workspace, held, kind=True)
            chosen = st.selectbox("Of the workspace", list(names)[::-1], format_func=names.__getitem__, key="home_item")
            with st.form("rename", border=False):
                name = st.text_input("Name", value=workspace.label(chosen).name, max_chars=200)
                note = st.text_area("Note", value=workspace.label(chosen).note, max_chars=5000, height=80)
                saved = st.form_submit_button("Save name and note")
            if saved:
                with readable_errors():
                    workspace.rename(chosen, name, note=note)
                    st.rerun()
            st.caption("Deleting moves it into the workspace's trash folder; what was made from it becomes stale.")
            if st.button("Delete", icon=":material/delete:", key="home_delete"):
                with readable_errors():
                    workspace.delete(chosen)
                    st.rerun()
        thrown = workspace.trash()
        if thrown:
            gone = st.selectbox("In the trash", thrown[::-1], key="home_trash")
            if st.button("Restore", icon=":material/restore_from_trash:", key="home_restore"):
                with readable_errors():
                    workspace.restore(gone)
                    st.rerun()
    for broken in workspace.broken():
        st.warning(
            f"{md(broken.folder.name)} cannot be read: {md(broken.problem, limit=600)}", icon=":material/warning:"
        )


def notes(workspace: Workspace) -> None:
    """The analyst's own words on this workspace."""
    held = workspace.notes()
    with (
        st.expander("Notes", icon=":material/sticky_note_2:", expanded=bool(held)),
        st.form("notes", border=False),
    ):
        text = st.text_area("Notes on this workspace", value=held, height=140, max_chars=50_000)
        if st.form_submit_button("Save notes"):
            with readable_errors():
                workspace.write_notes(text)


frame.title("What do I have?", "Everything lies in the workspace folder; closing the browser loses nothing.")
workspace = state.current()
if workspace is None:
    st.subheader("Open or create a workspace", anchor=False)
    frame.workspace_form(key="home")
else:
    jobs.show_failure()
    next_step(workspace)
    try:
        contents(workspace)
    except NetsynthError as error:
        notice(error)
    trash(workspace)
    notes(workspace)
