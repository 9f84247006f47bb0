"""Is that process still the one it was? Locks and jobs ask; no third-party package is needed.

A process is known by its number and its start mark: numbers are used again, the pair is not.
"""

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class ProcessMark:
    """Number and start of a process."""

    pid: int
    start: str
    """Start time in clock ticks since boot (Linux); empty where the system does not say."""

    @classmethod
    def of(cls, pid: int) -> Self:
        """The mark of a process that lives now."""
        return cls(pid, _start_mark(pid))

    @classmethod
    def current(cls) -> Self:
        """The mark of this process."""
        return cls.of(os.getpid())

    @classmethod
    def from_json(cls, raw: Any) -> Self | None:
        """The mark of a JSON object, or None when it is none."""
        if isinstance(raw, dict) and isinstance(raw.get("pid"), int) and isinstance(raw.get("start"), str):
            return cls(raw["pid"], raw["start"])
        return None

    def to_json(self) -> dict[str, Any]:
        """The mark as a JSON object."""
        return asdict(self)

    def alive(self) -> bool:
        """Whether the process runs; a zombie (ended, not yet collected) does not."""
        if sys.platform == "linux":
            fields = _stat_fields(self.pid)
            return fields is not None and fields[0] not in "ZX" and (not self.start or fields[19] == self.start)
        else:
            return _answers(self.pid)


def _answers(pid: int) -> bool:
    """Whether a process takes signals: all that systems without /proc say."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat from the state on (proc(5)); the name before them may hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _start_mark(pid: int) -> str:
    fields = _stat_fields(pid)
    return fields[19] if fields is not None and len(fields) > 19 else ""
