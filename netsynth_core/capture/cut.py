"""A true cut of a capture: the records of chosen frames, byte for byte, as a capture of the same kind.

A pcap stays a pcap with its header and resolution; a pcapng stays a pcapng with its section headers, interface
descriptions and the chosen packet blocks with their options. The input is streamed (plain, gzip, Zstandard): memory
holds one record at a time. Frames have the numbers of `PacketTable.frame`.
"""

import gzip
import heapq
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.packets import PacketTable
from netsynth_core.capture.pcap import HEADER_SIZE, RECORD_LIMIT, lengths_of, read_pcap_header
from netsynth_core.capture.pcapng import MAGIC, SHORTEST_SECTION, holds_frame, is_damaged, is_sound, read_section
from netsynth_core.capture.records import unknown_format
from netsynth_core.capture.unpack import Unpacker, packing_of
from netsynth_core.errors import InvalidParameter, NotEnoughData
from netsynth_core.files import atomic_path, require_file
from netsynth_core.monitor import SILENT, Monitor

Order = Literal["big", "little"]

_EVERY: Final = 1 << 16
_BUFFER: Final = 1 << 20
_SECTION, _INTERFACE, _ENHANCED = 0x0A0D0D0A, 1, 6

# magic as it lies in the file -> (byte order, decimal places of the fraction, bytes of a record header)
_PCAP: Final[dict[bytes, tuple[Order, int, int]]] = {
    bytes.fromhex("a1b2c3d4"): ("big", 6, 16),
    bytes.fromhex("d4c3b2a1"): ("little", 6, 16),
    bytes.fromhex("a1b23c4d"): ("big", 9, 16),
    bytes.fromhex("4d3cb2a1"): ("little", 9, 16),
    bytes.fromhex("a1b2cd34"): ("big", 6, 24),
    bytes.fromhex("34cdb2a1"): ("little", 6, 24),
}


@dataclass(frozen=True)
class CutReport:
    """What was written."""

    path: str
    format: str
    """``pcap`` or ``pcapng``."""
    packets: int
    """Frames copied."""
    bytes: int
    """Size of the file, as packed."""


def frames_of(packets: PacketTable, rows: NDArray[np.int64], *, files: int) -> list[NDArray[np.uint32]]:
    """The frames behind some rows of a packet table, sorted, one array for each of `files` files read together."""
    frame, file = packets.frame[rows], packets.file[rows]
    return [np.unique(frame[file == number]) for number in range(files)]


def cut_capture(
    sources: Sequence[str | Path],
    frames: Sequence[NDArray[np.uint32]],
    target: str | Path,
    *,
    monitor: Monitor = SILENT,
) -> CutReport:
    """Copy chosen frames into a capture of their own.

    Parameters
    ----------
    sources
        Captures: pcap or pcapng, plain, gzip or Zstandard.
    frames
        For each source the 0-based numbers of the frames to copy, in any order.
    target
        Where to write. Several pcap files of one header give one pcap, in order of time; several files of other
        kinds, and any with a target that ends in ``.pcapng``, give one pcapng with a section each (a pcap among them is
        described by a section of its own).

    Returns
    -------
    CutReport
        The records are the bytes of the sources. Changed is only the length a pcapng section header may state: it
        becomes "unspecified" (-1), since the section shrinks.

    Raises
    ------
    NotEnoughData
        When no frame was chosen, or a source does not hold one of them.
    InvalidParameter
        When the target is one of the sources, or its ending is not that of what is written (``.pcap`` or ``.cap``,
        ``.pcapng``; with ``.gz`` or ``.zst`` behind it the capture is packed).
    UnknownFormat, StorageError
        When a source is no capture, or cannot be read, or the target cannot be written.
    """
    paths = [require_file(source) for source in sources]
    wanted = [np.unique(np.asarray(chosen, np.int64)) for chosen in frames]
    used = [(path, chosen) for path, chosen in zip(paths, wanted, strict=True) if len(chosen)]
    if not used:
        raise NotEnoughData("No frame was chosen.", hint="Choose at least one flow that has packets.")
    heads = [_file_head(path) for path, _ in used]
    packets, total = 0, sum(len(chosen) for _, chosen in used)
    form, packing = _checked_target(Path(target), paths, _form(heads))
    plain = form == "pcap"
    with atomic_path(target) as temporary, _packed(temporary, packing) as out:
        pieces: Iterator[Piece]
        if plain:
            snaplens = [head[16:20] for head in heads]
            order = _PCAP[heads[0][:4]][0]
            out.write(heads[0][:16] + max(snaplens, key=lambda raw: int.from_bytes(raw, order)) + heads[0][20:24])
            pieces = heapq.merge(*(_pcap_cut(path, chosen) for path, chosen in used), key=lambda piece: piece[0])
        else:
            pieces = _sections(used, heads)
        for piece in pieces:
            out.write(piece[1])
            packets += piece[2]
            if packets % _EVERY == 0:
                monitor.step("copying packets", packets, total)
    monitor.step("copying packets", packets, total)
    return CutReport(str(target), "pcap" if plain else "pcapng", packets, Path(target).stat().st_size)


