"""Traffic for benchmark captures: interleaved TCP and UDP conversations as a busy uplink shows them, with the truth.

IPv6 (5 %), VLAN tags (3 %), retransmission after loss behind the tap, loss before the tap and in the capture itself,
reordering, duplicate ACK, zero window, refused and unanswered connections, RST, IP fragments, records cut by a snaplen,
tuples used again after the idle timeout. Checksums are right. The same seed gives the same bytes.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from capture_messages import TCP, TCP_MIX, UDP, UDP_MIX, Message, Words
from numpy.typing import NDArray

RETRANSMISSION, OUT_OF_ORDER, DUPLICATE_ACK, ZERO_WINDOW, FILLED = 1, 2, 4, 8, 128
"""Bits of the truth, those of `netsynth_core.flows.metering.Mark`, and FILLED: a segment lost before the tap and seen
once, when it is sent again long after a round trip, which Wireshark and the meter call a retransmission."""
START_US = 1_700_000_000_000_000
SPAN = 1500.0
REUSE_AFTER = 330.0
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
_CUT = 96


@dataclass
class Conversation:
    """One flow: its tuple, what happened, what was captured of it."""

    number: int
    kind: str
    proto: int
    version: int
    client: bytes
    server: bytes
    client_port: int
    server_port: int
    vlan: int
    begin: float
    end: float = 0.0
    packets: list[int] = field(default_factory=lambda: [0, 0])
    bytes: list[int] = field(default_factory=lambda: [0, 0])
    marked: int = 0
    reset: bool = False
    fragments: int = 0
    reuses: int = -1


@dataclass
class Traffic:
    """Frames in order of time with their truth."""

    us: NDArray[np.int64]
    frames: list[bytes]
    lengths: NDArray[np.int64]
    flow: NDArray[np.int32]
    mark: NDArray[np.uint8]
    conversations: list[Conversation]


class _Maker:
    """Draws conversations and lays their packets down as frames."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.words = Words(self.rng)
        self.us: list[int] = []
        self.frames: list[bytes] = []
        self.lengths: list[int] = []
        self.flow: list[int] = []
        self.mark: list[int] = []
        self.ident = 0

    def lay(self, conv: Conversation, when: float, way: int, transport: bytes, *, mark: int = 0) -> None:
        """One IP packet, or the fragments of one, of a conversation."""
        self.ident = (self.ident + 1) & 0xFFFF
        limit = 1480 if conv.version == 4 else 1440
        if len(transport) <= limit:
            self._frame(conv, when, way, transport, mark, None)
            return
        step = limit - 8 if conv.version == 6 else limit
        for at in range(0, len(transport), step):
            conv.fragments += 1
            more = at + step < len(transport)
            self._frame(conv, when + at * 1e-8, way, transport[at : at + step], mark, (at, more))

    def _frame(
        self, conv: Conversation, when: float, way: int, body: bytes, mark: int, part: tuple[int, bool] | None
    ) -> None:
        src, dst = (conv.client, conv.server) if way == 0 else (conv.server, conv.client)
        if conv.version == 4:
            piece = 0x4000 if part is None else part[0] // 8 | (0x2000 if part[1] else 0)
            total = 20 + len(body)
            head = struct.pack("!BBHHHBBH", 0x45, 0, total, self.ident, piece, 64 - 7 * way, conv.proto, 0) + src + dst
            ip = head[:10] + _checksum(head).to_bytes(2, "big") + head[12:] + body
            kind = b"\x08\x00"
        else:
            proto = conv.proto
            if part is not None:
                body = struct.pack("!BBHI", proto, 0, part[0] | part[1], self.ident) + body
                proto = 44
            ip = struct.pack("!IHBB", 0x60000000, len(body), proto, 64 - 7 * way) + src + dst + body
            kind = b"\x86\xdd"
        if conv.vlan:
            kind = b"\x81\x00" + conv.vlan.to_bytes(2, "big") + kind
        frame = b"\x02\0" + dst[-4:] + b"\x02\0" + src[-4:] + kind + ip
        length = max(len(frame), 60)
        frame = frame.ljust(60, b"\0")
        if length > _CUT and self.rng.random() < 0.005:
            frame = frame[:_CUT]
        self.us.append(int(when * 1e6))
        self.frames.append(frame)
        self.lengths.append(length)
        self.flow.append(conv.number)
        self.mark.append(mark)
        conv.packets[way] += 1
        conv.bytes[way] += len(ip)
        conv.marked += mark != 0
        conv.end = max(conv.end, when)

    def tcp(self, conv: Conversation, when: float, way: int, segment: "_Segment") -> None:
        """One TCP segment."""
        ports = (conv.client_port, conv.server_port)
        offset = (20 + len(segment.options)) << 2
        head = struct.pack(
            "!HHIIBBHHH", ports[way], ports[1 - way], segment.seq & 0xFFFFFFFF, segment.ack & 0xFFFFFFFF,
            offset, segment.flags, segment.window, 0, 0,
        )  # fmt: skip
        raw = head + segment.options + segment.payload
        check = _transport_checksum(conv, 6, raw)
        self.lay(conv, when, way, raw[:16] + check.to_bytes(2, "big") + raw[18:], mark=segment.mark)

    def udp(self, conv: Conversation, when: float, way: int, payload: bytes) -> None:
        """One datagram."""
        ports = (conv.client_port, conv.server_port)
        raw = struct.pack("!HHHH", ports[way], ports[1 - way], 8 + len(payload), 0) + payload
        check = _transport_checksum(conv, 17, raw) or 0xFFFF
        self.lay(conv, when, way, raw[:6] + check.to_bytes(2, "big") + payload)


