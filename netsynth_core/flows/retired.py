"""Flows that are over, as compact rows: what is left of a flow while a capture is metered without its packets.

A row takes about 120 bytes. Rows that memory should not hold wait in a temporary file, in runs that are each in order
of the flows' first packets; in the end the runs are merged piece by piece. The file has no name: it is gone when
nobody needs it any more, however the process ends.
"""

import os
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.files import storage_error
from netsynth_core.flows.columns import HISTORY_WORDS, FlowColumns, FlowTotals, MeteredFlows

if TYPE_CHECKING:
    from netsynth_core.flows.table import FlowTable

ROW: Final = np.dtype(
    [
        ("ts", "i8"),
        ("serial", "i8"),
        ("duration", "i8"),
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("fwd_bytes", "i8"),
        ("bwd_bytes", "i8"),
        ("history", "u8", (HISTORY_WORDS,)),
        ("fwd_packets", "u4"),
        ("bwd_packets", "u4"),
        ("service", "i4"),
        ("server_name", "i4"),
        ("src_port", "u2"),
        ("dst_port", "u2"),
        ("proto", "u1"),
        ("flags", "u1"),
        ("state", "u1"),
    ]
)
"""One flow; `serial` counts flows in order of their first packets, the texts are numbers of their first appearance."""

HELD: Final = 1 << 17
"""Rows held in memory before they go to the file."""

_MERGED: Final = 1 << 17
"""Rows of all runs that are in memory while runs are merged."""


class RetiredFlows:
    """Collects flows that are over, in any order.

    Parameters
    ----------
    folder
        Where the temporary file is made when there are too many for memory; None = where the system has such files.
    held
        Rows held in memory.
    """

    def __init__(self, folder: Path | None = None, held: int = HELD) -> None:
        self._folder, self._most = folder, held
        self._parts: list[NDArray[Any]] = []
        self._held = 0
        self._services: dict[str, int] = {}
        self._names: dict[str, int] = {"": 0}
        self._counts: Counter[int] = Counter()
        self._told = False
        self._totals = FlowTotals()
        self._file: _Scratch | None = None
        self._runs: list[int] = []

    def add(self, flows: FlowColumns, serial: NDArray[np.int64]) -> None:
        """Take over some flows; `serial` are their numbers in order of their first packets."""
        rows = np.empty(len(flows), ROW)
        rows["serial"] = serial
        for name in ROW.names or ():
            if name not in ("serial", "service", "server_name"):
                rows[name] = getattr(flows, name)
        places = [self._services.setdefault(name, len(self._services)) for name in flows.services]
        rows["service"] = np.array(places, np.int32)[flows.service] if len(rows) else 0
        names = self._names
        rows["server_name"] = [names.setdefault(name, len(names)) for name in flows.server_name.tolist()]
        self._counts.update(dict(enumerate(np.bincount(rows["service"], minlength=1).tolist())))
        self._told = self._told or bool(rows["history"].any())
        self._totals += flows.totals()
        self._parts.append(rows)
        self._held += len(rows)
        if self._held >= self._most:
            self._spill()

    def flows(self) -> MeteredFlows:
        """All of them in order of their first packets; nothing can be added after it."""
        texts = _Texts(tuple(self._services), np.array(tuple(self._names), dtype=object))
        if self._file is None:
            rows = _in_order(self._parts)
            self._parts.clear()
            return texts.columns(rows)
        if self._held:
            self._spill()
        counts = {text: self._counts[code] for text, code in self._services.items() if self._counts[code]}
        return FlowParts(self._file, self._runs, texts, counts, self._totals, told=self._told)

    def _spill(self) -> None:
        """Put the rows in memory into the file as one run."""
        rows = _in_order(self._parts)
        self._parts.clear()
        self._held = 0
        try:
            if self._file is None:
                self._file = _Scratch(self._folder)
            self._file.append(rows)
        except OSError as error:
            raise storage_error(error, self._folder or Path(tempfile.gettempdir()), "write flows to") from error
        self._runs.append(len(rows))


