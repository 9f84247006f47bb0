"""Reads that are kept between reruns: artefacts never change, so folder and id are the whole key."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from netsynth_core.workspace.artefacts import Artefact
from netsynth_core.workspace.stale import stale
from netsynth_core.workspace.store import Workspace

if TYPE_CHECKING:
    from netsynth_core.flows.metering import Metered
    from netsynth_core.flows.table import FlowTable
    from netsynth_core.flows.words import Words


def stale_ids(workspace: Workspace) -> frozenset[str]:
    """Ids of the artefacts that no longer follow from their inputs."""
    return frozenset(stale(workspace))


def level(model: Artefact) -> str:
    """``flow`` or ``packet``: what a model learns from and makes."""
    return str(model.facts.get("level", ""))


def settings_of(artefact: Artefact) -> dict[str, Any]:
    """Parameters an artefact was made with."""
    return dict(artefact.recipe.parameters) if artefact.recipe is not None else {}


@st.cache_resource(max_entries=4, show_spinner="Reading flows…")
def flows(folder: str, id: str) -> "FlowTable":
    """The flow table of an artefact; shared, not to be changed."""
    from netsynth_core.workspace.contents import flows_of

    return flows_of(Workspace(Path(folder)), id)


@st.cache_resource(max_entries=2, show_spinner="Reading conversations…")
def metered(folder: str, id: str) -> "Metered":
    """Flows and conversations of an artefact; shared, not to be changed."""
    from netsynth_core.workspace.contents import metered_of

    return metered_of(Workspace(Path(folder)), id)


@st.cache_resource(max_entries=4, show_spinner="Reading timed words…")
def words(folder: str, id: str, group: str) -> "Words":
    """One group of timed words; shared, not to be changed."""
    from netsynth_core.workspace.contents import words_of

    return words_of(Workspace(Path(folder)), id, group)[0]
