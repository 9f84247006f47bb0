"""Which flows follow one another: the patterns of FlowChronicle, what each explains, and mending them."""

import pandas as pd
import streamlit as st

from netsynth_core.models.flowchronicle import (
    DropPattern,
    EditCell,
    FlowChronicle,
    FlowChronicleParams,
    RenamePattern,
    RestorePattern,
)
from netsynth_core.models.flowchronicle.learnt import LearntPattern
from netsynth_core.units import format_bits, format_duration
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.edited import ModelState, open_model
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.store import Workspace
from pages.parts import editing, figures, flow_columns, frame, jobs, reads, state
from pages.parts import pattern_view as view
from pages.parts.feedback import empty, readable_errors
from pages.parts.forms import params_form
from pages.parts.pattern_grid import pattern_grid
from pages.parts.pickers import pick
from pages.parts.text import count, md, number, plain

GRID_KEY = "pattern_grid"
SHOWN_WINDOWS = 200
SHOWN_STRIPS = 12


def learn_part(workspace: Workspace, *, expanded: bool) -> None:
    """Mine the patterns of a flow table."""
    tables = workspace.artefacts(ArtefactKind.FLOWS)
    with st.expander("Mine patterns", icon=":material/model_training:", expanded=expanded):
        if not tables:
            empty(
                "No flows yet.",
                "Patterns are mined from flows: open a capture or a flow table first.",
                page="pages/capture.py",
                label="Go to Capture",
            )
            return
        source = pick("Of the flows", tables, workspace=workspace, name="flows", stale=reads.stale_ids(workspace))
        with st.form("mine", border=False):
            values = params_form(FlowChronicleParams, key="flowchronicle")
            pressed = st.form_submit_button("Mine patterns", type="primary", icon=":material/model_training:")
        if pressed:
            with readable_errors():
                FlowChronicleParams.checked(values)
                parameters = {"kind": "flowchronicle", "settings": values}
                name = f"patterns of {workspace.label(source.id).name}"
                jobs.start(workspace, Recipe(step=Step.FIT, inputs=(source.id,), parameters=parameters, name=name))


def figures_of(model: FlowChronicle) -> None:
    """What the pattern set explains, in one line of figures."""
    size, bits = model.describe().size, model.bits
    rows = int(model.trained_on["rows"])
    columns = st.columns(5)
    columns[0].metric("Patterns", number(size["patterns"]), help=f"{number(size['dropped'])} dropped by hand.")
    columns[1].metric("Of several flows", number(size["multi_flow_patterns"]))
    columns[2].metric("Windows", number(size["windows"]))
    covered = 100 * size["rows_covered"] / rows if rows else 0.0
    columns[3].metric("Flows in windows", f"{covered:.3g} %", help=f"{number(size['rows_covered'])} of {number(rows)}.")
    saved = 100 * (1 - bits.total / bits.empty) if bits.empty else 0.0
    columns[4].metric(
        "Bits saved",
        f"{saved:.3g} %",
        help=f"{format_bits(bits.total)} (model {format_bits(bits.model)}, data {format_bits(bits.data)}) "
        f"instead of {format_bits(bits.empty)}.",
    )
    for warning in model.warnings:
        st.warning(md(warning, limit=500), icon=":material/warning:")


def steady_order(ranked: list[LearntPattern], artefact: Artefact) -> list[LearntPattern]:
    """The patterns in the order in which this session first saw them, so that an edit moves no row."""
    key = f"_pattern_order_{artefact.id}"
    place = {id: row for row, id in enumerate(st.session_state.get(key, ()))}
    shown = sorted(ranked, key=lambda p: place.get(p.id, len(place)))
    st.session_state[key] = [p.id for p in shown]
    return shown


