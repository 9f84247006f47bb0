"""Which sequences of a log are out of the ordinary, where, and why?"""

import tempfile
from pathlib import Path
from typing import Any

import streamlit as st

from netsynth_core.workspace.artefacts import Artefact
from netsynth_core.workspace.doing import do_recipe
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.store import Workspace
from netsynth_core.workspace.surprises import FALSE_ALARMS, Ranked, facts_of, table_text
from pages.parts import automaton_view, frame, jobs, learners, log_view, reads, state
from pages.parts.feedback import empty, flash, readable_errors
from pages.parts.pickers import pick, shown_name
from pages.parts.text import count, md, number, plain

MAX_UPLOAD_MB = 200
SHOWN = 1000
SHARES = (0.001, 0.002, 0.005, FALSE_ALARMS, 0.02, 0.05)
MOSTLY = 0.5
"""Share of a log's events below which a model is told to be of another kind of log."""
SAMPLE = Path(__file__).parent.parent / "sample_data" / "orders.csv.gz"


# -- opening ----------------------------------------------------------------------------------------------------------


def open_form(workspace: Workspace, *, expanded: bool) -> None:
    """By path or upload; columns are told by their names unless they are given."""
    with st.expander("Open an event log", icon=":material/folder_open:", expanded=expanded):
        st.caption(
            "A table with columns for case, event and (if there is one) time, as logs for process mining have them; or "
            "one sequence of event ids a line."
        )
        with st.popover("Columns", icon=":material/view_column:"):
            st.caption("Left empty, a column is told by its name.")
            columns = {
                role: st.text_input(f"Column of the {role}", key=f"log_{role}", placeholder=hint).strip()
                for role, hint in (("case", "case_id"), ("event", "activity"), ("time", "timestamp; - for none"))
            }
        by_path, by_upload = st.tabs(["By path", f"Upload (up to {MAX_UPLOAD_MB} MB)"])
        with by_path, st.form("open_log", border=False):
            text = st.text_input("Path of an event log (CSV, TSV, text; also .gz, .zst)", key="log_path")
            if st.form_submit_button("Open", type="primary"):
                if text.strip():
                    path = Path(text.strip()).expanduser()
                    take_in(workspace, path, columns, name=path.name)
                else:
                    st.warning("Write the path of the file first.", icon=":material/edit:")
        with by_upload:
            given = st.file_uploader(
                "Event log", max_upload_size=MAX_UPLOAD_MB, key="log_upload", label_visibility="collapsed"
            )
            if given is not None and st.button("Take it into the workspace", type="primary", key="take_log"):
                name = Path(given.name).name or "log"
                with tempfile.TemporaryDirectory() as folder:
                    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in name).lstrip(".")[-120:] or "log"
                    path = Path(folder) / kept
                    path.write_bytes(given.getbuffer())
                    take_in(workspace, path, columns, name=name)
        if SAMPLE.is_file() and st.button("Open the sample log", icon=":material/play_arrow:", key="sample_log"):
            take_in(workspace, SAMPLE.resolve(), {}, name=SAMPLE.name)


def take_in(workspace: Workspace, path: Path, columns: dict[str, str], *, name: str) -> None:
    """Read a log into the workspace."""
    parameters = {"path": str(path), **columns}
    with readable_errors(path=path, name=name):
        with st.spinner("Reading the log…"):
            made = do_recipe(workspace, Recipe(step=Step.EVENTS, parameters=parameters, name=plain(name)))[-1]
        state.choose("words", made.id)
        st.session_state.pop("pick_words", None)
        flash(f"Opened {plain(name, limit=60)}: {count(int(made.facts['words']), 'sequence')}.")
        st.rerun()


def learn_part(workspace: Workspace, log: Artefact, *, first: bool) -> None:
    """Learn what is usual from a log."""
    if first:
        st.markdown(":material/flag: **Next:** learn from this log what is usual.")
    kind = learners.choose(key="log_kind")
    if kind != "tadam":
        st.caption("It ranks sequences by their bits per event; only TADAM also says why and where.")
    with st.form("learn_log", border=first):
        settings = tadam_settings() if kind == "tadam" else learners.settings(kind)
        busy = jobs.is_busy(workspace, Step.FIT)
        pressed = st.form_submit_button("Learn", type="primary", icon=":material/model_training:", disabled=busy)
    if pressed:
        parameters = {"kind": kind, "settings": settings}
        name = shown_name(workspace, log)
        jobs.start(workspace, Recipe(step=Step.FIT, inputs=(log.id,), parameters=parameters, name=name))


def tadam_settings() -> dict[str, Any]:
    """The one choice that matters for logs."""
    rare = st.toggle(
        "Keep rare ways",
        value=True,
        key="log_rare",
        help="Tells rare sequences from wrong ones best; without, the automaton is small enough to review.",
    )
    return {"max_transitions": 0} if rare else {}


# -- looking ----------------------------------------------------------------------------------------------------------


