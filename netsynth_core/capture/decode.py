"""Decoding: bytes of a capture, whole or window after window, become rows of `PacketTable` and one `ReadReport`.

A frame that holds no whole IP packet gives no row; it is counted by reason, with the number of the first of its kind.
Nothing raises on broken bytes. Later IP fragments are attributed to their first one across windows.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture import pcap, pcapng
from netsynth_core.capture.links import link_name, link_table, protocol_name
from netsynth_core.capture.packets import PacketTable, ReadReport
from netsynth_core.capture.reasons import CODES, NO_INTERFACE, REASONS
from netsynth_core.capture.records import is_capture, read_head, unknown_format
from netsynth_core.monitor import SILENT, Monitor

_DTYPES: Final = {
    "ts": np.int64,
    "src_hi": np.uint64,
    "src_lo": np.uint64,
    "dst_hi": np.uint64,
    "dst_lo": np.uint64,
    "proto": np.uint8,
    "src_port": np.uint16,
    "dst_port": np.uint16,
    "ip_length": np.int32,
    "flags": np.uint8,
    "seq": np.uint32,
    "ack": np.uint32,
    "window": np.uint16,
    "ttl": np.uint8,
    "payload_offset": np.int64,
    "payload_length": np.int32,
    "payload_captured": np.int32,
    "frame": np.uint32,
    "ip_id": np.uint16,
    "header_length": np.uint8,
    "fragment": np.uint8,
}

_STEP: Final = 32 << 20
"""Bytes between two reports of progress."""

_NO_HALT: Final = 1 << 62
_FIRST_ROWS: Final = 1 << 14
_SHORTEST: Final = 36
"""Bytes of the shortest record that can be a row: a record header and an IPv4 header."""


class Decoder:
    """Reads one capture file; what was met so far lives here from window to window.

    Parameters
    ----------
    head
        The first bytes of the (unpacked) file.
    path
        What messages and the report call the file.
    tunnels
        Whether to look one level into tunnels.
    file
        Number for the column `file`.

    Raises
    ------
    UnknownFormat, TruncatedCapture
        When `head` is not the start of a capture.
    """

    def __init__(
        self, head: bytes, path: str | Path, *, tunnels: bool = False, file: int = 0, monitor: Monitor = SILENT
    ) -> None:
        from netsynth_core.capture._kernels import layout

        self._path, self._file, self._monitor = str(path), file, monitor
        self._tunnels = tunnels
        self._header = pcap.PcapHeader(big=False, fraction_ns=0, record_header=0, swapped=False, link=0)
        if not is_capture(head):
            raise unknown_format(head, Path(path))
        if head[:4] == pcapng.MAGIC:
            self.format = "pcapng"
            self._section, self.position = pcapng.first_section(head, path)
        else:
            self.format = "pcap"
            self._header = pcap.read_pcap_header(head, path)
            # classic pcap is a section of one interface
            self._section, self.position = pcapng.Section(big=self._header.big), pcap.HEADER_SIZE
            self._section.describe(self._header.link)
        self.start = self.position
        """The byte from which on the bytes of the next table are needed."""
        self.done = False
        """Whether the end, or damage that ends reading, was reached."""
        self.truncated = False
        self.notes: list[str] = []
        self._links = link_table()
        self._first = self.position
        self._rows_before = 0
        self._counts, self._firsts = np.zeros(CODES, np.int64), np.zeros(CODES, np.int64)
        self._protocols = np.zeros(256, np.int64)
        self._room = tuple(np.zeros(layout.FIELDS, np.int64) for _ in range(2))
        self._fragments = (
            np.zeros((layout.SLOTS, layout.KEYS), np.uint64),
            np.zeros((layout.SLOTS, layout.FACTS), np.int64),
            np.zeros((layout.SLOTS, layout.WAITING, 2), np.int64),
            np.zeros(layout.KEYS, np.uint64),
        )
        self._state = np.zeros(layout.STATE, np.int64)
        self._base = 0
        self._edge: tuple[int, int, int] | None = None
        # frames, instant of the last one, earliest and latest instant and sum of the true lengths of the rows
        self._totals: tuple[int, ...] = (0, 0, np.iinfo(np.int64).max, np.iinfo(np.int64).min, 0)
        self._rows = 0
        self._columns = _columns(0)

    def read(self, data: NDArray[np.uint8], base: int, stop: int, *, final: bool, size: int | None) -> bool:
        """Read records until one starts at `stop` or behind it, or the bytes or the file end.

        Parameters
        ----------
        data
            Bytes of the file from byte `base` on, which is not behind `start`.
        stop
            A byte of the file. Where later fragments wait for their first one there, `REACH` frames beyond it are
            read too; their rows stay for the next table.
        final
            Whether the file ends with `data`.
        size
            Bytes of the file, for reports of progress; None where that is not known.

        Returns
        -------
        bool
            False where `data` ends too early: more bytes of the file are needed to reach `stop`.
        """
        from netsynth_core.capture._kernels import layout

        if final and self.position > base + len(data):
            # a section header that claims more bytes than the file has
            self._finish(short=True)
        if self._rows and base != self._base:
            self._columns["payload_offset"][: self._rows] += self._base - base
        self._base = base
        pause = self._pause(stop)
        while not self.done:
            self._make_room(stop)
            status = self._decode(data, base, pause - base, final=final)
            if status == layout.PAUSED:
                packets = self._rows_before + self._rows
                self._monitor.step("reading packets", min(self.position, size or self.position), size, packets=packets)
                if self._edge is not None:
                    return True
                if self.position >= stop:
                    until = int(self._state[layout.WAITS_UNTIL])
                    if self._totals[0] >= until:
                        return True
                    self._edge = self.position, self._rows, until
                pause = self._pause(stop)
            elif status in (layout.SECTION, layout.INTERFACE_BLOCK):
                if not self._describe(data, base, final=final):
                    return False
            elif status == layout.SHORT:
                if not final:
                    return False
                self._finish(short=self.position != base + len(data), left=base + len(data) - self.position)
            elif status == layout.DAMAGED:
                self._damaged()
        return True

    def take(self, data: NDArray[np.uint8]) -> PacketTable:
        """The rows read since the last call up to `stop`; `data` is what they point into."""
        from netsynth_core.capture._kernels import layout

        whole = self._edge is None or self.done
        rows = self._rows if whole or self._edge is None else self._edge[1]
        self.start = self.position if whole or self._edge is None else self._edge[0]
        self._edge = None
        columns: dict[str, Any] = {name: column[:rows] for name, column in self._columns.items()}
        # zeros that nobody reads cost no memory
        columns["file"] = np.full(rows, self._file, np.uint16) if self._file else np.zeros(rows, np.uint16)
        kept = _columns(self._rows - rows)
        for name, column in kept.items():
            column[:] = self._columns[name][rows : self._rows]
        self._rows_before += rows
        self._state[layout.TAKEN] = self._rows_before
        self._rows, self._columns = len(kept["ts"]), kept
        return PacketTable(data=data, **columns)

    def report(self, *, packing: str = "", problem: str = "") -> ReadReport:
        """What was met; `packing` is how the file was compressed, `problem` what was wrong with that."""
        from netsynth_core.capture._kernels import layout

        counts, undated = self._counts, int(self._state[layout.UNDATED])
        frames, _, earliest, latest, total = self._totals
        skipped = {REASONS[code]: int(counts[code]) for code in np.argsort(-counts, kind="stable") if counts[code]}
        codes = {text: code for code, text in REASONS.items()}
        notes = list(self.notes)
        if undated:
            notes.append(
                f"{undated} packets carry no instant (simple packet blocks); they took that of the packet before."
            )
        if problem:
            notes.insert(
                0, f"The {packing} data end too early or are damaged ({problem}); what could be unpacked was read."
            )
        if frames == 0:
            notes.append("The file holds a header and no packets.")
        elif self._rows_before == 0:
            notes.append("No frame of the file holds an IP packet.")
        order = np.argsort(-self._protocols, kind="stable")
        return ReadReport(
            path=self._path,
            format=f"{packing} {self.format}".lstrip(),
            packets=self._rows_before,
            bytes=total,
            first_ts=earliest if self._rows_before else None,
            last_ts=latest if self._rows_before else None,
            link_types=self._link_types(),
            skipped=skipped,
            first_skipped={text: int(self._firsts[codes[text]]) for text in skipped},
            protocols={protocol_name(int(k)): int(self._protocols[k]) for k in order if self._protocols[k]},
            notes=tuple(notes),
            truncated=self.truncated or bool(problem),
        )

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _decode(self, data: NDArray[np.uint8], base: int, pause: int, *, final: bool) -> int:
        """Run the kernel from `position` on; returns why it came back."""
        from netsynth_core.capture._kernels import LOOPS

        section, header = self._section, self._header
        rare = self._tunnels or section.rare
        halt = _NO_HALT if self._edge is None else self._edge[2]
        loop = LOOPS[int(self.format == "pcap"), int(rare)]
        status, at, self._rows, *totals = loop(
            data, final, pause, halt, section.big, header.record_header, header.fraction_ns, header.swapped,
            self._tunnels, section.table, self._links, pcapng.unit_table(), section.interfaces, self._state,
            self._counts, self._firsts, self._protocols, *self._room, *self._fragments,
            self.position - base, self._rows, *self._totals, *self._columns.values(),
        )  # fmt: skip
        self._totals = tuple(totals)
        self.position = base + at
        return int(status)

    def _pause(self, stop: int) -> int:
        """The byte of the file where the kernel comes back; beyond `stop` it counts frames instead."""
        return min(stop, self.position + _STEP) if self._edge is None else _NO_HALT

    def _make_room(self, stop: int) -> None:
        """Columns with room for more rows, about as many as the bytes up to `stop` will need."""
        rows = self._rows
        if rows < len(self._columns["ts"]):
            return
        left = max(stop - self.position, 0)
        seen = self._rows_before + rows
        if seen < _FIRST_ROWS // 2:
            more = _FIRST_ROWS
        else:
            more = int(left * seen / max(self.position - self._first, 1) * 1.05) + 1024
        grown = _columns(rows + max(min(more, left // _SHORTEST + 1), rows // 16, 256))
        if rows:
            for name, column in self._columns.items():
                grown[name][:rows] = column
        self._columns = grown

    def _describe(self, data: NDArray[np.uint8], base: int, *, final: bool) -> bool:
        """Read section headers and interface descriptions that follow one another; False where bytes are missing."""
        while True:
            at = self.position - base
            head = data[at : at + pcapng.SHORTEST_SECTION].tobytes()
            if head[:4] == pcapng.MAGIC:
                if len(head) < pcapng.SHORTEST_SECTION:
                    if final:
                        self._finish(short=True)
                    return final
                opened = pcapng.read_section(head)
                if opened is None:
                    self._damaged()
                    return True
                if opened[0].version[0] != 1:
                    version = pcapng.dotted(opened[0])
                    self.notes.append(
                        f"The section at byte {self.position} is of version {version}, which cannot be read."
                    )
                    self.done = self.truncated = True
                    return True
                if at + opened[1] > len(data):
                    if final:
                        self._finish(short=True)
                    return final
                self._section, size = opened
            else:
                order = "big" if self._section.big else "little"
                kind, size = (int.from_bytes(head[k : k + 4], order) for k in (0, 4))  # type: ignore[arg-type]
                if kind != 1 or len(head) < 12 or at + size > len(data) or size % 4 or size < 12:
                    # the kernel judges
                    return True
                if size < 20:
                    self._damaged()
                    return True
                self._section.add(data[at : at + size].tobytes())
            self.position += size

    def _finish(self, *, short: bool, left: int = 0) -> None:
        """The end of the file, in the middle of a record when `short`."""
        frames = self._totals[0]
        self.done = True
        if short:
            self.truncated = True
            if self.format == "pcap":
                note = f"The file ends in the middle of packet {frames + 1}, {left} bytes into its record."
            else:
                note = f"The file ends in the middle of a block, after packet {frames}."
            self.notes.append(note)

    def _damaged(self) -> None:
        """A record that cannot be: reading ends there."""
        frames = self._totals[0]
        if self.format == "pcap":
            what = f"The record header of packet {frames + 1} (byte {self.position}) is damaged"
        else:
            what = f"The block at byte {self.position}, after packet {frames}, is damaged"
        self.notes.append(f"{what}; reading stopped there.")
        self.done = self.truncated = True

    def _link_types(self) -> dict[str, int]:
        """Frames per link type name."""
        from netsynth_core.capture._kernels import layout

        seen = self._links[:, layout.FRAMES]
        names: dict[str, int] = {}
        for link in np.flatnonzero(seen).tolist():
            names[link_name(link)] = names.get(link_name(link), 0) + int(seen[link])
        if self._counts[NO_INTERFACE]:
            names["unknown"] = int(self._counts[NO_INTERFACE])
        return names


def _columns(capacity: int) -> dict[str, NDArray[Any]]:
    """Columns with room for so many rows, in the order in which the kernel takes them."""
    return {name: np.empty(capacity, dtype) for name, dtype in _DTYPES.items()}


def kernels_cached(path: str | Path | None = None) -> bool:
    """Whether what decodes a capture is kept compiled, so that reading starts at once.

    Without it the first reading compiles for a few seconds: callers that talk to a person can say so before.

    Parameters
    ----------
    path
        The capture; None for a classic pcap file.
    """
    from netsynth_core.capture._kernels import LOOPS

    classic = path is None or read_head(Path(path), 4) != pcapng.MAGIC
    return bool(LOOPS[int(classic), 0].is_kept())
