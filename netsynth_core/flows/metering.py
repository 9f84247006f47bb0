"""Metering: packets become flows and conversations.

A flow ends when no packet came for the idle timeout, when it is older than the active timeout, or, for TCP, when a SYN
begins another connection. Packets are taken in order of time (file order where times are equal). A capture may be fed
in any number of windows: the flows are the same where no window holds packets older than those before it. Packets that
come too late are taken as they come: a flow begins with its oldest one, and one that is older than the beginning of its
flow by more than the idle timeout is of another.

Two things differ from Zeek on purpose. An attempt that nobody answered ends by the idle timeout as everything does, not
after 5 s (tcp_attempt_delay): a late answer belongs to it. And who is the originator is told by SYN and by ports alone,
as in Zeek, never by payload: the same traffic gives the same flows whether its payload was captured or cut off.
"""

import secrets
from dataclasses import dataclass
from enum import IntFlag
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.packets import PROTO_TCP, PROTO_UDP, PacketTable
from netsynth_core.errors import NotEnoughData
from netsynth_core.flows.columns import ICMP_PAIRS as ICMP_PAIRS
from netsynth_core.flows.columns import FlowColumns, MeteredFlows
from netsynth_core.flows.conversations import Conversations
from netsynth_core.flows.heads import FirstPayloads, Heads
from netsynth_core.flows.retired import HELD, RetiredFlows
from netsynth_core.flows.states import state_codes
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.params import Params, parameter
from netsynth_core.units import NS_PER_S, count

if TYPE_CHECKING:
    from netsynth_core.flows.table import FlowTable

OPEN: Final = 3 << 17
"""Flows that are open at once where memory is bounded."""

KEYS: Final = 11
"""Secret numbers that the table of flows is kept by."""

_AT_ONCE: Final = 1 << 16
"""Flows that are labelled at once."""

_SYN_LETTERS: Final = (1, 2, 13, 14)


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


class Mark(IntFlag):
    """What a packet is beside the orderly course of its side of a TCP flow, by the meanings of Wireshark's analysis."""

    RETRANSMISSION = 1
    """It begins below what was sent already and is not out of order: mostly its bytes (or its SYN or FIN) were captured
    before. Fast and spurious retransmissions are among them."""
    OUT_OF_ORDER = 2
    """It begins below what was sent already and brings bytes that were not captured yet, soon after the highest one:
    within the flow's first round trip, 3 ms where unknown. Of holes in what was sent the first two are known."""
    DUPLICATE_ACK = 4
    """It says nothing but what the acknowledgement before it said."""
    ZERO_WINDOW = 8
    """Its sender takes no more bytes now (RFC 9293 section 3.8.6.1)."""
    GAP_BEFORE = 16
    """Bytes before it were not captured, or come later."""
    KEEP_ALIVE = 32
    """No or one byte below what was sent already (RFC 9293 section 3.8.4)."""
    DUPLICATE_FRAME = 64
    """The same packet was captured twice: as the one before it of its side, IP identification too, within 0.1 s. Where
    there is no identification (IPv6, and 0) a TCP packet that is sent but once, within 1 ms: with SYN, FIN, data or
    RST and ACK."""


@dataclass(frozen=True, eq=False)
class TcpOptions:
    """What SYN packets offered: one row per flow, column 0 the originator, column 1 the responder."""

    mss: NDArray[np.int32]
    """Maximum segment size, bytes; -1 where no SYN told one."""
    window_scale: NDArray[np.int16]
    """Shift of the window, 0 to 14 (RFC 7323); -1 unset."""
    sack_permitted: NDArray[np.bool_]
    """RFC 2018."""
    timestamps: NDArray[np.bool_]
    """RFC 7323."""

    @classmethod
    def unset(cls, flows: int) -> "TcpOptions":
        """Nothing was told, of that many flows."""
        told = np.zeros((flows, 2), np.bool_)
        return cls(np.full((flows, 2), -1, np.int32), np.full((flows, 2), -1, np.int16), told, told.copy())


