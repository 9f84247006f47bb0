"""First payloads of flows: their bytes, their true sizes, and the server that is asked for."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.packets import PROTO_TCP, PacketTable

_KNOWN: Final = 1 << 14
"""Requests whose server names are remembered, so that equal ones are looked at once; those of a window may be more."""
_LONGEST: Final = 64
"""Bytes of a name that is compared with those known; longer ones are looked at each time."""


@dataclass(frozen=True, eq=False)
class FirstPayloads:
    """First payload bytes, their true sizes and the name asked for, of both sides of flows."""

    heads: NDArray[np.uint8]
    """(n, 2, WIDTH), zero behind the end."""
    sizes: NDArray[np.int64]
    names: NDArray[np.object_]

    def take(self, rows: NDArray[np.int64]) -> "FirstPayloads":
        """Those of some flows."""
        return FirstPayloads(self.heads[rows], self.sizes[rows], self.names[rows])


class Heads:
    """The first payload bytes of each side, copied out of the windows."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]] = []
        self._names: dict[int, str] = {}
        self._known: dict[bytes, str] = {}

    def add(self, packets: PacketTable, rows: NDArray[np.int32], keys: NDArray[np.int64]) -> None:
        """Keep the heads of packets that are the first with payload of their side (key = 2 * flow + side)."""
        from netsynth_core.flows import _meter_kernels
        from netsynth_core.flows.services import WIDTH, server_name

        if not len(rows):
            return
        n = len(rows)
        heads, told, raw = np.empty((n, WIDTH), np.uint8), np.empty(n, np.uint8), np.empty((n, _LONGEST), np.uint8)
        _meter_kernels.first_bytes(
            packets.data, packets.payload_offset, packets.payload_captured, rows, heads, told, raw
        )
        self._parts.append((keys, heads, packets.payload_length[rows].astype(np.int64)))
        told[packets.proto[rows] != PROTO_TCP] = 0
        for at in np.flatnonzero(told == 2).tolist():
            name = server_name(packets.payload(int(rows[at])))
            if name:
                self._names[int(keys[at])] = name
        clear = np.flatnonzero(told == 1)
        if len(self._known) >= _KNOWN:
            self._known.clear()
        # what stands in the same bytes is looked at once
        asked = raw[clear].view(f"S{_LONGEST}")[:, 0].tolist()
        for text, row in dict(zip(asked, rows[clear].tolist(), strict=True)).items():
            if text not in self._known:
                self._known[text] = server_name(packets.payload(row))
        names = map(self._known.__getitem__, asked)
        self._names.update((key, name) for key, name in zip(keys[clear].tolist(), names, strict=True) if name)

    def draw(self, flows: NDArray[np.int64], records: int) -> FirstPayloads:
        """Hand out the heads of some of so many records, in the order given, and forget them."""
        from netsynth_core.flows.services import WIDTH

        place = np.full(records, -1, np.int64)
        place[flows] = np.arange(len(flows))
        heads = np.zeros((2 * len(flows), WIDTH), np.uint8)
        sizes = np.zeros(2 * len(flows), np.int64)
        left = []
        while self._parts:
            keys, part, lengths = self._parts.pop()
            at = place[keys >> 1]
            mine = at >= 0
            if mine.all():
                to = 2 * at + (keys & 1)
                heads[to], sizes[to] = part, lengths
                continue
            to = 2 * at[mine] + (keys[mine] & 1)
            heads[to], sizes[to] = part[mine], lengths[mine]
            left.append((keys[~mine], part[~mine], lengths[~mine]))
        if len(left) == 1:
            self._parts = left
        elif left:
            keys, part, lengths = (np.concatenate(columns) for columns in zip(*left, strict=True))
            self._parts.append((keys, part, lengths))
        return FirstPayloads(
            heads.reshape(len(flows), 2, WIDTH), sizes.reshape(len(flows), 2), self._drawn_names(place, len(flows))
        )

    def _drawn_names(self, place: NDArray[np.int64], flows: int) -> NDArray[np.object_]:
        names = np.full((flows, 2), "", dtype=object)
        keys = np.fromiter(self._names, np.int64, len(self._names))
        texts = np.fromiter(self._names.values(), np.object_, len(keys))
        at = place[keys >> 1]
        mine = at >= 0
        names[at[mine], keys[mine] & 1] = texts[mine]
        self._names = dict(zip(keys[~mine].tolist(), texts[~mine].tolist(), strict=True))
        return names
