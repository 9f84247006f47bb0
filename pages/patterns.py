"""Which flows follow one another: the patterns of FlowChronicle, what each explains, and mending them."""

import pandas as pd
import streamlit as st

from netsynth_core.models.flowchronicle import FlowChronicle, RestorePattern
from netsynth_core.models.flowchronicle.describe import WORTH_NOTE, delay_words
from netsynth_core.models.flowchronicle.generation.words import drawing_words, machine_words
from netsynth_core.models.flowchronicle.learnt import EMPTY_ID, LearntPattern
from netsynth_core.models.flowchronicle.privacy import pattern_privacy, privacy_notes
from netsynth_core.models.flowchronicle.tables import cell_names, node_table
from netsynth_core.models.generator import Level
from netsynth_core.models.registry import get_kind, kinds
from netsynth_core.units import format_bits
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.edited import ModelState, open_model
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.store import Workspace
from pages.parts import editing, figures, flow_columns, frame, jobs, pattern_edits, reads, state
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
        names = [kind.name for kind in kinds() if kind.level is Level.FLOW]
        chosen = st.segmented_control(
            "Generator",
            names,
            default=names[0],
            required=True,
            key="generator",
            help="The others are baselines to compare with: they have no patterns to look at, and generate flows.",
        )
        kind = get_kind(chosen or names[0])
        st.caption(f"{kind.summary} Source: {kind.source}.")
        mining = kind.name == FlowChronicle.kind
        with st.form("mine", border=False):
            schema = kind.params_class()
            values = params_form(schema, key=kind.name)
            pressed = st.form_submit_button(
                "Mine patterns" if mining else "Learn it", type="primary", icon=":material/model_training:"
            )
        if pressed:
            with readable_errors():
                schema.checked(values)
                parameters = {"kind": kind.name, "settings": values}
                name = f"{'patterns' if mining else kind.name} of {workspace.label(source.id).name}"
                jobs.start(workspace, Recipe(step=Step.FIT, inputs=(source.id,), parameters=parameters, name=name))


def figures_of(model: FlowChronicle, k: int) -> None:
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
    told = privacy_notes(model, k)
    if told:
        with st.expander("Privacy: some patterns tell what single hosts do", icon=":material/shield_person:"):
            for note in told:
                st.markdown(f":material/warning: {md(note, limit=500)}")
    machines = machine_words(model)
    if machines:
        with st.expander("Addresses that act as one machine", icon=":material/dns:"):
            st.text("\n".join(plain(sentence, limit=200) for sentence in machines))


def steady_order(ranked: list[LearntPattern], artefact: Artefact) -> list[LearntPattern]:
    """The patterns in the order in which this session first saw them, so that an edit moves no row."""
    key = f"_pattern_order_{artefact.id}"
    place = {id: row for row, id in enumerate(st.session_state.get(key, ()))}
    shown = sorted(ranked, key=lambda p: place.get(p.id, len(place)))
    st.session_state[key] = [p.id for p in shown]
    return shown


