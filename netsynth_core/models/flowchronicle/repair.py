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
LEAST_SHARE = 0.05
MOST_REDRAWS = 20


@dataclass(frozen=True)
class Rules:
    """What held for every training flow."""

    least_bytes: dict[str, float]
    """Fewest bytes a packet, by protocol and IP version (`carriers`), over both directions."""
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


def carriers(frame: pd.DataFrame) -> "pd.Series[str]":
    """What carries each flow: its protocol, with ``/6`` behind it over IPv6, whose headers are longer."""
    version = np.where(frame["src_ip"].astype(str).str.contains(":", regex=False), "/6", "")
    return frame["proto"].astype(str) + version


def learn_rules(flows: FlowTable) -> Rules:
    """The rules that hold for every flow of the table."""
    frame = flows.frame
    least: dict[str, float] = {}
    most: dict[str, float] = {}
    proto = frame["proto"].astype(str).to_numpy()
    carrier = carriers(frame).to_numpy()
    paired = True
    for way in ("fwd", "bwd"):
        packets, octets = frame[f"{way}_packets"].to_numpy(), frame[f"{way}_bytes"].to_numpy()
        paired = paired and bool(((packets == 0) == (octets == 0)).all())
        for name in np.unique(carrier[packets > 0]):
            at = (carrier == name) & (packets > 0)
            ratio = octets[at] / packets[at]
            least[str(name)] = min(least.get(str(name), np.inf), float(ratio.min()))
            most[str(name)] = max(most.get(str(name), 0.0), float(ratio.max()))
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


def mend(frame: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """The sampled flows with every value that breaks a rule moved to the nearest one that does not."""
    columns = {name: frame[name].to_numpy().copy() for name in frame.columns}
    proto = frame["proto"].astype(str)
    carrier = carriers(frame)
    least = carrier.map(rules.least_bytes).fillna(0.0).to_numpy(np.float64)
    most = carrier.map(rules.most_bytes).fillna(np.inf).to_numpy(np.float64)
    for way in ("fwd", "bwd"):
        packets, octets = columns[f"{way}_packets"], columns[f"{way}_bytes"]
        if rules.packets_with_bytes:
            octets = np.where(packets == 0, 0, np.maximum(octets, 1))
        low = np.ceil(packets * least - 1e-6).astype(np.int64)
        high = np.where(np.isfinite(most), np.floor(packets * np.minimum(most, 1e9) + 1e-6), 2.0**62).astype(np.int64)
        bounded = np.maximum(np.minimum(octets, np.maximum(high, low)), low)
        columns[f"{way}_bytes"] = np.where(packets > 0, bounded, octets)
    total = columns["fwd_packets"] + columns["bwd_packets"]
    duration = columns["duration"]
    if rules.lone_packet_takes_no_time:
        duration = np.where(total <= 1, 0, duration)
    if rules.more_packets_take_time:
        duration = np.where((total > 1) & (duration == 0), rules.least_duration, duration)
    columns["duration"] = duration
    tcp = (proto == "TCP").to_numpy()
    flags = columns["flags"]
    if rules.flags_for_tcp_only:
        flags = np.where(tcp, flags, NO_FLAGS)
    if rules.tcp_flags:
        flags = np.where(tcp & (flags == NO_FLAGS), rules.tcp_flags, flags)
    columns["flags"] = flags
    return pd.DataFrame(columns)


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
    proto: NDArray[np.object_], dst_port: NDArray[np.int64], known: tuple[SourcePorts, ...], *, rng: np.random.Generator
) -> NDArray[np.int32]:
    """A source port for each flow."""
    drawn = rng.integers(EPHEMERAL[0], EPHEMERAL[1] + 1, len(proto))
    for name, echo in ECHO_REQUEST.items():
        drawn[proto == name] = echo
    portless = ~np.isin(proto, ("TCP", "UDP", "SCTP", *ICMP))
    drawn[portless] = 0
    for entry in known:
        rows = np.flatnonzero((proto == entry.proto) & (dst_port == entry.dst_port))
        weights = np.array([*(count for _, count in entry.ports), entry.ephemeral], np.float64)
        chosen = rng.choice(len(weights), len(rows), p=weights / weights.sum())
        ports = np.array([port for port, _ in entry.ports] + [0], np.int64)
        special = chosen < len(entry.ports)
        drawn[rows[special]] = ports[chosen[special]]
    return drawn.astype(np.int32)


def separate(frame: pd.DataFrame, *, rng: np.random.Generator) -> NDArray[np.int32]:
    """The source ports of a frame, ephemeral ones drawn again where two flows would have one key.

    Packets of flows with one key cannot be told apart; a host does not open a second connection from a port in use. A
    port that stands out (a server's own, such as 123) is kept.
    """
    ports = frame["src_port"].to_numpy(np.int32).copy()
    key = frame[["proto", "src_ip", "dst_ip", "dst_port"]].copy()
    free = (ports >= EPHEMERAL[0]) & (ports <= EPHEMERAL[1])
    for _ in range(MOST_REDRAWS):
        again = key.assign(src_port=ports).duplicated().to_numpy() & free
        if not again.any():
            break
        ports[again] = rng.integers(EPHEMERAL[0], EPHEMERAL[1] + 1, int(again.sum()))
    return ports
