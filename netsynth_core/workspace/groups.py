"""Which conversations one automaton learns from.

Every conversation is in exactly one group: that of its service and state, or of its service, or of its protocol and
state, or of its protocol (``tcp``, ``udp``, ``icmp`` ...). Which, the description length decides: groups are joined
as long as describing their words together takes fewer bits than describing them apart, the greatest saving first. What
few conversations do alike is joined, what many or unlike ones do stays apart; there is no least number of them.
Connections without any payload (refused, unanswered) are joined across services among themselves only, so that a pool
of them never takes in a service that speaks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.words import Words
from netsynth_core.workspace.contents import group_name

if TYPE_CHECKING:
    from netsynth_core.models.tadam.grouping import Chain

Movers = tuple[int, ...]
"""Numbers of groups that would be joined, ascending."""

NEAREST: Final = 8
"""Groups of other services each group is compared with: those that share most transitions with it."""


@dataclass(frozen=True)
class Joining:
    """Why a group is as it is."""

    name: str
    """Of the group, such as ``http/SF``."""
    parts: tuple[str, ...]
    """Services and states in it, such as ``http/RSTO``; one alone when nothing was joined."""
    words: int
    saved: float
    """Bits by which its words are described shorter together than apart; 0 when nothing was joined."""
    refused: str
    """The group it would next have been joined with; empty when there is none."""
    cost: float
    """Bits by which that would have made the description longer."""

    def to_json(self) -> dict[str, Any]:
        """The fields by name, bits rounded."""
        return {
            "group": self.name,
            "parts": list(self.parts),
            "words": self.words,
            "saved_bits": round(self.saved, 1),
            "refused": self.refused,
            "refused_bits": round(self.cost, 1),
        }


@dataclass(frozen=True, eq=False)
class Grouping:
    """Groups to learn from, and why."""

    groups: list[Words]
    """The largest first; every word of the input is in exactly one of them."""
    joinings: tuple[Joining, ...]
    """One per group, in the same order."""


@dataclass(frozen=True, eq=False)
class _Node:
    """A group while groups are joined."""

    service: str
    state: str
    protocols: frozenset[str]
    parts: tuple[int, ...]
    """Positions in the input, ascending."""
    chain: "Chain"
    apart: float
    """Bits of its parts each by itself."""

    @property
    def label(self) -> tuple[str, str]:
        return self.service, self.state

    @cached_property
    def loaded(self) -> bool:
        """Whether any of its packets carries a payload."""
        return bool(self.chain.owners.any())


def group_words(groups: Sequence[Words], flows: FlowTable) -> list[Words]:
    """Groups to learn one automaton each from; `decide_groups` also says why.

    Parameters
    ----------
    groups
        One per (service, state), with `flow_rows` set.
        One whose service is the name of a protocol holds flows of no known service.
    flows
        The table those rows count in: names the protocols.

    Returns
    -------
    list of Words
        The largest first; every word of the input is in exactly one of them.
    """
    return decide_groups(groups, flows).groups


def decide_groups(groups: Sequence[Words], flows: FlowTable) -> Grouping:
    """Join groups of words as long as that makes their description shorter.

    The same words give the same groups. See `group_words` for the parameters.
    """
    from netsynth_core.models.tadam.grouping import chains_of

    filled = [words for words in groups if len(words)]
    labels = {(words.service, words.state) for words in filled}
    if len(labels) < len(filled):
        raise ValueError("each service and state may be given once")
    search = _Search()
    for at, (words, chain) in enumerate(zip(filled, chains_of(filled), strict=True)):
        search.add(_Node(words.service, words.state, _protocols(words, flows), (at,), chain, chain.bits), ())
    while (movers := search.best()) is not None:
        search.add(_join([search.nodes.pop(number) for number in movers]), movers)
    order = sorted(search.nodes.items(), key=lambda n: (-_size(n[1], filled), n[1].service, n[1].state))
    return Grouping(
        [_words_of(node, filled) for _, node in order],
        tuple(_joining(number, node, search, filled) for number, node in order),
    )


def _size(node: _Node, words: Sequence[Words]) -> int:
    return sum(len(words[at]) for at in node.parts)


class _Search:
    """The groups as they are now, and what joining some of them saves. Every group has a number of its own."""

    def __init__(self) -> None:
        self.nodes: dict[int, _Node] = {}
        self.savings: dict[Movers, float] = {}
        """Bits that joining these groups saves; negative where it costs."""
        self._guesses: dict[Movers, float] = {}
        """The greatest saving with any part of a joined group: what is worth measuring."""
        self._parts: dict[int, Movers] = {}
        self._shared: dict[tuple[int, int], int] = {}

    def add(self, node: _Node, parts: Movers) -> None:
        """Take in a group that was made of others."""
        number = len(self._parts)
        self._parts[number] = parts
        self.nodes[number] = node

    def best(self) -> Movers | None:
        """The groups whose joining saves most; None when no joining saves anything."""
        candidates = self._candidates()
        for movers in candidates:
            if movers not in self.savings and movers not in self._guesses:
                self._guess(movers)
        while True:
            top = max(candidates, key=lambda m: (self._value(m), tuple(-n for n in m)), default=None)
            if top is not None and self._value(top) > 0:
                if top in self.savings:
                    return top
                self._measure(top)
                continue
            unsure = [movers for movers in candidates if movers not in self.savings]
            if not unsure:
                return None
            for movers in unsure:
                self._measure(movers)

    def _value(self, movers: Movers) -> float:
        measured = self.savings.get(movers)
        return self._guesses[movers] if measured is None else measured

    def _measure(self, movers: Movers) -> None:
        nodes = [self.nodes[number] for number in movers]
        self.savings[movers] = sum(node.chain.bits for node in nodes) - _chain_of(nodes).bits

    def _guess(self, movers: Movers) -> None:
        newest = max(movers)
        rest = [number for number in movers if number != newest]
        before = [tuple(sorted([*rest, part])) for part in self._parts[newest]]
        known = [self._value(old) for old in before if old in self.savings or old in self._guesses]
        if known:
            self._guesses[movers] = max(known)
        else:
            self._measure(movers)

    def _candidates(self) -> list[Movers]:
        """What may be joined: groups of one service, and those of others that share most transitions."""
        found: set[Movers] = set()
        by_label = {node.label: number for number, node in self.nodes.items()}
        for number, node in self.nodes.items():
            others = [(n, o, label) for n, o in self.nodes.items() if n != number and (label := _label(node, o))]
            strange = sorted((-self._in_common(number, n), n, label) for n, o, label in others if not _alike(node, o))
            near = [(n, label) for n, o, label in others if _alike(node, o)]
            for n, label in [*near, *((n, label) for _, n, label in strange[:NEAREST])]:
                # two groups cannot have one name: what has the name of both together already joins them
                held = {by_label[label]} if label in by_label else set[int]()
                movers = tuple(sorted({number, n} | held))
                if _label(*(self.nodes[mover] for mover in movers)) == label:
                    found.add(movers)
        return sorted(found)

    def _in_common(self, one: int, other: int) -> int:
        pair = (min(one, other), max(one, other))
        if pair not in self._shared:
            self._shared[pair] = self.nodes[one].chain.shared(self.nodes[other].chain)
        return self._shared[pair]


def _protocols(words: Words, flows: FlowTable) -> frozenset[str]:
    if words.flow_rows is None:
        return frozenset()
    return frozenset(str(name).lower() for name in flows.frame["proto"].to_numpy(dtype=object)[words.flow_rows])


def _label(*nodes: _Node) -> tuple[str, str] | None:
    """The name of what all these would be together; None when they have nothing in common.

    Of several services only what carries payloads in all of them, or in none, is alike.
    """
    states = {node.state for node in nodes}
    state = states.pop() if len(states) == 1 else ""
    services = {node.service for node in nodes}
    if len(services) == 1:
        return services.pop(), state
    if len({node.loaded for node in nodes}) > 1:
        return None
    protocols = {node.protocols for node in nodes}
    common = protocols.pop()
    return (next(iter(common)), state) if not protocols and len(common) == 1 else None


def _alike(one: _Node, other: _Node) -> bool:
    return one.service == other.service


def _chain_of(nodes: Sequence[_Node]) -> "Chain":
    """The chain of the words of all these, the smaller ones taken into the larger ones."""
    joined, *rest = sorted((node.chain for node in nodes), key=lambda chain: -len(chain.pairs))
    for chain in rest:
        joined = joined.joined(chain)
    return joined


def _join(movers: Sequence[_Node]) -> _Node:
    label = _label(*movers)
    assert label is not None
    protocols = frozenset[str]().union(*(node.protocols for node in movers))
    parts = tuple(sorted(at for node in movers for at in node.parts))
    return _Node(*label, protocols, parts, _chain_of(movers), sum(node.apart for node in movers))


def _words_of(node: _Node, words: Sequence[Words]) -> Words:
    parts = [words[at] for at in node.parts]
    if len(parts) == 1:
        return replace(parts[0], service=node.service, state=node.state)
    return join_words(parts, service=node.service, state=node.state)


def _joining(number: int, node: _Node, search: _Search, words: Sequence[Words]) -> Joining:
    alive = [
        (saving, [search.nodes[n] for n in movers if n != number])
        for movers, saving in sorted(search.savings.items())
        if number in movers and all(n in search.nodes for n in movers)
    ]
    saving, others = max(alive, key=lambda pair: pair[0], default=(0.0, []))
    return Joining(
        name=group_name(*node.label),
        parts=tuple(group_name(words[at].service, words[at].state) for at in node.parts),
        words=_size(node, words),
        saved=node.apart - node.chain.bits,
        refused=" and ".join(group_name(*other.label) for other in others),
        cost=max(0.0, -saving),
    )


def join_words(groups: Sequence[Words], *, service: str = "", state: str = "") -> Words:
    """One `Words` of all these, over the union of their alphabets; they share a unit.

    Sizes and flow rows are kept when every one of them has them.

    Raises
    ------
    ValueError
        When there is nothing to join, or the units differ.
    """
    if not groups or len({words.unit for words in groups}) > 1:
        raise ValueError("words of one unit, at least one group, can be joined")
    alphabet = sorted({name for words in groups for name in words.alphabet})
    position = {name: i for i, name in enumerate(alphabet)}
    symbols = [np.array([position[name] for name in w.alphabet], np.int32)[w.symbols] for w in groups if len(w.symbols)]
    lengths = np.concatenate([np.diff(words.offsets) for words in groups])
    sizes = [words.sizes for words in groups if words.sizes is not None]
    rows = [words.flow_rows for words in groups if words.flow_rows is not None]
    return Words(
        alphabet=tuple(alphabet),
        symbols=np.concatenate(symbols) if symbols else np.zeros(0, np.int32),
        delays=np.concatenate([words.delays for words in groups]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        sizes=np.concatenate(sizes) if len(sizes) == len(groups) else None,
        unit=groups[0].unit,
        service=service,
        state=state,
        flow_rows=np.concatenate(rows) if len(rows) == len(groups) else None,
    )
