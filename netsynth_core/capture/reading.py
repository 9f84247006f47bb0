"""Reading captures: the whole way from files to one packet table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netsynth_core.capture.dissect import dissect
from netsynth_core.capture.packets import Capture, PacketTable, ReadReport
from netsynth_core.capture.records import read_frames
from netsynth_core.errors import NotEnoughData
from netsynth_core.monitor import SILENT, Monitor


def read_capture(path: str | Path, *, monitor: Monitor = SILENT) -> Capture:
    """Read a pcap or pcapng file, plain or gzip.

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
        When it cannot be read, is a directory, or is empty.
    """
    packets, report = dissect(read_frames(path, monitor=monitor), str(path), monitor=monitor)
    return Capture(packets, report)


def read_captures(paths: Sequence[str | Path], *, monitor: Monitor = SILENT) -> tuple[PacketTable, list[ReadReport]]:
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
    captures = [read_capture(path, monitor=monitor) for path in paths]
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
