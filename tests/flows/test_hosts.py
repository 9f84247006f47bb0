"""Roles of hosts, and the file that moves them into another network."""

from pathlib import Path

import pandas as pd
import pytest

from netsynth_core.errors import InvalidParameter, SchemaError
from netsynth_core.flows.hosts import read_hosts, roles_of, unmapped, write_hosts
from netsynth_core.flows.table import FlowTable


def flows() -> FlowTable:
    """Two clients, a resolver, a web server, an external site, a router and a group."""
    rows = []
    for i in range(20):
        client = f"10.0.0.{11 + i % 2}"
        rows += [
            (client, "10.0.0.2", 53, "dns", "UDP", 50000, 1),
            (client, "10.0.0.3", 80, "http", "TCP", 50001, 5),
            ("10.0.0.2", "203.0.113.53", 53, "dns", "UDP", 50002, 1),
            (client, "93.184.216.34", 443, "tls", "TCP", 50003, 9),
            (client, "224.0.0.251", 5353, "mdns", "UDP", 5353, 0),
        ]
    rows.append(("fd00::1", "ff02::1", 0, "", "ICMPv6", 134, 0))
    columns = ["src_ip", "dst_ip", "dst_port", "service", "proto", "src_port", "bwd_packets"]
    return FlowTable.from_columns(pd.DataFrame(rows, columns=columns).assign(ts=range(len(rows)), fwd_packets=1))


def test_roles_are_what_hosts_do() -> None:
    roles = roles_of(flows(), ["10.0.0.11", "10.9.9.9", "ff02::1"])
    assert roles == {
        "client": ["10.0.0.11", "10.0.0.12"],
        "resolver": ["10.0.0.2"],
        "http server": ["10.0.0.3"],
        "external tls server": ["93.184.216.34"],
        "external resolver": ["203.0.113.53"],
        "gateway": ["fd00::1"],
        "seldom seen": ["10.9.9.9"],
    }


def test_who_serves_on_a_port_without_a_service_is_a_server() -> None:
    """An interface that asks three others for each question it answers, and hosts whose protocol is not known."""
    rows = []
    for i in range(30):
        rows += [(f"10.0.0.{11 + i % 5}", "10.0.0.20", 8443, 9), ("10.0.0.20", "10.0.0.31", 9200, 4)]
        rows += [("10.0.0.20", "10.0.0.32", 9200, 4), ("10.0.0.20", "10.0.0.40", 6379, 4)]
        rows.append(("10.0.0.11", "10.0.0.50", 100 + i, 0))
    columns = ["src_ip", "dst_ip", "dst_port", "bwd_packets"]
    frame = pd.DataFrame(rows, columns=columns).assign(ts=range(len(rows)), proto="TCP", src_port=50000, fwd_packets=3)
    roles = roles_of(FlowTable.from_columns(frame))
    by_host = {host: role for role, hosts in roles.items() for host in hosts}
    assert by_host["10.0.0.20"].endswith("server")
    assert by_host["10.0.0.31"] == by_host["10.0.0.32"] and by_host["10.0.0.31"].endswith("server")
    assert by_host["10.0.0.40"] == "redis server"
    assert by_host["10.0.0.11"] == "client" and by_host["10.0.0.50"] == "silent host"


def test_the_file_to_start_from_leaves_all_hosts_as_they_are(tmp_path: Path) -> None:
    roles = roles_of(flows(), ['a "name"\\'])
    write_hosts(tmp_path / "h.toml", roles, source="m.json\n[roles.x]")
    plan = read_hosts(tmp_path / "h.toml")
    assert {role.name: list(role.hosts) for role in plan.roles} == roles
    assert plan.names(["10.0.0.11"]) == {}
    assert unmapped({}, plan, ["10.0.0.11", "10.0.0.200", "224.0.0.1"]) == ["10.0.0.200"]


def plan_of(folder: Path, text: str):  # type: ignore[no-untyped-def]
    (folder / "h.toml").write_text(text)
    return read_hosts(folder / "h.toml")


def test_pools_are_given_out_in_order_and_no_address_twice(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        """
        [roles.client]
        pool = ["192.168.7.0/29", "2001:db8:7::/64", "192.168.9.5-192.168.9.6"]
        hosts = ["10.0.0.11", "10.0.0.12", "fd00::11", "10.0.0.13", "10.0.0.14", "10.0.0.15", "10.0.0.16", "EXT"]
        [roles.server]
        pool = ["192.168.7.0/24"]
        hosts = ["10.0.0.3"]
        [addresses]
        "10.0.0.12" = "192.168.7.2"
        """,
    )
    names = plan.names(["192.168.7.4"])
    assert names == {
        "10.0.0.11": "192.168.7.1",
        "10.0.0.12": "192.168.7.2",
        "fd00::11": "2001:db8:7::1",
        "10.0.0.13": "192.168.7.3",
        "10.0.0.14": "192.168.7.5",
        "10.0.0.15": "192.168.7.6",
        "10.0.0.16": "192.168.9.5",
        "EXT": "192.168.9.6",
        "10.0.0.3": "192.168.7.7",
    }


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("[roles", SchemaError, "no TOML"),
        ("[other]", SchemaError, "a part 'other'"),
        ("[roles.a]\nname = 1", SchemaError, "has 'name'"),
        ("[roles.a]\npool = '10.0.0.0/8'", SchemaError, "lists of texts"),
        ("[roles.a]\npool = ['10.0.0.0/99']", SchemaError, "no network"),
        ("[roles.a]\npool = ['10.0.0.9-10.0.0.1']", SchemaError, "no network"),
        ("[roles.a]\nhosts = ['x']\n[roles.b]\nhosts = ['x']", SchemaError, "so does"),
        ("[addresses]\n'10.0.0.1' = 'fd00::1'", SchemaError, "IP version"),
        ("[addresses]\n'10.0.0.1' = 3", SchemaError, "IP version"),
        ("[addresses]\na = '10.0.0.1'\nb = '10.0.0.1'", InvalidParameter, "Two hosts"),
        ("[roles.a]\npool = ['10.9.0.0/30']\nhosts = ['a', 'b', 'c']", InvalidParameter, "too few IPv4"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        plan_of(tmp_path, text).names([])
