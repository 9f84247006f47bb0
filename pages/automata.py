"""What was learnt of a protocol: its automaton, where its noise is, what it should be, and what other learners make."""

from typing import Any

import pandas as pd
import streamlit as st

from netsynth_core.models.automata.export import MOST_DRAWN
from netsynth_core.models.edits import Edit
from netsynth_core.models.tadam.edits import MergeLocations, PruneTransition, RenameLocation
from netsynth_core.units import format_bits
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.contents import group_name
from netsynth_core.workspace.edited import ModelState, open_model
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.store import Workspace
from pages.parts import automaton_view as view
from pages.parts import conversation_view, editing, figures, frame, jobs, learners, reads, state
from pages.parts.conversation_view import GRAPH_KEY, TABLE_KEY
from pages.parts.feedback import empty, readable_errors
from pages.parts.linked import linked_selection
from pages.parts.pickers import pick, shown_name
from pages.parts.text import count, md, number, plain

SIDE_BY_SIDE = "Learners side by side"
PAYLOADS = {
    "templates": "lengths and templates",
    "replay": "also the payloads themselves, for replay",
    "none": "nothing",
}


# -- learning ---------------------------------------------------------------------------------------------------------


def learn_part(workspace: Workspace, *, expanded: bool) -> None:
    """Extract conversations, then learn one automaton per group."""
    sources = [a for a in workspace.artefacts(ArtefactKind.FLOWS) if "conversations.npz" in a.files]
    with st.expander("Learn automata", icon=":material/model_training:", expanded=expanded):
        if not sources:
            empty(
                "No conversations yet.",
                "Automata learn from packets: open a capture first.",
                page="pages/capture.py",
                label="Go to Capture",
            )
            return
        source = pick("Conversations of", sources, workspace=workspace, name="flows", stale=reads.stale_ids(workspace))
        held = [a for a in workspace.artefacts(ArtefactKind.WORDS) if any(ref.id == source.id for ref in a.inputs)]
        if not held:
            st.caption("First the packets of each conversation are turned into timed words: a quick pass.")
            busy = jobs.is_busy(workspace, Step.WORDS)
            if st.button("Extract timed words", type="primary", icon=":material/notes:", disabled=busy):
                jobs.start(workspace, Recipe(step=Step.WORDS, inputs=(source.id,), name=f"words of {source.name}"))
            return
        groups = {group_name(e["service"], e["state"]): int(e["words"]) for e in held[-1].facts["files"]}
        grouping_part(held[-1].facts.get("grouping", []), len(groups))
        kind = learners.choose(key="learn_kind")
        with st.form("learn_automata", border=False):
            chosen = st.multiselect(
                "Groups (service/state); none = all",
                list(groups),
                format_func=lambda name: f"{plain(name, limit=60)} · {count(groups[name], 'conversation')}",
                key="learn_groups",
                placeholder="all groups",
            )
            values = learners.settings(kind)
            payloads = payloads_choice() if kind == "tadam" else "none"
            seed = int(st.number_input("Seed", min_value=0, max_value=2**32 - 1, value=0, key="tadam_seed"))
            pressed = st.form_submit_button("Learn", type="primary", icon=":material/model_training:")
        if pressed:
            parameters = {"kind": kind, "settings": values, "groups": chosen, "payloads": payloads}
            name = ", ".join(chosen[:3]) + ("…" if len(chosen) > 3 else "")
            recipe = Recipe(step=Step.FIT, inputs=(held[-1].id,), parameters=parameters, seed=seed, name=name)
            jobs.start(workspace, recipe)


def payloads_choice() -> str:
    """What the automaton keeps of payloads."""
    return str(
        st.radio(
            "Payloads",
            list(PAYLOADS),
            format_func=PAYLOADS.__getitem__,
            key="learn_payloads",
            horizontal=True,
            help="What the automaton keeps of the packets' payloads. Stored payloads are bytes of your capture: "
            "they go wherever the model goes.",
        )
    )


