"""Which flows of a table pass a filter, answered in milliseconds for large tables.

`FlowIndex` is made once for a table: texts become codes, addresses become numbers. `FlowFilter.rows` then looks at
distinct values only.
"""

import ipaddress
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.table import FlowTable
from netsynth_core.units import NS_PER_S

Range = tuple[float | None, float | None]
"""Least and most, both included; None = no limit."""

OPEN: Final[Range] = (None, None)


UNKNOWN: Final = "unknown"
_WITHOUT_PORTS: Final = ("icmp", "icmpv6", "igmp")


def shown_services(frame: pd.DataFrame) -> NDArray[np.object_]:
    """The service of each flow as people are told it: ICMP and IGMP go by their own name, which is all they are.

    Any other flow without a service is `UNKNOWN`.

    >>> shown_services(pd.DataFrame({"service": ["dns", "", ""], "proto": ["UDP", "ICMP", "TCP"]})).tolist()
    ['dns', 'icmp', 'unknown']
    """
    names = frame["service"].to_numpy(dtype=object).copy()
    codes, protocols = pd.factorize(frame["proto"])
    instead = [str(name).lower() if str(name).lower() in _WITHOUT_PORTS else UNKNOWN for name in protocols]
    nameless = np.flatnonzero(names == "")
    names[nameless] = np.array([*instead, UNKNOWN], dtype=object)[codes[nameless]]
    return names


@dataclass(frozen=True, eq=False)
class FlowIndex:
    """A flow table prepared for filtering; made of the table alone."""

    flows: FlowTable

    def __len__(self) -> int:
        return len(self.flows)

    @cached_property
    def addresses(self) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
        """Codes of the originators, of the responders, and the distinct addresses they stand for."""
        frame = self.flows.frame
        both = pd.concat([frame["src_ip"], frame["dst_ip"]], ignore_index=True)
        codes, names = pd.factorize(both)
        n = len(self)
        return codes[:n].astype(np.int64), codes[n:].astype(np.int64), [str(name) for name in names]

    @cached_property
    def numbers(self) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address | None]:
        """Each distinct address as a number; None for a name that is none."""
        return [_address(name) for name in self.addresses[2]]

    @cached_property
    def bytes(self) -> NDArray[np.int64]:
        """IP bytes of each flow, both directions."""
        frame = self.flows.frame
        return np.asarray(frame["fwd_bytes"] + frame["bwd_bytes"], np.int64)

    @cached_property
    def packets(self) -> NDArray[np.int64]:
        """Packets of each flow, both directions."""
        frame = self.flows.frame
        return np.asarray(frame["fwd_packets"] + frame["bwd_packets"], np.int64)

    def coded(self, column: str) -> tuple[NDArray[np.int64], list[str]]:
        """Codes of a text column and its distinct values; services as `shown_services` calls them."""
        held: dict[str, tuple[NDArray[np.int64], list[str]]] = self._coded
        if column not in held:
            codes, values = pd.factorize(
                shown_services(self.flows.frame) if column == "service" else self.flows.frame[column]
            )
            held[column] = codes.astype(np.int64), [str(value) for value in values]
        return held[column]

    @cached_property
    def _coded(self) -> dict[str, tuple[NDArray[np.int64], list[str]]]:
        return {}

    def choices(self, column: str) -> list[str]:
        """The distinct values of a text column, sorted."""
        return sorted(self.coded(column)[1])

    @cached_property
    def ends_shared(self) -> NDArray[np.bool_]:
        """Whether another flow has the same protocol, addresses and ports (in either direction)."""
        frame, (src, dst, _) = self.flows.frame, self.addresses
        a = src << 17 | (frame["src_port"].to_numpy().astype(np.int64) + 1)
        b = dst << 17 | (frame["dst_port"].to_numpy().astype(np.int64) + 1)
        keys = pd.DataFrame({"p": self.coded("proto")[0], "a": np.minimum(a, b), "b": np.maximum(a, b)})
        return keys.duplicated(keep=False).to_numpy()