class _Scratch:
    """Rows in a file without a name, closed when nobody holds it any more."""

    def __init__(self, folder: Path | None) -> None:
        self._handle = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        weakref.finalize(self, self._handle.close)

    def append(self, rows: NDArray[Any]) -> None:
        self._handle.seek(0, os.SEEK_END)
        self._handle.write(rows.view(np.uint8).data)
        self._handle.flush()

    def read(self, at: int, count: int) -> NDArray[Any]:
        self._handle.seek(at * ROW.itemsize)
        return np.frombuffer(self._handle.read(count * ROW.itemsize), ROW)


class _Texts:
    """The texts that rows name by number."""

    def __init__(self, services: tuple[str, ...], names: NDArray[np.object_]) -> None:
        self.services, self.names = tuple(sorted(services)), names
        self._place = np.array([self.services.index(name) for name in services], np.int32)

    def columns(self, rows: NDArray[Any]) -> FlowColumns:
        """Rows in order as columns."""
        told = {
            name: np.ascontiguousarray(rows[name]) for name in ROW.names or () if name not in ("serial", "server_name")
        }
        told["src_port"], told["dst_port"] = told["src_port"].astype(np.int32), told["dst_port"].astype(np.int32)
        for name in ("fwd_packets", "bwd_packets"):
            told[name] = told[name].astype(np.int64)
        told["service"] = self._place[told["service"]] if len(rows) else np.zeros(0, np.int32)
        return FlowColumns(**told, services=self.services, server_name=self.names[rows["server_name"]])


class FlowParts(MeteredFlows):
    """More flows than memory should hold, in a file, read in parts in order of their first packets."""

    def __init__(
        self,
        file: "_Scratch",
        runs: Sequence[int],
        texts: _Texts,
        counts: dict[str, int],
        totals: FlowTotals,
        *,
        told: bool,
    ) -> None:
        self._file, self._runs, self._texts, self._counts = file, tuple(runs), texts, counts
        self._totals, self._has_history = totals, told

    def __len__(self) -> int:
        return sum(self._runs)

    @property
    def has_history(self) -> bool:
        """Whether any flow has a history."""
        return self._has_history

    @property
    def has_server_names(self) -> bool:
        """Whether any flow has a server name."""
        return len(self._texts.names) > 1

    def service_counts(self) -> dict[str, int]:
        """Flows per service, ``""`` for unknown ones."""
        return dict(sorted(self._counts.items()))

    def totals(self) -> FlowTotals:
        """Sums over all flows."""
        return self._totals

    def parts(self) -> Iterator[FlowColumns]:
        """All flows, some thousands at a time."""
        for rows in self._merged():
            yield self._texts.columns(rows)

    def table(self) -> "FlowTable":
        """All flows as one table, in memory."""
        import pandas as pd

        from netsynth_core.flows.table import FlowTable

        return FlowTable.from_columns(pd.concat([part.table().frame for part in self.parts()], ignore_index=True))

    def _merged(self) -> Iterator[NDArray[Any]]:
        """Rows of all runs in order.

        Of each run the next rows are in memory. What comes no later than the last row of every run that goes on behind
        what is in memory can be told: nothing can come before it any more.
        """
        size = max(_MERGED // len(self._runs), 1)
        ends = np.cumsum(self._runs)
        at = ends - np.array(self._runs)
        waiting = [np.empty(0, ROW) for _ in self._runs]
        while True:
            for run, end in enumerate(ends.tolist()):
                if not len(waiting[run]) and at[run] < end:
                    waiting[run] = self._file.read(int(at[run]), min(size, end - int(at[run])))
                    at[run] += len(waiting[run])
            last = [
                (int(rows["ts"][-1]), int(rows["serial"][-1]))
                for rows, begin, end in zip(waiting, at, ends, strict=True)
                if begin < end
            ]
            parts = []
            for run, rows in enumerate(waiting):
                stop = len(rows)
                if last:
                    ts, serial = min(last)
                    first, same = np.searchsorted(rows["ts"], ts), np.searchsorted(rows["ts"], ts, side="right")
                    stop = int(first) + int(np.searchsorted(rows["serial"][first:same], serial, side="right"))
                parts.append(rows[:stop])
                waiting[run] = rows[stop:]
            yield _in_order(parts)
            if not last:
                return


def _in_order(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Rows of several parts by their first packets."""
    rows = np.concatenate([np.empty(0, ROW), *parts])
    return rows[np.lexsort((rows["serial"], rows["ts"]))]
