"""The form that says which column of a flow log of unknown layout is which of ours."""

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from netsynth_core.errors import NetsynthError
from netsynth_core.workspace.artefacts import Artefact
from netsynth_core.workspace.contents import capture_path
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.store import Workspace
from pages.parts import jobs, reads
from pages.parts.feedback import flash, notice, readable_errors
from pages.parts.pickers import shown_name
from pages.parts.text import count, md, number, plain

_TIME_UNITS = {
    "s": "seconds since 1970",
    "ms": "milliseconds since 1970",
    "us": "microseconds since 1970",
    "ns": "nanoseconds since 1970",
    "text": "date and time (ISO 8601; with slashes day first)",
    "text month first": "date and time, month first",
}
_DURATION_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_NONE = ""


def wants_mapping(workspace: Workspace, capture: Artefact) -> bool:
    """Whether a file of the workspace can only be read through a mapping."""
    try:
        return reads.is_unknown(str(capture_path(workspace, capture.id)), str(capture.facts["sha256"]))
    except NetsynthError:
        return False


def mapping_form(workspace: Workspace, capture: Artefact) -> None:
    """Header, first rows, a choice for each of our columns, the first flows that come of it, and the button."""
    with st.container(border=True), readable_errors():
        _form(workspace, capture)


def _form(workspace: Workspace, capture: Artefact) -> None:
    from netsynth_core.flows.logs import FIELDS, REQUIRED, read_head
    from netsynth_core.flows.previewing import preview_mapped

    path, key = capture_path(workspace, capture.id), f"map_{capture.id}"
    table = read_head(path)
    proposal = _proposal(table)
    st.markdown(f"**{md(shown_name(workspace, capture))}**: a table of unknown layout. Which column is which?")
    st.caption(
        f"{count(len(table.header), 'column')}, {_DELIMITERS.get(table.delimiter, 'other')} between the cells, "
        f"{'names in the first line' if table.has_header else 'no names: columns are numbered'}. The first rows:"
    )
    names = [plain(name, limit=40) for name in table.header]
    shown = pd.DataFrame([[plain(cell, limit=60) for cell in row] for row in table.rows[:5]])
    shown.columns = [name if names.count(name) == 1 else f"{name} ({at})" for at, name in enumerate(names, start=1)]
    st.dataframe(shown, hide_index=True, key=f"{key}_rows", alt="First rows of the table")
    choices = [_NONE, *dict.fromkeys(table.header)]
    columns: dict[str, str | tuple[str, ...]] = {}
    places = st.columns(4)
    for at, (ours, words) in enumerate(FIELDS.items()):
        proposed = proposal["columns"].get(ours, _NONE)
        mark = " (needed)" if ours in REQUIRED else ""
        # of several columns the first that is not empty counts
        offered = choices if isinstance(proposed, str) else [*choices, proposed]
        chosen = places[at % 4].selectbox(
            f"{words[:1].upper()}{words[1:]}{mark}",
            offered,
            index=offered.index(proposed) if proposed in offered else 0,
            format_func=_shown_column,
            key=f"{key}_{ours}",
        )
        if chosen:
            columns[ours] = chosen
    values = {"columns": columns, **_units(proposal, key), "delimiter": table.delimiter, "header": table.has_header}
    missing = [FIELDS[name] for name in REQUIRED if name not in columns]
    if missing:
        st.warning(f"Still needed: {', '.join(missing)}.", icon=":material/edit:")
    else:
        _preview(path, values, preview_mapped)
    row = st.container(horizontal=True)
    if row.button("Read with this mapping", type="primary", key=f"{key}_read", disabled=bool(missing)):
        recipe = Recipe(
            step=Step.FLOWS,
            inputs=(capture.id,),
            parameters={"mapping": values},
            name=workspace.label(capture.id).name,
        )
        jobs.start(workspace, recipe)
    if row.button("Remove the file", icon=":material/delete:", key=f"{key}_remove", type="tertiary"):
        workspace.delete(capture.id)
        flash(f"{shown_name(workspace, capture)} was moved to the trash of the workspace.")
        st.rerun()


def _shown_column(name: str | tuple[str, ...]) -> str:
    """A choice as the form shows it."""
    if not name:
        return "not in the table"
    return plain(name if isinstance(name, str) else ", else ".join(name), limit=40)


def _proposal(table: Any) -> dict[str, Any]:
    """What the names and values of the columns suggest; the rest is the analyst's to say."""
    from netsynth_core.flows.logs import propose_mapping
    from netsynth_core.flows.logs.mapping import guess_columns

    try:
        found = propose_mapping(table.header, table.rows, delimiter=table.delimiter, has_header=table.has_header)
    except NetsynthError:
        columns = guess_columns(table.header, table.rows)
        return {"columns": columns, "ts_unit": "s", "duration_unit": "s", "one_directional": False}
    return found.model_dump()


def _units(proposal: dict[str, Any], key: str) -> dict[str, Any]:
    """Units of the times, and whether rows are of one direction."""
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    instants, durations = list(_TIME_UNITS), list(_DURATION_UNITS)
    return {
        "ts_unit": left.selectbox(
            "The start is written in",
            instants,
            index=instants.index(proposal["ts_unit"]),
            format_func=_TIME_UNITS.__getitem__,
            key=f"{key}_ts_unit",
        ),
        "duration_unit": middle.selectbox(
            "The duration is written in",
            durations,
            index=durations.index(proposal["duration_unit"]),
            format_func=_DURATION_UNITS.__getitem__,
            key=f"{key}_duration_unit",
        ),
        "one_directional": right.toggle(
            "A row is one direction",
            value=proposal["one_directional"],
            key=f"{key}_one",
            help="Then a row and the one with the addresses and ports exchanged become one flow.",
        ),
    }


def _preview(path: Path, values: dict[str, Any], read: Any) -> None:
    """The first flows, as this mapping reads them, and what it leaves out of them."""
    from netsynth_core.flows.logs import checked_mapping

    try:
        flows, report = read(path, checked_mapping(values))
    except NetsynthError as error:
        notice(error)
        return
    frame = flows.frame.head(8)
    st.caption(f"The first flows with this mapping ({number(report.flows)} of the first {number(report.rows)} rows):")
    st.dataframe(
        pd.DataFrame(
            {
                "start (UTC)": pd.to_datetime(frame["ts"], unit="ns"),
                "duration (s)": frame["duration"] / 1e9,
                **{name: frame[name] for name in frame.columns if name not in ("ts", "duration", "history")},
            }
        ),
        hide_index=True,
        column_config={"start (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss.SSS")},
        alt="First flows as this mapping reads them",
        key=f"preview_{path.name}",
    )
    if report.skipped:
        left_out = ", ".join(
            f"{reason}: {number(n)} (first in line {report.first_skipped.get(reason, 0)})"
            for reason, n in report.skipped.items()
        )
        st.caption(f"Left out of these rows: {md(left_out, limit=400)}.")
