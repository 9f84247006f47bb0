"""Metering once more, one packet at a time with dictionaries and plain integers: what the compiled meter must equal.

The steps are those of Zeek's TCP analysis (states, history) and of Wireshark's (marks); see
`netsynth_core.flows.states` and `netsynth_core.flows.metering.Mark` for the words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from netsynth_core.capture import PacketTable
from netsynth_core.capture.addresses import parse_address
from netsynth_core.flows.metering import Mark, MeterParams
from netsynth_core.flows.services import server_ports
from netsynth_core.flows.states import STATES, state_of
from tests.capture.traffic import ACK, FIN, RST, START, SYN

S = 1_000_000_000
__all__ = ["START", "STATES", "P", "S", "table", "twin"]


class P(NamedTuple):
    """One packet of a script."""

    at: int
    src: str
    sport: int
    dst: str
    dport: int
    flags: int = 0
    proto: int = 6
    seq: int = 0
    size: int = 40
    ack: int = 0
    window: int = 1000
    length: int = 0
    ip_id: int = 0
    fragment: int = 0


def table(packets: Sequence[P], options: bytes = b"") -> PacketTable:
    """The packets as a table; every SYN has these TCP options, payloads are zeros."""
    words = [(*parse_address(p.src), *parse_address(p.dst)) for p in packets]
    n = len(packets)

    def column(values: Sequence[int], dtype: type) -> np.ndarray:
        return np.array(values, dtype=dtype)

    return PacketTable(
        ts=column([p.at for p in packets], np.int64),
        src_hi=column([w[0] for w in words], np.uint64),
        src_lo=column([w[1] for w in words], np.uint64),
        dst_hi=column([w[2] for w in words], np.uint64),
        dst_lo=column([w[3] for w in words], np.uint64),
        proto=column([p.proto for p in packets], np.uint8),
        src_port=column([p.sport for p in packets], np.uint16),
        dst_port=column([p.dport for p in packets], np.uint16),
        ip_length=column([p.size for p in packets], np.int32),
        flags=column([p.flags for p in packets], np.uint8),
        seq=column([p.seq % 2**32 for p in packets], np.uint32),
        ack=column([p.ack % 2**32 for p in packets], np.uint32),
        window=column([p.window for p in packets], np.uint16),
        ttl=np.full(n, 64, np.uint8),
        payload_offset=np.full(n, len(options), np.int64),
        payload_length=column([p.length for p in packets], np.int32),
        payload_captured=np.zeros(n, np.int32),
        frame=np.arange(n, dtype=np.uint32),
        file=np.zeros(n, np.uint16),
        ip_id=column([p.ip_id for p in packets], np.uint16),
        header_length=np.full(n, 20 + len(options), np.uint8),
        fragment=column([p.fragment for p in packets], np.uint8),
        data=np.frombuffer(options + b"\0", np.uint8),
    )


ICMP_ANSWER = {(1, 8): 0, (1, 13): 14, (1, 15): 16, (1, 17): 18, (1, 10): 9}
ICMP_ANSWER |= {(58, 128): 129, (58, 133): 134, (58, 135): 136, (58, 139): 140, (58, 130): 131}
ICMP_ANSWER |= {(proto, answer): request for (proto, request), answer in ICMP_ANSWER.items()}
ONLY_ANSWERS = {(1, 0), (1, 14), (1, 16), (1, 18), (58, 129), (58, 140)}
NAMES = ("inactive", "partial", "syn", "syn-ack", "established", "closed", "reset", "active")


def ahead(a: int, b: int) -> int:
    """a - b in the circle of sequence numbers."""
    return (a - b + 2**31) % 2**32 - 2**31


@dataclass
class TwinSide:
    """One side of a flow."""

    packets: int = 0
    bytes: int = 0
    state: str = "inactive"
    before: str = "inactive"
    heard: bool = False
    start: int = 0
    next: int = 0
    acked: int = 0
    whole: int = 0
    holes: list[list[int]] = field(default_factory=list)
    """At most two ``[first missing, behind the last]``; the first begins at `whole`."""
    ack: int = 0
    window: int = 0
    dupacks: int = 0
    fin: int | None = None
    kept: bool = False
    probed: bool = False
    reached: int = 0
    last: int = 0
    print: object = None
    told: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def restart(self, seq: int, end: int) -> None:
        self.start = self.acked = seq
        self.next, self.whole, self.holes = end, (seq + 1) % 2**32, []

    def enter(self, state: str) -> None:
        if state != self.state:
            self.before, self.state = self.state, state

    def pass_hole(self) -> None:
        """The first hole is closed."""
        self.holes.pop(0)
        self.whole = self.holes[0][0] if self.holes else self.next

    def receive(self, seq: int, end: int, before: int) -> None:
        if ahead(seq, self.whole) > 0:
            if not self.holes:
                self.holes = [[self.whole, seq]]
            elif ahead(seq, self.holes[0][1]) < 0:
                self.holes[0][1] = seq
            elif len(self.holes) == 1:
                if ahead(seq, before) > 0:
                    self.holes.append([before, seq])
            elif ahead(seq, self.holes[1][0]) <= 0:
                if ahead(end, self.holes[1][0]) > 0:
                    self.holes[1][0] = end
            elif ahead(seq, self.holes[1][1]) < 0:
                self.holes[1][1] = seq
            if len(self.holes) == 2 and ahead(self.holes[1][0], self.holes[1][1]) >= 0:
                del self.holes[1]
        elif ahead(end, self.whole) > 0:
            self.whole = end
            if self.holes and ahead(end, self.holes[0][1]) >= 0:
                self.pass_hole()


class TwinFlow:
    """One flow: its packets, its sides, its history."""

    def __init__(self, first: P) -> None:
        self.packets: list[int] = []
        self.first = first
        self.start = self.last = first.at
        self.sides = (TwinSide(), TwinSide())
        self.turned = False
        self.history = ""
        self.syn_at = 0
        self.rtt = 0

    def tell(self, letter: str, way: int) -> None:
        if len(self.history) < 36:
            self.history += letter if way == self.turned else letter.lower()

    def count(self, side: TwinSide, letter: str, way: int) -> None:
        side.counts[letter] = side.counts.get(letter, 0) + 1
        if side.counts[letter] in {10**k for k in range(6)}:
            self.tell(letter, way)


def twin(
    packets: Sequence[P], params: MeterParams
) -> tuple[list[tuple[tuple[object, ...], list[int], list[int]]], list[int]]:
    """Flows as ``(facts, rows, directions)`` in order of start, and the marks of the packets."""
    current: dict[tuple[object, ...], TwinFlow] = {}
    flows: list[TwinFlow] = []
    ways: dict[int, int] = {}
    marks = [0] * len(packets)
    for row in sorted(range(len(packets)), key=lambda k: packets[k].at):
        p = packets[row]
        dport = ICMP_ANSWER.get((p.proto, p.sport), p.dport) if p.proto in (1, 58) else p.dport
        one, other = (p.src, p.sport), (p.dst, dport)
        key = (p.proto, *sorted((one, other)))
        flow = current.get(key)
        way = 0 if flow is None or (flow.first.src, flow.first.sport) == one else 1
        echo = (p.seq, p.ack, p.window, p.flags, p.size, p.ip_id)
        doubled = False
        if flow is not None:
            me = flow.sides[way]
            doubled = bool(me.packets and me.print == echo and is_echo(p, p.at - me.last))
            if is_old(flow, p, params) or (p.proto == 6 and is_over(flow, p, params, doubled)):
                flow = None
        if flow is None:
            flow, way, doubled = TwinFlow(p), 0, False
            flow.turned = begun_by_other(p)
            if flow.turned and p.proto in (6, 17):
                flow.history = "^"
            flows.append(flow)
            current[key] = flow
        me, peer = flow.sides[way], flow.sides[1 - way]
        flow.last = p.at
        flow.packets.append(row)
        ways[row] = way
        me.packets += 1
        me.bytes += p.size
        if p.proto == 6 and p.fragment != 2:
            marks[row] = tcp(flow, me, peer, p, way)
        elif p.proto != 6:
            me.state = "active"
            if p.proto == 17 and "D" not in me.told:
                me.told["D"] = 0
                flow.tell("D", way)
        marks[row] |= Mark.DUPLICATE_FRAME if doubled else 0
        me.last, me.print = p.at, echo
    return [summary(flow, packets, ways) for flow in flows], marks


def is_echo(p: P, gap: int) -> bool:
    """Whether a packet like the one before it of its side is the same one, captured twice."""
    if p.fragment:
        return False
    if p.ip_id:
        return gap < S // 10
    once = p.length or p.flags & (SYN | FIN) or p.flags & (RST | ACK) == RST | ACK
    return p.proto == 6 and bool(once) and gap < S // 1000


def is_old(flow: TwinFlow, p: P, params: MeterParams) -> bool:
    seconds = {6: params.idle_timeout_tcp, 17: params.idle_timeout_udp}
    idle = seconds.get(p.proto, params.idle_timeout_icmp)
    return p.at - flow.last > idle * S or p.at - flow.start > params.active_timeout * S


def is_over(flow: TwinFlow, p: P, params: MeterParams, doubled: bool) -> bool:
    orig, resp = flow.sides[flow.turned], flow.sides[not flow.turned]
    states = {orig.state, resp.state}
    if p.at - flow.last > params.linger * S and (
        "reset" in states or states == {"closed"} or states == {"closed", "inactive"}
    ):
        return True
    if not p.flags & SYN or doubled or p.fragment == 2:
        return False
    if p.flags & ACK:
        if orig.state != "inactive":
            return False
        base = resp
    else:
        base = orig
    if states & {"closed", "reset"}:
        return True
    reversed_ = base.state == "syn-ack" and resp.state == "inactive" and p.seq == resp.start and not p.flags & ACK
    return p.seq != base.start and not reversed_


def begun_by_other(p: P) -> bool:
    if p.proto in (1, 58):
        return (p.proto, p.sport) in ONLY_ANSWERS
    if p.proto not in (6, 17) or p.dst == "255.255.255.255":
        return False
    servers = server_ports()[0 if p.proto == 6 else 1]
    if p.proto == 17 or not servers[p.sport] or not servers[p.dport]:
        pure = p.proto == 6 and p.flags & (SYN | ACK) == SYN
        return bool(servers[p.sport] and not servers[p.dport]) and not pure
    return not p.flags & SYN and p.sport < p.dport


def summary(
    flow: TwinFlow, packets: Sequence[P], ways: dict[int, int]
) -> tuple[tuple[object, ...], list[int], list[int]]:
    orig, resp = flow.sides[flow.turned], flow.sides[not flow.turned]
    directions = [ways[row] ^ flow.turned for row in flow.packets]
    src = flow.first.dst if flow.turned else flow.first.src
    bits = 0
    for row in flow.packets:
        bits |= packets[row].flags
    letters = "".join(c if bits & b else "." for c, b in zip("UAPRSF", (32, 16, 8, 4, 2, 1), strict=True))
    empty = all(grown(side) <= 1 + (side.fin is not None) for side in (orig, resp))
    text = flow.history.removeprefix("^")
    reset = text.startswith("S") and "R" in text and not set(text[: text.index("R")]) & set("HAFGIQ")
    state = state_of(NAMES.index(orig.state), NAMES.index(resp.state), empty=empty, only_reset=reset)
    facts = (flow.start, flow.last - flow.start, src, orig.packets, resp.packets, orig.bytes, resp.bytes, letters)
    return (*facts, state, flow.history), flow.packets, directions


def grown(side: TwinSide) -> int:
    return ((side.next if ahead(side.next, side.acked) > 0 else side.acked) - side.start) % 2**32


def mark(flow: TwinFlow, me: TwinSide, peer: TwinSide, p: P) -> int:
    what = p.flags & (SYN | FIN | RST)
    found = Mark.ZERO_WINDOW if p.window == 0 and not what else Mark(0)
    if not me.heard:
        return found
    off, end = ahead(p.seq, me.next), (p.seq + p.length) % 2**32
    was_probed, me.kept, me.probed = me.probed, False, False
    if p.length == 1 and off == 0 and peer.heard and peer.window == 0:
        me.probed = True
        return found & ~Mark.ZERO_WINDOW
    if off > 0 and not p.flags & RST:
        found |= Mark.GAP_BEFORE
    if off == -1 and p.length <= 1 and not what:
        me.kept = True
        found |= Mark.KEEP_ALIVE
    same = p.length == 0 and not what and p.window and p.window == me.window and off == 0 and p.ack == me.ack
    if same and not peer.kept and not peer.probed:
        found |= Mark.DUPLICATE_ACK
        me.dupacks += 1
    if p.ack != me.ack:
        me.dupacks = 0
    sent = p.length > 0 or p.flags & (SYN | FIN)
    if off >= 0 or not sent or found & Mark.KEEP_ALIVE or (p.length > 1 and off == -1 and was_probed):
        return found
    late = p.at - me.reached < (flow.rtt or 3_000_000)
    holes = any(ahead(p.seq, stop) < 0 and ahead(end, first) > 0 for first, stop in hole_list(me))
    fresh = holes or ahead(end, me.next) > 0
    acked = p.length > 0 and peer.heard and ahead(end, peer.ack) <= 0
    asked = peer.dupacks >= 2 and peer.ack == p.seq and p.at - peer.last < S // 50
    out_of_order = late and fresh and not acked and not asked and end != me.next
    return found | (Mark.OUT_OF_ORDER if out_of_order else Mark.RETRANSMISSION)


def hole_list(side: TwinSide) -> list[list[int]]:
    return [[side.whole, side.holes[0][1]], *side.holes[1:]] if side.holes else []


def tcp(flow: TwinFlow, me: TwinSide, peer: TwinSide, p: P, way: int) -> int:
    """One TCP packet; returns its marks."""
    is_orig = way == flow.turned
    syn, fin, rst, ack = (bool(p.flags & bit) for bit in (SYN, FIN, RST, ACK))
    end = (p.seq + (syn + fin if rst else p.length + syn + fin)) % 2**32
    found = mark(flow, me, peer, p)
    if syn and not ack:
        flow.syn_at = p.at
    elif not flow.rtt and flow.syn_at and not (syn or fin or rst) and ack and "S" in me.told and "S" in peer.told:
        opened = p.seq == (me.start + 1) % 2**32 and p.ack == (peer.start + 1) % 2**32
        flow.rtt = max(p.at - flow.syn_at, 1) if opened else 0
    recount(me, p, end)
    history(flow, me, p, way)
    if p.window == 0 and not rst and peer.state != "closed" and me.state != "reset":
        flow.count(me, "W", way)
    if fin:
        me.fin = end
    if ack:
        if peer.state == "inactive":
            peer.restart((p.ack - 1) % 2**32, (p.ack - 1) % 2**32)
        elif not rst and ahead(p.ack, peer.start) >= 0:
            more = ahead(p.ack, peer.acked)
            if more > 0 and not (p.ack == 0 and more > 1 << 20):
                peer.acked = p.ack
    before, more = me.next, ahead(end, me.next)
    if (syn or rst) and abs(more) > 1 << 20:
        pass
    elif (fin and me.next == (me.start + 1) % 2**32) or (me.state != "reset" and more > 0):
        me.next, me.reached = end, p.at
    elif me.state != "reset" and p.length:
        flow.count(me, "T", way)
    step(flow, me, peer, p, way, is_orig)
    if ack and peer.state != "inactive":
        for _ in range(gaps(me, peer, p.ack)):
            flow.count(peer, "G", 1 - way)
    if (p.length or fin) and not rst:
        me.receive((p.seq + syn) % 2**32, (end - fin) % 2**32, before)
    me.ack, me.window, me.heard = p.ack, p.window, True
    return int(found)


def recount(me: TwinSide, p: P, end: int) -> None:
    syn = p.flags & SYN
    if me.state == "inactive":
        if syn:
            me.restart(p.seq, end)
        else:
            me.restart((p.seq - 1) % 2**32, p.seq)
    elif syn and (
        me.state in ("established", "partial")
        or (me.state in ("syn", "syn-ack") and p.seq != me.start)
        or (me.state == "reset" and me.before == "inactive")
    ):
        me.restart(p.seq, end)


def history(flow: TwinFlow, me: TwinSide, p: P, way: int) -> None:
    what = p.flags & (SYN | FIN | RST)
    at = (p.seq - me.start) % 2**32
    if not what:
        if p.length or p.flags & ACK:
            letter = "D" if p.length else "A"
            if letter not in me.told and flow.history == "H":
                flow.turned = not flow.turned
                flow.history = "^h"
            if letter not in me.told:
                me.told[letter] = 0
                flow.tell(letter, way)
        return
    if what == SYN:
        kind, letter = "S", "H" if p.flags & ACK else "S"
    elif what == FIN:
        kind, letter, at = "F", "F", (at + p.length) % 2**32
    elif what == RST:
        kind, letter = "R", "R"
    else:
        kind = letter = "I" if what & FIN and what & RST else "Q"
        at = 0
    # a side's first SYN, FIN or RST is told, and every one at another place than the one before
    if kind not in me.told or me.told[kind] != at:
        flow.tell(letter, way)
    me.told[kind] = at


def step(flow: TwinFlow, me: TwinSide, peer: TwinSide, p: P, way: int, is_orig: bool) -> None:
    syn, fin, rst, ack = (bool(p.flags & bit) for bit in (SYN, FIN, RST, ACK))
    if me.state == "inactive":
        state = "inactive"
        if syn:
            if is_orig:
                state = "syn-ack" if ack else "syn"
            else:
                state = "established"
                if not ack and peer.state == "syn-ack" and p.seq == me.start:
                    flow.turned = not flow.turned
                    if len(flow.history) < 36:
                        flow.history += "^"
                    peer.enter("established")
                if peer.state == "syn":
                    peer.enter("established")
        state = "closed" if fin else state
        state = "reset" if rst else state
        if state == "inactive":
            orig = me if way == flow.turned else peer
            if not is_orig and p.length == 0 and orig.state == "syn":
                return
            state = "established" if ack and peer.state == "established" else "partial"
        me.enter(state)
    elif me.state in ("syn", "syn-ack"):
        before = me.state
        if rst or fin:
            me.before, me.state = before, "reset" if rst else "closed"
    elif me.state in ("established", "partial"):
        before, state = me.state, me.state
        if syn and not ack and before == "partial" and peer.state == "inactive":
            state = "syn"
        if fin and not rst:
            state = "closed"
            if peer.state == "reset" and peer.before == "closed":
                peer.enter("closed")
        state = "reset" if rst else state
        if state != before:
            me.before, me.state = before, state
    elif me.state == "closed" and rst and peer.state != "closed":
        me.enter("reset")


def gaps(me: TwinSide, peer: TwinSide, ack: int) -> int:
    """How many runs of bytes the acknowledgement says were there and were not captured."""
    if peer.fin is not None and ahead(ack, peer.fin) >= 0:
        ack = (peer.fin - 1) % 2**32
    if ahead(ack, peer.whole) <= 0 or ("S" not in peer.told and (ack - peer.start) % 2**32 <= 2):
        return 0
    found = 0
    for _ in range(3):
        if peer.holes and ahead(ack, peer.holes[0][1]) >= 0:
            found += ahead(ack, peer.whole) > 0
            peer.pass_hole()
        elif ahead(ack, peer.whole) > 0:
            found += 1
            peer.whole = ack
    good = all(s.state == "established" or (s.state == "closed" and s.before == "established") for s in (me, peer))
    return found if good else 0
