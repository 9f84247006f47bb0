"""Services: each rule knows its protocol on a foreign port, ports speak where no payload does, noise is no service."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from netsynth_core.flows.services import RULES, WIDTH, label_heads, server_ports
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
ASKED_TICKET = bytes.fromhex("6a81a130819ea103020105a20302010aa3153013") + bytes(144)
REFUSED_TICKET = bytes.fromhex("7e633061a003020105a10302011ea411180f") + bytes(83)
LDAP_BIND = b"\x30\x0c\2\1\1\x60\7\2\1\3\4\0\x80\0"
DNP3_LINK = bytes.fromhex("05640a44030004007caee6f78210004fbd")
KAFKA = b"\0\0\0\x18\0\x12\0\3\0\0\0\1\0\x0aconsumer-1\0\0\0\0"
TCP_CALL = struct.pack("!7I", 0x80000028, 7, 0, 2, 100003, 3, 0) + bytes(16)
MAPPER_CALL = struct.pack("!6I", 7, 0, 2, 100000, 2, 3) + bytes(32)
MODBUS_ASKS = b"\0\1\0\0\0\6\1\3\0\x6b\0\3"
COTP = bytes.fromhex("0300001611e00000000100c0010ac1020100c2020102")
COTP_OTHER = bytes.fromhex("0300001611e00000000100c0010ac1020001c2020001")
BINDING = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)

ALIKE = {("mdns", "dns"), ("llmnr", "dns"), ("netbios", "dns"), ("rdp", "tls")}
"""Services whose first bytes may be those of another: only their ports tell."""

# service, port, first payload of the originator, first payload of the responder
TALKS = [
    ("http", 12345, b"GET / HTTP/1.1\r\n\r\n", b""),
    ("http", 3128, b"CONNECT a.example:443 HTTP/1.1\r\n\r\n", b""),
    ("http", 12345, b"", b"HTTP/1.0 404 Not Found\r\n\r\n"),
    ("http", 12345, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b""),
    ("tls", 12345, HELLO, b""),
    ("tls", 80, HELLO, b""),
    ("tls", 80, HELLO, b"HTTP/1.1 400 Bad Request\r\n"),
    ("tls", 12345, b"", b"\x17\x03\x03\0\x20" + bytes(32)),
    ("tls", 12345, b"\x80\x2e\1\0\2\0\x15\0\0\0\x10" + bytes(37), b""),
    ("ssh", 12345, b"", b"SSH-2.0-made\r\n"),
    ("smtp", 12345, b"EHLO a\r\n", b"220 mail ready\r\n"),
    ("smtp", 12345, b"", b"220 a.example ESMTP ready\r\n"),
    ("smtp", 25, b"", b"220 mail ready\r\n"),
    ("smtp", 12345, b"helo a\r\n", b""),
    ("ftp", 12345, b"USER ann\r\n", b"220 files ready\r\n"),
    ("ftp", 12345, b"", b"220 FTP ready\r\n"),
    ("imap", 12345, b"", b"* OK ready\r\n"),
    ("imap", 143, b"a1 LOGIN ann pw\r\n", b""),
    ("pop3", 12345, b"CAPA\r\n", b"+OK ready\r\n"),
    ("pop3", 110, b"", b"+OK ready\r\n"),
    ("nntp", 12345, b"", b"200 news NNTP ready\r\n"),
    ("mqtt", 12345, b"\x10\x0c\0\4MQTT\4\2\0\x3c", b""),
    ("redis", 12345, b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    ("redis", 12345, b"PING\r\n", b"+PONG\r\n"),
    ("memcached", 12345, b"get key\r\n", b"END\r\n"),
    ("postgresql", 12345, b"\0\0\0\x12\0\3\0\0user\0ann\0\0", b""),
    ("postgresql", 12345, b"\0\0\0\x08\x04\xd2\x16\x2f", b"N"),
    ("mysql", 12345, b"", b"\x4a\0\0\0\n8.0.30\0" + bytes(66)),
    ("mysql", 12345, b"", b"\x4a\0\0\0\n5.5.5-10.6.12-MariaDB\0" + bytes(40)),
    ("mysql", 12345, b"", b"\x4a\0\0\0\n11.4.2-MariaDB-ubu2404\0" + bytes(40)),
    ("mysql", 3306, b"", b"\x4a\0\0\0\n12.0.2-MariaDB\0" + bytes(40)),
    ("mysql", 12345, b"\x40\0\0\1\x85\xa6\xff\x01\0\0\0\1\x21" + bytes(23) + b"ann\0" + bytes(28), b""),
    ("mssql", 12345, b"\x12\1\0\x2f\0\0\1\0\0" + bytes(38), b""),
    ("oracle", 12345, b"\0\x3a\0\0\1\0\0\0\1\x39\1\x2c" + bytes(46), b""),
    ("mongodb", 12345, b"\x28\0\0\0\1\0\0\0\0\0\0\0\xd4\7\0\0" + bytes(24), b""),
    ("cassandra", 12345, b"\4\0\0\0\5\0\0\0\0", b""),
    ("kafka", 12345, KAFKA, b""),
    ("smb", 12345, b"\0\0\0\x40\xfeSMB" + bytes(60), b""),
    ("smb", 139, b"\x81\0\0\x44\x20" + b"EBFCEBEDEJ" * 6 + bytes(7), b""),
    ("rdp", 12345, b"\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0", b""),
    ("rdp", 3389, b"\x17\x03\x03\0\x20" + bytes(32), b""),
    ("tls", 3389, HELLO, b""),
    ("kerberos", 88, struct.pack("!I", len(ASKED_TICKET)) + ASKED_TICKET, b""),
    ("kerberos", 12345, struct.pack("!I", len(ASKED_TICKET)) + ASKED_TICKET, b""),
    ("ldap", 389, LDAP_BIND, b""),
    ("ldap", 12345, LDAP_BIND, b""),
    ("dns", 12345, b"\0\x1e" + QUERY, b""),
    ("vnc", 12345, b"", b"RFB 003.008\n"),
    ("amqp", 12345, b"AMQP\0\0\x09\1", b""),
    ("sip", 12345, b"INVITE sip:a@b SIP/2.0\r\n", b""),
    ("rtsp", 12345, b"OPTIONS rtsp://a RTSP/1.0\r\n", b""),
    ("irc", 12345, b"NICK ann\r\n", b""),
    ("nats", 12345, b"", b'INFO {"server_id":"a"}\r\n'),
    ("rsync", 12345, b"", b"@RSYNCD: 31.0\n"),
    ("bittorrent", 12345, b"\x13BitTorrent protocol" + bytes(48), b""),
    ("xmpp", 12345, b"<?xml version='1.0'?><stream:stream>", b""),
    ("telnet", 12345, b"\xff\xfb\x18\xff\xfd\1", b""),
    ("dcerpc", 12345, b"\5\0\x0b\3\x10\0\0\0\x48\0\0\0\1\0\0\0" + bytes(56), b""),
    ("dnp3", 12345, DNP3_LINK, b""),
    ("dnp3", 20000, DNP3_LINK[:8] + bytes(9), b""),
    ("modbus", 502, MODBUS_ASKS, b""),
    ("modbus", 12345, MODBUS_ASKS, b"\0\1\0\0\0\3\1\x83\2"),
    ("", 12345, MODBUS_ASKS, b"no"),
    ("opcua", 12345, b"HELF\x38\0\0\0" + bytes(48), b""),
    ("s7", 102, COTP, b""),
    ("iso-tsap", 102, COTP_OTHER, b""),
    ("iec104", 12345, b"\x68\4\7\0\0\0", b""),
    ("enip", 12345, b"\x65\0\4\0" + bytes(24), b""),
    ("synchrophasor", 12345, b"\xaa\x41\0\x12" + bytes(14), b""),
    ("bgp", 12345, b"\xff" * 16 + b"\0\x1d\1\4" + bytes(9), b""),
    ("diameter", 12345, b"\1\0\0\x14\x80\0\1\1" + bytes(12), b""),
    ("rtmp", 1935, b"\3" + bytes(8) + b"\1" * 1400, b""),
    ("socks", 12345, b"\5\1\0", b"\5\0"),
    ("bitcoin", 12345, b"\xf9\xbe\xb4\xd9version" + bytes(90), b""),
    ("nfs", 12345, TCP_CALL, b""),
    ("openvpn", 12345, b"\0\x0e\x38" + b"\7" * 8 + bytes(5), b"\0\x1a\x40" + b"\7" * 25),
    ("ssh", 22, b"", b""),
    ("printer", 9100, b"\x1b%-12345X@PJL\r\n", b""),
    ("telnet", 23, b"\xff\xfb\x18", b""),
    ("", 12345, b"", b""),
    ("", 12345, b"\1\2\3\4", b"\5\6\7\x08"),
    ("", 443, b"\1\2\3\4\5\6\7\x08", b""),
    ("", 443, b"hello, this is not TLS\n", b""),
    ("", 80, b"hello\n", b"who is there?\n"),
    ("", 22, b"", b"hello\n"),
    ("", 25, b"", b"\1\2\3\4"),
]
DATAGRAMS = [
    ("dns", 53, QUERY),
    ("dns", 12345, QUERY),
    ("", 12345, QUERY[:-1] + b"\x09"),
    ("mdns", 5353, QUERY),
    ("llmnr", 5355, QUERY),
    ("netbios", 137, b"\1\2\1\x10\0\1\0\0\0\0\0\0\x20" + b"CA" * 16 + b"\0\0\x20\0\1"),
    ("tftp", 69, b"\0\1" + b"n" * 120 + b"\0octet\0"),
    ("netbios", 138, b"\x11\x02" + bytes(80)),
    ("ntp", 123, b"\x23" + bytes(47)),
    ("dhcp", 67, b"\1\1\6\0" + bytes(240)),
    ("dhcpv6", 547, b"\1\2\3\4\0\1\0\4abcd"),
    ("snmp", 161, b"\x30\x18\2\1\1\4\6public\xa0\x0b" + bytes(11)),
    ("snmp", 12345, b"\x30\x18\2\1\1\4\6public\xa0\x0b" + bytes(11)),
    ("ssdp", 1900, b"M-SEARCH * HTTP/1.1\r\n\r\n"),
    ("quic", 443, b"\xc3\0\0\0\1\x08" + bytes(1200)),
    ("quic", 12345, b"\xc3\0\0\0\1\x08" + bytes(1200)),
    ("dtls", 12345, b"\x16\xfe\xfd" + bytes(8) + b"\0\x20" + bytes(32)),
    ("kerberos", 88, ASKED_TICKET),
    ("kerberos", 12345, REFUSED_TICKET),
    ("ldap", 389, LDAP_BIND),
    ("syslog", 514, b"<13>hello"),
    ("syslog", 12345, b"<165>1 2003-10-11T22:14:15Z a b - - hello"),
    ("radius", 1812, b"\1\1\0\x14" + bytes(16)),
    ("radius", 12345, b"\1\1\0\x1a" + bytes(16) + b"\1\6ann1"),
    ("stun", 12345, BINDING),
    ("wireguard", 51820, b"\1\0\0\0" + bytes(144)),
    ("ike", 500, b"\7" * 8 + bytes(8) + b"\x21\x20\x22\x08" + bytes(4) + b"\0\0\0\x30" + bytes(20)),
    ("gtp", 2152, b"\x30\xff\0\4\0\0\0\1abcd"),
    ("teredo", 12345, b"\x60\0\0\0\0\0\x3b\x40\x20\1\0\0" + bytes(28)),
    ("vxlan", 4789, b"\x08\0\0\0\0\0\7\0" + bytes(60)),
    ("rip", 520, b"\2\2\0\0" + bytes(20)),
    ("tftp", 69, b"\0\1boot.img\0octet\0"),
    ("netflow", 12345, b"\0\5\0\1" + bytes(68)),
    ("netflow", 2055, b"\0\x09\0\1" + bytes(18) + b"\0\x0c" + bytes(8)),
    ("sflow", 6343, b"\0\0\0\5\0\0\0\1" + bytes(40)),
    ("slp", 427, b"\2\1\0\0\x12" + bytes(13)),
    ("ptp", 319, b"\x10\2\0\x2c" + bytes(40)),
    ("coap", 5683, b"\x41\1\0\1\7"),
    ("wsd", 3702, b"<?xml version='1.0'?><soap:Envelope/>"),
    ("bacnet", 12345, b"\x81\x0a\0\x0c" + bytes(8)),
    ("bittorrent", 12345, b"d1:ad2:id20:" + bytes(60)),
    ("sip", 12345, b"SIP/2.0 200 OK\r\n"),
    ("rpc", 111, MAPPER_CALL),
    ("rpc", 12345, MAPPER_CALL),
    ("dnp3", 20000, DNP3_LINK),
    ("", 12345, bytes(30)),
    ("", 53, bytes(30)),
    ("", 443, b"\1" * 30),
    ("", 123, b"hello"),
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


def test_media_are_told_by_both_sides() -> None:
    heads = np.zeros((2, 2, WIDTH), np.uint8)
    heads[:, :, :2] = ((0x80, 0x60), (0x80, 0xE0))
    heads[1, 1, 1] = 0x08
    assert label(heads, sizes=np.full((2, 2), 172), proto=17, port=[4000, 4000]) == ["rtp", ""]
    assert label(heads, sizes=np.full((2, 2), 172), proto=17, port=[3478, 4000]) == ["stun", ""]


def test_a_flow_seen_from_its_middle_keeps_the_name_of_its_port_but_for_text() -> None:
    heads = np.zeros((3, 2, WIDTH), np.uint8)
    heads[:2, 1, :40] = np.random.default_rng(3).integers(0, 256, 40, dtype=np.uint8)
    heads[2, 1, :40] = 65
    sizes = np.array([[0, 900]] * 3)
    begun = np.array([False, True, False])
    assert label(heads, sizes=sizes, proto=6, port=[443] * 3, begun=begun) == ["tls", "tls", ""]
    sizes[1, 0] = 20
    assert label(heads, sizes=sizes, proto=6, port=[443] * 3, begun=begun) == ["tls", "", ""]


def label(
    heads: NDArray[np.uint8], *, proto: int, port: list[int], sizes: NDArray[np.int64], **more: object
) -> list[str]:
    protos = np.full(len(heads), proto, np.uint8)
    return label_heads(heads, sizes, protos, np.array(port, np.int32), **more).tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize("proto", [6, 17])
@pytest.mark.parametrize("kind", ["uniform", "printable", "words", "small", "sparse"])
def test_noise_is_no_service(kind: str, proto: int) -> None:
    n = 20_000
    rng = np.random.default_rng(11)
    sizes = rng.integers(1, 1460, (n, 2))
    heads = noise(kind, n, rng)
    heads[np.arange(WIDTH) >= sizes[:, :, None]] = 0
    names = np.array(label(heads, sizes=sizes, proto=proto, port=[45000] * n))
    # few values or many zeros look like many headers: small numbers, flags, lengths
    assert np.mean(names != "") <= (1e-3 if kind in ("small", "sparse") else 1e-4)


def noise(kind: str, n: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    shape = (n, 2, WIDTH)
    if kind == "uniform":
        return rng.integers(0, 256, shape, dtype=np.uint8)
    if kind == "printable":
        return rng.integers(32, 127, shape, dtype=np.uint8)
    if kind == "words":
        words = np.frombuffer(b"the quick brown Fox said: User 200 OK, hello; 42 GETs POSTED ", np.uint8)
        start = rng.integers(0, len(words), (n, 2, 1))
        return np.ascontiguousarray(words[(start + np.arange(WIDTH)) % len(words)])
    if kind == "small":
        return rng.integers(0, 8, shape, dtype=np.uint8)
    return np.where(rng.random(shape) < 0.8, 0, rng.integers(0, 256, shape)).astype(np.uint8)


@given(st.lists(st.tuples(st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 65535)), max_size=5))
def test_any_bytes_have_a_name_or_none(talks: list[tuple[bytes, bytes, int]]) -> None:
    heads = np.zeros((len(talks), 2, WIDTH), np.uint8)
    sizes = np.zeros((len(talks), 2), np.int64)
    for k, talk in enumerate(talks):
        for way in (0, 1):
            part = talk[way][:WIDTH]
            heads[k, way, : len(part)] = np.frombuffer(part, np.uint8)
            sizes[k, way] = len(talk[way])
    known = {rule.name for rule in RULES} | {""}
    for proto in (6, 17, 1):
        assert set(label(heads, sizes=sizes, proto=proto, port=[t[2] for t in talks])) <= known


@pytest.mark.parametrize("talk", [(t, p, 6) for t, _, p, _ in TALKS if p] + [(t, p, 17) for t, _, p in DATAGRAMS if t])
def test_the_payload_of_one_service_is_not_named_by_the_port_of_another(talk: tuple[str, bytes, int]) -> None:
    """With the beginning of the flow captured, the ports of TLS, SSH and DNS name no other payload."""
    name, payload, proto = talk
    heads = np.zeros((3, 2, WIDTH), np.uint8)
    heads[:, 0, : len(payload[:WIDTH])] = np.frombuffer(payload[:WIDTH], np.uint8)
    sizes = np.array([[len(payload), 0]] * 3)
    named = label(heads, sizes=sizes, proto=proto, port=[443, 22, 53], begun=np.ones(3, np.bool_))
    for given_name, of_port in zip(named, ("tls" if proto == 6 else "quic", "ssh", "dns"), strict=True):
        assert given_name != of_port or name == of_port or (name, of_port) in ALIKE


def test_every_service_with_a_payload_rule_is_tested() -> None:
    ruled = {rule.name for rule in RULES if rule.stream or rule.datagram}
    tested = {talk[0] for talk in TALKS} | {talk[0] for talk in DATAGRAMS} | {"rtp"}
    assert ruled <= tested


def test_every_rule_names_its_source() -> None:
    assert all(rule.source for rule in RULES) and len({rule.name for rule in RULES}) == len(RULES)


def test_a_port_stands_for_one_service_only() -> None:
    for line in ("tcp", "udp"):
        ports = [port for rule in RULES for port in getattr(rule, line)]
        assert len(ports) == len(set(ports))
    assert server_ports()[0, 80] == server_ports()[1, 53] == 1 and server_ports()[0, 40000] == 0
