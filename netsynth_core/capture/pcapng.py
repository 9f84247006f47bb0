"""Sections and interfaces of pcapng (draft-ietf-opsawg-pcapng sections 4.1 and 4.2): what packet blocks refer to."""

from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.links import way_to_ip
from netsynth_core.errors import TruncatedCapture, UnknownFormat

MAGIC: Final = bytes.fromhex("0a0d0d0a")
SHORTEST_SECTION: Final = 28

_BIG, _LITTLE = bytes.fromhex("1a2b3c4d"), bytes.fromhex("4d3c2b1a")
_LONGEST_HEADER: Final = 16 << 20
"""A section header that claims more bytes than this is damage."""


class Section:
    """The section being read and the interfaces that it describes."""

    def __init__(self, *, big: bool, version: tuple[int, int] = (1, 0)) -> None:
        from netsynth_core.capture._kernels import layout

        self.big = big
        self.version = version
        self.interfaces = 0
        """How many are described so far."""
        self.table: NDArray[np.int64] = np.zeros((layout.INTERFACE, 4), np.int64)
        """As `_kernels.layout` has it; columns beyond `interfaces` are spare."""

    def add(self, block: bytes) -> None:
        """Read an interface description block."""
        order: Literal["big", "little"] = "big" if self.big else "little"
        exponent, binary, offset = 6, False, 0
        at = 16
        while at + 4 <= len(block) - 4:
            code, size = int.from_bytes(block[at : at + 2], order), int.from_bytes(block[at + 2 : at + 4], order)
            value = block[at + 4 : at + 4 + size]
            if code == 0 or at + 4 + size > len(block) - 4:
                break
            if code == 9 and size == 1:
                exponent, binary = value[0] & 0x7F, value[0] >= 0x80
            elif code == 14 and size == 8:
                offset = int.from_bytes(value, order, signed=True)
            at += 4 + (size + 3) // 4 * 4
        if self.interfaces == self.table.shape[1]:
            self.table = np.concatenate([self.table, np.zeros_like(self.table)], axis=1)
        link, snaplen = int.from_bytes(block[8:10], order), int.from_bytes(block[12:16], order)
        self.table[:, self.interfaces] = interface_column(
            link, exponent=exponent, binary=binary, offset=offset, snaplen=snaplen
        )
        self.interfaces += 1

    def has_radio(self) -> bool:
        """Whether an interface holds frames of IEEE 802.11."""
        from netsynth_core.capture._kernels import layout

        return bool((self.table[layout.WAY, : self.interfaces] >= layout.WIFI).any())

    def links(self) -> dict[int, int]:
        """Frames seen per link type."""
        from netsynth_core.capture._kernels import layout

        counts: dict[int, int] = {}
        for column in range(self.interfaces):
            link, frames = int(self.table[layout.LINK, column]), int(self.table[layout.FRAMES, column])
            if frames:
                counts[link] = counts.get(link, 0) + frames
        return counts


def interface_column(
    link: int, *, exponent: int = 6, binary: bool = False, offset: int = 0, snaplen: int = 0
) -> list[int]:
    """An interface as `_kernels.layout` has it.

    Parameters
    ----------
    link
        Link type.
    exponent, binary
        A tick is 10**-exponent s, or 2**-exponent s.
    offset
        Seconds to add to each instant.
    snaplen
        Most bytes captured of a frame; 0 unlimited.
    """
    offset = max(min(offset, 2**40), -(2**40))
    exponent = min(exponent, 63 if binary else 19)
    multiplier, limit = 0, -1
    if not binary and exponent <= 9 and abs(offset) <= 2**32:
        # ticks of at most 2**32 s: with the offset that is below 2**33 s, which int64 holds in ns
        multiplier, limit = 10 ** (9 - exponent), 2**32 * 10**exponent
    return [
        link,
        *way_to_ip(link),
        exponent,
        int(binary),
        offset,
        min(snaplen, 0x7FFFFFFF),
        multiplier,
        min(limit, 2**63 - 1),
        0,
    ]


def first_section(head: bytes, path: str | Path) -> tuple[Section, int]:
    """The section that begins a file and where its first block lies.

    Raises
    ------
    TruncatedCapture
        When its header is damaged or cut short.
    UnknownFormat
        When it is of another version than 1.
    """
    opened = read_section(head)
    if opened is None:
        raise TruncatedCapture(
            f"{path} starts like a pcapng file, but its section header is damaged or cut short.",
            hint="Copy the capture again, whole.",
        )
    if opened[0].version[0] != 1:
        raise UnknownFormat(
            f"{path} is of version {dotted(opened[0])} of pcapng; versions 1.x can be read.",
            hint="Convert it with editcap -F pcap.",
        )
    return opened


def read_section(head: bytes) -> tuple[Section, int] | None:
    """A section from the first 28 bytes of its header, and the header's length; None when damaged or cut short."""
    if len(head) < SHORTEST_SECTION or head[8:12] not in (_BIG, _LITTLE):
        return None
    order: Literal["big", "little"] = "big" if head[8:12] == _BIG else "little"
    size = int.from_bytes(head[4:8], order)
    if size < SHORTEST_SECTION or size % 4 or size > _LONGEST_HEADER:
        return None
    version = (int.from_bytes(head[12:14], order), int.from_bytes(head[14:16], order))
    return Section(big=order == "big", version=version), size


def dotted(section: Section) -> str:
    """The version of a section in words."""
    return f"{section.version[0]}.{section.version[1]}"
