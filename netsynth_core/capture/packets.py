"""Packets as columns: one row per captured IP frame, no object per packet.

`PacketTable` is what dissection yields and what metering, symbols and payload classes read.
`ReadReport` says what the reader met on the way, broken frames included.
"""

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

FLAG_FIN, FLAG_SYN, FLAG_RST, FLAG_PSH, FLAG_ACK, FLAG_URG, FLAG_ECE, FLAG_CWR = (1 << i for i in range(8))

PROTO_ICMP, PROTO_TCP, PROTO_UDP, PROTO_ICMP6 = 1, 6, 17, 58
PROTO_NAMES = {PROTO_ICMP: "ICMP", PROTO_TCP: "TCP", PROTO_UDP: "UDP", PROTO_ICMP6: "ICMPv6"}


@dataclass(frozen=True, eq=False)
class PacketTable:
    """Columns of equal length, in file order.

    Addresses are 128 bits in two words; IPv4 is IPv4-mapped (``::ffff:a.b.c.d``, RFC 4291 section 2.5.5.2).
    """

    ts: NDArray[np.int64]
    """Instant of capture, ns since the epoch."""
    src_hi: NDArray[np.uint64]
    src_lo: NDArray[np.uint64]
    dst_hi: NDArray[np.uint64]
    dst_lo: NDArray[np.uint64]
    proto: NDArray[np.uint8]
    """IP protocol number of the transport header (IPv6 extension headers are skipped)."""
    src_port: NDArray[np.uint16]
    """Source port of TCP, UDP, UDP-Lite, SCTP or DCCP; for ICMP the type; 0 otherwise."""
    dst_port: NDArray[np.uint16]
    """Destination port of TCP, UDP, UDP-Lite, SCTP or DCCP; for ICMP the code; 0 otherwise."""
    ip_length: NDArray[np.int32]
    """Length of the IP packet with its header, by the header's own word, bytes."""
    flags: NDArray[np.uint8]
    """TCP flags, low bit FIN ... high bit CWR; 0 when not TCP."""
    seq: NDArray[np.uint32]
    """TCP sequence number; for ICMP echo the identifier; 0 otherwise."""
    ack: NDArray[np.uint32]
    """TCP acknowledgement number; 0 when not TCP."""
    window: NDArray[np.uint16]
    """TCP window as in the header, not scaled; 65535 where a snaplen cut it off, 0 when not TCP."""
    ttl: NDArray[np.uint8]
    """TTL or hop limit."""
    payload_offset: NDArray[np.int64]
    """Where the transport payload starts in `data`."""
    payload_length: NDArray[np.int32]
    """True payload length, bytes, from the headers."""
    payload_captured: NDArray[np.int32]
    """How much of the payload is in `data` (snaplen may cut it), bytes, <= payload_length."""
    frame: NDArray[np.uint32]
    """0-based number of the frame in its file."""
    file: NDArray[np.uint16]
    """Which of the files read together, 0-based; 0 for one."""
    ip_id: NDArray[np.uint16]
    """IPv4 identification; for IPv6 the low half of the fragment header's identification, 0 without that header."""
    header_length: NDArray[np.uint8]
    """Captured bytes of the transport header with its options; 0 for later fragments and protocols not read.

    TCP 20..60, less where a snaplen cut it; UDP 8; ICMP 8 or less. TCP options lie at
    ``payload_offset - header_length + 20 .. payload_offset`` of `data`.
    """
    fragment: NDArray[np.uint8]
    """0 a whole packet, 1 a first fragment (more follow), 2 a later fragment.

    A later fragment has the ports of its first fragment (0 where that was not captured), the fragment's data as
    payload, and no TCP fields. Of a tunnel's packet, where tunnels are looked into, it has the addresses of the packet
    inside; the first fragment then has the `ip_id` of the tunnel's packet.
    """
    data: NDArray[np.uint8] = field(repr=False)
    """The bytes of the capture file(s); the offsets point here. Not a column."""

    def __len__(self) -> int:
        return len(self.ts)

    @classmethod
    def column_names(cls) -> tuple[str, ...]:
        """Names of the per-packet columns, `data` left out."""
        return tuple(f.name for f in fields(cls) if f.name != "data")

    def payload(self, row: int) -> bytes:
        """The captured payload bytes of one packet."""
        start = int(self.payload_offset[row])
        return self.data[start : start + int(self.payload_captured[row])].tobytes()


@dataclass(frozen=True)
class ReadReport:
    """What a reader met: shown by the page and by ``netsynth flows --json``."""

    path: str
    format: str
    """``pcap`` or ``pcapng``, with ``gzip`` or ``zstd`` before it where it was compressed."""
    packets: int
    """IP packets that became rows; skipped frames are not counted here."""
    bytes: int
    """Sum of the frames' true lengths of those packets, bytes."""
    first_ts: int | None
    """Earliest instant, ns; None without packets."""
    last_ts: int | None
    link_types: dict[str, int] = field(default_factory=dict)
    """Frames per link type name."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Frames left out, by reason (such as ``not IP: ARP``, ``truncated IPv4 header``)."""
    first_skipped: dict[str, int] = field(default_factory=dict)
    """1-based frame number of the first frame of each reason."""
    protocols: dict[str, int] = field(default_factory=dict)
    """Packets per IP protocol name."""
    notes: tuple[str, ...] = ()
    """Sentences for a person, such as that the file ends in the middle of packet 812."""
    truncated: bool = False
    """Whether the file ends in the middle of a record."""


@dataclass(frozen=True, eq=False)
class Capture:
    """A read capture: its packets and the report on the reading."""

    packets: PacketTable
    report: ReadReport