def grouping_part(grouping: list[dict[str, Any]], automata: int) -> None:
    """Which conversations one automaton will learn from, and the bits that decided it; so many automata in all."""
    joined = [entry for entry in grouping if len(entry["parts"]) > 1]
    if not joined:
        return
    saved = sum(float(entry["saved_bits"]) for entry in joined)
    parts = sum(len(entry["parts"]) for entry in joined)
    label = f"{count(parts, 'group')} joined to {number(len(joined))}, {number(automata)} to learn"
    with st.popover(label, icon=":material/call_merge:"):
        st.caption(
            f"Conversations of a service and state are learnt together with others where that makes their description "
            f"shorter: by {format_bits(saved)} in all. With those that stay alone that makes {number(automata)}: one "
            "automaton each."
        )
        st.dataframe(
            pd.DataFrame(
                {
                    "group": [plain(entry["group"], limit=60) for entry in joined],
                    "joined of": [plain(", ".join(entry["parts"]), limit=300) for entry in joined],
                    "conversations": [int(entry["words"]) for entry in joined],
                    "bits saved": [float(entry["saved_bits"]) for entry in joined],
                }
            ),
            hide_index=True,
            column_config={"bits saved": st.column_config.NumberColumn(format="%.0f")},
            alt="Groups that were joined, and the bits that saved",
        )


# -- looking ----------------------------------------------------------------------------------------------------------


def figures_of(model: Any) -> None:
    """Size, codelength and how the conversations fit, in one line of figures."""
    card = model.describe()
    size = card.size
    words = int(card.trained_on.get("words", 0))
    columns = st.columns(5)
    columns[0].metric("Locations", number(len(model.automaton.locations)))
    columns[1].metric("Transitions", number(len(model.automaton.transitions)))
    columns[2].metric("Conversations", number(words))
    if learners.explains_noise(model):
        noisy, rejected = size.get("noisy_words", 0), size.get("rejected_words", 0)
        columns[3].metric(
            "With noise",
            number(noisy),
            help=f"{number(words - noisy - rejected)} fit exactly, {number(rejected)} not at all.",
        )
    else:
        columns[3].metric(
            "With noise", "not told", help=f"Only TADAM tells noise from behaviour; see the tab {SIDE_BY_SIDE}."
        )
    bits = card.codelength
    columns[4].metric(
        "Codelength",
        format_bits(bits.total),
        help=f"Model {format_bits(bits.model)}, data {format_bits(bits.data)}; "
        f"without any model {format_bits(bits.empty)}.",
    )
    for warning in card.warnings:
        st.warning(md(warning, limit=500), icon=":material/warning:")


def filters(model: Any) -> tuple[view.Filter, str]:
    """What to fade out, and how to lay out."""
    most = max((t.count for t in model.automaton.transitions), default=1)
    # A row that wraps where it is too wide.
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        least = st.slider(
            "Least probability",
            0.0,
            0.5,
            0.0,
            0.01,
            key="least_probability",
            help="Transitions below it fade; nothing moves.",
            width=260,
        )
        seen = int(st.number_input("Least count", 0, most, 0, key="least_count", width=150))
        direction = st.segmented_control(
            "Layout", ["auto", "left to right", "top down"], default="auto", required=True, key="direction"
        )
        compact = st.toggle("Re-layout", key="compact", help="Lay out only what is shown; the rest is left out.")
    chosen = view.Filter(least, seen, compact)
    if view.too_many_for_labels(model, chosen):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("Too many transitions for labels in the drawing: point at one, or look into the table.")
            st.button(
                "Show the main ones only",
                icon=":material/filter_alt:",
                on_click=main_ones,
                args=(view.main_count(model),),
                key="main_ones",
            )
    return chosen, direction or "auto"


def main_ones(least: int) -> None:
    """The transitions that are taken at least so often, laid out by themselves."""
    st.session_state["least_count"] = least
    st.session_state["compact"] = True


