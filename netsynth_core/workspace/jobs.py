"""Jobs: a recipe done by a child process that is watched through files, so that reloads and crashes lose nothing.

``jobs/<id>/`` holds ``recipe.json`` (what to do), ``status.json`` (how far it is), ``process.json`` (who
does it), ``log.txt`` (its stderr) and, once somebody wants it to stop, ``cancel``. One job of a workspace runs at a
time; the others wait in the order they were started. A job whose process ended without a result is shown as failed.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netsynth_core.errors import WorkspaceError
from netsynth_core.files import dump_json, storage_error, write_text
from netsynth_core.workspace.processes import ProcessMark
from netsynth_core.workspace.recipes import Recipe
from netsynth_core.workspace.store import Workspace, now_text

START_GRACE_S = 20.0
"""How long a job may have no process yet: its starter is between writing the recipe and starting the child."""
CANCEL_GRACE_S = 8.0
"""How long a cancelled job may go on before it is killed."""
LOG_TAIL_BYTES = 20_000

_CHILDREN: dict[str, subprocess.Popen[bytes]] = {}
"""Children started here, so that the ended ones are collected."""


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class JobError(BaseModel):
    """Why a job failed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: str
    hint: str


class JobStatus(BaseModel):
    """What ``status.json`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: JobState = JobState.QUEUED
    phase: str = "waiting to start"
    done: int = 0
    total: int | None = None
    facts: dict[str, Any] = Field(default_factory=dict)
    """Figures of the last report of progress."""
    started: str = ""
    """ISO 8601, UTC, when the work began; empty while it waits."""
    updated: str = ""
    artefacts: tuple[str, ...] = ()
    """What was made; set when done."""
    error: JobError | None = None


class Job(BaseModel):
    """A job as it is seen now."""

    model_config = ConfigDict(frozen=True)

    id: str
    folder: Path
    recipe: Recipe
    status: JobStatus
    alive: bool
    cancel_asked: bool
    stop_asked: bool = False
    """Whether it was asked to end its search and keep the best."""

    @property
    def fraction(self) -> float | None:
        """How much of the phase is done, 0 to 1; None when unknown."""
        if self.status.total is None or self.status.total <= 0:
            return None
        return min(max(self.status.done / self.status.total, 0.0), 1.0)

    def log_tail(self) -> str:
        """The end of the job's messages."""
        try:
            with (self.folder / "log.txt").open("rb") as handle:
                handle.seek(0, os.SEEK_END)
                handle.seek(max(0, handle.tell() - LOG_TAIL_BYTES))
                return handle.read().decode("utf-8", errors="replace")
        except OSError:
            return ""


def start_job(workspace: Workspace, recipe: Recipe, *, environment: Mapping[str, str] | None = None) -> Job:
    """Start a recipe in a child process of its own session; it goes on when this process ends.

    Raises
    ------
    StorageError
        When the job's folder cannot be written.
    """
    id = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"
    folder = workspace.jobs_folder / id
    try:
        folder.mkdir(parents=True)
        write_text(folder / "status.json", dump_json(JobStatus(updated=now_text()).model_dump(mode="json")))
        write_text(folder / "recipe.json", recipe.to_json())
        with (folder / "log.txt").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "netsynth_core", "run", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                **_own_session(),
            )
    except OSError as error:
        raise storage_error(error, folder, "start a job in") from error
    _CHILDREN[id] = child
    write_text(folder / "process.json", dump_json(ProcessMark.of(child.pid).to_json()))
    return get_job(workspace, id)


def _own_session() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def get_job(workspace: Workspace, id: str) -> Job:
    """The job as it is now.

    Raises
    ------
    WorkspaceError
        When there is none of that id, or its recipe is unreadable.
    """
    folder = workspace.jobs_folder / id
    if not id or Path(id).name != id or not (folder / "recipe.json").exists():
        raise WorkspaceError(f"There is no job {id!r}.", hint="List the jobs of the workspace.")
    _collect(id)
    mark = _mark(folder)
    alive = mark.alive() if mark is not None else _just_started(folder)
    status = read_status(folder)
    asked = (folder / "cancel").exists()
    if not status.state.over and not alive:
        status = read_status(folder)
    if not status.state.over and not alive:
        status = _ended_without_result(status, cancelled=asked)
    elif asked and alive and mark is not None and _age_s(folder / "cancel") > CANCEL_GRACE_S:
        _signal(mark, kill=True)
    return Job(
        id=id,
        folder=folder,
        recipe=Recipe.from_file(folder / "recipe.json"),
        status=status,
        alive=alive,
        cancel_asked=asked,
        stop_asked=(folder / "stop").exists(),
    )


