"""Renaming addresses: prefixes, special ranges, and that it is one to one."""

import ipaddress

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.anonymising import Anonymiser, renamed_flows
from netsynth_core.flows.table import FlowTable

KEY = Anonymiser(b"a key of some length")
V4 = st.ip_addresses(v=4).map(str) | st.sampled_from(["10.0.0.5", "10.0.3.9", "192.168.1.255", "172.16.0.1", "9.9.9.9"])
V6 = st.ip_addresses(v=6).map(str) | st.sampled_from(["fd00:20::2", "2001:db8::1", "fe80::1", "fe80::20:ff:fe00:1"])


def shared(a: str, b: str) -> int:
    """Leading bits two addresses share."""
    one, two = ipaddress.ip_address(a), ipaddress.ip_address(b)
    return one.max_prefixlen - (int(one) ^ int(two)).bit_length()


def flips(address: str, extra: int) -> str:
    """The address with one bit changed."""
    value = ipaddress.ip_address(address)
    return str(type(value)(int(value) ^ 1 << (extra % value.max_prefixlen)))


@given(V4, st.integers(0, 31))
@settings(deadline=None)
def test_shared_prefixes_stay_shared_and_no_longer(address: str, bit: int) -> None:
    other = flips(address, bit)
    assert shared(KEY.name(address), KEY.name(other)) == shared(address, other)


@given(V6.filter(lambda a: ipaddress.ip_address(a) in ipaddress.ip_network("2000::/3")), st.integers(0, 124))
@settings(deadline=None)
def test_the_same_of_ipv6(address: str, bit: int) -> None:
    other = flips(address, bit)
    assert shared(KEY.name(address), KEY.name(other)) == shared(address, other)


@given(V4 | V6)
@settings(deadline=None)
def test_an_address_stays_of_its_kind(address: str) -> None:
    old, new = ipaddress.ip_address(address), ipaddress.ip_address(KEY.name(address))
    assert old.version == new.version
    for kind in ("is_multicast", "is_loopback", "is_unspecified", "is_link_local"):
        assert getattr(old, kind) == getattr(new, kind), kind
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "100.64.0.0/10"):
        network = ipaddress.ip_network(text)
        if network.version == old.version:
            assert (old in network) == (new in network)
    if old.version == 4:
        assert (int(old) & 255 == 255) == (int(new) & 255 == 255)


def test_special_addresses_keep_their_names() -> None:
    for address in ("255.255.255.255", "224.0.0.251", "0.0.0.0", "127.0.0.1", "::", "::1", "ff02::fb"):
        assert KEY.name(address) == address
    assert KEY.name("fe80::1").startswith("fe80::")
    assert KEY.name("::ffff:10.0.0.5") == str(ipaddress.ip_address(f"::ffff:{KEY.name('10.0.0.5')}"))
    assert KEY.name("ff02::1:ff00:1234").startswith("ff02::1:ff")


def test_a_whole_network_is_renamed_one_to_one() -> None:
    names = {KEY.name(f"198.51.100.{i}") for i in range(256)}
    assert len(names) == 256
    assert len({name.rsplit(".", 1)[0] for name in names}) == 1
    assert names != {f"198.51.100.{i}" for i in range(256)}


def test_keys_differ_and_repeat() -> None:
    other = Anonymiser(b"another key, as long")
    addresses = [f"203.0.{i}.{i * 7 % 250}" for i in range(60)]
    mine = [KEY.name(a) for a in addresses]
    assert mine == [Anonymiser(b"a key of some length").name(a) for a in addresses]
    assert sum(a != b for a, b in zip(mine, map(other.name, addresses), strict=True)) > 50
    with pytest.raises(InvalidParameter):
        Anonymiser(b"short")


def test_flows_keep_who_talks_to_whom_and_names_are_renamed_too() -> None:
    frame = pd.DataFrame(
        {
            "ts": range(4),
            "proto": "TCP",
            "src_ip": ["10.0.0.1", "EXT_SERVER", "10.0.0.2", "10.0.0.1"],
            "dst_ip": ["EXT_SERVER", "10.0.0.1", "10.0.0.1", "10.0.0.2"],
            "dst_port": 80,
        }
    )
    new = renamed_flows(FlowTable.from_columns(frame), KEY).frame
    assert new["src_ip"][0] == new["dst_ip"][1] == new["src_ip"][3]
    assert new["dst_ip"][0] == new["src_ip"][1]
    assert new["dst_ip"][0].startswith("host-")
    assert not set(new["src_ip"]) & {"10.0.0.1", "EXT_SERVER"}
    some = renamed_flows(FlowTable.from_columns(frame), {"10.0.0.1": "192.168.0.9"}).frame
    assert list(some["src_ip"]) == ["192.168.0.9", "EXT_SERVER", "10.0.0.2", "192.168.0.9"]
