"""An event log made ready for its page: the ranking, one sequence event by event, and its way through the automaton."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from netsynth_core.models.automata import to_dot
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.contents import group_name
from netsynth_core.workspace.edited import ModelState, open_model
from netsynth_core.workspace.recipes import Step
from netsynth_core.workspace.store import Workspace
from netsynth_core.workspace.surprises import EventFacts, Ranked, Ranking
from pages.parts import automaton_view, learners, reads
from pages.parts.text import plain

if TYPE_CHECKING:
    from netsynth_core.flows.words import Words
    from netsynth_core.models.tadam.surprise import Detector

EXPLAINED = 500
"""Sequences that are told in full, from the top."""
SIDE_WORDS = {"events": "which events", "order": "their order", "times": "their times", "": ""}


def logs(workspace: Workspace) -> list[Artefact]:
    """The event logs of the workspace, oldest first."""
    return [a for a in workspace.artefacts(ArtefactKind.WORDS) if a.recipe is not None and a.recipe.step is Step.EVENTS]


def log_models(workspace: Workspace, held: list[Artefact]) -> list[Artefact]:
    """The models that were learnt from event logs."""
    ids = {log.id for log in held}
    return [model for model in learners.learnt(workspace) if any(ref.id in ids for ref in model.inputs)]


def own_model(models: list[Artefact], log: Artefact) -> str | None:
    """Id of the newest of `models` that learnt from a log."""
    own = [model.id for model in models if any(ref.id == log.id for ref in model.inputs)]
    return own[-1] if own else None


def known_share(workspace: Workspace, log: Artefact, model: Artefact) -> float:
    """Share of the events of a log that occur in the log a model learnt from, 0-1."""
    if any(ref.id == log.id for ref in model.inputs):
        return 1.0
    return _known_share(str(workspace.folder), log.id, model.inputs[0].id)


@st.cache_data(max_entries=32, show_spinner=False)
def _known_share(folder: str, log: str, other: str) -> float:
    workspace = Workspace(Path(folder))
    judged, learnt = (reads.words(folder, id, group_of(workspace.get(id))) for id in (log, other))
    known = [judged.alphabet.index(name) for name in set(judged.alphabet) & set(learnt.alphabet)]
    taken = Counter(judged.symbols.tolist())
    return sum(taken[code] for code in known) / taken.total() if taken else 1.0


def group_of(log: Artefact) -> str:
    """The one group of words of a log."""
    entry = log.facts["files"][0]
    return group_name(entry["service"], entry["state"])


@st.cache_resource(max_entries=4, show_spinner="Looking at what is usual…")
def detector(folder: str, id: str, state_hash: str) -> "Detector | None":
    """What the training sequences of a model say is usual; one for each state of the model; None for most kinds."""
    from netsynth_core.workspace.surprises import detector_of

    return detector_of(open_model(Workspace(Path(folder)), id).model)


@st.cache_resource(max_entries=8, show_spinner="Ranking the sequences…")
def ranking(folder: str, log: str, group: str, model: str, state_hash: str, false_alarms: float) -> Ranking:
    """The sequences of a log, ranked by a model."""
    from netsynth_core.workspace.contents import cases_of
    from netsynth_core.workspace.surprises import rank, usual_bits

    workspace = Workspace(Path(folder))
    priced: Any = open_model(workspace, model).model
    judge, threshold = detector(folder, model, state_hash), None
    if judge is None:
        learnt_from = reads.words(folder, workspace.get(model).inputs[0].id, str(workspace.get(model).facts["group"]))
        threshold = usual_bits(priced, learnt_from, by="per-event", false_alarms=false_alarms)
    return rank(
        priced,
        reads.words(folder, log, group),
        cases_of(workspace, log),
        detector=judge,
        threshold=threshold,
        false_alarms=false_alarms,
        explained=EXPLAINED,
    )


def ranking_rows(rows: list[Ranked]) -> pd.DataFrame:
    """The table of the ranking."""
    return pd.DataFrame(
        {
            "anomaly": [bool(row.anomaly) for row in rows],
            "case": [plain(row.case, limit=80) for row in rows],
            "surprise": [row.surprise for row in rows],
            "events": [row.events for row in rows],
            "bits": [row.bits for row in rows],
            "per event": [row.bits_per_event for row in rows],
            "odd by": [SIDE_WORDS[row.side] for row in rows],
            "leaves at": [_leaves(row) for row in rows],
            "why": [plain(row.reasons[0].sentence) if row.reasons else "" for row in rows],
        }
    )


def _leaves(row: Ranked) -> str:
    if not row.explained:
        return "no path"
    return "" if row.leaves_at is None else "end" if row.leaves_at >= row.events else str(row.leaves_at + 1)


def event_rows(facts: list[EventFacts], row: Ranked, *, unit: str) -> pd.DataFrame:
    """One sequence, an event a row; the marks say what is odd where."""
    from netsynth_core.units import format_duration

    said: dict[int, list[str]] = {}
    for reason in row.reasons:
        if reason.position is not None and reason.side == "events":
            said.setdefault(reason.position, []).append(reason.sentence)
    scale = {"us": 1_000, "ns": 1, "s": 1_000_000_000}.get(unit)
    table = {
        "#": [str(fact.position + 1) if fact.event != "$" else "" for fact in facts],
        "event": [plain(fact.event, limit=80) if fact.event != "$" else "(end)" for fact in facts],
        "bits above expected": [max(fact.excess, 0.0) for fact in facts],
        "what is odd": [
            plain(" ".join(part for part in (fact.remark, *said.get(fact.position, ())) if part), limit=300)
            for fact in facts
        ],
        "at": [fact.location for fact in facts],
        "by": [fact.transition for fact in facts],
    }
    if scale is not None:
        table["after"] = [format_duration(fact.delay * scale) if fact.delay else "" for fact in facts]
    return pd.DataFrame(table)


def plain_rows(words: "Words", word: int) -> pd.DataFrame:
    """One sequence, an event a row, for models that say nothing of single events."""
    from netsynth_core.units import format_duration

    names, delays = words.names(word), words[word].delays.tolist()
    table = {
        "#": [str(place) for place in range(1, len(names) + 1)],
        "event": [plain(name, limit=80) for name in names],
    }
    scale = {"us": 1_000, "ns": 1, "s": 1_000_000_000}.get(words.unit)
    if scale is not None:
        table["after"] = [format_duration(delay * scale) if delay else "" for delay in delays]
    return pd.DataFrame(table)


def odd_rows(facts: list[EventFacts], *, near: int = 2) -> list[int]:
    """Places of the events that are odd, with a few around each."""
    odd = [fact.position for fact in facts if fact.remark or fact.excess >= 4]
    return [fact.position for fact in facts if any(abs(fact.position - place) <= near for place in odd)]


def way_drawing(model: Any, facts: list[EventFacts]) -> tuple[automaton_view.Drawing, list[str]]:
    """The automaton around a sequence's way: what it takes and what it might have taken; and what to mark."""
    automaton = model.automaton
    taken = {fact.transition for fact in facts if fact.transition}
    places = {fact.location for fact in facts if fact.location}
    wrong = {fact.location for fact in facts if fact.remark and fact.location}
    shown = taken | {t.id for t in automaton.transitions if t.source in wrong}
    touched = {place for t in automaton.transitions if t.id in shown for place in (t.source, t.target)} | places
    left_out = {t.id for t in automaton.transitions if t.id not in shown}
    left_out |= {place.id for place in automaton.locations if place.id not in touched}
    left_out -= {automaton.initial, automaton.final}
    dot = to_dot(automaton, rankdir="LR", leave_out=frozenset(left_out))
    return automaton_view.laid_out(dot, frozenset(left_out)), sorted(wrong or taken)


def state_of(workspace: Workspace, model: Artefact) -> ModelState:
    """The model with its edits."""
    return open_model(workspace, model.id)
