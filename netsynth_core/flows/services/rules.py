"""The one table of services: name, ports, what the first payloads look like, and where that is written.

Earlier rules win: those with the more telling first bytes come first.
"""

from dataclasses import dataclass
from typing import Final

from netsynth_core.flows.services import asn1, binary, datagrams, industrial, lines
from netsynth_core.flows.services.evidence import Test, answered, any_of, asked, either, on_ports


@dataclass(frozen=True)
class Rule:
    """How a service is told."""

    name: str
    tcp: tuple[int, ...]
    """TCP ports that mean this service when no payload speaks."""
    udp: tuple[int, ...]
    source: str
    """Where the first bytes are specified."""
    stream: Test | None = None
    """What tells it from the first payloads over TCP; None = the port alone."""
    datagram: Test | None = None
    """The same over UDP."""
    opens: str = ""
    """Who begins every connection with a message the rule knows: ``orig``, ``resp`` or ``either``; empty when there is
    no such rule. When that side's first payload was captured and is something else, the port does not name the flow."""
    binary: bool = False
    """Whether its messages never begin with a line of text: then text on its port is something else."""
    weak: bool = False
    """Whether its first bytes are too little to name a flow on the port of another service."""


def _starts(*texts: bytes) -> Test:
    """Either side begins with one of the texts."""
    return lambda e: e.either_starts(*texts)