def pattern_table(model: FlowChronicle, artefact: Artefact) -> LearntPattern | None:
    """The patterns, those that save most first; returns the chosen one."""
    shown = steady_order(view.ranked(model), artefact)
    if not shown:
        st.info("No pattern shortens the description of these flows: they look independent.", icon=":material/info:")
        return None
    dropped = {learnt.id for learnt in model.dropped}
    key = f"pattern_table_{artefact.id}"
    order = [learnt.id for learnt in shown]
    wanted = state.recall("pattern")
    start = order.index(wanted) if wanted in order else 0
    if st.session_state.get(f"{key}_order") not in (None, order):
        # An edit moved the rows: the selection stays with its pattern.
        st.session_state[key] = {"selection": {"rows": [start], "columns": [], "cells": []}}
    st.session_state[f"{key}_order"] = order
    table = pd.DataFrame(
        {
            "id": [p.id for p in shown],
            "state": ["✕ dropped" if p.id in dropped else "✓ kept" for p in shown],
            "flows": [len(p.pattern) for p in shown],
            "windows": [p.usage for p in shown],
            "bits saved": [p.saved_bits for p in shown],
            "name": [plain(p.name, limit=80) for p in shown],
            "what": [plain(model.sentence(p), limit=300) for p in shown],
        }
    )
    event = st.dataframe(
        table if table["name"].any() else table.drop(columns="name"),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [start], "columns": [], "cells": []}},
        key=key,
        height=min(38 + 35 * len(shown), 300),
        column_config={
            "id": st.column_config.TextColumn(width=48),
            "state": st.column_config.TextColumn(width=88),
            "flows": st.column_config.NumberColumn(width=56, help="Flows of one occurrence."),
            "windows": st.column_config.NumberColumn(width=78, help="Times it occurs in the data."),
            "bits saved": st.column_config.NumberColumn(format="%.0f", width=84),
            "name": st.column_config.TextColumn(width=130),
            "what": st.column_config.TextColumn(width=900),
        },
        alt="Patterns, those that saved most first",
    )
    row = (event.selection.rows or [start])[0]
    chosen = shown[min(row, len(shown) - 1)]
    state.choose("pattern", chosen.id)
    return chosen


def clicked_cell(model: FlowChronicle, learnt: LearntPattern, key: str) -> tuple[int, str] | None:
    """Flow (from 1) and column of the cell that was clicked last, when it is there."""
    held = st.session_state.get(key)
    cell = held.get("cell") if held is not None else None
    if not cell:
        return None
    flow, column = int(cell["flow"]), str(cell["column"])
    if not 1 <= flow <= len(learnt.pattern) or all(c.name != column for c in model.columns):
        return None
    return flow, column


def one_pattern(workspace: Workspace, held: ModelState, model: FlowChronicle, learnt: LearntPattern) -> None:
    """The chosen pattern as a grid, with what may be done to it."""
    key = f"{GRID_KEY}_{held.id}_{learnt.id}"
    cell = clicked_cell(model, learnt, key)
    st.markdown(f"**{learnt.id}** {md(learnt.name)}")
    st.text(plain(model.sentence(learnt), limit=600))
    waiting = editing.review(workspace, held)
    pattern_grid(
        view.column_order(model),
        view.grid_rows(model, learnt),
        selected=cell,
        label=f"Pattern {learnt.id}: one row a flow, one column a field",
        key=key,
    )
    if waiting:
        return
    if any(p.id == learnt.id for p in model.dropped):
        st.markdown("**This pattern was dropped.**")
        if st.button("Restore it…", icon=":material/restore:", key="restore"):
            propose(held, RestorePattern(pattern=learnt.id))
        return
    left, right = st.columns([3, 1], gap="large")
    with left:
        cell_form(held, model, learnt, cell)
    with right:
        with st.form(f"rename_{learnt.id}", border=False):
            name = st.text_input("Name", value=learnt.name, max_chars=80, key=f"pattern_name_{learnt.id}")
            if st.form_submit_button("Rename…", icon=":material/edit:", width="stretch") and name != learnt.name:
                propose(held, RenamePattern(pattern=learnt.id, name=name.strip()))
        if st.button("Drop this pattern…", icon=":material/delete:", key="drop", width="stretch"):
            propose(held, DropPattern(pattern=learnt.id))


