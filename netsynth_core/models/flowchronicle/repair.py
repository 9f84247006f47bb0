"""What sampled flows must obey because every training flow did: bytes need packets, one packet takes no time.

The rules are learnt, not assumed: a log that counts payload bytes, or rounds durations, gets other ones. Source ports
are no part of the patterns; they are drawn here.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.flows.table import UNSET_PORT, FlowTable

EPHEMERAL = (32768, 60999)
"""Source ports a Linux client picks from (net.ipv4.ip_local_port_range)."""
ICMP = ("ICMP", "ICMPv6")
ECHO_REQUEST = {"ICMP": 8, "ICMPv6": 128}
NO_FLAGS = "......"
MOST_SOURCE_PORTS = 16
LEAST_FLAGGED = 3
"""Flows that the bytes a packet of some flags are learnt from."""
LEAST_SHARE = 0.05
MOST_REDRAWS = 20


@dataclass(frozen=True)
class Rules:
    """What held for every training flow."""

    least_bytes: dict[str, float]
    """Fewest bytes a packet, by protocol and IP version over both directions, and for TCP by flags and direction
    (`carrier_key`)."""
    most_bytes: dict[str, float]
    """Most bytes a packet, by the same."""
    packets_with_bytes: bool
    """No direction has bytes without packets or packets without bytes."""
    lone_packet_takes_no_time: bool
    """A flow of one packet has the duration 0."""
    more_packets_take_time: bool
    """A flow of several packets has a duration above 0."""
    least_duration: int
    """Shortest duration above 0, ns; 0 when there is none."""
    flags_for_tcp_only: bool
    """Other protocols have no flags."""
    tcp_flags: str
    """The most frequent flags of TCP flows when every TCP flow has some; empty otherwise."""


def carrier_key(proto: str, sixth: bool, flags: str = "", way: str = "") -> str:
    """What carries a flow: its protocol, with ``/6`` behind it over IPv6, whose headers are longer; with flags and a
    direction (fwd, bwd), which packets of it are meant."""
    carrier = f"{proto}/6" if sixth else proto
    return f"{carrier} {flags} {way}" if flags else carrier


def learn_rules(flows: FlowTable) -> Rules:
    """The rules that hold for every flow of the table."""
    frame = flows.frame
    least: dict[str, float] = {}
    most: dict[str, float] = {}
    proto = frame["proto"].astype(str).to_numpy()
    sixth = frame["src_ip"].astype(str).str.contains(":", regex=False).to_numpy(bool)
    carrier = np.where(sixth, proto.astype(object) + "/6", proto.astype(object))
    flagged = frame["flags"].astype(str).to_numpy(dtype=object)
    paired = True
    for way in ("fwd", "bwd"):
        packets, octets = frame[f"{way}_packets"].to_numpy(), frame[f"{way}_bytes"].to_numpy()
        paired = paired and bool(((packets == 0) == (octets == 0)).all())
        sent = packets > 0
        ratio = pd.DataFrame({"carrier": carrier[sent], "flags": flagged[sent], "ratio": octets[sent] / packets[sent]})
        for name, group in ratio.groupby("carrier", sort=True)["ratio"]:
            least[str(name)] = min(least.get(str(name), np.inf), float(group.min()))
            most[str(name)] = max(most.get(str(name), 0.0), float(group.max()))
        tcp_like = ratio[ratio["flags"] != NO_FLAGS]
        for keys, group in tcp_like.groupby(["carrier", "flags"], sort=True)["ratio"]:
            if len(group) >= LEAST_FLAGGED:
                key = " ".join([*map(str, keys), way])
                least[key], most[key] = float(group.min()), float(group.max())
    total = frame["fwd_packets"].to_numpy() + frame["bwd_packets"].to_numpy()
    duration = frame["duration"].to_numpy()
    flags = frame["flags"].astype(str).to_numpy()
    tcp = proto == "TCP"
    with_flags = flags[tcp & (flags != NO_FLAGS)]
    always = bool(tcp.any()) and len(with_flags) == int(tcp.sum())
    names, counts = np.unique(with_flags, return_counts=True)
    return Rules(
        least_bytes=least,
        most_bytes=most,
        packets_with_bytes=paired,
        lone_packet_takes_no_time=bool((duration[total <= 1] == 0).all()),
        more_packets_take_time=bool((duration[total > 1] > 0).all()),
        least_duration=int(duration[duration > 0].min(initial=2**62)) if (duration > 0).any() else 0,
        flags_for_tcp_only=bool((flags[~tcp] == NO_FLAGS).all()),
        tcp_flags=str(names[np.argmax(counts)]) if always else "",
    )


@dataclass(frozen=True)
class SourcePorts:
    """Source ports that stand out for a protocol and destination port, with their counts; the rest is ephemeral."""

    proto: str
    dst_port: int
    ports: tuple[tuple[int, int], ...]
    """(source port, flows), ascending."""
    ephemeral: int
    """Flows with other source ports."""


def learn_source_ports(flows: FlowTable) -> tuple[SourcePorts, ...]:
    """Source ports that several flows share; for ICMP (where it is the type) all, up to a limit."""
    frame = flows.frame
    known = frame[frame["src_port"] != UNSET_PORT]
    found = []
    for (proto, dst_port), group in known.groupby(["proto", "dst_port"], sort=True):
        counts = group["src_port"].value_counts()
        if str(proto) not in ICMP:
            counts = counts[(counts >= 2) & (counts >= LEAST_SHARE * len(group))]
        kept = sorted(counts.items(), key=lambda item: (-int(item[1]), int(str(item[0]))))[:MOST_SOURCE_PORTS]
        if kept:
            ports = tuple(sorted((int(str(port)), int(count)) for port, count in kept))
            rest = 0 if str(proto) in ICMP else len(group) - sum(count for _, count in ports)
            found.append(SourcePorts(str(proto), int(str(dst_port)), ports, rest))
    return tuple(found)


def draw_source_ports(
    protos: tuple[str, ...],
    proto: NDArray[np.int32],
    dst_port: NDArray[np.int32],
    known: tuple[SourcePorts, ...],
    *,
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """A source port for each flow.

    Parameters
    ----------
    protos
        Names of the protocols by code.
    proto, dst_port
        Code of the protocol, and port, of each flow.
    """
    drawn = rng.integers(EPHEMERAL[0], EPHEMERAL[1] + 1, len(proto), dtype=np.int32)
    fixed = np.array([-1 if name in ("TCP", "UDP", "SCTP") else ECHO_REQUEST.get(name, 0) for name in protos], np.int32)
    drawn = np.where(fixed[proto] >= 0, fixed[proto], drawn)
    if not known:
        return drawn
    # each flow's entry by (protocol, port); the last one stands for none
    code = {name: p for p, name in enumerate(protos)}
    entries = sorted((code[e.proto] * 65536 + e.dst_port, e) for e in known if e.proto in code)
    keys = np.array([key for key, _ in entries], np.int64)
    wanted = proto.astype(np.int64) * 65536 + dst_port
    at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    rows = np.flatnonzero(keys[at] == wanted) if len(keys) else np.zeros(0, np.int64)
    order = rows[np.argsort(at[rows], kind="stable")]
    cuts = np.searchsorted(at[order], np.arange(len(keys) + 1))
    for place, (_, entry) in enumerate(entries):
        mine = order[cuts[place] : cuts[place + 1]]
        weights = np.array([*(count for _, count in entry.ports), entry.ephemeral], np.float64)
        chosen = np.searchsorted(np.cumsum(weights), rng.random(len(mine)) * weights.sum(), side="right")
        chosen = np.minimum(chosen, len(entry.ports) if entry.ephemeral else len(entry.ports) - 1)
        ports = np.array([port for port, _ in entry.ports] + [0], np.int32)
        special = chosen < len(entry.ports)
        drawn[mine[special]] = ports[chosen[special]]
    return drawn


def separate(keys: list[NDArray[np.int32]], ports: NDArray[np.int32], *, rng: np.random.Generator) -> NDArray[np.int32]:
    """The source ports, ephemeral ones drawn again where two flows would have one key.

    Packets of flows with one key cannot be told apart; a host does not open a second connection from a port in use. A
    port that stands out (a server's own, such as 123) is kept.

    Parameters
    ----------
    keys
        Codes of the rest of the key: protocol, source, destination, destination port.
    """
    ports = ports.copy()
    mixed = np.zeros(len(ports), np.uint64)
    for part in keys:
        # the multiplier of a 64-bit linear congruential generator (L'Ecuyer 1999); wraps round by design
        mixed = (mixed + part.astype(np.uint64)) * np.uint64(3935559000370003845)
    mixed *= np.uint64(65536)
    free = (ports >= EPHEMERAL[0]) & (ports <= EPHEMERAL[1])
    for _ in range(MOST_REDRAWS):
        again = pd.Series(mixed + ports.astype(np.uint64)).duplicated().to_numpy() & free
        if not again.any():
            break
        ports[again] = rng.integers(EPHEMERAL[0], EPHEMERAL[1] + 1, int(again.sum()))
    return ports