RULES: Final = (
    Rule("ssdp", (), (1900,), "UPnP Device Architecture 2.0 section 1", None, lines.ssdp, "either"),
    Rule("rdp", (3389,), (), "MS-RDPBCGR section 2.2.1.1", binary.rdp, None, "orig", binary=True),
    Rule("tls", (443, 465, 636, 853, 990, 993, 995, 8443), (), "RFC 8446 section 5.1; RFC 5246 appendix E.2",
         either(binary.tls), None, "orig", binary=True),
    Rule("rtsp", (554,), (), "RFC 7826 sections 7, 8", lines.rtsp, None, "orig"),
    Rule("sip", (5060,), (5060,), "RFC 3261 section 7", either(lines.sip), either(lines.sip)),
    Rule("http", (80, 3128, 8000, 8080, 8888), (), "RFC 9112 sections 3, 4; RFC 9113 section 3.4", lines.http, None,
         "orig"),
    Rule("ssh", (22,), (), "RFC 4253 section 4.2", _starts(b"SSH-"), None, "either"),
    Rule("dtls", (), (), "RFC 6347 section 4.1", None, either(datagrams.dtls), binary=True),
    Rule("ftp", (21,), (), "RFC 959 section 4.2; RFC 4217", lines.ftp, None, "resp"),
    Rule("smtp", (25, 587), (), "RFC 5321 sections 4.1.1.1, 4.2", lines.smtp, None, "resp"),
    Rule("imap", (143,), (), "RFC 9051 section 7.1", lines.imap, None, "resp"),
    Rule("redis", (6379,), (), "Redis serialization protocol specification", lines.redis, None, "orig"),
    Rule("pop3", (110,), (), "RFC 1939 section 4; RFC 2449", lines.pop3, None, "resp"),
    Rule("nntp", (119,), (), "RFC 3977 section 5.1", lines.nntp, None, "resp"),
    Rule("irc", (6667,), (), "RFC 2812 section 3.1; IRCv3 client capability negotiation", lines.irc, None, "either"),
    Rule("xmpp", (5222, 5269), (), "RFC 6120 section 4.2", lines.xmpp, None, "orig"),
    Rule("nats", (4222,), (), "NATS client protocol", lines.nats, None, "resp"),
    Rule("rsync", (873,), (), "rsync daemon protocol: greeting", _starts(b"@RSYNCD: "), None, "either"),
    Rule("vnc", (5900,), (), "RFC 6143 section 7.1.1", answered(lambda s: s.starts(b"RFB 0")), None, "resp"),
    Rule("bittorrent", (6881,), (6881,), "BEP 3, BEP 5, BEP 14", either(datagrams.bittorrent),
         either(datagrams.bittorrent)),
    Rule("mqtt", (1883,), (), "MQTT 3.1.1 and 5 section 3.1", asked(binary.mqtt), None, "orig", binary=True),
    Rule("amqp", (5672,), (), "AMQP 0-9-1 section 4.2.2; AMQP 1.0 section 2.2", asked(binary.amqp), None, "orig"),
    Rule("postgresql", (5432,), (), "PostgreSQL frontend/backend protocol 3: message formats", binary.postgresql,
         None, "orig", binary=True),
    Rule("mysql", (3306,), (), "MySQL client/server protocol: handshake", binary.mysql, None, "resp", binary=True),
    Rule("mssql", (1433,), (), "MS-TDS section 2.2.3.1", asked(binary.mssql), None, "orig", binary=True),
    Rule("oracle", (1521,), (), "Oracle Net: TNS packet header", either(binary.oracle), None, "orig", binary=True),
    Rule("mongodb", (27017,), (), "MongoDB wire protocol: standard message header", either(binary.mongodb), None,
         "orig", binary=True),
    Rule("cassandra", (9042,), (), "Cassandra native protocol specification section 2", asked(binary.cassandra), None,
         "orig", binary=True),
    Rule("kafka", (9092,), (), "Kafka protocol guide: request header", binary.kafka, None, "orig", binary=True),
    Rule("memcached", (11211,), (11211,), "memcached doc/protocol.txt", lines.memcached,
         on_ports(lines.memcached, 11211)),
    Rule("smb", (139, 445), (), "MS-SMB2 section 2.2.1; RFC 1002 section 4.3", either(binary.smb), None, "orig",
         binary=True),
    Rule("kerberos", (88,), (88,), "RFC 4120 sections 5.10, 7.2; RFC 3244 section 2", asn1.kerberos, asn1.kerberos,
         "either", binary=True),
    Rule("ldap", (389, 3268), (389,), "RFC 4511 section 4.1.1", either(asn1.ldap), either(asn1.ldap), "either",
         binary=True),
    Rule("snmp", (), (161, 162), "RFC 1157 section 4; RFC 3412 section 6", either(asn1.snmp), either(asn1.snmp),
         "either"),
    Rule("dcerpc", (135,), (), "C706 section 12.6.3.1; MS-RPCE", either(binary.dcerpc), None, "orig", binary=True),
    Rule("bgp", (179,), (), "RFC 4271 section 4.1", either(binary.bgp), None, "either", binary=True),
    Rule("diameter", (3868,), (), "RFC 6733 section 3", either(binary.diameter), None, "either", binary=True),
    Rule("rtmp", (1935,), (), "Adobe RTMP specification section 5.2", binary.rtmp, None, "orig", binary=True),
    Rule("socks", (1080,), (), "RFC 1928 section 3; SOCKS 4 protocol", binary.socks, None, "orig", binary=True),
    Rule("bitcoin", (8333,), (), "Bitcoin protocol documentation: message structure", either(binary.bitcoin), None,
         "either", binary=True),
    Rule("dnp3", (20000,), (20000,), "IEEE 1815 section 9.2.4",
         any_of(either(industrial.dnp3), on_ports(either(industrial.dnp3_start), 20000)),
         any_of(either(industrial.dnp3), on_ports(either(industrial.dnp3_start), 20000)), "either", binary=True),
    Rule("opcua", (4840,), (), "OPC 10000-6 section 7.1.2", either(industrial.opcua), None, "orig"),
    Rule("s7", (102,), (), "RFC 1006; RFC 905 section 13.3; Siemens transport selectors", industrial.s7, None, "orig",
         binary=True),
    Rule("iso-tsap", (), (), "RFC 1006; RFC 905 section 13", industrial.iso_tsap),
    Rule("iec104", (2404,), (), "IEC 60870-5-104 section 5", industrial.iec104, None, "either", binary=True),
    Rule("enip", (44818,), (44818,), "CIP volume 2 section 2-3", either(industrial.enip), either(industrial.enip),
         "either", binary=True),
    Rule("bacnet", (), (47808,), "ASHRAE 135 annex J.2", None, either(industrial.bacnet), "either", binary=True),
    Rule("synchrophasor", (4712,), (4713,), "IEEE C37.118.2 section 6.2", either(industrial.synchrophasor),
         either(industrial.synchrophasor), "either", binary=True),
    Rule("modbus", (502,), (), "Modbus messaging on TCP/IP section 3.1.3", industrial.modbus, None, "orig",
         binary=True),
    Rule("stun", (3478,), (3478,), "RFC 8489 section 5; RFC 3489 section 11.1", either(datagrams.stun),
         either(datagrams.stun), binary=True),
    Rule("ike", (), (500, 4500), "RFC 7296 sections 3.1, 2.23; RFC 2408 section 3.1", None, datagrams.ike,
         binary=True),
    Rule("wireguard", (), (51820,), "WireGuard protocol: messages", None, datagrams.wireguard, "either", binary=True),
    Rule("mdns", (), (5353,), "RFC 6762 section 18", None, on_ports(either(datagrams.any_dns), 5353), "either"),
    Rule("llmnr", (), (5355,), "RFC 4795 section 2.1", None, on_ports(either(datagrams.any_dns), 5355), "either"),
    Rule("netbios", (137,), (137, 138), "RFC 1002 sections 4.2.1, 4.4.1", None, datagrams.netbios, binary=True),
    Rule("dns", (53,), (53,), "RFC 1035 sections 4.1, 4.2", datagrams.dns, datagrams.dns, "either", binary=True),
    Rule("dhcp", (), (67, 68), "RFC 2131 section 2; RFC 951", None, on_ports(either(datagrams.dhcp), 67, 68),
         "either"),
    Rule("radius", (), (1645, 1646, 1812, 1813, 3799), "RFC 2865 section 3; RFC 2866; RFC 5176", None,
         either(datagrams.radius), "either"),
    Rule("teredo", (), (3544,), "RFC 4380 section 5.1", None, datagrams.teredo, "either"),
    Rule("quic", (), (443,), "RFC 9000 section 17; RFC 9369", None, datagrams.quic, "either", binary=True),
    Rule("syslog", (514, 601), (514,), "RFC 5424 section 6; RFC 3164 section 4",
         on_ports(either(lines.syslog), 514, 601), either(lines.syslog)),
    Rule("ntp", (), (123,), "RFC 5905 section 7.3; RFC 9327 section 2", None, on_ports(either(datagrams.ntp), 123),
         "either"),
    Rule("dhcpv6", (), (546, 547), "RFC 8415 section 8", None, on_ports(either(datagrams.dhcpv6), 546, 547),
         "either"),
    Rule("rip", (), (520, 521), "RFC 2453 section 4; RFC 2080 section 2.1", None,
         on_ports(either(datagrams.rip), 520, 521), "either"),
    Rule("tftp", (), (69,), "RFC 1350 section 5", None, on_ports(asked(datagrams.tftp), 69), "orig"),
    Rule("openvpn", (1194,), (1194,), "OpenVPN network protocol: control channel", datagrams.openvpn,
         datagrams.openvpn, binary=True),
    Rule("gtp", (), (2123, 2152), "3GPP TS 29.060 section 6; TS 29.281 section 5; TS 29.274", None, datagrams.gtp,
         "either"),
    Rule("vxlan", (), (4789,), "RFC 7348 section 5", None, on_ports(either(datagrams.vxlan), 4789), "either"),
    Rule("netflow", (), (2055, 4739, 9995), "RFC 3954 section 5.1; RFC 7011 section 3.1", None,
         any_of(either(datagrams.netflow), on_ports(either(datagrams.netflow9), 2055, 4739, 9995, 9996)), "either"),
    Rule("sflow", (), (6343,), "sFlow version 5 section 5", None, on_ports(either(datagrams.sflow), 6343), "either"),
    Rule("slp", (427,), (427,), "RFC 2608 section 8", either(datagrams.slp), either(datagrams.slp), "either"),
    Rule("ptp", (), (319, 320), "IEEE 1588 section 13.3", None, on_ports(either(datagrams.ptp), 319, 320), "either"),
    Rule("coap", (), (5683,), "RFC 7252 section 3", None, on_ports(either(datagrams.coap), 5683), "either"),
    Rule("wsd", (), (3702,), "WS-Discovery 1.1 section 2.4", None, on_ports(either(datagrams.discovery), 3702),
         "either"),
    Rule("nfs", (2049,), (2049,), "RFC 7530; RFC 1813 section 5; RFC 5531 section 11",
         either(lambda s: binary.nfs(s, 4)), either(lambda s: binary.nfs(s, 0)), binary=True),
    Rule("rpc", (111,), (111,), "RFC 5531 section 9; RFC 1833 section 3", either(lambda s: binary.rpc(s, 4)),
         either(lambda s: binary.rpc(s, 0)), binary=True),
    Rule("telnet", (23,), (), "RFC 854; RFC 855",
         any_of(either(lines.telnet), on_ports(either(lines.telnet_command), 23))),
    Rule("rtp", (), (), "RFC 3550 section 5.1; RFC 3551 section 6", None, datagrams.rtp, weak=True),
    Rule("printer", (515, 631, 9100), (), "RFC 1179; RFC 8010; JetDirect: the port alone"),
)  # fmt: skip
"""Every service known."""
