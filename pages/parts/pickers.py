"""Choosing one thing of the workspace; the choice is kept in the address bar."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import streamlit as st

from netsynth_core.workspace.artefacts import Artefact
from netsynth_core.workspace.store import Workspace
from pages.parts import state
from pages.parts.text import md, plain


def shown_name(workspace: Workspace, artefact: Artefact) -> str:
    """The name a person gave it, else the one it was made with."""
    return plain(workspace.label(artefact.id).name or artefact.id, limit=80)


def pick(
    label: str,
    artefacts: Sequence[Artefact],
    *,
    workspace: Workspace,
    name: str,
    describe: Callable[[Artefact], str] | None = None,
    stale: Mapping[str, str] = MappingProxyType({}),
    help: str | None = None,
) -> Artefact:
    """Choose one of `artefacts` (not empty), the newest unless another was chosen before.

    Parameters
    ----------
    name
        Name of the choice in the address bar.
    describe
        A few words after the name.
    stale
        Why an artefact is stale, by id.
    """
    by_id = {artefact.id: artefact for artefact in reversed(artefacts)}
    ids = list(by_id)

    def words(id: str) -> str:
        text = shown_name(workspace, by_id[id])
        if describe is not None:
            text += f" · {describe(by_id[id])}"
        return text + (" · stale" if id in stale else "")

    key = f"pick_{name}"
    if st.session_state.get(key) not in ids:
        wanted = state.recall(name)
        st.session_state[key] = wanted if wanted in by_id else ids[0]
    chosen = st.selectbox(label, ids, format_func=words, key=key, help=help)
    state.choose(name, chosen)
    if chosen in stale:
        st.caption(f":material/update: Stale: {md(stale[chosen], limit=300)}")
    return by_id[chosen]