def about(log: Artefact) -> None:
    """What the log holds, and how it was read."""
    entry = log.facts["files"][0]
    st.caption(
        f"{count(int(entry['words']), 'sequence')}, {count(int(entry['symbols']), 'event')}, "
        f"{number(entry['alphabet'])} different. " + md(" ".join(log.facts["log"]["notes"]), limit=600)
    )


def ranking_part(workspace: Workspace, log: Artefact, model: Artefact) -> None:
    """The ranking of a log by a model, and one of its sequences in full."""
    held = log_view.state_of(workspace, model)
    columns = st.columns([2, 2, 2, 2, 4], vertical_alignment="bottom")
    share = columns[4].select_slider(
        "False alarms allowed",
        SHARES,
        value=FALSE_ALARMS,
        format_func=lambda value: f"{100 * value:g} %",
        key="false_alarms",
        help="Share of the sequences learnt from that may be called anomalies: it sets the threshold.",
    )
    folder = str(workspace.folder)
    found = log_view.ranking(folder, log.id, log_view.group_of(log), model.id, held.hash, float(share))
    columns[0].metric("Sequences", number(len(found.rows)))
    columns[1].metric("Anomalies", number(found.anomalies))
    says_why = found.by == "surprise"
    columns[2].metric(
        "Threshold" if says_why else "Threshold per event",
        f"{found.threshold or 0.0:.1f} bits" if says_why else f"{found.threshold or 0.0:.2f} bits",
        help="Surprise of x bits: one in 2ˣ of the sequences learnt from is so far out."
        if says_why
        else "No more of the sequences learnt from than are allowed to be false alarms need so many bits an event.",
    )
    part, size = learners.size_of(held.model)
    columns[3].metric(part.capitalize(), number(size))
    if any(ref.id == log.id for ref in model.inputs):
        others = ": each is judged by the counts of the others" if says_why else ", which it knows best"
        st.caption(f"These are the sequences the automaton learnt from{others}.")
    shown = list(found.rows[:SHOWN])
    table, why = st.columns([7, 5], gap="medium")
    with table:
        row = choose_row(shown, key=f"{log.id}_{model.id}", says_why=says_why)
        if len(found.rows) > SHOWN:
            st.caption(f"The first {number(SHOWN)} of {number(len(found.rows))}; the file holds all.")
        st.download_button(
            "Save the ranking (CSV)",
            lambda: table_text(found),
            file_name="surprise.csv",
            on_click="ignore",
            icon=":material/download:",
            key="save_ranking",
        )
    with why:
        if says_why:
            reasons_part(row)
        else:
            events_part(workspace, log, model, row)
    if says_why:
        with readable_errors():
            detail_part(workspace, log, model, row)


def choose_row(rows: list[Ranked], *, key: str, says_why: bool) -> Ranked:
    """The table of the ranking; the row that is selected, else the first."""
    event = st.dataframe(
        log_view.ranking_rows(rows),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0], "columns": [], "cells": []}},
        key=f"ranking_{key}",
        height=min(38 + 35 * max(len(rows), 1), 395),
        column_order=["anomaly", "case", "surprise", "odd by", "why", "leaves at", "events", "bits", "per event"]
        if says_why
        else ["anomaly", "case", "per event", "events", "bits"],
        column_config={
            "anomaly": st.column_config.CheckboxColumn("!", width=36, help="Beyond the threshold"),
            "case": st.column_config.TextColumn(width=90),
            "surprise": st.column_config.ProgressColumn(
                format="%.1f",
                min_value=0.0,
                max_value=max(max((row.surprise or 0.0 for row in rows), default=1.0), 1.0),
                width=95,
                help="Bits: one in 2ˣ of the sequences learnt from is so far out.",
            ),
            "odd by": st.column_config.TextColumn(width=92, help="The rarest side: events, order or times."),
            "leaves at": st.column_config.TextColumn(width=70, help="Event where it first leaves the automaton."),
            "events": st.column_config.NumberColumn(width=58),
            "why": st.column_config.TextColumn(width=300),
            "bits": st.column_config.NumberColumn(format="%.1f", width=60),
            "per event": st.column_config.NumberColumn(format="%.2f", width=74),
        },
        alt="Sequences, the most surprising first",
    )
    return rows[min((event.selection.rows or [0])[0], len(rows) - 1)]


def reasons_part(row: Ranked) -> None:
    """What makes one sequence surprising, side by side."""
    st.markdown(f"**{md(row.case, limit=80)}**, {count(row.events, 'event')}, {number(row.bits, digits=3)} bits")
    sides = {name: bits for name, bits in row.rarity.items() if name != "times" or bits}
    for column, (name, bits) in zip(st.columns(len(sides)), sides.items(), strict=True):
        column.metric(log_view.SIDE_WORDS[name].capitalize(), f"{bits:.1f} bits")
    if not row.reasons:
        st.caption("Nothing in it is out of the ordinary.")
    for reason in row.reasons[:7]:
        st.markdown(f"- {md(reason.sentence, limit=300)}")
    if len(row.reasons) > 7:
        st.caption(f"and {len(row.reasons) - 7} more; all are marked below.")


