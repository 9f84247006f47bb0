"""Where the frames of a capture lie: classic pcap and pcapng, both byte orders, plain or gzip.

A plain file is mapped, not read; a gzip file is unpacked up to a limit. The result is columns, one row per frame.
What is no capture is refused by name; a file that ends too early gives what it held and says so.
"""

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import TruncatedCapture, UnknownFormat
from netsynth_core.files import require_file
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.units import format_bytes

GZIP_LIMIT: Final = 8 << 30
"""Most bytes a gzip file may unpack to."""

GZIP_FREE: Final = 256 << 20
GZIP_RATIO: Final = 200
"""Beyond `GZIP_FREE` bytes a gzip file may unpack to so many times its own size: traffic does not, a trap does."""

RECORD_LIMIT: Final = 64 << 20
"""A record that claims more bytes than this is damage, not a frame (jumbo frames are below 64 kB, USB below 16 MB)."""

_CHUNK: Final = 1 << 18

# magic as it lies in the file -> (big endian, ns per fraction unit, bytes of a record header)
_PCAP_MAGIC: Final = {
    bytes.fromhex("a1b2c3d4"): (True, 1000, 16),
    bytes.fromhex("d4c3b2a1"): (False, 1000, 16),
    bytes.fromhex("a1b23c4d"): (True, 1, 16),
    bytes.fromhex("4d3cb2a1"): (False, 1, 16),
    bytes.fromhex("a1b2cd34"): (True, 1000, 24),
    bytes.fromhex("34cdb2a1"): (False, 1000, 24),
}
_PCAPNG_MAGIC: Final = bytes.fromhex("0a0d0d0a")

# other formats a person may offer, by their first bytes -> (name, hint)
_STRANGERS: Final = (
    (bytes.fromhex("28b52ffd"), "a Zstandard archive", "Unpack it first (zstd -d)."),
    (b"BZh", "a bzip2 archive", "Unpack it first (bunzip2)."),
    (b"\xfd7zXZ", "an xz archive", "Unpack it first (unxz)."),
    (b"\x04\x22\x4d\x18", "an LZ4 archive", "Unpack it first (lz4 -d)."),
    (b"PK\x03\x04", "a ZIP archive", "Unpack it first and open the capture inside."),
    (b"snoop\0\0\0", "a Solaris snoop capture", "Convert it with editcap -F pcap."),
    (b"XCP\0", "a NetXRay capture", "Convert it with editcap -F pcap."),
    (b"TRSNIFF", "a Sniffer capture", "Convert it with editcap -F pcap."),
    (b"GMBU", "a Network Monitor capture", "Convert it with editcap -F pcap."),
    (b"RTSS", "a Network Monitor capture", "Convert it with editcap -F pcap."),
    (b"\x89PNG", "a PNG image", "Choose a .pcap or .pcapng file."),
    (b"%PDF", "a PDF document", "Choose a .pcap or .pcapng file."),
    (b"PAR1", "a Parquet table", "Give it where flow tables are read, or choose a .pcap or .pcapng file."),
    (b"\x7fELF", "a program", "Choose a .pcap or .pcapng file."),
    (b"SQLite format 3", "a SQLite database", "Choose a .pcap or .pcapng file."),
)


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames of one capture file, in file order."""

    data: NDArray[np.uint8] = field(repr=False)
    """All bytes of the file, read-only."""
    offset: NDArray[np.int64]
    """Where each frame starts in `data`."""
    captured: NDArray[np.int32]
    """Bytes of the frame that are in the file."""
    length: NDArray[np.int32]
    """Bytes the frame had on the wire, >= captured."""
    ts: NDArray[np.int64]
    """Instant, ns since the epoch; the smallest int64 where the file's own number is beyond what ns can hold."""
    link: NDArray[np.uint16]
    """Link type (LINKTYPE_ value)."""
    format: str
    """``pcap`` or ``pcapng``, with ``gzip`` before it."""
    truncated: bool
    notes: tuple[str, ...]


