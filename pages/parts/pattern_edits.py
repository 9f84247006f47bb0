"""The editing bar of the patterns page: each form prepares one edit; its price is shown before it is done."""

import streamlit as st

from netsynth_core.models.edits import Edit
from netsynth_core.models.flowchronicle import (
    AddPattern,
    DropPattern,
    EditCell,
    FlowChronicle,
    MergePatterns,
    RenamePattern,
    SetWeight,
    SplitPattern,
)
from netsynth_core.models.flowchronicle.editing import limit_words
from netsynth_core.models.flowchronicle.learnt import EMPTY_ID, LearntPattern
from netsynth_core.models.flowchronicle.written import parse_flows, written
from netsynth_core.workspace.edited import ModelState
from pages.parts import editing
from pages.parts import pattern_view as view
from pages.parts.feedback import readable_errors
from pages.parts.text import plain

NO_BOND = "no shared address"


def propose(held: ModelState, edit: Edit) -> None:
    """Put an edit before the analyst."""
    editing.prepare(held.id, edit)
    st.rerun()


def editing_bar(held: ModelState, model: FlowChronicle, learnt: LearntPattern, cell: tuple[int, str] | None) -> None:
    """What may be done to a pattern, one form at a time."""
    if learnt.id == EMPTY_ID:
        weight_form(held, learnt)
        return
    choices = ["Cell"] + (["Delay"] if len(learnt.pattern) > 1 else []) + ["Split", "Merge", "Weight", "Name"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # While an edit waits the bar is not drawn, and a widget forgets what it showed.
        last = st.session_state.get("_edit_kind", "Cell")
        shown = last if last in choices else "Cell"
        chosen = st.segmented_control("Change", choices, default=shown, required=True, key=f"edit_kind_{len(choices)}")
        st.session_state["_edit_kind"] = chosen
        if st.button("Drop this pattern…", icon=":material/delete:", key="drop"):
            propose(held, DropPattern(pattern=learnt.id))
    if chosen == "Delay":
        gap_form(held, learnt)
    elif chosen == "Split":
        split_form(held, model, learnt)
    elif chosen == "Merge":
        merge_form(held, model, learnt)
    elif chosen == "Weight":
        weight_form(held, learnt)
    elif chosen == "Name":
        name_form(held, learnt)
    else:
        cell_form(held, model, learnt, cell)


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
    sources = view.earlier_cells(flow, column)
    choices = ["fixed", "free"] + (["reused"] if sources else [])
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
        source = columns[3].selectbox(
            "Equal to",
            sources,
            key="cell_source",
            format_func=lambda pair: f"{pair[1]} of {'the same flow' if pair[0] == flow else f'flow {pair[0]}'}",
        )
        made["from_flow"], made["from_column"] = source
    if columns[4].button("Change the cell…", icon=":material/edit:", key="change_cell", width="stretch"):
        with readable_errors():
            propose(held, EditCell.model_validate(made))


def gap_form(held: ModelState, learnt: LearntPattern) -> None:
    """Move the bound of a delay."""
    gaps = list(range(1, len(learnt.pattern)))
    columns = st.columns([5, 3, 3], vertical_alignment="bottom")
    gap = columns[0].selectbox(
        "Gap",
        gaps,
        key=f"gap_{learnt.id}",
        format_func=lambda g: f"flow {g} to {g + 1}: within {limit_words(learnt.pattern.within[g - 1])} now",
    )
    within = columns[1].text_input(
        "Longest delay", value="1s", key=f"within_{learnt.id}", help="Such as 250ms or 2s; the next doubling is taken."
    )
    if columns[2].button("Change the delay…", icon=":material/timer:", key="change_gap", width="stretch"):
        propose_raw(held, {"op": "set_gap", "pattern": learnt.id, "gap": gap, "within": within})


def split_form(held: ModelState, model: FlowChronicle, learnt: LearntPattern) -> None:
    """By a value of a free cell, or at a gap."""
    ways = ["by a value"] + (["at a gap"] if len(learnt.pattern) > 1 else [])
    way = st.segmented_control("Split", ways, default=ways[0], required=True, key="split_way")
    if way == "at a gap":
        columns = st.columns([5, 3], vertical_alignment="bottom")
        gap = columns[0].selectbox(
            "Between",
            list(range(1, len(learnt.pattern))),
            key=f"cut_{learnt.id}",
            format_func=lambda g: f"flows {g} and {g + 1}",
        )
        if columns[1].button("Split it…", icon=":material/call_split:", key="split", width="stretch"):
            propose(held, SplitPattern(pattern=learnt.id, gap=gap))
        return
    cells = view.splittable(model, learnt)
    if not cells:
        st.markdown("It has no free cell to split by.")
        return
    columns = st.columns([4, 4, 3], vertical_alignment="bottom")
    flow, column = columns[0].selectbox(
        "Cell", cells, key=f"split_cell_{learnt.id}", format_func=lambda c: f"{c[1]} of flow {c[0]}"
    )
    value = columns[1].selectbox(
        "Value",
        view.value_options(model, learnt, flow, column),
        key=f"split_value_{column}_{flow}",
        accept_new_options=True,
        format_func=lambda text: plain(text, limit=60) or "none",
    )
    if columns[2].button("Split it…", icon=":material/call_split:", key="split", width="stretch"):
        propose(held, SplitPattern(pattern=learnt.id, flow=flow, column=column, value=str(value or "")))


def merge_form(held: ModelState, model: FlowChronicle, learnt: LearntPattern) -> None:
    """With another pattern after it, or what both have in common."""
    kept = [p.id for p in view.ranked(model) if p in model.patterns]
    others = [id for id in kept if id != learnt.id] + [learnt.id]
    columns = st.columns([4, 4], vertical_alignment="bottom")
    second = columns[0].selectbox(
        "With",
        others,
        key=f"merge_with_{learnt.id}",
        format_func=lambda id: plain(f"{id}: {model.sentence(model.pattern(id))}", limit=90),
    )
    how = columns[1].segmented_control(
        "How", ["it follows", "what both have in common"], default="it follows", required=True, key="merge_how"
    )
    if how != "it follows":
        if st.button("Merge them…", icon=":material/merge:", key="merge"):
            propose_raw(held, {"op": "merge_patterns", "first": learnt.id, "second": second, "how": "in_common"})
        return
    columns = st.columns([5, 2, 3, 3], vertical_alignment="bottom")
    bonds = [NO_BOND, *view.bonds(model, learnt, model.pattern(second))]
    bond = columns[0].selectbox(
        "Shared address",
        bonds,
        index=min(1, len(bonds) - 1),
        key=f"merge_bond_{learnt.id}_{second}",
        format_func=lambda b: b if isinstance(b, str) else f"{b[1]} of its flow {b[0]} = {b[3]} of flow {b[2]} here",
    )
    within = columns[1].text_input("Within", value="2s", key=f"merge_within_{learnt.id}")
    keep = columns[2].toggle("Keep both beside it", value=True, key="merge_keep")
    made: dict[str, object] = {"first": learnt.id, "second": second, "within": within, "keep": keep}
    if not isinstance(bond, str):
        made |= dict(zip(("flow", "column", "from_flow", "from_column"), bond, strict=True))
    if columns[3].button("Merge them…", icon=":material/merge:", key="merge", width="stretch"):
        propose_raw(held, {"op": MergePatterns.model_fields["op"].default, **made})


def weight_form(held: ModelState, learnt: LearntPattern) -> None:
    """How often it is generated."""
    columns = st.columns([4, 3], vertical_alignment="bottom")
    weight = columns[0].number_input(
        "Generated, times as often as in the data",
        min_value=0.0,
        max_value=1000.0,
        value=float(learnt.weight),
        step=0.1,
        key=f"weight_{learnt.id}",
        help="1 is as often as in the data, 0 is never. The description of the data does not change.",
    )
    if columns[1].button("Set the weight…", icon=":material/scale:", key="set_weight", width="stretch"):
        with readable_errors():
            propose(held, SetWeight(pattern=learnt.id, weight=weight))


def name_form(held: ModelState, learnt: LearntPattern) -> None:
    """What the analyst calls it."""
    with st.form(f"rename_{learnt.id}", border=False):
        columns = st.columns([4, 3], vertical_alignment="bottom")
        name = columns[0].text_input("Name", value=learnt.name, max_chars=80, key=f"pattern_name_{learnt.id}")
        pressed = columns[1].form_submit_button("Rename…", icon=":material/edit:", width="stretch")
    if pressed and name != learnt.name:
        propose(held, RenamePattern(pattern=learnt.id, name=name.strip()))


def add_form(held: ModelState, model: FlowChronicle, learnt: LearntPattern | None) -> None:
    """A pattern written by hand, starting from the chosen one."""
    with st.expander("Add a pattern by hand", icon=":material/add:"):
        shown = learnt is not None and learnt.pattern.covered
        with st.form("add_pattern", border=False):
            text = st.text_area(
                "One flow a line",
                value=written(learnt.pattern, model.columns) if learnt is not None and shown else "",
                placeholder="proto=UDP dst_port=53\nwithin=2s proto=TCP dst_port=443 src_ip=@1.src_ip",
                key=f"add_text_{held.hash}_{learnt.id if learnt is not None else ''}",
                help="column=value fixes a cell, column=@1.src_ip reuses an address of flow 1; what is not named is "
                f"free. Columns: {', '.join(view.column_order(model))}.",
            )
            name = st.text_input("Name", max_chars=80, placeholder="optional", key="add_name")
            pressed = st.form_submit_button("Add it…", icon=":material/add:")
        if pressed:
            with readable_errors():
                propose(held, AddPattern(flows=parse_flows(text), name=name.strip()))


def propose_raw(held: ModelState, raw: dict[str, object]) -> None:
    """Put an edit before the analyst, or say what is wrong with what was typed."""
    from netsynth_core.models.edits import parse_edit

    with readable_errors():
        propose(held, parse_edit(raw, FlowChronicle.edits))
