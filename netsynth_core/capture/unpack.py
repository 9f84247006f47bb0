"""Compressed files: gzip and Zstandard, told by their first bytes, unpacked in pieces.

What is damaged or ends too early gives what could be unpacked, and `problem` says what was wrong.
"""

import errno
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import StorageError, UnknownFormat
from netsynth_core.files import storage_error
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.units import format_bytes

UNPACK_LIMIT: Final = 8 << 30
"""Most bytes a compressed file may unpack to in memory."""

UNPACK_FREE: Final = 256 << 20
UNPACK_RATIO: Final = 200
"""Beyond `UNPACK_FREE` bytes a file may unpack to so many times its own size: traffic does not, a trap does."""

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = bytes.fromhex("28b52ffd")
_PIECE: Final = 1 << 20
_ZSTD_WINDOW: Final = 1 << 27


def packing_of(head: bytes) -> str:
    """``gzip``, ``zstd``, or empty for a file that is not compressed, by its first bytes."""
    if head[:2] == GZIP:
        return "gzip"
    return "zstd" if head[:4] == ZSTD else ""


class Unpacker:
    """The unpacked bytes of a compressed file, piece after piece.

    Parameters
    ----------
    path
        A gzip or Zstandard file.
    piece
        Most bytes of a piece.
    """

    def __init__(self, path: Path, *, piece: int = 4 * _PIECE, monitor: Monitor = SILENT) -> None:
        self._most = piece
        self._handle = path.open("rb")
        self._size = path.stat().st_size
        self._monitor = monitor
        head = self._handle.read(4)
        self._handle.seek(0)
        self.packing = packing_of(head)
        self.problem = ""
        """What is wrong with the compressed data; empty while nothing is."""
        self._pieces = self._gzip() if self.packing == "gzip" else self._zstd()

    def read(self) -> bytes:
        """The next piece; empty at the end."""
        for piece in self._pieces:
            if piece:
                self._monitor.step("unpacking", min(self._handle.tell(), self._size), self._size)
                return piece
        self._handle.close()
        return b""

    def close(self) -> None:
        """Leave the file."""
        self._pieces.close()
        self._handle.close()

    def _gzip(self) -> Generator[bytes]:
        engine, pending = zlib.decompressobj(wbits=31), b""
        while True:
            pending = pending or self._handle.read(_PIECE)
            if not pending:
                self.problem = "" if engine.eof else "the last member is not finished"
                return
            if engine.eof:
                # a member may be filled up with zeros to the end of a block (as tapes are)
                pending = pending.lstrip(b"\0")
                if not pending:
                    continue
                if pending[:2] != GZIP[: len(pending[:2])]:
                    return
                engine = zlib.decompressobj(wbits=31)
            try:
                piece = engine.decompress(pending, self._most)
            except zlib.error as error:
                self.problem = str(error)
                return
            pending = engine.unused_data if engine.eof else engine.unconsumed_tail
            yield piece

    def _zstd(self) -> Generator[bytes]:
        import zstandard

        engine = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        try:
            with engine.stream_reader(self._handle, read_across_frames=True, closefd=False) as reader:
                while piece := reader.read(self._most):
                    yield piece
        except zstandard.ZstdError as error:
            self.problem = str(error)


def too_large(path: str | Path) -> StorageError:
    """The error of a capture that memory cannot hold at once."""
    return StorageError(
        f"{path} is too large to be held at once.",
        hint="Turn it into a flow table (netsynth flows), which reads it window by window, or cut it (editcap -c).",
    )


def load_bytes(path: Path, *, monitor: Monitor = SILENT) -> tuple[NDArray[np.uint8], str | None]:
    """The bytes of a file: mapped when plain, unpacked in memory when compressed.

    Returns
    -------
    tuple
        Read-only bytes, and None for a plain file, else what is wrong with the compressed data (empty when nothing).

    Raises
    ------
    UnknownFormat
        When it unpacks to more than the limits of this module allow.
    StorageError
        When there is no room to map it.
    """
    with path.open("rb") as handle:
        head = handle.read(4)
    if not packing_of(head):
        try:
            return np.asarray(np.memmap(path, dtype=np.uint8, mode="r")), None
        except OSError as error:
            if error.errno == errno.ENOMEM:
                raise too_large(path) from error
            raise storage_error(error, path, "map") from error
    pieces: list[bytes] = []
    unpacked, size = 0, path.stat().st_size
    unpacker = Unpacker(path, monitor=monitor)
    while piece := unpacker.read():
        pieces.append(piece)
        unpacked += len(piece)
        if unpacked > min(UNPACK_LIMIT, max(UNPACK_FREE, UNPACK_RATIO * size)):
            unpacker.close()
            tool = "gunzip" if unpacker.packing == "gzip" else "zstd -d"
            raise UnknownFormat(
                f"{path} ({format_bytes(size)}) unpacks to more than {format_bytes(unpacked)}.",
                hint=f"Unpack it with {tool} and open the plain file; that is mapped, not held in memory.",
            )
    return np.frombuffer(b"".join(pieces), dtype=np.uint8), unpacker.problem
