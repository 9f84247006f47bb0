"""Protocol rules: each fires on its own violation and on nothing else; valid traffic breaks none."""

from typing import Any

import numpy as np
import pytest

from netsynth_core.evaluate.metric import NotApplicable
from netsynth_core.evaluate.rules import METRICS, RULES, any_violation, violation_rate, violations
from tests.evaluate.traffic import S, empty, flows, network

BY_NAME = {rule.name: rule for rule in RULES}

UDP: dict[str, Any] = {
    "proto": "UDP", "dst_port": 53, "flags": "......", "service": "dns", "fwd_packets": 1, "bwd_packets": 1,
    "fwd_bytes": 70, "bwd_bytes": 200,
}  # fmt: skip
ICMP = UDP | {"proto": "ICMP", "dst_port": 0, "src_port": 8, "service": "", "fwd_bytes": 84, "bwd_bytes": 84}
SYN: dict[str, Any] = {
    "flags": "....S.", "fwd_packets": 1, "bwd_packets": 0, "fwd_bytes": 60, "bwd_bytes": 0, "duration": 0,
    "state": "S0", "service": "",
}  # fmt: skip
UNANSWERED = {"bwd_packets": 0, "bwd_bytes": 0, "duration": 0, "state": "S0"}
V6 = {"src_ip": "2001:db8::1", "dst_ip": "2001:db8::2"}

BROKEN: dict[str, dict[str, Any]] = {
    "UDP on a TCP port": UDP | {"dst_port": 22, "service": ""},
    "TCP on a UDP port": {"dst_port": 123, "service": ""},
    "port 0": {"dst_port": 0},
    "ICMP with a port": ICMP | {"dst_port": 443},
    "flags without TCP": UDP | {"flags": ".A..S."},
    "TCP exchange without ACK": {"flags": "....SF"},
    "SYN-only with payload": SYN | {"fwd_bytes": 500},
    "SYN against FIN or RST": SYN | {"flags": "....SF", "state": ""},
    "bytes below headers": {"fwd_bytes": 199},
    "bytes above packets": {"bwd_bytes": 4 * 65_535 + 1},
    "no packets": {"fwd_packets": 0, "bwd_packets": 0, "fwd_bytes": 0, "bwd_bytes": 0, "state": ""},
    "one packet that lasts": SYN | {"duration": S},
    "many packets at once": {"duration": 0},
    "negative figure": {"duration": -1},
    "state against packets": SYN | {"bwd_packets": 1, "bwd_bytes": 40, "flags": ".A..S.", "duration": 1000},
    "state against flags": {"flags": ".AP.S."},
    "group as originator": UDP | {"src_ip": "224.0.0.1"},
    "TCP to a group": SYN | {"dst_ip": "239.1.2.3"},
    "group answers": UDP | {"dst_ip": "255.255.255.255", "service": "dhcp", "dst_port": 67},
    "to itself": {"src_ip": "10.0.0.7", "dst_ip": "10.0.0.7"},
    "mixed IP versions": {"dst_ip": "2001:db8::2"},
    "service against protocol": UDP | {"service": "ssh", "dst_port": 5000},
}

VALID: dict[str, dict[str, Any]] = {
    "web": {},
    "DNS over UDP": UDP,
    "DNS over TCP": {"dst_port": 53, "service": "dns"},
    "QUIC": UDP | {"dst_port": 443, "service": "quic"},
    "a scan of a closed UDP port 22": UDP | UNANSWERED | {"dst_port": 22, "service": ""},
    "a scan of a closed TCP port 123": {
        "dst_port": 123, "flags": ".A.RS.", "fwd_packets": 1, "bwd_packets": 1, "fwd_bytes": 60, "bwd_bytes": 40,
        "state": "REJ", "service": "",
    },
    "SYN": SYN,
    "ping": ICMP,
    "unreachable, as NetFlow writes type and code": ICMP | {"dst_port": 3 * 256 + 3},
    "ping over IPv6": ICMP | V6 | {"proto": "ICMPv6", "dst_port": 128},
    "SSDP to its group": UDP | UNANSWERED | {"dst_ip": "239.255.255.250", "dst_port": 1900, "service": "ssdp"},
    "DHCP from nowhere": UDP | UNANSWERED | {
        "src_ip": "0.0.0.0", "dst_ip": "255.255.255.255", "src_port": 68, "dst_port": 67, "service": "dhcp",
    },
    "loopback": {"src_ip": "127.0.0.1", "dst_ip": "127.0.0.1"},
    "IPv6 web": V6,
    "IGMP": UDP | UNANSWERED | {"proto": "2", "dst_port": 0, "dst_ip": "224.0.0.22", "service": "", "fwd_bytes": 40},
    "anonymised addresses": {"src_ip": "10008_251", "dst_ip": "DNS"},
}  # fmt: skip


def test_every_rule_has_a_case() -> None:
    assert set(BROKEN) == set(BY_NAME)
    assert len(BY_NAME) == len(RULES)


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_rule_fires_on_its_own_violation_only(name: str) -> None:
    table = flows({}, BROKEN[name] | {"ts": S})
    fired = {rule.name for rule in RULES if violations(table, rule)[1]}
    assert fired == {name}


@pytest.mark.parametrize("name", sorted(VALID))
def test_valid_flows_break_no_rule(name: str) -> None:
    table = flows({}, VALID[name] | {"ts": S})
    assert {rule.name for rule in RULES if violations(table, rule).any()} == set()


def test_a_toy_network_breaks_no_rule() -> None:
    assert any_violation(network(200, seed=0)).value == 0


def test_ipv6_headers_are_longer() -> None:
    tight = {"fwd_packets": 5, "fwd_bytes": 5 * 40, "bwd_packets": 5, "bwd_bytes": 5 * 40}
    assert list(violations(flows(tight, tight | V6), BY_NAME["bytes below headers"])) == [False, True]


def test_the_rate_is_a_share_of_the_flows_concerned() -> None:
    table = flows({}, {}, UDP, UDP | {"flags": ".A...."}, UDP)
    measured = violation_rate(BY_NAME["flags without TCP"])(table)
    assert measured.value == pytest.approx(1 / 3)
    assert measured.n == 3
    whole = any_violation(table)
    assert whole.value == pytest.approx(1 / 5)
    assert whole.parts["flags without TCP"] == pytest.approx(1 / 5)


def test_a_rule_without_its_columns_or_flows_has_no_value() -> None:
    bare = flows(UDP | {"service": "", "state": "", "fwd_packets": 0, "bwd_packets": 0, "fwd_bytes": 0, "bwd_bytes": 0})
    for name in (
        "bytes below headers",
        "no packets",
        "state against packets",
        "service against protocol",
        "TCP to a group",
    ):
        with pytest.raises(NotApplicable):
            violation_rate(BY_NAME[name])(bare)
    for metric in METRICS:
        with pytest.raises(NotApplicable):
            metric.function(empty())


def test_many_flows_may_break_many_rules_and_count_once() -> None:
    worst = UDP | {"flags": ".A....", "src_ip": "224.0.0.1", "dst_ip": "224.0.0.1"}
    measured = any_violation(flows({}, worst))
    assert measured.value == 0.5
    assert np.sum(list(measured.parts.values())) > 0.5
