"""How a model explains the conversations it learnt from: the surprising ones first, one of them packet by packet."""

from typing import Any

import pandas as pd
import streamlit as st

from netsynth_core.workspace.artefacts import Artefact
from netsynth_core.workspace.edited import ModelState
from netsynth_core.workspace.store import Workspace
from pages.parts import automaton_view as view
from pages.parts import learners, reads
from pages.parts.ladder import show_ladder
from pages.parts.linked import select
from pages.parts.text import number

GRAPH_KEY, TABLE_KEY = "automaton_graph", "transition_table"
SHOWN = 500


def explained_part(workspace: Workspace, artefact: Artefact, held: ModelState, model: Any, selected: list[str]) -> None:
    """How the automaton explains the conversations it learnt from; the noisy ones first."""
    group = str(artefact.facts.get("group", ""))
    aligned = view.alignments(str(workspace.folder), artefact, held.hash, model)
    exact = sum(a.accepted and not a.ops for a in aligned)
    noisy = [a for a in aligned if a.ops]
    refused = [a for a in aligned if not a.accepted]
    st.caption(
        f"{number(exact)} fit exactly, {number(len(noisy))} with noise operations, {number(len(refused))} not at all."
    )
    kinds = {"with noise": noisy, "not at all": refused, "all": aligned}
    if selected:
        kinds["through the selection"] = view.through(model, aligned, selected)
    shown = st.segmented_control("Show", list(kinds), default="with noise", required=True, key="alignment_kind")
    chosen = kinds[shown or "all"]
    if not chosen:
        st.markdown("None.")
        return
    words = reads.words(str(workspace.folder), artefact.inputs[0].id, group)
    ranked = sorted(chosen, key=lambda a: -a.bits)[:SHOWN]
    marks = view.tcp_marks(workspace, workspace.get(artefact.inputs[0].id), words, ranked)
    place = _chosen(
        {
            "conversation": [a.word for a in ranked],
            "flow": _flows_of(words, [a.word for a in ranked]),
            "packets": [len(words[a.word].symbols) for a in ranked],
            "bits": [a.bits for a in ranked],
            "operations": [view.operations_text(a) for a in ranked],
            "TCP says": [view.marks_text(one) for one in marks],
        },
        key=f"alignments_{shown}",
    )
    chosen_one = ranked[place]
    remarks = view.remarks(chosen_one)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Conversation {chosen_one.word}**, {number(chosen_one.bits, digits=3)} bits")
        if chosen_one.path and st.button("Show its path in the graph", icon=":material/route:", key="show_path"):
            keys = {"graph_key": f"{GRAPH_KEY}_{artefact.id}", "table_key": TABLE_KEY}
            select("automaton", ids=sorted(set(chosen_one.path)), **keys)
            st.rerun()
    show_ladder(
        words.names(chosen_one.word),
        words[chosen_one.word],
        unit=words.unit,
        key=f"alignment_{shown}_{chosen_one.word}",
        remarks=remarks,
        marks=marks[place],
    )


def priced_part(workspace: Workspace, artefact: Artefact, held: ModelState) -> None:
    """The conversations by their bits, for models that explain no noise."""
    group = str(artefact.facts.get("group", ""))
    spent = learners.bits_of(workspace, artefact)
    st.caption(
        f"{number(len(spent))} conversations, the most surprising first. {learners.title(held.model.kind)} knows no "
        "noise: it says how many bits a conversation takes, not where it goes wrong."
    )
    words = reads.words(str(workspace.folder), artefact.inputs[0].id, group)
    ranked = sorted(range(len(spent)), key=lambda word: -spent[word])[:SHOWN]
    if not ranked:
        return
    place = _chosen(
        {
            "conversation": ranked,
            "flow": _flows_of(words, ranked),
            "packets": [len(words[word].symbols) for word in ranked],
            "bits": [spent[word] for word in ranked],
            "per packet": [spent[word] / max(len(words[word].symbols), 1) for word in ranked],
        },
        key=f"priced_{artefact.id}",
    )
    word = ranked[place]
    st.markdown(f"**Conversation {word}**, {number(spent[word], digits=3)} bits")
    show_ladder(words.names(word), words[word], unit=words.unit, key=f"priced_{artefact.id}_{word}")


def _flows_of(words: Any, chosen: list[int]) -> list[int | None]:
    return [int(words.flow_rows[word]) if words.flow_rows is not None else None for word in chosen]


def _chosen(columns: dict[str, list[Any]], *, key: str) -> int:
    """The table of conversations; the place of the row that is selected, else the first."""
    rows = len(columns["bits"])
    event = st.dataframe(
        pd.DataFrame(columns),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0], "columns": [], "cells": []}},
        key=key,
        height=min(38 + 35 * rows, 300),
        column_config={
            "bits": st.column_config.NumberColumn(format="%.1f"),
            "per packet": st.column_config.NumberColumn(format="%.2f", help="Bits over the number of packets."),
            "TCP says": st.column_config.TextColumn(
                help="Packets that are late or sent again by their sequence numbers, which the automaton does not see."
            ),
        },
        alt="Conversations, the most surprising first",
    )
    return min((event.selection.rows or [0])[0], rows - 1)
