"""Edits through the pages: shown before they are done, done once, undone, redone, kept on disk."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from netsynth_core.models.flowchronicle import DropPattern, EditCell
from netsynth_core.models.tadam.edits import PruneTransition, RenameLocation
from netsynth_core.workspace import Artefact, Workspace
from netsynth_core.workspace.edited import apply_edit, open_model, read_log
from tests.app_workspace import models

Opener = Callable[..., AppTest]


@pytest.fixture
def automaton(filled: Workspace) -> Artefact:
    return models(filled, "tadam")[0]


@pytest.fixture
def rare(filled: Workspace, automaton: Artefact) -> str:
    """The id of the least taken transition that can be pruned."""
    model = open_model(filled, automaton.id).model
    for transition in sorted(model.automaton.transitions, key=lambda t: t.count):
        if transition.symbol != "$":
            model.preview(PruneTransition(transition=transition.id))
            return transition.id
    raise AssertionError("the automaton has no transition")


def click_in_graph(app: AppTest, automaton: Artefact, *ids: str) -> AppTest:
    """What the graph component sends when these are clicked."""
    app.session_state[f"automaton_graph_{automaton.id}"] = {"selected": {"ids": list(ids), "at": 1}}
    return app.run()


def words(app: AppTest) -> str:
    return "\n".join(str(e.value) for kind in ("markdown", "text", "caption") for e in app.get(kind))


def button(app: AppTest, label: str):  # type: ignore[no-untyped-def]
    return next(b for b in app.button if b.label == label)


def test_a_click_in_the_graph_shows_the_transition(
    filled: Workspace, automaton: Artefact, rare: str, open_page: Opener
) -> None:
    app = click_in_graph(open_page(filled, "automata", automaton=automaton.id), automaton, rare)
    assert f"**Transition {rare}**" in words(app)
    assert [m.label for m in app.metric][-2:] == ["Taken", "Probability"]


def test_graph_and_table_share_one_selection(
    filled: Workspace, automaton: Artefact, rare: str, open_page: Opener
) -> None:
    app = click_in_graph(open_page(filled, "automata", automaton=automaton.id), automaton, rare)
    rows = app.session_state["transition_table"]["selection"]["rows"]
    assert len(rows) == 1
    other = (rows[0] + 1) % len(open_model(filled, automaton.id).model.automaton.transitions)
    app.session_state["transition_table"] = {"selection": {"rows": [other], "columns": [], "cells": []}}
    app.run()
    assert f"**Transition {rare}**" not in words(app)
    assert "**Transition e" in words(app)


def test_prune_is_shown_first_then_applied_undone_and_redone(
    filled: Workspace, automaton: Artefact, rare: str, open_page: Opener
) -> None:
    before = len(open_model(filled, automaton.id).model.automaton.transitions)
    app = click_in_graph(open_page(filled, "automata", automaton=automaton.id), automaton, rare)
    button(app, "Prune this transition…").click().run()
    assert "Before you apply it" in words(app)
    assert "Codelength" in words(app)
    assert not read_log(filled.path(automaton.id)).records

    next(field for field in app.text_input if field.label.startswith("Why")).set_value("a stray packet")
    button(app, "Apply").click().run()
    assert not app.exception and not app.error
    log = read_log(filled.path(automaton.id))
    assert log.records[0].why == "a stray packet"
    assert len(open_model(filled, automaton.id).model.automaton.transitions) < before

    button(app, "Undo").click().run()
    assert len(open_model(filled, automaton.id).model.automaton.transitions) == before
    button(app, "Redo").click().run()
    assert read_log(filled.path(automaton.id)).head == 1

    history = open_page(filled, "history")
    frame = history.dataframe[0].value
    assert list(frame["edit"]) == [1]
    assert "here" in frame["stands"][0]


def test_discard_leaves_the_model_alone(filled: Workspace, automaton: Artefact, rare: str, open_page: Opener) -> None:
    app = click_in_graph(open_page(filled, "automata", automaton=automaton.id), automaton, rare)
    button(app, "Prune this transition…").click().run()
    button(app, "Discard").click().run()
    assert "Before you apply it" not in words(app)
    assert not read_log(filled.path(automaton.id)).records


def test_two_locations_are_merged_and_what_was_made_becomes_stale(
    filled: Workspace, automaton: Artefact, open_page: Opener
) -> None:
    model = open_model(filled, automaton.id).model
    ends = (model.automaton.initial, model.automaton.final)
    keep, absorb = [place.id for place in model.automaton.locations if place.id not in ends][:2]
    app = click_in_graph(open_page(filled, "automata", automaton=automaton.id), automaton, keep, absorb)
    button(app, f"Merge {absorb} into {keep}…").click().run()
    button(app, "Apply").click().run()
    assert not app.exception and not app.error
    after = open_model(filled, automaton.id).model.automaton
    assert absorb not in after.by_location
    assert any("stale" in link.proto.label for link in app.get("page_link"))


def test_an_edit_in_another_tab_is_not_overwritten(
    filled: Workspace, automaton: Artefact, rare: str, open_page: Opener
) -> None:
    app = click_in_graph(open_page(filled, "automata", automaton=automaton.id), automaton, rare)
    button(app, "Prune this transition…").click().run()
    apply_edit(filled, automaton.id, PruneTransition(transition=rare))
    app.run()
    # The transition is gone by now: the waiting edit can only be put away.
    assert "There is no transition" in app.error[0].value
    assert len(read_log(filled.path(automaton.id)).records) == 1


def test_rename_takes_hostile_text_as_text(filled: Workspace, automaton: Artefact, open_page: Opener) -> None:
    model = open_model(filled, automaton.id).model
    ends = (model.automaton.initial, model.automaton.final)
    place = next(p.id for p in model.automaton.locations if p.id not in ends)
    app = click_in_graph(open_page(filled, "automata", automaton=automaton.id), automaton, place)
    hostile = "![x](http://evil.example/p.png) <b>"
    app.text_input(key=f"name_{place}").set_value(hostile)
    button(app, "Rename…").click().run()
    button(app, "Apply").click().run()
    assert not app.exception
    assert open_model(filled, automaton.id).model.automaton.by_location[place].name == hostile
    assert all("![x](" not in str(element.value) for element in app.markdown)


def test_a_pattern_is_dropped_and_restored(filled: Workspace, open_page: Opener) -> None:
    patterns = models(filled, "flowchronicle")[0]
    app = open_page(filled, "patterns")
    button(app, "Drop this pattern…").click().run()
    assert "Before you apply it" in words(app)
    button(app, "Apply").click().run()
    assert not open_model(filled, patterns.id).model.patterns
    assert "This pattern was dropped" in words(app)
    button(app, "Restore it…").click().run()
    button(app, "Apply").click().run()
    assert len(open_model(filled, patterns.id).model.patterns) == 1
    assert read_log(filled.path(patterns.id)).head == 2


def test_a_cell_is_made_free(filled: Workspace, open_page: Opener) -> None:
    patterns = models(filled, "flowchronicle")[0]
    app = open_page(filled, "patterns")
    app.session_state[f"pattern_grid_{patterns.id}_p1"] = {"cell": {"flow": 2, "column": "dst_port", "at": 1}}
    app.run()
    assert app.selectbox(key="cell_flow").value == 2
    assert app.selectbox(key="cell_column").value == "dst_port"
    app.session_state["cell_kind_dst_port"] = "free"
    app.run()
    button(app, "Change the cell…").click().run()
    assert "make dst\\_port of flow 2 free" in words(app)
    button(app, "Apply").click().run()
    assert not app.exception and not app.error
    grid = open_model(filled, patterns.id).model
    assert next(c for c in grid.describe_pattern(grid.pattern("p1"))[1] if c.column == "dst_port").kind == "free"


def test_an_edit_that_cannot_be_done_is_a_notice(filled: Workspace, open_page: Opener) -> None:
    patterns = models(filled, "flowchronicle")[0]
    app = open_page(filled, "patterns")
    edit = EditCell(pattern="p1", flow=1, column="dst_port", cell="fixed", value="99999")
    app.session_state[f"pending_{patterns.id}"] = edit
    app.run()
    assert not app.exception
    assert "**What to do:**" in app.error[0].value
    button(app, "Put it away").click().run()
    assert not app.error
    assert not read_log(filled.path(patterns.id)).records


def test_the_path_of_a_conversation_is_shown_in_the_graph(
    filled: Workspace, automaton: Artefact, open_page: Opener
) -> None:
    app = open_page(filled, "automata", automaton=automaton.id)
    app.session_state["alignment_kind"] = "all"
    app.run()
    app.button(key="show_path").click().run()
    assert not app.exception
    assert "transitions** selected" in words(app) or "transitions selected**" in words(app)
    rows = app.session_state["transition_table"]["selection"]["rows"]
    known = open_model(filled, automaton.id).model.automaton.by_transition
    table = next(d.value for d in app.dataframe if "probability" in d.value.columns)
    assert rows and {table["id"][row] for row in rows} <= set(known)
    app.session_state["alignment_kind"] = "through the selection"
    app.run()
    assert not app.exception


def test_an_edit_changes_the_label_of_the_automaton_but_not_the_choice(filled: Workspace, open_page: Opener) -> None:
    for automaton in models(filled, "tadam"):
        app = open_page(filled, "automata", automaton=automaton.id)
        box = app.selectbox(key="pick_automaton")
        assert box.value == automaton.id
        assert not any(option.endswith(", edited") and automaton.name in option for option in box.options)
        found = open_model(filled, automaton.id).model.automaton
        inner = next(place.id for place in found.locations if place.id not in (found.initial, found.final))
        apply_edit(filled, automaton.id, RenameLocation(location=inner, name="greeting"))
        left = len(found.locations)
        app.run()
        box = app.selectbox(key="pick_automaton")
        assert box.value == automaton.id
        assert f"{automaton.name} · TADAM, {left} locations, edited" in box.options


def test_an_edit_moves_no_row_of_the_pattern_table(filled: Workspace, open_page: Opener) -> None:
    (patterns,) = models(filled, "flowchronicle")
    app = open_page(filled, "patterns")
    before = app.dataframe[0].value
    first = before["id"].iloc[0]
    apply_edit(filled, patterns.id, DropPattern(pattern=first))
    app.run()
    after = app.dataframe[0].value
    assert after["id"].tolist() == before["id"].tolist()
    assert after["state"].iloc[0] == "✕ dropped"


def start_editing(app: AppTest, kind: str) -> AppTest:
    """Choose what to change in the editing bar of a pattern of several flows, which has six choices."""
    app.session_state["edit_kind_6"] = kind
    return app.run()


def apply_waiting(app: AppTest) -> None:
    """The edit that waits is shown with its bits, then applied."""
    assert "Before you apply it" in words(app) and "Codelength" in words(app)
    button(app, "Apply").click().run()
    assert not app.exception and not app.error


def test_a_delay_is_bounded(filled: Workspace, open_page: Opener) -> None:
    patterns = models(filled, "flowchronicle")[0]
    app = start_editing(open_page(filled, "patterns"), "Delay")
    before = open_model(filled, patterns.id).model.pattern("p1").pattern.within
    app.text_input(key="within_p1").set_value("soon")
    button(app, "Change the delay…").click().run()
    assert "soon" in app.error[0].value
    app.text_input(key="within_p1").set_value("30s")
    button(app, "Change the delay…").click().run()
    apply_waiting(app)
    after = open_model(filled, patterns.id).model.pattern("p1").pattern.within
    assert after[0] == 25 and after != before


def test_a_pattern_is_cut_merged_again_and_undone(filled: Workspace, open_page: Opener) -> None:
    patterns = models(filled, "flowchronicle")[0]
    app = start_editing(open_page(filled, "patterns"), "Split")
    app.session_state["split_way"] = "at a gap"
    app.run()
    button(app, "Split it…").click().run()
    apply_waiting(app)
    model = open_model(filled, patterns.id).model
    assert [p.id for p in model.dropped] == ["p1"] and len(model.patterns) >= 1
    button(app, "Undo").click().run()
    assert [p.id for p in open_model(filled, patterns.id).model.patterns] == ["p1"]


def test_a_pattern_is_split_by_a_value(filled: Workspace, open_page: Opener) -> None:
    patterns = models(filled, "flowchronicle")[0]
    # every cell has one value but the client, which the second flow reuses until it is freed
    assert "no free cell to split by" in words(start_editing(open_page(filled, "patterns"), "Split"))
    apply_edit(filled, patterns.id, EditCell(pattern="p1", flow=2, column="src_ip", cell="free"))
    app = start_editing(open_page(filled, "patterns"), "Split")
    button(app, "Split it…").click().run()
    apply_waiting(app)
    assert {p.id for p in open_model(filled, patterns.id).model.patterns} == {"p1", "p2"}
    start_editing(app, "Merge")
    app.session_state["merge_how"] = "what both have in common"
    app.run()
    button(app, "Merge them…").click().run()
    apply_waiting(app)
    model = open_model(filled, patterns.id).model
    assert {p.id for p in model.dropped} == {"p1", "p2"} and [p.id for p in model.patterns] == ["p3"]


def test_a_weight_is_set_and_shown(filled: Workspace, open_page: Opener) -> None:
    patterns = models(filled, "flowchronicle")[0]
    app = start_editing(open_page(filled, "patterns"), "Weight")
    app.number_input(key="weight_p1").set_value(2.5)
    button(app, "Set the weight…").click().run()
    assert "Of the flows that are generated" in words(app)
    apply_waiting(app)
    assert open_model(filled, patterns.id).model.pattern("p1").weight == 2.5
    assert app.dataframe[0].value["state"].iloc[0] == "✓ kept, x 2.5"


def test_a_pattern_is_written_by_hand(filled: Workspace, open_page: Opener) -> None:
    patterns = models(filled, "flowchronicle")[0]
    app = open_page(filled, "patterns")
    box = next(area for area in app.text_area if area.label == "One flow a line")
    text = box.value
    assert "\nwithin=" in text and "=@1." in text
    first = text.splitlines()[0]
    box.set_value(f"{first}\nproto")
    button(app, "Add it…").click().run()
    assert "no cell" in app.error[0].value
    next(area for area in app.text_area if area.label == "One flow a line").set_value(first)
    button(app, "Add it…").click().run()
    apply_waiting(app)
    model = open_model(filled, patterns.id).model
    assert [len(p.pattern) for p in model.patterns] == [2, 1]
    next(area for area in app.text_area if area.label == "One flow a line").set_value(first)
    button(app, "Add it…").click().run()
    assert "has these cells already" in app.error[0].value


def test_privacy_and_the_rest_are_shown(filled: Workspace, open_page: Opener) -> None:
    patterns = models(filled, "flowchronicle")[0]
    app = open_page(filled, "patterns")
    table = app.dataframe[0].value
    assert table["id"].iloc[-1] == "empty" and table["state"].iloc[-1] == "◌ the rest"
    app.number_input(key=f"privacy_k_{patterns.id}").set_value(1000).run()
    assert "few hosts" in app.dataframe[0].value["privacy"].iloc[0]
    assert "fewer than 1000 hosts" in words(app)
    rest = open_page(filled, "patterns", pattern="empty")
    assert not rest.exception
    rest.session_state[f"pattern_table_{patterns.id}"] = {
        "selection": {"rows": [len(table) - 1], "columns": [], "cells": []}
    }
    rest.run()
    assert not rest.exception
    assert "Every flow is in a pattern" in words(rest)


def test_baselines_can_be_learnt_beside_patterns(filled: Workspace, open_page: Opener) -> None:
    app = open_page(filled, "patterns")
    app.session_state["generator"] = "sequence"
    app.run()
    assert not app.exception
    assert "SequenceBN" in words(app)
    assert any(field.label.startswith("Flows of a block") for field in app.number_input)


def test_the_page_says_which_conversations_are_learnt_together_and_why(filled: Workspace, open_page: Opener) -> None:
    (words_artefact,) = filled.artefacts("words")
    app = open_page(filled, "automata", flows=words_artefact.inputs[0].id)
    assert not app.exception
    (table,) = [d.value for d in app.dataframe if "bits saved" in d.value.columns]
    known = {entry["group"]: entry for entry in words_artefact.facts["grouping"]}
    assert len(table) and (table["bits saved"] > 0).all()
    for group, parts, number in zip(table["group"], table["joined of"], table["conversations"], strict=True):
        assert parts == ", ".join(known[group]["parts"]) and number == known[group]["words"]
