"""Where a word stands in its automaton, event by event, and where it first leaves it."""

from typing import NamedTuple

from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.tadam.noise import Alignment, OpKind


class TraceStep(NamedTuple):
    """One event read, or one transition taken without an event."""

    position: int | None
    """Index of the event in the word, its length for the end; None for a missing event."""
    transition: str | None
    """Id of the transition; None for an event that takes none."""
    before: str
    """Id of the location it begins at."""
    after: str
    op: OpKind | None
    """The noise operation; None for a plain match."""


def trace(automaton: TimedAutomaton, alignment: Alignment, events: int) -> tuple[TraceStep, ...]:
    """The steps of an explained word; empty for one that no path explains.

    Parameters
    ----------
    events
        Number of events of the word.
    """
    if not alignment.accepted:
        return ()
    path = iter(alignment.path)
    missing: dict[int, int] = {}
    others: dict[int, OpKind] = {}
    for op in alignment.ops:
        if op.kind == "deletion":
            missing[op.position] = missing.get(op.position, 0) + 1
        else:
            others[op.position] = op.kind
    steps: list[TraceStep] = []
    at = automaton.initial

    def take(position: int | None, op: OpKind | None) -> None:
        nonlocal at
        transition = automaton.transition(next(path))
        steps.append(TraceStep(position, transition.id, at, transition.target, op))
        at = transition.target

    position = 0
    while position < events:
        for _ in range(missing.get(position, 0)):
            take(None, "deletion")
        kind = others.get(position)
        if kind == "transposition":
            take(position + 1, kind)
            take(position, kind)
            position += 2
            continue
        if kind is None:
            take(position, None)
        else:
            steps.append(TraceStep(position, None, at, at, kind))
        position += 1
    for _ in range(missing.get(events, 0)):
        take(None, "deletion")
    take(events, None)
    return tuple(steps)


def leaving(steps: tuple[TraceStep, ...]) -> TraceStep | None:
    """The first step that is no plain match; None when there is none."""
    return next((step for step in steps if step.op is not None), None)
