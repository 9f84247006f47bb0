"""Filters of flows pass what a plain look at every row passes."""

import ipaddress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.selecting import FlowFilter, FlowIndex
from netsynth_core.flows.table import FlowTable
from tests.factories import START, flow_table

HOSTS = ("10.0.0.5", "10.0.7.9", "192.0.2.1", "2001:db8::5", "EXT_SERVER", "")


def table(rows: int = 200, seed: int = 3) -> FlowTable:
    """Flows of all kinds in no order."""
    rng = np.random.default_rng(seed)
    pick = lambda values: rng.choice(np.array(values, dtype=object), rows)  # noqa: E731
    frame = pd.DataFrame(
        {
            "ts": START + rng.integers(0, 10**10, rows),
            "duration": rng.integers(0, 5, rows) * 500_000_000,
            "proto": pick(["TCP", "UDP", "ICMP"]),
            "src_ip": pick(HOSTS),
            "src_port": rng.integers(-1, 3, rows),
            "dst_ip": pick(HOSTS),
            "dst_port": pick([53, 80, 443]),
            "fwd_packets": rng.integers(0, 4, rows),
            "fwd_bytes": rng.integers(0, 500, rows),
            "service": pick(["dns", "http", ""]),
            "state": pick(["SF", "S0"]),
            "server_name": pick(["", "Mail.example", "www.example"]),
        }
    )
    return FlowTable.from_columns(frame)


INDEX = FlowIndex(table())


def shown_service(row: "pd.Series[object]") -> str:
    """What people are told as the service of one flow."""
    return str(row["service"]) or ("icmp" if row["proto"] == "ICMP" else "unknown")


def slow(wanted: FlowFilter, row: "pd.Series[object]") -> bool:
    """The same filter, one row at a time, in the words of its documentation."""

    def fits(term: str) -> bool:
        for host, port in ((str(row["src_ip"]), row["src_port"]), (str(row["dst_ip"]), row["dst_port"])):
            if term.isdecimal():
                ok = port == int(term)
            elif "/" in term:
                try:
                    ok = ipaddress.ip_address(host) in ipaddress.ip_network(term)
                except ValueError:
                    ok = False
            elif term.startswith("["):
                ok = f"[{host}]:{port}" == term
            elif term.count(":") == 1 and term.split(":")[0] in HOSTS:
                ok = f"{host}:{port}" == term
            else:
                ok = host == term if term in HOSTS else term.casefold() in host.casefold()
            if ok:
                return True
        return False

    size, seconds = int(row["fwd_bytes"]) + int(row["bwd_bytes"]), int(row["duration"]) / 1e9
    return (
        (not wanted.services or shown_service(row) in wanted.services)
        and (not wanted.states or row["state"] in wanted.states)
        and (not wanted.protocols or row["proto"] in wanted.protocols)
        and all(fits(term) for term in wanted.hosts.split())
        and wanted.server_name.casefold() in str(row["server_name"]).casefold()
        and (wanted.duration[0] is None or seconds >= wanted.duration[0])
        and (wanted.duration[1] is None or seconds <= wanted.duration[1])
        and (wanted.bytes[0] is None or size >= wanted.bytes[0])
        and (wanted.bytes[1] is None or size <= wanted.bytes[1])
    )


TERMS = ("10.0.0.5", "10.0.0.0/16", "2001:db8::/32", "443", "10.0.0.5:443", "[2001:db8::5]:80", "ext_", "10.0.")
limits = st.none() | st.sampled_from([0.0, 0.5, 1.0, 2.0])


@given(
    services=st.lists(st.sampled_from(["dns", "http", "unknown", "icmp", "none"]), max_size=2),
    states=st.lists(st.sampled_from(["SF", "S0"]), max_size=1),
    protocols=st.lists(st.sampled_from(["TCP", "UDP"]), max_size=2),
    hosts=st.lists(st.sampled_from(TERMS), max_size=2),
    name=st.sampled_from(["", "example", "MAIL", "other"]),
    least=limits,
    most=limits,
    size=st.none() | st.integers(0, 600),
)
def test_a_filter_passes_what_a_plain_look_passes(
    services: list[str],
    states: list[str],
    protocols: list[str],
    hosts: list[str],
    name: str,
    least: float | None,
    most: float | None,
    size: int | None,
) -> None:
    wanted = FlowFilter(
        services=tuple(services),
        states=tuple(states),
        protocols=tuple(protocols),
        hosts=" ".join(hosts),
        server_name=name,
        duration=(least, most),
        bytes=(size, None),
    )
    expected = [place for place, (_, row) in enumerate(INDEX.flows.frame.iterrows()) if slow(wanted, row)]
    assert wanted.rows(INDEX).tolist() == expected


def test_times_include_their_ends() -> None:
    index = FlowIndex(flow_table(10))
    ts = index.flows.frame["ts"].tolist()
    assert FlowFilter(start=(ts[2], ts[5])).rows(index).tolist() == [2, 3, 4, 5]
    assert FlowFilter(packets=(None, 2)).rows(index).tolist() == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("term", ["10.0.0.0/99", "x/8", "70000", "10.0.0.1:99999"])
def test_what_is_no_network_or_port_is_told(term: str) -> None:
    with pytest.raises(InvalidParameter):
        FlowFilter(hosts=term).rows(INDEX)


def test_flows_with_the_same_ends_are_known_in_either_direction() -> None:
    same = {"proto": "TCP", "src_ip": "10.0.0.1", "src_port": 5, "dst_ip": "10.0.0.2", "dst_port": 80}
    turned = {"proto": "TCP", "src_ip": "10.0.0.2", "src_port": 80, "dst_ip": "10.0.0.1", "dst_port": 5}
    rows = [same, same | {"src_port": 6}, turned, same | {"proto": "UDP"}]
    index = FlowIndex(FlowTable.from_columns(pd.DataFrame([row | {"ts": n} for n, row in enumerate(rows)])))
    assert index.ends_shared.tolist() == [True, False, True, False]


def test_an_empty_table_passes_nothing() -> None:
    index = FlowIndex(flow_table(0))
    assert FlowFilter(hosts="10.0.0.0/8 443", services=("dns",), server_name="a").rows(index).tolist() == []
