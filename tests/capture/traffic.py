"""Factories of frames and capture files, written with dpkt and `struct`, and the plain twin of dissection.

Nothing here uses the code under test.
"""

import gzip
import ipaddress
import struct
from pathlib import Path
from typing import NamedTuple

import dpkt
import zstandard

START = 1_700_000_000_000_000_000
CLIENT, SERVER = "192.0.2.1", "198.51.100.7"
CLIENT6, SERVER6 = "2001:db8::1", "2001:db8::7"

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


class Frame(NamedTuple):
    """One frame of a capture to be written."""

    ts: int
    data: bytes
    length: int | None = None
    """True length when the frame was cut; None = not cut."""
    link: int = 1


def tcp(sport: int, dport: int, flags: int, payload: bytes = b"", *, seq: int = 1, ack: int = 0) -> dpkt.tcp.TCP:
    """A TCP segment."""
    return dpkt.tcp.TCP(sport=sport, dport=dport, seq=seq, ack=ack, flags=flags, win=1000, data=payload)


def udp(sport: int, dport: int, payload: bytes = b"") -> dpkt.udp.UDP:
    """A UDP datagram."""
    datagram = dpkt.udp.UDP(sport=sport, dport=dport, data=payload)
    datagram.ulen = 8 + len(payload)
    return datagram


def icmp(kind: int, code: int = 0, identifier: int = 7, payload: bytes = b"ping") -> bytes:
    """An ICMP (or ICMPv6) message with an identifier and a sequence number."""
    return struct.pack("!BBHHH", kind, code, 0, identifier, 1) + payload


def ip(src: str, dst: str, body: object, proto: int, **fields: int) -> bytes:
    """An IPv4 or IPv6 packet around a transport header."""
    raw = bytes(body)  # type: ignore[call-overload]
    a, b = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if a.version == 4:
        packet = dpkt.ip.IP(src=a.packed, dst=b.packed, p=proto, ttl=64, data=raw, **fields)
        packet.len = 20 + len(raw)
        return bytes(packet)
    head = struct.pack("!IHBB", 6 << 28, len(raw), proto, 64)
    return head + a.packed + b.packed + raw


def ether(packet: bytes, kind: int | None = None, *, tags: tuple[int, ...] = ()) -> bytes:
    """An Ethernet frame, with VLAN tags of these EtherTypes."""
    if kind is None:
        kind = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    kinds = [*tags, kind]
    head = b"\2\0\0\0\0\2\2\0\0\0\0\1" + struct.pack("!H", kinds[0])
    for following in kinds[1:]:
        head += struct.pack("!HH", 7, following)
    return head + packet


def segment(
    forward: bool, flags: int, payload: bytes = b"", *, port: int = 40000, server: int = 80, seq: int = 1
) -> bytes:
    """An Ethernet frame of one TCP segment between CLIENT and SERVER."""
    if forward:
        return ether(ip(CLIENT, SERVER, tcp(port, server, flags, payload, seq=seq), 6))
    return ether(ip(SERVER, CLIENT, tcp(server, port, flags, payload, seq=seq), 6))