@dataclass
class _Segment:
    flags: int
    seq: int
    ack: int
    payload: bytes = b""
    options: bytes = b""
    window: int = 501
    mark: int = 0


def _checksum(raw: bytes) -> int:
    """The Internet checksum (RFC 1071); a number modulo 65535 is the one's complement sum of its 16-bit digits."""
    padded = raw + b"\0" * (len(raw) & 1)
    value = int.from_bytes(padded, "big") % 0xFFFF
    return 0xFFFF - value if value or not any(raw) else 0


def _transport_checksum(conv: Conversation, proto: int, raw: bytes) -> int:
    """Checksum over the pseudo header and the transport (RFC 9293 section 3.1, RFC 8200 section 8.1)."""
    return _checksum(conv.client + conv.server + struct.pack("!II", proto, len(raw)) + raw)


class _Stream:
    """The two sides of a TCP connection."""

    def __init__(self, make: _Maker, conv: Conversation) -> None:
        self.make, self.conv, self.rng = make, conv, make.rng
        self.now = conv.begin
        self.rtt = self.rng.uniform(0.002, 0.08)
        self.seq = [self.rng.randrange(1 << 32), self.rng.randrange(1 << 32)]
        self.stamps = self.rng.random() < 0.6
        self.mss = 1460 if conv.version == 4 else 1400
        self.acked = [0, 0]

    def options(self) -> bytes:
        if not self.stamps:
            return b""
        tick = int(self.now * 1000) & 0xFFFFFFFF
        return b"\x01\x01\x08\x0a" + struct.pack("!II", tick, max(tick - 5, 0))

    def send(self, way: int, flags: int, payload: bytes = b"", *, mark: int = 0, at: float | None = None) -> None:
        options = self.options()
        if flags & SYN:
            options = (
                b"\x02\x04" + self.mss.to_bytes(2, "big") + b"\x04\x02" + b"\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07"
            )
        window = 0 if mark & ZERO_WINDOW else 501
        ack = self.seq[1 - way] if flags & ACK else 0
        segment = _Segment(flags, self.seq[way], ack, payload, options, window, mark)
        self.make.tcp(self.conv, self.now if at is None else at, way, segment)
        self.seq[way] += len(payload) + (flags & (SYN | FIN) != 0)
        if flags & ACK:
            self.acked[way] = ack

    def run(self, messages: Iterator[Message]) -> None:
        fate = self.rng.random()
        if fate < 0.03:
            self._unanswered()
            return
        self.send(0, SYN)
        self.now += self.rtt
        if fate < 0.06:
            self.seq[1] = 0
            self.send(1, RST | ACK)
            self.conv.reset = True
            return
        self.send(1, SYN | ACK)
        self.now += self.rtt / 2
        self.send(0, ACK)
        for way, message in messages:
            self.now += self.rtt / 2 + self.rng.expovariate(30)
            self._message(way, message)
        self.now += self.rtt
        if fate < 0.10:
            self.conv.reset = True
            self.send(self.rng.randrange(2), RST | ACK)
            return
        for way in (0, 1):
            self.send(way, FIN | ACK)
            self.now += self.rtt / 2
        self.send(0, ACK)

    def _unanswered(self) -> None:
        for turn in range(3):
            self.send(0, SYN, mark=RETRANSMISSION if turn else 0)
            self.seq[0] -= 1
            self.now += 1 << turn

    def _message(self, way: int, message: bytes) -> None:
        """Send one message in segments, some of which are lost, late or sent twice."""
        step = self.mss - (12 if self.stamps else 0)
        cuts = list(range(0, len(message), step))
        for index, at in enumerate(cuts):
            payload = message[at : at + step]
            flags = ACK | (PSH if at + step >= len(message) else 0)
            luck = self.rng.random()
            follows = index + 1 < len(cuts)
            if luck < 0.006:
                self._lost_behind(way, flags, payload)
            elif luck < 0.008 and follows:
                self._lost_before(way, flags, payload, message[at + step : at + 2 * step])
                cuts[index + 1] = len(message)
                del cuts[index + 1]
                if index + 1 >= len(cuts):
                    break
            elif luck < 0.0095:
                self.seq[way] += len(payload)
            elif luck < 0.0125 and follows and index % 2 == 0:
                # the next segment overtakes it, no acknowledgement does
                late = self.now + 0.0015
                self.send(way, flags, payload, mark=OUT_OF_ORDER, at=late)
            else:
                self.send(way, flags, payload)
            self.now += 0.0004
            if index % 2 or not follows:
                self.now += 0.002
                self._acknowledge(1 - way)

    def _acknowledge(self, way: int) -> None:
        mark = ZERO_WINDOW if self.rng.random() < 0.001 else 0
        if self.acked[way] == self.seq[1 - way]:
            return
        self.send(way, ACK, mark=mark)
        if mark:
            self.now += 0.05
            self.send(way, ACK)

    def _lost_behind(self, way: int, flags: int, payload: bytes) -> None:
        """Captured, lost after the tap, asked for again by duplicate ACKs and sent again."""
        self.now += 0.002
        self._acknowledge(1 - way)
        before = self.seq[way]
        self.send(way, flags, payload)
        after, self.seq[way] = self.seq[way], before
        for _ in range(self.rng.randint(1, 3)):
            self.now += 0.001
            self.send(1 - way, ACK, mark=DUPLICATE_ACK)
        self.now += 0.2
        self.send(way, flags, payload, mark=RETRANSMISSION)
        self.seq[way] = after

    def _lost_before(self, way: int, flags: int, payload: bytes, following: bytes) -> None:
        """Lost before the tap: the next segment comes first, the lost one once, when it is sent again."""
        before = self.seq[way]
        self.seq[way] += len(payload)
        self.send(way, flags, following)
        after, self.seq[way] = self.seq[way], before
        self.now += 0.25
        self.send(way, flags & ~PSH, payload, mark=FILLED)
        self.seq[way] = after


