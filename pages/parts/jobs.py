"""Jobs as the pages see them: start one, watch it in the sidebar, cancel it, find it again after a reload."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from netsynth_core.errors import NetsynthError
from netsynth_core.files import require_file
from netsynth_core.models.registry import kinds
from netsynth_core.units import format_duration
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.doing import do_recipe
from netsynth_core.workspace.jobs import Job, JobState, start_job
from netsynth_core.workspace.jobs import cancel_job as ask_to_cancel
from netsynth_core.workspace.jobs import jobs as all_jobs
from netsynth_core.workspace.jobs import stop_job as ask_to_stop
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.store import Workspace
from pages.parts import reads, state
from pages.parts.feedback import flash, notice, readable_bugs, readable_errors, trouble
from pages.parts.text import md, number, plain

POLL_S = 0.7
AT_ONCE_BYTES = 1_000_000_000
"""Larger files are hashed and copied by a job."""
_SEEN = "_jobs_seen"
_FAILED = "_job_failed"
_STARTED_ON = "_jobs_started_on"
MAPPED = "_mapped"
"""In the session: id of the file whose columns are being told."""
PAGE = "_page"
"""Heading of the page that is shown; the frame keeps it in the session."""

STEP_WORDS = {
    Step.CAPTURE: "take a file in",
    Step.FLOWS: "read flows",
    Step.CUT: "cut packets out",
    Step.WORDS: "extract timed words",
    Step.EVENTS: "read an event log",
    Step.FIT: "learn",
    Step.SAMPLE: "sample",
    Step.FORGE: "forge packets",
    Step.EVALUATE: "compare",
    Step.GENERATE: "whole chain",
}
FOLLOWED = {
    ArtefactKind.CAPTURE: "capture",
    ArtefactKind.FLOWS: "flows",
    ArtefactKind.WORDS: "words",
    ArtefactKind.SYNTHETIC: "synthetic",
    ArtefactKind.REPORT: "report",
}
"""Name of the choice that a new artefact becomes; models go by their level."""
STATE_WORDS = {
    JobState.QUEUED: ("waiting", ":material/hourglass_empty:"),
    JobState.RUNNING: ("running", ":material/autorenew:"),
    JobState.DONE: ("done", ":material/check_circle:"),
    JobState.FAILED: ("failed", ":material/error:"),
    JobState.CANCELLED: ("cancelled", ":material/block:"),
}


def start(workspace: Workspace, recipe: Recipe) -> None:
    """Start a job and let the sidebar follow it."""
    try:
        job = start_job(workspace, recipe)
    except NetsynthError as error:
        notice(error)
        return
    # Known from the start, so that its end is told even when it comes before the next look.
    st.session_state.setdefault(_SEEN, set()).add(job.id)
    st.session_state.setdefault(_STARTED_ON, {})[job.id] = st.session_state.get(PAGE)
    st.session_state.pop(_FAILED, None)
    flash(f"Started: {title_of(recipe)}.")
    st.rerun()


def take_in(workspace: Workspace, path: Path, *, copy: bool, name: str) -> None:
    """Take a file into the workspace and start reading its flows; a very large one is taken in by a job of its own."""
    recipe = Recipe(step=Step.CAPTURE, parameters={"path": str(path), "copy": copy}, name=plain(name))
    with readable_errors(path=path, name=name):
        if require_file(path).stat().st_size > AT_ONCE_BYTES:
            start(workspace, recipe)
            return
        with st.spinner("Taking the file in…"):
            made = do_recipe(workspace, recipe)[-1]
        state.choose("capture", made.id)
        if reads.is_unknown(str(path), str(made.facts["sha256"])):
            st.session_state[MAPPED] = made.id
            flash("Its layout is unknown: say which column is which.")
            st.rerun()
        read_flows(workspace, made)


def read_flows(workspace: Workspace, capture: Artefact) -> None:
    """Start reading the flows of a capture with the usual settings."""
    start(workspace, Recipe(step=Step.FLOWS, inputs=(capture.id,), name=workspace.label(capture.id).name))


def title_of(recipe: Recipe) -> str:
    """What the job does, in a few words."""
    what = STEP_WORDS[recipe.step]
    kind = recipe.parameters.get("kind")
    if recipe.step is Step.FIT and isinstance(kind, str):
        what = f"learn {kind}"
    return plain(f"{what}: {recipe.name}" if recipe.name else what, limit=70)


def active(workspace: Workspace) -> list[Job]:
    """Jobs that wait or run."""
    return [job for job in all_jobs(workspace) if not job.status.state.over]


def is_busy(workspace: Workspace, step: Step) -> bool:
    """Whether a job of that step waits or runs."""
    return any(job.recipe.step is step for job in active(workspace))


def strip(workspace: Workspace) -> None:
    """The jobs in the sidebar; it asks again by itself only while one waits or runs."""
    running = active(workspace)
    seen = st.session_state.get(_SEEN)
    ids = {job.id for job in running}
    if seen is not None and seen - ids:
        _announce(workspace, seen - ids)
    st.session_state[_SEEN] = ids
    if running:
        st.fragment(_watch, run_every=POLL_S)(workspace)


def _watch(workspace: Workspace) -> None:
    # It runs again by itself, outside the guard around the page.
    with readable_bugs():
        running = active(workspace)
        if {job.id for job in running} != st.session_state.get(_SEEN):
            st.rerun(scope="app")
        with st.container(border=True):
            st.caption("Jobs")
            for job in running:
                _running_job(workspace, job)


def progress_here(workspace: Workspace, steps: tuple[Step, ...]) -> None:
    """How far the running jobs of these steps are, in the page itself; cancelling is in the sidebar."""
    if any(job.recipe.step in steps for job in active(workspace)):
        st.fragment(_progress, run_every=POLL_S)(workspace, steps)


def _progress(workspace: Workspace, steps: tuple[Step, ...]) -> None:
    with readable_bugs():
        for job in active(workspace):
            if job.recipe.step in steps:
                with st.container(border=True):
                    st.progress(job.fraction or 0.0, text=f"**{md(title_of(job.recipe))}** · {md(_how_far(job))}")


def _how_far(job: Job) -> str:
    words = plain(job.status.phase or STATE_WORDS[job.status.state][0], limit=60)
    if job.status.total:
        words += f" · {number(job.status.done)} of {number(job.status.total)}"
    return " · ".join(part for part in (words, elapsed(job)) if part)


def _announce(workspace: Workspace, ids: set[str]) -> None:
    for job in all_jobs(workspace):
        if job.id not in ids:
            continue
        word, icon = STATE_WORDS[job.status.state]
        st.toast(f"{md(title_of(job.recipe))}: {word}", icon=icon)
        if job.status.artefacts:
            _follow(workspace, job)
        if job.status.state is JobState.DONE:
            st.session_state.pop(_FAILED, None)
        if job.status.state is JobState.FAILED and job.status.error is not None:
            # A job that an earlier session started belongs to the page on which its end was seen.
            page = st.session_state.get(_STARTED_ON, {}).get(job.id) or st.session_state.get(PAGE)
            error = job.status.error
            message = _with_names(workspace, job, error.message)
            st.session_state[_FAILED] = (page, title_of(job.recipe), message, error.hint)


def _with_names(workspace: Workspace, job: Job, message: str) -> str:
    """A message with the analyst's names in place of where the workspace keeps its copies, also of files now gone."""
    held = {artefact.id for artefact in workspace.artefacts()}
    for id in job.recipe.inputs:
        name = workspace.label(id).name if id in held else job.recipe.name
        kept = re.escape(str(workspace.folder)) + rf"/(?:\w+/)?{re.escape(id)}/[\w.-]*\w"
        message = re.sub(kept, lambda _, name=name: plain(name) or "the file", message)  # type: ignore[misc]
    return message


