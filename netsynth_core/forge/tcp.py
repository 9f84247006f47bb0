"""TCP as operating systems speak it: option layouts, segment limits and windows.

`LAYOUTS` holds the bytes of each set of options; the emitting kernel copies them and writes MSS and timestamps at the
offsets given here. Options of the second SYN are those both sides know (RFC 9293 section 3.2, RFC 7323, RFC 2018).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.forge.addresses import WINDOWS, Hosts

MTU: Final = 1500

_NOP = b"\x01"
_MSS = b"\x02\x04\x00\x00"
_SACK = b"\x04\x02"
_STAMP = b"\x08\x0a" + bytes(8)


@dataclass(frozen=True)
class OptionLayout:
    """One set of options."""

    raw: bytes
    """A multiple of 4 bytes; MSS and timestamps are zero here."""

    def at(self, kind: int) -> int:
        """Offset of the value of option `kind`, or -1."""
        place = 0
        while place < len(self.raw):
            if self.raw[place] == kind:
                return place + 2
            place += 1 if self.raw[place] == 1 else self.raw[place + 1]
        return -1


NONE, MSS_ONLY, LINUX_STAMPED, WINDOWS_PLAIN, LINUX_PLAIN, STAMP = range(6)
LAYOUTS: Final = (
    OptionLayout(b""),
    OptionLayout(_MSS),
    OptionLayout(_MSS + _SACK + _STAMP + _NOP + b"\x03\x03\x07"),
    OptionLayout(_MSS + _NOP + b"\x03\x03\x08" + _NOP + _NOP + _SACK),
    OptionLayout(_MSS + _NOP + _NOP + _SACK + _NOP + b"\x03\x03\x07"),
    OptionLayout(_NOP + _NOP + _STAMP),
)
"""By number: none; MSS; Linux with timestamps; Windows; Linux without timestamps; timestamps of later segments."""

STAMPED, PLAIN, BARE, NAKED = range(4)
"""How much a flow's endpoints say in options: with timestamps where both are Linux, without, MSS alone, nothing."""


@dataclass(frozen=True, eq=False)
class Dialects:
    """TCP options and windows of flows, per flow and side (0 originator, 1 responder)."""

    level: NDArray[np.uint8]
    syn: NDArray[np.uint8]
    """(n, 2) layout of each side's SYN."""
    later: NDArray[np.uint8]
    """(n,) layout of all other segments."""
    syn_length: NDArray[np.int64]
    """(n, 2) header bytes above Ethernet of each side's SYN."""
    later_length: NDArray[np.int64]
    """(n,) header bytes above Ethernet of other segments."""
    limit: NDArray[np.int64]
    """(n,) most payload bytes of a segment."""
    syn_window: NDArray[np.int64]
    """(n, 2) window of the SYN."""
    window: NDArray[np.int64]
    """(n, 2) window of later segments as it stands in the header."""


def speak(
    hosts: Hosts, source: NDArray[np.int64], destination: NDArray[np.int64], level: NDArray[np.uint8]
) -> Dialects:
    """The options and windows of flows between hosts at the given levels."""
    windows = np.stack([hosts.system[source] == WINDOWS, hosts.system[destination] == WINDOWS], axis=1)
    ipv6 = hosts.ipv6[source] | hosts.ipv6[destination]
    stamped = (level == STAMPED) & ~windows.any(axis=1)
    plain = np.where(windows, WINDOWS_PLAIN, LINUX_PLAIN)
    syn = np.where((level == BARE)[:, None], MSS_ONLY, np.where((level == NAKED)[:, None], NONE, plain))
    offers = (level == STAMPED) & ~windows[:, 0]
    syn[:, 0] = np.where(offers, LINUX_STAMPED, syn[:, 0])
    syn[:, 1] = np.where(stamped, LINUX_STAMPED, syn[:, 1])
    later = np.where(stamped, STAMP, NONE)
    lengths = np.array([len(layout.raw) for layout in LAYOUTS], np.int64)
    base = np.where(ipv6, 60, 40)
    scaled = (level <= PLAIN)[:, None]
    return Dialects(
        level=level,
        syn=syn.astype(np.uint8),
        later=later.astype(np.uint8),
        syn_length=base[:, None] + lengths[syn],
        later_length=base + lengths[later],
        limit=MTU - base - lengths[later],
        syn_window=np.where(windows, 65535, 64240).astype(np.int64),
        # Linux: 64256 bytes in units of 128; Windows: 262 656 bytes in units of 256
        window=np.where(scaled, np.where(windows, 1026, 502), np.where(windows, 65535, 64240)).astype(np.int64),
    )
