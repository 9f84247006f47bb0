"""IP addresses between text and the two 64-bit words of `PacketTable`.

IPv4 lives as IPv4-mapped IPv6 (``::ffff:a.b.c.d``, RFC 4291 section 2.5.5.2). The vector forms work on distinct
addresses only, so that a million rows of a few hundred hosts cost a few hundred conversions.
"""

import ipaddress
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_MASK64 = (1 << 64) - 1
_MAPPED = 0xFFFF
_MAPPED_NET = 0xFFFF_0000_0000


def format_address(hi: int, lo: int) -> str:
    """Text of an address: dotted for IPv4-mapped, RFC 5952 otherwise.

    >>> format_address(0, 0xFFFF0A000001)
    '10.0.0.1'
    """
    hi, lo = int(hi), int(lo)
    if hi == 0 and lo >> 32 == _MAPPED:
        return f"{lo >> 24 & 255}.{lo >> 16 & 255}.{lo >> 8 & 255}.{lo & 255}"
    return str(ipaddress.IPv6Address(hi << 64 | lo))


def parse_address(text: str) -> tuple[int, int]:
    """The two words of an address; a zone (``%eth0``) is left out.

    Raises
    ------
    ValueError
        When the text is no IPv4 or IPv6 address.
    """
    address = ipaddress.ip_address(text.strip().partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return 0, _MAPPED_NET | int(address)
    value = int(address)
    return value >> 64, value & _MASK64


def format_addresses(hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> NDArray[np.object_]:
    """Texts of many addresses.

    Parameters
    ----------
    hi, lo
        Words of equal length.

    Returns
    -------
    NDArray[np.object_]
        One string per address.
    """
    codes, pairs = factorize_addresses(hi, lo)
    names = np.array([format_address(h, w) for h, w in pairs], dtype=object)
    return names[codes] if len(names) else np.zeros(0, dtype=object)


def factorize_addresses(
    hi: NDArray[np.uint64], lo: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """Codes of many addresses and the distinct addresses they stand for, in order of first appearance."""
    lo_codes, lo_values = pd.factorize(lo)
    hi_codes, hi_values = pd.factorize(hi)
    codes, joint = pd.factorize(lo_codes.astype(np.int64) * max(len(hi_values), 1) + hi_codes)
    width = max(len(hi_values), 1)
    pairs = [(int(hi_values[j % width]), int(lo_values[j // width])) for j in joint.tolist()]
    return codes.astype(np.int64), pairs


def parse_addresses(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The words of many addresses.

    Raises
    ------
    ValueError
        When one of the texts is no address; the message names it.
    """
    codes, names = pd.factorize(np.asarray(texts, dtype=object))
    words = [parse_address(str(name)) for name in names]
    hi = np.array([w[0] for w in words], dtype=np.uint64)
    lo = np.array([w[1] for w in words], dtype=np.uint64)
    return hi[codes], lo[codes]
