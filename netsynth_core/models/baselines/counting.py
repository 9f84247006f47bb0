"""From runs to a timed automaton: counts, laws of delays and sizes, ids in the order of a breadth-first walk."""

from collections import deque
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import InvalidParameter
from netsynth_core.models.automata.automaton import END, Location, TimedAutomaton, Transition
from netsynth_core.models.automata.editing import default_names
from netsynth_core.models.automata.prefix_tree import PrefixTree
from netsynth_core.models.automata.running import LONGEST_SAMPLE
from netsynth_core.models.baselines.encoding import Encoded
from netsynth_core.models.codelength import universal_integer
from netsynth_core.models.delays import DelayLaw, DelayScale, SizeLaw, fit_delay_laws

if TYPE_CHECKING:
    from netsynth_core.models.baselines.symbols import Symbols

Ints = NDArray[np.int64]
LEAST_OF_ITS_OWN: Final = 10
"""A transition taken so often has a law of delays of its own; fewer delays would leave it much to the law's floor."""
_AT_ONCE: Final = 4096
"""Histograms made at once."""


def automaton_of_runs(
    words: Encoded, source: Ints, target: Ints, symbol: Ints, taken: Ints, *, initial: int, final: int, by_symbol: bool
) -> TimedAutomaton:
    """The automaton of transitions that words take; transitions that none takes are left out.

    Parameters
    ----------
    source, target, symbol
        Ends and symbol code of each transition.
    taken
        For each symbol of the words, end markers included, its transition.
    by_symbol
        Whether delays and sizes depend on the symbol alone; else on the transition, but for those taken less than
        `LEAST_OF_ITS_OWN` times, which share a law with all such transitions of their symbol.
    """
    counts = np.bincount(taken, minlength=len(source))
    spoken = words.symbols != words.end
    own = np.zeros(len(source), bool) if by_symbol else counts >= LEAST_OF_ITS_OWN
    group, groups = np.where(own, words.end + 1 + np.arange(len(source)), symbol), words.end + 1 + len(source)
    rows = group[taken[spoken]]
    delays = delay_laws(rows, words.delays[spoken], groups, words.scale)
    sizes = size_laws(rows, words.sizes[spoken], groups, 0 if words.size_scale is None else words.size_scale.codes)
    order, place = _walk(source, target, symbol, counts, initial, final)
    names = {q: f"q{i}" for q, i in place.items()}
    transitions = tuple(
        Transition(
            id=f"e{i + 1}",
            source=names[int(source[e])],
            target=names[int(target[e])],
            symbol=END if symbol[e] == words.end else words.alphabet[symbol[e]],
            count=int(counts[e]),
            delay=None if symbol[e] == words.end else delays[int(group[e])],
            size=None if symbol[e] == words.end else sizes.get(int(group[e])),
        )
        for i, e in enumerate(order)
    )
    made = TimedAutomaton(
        alphabet=words.alphabet,
        locations=tuple(Location(name, name) for name in names.values()),
        transitions=transitions,
        initial=names[initial],
        final=names[final],
        scale=words.scale,
        size_scale=words.size_scale,
    )
    return replace(made, locations=default_names(made))


def _walk(
    source: Ints, target: Ints, symbol: Ints, counts: Ints, initial: int, final: int
) -> tuple[list[int], dict[int, int]]:
    """Transitions taken and locations met in the order of a breadth-first walk; the final location is the second."""
    leaving: dict[int, list[int]] = {}
    for e in np.lexsort((np.arange(len(source)), symbol, source)).tolist():
        if counts[e]:
            leaving.setdefault(int(source[e]), []).append(e)
    place = {initial: 0, final: 1}
    order: list[int] = []
    todo = deque([initial])
    while todo:
        for e in leaving.get(todo.popleft(), ()):
            order.append(e)
            if int(target[e]) not in place:
                place[int(target[e])] = len(place)
                todo.append(int(target[e]))
    return order, place


def delay_laws(rows: Ints, delays: Ints, groups: int, scale: DelayScale) -> dict[int, DelayLaw]:
    """The delay law of each group that occurs; `rows` says the group of each delay code."""
    present = np.unique(rows)
    number = np.zeros(groups, np.int64)
    number[present] = np.arange(len(present))
    order = np.argsort(rows, kind="stable")
    bounds = np.searchsorted(number[rows[order]], np.arange(0, len(present) + _AT_ONCE, _AT_ONCE))
    found: dict[int, DelayLaw] = {}
    for i, (low, high) in enumerate(pairwise(bounds)):
        some = order[low:high]
        mine = present[i * _AT_ONCE : (i + 1) * _AT_ONCE]
        histograms = np.zeros((len(mine), scale.codes))
        np.add.at(histograms, (number[rows[some]] - i * _AT_ONCE, delays[some]), 1.0)
        found |= dict(zip(mine.tolist(), fit_delay_laws(histograms, linear=scale.linear)[0], strict=True))
    return found


def size_laws(rows: Ints, sizes: Ints, groups: int, codes: int) -> dict[int, SizeLaw]:
    """The size law of each group that occurs; none when there are no sizes (`codes` is 0)."""
    if codes == 0:
        return {}
    pairs, counts = np.unique(rows * codes + sizes, return_counts=True)
    bounds = np.searchsorted(pairs, np.arange(groups + 1) * codes)
    return {
        group: SizeLaw(tuple(zip((pairs[low:high] % codes).tolist(), counts[low:high].tolist(), strict=True)), codes)
        for group, (low, high) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
        if high > low
    }


