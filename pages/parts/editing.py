"""Mending a model: an edit is prepared, its effect is shown in bits and words, and only then applied; undo and redo."""

from typing import Any

import streamlit as st

from netsynth_core.errors import InvalidEdit, NetsynthError
from netsynth_core.models.edits import Edit, EditEffect, parse_edit
from netsynth_core.units import format_bits
from netsynth_core.workspace.artefacts import Artefact
from netsynth_core.workspace.edited import ModelState, apply_edit, open_model, read_log, redo, undo
from netsynth_core.workspace.store import Workspace
from pages.parts.feedback import flash, notice
from pages.parts.text import md, plain

SAID_IN_BITS = ("The description becomes ", "The description keeps ", "The description of the data keeps ")


def sentence_of(raw: dict[str, Any], kinds: tuple[type[Edit], ...]) -> str:
    """An edit of the log in one sentence, also one that this version no longer knows."""
    try:
        return parse_edit(raw, kinds).sentence()
    except InvalidEdit:
        return str(raw)


def size_now(workspace: Workspace, artefact: Artefact, part: str) -> str:
    """How large a model is as it stands, such as ``38 locations, edited``."""
    with_edits = ""
    size = artefact.facts.get(part, "?")
    try:
        if read_log(workspace.path(artefact.id)).path():
            with_edits = ", edited"
            size = open_model(workspace, artefact.id).model.describe().size[part]
    except NetsynthError:
        return "cannot be read"
    return f"{size} {part}{with_edits}"


def prepare(model_id: str, edit: Edit) -> None:
    """Put an edit before the analyst; `review` shows it."""
    st.session_state[f"pending_{model_id}"] = edit


def pending(model_id: str) -> Edit | None:
    """The edit that waits for a yes or no."""
    return st.session_state.get(f"pending_{model_id}")


def discard(model_id: str) -> None:
    """Forget the edit that waits."""
    st.session_state.pop(f"pending_{model_id}", None)


def undo_redo(workspace: Workspace, held: ModelState) -> None:
    """The two buttons, with Ctrl+Z and Ctrl+Shift+Z."""
    log = held.log
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        back = st.button(
            "Undo", icon=":material/undo:", shortcut="ctrl+z", disabled=not log.can_undo, key=f"undo_{held.id}"
        )
        again = st.button(
            "Redo", icon=":material/redo:", shortcut="ctrl+shift+z", disabled=not log.can_redo, key=f"redo_{held.id}"
        )
        done = len(log.path())
        st.caption("as learnt" if done == 0 else "1 edit" if done == 1 else f"{done} edits")
    if not (back or again):
        return
    try:
        (undo if back else redo)(workspace, held.id, expected_head=held.hash)
    except NetsynthError as error:
        notice(error)
        return
    discard(held.id)
    flash("Undone." if back else "Done again.")
    st.rerun()


def review(workspace: Workspace, held: ModelState) -> bool:
    """Show the waiting edit with its effect, and apply or drop it; returns whether one waits."""
    edit = pending(held.id)
    if edit is None:
        return False
    with st.container(border=True, key="review"):
        st.markdown(f":material/preview: **Before you apply it:** {md(edit.sentence(), limit=400)}")
        try:
            effect = _effect(held, edit)
        except NetsynthError as error:
            notice(error)
            if st.button("Put it away", key=f"away_{held.id}"):
                discard(held.id)
                st.rerun()
            return True
        effect_words(effect, said=edit.sentence())
        with st.form(f"apply_{held.id}", border=False):
            why = st.text_input("Why (kept in the history)", max_chars=500, placeholder="optional")
            with st.container(horizontal=True):
                applied = st.form_submit_button("Apply", type="primary", icon=":material/check:")
                dropped = st.form_submit_button("Discard", icon=":material/close:")
    if applied:
        try:
            apply_edit(workspace, held.id, edit, why=why.strip(), expected_head=held.hash)
        except NetsynthError as error:
            notice(error)
            return True
        flash("Applied. Undo takes it back.")
    if applied or dropped:
        discard(held.id)
        st.rerun()
    return True


def effect_words(effect: EditEffect, *, said: str = "") -> None:
    """What an edit does: bits before and after, then the sentences, but not again what was `said`."""
    change = effect.after_bits - effect.before_bits
    if abs(change) < 0.5:
        verdict = "the codelength stays as it is"
    elif change > 0:
        verdict = f"{format_bits(change)} longer: the data are described worse"
    else:
        verdict = f"{format_bits(-change)} shorter: the data are described better"
    share = f" ({100 * change / effect.before_bits:+.2g} %)" if effect.before_bits else ""
    st.text(f"Codelength {format_bits(effect.before_bits)} → {format_bits(effect.after_bits)}{share}: {verdict}.")
    told = [s for s in effect.sentences if s.rstrip(".") != said.rstrip(".") and not s.startswith(SAID_IN_BITS)]
    if told:
        st.text("\n".join(f"• {plain(sentence, limit=400)}" for sentence in told))


def _effect(held: ModelState, edit: Edit) -> EditEffect:
    """The preview, computed once for each state and edit."""
    key = (held.id, held.hash, edit.model_dump_json())
    kept = st.session_state.get("_effect")
    if kept is None or kept[0] != key:
        with st.spinner("Working out what it changes…"):
            kept = (key, held.model.preview(edit))
        st.session_state["_effect"] = kept
    effect: EditEffect = kept[1]
    return effect
