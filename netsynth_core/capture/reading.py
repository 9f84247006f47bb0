"""Reading captures: the whole way from files to one packet table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.decode import Decoder
from netsynth_core.capture.options import ReadOptions
from netsynth_core.capture.packets import Capture, PacketTable, ReadReport
from netsynth_core.capture.unpack import load_bytes, packing_of, too_large
from netsynth_core.capture.windows import CaptureWindows
from netsynth_core.errors import NotEnoughData
from netsynth_core.files import require_file
from netsynth_core.monitor import SILENT, Monitor

__all__ = ["CaptureWindows", "ReadOptions", "join_packets", "read_bytes", "read_capture", "read_captures"]


def read_capture(path: str | Path, options: ReadOptions | None = None, *, monitor: Monitor = SILENT) -> Capture:
    """Read a pcap or pcapng file, plain, gzip or Zstandard.

    A plain file is mapped, not read into memory; a compressed one is unpacked in memory, up to a limit. For files
    larger than memory there is `CaptureWindows`.

    Returns
    -------
    Capture
        The IP packets in file order, and the report on everything else.

    Raises
    ------
    UnknownFormat
        When the file is no capture; the message names what it is.
    TruncatedCapture
        When the file ends inside its own header.
    StorageError
        When it cannot be read, is a directory, or is empty; when memory cannot hold it at once.
    """
    target = require_file(path)
    data, problem = load_bytes(target, monitor=monitor)
    with target.open("rb") as handle:
        packing = packing_of(handle.read(4))
    return _read(data, path, options, packing=packing, problem=problem or "", monitor=monitor)


def read_bytes(content: bytes, name: str = "capture", options: ReadOptions | None = None) -> Capture:
    """Read a capture that is held in memory, not compressed.

    Raises
    ------
    UnknownFormat, TruncatedCapture
        As `read_capture`.
    """
    return _read(np.frombuffer(content, np.uint8), name, options)


def _read(
    data: NDArray[np.uint8],
    name: str | Path,
    options: ReadOptions | None,
    *,
    packing: str = "",
    problem: str = "",
    monitor: Monitor = SILENT,
) -> Capture:
    tunnels = (options or ReadOptions()).tunnels
    decoder = Decoder(data[:4096].tobytes(), name, tunnels=tunnels, monitor=monitor)
    size = len(data)
    try:
        while not decoder.done:
            decoder.read(data, 0, size + 1, final=True, size=size)
    except MemoryError as error:
        raise too_large(name) from error
    packets = decoder.take(data)
    return Capture(packets, decoder.report(packing=packing, problem=problem))


def read_captures(
    paths: Sequence[str | Path], options: ReadOptions | None = None, *, monitor: Monitor = SILENT
) -> tuple[PacketTable, list[ReadReport]]:
    """Read several captures into one table, ordered by time where there is more than one file.

    Raises
    ------
    NotEnoughData
        When no path is given.
    UnknownFormat, TruncatedCapture, StorageError
        As `read_capture`.
    """
    if not paths:
        raise NotEnoughData("No capture was given.", hint="Name at least one .pcap or .pcapng file.")
    captures = [read_capture(path, options, monitor=monitor) for path in paths]
    reports = [capture.report for capture in captures]
    if len(captures) == 1:
        return captures[0].packets, reports
    return join_packets([capture.packets for capture in captures]), reports


def join_packets(tables: Sequence[PacketTable]) -> PacketTable:
    """One table of several, rows in order of time, ties in the order given; the bytes are copied behind one another."""
    data = np.concatenate([table.data for table in tables])
    data.setflags(write=False)
    starts = np.cumsum([0, *(len(table.data) for table in tables[:-1])])
    columns = {name: np.concatenate([getattr(t, name) for t in tables]) for name in PacketTable.column_names()}
    columns["payload_offset"] = np.concatenate(
        [table.payload_offset + start for table, start in zip(tables, starts, strict=True)]
    )
    columns["file"] = np.repeat(np.arange(len(tables), dtype=np.uint16), [len(table) for table in tables])
    order = np.argsort(columns["ts"], kind="stable")
    return PacketTable(data=data, **{name: column[order] for name, column in columns.items()})
