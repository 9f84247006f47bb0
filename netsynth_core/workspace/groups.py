"""Which conversations one automaton learns from.

An automaton is learnt for each (service, state) with at least `MINIMUM` conversations. What is left of a service is
learnt together, as ``service``, when it reaches that many; what is then left is learnt by transport protocol, as
``tcp``, ``udp``, ``icmp`` ..., however few, so that every flow has a model to take its packets from.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.words import Words

MINIMUM: Final = 20
"""Conversations a (service, state) needs for an automaton of its own."""


def group_words(groups: Sequence[Words], flows: FlowTable, *, minimum: int = MINIMUM) -> list[Words]:
    """Groups that are each large enough to learn from.

    Parameters
    ----------
    groups
        One per (service, state), with `flow_rows` set.
        One whose service is the name of a protocol holds flows of no known service.
    flows
        The table those rows count in: names the protocol of what is left over.
    minimum
        Conversations a group needs, at least 1.

    Returns
    -------
    list of Words
        The largest first; every word of the input is in exactly one of them.
    """
    protocols = {str(name).lower() for name in flows.frame["proto"].unique()} | {""}
    kept = [words for words in groups if len(words) >= minimum and words.service]
    rest = [words for words in groups if len(words) < minimum or not words.service]
    leftover: list[Words] = []
    for service in sorted({words.service for words in rest}):
        joined = join_words([words for words in rest if words.service == service], service=service)
        if service not in protocols and len(joined) >= minimum:
            kept.append(joined)
        else:
            leftover.append(joined)
    kept += _by_protocol(leftover, flows)
    return sorted(kept, key=lambda words: (-len(words), words.service, words.state))


def _by_protocol(leftover: Sequence[Words], flows: FlowTable) -> list[Words]:
    if not leftover:
        return []
    joined = join_words(leftover)
    if joined.flow_rows is None or not len(joined):
        return [joined] if len(joined) else []
    protocols = flows.frame["proto"].to_numpy(dtype=object)[joined.flow_rows].astype(str)
    return [
        replace(joined.take(np.flatnonzero(protocols == protocol)), service=protocol.lower(), state="")
        for protocol in sorted(set(protocols.tolist()))
    ]


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