def _run_udp(make: _Maker, conv: Conversation, messages: Iterator[Message]) -> None:
    now = conv.begin
    for way, payload in messages:
        make.udp(conv, now, way, payload)
        now += make.rng.uniform(0.005, 0.04)


def make_traffic(packets: int, conversations: int, *, seed: int = 7) -> Traffic:
    """The frames of a capture.

    Parameters
    ----------
    packets
        Exact number of frames, at least 25 for each conversation's mean length of 20.
    conversations
        Exact number of flows.
    """
    make = _Maker(seed)
    span = SPAN
    done: list[Conversation] = []
    retired: list[Conversation] = []
    starts = sorted(make.rng.random() * span for _ in range(conversations - 1))
    for number, begin in enumerate(starts):
        if retired and retired[0].end + REUSE_AFTER < begin and make.rng.random() < 0.03:
            conv = _again(retired.pop(0), number, begin)
        else:
            conv = _draw(make, number, begin)
        table = TCP if conv.proto == 6 else UDP
        messages = table[conv.kind][1](make.words, number)
        if conv.proto == 6:
            _Stream(make, conv).run(messages)
        else:
            _run_udp(make, conv, messages)
        done.append(conv)
        if number % 25 == 0:
            retired.append(conv)
    left = packets - len(make.frames)
    if left < 2:
        raise ValueError(f"{conversations} conversations took {len(make.frames)} packets; {packets} were asked for.")
    done.append(_filler(make, conversations - 1, left, span))
    order = np.argsort(np.array(make.us, np.int64), kind="stable")
    return Traffic(
        us=np.array(make.us, np.int64)[order] + START_US,
        frames=[make.frames[i] for i in order.tolist()],
        lengths=np.array(make.lengths, np.int64)[order],
        flow=np.array(make.flow, np.int32)[order],
        mark=np.array(make.mark, np.uint8)[order],
        conversations=done,
    )


