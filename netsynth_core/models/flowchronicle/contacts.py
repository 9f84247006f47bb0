"""What the source of a flow does to its destination, in words: services by the names the field gives them.

The port is named wherever it is not the one that the service usually has, and a connection that was refused or not
answered is called so.
"""

from collections.abc import Mapping

PORT_NAMES = {
    ("TCP", "20"): "ftp-data",
    ("TCP", "21"): "ftp",
    ("TCP", "22"): "ssh",
    ("TCP", "23"): "telnet",
    ("TCP", "25"): "smtp",
    ("UDP", "53"): "dns",
    ("TCP", "53"): "dns",
    ("UDP", "67"): "dhcp",
    ("UDP", "69"): "tftp",
    ("TCP", "80"): "http",
    ("TCP", "88"): "kerberos",
    ("UDP", "88"): "kerberos",
    ("TCP", "110"): "pop3",
    ("UDP", "123"): "ntp",
    ("TCP", "135"): "dcerpc",
    ("UDP", "137"): "netbios",
    ("UDP", "138"): "netbios",
    ("TCP", "139"): "netbios",
    ("TCP", "143"): "imap",
    ("UDP", "161"): "snmp",
    ("TCP", "389"): "ldap",
    ("TCP", "443"): "https",
    ("UDP", "443"): "quic",
    ("TCP", "445"): "smb",
    ("TCP", "465"): "smtps",
    ("UDP", "514"): "syslog",
    ("TCP", "587"): "smtp",
    ("TCP", "636"): "ldaps",
    ("TCP", "853"): "dns over tls",
    ("TCP", "993"): "imaps",
    ("TCP", "995"): "pop3s",
    ("TCP", "1433"): "mssql",
    ("TCP", "1883"): "mqtt",
    ("UDP", "1900"): "ssdp",
    ("TCP", "3306"): "mysql",
    ("TCP", "3389"): "rdp",
    ("TCP", "5432"): "postgresql",
    ("UDP", "5353"): "mdns",
    ("UDP", "5355"): "llmnr",
    ("TCP", "5900"): "vnc",
    ("TCP", "6379"): "redis",
    ("TCP", "8080"): "http",
    ("TCP", "8883"): "mqtts",
}
USUAL = {
    "dns": ("53",),
    "http": ("80",),
    "tls": ("443",),
    "https": ("443",),
    "quic": ("443",),
    "ssh": ("22",),
    "ftp": ("21",),
    "telnet": ("23",),
    "smtp": ("25", "587"),
    "smb": ("445",),
    "imap": ("143",),
    "pop3": ("110",),
    "ldap": ("389",),
    "kerberos": ("88",),
    "dcerpc": ("135",),
    "ntp": ("123",),
    "dhcp": ("67", "68"),
    "dhcpv6": ("546", "547"),
    "ssdp": ("1900",),
    "mdns": ("5353",),
    "llmnr": ("5355",),
    "snmp": ("161",),
    "syslog": ("514",),
    "tftp": ("69",),
    "rdp": ("3389",),
    "vnc": ("5900",),
    "mysql": ("3306",),
    "mssql": ("1433",),
    "postgresql": ("5432",),
    "redis": ("6379",),
    "mqtt": ("1883",),
    "netbios": ("137", "138", "139"),
}
"""Ports on which a service is no news."""
NAMES = {
    "amqp": "AMQP",
    "bacnet": "BACnet",
    "bitcoin": "Bitcoin",
    "bittorrent": "BitTorrent",
    "cassandra": "Cassandra",
    "coap": "CoAP",
    "dcerpc": "DCE-RPC",
    "dhcpv6": "DHCPv6",
    "diameter": "Diameter",
    "dns over tls": "DNS over TLS",
    "ftp-data": "FTP data",
    "kafka": "Kafka",
    "kerberos": "Kerberos",
    "memcached": "Memcached",
    "modbus": "Modbus",
    "mdns": "mDNS",
    "mongodb": "MongoDB",
    "mysql": "MySQL",
    "mssql": "SQL Server",
    "netbios": "NetBIOS",
    "netflow": "NetFlow",
    "openvpn": "OpenVPN",
    "oracle": "Oracle",
    "postgresql": "PostgreSQL",
    "printer": "printer",
    "redis": "Redis",
    "rsync": "rsync",
    "sflow": "sFlow",
    "syslog": "syslog",
    "telnet": "Telnet",
    "teredo": "Teredo",
    "wireguard": "WireGuard",
    "imaps": "IMAPS",
    "pop3s": "POP3S",
    "smtps": "SMTPS",
    "ldaps": "LDAPS",
    "mqtts": "MQTTS",
}
VERBS = {
    "dns": "looks up a name at",
    "mdns": "asks by mDNS at",
    "llmnr": "asks by LLMNR at",
    "ssdp": "asks by SSDP at",
    "ntp": "asks the time of",
    "dhcp": "asks for an address at",
    "dhcpv6": "asks for an address at",
    "kerberos": "asks Kerberos at",
    "snmp": "asks by SNMP at",
    "smtp": "sends mail to",
    "printer": "prints at",
}
CONNECTED = ("quic", "dtls", "openvpn", "wireguard")
"""Services over UDP that are opened as a connection is."""
UNANSWERED = ("S0", "SH", "RSTOS0")
REFUSED = ("REJ",)