Piece = tuple[tuple[int, int], bytes, int]
"""Instant as written, bytes to write, and how many packets they are (0 or 1)."""


def _sections(used: list[tuple[Path, NDArray[np.int64]]], heads: list[bytes]) -> Iterator[Piece]:
    for (path, chosen), head in zip(used, heads, strict=True):
        yield from _wrapped(path, chosen, head) if head[:4] in _PCAP else _pcapng_cut(path, chosen)


def _pcap_cut(path: Path, chosen: NDArray[np.int64]) -> Iterator[Piece]:
    """The chosen records of a pcap file."""
    with _opened(path) as stream:
        start = stream.read(HEADER_SIZE)
        order, _, header = _PCAP[start[:4]]
        swapped = read_pcap_header(start, path).swapped
        ahead = chosen.tolist()
        ahead.reverse()
        number = 0
        while ahead:
            head = stream.read(header)
            kept = lengths_of(head, order, swapped=swapped)[0]
            if len(head) < header or kept > RECORD_LIMIT:
                raise _missing(path, number, ahead[-1])
            body = stream.read(kept)
            if len(body) < kept:
                raise _missing(path, number, ahead[-1])
            if number == ahead[-1]:
                ahead.pop()
                instant = int.from_bytes(head[:4], order), int.from_bytes(head[4:8], order)
                yield instant, head + body, 1
            number += 1


def _wrapped(path: Path, chosen: NDArray[np.int64], head: bytes) -> Iterator[Piece]:
    """The chosen records of a pcap file as a pcapng section (sections 4.1 to 4.3 of draft-ietf-opsawg-pcapng)."""
    order, places, header = _PCAP[head[:4]]
    swapped = read_pcap_header(head, path).swapped

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, order)

    def block(kind: int, body: bytes) -> bytes:
        size = number(len(body) + 12, 4)
        return number(kind, 4) + size + body + size

    section = number(0x1A2B3C4D, 4) + number(1, 2) + number(0, 2) + b"\xff" * 8
    link = int.from_bytes(head[20:24], order) & 0xFFFF
    resolution = number(9, 2) + number(1, 2) + bytes([places, 0, 0, 0]) + bytes(4)
    yield (0, 0), block(_SECTION, section), 0
    yield (0, 0), block(_INTERFACE, number(link, 2) + bytes(2) + head[16:20] + resolution), 0
    for instant, record, _ in _pcap_cut(path, chosen):
        ticks = instant[0] * 10**places + instant[1]
        lengths = b"".join(number(length, 4) for length in lengths_of(record, order, swapped=swapped))
        frame = record[header:]
        padded = frame + bytes(-len(frame) % 4)
        body = bytes(4) + number(ticks >> 32, 4) + number(ticks & 0xFFFFFFFF, 4) + lengths + padded
        yield instant, block(_ENHANCED, body), 1


def _pcapng_cut(path: Path, chosen: NDArray[np.int64]) -> Iterator[Piece]:
    """The chosen packet blocks of a pcapng file, and before each the descriptions it needs."""
    ahead = chosen.tolist()
    ahead.reverse()
    pending: list[bytes] = []
    interfaces = number = 0
    with _opened(path) as stream:
        for kind, block, order in _blocks(stream):
            if not ahead:
                return
            if kind == _SECTION:
                pending, interfaces = [block[:16] + b"\xff" * 8 + block[24:]], 0
            elif kind == _INTERFACE:
                pending.append(block)
                interfaces += 1
            elif holds_frame(kind, len(block)):
                if not is_sound(kind, block, order, interfaces):
                    break
                if number == ahead[-1]:
                    ahead.pop()
                    yield (0, 0), b"".join([*pending, block]), 1
                    pending.clear()
                number += 1
    if ahead:
        raise _missing(path, number, ahead[-1])


