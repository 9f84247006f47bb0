"""Protocol rules: what no flow can be, whatever the network. Each rule is named and its violations are counted.

These are the domain rules of FlowChronicle's evaluation with their defects mended: rules about one data set's networks
are gone, QUIC on 443 and DNS over TCP are allowed, scans of a closed port are allowed (they are real traffic), port 0
is allowed for protocols without ports, and the rate is a share of the flows that a rule concerns, not a sum.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.evaluate.facts import Facts, Mask
from netsynth_core.evaluate.metric import Measured, Metric, NotApplicable
from netsynth_core.flows.table import FlowTable

TCP_ONLY: Final = (20, 21, 22, 23, 25, 110, 143, 179, 465, 587, 993, 995, 1433, 3306, 5432, 6379, 27017)
UDP_ONLY: Final = (67, 68, 69, 123, 137, 138, 546, 547, 1900, 5353)
TCP_SERVICES: Final = ("ftp", "http", "imap", "mysql", "pop3", "postgresql", "redis", "smtp", "ssh", "telnet", "tls")
UDP_SERVICES: Final = ("dhcp", "llmnr", "mdns", "ntp", "quic", "ssdp", "tftp")
ICMP_TYPES: Final = (0, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 30, 40, 42, 43)
MAX_IPV4: Final = 65_535
MAX_IPV6: Final = 65_575
MAX_HEADERS: Final = 120
"""Longest IPv4 or IPv6 (no extension) header and longest TCP header, bytes."""


@dataclass(frozen=True)
class Rule:
    """One rule.

    Parameters
    ----------
    concerns
        Which flows the rule is about, among them is counted.
    broken
        Which of those break it.
    """

    name: str
    words: str
    """What a flow that breaks it does: ``UDP flows to a port that only TCP serves``."""
    source: str
    concerns: Callable[[Facts], Mask]
    broken: Callable[[Facts], Mask]


def _all(f: Facts) -> Mask:
    return np.ones(len(f.table), bool)


def _if_counted(f: Facts) -> Mask:
    return np.full(len(f.table), f.counted)


def _least_bytes(f: Facts) -> NDArray[np.int64]:
    """Bytes of the smallest possible packet of each flow: IP header and the transport header without options."""
    transport = np.where(f.tcp, 20, np.where(f.udp | f.icmp, 8, 0))
    return transport + np.where(f.version("src_ip") == 6, 40, 20)


def _too_few_bytes(f: Facts) -> Mask:
    least = _least_bytes(f)
    return (f.number("fwd_bytes") < least * f.number("fwd_packets")) | (
        f.number("bwd_bytes") < least * f.number("bwd_packets")
    )


def _too_many_bytes(f: Facts) -> Mask:
    most = np.where(f.version("src_ip") == 6, MAX_IPV6, MAX_IPV4)
    return (f.number("fwd_bytes") > most * f.number("fwd_packets")) | (
        f.number("bwd_bytes") > most * f.number("bwd_packets")
    )


def _packets(f: Facts) -> NDArray[np.int64]:
    return f.number("fwd_packets") + f.number("bwd_packets")


def _sized(f: Facts) -> Mask:
    return np.full(len(f.table), f.counted and bool((f.number("fwd_bytes") + f.number("bwd_bytes")).any()))


def _timed(f: Facts) -> Mask:
    return np.full(len(f.table), f.counted and bool(f.number("duration").any()))


def _icmp_port(f: Facts) -> Mask:
    """Neither unset, nor 0, nor a type or code, nor type * 256 + code as NetFlow writes them."""
    port = f.number("dst_port")
    kind, code = port // 256, port % 256
    v6 = f.is_in("proto", ("ICMPv6",)) & (kind <= 255) & (code <= 15)
    return (port > 255) & ~(np.isin(kind, ICMP_TYPES) & (code <= 15)) & ~v6


def _syn_only(f: Facts) -> Mask:
    return f.tcp & f.flag("S") & ~f.flag("A") & ~f.flag("F") & ~f.flag("R")


def _state_broken_by_packets(f: Facts) -> Mask:
    fwd, bwd = f.number("fwd_packets") > 0, f.number("bwd_packets") > 0
    one_way = f.is_in("state", ("S0",)) & bwd
    both = f.is_in("state", ("SF", "S1", "S2", "S3", "REJ", "RSTO")) & ~(fwd & bwd)
    return one_way | both | (f.is_in("state", ("RSTR", "RSTRH")) & ~bwd) | (f.is_in("state", ("RSTOS0",)) & ~fwd)


def _state_broken_by_flags(f: Facts) -> Mask:
    need_syn = f.is_in("state", ("S0", "S1")) & ~f.flag("S")
    need_fin = f.is_in("state", ("SF", "S2", "S3", "SH", "SHR")) & ~f.flag("F")
    need_rst = f.is_in("state", ("REJ", "RSTO", "RSTR", "RSTOS0", "RSTRH")) & ~f.flag("R")
    open_but_reset = f.is_in("state", ("S1",)) & f.flag("R")
    return f.tcp & (need_syn | need_fin | need_rst | open_but_reset)


def _with_state(f: Facts) -> Mask:
    return ~f.is_in("state", ("",)) & f.counted


def _tcp_with_flags(f: Facts) -> Mask:
    return f.tcp & f.flagged


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "UDP on a TCP port",
        "answered UDP flows to a port that only TCP serves",
        "IANA service names and port numbers (RFC 6335)",
        lambda f: f.udp,
        lambda f: f.is_in("dst_port", TCP_ONLY) & ~f.probe,
    ),
    Rule(
        "TCP on a UDP port",
        "answered TCP flows to a port that only UDP serves",
        "IANA service names and port numbers (RFC 6335)",
        lambda f: f.tcp,
        lambda f: f.is_in("dst_port", UDP_ONLY) & ~f.probe,
    ),
    Rule(
        "port 0",
        "TCP or UDP flows from or to port 0",
        "RFC 6335 section 6: port 0 is reserved",
        lambda f: f.tcp | f.udp,
        lambda f: (f.number("dst_port") == 0) | (f.number("src_port") == 0),
    ),
    Rule(
        "ICMP with a port",
        "ICMP flows whose port is no ICMP type or code",
        "RFC 792, RFC 4443: ICMP has no ports; tools write type and code there",
        lambda f: f.icmp,
        _icmp_port,
    ),
    Rule(
        "flags without TCP",
        "flows of other protocols with TCP flags",
        "RFC 9293 section 3.1",
        lambda f: ~f.tcp & f.flagged,
        lambda f: (f.table.frame["flags"] != "......").to_numpy(bool),
    ),
    Rule(
        "TCP exchange without ACK",
        "TCP flows with packets both ways and neither ACK nor RST",
        "RFC 9293 section 3.10: every segment but the first carries ACK or resets",
        lambda f: _tcp_with_flags(f) & (f.number("fwd_packets") > 0) & (f.number("bwd_packets") > 0),
        lambda f: ~f.flag("A") & ~f.flag("R"),
    ),
    Rule(
        "SYN-only with payload",
        "TCP flows of nothing but SYN with more bytes than headers can fill",
        "RFC 9293; TCP Fast Open (RFC 7413) is the rare exception",
        lambda f: _syn_only(f) & f.counted,
        lambda f: f.number("fwd_bytes") > MAX_HEADERS * f.number("fwd_packets"),
    ),
    Rule(
        "SYN against FIN or RST",
        "one-packet TCP flows with SYN and FIN, or SYN and RST, at once",
        "RFC 9293 section 3.10: no sender makes such a segment",
        lambda f: _tcp_with_flags(f) & (_packets(f) == 1),
        lambda f: f.flag("S") & (f.flag("F") | f.flag("R")),
    ),
    Rule(
        "bytes below headers",
        "flows with fewer bytes in one direction than the headers of its packets",
        "RFC 791, RFC 8200, RFC 9293, RFC 768: 20 or 40 + 20 (TCP) or 8 (UDP, ICMP) bytes a packet",
        _sized,
        _too_few_bytes,
    ),
    Rule(
        "bytes above packets",
        "flows with more bytes in one direction than its packets can hold",
        "RFC 791: 65 535 bytes a packet; RFC 8200: 65 575",
        _sized,
        _too_many_bytes,
    ),
    Rule(
        "no packets",
        "flows without a single packet",
        "RFC 7011 section 2: a flow is a set of packets",
        _if_counted,
        lambda f: _packets(f) == 0,
    ),
    Rule(
        "one packet that lasts",
        "flows of one packet with a duration above 0",
        "RFC 5103: duration is last minus first packet",
        lambda f: _timed(f) & (_packets(f) == 1),
        lambda f: f.number("duration") > 0,
    ),
    Rule(
        "many packets at once",
        "flows of several packets with duration 0 (a coarse clock makes some)",
        "RFC 5103: duration is last minus first packet",
        lambda f: _timed(f) & (_packets(f) > 1),
        lambda f: f.number("duration") == 0,
    ),
    Rule(
        "negative figure",
        "flows with a negative duration, packet or byte count",
        "counts and durations are 0 or more",
        _all,
        lambda f: np.logical_or.reduce(
            [f.number(c) < 0 for c in ("duration", "fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes")]
        ),
    ),
    Rule(
        "state against packets",
        "flows whose state says who sent, and the packet counts say otherwise",
        "Zeek conn_state; S0 has no answer, SF S1 S2 S3 REJ RSTO have packets both ways",
        _with_state,
        _state_broken_by_packets,
    ),
    Rule(
        "state against flags",
        "TCP flows whose state needs a SYN, FIN or RST that the flags lack",
        "Zeek conn_state",
        lambda f: f.tcp & ~f.is_in("state", ("",)) & f.flagged,
        _state_broken_by_flags,
    ),
    Rule(
        "group as originator",
        "flows sent by a multicast or broadcast address",
        "RFC 1112 section 7.2, RFC 4291 section 2.7, RFC 1122 section 3.2.1.3: never a source address",
        _all,
        lambda f: f.group("src_ip"),
    ),
    Rule(
        "TCP to a group",
        "TCP flows to a multicast or broadcast address",
        "RFC 9293 section 3.9.2.3: TCP is between two hosts",
        lambda f: f.tcp,
        lambda f: f.group("dst_ip"),
    ),
    Rule(
        "group answers",
        "flows to a multicast or broadcast address that were answered by it",
        "RFC 1112 section 7.2: answers come from a host's own address",
        lambda f: f.group("dst_ip"),
        lambda f: f.number("bwd_packets") > 0,
    ),
    Rule(
        "to itself",
        "flows whose two addresses are equal and not loopback",
        "RFC 1122 section 3.3.1: what a host sends itself does not reach a wire",
        _all,
        lambda f: (f.table.frame["src_ip"] == f.table.frame["dst_ip"]).to_numpy(bool) & ~f.loopback("src_ip"),
    ),
    Rule(
        "mixed IP versions",
        "flows between an IPv4 and an IPv6 address",
        "RFC 791, RFC 8200: both addresses stand in one header",
        lambda f: (f.version("src_ip") > 0) & (f.version("dst_ip") > 0),
        lambda f: f.version("src_ip") != f.version("dst_ip"),
    ),
    Rule(
        "service against protocol",
        "flows whose service does not run over their protocol",
        "IANA service names and port numbers; RFC 9000 for QUIC",
        lambda f: f.is_in("service", (*TCP_SERVICES, *UDP_SERVICES)),
        lambda f: (f.is_in("service", TCP_SERVICES) & ~f.tcp) | (f.is_in("service", UDP_SERVICES) & ~f.udp),
    ),
)
"""All rules, in the order of the report."""


def violations(table: FlowTable, rule: Rule) -> Mask:
    """Per flow whether it breaks a rule."""
    facts = Facts(table)
    return rule.concerns(facts) & rule.broken(facts)


def violation_rate(rule: Rule) -> Callable[[FlowTable], Measured]:
    """Share of the flows that the rule concerns which break it."""

    def measure(table: FlowTable) -> Measured:
        facts = Facts(table)
        concerned = rule.concerns(facts)
        among = int(concerned.sum())
        if among == 0:
            raise NotApplicable("No flow is concerned by this rule, or the columns it needs are not filled.")
        broken = int((concerned & rule.broken(facts)).sum())
        return Measured(broken / among, n=among, note=f"{broken} of {among} flows concerned")

    return measure


def any_violation(table: FlowTable) -> Measured:
    """Share of all flows that break at least one rule; the parts are the rules, as shares of all flows."""
    if not len(table):
        raise NotApplicable("There are no flows.")
    facts = Facts(table)
    masks = {rule.name: rule.concerns(facts) & rule.broken(facts) for rule in RULES}
    broken = np.logical_or.reduce(list(masks.values()))
    parts = {name: float(mask.mean()) for name, mask in masks.items()}
    return Measured(float(broken.mean()), parts, n=len(table), note=f"{int(broken.sum())} of {len(table)} flows")


METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        name="any rule",
        family="rules",
        goal="down",
        range=(0.0, 1.0),
        source="the rules below; FlowChronicle's domain knowledge check, mended",
        meaning="Flows that break at least one rule:",
        function=any_violation,
        draw="whole",
        tolerance=0.01,
        unit="share",
    ),
    *(
        Metric(
            name=rule.name,
            family="rules",
            goal="down",
            range=(0.0, 1.0),
            source=rule.source,
            meaning=f"{rule.words[0].upper()}{rule.words[1:]}:",
            function=violation_rate(rule),
            draw="whole",
            tolerance=0.01,
            unit="share",
        )
        for rule in RULES
    ),
)
