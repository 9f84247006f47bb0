"""Progress and cancellation: long work calls `Monitor.step`; whoever watches decides what to do with it.

The terminal draws a bar, a job writes `status.json`, a test counts calls. `step` may raise `Cancelled`: then nothing
is kept. A watcher may instead ask a search to stop and keep the best it has, by `stopping`.
"""

from collections.abc import Callable
from typing import Protocol


class Monitor(Protocol):
    """What long-running work reports to."""

    def step(self, phase: str, done: int, total: int | None = None, **facts: object) -> None:
        """Report progress.

        Parameters
        ----------
        phase
            A few words a person reads, such as ``"reading packets"``.
        done, total
            Work done and to do, in any one unit; `total` is None where it is not known.
        **facts
            Small JSON-able figures worth showing (bits, patterns, packets).

        Raises
        ------
        Cancelled
            When the watcher wants the work to stop.
        """
        ...


class _Silent:
    def step(self, phase: str, done: int, total: int | None = None, **facts: object) -> None:
        return None


SILENT: Monitor = _Silent()


def stopping(monitor: Monitor) -> bool:
    """Whether the watcher wants a search to end now with the best it has found.

    A monitor says so by an attribute or property `stopping`; one without never does. Learners that cannot end early do
    not ask.
    """
    return bool(getattr(monitor, "stopping", False))


class CallbackMonitor:
    """A monitor made of one function ``(phase, done, total, facts) -> None``."""

    def __init__(self, callback: Callable[[str, int, int | None, dict[str, object]], None]) -> None:
        self._callback = callback

    def step(self, phase: str, done: int, total: int | None = None, **facts: object) -> None:
        self._callback(phase, done, total, facts)
