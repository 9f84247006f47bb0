"""The workspace keeps what it was given, whole, and finds it again."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from netsynth_core.errors import Cancelled, DocumentError, NewerDocument, WorkspaceError
from netsynth_core.workspace import ArtefactKind, Recipe, Workspace
from netsynth_core.workspace.locks import acquire_by_name, folder_lock, release_by_name


def hello(folder: Path) -> dict[str, Any]:
    (folder / "hello.txt").write_text("hello")
    return {"letters": 5}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "ws")


def entries(workspace: Workspace) -> list[str]:
    return sorted(str(p.relative_to(workspace.folder)) for p in workspace.folder.rglob("*") if p.is_file())


def test_an_artefact_is_found_again_by_another_process_of_thought(workspace: Workspace) -> None:
    made = workspace.add(ArtefactKind.REPORT, hello, name="first")
    again = Workspace.open(workspace.folder)
    assert again.get(made.id) == made
    assert again.artefacts() == [made]
    assert again.artefacts("report") == [made] and again.artefacts("flows") == []
    assert again.path(made.id, "hello.txt").read_text() == "hello"
    assert made.files == ("hello.txt",) and made.facts == {"letters": 5} and made.versions["netsynth"]


def test_ids_name_the_content_and_how_it_was_made(workspace: Workspace) -> None:
    one = workspace.add(ArtefactKind.REPORT, hello, name="one")
    same = workspace.add(ArtefactKind.REPORT, hello, name="another name")
    other = workspace.add(ArtefactKind.REPORT, hello, name="one", recipe=Recipe(step="evaluate", seed=3))
    assert same == one
    assert other.id != one.id and other.hash == one.hash
    assert len(workspace.artefacts()) == 2


@pytest.mark.parametrize("error", [RuntimeError, Cancelled, KeyboardInterrupt])
def test_what_fails_while_it_is_made_leaves_nothing(workspace: Workspace, error: type[BaseException]) -> None:
    before = entries(workspace)

    def fail(folder: Path) -> dict[str, Any]:
        (folder / "half.txt").write_text("half")
        raise error

    with pytest.raises(error):
        workspace.add(ArtefactKind.REPORT, fail, name="x")
    assert entries(workspace) == before and list((workspace.folder / "tmp").iterdir()) == []


def test_what_a_killed_process_left_half_made_is_swept_and_what_a_living_one_makes_is_not(workspace: Workspace) -> None:
    code = (
        "import os, sys; from netsynth_core.workspace import Workspace;"
        "w = Workspace.open(sys.argv[1]); s = w.staging(); p = s.__enter__();"
        "(p / 'half').write_text('x'); print(p, flush=True); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(workspace.folder)], capture_output=True, text=True)
    left = Path(killed.stdout.strip())
    assert left.exists()
    with workspace.staging() as mine:
        Workspace.open(workspace.folder)
        assert mine.exists()
        assert not left.exists()


def test_names_and_notes_change_and_the_record_does_not(workspace: Workspace) -> None:
    made = workspace.add(ArtefactKind.REPORT, hello, name="first")
    record = workspace.path(made.id, "artefact.json").read_bytes()
    assert workspace.label(made.id).name == "first"
    workspace.rename(made.id, "  Monday <b>office</b> ", note="quiet day")
    workspace.rename(made.id, "Monday")
    label = Workspace.open(workspace.folder).label(made.id)
    assert (label.name, label.note) == ("Monday", "quiet day")
    assert workspace.path(made.id, "artefact.json").read_bytes() == record
    with pytest.raises(WorkspaceError, match="cannot be a name"):
        workspace.rename(made.id, "   ")


def test_deleting_moves_to_the_trash_and_restoring_brings_back(workspace: Workspace) -> None:
    made = workspace.add(ArtefactKind.REPORT, hello, name="first")
    lies = workspace.delete(made.id)
    assert workspace.artefacts() == [] and (lies / "hello.txt").read_text() == "hello"
    with pytest.raises(WorkspaceError, match="holds no"):
        workspace.get(made.id)
    assert workspace.trash() == [lies.name]
    assert workspace.restore(lies.name) == made.id
    assert workspace.get(made.id) == made and workspace.trash() == []
    with pytest.raises(WorkspaceError, match="trash"):
        workspace.restore("../" + made.id)


def test_notes_of_the_workspace(workspace: Workspace) -> None:
    assert workspace.notes() == ""
    workspace.write_notes("# Monday\n")
    assert Workspace.open(workspace.folder).notes() == "# Monday\n"


@pytest.mark.parametrize("id", ["", ".", "..", "../ws", "a/b", "a\\b", "flows-000000000000"])
def test_ids_reach_nothing_outside(workspace: Workspace, id: str) -> None:
    with pytest.raises(WorkspaceError, match="holds no"):
        workspace.path(id)


def test_a_broken_record_is_named_and_left_alone(workspace: Workspace) -> None:
    good = workspace.add(ArtefactKind.REPORT, hello, name="good")
    bad = workspace.add(ArtefactKind.FLOWS, hello, name="bad")
    record = workspace.path(bad.id, "artefact.json")
    record.write_text('{"id": 3')
    assert workspace.artefacts() == [good]
    (broken,) = workspace.broken()
    assert broken.folder.name == bad.id and "artefact.json" in broken.problem
    with pytest.raises(DocumentError, match="is broken"):
        workspace.get(bad.id)
    assert record.read_text() == '{"id": 3' and workspace.path(bad.id, "hello.txt").read_text() == "hello"


def test_folders_that_are_no_workspace_newer_or_broken_are_refused(tmp_path: Path, workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="no netsynth workspace"):
        Workspace.open(tmp_path)
    with pytest.raises(WorkspaceError, match="already"):
        Workspace.create(workspace.folder)
    marker = workspace.folder / "workspace.json"
    held = json.loads(marker.read_text())
    marker.write_text(json.dumps({**held, "version": 99}))
    with pytest.raises(NewerDocument, match="version 99"):
        Workspace.open(workspace.folder)
    marker.write_text(json.dumps({**held, "format": "other"}))
    with pytest.raises(DocumentError, match="format"):
        Workspace.open(workspace.folder)
    marker.write_text("{")
    with pytest.raises(DocumentError, match="broken"):
        Workspace.open_or_create(workspace.folder)
    assert marker.read_text() == "{"


def test_a_second_writer_waits_and_is_then_refused(workspace: Workspace) -> None:
    made = workspace.add(ArtefactKind.REPORT, hello, name="first")
    code = (
        "import sys, time; from netsynth_core.workspace import Workspace;\n"
        "with Workspace.open(sys.argv[1]).lock():\n    print('held', flush=True); time.sleep(30)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(workspace.folder)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        impatient = Workspace(workspace.folder, lock_timeout_s=0.2)
        begun = time.monotonic()
        with pytest.raises(WorkspaceError, match="another process"):
            impatient.rename(made.id, "second")
        assert time.monotonic() - begun >= 0.2
        assert workspace.label(made.id).name == "first"
        holder.kill()
        holder.wait()
        workspace.rename(made.id, "second")
    assert workspace.label(made.id).name == "second"


def test_the_lock_by_name_excludes_and_is_taken_over_from_the_dead(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    held = acquire_by_name(lock, time.monotonic() + 1)
    with pytest.raises(WorkspaceError):
        acquire_by_name(lock, time.monotonic())
    release_by_name(lock, held)
    code = (
        "import sys, time, pathlib; from netsynth_core.workspace.locks import acquire_by_name;"
        "acquire_by_name(pathlib.Path(sys.argv[1]), time.monotonic())"
    )
    subprocess.run([sys.executable, "-c", code, str(lock)], check=True)
    assert lock.with_suffix(".owner").exists()
    release_by_name(lock, acquire_by_name(lock, time.monotonic()))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(OSError, match=r"Cannot make the workspace.*Hint:"):
        Workspace.create(blocked / "ws")
    with pytest.raises(OSError, match="Cannot"), folder_lock(blocked / "lock"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
