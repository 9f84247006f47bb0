"""Edits are kept beside the model, survive reopening, can be undone and redone, and never overwrite each other."""

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from netsynth_core.errors import DocumentError, InvalidEdit, WorkspaceError
from netsynth_core.models.edits import parse_edit
from netsynth_core.workspace import Artefact, ArtefactKind, Recipe, Step, Workspace, stale
from netsynth_core.workspace.doing import do_recipe
from netsynth_core.workspace.edited import EDITS, HEAD, apply_edit, check_model, open_model, read_log, redo, undo
from netsynth_core.workspace.store import LEARNED
from tests.factories import office_pcap


def do(workspace: Workspace, step: str, *inputs: str, **parameters: object) -> list[Artefact]:
    return do_recipe(workspace, Recipe(step=Step(step), inputs=inputs, parameters=parameters))


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("learnt")
    made = Workspace.create(folder / "ws")
    capture = do(made, "capture", path=str(office_pcap(folder / "office.pcap", 40)))[-1]
    flows = do(made, "flows", capture.id)[-1]
    do(made, "fit", flows.id, kind="flowchronicle")
    return made


@pytest.fixture
def workspace(learnt: Workspace, tmp_path: Path) -> Workspace:
    return Workspace.open(shutil.copytree(learnt.folder, tmp_path / "ws"))


@pytest.fixture
def model(workspace: Workspace) -> str:
    return workspace.artefacts(ArtefactKind.MODEL)[0].id


def edit(workspace: Workspace, model: str, **raw: object):  # type: ignore[no-untyped-def]
    return parse_edit(raw, open_model(workspace, model).model.edits)


def test_edits_undo_and_redo_survive_reopening(workspace: Workspace, model: str) -> None:
    learnt = (workspace.path(model, LEARNED)).read_bytes()
    before = open_model(workspace, model)
    renamed = apply_edit(
        workspace, model, edit(workspace, model, op="rename_pattern", pattern="p1", name="web"), why="it is"
    )
    dropped = apply_edit(workspace, model, edit(workspace, model, op="drop_pattern", pattern="p1"))
    assert renamed.before_hash == before.hash and dropped.before_hash == renamed.after_hash
    assert dropped.after_bits > dropped.before_bits and renamed.after_bits == renamed.before_bits
    code = (
        "import sys; from netsynth_core.workspace import Workspace; from netsynth_core.workspace.edited import *\n"
        "w = Workspace.open(sys.argv[1]); s = open_model(w, sys.argv[2])\n"
        "print(s.hash, len(s.model.patterns), undo(w, sys.argv[2]).model.pattern('p1').name)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(workspace.folder), model], capture_output=True, text=True, check=True
    ).stdout.split()
    assert told == [dropped.after_hash, str(len(before.model.patterns) - 1), "web"]
    here = open_model(workspace, model)
    assert here.hash == renamed.after_hash and here.log.can_redo
    assert undo(workspace, model).hash == before.hash
    with pytest.raises(InvalidEdit, match="nothing to undo"):
        undo(workspace, model)
    assert redo(workspace, model).hash == renamed.after_hash
    assert redo(workspace, model).hash == dropped.after_hash
    with pytest.raises(InvalidEdit, match="nothing to redo"):
        redo(workspace, model)
    assert workspace.path(model, LEARNED).read_bytes() == learnt and check_model(workspace, model) == []


def test_an_edit_after_an_undo_starts_a_branch_and_the_old_tail_is_kept(workspace: Workspace, model: str) -> None:
    first = apply_edit(workspace, model, edit(workspace, model, op="rename_pattern", pattern="p1", name="one"))
    undo(workspace, model)
    second = apply_edit(workspace, model, edit(workspace, model, op="rename_pattern", pattern="p1", name="two"))
    log = read_log(workspace.path(model))
    assert [r.id for r in log.records] == [1, 2] and [r.id for r in log.path()] == [2]
    assert (first.parent, second.parent) == (0, 0) and not log.can_redo
    assert open_model(workspace, model).model.pattern("p1").name == "two"


def test_an_edit_on_a_state_that_was_changed_elsewhere_is_refused(workspace: Workspace, model: str) -> None:
    seen = open_model(workspace, model).hash
    apply_edit(
        workspace, model, edit(workspace, model, op="rename_pattern", pattern="p1", name="x"), expected_head=seen
    )
    for act in (
        lambda: apply_edit(
            workspace, model, edit(workspace, model, op="drop_pattern", pattern="p1"), expected_head=seen
        ),
        lambda: undo(workspace, model, expected_head=seen),
    ):
        with pytest.raises(WorkspaceError, match="changed in another tab") as refused:
            act()
        assert "Reload" in refused.value.hint
    assert len(read_log(workspace.path(model)).records) == 1


