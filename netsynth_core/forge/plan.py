"""The flow table as the forge sees it: numbers per flow, hosts, what is known and what is not.

Unset ports are given, states are read off the flags where the table has none, and flows that cannot be forged (no
packet, another protocol than TCP, UDP and ICMP, two address families) are counted by reason.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.capture.packets import PROTO_ICMP, PROTO_ICMP6, PROTO_NAMES, PROTO_TCP, PROTO_UDP
from netsynth_core.flows.services import RULES
from netsynth_core.flows.states import STATES
from netsynth_core.flows.table import FlowTable
from netsynth_core.forge.addresses import Hosts, gather_hosts
from netsynth_core.forge.columns import FlowFacts
from netsynth_core.forge.payloads.strict import DOORS, STRICT
from netsynth_core.forge.report import LEFT_OUT
from netsynth_core.forge.tcp import BARE, MTU, NAKED, PLAIN, STAMPED, Dialects, speak
from netsynth_core.units import NS_PER_S

MOST_PACKETS: Final = 4_000_000
"""Flows of more packets are left out: one flow is held in memory at a time."""
EPHEMERAL: Final = (32768, 60999)
"""Range of given source ports, both ends included."""
_NUMBERS: Final = {name.upper(): number for number, name in PROTO_NAMES.items()}
_ANSWERS: Final = {8: 0, 13: 14, 15: 16, 17: 18, 10: 9, 128: 129, 133: 134, 135: 136, 139: 140, 130: 131}


@dataclass(frozen=True, eq=False)
class Plan:
    """Flows that will be forged, as columns; row i comes from row ``rows[i]`` of the table."""

    rows: NDArray[np.int64]
    columns: FlowFacts
    hosts: Hosts
    dialects: Dialects
    fwd: NDArray[np.int64]
    bwd: NDArray[np.int64]
    bytes: NDArray[np.int64]
    """(n, 2) IP bytes of each direction; -1 = unknown."""
    duration: NDArray[np.int64]
    """ns; -1 = unknown."""
    service: NDArray[np.object_]
    """What the payloads are: the flow's service, unless its ports make readers expect another strictly."""
    swapped: NDArray[np.bool_]
    """Whether the originator is the server: the service's port is its own."""
    group: NDArray[np.object_]
    """The service models are chosen by: the protocol in lower case where the service is unknown."""
    state: NDArray[np.object_]
    state_code: NDArray[np.int64]
    """Position in `netsynth_core.flows.states.STATES`."""
    handshake: NDArray[np.bool_]
    """Whether a TCP flow begins with SYN as far as its flags say."""
    limit: NDArray[np.int64]
    """Most payload bytes of a packet."""
    left_out: dict[str, int]

    def __len__(self) -> int:
        return len(self.rows)


def plan_flows(table: FlowTable, *, seed: int) -> Plan:
    """Everything the forge needs to know of the flows of a table.

    Parameters
    ----------
    table
        The flows; `service` and `state` may be unset.
    seed
        64 bits; each flow's own seed follows from it and its row.
    """
    frame = table.frame
    proto = np.array([_NUMBERS.get(name.upper(), _number(name)) for name in frame["proto"]], np.int64)
    hosts, source, destination = gather_hosts(frame["src_ip"].tolist(), frame["dst_ip"].tolist())
    kept, left_out = _forgeable(frame, proto, hosts.ipv6[source], hosts.ipv6[destination])
    rows = np.flatnonzero(kept)
    frame = frame.iloc[rows]
    proto, source, destination = proto[rows], source[rows], destination[rows]
    ipv6 = hosts.ipv6[source]
    # the table writes ICMP for both families
    proto = np.where(ipv6 & (proto == PROTO_ICMP), PROTO_ICMP6, proto)
    seeds = flow_seeds(seed, rows)
    fwd, bwd = (frame[name].to_numpy(np.int64) for name in ("fwd_packets", "bwd_packets"))
    octets = _known_bytes(frame, fwd, bwd)
    state = _states(frame, proto, fwd, bwd)
    service, group, swapped = _services(frame, proto)
    level = _levels(hosts, source, destination, fwd, bwd, octets, state)
    dialects = speak(hosts, source, destination, level)
    flags = frame["flags"].to_numpy(object)
    columns = FlowFacts(
        proto=proto.astype(np.uint8),
        ends=np.stack([source, destination], axis=1),
        ports=_ports(frame, proto, source, rows, seed),
        ipv6=ipv6,
        start=frame["ts"].to_numpy(np.int64),
        seed=seeds,
        messages=_messages(frame, proto),
        syn_layout=dialects.syn,
        later_layout=dialects.later,
        syn_window=dialects.syn_window,
        window=dialects.window,
    )
    return Plan(
        rows=rows,
        columns=columns,
        hosts=hosts,
        dialects=dialects,
        fwd=fwd,
        bwd=bwd,
        bytes=octets,
        duration=_known_durations(frame),
        service=service,
        swapped=swapped,
        group=group,
        state=state,
        state_code=np.array(
            [STATES.index(name) if name in STATES else STATES.index("OTH") for name in state], np.int64
        ),
        handshake=np.array([text == "......" or "S" in text for text in flags], bool),
        limit=np.where(proto == PROTO_TCP, dialects.limit, MTU - np.where(ipv6, 48, 28)),
        left_out=left_out,
    )


