"""Filters of other tools for chosen flows: Wireshark's display filter and the capture filter of libpcap (BPF).

The display filter selects exactly the packets of the flows: the addresses of the outermost IP header and the ports in
both directions, the time where another flow has the same ends, fragments by their identification, and no ICMP message
that only quotes the flow. The layer operator ``#1`` needs Wireshark 4.0.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from netsynth_core.capture.packets import PROTO_ICMP, PROTO_ICMP6, PROTO_NAMES, PacketTable
from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.conversations import Conversations
from netsynth_core.flows.metering import ICMP_PAIRS
from netsynth_core.flows.selecting import FlowIndex
from netsynth_core.flows.table_io import is_address
from netsynth_core.units import NS_PER_S

MOST_FLOWS: Final = 100
"""Filters of more flows are refused: tools take them slowly or not at all."""

_NUMBERS: Final = {name: number for number, name in PROTO_NAMES.items()}
_ANSWERS: Final = {(kind, request): answer for kind, request, answer in ICMP_PAIRS}


def display_filter(
    index: FlowIndex,
    rows: Sequence[int],
    *,
    packets: PacketTable | None = None,
    conversations: Conversations | None = None,
    tunnels: bool = False,
) -> str:
    """Wireshark's display filter for some flows, joined by ``||``.

    TCP and UDP flows are written together: what all of them need stands once, and so does each responder with its port
    and each originator with a set of its ports. What passes is the same as with one part for each flow.

    Parameters
    ----------
    packets, conversations
        Where they are known, fragments after the first are found by their identification.
    tunnels
        Whether the flows were read from inside of tunnels: their headers may then be at any layer.

    Raises
    ------
    InvalidParameter
        When there are more than `MOST_FLOWS`, or a flow has a name for an address.
    """
    layer = "" if tunnels else "#1"
    held = packets is not None and conversations is not None
    parts, together = [], []
    for row in dict.fromkeys(_checked(index, rows)):
        flow = index.flows.frame.iloc[row]
        proto, ip = _proto(str(flow["proto"])), "ipv6" if ":" in flow["src_ip"] else "ip"
        alone = bool(index.ends_shared[row])
        if held and not alone:
            assert packets is not None and conversations is not None
            alone = bool((packets.fragment[conversations.rows(row)] != 0).any())
        if proto in (6, 17) and not alone:
            ends = (str(flow["dst_ip"]), int(flow["dst_port"])), (str(flow["src_ip"]), int(flow["src_port"]))
            together.append((("tcp" if proto == 6 else "udp", ip, *ends[0]), *ends[1]))
            continue
        ways = [
            f"{ip}.src{layer} == {a} && {ip}.dst{layer} == {b}"
            for a, b in ((flow["src_ip"], flow["dst_ip"]), (flow["dst_ip"], flow["src_ip"]))
        ]
        text = _either(_display_ends(proto, ip, layer, ways, int(flow["src_port"]), int(flow["dst_port"])))
        if proto in (6, 17):
            text = f"!icmp && !icmpv6 && {text}"
        if packets is not None and conversations is not None:
            text = _with_fragments(text, ip, layer, ways, packets, conversations.rows(row))
        if index.ends_shared[row]:
            first, last = int(flow["ts"]), int(flow["ts"]) + int(flow["duration"])
            text = f"frame.time_epoch >= {_seconds(first)} && frame.time_epoch <= {_seconds(last)} && {text}"
        parts.append(text)
    if together:
        parts.insert(0, _joined(together, layer))
    return parts[0] if len(parts) == 1 else " || ".join(f"({part})" for part in parts)


Responder = tuple[str, str, str, int]
"""Protocol and IP version as Wireshark calls them, address and port."""


def _joined(flows: Sequence[tuple[Responder, str, int]], layer: str) -> str:
    """One filter for flows given by responder, address and port of the originator."""
    groups: dict[Responder, dict[str, list[int]]] = {}
    for responder, address, port in flows:
        groups.setdefault(responder, {}).setdefault(address, []).append(port)
    parts = []
    for (name, ip, host, port), originators in groups.items():
        for to, back in (("dst", "src"), ("src", "dst")):
            ends = [
                f"{ip}.{back}{layer} == {address} && {name}.{back}port {_one_of(ports)}"
                for address, ports in originators.items()
            ]
            those = ends[0] if len(ends) == 1 else _either(ends)
            parts.append(f"{ip}.{to}{layer} == {host} && {name}.{to}port == {port} && {those}")
    return f"!icmp && !icmpv6 && {_either(parts)}"


def _one_of(ports: Sequence[int]) -> str:
    """A comparison with one port, or with a set of them in which neighbours are a range."""
    found: list[list[int]] = []
    for port in sorted(set(ports)):
        if found and port == found[-1][1] + 1:
            found[-1][1] = port
        else:
            found.append([port, port])
    if found[0][0] == found[-1][1]:
        return f"== {found[0][0]}"
    return f"in {{{', '.join(str(a) if a == b else f'{a}..{b}' for a, b in found)}}}"


def _display_ends(proto: int, ip: str, layer: str, ways: list[str], a: int, b: int) -> list[str]:
    """What the packets of each direction are, with their ports or types."""
    if proto in (6, 17):
        name = "tcp" if proto == 6 else "udp"
        ends = (f"{name}.srcport == {a} && {name}.dstport == {b}", f"{name}.srcport == {b} && {name}.dstport == {a}")
        return [f"{way} && {end}" for way, end in zip(ways, ends, strict=True)]
    if proto in (PROTO_ICMP, PROTO_ICMP6):
        name = "icmp" if proto == PROTO_ICMP else "icmpv6"
        if (proto, a) in _ANSWERS:
            return [f"{way} && {name}.type == {kind}" for way, kind in zip(ways, (a, b), strict=True)]
        kinds = (f"{name}.type == {a} && {name}.code == {b}", f"{name}.type == {b} && {name}.code == {a}")
        return [f"{way} && {kind}" for way, kind in zip(ways, kinds, strict=True)]
    field = "ip.proto" if ip == "ip" else "ipv6.nxt"
    return [f"{way} && {field}{layer} == {proto}" for way in ways]


def _with_fragments(
    text: str,
    ip: str,
    layer: str,
    ways: list[str],
    packets: PacketTable,
    rows: "np.ndarray[tuple[int], np.dtype[np.int64]]",
) -> str:
    """The filter, and the fragments of the flow: Wireshark shows their ports only on the one that completes them."""
    parts = rows[packets.fragment[rows] != 0]
    if not len(parts):
        return text
    numbers = ", ".join(str(number) for number in np.unique(packets.ip_id[parts]).tolist())
    proto = int(packets.proto[parts[0]])
    if ip == "ip":
        which = (
            f"(ip.flags.mf == 1 || ip.frag_offset > 0) && ip.proto{layer} == {proto} && ip.id{layer} in {{{numbers}}}"
        )
    else:
        # the table keeps the low half of the identification, which stands in the last two of its four bytes
        words = " || ".join(
            f"ipv6.fraghdr.ident & 0xffff == {number}" for number in np.unique(packets.ip_id[parts]).tolist()
        )
        which = f"ipv6.fraghdr && ({words})"
    return f"(({text}) || ({which} && ({' || '.join(f'({way})' for way in ways)})))"


def capture_filter(index: FlowIndex, rows: Sequence[int]) -> str:
    """The capture filter (BPF, as of tcpdump) for some flows; it knows no time, no later fragments and no VLAN tags.

    Raises
    ------
    InvalidParameter
        As `display_filter`.
    """
    parts = []
    for row in _checked(index, rows):
        flow = index.flows.frame.iloc[row]
        proto, six = _proto(str(flow["proto"])), ":" in flow["src_ip"]
        a, b, x, y = str(flow["src_ip"]), str(flow["dst_ip"]), int(flow["src_port"]), int(flow["dst_port"])
        ways = [f"src host {a} and dst host {b}", f"src host {b} and dst host {a}"]
        if proto in (6, 17):
            ends = [f"src port {x} and dst port {y}", f"src port {y} and dst port {x}"]
            kind = "tcp" if proto == 6 else "udp"
        elif proto in (PROTO_ICMP, PROTO_ICMP6):
            kind = "icmp" if proto == PROTO_ICMP else "icmp6"
            at = "icmp[0]" if proto == PROTO_ICMP else "ip6[40]"
            ends = [f"{at} == {x}", f"{at} == {y}"]
        else:
            kind, ends = f"{'ip6' if six else 'ip'} proto {proto}", ["", ""]
        both = [" and ".join(part for part in pair if part) for pair in zip(ways, ends, strict=True)]
        parts.append(f"{kind} and (({both[0]}) or ({both[1]}))")
    return parts[0] if len(parts) == 1 else " or ".join(f"({part})" for part in parts)


def _checked(index: FlowIndex, rows: Sequence[int]) -> Sequence[int]:
    if not 0 < len(rows) <= MOST_FLOWS:
        raise InvalidParameter(
            f"{len(rows)} flows were chosen; a filter names 1 to {MOST_FLOWS}.", hint="Choose fewer flows."
        )
    for row in rows:
        flow = index.flows.frame.iloc[row]
        for name in (str(flow["src_ip"]), str(flow["dst_ip"])):
            if not is_address(name):
                raise InvalidParameter(
                    f"Flow {row} has the name {name[:40]!r} for an address.", hint="Choose flows between addresses."
                )
        if _proto(str(flow["proto"])) in (6, 17) and min(flow["src_port"], flow["dst_port"]) < 0:
            raise InvalidParameter(f"Flow {row} has no source port.", hint="Choose flows with both ports.")
    return rows


def _proto(name: str) -> int:
    """The protocol number of the flow table's word for it; -1 for a name that is none."""
    return _NUMBERS.get(name, int(name) if name.isdecimal() else -1)


def _either(parts: list[str]) -> str:
    return "(" + " || ".join(f"({part})" for part in dict.fromkeys(parts)) + ")"


def _seconds(ns: int) -> str:
    return f"{ns // NS_PER_S}.{ns % NS_PER_S:09d}"