def test_an_edit_that_does_not_fit_changes_nothing(workspace: Workspace, model: str) -> None:
    with pytest.raises(InvalidEdit):
        apply_edit(workspace, model, edit(workspace, model, op="drop_pattern", pattern="p99"))
    assert not workspace.path(model, EDITS).exists() and not workspace.path(model, HEAD).exists()


def test_a_full_disk_keeps_the_log_as_it_was(workspace: Workspace, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    apply_edit(workspace, model, edit(workspace, model, op="rename_pattern", pattern="p1", name="one"))
    held = (workspace.path(model, EDITS).read_bytes(), workspace.path(model, HEAD).read_bytes())

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="nothing that was saved before is lost"):
        apply_edit(workspace, model, edit(workspace, model, op="rename_pattern", pattern="p1", name="two"))
    monkeypatch.undo()
    assert (workspace.path(model, EDITS).read_bytes(), workspace.path(model, HEAD).read_bytes()) == held
    assert open_model(workspace, model).model.pattern("p1").name == "one"


def test_a_crash_between_log_and_head_leaves_the_edit_undone(workspace: Workspace, model: str) -> None:
    apply_edit(workspace, model, edit(workspace, model, op="rename_pattern", pattern="p1", name="one"))
    head = workspace.path(model, HEAD).read_bytes()
    apply_edit(workspace, model, edit(workspace, model, op="rename_pattern", pattern="p1", name="two"))
    workspace.path(model, HEAD).write_bytes(head)
    assert open_model(workspace, model).model.pattern("p1").name == "one"
    apply_edit(workspace, model, edit(workspace, model, op="rename_pattern", pattern="p1", name="three"))
    assert open_model(workspace, model).model.pattern("p1").name == "three"
    assert [r.parent for r in read_log(workspace.path(model)).records] == [0, 1, 1]


@pytest.mark.parametrize("file, text", [(EDITS, '{"id": 1}\n'), (HEAD, "{"), (HEAD, '{"head": 7, "redo": []}')])
def test_a_broken_log_is_named_and_left_alone(workspace: Workspace, model: str, file: str, text: str) -> None:
    apply_edit(workspace, model, edit(workspace, model, op="rename_pattern", pattern="p1", name="one"))
    workspace.path(model, file).write_text(text)
    with pytest.raises(DocumentError, match="cannot be read") as refused:
        open_model(workspace, model)
    assert model in refused.value.message
    assert workspace.path(model, file).read_text() == text


def test_a_changed_learnt_document_is_noticed(workspace: Workspace, model: str) -> None:
    path = workspace.path(model, LEARNED)
    held = json.loads(path.read_text())
    held["body"]["patterns"][0]["name"] = "forged"
    path.write_text(json.dumps(held))
    assert any("not as it was learnt" in problem for problem in check_model(workspace, model))


def test_what_is_no_model_cannot_be_edited(workspace: Workspace) -> None:
    flows = workspace.artefacts(ArtefactKind.FLOWS)[0].id
    with pytest.raises(WorkspaceError, match="is no model"):
        open_model(workspace, flows)


def test_what_was_made_from_an_edited_model_is_stale_until_the_edit_is_undone(workspace: Workspace, model: str) -> None:
    made = do(workspace, "sample", model, n=30)[-1]
    flows = workspace.artefacts(ArtefactKind.FLOWS)[0]
    report = do(workspace, "evaluate", flows.id, made.id)[-1]
    assert stale(workspace) == {}
    apply_edit(workspace, model, edit(workspace, model, op="drop_pattern", pattern="p1"))
    marks = stale(workspace)
    assert set(marks) == {made.id, report.id}
    assert marks[made.id][0].input == model and "edited since" in marks[made.id][0].sentence
    assert marks[report.id][0].input == made.id and "is stale" in marks[report.id][0].sentence
    again = do(workspace, "sample", model, n=30)[-1]
    assert again.id != made.id and set(stale(workspace)) == {made.id, report.id}
    undo(workspace, model)
    assert set(stale(workspace)) == {again.id}


def test_two_processes_that_edit_at_once_lose_nothing(workspace: Workspace, model: str) -> None:
    code = (
        "import sys; from netsynth_core.models.edits import parse_edit\n"
        "from netsynth_core.workspace import Workspace; from netsynth_core.workspace.edited import *\n"
        "w = Workspace.open(sys.argv[1]); m = sys.argv[2]\n"
        "for i in range(6):\n"
        "    raw = {'op': 'rename_pattern', 'pattern': 'p1', 'name': f'{sys.argv[3]}{i}'}\n"
        "    apply_edit(w, m, parse_edit(raw, open_model(w, m).model.edits))\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(workspace.folder), model, name]) for name in ("a", "b")
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    path = read_log(workspace.path(model)).path()
    assert sorted(str(record.edit["name"]) for record in path) == [f"{w}{i}" for w in "ab" for i in range(6)]
    assert all(after.before_hash == before.after_hash for before, after in itertools.pairwise(path))
    assert check_model(workspace, model) == []