def propose(held: ModelState, edit: DropPattern | RestorePattern | EditCell | RenamePattern) -> None:
    """Put an edit before the analyst."""
    editing.prepare(held.id, edit)
    st.rerun()


def cell_form(held: ModelState, model: FlowChronicle, learnt: LearntPattern, cell: tuple[int, str] | None) -> None:
    """Make a cell fixed, free or reused."""
    names = view.column_order(model)
    flows = list(range(1, len(learnt.pattern) + 1))
    gone = "cell_column" not in st.session_state
    if cell is not None and (gone or st.session_state.get("_cell_shown") != (learnt.id, cell)):
        st.session_state["_cell_shown"] = (learnt.id, cell)
        st.session_state["cell_flow"], st.session_state["cell_column"] = cell
    if st.session_state.get("cell_flow") not in flows:
        st.session_state["cell_flow"] = 1
    columns = [*st.columns([2, 3, 4], vertical_alignment="bottom"), *st.columns([5, 4], vertical_alignment="bottom")]
    flow = columns[0].selectbox("Cell of flow", flows, key="cell_flow")
    column = columns[1].selectbox("Field", names, key="cell_column")
    choices = ["fixed", "free"] + (["reused"] if flow > 1 and column in view.HOSTS else [])
    kind = columns[2].segmented_control(
        "It becomes", choices, default=choices[0], required=True, key=f"cell_kind_{column}"
    )
    made = {"pattern": learnt.id, "flow": flow, "column": column, "cell": kind}
    if kind == "fixed":
        options = view.value_options(model, learnt, flow, column)
        value = columns[3].selectbox(
            "Value",
            options,
            key=f"cell_value_{column}_{flow}",
            accept_new_options=True,
            format_func=lambda text: plain(text, limit=60) or "none",
            help="Those seen in this cell come first. For numbers, any value of the bin (duration in seconds).",
        )
        made["value"] = str(value or "")
    elif kind == "reused":
        sources = [(earlier, name) for earlier in range(flow - 1, 0, -1) for name in view.HOSTS]
        source = columns[3].selectbox(
            "Equal to", sources, key="cell_source", format_func=lambda pair: f"{pair[1]} of flow {pair[0]}"
        )
        made["from_flow"], made["from_column"] = source
    if columns[4].button("Change the cell…", icon=":material/edit:", key="change_cell", width="stretch"):
        with readable_errors():
            propose(held, EditCell.model_validate(made))


