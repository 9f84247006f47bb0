"""Changes of automata by hand: prune a transition, merge two locations, rename one.

Each is a pure function that returns a new automaton; ids of what stays never change. Laws and counts of merged
transitions are joined here; a model that still has its training words recounts them afterwards.
"""

from collections.abc import Iterable
from dataclasses import replace

from netsynth_core.errors import InvalidEdit
from netsynth_core.models.automata.automaton import Location, TimedAutomaton, Transition, closure
from netsynth_core.models.delays import DelayLaw, SizeLaw

MAX_NAME = 200


def rename_location(automaton: TimedAutomaton, id: str, name: str) -> TimedAutomaton:
    """Give a location another name.

    Raises
    ------
    InvalidEdit
        When there is no such location, or the name is empty, too long or not printable.
    """
    automaton.location(id)
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidEdit(
            f"{name[:40]!r} is no name for a location.", hint=f"Give 1 to {MAX_NAME} printable characters."
        )
    return replace(
        automaton,
        locations=tuple(
            replace(location, name=name) if location.id == id else location for location in automaton.locations
        ),
    )


def prune_transition(automaton: TimedAutomaton, id: str) -> TimedAutomaton:
    """Leave out a transition, and all that then lies on no run.

    Raises
    ------
    InvalidEdit
        When there is no such transition, or no run would be left.
    """
    transition = automaton.transition(id)
    kept = [other for other in automaton.transitions if other.id != id]
    trimmed = trim(automaton, kept)
    if trimmed is None:
        raise InvalidEdit(
            f"Every run takes transition {id} ({transition.symbol}): without it no word could end.",
            hint="Prune a transition that has an alternative.",
        )
    return trimmed


def trim(automaton: TimedAutomaton, transitions: Iterable[Transition]) -> TimedAutomaton | None:
    """The automaton with only those of these transitions that lie on a run; None when there is no run."""
    kept = list(transitions)
    while True:
        forward = closure(automaton.initial, [(t.source, t.target) for t in kept])
        backward = closure(automaton.final, [(t.target, t.source) for t in kept])
        live = forward & backward
        fewer = [t for t in kept if t.source in live and t.target in live]
        if len(fewer) == len(kept):
            break
        kept = fewer
    if automaton.initial not in live:
        return None
    locations = tuple(location for location in automaton.locations if location.id in live)
    return replace(automaton, locations=locations, transitions=tuple(kept))


def merge_locations(automaton: TimedAutomaton, keep: str, absorb: str) -> TimedAutomaton:
    """Make two locations one; transitions that then have the same ends and symbol become one as well.

    The merged transition has the id of the more frequent one (of the first, when equal).

    Raises
    ------
    InvalidEdit
        When a location is not there, both are the same, or one is the final location, or the absorbed one the initial.
    """
    for id in (keep, absorb):
        automaton.location(id)
    if keep == absorb:
        raise InvalidEdit(f"Location {keep} cannot be merged with itself.", hint="Name two different locations.")
    if automaton.final in (keep, absorb):
        raise InvalidEdit("The final location cannot be merged.", hint="Name two locations that are not the end.")
    if absorb == automaton.initial:
        raise InvalidEdit(
            "The initial location cannot be absorbed.", hint="Keep the initial location and absorb the other one."
        )
    folded: dict[tuple[str, str, str], Transition] = {}
    for transition in automaton.transitions:
        moved = replace(
            transition,
            source=keep if transition.source == absorb else transition.source,
            target=keep if transition.target == absorb else transition.target,
        )
        touched = absorb in (transition.source, transition.target) or keep in (transition.source, transition.target)
        key = (moved.source, moved.symbol, moved.target) if touched else ("", "", transition.id)
        folded[key] = join_transitions(folded[key], moved) if key in folded else moved
    return replace(
        automaton,
        locations=tuple(location for location in automaton.locations if location.id != absorb),
        transitions=tuple(folded.values()),
    )


def join_transitions(first: Transition, second: Transition) -> Transition:
    """One transition for two with the same ends and symbol: counts added, laws mixed by count."""
    elder = second if second.count > first.count else first
    delay = None
    if first.delay is not None and second.delay is not None:
        delay = mix_laws(first.delay, second.delay, first.count, second.count)
    size = None
    if first.size is not None and second.size is not None:
        counts: dict[int, int] = {}
        for code, count in first.size.counts + second.size.counts:
            counts[code] = counts.get(code, 0) + count
        size = SizeLaw(tuple(sorted(counts.items())), first.size.codes)
    return replace(elder, count=first.count + second.count, delay=delay, size=size, by_size=None)


def mix_laws(first: DelayLaw, second: DelayLaw, first_count: int, second_count: int) -> DelayLaw:
    """The mixture of two laws, weighted by their counts."""
    total = max(first_count + second_count, 1)
    share = first_count / total if first_count + second_count else 0.5
    shares = ((first, share), (second, 1.0 - share))
    normals = [replace(n, weight=n.weight * own) for law, own in shares for n in law.normals]
    gammas = [replace(g, weight=g.weight * own) for law, own in shares for g in law.gammas]
    points = [replace(p, weight=p.weight * own) for law, own in shares for p in law.points]
    return DelayLaw(
        tuple(sorted(normals, key=lambda n: (n.mean, n.sd, n.weight))),
        first.codes,
        tuple(sorted(gammas, key=lambda g: (g.mean, g.shape, g.weight))),
        tuple(sorted(points, key=lambda p: (p.code, p.weight))),
    )


def default_names(automaton: TimedAutomaton) -> tuple[Location, ...]:
    """Locations named by the last symbol seen; a number tells those of the same symbol apart."""
    used: dict[str, int] = {}
    named = []
    for location in automaton.locations:
        symbols = sorted({t.symbol for t in automaton.incoming[location.id]})
        if location.id == automaton.initial:
            base = "start"
        elif location.id == automaton.final:
            base = "end"
        else:
            base = " | ".join(symbols[:2]) + (" | …" if len(symbols) > 2 else "")
        used[base] = used.get(base, 0) + 1
        named.append(Location(location.id, base if used[base] == 1 else f"{base} ({used[base]})"))
    return tuple(named)
