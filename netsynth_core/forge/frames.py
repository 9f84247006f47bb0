"""One frame, written plainly from the header tables: `netsynth_core.forge._kernels.emit` must equal it byte by byte."""

from dataclasses import dataclass

from netsynth_core.forge.headers import ETHERNET, ICMP, IPV4, IPV6, TCP, UDP, build, checksum
from netsynth_core.forge.tcp import LAYOUTS


@dataclass(frozen=True)
class Frame:
    """Everything one frame says."""

    source_mac: int
    destination_mac: int
    source: int
    """IPv4 or IPv6 address."""
    destination: int
    ipv6: bool
    ttl: int
    proto: int
    identification: int = 0
    source_port: int = 0
    """TCP and UDP; for ICMP the type."""
    destination_port: int = 0
    """TCP and UDP; for ICMP the code."""
    sequence: int = 0
    """TCP sequence number; for ICMP the second word of the header."""
    acknowledgement: int = 0
    flags: int = 0
    window: int = 0
    layout: int = 0
    """TCP option layout, a position in `netsynth_core.forge.tcp.LAYOUTS`."""
    stamp: int = 0
    echo: int = 0
    payload: bytes = b""


def frame_bytes(frame: Frame) -> bytes:
    """The frame with right lengths and checksums, from Ethernet header to payload."""
    transport = _transport(frame, 0)
    width = 16 if frame.ipv6 else 4
    pseudo = frame.source.to_bytes(width, "big") + frame.destination.to_bytes(width, "big")
    pseudo += len(transport).to_bytes(4, "big") + frame.proto.to_bytes(4, "big")
    value = checksum((b"" if frame.proto == 1 else pseudo) + transport)
    transport = _transport(frame, 0xFFFF if frame.proto == 17 and value == 0 else value)
    kind = 0x86DD if frame.ipv6 else 0x0800
    link = build(ETHERNET, destination=frame.destination_mac, source=frame.source_mac, type=kind)
    return link + _network(frame, len(transport)) + transport


def _network(frame: Frame, transport: int) -> bytes:
    ends = {"source": frame.source, "destination": frame.destination}
    if frame.ipv6:
        return build(IPV6, payload_length=transport, next=frame.proto, hop_limit=frame.ttl, **ends)
    values = {"length": 20 + transport, "id": frame.identification, "ttl": frame.ttl, "proto": frame.proto, **ends}
    return build(IPV4, checksum=checksum(build(IPV4, **values)), **values)


def _options(frame: Frame) -> bytes:
    layout = LAYOUTS[frame.layout]
    raw = bytearray(layout.raw)
    mss, stamp = layout.at(2), layout.at(8)
    if mss >= 0:
        raw[mss : mss + 2] = (1440 if frame.ipv6 else 1460).to_bytes(2, "big")
    if stamp >= 0:
        raw[stamp : stamp + 8] = frame.stamp.to_bytes(4, "big") + frame.echo.to_bytes(4, "big")
    return bytes(raw)


def _transport(frame: Frame, check: int) -> bytes:
    ports = {"source_port": frame.source_port, "destination_port": frame.destination_port}
    if frame.proto == 6:
        options = _options(frame)
        header = build(
            TCP,
            sequence=frame.sequence,
            acknowledgement=frame.acknowledgement,
            offset=(5 + len(options) // 4) << 4,
            flags=frame.flags,
            window=frame.window,
            checksum=check,
            **ports,
        )
        return header + options + frame.payload
    if frame.proto == 17:
        return build(UDP, length=8 + len(frame.payload), checksum=check, **ports) + frame.payload
    header = build(
        ICMP,
        type=frame.source_port,
        code=frame.destination_port,
        checksum=check,
        identifier=frame.sequence >> 16,
        sequence=frame.sequence & 0xFFFF,
    )
    return header + frame.payload
