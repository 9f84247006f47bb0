"""Captures of any size in bounded memory: one packet table per window of the file.

A plain file is mapped window by window, never as a whole; a compressed one is unpacked into a buffer of about one
window. The windows one after another hold the same rows as `read_capture`, whatever their size.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.decode import Decoder
from netsynth_core.capture.options import ReadOptions
from netsynth_core.capture.packets import PacketTable, ReadReport
from netsynth_core.capture.unpack import Unpacker, packing_of
from netsynth_core.files import require_file, storage_error
from netsynth_core.monitor import SILENT, Monitor

WINDOW: Final = 64 << 20
"""Default bytes of a window."""

_SLACK: Final = 1 << 20
"""Bytes beyond a window that are mapped with it, so that its last record is whole."""

_LONGEST_WAIT: Final = 512 << 20
"""A window that went so far beyond its end (skipping a giant block) ends at once."""


def map_file(path: Path, start: int, length: int) -> NDArray[np.uint8]:
    """Read-only bytes of a file from `start` on, mapped; `length` must lie inside the file.

    Raises
    ------
    StorageError
        When the system has no room for the mapping.
    """
    aligned = start // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    try:
        with path.open("rb") as handle:
            mapped = mmap.mmap(handle.fileno(), length + start - aligned, offset=aligned, access=mmap.ACCESS_READ)
    except OSError as error:
        raise storage_error(error, path, "map") from error
    return np.frombuffer(mapped, np.uint8)[start - aligned :]


class _MappedFile:
    """A plain file, seen through a mapping of a part of it."""

    packing, problem = "", ""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size: int | None = path.stat().st_size
        self.at = 0
        """Where the last view starts: where it was asked for, or where the file ends."""

    def view(self, start: int, length: int) -> tuple[NDArray[np.uint8], bool]:
        """`length` bytes from `start` on, fewer where the file ends, and whether it does."""
        size = self.size or 0
        start = self.at = min(start, size)
        length = min(length, size - start)
        data = map_file(self._path, start, length) if length else np.zeros(0, np.uint8)
        data.setflags(write=False)
        return data, start + length == size

    def close(self) -> None:
        """Nothing is held open."""


class _PackedFile:
    """A compressed file, unpacked into a buffer that moves forward."""

    def __init__(self, path: Path, monitor: Monitor) -> None:
        self._unpacker = Unpacker(path, monitor=monitor)
        self.packing = self._unpacker.packing
        self.size: int | None = None
        self._held = np.zeros(0, np.uint8)
        self.at = 0
        """As `_MappedFile.at`."""
        self._ended = False

    @property
    def problem(self) -> str:
        """What is wrong with the compressed data."""
        return self._unpacker.problem

    def view(self, start: int, length: int) -> tuple[NDArray[np.uint8], bool]:
        """As `_MappedFile.view`, or a little more; `start` never goes back, what lies before it is forgotten."""
        pieces = [self._held]
        first, end = self.at, self.at + len(self._held)
        while end < start + length and not self._ended:
            piece = self._unpacker.read()
            self._ended = not piece
            pieces.append(np.frombuffer(piece, np.uint8))
            end += len(piece)
            while pieces and first + len(pieces[0]) <= start:
                first += len(pieces.pop(0))
        held = np.concatenate(pieces) if len(pieces) > 1 else (pieces or [self._held[:0]])[0]
        self._held, self.at = held[max(start - first, 0) :], max(start, first) if pieces else first
        self._held.setflags(write=False)
        return self._held, self._ended

    def close(self) -> None:
        """Leave the file."""
        self._unpacker.close()


class CaptureWindows:
    """The packets of a capture, one table per window of the file, in file order.

    The `data` of a table holds its window only; a table that is kept keeps its window mapped (or its buffer). While
    one table is used and the next is read, two windows exist.

    Parameters
    ----------
    path
        A pcap or pcapng file, plain, gzip or Zstandard.
    options
        Choices in reading.
    window_bytes
        Bytes of the (unpacked) file per table; a record that is longer makes its window longer.
    file
        Number for the column `file`.

    Raises
    ------
    UnknownFormat, TruncatedCapture, StorageError
        As `read_capture`, when the first table is asked for.

    Examples
    --------
    >>> windows = CaptureWindows("large.pcap")  # doctest: +SKIP
    >>> sum(len(packets) for packets in windows) == windows.report.packets  # doctest: +SKIP
    True
    """

    def __init__(
        self,
        path: str | Path,
        options: ReadOptions | None = None,
        *,
        window_bytes: int = WINDOW,
        file: int = 0,
        monitor: Monitor = SILENT,
    ) -> None:
        self._path, self._options = path, options or ReadOptions()
        self._window, self._file, self._monitor = max(window_bytes, 1), file, monitor
        self._report: ReadReport | None = None

    @property
    def report(self) -> ReadReport:
        """What was met on the way; there once the last window was read."""
        if self._report is None:
            raise RuntimeError("The report is there once all windows were read.")
        return self._report

    def __iter__(self) -> Iterator[PacketTable]:
        self._report = None
        path = require_file(self._path)
        with path.open("rb") as handle:
            packed = packing_of(handle.read(4))
        source = _PackedFile(path, self._monitor) if packed else _MappedFile(path)
        try:
            head, _ = source.view(0, 4096)
            decoder = Decoder(
                head[:4096].tobytes(), self._path, tunnels=self._options.tunnels, file=self._file, monitor=self._monitor
            )
            while not decoder.done:
                packets = self._read_window(source, decoder)
                if len(packets):
                    yield packets
            self._report = decoder.report(packing=source.packing, problem=source.problem)
        finally:
            source.close()

    def _read_window(self, source: _MappedFile | _PackedFile, decoder: Decoder) -> PacketTable:
        start = decoder.start
        stop, length = max(start + self._window, decoder.position), self._window + _SLACK
        while True:
            data, final = source.view(start, length)
            if decoder.read(data, source.at, stop, final=final, size=source.size):
                break
            if decoder.position - start > self._window + _LONGEST_WAIT:
                break
            length = max(length * 2, decoder.position - start + _SLACK)
        return decoder.take(data)