def _follow(workspace: Workspace, job: Job) -> None:
    """Let the pages show what a job made: the largest of several automata, else the last."""
    made = [artefact for artefact in workspace.artefacts() if artefact.id in job.status.artefacts]
    for artefact in (*made, *(made[:1] if job.recipe.step is Step.FIT else ())):
        name = FOLLOWED.get(artefact.kind, "automaton" if artefact.facts.get("level") == "packet" else "flow_model")
        state.choose(name, artefact.id)
        st.session_state.pop(f"pick_{name}", None)


def show_failure(*, everywhere: bool = False) -> None:
    """Say why the last job failed, on the page that started it (or wherever it is called with `everywhere`).

    It goes when it is put away, when another job is started, and when a later one ends well.
    """
    failed = st.session_state.get(_FAILED)
    if not failed or not (everywhere or failed[0] == st.session_state.get(PAGE)):
        return
    _, title, message, hint = failed
    left, right = st.columns([12, 1], vertical_alignment="center")
    with left:
        trouble(message, hint, subject=title)
    if right.button("Close", key="close_failure", type="tertiary"):
        del st.session_state[_FAILED]
        st.rerun()


def failure_of(workspace: Workspace, capture: Artefact) -> tuple[str, str] | None:
    """Message and hint of the last job that read a file's flows, when it failed."""
    reading = [job for job in all_jobs(workspace) if job.recipe.step is Step.FLOWS and capture.id in job.recipe.inputs]
    if not reading or reading[-1].status.state is not JobState.FAILED or reading[-1].status.error is None:
        return None
    error = reading[-1].status.error
    return _with_names(workspace, reading[-1], error.message), error.hint