def read_frames(path: str | Path, *, monitor: Monitor = SILENT) -> Frames:
    """Find the frames of a capture file.

    Raises
    ------
    UnknownFormat
        When the file is no capture.
    TruncatedCapture
        When it ends inside its own file header.
    StorageError
        When it cannot be read.
    """
    target = require_file(path)
    data, packed = load_bytes(target, monitor=monitor)
    magic = data[:4].tobytes()
    if magic in _PCAP_MAGIC:
        frames = _pcap(data, target, monitor)
    elif magic == _PCAPNG_MAGIC:
        frames = _pcapng(data, target, monitor)
    else:
        raise unknown_format(data[:4096].tobytes(), target)
    if packed is None:
        return frames
    notes, broken = frames.notes, packed
    if broken:
        notes = (f"The gzip data end too early or are damaged ({broken}); what could be unpacked was read.", *notes)
    return Frames(
        data=frames.data,
        offset=frames.offset,
        captured=frames.captured,
        length=frames.length,
        ts=frames.ts,
        link=frames.link,
        format=f"gzip {frames.format}",
        truncated=frames.truncated or bool(broken),
        notes=notes,
    )


def is_capture(head: bytes) -> bool:
    """Whether the first (unpacked) bytes of a file are those of a pcap or pcapng file."""
    return head[:4] in _PCAP_MAGIC or head[:4] == _PCAPNG_MAGIC


def read_head(path: Path, size: int = 4096) -> bytes:
    """The first bytes of a file, unpacked when it is gzip; shorter where the file is, or its gzip data break."""
    with path.open("rb") as handle:
        head = handle.read(size)
    if head[:2] != b"\x1f\x8b":
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, size)
    except zlib.error:
        return b""


def unknown_format(head: bytes, path: Path) -> UnknownFormat:
    """The error that names what a file is instead of a capture."""
    for magic, name, hint in _STRANGERS:
        if head.startswith(magic):
            return UnknownFormat(f"{path} is {name}, no pcap or pcapng capture.", hint=hint)
    hint = "Choose a .pcap or .pcapng file; other captures can be converted with editcap -F pcap."
    try:
        text = head[:1024].decode("utf-8", errors="strict" if len(head) <= 1024 else "ignore")
    except UnicodeDecodeError:
        text = "\0"
    if text.lstrip()[:1] in ("{", "[") and "\0" not in text:
        return UnknownFormat(f"{path} is a JSON text, no pcap or pcapng capture.", hint=hint)
    if text and all(c.isprintable() or c in "\r\n\t" for c in text):
        return UnknownFormat(f"{path} is a text file, no pcap or pcapng capture.", hint=hint)
    return UnknownFormat(
        f"{path} is no pcap or pcapng capture: it starts with the bytes {head[:4].hex(' ')}.", hint=hint
    )


def load_bytes(path: Path, *, monitor: Monitor = SILENT) -> tuple[NDArray[np.uint8], str | None]:
    """The bytes of a file: mapped when plain, unpacked when gzip.

    Returns
    -------
    tuple
        Read-only bytes, and None for a plain file, else what is wrong with the gzip data (empty when nothing).
    """
    with path.open("rb") as handle:
        head = handle.read(2)
    if head != b"\x1f\x8b":
        return np.asarray(np.memmap(path, dtype=np.uint8, mode="r")), None
    chunks: list[bytes] = []
    unpacked = 0
    problem = ""
    size = path.stat().st_size
    with path.open("rb") as handle:
        engine = zlib.decompressobj(wbits=31)
        pending = b""
        while True:
            if not pending:
                pending = handle.read(1 << 20)
                if not pending:
                    problem = "" if engine.eof else "the last member is not finished"
                    break
            if engine.eof:
                if pending[:2] != b"\x1f\x8b"[: len(pending[:2])]:
                    break
                engine = zlib.decompressobj(wbits=31)
            try:
                out = engine.decompress(pending, 16 << 20)
            except zlib.error as error:
                problem = str(error)
                break
            pending = engine.unused_data if engine.eof else engine.unconsumed_tail
            chunks.append(out)
            unpacked += len(out)
            if unpacked > min(GZIP_LIMIT, max(GZIP_FREE, GZIP_RATIO * size)):
                raise UnknownFormat(
                    f"{path} ({format_bytes(size)}) unpacks to more than {format_bytes(unpacked)}.",
                    hint="Unpack it with gunzip and open the plain file; that is mapped, not held in memory.",
                )
            monitor.step("unpacking", handle.tell(), size)
    data = np.frombuffer(b"".join(chunks), dtype=np.uint8)
    return data, problem


