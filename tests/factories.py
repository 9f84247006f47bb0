"""Made data for tests: small captures with known conversations, flow tables, words."""

import struct
from collections.abc import Iterable
from pathlib import Path

import dpkt
import numpy as np
import pandas as pd

from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.words import Words

START = 1_700_000_000_000_000_000
CLIENT = "192.0.2."
SERVER = "198.51.100.7"
RESOLVER = "192.0.2.53"


def _ip(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))


def _frame(src: str, dst: str, segment: dpkt.Packet, proto: int) -> bytes:
    packet = dpkt.ip.IP(src=_ip(src), dst=_ip(dst), p=proto, ttl=64, data=segment)
    packet.len = len(packet)
    return bytes(dpkt.ethernet.Ethernet(src=b"\2\0\0\0\0\1", dst=b"\2\0\0\0\0\2", data=packet))


def http_conversation(start: int, client: str, port: int, *, gap: int = 2_000_000) -> list[tuple[int, bytes]]:
    """One HTTP request over TCP, ten packets, `gap` ns apart."""
    request = b"GET /index.html HTTP/1.1\r\nHost: made.example\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    flags = dpkt.tcp
    script = [
        (True, flags.TH_SYN, b""),
        (False, flags.TH_SYN | flags.TH_ACK, b""),
        (True, flags.TH_ACK, b""),
        (True, flags.TH_PUSH | flags.TH_ACK, request),
        (False, flags.TH_ACK, b""),
        (False, flags.TH_PUSH | flags.TH_ACK, answer),
        (True, flags.TH_ACK, b""),
        (True, flags.TH_FIN | flags.TH_ACK, b""),
        (False, flags.TH_FIN | flags.TH_ACK, b""),
        (True, flags.TH_ACK, b""),
    ]
    next_seq = {True: 1000, False: 5000}
    frames = []
    for number, (outward, bits, payload) in enumerate(script):
        ends = (port, 80) if outward else (80, port)
        segment = dpkt.tcp.TCP(
            sport=ends[0],
            dport=ends[1],
            seq=next_seq[outward],
            ack=next_seq[not outward] if bits & flags.TH_ACK else 0,
            flags=bits,
            data=payload,
        )
        next_seq[outward] += len(payload) + bool(bits & (flags.TH_SYN | flags.TH_FIN))
        ways = (client, SERVER) if outward else (SERVER, client)
        frames.append((start + number * gap, _frame(*ways, segment, dpkt.ip.IP_PROTO_TCP)))
    return frames


def dns_conversation(start: int, client: str, port: int) -> list[tuple[int, bytes]]:
    """One DNS question and its answer."""
    question = struct.pack(">HHHHHH", port, 0x0100, 1, 0, 0, 0) + b"\4made\7example\0\0\1\0\1"
    answer = (
        struct.pack(">HHHHHH", port, 0x8180, 1, 1, 0, 0)
        + question[12:]
        + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4"
        + _ip(SERVER)
    )
    there = dpkt.udp.UDP(sport=port, dport=53, data=question, ulen=8 + len(question))
    back = dpkt.udp.UDP(sport=53, dport=port, data=answer, ulen=8 + len(answer))
    return [
        (start, _frame(client, RESOLVER, there, dpkt.ip.IP_PROTO_UDP)),
        (start + 500_000, _frame(RESOLVER, client, back, dpkt.ip.IP_PROTO_UDP)),
    ]


def write_pcap(path: Path, frames: Iterable[tuple[int, bytes]]) -> Path:
    """A nanosecond pcap of (instant, Ethernet frame), in order of time."""
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)]
    for ts, frame in sorted(frames, key=lambda item: item[0]):
        parts.append(struct.pack("<IIII", ts // 10**9, ts % 10**9, len(frame), len(frame)) + frame)
    path.write_bytes(b"".join(parts))
    return path


def office_pcap(path: Path, sessions: int = 40) -> Path:
    """`sessions` times a DNS question, then an HTTP request by the same client 5 ms later."""
    frames: list[tuple[int, bytes]] = []
    for i in range(sessions):
        client, start = f"{CLIENT}{10 + i % 7}", START + i * 3_000_000_000
        frames += dns_conversation(start, client, 20_000 + i)
        frames += http_conversation(start + 5_000_000, client, 40_000 + i)
    return write_pcap(path, frames)


def flow_table(rows: int = 60) -> FlowTable:
    """DNS and HTTP flows in turn, as `office_pcap` has them."""
    i = np.arange(rows)
    web = i % 2 == 1
    return FlowTable.from_columns(
        pd.DataFrame(
            {
                "ts": START + (i // 2) * 3_000_000_000 + web * 5_000_000,
                "duration": np.where(web, 18_000_000, 500_000),
                "proto": np.where(web, "TCP", "UDP"),
                "src_ip": [f"{CLIENT}{10 + (k // 2) % 7}" for k in i],
                "src_port": 20_000 + i,
                "dst_ip": np.where(web, SERVER, RESOLVER),
                "dst_port": np.where(web, 80, 53),
                "fwd_packets": np.where(web, 6, 1),
                "bwd_packets": np.where(web, 4, 1),
                "fwd_bytes": np.where(web, 288, 58),
                "bwd_bytes": np.where(web, 204, 74),
                "flags": np.where(web, ".AP.SF", "......"),
                "service": np.where(web, "http", "dns"),
                "state": "SF",
            }
        )
    )


def ping_words(n: int = 40, *, service: str = "echo", state: str = "SF") -> Words:
    """Words ``ping pong``, every third one ``ping ping pong``."""
    words = [
        [("ping", 0, 10), ("ping", 100, 10), ("pong", 50 + i, 20)]
        if i % 3 == 0
        else [("ping", 0, 10), ("pong", 50 + i, 20)]
        for i in range(n)
    ]
    return Words.from_lists(words, unit="us", service=service, state=state)
