"""Frames to a pcap file (nanosecond stamps, Ethernet), in order of time, through one small buffer.

Frames come in batches; of each batch those before `until` are written, the others wait for the next, so memory holds
the packets of flows that overlap, not the file.
"""

import struct
from dataclasses import dataclass, field
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.forge.columns import FlowFacts, Frames, HostFacts, Patterns
from netsynth_core.forge.headers import PCAP_FILE
from netsynth_core.forge.payloads.text import running_text
from netsynth_core.forge.tcp import LAYOUTS

BUFFER: Final = 4 << 20
_MSS, _STAMP = 2, 8


@dataclass
class Writer:
    """Writes frames; IP identification counters live as long as the file."""

    handle: BinaryIO
    flows: FlowFacts
    hosts: HostFacts
    counters: NDArray[np.uint16]
    packets: int = 0
    bytes: int = 0
    _buffer: NDArray[np.uint8] = field(default_factory=lambda: np.empty(BUFFER, np.uint8))
    _waiting: list[Frames] = field(default_factory=list)

    def open(self) -> None:
        """Write the file header, little-endian."""
        codes = {4: "I", 2: "H"}
        form = "<" + "".join(codes[part.width] for part in PCAP_FILE)
        self.handle.write(struct.pack(form, *(part.default for part in PCAP_FILE)))

    def add(self, frames: Frames, patterns: Patterns, *, until: int | None) -> None:
        """Take a batch and write every frame that came before `until` (all, when it is None)."""
        batches = [*self._waiting, frames]
        joined = Frames._make(np.concatenate([getattr(b, name) for b in batches]) for name in Frames._fields)
        order = np.argsort(joined.ts, kind="stable")
        count = len(order) if until is None else int(np.searchsorted(joined.ts[order], until, side="left"))
        self._emit(order[:count], joined, patterns)
        # kept in the order given, so that equal instants keep the order of their flows
        rest = np.sort(order[count:])
        self._waiting = [Frames._make(column[rest] for column in joined)] if len(rest) else []

    def _emit(self, order: NDArray[np.int64], frames: Frames, patterns: Patterns) -> None:
        from netsynth_core.forge._kernels import emit

        options = np.zeros((len(LAYOUTS), 40), np.uint8)
        for row, layout in enumerate(LAYOUTS):
            options[row, : len(layout.raw)] = np.frombuffer(layout.raw, np.uint8)
        sizes = np.array([len(layout.raw) for layout in LAYOUTS], np.int64)
        mss_at = np.array([layout.at(_MSS) for layout in LAYOUTS], np.int64)
        stamp_at = np.array([layout.at(_STAMP) for layout in LAYOUTS], np.int64)
        ends = np.zeros(1, np.int64)
        low = 0
        while low < len(order):
            count, used = emit(
                order, low, frames, self.flows, self.hosts, patterns, running_text(),
                options, sizes, mss_at, stamp_at, self.counters, self._buffer, ends,
            )  # fmt: skip
            self.handle.write(self._buffer[:used].data)
            low += count
            self.packets += count
            self.bytes += int(ends[0])


def host_columns(
    hi: NDArray[np.uint64], lo: NDArray[np.uint64], mac: NDArray[np.uint8], ttl: NDArray[np.uint8]
) -> HostFacts:
    """Hosts as the kernel takes them."""
    words = np.stack([hi, lo], axis=1).astype(">u8")
    return HostFacts(words.view(np.uint8).reshape(len(hi), 16).copy(), mac, ttl)
