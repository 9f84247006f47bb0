"""Services: each rule knows its protocol on a foreign port, ports speak where no payload does, noise is no service."""

from pathlib import Path

import pytest

from netsynth_core.flows.services import RULES, server_ports
from netsynth_core.flows.source import read_flows
from tests.capture.traffic import (
    ACK,
    CLIENT,
    PSH,
    SERVER,
    START,
    SYN,
    Frame,
    ether,
    ip,
    pcap,
    segment,
    udp,
)

QUERY = bytes.fromhex("123401000001000000000000") + b"\4made\7example\0\0\1\0\1"
HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(190)

# service, port, first payload of the originator, first payload of the responder
TALKS = [
    ("http", 12345, b"GET / HTTP/1.1\r\n\r\n", b""),
    ("http", 3128, b"CONNECT a.example:443 HTTP/1.1\r\n\r\n", b""),
    ("http", 12345, b"", b"HTTP/1.0 404 Not Found\r\n\r\n"),
    ("tls", 12345, HELLO, b""),
    ("tls", 80, HELLO, b""),
    ("tls", 12345, b"", b"\x17\x03\x03\0\x20" + bytes(32)),
    ("ssh", 12345, b"", b"SSH-2.0-made\r\n"),
    ("smtp", 12345, b"EHLO a\r\n", b"220 mail ready\r\n"),
    ("smtp", 25, b"", b"220 mail ready\r\n"),
    ("ftp", 12345, b"USER ann\r\n", b"220 files ready\r\n"),
    ("imap", 12345, b"", b"* OK ready\r\n"),
    ("pop3", 12345, b"", b"+OK ready\r\n"),
    ("mqtt", 12345, b"\x10\x0c\0\4MQTT\4\2\0\x3c", b""),
    ("redis", 12345, b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    ("postgresql", 12345, b"\0\0\0\x20\0\3\0\0user\0ann\0", b""),
    ("mysql", 12345, b"", b"\x4a\0\0\0\n8.0.30\0" + bytes(60)),
    ("smb", 12345, b"\0\0\0\x40\xfeSMB" + bytes(60), b""),
    ("rdp", 12345, b"\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0", b""),
    ("kerberos", 88, b"\0\0\0\xa0\x6a\x81\x9d" + bytes(40), b""),
    ("ldap", 389, b"\x30\x0c\2\1\1\x60\7\2\1\3\4\0\x80\0", b""),
    ("dns", 12345, b"\0\x1e" + QUERY, b""),
    ("vnc", 12345, b"", b"RFB 003.008\n"),
    ("amqp", 12345, b"AMQP\0\0\x09\1", b""),
    ("sip", 12345, b"INVITE sip:a@b SIP/2.0\r\n", b""),
    ("rtsp", 12345, b"OPTIONS rtsp://a RTSP/1.0\r\n", b""),
    ("irc", 12345, b"NICK ann\r\n", b""),
    ("bittorrent", 12345, b"\x13BitTorrent protocol" + bytes(48), b""),
    ("xmpp", 5222, b"<?xml version='1.0'?><stream:stream>", b""),
    ("dcerpc", 12345, b"\5\0\x0b\3\x10\0\0\0" + bytes(64), b""),
    ("dnp3", 12345, b"\x05\x64\x05\xc9\1\0\0\4\xe9\x21", b""),
    ("opcua", 12345, b"HELF\x38\0\0\0" + bytes(48), b""),
    ("bgp", 12345, b"\xff" * 16 + b"\0\x1d\1\4" + bytes(9), b""),
    ("ssh", 22, b"", b""),
    ("telnet", 23, b"\xff\xfb\x18", b""),
    ("", 12345, b"", b""),
    ("", 12345, b"\1\2\3\4", b"\5\6\7\x08"),
]
DATAGRAMS = [
    ("dns", 53, QUERY),
    ("dns", 12345, QUERY),
    ("mdns", 5353, QUERY),
    ("llmnr", 5355, QUERY),
    ("netbios", 137, bytes(50)),
    ("ntp", 123, b"\x23" + bytes(47)),
    ("dhcp", 67, b"\1\1\6\0" + bytes(240)),
    ("snmp", 161, b"\x30\x26\2\1\1\4\6public" + bytes(20)),
    ("ssdp", 1900, b"M-SEARCH * HTTP/1.1\r\n\r\n"),
    ("quic", 443, b"\xc3\0\0\0\1\x08" + bytes(1200)),
    ("kerberos", 88, b"\x6a\x81\x9d" + bytes(60)),
    ("syslog", 514, b"<13>hello"),
    ("radius", 1812, b"\1\1\0\x14" + bytes(16)),
    ("stun", 3478, b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)),
    ("wireguard", 51820, b"\1\0\0\0" + bytes(144)),
    ("", 12345, bytes(30)),
]


def services(path: Path, frames: list[Frame]) -> list[str]:
    path.write_bytes(pcap(frames))
    return read_flows(path).flows.frame["service"].tolist()


@pytest.mark.parametrize(("service", "port", "said", "answered"), TALKS)
def test_tcp(tmp_path: Path, service: str, port: int, said: bytes, answered: bytes) -> None:
    script = [(True, SYN, b""), (False, SYN | ACK, b""), (True, ACK, b"")]
    script += [(True, PSH | ACK, said)] * bool(said) + [(False, PSH | ACK, answered)] * bool(answered)
    frames = [
        Frame(START + k, segment(way, flags, payload, server=port)) for k, (way, flags, payload) in enumerate(script)
    ]
    assert services(tmp_path / "a", frames) == [service]


@pytest.mark.parametrize(("service", "port", "said"), DATAGRAMS)
def test_udp(tmp_path: Path, service: str, port: int, said: bytes) -> None:
    frame = ether(ip(CLIENT, SERVER, udp(40000, port, said), 17))
    assert services(tmp_path / "a", [Frame(START, frame)]) == [service]


def test_every_service_with_a_payload_rule_is_tested() -> None:
    ruled = {rule.name for rule in RULES if rule.payload is not None}
    tested = {talk[0] for talk in TALKS} | {talk[0] for talk in DATAGRAMS}
    assert ruled <= tested


def test_a_port_stands_for_one_service_only() -> None:
    for line in ("tcp", "udp"):
        ports = [port for rule in RULES for port in getattr(rule, line)]
        assert len(ports) == len(set(ports))
    assert server_ports()[0, 80] == server_ports()[1, 53] == 1 and server_ports()[0, 40000] == 0