@dataclass(frozen=True)
class FlowFilter:
    """What a flow must be; every part that is set must hold.

    Parameters
    ----------
    services, states, protocols
        One of these values; empty = any. Services as `shown_services` calls them.
    hosts
        Terms apart by spaces, each of which must fit one side of the flow: an address (``192.0.2.7``), a network
        (``10.0.0.0/8``, ``fe80::/10``), a port (``443``), an address with its port (``192.0.2.7:443``,
        ``[2001:db8::1]:53``), or a part of a name.
    server_name
        A part of the name the originator asked for, in any case.
    duration
        Seconds.
    bytes, packets
        Of both directions together.
    start
        Instants of the first packet, ns since the epoch.
    """

    services: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    hosts: str = ""
    server_name: str = ""
    duration: Range = OPEN
    bytes: Range = OPEN
    packets: Range = OPEN
    start: tuple[int | None, int | None] = (None, None)

    def rows(self, index: FlowIndex) -> NDArray[np.int64]:
        """Rows of the flows that pass, in order.

        Raises
        ------
        InvalidParameter
            When a term of `hosts` looks like a network or a port and is none.
        """
        frame = index.flows.frame
        keep = np.ones(len(index), np.bool_)
        for column, wanted in (("service", self.services), ("state", self.states), ("proto", self.protocols)):
            if wanted:
                codes, values = index.coded(column)
                keep &= np.isin(codes, [at for at, value in enumerate(values) if value in wanted])
        if self.server_name:
            part = self.server_name.casefold()
            codes, values = index.coded("server_name")
            keep &= np.isin(codes, [at for at, value in enumerate(values) if part in value.casefold()])
        for term in self.hosts.split():
            keep &= _host_term(term, index)
        for span, column_values, scale in (
            (self.duration, frame["duration"].to_numpy(), NS_PER_S),
            (self.bytes, index.bytes, 1),
            (self.packets, index.packets, 1),
            (self.start, frame["ts"].to_numpy(), 1),
        ):
            least, most = span
            if least is not None:
                keep &= column_values >= (least if scale == 1 else round(least * scale))
            if most is not None:
                keep &= column_values <= (most if scale == 1 else round(most * scale))
        return np.flatnonzero(keep)


def check_hosts(hosts: str, index: FlowIndex) -> None:
    """Whether the terms of `FlowFilter.hosts` can be read.

    Raises
    ------
    InvalidParameter
        When one looks like a network or a port and is none.
    """
    nothing = FlowIndex(FlowTable(index.flows.frame.iloc[:0]))
    for term in hosts.split():
        _host_term(term, nothing)


def _host_term(term: str, index: FlowIndex) -> NDArray[np.bool_]:
    """The flows one side of which fits a term."""
    frame = index.flows.frame
    src_port, dst_port = np.asarray(frame["src_port"], np.int64), np.asarray(frame["dst_port"], np.int64)
    if term.isdecimal():
        port = _port(term, term)
        return np.asarray((src_port == port) | (dst_port == port), np.bool_)
    name, port = term, -1
    host, colon, tail = term.rpartition(":")
    if colon and tail.isdecimal() and (":" not in host or (host.startswith("[") and host.endswith("]"))):
        name, port = host.strip("[]"), _port(tail, term)
    fits = np.array(_fitting(name, index), np.bool_)
    src, dst, _ = index.addresses
    if port < 0:
        return np.asarray(fits[src] | fits[dst], np.bool_)
    return np.asarray((fits[src] & (src_port == port)) | (fits[dst] & (dst_port == port)), np.bool_)


def _fitting(name: str, index: FlowIndex) -> list[bool]:
    """Which of the distinct addresses fit an address, a network, or a part of a name."""
    if "/" in name:
        try:
            network = ipaddress.ip_network(name, strict=False)
        except ValueError:
            raise InvalidParameter(
                f"{name!r} is no network.", hint="Write a network as 10.0.0.0/8 or 2001:db8::/32."
            ) from None
        return [held is not None and held.version == network.version and held in network for held in index.numbers]
    address = _address(name)
    if address is not None:
        return [held == address for held in index.numbers]
    part = name.casefold()
    return [part in held.casefold() for held in index.addresses[2]]


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _port(text: str, term: str) -> int:
    if len(text) > 5 or int(text) > 65535:
        raise InvalidParameter(f"{term!r} has no port: ports go to 65535.", hint="Write a port as 443.")
    return int(text)
