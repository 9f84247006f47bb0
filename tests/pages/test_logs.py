"""The page of event logs: open one, learn, and see which sequence is odd, where, and why."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from netsynth_core.errors import WorkspaceError
from netsynth_core.workspace import Step, Workspace
from netsynth_core.workspace.contents import cases_of, words_of
from tests.app_workspace import do

Opener = Callable[..., AppTest]
LOG = "case,event,time\n" + "".join(
    f"c{i},open,{1000 * i}\n"
    + "".join(f"c{i},read,{1000 * i + 5 * k}\n" for k in range(1, 2 + i % 3))
    + f"c{i},close,{1000 * i + 30}\n"
    for i in range(80)
)
ODD = "odd,open,90000\nodd,read,90005\nodd,*fail*,90007\nodd,read,90010\nodd,close,90030\n"


@pytest.fixture
def judged(tmp_path: Path) -> Workspace:
    """A workspace with a log, its automaton, and another log to judge."""
    workspace = Workspace.create(tmp_path / "logs")
    (tmp_path / "usual.csv").write_text(LOG)
    (tmp_path / "new.csv").write_text(LOG + ODD)
    log = do(workspace, Step.EVENTS, path=str(tmp_path / "usual.csv"))
    do(workspace, Step.FIT, log.id, kind="tadam", settings={"max_transitions": 0})
    do(workspace, Step.EVENTS, path=str(tmp_path / "new.csv"))
    return workspace


def words_on(app: AppTest) -> str:
    return "\n".join(str(e.value) for kind in ("markdown", "caption", "error") for e in app.get(kind))


def test_a_log_in_the_workspace_keeps_its_cases_and_where_it_came_from(judged: Workspace) -> None:
    log = judged.artefacts("words")[-1]
    assert cases_of(judged, log.id)[-1] == "odd"
    assert len(words_of(judged, log.id)[0]) == log.facts["words"] == 81
    assert log.facts["log"]["file"] == "new.csv"
    assert log.facts["log"]["columns"]["time"] == "time"
    assert cases_of(judged, judged.artefacts("words")[0].id)[0] == "c0"
    with pytest.raises(WorkspaceError):
        words_of(judged, log.id, "another")


def test_the_odd_sequence_comes_first_with_its_reason(judged: Workspace, open_page: Opener) -> None:
    app = open_page(judged, "logs")
    assert not app.exception
    assert not app.error
    ranking, events = app.dataframe[0].value, app.dataframe[1].value
    assert ranking["case"].iloc[0] == "odd"
    assert bool(ranking["anomaly"].iloc[0])
    assert int(ranking["anomaly"].sum()) == 1
    # A name of a log is shown as it is, never as markup.
    assert r"\*fail\*" in words_on(app)
    assert "never seen in training" in words_on(app)
    assert any("*fail*" in name for name in events["event"])
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Anomalies"] == "1"
    assert "first leaves the automaton" in words_on(app)


def test_the_log_it_learnt_from_is_told(judged: Workspace, open_page: Opener) -> None:
    app = open_page(judged, "logs", words=judged.artefacts("words")[0].id)
    assert not app.exception
    assert "the automaton learnt from" in words_on(app)


def test_from_the_sample_to_learning(empty: Workspace, open_page: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr("pages.parts.jobs.start", lambda workspace, recipe: started.append(recipe))
    app = open_page(empty, "logs")
    assert "No event log yet" in words_on(app)
    app.button(key="sample_log").click().run()
    assert not app.exception
    assert "sequences" in words_on(app)
    learn = next(button for button in app.button if button.label == "Learn")
    learn.click().run()
    assert started[0].parameters == {"kind": "tadam", "settings": {"max_transitions": 0}}


def test_a_bad_log_is_told_and_leaves_nothing(empty: Workspace, open_page: Opener, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("case,event,time\n1,open,soon\n")
    app = open_page(empty, "logs")
    app.text_input(key="log_path").input(str(tmp_path / "bad.csv"))
    next(button for button in app.button if button.label == "Open").click().run()
    assert not app.exception
    assert "no time" in app.error[0].value
    assert not empty.artefacts()


@pytest.mark.parametrize("kind", ["markov", "lookup"])
def test_any_learner_ranks_a_log(judged: Workspace, open_page: Opener, kind: str) -> None:
    model = do(judged, Step.FIT, judged.artefacts("words")[0].id, kind=kind)
    app = open_page(judged, "logs", automaton=model.id, words=judged.artefacts("words")[-1].id)
    assert not app.exception
    assert not app.error
    ranking, events = app.dataframe[0].value, app.dataframe[1].value
    assert ranking["case"].iloc[0] == "odd"
    assert list(ranking["case"][ranking["anomaly"]]) == ["odd"]
    assert list(ranking["per event"]) == sorted(ranking["per event"], reverse=True)
    assert list(events["event"]) == ["open", "read", "*fail*", "read", "close"]
    assert "Learn TADAM from this log" in words_on(app)


def test_the_learner_of_a_log_is_chosen(judged: Workspace, open_page: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr("pages.parts.jobs.start", lambda workspace, recipe: started.append(recipe))
    app = open_page(judged, "logs")
    app.selectbox(key="log_kind").select("rti").run()
    assert "only TADAM also says why" in words_on(app)
    next(button for button in app.button if button.label == "Learn").click().run()
    assert started[0].parameters["kind"] == "rti"
    assert started[0].parameters["settings"]["significance"] == 0.05


def test_a_log_of_another_kind_is_not_judged(judged: Workspace, open_page: Opener, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("case,event\n1,up\n1,down\n2,up\n2,down\n")
    other = do(judged, Step.EVENTS, path=str(tmp_path / "other.csv"))
    app = open_page(judged, "logs", words=other.id)
    assert not app.exception
    assert any("knows none of the events" in warning.value for warning in app.warning)
    assert not app.dataframe
    app.selectbox(key="pick_words").select(judged.artefacts("words")[0].id).run()
    assert not app.warning
    assert len(app.dataframe)


def test_the_model_of_the_chosen_log_judges_it(judged: Workspace, open_page: Opener) -> None:
    first, second = (artefact.id for artefact in judged.artefacts("words"))
    own = do(judged, Step.FIT, second, kind="markov").id
    app = open_page(judged, "logs", words=first)
    app.selectbox(key="pick_words").select(second).run()
    assert app.selectbox(key="pick_automaton").value == own
    app.selectbox(key="pick_words").select(first).run()
    assert app.selectbox(key="pick_automaton").value != own