def selection_panel(workspace: Workspace, held: ModelState, model: Any, selected: list[str]) -> None:
    """What is selected, and what may be done with it."""
    automaton = model.automaton
    locations = [automaton.by_location[id] for id in selected if id in automaton.by_location]
    transitions = [automaton.by_transition[id] for id in selected if id in automaton.by_transition]
    if editing.review(workspace, held):
        return
    if not selected:
        st.markdown("**Nothing selected**")
        merging = " Two locations can be merged." if model.edits else ""
        st.caption(f"Click a transition or a location; Shift-click adds.{merging}")
    if not model.edits:
        st.caption(f"TADAM's automaton can be edited; this one of {learners.title(model.kind)} is only shown.")
    if len(transitions) == 1:
        transition_panel(held, model, transitions[0].id)
    elif transitions:
        st.markdown(f"**{count(len(transitions), 'transition')} selected**; select one alone to see its delays.")
    for location in locations[:2]:
        location_panel(held, model, location.id, alone=len(locations) == 1)
    merge_part(held, model, [location.id for location in locations])


def propose(held: ModelState, edit: Edit) -> None:
    """Put an edit before the analyst."""
    editing.prepare(held.id, edit)
    st.rerun()


def transition_panel(held: ModelState, model: Any, id: str) -> None:
    """One transition: ends, symbol, counts, delays, sizes, and the button that prunes it."""
    facts = view.transition_facts(model, id)
    st.markdown(f"**Transition {id}**")
    st.text(f"{facts.source} → {facts.target}\n{facts.symbol}")
    columns = st.columns(2)
    columns[0].metric("Taken", number(facts.count))
    columns[1].metric("Probability", f"{100 * facts.probability:.3g} %")
    if facts.delay:
        st.caption(md(view.delay_sentence(model, id), limit=300))
    if facts.delay and hasattr(model, "transition_delays"):
        with readable_errors():
            view.delay_figure(model, id, theme=figures.page_theme())
    if facts.sizes:
        st.caption(md(f"Payload: {facts.sizes}", limit=300))
    if facts.carries:
        st.caption("Its packets carry:")
        st.code(plain(facts.carries, limit=600), language=None, wrap_lines=True)
    if PruneTransition not in model.edits:
        return
    if st.button("Prune this transition…", icon=":material/content_cut:", key=f"prune_{id}", width="stretch"):
        propose(held, PruneTransition(transition=id))


def location_panel(held: ModelState, model: Any, id: str, *, alone: bool) -> None:
    """One location: how often, where from, where to, and its name."""
    facts = view.location_facts(model, id)
    st.markdown(f"**Location {id}**")
    st.text(f"{facts.name}\n{facts.role}visited {count(facts.visits, 'time')}\n{facts.ways}")
    if not alone or facts.fixed or RenameLocation not in model.edits:
        return
    with st.form(f"rename_{id}", border=False):
        name = st.text_input("Name", value=facts.name, max_chars=60, key=f"name_{id}")
        if st.form_submit_button("Rename…", icon=":material/edit:", width="stretch") and name.strip() != facts.name:
            propose(held, RenameLocation(location=id, name=name.strip()))


def merge_part(held: ModelState, model: Any, chosen: list[str]) -> None:
    """Merge two locations: those selected in the graph, or two by name."""
    if MergeLocations not in model.edits:
        return
    names = {location.id: f"{location.id} · {plain(location.name, limit=40)}" for location in model.automaton.locations}
    inner = [id for id in names if id not in (model.automaton.initial, model.automaton.final)]
    if len(chosen) == 2:
        label = f"Merge {chosen[1]} into {chosen[0]}…"
        if st.button(label, icon=":material/merge:", key="merge_selected", width="stretch", type="primary"):
            propose(held, MergeLocations(keep=chosen[0], absorb=chosen[1]))
    elif len(inner) >= 2:
        with st.expander("Merge two locations by name", icon=":material/merge:"), st.form("merge", border=False):
            keep = st.selectbox("Keep", inner, format_func=names.__getitem__, key="merge_keep")
            absorb = st.selectbox("Merge into it", inner, index=1, format_func=names.__getitem__, key="merge_absorb")
            if st.form_submit_button("Merge…", width="stretch"):
                propose(held, MergeLocations(keep=keep, absorb=absorb))