def _running_job(workspace: Workspace, job: Job) -> None:
    st.text(title_of(job.recipe))
    fraction = job.fraction
    words = plain(job.status.phase, limit=60)
    if job.status.total:
        words += f" · {number(job.status.done)} of {number(job.status.total)}"
    st.progress(fraction if fraction is not None else 0.0, text=md(words))
    facts = facts_text(job)
    took = elapsed(job)
    st.caption(md(" · ".join(part for part in (took, facts) if part)) or " ")
    if can_stop(job):
        label = "Stopping…" if job.stop_asked else "Stop and keep the best"
        _ask(workspace, job, ask_to_stop, label, icon=":material/flag:", asked=job.stop_asked or job.cancel_asked)
    label = "Cancelling…" if job.cancel_asked else "Cancel"
    _ask(workspace, job, ask_to_cancel, label, icon=":material/stop_circle:", asked=job.cancel_asked)


def can_stop(job: Job) -> bool:
    """Whether it is a search at work that may be ended with the best so far."""
    kind = job.recipe.parameters.get("kind")
    searching = job.recipe.step is Step.FIT and job.status.state is JobState.RUNNING
    return searching and any(known.stops for known in kinds() if known.name == kind)


def _ask(
    workspace: Workspace, job: Job, ask: Callable[[Workspace, str], Job], label: str, *, icon: str, asked: bool
) -> None:
    """A button that asks a job to end in some way; it cannot be pressed again."""

    def pressed() -> None:
        try:
            ask(workspace, job.id)
        except NetsynthError as error:
            flash(error.message)

    st.button(label, key=f"{ask.__name__}_{job.id}", icon=icon, disabled=asked, on_click=pressed)


def facts_text(job: Job) -> str:
    """The figures a job reported last."""
    shown = []
    for name, value in list(job.status.facts.items())[:4]:
        figure = (
            number(value) if isinstance(value, int | float) and not isinstance(value, bool) else plain(value, limit=30)
        )
        shown.append(f"{plain(name, limit=30).replace('_', ' ')} {figure}")
    return " · ".join(shown)


def elapsed(job: Job) -> str:
    """How long a job runs, or ran."""
    if not job.status.started:
        return ""
    begun = datetime.fromisoformat(job.status.started)
    end = datetime.fromisoformat(job.status.updated) if job.status.state.over else datetime.now(UTC)
    return format_duration(max((end - begun).total_seconds(), 0.0) * 1e9)
