"""Kinds of binary messages: known heads, heads that only look like one, one symbol a kind, any bytes."""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture import read_capture
from netsynth_core.flows.extraction import extract_words
from netsynth_core.flows.messages import READERS
from netsynth_core.flows.metering import meter_flows
from netsynth_core.flows.services.evidence import Side
from netsynth_core.flows.symbols import Symbol, format_symbol, parse_symbol
from tests.capture.traffic import ACK, FIN, PSH, START, SYN, Frame, pcap, segment

NAME = b"\3www\7example\3org\0"


def dns(kind: int, flags: int = 0x0100) -> bytes:
    return struct.pack("!6H", 7, flags, 1, 0, 0, 0) + NAME + struct.pack("!2H", kind, 1)


def record(kind: int, body: bytes, version: int = 3) -> bytes:
    return struct.pack("!BBBH", kind, 3, version, len(body)) + body


def hello(kind: int, size: int = 60) -> bytes:
    return record(22, bytes([kind]) + size.to_bytes(3, "big") + bytes(size), 1)


def packet(message: int, size: int = 27) -> bytes:
    """An SSH packet: length, padding of six bytes, the message."""
    return struct.pack("!IBB", size + 1, 6, message) + bytes(size - 1)


def smb2(command: int) -> bytes:
    return b"\0\0\0\x44\xfeSMB" + struct.pack("<HHIH", 64, 0, 0, command) + bytes(50)


def dhcp(kind: int) -> bytes:
    return b"\1\1\6\0" + bytes(232) + b"\x63\x82\x53\x63\x35\1" + bytes([kind]) + b"\xff"


def read(service: str, payload: bytes, *, tcp: bool) -> str:
    reader, width, kinds = READERS[service]
    head = np.frombuffer(payload[:width].ljust(width, b"\0"), np.uint8)[None]
    (code,) = reader(Side(head.copy(), np.array([len(payload)])), tcp).tolist()
    return dict(kinds).get(code, "")


