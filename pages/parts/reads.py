"""Reads that are kept between reruns: artefacts never change, so folder and id are the whole key."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from netsynth_core.errors import NetsynthError
from netsynth_core.workspace.artefacts import Artefact
from netsynth_core.workspace.stale import stale
from netsynth_core.workspace.store import Workspace

if TYPE_CHECKING:
    from netsynth_core.capture.packets import PacketTable
    from netsynth_core.flows.metering import Metered
    from netsynth_core.flows.overview import Overview
    from netsynth_core.flows.selecting import FlowIndex
    from netsynth_core.flows.steps import Steps
    from netsynth_core.flows.table import FlowTable
    from netsynth_core.flows.words import Words


def stale_ids(workspace: Workspace) -> dict[str, str]:
    """Artefacts that no longer follow from their inputs, with the first reason, by id."""
    return {id: reasons[0].sentence for id, reasons in stale(workspace).items()}


def level(model: Artefact) -> str:
    """``flow`` or ``packet``: what a model learns from and makes."""
    return str(model.facts.get("level", ""))


def ancestors(workspace: Workspace, artefact: Artefact) -> list[Artefact]:
    """What an artefact was made from, the nearest first; what was deleted since is left out."""
    held = {one.id: one for one in workspace.artefacts()}
    found: dict[str, Artefact] = {}
    ahead = [ref.id for ref in artefact.inputs]
    while ahead:
        one = held.get(ahead.pop(0))
        if one is not None and one.id not in found:
            found[one.id] = one
            ahead += [ref.id for ref in one.inputs]
    return list(found.values())


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


@st.cache_resource(max_entries=4, show_spinner="Preparing the table…")
def flow_view(folder: str, id: str) -> pd.DataFrame:
    """A flow table as people read it: instants as dates, durations in ms, hosts with ports; row = flow number.

    What ICMP keeps in the columns of ports is told in words.
    """
    from netsynth_core.flows.icmp_words import messages
    from netsynth_core.flows.selecting import shown_services

    frame = flows(folder, id).frame
    said, has_ports = messages(frame)
    return pd.DataFrame(
        {
            "start (UTC)": pd.to_datetime(frame["ts"], unit="ns"),
            "duration (ms)": frame["duration"] / 1e6,
            "service": pd.Series(shown_services(frame), dtype="str"),
            "state": frame["state"],
            "proto": frame["proto"],
            "originator": frame["src_ip"],
            "port": frame["src_port"].astype("Int64").where(has_ports & (frame["src_port"] >= 0)),
            "responder": frame["dst_ip"],
            "port ": frame["dst_port"].astype("Int64").where(has_ports & (frame["dst_port"] >= 0)),
            "message": pd.Series(said, dtype="str"),
            "packets →": frame["fwd_packets"],
            "packets ←": frame["bwd_packets"],
            "bytes →": frame["fwd_bytes"],
            "bytes ←": frame["bwd_bytes"],
            "server name": frame["server_name"],
            "history": frame["history"],
            "flags": frame["flags"],
            "label": frame["label"],
        }
    )


@st.cache_resource(max_entries=4, show_spinner="Preparing the table…")
def flow_rows(folder: str, id: str) -> pd.DataFrame:
    """What the table of flows shows: numbers of flows as text, and the columns of `flow_view` that hold something."""
    from pages.parts.flow_list import shown_columns

    view = flow_view(folder, id)
    rows = view[shown_columns(view)].copy(deep=False)
    rows.insert(0, "flow", view.index.astype("str"))
    return rows


@st.cache_resource(max_entries=4, show_spinner="Preparing the filters…")
def flow_index(folder: str, id: str) -> "FlowIndex":
    """A flow table prepared for filtering; shared, not to be changed."""
    from netsynth_core.flows.selecting import FlowIndex

    return FlowIndex(flows(folder, id))


@st.cache_resource(max_entries=8, show_spinner="Looking at the load over time…")
def overview(folder: str, id: str) -> "Overview":
    """The load over time and the hosts of a flows artefact; shared, not to be changed."""
    from netsynth_core.workspace.overviews import overview_of

    return overview_of(Workspace(Path(folder)), id)


@st.cache_resource(max_entries=12, show_spinner="Reading the conversation…")
def steps(folder: str, id: str, row: int) -> "Steps":
    """The packets of one flow; shared, not to be changed."""
    from netsynth_core.flows.steps import conversation_steps

    group, index = conversation_words(folder, id).get(row, (None, 0))
    names = group.names(index) if group is not None else []
    return conversation_steps(packets(folder, id), metered(folder, id), row, symbols=names)


@st.cache_resource(max_entries=2, show_spinner="Reading conversations…")
def conversation_words(folder: str, id: str) -> dict[int, tuple["Words", int]]:
    """Which word, of which group, belongs to each flow row; the packets are read from the capture again."""
    from netsynth_core.flows.extraction import extract_words

    groups = extract_words(packets(folder, id), metered(folder, id), by=("service",))
    return {
        int(row): (group, index)
        for group in groups
        if group.flow_rows is not None
        for index, row in enumerate(group.flow_rows.tolist())
    }


@st.cache_resource(max_entries=1, show_spinner="Reading packets…")
def packets(folder: str, id: str) -> "PacketTable":
    """The packets behind a flows artefact, read from its captures again; shared, not to be changed."""
    from netsynth_core.workspace.contents import packets_of

    return packets_of(Workspace(Path(folder)), id)


def packets_are_held(folder: str, id: str) -> bool:
    """Whether the packets behind a flows artefact were read last, so that looking at them costs nothing."""
    from netsynth_core.workspace.contents import packets_are_held as held

    return held(Workspace(Path(folder)), id)


def tunnels(flows: Artefact) -> bool:
    """Whether flows were read from inside of tunnels."""
    options = settings_of(flows).get("options")
    return isinstance(options, dict) and bool(options.get("tunnels"))


@st.cache_data(max_entries=64, show_spinner=False)
def is_unknown(path: str, sha256: str) -> bool:
    """Whether a file is a table that can only be read through a mapping."""
    from netsynth_core.flows.source import needs_mapping

    try:
        return needs_mapping(path)
    except NetsynthError:
        return False
