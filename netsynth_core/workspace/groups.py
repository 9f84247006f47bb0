"""Which conversations one automaton learns from.

Every conversation is in exactly one group: that of its service and state, or of its service, or of its protocol and
state, or of its protocol (``tcp``, ``udp``, ``icmp`` ...). Which, the description length decides: groups are joined
as long as describing their words together takes fewer bits than describing them apart, the greatest saving first. What
few conversations do alike is joined, what many or unlike ones do stays apart; there is no least number of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.words import Words
from netsynth_core.workspace.contents import group_name

if TYPE_CHECKING:
    from netsynth_core.models.tadam.grouping import Chain

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
    """Positions in the input, ascending: the first one names the node."""
    chain: "Chain"
    apart: float
    """Bits of its parts each by itself."""

    @property
    def label(self) -> tuple[str, str]:
        return self.service, self.state


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
    chains = chains_of(filled)
    nodes = {
        at: _Node(words.service, words.state, _protocols(words, flows), (at,), chain, chain.bits)
        for at, (words, chain) in enumerate(zip(filled, chains, strict=True))
    }
    savings: dict[tuple[int, int], float] = {}
    while True:
        for pair in _pairs(nodes):
            if pair not in savings:
                savings[pair] = _saving(_movers(nodes, pair))
        best = min(savings, key=lambda pair: (-savings[pair], pair), default=None)
        if best is None or savings[best] <= 0:
            break
        movers = _movers(nodes, best)
        made = _join(movers)
        gone = {node.parts[0] for node in movers}
        nodes = {at: node for at, node in nodes.items() if at not in gone} | {made.parts[0]: made}
        savings = _still_true(savings, nodes, gone | {made.parts[0]}, made.label)
    order = sorted(nodes.values(), key=lambda n: (-sum(len(filled[at]) for at in n.parts), n.service, n.state, n.parts))
    return Grouping(
        [_words_of(node, filled) for node in order],
        tuple(_joining(node, nodes, filled, savings) for node in order),
    )


def _protocols(words: Words, flows: FlowTable) -> frozenset[str]:
    if words.flow_rows is None:
        return frozenset()
    return frozenset(str(name).lower() for name in flows.frame["proto"].to_numpy(dtype=object)[words.flow_rows])


def _label(one: _Node, other: _Node) -> tuple[str, str] | None:
    """The name of what both would be together; None when they have nothing in common."""
    state = one.state if one.state == other.state else ""
    if one.service == other.service:
        return one.service, state
    if len(one.protocols) == 1 and one.protocols == other.protocols:
        return next(iter(one.protocols)), state
    return None


def _pairs(nodes: dict[int, _Node]) -> list[tuple[int, int]]:
    """Which nodes to compare: all of one service, and of other services the nearest ones."""
    found: set[tuple[int, int]] = set()
    for at, node in nodes.items():
        others = [(b, other) for b, other in nodes.items() if b != at and _label(node, other) is not None]
        near = [b for b, other in others if other.service == node.service]
        strange = [(-node.chain.shared(other.chain), b) for b, other in others if other.service != node.service]
        near += [b for _, b in sorted(strange)[:NEAREST]]
        found |= {(min(at, b), max(at, b)) for b in near}
    return sorted(found)


def _movers(nodes: dict[int, _Node], pair: tuple[int, int]) -> list[_Node]:
    """The two, and the group that has the name of both together already: two groups cannot have one name."""
    one, other = (nodes[at] for at in pair)
    label = _label(one, other)
    return [one, other, *(n for at, n in nodes.items() if n.label == label and at not in pair)]


def _saving(movers: Sequence[_Node]) -> float:
    joined = movers[0].chain
    for node in movers[1:]:
        joined = joined.joined(node.chain)
    return sum(node.chain.bits for node in movers) - joined.bits


def _join(movers: Sequence[_Node]) -> _Node:
    label = _label(movers[0], movers[1])
    assert label is not None
    chain = movers[0].chain
    for node in movers[1:]:
        chain = chain.joined(node.chain)
    protocols = frozenset[str]().union(*(node.protocols for node in movers))
    parts = tuple(sorted(at for node in movers for at in node.parts))
    return _Node(*label, protocols, parts, chain, sum(node.apart for node in movers))


def _still_true(
    savings: dict[tuple[int, int], float], nodes: dict[int, _Node], changed: set[int], label: tuple[str, str]
) -> dict[tuple[int, int], float]:
    """The savings that the last joining left as they were."""
    kept = {}
    for pair, saving in savings.items():
        if changed.isdisjoint(pair) and _label(nodes[pair[0]], nodes[pair[1]]) != label:
            kept[pair] = saving
    return kept


def _words_of(node: _Node, words: Sequence[Words]) -> Words:
    parts = [words[at] for at in node.parts]
    if len(parts) == 1:
        return replace(parts[0], service=node.service, state=node.state)
    return join_words(parts, service=node.service, state=node.state)


def _joining(
    node: _Node, nodes: dict[int, _Node], words: Sequence[Words], savings: dict[tuple[int, int], float]
) -> Joining:
    mine = [(saving, pair) for pair, saving in savings.items() if node.parts[0] in pair]
    saving, pair = max(mine, key=lambda m: (m[0], m[1]), default=(0.0, None))
    refused = ""
    if pair is not None:
        refused = group_name(*nodes[pair[1] if pair[0] == node.parts[0] else pair[0]].label)
    return Joining(
        name=group_name(*node.label),
        parts=tuple(group_name(words[at].service, words[at].state) for at in node.parts),
        words=sum(len(words[at]) for at in node.parts),
        saved=node.apart - node.chain.bits,
        refused=refused,
        cost=-saving,
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
