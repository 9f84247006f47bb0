"""The fast path beside the plain reader: what differs, in words."""

import mmap

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.decode import Decoder
from netsynth_core.capture.packets import Capture, PacketTable
from netsynth_core.errors import NetsynthError
from tests.agreement.reference import NoCapture, Reading, read


def guarded(content: bytes) -> NDArray[np.uint8]:
    """The bytes of a file, right before a page that nobody may read: a reader that goes on is killed."""
    page = mmap.PAGESIZE
    size = (len(content) + page - 1) // page * page
    room = mmap.mmap(-1, size + page)
    room[size - len(content) : size] = content
    _forbid(room, size, page)
    return np.frombuffer(room, np.uint8)[size - len(content) : size]


def _forbid(room: mmap.mmap, at: int, size: int) -> None:
    import ctypes

    address = ctypes.addressof(ctypes.c_char.from_buffer(room)) + at
    if ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), 0):
        raise OSError(ctypes.get_errno(), "mprotect")


def fast(data: NDArray[np.uint8], *, tunnels: bool = False) -> Capture | None:
    """The fast path on bytes that are not compressed; None where it says that they are no capture."""
    try:
        decoder = Decoder(data[:4096].tobytes(), "made", tunnels=tunnels)
    except NetsynthError:
        return None
    while not decoder.done:
        decoder.read(data, 0, len(data) + 1, final=True, size=len(data))
    packets = decoder.take(data)
    return Capture(packets, decoder.report())


def plain(data: bytes, *, tunnels: bool = False) -> Reading | None:
    """The plain reader; None where it says that these are no capture."""
    try:
        return read(data, tunnels=tunnels)
    except NoCapture:
        return None


def differences(content: bytes, *, tunnels: bool = False) -> list[str]:
    """Where the two readers differ on the bytes of a file; empty when they agree."""
    ours, theirs = fast(guarded(content), tunnels=tunnels), plain(content, tunnels=tunnels)
    if ours is None or theirs is None:
        return [] if ours is theirs else [f"only the {'plain' if ours is None else 'fast'} reader takes it"]
    found = []
    skipped = ours.report.skipped
    if skipped != dict(theirs.skipped):
        found.append(f"skipped: {skipped} against {dict(theirs.skipped)}")
    if len(ours.packets) != len(theirs.rows):
        return [*found, f"rows: {len(ours.packets)} against {len(theirs.rows)}"]
    return found + unequal_columns(ours.packets, theirs)


def unequal_columns(packets: PacketTable, theirs: Reading) -> list[str]:
    """Columns that differ, with the first row where they do."""
    found = []
    for name in PacketTable.column_names():
        column = getattr(packets, name)
        wanted = np.array([row[name] for row in theirs.rows], dtype=column.dtype if theirs.rows else None)
        if len(wanted) and not np.array_equal(column, wanted):
            row = int(np.flatnonzero(column != wanted)[0])
            found.append(f"{name}: {column[row]} against {wanted[row]} in row {row}, frame {packets.frame[row]}")
    return found
