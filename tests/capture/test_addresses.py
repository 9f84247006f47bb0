"""Addresses: text and words agree with the standard library, one by one and in columns."""

import ipaddress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture.addresses import format_address, format_addresses, parse_address, parse_addresses

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@given(ADDRESSES)
def test_text_and_words_are_one(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    text = format_address(*parse_address(str(address)))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert ipaddress.ip_address(text) == (mapped or address)


@given(st.lists(ADDRESSES, max_size=20))
def test_columns_equal_single_addresses(addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> None:
    texts = [str(address) for address in addresses]
    hi, lo = parse_addresses(texts)
    assert [(int(h), int(w)) for h, w in zip(hi, lo, strict=True)] == [parse_address(text) for text in texts]
    assert format_addresses(hi, lo).tolist() == [format_address(*parse_address(text)) for text in texts]


def test_ipv4_is_mapped_and_a_zone_is_left_out() -> None:
    assert parse_address("10.0.0.1") == (0, 0xFFFF0A000001)
    assert parse_address("fe80::1%eth0") == parse_address("fe80::1")
    assert format_addresses(np.zeros(0, np.uint64), np.zeros(0, np.uint64)).tolist() == []


def test_what_is_no_address_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.999"):
        parse_addresses(["10.0.0.1", "10.0.0.999"])
