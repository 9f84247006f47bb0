"""Hosts: the address, MAC and operating system behind each name of a flow table.

Everything follows from the name alone, so that one host looks alike in every capture. Names that are no addresses (the
anonymised ones of public data sets, such as ``EXT_SERVER`` or ``10000_34``) get stand-ins in
198.18.0.0/15, the benchmarking range of RFC 2544, which no real host has.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.capture.addresses import parse_address

STAND_INS: Final = "198.18.0.0/15"
_STAND_IN_BASE: Final = (198 << 24) | (18 << 16)
_STAND_IN_SIZE: Final = 1 << 17
_MAPPED_NET: Final = 0xFFFF_0000_0000

LINUX, WINDOWS, APPLIANCE = range(3)
TTLS: Final = (64, 128, 255)
"""Initial TTL of each operating system."""


@dataclass(frozen=True, eq=False)
class Hosts:
    """Distinct hosts as columns, in order of first appearance."""

    names: tuple[str, ...]
    hi: NDArray[np.uint64]
    lo: NDArray[np.uint64]
    """Address in two words, IPv4 as IPv4-mapped."""
    ipv6: NDArray[np.bool_]
    mac: NDArray[np.uint8]
    """(n, 6): locally administered, unicast; group addresses have the MAC that belongs to them."""
    system: NDArray[np.uint8]
    """`LINUX`, `WINDOWS` or `APPLIANCE`."""
    ttl: NDArray[np.uint8]
    stand_ins: tuple[str, ...]
    """Names that are no addresses."""

    def __len__(self) -> int:
        return len(self.names)


def gather_hosts(
    sources: Sequence[str], destinations: Sequence[str]
) -> tuple[Hosts, NDArray[np.int64], NDArray[np.int64]]:
    """The hosts of a flow table and the positions of each flow's two ends among them.

    Stand-ins are given in order of appearance, so equal tables have equal stand-ins; a name keeps its stand-in in both
    roles.
    """
    codes, uniques = pd.factorize(np.concatenate([np.asarray(sources, object), np.asarray(destinations, object)]))
    names = tuple(str(name) for name in uniques)
    hi = np.zeros(len(names), np.uint64)
    lo = np.zeros(len(names), np.uint64)
    strangers: list[int] = []
    taken: set[int] = set()
    for i, name in enumerate(names):
        try:
            words = parse_address(name)
        except ValueError:
            strangers.append(i)
            continue
        hi[i], lo[i] = words
        taken.add(words[1])
    for i in strangers:
        lo[i] = _stand_in(names[i], taken)
    ipv6 = ~((hi == 0) & (lo >> np.uint64(32) == 0xFFFF))
    digests = [hashlib.blake2b(name.encode(), digest_size=8, person=b"netsynth").digest() for name in names]
    mac = np.array([_mac(int(hi[i]), int(lo[i]), bool(ipv6[i]), digests[i]) for i in range(len(names))], np.uint8)
    kind = np.array([digest[6] for digest in digests], np.int64)
    system = np.where(kind < 165, LINUX, np.where(kind < 245, WINDOWS, APPLIANCE)).astype(np.uint8)
    half = len(sources)
    return (
        Hosts(
            names,
            hi,
            lo,
            ipv6,
            mac.reshape(len(names), 6),
            system,
            np.array(TTLS, np.uint8)[system],
            tuple(names[i] for i in strangers),
        ),
        codes[:half].astype(np.int64),
        codes[half:].astype(np.int64),
    )


def _stand_in(name: str, taken: set[int]) -> int:
    """A free address of `STAND_INS`, found from the name."""
    digest = hashlib.blake2b(name.encode(), digest_size=8, person=b"stand-in").digest()
    start = int.from_bytes(digest, "big")
    for step in range(_STAND_IN_SIZE):
        offset = (start + step) % _STAND_IN_SIZE
        word = _MAPPED_NET | (_STAND_IN_BASE + offset)
        if offset & 0xFF not in (0, 255) and word not in taken:
            taken.add(word)
            return word
    # more strangers than the range has room for: they share its first address
    return _MAPPED_NET | (_STAND_IN_BASE + 1)


def _mac(hi: int, lo: int, ipv6: bool, digest: bytes) -> list[int]:
    """The MAC of a host, or that of a group (RFC 1112 section 6.4, RFC 2464 section 7)."""
    if ipv6 and hi >> 56 == 0xFF:
        return [0x33, 0x33, *(lo & 0xFFFF_FFFF).to_bytes(4, "big")]
    if not ipv6:
        address = lo & 0xFFFF_FFFF
        if address == 0xFFFF_FFFF:
            return [0xFF] * 6
        if address >> 28 == 0xE:
            return [0x01, 0x00, 0x5E, *(address & 0x7F_FFFF).to_bytes(3, "big")]
    return [(digest[0] & 0xFC) | 0x02, *digest[1:6]]