def service_name(service: str) -> str:
    """A service by the name the field gives it: ``TLS``, ``Redis``, ``DCE-RPC``."""
    return NAMES.get(service, service.upper() if service.isalnum() and len(service) <= 7 else service)


def contact_words(fixed: Mapping[str, str], ports: str = "") -> str:
    """What the source of a flow does to its destination, such as ``opens TLS to port 8443 of``.

    Parameters
    ----------
    fixed
        Values in words of the columns that have but one.
    ports
        Which port, where that is open: ``one of 133 ports``.
    """
    proto, port, service = fixed.get("proto"), fixed.get("dst_port"), fixed.get("service", "")
    told = "" if service in ("", "none") else service
    name = told or PORT_NAMES.get((proto or "", port or ""), "")
    spot = f"port {port}" if port is not None else ports
    fate = _fate(proto, fixed)
    if fate:
        at = f"{'on' if fate == 'is refused' else 'at'} {spot} {'by' if fate == 'is refused' else 'of'}" if spot else ""
        return f"{fate} {at or ('by' if fate == 'is refused' else 'from')}"
    if name:
        known = port in USUAL.get(name, ()) or (not told and name not in USUAL)
        where = f" port {port} of" if port is not None and not known else ""
        secure = PORT_NAMES.get((proto or "", port or ""), "")
        if where and told == "tls" and secure in NAMES:
            where = f" port {port} ({NAMES[secure]}) of"
        if name in VERBS:
            return VERBS[name] + where
        opened = proto != "UDP" or name in CONNECTED
        return f"{'opens' if opened else 'sends'} {service_name(name)} to{where}"
    words = "opens TCP" if proto == "TCP" else f"sends {proto}" if proto else "contacts"
    if spot and proto in ("TCP", "UDP", None):
        return f"{words} {'to ' if proto else ''}{spot} of"
    return f"{words} to" if proto else words


def _fate(proto: str | None, fixed: Mapping[str, str]) -> str:
    """What became of a TCP connection that was not opened; empty where it was, or where nothing tells."""
    if proto != "TCP":
        return ""
    state = fixed.get("state", "")
    if state in REFUSED:
        return "is refused"
    if state in UNANSWERED:
        return "gets no answer"
    seen = set(fixed.get("flags", "")) - {".", "-"}
    if state in ("", "none") and seen == {"S"}:
        return "gets no answer"
    # a probe of an open port is acknowledged before it is reset; a refusal has but the reset
    return "is refused" if state in ("", "none") and seen == {"S", "R"} else ""
