"""One selection seen in two places: the graph and the table; whichever changed last says what is selected."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.parts import state


@dataclass(frozen=True)
class Seen:
    """What both places said when the selection was last worked out."""

    ids: tuple[str, ...]
    graph: Any
    rows: tuple[int, ...]
    order: tuple[str, ...]


def linked_selection(name: str, *, graph_key: str, table_key: str, order: Sequence[str], valid: set[str]) -> list[str]:
    """The selected ids; call it before the graph and the table are drawn.

    Parameters
    ----------
    name
        Name of the selection in the session and, with a reload, in the address bar.
    order
        Ids of the table's rows as they will be drawn now.
    valid
        Ids that exist; others fall out of the selection.
    """
    key = f"_linked_{name}_{graph_key}"
    graph, rows = graph_choice(graph_key), table_rows(table_key)
    seen: Seen | None = st.session_state.get(key)
    if seen is None:
        given = (state.recall("sel") or "").split(",") if graph is None and not rows else []
        seen = Seen(tuple(given), None, (), tuple(order))
    ids = merge(seen, graph=graph, rows=rows)
    ids = tuple(id for id in ids if id in valid)
    place = {id: row for row, id in enumerate(order)}
    wanted = tuple(sorted(place[id] for id in ids if id in place))
    if wanted != tuple(sorted(rows)):
        st.session_state[table_key] = {"selection": {"rows": list(wanted), "columns": [], "cells": []}}
    st.session_state[key] = Seen(ids, graph, wanted, tuple(order))
    state.choose("sel", ",".join(ids))
    return list(ids)


def select(name: str, *, graph_key: str, table_key: str, ids: Sequence[str]) -> None:
    """Select these from Python, at the next run."""
    key = f"_linked_{name}_{graph_key}"
    seen: Seen = st.session_state[key]
    st.session_state[key] = Seen(tuple(ids), graph_choice(graph_key), table_rows(table_key), seen.order)


def merge(seen: Seen, *, graph: Any, rows: Sequence[int]) -> tuple[str, ...]:
    """The selection after the graph or the table may have changed."""
    if graph is not None and graph != seen.graph:
        return tuple(graph[1])
    if tuple(sorted(rows)) != tuple(sorted(seen.rows)):
        return tuple(seen.order[row] for row in rows if row < len(seen.order))
    return seen.ids


def graph_choice(key: str) -> tuple[int, tuple[str, ...]] | None:
    """When and what was last chosen in the graph; None when nothing ever was."""
    held = st.session_state.get(key)
    chosen = held.get("selected") if held is not None else None
    if not chosen or not chosen.get("at"):
        return None
    return int(chosen["at"]), tuple(str(id) for id in chosen.get("ids", ()))


def table_rows(key: str) -> tuple[int, ...]:
    """The rows that are selected in the table now."""
    held = st.session_state.get(key)
    if held is None:
        return ()
    return tuple(int(row) for row in held["selection"]["rows"])