def events_part(workspace: Workspace, log: Artefact, model: Artefact, row: Ranked) -> None:
    """The events of one sequence, for models that price it as a whole."""
    st.markdown(f"**{md(row.case, limit=80)}**, {count(row.events, 'event')}, {number(row.bits, digits=3)} bits")
    kind = learners.title(model.facts.get("kind"))
    st.caption(f"{kind} prices a sequence as a whole. Learn TADAM from this log to see what is odd, and where.")
    table = log_view.plain_rows(reads.words(str(workspace.folder), log.id, log_view.group_of(log)), row.word)
    st.dataframe(
        table,
        hide_index=True,
        key=f"events_{row.word}",
        height=min(38 + 35 * max(len(table), 1), 395),
        alt="The events of the sequence",
    )


def detail_part(workspace: Workspace, log: Artefact, model: Artefact, row: Ranked) -> None:
    """One sequence event by event, beside its way through the automaton."""
    folder = str(workspace.folder)
    held = log_view.state_of(workspace, model)
    automaton: Any = held.model
    words = reads.words(folder, log.id, log_view.group_of(log))
    facts = facts_of(held.model, log_view.detector(folder, model.id, held.hash), words, row.word)
    left, right = st.columns([5, 7], gap="medium")
    with left:
        st.markdown("**Event by event**")
        table = log_view.event_rows(facts, row, unit=words.unit)
        near = log_view.odd_rows(facts)
        if near and len(near) < len(table) and not st.toggle(f"All {len(table) - 1} events", key="all_events"):
            table = table.iloc[near]
        st.dataframe(
            table,
            hide_index=True,
            key=f"events_{row.word}",
            height=min(38 + 35 * max(len(table), 1), 560),
            column_order=["#", "event", "bits above expected", "after", "what is odd", "at", "by"],
            column_config={
                "#": st.column_config.TextColumn(width=40),
                "event": st.column_config.TextColumn(width=100),
                "bits above expected": st.column_config.ProgressColumn(
                    "surprise", format="%.1f", min_value=0.0, max_value=16.0, width=90, help="Bits above expectation."
                ),
                "what is odd": st.column_config.TextColumn(width=230),
                "at": st.column_config.TextColumn(width=44, help="Location of the automaton."),
                "by": st.column_config.TextColumn(width=44, help="Transition taken."),
            },
            alt="The events of the sequence; what is odd is said beside each",
        )
    with right:
        st.markdown("**Its way through the automaton**")
        if not row.explained:
            st.caption("No path of the automaton explains it: spelling it out is shorter.")
        elif row.leaves_at is not None:
            place = "at its end" if row.leaves_at >= row.events else f"at event {row.leaves_at + 1}"
            st.caption(f"It first leaves the automaton {place}, from location {row.leaves_from}; marked below.")
        else:
            st.caption("It never leaves the automaton.")
        drawn, marked = log_view.way_drawing(automaton, facts)
        automaton_view.show(
            drawn, automaton, automaton_view.Filter(0.0, 0, False), marked, key=f"way_{model.id}_{row.word}"
        )


def look(workspace: Workspace, logs: list[Artefact]) -> None:
    """The chosen log, ranked by the chosen automaton."""
    stale = reads.stale_ids(workspace)
    models = log_view.log_models(workspace, logs)
    left, right = st.columns(2)
    with left:
        log = pick("Event log", logs, workspace=workspace, name="words", stale=stale)
        about(log)
    if not models:
        with right:
            learn_part(workspace, log, first=True)
        return
    with right:
        model = pick(
            "Judged by the automaton of",
            models,
            workspace=workspace,
            name="automaton",
            stale=stale,
            describe=lambda a: learners.title(a.facts.get("kind")),
            follows=(log.id, log_view.own_model(models, log)),
        )
        with st.popover("Learn another", icon=":material/model_training:"):
            learn_part(workspace, log, first=False)
    with readable_errors():
        known = log_view.known_share(workspace, log, model)
        if known < MOSTLY:
            how_many = "none" if not known else f"only {100 * known:.2g} %"
            st.warning(
                f"The chosen automaton was learnt from another log and knows {how_many} of the events of this one: "
                "learn one from this log, by Learn another.",
                icon=":material/warning:",
            )
        if known:
            ranking_part(workspace, log, model)


frame.title(
    "What is out of the ordinary?", "Sequences of events, ranked by how surprising an automaton finds them, and why."
)
workspace = state.require()
jobs.show_failure()
jobs.progress_here(workspace, (Step.FIT,))
held = log_view.logs(workspace)
open_form(workspace, expanded=not held)
if held:
    look(workspace, held)
else:
    empty("No event log yet.", "Open one above: what is usual is learnt from it, and what is not is shown.")
