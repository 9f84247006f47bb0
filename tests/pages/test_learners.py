"""The other learners in the app: chosen, learnt, looked at without edits, and set beside TADAM."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from netsynth_core.models.codelength import Codelength
from netsynth_core.models.registry import get_kind
from netsynth_core.workspace import Step, Workspace
from pages.parts import learners
from tests.app_workspace import do, models

Opener = Callable[..., AppTest]
RIVALS = [kind for kind in learners.packet_kinds() if kind != "tadam"]
SMALL = {"tag": {"budget": 20.0}, "rti": {"budget": 20.0}, "hmm": {"states": 3, "iterations": 2}}


@pytest.fixture
def taught(filled: Workspace) -> Workspace:
    """The filled workspace, with every other learner taught by the conversations of its first automaton."""
    automaton = models(filled, "tadam")[0]
    source, group = automaton.inputs[0].id, automaton.facts["group"]
    for kind in RIVALS:
        settings = SMALL.get(kind, {})
        do(filled, Step.FIT, source, kind=kind, groups=[group], payloads="none", settings=settings)
    return filled


def said(app: AppTest) -> str:
    return "\n".join(str(e.value) for kind in ("markdown", "caption", "error") for e in app.get(kind))


def test_every_learner_of_conversations_is_offered_under_a_name_for_people() -> None:
    assert learners.packet_kinds() == ["tadam", "tag", "rti", "hmm", "markov", "lookup"]
    assert set(learners.TITLES) == set(learners.packet_kinds())


@pytest.mark.parametrize("kind", ["tadam", "rti", "lookup"])
def test_the_form_offers_the_parameters_of_the_chosen_learner(
    filled: Workspace, open_page: Opener, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    started = []
    monkeypatch.setattr("pages.parts.jobs.start", lambda workspace, recipe: started.append(recipe))
    words = filled.get(models(filled, "tadam")[0].inputs[0].id)
    app = open_page(filled, "automata", flows=words.inputs[0].id)
    app.selectbox(key="learn_kind").select(kind).run()
    assert not app.exception
    assert get_kind(kind).summary in said(app)
    next(button for button in app.button if button.label == "Learn").click().run()
    assert not app.exception
    made = started[0].parameters
    assert made["kind"] == kind
    assert set(made["settings"]) == set(get_kind(kind).params_class().model_fields)
    assert made["payloads"] == ("templates" if kind == "tadam" else "none")


@pytest.mark.parametrize("kind", RIVALS)
def test_another_learner_is_shown_and_not_edited(taught: Workspace, open_page: Opener, kind: str) -> None:
    model = models(taught, kind)[0]
    app = open_page(taught, "automata", automaton=model.id)
    assert not app.exception and not app.error
    assert "can be edited" in said(app) and "only shown" in said(app)
    labels = [button.label for button in app.button]
    assert not {"Undo", "Redo", "Merge…"} & set(labels)
    automaton = learners.open_model(taught, model.id).model.automaton
    table, priced = app.dataframe[0].value, app.dataframe[1].value
    assert len(table) == len(automaton.transitions)
    assert list(priced["bits"]) == sorted(learners.bits_of(taught, model), reverse=True)
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["With noise"] == "not told"

    ways = [t.id for t in automaton.transitions if t.symbol != "$"][:1]
    app.session_state[f"automaton_graph_{model.id}"] = {"selected": {"ids": ways, "at": 1}}
    app.run()
    assert not app.exception
    assert f"**Transition {ways[0]}**" in said(app)
    assert not [button for button in app.button if button.label.startswith(("Prune", "Rename"))]


def one_card(workspace: Workspace, id: str) -> tuple[Codelength, int]:
    """The codelength of a model, and how many conversations it learnt from."""
    card = learners.open_model(workspace, id).model.describe()
    return card.codelength, card.trained_on["words"]


def test_the_learners_stand_side_by_side(taught: Workspace, open_page: Opener) -> None:
    automaton = models(taught, "tadam")[0]
    app = open_page(taught, "automata", automaton=automaton.id)
    app.session_state["automaton_tabs"] = "Learners side by side"
    app.run()
    assert not app.exception and not app.error
    table = app.dataframe[-1].value
    assert list(table["learner"]) == ["▸ TADAM", *(learners.title(kind) for kind in RIVALS)]
    assert table["noise"].iloc[0].startswith("explained")
    assert set(table["noise"].iloc[1:]) == {"taken for behaviour"}
    for place, one in enumerate(learners.siblings(taught, automaton)):
        bits, words = one_card(taught, one.id)
        assert table["per conversation"].iloc[place] == pytest.approx(bits.data / words)
        assert table["in all"].iloc[place] == pytest.approx(bits.total / words)
    assert "published score" not in said(app)
    assert "TADAM" in said(app)


def test_bits_of_the_published_score_are_said_not_to_compare(taught: Workspace, open_page: Opener) -> None:
    first = models(taught, "tadam")[0]
    settings = {"score": "published", "budget": 20.0}
    group = first.facts["group"]
    do(taught, Step.FIT, first.inputs[0].id, kind="tadam", groups=[group], payloads="none", settings=settings)
    app = open_page(taught, "automata", automaton=first.id)
    app.session_state["automaton_tabs"] = "Learners side by side"
    app.run()
    assert not app.exception and "by the published score" in said(app)


def test_of_equal_settings_the_newest_stands_beside(taught: Workspace) -> None:
    first = models(taught, "markov")[0]
    settings = {"kind": "markov", "groups": [first.facts["group"]], "payloads": "none"}
    second = do(taught, Step.FIT, first.inputs[0].id, **settings)
    shown = [one.id for one in learners.siblings(taught, models(taught, "tadam")[0])]
    assert len(shown) == len(learners.packet_kinds())
    assert second.id in shown or first.id == second.id


def test_a_drawing_that_takes_too_long_is_told_and_the_table_stays(
    taught: Workspace, open_page: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from netsynth_core.models.automata import LayoutTooSlow

    def slow(dot: str) -> None:
        raise LayoutTooSlow("The layout of 9 edges took longer than 1 seconds.", hint="")

    monkeypatch.setattr("pages.parts.automaton_view.lay_out", slow)
    app = open_page(taught, "automata", automaton=models(taught, "tag")[0].id)
    assert not app.exception
    assert any("took longer" in info.value for info in app.info)
    assert len(app.dataframe[0].value)
