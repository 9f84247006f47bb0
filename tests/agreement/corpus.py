"""What the agreement tests read: the captures of a folder ``shared/data`` beside the checkout, and made ones."""

import gzip
import struct
from pathlib import Path

import zstandard

from tests.capture.traffic import (
    ACK,
    CLIENT,
    CLIENT6,
    PSH,
    SERVER,
    SERVER6,
    SYN,
    Frame,
    block,
    enhanced,
    ether,
    icmp,
    interface,
    ip,
    mixed,
    obsolete,
    option,
    pcap,
    pcapng,
    section,
    simple,
    tcp,
    udp,
)

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
START = 1_700_000_000_000_000_000


def shared(folder: str) -> list[Path]:
    """Files of a folder of the real captures, in order of name; none where the folder is absent."""
    return sorted(DATA.joinpath(folder).glob("*")) if DATA.is_dir() else []


def unpacked(path: Path) -> bytes:
    """The bytes of a file, without gzip or Zstandard around them; what is damaged gives none."""
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        return gzip.decompress(raw)
    if raw[:4] == bytes.fromhex("28b52ffd"):
        with zstandard.ZstdDecompressor().stream_reader(raw) as reader:
            return reader.read()
    return raw


def packets() -> list[bytes]:
    """IP packets of every kind the reader knows."""
    options = bytes.fromhex("020405b4 0402080a0000000100000000 01030307".replace(" ", ""))
    syn = bytes(tcp(40000, 443, SYN))
    syn = syn[:12] + bytes([(20 + len(options)) << 2]) + syn[13:] + options
    data = ip(CLIENT, SERVER, tcp(40000, 80, PSH | ACK, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"), 6)
    query = bytes.fromhex("123401000001000000000000") + b"\4made\7example\0\0\1\0\1"
    long_udp = bytes(udp(5000, 5001, bytes(range(200))))
    first = bytearray(ip(CLIENT, SERVER, long_udp[:96], 17))
    first[4:8] = b"\x12\x34\x20\0"
    later = bytearray(ip(CLIENT, SERVER, long_udp[96:], 17))
    later[4:8] = b"\x12\x34\0\x0c"
    with_options = bytearray(ip(CLIENT, SERVER, b"\x01\x01\x01\x00" + bytes(udp(1, 2, b"hi")), 17))
    with_options[0] = 0x46
    part = struct.pack("!BBHI", 17, 0, 1, 99)
    rest = struct.pack("!BBHI", 17, 0, 96, 99)
    hop = struct.pack("!BB", 60, 0) + bytes(6) + struct.pack("!BB", 6, 1) + bytes(14)
    vxlan = struct.pack("!II", 0x08000000, 5 << 8) + ether(data)
    gre = struct.pack("!HHI", 0x2000, 0x0800, 7) + data
    mirrors = [
        struct.pack("!HHI", 0x1000, 0x22EB, 9) + bytes(11) + bytes([more]) + bytes(8 * more) + ether(data)
        for more in (0, 1)
    ]
    cut_up = []
    for body in (data, bytes(udp(9999, 4789, vxlan))):
        for at, place in ((0, 0x2000), (64, 8)):
            part_of_tunnel = bytearray(
                ip(SERVER, CLIENT, body[at : at + 64 if at == 0 else None], 4 if body is data else 17)
            )
            part_of_tunnel[4:8] = struct.pack("!HH", 77 + (body is data), place)
            cut_up.append(bytes(part_of_tunnel))
    return [
        *cut_up[::-1], *cut_up,
        ip(CLIENT, SERVER, syn, 6), data, ip(CLIENT, SERVER, udp(5353, 53, query), 17), ip(CLIENT, SERVER, icmp(8), 1),
        ip(CLIENT6, SERVER6, udp(5353, 53, query), 17), ip(CLIENT6, SERVER6, icmp(128), 58),
        ip(CLIENT6, SERVER6, hop + bytes(tcp(1, 2, ACK, b"abc")), 0), *map(bytes, (first, later, later, first)),
        ip(CLIENT6, SERVER6, part + long_udp[:96], 44), ip(CLIENT6, SERVER6, rest + long_udp[96:], 44),
        bytes(with_options), ip(CLIENT, SERVER, struct.pack("!HHII", 7, 8, 9, 10) + bytes(16), 132),
        ip(CLIENT, SERVER, struct.pack("!HHBBH", 7, 8, 4, 0, 0) + bytes(16), 33),
        ip(CLIENT, SERVER, bytes(udp(7, 8, b"x")), 136),
        ip(CLIENT, SERVER, bytes(udp(9999, 4789, vxlan)), 17), ip(CLIENT, SERVER, gre, 47), ip(CLIENT, SERVER, data, 4),
        *(ip(CLIENT, SERVER, mirror, 47) for mirror in mirrors),
        ip(CLIENT6, SERVER6, data, 4), ip(CLIENT, SERVER, ip(CLIENT6, SERVER6, udp(3, 4, b"in"), 17), 41),
        ip(CLIENT, SERVER, struct.pack("!BBHII", 17, 4, 0, 1, 1) + bytes(12) + bytes(udp(11, 12, b"ah")), 51),
    ]  # fmt: skip


def _kind(packet: bytes) -> bytes:
    return b"\x08\0" if packet[0] >> 4 == 4 else b"\x86\xdd"


def _wrapped(link: int, packet: bytes, turn: int) -> bytes:
    """A frame of a link type around an IP packet."""
    snap = b"\xaa\xaa\x03\0\0\0" + _kind(packet) + packet
    six = packet[0] >> 4 == 6
    ppp = (b"\0\x57" if six else b"\0\x21") + packet
    qos = turn % 2
    wifi = (b"\x88\x01" if qos else b"\x08\x02") + bytes(22) + (b"\0\0" if qos else b"") + snap
    made = {
        0: struct.pack("<I" if turn % 2 else ">I", 30 if six else 2) + packet,
        1: [
            ether(packet), ether(packet, tags=(0x8100,)), ether(packet, tags=(0x88A8, 0x8100)), ether(snap, len(snap)),
            ether(struct.pack("!II", 17 << 12, 18 << 12 | 0x100) + packet, 0x8847), ether(bytes(6) + ppp, 0x8864),
            ether(bytes(18)[:16] + _kind(packet) + packet, 0x88E7),
            ether(struct.pack("!I", 18 << 12 | 0x100) + ether(packet), 0x8847),
            ether(struct.pack("!II", 18 << 12 | 0x100, 7) + ether(packet), 0x8847),
        ][turn % 9],
        6: bytes(14) + snap, 8: bytes(16) + packet, 9: (b"\xff\x03" if qos else b"") + ppp, 10: bytes(13) + snap,
        50: b"\xff\x03" + ppp, 51: bytes(6) + ppp, 100: snap, 104: b"\x0f\0" + _kind(packet) + packet, 105: wifi,
        109: bytes(12) + packet, 113: bytes(14) + _kind(packet) + packet, 117: b"\x3d" + bytes(63) + packet,
        119: struct.pack("<II", 68, 144) + bytes(136) + wifi, 122: bytes(16) + snap,
        127: struct.pack("<BBHIQBB", 0, 0, 18, 3, 5, 0, 2) + wifi, 138: bytes(16) + _kind(packet) + packet,
        163: struct.pack(">II", 0x80211001, 64) + bytes(56) + wifi, 166: b"\0\x01" + ppp,
        192: struct.pack("<BBHI", 0, 0, 8, 105) + wifi if qos else struct.pack("<BBHI", 0, 0, 8, 1) + ether(packet),
        239: b"\2\0\0\0" + b"".join(
            struct.pack("<HH" if qos else ">HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
            for kind, value in ((1, bytes(4)), (10, b"log\0"), (9, packet), (20, bytes(2)))
        ), 204: b"\1" + ppp, 240: bytes(4) + ether(packet),
        242: bytes(40) + _kind(packet) + b"\0\0" + packet, 276: _kind(packet) + bytes(18) + packet,
    }  # fmt: skip
    return made.get(link, packet)  # type: ignore[return-value]


LINKS = (
    0, 1, 6, 8, 9, 10, 12, 14, 50, 51, 100, 101, 104, 105, 108, 109, 113, 117, 119, 122, 127, 138, 147, 163, 166, 192,
    204, 228, 229, 239, 240, 242, 276,
)  # fmt: skip


def frames_of(link: int) -> list[Frame]:
    """One frame of a link type around each of `packets`, some cut by a snaplen."""
    made = []
    for turn, packet in enumerate(packets()):
        raw = _wrapped(0 if link == 108 else link, packet, turn)
        kept = raw if turn % 5 else raw[: max(len(raw) * 2 // 3, 1)]
        made.append(Frame(START + turn * 1_000_003, kept, len(raw), link))
    return made


def made_captures() -> dict[str, bytes]:
    """Captures of every link type and form of file, by a name."""
    files = {f"link {link}": pcap(frames_of(link)) for link in LINKS}
    plain = mixed() + frames_of(1)
    files["big-endian"] = pcap(plain, order=">", nanoseconds=False)
    files["pcapng"] = pcapng(plain)
    files["pcapng big-endian"] = pcapng(plain, order=">")
    many = section() + b"".join(interface(link, resolution=6) for link in LINKS)
    for number, link in enumerate(LINKS):
        many += b"".join(enhanced(frame, number=number, ticks=frame.ts // 1000) for frame in frames_of(link)[:6])
    many += section(">") + interface(1, resolution=0x80 | 20, offset=-3600, order=">")
    many += b"".join(enhanced(frame, ticks=frame.ts >> 10, order=">") for frame in plain[:9])
    many += b"".join(simple(frame.data, len(frame.data), ">") for frame in plain[:5])
    many += section() + interface(1, snaplen=80) + block(5, bytes(20)) + block(0x0BAD, b"what")
    many += simple(plain[-1].data[:80], len(plain[-1].data)) + b"".join(obsolete(frame) for frame in plain[:5])
    many += enhanced(plain[1], number=7)
    files["pcapng of everything"] = many
    modified = bytearray(pcap(plain[:8], nanoseconds=False))
    files["pcap 2.3"] = bytes(modified[:6] + b"\3\0" + modified[8:])
    old = bytes.fromhex("34cdb2a1") + bytes(modified[4:24])
    for frame in plain[:8]:
        old += struct.pack("<IIII8x", frame.ts // 10**9, 5, len(frame.data), len(frame.data)) + frame.data
    files["modified pcap"] = old
    return files


def poisoned(frames: list[tuple[int, int, bytes, int]], poison: bytes) -> bytes:
    """A pcapng of `frames` (link, instant in ns, bytes, true length) with `poison` right behind each of them.

    The poison stands in the padding and in the options of the packet blocks, which the columns do not depend on.
    """
    links = sorted({frame[0] for frame in frames})
    out = [section(), *(interface(link) for link in links)]
    for link, ts, raw, true in frames:
        pad = -len(raw) % 4
        head = struct.pack("<IIIII", links.index(link), ts >> 32 & 0xFFFFFFFF, ts & 0xFFFFFFFF, len(raw), true)
        out.append(block(6, head + raw + poison[:pad] + option(0x0BAD, poison)))
    return b"".join(out)
