"""Jobs are watched through files, cancelled, and found again whatever happened to whoever started them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsynth_core.errors import Cancelled, NetsynthError, WorkspaceError
from netsynth_core.workspace import (
    JobState,
    Recipe,
    Workspace,
    cancel_job,
    get_job,
    start_job,
    stop_job,
    wait_job,
)
from netsynth_core.workspace import jobs as jobs_module
from netsynth_core.workspace.jobs import JobStatus, jobs, read_status
from netsynth_core.workspace.processes import ProcessMark
from netsynth_core.workspace.running import StatusMonitor, run_job


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace.create(tmp_path / "ws")
    yield made
    for job in jobs(made):
        pid = json.loads((job.folder / "process.json").read_text())["pid"] if job.alive else os.getpid()
        if pid != os.getpid():
            os.killpg(pid, signal.SIGKILL)
            wait_job(made, job.id, timeout_s=10)


MAGIC = b"\xd4\xc3\xb2\xa1"
"""What a pcap begins with."""


@pytest.fixture
def quick(tmp_path: Path) -> Recipe:
    (tmp_path / "small.pcap").write_bytes(MAGIC + bytes(20))
    return Recipe(step="capture", parameters={"path": str(tmp_path / "small.pcap"), "copy": True})


@pytest.fixture
def endless(tmp_path: Path) -> Recipe:
    """Hashing a sparse file of 8 TiB takes no disk and longer than any test."""
    path = tmp_path / "huge.pcap"
    with path.open("wb") as handle:
        handle.write(MAGIC)
        handle.truncate(8 << 40)
    return Recipe(step="capture", parameters={"path": str(path)})


def wait_for(workspace: Workspace, id: str, state: JobState) -> None:
    deadline = time.monotonic() + 20
    while get_job(workspace, id).status.state is not state:
        assert time.monotonic() < deadline, get_job(workspace, id)
        time.sleep(0.02)


def leftovers(workspace: Workspace) -> list[Path]:
    Workspace.open(workspace.folder)
    return [*(workspace.folder / "tmp").iterdir(), *(workspace.folder / "artefacts").iterdir()]


def test_a_job_runs_and_its_result_is_an_artefact(workspace: Workspace, quick: Recipe) -> None:
    started = start_job(workspace, quick)
    assert started.recipe == quick and not started.status.state.over
    job = wait_job(workspace, started.id, timeout_s=20)
    assert job.status.state is JobState.DONE and not job.alive
    (artefact,) = workspace.artefacts()
    assert job.status.artefacts == (artefact.id,) and artefact.recipe == quick
    assert job.status.started and job.status.updated >= job.status.started
    assert "reading the file" in job.log_tail() and "made: " + artefact.id in job.log_tail()


def test_a_job_that_fails_says_what_to_do(workspace: Workspace, tmp_path: Path) -> None:
    missing = Recipe(step="capture", parameters={"path": str(tmp_path / "nowhere.pcap")})
    job = wait_job(workspace, start_job(workspace, missing).id, timeout_s=20)
    assert job.status.state is JobState.FAILED and job.status.error is not None
    assert "nowhere.pcap does not exist" in job.status.error.message and "path" in job.status.error.hint
    assert workspace.artefacts() == []


def test_a_running_job_is_cancelled_and_leaves_nothing(workspace: Workspace, endless: Recipe) -> None:
    started = start_job(workspace, endless)
    wait_for(workspace, started.id, JobState.RUNNING)
    assert get_job(workspace, started.id).alive
    cancel_job(workspace, started.id)
    job = wait_job(workspace, started.id, timeout_s=15)
    assert job.status.state is JobState.CANCELLED and not job.alive and job.cancel_asked
    assert leftovers(workspace) == []


def test_a_killed_job_is_reported_and_leaves_nothing(workspace: Workspace, endless: Recipe) -> None:
    started = start_job(workspace, endless)
    wait_for(workspace, started.id, JobState.RUNNING)
    os.kill(json.loads((started.folder / "process.json").read_text())["pid"], signal.SIGKILL)
    job = wait_job(workspace, started.id, timeout_s=10)
    assert job.status.state is JobState.FAILED and job.status.error is not None
    assert job.status.error.message == "The process ended without a result."
    assert leftovers(workspace) == []


def test_one_job_runs_at_a_time_in_the_order_of_starting(workspace: Workspace, endless: Recipe, quick: Recipe) -> None:
    first = start_job(workspace, endless)
    wait_for(workspace, first.id, JobState.RUNNING)
    second = start_job(workspace, quick)
    deadline = time.monotonic() + 20
    while get_job(workspace, second.id).status.phase != "waiting for another job":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert get_job(workspace, second.id).status.state is JobState.QUEUED
    cancel_job(workspace, first.id)
    assert wait_job(workspace, second.id, timeout_s=20).status.state is JobState.DONE
    assert [job.id for job in jobs(workspace)] == [first.id, second.id]


def test_a_waiting_job_can_be_cancelled(workspace: Workspace, endless: Recipe, quick: Recipe) -> None:
    first = start_job(workspace, endless)
    wait_for(workspace, first.id, JobState.RUNNING)
    second = start_job(workspace, quick)
    cancel_job(workspace, second.id)
    assert wait_job(workspace, second.id, timeout_s=15).status.state is JobState.CANCELLED
    assert get_job(workspace, first.id).status.state is JobState.RUNNING
    assert workspace.artefacts() == []


def test_a_job_goes_on_without_its_starter_and_is_found_again(workspace: Workspace, endless: Recipe) -> None:
    code = (
        "import sys; from netsynth_core.workspace import *\n"
        "w = Workspace.open(sys.argv[1])\n"
        "print(start_job(w, Recipe.model_validate_json(sys.argv[2])).id)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(workspace.folder), endless.to_json()],
        capture_output=True,
        text=True,
        check=True,
    )
    (found,) = jobs(Workspace.open(workspace.folder))
    assert found.id == done.stdout.strip() and found.alive
    wait_for(workspace, found.id, JobState.RUNNING)
    cancel_job(workspace, found.id)
    assert wait_job(workspace, found.id, timeout_s=15).status.state is JobState.CANCELLED


def test_a_job_that_does_not_listen_is_killed_after_the_grace(
    workspace: Workspace, quick: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workspace.jobs_folder / "20260101T000000000000-aaaaaa"
    folder.mkdir()
    (folder / "recipe.json").write_text(quick.to_json())
    (folder / "status.json").write_text(JobStatus(state=JobState.RUNNING).model_dump_json())
    deaf = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(20)",
        ],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with deaf:
        assert deaf.stdout is not None and deaf.stdout.readline()
        (folder / "process.json").write_text(json.dumps(ProcessMark.of(deaf.pid).to_json()))
        monkeypatch.setattr(jobs_module, "CANCEL_GRACE_S", 0.3)
        cancel_job(workspace, folder.name)
        assert wait_job(workspace, folder.name, timeout_s=10).status.state is JobState.CANCELLED
        assert deaf.wait() == -signal.SIGKILL


def test_a_number_used_again_by_another_process_is_not_the_job(workspace: Workspace, quick: Recipe) -> None:
    folder = workspace.jobs_folder / "20260101T000000000000-bbbbbb"
    folder.mkdir()
    (folder / "recipe.json").write_text(quick.to_json())
    (folder / "status.json").write_text(JobStatus(state=JobState.RUNNING).model_dump_json())
    mine = ProcessMark.current()
    (folder / "process.json").write_text(json.dumps(ProcessMark(mine.pid, mine.start + "1").to_json()))
    assert get_job(workspace, folder.name).status.state is JobState.FAILED


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        mark = ProcessMark.of(child.pid)
        deadline = time.monotonic() + 10
        while mark.alive():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert child.returncode is None


def test_the_monitor_writes_seldom_and_notices_a_wish_to_cancel(tmp_path: Path) -> None:
    monitor = StatusMonitor(tmp_path, JobStatus(state=JobState.RUNNING))
    monitor.step("counting", 1, 10, bits=1.5, share=float("nan"))
    first = read_status(tmp_path)
    assert (first.phase, first.done, first.total, first.facts) == ("counting", 1, 10, {"bits": 1.5, "share": "nan"})
    for done in range(2, 200):
        monitor.step("counting", done, 200)
    assert read_status(tmp_path).done < 199
    (tmp_path / "cancel").write_text("now")
    time.sleep(0.25)
    with pytest.raises(Cancelled):
        monitor.step("counting", 199, 200)


def test_a_job_may_be_asked_to_stop_and_keep_the_best(workspace: Workspace, endless: Recipe) -> None:
    """Its monitor says so, also to parts of a larger job; nothing is cancelled."""
    from netsynth_core.monitor import SILENT, stopping
    from netsynth_core.workspace.fitting import within

    job = start_job(workspace, endless)
    monitor = StatusMonitor(job.folder, JobStatus())
    assert not stopping(monitor)
    assert not stopping(within(SILENT, "part"))
    assert not job.stop_asked
    assert stop_job(workspace, job.id).stop_asked
    assert stopping(monitor)
    assert stopping(within(monitor, "part"))
    monitor.step("searching", 1)
    cancel_job(workspace, job.id)
    assert wait_job(workspace, job.id, timeout_s=20).status.state is JobState.CANCELLED


def test_what_a_job_raises_is_in_its_status(workspace: Workspace, tmp_path: Path) -> None:
    folder = workspace.jobs_folder / "20260101T000000000000-cccccc"
    folder.mkdir()
    (folder / "recipe.json").write_text(Recipe(step="fit", inputs=("flows-0",), parameters={"kind": "x"}).to_json())
    with pytest.raises(NetsynthError):
        run_job(folder)
    status = read_status(folder)
    assert status.state is JobState.FAILED and status.error is not None and "flows-0" in status.error.message


def test_unknown_and_unreadable_jobs(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="no job"):
        get_job(workspace, "nothing")
    with pytest.raises(WorkspaceError, match="no job"):
        get_job(workspace, "../jobs")
    (workspace.jobs_folder / "junk").mkdir()
    (workspace.jobs_folder / "junk" / "recipe.json").write_text("{")
    assert jobs(workspace) == []