def table_part(model: Any, rows: list[view.TransitionFacts]) -> None:
    """The transitions as a table: the same selection as the graph."""
    st.dataframe(
        pd.DataFrame(
            {
                "id": [row.id for row in rows],
                "from": [row.source for row in rows],
                "symbol": [row.symbol for row in rows],
                "to": [row.target for row in rows],
                "count": [row.count for row in rows],
                "probability": [row.probability for row in rows],
                "delay": [row.delay for row in rows],
                "payload": [row.sizes for row in rows],
            }
        ),
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key=TABLE_KEY,
        height=min(38 + 35 * max(len(rows), 1), 460),
        column_config={
            "id": st.column_config.TextColumn(width=48),
            "from": st.column_config.TextColumn(width=150),
            "symbol": st.column_config.TextColumn(width=135),
            "to": st.column_config.TextColumn(width=150),
            "count": st.column_config.NumberColumn(width=58),
            "probability": st.column_config.NumberColumn("prob.", format="percent", width=70, help="Probability"),
            "delay": st.column_config.TextColumn(
                width=190, help="Median of the delays in the model, and where nine of ten lie."
            ),
            "payload": st.column_config.TextColumn(width=190, help="The most frequent payload sizes."),
        },
        alt="Transitions; selecting a row selects it in the graph",
    )
    if len(rows) == MOST_DRAWN:
        st.caption(f"The {number(MOST_DRAWN)} that are taken most often; the exported files have all.")


def export_part(held: ModelState, model: Any, drawn: view.Drawing, name: str) -> None:
    """The automaton as files."""
    stem = "".join(c if c.isalnum() else "-" for c in plain(name, limit=60)) or "automaton"
    with st.popover("Export", icon=":material/download:"):
        for label, content, suffix in view.exports(held, model, drawn):
            st.download_button(
                f"Save {label}",
                content,
                file_name=f"{stem}.{suffix}",
                on_click="ignore",
                key=f"export_{suffix}",
                width="stretch",
            )


def look(workspace: Workspace, artefacts: list[Artefact]) -> None:
    """The chosen automaton."""
    stale = reads.stale_ids(workspace)
    top = st.columns([4, 5, 2], vertical_alignment="bottom")
    with top[0]:
        artefact = pick(
            "Automaton",
            artefacts,
            workspace=workspace,
            name="automaton",
            stale=stale,
            describe=lambda a: learners.words_about(workspace, a),
        )
    held = open_model(workspace, artefact.id)
    model: Any = held.model
    with top[1]:
        if model.edits:
            editing.undo_redo(workspace, held)
    figures_of(model)
    chosen, direction = filters(model)
    drawn = view.draw(held, model, chosen, direction)
    with top[2]:
        export_part(held, model, drawn, shown_name(workspace, artefact))
    rows = view.transition_rows(model, chosen)
    selected = linked_selection(
        "automaton",
        graph_key=f"{GRAPH_KEY}_{artefact.id}",
        table_key=TABLE_KEY,
        order=[row.id for row in rows],
        valid=set(model.automaton.by_location) | set(model.automaton.by_transition),
    )
    left, right = st.columns([5, 2], gap="medium")
    with left:
        view.show(drawn, model, chosen, selected, key=f"{GRAPH_KEY}_{artefact.id}")
    with right:
        selection_panel(workspace, held, model, selected)
    names = ["Transitions", "Conversations", SIDE_BY_SIDE]
    transitions, conversations, beside = st.tabs(names, key="automaton_tabs", on_change="rerun")
    with transitions:
        table_part(model, rows)
    with conversations, readable_errors():
        if learners.explains_noise(model):
            conversation_view.explained_part(workspace, artefact, held, model, selected)
        else:
            conversation_view.priced_part(workspace, artefact, held)
    # All learners price all conversations: worked out when it is looked at.
    if beside.open:
        with beside, readable_errors():
            learners.comparison(workspace, artefact)


frame.title("What do the packets say?", "One automaton per service and state; noise is told from the protocol itself.")
workspace = state.require()
jobs.show_failure()
learnt = learners.learnt(workspace)
if learnt:
    # One that cannot be read must not hide the form that learns another.
    with readable_errors():
        look(workspace, view.largest_last(learnt))
learn_part(workspace, expanded=not learnt)
if not learnt and workspace.artefacts(ArtefactKind.WORDS) and not jobs.is_busy(workspace, Step.FIT):
    empty("No automaton yet.", "Choose groups above and press Learn.")
