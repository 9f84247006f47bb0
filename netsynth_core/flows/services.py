"""The service of a flow: by its first payloads, else by its port.

`RULES` is the one table: name, protocols, ports and what the first payload of either side looks like. A rule looks at
the first `WIDTH` bytes of the first payload packet of each direction, for all flows at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.packets import PROTO_TCP, PROTO_UDP, PacketTable
from netsynth_core.flows.conversations import Conversations

WIDTH: Final = 96

Mask = NDArray[np.bool_]


def _mask(value: object) -> Mask:
    """Rules as arrays of their type."""
    return np.asarray(value, dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class Side:
    """First payload bytes of one direction of many flows."""

    head: NDArray[np.uint8]
    """(n, WIDTH), zero behind the end."""
    size: NDArray[np.int64]
    """True payload length of that packet, bytes; 0 without payload."""

    def starts(self, *texts: bytes) -> Mask:
        """Which begin with one of the texts."""
        hit = np.zeros(len(self.head), bool)
        for text in texts:
            hit |= self.at(0, text)
        return hit

    def at(self, position: int, text: bytes) -> Mask:
        """Which hold `text` at `position`."""
        rows = np.flatnonzero(self.head[:, position] == text[0])
        for k in range(1, len(text)):
            rows = rows[self.head[rows, position + k] == text[k]]
        hit = np.zeros(len(self.head), dtype=np.bool_)
        hit[rows] = True
        return hit

    def byte(self, position: int) -> NDArray[np.int64]:
        """One byte of each."""
        return self.head[:, position].astype(np.int64)

    def word(self, position: int) -> NDArray[np.int64]:
        """Two bytes of each, big-endian."""
        return self.byte(position) << 8 | self.byte(position + 1)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the rules see."""

    orig: Side
    resp: Side
    port: NDArray[np.int64]
    """Responder port."""
    proto: NDArray[np.uint8]

    def take(self, rows: NDArray[np.int64]) -> "Evidence":
        """The evidence of some of the flows."""
        orig, resp = (Side(side.head[rows], side.size[rows]) for side in (self.orig, self.resp))
        return Evidence(orig, resp, self.port[rows], self.proto[rows])

    def either(self, test: Callable[[Side], Mask]) -> Mask:
        """Which flows pass the test on one side at least."""
        return _mask(test(self.orig) | test(self.resp))


@dataclass(frozen=True)
class Rule:
    """How a service is told."""

    name: str
    tcp: tuple[int, ...]
    """TCP ports that mean this service when no payload speaks."""
    udp: tuple[int, ...]
    payload: Callable[[Evidence], Mask] | None = None


def _dns(side: Side, shift: int) -> Mask:
    flags = side.word(shift + 2)
    counts = side.word(shift + 6) + side.word(shift + 8) + side.word(shift + 10)
    opcode = flags >> 11 & 15
    label = side.byte(shift + 12)
    return _mask(
        (side.size >= shift + 17)
        & (side.word(shift + 4) == 1)
        & np.isin(opcode, (0, 4, 5))
        & (flags & 0x40 == 0)
        & (flags & 15 <= 10)
        & (counts <= 60)
        & (label <= 63)
    )


def _dns_rule(e: Evidence) -> Mask:
    tcp = e.either(lambda s: _dns(s, 2) & (s.word(0) >= 17) & (s.word(0) + 2 >= np.minimum(s.size, 1400)))
    return _mask(
        ((e.proto == PROTO_UDP) & (e.port != 137) & e.either(lambda s: _dns(s, 0))) | ((e.proto == PROTO_TCP) & tcp)
    )


def _tls(s: Side) -> Mask:
    record = (s.byte(0) >= 20) & (s.byte(0) <= 23) & (s.byte(1) == 3) & (s.byte(2) <= 4)
    hello = (s.byte(0) == 22) & (s.byte(1) == 3) & (s.byte(2) <= 4) & (s.byte(5) <= 24)
    return _mask((s.size >= 6) & (hello | (record & (s.byte(0) != 22) & (s.word(3) <= 16640))))


_HTTP_METHODS: Final = tuple(
    f"{m} ".encode()
    for m in (
        "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "TRACE", "PROPFIND", "PROPPATCH",
        "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SUBSCRIBE", "M-POST", "RPC_CONNECT",
    )
)  # fmt: skip
_SMTP_HELLO: Final = (b"EHLO ", b"HELO ", b"ehlo ", b"helo ", b"Ehlo ", b"LHLO ")
_FTP_FIRST: Final = (b"USER ", b"AUTH TLS", b"FEAT", b"user ", b"SYST", b"AUTH SSL", b"HOST ", b"feat")


def _http(e: Evidence) -> Mask:
    return _mask(e.orig.starts(*_HTTP_METHODS, b"PRI * HTTP/2") | e.resp.starts(b"HTTP/1.", b"HTTP/2"))