def flow_seeds(seed: int, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The seed of each flow: a scrambled sum of the capture's seed and the row, so that it depends on nothing else."""
    with np.errstate(over="ignore"):
        value = np.uint64(seed) + (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    scrambled: NDArray[np.uint64] = value ^ (value >> np.uint64(31))
    return scrambled


def _number(name: str) -> int:
    return int(name) if name.isdigit() and int(name) < 256 else -1


def _forgeable(
    frame: pd.DataFrame, proto: NDArray[np.int64], source6: NDArray[np.bool_], destination6: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Which flows can be forged, and how many cannot by reason."""
    packets = frame["fwd_packets"].to_numpy() + frame["bwd_packets"].to_numpy()
    reasons = np.full(len(proto), "", object)
    other = ~np.isin(proto, (PROTO_TCP, PROTO_UDP, PROTO_ICMP, PROTO_ICMP6))
    names = frame["proto"].to_numpy(object)
    reasons[other] = np.array([f"protocol {name}" for name in names[other]], object)
    reasons[source6 != destination6] = "one end IPv4, the other IPv6"
    start, end = frame["ts"].to_numpy(np.int64), frame["duration"].to_numpy(np.int64)
    reasons[(start < 0) | (start // NS_PER_S + end // NS_PER_S >= 2**32 - 1)] = "instant before 1970 or after 2105"
    reasons[packets > MOST_PACKETS] = f"more than {MOST_PACKETS} packets"
    reasons[packets <= 0] = "no packet"
    kept = reasons == ""
    found, counts = np.unique(reasons[~kept].astype(str), return_counts=True)
    return kept, {f"{LEFT_OUT}{reason}": int(count) for reason, count in zip(found, counts, strict=True)}


def _known_bytes(frame: pd.DataFrame, fwd: NDArray[np.int64], bwd: NDArray[np.int64]) -> NDArray[np.int64]:
    """IP bytes of each direction; -1 where fewer than the headers need."""
    columns = []
    for name, packets in (("fwd_bytes", fwd), ("bwd_bytes", bwd)):
        octets = frame[name].to_numpy(np.int64)
        columns.append(np.where((octets < 20 * packets) | (packets == 0), np.where(packets == 0, 0, -1), octets))
    return np.stack(columns, axis=1)


def _known_durations(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Durations (ns); -1 where the table gives none at all."""
    durations = frame["duration"].to_numpy(np.int64)
    return durations if np.any(durations > 0) else np.full(len(durations), -1, np.int64)


def _states(
    frame: pd.DataFrame, proto: NDArray[np.int64], fwd: NDArray[np.int64], bwd: NDArray[np.int64]
) -> NDArray[np.object_]:
    """The state of each flow: the table's, else what counts and flags make likely."""
    given = frame["state"].to_numpy(object)
    flags = frame["flags"].to_numpy(object)
    states = np.empty(len(given), object)
    for i, (name, text) in enumerate(zip(given, flags, strict=True)):
        states[i] = name or state_of_flags(text, int(proto[i]), int(fwd[i]), int(bwd[i]))
    return states


def state_of_flags(flags: str, proto: int, fwd: int, bwd: int) -> str:
    """The likely state of a flow whose table has none.

    >>> state_of_flags(".AP.SF", 6, 14, 14), state_of_flags("....S.", 6, 1, 0), state_of_flags(".A.RS.", 6, 1, 1)
    ('SF', 'S0', 'REJ')
    """
    if proto != PROTO_TCP:
        return "SF" if fwd and bwd else "S0" if fwd else "SHR"
    known = flags != "......"
    syn, fin, reset = ("S" in flags, "F" in flags, "R" in flags) if known else (True, fwd > 2 and bwd > 1, False)
    if not fwd or not bwd:
        if not syn:
            return "OTH"
        if reset:
            return "RSTOS0" if fwd else "RSTRH"
        if fin:
            return "SH" if fwd else "SHR"
        return "S0" if fwd else "OTH"
    if reset:
        if syn and "P" not in flags and bwd == 1 and fwd <= 4:
            return "REJ"
        return "RSTO" if fwd >= bwd else "RSTR"
    if fin:
        return "SF"
    return "S1" if syn else "OTH"


def _services(
    frame: pd.DataFrame, proto: NDArray[np.int64]
) -> tuple[NDArray[np.object_], NDArray[np.object_], NDArray[np.bool_]]:
    """Service of the payloads, service models are chosen by, and whether the originator is the server.

    Models may be pooled under the name of a protocol, which says nothing of payloads: there ports decide. They also
    do where readers take only messages of the service of a port (`STRICT`), whatever the table says.
    """
    table: dict[tuple[int, int], str] = {}
    for rule in reversed(RULES):
        table |= {(PROTO_TCP, port): rule.name for port in rule.tcp} | {
            (PROTO_UDP, port): rule.name for port in rule.udp
        }
    protocols = {name.lower() for name in PROTO_NAMES.values()}
    named = frame["service"].to_numpy(object)
    family = frame["proto"].str.lower().to_numpy(object)
    service, group = named.copy(), named.copy()
    swapped = np.zeros(len(named), bool)
    ports = frame[["src_port", "dst_port"]].to_numpy(np.int64).tolist()
    for i, (number, (own, other)) in enumerate(zip(proto.tolist(), ports, strict=True)):
        group[i] = named[i] or table.get((number, other), "") or family[i]
        there, here = (table.get((number, port)) or DOORS.get((number, port), "") for port in (other, own))
        by_port = there or here
        known = named[i] if named[i] not in protocols else ""
        service[i] = by_port if known == "" or by_port in STRICT else known
        swapped[i] = service[i] != "" and service[i] == here != there
    return service, group, swapped


def _levels(
    hosts: Hosts,
    source: NDArray[np.int64],
    destination: NDArray[np.int64],
    fwd: NDArray[np.int64],
    bwd: NDArray[np.int64],
    octets: NDArray[np.int64],
    state: NDArray[np.object_],
) -> NDArray[np.uint8]:
    """How talkative the TCP headers are: the fullest level whose headers fit into the flow's bytes."""
    level = np.full(len(fwd), NAKED, np.uint8)
    packets = np.stack([fwd, bwd], axis=1)
    bare_syn = (state == "S0") | (state == "RSTOS0") | (state == "SH")
    for candidate in (BARE, PLAIN, STAMPED):
        spoken = speak(hosts, source, destination, np.full(len(fwd), candidate, np.uint8))
        syns = np.where(bare_syn, fwd - (state != "S0"), np.where(state == "REJ", fwd, 1))
        counts = np.stack([np.clip(syns, 0, fwd), np.minimum(1, bwd)], axis=1)
        need = counts * spoken.syn_length + (packets - counts) * spoken.later_length[:, None]
        refused = state == "REJ"
        need[refused, 1] = 0
        fits = np.all((octets < 0) | (need <= octets) | (packets == 0), axis=1)
        level[fits] = candidate
    return level


def _ports(
    frame: pd.DataFrame, proto: NDArray[np.int64], source: NDArray[np.int64], rows: NDArray[np.int64], seed: int
) -> NDArray[np.uint16]:
    """Both ports; an unset source port is the host's next ephemeral one, so that connections stay apart."""
    own = frame["src_port"].to_numpy(np.int64).copy()
    other = frame["dst_port"].to_numpy(np.int64)
    width = EPHEMERAL[1] - EPHEMERAL[0] + 1
    unset = np.flatnonzero((own < 0) & ((proto == PROTO_TCP) | (proto == PROTO_UDP)))
    if len(unset):
        order = unset[np.argsort(source[unset], kind="stable")]
        host = source[order]
        first = np.searchsorted(host, host, side="left")
        start = (flow_seeds(seed ^ 0xB5297A4D, host) % np.uint64(width)).astype(np.int64)
        own[order] = EPHEMERAL[0] + (start + np.arange(len(order)) - first) % width
    return np.stack([np.clip(own, 0, 65535), np.clip(other, 0, 65535)], axis=1).astype(np.uint16)


def _messages(frame: pd.DataFrame, proto: NDArray[np.int64]) -> NDArray[np.uint8]:
    """ICMP type and code of each direction: echo where the table does not say."""
    kind = frame["src_port"].to_numpy(np.int64)
    code = frame["dst_port"].to_numpy(np.int64)
    table = np.zeros((len(kind), 2, 2), np.uint8)
    for i in np.flatnonzero((proto == PROTO_ICMP) | (proto == PROTO_ICMP6)):
        echo = 8 if proto[i] == PROTO_ICMP else 128
        said = 0 <= kind[i] < 256
        request = int(kind[i]) if said else echo
        answer = _ANSWERS.get(request, request)
        own = 0 if answer != request or not 0 <= code[i] < 256 else int(code[i])
        table[i] = ((request, own), (answer, own))
    return table
