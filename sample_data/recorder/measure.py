"""Read the captures back with nothing but the standard library: count them and cut the small sample."""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from recorder import plan

NANO_LE = 0xA1B23C4D

Key = tuple[str, str, int, str, int]


def records(data: bytes) -> Iterator[tuple[float, bytes]]:
    """Yield time and raw record (header and frame) of each packet of a nanosecond pcap file."""
    (magic,) = struct.unpack_from("<I", data)
    if magic != NANO_LE:
        raise ValueError("not a little-endian pcap file with nanoseconds")
    at = 24
    while at + 16 <= len(data):
        seconds, nanos, kept, _ = struct.unpack_from("<IIII", data, at)
        yield seconds + nanos / 1e9, data[at : at + 16 + kept]
        at += 16 + kept


def conversation(frame: bytes) -> Key | None:
    """Return (protocol, address, port, address, port) with the server's side last, None for other frames.

    The server is the side with a port of `plan.SERVICES`, else the side with the lower port.
    """
    kind = frame[12:14]
    if kind == b"\x08\x00":
        start, protocol = 14 + (frame[14] & 15) * 4, frame[23]
        source, target = (".".join(map(str, frame[a : a + 4])) for a in (26, 30))
    elif kind == b"\x86\xdd":
        start, protocol = 54, frame[20]
        source, target = (frame[a : a + 16].hex(":", 2) for a in (22, 38))
    else:
        return None
    name = {6: "tcp", 17: "udp"}.get(protocol)
    if name is None:
        # Neighbour discovery and multicast reports (types 130 to 143) are no conversations.
        if protocol == 1 or (protocol == 58 and not 130 <= frame[start] <= 143):
            low, high = sorted((source, target))
            return ("icmp", low, 0, high, 0)
        return None
    sport, dport = struct.unpack_from(">HH", frame, start)
    backward = (name, sport) in plan.SERVICES and (name, dport) not in plan.SERVICES
    if not backward and (name, dport) not in plan.SERVICES:
        backward = sport < dport
    return (name, target, dport, source, sport) if backward else (name, source, sport, target, dport)


def service(key: Key) -> str:
    """Return the service name of a conversation."""
    return "icmp" if key[0] == "icmp" else plan.SERVICES.get((key[0], key[4]), f"other-{key[0]}")


def count(path: Path) -> dict:
    """Count packets, conversations per service and addresses of a capture."""
    packets, size, first, last = 0, 0, None, 0.0
    flows: dict[Key, int] = Counter()
    senders: set[bytes] = set()
    for when, record in records(path.read_bytes()):
        first = when if first is None else first
        last = when
        packets += 1
        size += len(record) - 16
        key = conversation(record[16:])
        if key:
            flows[key] += 1
            senders.add(record[42:46] if record[28:30] == b"\x08\x00" else record[38:54])
    per_service: dict[str, dict[str, int]] = defaultdict(lambda: {"conversations": 0, "packets": 0})
    for key, number in flows.items():
        per_service[service(key)]["conversations"] += 1
        per_service[service(key)]["packets"] += number
    return {
        "packets": packets,
        "bytes": size,
        "seconds": round(last - (first or 0.0), 1),
        "conversations": len(flows),
        "addresses_that_sent": len(senders),
        "ipv6_conversations": sum(":" in key[1] for key in flows),
        "services": dict(sorted(per_service.items(), key=lambda item: -item[1]["conversations"])),
    }


def cut(path: Path, out: Path, limit: int = 290_000, window: float = 60.0) -> None:
    """Write a small capture: whole conversations of one minute, services taken in turn.

    Parameters
    ----------
    path, out : Path
        The main capture and the small one.
    limit : int
        Greatest size of the small file in bytes.
    window : float
        Conversations that start within so many seconds may be chosen.
    """
    data = path.read_bytes()
    starts: dict[Key, float] = {}
    sizes: dict[Key, int] = Counter()
    for when, record in records(data):
        key = conversation(record[16:])
        if key:
            starts.setdefault(key, when)
            sizes[key] += len(record)
    begin, end = min(starts.values()), max(starts.values())
    best: list[Key] = []
    best_rank = (-1, -1)
    at = begin + 1
    while at + window < end or not best:
        groups: dict[str, list[Key]] = defaultdict(list)
        for key, when in starts.items():
            # Nothing that is long or large: the sample has room for many small ones.
            if at <= when < at + window and sizes[key] < 16_000:
                groups[service(key)].append(key)
        chosen, room = [], limit - 24
        while any(groups.values()):
            for keys in groups.values():
                if keys and (key := keys.pop(0)) and sizes[key] <= room:
                    chosen.append(key)
                    room -= sizes[key]
        rank = (sum(name in set(map(service, chosen)) for name in set(plan.SERVICES.values())), len(chosen))
        if rank > best_rank:
            best, best_rank = chosen, rank
        at += window / 4
    kept = set(best)
    out.write_bytes(
        data[:24] + b"".join(record for _, record in records(data) if conversation(record[16:]) in kept)
    )
