"""Packets of windows in order of time: slight disorder at the edges of windows, and several captures at once.

What stands in the order of a file by and large comes out in the order of time that the whole file would be sorted to.
A packet that is older than what was handed on already comes as soon as it is met.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.packets import PacketTable
from netsynth_core.capture.reading import join_packets
from netsynth_core.units import NS_PER_S

HOLD: Final = NS_PER_S
"""How far behind the newest packet of its window one may stand and still wait for the next window, ns."""

MOST: Final = 1 << 16
"""Packets that wait at most: those that came last in time."""


def in_order(windows: Iterable[PacketTable], *, hold: int = HOLD, most: int = MOST) -> Iterator[PacketTable]:
    """The packets of windows, such that no table holds one older than the newest of the table before it.

    The newest packets of each window wait for the next one. Equal instants stay in the order of the file. Within a
    table rows may stand in any order of time.

    Parameters
    ----------
    windows
        Tables in order of the file.
    hold
        How long packets wait, ns by the clock of the capture.
    most
        How many packets wait at most.
    """
    waiting: PacketTable | None = None
    latest = np.iinfo(np.int64).min
    for window in windows:
        if not len(window):
            continue
        latest = max(latest, int(window.ts.max()))
        edge = _edge(window.ts if waiting is None else np.concatenate([waiting.ts, window.ts]), latest - hold, most)
        told, late = window.ts <= edge, window.ts > edge
        if waiting is not None:
            ready = waiting.ts <= edge
            if ready.any():
                before = _rows(waiting, np.flatnonzero(ready))
                early = window.ts < before.ts.max()
                if early.any():
                    before = join_packets([before, _copied(window, np.flatnonzero(early))])
                    told &= ~early
                yield before
            waiting = None if ready.all() else _rows(waiting, np.flatnonzero(~ready))
        if told.any():
            yield _rows(window, np.flatnonzero(told))
        if late.any():
            newest = _copied(window, np.flatnonzero(late))
            waiting = newest if waiting is None else join_packets([waiting, newest])
    if waiting is not None:
        yield waiting


def _edge(ts: NDArray[np.int64], edge: int, most: int) -> int:
    """The instant up to which packets are told: `edge`, or later where more than `most` would wait."""
    if np.count_nonzero(ts > edge) > most:
        return int(np.partition(ts, len(ts) - most - 1)[len(ts) - most - 1])
    return edge


def merged(captures: Sequence[Iterable[PacketTable]], starts: Sequence[int] | None = None) -> Iterator[PacketTable]:
    """The packets of several captures by time, equal instants in the order the captures are given.

    Of each capture that others overlap in time one window is in memory, more only where the packets of a window are of
    one instant. What comes from one capture alone is handed on as it is.

    Parameters
    ----------
    captures
        Each in order of time by and large (`in_order`).
    starts
        An instant before the first packet of each, ns: until then it is not asked for packets. None = at once.
    """
    begins = starts or [np.iinfo(np.int64).min] * len(captures)
    sources = [_Source(iter(capture), begin) for capture, begin in zip(captures, begins, strict=True)]
    while True:
        for source in sources:
            if source.begun:
                source.fill()
        # what can be told is older than the newest packet of each capture that goes on, and than those not begun
        edge = min((source.edge for source in sources if source.goes_on), default=None)
        next_one = min((source for source in sources if not source.begun), key=lambda s: s.begin, default=None)
        if next_one is not None and (edge is None or next_one.begin <= edge):
            next_one.begun = True
            continue
        if edge is None and not any(source.held for source in sources):
            return
        told = [source.draw(edge) for source in sources]
        alone = [tables for tables in told if tables]
        if len(alone) == 1:
            yield from alone[0]
        elif alone:
            yield join_packets([_copied(table, np.arange(len(table))) for tables in alone for table in tables])
        else:
            # all that is in memory of one capture is of one instant: more of it may follow
            for source in sources:
                if source.goes_on and source.edge == edge:
                    source.fill(more=True)


class _Source:
    """One of several captures: what of it is in memory."""

    def __init__(self, tables: Iterator[PacketTable], begin: int) -> None:
        self._tables, self.begin = tables, begin
        self.held: list[PacketTable] = []
        self.begun, self._open = False, True

    @property
    def goes_on(self) -> bool:
        """Whether there may be packets behind those in memory."""
        return self.begun and self._open

    @property
    def edge(self) -> int:
        """The newest instant in memory, ns."""
        return max(int(table.ts.max()) for table in self.held)

    def fill(self, *, more: bool = False) -> None:
        """Have packets in memory, or some more than there are, if the capture goes on."""
        while self._open and (more or not self.held):
            packets = next(self._tables, None)
            if packets is None:
                self._open = False
            elif len(packets):
                self.held.append(packets)
                more = False

    def draw(self, edge: int | None) -> list[PacketTable]:
        """Hand out the packets before an instant, all where it is None."""
        told, left = [], []
        for table in self.held:
            mine = np.ones(len(table), np.bool_) if edge is None else table.ts < edge
            if mine.any():
                told.append(_rows(table, np.flatnonzero(mine)))
            if not mine.all():
                left.append(_rows(table, np.flatnonzero(~mine)))
        self.held = left
        return told


def _rows(packets: PacketTable, rows: NDArray[np.int64]) -> PacketTable:
    """Some rows of a table, over the same bytes; a run of rows is not copied."""
    if len(rows) and int(rows[-1]) - int(rows[0]) + 1 == len(rows):
        where: slice | NDArray[np.int64] = slice(int(rows[0]), int(rows[-1]) + 1)
    else:
        where = rows
    return replace(packets, **{name: getattr(packets, name)[where] for name in PacketTable.column_names()})


def _copied(packets: PacketTable, rows: NDArray[np.int64]) -> PacketTable:
    """Some rows of a table, with a copy of the bytes from the first to the last of them."""
    chosen = _rows(packets, rows)
    first = int((chosen.payload_offset - chosen.header_length).min())
    last = int((chosen.payload_offset + np.maximum(chosen.payload_captured, 0)).max())
    data = packets.data[max(first, 0) : last].copy()
    data.setflags(write=False)
    columns = {name: np.array(getattr(chosen, name)) for name in PacketTable.column_names()}
    columns["payload_offset"] -= max(first, 0)
    return PacketTable(data=data, **columns)