def _smtp(e: Evidence) -> Mask:
    mail = np.isin(e.port, (25, 465, 587, 2525))
    return _mask(e.orig.starts(*_SMTP_HELLO) | (e.resp.starts(b"220 ", b"220-", b"421 ", b"554 ") & mail))


def _ftp(e: Evidence) -> Mask:
    return _mask(e.resp.starts(b"220 ", b"220-", b"220\r", b"421 ") & (e.orig.starts(*_FTP_FIRST) | (e.port == 21)))


def _kerberos(e: Evidence) -> Mask:
    def told(s: Side) -> Mask:
        tag = s.byte(0)
        direct = np.isin(tag, (0x6A, 0x6B, 0x6C, 0x6D, 0x7E)) & np.isin(s.byte(1), (0x81, 0x82, *range(0x20, 0x80)))
        framed = (s.word(0) == 0) & np.isin(s.byte(4), (0x6A, 0x6B, 0x6C, 0x6D, 0x7E))
        return _mask(((e.proto == PROTO_UDP) & direct) | ((e.proto == PROTO_TCP) & framed))

    return _mask(np.isin(e.port, (88, 464, 750)) & e.either(told))


def _ldap(e: Evidence) -> Mask:
    def told(s: Side) -> Mask:
        short = (s.byte(1) < 0x80) & (s.byte(2) == 2) & (s.byte(3) <= 4)
        long = (s.byte(1) == 0x84) & (s.byte(6) == 2) & (s.byte(7) <= 4)
        middle = np.isin(s.byte(1), (0x81, 0x82)) & ((s.byte(3) == 2) | (s.byte(4) == 2))
        return _mask((s.byte(0) == 0x30) & (short | long | middle))

    return _mask(np.isin(e.port, (389, 3268)) & e.either(told))


def _snmp(e: Evidence) -> Mask:
    def told(s: Side) -> Mask:
        return _mask(
            (s.byte(0) == 0x30) & (((s.byte(2) == 2) & (s.byte(3) == 1)) | ((s.byte(3) == 2) & (s.byte(4) == 1)))
        )

    return _mask(np.isin(e.port, (161, 162)) & e.either(told))


def _ntp(e: Evidence) -> Mask:
    def told(s: Side) -> Mask:
        return _mask((s.size >= 12) & np.isin(s.byte(0) >> 3 & 7, (1, 2, 3, 4)) & ((s.byte(0) & 7) >= 1))

    return _mask((e.port == 123) & e.either(told))


def _dhcp(e: Evidence) -> Mask:
    def told(s: Side) -> Mask:
        return _mask(np.isin(s.byte(0), (1, 2)) & (s.byte(1) == 1) & (s.byte(2) == 6) & (s.size >= 236))

    return _mask(np.isin(e.port, (67, 68)) & e.either(told))


def _mqtt(e: Evidence) -> Mask:
    def told(s: Side) -> Mask:
        return _mask((s.byte(0) == 0x10) & (s.at(4, b"MQTT") | s.at(4, b"MQIsdp") | s.at(5, b"MQTT")))

    return _mask(told(e.orig))


def _redis(e: Evidence) -> Mask:
    count = e.orig.byte(1)
    array = (e.orig.byte(0) == 0x2A) & (count >= 0x31) & (count <= 0x39)
    return _mask(array & (e.orig.at(2, b"\r\n$") | e.orig.at(3, b"\r\n$")))


def _postgresql(e: Evidence) -> Mask:
    s = e.orig
    return _mask(
        (s.word(0) == 0) & (s.at(4, b"\0\3\0\0") | s.at(4, b"\x04\xd2\x16\x2f") | s.at(4, b"\x04\xd2\x16\x30"))
    )


def _mysql(e: Evidence) -> Mask:
    s = e.resp
    greeting = (s.byte(3) == 0) & (s.byte(4) == 10) & (s.byte(2) == 0) & (s.byte(5) >= 0x33) & (s.byte(5) <= 0x39)
    return _mask(greeting | ((e.port == 3306) & (s.byte(3) == 0) & (s.byte(4) == 0xFF)))


def _quic(e: Evidence) -> Mask:
    def told(s: Side) -> Mask:
        version = s.head[:, 1:5]
        known = s.at(1, b"\0\0\0\1") | s.at(1, b"\x6b\x33\x43\xcf") | (version[:, 0] == 0xFF) | (version[:, 0] == 0x51)
        return _mask((s.byte(0) & 0xC0 == 0xC0) & known & (s.size >= 20))

    return _mask((e.proto == PROTO_UDP) & np.isin(e.port, (80, 443, 4433, 8443)) & e.either(told))


