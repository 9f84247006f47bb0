"""Ctrl-\\ during a search: end it and keep the best so far. Ctrl-C still ends the command and keeps nothing."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from netsynth_core.monitor import Monitor


@dataclass
class _Stoppable:
    """A monitor that remembers that its watcher asked to stop."""

    monitor: Monitor
    stopping: bool = False

    def step(self, phase: str, done: int, total: int | None = None, **facts: object) -> None:
        self.monitor.step(phase, done, total, **facts)


@contextmanager
def stop_on_quit(monitor: Monitor, say: Callable[[str], None]) -> Iterator[Monitor]:
    """The monitor, asked to stop by SIGQUIT (Ctrl-\\ on a terminal); where there is no such signal, never asked."""
    stoppable = _Stoppable(monitor)
    number = getattr(signal, "SIGQUIT", None)
    if number is None:
        yield stoppable
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if not stoppable.stopping:
            say("Stopping: the best so far is kept.")
        stoppable.stopping = True

    try:
        before = signal.signal(number, stop)
    except ValueError:
        # Only the main thread hears signals.
        yield stoppable
        return
    try:
        yield stoppable
    finally:
        signal.signal(number, before)
