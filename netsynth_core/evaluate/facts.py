"""A flow table as the protocol rules ask for it: columns, flags, IP versions, kinds of address."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.flows.table import FlowTable

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Facts:
    """The columns of a flow table as the rules ask for them."""

    table: FlowTable
    cache: dict[str, Mask] = field(default_factory=dict)

    def number(self, column: str) -> NDArray[np.int64]:
        """A numeric column."""
        return self.table.frame[column].to_numpy(np.int64)

    def flag(self, letter: str) -> Mask:
        """Flows whose flag union holds a letter."""
        if letter not in self.cache:
            self.cache[letter] = self.table.frame["flags"].str.contains(letter, regex=False).to_numpy(bool)
        return self.cache[letter]

    def is_in(self, column: str, values: tuple[object, ...]) -> Mask:
        """Flows whose value in a column is one of `values`."""
        found: Mask = self.table.frame[column].isin(values).to_numpy(bool)
        return found

    @cached_property
    def tcp(self) -> Mask:
        return self.is_in("proto", ("TCP",))

    @cached_property
    def udp(self) -> Mask:
        return self.is_in("proto", ("UDP",))

    @cached_property
    def icmp(self) -> Mask:
        return self.is_in("proto", ("ICMP", "ICMPv6"))

    @cached_property
    def counted(self) -> bool:
        """Whether the table counts packets at all."""
        return bool((self.number("fwd_packets") + self.number("bwd_packets")).any())

    @cached_property
    def flagged(self) -> bool:
        """Whether the table holds flags at all."""
        return bool((self.table.frame["flags"] != "......").any())

    @cached_property
    def probe(self) -> Mask:
        """Flows that nothing answered, or that were reset: what a scan of a closed port looks like."""
        return np.asarray((self.number("bwd_packets") == 0) | self.flag("R"), dtype=bool)

    def version(self, column: str) -> NDArray[np.int64]:
        """IP version per flow: 4, 6, or 0 where the text is no address (anonymised names)."""
        return self._of_addresses(column, _version).astype(np.int64)

    def group(self, column: str) -> Mask:
        """Flows whose address is a multicast group or the limited broadcast address."""
        return self._of_addresses(column, _is_group).astype(bool)

    def loopback(self, column: str) -> Mask:
        """Flows whose address is a loopback one."""
        return self._of_addresses(column, _is_loopback).astype(bool)

    def _of_addresses(self, column: str, ask: Callable[[str], int]) -> NDArray[np.int64]:
        codes, names = pd.factorize(self.table.frame[column])
        return np.array([ask(str(name)) for name in names], np.int64)[codes] if len(names) else codes


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _version(text: str) -> int:
    address = _parse(text)
    return 0 if address is None else address.version


def _is_group(text: str) -> int:
    address = _parse(text)
    return int(address is not None and (address.is_multicast or str(address) == "255.255.255.255"))


def _is_loopback(text: str) -> int:
    address = _parse(text)
    return int(address is not None and address.is_loopback)
