"""One conversation packet by packet, as a person reads it: relative numbers, flags, payload classes, marks, symbols."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.packets import FLAG_ACK, FLAG_SYN, PROTO_TCP, PacketTable
from netsynth_core.flows.extraction import extract_words
from netsynth_core.flows.metering import Metered
from netsynth_core.flows.overview import MARK_NAMES
from netsynth_core.flows.payloads import CLASS_NAMES, classify

UNSET: Final = -1
PREVIEW: Final = 256
"""Payload bytes a preview shows."""

_FLAG_WORDS: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")


@dataclass(frozen=True, eq=False)
class Steps:
    """The packets of one conversation, in order of time; columns of equal length."""

    rows: NDArray[np.int64]
    """Rows of the packet table."""
    ts: NDArray[np.int64]
    """Instants, ns since the epoch."""
    forward: NDArray[np.bool_]
    """True for packets of the originator."""
    flags: tuple[str, ...]
    """TCP flags in words, ``SYN ACK``; empty without TCP."""
    seq: NDArray[np.int64]
    """Sequence number relative to the start of its direction; -1 without TCP."""
    ack: NDArray[np.int64]
    """Acknowledgement relative to the start of the other direction; -1 where there is none."""
    window: NDArray[np.int64]
    """As in the header, unscaled; -1 without TCP."""
    payload: NDArray[np.int64]
    """True payload bytes."""
    classes: tuple[str, ...]
    """Payload classes."""
    marks: tuple[str, ...]
    """What the TCP analysis says, in words joined by commas; ``""`` for an ordinary packet."""
    symbols: tuple[str, ...]
    """The symbol an automaton sees; ``""`` where it sees none (later fragments)."""
    frames: NDArray[np.int64]
    """1-based frame numbers, as Wireshark counts them."""

    def __len__(self) -> int:
        return len(self.rows)


def conversation_steps(
    packets: PacketTable, metered: Metered, flow: int, *, symbols: Sequence[str] | None = None
) -> Steps:
    """The packets of one flow.

    Parameters
    ----------
    packets, metered
        A packet table and its flows and conversations.
    flow
        Row of the flow table.
    symbols
        Those of the conversation's word (`extract_words` of all flows, since tokens depend on what recurs among them);
        None = extract the words now.
    """
    conversations = metered.conversations
    rows = conversations.rows(flow)
    way = conversations.direction[int(conversations.offsets[flow]) : int(conversations.offsets[flow + 1])]
    held = PacketTable(data=packets.data, **{name: getattr(packets, name)[rows] for name in PacketTable.column_names()})
    tcp = held.proto == PROTO_TCP
    seq, ack = relative_numbers(held, way)
    bits = metered.marks[rows] if len(metered.marks) else np.zeros(len(rows), np.uint8)
    return Steps(
        rows=rows,
        ts=held.ts,
        forward=way == 0,
        flags=tuple(flag_words(int(value)) if is_tcp else "" for value, is_tcp in zip(held.flags, tcp, strict=True)),
        seq=seq,
        ack=ack,
        window=np.where(tcp & (held.fragment != 2), held.window.astype(np.int64), UNSET),
        payload=held.payload_length.astype(np.int64),
        classes=tuple(CLASS_NAMES[code] for code in classify(held).tolist()),
        marks=tuple(mark_words(int(value)) for value in bits),
        symbols=_placed(_word(packets, metered, flow) if symbols is None else symbols, held),
        frames=held.frame.astype(np.int64) + 1,
    )


def conversation_marks(metered: Metered, flow: int) -> tuple[str, ...]:
    """What the TCP analysis says of each packet of one flow, in words; empty where packets were not kept."""
    if not len(metered.marks):
        return ()
    return tuple(mark_words(value) for value in metered.marks[metered.conversations.rows(flow)].tolist())


def flag_words(flags: int) -> str:
    """TCP flags in words.

    >>> flag_words(0x12)
    'SYN ACK'
    """
    return " ".join(word for bit, word in enumerate(_FLAG_WORDS) if flags >> bit & 1)


def mark_words(bits: int) -> str:
    """Marks of a packet in words.

    >>> mark_words(5)
    'retransmission, duplicate ACK'
    """
    return ", ".join(word for bit, word in MARK_NAMES.items() if bits & bit)


def relative_numbers(packets: PacketTable, way: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sequence and acknowledgement numbers from the start of each direction, as Wireshark counts them.

    The SYN has 0; without it the first byte seen has 1. -1 where there is no number.
    """
    tcp = (packets.proto == PROTO_TCP) & (packets.fragment != 2)
    acked = tcp & ((packets.flags & FLAG_ACK) != 0)
    raw_seq, raw_ack = packets.seq.astype(np.int64), packets.ack.astype(np.int64)
    base: dict[int, int] = {}
    for side in (0, 1):
        mine, other = np.flatnonzero(tcp & (way == side)), np.flatnonzero(acked & (way == 1 - side))
        if len(mine):
            syn = mine[(packets.flags[mine] & FLAG_SYN) != 0]
            base[side] = int(raw_seq[syn[0]]) if len(syn) else int(raw_seq[mine[0]]) - 1
        elif len(other):
            base[side] = int(raw_ack[other[0]]) - 1
    start = np.array([base.get(0, 0), base.get(1, 0)], np.int64)
    sides = way.astype(np.int64)
    seq = np.where(tcp, _from(raw_seq, start[sides]), UNSET)
    ack = np.where(acked, _from(raw_ack, start[1 - sides]), UNSET)
    return seq, ack


def _from(numbers: NDArray[np.int64], start: NDArray[np.int64]) -> NDArray[np.int64]:
    """Distance on the circle of 32 bits (RFC 9293 section 3.4); what lies before the start is 0."""
    ahead = (numbers - start) & 0xFFFFFFFF
    return np.where(ahead < 1 << 31, ahead, 0)


def _word(packets: PacketTable, metered: Metered, flow: int) -> Sequence[str]:
    """The symbols of a conversation among those of all."""
    for words in extract_words(packets, metered, by=("service",)):
        if words.flow_rows is not None and flow in words.flow_rows:
            return words.names(int(np.flatnonzero(words.flow_rows == flow)[0]))
    return ()


def _placed(symbols: Sequence[str], held: PacketTable) -> tuple[str, ...]:
    """The symbols in the places of their packets; later fragments have none."""
    seen = np.flatnonzero(held.fragment != 2)
    texts = [""] * len(held)
    if len(symbols) == len(seen):
        for at, name in zip(seen.tolist(), symbols, strict=True):
            texts[at] = name
    return tuple(texts)


def hex_dump(data: bytes) -> str:
    """Bytes as lines of 16: offset, hexadecimal, and the ASCII they spell (others as dots)."""
    lines = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        spelled = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{at:04x}  {part[:8].hex(' '):<23}  {part[8:].hex(' '):<23}  {spelled}")
    return "\n".join(lines)


def readable_text(data: bytes) -> str:
    """Bytes as text: line ends and tabs kept, everything that does not print as a dot."""
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c if c.isprintable() or c in "\n\t" else "." for c in text)