def pcap(frames: list[Frame], *, order: str = "<", nanoseconds: bool = True, snaplen: int = 65535) -> bytes:
    """A classic pcap file."""
    link = frames[0].link if frames else 1
    out = struct.pack(order + "IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link)
    for frame in frames:
        seconds, rest = divmod(frame.ts, 1_000_000_000)
        fraction = rest if nanoseconds else rest // 1000
        true = len(frame.data) if frame.length is None else frame.length
        out += struct.pack(order + "IIII", seconds, fraction, len(frame.data), true) + frame.data
    return out


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block, padded."""
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def option(code: int, value: bytes, order: str = "<") -> bytes:
    """A pcapng option, padded."""
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def section(order: str = "<") -> bytes:
    """A pcapng section header."""
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 1, *, resolution: int = 9, offset: int = 0, snaplen: int = 0, order: str = "<") -> bytes:
    """A pcapng interface description."""
    options = option(9, bytes([resolution]), order)
    if offset:
        options += option(14, struct.pack(order + "q", offset), order)
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options + option(0, b"", order), order)


def enhanced(frame: Frame, *, number: int = 0, ticks: int | None = None, order: str = "<") -> bytes:
    """A pcapng enhanced packet block; `ticks` stand for the instant in the unit of the interface."""
    ticks = frame.ts if ticks is None else ticks
    true = len(frame.data) if frame.length is None else frame.length
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame.data), true)
    return block(6, head + frame.data + b"\0" * (-len(frame.data) % 4), order)


def simple(data: bytes, length: int, order: str = "<") -> bytes:
    """A pcapng simple packet block."""
    return block(3, struct.pack(order + "I", length) + data, order)


def obsolete(frame: Frame, *, number: int = 0, order: str = "<") -> bytes:
    """A pcapng (obsolete) packet block."""
    head = struct.pack(
        order + "HHIIII", number, 0, frame.ts >> 32, frame.ts & 0xFFFFFFFF, len(frame.data), len(frame.data)
    )
    return block(2, head + frame.data, order)


def pcapng(frames: list[Frame], *, order: str = "<") -> bytes:
    """A pcapng file of one section and one interface with nanoseconds."""
    link = frames[0].link if frames else 1
    return section(order) + interface(link, order=order) + b"".join(enhanced(frame, order=order) for frame in frames)


def web(start: int = START, *, port: int = 40000, gap: int = 1_000_000, server: int = 80) -> list[Frame]:
    """One HTTP conversation of ten frames over Ethernet, closed by both sides."""
    script = [
        (True, SYN, b""),
        (False, SYN | ACK, b""),
        (True, ACK, b""),
        (True, PSH | ACK, b"GET / HTTP/1.1\r\nHost: made.example\r\n\r\n"),
        (False, ACK, b""),
        (False, PSH | ACK, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        (True, ACK, b""),
        (True, FIN | ACK, b""),
        (False, FIN | ACK, b""),
        (True, ACK, b""),
    ]
    return [
        Frame(start + k * gap, segment(way, flags, payload, port=port, server=server, seq=100 + k))
        for k, (way, flags, payload) in enumerate(script)
    ]


def mixed() -> list[Frame]:
    """A capture with a bit of everything an Ethernet holds: the golden one."""
    query = bytes.fromhex("123401000001000000000000") + b"\4made\7example\0\0\1\0\1"
    answer = bytes.fromhex("123481800001000100000000") + query[12:] + bytes.fromhex("c00c00010001000000 3c0004c6336407")
    fragment = dpkt.ip.IP(src=b"\xc0\0\2\1", dst=b"\xc6\x33\x64\7", p=17, data=b"x" * 40)
    fragment.len, fragment.offset = 60, 185 * 8
    hop = struct.pack("!BB", 17, 0) + b"\1\4\0\0\0\0"
    frames = [
        (0, ether(b"\0\1" + bytes(26), 0x0806)),
        (1, ether(ip(CLIENT, SERVER, udp(5000, 53, query), 17))),
        (2, ether(ip(SERVER, CLIENT, udp(53, 5000, answer), 17), tags=(0x8100,))),
        (3, ether(ip(CLIENT6, SERVER6, hop + bytes(udp(5001, 123, bytes([0x23]) + bytes(47))), 0))),
        (4, ether(ip(CLIENT, SERVER, icmp(8), 1))),
        (5, ether(ip(SERVER, CLIENT, icmp(0), 1), tags=(0x88A8, 0x8100))),
        (6, ether(bytes(fragment))),
        (7, ether(b"\x42\x42\x03" + bytes(40), 38)),
        (8, ether(ip(CLIENT, SERVER, icmp(3, 3), 1))[:30]),
        (9, ether(ip(CLIENT, SERVER, b"\0" * 12, 47))),
    ]
    made = [Frame(START + 1000 * k, data, len(data) + (60 if k == 8 else 0)) for k, data in frames]
    return made + web(START + 1_000_000) + web(START + 2_000_000, port=40001, gap=500_123)


def frames_in(path: Path) -> list[Frame]:
    """The frames of a whole capture file, plainly read: the twin of the loop over records and blocks."""
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    elif content[:4] == b"\x28\xb5\x2f\xfd":
        content = zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True).read()
    if content[:4] == b"\n\r\r\n":
        return _frames_in_blocks(content)
    order = "<" if content[0] in (0xD4, 0x4D, 0x34) else ">"
    magic, _, _, _, _, _, link = struct.unpack_from(order + "IHHiIII", content)
    frames, at, unit, more = [], 24, 1 if magic == 0xA1B23C4D else 1000, 8 if magic == 0xA1B2CD34 else 0
    while at + 16 + more <= len(content):
        seconds, fraction, kept, true = struct.unpack_from(order + "IIII", content, at)
        at += 16 + more + kept
        if at <= len(content):
            frames.append(Frame(seconds * 10**9 + fraction * unit, content[at - kept : at], max(true, kept), link))
    return frames


def _frames_in_blocks(content: bytes) -> list[Frame]:
    frames: list[Frame] = []
    at, order, interfaces = 0, "<", []
    while at + 12 <= len(content):
        if content[at : at + 4] == b"\n\r\r\n":
            order, interfaces = (">" if content[at + 8] == 0x1A else "<"), []
            if struct.unpack_from(order + "H", content, at + 12) != (1,):
                break
        kind, size = struct.unpack_from(order + "II", content, at)
        body = content[at + 8 : at + size - 4]
        if at + size > len(content):
            break
        if kind == 1:
            options, unit, offset, k = body[8:], 1000.0, 0, 0
            while k + 4 <= len(options):
                code, length = struct.unpack_from(order + "HH", options, k)
                if code == 9:
                    unit = 10**9 / (2 ** (options[k + 4] & 127) if options[k + 4] & 128 else 10 ** options[k + 4])
                elif code == 14:
                    (offset,) = struct.unpack_from(order + "q", options, k + 4)
                k += 4 + (length + 3) // 4 * 4
            interfaces.append((struct.unpack_from(order + "H", body)[0], unit, offset))
        elif kind in (2, 6):
            number = struct.unpack_from(order + ("I" if kind == 6 else "H"), body)[0]
            high, low, kept, true = struct.unpack_from(order + "IIII", body, 4)
            if number < len(interfaces):
                link, unit, offset = interfaces[number]
                ticks = high << 32 | low
                ts = (ticks * int(unit) if unit >= 1 else int(ticks * unit)) + offset * 10**9
                frames.append(Frame(ts, body[20 : 20 + kept], max(true, kept), link))
        elif kind == 3:
            (true,) = struct.unpack_from(order + "I", body)
            frames.append(Frame(frames[-1].ts if frames else 0, body[4 : 4 + true], true, interfaces[0][0]))
        at += size
    return frames


EXTENSIONS = {0, 43, 60, 135, 139, 140}


def twin(frame: bytes) -> tuple[str, ...] | tuple[str, str, int, int, int, int, bytes]:
    """What a whole Ethernet frame holds by dpkt: ``(src, dst, proto, sport, dport, ip length, payload)``."""
    packet = dpkt.ethernet.Ethernet(frame).data
    if isinstance(packet, dpkt.ip.IP):
        src, dst = ipaddress.IPv4Address(packet.src), ipaddress.IPv4Address(packet.dst)
        proto, length, inner = packet.p, packet.len, packet.data
    else:
        src, dst = ipaddress.IPv6Address(packet.src), ipaddress.IPv6Address(packet.dst)
        inner, length = packet.data, packet.plen + 40
        proto = packet.all_extension_headers[-1].nxt if packet.all_extension_headers else packet.nxt
    if isinstance(inner, (dpkt.tcp.TCP, dpkt.udp.UDP)):
        return str(src), str(dst), proto, inner.sport, inner.dport, length, bytes(inner.data)
    raw = bytes(inner)
    if proto in (1, 58):
        return str(src), str(dst), proto, raw[0], raw[1], length, raw[8:]
    return str(src), str(dst), proto, 0, 0, length, raw