def _pcap(data: NDArray[np.uint8], path: Path, monitor: Monitor) -> Frames:
    from netsynth_core.capture import _kernels

    big, fraction_ns, header = _PCAP_MAGIC[data[:4].tobytes()]
    if len(data) < 24:
        raise TruncatedCapture(
            f"{path} ends inside its file header: {len(data)} of 24 bytes.", hint="Copy the capture again, whole."
        )
    # the upper bits of the word say whether frames end with a checksum; the lengths of IP make that irrelevant
    link_type = int.from_bytes(data[20:24].tobytes(), "big" if big else "little") & 0xFFFF
    parts: list[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]] = []
    at, found, status = 24, 0, 0
    while at < len(data) and status == 0:
        columns = (
            np.empty(_CHUNK, np.int64),
            np.empty(_CHUNK, np.int32),
            np.empty(_CHUNK, np.int32),
            np.empty(_CHUNK, np.int64),
        )
        n, at, status = _kernels.pcap_records(data, at, big, fraction_ns, header, RECORD_LIMIT, *columns)
        parts.append(tuple(column[:n] for column in columns))  # type: ignore[arg-type]
        found += n
        monitor.step("finding frames", int(at), len(data), frames=found)
    notes = []
    if status == 1:
        notes.append(f"The file ends in the middle of packet {found + 1}, {len(data) - at} bytes into its record.")
    elif status == 2:
        notes.append(f"The record header of packet {found + 1} (byte {at}) is damaged; reading stopped there.")
    joined = [np.concatenate([part[k] for part in parts]) if parts else np.zeros(0, np.int64) for k in range(4)]
    return Frames(
        data=data,
        offset=joined[0].astype(np.int64, copy=False),
        captured=joined[1].astype(np.int32, copy=False),
        length=joined[2].astype(np.int32, copy=False),
        ts=joined[3].astype(np.int64, copy=False),
        link=np.full(found, link_type, np.uint16),
        format="pcap",
        truncated=status != 0,
        notes=tuple(notes),
    )


class _Section:
    """The pcapng section being read and its interfaces."""

    def __init__(self, *, big: bool, version: tuple[int, int] = (1, 0)) -> None:
        self.big = big
        self.version = version
        self.interfaces = 0
        # link type, exponent of the resolution, whether it is one of 2, offset in s, snaplen
        self.table = np.zeros((5, 4), np.int64)

    def add(self, block: bytes) -> None:
        """Read an interface description block (draft-ietf-opsawg-pcapng section 4.2)."""
        order = "big" if self.big else "little"

        def number(raw: bytes, *, signed: bool = False) -> int:
            return int.from_bytes(raw, order, signed=signed)  # type: ignore[arg-type]

        exponent, binary, offset = 6, False, 0
        at = 16
        while at + 4 <= len(block) - 4:
            code, size = number(block[at : at + 2]), number(block[at + 2 : at + 4])
            value = block[at + 4 : at + 4 + size]
            if code == 0 or at + 4 + size > len(block) - 4:
                break
            if code == 9 and size == 1:
                exponent, binary = value[0] & 0x7F, value[0] >= 0x80
            elif code == 14 and size == 8:
                offset = number(value, signed=True)
            at += 4 + (size + 3) // 4 * 4
        if self.interfaces == self.table.shape[1]:
            self.table = np.concatenate([self.table, np.zeros_like(self.table)], axis=1)
        self.table[:, self.interfaces] = (
            number(block[8:10]),
            min(exponent, 63 if binary else 19),
            binary,
            max(min(offset, 2**40), -(2**40)),
            min(number(block[12:16]), 0x7FFFFFFF),
        )
        self.interfaces += 1


