"""Metering: packets become flows and conversations.

A flow ends when no packet came for the idle timeout, when it is older than the active timeout, or, for TCP, when a new
SYN follows its end. Packets are taken in order of time (file order where times are equal).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.capture.addresses import format_addresses
from netsynth_core.capture.packets import PROTO_ICMP, PROTO_ICMP6, PROTO_NAMES, PROTO_TCP, PROTO_UDP, PacketTable
from netsynth_core.flows.conversations import Conversations
from netsynth_core.flows.services import label_services, server_ports
from netsynth_core.flows.states import states_of
from netsynth_core.flows.table import FlowTable
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.params import Params, parameter
from netsynth_core.units import NS_PER_S

_FLAG_LETTERS: Final = "UAPRSF"
_FLAG_BITS: Final = (32, 16, 8, 4, 2, 1)


class MeterParams(Params):
    """When a flow ends."""

    idle_timeout_tcp: float = parameter(300.0, "A TCP flow ends when it was silent this long.", unit="s", gt=0, le=1e6)
    idle_timeout_udp: float = parameter(60.0, "A UDP flow ends when it was silent this long.", unit="s", gt=0, le=1e6)
    idle_timeout_icmp: float = parameter(
        60.0, "A flow of ICMP or another protocol ends when it was silent this long.", unit="s", gt=0, le=1e6
    )
    active_timeout: float = parameter(
        86400.0, "A flow older than this is ended and continued as another one.", unit="s", gt=0, le=1e8, advanced=True
    )
    linger: float = parameter(
        10.0,
        "Packets this long after the end of a TCP flow still belong to it.",
        unit="s",
        ge=0,
        le=1e6,
        advanced=True,
    )


@dataclass(frozen=True, eq=False)
class Metered:
    """The flows of a packet table and their packets."""

    flows: FlowTable
    conversations: Conversations


def meter_flows(packets: PacketTable, params: MeterParams | None = None, *, monitor: Monitor = SILENT) -> Metered:
    """Group packets into bidirectional flows.

    Parameters
    ----------
    packets
        In any order of time; rows are taken by time, ties in row order.
    params
        Timeouts; the defaults are Zeek's for idle flows.

    Returns
    -------
    Metered
        `src` is the originator: the sender of the SYN, the receiver of a SYN-ACK that comes first, else the first
        sender, unless only its port is one a server listens on. ICMP has the type as source port and the code (for
        requests and answers: the answering type) as destination port, as in Zeek.
    """
    from netsynth_core.flows import _kernels

    params = params or MeterParams()
    n = len(packets)
    ordered = n < 2 or bool(np.all(packets.ts[1:] >= packets.ts[:-1]))
    order = np.arange(n, dtype=np.int64) if ordered else np.argsort(packets.ts, kind="stable").astype(np.int64)
    idle = np.full(256, _ns(params.idle_timeout_icmp), np.int64)
    idle[PROTO_TCP], idle[PROTO_UDP] = _ns(params.idle_timeout_tcp), _ns(params.idle_timeout_udp)
    flow, direction = np.empty(n, np.int64), np.empty(n, np.uint8)
    first, last = np.empty(n, np.int64), np.empty(n, np.int64)
    states, origin = np.empty((n, 2), np.uint8), np.empty(n, np.uint8)
    monitor.step("metering flows", 0, n)
    count = _kernels.meter(
        order, packets.ts, packets.src_hi, packets.src_lo, packets.dst_hi, packets.dst_lo, packets.proto,
        packets.src_port, packets.dst_port, packets.flags, packets.seq, server_ports(),
        idle, _ns(params.active_timeout), _ns(params.linger),
        flow, direction, first, last, states, origin,
    )  # fmt: skip
    first, last, swapped = first[:count], last[:count], origin[:count]
    fwd_packets, bwd_packets, fwd_bytes, bwd_bytes = (np.zeros(count, np.int64) for _ in range(4))
    union = np.zeros(count, np.uint8)
    offsets, rows, ways = np.zeros(count + 1, np.int64), np.empty(n, np.int64), np.empty(n, np.uint8)
    # flows are numbered by their first packet in order of time, so a flow's number is its row
    _kernels.tally(
        order, flow, direction, swapped, np.arange(count, dtype=np.int64), packets.ip_length, packets.flags,
        fwd_packets, bwd_packets, fwd_bytes, bwd_bytes, union, offsets, rows, ways,
    )  # fmt: skip
    conversations = Conversations(offsets, rows, ways)
    frame = pd.DataFrame({"ts": packets.ts[first], "duration": packets.ts[last] - packets.ts[first]})
    _endpoints(frame, packets, first, swapped)
    frame["fwd_packets"], frame["bwd_packets"] = fwd_packets, bwd_packets
    frame["fwd_bytes"], frame["bwd_bytes"] = fwd_bytes, bwd_bytes
    frame["flags"] = _flag_texts()[union]
    turned = np.where(swapped[:, None] == 1, states[:count, ::-1], states[:count])
    frame["state"] = states_of(turned[:, 0], turned[:, 1])
    frame["service"] = label_services(packets, conversations, frame["dst_port"].to_numpy(), packets.proto[first])
    monitor.step("metering flows", n, n, flows=int(count))
    return Metered(FlowTable.from_columns(frame), conversations)


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _flag_texts() -> NDArray[np.object_]:
    """The UAPRSF text of each value of the flags byte."""
    return np.array(
        ["".join(c if v & b else "." for c, b in zip(_FLAG_LETTERS, _FLAG_BITS, strict=True)) for v in range(256)],
        dtype=object,
    )


def _endpoints(frame: pd.DataFrame, packets: PacketTable, first: NDArray[np.int64], swapped: NDArray[np.uint8]) -> None:
    """Add protocol, addresses and ports, originator first."""
    proto = packets.proto[first]
    names = np.array([PROTO_NAMES.get(p, str(p)) for p in range(256)], dtype=object)
    frame["proto"] = names[proto]
    both_hi = np.concatenate([packets.src_hi[first], packets.dst_hi[first]])
    both_lo = np.concatenate([packets.src_lo[first], packets.dst_lo[first]])
    texts = format_addresses(both_hi, both_lo)
    a, b = texts[: len(first)], texts[len(first) :]
    a_port = packets.src_port[first].astype(np.int32)
    b_port = packets.dst_port[first].astype(np.int32)
    for kind, request, answer in ICMP_PAIRS:
        b_port = np.where((proto == kind) & (a_port == request), answer, b_port)
        turned = (proto == kind) & (packets.src_port[first] == answer)
        b_port = np.where(turned, request, b_port)
    turned = swapped.astype(bool)
    frame["src_ip"], frame["dst_ip"] = np.where(turned, b, a), np.where(turned, a, b)
    frame["src_port"], frame["dst_port"] = np.where(turned, b_port, a_port), np.where(turned, a_port, b_port)


ICMP_PAIRS: Final = (
    *((PROTO_ICMP, q, a) for q, a in ((8, 0), (13, 14), (15, 16), (17, 18), (10, 9))),
    *((PROTO_ICMP6, q, a) for q, a in ((128, 129), (133, 134), (135, 136), (139, 140), (130, 131))),
)
"""ICMP types of requests and of their answers, which share a flow."""
