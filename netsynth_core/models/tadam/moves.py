"""What all moves of the search share: the clock, the optimism about noise, recounting known alignments."""

import time
from dataclasses import dataclass, field, replace

from netsynth_core.models.tadam.alignment import Aligned, use
from netsynth_core.models.tadam.state import State, Task, measured
from netsynth_core.models.tadam.structure import Structure
from netsynth_core.monitor import Monitor, stopping

OPTIMISM = 0.01
"""Share of each kind of noise that a move is priced with before noise of that kind was seen."""
TRIES = 6
"""Predicted moves of one kind that are carried out before giving up."""


@dataclass
class Clock:
    """The budget of CPU time, and the place where cancelling and stopping are noticed."""

    monitor: Monitor
    budget: float
    started: float = field(default_factory=time.process_time)
    accepted: int = 0
    phase: str = "learning the automaton"
    bits: float = 0.0

    @property
    def spent(self) -> float:
        """CPU seconds so far."""
        return time.process_time() - self.started

    @property
    def stopped(self) -> bool:
        """Whether the watcher wants the best so far."""
        return stopping(self.monitor)

    def over(self) -> bool:
        """Whether the budget is used up, or the watcher wants the best so far."""
        return self.spent > self.budget or self.stopped

    def share(self, place: int, parts: int) -> "Clock":
        """A clock for one of several searches: what is left of the budget, shared evenly with those after it."""
        return replace(self, budget=(self.budget - self.spent) / max(parts - place, 1), started=time.process_time())

    def tick(self) -> None:
        """Notice cancelling; reports nothing new."""
        self.monitor.step(self.phase, self.accepted, None, bits=round(self.bits, 3))

    def accept(self, state: State, move: str) -> None:
        """Report an accepted move."""
        self.accepted += 1
        self.bits = state.bits
        self.monitor.step(
            self.phase,
            self.accepted,
            None,
            bits=round(state.bits, 3),
            move=move,
            locations=state.structure.locations,
            transitions=state.structure.transitions,
            noisy_words=state.usage.noisy,
        )


def recounted(task: Task, structure: Structure, aligned: Aligned) -> State:
    """The state of alignments that are already known."""
    usage = use(task.observations, structure, aligned, size_codes=task.size_codes, delay_codes=task.delay_codes)
    return measured(task, structure, usage, aligned)


def prefixes(count: int, ratio: float) -> list[int]:
    """Sizes from `count` down to 1, each about `ratio` of the one before.

    >>> prefixes(6, 0.5)
    [6, 3, 2, 1]
    """
    sizes = []
    size = count
    while size > 0:
        sizes.append(size)
        size = min(size - 1, round(size * ratio))
    return sizes
