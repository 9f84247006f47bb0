"""A lock on a folder, held by one process at a time; whoever dies lets go of it.

`flock` where the system has it, otherwise a file created exclusively that names its owner.
"""

import errno
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netsynth_core.errors import WorkspaceError
from netsynth_core.files import storage_error
from netsynth_core.workspace.processes import ProcessMark

POLL_S = 0.02


@contextmanager
def folder_lock(path: Path, *, timeout_s: float = 10.0) -> Iterator[None]:
    """Hold the lock file `path` inside the block.

    Not reentrant: a thread that asks twice waits for itself until the timeout.

    Raises
    ------
    WorkspaceError
        When another process holds it for longer than `timeout_s`.
    """
    handle = _acquire(path, time.monotonic() + timeout_s)
    try:
        yield
    finally:
        _release(path, handle)


def _busy(path: Path) -> WorkspaceError:
    return WorkspaceError(
        f"The workspace {path.parent} is being written by another process.",
        hint="Wait until the other tab or command is done, then try again.",
    )


if sys.platform != "win32":
    import fcntl

    def _acquire(path: Path, deadline: float) -> int:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise storage_error(error, path, "write") from error
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return handle
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR):
                    os.close(handle)
                    raise storage_error(error, path, "lock") from error
                if time.monotonic() >= deadline:
                    os.close(handle)
                    raise _busy(path) from error
            time.sleep(POLL_S)

    def _release(path: Path, handle: int) -> None:
        os.close(handle)

else:

    def _acquire(path: Path, deadline: float) -> int:
        return acquire_by_name(path, deadline)

    def _release(path: Path, handle: int) -> None:
        release_by_name(path, handle)


def acquire_by_name(path: Path, deadline: float) -> int:
    """Create ``<path>.owner`` exclusively, taking it over from a process that has died.

    Raises
    ------
    WorkspaceError
        When its owner lives beyond the deadline (`time.monotonic`).
    """
    owned = path.with_suffix(".owner")
    while True:
        try:
            handle = os.open(owned, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            os.write(handle, json.dumps(ProcessMark.current().to_json()).encode())
            return handle
        except FileExistsError:
            if _owner_is_dead(owned):
                owned.unlink(missing_ok=True)
                continue
        except OSError as error:
            raise storage_error(error, owned, "lock") from error
        if time.monotonic() >= deadline:
            raise _busy(path)
        time.sleep(POLL_S)


def release_by_name(path: Path, handle: int) -> None:
    """Let go of what `acquire_by_name` took."""
    os.close(handle)
    path.with_suffix(".owner").unlink(missing_ok=True)


def _owner_is_dead(owned: Path) -> bool:
    try:
        mark = ProcessMark.from_json(json.loads(owned.read_text("utf-8")))
    except (OSError, ValueError):
        return False
    return mark is not None and not mark.alive()
