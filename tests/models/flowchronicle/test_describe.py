"""Patterns in words: services as the field names them, ports that matter, refusals, and the flows in no pattern."""

import numpy as np
import pandas as pd
import pytest

from netsynth_core.flows.table import FlowTable
from netsynth_core.models.flowchronicle import AddPattern, DropPattern, FlowChronicle, FlowChronicleParams, NewFlow
from netsynth_core.models.flowchronicle.contacts import contact_words, service_name
from netsynth_core.workspace.drawings import pattern_lines, sentences

S = 10**9


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ({"proto": "TCP", "dst_port": "443", "service": "tls"}, "opens TLS to"),
        ({"proto": "TCP", "dst_port": "993", "service": "tls"}, "opens TLS to port 993 (IMAPS) of"),
        ({"proto": "TCP", "dst_port": "8443", "service": "tls"}, "opens TLS to port 8443 of"),
        ({"proto": "TCP", "dst_port": "8080", "service": "http"}, "opens HTTP to port 8080 of"),
        ({"proto": "TCP", "dst_port": "8080"}, "opens HTTP to port 8080 of"),
        ({"proto": "TCP", "dst_port": "993"}, "opens IMAPS to"),
        ({"proto": "TCP", "dst_port": "443"}, "opens HTTPS to"),
        ({"proto": "UDP", "dst_port": "443"}, "opens QUIC to"),
        ({"proto": "TCP", "dst_port": "88"}, "asks Kerberos at"),
        ({"proto": "TCP", "dst_port": "6379"}, "opens Redis to"),
        ({"proto": "TCP", "dst_port": "135", "service": "dcerpc"}, "opens DCE-RPC to"),
        ({"proto": "UDP", "dst_port": "514"}, "sends syslog to"),
        ({"proto": "UDP", "dst_port": "5300", "service": "dns"}, "looks up a name at port 5300 of"),
        ({"proto": "TCP", "dst_port": "4444"}, "opens TCP to port 4444 of"),
        ({"proto": "TCP", "dst_port": "22", "state": "REJ", "service": "none"}, "is refused on port 22 by"),
        ({"proto": "TCP", "dst_port": "22", "state": "S0"}, "gets no answer at port 22 of"),
        ({"proto": "TCP", "dst_port": "22", "flags": "..R.S."}, "is refused on port 22 by"),
        ({"proto": "TCP", "flags": "....S."}, "gets no answer from"),
        # an open port that is probed is acknowledged, then reset
        ({"proto": "TCP", "dst_port": "22", "flags": ".AR.S."}, "opens SSH to"),
        ({"proto": "ICMP", "dst_port": "0"}, "sends ICMP to"),
        ({}, "contacts"),
    ],
)
def test_what_a_host_does_is_said_in_the_words_of_the_field(fixed: dict[str, str], words: str) -> None:
    assert contact_words(fixed) == words


def test_open_ports_are_counted() -> None:
    assert contact_words({"proto": "TCP"}, "one of 133 ports") == "opens TCP to one of 133 ports of"
    assert contact_words({"proto": "TCP", "state": "REJ"}, "one of 9 ports") == "is refused on one of 9 ports by"
    assert [service_name(s) for s in ("tls", "postgresql", "quic", "mqtt")] == ["TLS", "PostgreSQL", "QUIC", "MQTT"]


def table(rows: list[tuple[int, str, str, str, int, str, str]]) -> FlowTable:
    names = ["ts", "proto", "src_ip", "dst_ip", "dst_port", "service", "state"]
    frame = pd.DataFrame(rows, columns=names).sort_values("ts", kind="stable")
    return FlowTable.from_columns(frame.assign(fwd_packets=2, bwd_packets=0, fwd_bytes=120, bwd_bytes=0, duration=S))


def learn(flows: FlowTable) -> FlowChronicle:
    return FlowChronicle.fit(flows, FlowChronicleParams(), rng=np.random.default_rng(0))


def test_flows_in_no_pattern_are_told_by_port_and_host_where_services_say_little() -> None:
    """A host that knocks at one port is what the flows are, not the few that have a service."""
    rng = np.random.default_rng(0)
    attack = [(i * S, "TCP", "10.0.0.5", "203.0.113.9", 5888, "", "S0") for i in range(180)]
    noise = [
        (int(rng.integers(180)) * S, "UDP", f"10.0.0.{i}", "239.255.255.250", 1900, "ssdp", "S0") for i in range(6, 9)
    ]
    model = learn(table(attack + noise))
    # whatever the search made of it: its patterns dropped, all flows are in none
    for learnt in model.patterns:
        model = model.apply(DropPattern(pattern=learnt.id))
    words = model.sentence(model.empty)
    assert "most of them" in words and "to port 5888 (98 %)" in words and "from 10.0.0.5 (98 %)" in words
    assert "without an answer" in words and "(0 %)" not in words and "SSDP (" not in words.split(",")[1]


def test_a_scan_is_read_as_one() -> None:
    rng = np.random.default_rng(1)
    rows = [
        (int(t), "TCP", f"10.0.0.{rng.integers(2, 9)}", "10.0.1.1", 443, "tls", "SF")
        for t in rng.integers(0, 900 * S, 300)
    ]
    rows += [(300 * S + i * S // 20, "TCP", "10.0.0.66", "10.0.1.1", 1 + 3 * i, "", "REJ") for i in range(200)]
    model = learn(table(rows)).apply(AddPattern(flows=(NewFlow(fixed={"src_ip": "10.0.0.66", "state": "REJ"}),)))
    words = model.sentence(model.patterns[-1])
    assert words == "10.0.0.66 is refused on one of 200 ports by 10.0.1.1"


def test_groups_are_no_hosts() -> None:
    rng = np.random.default_rng(2)
    rows = [
        (int(t), "UDP", f"10.0.0.{rng.integers(2, 9)}", ["239.255.255.250", "224.0.0.251"][i % 2], 5353, "mdns", "S0")
        for i, t in enumerate(rng.integers(0, 900 * S, 300))
    ]
    model = learn(table(rows)).apply(AddPattern(flows=(NewFlow(fixed={"fwd_packets": "2", "dst_port": "5353"}),)))
    assert model.sentence(model.patterns[-1]).endswith("asks by mDNS at one of 2 groups")


def test_one_pattern_is_shown_with_limits_delays_and_weight(model: FlowChronicle) -> None:
    name = max((p for p in model.patterns if len(p.pattern) == 2), key=lambda p: p.usage).id
    lines, facts = pattern_lines(model, name)
    text = "\n".join(lines)
    assert "gap 1: within" in text and "50 %" in text and "generated 1 times as often" in text
    (gap,) = facts["gaps"]
    assert gap["within_ns"] == 1000 << model.pattern(name).pattern.within[0]
    quantiles = list(gap["delay_ns"].values())
    assert quantiles == sorted(quantiles) and quantiles[-1] < gap["within_ns"]
    lines, facts = pattern_lines(model, "empty")
    assert lines == ["empty: Every flow is in a pattern"] and facts["windows"] == []
    assert not any(line.startswith("empty") for line in sentences(model))


def test_a_dropped_pattern_is_told_of_in_the_past(model: FlowChronicle) -> None:
    name = model.patterns[0].id
    dropped = model.apply(DropPattern(pattern=name)).dropped[0]
    after = model.apply(DropPattern(pattern=name))
    assert f"dropped, it had {dropped.usage} windows" in after.whole_sentence(dropped)