def automaton_bits(automaton: TimedAutomaton) -> float:
    """Bits that describe an automaton: numbers, ends and symbols of transitions, probabilities, delay laws.

    A free probability is said to the precision its location's count allows (half log2 of count + 1; Rissanen 1983).
    Laws of sizes are paid for with the sizes (`pricing.size_bits`). A law that several transitions share is paid once.
    """
    places, letters = np.log2(len(automaton.locations)), np.log2(len(automaton.alphabet) + 1)
    bits = universal_integer(len(automaton.locations)) + universal_integer(len(automaton.transitions))
    bits += len(automaton.transitions) * float(2.0 * places + letters)
    for leaving in automaton.outgoing.values():
        uses = sum(t.count for t in leaving)
        bits += max(len(leaving) - 1, 0) * 0.5 * float(np.log2(uses + 1.0))
    laws: dict[int, tuple[DelayLaw, int]] = {}
    for t in automaton.transitions:
        if t.delay is not None:
            laws[id(t.delay)] = (t.delay, laws.get(id(t.delay), (t.delay, 0))[1] + t.count)
    return bits + sum(law.parameter_bits(count) for law, count in laws.values())


def tree_automaton(tree: PrefixTree, counts: Ints, symbols: "Symbols") -> TimedAutomaton:
    """A prefix tree of weighted words as an automaton; delays and sizes by symbol.

    Parameters
    ----------
    counts
        How often each word of the tree was seen.
    """
    ends = np.bincount(tree.last, weights=counts, minlength=len(tree)).astype(np.int64)
    visits = ends.copy()
    # nodes are in breadth-first order, so children come before their parents this way
    for node in range(len(tree) - 1, 0, -1):
        visits[tree.parent[node]] += visits[node]
    names = ["q0", *(f"q{node + 1}" for node in range(1, len(tree)))]
    labels = ["start", *(symbols.alphabet[a] for a in tree.symbol[1:].tolist())]
    made = [
        (
            names[parent],
            names[node],
            symbols.alphabet[a],
            int(visits[node]),
            symbols.delays[a],
            None if symbols.sizes is None else symbols.sizes[a],
        )
        for node, (parent, a) in enumerate(zip(tree.parent[1:].tolist(), tree.symbol[1:].tolist(), strict=True), 1)
    ]
    closing = [(names[node], "q1", END, int(ends[node]), None, None) for node in np.flatnonzero(ends).tolist()]
    return TimedAutomaton(
        alphabet=symbols.alphabet,
        locations=(
            Location("q0", "start"),
            Location("q1", "end"),
            *(Location(names[node], labels[node]) for node in range(1, len(tree))),
        ),
        transitions=tuple(Transition(f"e{i}", *parts) for i, parts in enumerate((*made, *closing), 1)),
        initial="q0",
        final="q1",
        scale=symbols.scale,
        size_scale=symbols.size_scale,
    )


def hidden_automaton(
    moves: NDArray[np.float64], emissions: NDArray[np.float64], symbols: "Symbols", *, runs: int
) -> TimedAutomaton:
    """A hidden Markov model as an automaton, with counts that `runs` words would have.

    Parameters
    ----------
    moves, emissions
        As in `Hmm`: the last state is the end, and its row holds the first states of words.

    Raises
    ------
    InvalidParameter
        When every transition is too rare to be counted.
    """
    end = len(emissions)
    inner, visits = moves[:end, :end], np.zeros(end)
    now = runs * moves[end, :end]
    for _ in range(LONGEST_SAMPLE):
        visits += now
        now = now @ inner
        if now.sum() < 1e-3:
            break
    uses = np.concatenate([visits, [float(runs)]])
    edges: list[tuple[int, int, int, int]] = []
    for i in range(end + 1):
        wanted = np.rint(uses[i] * moves[i, :end, None] * emissions).astype(np.int64)
        edges += [(i, j, a, int(wanted[j, a])) for j, a in np.argwhere(wanted > 0).tolist()]
        if round(uses[i] * moves[i, end]) > 0:
            edges.append((i, end + 1, -1, round(float(uses[i] * moves[i, end]))))
    edges = _trimmed(edges, end, end + 1)
    if not edges:
        raise InvalidParameter(
            "No run of the hidden Markov model is frequent enough to be shown as an automaton.",
            hint="Learn it with fewer states or more iterations.",
        )
    used = sorted({q for i, j, _, _ in edges for q in (i, j)} - {end, end + 1})
    names = {end: "q0", end + 1: "q1"} | {q: f"q{n}" for n, q in enumerate(used, 2)}
    return TimedAutomaton(
        alphabet=symbols.alphabet,
        locations=(
            Location("q0", "start"),
            Location("q1", "end"),
            *(Location(names[q], f"state {n}") for n, q in enumerate(used, 1)),
        ),
        transitions=tuple(
            Transition(
                f"e{n}",
                names[i],
                names[j],
                END if a < 0 else symbols.alphabet[a],
                count,
                None if a < 0 else symbols.delays[a],
                None if a < 0 or symbols.sizes is None else symbols.sizes[a],
            )
            for n, (i, j, a, count) in enumerate(edges, 1)
        ),
        initial="q0",
        final="q1",
        scale=symbols.scale,
        size_scale=symbols.size_scale,
    )


def _trimmed(edges: list[tuple[int, int, int, int]], initial: int, final: int) -> list[tuple[int, int, int, int]]:
    """The edges on ways from the initial to the final location."""
    ahead, behind = {initial}, {final}
    while True:
        more = {j for i, j, _, _ in edges if i in ahead} - ahead
        less = {i for i, j, _, _ in edges if j in behind} - behind
        if not more and not less:
            return [edge for edge in edges if edge[0] in ahead & behind and edge[1] in ahead & behind]
        ahead |= more
        behind |= less
