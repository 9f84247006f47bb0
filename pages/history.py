"""Which edits, which inputs, which jobs led to what is here?"""

import json

import pandas as pd
import streamlit as st

from netsynth_core.errors import NetsynthError
from netsynth_core.models.edits import EditLog
from netsynth_core.models.registry import get_kind
from netsynth_core.workspace.artefacts import ArtefactKind
from netsynth_core.workspace.edited import read_log
from netsynth_core.workspace.jobs import JobState
from netsynth_core.workspace.jobs import jobs as all_jobs
from netsynth_core.workspace.stale import stale
from netsynth_core.workspace.store import Workspace
from pages.parts import frame, jobs, state
from pages.parts.feedback import empty, notice, trouble
from pages.parts.pickers import names_of, shown_name
from pages.parts.text import md, plain


def edit_rows(log: EditLog, kind: str) -> list[dict[str, object]]:
    """One row an edit: what, why, when, what it changed, and whether it stands."""
    from pages.parts.editing import sentence_of

    standing = {record.id for record in log.path()}
    undone = set(log.redo_stack)
    edits = get_kind(kind).model_class().edits
    rows = []
    for record in log.records:
        place = (
            "done" if record.id in standing else "undone, can be redone" if record.id in undone else "on another branch"
        )
        rows.append(
            {
                "edit": record.id,
                "stands": place + (" ◀ here" if record.id == log.head else ""),
                "what": plain(sentence_of(record.edit, edits), limit=200),
                "why": plain(record.why, limit=300),
                "when (UTC)": record.at[:19].replace("T", " "),
                "bits before": record.before_bits,
                "bits after": record.after_bits,
                "change": record.after_bits - record.before_bits,
            }
        )
    return rows


def edits_tab(workspace: Workspace) -> None:
    """The edits of every model that has some."""
    any_edit = False
    for model in workspace.artefacts(ArtefactKind.MODEL):
        try:
            log = read_log(workspace.path(model.id))
            if not log.records:
                continue
            any_edit = True
            rows = edit_rows(log, str(model.facts.get("kind", "")))
        except NetsynthError as error:
            notice(error)
            continue
        st.subheader(md(shown_name(workspace, model)), anchor=False)
        here = "as learnt" if log.head == 0 else f"after edit {log.head}"
        st.caption(f"Now {here}. Edits ever done: {len(log.records)}; none is forgotten.")
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            key=f"edits_{model.id}",
            column_config={
                name: st.column_config.NumberColumn(name, format="%.0f")
                for name in ("bits before", "bits after", "change")
            },
            alt="Edits in the order they were written",
        )
    if not any_edit:
        empty(
            "No model was edited yet.", "Prune a transition or drop a pattern, and it is listed here with its effect."
        )


def provenance_tab(workspace: Workspace) -> None:
    """Inputs, parameters, seed and versions of every artefact."""
    held = workspace.artefacts()
    if not held:
        empty("Nothing was made yet.", "Open a capture first.", page="pages/capture.py", label="Go to Capture")
        return
    reasons = stale(workspace)
    names = names_of(workspace, held, kind=True)
    chosen = st.selectbox("Artefact", list(names)[::-1], format_func=names.__getitem__, key="history_artefact")
    artefact = workspace.get(chosen)
    for reason in reasons.get(chosen, ()):
        st.warning(md(reason.sentence, limit=400), icon=":material/update:")
    left, right = st.columns(2)
    with left:
        st.markdown("**Made from**")
        if not artefact.inputs:
            st.text("nothing: it was given")
        for ref in artefact.inputs:
            st.text(f"{names.get(ref.id, 'deleted')}\n{ref.id} at state {ref.hash}")
        st.markdown("**Made by**")
        recipe = artefact.recipe
        st.text("no recipe" if recipe is None else f"{jobs.title_of(recipe)}, seed {recipe.seed}")
        st.markdown("**When**")
        st.text(artefact.created[:19].replace("T", " ") + " UTC")
    with right:
        if recipe is not None and recipe.parameters:
            st.markdown("**With**")
            st.code(json.dumps(recipe.parameters, indent=1, ensure_ascii=True), language="json")
        if artefact.versions:
            st.markdown("**Versions**")
            st.text(", ".join(f"{name} {version}" for name, version in artefact.versions.items()))
    with st.expander("The whole record"):
        st.code(artefact.model_dump_json(indent=1), language="json", height=360)


def jobs_tab(workspace: Workspace) -> None:
    """Every job with its log."""
    found = all_jobs(workspace)[::-1]
    if not found:
        empty("No job was started yet.", "Reading, learning, generating and comparing run as jobs and are listed here.")
        return
    rows = [
        {
            "started (UTC)": (job.status.started or job.status.updated)[:19].replace("T", " "),
            "job": jobs.title_of(job.recipe),
            "state": jobs.STATE_WORDS[job.status.state][0],
            "took": jobs.elapsed(job),
            "last": plain(job.status.phase, limit=80),
            "made": ", ".join(job.status.artefacts),
        }
        for job in found
    ]
    event = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0], "columns": [], "cells": []}},
        key="history_jobs",
        alt="Jobs, the newest first",
    )
    chosen = found[min((event.selection.rows or [0])[0], len(found) - 1)]
    if chosen.status.state is JobState.FAILED and chosen.status.error is not None:
        trouble(chosen.status.error.message, chosen.status.error.hint)
    st.markdown(f"**Log of {md(jobs.title_of(chosen.recipe))}**")
    st.code(chosen.log_tail() or "The log is empty.", language=None, height=300)


frame.title("What was done?", "Edits, provenance and jobs; everything lies as text in the workspace folder.")
workspace = state.require()
jobs.show_failure(everywhere=True)
tab_edits, tab_provenance, tab_jobs = st.tabs(["Edits", "Provenance", "Jobs"])
with tab_edits:
    edits_tab(workspace)
with tab_provenance:
    provenance_tab(workspace)
with tab_jobs:
    jobs_tab(workspace)
