"""Which maker serves which service, and how messages of a service span packets."""

from typing import Final

from netsynth_core.capture.packets import PROTO_ICMP, PROTO_ICMP6
from netsynth_core.forge.columns import ANY
from netsynth_core.forge.payloads.asn1 import kerberos, ldap, snmp
from netsynth_core.forge.payloads.binary import mqtt, mysql, opcua, postgresql, rdp, redis, smb
from netsynth_core.forge.payloads.datagrams import dhcp, dhcpv6, icmp, ntp, quic, radius, rip, teredo, tftp, vxlan
from netsynth_core.forge.payloads.dns import dns, netbios
from netsynth_core.forge.payloads.generic import generic
from netsynth_core.forge.payloads.http import http
from netsynth_core.forge.payloads.lines import lines, ssdp, syslog
from netsynth_core.forge.payloads.pattern import Made, Maker, Want
from netsynth_core.forge.payloads.ssh import ssh
from netsynth_core.forge.payloads.strict import STRICT
from netsynth_core.forge.payloads.tls import tls

ALONE, FULL_SEGMENTS, BODIES, ANSWERS = range(4)

JOINS: Final[dict[str, int]] = {
    "http": BODIES,
    "tls": FULL_SEGMENTS,
    "smb": FULL_SEGMENTS,
    "rdp": FULL_SEGMENTS,
    "dns": ANSWERS,
    "llmnr": ANSWERS,
    "mdns": ANSWERS,
}
"""How messages span packets: each is one; those behind a full segment go on; all go on up to the next first word; each
is one, and those of equal ordinal are question and answer."""

MAKERS: Final[dict[str, Maker]] = {
    "dhcp": dhcp,
    "dhcpv6": dhcpv6,
    "dns": dns,
    "ftp": lines,
    "http": http,
    "imap": lines,
    "kerberos": kerberos,
    "ldap": ldap,
    "llmnr": dns,
    "mdns": dns,
    "mqtt": mqtt,
    "mysql": mysql,
    "netbios": netbios,
    "ntp": ntp,
    "opcua": opcua,
    "pop3": lines,
    "postgresql": postgresql,
    "quic": quic,
    "radius": radius,
    "rdp": rdp,
    "redis": redis,
    "rip": rip,
    "smb": smb,
    "smtp": lines,
    "snmp": snmp,
    "ssdp": ssdp,
    "ssh": ssh,
    "syslog": syslog,
    "telnet": lines,
    "teredo": teredo,
    "tftp": tftp,
    "tls": tls,
    "vxlan": vxlan,
}


def make(want: Want) -> Made:
    """The payload wanted; where the protocol has none like it, one by class alone."""
    if want.proto in (PROTO_ICMP, PROTO_ICMP6):
        made = icmp(want)
    else:
        maker = MAKERS.get(want.service)
        made = maker(want) if maker is not None else None
        if made is None and maker is not None and want.service in STRICT:
            # validity goes before the class: the protocol's own message of that size
            made = maker(want._replace(kind=ANY, token="", continued=False))
    return generic(want) if made is None else made