def _smb(e: Evidence) -> Mask:
    return _mask(e.either(lambda s: s.at(5, b"SMB") & np.isin(s.byte(4), (0xFF, 0xFE, 0xFD))))


def _rdp(e: Evidence) -> Mask:
    s = e.orig
    return _mask((s.word(0) == 0x0300) & (s.byte(5) == 0xE0) & (s.byte(4) + 5 == s.word(2)) & (e.port != 102))


def _netbios(e: Evidence) -> Mask:
    return _mask((e.proto == PROTO_UDP) & (e.port == 137) & e.either(lambda s: s.size >= 50))


def _ssdp(e: Evidence) -> Mask:
    return _mask(e.orig.starts(b"M-SEARCH ", b"NOTIFY * HTTP") | ((e.port == 1900) & e.resp.starts(b"HTTP/1.1")))


def _ports(e: Evidence, *ports: int) -> Mask:
    return _mask(np.isin(e.port, ports))


def _sip(s: Side) -> Mask:
    return s.starts(b"SIP/2.0 ", b"INVITE sip", b"REGISTER sip", b"OPTIONS sip", b"SUBSCRIBE sip", b"NOTIFY sip")


def _wireguard(s: Side) -> Mask:
    sizes = np.array([0, 148, 92, 64])
    kind = s.byte(0)
    return _mask((kind >= 1) & (kind <= 3) & s.at(1, b"\0\0\0") & (s.size == sizes[np.minimum(kind, 3)]))


def _radius(e: Evidence) -> Mask:
    def told(s: Side) -> Mask:
        return _mask(np.isin(s.byte(0), (1, 2, 3, 4, 5, 11)) & (s.word(2) == s.size) & (s.size >= 20))

    return _mask(_ports(e, 1645, 1646, 1812, 1813) & e.either(told))


RULES: Final = (
    Rule("ssdp", (), (1900,), _ssdp),
    Rule("rtsp", (554,), (), lambda e: e.orig.starts(b"OPTIONS rtsp", b"DESCRIBE rtsp") | e.resp.starts(b"RTSP/1.0")),
    Rule("http", (80, 3128, 8000, 8080, 8888), (), _http),
    Rule("ssh", (22,), (), lambda e: e.either(lambda s: s.starts(b"SSH-"))),
    Rule("tls", (443, 465, 636, 853, 990, 993, 995, 8443), (), lambda e: (e.proto == PROTO_TCP) & e.either(_tls)),
    Rule("smtp", (25, 587), (), _smtp),
    Rule("ftp", (21,), (), _ftp),
    Rule("imap", (143,), (), lambda e: e.resp.starts(b"* OK", b"* PREAUTH", b"* BYE")),
    Rule("pop3", (110,), (), lambda e: e.resp.starts(b"+OK") & (e.port != 6379)),
    Rule("mqtt", (1883,), (), _mqtt),
    Rule("redis", (6379,), (), _redis),
    Rule("postgresql", (5432,), (), _postgresql),
    Rule("mysql", (3306,), (), _mysql),
    Rule("smb", (139, 445), (), _smb),
    Rule("rdp", (3389,), (), _rdp),
    Rule("vnc", (5900,), (), lambda e: e.resp.starts(b"RFB 0")),
    Rule("bittorrent", (), (), lambda e: e.either(lambda s: s.starts(b"\x13BitTorrent protocol"))),
    Rule("amqp", (5672,), (), lambda e: e.orig.starts(b"AMQP")),
    Rule("sip", (5060,), (5060,), lambda e: e.either(_sip)),
    Rule("xmpp", (5222, 5269), (), lambda e: e.orig.starts(b"<?xml ", b"<stream:") & _ports(e, 5222, 5269)),
    Rule("irc", (6667,), (), lambda e: e.orig.starts(b"NICK ", b"USER ", b"CAP LS") & (e.port != 21)),
    Rule("dcerpc", (135,), (), lambda e: e.either(lambda s: s.starts(b"\5\0") & _mask(s.byte(2) <= 19))),
    Rule("dnp3", (20000,), (20000,), lambda e: e.either(lambda s: s.starts(b"\x05\x64") & _mask(s.size >= 10))),
    Rule("opcua", (4840,), (), lambda e: e.orig.starts(b"HELF")),
    Rule("bgp", (179,), (), lambda e: e.either(lambda s: s.starts(b"\xff" * 16))),
    Rule("stun", (3478,), (3478,), lambda e: e.either(lambda s: s.at(4, b"\x21\x12\xa4\x42"))),
    Rule("wireguard", (), (51820,), lambda e: (e.proto == PROTO_UDP) & e.either(_wireguard)),
    Rule("kerberos", (88,), (88,), _kerberos),
    Rule("ldap", (389, 3268), (389,), _ldap),
    Rule("mdns", (), (5353,), lambda e: (e.port == 5353) & (e.proto == PROTO_UDP)),
    Rule("llmnr", (), (5355,), lambda e: (e.port == 5355) & (e.proto == PROTO_UDP)),
    Rule("netbios", (137,), (137, 138), _netbios),
    Rule("quic", (), (443,), _quic),
    Rule("ntp", (), (123,), _ntp),
    Rule("dhcp", (), (67, 68), _dhcp),
    Rule("snmp", (), (161, 162), _snmp),
    Rule("dns", (53,), (53,), _dns_rule),
    Rule("telnet", (23,), ()),
    Rule("syslog", (514,), (514,)),
    Rule("tftp", (), (69,)),
    Rule("radius", (), (1812, 1813), _radius),
    Rule("modbus", (502,), ()),
    Rule("nfs", (2049,), (2049,)),
    Rule("printer", (515, 631, 9100), ()),
)
"""Earlier rules win: those with the more telling first bytes come first."""


