"""Timed words of conversations: each packet becomes a symbol, the time since the packet before, and its payload size.

Words are grouped by service, and within it by the state of the flow where that is asked for. Flows of no known service
are grouped by protocol (``tcp``, ``udp``, ``icmp`` ...), so that a group never mixes protocols without reason.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.capture.packets import PROTO_TCP, PacketTable
from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.conversations import Conversations
from netsynth_core.flows.messages import message_tokens
from netsynth_core.flows.metering import Metered
from netsynth_core.flows.payloads import CLASS_NAMES, EMPTY, REPLAY, TEXT, classify
from netsynth_core.flows.symbols import FLAG_ORDER, Symbol, format_symbol
from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.tokens import text_tokens
from netsynth_core.flows.words import Words
from netsynth_core.units import NS_PER_US

GROUPS: Final = ("service", "state")
LATER_FRAGMENT: Final = 2
"""`PacketTable.fragment` of a packet that begins in the middle of another one."""

_LETTER_BITS: Final = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}


def extract_words(packets: PacketTable, metered: Metered, *, by: Sequence[str] = GROUPS) -> list[Words]:
    """The words of all conversations, one `Words` per group, in order of the groups' names.

    Parameters
    ----------
    packets
        The table that was metered.
    metered
        Its flows and conversations.
    by
        ``("service",)`` or ``("service", "state")``.

    Returns
    -------
    list[Words]
        Delays in microseconds (rounded, 0 for the first packet), sizes the true payload lengths in bytes, `flow_rows`
        the rows of the flow table.

    Raises
    ------
    InvalidParameter
        When `by` names anything else.
    """
    if not by or any(name not in GROUPS for name in by):
        raise InvalidParameter(f"Words cannot be grouped by {list(by)}.", hint="Group by service, or by service,state.")
    frame = metered.flows.frame
    conversations, sizes = whole_packets(packets, metered.conversations)
    rows = conversations.packets
    codes, names = _symbols(packets, conversations, metered.flows)
    ts = packets.ts[rows]
    delays = np.zeros(len(rows), np.int64)
    delays[1:] = np.maximum(np.diff(ts), 0)
    delays[conversations.offsets[:-1][np.diff(conversations.offsets) > 0]] = 0
    delays = (delays + NS_PER_US // 2) // NS_PER_US
    groups: list[Words] = []
    keys = pd.DataFrame({"service": group_names(metered.flows), "state": frame["state"]})
    for key, members in sorted(keys.groupby(list(by), sort=False).indices.items()):
        labels = dict(zip(by, map(str, key if isinstance(key, tuple) else (key,)), strict=True))
        flows = np.sort(np.asarray(members, dtype=np.int64))
        flows = flows[np.diff(conversations.offsets)[flows] > 0]
        if len(flows) == 0:
            continue
        groups.append(_group(conversations.offsets, flows, codes, names, delays, sizes, labels))
    return groups


def group_names(flows: FlowTable) -> NDArray[np.object_]:
    """The service each flow's words are grouped under: its own, or its protocol in lower case when it has none."""
    service = flows.frame["service"].to_numpy(dtype=object)
    names: NDArray[np.object_] = np.where(
        service == "", flows.frame["proto"].str.lower().to_numpy(dtype=object), service
    )
    return names


def _group(
    offsets: NDArray[np.int64],
    flows: NDArray[np.int64],
    codes: NDArray[np.int64],
    names: Sequence[str],
    delays: NDArray[np.int64],
    sizes: NDArray[np.int64],
    labels: dict[str, str],
) -> Words:
    """The words of some flows over the symbols they use."""
    lengths = np.diff(offsets)[flows]
    starts = np.zeros(len(flows) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    index = np.repeat(offsets[:-1][flows] - starts[:-1], lengths) + np.arange(starts[-1])
    mine = codes[index]
    used = np.flatnonzero(np.bincount(mine, minlength=len(names)))
    alphabet = sorted(names[code] for code in used.tolist())
    place = np.zeros(len(names), np.int32)
    rank = {name: k for k, name in enumerate(alphabet)}
    place[used] = [rank[names[code]] for code in used.tolist()]
    return Words(
        alphabet=tuple(alphabet),
        symbols=place[mine],
        delays=delays[index],
        offsets=starts,
        sizes=sizes[index],
        unit="us",
        service=labels.get("service", ""),
        state=labels.get("state", ""),
        flow_rows=flows,
    )


def whole_packets(packets: PacketTable, kept: Conversations) -> tuple[Conversations, NDArray[np.int64]]:
    """The conversations without later fragments, and the payload size of each position.

    What later fragments carry counts with their first fragment: the one before them or, where the fragments of a
    datagram come in reversed order, the one behind them. Where that was not captured they are left out.
    """
    rows = kept.packets
    sizes = packets.payload_length[rows].astype(np.int64)
    parts = np.flatnonzero(packets.fragment[rows])
    if len(parts) == 0:
        return kept, sizes
    flow = np.searchsorted(kept.offsets, parts, side="right")
    first: dict[tuple[int, int, int], int] = {}
    early: dict[tuple[int, int, int], int] = {}
    for at, number in zip(parts.tolist(), flow.tolist(), strict=True):
        key = (number, int(kept.direction[at]), int(packets.ip_id[rows[at]]))
        if packets.fragment[rows[at]] == 1:
            first[key] = at
            if key in early:
                sizes[at] += early[key]
                early[key] = 0
        elif key in early or key not in first:
            # a datagram of this identification began with its end: so do those that follow
            early[key] = early.get(key, 0) + int(sizes[at])
        else:
            sizes[first[key]] += sizes[at]
    for key, left in early.items():
        if key in first:
            sizes[first[key]] += left
    whole = packets.fragment[rows] != LATER_FRAGMENT
    before = np.concatenate([[0], np.cumsum(whole)])
    return Conversations(before[kept.offsets], rows[whole], kept.direction[whole]), sizes[whole]


def _symbols(
    packets: PacketTable, conversations: Conversations, flows: FlowTable
) -> tuple[NDArray[np.int64], list[str]]:
    """The symbol of each position of the conversations, as a position in the list of their texts."""
    rows = conversations.packets
    classes = classify(packets)[rows].astype(np.int64)
    service = flows.frame["service"].to_numpy(dtype=object)
    token, tokens = text_tokens(packets, conversations, classes == TEXT, service)
    binary = (classes != TEXT) & (classes != EMPTY)
    kinds, kind_names = message_tokens(packets, conversations, binary, service)
    token = np.where(kinds > 0, kinds + len(tokens) - 1, token)
    tokens = [*tokens, *kind_names[1:]]
    # a recognised message is structured whatever its bytes look like, so that one kind is one symbol
    classes = np.where(kinds > 0, REPLAY, classes)
    flags = np.where(packets.proto[rows] == PROTO_TCP, packets.flags[rows] & 63, 0).astype(np.int64)
    way = conversations.direction.astype(np.int64)
    joint = ((token * 4 + classes) * 2 + way) * 64 + flags
    distinct = np.flatnonzero(np.bincount(joint))
    place = np.zeros(len(tokens) * 512, np.int64)
    place[distinct] = np.arange(len(distinct))
    texts = []
    for value in distinct.tolist():
        bits = value & 63
        letters = "".join(letter for letter in FLAG_ORDER if bits & _LETTER_BITS[letter])
        kind = value >> 7 & 3
        texts.append(
            format_symbol(Symbol(letters, "<" if value >> 6 & 1 else ">", CLASS_NAMES[kind], tokens[value >> 9]))
        )
    return place[joint], texts
