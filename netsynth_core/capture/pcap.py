"""The file header of classic pcap (draft-ietf-opsawg-pcap section 4) and its kin."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from netsynth_core.errors import TruncatedCapture

HEADER_SIZE: Final = 24

RECORD_LIMIT: Final = 64 << 20
"""A record that claims more bytes than this is damage, no frame (jumbo frames are below 64 kB, USB below 16 MB)."""

# magic as it lies in the file -> (big endian, ns per fraction unit, bytes of a record header)
MAGIC: Final = {
    bytes.fromhex("a1b2c3d4"): (True, 1000, 16),
    bytes.fromhex("d4c3b2a1"): (False, 1000, 16),
    bytes.fromhex("a1b23c4d"): (True, 1, 16),
    bytes.fromhex("4d3cb2a1"): (False, 1, 16),
    bytes.fromhex("a1b2cd34"): (True, 1000, 24),
    bytes.fromhex("34cdb2a1"): (False, 1000, 24),
}
"""The last two are the modified format of A. Kuznetzov's patches, whose record headers have 8 bytes more."""


@dataclass(frozen=True)
class PcapHeader:
    """How the records of a classic pcap file are to be read."""

    big: bool
    """Whether the numbers are big-endian."""
    fraction_ns: int
    """ns per unit of the second half of an instant."""
    record_header: int
    """Bytes before each frame."""
    swapped: bool
    """Whether captured and true length may have changed places, as they did before version 2.4."""
    link: int
    """Link type of every frame."""


def read_pcap_header(head: bytes, path: str | Path) -> PcapHeader:
    """The file header, from the first bytes of a file.

    Raises
    ------
    TruncatedCapture
        When there are fewer than 24 bytes.
    """
    if len(head) < HEADER_SIZE:
        raise TruncatedCapture(
            f"{path} ends inside its file header: {len(head)} of {HEADER_SIZE} bytes.",
            hint="Copy the capture again, whole.",
        )
    big, fraction, size = MAGIC[head[:4]]
    order: Literal["big", "little"] = "big" if big else "little"
    version = (int.from_bytes(head[4:6], order), int.from_bytes(head[6:8], order))
    # the upper bits of the word say whether frames end with a checksum; the lengths of IP make that irrelevant
    link = int.from_bytes(head[20:24], order) & 0xFFFF
    return PcapHeader(big, fraction, size, version < (2, 4), link)


def lengths_of(record: bytes, order: Literal["big", "little"], *, swapped: bool) -> tuple[int, int]:
    """Captured and true length in a record header, exchanged where they changed places (`PcapHeader.swapped`).

    The plain form of what `_kernels.records.read_record` does.
    """
    kept, true = int.from_bytes(record[8:12], order), int.from_bytes(record[12:16], order)
    return (true, kept) if swapped and kept > true else (kept, true)