def _blocks(stream: BinaryIO) -> Iterator[tuple[int, bytes, Order]]:
    """The blocks of a pcapng file up to its end, or to damage: type, all bytes, byte order."""
    order: Order = "little"
    while len(head := stream.read(12)) == 12:
        if head[:4] == MAGIC:
            head += stream.read(SHORTEST_SECTION - 12)
            opened = read_section(head)
            if opened is None or opened[0].version[0] != 1:
                return
            order = "big" if opened[0].big else "little"
        kind, size = int.from_bytes(head[:4], order), int.from_bytes(head[4:8], order)
        if is_damaged(kind, size):
            return
        if size > RECORD_LIMIT:
            # no packet is that large; what it is need not be held
            left = size - len(head)
            while left and (got := len(stream.read(min(left, _BUFFER)))):
                left -= got
            continue
        block = head + stream.read(size - len(head))
        if len(block) < size:
            return
        yield kind, block, order


def _missing(path: Path, held: int, frame: int) -> NotEnoughData:
    return NotEnoughData(
        f"{path} holds {held} readable frames; frame {frame + 1} was asked for.",
        hint="The file may have changed since its flows were read: open it again.",
    )


# -- target ----------------------------------------------------------------------------------------------------------

ENDINGS: Final = {"pcap": (".pcap", ".cap"), "pcapng": (".pcapng",)}
"""Endings of a cut of each format; `PACKINGS` may follow."""
PACKINGS: Final = ("", ".gz", ".zst")


def form_of(sources: Sequence[str | Path]) -> str:
    """What a cut of captures is: ``pcap`` of pcap files with one header, otherwise ``pcapng``.

    Raises
    ------
    UnknownFormat, StorageError
        When one of them is no capture or cannot be read.
    """
    return _form([_file_head(require_file(source)) for source in sources])


def _form(heads: Sequence[bytes]) -> str:
    alike = all(head[:4] in _PCAP for head in heads) and len({(head[:4], head[20:24]) for head in heads}) == 1
    return "pcap" if alike else "pcapng"


def _checked_target(target: Path, sources: Sequence[Path], form: str) -> tuple[str, str]:
    """The format to write and how it is packed, by the target's ending and what the sources allow."""
    if target.exists() and any(source.samefile(target) for source in sources):
        raise InvalidParameter(f"{target} is the capture that is read.", hint="Write the cut to another file.")
    name = target.name.lower()
    for packing in PACKINGS:
        for possible in dict.fromkeys((form, "pcapng")):
            if name.endswith(tuple(ending + packing for ending in ENDINGS[possible])):
                return possible, packing
    raise InvalidParameter(
        f"The cut is a {form}, and {target} does not end in {' or '.join(ENDINGS[form])}.",
        hint=f"Write to {target.name.split('.')[0]}{ENDINGS[form][0]}; .gz or .zst behind it packs.",
    )


@contextmanager
def _packed(path: Path, packing: str) -> Iterator[BinaryIO]:
    """A stream into a file; equal contents give equal bytes."""
    with path.open("wb") as raw:
        if packing == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as stream:
                yield stream  # type: ignore[misc]
        elif packing == ".zst":
            import zstandard

            with zstandard.ZstdCompressor().stream_writer(raw, closefd=False) as stream:
                yield stream
        else:
            yield raw


# -- streams ----------------------------------------------------------------------------------------------------------


def _file_head(path: Path) -> bytes:
    """The first bytes of a capture, unpacked.

    Raises
    ------
    UnknownFormat
        When the file is no capture.
    """
    with _opened(path) as stream:
        head = stream.read(24)
    whole = len(head) == 24 and (head[:4] in _PCAP or int.from_bytes(head[:4], "big") == _SECTION)
    if not whole:
        raise unknown_format(head, path)
    return head


def _opened(path: Path) -> io.BufferedReader:
    """The unpacked bytes of a file; packed data that end too early or are damaged end the stream."""
    with path.open("rb") as handle:
        packed = packing_of(handle.read(4))
    raw = _Unpacked(path) if packed else io.FileIO(path)
    opened: io.BufferedReader = io.BufferedReader(raw, _BUFFER)
    return opened


class _Unpacked(io.RawIOBase):
    """A packed file as a raw stream of what it holds."""

    def __init__(self, path: Path) -> None:
        self._source, self._rest = Unpacker(path), memoryview(b"")

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer; 0 at the end."""
        if not self._rest:
            self._rest = memoryview(self._source.read())
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        """Close the file beneath."""
        self._source.close()
        super().close()