def jobs(workspace: Workspace) -> list[Job]:
    """Every job of the workspace, oldest first; unreadable folders are left out."""
    found = []
    for folder in sorted(workspace.jobs_folder.iterdir()):
        try:
            found.append(get_job(workspace, folder.name))
        except (WorkspaceError, ValueError, OSError):
            continue
    return found


def cancel_job(workspace: Workspace, id: str) -> Job:
    """Ask a job to stop: it notices at its next report of progress; if it does not, it is killed after a grace.

    The killing happens in `get_job`, which whoever watches the job calls.
    """
    job = get_job(workspace, id)
    if not job.status.state.over:
        write_text(job.folder / "cancel", now_text() + "\n")
        mark = _mark(job.folder)
        if mark is not None and job.alive:
            _signal(mark, kill=False)
    return get_job(workspace, id)


def stop_job(workspace: Workspace, id: str) -> Job:
    """Ask a job to end its search with the best so far and keep it, marked as such; learners that cannot go on."""
    job = get_job(workspace, id)
    if not job.status.state.over:
        write_text(job.folder / "stop", now_text() + "\n")
    return get_job(workspace, id)


def wait_job(workspace: Workspace, id: str, *, timeout_s: float) -> Job:
    """Wait until a job is over, or the time is; returns it as it is then."""
    deadline = time.monotonic() + timeout_s
    while True:
        job = get_job(workspace, id)
        if (job.status.state.over and not job.alive) or time.monotonic() >= deadline:
            return job
        time.sleep(0.05)


def read_status(folder: Path) -> JobStatus:
    """The status a job wrote last; the waiting state when there is none that can be read."""
    try:
        return JobStatus.model_validate_json((folder / "status.json").read_bytes())
    except (OSError, ValidationError):
        return JobStatus()


def earlier_job_alive(folder: Path) -> bool:
    """Whether a job of the same workspace that was started before this one still waits or runs."""
    for other in folder.parent.iterdir():
        if other.name >= folder.name or read_status(other).state.over:
            continue
        mark = _mark(other)
        if mark.alive() if mark is not None else _just_started(other):
            return True
    return False


def _mark(folder: Path) -> ProcessMark | None:
    try:
        return ProcessMark.from_json(json.loads((folder / "process.json").read_text("utf-8")))
    except (OSError, ValueError):
        return None


def _just_started(folder: Path) -> bool:
    return _age_s(folder / "recipe.json") < START_GRACE_S


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")


def _collect(id: str) -> None:
    child = _CHILDREN.get(id)
    if child is not None and child.poll() is not None:
        del _CHILDREN[id]


def _ended_without_result(status: JobStatus, *, cancelled: bool) -> JobStatus:
    if cancelled:
        return status.model_copy(update={"state": JobState.CANCELLED, "phase": "cancelled"})
    error = JobError(
        message="The process ended without a result.",
        hint="It was killed, ran out of memory, or the machine restarted: look into its log, then start it again.",
    )
    return status.model_copy(update={"state": JobState.FAILED, "error": error})


def _signal(mark: ProcessMark, *, kill: bool) -> None:
    """Send SIGTERM or SIGKILL to the job, and to its whole group when it leads one."""
    try:
        if sys.platform == "win32":
            os.kill(mark.pid, signal.SIGTERM)
        else:
            number = signal.SIGKILL if kill else signal.SIGTERM
            if os.getpgid(mark.pid) == mark.pid:
                os.killpg(mark.pid, number)
            else:
                os.kill(mark.pid, number)
    except (ProcessLookupError, PermissionError):
        return
