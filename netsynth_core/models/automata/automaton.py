"""Probabilistic timed automata as frozen values: locations, transitions, and what must always hold of them.

A run starts at the initial location, takes transitions (symbol, delay, payload size) and ends with the end marker
``$``, the only symbol that leads to the final location. Transitions store counts; probabilities follow from them.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from netsynth_core.errors import InvalidEdit, SchemaError
from netsynth_core.models.delays import DelayLaw, DelayScale, SizedDelays, SizeLaw, SizeScale

END = "$"


@dataclass(frozen=True)
class Location:
    """A node."""

    id: str
    """Stable: ``q0``, ``q1``, ...; survives edits."""
    name: str
    """What people read, such as the last symbol seen; need not be unique."""


@dataclass(frozen=True)
class Transition:
    """An edge that reads one symbol."""

    id: str
    """Stable: ``e1``, ``e2``, ...; survives edits."""
    source: str
    """Id of a location."""
    target: str
    """Id of a location."""
    symbol: str
    """A symbol of the alphabet, or ``$``."""
    count: int
    """How often the training words take it, missing packets included."""
    delay: DelayLaw | None = None
    """Law of the delay codes; None for ``$``."""
    size: SizeLaw | None = None
    """Law of the size codes; None for ``$`` and when the training words hold no sizes."""
    by_size: SizedDelays | None = None
    """Delays of small and of larger payloads, where they differ; None = `delay` whatever the size."""


@dataclass(frozen=True)
class TimedAutomaton:
    """Locations, transitions and the scales of delays and sizes."""

    alphabet: tuple[str, ...]
    """Symbols by name, sorted, without ``$``."""
    locations: tuple[Location, ...]
    transitions: tuple[Transition, ...]
    initial: str
    final: str
    scale: DelayScale
    size_scale: SizeScale | None = None
    """None when the words hold no payload sizes."""

    def __post_init__(self) -> None:
        check_automaton(self)

    @cached_property
    def by_location(self) -> Mapping[str, Location]:
        """Locations by id."""
        return {location.id: location for location in self.locations}

    @cached_property
    def by_transition(self) -> Mapping[str, Transition]:
        """Transitions by id."""
        return {transition.id: transition for transition in self.transitions}

    @cached_property
    def outgoing(self) -> Mapping[str, tuple[Transition, ...]]:
        """Transitions that leave each location, in the order of `transitions`."""
        leaving: dict[str, list[Transition]] = {location.id: [] for location in self.locations}
        for transition in self.transitions:
            leaving[transition.source].append(transition)
        return {key: tuple(value) for key, value in leaving.items()}

    @cached_property
    def incoming(self) -> Mapping[str, tuple[Transition, ...]]:
        """Transitions that enter each location, in the order of `transitions`."""
        entering: dict[str, list[Transition]] = {location.id: [] for location in self.locations}
        for transition in self.transitions:
            entering[transition.target].append(transition)
        return {key: tuple(value) for key, value in entering.items()}

    def location(self, id: str) -> Location:
        """The location of that id.

        Raises
        ------
        InvalidEdit
            When there is none.
        """
        try:
            return self.by_location[id]
        except KeyError:
            raise InvalidEdit(
                f"There is no location {id!r}.", hint="Name one of the automaton's locations, such as q0."
            ) from None

    def transition(self, id: str) -> Transition:
        """The transition of that id.

        Raises
        ------
        InvalidEdit
            When there is none.
        """
        try:
            return self.by_transition[id]
        except KeyError:
            raise InvalidEdit(
                f"There is no transition {id!r}.", hint="Name one of the automaton's transitions, such as e1."
            ) from None

    def probability(self, transition: Transition) -> float:
        """Share of the runs at its source that take this transition, 0-1."""
        total = sum(other.count for other in self.outgoing[transition.source])
        return transition.count / total if total else 0.0

    @property
    def uses(self) -> int:
        """Number of training words: how often ``$`` was reached."""
        return sum(transition.count for transition in self.transitions if transition.symbol == END)


def _refuse(message: str) -> SchemaError:
    return SchemaError(message, hint="Learn the model again, or undo the edit that led here.")


def check_automaton(automaton: TimedAutomaton) -> None:
    """Check every invariant; called by the constructor, so by every edit.

    Raises
    ------
    SchemaError
        When ids or symbols repeat, an end of a transition is missing, ``$`` leads elsewhere than to the final location
        or another symbol leads there, a count is negative, or a location cannot be reached or cannot end.
    """
    ids = {location.id for location in automaton.locations}
    if len(ids) != len(automaton.locations):
        raise _refuse("Two locations have the same id.")
    if len({transition.id for transition in automaton.transitions}) != len(automaton.transitions):
        raise _refuse("Two transitions have the same id.")
    if automaton.initial not in ids or automaton.final not in ids or automaton.initial == automaton.final:
        raise _refuse("The initial and the final location must be two of the locations.")
    alphabet = set(automaton.alphabet)
    if len(alphabet) != len(automaton.alphabet) or END in alphabet:
        raise _refuse("The alphabet names a symbol twice, or the end marker.")
    for transition in automaton.transitions:
        _check_transition(automaton, transition, ids, alphabet)
    lost = ids - reachable(automaton) - {automaton.final}
    if lost:
        raise _refuse(f"Location {min(lost)} cannot be reached from {automaton.initial}.")
    stuck = ids - co_reachable(automaton)
    if stuck:
        raise _refuse(f"No run through location {min(stuck)} can end.")


def _check_transition(automaton: TimedAutomaton, transition: Transition, ids: set[str], alphabet: set[str]) -> None:
    if transition.source not in ids or transition.target not in ids:
        raise _refuse(f"Transition {transition.id} leads from or to a location that is not there.")
    if transition.source == automaton.final:
        raise _refuse(f"Transition {transition.id} leaves the final location.")
    if (transition.symbol == END) != (transition.target == automaton.final):
        raise _refuse(f"Transition {transition.id}: only {END} leads to the final location.")
    if transition.symbol != END and (transition.symbol not in alphabet or transition.delay is None):
        raise _refuse(f"Transition {transition.id} reads a symbol outside the alphabet, or has no delay law.")
    if transition.count < 0:
        raise _refuse(f"Transition {transition.id} has a negative count.")


Node = TypeVar("Node", bound=Hashable)


def closure(start: Node, edges: Iterable[tuple[Node, Node]]) -> set[Node]:
    """All that can be reached from `start` by edges (from, to), itself too."""
    leaving: dict[Node, list[Node]] = {}
    for source, target in edges:
        leaving.setdefault(source, []).append(target)
    seen, todo = {start}, [start]
    while todo:
        for other in leaving.get(todo.pop(), ()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def reachable(automaton: TimedAutomaton) -> set[str]:
    """Ids of the locations that a run can reach."""
    return closure(automaton.initial, ((t.source, t.target) for t in automaton.transitions))


def co_reachable(automaton: TimedAutomaton) -> set[str]:
    """Ids of the locations from which a run can end."""
    return closure(automaton.final, ((t.target, t.source) for t in automaton.transitions))
