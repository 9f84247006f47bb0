"""Sections and interfaces of pcapng (draft-ietf-opsawg-pcapng sections 4.1 and 4.2): what packet blocks refer to."""

from functools import cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.links import is_rare
from netsynth_core.capture.pcap import RECORD_LIMIT
from netsynth_core.errors import TruncatedCapture, UnknownFormat

MAGIC: Final = bytes.fromhex("0a0d0d0a")
SHORTEST_SECTION: Final = 28
INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6
"""Types of blocks."""

_BIG, _LITTLE = bytes.fromhex("1a2b3c4d"), bytes.fromhex("4d3c2b1a")
MICROSECONDS: Final = 6
"""The byte of the resolution where none is told."""

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
        self.table: NDArray[np.int64] = np.zeros((4, layout.INTERFACE), np.int64)
        """As `_kernels.layout` has it; rows beyond `interfaces` are spare."""
        self.rare = False
        """Whether an interface has frames that are for `_kernels.rare`."""

    def add(self, block: bytes) -> None:
        """Read an interface description block."""
        order: Literal["big", "little"] = "big" if self.big else "little"
        unit, offset = MICROSECONDS, 0
        at = 16
        while at + 4 <= len(block) - 4:
            code, size = int.from_bytes(block[at : at + 2], order), int.from_bytes(block[at + 2 : at + 4], order)
            value = block[at + 4 : at + 4 + size]
            if code == 0 or at + 4 + size > len(block) - 4:
                break
            if code == 9 and size == 1:
                unit = value[0]
            elif code == 14 and size == 8:
                offset = int.from_bytes(value, order, signed=True)
            at += 4 + (size + 3) // 4 * 4
        link, snaplen = int.from_bytes(block[8:10], order), int.from_bytes(block[12:16], order)
        self.describe(link, unit=unit, offset=offset, snaplen=snaplen)

    def describe(self, link: int, *, unit: int = MICROSECONDS, offset: int = 0, snaplen: int = 0) -> None:
        """Add an interface.

        Parameters
        ----------
        link
            Link type.
        unit
            The byte that tells the resolution: a tick is 10**-k s, or 2**-k s where the highest bit is set.
        offset
            Seconds to add to each instant.
        snaplen
            Most bytes captured of a frame; 0 unlimited.
        """
        from netsynth_core.capture._kernels import layout

        if self.interfaces == len(self.table):
            # grown in place: a second table beside it would be as large as the file
            self.table.resize((self.interfaces * 5 // 4 + 4, layout.INTERFACE), refcheck=False)
        row = self.table[self.interfaces]
        row[layout.DESCRIBED] = link | unit << layout.AT_UNIT | min(snaplen, 0x7FFFFFFF) << layout.AT_SNAPLEN
        row[layout.OFFSET] = max(min(offset, 2**40), -(2**40))
        self.rare |= is_rare(link)
        self.interfaces += 1


@cache
def unit_table() -> NDArray[np.int64]:
    """The resolutions of instants, as `_kernels.layout` has them."""
    from netsynth_core.capture._kernels import layout

    table = np.zeros((256, layout.UNIT), np.int64)
    for unit, row in enumerate(table):
        binary = unit >= 0x80
        exponent = min(unit & 0x7F, 63 if binary else 19)
        row[:] = exponent, binary, 0, -1
        if not binary and exponent <= 9:
            # ticks of at most 2**32 s: with the offset that is below 2**33 s, which int64 holds in ns
            row[layout.MULTIPLIER], row[layout.LIMIT] = 10 ** (9 - exponent), min(2**32 * 10**exponent, 2**63 - 1)
    table.setflags(write=False)
    return table


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


# what a block is: the plain form of the rules of `_kernels.records.read_block`


def holds_frame(kind: int, size: int) -> bool:
    """Whether a block of so many bytes is counted as a frame, of a described interface or not."""
    return (kind in (OLD_PACKET, ENHANCED_PACKET) and size >= 32) or (kind == SIMPLE_PACKET and size >= 16)


def is_damaged(kind: int, size: int) -> bool:
    """Whether nothing behind a block with this header can be trusted; not for section headers."""
    if kind == INTERFACE and not 20 <= size <= RECORD_LIMIT:
        return True
    return size < 12 or size % 4 != 0 or (holds_frame(kind, size) and size > RECORD_LIMIT)


def is_sound(kind: int, block: bytes, order: Literal["big", "little"], interfaces: int) -> bool:
    """Whether a block that holds a frame claims no more bytes of it than there are."""
    if kind == SIMPLE_PACKET:
        return True
    number = int.from_bytes(block[8 : 12 if kind == ENHANCED_PACKET else 10], order)
    return number >= interfaces or int.from_bytes(block[20:24], order) <= len(block) - 32