def windows_tab(workspace: Workspace, artefact: Artefact, model: FlowChronicle, learnt: LearntPattern) -> None:
    """Where the pattern occurs: a strip over time, then the flows of its windows."""
    from netsynth_core.plots import window_strip

    cover = model.cover
    found = cover.windows.get(learnt.id)
    if found is None or not len(found) or model.training is None:
        st.markdown("It has no window in the data now.")
        return
    ts = model.training.ts
    figures.show(
        window_strip({learnt.id: (ts[found[:, 0]], ts[found[:, -1]])}, theme=figures.page_theme()), key="strip"
    )
    for place, law in enumerate(learnt.delays):
        middle, most = law.quantile(0.5), law.quantile(0.9)
        st.caption(
            f"Flow {place + 2} comes {format_duration(middle)} after flow {place + 1} in the middle, "
            f"nine of ten within {format_duration(most)}."
        )
    table = reads.flow_view(str(workspace.folder), artefact.inputs[0].id)
    rows = found[:SHOWN_WINDOWS].reshape(-1)
    part = table.iloc[rows].copy()
    part.insert(0, "window", [place // len(learnt.pattern) for place in range(len(rows))])
    part.insert(1, "flow", [place % len(learnt.pattern) + 1 for place in range(len(rows))])
    part.insert(2, "row", rows)
    st.dataframe(
        part,
        column_order=flow_columns.order(part.columns.drop("label")),
        hide_index=True,
        height=360,
        key=f"windows_{learnt.id}",
        column_config=flow_columns.config(),
        alt="The flows of each window",
    )
    if len(found) > SHOWN_WINDOWS:
        st.caption(f"The first {number(SHOWN_WINDOWS)} of {number(len(found))} windows.")


def network_tab(model: FlowChronicle, learnt: LearntPattern) -> None:
    """What the free cells depend on."""
    edges = view.network_edges(model, learnt)
    if not edges:
        st.markdown("Its free cells do not depend on one another.")
        return
    left, right = st.columns([3, 2])
    with left:
        st.graphviz_chart(
            view.network_dot(edges, colour=figures.page_theme().text),
            alt="The Bayesian network; the table beside it says the same",
        )
    with right:
        st.dataframe(
            pd.DataFrame(edges, columns=["this cell", "depends on"]),
            hide_index=True,
            key=f"network_{learnt.id}",
            alt="Edges of the Bayesian network",
        )


def whole_tab(workspace: Workspace, artefact: Artefact, model: FlowChronicle) -> None:
    """All patterns together: bits, windows over time, and the flows that no pattern explains."""
    from netsynth_core.plots import codelength_waterfall, window_strip

    theme = figures.page_theme()
    figures.show(codelength_waterfall(model.bits.empty, view.waterfall(model), theme=theme), key="waterfall")
    if model.training is None:
        return
    ts = model.training.ts
    strips = {
        p.id: (ts[model.cover.windows[p.id][:, 0]], ts[model.cover.windows[p.id][:, -1]])
        for p in view.ranked(model)[:SHOWN_STRIPS]
        if len(model.cover.windows.get(p.id, ()))
    }
    if strips:
        figures.show(window_strip(strips, theme=theme), key="strips")
    left = model.cover.uncovered
    st.markdown(f"**Explained by no pattern**: {count(len(left), 'flow')}")
    table = reads.flow_view(str(workspace.folder), artefact.inputs[0].id)
    st.dataframe(
        table.iloc[left[:1000]],
        height=300,
        key="uncovered",
        column_order=flow_columns.order(table.columns.drop("label"), index=True),
        column_config=flow_columns.config(),
        alt="Flows in no window",
    )


def look(workspace: Workspace, models: list[Artefact]) -> None:
    """The chosen pattern set."""
    top = st.columns([5, 5], vertical_alignment="bottom")
    with top[0]:
        artefact = pick(
            "Pattern set",
            models,
            workspace=workspace,
            name="flow_model",
            stale=reads.stale_ids(workspace),
            describe=lambda a: editing.size_now(workspace, a, "patterns"),
        )
    held = open_model(workspace, artefact.id)
    model: FlowChronicle = held.model
    with top[1]:
        editing.undo_redo(workspace, held)
    figures_of(model)
    learnt = pattern_table(model, artefact)
    if learnt is None:
        editing.review(workspace, held)
        return
    one_pattern(workspace, held, model, learnt)
    windows, network, whole = st.tabs(["Windows in the data", "Bayesian network", "All patterns"])
    with windows, readable_errors():
        windows_tab(workspace, artefact, model, learnt)
    with network:
        network_tab(model, learnt)
    with whole, readable_errors():
        whole_tab(workspace, artefact, model)


frame.title(
    "Which flows follow one another?", "Each pattern is an ordered list of partial flows; MDL says which are worth it."
)
workspace = state.require()
jobs.show_failure()
models = [a for a in workspace.artefacts(ArtefactKind.MODEL) if a.facts.get("kind") == "flowchronicle"]
if models:
    # One that cannot be read must not hide the form that learns another.
    with readable_errors():
        look(workspace, models)
learn_part(workspace, expanded=not models)
