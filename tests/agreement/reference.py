"""A plain reader of captures: what `netsynth_core.capture` must equal, column by column and reason by reason.

It knows nothing of the code under test. Every frame is first cut to the bytes that were captured; a header that reaches
beyond them is then a slice that is too short, so that nothing behind can have a say.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.agreement.reference_ip import Skip, read_ip
from tests.agreement.reference_links import ip_of

PCAP = {
    "a1b2c3d4": (">", 1000, 16), "d4c3b2a1": ("<", 1000, 16), "a1b23c4d": (">", 1, 16), "4d3cb2a1": ("<", 1, 16),
    "a1b2cd34": (">", 1000, 24), "34cdb2a1": ("<", 1000, 24),
}  # fmt: skip
LIMIT = 64 << 20
LONGEST = 0x7FFFFFFF
MAPPED = 0xFFFF00000000
KEPT_TOGETHER = 60 * 10**9
WAITS, MOST_WAITING = 64, 16
ENDS = ("proto", "src_port", "dst_port", "src_hi", "src_lo", "dst_hi", "dst_lo")


class NoCapture(Exception):
    """The file is none, or ends inside its own header."""


@dataclass
class Record:
    """One frame as the file has it; `ts` is None where the instant cannot be held, `link` where nobody describes it."""

    ts: int | None
    start: int
    kept: int
    true: int
    link: int | None


@dataclass
class Reading:
    """Rows (column name to value) and the frames that are none, by reason."""

    rows: list[dict[str, int]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    frames: int = 0


def records(data: bytes) -> Iterator[Record]:
    """The frames of a pcap or pcapng file, until it ends or is damaged."""
    magic = data[:4].hex()
    if magic in PCAP:
        return _pcap(data, *PCAP[magic])
    if magic == "0a0d0d0a":
        return _pcapng(data)
    raise NoCapture


def _pcap(data: bytes, order: str, unit: int, header: int) -> Iterator[Record]:
    if len(data) < 24:
        raise NoCapture
    version = struct.unpack_from(order + "HH", data, 4)
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF

    def each() -> Iterator[Record]:
        at = 24
        while at + header <= len(data):
            seconds, fraction, kept, true = struct.unpack_from(order + "IIII", data, at)
            if version < (2, 4) and kept > true:
                kept, true = true, kept
            if kept > LIMIT or at + header + kept > len(data):
                return
            yield Record(seconds * 10**9 + fraction * unit, at + header, kept, true, link)
            at += header + kept

    return each()


@dataclass
class _Interface:
    link: int
    snaplen: int
    base: int = 10
    exponent: int = 6
    offset: int = 0

    def instant(self, ticks: int) -> int | None:
        exponent = min(self.exponent, 19 if self.base == 10 else 63)
        whole, rest = divmod(ticks, self.base**exponent)
        if self.base == 2 and exponent > 34:
            rest, exponent = rest >> (exponent - 34), 34
        seconds = whole + max(min(self.offset, 2**40), -(2**40))
        if whole > 2**33 or abs(seconds) > 2**33:
            return None
        return seconds * 10**9 + rest * 10**9 // self.base**exponent


def _section(data: bytes, at: int) -> tuple[str, int, int] | None:
    """Byte order, size and major version of the section header at `at`; None when it is damaged or cut."""
    if at + 28 > len(data):
        return None
    order = {"1a2b3c4d": ">", "4d3c2b1a": "<"}.get(data[at + 8 : at + 12].hex())
    if order is None:
        return None
    size, major = struct.unpack_from(order + "I", data, at + 4)[0], struct.unpack_from(order + "H", data, at + 12)[0]
    return None if size < 28 or size % 4 or size > 16 << 20 else (order, size, major)


def _described(order: str, block: bytes) -> _Interface:
    made = _Interface(*struct.unpack_from(order + "HxxI", block, 8))
    at = 16
    while at + 4 <= len(block) - 4:
        code, size = struct.unpack_from(order + "HH", block, at)
        if code == 0 or at + 4 + size > len(block) - 4:
            break
        value = block[at + 4 : at + 4 + size]
        if code == 9 and size == 1:
            made.base, made.exponent = 2 if value[0] & 0x80 else 10, value[0] & 0x7F
        if code == 14 and size == 8:
            made.offset = struct.unpack(order + "q", value)[0]
        at += 4 + size + -size % 4
    return made


def _pcapng(data: bytes) -> Iterator[Record]:
    opened = _section(data, 0)
    if opened is None or opened[2] != 1:
        raise NoCapture
    first = opened

    def each() -> Iterator[Record]:
        order, at, _ = first
        known: list[_Interface] = []
        last = 0
        while at + 12 <= len(data):
            kind, size = struct.unpack_from(order + "II", data, at)
            if data[at : at + 4].hex() == "0a0d0d0a":
                section = _section(data, at)
                if section is None or section[2] != 1:
                    return
                order, size, known = section[0], section[1], []
                at += size
                continue
            if size < 12 or size % 4 or at + size > len(data):
                return
            packet = (kind in (2, 6) and size >= 32) or (kind == 3 and size >= 16)
            if ((packet or kind == 1) and size > LIMIT) or (kind == 1 and size < 20):
                return
            if kind == 1:
                known.append(_described(order, data[at : at + size]))
            elif packet:
                record = _packet(data, at, kind, size, order, known, last)
                if record is None:
                    return
                if record.link is not None and record.ts is not None:
                    last = record.ts
                yield record
            at += size

    return each()


def _packet(
    data: bytes, at: int, kind: int, size: int, order: str, known: list[_Interface], last: int
) -> Record | None:
    """The frame of a packet block; None where it claims more than its block holds."""
    if kind == 3:
        true = struct.unpack_from(order + "I", data, at + 8)[0]
        kept = min(true, size - 16)
        if known and known[0].snaplen:
            kept = min(kept, known[0].snaplen, 0x7FFFFFFF)
        return Record(last, at + 12, kept, true, known[0].link if known else None)
    number = struct.unpack_from(order + ("I" if kind == 6 else "H"), data, at + 8)[0]
    high, low, kept, true = struct.unpack_from(order + "IIII", data, at + 12)
    if number >= len(known):
        return Record(None, at + 28, 0, 0, None)
    if kept > size - 32:
        return None
    return Record(known[number].instant(high << 32 | low), at + 28, kept, true, known[number].link)


def read(data: bytes, *, tunnels: bool = False) -> Reading:
    """All columns of a capture that lies in `data`, not compressed.

    Raises
    ------
    NoCapture
        When it is none.
    """
    reading = Reading()
    fragments = _Fragments(reading.rows)
    for number, record in enumerate(records(data)):
        reading.frames += 1
        try:
            if record.link is None:
                raise Skip("interface that the file does not describe")
            if record.ts is None:
                raise Skip("instant out of range")
            frame = data[record.start : record.start + record.kept]
            true = min(max(record.true, record.kept), LONGEST)
            version, at = ip_of(frame, record.link)
            packet = read_ip(frame, at, true, version, tunnels=tunnels)
        except Skip as reason:
            reading.skipped[str(reason)] += 1
            continue
        row = _row(packet, record, number)
        if packet["fragment"]:
            fragments.see(packet, row, number, record.ts)
        reading.rows.append(row)
    return reading


def _row(packet: dict[str, Any], record: Record, number: int) -> dict[str, int]:
    """A packet as a row of the table."""
    begin, payload, stop = packet["begin"], packet["payload"], packet["stop"]
    seen = min(payload, record.kept)
    source, target = (int.from_bytes(packet[k], "big") | (MAPPED if len(packet[k]) == 4 else 0) for k in ("src", "dst"))
    return {
        "ts": record.ts or 0,
        "src_hi": source >> 64, "src_lo": source & (2**64 - 1),
        "dst_hi": target >> 64, "dst_lo": target & (2**64 - 1),
        "proto": packet["proto"], "src_port": packet["sport"], "dst_port": packet["dport"],
        "ip_length": min(packet["size"], LONGEST), "flags": packet["flags"],
        "seq": packet["seq"], "ack": packet["ack"], "window": packet["window"], "ttl": packet["ttl"],
        "payload_offset": record.start + seen,
        "payload_length": min(max(stop - payload, 0), LONGEST),
        "payload_captured": max(min(stop, record.kept) - payload, 0),
        "frame": number, "file": 0, "ip_id": packet["ident"] & 0xFFFF,
        "header_length": max(min(seen - begin, 255), 0), "fragment": packet["fragment"],
    }  # fmt: skip


class _Fragments:
    """Later fragments take protocol and ports of their first one, also of one that comes up to 64 frames later."""

    def __init__(self, rows: list[dict[str, int]]) -> None:
        self.rows = rows
        self.known: dict[tuple[object, ...], list[dict[str, Any]]] = {}

    def see(self, packet: dict[str, Any], row: dict[str, int], number: int, ts: int) -> None:
        outside = packet.get("shell", packet)
        key = (outside["src"], outside["dst"], outside["ident"], outside["outer"])
        facts = self.known.setdefault(key, [])
        fact = next((fact for fact in facts if abs(ts - fact["ts"]) <= KEPT_TOGETHER), None)
        if fact is None:
            fact = {"first": None, "waiting": []}
            facts.append(fact)
        fact["ts"] = ts
        if packet["fragment"] == 1:
            shared = ENDS if "shell" in packet else ENDS[:3]
            fact["first"] = {name: row[name] for name in shared}
            for then, waiting in fact["waiting"][-MOST_WAITING:]:
                if number - then <= WAITS:
                    waiting.update(fact["first"])
            fact["waiting"] = []
        elif fact["first"] is None:
            fact["waiting"].append((number, row))
        else:
            row.update(fact["first"])
