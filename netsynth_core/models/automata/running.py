"""Running an automaton without noise: acceptance, probability of words, random words.

Acceptance is untimed: all transitions with the symbol are followed whatever the delay, and a word is accepted when the
end marker can be read after its last symbol.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import InvalidParameter, NotEnoughData
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import END, TimedAutomaton
from netsynth_core.monitor import SILENT, Monitor

LONGEST_SAMPLE = 10_000
"""Sampled words are cut at so many symbols."""
_CHUNK = 1 << 16


@dataclass(frozen=True, eq=False)
class FlatAutomaton:
    """An automaton as arrays; transitions are sorted by source, symbol code and id."""

    ids: tuple[str, ...]
    """Transition ids in this order."""
    location_ids: tuple[str, ...]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    symbol: NDArray[np.int64]
    """Position in the alphabet; the alphabet's length for ``$``."""
    count: NDArray[np.int64]
    first: NDArray[np.int64]
    """Transitions of location q are ``first[q]:first[q + 1]``."""
    initial: int
    final: int

    @property
    def probability(self) -> NDArray[np.float64]:
        """count / sum of counts of the source; 0 where nothing was counted."""
        total = np.zeros(len(self.location_ids))
        np.add.at(total, self.source, self.count)
        share: NDArray[np.float64] = self.count / np.maximum(total[self.source], 1)
        return share


def flatten(automaton: TimedAutomaton) -> FlatAutomaton:
    """The automaton as arrays."""
    at = {location.id: i for i, location in enumerate(automaton.locations)}
    code = {name: i for i, name in enumerate(automaton.alphabet)} | {END: len(automaton.alphabet)}
    order = sorted(automaton.transitions, key=lambda t: (at[t.source], code[t.symbol], at[t.target], len(t.id), t.id))
    source = np.array([at[t.source] for t in order], np.int64)
    return FlatAutomaton(
        ids=tuple(t.id for t in order),
        location_ids=tuple(at),
        source=source,
        target=np.array([at[t.target] for t in order], np.int64),
        symbol=np.array([code[t.symbol] for t in order], np.int64),
        count=np.array([t.count for t in order], np.int64),
        first=np.searchsorted(source, np.arange(len(at) + 1)).astype(np.int64),
        initial=at[automaton.initial],
        final=at[automaton.final],
    )


def recode(words: Words, alphabet: tuple[str, ...]) -> NDArray[np.int32]:
    """Symbols of the words as positions in another alphabet; -1 where it lacks the symbol."""
    code = {name: i for i, name in enumerate(alphabet)}
    table = np.array([code.get(name, -1) for name in words.alphabet] or [-1], np.int32)
    recoded: NDArray[np.int32] = table[words.symbols]
    return recoded


def word_log2_probabilities(automaton: TimedAutomaton, words: Words) -> NDArray[np.float64]:
    """log2 of the untimed probability of each word, summed over all its paths; -inf for a word not accepted."""
    from netsynth_core.models.automata._kernels import untimed_probabilities

    flat = flatten(automaton)
    probability = flat.probability
    end = np.zeros(len(flat.location_ids))
    closing = flat.symbol == len(automaton.alphabet)
    np.add.at(end, flat.source[closing], probability[closing])
    by_symbol = np.argsort(flat.symbol, kind="stable")
    first = np.searchsorted(flat.symbol[by_symbol], np.arange(len(automaton.alphabet) + 2)).astype(np.int64)
    out = np.zeros(len(words))
    untimed_probabilities(
        recode(words, automaton.alphabet),
        np.asarray(words.offsets, np.int64),
        flat.source,
        flat.target,
        first,
        by_symbol.astype(np.int64),
        probability,
        end,
        flat.initial,
        out,
    )
    return out


def accepts(automaton: TimedAutomaton, words: Words) -> NDArray[np.bool_]:
    """Which words the automaton accepts, untimed and without noise; transitions of count 0 are not taken."""
    return np.isfinite(word_log2_probabilities(automaton, words))