def _draw(make: _Maker, number: int, begin: float) -> Conversation:
    """A conversation with a tuple that no other has: the client's address and port count with the number."""
    rng = make.rng
    tcp = rng.random() < 0.62
    names, weights = TCP_MIX if tcp else UDP_MIX
    kind = rng.choices(names, weights)[0]
    port = (TCP if tcp else UDP)[kind][0]
    six = rng.random() < 0.05
    host, wire = number % 1500, rng.randrange(1, 400)
    # the large capture moves addresses without touching checksums: it needs room above octet 2 and below octet 4
    client = bytes([10, host % 3, host // 90, 150 + host % 90])
    server = bytes([203, 0, wire >> 8, wire & 255])
    if six:
        client = b"\xfd\0" + bytes(10) + client
        server = bytes.fromhex("20010db8") + bytes(8) + server
    return Conversation(
        number=number, kind=kind, proto=6 if tcp else 17, version=6 if six else 4, client=client, server=server,
        client_port=20_000 + number // 1500 * 7 % 40_000, server_port=port,
        vlan=rng.randrange(1, 4000) if rng.random() < 0.03 else 0, begin=begin, end=begin,
    )  # fmt: skip


def _again(old: Conversation, number: int, begin: float) -> Conversation:
    return Conversation(
        number=number, kind=old.kind, proto=old.proto, version=old.version, client=old.client, server=old.server,
        client_port=old.client_port, server_port=old.server_port, vlan=old.vlan, begin=begin, end=begin,
        reuses=old.number,
    )  # fmt: skip


def _filler(make: _Maker, number: int, packets: int, span: float) -> Conversation:
    """One media stream over the whole time takes the packets that are left."""
    conv = _draw(make, number, 0.0)
    conv.kind, conv.proto, conv.server_port, conv.version = "media", 17, 5004, 4
    conv.client, conv.server = conv.client[-4:], conv.server[-4:]
    head = struct.pack("!BBH", 0x80, 97, 0)
    for turn in range(packets):
        make.udp(conv, turn * span / packets, 1, head + make.words.piece(make.words.noise, 1000))
    return conv
