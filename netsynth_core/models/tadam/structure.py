"""The bare graph of an automaton in flat arrays, what the words use of it, and the way to and from `TimedAutomaton`.

Locations and transitions are positions here; the numbers of their stable ids (q3, e7) travel with them. Location 0
is the initial one, location 1 the final one, which only the end marker (symbol code = size of the alphabet) reaches.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.automata.automaton import END, Location, TimedAutomaton, Transition
from netsynth_core.models.delays import DelayLaw, DelayScale, SizeLaw, SizeScale, fit_delay_laws
from netsynth_core.models.tadam.data import Observations

INITIAL, FINAL = 0, 1


@dataclass(frozen=True, eq=False)
class Structure:
    """Locations and transitions without figures."""

    symbols: int
    """Size of the alphabet; this is also the code of ``$``."""
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    symbol: NDArray[np.int64]
    transition_ids: NDArray[np.int64]
    """Numbers of the stable ids: 3 for e3."""
    location_ids: NDArray[np.int64]
    names: tuple[str, ...]
    """Name of each location."""

    @property
    def locations(self) -> int:
        """Number of locations, the final one included."""
        return len(self.location_ids)

    @property
    def transitions(self) -> int:
        """Number of transitions, those of ``$`` included."""
        return len(self.source)

    def keep(self, transitions: NDArray[np.bool_]) -> "Structure":
        """The structure with only these transitions and the locations that still lie on a run, in the same order."""
        kept = transitions.copy()
        while True:
            live = _on_runs(self, kept)
            fewer = kept & live[self.source] & live[self.target]
            if (fewer == kept).all():
                break
            kept = fewer
        live[[INITIAL, FINAL]] = True
        place = np.cumsum(live) - 1
        return Structure(
            self.symbols,
            place[self.source[kept]],
            place[self.target[kept]],
            self.symbol[kept],
            self.transition_ids[kept],
            self.location_ids[live],
            tuple(name for name, alive in zip(self.names, live, strict=True) if alive),
        )


def _spread(start: int, source: NDArray[np.int64], target: NDArray[np.int64], locations: int) -> NDArray[np.bool_]:
    seen = np.zeros(locations, bool)
    seen[start] = True
    while True:
        more = target[seen[source]]
        if seen[more].all():
            return seen
        seen[more] = True


def _on_runs(structure: Structure, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    source, target = structure.source[kept], structure.target[kept]
    forward = _spread(INITIAL, source, target, structure.locations)
    backward = _spread(FINAL, target, source, structure.locations)
    return forward & backward


@dataclass(frozen=True, eq=False)
class Usage:
    """What the aligned words use: counts and histograms of codes."""

    count: NDArray[np.int64]
    """Per transition, missing packets included."""
    delays: NDArray[np.float64]
    """Shape (transitions, delay codes): delays that are of this transition alone."""
    sizes: NDArray[np.float64]
    """Shape (transitions, size codes); one column when the words hold no sizes."""
    ops: NDArray[np.int64]
    """Matches, missing, copies, swaps, additions."""
    copy_delays: NDArray[np.float64]
    added_delays: NDArray[np.float64]
    added_sizes: NDArray[np.float64]
    """Sizes of additions, and of copies that differ from their original."""
    copy_sizes: NDArray[np.int64]
    """Copies with the size of their original, and others."""
    sums: NDArray[np.int64]
    """Shape (n, 4): transition of a missing packet, transition after it, code of their common delay, how often."""
    accepted: int
    rejected: int
    noisy: int
    """Accepted words with an operation."""
    rejected_bits: float
    """Bits that spell out the rejected words."""


def markov_chain(
    observations: Observations, alphabet: tuple[str, ...], *, delay_codes: int, size_codes: int
) -> tuple[Structure, Usage]:
    """One location per symbol (the last one seen), one transition per pair of neighbouring symbols that occurs.

    Every word has exactly one path here, and no noise but for unknown symbols (code -1), which are passed over.
    """
    if (observations.symbols < 0).any():
        observations = observations.known()
    symbols = len(alphabet)
    lengths = np.diff(observations.offsets)
    weights = np.repeat(observations.weights, lengths)
    here = observations.symbols.astype(np.int64)
    before = np.empty_like(here)
    before[1:] = here[:-1]
    filled = lengths > 0
    before[observations.offsets[:-1][filled]] = symbols
    last = np.full(len(observations), symbols, np.int64)
    last[filled] = here[observations.offsets[1:][filled] - 1]
    keys = np.concatenate([before * (symbols + 1) + here, last * (symbols + 1) + symbols])
    pairs, index = np.unique(keys, return_inverse=True)
    left, right = pairs // (symbols + 1), pairs % (symbols + 1)
    # A symbol's location is 2 + its code; the code `symbols` means the start on the left and the end on the right.
    structure = Structure(
        symbols,
        np.where(left == symbols, INITIAL, left + 2),
        np.where(right == symbols, FINAL, right + 2),
        right,
        np.arange(1, len(pairs) + 1, dtype=np.int64),
        np.arange(symbols + 2, dtype=np.int64),
        ("start", "end", *alphabet),
    )
    count = np.bincount(index, weights=np.concatenate([weights, observations.weights]), minlength=len(pairs))
    delays = np.zeros((len(pairs), delay_codes))
    sizes = np.zeros((len(pairs), size_codes))
    np.add.at(delays, (index[: len(here)], observations.delays), weights)
    np.add.at(sizes, (index[: len(here)], observations.sizes), weights)
    seen = np.zeros(symbols, bool)
    seen[here] = True
    usage = Usage(
        count=count.astype(np.int64),
        delays=delays,
        sizes=sizes,
        ops=np.array([count.sum(), 0, 0, 0, 0], np.int64),
        copy_delays=np.zeros(delay_codes),
        added_delays=np.zeros(delay_codes),
        added_sizes=np.zeros(size_codes),
        copy_sizes=np.zeros(2, np.int64),
        sums=np.zeros((0, 4), np.int64),
        accepted=int(observations.weights.sum()),
        rejected=0,
        noisy=0,
        rejected_bits=0.0,
    )
    if seen.all():
        return structure, usage
    return structure.keep(np.ones(len(pairs), bool)), usage


def size_laws(sizes: NDArray[np.float64]) -> list[SizeLaw]:
    """The size law of each row of counts."""
    return [
        SizeLaw(tuple((int(code), int(row[code])) for code in np.flatnonzero(row)), sizes.shape[1]) for row in sizes
    ]


def to_automaton(
    structure: Structure,
    usage: Usage,
    laws: list[DelayLaw] | None,
    *,
    alphabet: tuple[str, ...],
    scale: DelayScale,
    size_scale: SizeScale | None,
) -> TimedAutomaton:
    """The automaton with counts and laws.

    Parameters
    ----------
    laws
        Delay law of each transition; fitted from the usage when None.
    """
    if laws is None:
        laws, _ = fit_delay_laws(usage.delays)
    sized = size_laws(usage.sizes) if size_scale is not None else None
    ids = [f"q{number}" for number in structure.location_ids]
    transitions = []
    for at in range(structure.transitions):
        ending = structure.symbol[at] == structure.symbols
        transitions.append(
            Transition(
                id=f"e{structure.transition_ids[at]}",
                source=ids[structure.source[at]],
                target=ids[structure.target[at]],
                symbol=END if ending else alphabet[structure.symbol[at]],
                count=int(usage.count[at]),
                delay=None if ending else laws[at],
                size=None if ending or sized is None else sized[at],
            )
        )
    return TimedAutomaton(
        alphabet=alphabet,
        locations=tuple(Location(id, name) for id, name in zip(ids, structure.names, strict=True)),
        transitions=tuple(transitions),
        initial=ids[INITIAL],
        final=ids[FINAL],
        scale=scale,
        size_scale=size_scale,
    )


def from_automaton(automaton: TimedAutomaton) -> Structure:
    """The structure of an automaton; transitions keep their order, the initial and final locations come first."""
    ordered = sorted(automaton.locations, key=lambda q: (q.id != automaton.initial, q.id != automaton.final))
    at = {location.id: i for i, location in enumerate(ordered)}
    code = {name: i for i, name in enumerate(automaton.alphabet)} | {END: len(automaton.alphabet)}
    return Structure(
        len(automaton.alphabet),
        np.array([at[t.source] for t in automaton.transitions], np.int64),
        np.array([at[t.target] for t in automaton.transitions], np.int64),
        np.array([code[t.symbol] for t in automaton.transitions], np.int64),
        np.array([int(t.id[1:]) for t in automaton.transitions], np.int64),
        np.array([int(location.id[1:]) for location in ordered], np.int64),
        tuple(location.name for location in ordered),
    )