def _pcapng(data: NDArray[np.uint8], path: Path, monitor: Monitor) -> Frames:
    from netsynth_core.capture import _kernels

    dtypes = (np.int64, np.int32, np.int32, np.int64, np.uint16)
    parts: list[list[NDArray[np.generic]]] = []
    notes: list[str] = []
    section, at = _first_section(data, path)
    found, lost, undated, last, status = 0, 0, 0, 0, 0
    chunk = _CHUNK if len(data) > 1 << 22 else 1 << 15
    while at < len(data):
        if status == 3:
            opened = _section_header(data, at)
            if opened is None:
                status = 1 if at + 28 > len(data) else 2
                break
            if opened[0].version[0] != 1:
                notes.append(f"The section at byte {at} is of version {_dotted(opened[0])}, which cannot be read.")
                status = 5
                break
            section, at = opened
        elif status == 4:
            size = int.from_bytes(data[at + 4 : at + 8].tobytes(), "big" if section.big else "little")
            if size < 20:
                status = 2
                break
            section.add(data[at : at + size].tobytes())
            at += size
        columns = [np.empty(chunk, dtype) for dtype in dtypes]
        n, at, status, missing, simple, last = _kernels.pcapng_blocks(
            data, at, section.big, last, section.table, section.interfaces, *columns
        )
        if n:
            parts.append([column[:n].copy() for column in columns])
        found, lost, undated = found + n, lost + missing, undated + simple
        monitor.step("finding frames", int(at), len(data), frames=found)
        if status in (1, 2):
            break
    notes += _pcapng_notes(status, at, found, lost, undated)
    joined = [np.concatenate([part[k] for part in parts]) if parts else np.zeros(0, d) for k, d in enumerate(dtypes)]
    return Frames(
        data=data,
        offset=joined[0].astype(np.int64, copy=False),
        captured=joined[1].astype(np.int32, copy=False),
        length=joined[2].astype(np.int32, copy=False),
        ts=joined[3].astype(np.int64, copy=False),
        link=joined[4].astype(np.uint16, copy=False),
        format="pcapng",
        truncated=status in (1, 2, 5),
        notes=tuple(notes),
    )


def _first_section(data: NDArray[np.uint8], path: Path) -> tuple[_Section, int]:
    """The section that begins the file and where its first block lies."""
    opened = _section_header(data, 0)
    if opened is None:
        raise TruncatedCapture(
            f"{path} starts like a pcapng file, but its section header is damaged or cut short.",
            hint="Copy the capture again, whole.",
        )
    if opened[0].version[0] != 1:
        raise UnknownFormat(
            f"{path} is of version {_dotted(opened[0])} of pcapng; versions 1.x can be read.",
            hint="Convert it with editcap -F pcap.",
        )
    return opened


def _dotted(section: _Section) -> str:
    return f"{section.version[0]}.{section.version[1]}"


def _pcapng_notes(status: int, at: int, found: int, lost: int, undated: int) -> list[str]:
    """What a person should know of the reading."""
    notes = []
    if status == 1:
        notes.append(f"The file ends in the middle of a block, after packet {found}.")
    elif status == 2:
        notes.append(f"The block at byte {at}, after packet {found}, is damaged; reading stopped there.")
    if lost:
        notes.append(f"{lost} packets name an interface that the file does not describe; they were left out.")
    if undated:
        notes.append(f"{undated} packets carry no instant (simple packet blocks); they took that of the packet before.")
    return notes


def _section_header(data: NDArray[np.uint8], at: int) -> tuple[_Section, int] | None:
    """The section that starts at `at` and where its first block lies; None when it is damaged or cut short."""
    block = data[at : at + 28].tobytes()
    if len(block) < 28:
        return None
    magic = block[8:12]
    if magic not in (bytes.fromhex("1a2b3c4d"), bytes.fromhex("4d3c2b1a")):
        return None
    big = magic == bytes.fromhex("1a2b3c4d")
    size = int.from_bytes(block[4:8], "big" if big else "little")
    if size < 28 or size % 4 or at + size > len(data):
        return None
    order: Literal["big", "little"] = "big" if big else "little"
    version = (int.from_bytes(block[12:14], order), int.from_bytes(block[14:16], order))
    return _Section(big=big, version=version), at + size