def departures(automaton: TimedAutomaton, words: Words) -> list[tuple[int, str] | None]:
    """Where each word leaves the automaton, untimed and without noise; None for one that it accepts.

    Returns
    -------
    list[tuple[int, str] | None]
        The position of the first symbol that no run can read, the word's length when only its end cannot be, and the id
        of the location before it; of several the one visited most often.
    """
    ways: dict[tuple[str, str], list[str]] = {}
    visits = dict.fromkeys(automaton.by_location, 0)
    for t in automaton.transitions:
        visits[t.target] += t.count
        if t.count:
            ways.setdefault((t.source, t.symbol), []).append(t.target)
    told: dict[tuple[str, ...], tuple[int, str] | None] = {}
    found = []
    for word in range(len(words)):
        names = tuple(words.names(word))
        if names not in told:
            here = {automaton.initial}
            told[names] = None
            for position, name in enumerate((*names, END)):
                ahead = {target for q in here for target in ways.get((q, name), ())}
                if not ahead:
                    told[names] = (position, max(sorted(here), key=lambda q: visits[q]))
                    break
                here = ahead
        found.append(told[names])
    return found


def sample_paths(
    automaton: TimedAutomaton, n: int, *, rng: np.random.Generator, monitor: Monitor = SILENT
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Random runs by the transition probabilities.

    Returns
    -------
    path, offsets
        Positions of transitions in `flatten(automaton)`, ``$`` included, and n + 1 positions of the runs in it. A run
        that reaches `LONGEST_SAMPLE` steps is cut and has no ``$``.
    """
    from netsynth_core.models.automata._kernels import walk

    if n < 0:
        raise InvalidParameter(f"{n} words cannot be drawn.", hint="Ask for 0 or more.")
    flat = flatten(automaton)
    if not flat.count.any():
        raise NotEnoughData("The automaton has counted no word.", hint="Learn it from at least one word.")
    cumulative = np.concatenate(
        [np.cumsum(flat.probability[a:b]) for a, b in zip(flat.first[:-1], flat.first[1:], strict=True)]
    )
    cumulative[flat.first[1:][np.diff(flat.first) > 0] - 1] = 1.0
    state = np.array([0, flat.initial, 0, 0], np.int64)
    ends = np.zeros(n, np.int64)
    parts = []
    while state[0] < n:
        monitor.step("drawing words", int(state[0]), n)
        uniforms = rng.random(_CHUNK)
        path = np.empty(_CHUNK, np.int64)
        used = walk(
            flat.first,
            cumulative,
            flat.target,
            flat.initial,
            flat.final,
            uniforms,
            n,
            LONGEST_SAMPLE,
            path,
            ends,
            state,
        )
        parts.append(path[:used])
    path = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    return path, np.concatenate([[0], ends]).astype(np.int64)


def paths_to_words(
    automaton: TimedAutomaton,
    path: NDArray[np.int64],
    offsets: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    service: str = "",
    state: str = "",
) -> Words:
    """Words of runs: delays and sizes are drawn from the laws of the transitions taken.

    Parameters
    ----------
    path, offsets
        As `sample_paths` returns them.
    """
    flat = flatten(automaton)
    spoken = flat.symbol[path] < len(automaton.alphabet)
    kept = path[spoken]
    ends = np.concatenate([[0], np.cumsum(spoken)])[offsets]
    delays = np.zeros(len(kept), np.int32)
    sizes = np.zeros(len(kept), np.int32)
    scale = automaton.size_scale
    order = np.argsort(kept, kind="stable")
    bounds = np.searchsorted(kept[order], np.arange(len(flat.ids) + 1))
    for edge, name in enumerate(flat.ids):
        rows = order[bounds[edge] : bounds[edge + 1]]
        transition = automaton.by_transition[name]
        if len(rows) and transition.delay is not None:
            delays[rows] = transition.delay.sample(len(rows), rng=rng)
            if transition.size is not None:
                sizes[rows] = transition.size.sample(len(rows), rng=rng)
            if transition.by_size is not None and scale is not None:
                small = transition.by_size.is_small(scale)[sizes[rows]]
                for law, part in ((transition.by_size.small, rows[small]), (transition.by_size.large, rows[~small])):
                    delays[part] = law.sample(len(part), rng=rng)
    return Words(
        alphabet=automaton.alphabet,
        symbols=flat.symbol[kept].astype(np.int32),
        delays=automaton.scale.decode(delays, rng=rng),
        offsets=ends.astype(np.int64),
        sizes=None if scale is None else scale.decode(sizes, rng=rng),
        unit=automaton.scale.unit,
        service=service,
        state=state,
    )


def sample_words(
    automaton: TimedAutomaton,
    n: int,
    *,
    rng: np.random.Generator,
    monitor: Monitor = SILENT,
    service: str = "",
    state: str = "",
) -> Words:
    """`n` random words with delays (in the automaton's unit) and sizes (when it has size laws)."""
    path, offsets = sample_paths(automaton, n, rng=rng, monitor=monitor)
    return paths_to_words(automaton, path, offsets, rng=rng, service=service, state=state)
