"""The open workspace, bad input, and jobs, as the app shows them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from netsynth_core.workspace import JobState, JobStatus, Recipe, Step, Workspace, wait_job
from netsynth_core.workspace.edited import open_model
from netsynth_core.workspace.jobs import jobs
from netsynth_core.workspace.processes import ProcessMark
from netsynth_core.workspace.running import run_job
from pages.parts import feedback
from tests.app_workspace import SMALL, do, models

Opener = Callable[..., AppTest]
BUG = feedback.bug
BIDI = "\u202e"


def test_a_link_opens_a_workspace(empty: Workspace, filled: Workspace, open_page: Opener) -> None:
    app = open_page(empty, "home", ws=str(filled.folder))
    assert any(text.value == "filled" for text in app.text)


def test_a_link_never_makes_a_workspace(empty: Workspace, tmp_path: Path, open_page: Opener) -> None:
    target = tmp_path / "not-there"
    app = open_page(empty, "home", ws=str(target))
    assert not app.exception
    assert "is no netsynth workspace" in app.error[0].value.replace("\\", "")
    assert not target.exists()


def test_a_broken_workspace_is_a_notice(tmp_path: Path, open_page: Opener) -> None:
    broken = Workspace.create(tmp_path / "broken")
    (broken.folder / "workspace.json").write_text("{")
    for page in ("home", "automata"):
        app = open_page(broken, page)
        assert not app.exception
        assert "is broken" in app.error[0].value


def test_a_broken_artefact_is_named_and_the_rest_stays(filled: Workspace, open_page: Opener) -> None:
    capture = filled.artefacts("capture")[0]
    (filled.path(capture.id) / "artefact.json").write_text("[]")
    app = open_page(filled, "home")
    assert not app.exception
    assert any("cannot be read" in warning.value for warning in app.warning)


@pytest.mark.parametrize(
    "path, message",
    [("/not/there.pcap", "does not exist"), ("", "Write the path"), (str(Path(__file__).parent), "is a directory")],
)
def test_a_bad_path_is_a_notice(path: str, message: str, empty: Workspace, open_page: Opener) -> None:
    app = open_page(empty, "capture")
    app.text_input(key="capture_path").set_value(path)
    next(b for b in app.button if b.label == "Open" and b.proto.form_id == "open_path").click().run()
    assert not app.exception
    said = [e.value for e in (*app.error, *app.warning)]
    assert any(message in text.replace("\\", "") for text in said)


def test_a_capture_opened_by_path_is_read_by_a_job(empty: Workspace, open_page: Opener) -> None:
    app = open_page(empty, "capture")
    app.text_input(key="capture_path").set_value(str(SMALL))
    next(b for b in app.button if b.label == "Open" and b.proto.form_id == "open_path").click().run()
    assert not app.exception and not app.error
    (job,) = jobs(empty)
    done = wait_job(empty, job.id, timeout_s=120)
    assert done.status.state is JobState.DONE
    app.run()
    assert [m.value for m in app.metric if m.label == "Frames left out"] == ["0"]


def test_a_failed_job_says_what_to_do(empty: Workspace, tmp_path: Path, open_page: Opener) -> None:
    path = tmp_path / "noise.pcap"
    path.write_bytes(b"no capture at all, but long enough to look at")
    app = open_page(empty, "capture")
    app.text_input(key="capture_path").set_value(str(path))
    next(b for b in app.button if b.label == "Open" and b.proto.form_id == "open_path").click().run()
    (job,) = jobs(empty)
    assert wait_job(empty, job.id, timeout_s=120).status.state is JobState.FAILED
    app.run()
    assert not app.exception
    assert "**What to do:**" in app.error[0].value
    (capture,) = empty.artefacts("capture") or (None,)
    shown = {button.key for button in app.button}
    assert capture is None or {f"read_{capture.id}", f"remove_{capture.id}"} <= shown
    assert not any("was not read yet" in text.value for text in app.text)
    app.switch_page("pages/flows.py").run()
    assert not app.error
    app.switch_page("pages/history.py").run()
    assert "**What to do:**" in app.error[0].value
    app.button(key="close_failure").click().run()
    history = open_page(empty, "history")
    assert "**What to do:**" in history.error[0].value


def test_a_fault_of_netsynth_is_a_notice_with_details(
    filled: Workspace, open_page: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(self: Workspace) -> str:
        raise TypeError("no <b>such</b> thing")

    monkeypatch.setattr(feedback, "bug", BUG)
    monkeypatch.setattr(Workspace, "notes", fault)
    app = open_page(filled, "home")
    assert not app.exception
    assert "Something went wrong in netsynth itself" in app.error[0].value
    assert "TypeError" in app.error[0].value and "<b>" not in app.error[0].value
    assert "Traceback (most recent call last)" in app.code[-1].value


def test_a_model_that_cannot_be_read_leaves_the_form_to_learn_another(filled: Workspace, open_page: Opener) -> None:
    for page, kind, learn in (
        ("patterns", "flowchronicle", "Mine patterns"),
        ("automata", "tadam", "Extract timed words"),
    ):
        for model in models(filled, kind):
            (filled.path(model.id) / "learned.json").write_text("{")
        app = open_page(filled, page)
        assert not app.exception
        assert "**What to do:**" in app.error[0].value
        assert any(button.label == learn for button in app.button)


def test_hostile_names_are_shown_as_text(filled: Workspace, open_page: Opener) -> None:
    hostile = f"[click](javascript:alert(1)) <script>alert(1)</script> $x$ :red[y] {BIDI}gpj.exe"
    for artefact in filled.artefacts():
        filled.rename(artefact.id, hostile)
    for page in ("home", "capture", "flows", "patterns", "automata", "generate", "compare", "history"):
        app = open_page(filled, page)
        assert not app.exception
        shown = [str(e.value) for kind in ("markdown", "caption", "subheader", "warning") for e in app.get(kind)]
        assert not any("[click](" in text or "<script" in text or BIDI in text for text in shown)


def test_rename_delete_and_restore(filled: Workspace, open_page: Opener) -> None:
    app = open_page(filled, "home")
    report = filled.artefacts("report")[0].id
    app.selectbox(key="home_item").select(report).run()
    app.button(key="home_delete").click().run()
    assert not filled.artefacts("report")
    app.button(key="home_restore").click().run()
    assert [a.id for a in filled.artefacts("report")] == [report]


def test_things_of_one_name_can_each_be_chosen(filled: Workspace, open_page: Opener) -> None:
    for artefact in filled.artefacts():
        filled.rename(artefact.id, "the same")
    ids = [artefact.id for artefact in filled.artefacts()]
    for page, key in (("home", "home_item"), ("history", "history_artefact")):
        for id in ids:
            app = open_page(filled, page)
            assert app.selectbox(key=key).select(id).run().selectbox(key=key).value == id


def test_a_bad_duration_is_a_notice(filled: Workspace, open_page: Opener) -> None:
    app = open_page(filled, "generate")
    app.session_state["how"] = "a stretch of time"
    app.run()
    app.text_input(key="duration").set_value("ten minutes")
    next(b for b in app.button if b.label == "Generate flows").click().run()
    assert not app.exception
    assert "is no duration" in app.error[0].value
    assert not jobs(filled)


def test_the_metrics_are_sorted_worst_first(filled: Workspace, open_page: Opener) -> None:
    app = open_page(filled, "compare")
    verdicts = [verdict.split(" ", 1)[1] for verdict in app.dataframe[0].value["verdict"]]
    order = ["far", "near", "within the floor", "not computed"]
    assert verdicts == sorted(verdicts, key=order.index)
    assert len(verdicts) > 20


def test_a_broken_report_is_a_notice(filled: Workspace, open_page: Opener) -> None:
    report = filled.artefacts("report")[0]
    (filled.path(report.id) / "report.json").write_text('{"metrics": [{}]}')
    app = open_page(filled, "compare")
    assert not app.exception
    assert "Compare again" in app.error[0].value


def test_a_capture_without_flows_can_be_read(empty: Workspace, open_page: Opener) -> None:
    capture = do(empty, Step.CAPTURE, path=str(SMALL))
    app = open_page(empty, "capture")
    app.button(key=f"read_{capture.id}").click().run()
    (job,) = jobs(empty)
    assert wait_job(empty, job.id, timeout_s=120).status.state is JobState.DONE
    app.run()
    assert not app.exception
    assert not [b for b in app.button if b.label == "Read its flows"]


def test_what_a_job_made_is_shown_at_once(filled: Workspace, open_page: Opener) -> None:
    app = open_page(filled, "generate")
    before = app.selectbox(key="pick_synthetic").value
    next(b for b in app.button if b.label == "Generate flows").click().run()
    (job,) = jobs(filled)
    done = wait_job(filled, job.id, timeout_s=120)
    assert done.status.state is JobState.DONE, done.log_tail()
    (made,) = done.status.artefacts
    app.run()
    assert not app.exception
    assert app.selectbox(key="pick_synthetic").value == made != before


def test_compare_takes_the_flows_that_the_synthetic_ones_were_learnt_from(filled: Workspace, open_page: Opener) -> None:
    made = filled.artefacts("flows")[-1]
    synthetic = next(a for a in filled.artefacts("synthetic") if "flows.parquet" in a.files)
    recorded = filled.artefacts("flows")[0]
    newest = do(filled, Step.FLOWS, recorded.inputs[0].id, idle_timeout_tcp=30.0)
    assert filled.artefacts("flows")[-1].id == newest.id
    app = open_page(filled, "compare")
    assert app.selectbox(key="pick_synthetic").value == synthetic.id
    assert app.selectbox(key="pick_real").value == made.id
    assert not app.warning
    app.selectbox(key="pick_real").select(newest.id).run()
    assert app.selectbox(key="pick_real").value == newest.id
    assert "do not belong together" in app.warning[0].value


def test_an_empty_flow_table_is_not_taken_by_itself(filled: Workspace, tmp_path: Path, open_page: Opener) -> None:
    made = filled.artefacts("flows")[-1]
    header = tmp_path / "header.pcap"
    header.write_bytes(SMALL.read_bytes()[:24])
    nothing = do(filled, Step.FLOWS, do(filled, Step.CAPTURE, path=str(header), copy=True).id)
    assert nothing.facts["flows"] == 0
    for page in ("flows", "patterns"):
        assert open_page(filled, page).selectbox(key="pick_flows").value == made.id
    assert open_page(filled, "patterns", flows=nothing.id).selectbox(key="pick_flows").value == made.id
    assert open_page(filled, "capture", flows=nothing.id).selectbox(key="pick_flows").value == nothing.id


def test_as_many_flows_as_were_learnt_from_are_proposed(filled: Workspace, open_page: Opener) -> None:
    (patterns,) = models(filled, "flowchronicle")
    app = open_page(filled, "generate")
    assert app.number_input(key=f"n_{patterns.id}").value == filled.get(patterns.inputs[0].id).facts["flows"]


def test_packets_are_proposed_for_the_newest_synthetic_flows(filled: Workspace, open_page: Opener) -> None:
    (patterns,) = models(filled, "flowchronicle")
    newest = do(filled, Step.SAMPLE, patterns.id, n=5, seed=9)
    assert open_page(filled, "generate").selectbox(key="pick_forge_flows").value == newest.id


def test_the_account_of_forged_packets_names_every_flow_once(filled: Workspace, open_page: Opener) -> None:
    packets = next(a for a in filled.artefacts("synthetic") if a.facts["content"] == "pcap")
    flows = filled.get(packets.inputs[0].id).facts["flows"]
    app = open_page(filled, "generate", synthetic=packets.id)
    figures = {m.label: int(m.value) for m in app.metric if m.label in ("Flows from automata", "With default packets")}
    left_out = next(int(m.value) for m in app.metric if m.label == "Left out")
    assert sum(figures.values()) + left_out == flows
    assert sum(figures.values()) == packets.facts["flows"]


def running_job(workspace: Workspace, step: Step, **parameters: object) -> Path:
    """A job that runs as far as anyone can see: its process is this one."""
    folder = workspace.jobs_folder / "20260101T000000000000-aaaaaa"
    folder.mkdir()
    recipe = Recipe(step=step, inputs=(workspace.artefacts("flows")[0].id,), parameters=parameters)
    (folder / "recipe.json").write_text(recipe.to_json())
    (folder / "status.json").write_text(JobStatus(state=JobState.RUNNING).model_dump_json())
    (folder / "process.json").write_text(json.dumps(ProcessMark.current().to_json()))
    return folder


def test_a_search_is_stopped_and_keeps_its_best(filled: Workspace, open_page: Opener) -> None:
    folder = running_job(filled, Step.FIT, kind="flowchronicle", settings={})
    app = open_page(filled, "patterns")
    next(b for b in app.button if b.label == "Stop and keep the best").click().run()
    assert not app.exception
    assert (folder / "stop").exists() and not (folder / "cancel").exists()
    shown = {b.label: b.disabled for b in app.button}
    assert shown["Stopping…"] and not shown["Cancel"]
    # What the job does when it sees the wish.
    status = run_job(folder)
    (made,) = status.artefacts
    assert status.state is JobState.DONE
    assert any("ended by hand" in warning for warning in open_model(filled, made).model.warnings)


@pytest.mark.parametrize(
    ("step", "parameters"), [(Step.FIT, {"kind": "independent"}), (Step.FLOWS, {}), (Step.GENERATE, {})]
)
def test_a_job_without_a_best_so_far_can_only_be_cancelled(
    step: Step, parameters: dict[str, object], filled: Workspace, open_page: Opener
) -> None:
    running_job(filled, step, **parameters)
    labels = [b.label for b in open_page(filled, "patterns").button]
    assert "Cancel" in labels and "Stop and keep the best" not in labels


@pytest.mark.parametrize("joined", [False, True])
def test_the_app_opens_the_workspace_it_is_started_with(
    empty: Workspace, open_page: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, joined: bool
) -> None:
    """``streamlit run app.py -- --workspace W``: what is asked for on the line wins over the environment."""
    folder = tmp_path / "asked-for"
    option = [f"--workspace={folder}"] if joined else ["--workspace", str(folder)]
    monkeypatch.setattr("sys.argv", ["app.py", *option])
    app = open_page(empty, "home")
    assert not app.exception and (folder / "workspace.json").exists()
    assert any(text.value == "asked-for" for text in app.sidebar.text)
