"""Why a frame is no row: the codes that the kernels give and the words that a person reads."""

from typing import Final

OK: Final = 0
ARP: Final = 1
LLC: Final = 2
OTHER_TYPE: Final = 3
LLDP: Final = 4
EAPOL: Final = 5
PPP_CONTROL: Final = 6
NOT_VERSION: Final = 7
WIFI_MANAGEMENT: Final = 8
WIFI_CONTROL: Final = 9
WIFI_NULL: Final = 10
WIFI_PROTECTED: Final = 11
WIFI_FRAGMENT: Final = 12
CUT_LINK: Final = 13
BAD_LINK: Final = 14
CUT_IPV4: Final = 15
BAD_IPV4: Final = 16
CUT_IPV6: Final = 17
BAD_IPV6: Final = 18
CUT_EXTENSION: Final = 19
CUT_TCP: Final = 20
BAD_TCP: Final = 21
CUT_UDP: Final = 22
BAD_UDP: Final = 23
CUT_ICMP: Final = 24
BAD_ICMP: Final = 25
CUT_TRANSPORT: Final = 26
BAD_TRANSPORT: Final = 27
LINK_TYPE: Final = 28
BAD_INSTANT: Final = 29
NO_INTERFACE: Final = 30

REASONS: Final = {
    ARP: "not IP: ARP",
    LLC: "not IP: LLC",
    OTHER_TYPE: "not IP: other EtherType",
    LLDP: "not IP: LLDP",
    EAPOL: "not IP: EAPOL",
    PPP_CONTROL: "not IP: PPP control",
    NOT_VERSION: "not IP: unknown version or family",
    WIFI_MANAGEMENT: "not IP: 802.11 management",
    WIFI_CONTROL: "not IP: 802.11 control",
    WIFI_NULL: "not IP: 802.11 data frame without data",
    WIFI_PROTECTED: "protected 802.11 frame",
    WIFI_FRAGMENT: "802.11 fragment after the first",
    CUT_LINK: "truncated link header",
    BAD_LINK: "broken link header",
    CUT_IPV4: "truncated IPv4 header",
    BAD_IPV4: "broken IPv4 header",
    CUT_IPV6: "truncated IPv6 header",
    BAD_IPV6: "broken IPv6 header",
    CUT_EXTENSION: "truncated IPv6 extension header",
    CUT_TCP: "truncated TCP header",
    BAD_TCP: "broken TCP header",
    CUT_UDP: "truncated UDP header",
    BAD_UDP: "broken UDP header",
    CUT_ICMP: "truncated ICMP header",
    BAD_ICMP: "broken ICMP header",
    CUT_TRANSPORT: "truncated SCTP, DCCP or UDP-Lite header",
    BAD_TRANSPORT: "broken SCTP, DCCP or UDP-Lite header",
    LINK_TYPE: "unsupported link type",
    BAD_INSTANT: "instant out of range",
    NO_INTERFACE: "interface that the file does not describe",
}
"""The words of each reason; code 0 (`OK`) is a row."""

CODES: Final = NO_INTERFACE + 1
"""How many codes there are, `OK` among them."""
