"""Choosing one thing of the workspace; the choice is kept in the address bar."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import streamlit as st

from netsynth_core.workspace.artefacts import Artefact
from netsynth_core.workspace.store import Workspace
from pages.parts import state
from pages.parts.text import md, plain


def shown_name(workspace: Workspace, artefact: Artefact) -> str:
    """The name a person gave it, else the one it was made with."""
    return plain(workspace.label(artefact.id).name or artefact.id, limit=80)


def told_apart(artefacts: Iterable[Artefact], words: Callable[[str], str]) -> dict[str, str]:
    """What to show for each artefact, by id: `words` of its id, with its date where others have the same.

    A choice is sent back as the words shown: equal ones would all mean the first of them.
    """
    held = list(artefacts)
    said = [words(artefact.id) for artefact in held]
    return {
        artefact.id: text if said.count(text) == 1 else f"{text} · made {_moment(artefact)} ({artefact.id[-12:]})"
        for artefact, text in zip(held, said, strict=True)
    }


def names_of(workspace: Workspace, artefacts: Iterable[Artefact], *, kind: bool = False) -> dict[str, str]:
    """The names of artefacts by id, equal ones told apart; with their kind before them where that is asked for."""
    held = {artefact.id: artefact for artefact in artefacts}

    def words(id: str) -> str:
        return (f"{held[id].kind.value} · " if kind else "") + shown_name(workspace, held[id])

    return told_apart(held.values(), words)


def pick(
    label: str,
    artefacts: Sequence[Artefact],
    *,
    workspace: Workspace,
    name: str,
    describe: Callable[[Artefact], str] | None = None,
    stale: Mapping[str, str] = MappingProxyType({}),
    help: str | None = None,
    follows: tuple[str, str | None] | None = None,
    even_empty: bool = False,
) -> Artefact:
    """Choose one of `artefacts` (not empty), the newest with something in it unless another was chosen before.

    Parameters
    ----------
    name
        Name of the choice in the address bar.
    describe
        A few words after the name.
    stale
        Why an artefact is stale, by id.
    follows
        Another choice, and the id that goes with it: taken whenever that other choice changes.
    even_empty
        Whether a flow table without flows that was looked at elsewhere is taken over.
    """
    by_id = {artefact.id: artefact for artefact in reversed(artefacts)}
    ids = list(by_id)
    with_content = [id for id in ids if by_id[id].facts.get("flows") != 0] or ids

    def words(id: str) -> str:
        text = shown_name(workspace, by_id[id])
        if describe is not None:
            text += f" · {describe(by_id[id])}"
        return text + (" · stale" if id in stale else "")

    shown = told_apart(by_id.values(), words)
    key = f"pick_{name}"
    newest = with_content[0]
    if follows is not None:
        leader, companion = follows
        newest = companion if companion in with_content else newest
        if st.session_state.get(f"_{name}_follows", leader) != leader:
            st.session_state[key] = newest
        st.session_state[f"_{name}_follows"] = leader
    if st.session_state.get(key) not in ids:
        wanted = state.recall(name)
        st.session_state[key] = wanted if wanted in (ids if even_empty else with_content) else newest
    chosen = st.selectbox(label, ids, format_func=shown.__getitem__, key=key, help=help)
    state.choose(name, chosen)
    if chosen in stale:
        st.caption(f":material/update: Stale: {md(stale[chosen], limit=300)}")
    return by_id[chosen]


def _moment(artefact: Artefact) -> str:
    return artefact.created[:19].replace("T", " ")
