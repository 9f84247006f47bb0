"""Link types and IP protocols: their names, and the way that leads from the start of a frame to IP."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LINK_NAMES: Final = {
    0: "loopback (BSD)",
    1: "Ethernet",
    6: "token ring",
    7: "ARCNET",
    8: "SLIP",
    9: "PPP",
    10: "FDDI",
    12: "raw IP",
    14: "raw IP",
    50: "PPP (HDLC)",
    51: "PPPoE",
    100: "ATM (RFC 1483)",
    101: "raw IP",
    104: "Cisco HDLC",
    105: "IEEE 802.11",
    107: "frame relay",
    108: "loopback (OpenBSD)",
    109: "OpenBSD encapsulating device",
    113: "Linux cooked v1",
    117: "OpenBSD packet filter log",
    119: "IEEE 802.11 (Prism)",
    122: "IP over Fibre Channel",
    123: "ATM (SunATM)",
    127: "IEEE 802.11 radiotap",
    129: "ARCNET (Linux)",
    138: "IP over IEEE 1394",
    143: "DOCSIS",
    144: "IrDA (Linux)",
    163: "IEEE 802.11 (AVS)",
    166: "PPP (pppd)",
    187: "Bluetooth HCI",
    189: "USB (Linux)",
    192: "per-packet information (PPI)",
    195: "IEEE 802.15.4",
    201: "Bluetooth HCI",
    204: "PPP with direction",
    220: "USB (Linux)",
    224: "Fibre Channel",
    226: "Solaris IPNET",
    227: "CAN",
    228: "raw IPv4",
    229: "raw IPv6",
    230: "IEEE 802.15.4 without FCS",
    239: "Linux NFLOG",
    240: "Ethernet (netANALYZER)",
    242: "IP over InfiniBand",
    247: "InfiniBand",
    249: "USB (Windows)",
    251: "Bluetooth Low Energy",
    253: "Linux netlink",
    276: "Linux cooked v2",
}
"""LINKTYPE_ values (www.tcpdump.org/linktypes.html) and what a person calls them."""

# link type -> (way of `_kernels.layout`, bytes of the link header, where in it the EtherType is)
_WAYS: Final = {
    0: ("FAMILY", 4, 0),
    1: ("TYPED", 14, 12),
    6: ("TOKEN_RING", 14, 0),
    8: ("VERSION_AT_ONCE", 16, 0),
    9: ("PPP", 0, 0),
    10: ("LLC_AT_ONCE", 13, 0),
    12: ("VERSION_AT_ONCE", 0, 0),
    14: ("VERSION_AT_ONCE", 0, 0),
    50: ("PPP", 0, 0),
    51: ("PPP", 6, 0),
    100: ("LLC_AT_ONCE", 0, 0),
    101: ("VERSION_AT_ONCE", 0, 0),
    104: ("TYPED", 4, 2),
    105: ("WIFI", 0, 0),
    108: ("FAMILY", 4, 0),
    109: ("VERSION_AT_ONCE", 12, 0),
    113: ("TYPED", 16, 14),
    117: ("FILTER_LOG", 1, 0),
    119: ("WIFI_PRISM", 0, 0),
    122: ("LLC_AT_ONCE", 16, 0),
    127: ("WIFI_RADIOTAP", 0, 0),
    138: ("TYPED", 18, 16),
    163: ("WIFI_AVS", 0, 0),
    166: ("PPP", 2, 0),
    192: ("PER_PACKET", 0, 0),
    204: ("PPP", 1, 0),
    228: ("VERSION_AT_ONCE", 0, 0),
    229: ("VERSION_AT_ONCE", 0, 0),
    239: ("NETFILTER", 0, 0),
    240: ("TYPED", 18, 16),
    242: ("TYPED", 44, 40),
    276: ("TYPED", 20, 0),
}

_RARE: Final = frozenset(code for code, (way, _, _) in _WAYS.items() if way.startswith("WIFI")) | {192, 239}

PROTOCOL_NAMES: Final = {
    0: "hop-by-hop",
    1: "ICMP",
    2: "IGMP",
    4: "IPv4 in IP",
    6: "TCP",
    8: "EGP",
    9: "IGP",
    17: "UDP",
    33: "DCCP",
    41: "IPv6 in IP",
    46: "RSVP",
    47: "GRE",
    50: "ESP",
    51: "AH",
    58: "ICMPv6",
    59: "no next header",
    88: "EIGRP",
    89: "OSPF",
    94: "IPIP",
    97: "EtherIP",
    103: "PIM",
    108: "IPComp",
    112: "VRRP",
    115: "L2TP",
    132: "SCTP",
    136: "UDP-Lite",
    137: "MPLS in IP",
}
"""IP protocol numbers (IANA) and their names."""


def link_table() -> NDArray[np.int64]:
    """A table of link types as `_kernels.layout` has it, with no frames seen."""
    from netsynth_core.capture._kernels import layout

    table = np.zeros((1 << 16, layout.LINK), np.int64)
    for code, (way, size, place) in _WAYS.items():
        table[code, layout.ROUTE] = getattr(layout, way) | size << 8 | place << 16
    return table


def is_rare(code: int) -> bool:
    """Whether frames of a link type are for `_kernels.rare`."""
    return code in _RARE


def link_name(code: int) -> str:
    """What a person calls a link type."""
    if 147 <= code <= 162:
        return f"private use {code - 147}"
    return LINK_NAMES.get(code, f"link type {code}")


def protocol_name(number: int) -> str:
    """What a person calls an IP protocol.

    >>> protocol_name(17), protocol_name(253)
    ('UDP', 'IP protocol 253')
    """
    return PROTOCOL_NAMES.get(number, f"IP protocol {number}")