KNOWN: Mapping[str, tuple[str, bool, bytes]] = {
    "ClientHello": ("tls", True, hello(1)),
    "ServerHello": ("tls", True, hello(2)),
    "Certificate": ("tls", True, hello(11, 3000)),
    "ClientKey": ("tls", True, hello(16, 66) + record(20, b"\1")),
    "ChangeSpec": ("tls", True, record(20, b"\1") + record(22, bytes(40))),
    "Finished": ("tls", True, record(22, bytes(range(200, 240)))),
    "Alert": ("tls", True, record(21, b"\2\x28")),
    "KEXINIT": ("ssh", True, packet(20)),
    "NEWKEYS": ("ssh", True, packet(21, 11)),
    "A": ("dns", False, dns(1)),
    "AAAA": ("dns", False, dns(28, 0x8180)),
    "PTR": ("dns", True, struct.pack("!H", len(dns(12))) + dns(12)),
    "NXDOMAIN": ("dns", False, dns(1, 0x8183)),
    "AS_REQ": ("kerberos", False, b"\x6a\x81\xb0\x30" + bytes(176)),
    "TGS_REP": ("kerberos", True, struct.pack("!I", 1200) + b"\x6d\x82\x04\xac\x30" + bytes(400)),
    "KRB_ERROR": ("kerberos", False, b"\x7e\x7c\x30" + bytes(124)),
    "BindReq": ("ldap", True, b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"),
    "Search": ("ldap", True, b"\x30\x84\0\0\0\x30\x02\x02\1\x05\x63\x84" + bytes(40)),
    "TreeConn": ("smb", True, smb2(3)),
    "CONNECT": ("mqtt", True, b"\x10\x0c\0\4MQTT\4\2\0\x3c\0\0"),
    "SUBSCRIBE": ("mqtt", True, b"\x82\x06\0\1\0\1a\0"),
    "client": ("ntp", False, b"\x23" + bytes(47)),
    "DISCOVER": ("dhcp", False, dhcp(1)),
    "ACK": ("dhcp", False, dhcp(5)),
}


@pytest.mark.parametrize("token", KNOWN)
def test_a_message_is_told_by_its_head(token: str) -> None:
    service, tcp, payload = KNOWN[token]
    assert read(service, payload, tcp=tcp) == token


@pytest.mark.parametrize(
    ("service", "payload"),
    [
        ("tls", bytes(range(200))),
        ("tls", b"\x16\x02\1\0\x10\1" + bytes(30)),
        ("tls", record(22, b"")),
        ("tls", record(23, bytes(range(100)))),
        ("ssh", bytes(range(100, 180))),
        ("dns", dns(1)[:14]),
        ("dns", dns(9)),
        ("kerberos", b"\x6a\x81\xb0\x30" + bytes(176)),
        ("ldap", bytes(range(60))),
        ("smb", b"\0\0\0\x40\xffSMB" + bytes(60)),
        ("mqtt", b"\x83\x06\0\1\0\1a\0"),
        ("dhcp", bytes(300)),
    ],
)
def test_what_only_looks_like_a_message_has_no_kind(service: str, payload: bytes) -> None:
    assert read(service, payload, tcp=True) == ""


@given(st.sampled_from(sorted(READERS)), st.binary(min_size=1, max_size=400), st.booleans())
def test_any_bytes_are_read(service: str, payload: bytes, tcp: bool) -> None:
    assert read(service, payload, tcp=tcp) in {"", *READERS[service][2].values()}


def test_every_kind_makes_a_symbol() -> None:
    for _, _, kinds in READERS.values():
        for token in kinds.values():
            symbol = Symbol("PA", ">", "Replay", token)
            assert parse_symbol(format_symbol(symbol)) == symbol


NOISE = bytes(np.random.default_rng(0).integers(0, 256, 200, np.uint8))
SPOKEN = [
    (True, SYN, b"", "S_>_Empty"),
    (False, SYN | ACK, b"", "SA_<_Empty"),
    (True, ACK, b"", "A_>_Empty"),
    (True, PSH | ACK, hello(1), "PA_>_Replay-ClientHello"),
    # the bytes behind the greeting look random: its kind is one symbol all the same
    (False, PSH | ACK, hello(2) + record(23, NOISE * 6), "PA_<_Replay-ServerHello"),
    (False, PSH | ACK, NOISE, "PA_<_Random"),
    (False, PSH | ACK, record(23, NOISE), "PA_<_Random"),
    (True, PSH | ACK, record(23, NOISE), "PA_>_Random"),
    (True, PSH | ACK, record(23, NOISE), "PA_>_Random"),
    (False, PSH | ACK, record(21, NOISE[:26]), "PA_<_Replay-Alert"),
    (False, FIN | ACK, b"", "FA_<_Empty"),
    (True, FIN | ACK, b"", "FA_>_Empty"),
]


def test_kinds_are_symbols_and_data_has_none(tmp_path: Path) -> None:
    frames, seq = [], [1000, 5000]
    for k, (forward, flags, payload, _) in enumerate(SPOKEN):
        way = 0 if forward else 1
        frames.append(Frame(START + k * 10**6, segment(forward, flags, payload, server=443, seq=seq[way])))
        seq[way] += len(payload) + bool(flags & (SYN | FIN))
    path = tmp_path / "a"
    path.write_bytes(pcap(frames))
    packets = read_capture(path).packets
    (words,) = extract_words(packets, meter_flows(packets))
    assert words.service == "tls"
    assert words.names(0) == [symbol for *_, symbol in SPOKEN]


def test_the_same_bytes_without_a_service_have_no_kind(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(pcap([Frame(START, segment(True, PSH | ACK, NOISE[:40], server=47001))]))
    packets = read_capture(path).packets
    (words,) = extract_words(packets, meter_flows(packets))
    assert words.names(0)[0] in ("PA_>_Random", "PA_>_Replay")
