"""Read the captures back with nothing but the standard library: count them and cut the small sample."""

from __future__ import annotations

import socket
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


def compare(clean: Path, noisy: Path) -> dict[str, int]:
    """Compare the twin with the main capture: what did the bad link do to the same packets?

    Parameters
    ----------
    clean, noisy : Path
        The twin, taken before the bad link, and the main capture, taken behind it.

    Returns
    -------
    dict
        Conversations in both and in one only; of the packets towards the core (up) how many are missing,
        doubled or overtaken in the main capture; of those towards the branch (down) how many never arrived.
    """
    far = {address for host in plan.HOSTS if host.segment == "far" for address in host.v4}
    far6 = {socket.inet_pton(socket.AF_INET6, a) for h in plan.HOSTS if h.segment == "far" for a in h.v6}
    packets: list[dict[Key, list[tuple[bool, bytes]]]] = []
    for path in (clean, noisy):
        seen: dict[Key, list[tuple[bool, bytes]]] = defaultdict(list)
        for _, record in records(path.read_bytes()):
            frame = record[16:]
            key = conversation(frame)
            if key and service(key) == "http":
                six = frame[12:14] == b"\x86\xdd"
                up = frame[22:38] in far6 if six else ".".join(map(str, frame[26:30])) in far
                down = frame[38:54] in far6 if six else ".".join(map(str, frame[30:34])) in far
                if up or down:
                    seen[key].append((up, frame[14:]))
        packets.append(seen)
    before, after = packets
    out = Counter(
        conversations_in_both=len(before.keys() & after.keys()),
        conversations_in_twin_only=len(before.keys() - after.keys()),
        conversations_in_main_only=len(after.keys() - before.keys()),
    )
    for key in before.keys() & after.keys():
        sent, arrived = Counter(before[key]), Counter(after[key])
        place = {packet: number for number, packet in enumerate(before[key])}
        for packet in sent | arrived:
            way, change = "up" if packet[0] else "down", arrived[packet] - sent[packet]
            out[f"{way}_packets"] += max(sent[packet], min(arrived[packet], 1))
            if change:
                out["up_missing" if change < 0 else "up_doubled" if packet[0] else "down_missing"] += abs(change)
        latest = -1
        for packet in dict.fromkeys(after[key]):
            if packet[0] and packet in place:
                out["up_overtaken"] += place[packet] < latest
                latest = max(latest, place[packet])
    return dict(out)


def cut(path: Path, out: Path, limit: int = 290_000, window: float = 60.0, most: int = 24) -> None:
    """Write a small capture: whole conversations of one minute, services taken in turn.

    Parameters
    ----------
    path, out : Path
        The main capture and the small one.
    limit : int
        Greatest size of the small file in bytes.
    window : float
        Conversations that start within so many seconds may be chosen.
    most : int
        Greatest number of conversations of one service.
    """
    data = path.read_bytes()
    starts: dict[Key, float] = {}
    ends: dict[Key, float] = {}
    sizes: dict[Key, int] = Counter()
    for when, record in records(data):
        key = conversation(record[16:])
        if key:
            starts.setdefault(key, when)
            ends[key] = when
            sizes[key] += len(record)
    begin, end = min(starts.values()), max(starts.values())
    best: list[Key] = []
    best_rank = (-1, -1)
    at = begin + 1
    while at + window < end or not best:
        by_service: dict[str, list[Key]] = defaultdict(list)
        for key, when in starts.items():
            # Nothing that is long or large: the sample has room for many small ones.
            inside = at <= when < at + window and ends[key] < at + 1.5 * window
            if inside and sizes[key] < 12_000:
                by_service[service(key)].append(key)
        # A port scan must not fill it: at most so many conversations of each service.
        groups = {name: keys[:most] for name, keys in by_service.items()}
        chosen, room = [], limit - 24
        while any(groups.values()):
            for keys in groups.values():
                if keys and (key := keys.pop(0)) and sizes[key] <= room:
                    chosen.append(key)
                    room -= sizes[key]
        each = Counter(map(service, chosen))
        services = set(plan.SERVICES.values())
        # First many services, then several conversations of each.
        rank = (sum(name in each for name in services), sum(min(each[name], 8) for name in services))
        if rank > best_rank:
            best, best_rank = chosen, rank
        at += window / 4
    kept = set(best)
    out.write_bytes(data[:24] + b"".join(record for _, record in records(data) if conversation(record[16:]) in kept))