def pattern_table(model: FlowChronicle, artefact: Artefact, k: int) -> LearntPattern:
    """The patterns, those that save most first, and the flows in no window last; returns the chosen one."""
    patterns = view.ranked(model)
    if not patterns and not any("ended" in warning for warning in model.warnings):
        st.info(
            "No pattern makes the description of these flows shorter: nothing that belongs together was found in them, "
            "and flows are generated one by one.",
            icon=":material/info:",
        )
    shown = [*steady_order(patterns, artefact), model.empty]
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
            "state": [view.state_of(model, p) for p in shown],
            "flows": [len(p.pattern) for p in shown],
            "windows": [p.usage for p in shown],
            "bits saved": [p.saved_bits if p in model.patterns else None for p in shown],
            "name": [plain(p.name, limit=80) for p in shown],
            "privacy": [view.privacy_mark(model, p, k) for p in shown],
            "what": [plain(model.sentence(p), limit=400) for p in shown],
        }
    )
    table = table.drop(columns=[name for name in ("name", "privacy") if not table[name].any()])
    event = st.dataframe(
        table.style.format(lambda figure: number(round(figure)), subset=["windows", "bits saved"], na_rep=""),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [start], "columns": [], "cells": []}},
        key=key,
        height=min(38 + 35 * len(shown), 264),
        column_config={
            "id": st.column_config.TextColumn(width=64),
            "state": st.column_config.TextColumn(width=88),
            "flows": st.column_config.NumberColumn(width=56, help="Flows of one occurrence."),
            "windows": st.column_config.NumberColumn(width=78, help="Times it occurs in the data."),
            "bits saved": st.column_config.NumberColumn(width=84, help=WORTH_NOTE),
            "name": st.column_config.TextColumn(width=130),
            "privacy": st.column_config.TextColumn(width=175, help="Raw addresses in its cells, or too few hosts."),
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


def one_pattern(workspace: Workspace, held: ModelState, model: FlowChronicle, learnt: LearntPattern, k: int) -> None:
    """The chosen pattern as a sentence and a grid, with what may be done to it."""
    key = f"{GRID_KEY}_{held.id}_{learnt.id}"
    cell = clicked_cell(model, learnt, key)
    st.markdown(f"**{learnt.id}** {md(learnt.name)}")
    st.text(plain(model.whole_sentence(learnt), limit=1200) + ".")
    privacy = "" if learnt.id == EMPTY_ID else pattern_privacy(learnt, model.columns, k)
    if privacy:
        st.badge(plain(privacy, limit=300), icon=":material/shield_person:", color="orange")
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
            pattern_edits.propose(held, RestorePattern(pattern=learnt.id))
        return
    pattern_edits.editing_bar(held, model, learnt, cell)


def windows_tab(workspace: Workspace, artefact: Artefact, model: FlowChronicle, learnt: LearntPattern) -> None:
    """Where the pattern occurs: a strip over time, then the flows of its windows."""
    from netsynth_core.plots import window_strip

    if model.training is None:
        st.markdown("The model came without its training flows.")
        return
    cover = model.cover
    found = cover.uncovered[:, None] if learnt.id == EMPTY_ID else cover.windows.get(learnt.id)
    if found is None or not len(found):
        st.markdown("It has no window in the data now.")
        return
    ts = model.training.ts
    figures.show(
        window_strip({learnt.id: (ts[found[:, 0]], ts[found[:, -1]])}, theme=figures.page_theme()), key="strip"
    )
    follows = [
        f"Flow {place + 2} follows flow {place + 1}: {delay_words(learnt, place, model.columns)}."
        for place in range(len(learnt.delays))
    ]
    st.caption("  \n".join(md(sentence, limit=300) for sentence in (*follows, *drawing_words(model, learnt.id))))
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
    """What the free cells depend on, and the table of a chosen one."""
    cells = cell_names(learnt, model.columns)
    if not cells:
        st.markdown("It has no free cell, or no window to count.")
        return
    edges = view.network_edges(model, learnt)
    left, right = st.columns([3, 2])
    with left:
        if edges:
            st.graphviz_chart(
                view.network_dot(edges, colour=figures.page_theme().text),
                alt="The Bayesian network; the table beside it says the same",
            )
        else:
            st.markdown("Its free cells do not depend on one another.")
    with right:
        st.dataframe(
            pd.DataFrame(edges, columns=["this cell", "depends on"]),
            hide_index=True,
            key=f"network_{learnt.id}",
            alt="Edges of the Bayesian network",
        )
    children = [child for child, _ in edges]
    node = st.selectbox(
        "Table of the cell",
        cells,
        index=cells.index(children[0]) if children else 0,
        key=f"node_{learnt.id}",
        help="How often each value is drawn, given the cells it depends on; the most frequent ones.",
    )
    table = node_table(learnt, model.columns, cells.index(node))
    shown = view.table_columns(table)
    percent = list(shown)[len(table.parents) + 1 :]
    st.dataframe(
        pd.DataFrame(shown),
        hide_index=True,
        key=f"cpt_{learnt.id}_{node}",
        height=min(38 + 35 * len(table.rows), 320),
        column_config={name: st.column_config.NumberColumn(format="%.3g %%") for name in percent},
        alt=f"Conditional probabilities of {node}",
    )
    if table.all_rows > len(table.rows) or table.all_values > len(table.values):
        st.caption(
            f"{number(len(table.rows))} of {count(table.all_rows, 'configuration')} and "
            f"{number(len(table.values))} of {count(table.all_values, 'value')}, the most frequent first."
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
    top = st.columns([5, 4, 1.4], vertical_alignment="bottom")
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
    k = int(
        top[2].number_input(
            "Fewest hosts",
            min_value=1,
            max_value=100_000,
            value=int(model.parameters["privacy_k"]),
            key=f"privacy_k_{artefact.id}",
            help="Patterns that rest on fewer hosts than this tell what single hosts do.",
        )
    )
    figures_of(model, k)
    learnt = pattern_table(model, artefact, k)
    one_pattern(workspace, held, model, learnt, k)
    pattern_edits.add_form(held, model, learnt)
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