@dataclass(frozen=True, eq=False)
class Metered:
    """The flows of a packet table and their packets."""

    source: "FlowTable | MeteredFlows"
    """The flows, as metering left them or as a file held them."""
    kept: Conversations | None
    """Which packets belong to each flow; None when they were not kept."""
    marks: NDArray[np.uint8]
    """`Mark` bits per packet row; empty when the packets were not kept."""
    options: TcpOptions
    notes: tuple[str, ...] = ()
    """Sentences for a person on what was odd."""

    @cached_property
    def flows(self) -> "FlowTable":
        """The flow table, made when it is first asked for."""
        return self.source.table() if isinstance(self.source, MeteredFlows) else self.source

    @property
    def conversations(self) -> Conversations:
        """Which packets belong to each flow.

        Raises
        ------
        NotEnoughData
            When they were not kept.
        """
        if self.kept is None:
            raise NotEnoughData(
                "The packets of these flows were not kept.", hint="Read the capture again with its packets."
            )
        return self.kept


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
        `src` is the originator, by Zeek's rules: the sender of the SYN, else the first sender, unless its port is one a
        server listens on. ICMP has the type as source port and the code (for requests and answers: the answering type)
        as destination port, as in Zeek.
    """
    meter = FlowMeter(params)
    monitor.step("metering flows", 0, len(packets))
    meter.feed(packets)
    metered = meter.finish()
    monitor.step("metering flows", len(packets), len(packets), flows=meter.flow_count)
    return metered


class FlowMeter:
    """Metering window by window.

    Parameters
    ----------
    params
        Timeouts.
    keep_packets
        Whether to remember which packet belongs to which flow. Without, memory is bounded: a flow that is over leaves
        a compact row, and rows that are too many go to a file. What remains is the text of each distinct server name.
    folder
        Where that file is made (`netsynth_core.flows.retired`).
    most_open
        How many flows can be open at once where memory is bounded, 328 bytes each and 112 for the first payload of
        each side. When they are more, the half of them that was silent the longest ends before its timeout; the notes
        tell how many, and how long they had been silent.
    held
        Rows of flows that are over that stay in memory.

    Examples
    --------
    >>> from netsynth_core.capture.packets import PacketTable
    >>> len(FlowMeter().finish().flows)
    0
    """

    def __init__(
        self,
        params: MeterParams | None = None,
        *,
        keep_packets: bool = True,
        folder: Path | None = None,
        most_open: int = OPEN,
        held: int = HELD,
    ) -> None:
        from netsynth_core.flows import _meter_kernels as kernels
        from netsynth_core.flows.services import server_ports

        self._kernels = kernels
        self.params = params or MeterParams()
        self.keep_packets = keep_packets
        self._idle = np.full(256, _ns(self.params.idle_timeout_icmp), np.int64)
        self._idle[PROTO_TCP], self._idle[PROTO_UDP] = (
            _ns(self.params.idle_timeout_tcp),
            _ns(self.params.idle_timeout_udp),
        )
        self._servers = np.array(server_ports())
        self._answers = np.full((256, 256), -1, np.int16)
        for proto, request, answer in ICMP_PAIRS:
            self._answers[proto, request], self._answers[proto, answer] = answer, request
        self._retired = None if keep_packets else RetiredFlows(folder, held)
        self._most = np.iinfo(np.int32).max if keep_packets else max(most_open, 2)
        room = min(1 << 14, self._most)
        # secret, or a capture could be made whose flows all fall together; nothing else depends on them
        self._keys = np.frombuffer(secrets.token_bytes(8 * KEYS), np.uint64) | np.uint64(1)
        self._table = np.zeros(1 << 15, np.uint64)
        self._flows = np.zeros(room, kernels.FLOW)
        self._sides = np.zeros(2 * room, kernels.SIDE)
        # records used or free, keys, heads, free ones, flows so far
        self._counts = np.zeros(5, np.int64)
        self._free = np.zeros(room, np.int32)
        self._heads = Heads()
        self._hurried, self._patience = 0, np.iinfo(np.int64).max
        self._windows: list[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8]]] = []
        self._marks: list[NDArray[np.uint8]] = []
        self._rows = 0
        self._latest = np.iinfo(np.int64).min
        self._late = 0

    @property
    def flow_count(self) -> int:
        """Flows so far."""
        return int(self._counts[4])

    def feed(self, packets: PacketTable) -> None:
        """Meter the packets of one window; those of later windows should not be older."""
        n = len(packets)
        if n == 0:
            return
        ordered = bool(np.all(packets.ts[1:] >= packets.ts[:-1]))
        order = np.zeros(0, np.int64) if ordered else np.argsort(packets.ts, kind="stable").astype(np.int64)
        self._note_disorder(packets.ts)
        flow, direction = np.empty(n, np.int32), np.empty(n, np.uint8)
        marks, heads = np.empty(n, np.uint8), np.empty(2 * n, np.int32)
        self._counts[2] = 0
        done = 0
        while True:
            done = self._kernels.meter(
                done, order, packets.ts, packets.src_hi, packets.src_lo, packets.dst_hi, packets.dst_lo, packets.proto,
                packets.src_port, packets.dst_port, packets.flags, packets.seq, packets.ack, packets.window,
                packets.ip_length, packets.ip_id, packets.payload_offset, packets.payload_length,
                packets.payload_captured, packets.header_length, packets.fragment, packets.data,
                self._servers, self._answers, self._idle, _ns(self.params.active_timeout), _ns(self.params.linger),
                self._keys, self._table, self._flows, self._sides, self._free, self._counts,
                flow, direction, marks, heads,
            )  # fmt: skip
            listed = heads[: self._counts[2]]
            rows = np.where(listed < 0, -1 - listed, listed)
            self._heads.add(packets, rows, 2 * flow[rows].astype(np.int64) + direction[rows], listed < 0)
            self._counts[2] = 0
            if done == n:
                break
            self.make_room(int(packets.ts[order[done] if len(order) else done]))
        if self.keep_packets:
            self._windows.append((order, flow, direction))
            self._marks.append(marks)
        self._rows += n

    def finish(self) -> Metered:
        """The flows of all windows; nothing can be fed after it."""
        if self._retired is not None:
            self._retire(np.flatnonzero(self._flows["serial"][: self._counts[0]]))
            return Metered(self._retired.flows(), None, np.zeros(0, np.uint8), TcpOptions.unset(0), self._notes())
        flows, sides = self._flows[: self.flow_count], self._sides[: 2 * self.flow_count].reshape(-1, 2)
        first = flows["first"]
        rank = np.zeros(0, np.int64)
        kept = self._heads.draw(np.arange(self.flow_count), self.flow_count)
        if len(first) > 1 and bool(np.any(first[1:] < first[:-1])):
            order = np.argsort(first, kind="stable")
            rank = np.empty(len(order), np.int64)
            rank[order] = np.arange(len(order))
            flows, sides, kept = flows[order], sides[order], kept.take(order)
        ends = _orient(flows["turned"], sides)
        columns = _columns(flows, ends, kept)
        conversations = self._lay_out(rank, ends["packets"].sum(axis=1))
        marks = np.concatenate(self._marks) if self._marks else np.zeros(0, np.uint8)
        options = TcpOptions(
            np.where(ends["mss"] == 0, np.int32(-1), ends["mss"]).astype(np.int32),
            np.where(ends["options"] & 4, ends["scale"], np.int8(-1)).astype(np.int16),
            (ends["options"] & 1).astype(np.bool_),
            (ends["options"] & 2).astype(np.bool_),
        )
        return Metered(columns, conversations, marks, options, self._notes())

    def make_room(self, clock: int) -> None:
        """Room for more flows, and a table at most half full; no packet before `clock` (ns) comes any more."""
        used, room = int(self._counts[0]), len(self._flows)
        if self._retired is not None:
            found = np.empty(max(used, 1), np.int64)
            n = self._kernels.ended(
                self._flows, self._sides, used, self._idle, _ns(self.params.active_timeout), _ns(self.params.linger),
                clock, found,
            )  # fmt: skip
            if 4 * n < used and room == self._most:
                self._retire(self._hurry(clock))
            else:
                self._retire(found[:n])
        if self._counts[0] == room and 4 * self._counts[3] < room:
            self._flows = _wider(self._flows, min(2 * room, self._most))
            self._sides = _wider(self._sides, 2 * len(self._flows))
            self._free = _wider(self._free, len(self._flows))
        size = len(self._table)
        while 4 * (self._counts[0] - self._counts[3]) > size:
            size *= 2
        self._table = np.zeros(size, np.uint64)
        self._counts[1] = self._kernels.rehash(self._keys, self._table, self._flows, self._sides, int(self._counts[0]))

    def _hurry(self, clock: int) -> NDArray[np.int64]:
        """The half of the open flows that was silent the longest: they end although none of their timeouts passed."""
        last = self._flows["last"][: self._counts[0]]
        silent = np.argpartition(last, len(last) // 2)[: len(last) // 2 + 1]
        self._hurried += len(silent)
        self._patience = min(self._patience, clock - int(last[silent].max()))
        return np.sort(silent)

    def _retire(self, records: NDArray[np.int64]) -> None:
        """Tell flows that are over, and free their records."""
        if self._retired is None or not len(records):
            return
        for some in np.array_split(records, -(-len(records) // _AT_ONCE)):
            flows = _words(self._flows)[some].view(self._flows.dtype)[:, 0]
            sides = _words(self._sides, 2)[some].view(self._sides.dtype)
            kept = self._heads.draw(some, int(self._counts[0]))
            self._retired.add(_columns(flows, _orient(flows["turned"], sides), kept), flows["serial"])
        _words(self._flows)[records] = 0
        _words(self._sides, 2)[records] = 0
        free = int(self._counts[3])
        # the lowest record is used first
        self._free[free : free + len(records)] = records[::-1]
        self._counts[3] += len(records)

    def _note_disorder(self, ts: NDArray[np.int64]) -> None:
        if ts.min() < self._latest:
            self._late += int(np.count_nonzero(ts < self._latest))
        self._latest = max(self._latest, int(ts.max()))

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self._late:
            notes.append(
                f"{count(self._late, 'packet')} came far too late and was taken in the order of the file: "
                "its flow may be another than in order of time."
            )
        if self._hurried:
            notes.append(
                f"More than {count(self._most, 'flow')} were open at once; {count(self._hurried, 'flow')} that had "
                f"been silent for at least {max(self._patience, 0) / NS_PER_S:.3g} s ended before their idle timeout."
            )
        return tuple(notes)

    def _lay_out(self, rank: NDArray[np.int64], sizes: NDArray[Any]) -> Conversations:
        offsets = np.zeros(len(sizes) + 1, np.int64)
        np.cumsum(sizes, out=offsets[1:])
        rows, ways = np.empty(self._rows, np.int64), np.empty(self._rows, np.uint8)
        place, base = offsets.copy(), 0
        turned = np.ascontiguousarray(self._flows["turned"][: self.flow_count])
        for order, flow, direction in self._windows:
            self._kernels.lay_out(order, flow, direction, rank, turned, base, place, rows, ways)
            base += len(flow)
        return Conversations(offsets, rows, ways)


def _words(records: NDArray[Any], side_by_side: int = 1) -> NDArray[np.uint64]:
    """The same records as rows of words, so many records a row: NumPy copies and clears them many times faster."""
    return records.view(np.uint64).reshape(len(records) // side_by_side, -1)


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _wider(held: NDArray[Any], size: int) -> NDArray[Any]:
    """Records with room for more."""
    wider = np.zeros(size, held.dtype)
    wider[: len(held)] = held
    return wider


def _orient(turned: NDArray[np.uint8], sides: NDArray[Any]) -> NDArray[Any]:
    """The sides of each flow, put originator first."""
    rows = np.flatnonzero(turned)
    sides[rows] = sides[rows, ::-1]
    return sides


def _columns(flows: NDArray[Any], ends: NDArray[Any], kept: FirstPayloads) -> FlowColumns:
    """The columns of flows from their records; `ends` has the originator first."""
    from netsynth_core.flows.services import label_heads

    turned = flows["turned"].astype(np.bool_)
    proto = np.ascontiguousarray(flows["proto"])
    a_port, b_port = _ports(flows)
    src_port, dst_port = np.where(turned, b_port, a_port), np.where(turned, a_port, b_port)
    addresses = [
        np.where(turned, flows[back], flows[there])
        for there, back in (("src_hi", "dst_hi"), ("src_lo", "dst_lo"), ("dst_hi", "src_hi"), ("dst_lo", "src_lo"))
    ]
    rows, side = np.arange(len(flows)), flows["turned"]
    swapped = np.flatnonzero(turned)
    kept.heads[swapped], kept.sizes[swapped] = kept.heads[swapped, ::-1], kept.sizes[swapped, ::-1]
    letters = flows["history"][:, 0]
    opening = np.where(letters & 31 == 12, letters >> np.uint64(5), letters) & np.uint64(31)
    names = label_heads(kept.heads, kept.sizes, proto, dst_port, begun=np.isin(opening, _SYN_LETTERS)).tolist()
    services = tuple(sorted(set(names)))
    place = {name: k for k, name in enumerate(services)}
    packets, octets = ends["packets"].astype(np.int64), np.ascontiguousarray(ends["bytes"])
    return FlowColumns(
        ts=np.ascontiguousarray(flows["first"]),
        duration=flows["last"] - flows["first"],
        proto=proto,
        src_hi=addresses[0],
        src_lo=addresses[1],
        dst_hi=addresses[2],
        dst_lo=addresses[3],
        src_port=src_port,
        dst_port=dst_port,
        fwd_packets=np.ascontiguousarray(packets[:, 0]),
        bwd_packets=np.ascontiguousarray(packets[:, 1]),
        fwd_bytes=np.ascontiguousarray(octets[:, 0]),
        bwd_bytes=np.ascontiguousarray(octets[:, 1]),
        flags=np.ascontiguousarray(flows["flags"]),
        state=state_codes(ends, np.ascontiguousarray(flows["history"])),
        history=np.ascontiguousarray(flows["history"]),
        service=np.fromiter(map(place.__getitem__, names), np.int32, len(names)),
        services=services,
        server_name=kept.names[rows, side],
    )


def _ports(flows: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Ports of the first packet of each flow; ICMP type and code, or the type of the answer."""
    a_port, b_port = flows["sport"].astype(np.int32), flows["dport"].astype(np.int32)
    proto = flows["proto"]
    for kind, request, answer in ICMP_PAIRS:
        mine = proto == kind
        if mine.any():
            b_port[mine & (a_port == request)] = answer
            b_port[mine & (a_port == answer)] = request
    return a_port, b_port
