"""First payloads of flows: their bytes, their true sizes, and the server that is asked for."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.packets import PROTO_TCP, PacketTable

_KNOWN: Final = 1 << 14
"""Requests whose server names are remembered, so that equal ones are looked at once; those of a window may be more."""
_LONGEST: Final = 64
"""Bytes of a name that is compared with those known; longer ones are looked at each time."""

_HELLO: Final = 4096
"""Bytes of a ClientHello that are kept until it is whole."""
_HELD: Final = 32 << 20
_EACH: Final = 256
"""Most bytes of all that are not whole yet, and what each takes beside its own; the oldest are given up first."""


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
        self._hellos: dict[int, tuple[int, bytearray]] = {}
        self._longer: dict[int, tuple[bytes, int]] = {}
        self._held = 0

    def add(
        self, packets: PacketTable, rows: NDArray[np.int32], keys: NDArray[np.int64], pieces: NDArray[np.bool_]
    ) -> None:
        """Keep the heads of packets that are the first with payload of their side (key = 2 * flow + side).

        `pieces` are packets that hold parts of a ClientHello, the first right behind its own head.
        """
        from netsynth_core.flows import _meter_kernels
        from netsynth_core.flows.services import WIDTH, server_name

        if not len(rows):
            return
        if pieces.any():
            for at in np.flatnonzero(pieces).tolist():
                begins = at > 0 and not pieces[at - 1] and rows[at - 1] == rows[at]
                self._put_together(int(keys[at]), packets.payload(int(rows[at])), begins=begins)
            rows, keys = rows[~pieces], keys[~pieces]
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

    def _put_together(self, key: int, payload: bytes, *, begins: bool) -> None:
        """Add a part to a ClientHello; one that is whole is looked at."""
        if begins:
            self._hellos[key] = len(payload), bytearray()
            self._held += _EACH
        elif key not in self._hellos:
            return
        text = self._hellos[key][1]
        more = payload[: _HELLO - len(text)]
        text += more
        self._held += len(more)
        if len(text) >= _size_of(text):
            self._finish(key)
        while self._held > _HELD:
            self._finish(next(iter(self._hellos)))

    def _finish(self, key: int) -> None:
        """Look at what came of a ClientHello, and forget it."""
        from netsynth_core.flows.services import WIDTH, server_name

        first, text = self._hellos.pop(key)
        self._held -= len(text) + _EACH
        name = server_name(bytes(text))
        if name:
            self._names[key] = name
        if first < min(WIDTH, len(text)):
            self._longer[key] = bytes(text[:WIDTH]), len(text)

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
        for key in _mine(self._hellos, place):
            self._finish(key)
        for key in _mine(self._longer, place):
            text, size = self._longer.pop(key)
            to = 2 * int(place[key >> 1]) + (key & 1)
            heads[to, : len(text)], sizes[to] = np.frombuffer(text, np.uint8), size
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


def _mine(held: dict[int, Any], place: NDArray[np.int64]) -> list[int]:
    """The keys whose flows have a place."""
    if not held:
        return []
    keys = np.fromiter(held, np.int64, len(held))
    mine: list[int] = keys[place[keys >> 1] >= 0].tolist()
    return mine


def _size_of(hello: bytearray) -> int:
    """Bytes of a ClientHello with the headers of its record, as far as they tell; the most that are kept elsewhere."""
    if len(hello) < 9:
        return _HELLO
    record, body = int.from_bytes(hello[3:5], "big") + 5, int.from_bytes(hello[6:9], "big") + 9
    return min(record, _HELLO) if body <= record and hello[1] == 3 and hello[5] == 1 else _HELLO
