"""Ports whose dissectors take only well-formed messages, and the filler that readers put up with there.

Found by experiment with tshark 4.0 over all its registered ports: where random bytes read as malformed, bytes of few
values (`LOW`), zeros or ones do not. Validity goes before payload class on these ports. A few ports remain for which no
filler serves; they are named in `UNSERVED`.
"""

from typing import Final


def _ports(tcp: str, udp: str) -> frozenset[tuple[int, int]]:
    """(protocol, port) of ports and ranges of ports."""
    found: set[tuple[int, int]] = set()
    for proto, text in ((6, tcp), (17, udp)):
        for part in text.split():
            low, _, high = part.partition("-")
            found.update((proto, port) for port in range(int(low), int(high or low) + 1))
    return frozenset(found)


STRICT: Final = frozenset(
    {
        *("dhcp", "dhcpv6", "dns", "ftp", "imap", "kerberos", "ldap", "llmnr", "mdns", "mqtt", "mysql", "netbios"),
        *("ntp", "opcua", "pop3", "postgresql", "quic", "radius", "rdp", "rip", "smb", "snmp", "ssh", "telnet"),
        *("teredo", "tftp", "vxlan"),
    }
)
"""Services whose ports readers take nothing else on: their makers serve every size, class and place."""

DOORS: Final = {
    (6, 161): "snmp",
    (6, 162): "snmp",
    (17, 520): "rip",
    (17, 521): "rip",
    (17, 546): "dhcpv6",
    (17, 547): "dhcpv6",
    (17, 3544): "teredo",
    (17, 4789): "vxlan",
}
"""Ports of services that makers know and `netsynth_core.flows.services` does not tell."""

LOW: Final = _ports(
    """
    427 500 2404 3002 4189 4249 4369 4555 6000-6063 6160 6667 34980
    48049 57000
    """,
    """
    500 623 699 1069 1091 1113 1547 1700 2055 2067 2123 2231 2269 2424 2427 2948 3000 3386 3540 3622 3792 3799
    3819 3956 4342 4533 4551 4555 4556 4665 4713 4739 5265 5350 6277 6343 6635 6666 7001 7004 7005 7006 7007 7021
    8116 8211 9003 9200 9999 10253 10500 11898 12000 13907 17756 19788 20000 20561 27910 30030 34980 45564 56000
    56500 56501 57000 57001 57501 57533 59032 59033 59500 59532
    """,
)
"""Bytes of sixteen values above 127."""

ZERO: Final = _ports(
    """
    199 1861 3452 5683 6668 7911 9956
    """,
    """
    49 319 320 427 496 525 910 1194 1628 1629 2222 2345 3250 3389 3452 3455 3671 3784 4729 4784 5031 5072
    5436 6160 6784 6970 7074 7275 7784 8848 9956 11211 11273 12002 12220 19132 44818
    """,
)
"""Zeros."""

ONES: Final = _ports(
    "",
    """
    1718 1719 5246 5247 9201 9875 12222 12223 37008
    """,
)
"""Bytes of value 1."""

SHORT: Final = _ports(
    "",
    """
    37 138 173 177 213 514 524 664 701 854 921 1001 1293 1745 2048 2428 2944 3343 3357 4000 4306 4307 4500 4534
    4569 4754 4790 4791 5000 5001 5094 6073 6081 6118 7255 8200 8600 8767 9901 9996 12001 12003 12004 17220 17755 18246
    24576 24577 26000 27500 27950-27953 27960-27963 34962
    """,
)
"""Any bytes serve where they hold a header."""

SHORTEST: Final = 24
"""Bytes of the shortest datagram on these ports: it holds the longest of their headers."""

UNSERVED: Final = _ports(
    """
    639 1153 2571 3863 8023 13400
    """,
    """
    434 464 513 1153 2313 2945 3130 3804 3863 4991 5683 8805 9899 13400 23272 25826 41170 47000 54328
    """,
)
"""No filler serves: flows on these ports may read as malformed."""
