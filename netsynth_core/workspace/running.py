"""The child's side of a job: wait for its turn, do the recipe, keep ``status.json`` up to date, leave nothing half."""

import contextlib
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netsynth_core.errors import Cancelled, NetsynthError, StorageError
from netsynth_core.files import dump_json, write_text
from netsynth_core.workspace.doing import do_recipe
from netsynth_core.workspace.jobs import JobError, JobState, JobStatus, earlier_job_alive
from netsynth_core.workspace.processes import ProcessMark
from netsynth_core.workspace.recipes import Recipe
from netsynth_core.workspace.store import Workspace, now_text

STATUS_EVERY_S = 0.2
TURN_EVERY_S = 0.2


@dataclass
class StatusMonitor:
    """Writes progress into a job's folder, at most five times a second; notices its ``cancel`` and ``stop`` files."""

    folder: Path
    status: JobStatus
    log: Callable[[str], None] | None = None
    """Told of each new phase, for the job's log."""
    _last: float = field(default=0.0)
    _phase: str = field(default="")

    def step(self, phase: str, done: int, total: int | None = None, **facts: object) -> None:
        """Report progress; raises `Cancelled` when the job is to stop."""
        now = time.monotonic()
        if self.log is not None and phase != self._phase:
            self.log(f"{now_text()} {phase}" + "".join(f", {name} {value}" for name, value in facts.items()))
        self._phase = phase
        if now - self._last < STATUS_EVERY_S:
            return
        self._last = now
        if (self.folder / "cancel").exists():
            raise Cancelled
        self.write(phase=phase, done=int(done), total=None if total is None else int(total), facts=_plain(facts))

    @property
    def stopping(self) -> bool:
        """Whether the analyst asked a search to end with the best so far."""
        return (self.folder / "stop").exists()

    def write(self, **changes: Any) -> None:
        """Replace ``status.json``."""
        self.status = self.status.model_copy(update={**changes, "updated": now_text()})
        write_text(self.folder / "status.json", dump_json(self.status.model_dump(mode="json")))

    def last(self, **changes: Any) -> None:
        """`write` on the way out of an error: a full disk must not take its place."""
        with contextlib.suppress(StorageError):
            self.write(**changes)


def _plain(facts: dict[str, object]) -> dict[str, Any]:
    """Facts as JSON values: numbers that JSON has no word for become text."""
    plain: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, bool | int | str) or value is None:
            plain[name] = value
        elif isinstance(value, float):
            plain[name] = value if value - value == 0 else str(value)
        else:
            plain[name] = value.item() if hasattr(value, "item") else str(value)
    return plain


def run_job(folder: Path, *, log: Callable[[str], None] | None = None) -> JobStatus:
    """Do the job in `folder`; its workspace is the folder two above.

    Parameters
    ----------
    log
        Gets a line at each new phase.

    Returns
    -------
    JobStatus
        The last status, which also lies in the folder.

    Raises
    ------
    NetsynthError
        When the recipe fails in a way the user can mend; the status says the same.
    Cancelled, KeyboardInterrupt
        When it was cancelled; the status says so.
    """
    recipe = Recipe.from_file(folder / "recipe.json")
    workspace = Workspace.open(folder.parent.parent)
    write_text(folder / "process.json", dump_json(ProcessMark.current().to_json()))
    monitor = StatusMonitor(folder, JobStatus(updated=now_text()), log)
    try:
        while earlier_job_alive(folder):
            monitor.step("waiting for another job", 0)
            time.sleep(TURN_EVERY_S)
        if (folder / "cancel").exists():
            raise Cancelled
        monitor.write(state=JobState.RUNNING, phase="starting", started=now_text())
        made = do_recipe(workspace, recipe, monitor=monitor)
        monitor.write(state=JobState.DONE, phase="done", artefacts=tuple(a.id for a in made))
    except (Cancelled, KeyboardInterrupt):
        monitor.last(state=JobState.CANCELLED, phase="cancelled")
        raise
    except NetsynthError as error:
        monitor.last(state=JobState.FAILED, error=JobError(message=error.message, hint=error.hint))
        raise
    except BaseException as error:
        sentence = traceback.format_exception_only(error)[-1].strip()[:500]
        hint = "This is a bug in netsynth: the log beside the job has the whole story."
        monitor.last(state=JobState.FAILED, error=JobError(message=sentence, hint=hint))
        raise
    return monitor.status