@lru_cache(maxsize=1)
def server_ports() -> NDArray[np.uint8]:
    """(2, 65536): 1 for TCP (row 0) and UDP (row 1) ports a server of one of `RULES` listens on.

    Ports from 32768 on are left out: systems also give them to clients (RFC 6335 section 6, Linux).
    """
    table = np.zeros((2, 65536), np.uint8)
    for rule in RULES:
        table[0, list(rule.tcp)] = 1
        table[1, list(rule.udp)] = 1
    table[:, 32768:] = 0
    table.setflags(write=False)
    return table


def services_by_port(port: NDArray[np.int32], proto: NDArray[np.object_]) -> NDArray[np.object_]:
    """The service that the responder's port stands for, of each flow.

    Parameters
    ----------
    port
        Responder port per flow.
    proto
        ``TCP``, ``UDP`` or another name per flow; other protocols have no services.

    Returns
    -------
    NDArray[np.object_]
        A name of `RULES`, or ``""`` when the port tells nothing.
    """
    names = np.full(len(proto), "", dtype=object)
    carried = (proto == "TCP") | (proto == "UDP")
    names[carried] = _by_port()[(proto[carried] == "UDP").astype(np.int64), np.clip(port[carried], 0, 65535)]
    return names


def label_services(
    packets: PacketTable, conversations: Conversations, port: NDArray[np.int32], proto: NDArray[np.uint8]
) -> NDArray[np.object_]:
    """The service of each flow.

    Parameters
    ----------
    packets, conversations
        The packets and which of them belong to each flow.
    port, proto
        Responder port and IP protocol number per flow.

    Returns
    -------
    NDArray[np.object_]
        A name of `RULES`, or ``""`` when neither payload nor port tells.
    """
    names = np.full(len(conversations), "", dtype=object)
    carried = (proto == PROTO_TCP) | (proto == PROTO_UDP)
    by_port = _by_port()
    names[carried] = by_port[(proto[carried] == PROTO_UDP).astype(np.int64), np.clip(port[carried], 0, 65535)]
    evidence = _gather(packets, conversations, port, proto)
    seen = carried & ((evidence.orig.size > 0) | (evidence.resp.size > 0))
    left = np.flatnonzero(seen)
    evidence = evidence.take(left)
    told = np.zeros(len(left), dtype=np.bool_)
    for rule in RULES:
        if rule.payload is None:
            continue
        hit = rule.payload(evidence) & ~told
        names[left[hit]] = rule.name
        told |= hit
        if 4 * np.count_nonzero(told) > len(told):
            # what is told need not be looked at again
            left, evidence, told = left[~told], evidence.take(np.flatnonzero(~told)), told[~told]
    return names


@lru_cache(maxsize=1)
def _by_port() -> NDArray[np.object_]:
    table = np.full((2, 65536), "", dtype=object)
    for rule in reversed(RULES):
        table[0, list(rule.tcp)] = rule.name
        table[1, list(rule.udp)] = rule.name
    return table


def _gather(
    packets: PacketTable, conversations: Conversations, port: NDArray[np.int32], proto: NDArray[np.uint8]
) -> Evidence:
    from netsynth_core.flows import _kernels

    n = len(conversations)
    found = np.empty((n, 2), np.int64)
    _kernels.first_payloads(
        conversations.offsets, conversations.packets, conversations.direction, packets.payload_captured, found
    )
    sides = []
    for way in (0, 1):
        rows = np.ascontiguousarray(found[:, way])
        head = np.empty((n, WIDTH), np.uint8)
        _kernels.prefixes(packets.data, packets.payload_offset, packets.payload_captured, rows, head)
        size = np.where(rows >= 0, packets.payload_length[rows] if len(packets) else 0, 0).astype(np.int64)
        sides.append(Side(head, size))
    return Evidence(sides[0], sides[1], port.astype(np.int64), proto)
