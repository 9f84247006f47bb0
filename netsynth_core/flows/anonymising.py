"""Consistent, prefix-preserving renaming of addresses under a key (Crypto-PAn; Xu, Fan, Ammar, Moon 2002).

Two addresses that share their first k bits share the first k bits of their new names, and no more: bit i is flipped
or not by a keyed hash (BLAKE2b, RFC 7693, in the place of their cipher) of the i bits before it. One key gives one
renaming, always; without the key it cannot be told from any other.

Special ranges stay what they are: no bit is flipped on the way to them, so private addresses become private ones of
the same range, public ones stay public, and multicast, broadcast, loopback and unspecified addresses keep their
names. The price is told: an address near a special range shares the bits up to it with its new name. In the last byte
of an IPv4 address the way to 255 is kept too, so that directed broadcasts of /24 networks and shorter ones stay
broadcasts. Link-local addresses keep their first 64 bits (IPv4: 16); addresses that hold an IPv4 address (RFC 4291,
2.5.5.2; RFC 6052) hold its new name. A name that is no address becomes ``host-`` and ten digits of its keyed hash.

What this does not do: traffic that is known by its volume, times or roles is recognised still (Brekne et al. 2005).
"""

import hashlib
import ipaddress

import numpy as np
import pandas as pd

from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.table import FlowTable

_KEPT_4 = ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")
_RANGES_4 = (*_KEPT_4, "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
_KEPT_6 = ("::/127", "ff00::/8")
_HOLDING_4 = ("::ffff:0:0/96", "64:ff9b::/96")
_RANGES_6 = (*_KEPT_6, *_HOLDING_4, "fe80::/64", "fe80::/10", "fc00::/7", "2000::/3")
_SOLICITED = ipaddress.IPv6Network("ff02::1:ff00:0/104")
_LEAST_KEY = 8


def _networks(texts: tuple[str, ...]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(text) for text in texts]


def _ways(texts: tuple[str, ...], width: int) -> frozenset[tuple[int, int]]:
    """(length, bits) of every prefix that is shorter than one of the ranges and leads to it."""
    ways = set()
    for network in _networks(texts):
        bits = int(network.network_address)
        ways |= {(length, bits >> (width - length)) for length in range(network.prefixlen)}
    return frozenset(ways)


class Anonymiser:
    """One renaming of addresses and names.

    Parameters
    ----------
    key
        At least 8 bytes; who has it can rename the same way, and tell who is who by trying.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < _LEAST_KEY:
            raise InvalidParameter(
                f"A key of {len(key)} bytes is guessed at once.", hint=f"Give at least {_LEAST_KEY}; 32 are good."
            )
        self._key = hashlib.blake2b(key, digest_size=32, person=b"netsynth-rename").digest()
        self._ways = {4: _ways(_RANGES_4, 32), 6: _ways(_RANGES_6, 128)}
        self._kept = {4: _networks(_KEPT_4), 6: _networks(_KEPT_6)}
        self._holding = _networks(_HOLDING_4)
        self._flips: dict[tuple[str, int, int], int] = {}
        self._known: dict[str, str] = {}

    def name(self, text: str) -> str:
        """The new name of an address or of a name that is none; empty stays empty."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._renamed(text)
        return known

    def _renamed(self, text: str) -> str:
        if not text:
            return text
        try:
            address = ipaddress.ip_address(text.strip().partition("%")[0])
        except ValueError:
            return "host-" + self._hash(b"name", text.encode("utf-8")).hex()[:10]
        if isinstance(address, ipaddress.IPv4Address):
            return str(ipaddress.IPv4Address(self._version_4(int(address))))
        return str(ipaddress.IPv6Address(self._version_6(address)))

    def _version_4(self, value: int) -> int:
        address = ipaddress.IPv4Address(value)
        if any(address in network for network in self._kept[4]):
            return value
        return self._permuted("4", value, 32, self._ways[4], broadcast=True)

    def _version_6(self, address: ipaddress.IPv6Address) -> int:
        value = int(address)
        if address in _SOLICITED:
            # the low 24 bits are those of a host's address (RFC 4291, section 2.7.1)
            return value >> 24 << 24 | self._permuted("s", value & 0xFFFFFF, 24, frozenset())
        if any(address in network for network in self._kept[6]):
            return value
        if any(address in network for network in self._holding):
            return value >> 32 << 32 | self._version_4(value & 0xFFFFFFFF)
        if address.is_link_local:
            return value >> 64 << 64 | self._permuted("l", value & (1 << 64) - 1, 64, frozenset())
        return self._permuted("6", value, 128, self._ways[6])

    def _permuted(
        self, tree: str, value: int, width: int, ways: frozenset[tuple[int, int]], *, broadcast: bool = False
    ) -> int:
        result = 0
        for length in range(width):
            prefix = value >> (width - length)
            bit = value >> (width - length - 1) & 1
            tail = length - 24
            ones = broadcast and tail >= 0 and prefix & (1 << tail) - 1 == (1 << tail) - 1
            kept = ones or (length, prefix) in ways
            result = result << 1 | (bit if kept else bit ^ self._flip(tree, length, prefix))
        return result

    def _flip(self, tree: str, length: int, prefix: int) -> int:
        known = self._flips.get((tree, length, prefix))
        if known is None:
            digest = self._hash(tree.encode(), length.to_bytes(1, "big") + prefix.to_bytes(16, "big"))
            known = self._flips[tree, length, prefix] = digest[0] & 1
        return known

    def _hash(self, purpose: bytes, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=16, person=purpose).digest()


def renamed_flows(flows: FlowTable, names: "dict[str, str] | Anonymiser") -> FlowTable:
    """The flows with both addresses renamed; what a dictionary does not hold keeps its name."""
    frame = flows.frame
    columns = {}
    for column in ("src_ip", "dst_ip"):
        codes, distinct = pd.factorize(frame[column])
        texts = [str(text) for text in distinct]
        new = [names.name(text) if isinstance(names, Anonymiser) else names.get(text, text) for text in texts]
        columns[column] = pd.array(new, dtype="str").take(codes.astype(np.int64))
    return FlowTable(frame.assign(**columns))
