"""What the rules of services look at: the first payload bytes of either direction of many flows at once.

Bytes are kept by column, each taken from the heads once, so that a test on one byte of 50,000 flows costs microseconds.
A test that needs arithmetic first narrows to the flows that pass a cheap gate (`Side.where`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 96
"""First payload bytes of a direction that rules see."""

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]
SideTest = Callable[["Side"], Mask]
Test = Callable[["Evidence"], Mask]


@dataclass(frozen=True, eq=False)
class Side:
    """First payload bytes of one direction of many flows."""

    head: NDArray[np.uint8]
    """(n, WIDTH), zero behind the end."""
    size: Numbers
    """True payload length of that packet, bytes; 0 without payload."""
    _kept: dict[tuple[int, int, bool], NDArray[np.uint8] | Numbers] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.size)

    def byte(self, position: int) -> NDArray[np.uint8]:
        """One byte of each."""
        key = (position, 1, True)
        if key not in self._kept:
            self._kept[key] = np.ascontiguousarray(self.head[:, position])
        return self._kept[key]  # type: ignore[return-value]

    def number(self, position: int, width: int, *, little: bool = False) -> Numbers:
        """`width` bytes of each as an unsigned number, big-endian unless `little`."""
        key = (position, -width, little)
        if key not in self._kept:
            order = range(width - 1, -1, -1) if little else range(width)
            value = np.zeros(len(self), np.int64)
            for k in order:
                value = value << 8 | self.byte(position + k)
            self._kept[key] = value
        return self._kept[key]  # type: ignore[return-value]

    def word(self, position: int, *, little: bool = False) -> Numbers:
        """Two bytes of each."""
        return self.number(position, 2, little=little)

    def long(self, position: int, *, little: bool = False) -> Numbers:
        """Four bytes of each."""
        return self.number(position, 4, little=little)

    def pick(self, positions: Numbers) -> Numbers:
        """The byte at a position of its own of each; 0 behind the head."""
        inside = (positions >= 0) & (positions < self.head.shape[1])
        found = self.head[np.arange(len(self)), np.where(inside, positions, 0)].astype(np.int64)
        return np.where(inside, found, 0)

    def among(self, position: int, values: Iterable[int]) -> Mask:
        """Which have one of the values at `position`."""
        table = np.zeros(256, np.bool_)
        table[list(values)] = True
        return as_mask(table[self.byte(position)])

    def at(self, position: int, text: bytes) -> Mask:
        """Which hold `text` at `position`."""
        if len(text) < 4:
            hit = self.byte(position) == text[0]
            for k in range(1, len(text)):
                hit &= self.byte(position + k) == text[k]
            return as_mask(hit & (self.size >= position + len(text)))
        hit = self.long(position) == int.from_bytes(text[:4], "big")
        rows = np.flatnonzero(hit)
        rest = np.frombuffer(text, np.uint8)[4:]
        same = np.all(self.head[rows, position + 4 : position + len(text)] == rest, axis=1)
        hit[rows] = same & (self.size[rows] >= position + len(text))
        return as_mask(hit)

    def starts(self, *texts: bytes) -> Mask:
        """Which begin with one of the texts."""
        hit = self.nothing()
        for text in texts:
            hit |= self.at(0, text)
        return hit

    def says(self, *words: bytes) -> Mask:
        """Which begin with one of these words of four or more capital letters, in any case, with a space or line end
        behind it."""
        folded = self.long(0) & 0xDFDFDFDF
        hit = self.nothing()
        for word in words:
            rows = np.flatnonzero(folded == int.from_bytes(word[:4], "big"))
            if not len(rows):
                continue
            part = self.head[rows]
            same = np.all(part[:, 4 : len(word)] & 0xDF == np.frombuffer(word, np.uint8)[4:], axis=1)
            end = np.isin(part[:, len(word)], (0x20, 0x0D, 0x0A)) | (self.size[rows] == len(word))
            hit[rows] |= same & end
        return hit

    def holds(self, text: bytes) -> Mask:
        """Which hold `text` anywhere in the head. Reads row by row: gate it."""
        raw, width = self.head.tobytes(), self.head.shape[1]
        return np.array([text in raw[k * width : (k + 1) * width] for k in range(len(self))], np.bool_)

    def printable(self, count: int) -> Mask:
        """Which begin with `count` or more printable ASCII characters, tabs or line ends."""
        hit = self.size >= count
        for k in range(count):
            hit = hit & _PRINTABLE[self.byte(k)]
        return as_mask(hit)

    def nothing(self) -> Mask:
        """No flow."""
        return np.zeros(len(self), np.bool_)

    def take(self, rows: Numbers) -> "Side":
        """The same of some flows."""
        return Side(self.head[rows], self.size[rows])

    def where(self, gate: Mask, test: SideTest) -> Mask:
        """Which pass the gate and then the test, which sees only those."""
        rows = np.flatnonzero(gate)
        hit = self.nothing()
        if len(rows):
            hit[rows] = test(self.take(rows))
        return hit


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the rules see of flows of one transport."""

    orig: Side
    resp: Side
    port: Numbers
    """Responder port."""
    proto: int
    """IP protocol number."""

    def on(self, *ports: int) -> Mask:
        """Which have one of these responder ports."""
        hit = self.port == ports[0]
        for port in ports[1:]:
            hit |= self.port == port
        return as_mask(hit)

    def either_starts(self, *texts: bytes) -> Mask:
        """Which begin with one of the texts on one side at least."""
        return as_mask(self.orig.starts(*texts) | self.resp.starts(*texts))

    def where(self, gate: Mask, test: Test) -> Mask:
        """Which pass the gate and then the test, which sees only those."""
        rows = np.flatnonzero(gate)
        hit = self.orig.nothing()
        if len(rows):
            hit[rows] = test(Evidence(self.orig.take(rows), self.resp.take(rows), self.port[rows], self.proto))
        return hit


def either(test: SideTest) -> Test:
    """The flows that pass the test on one side at least."""
    return lambda e: as_mask(test(e.orig) | test(e.resp))


def asked(test: SideTest) -> Test:
    """The flows whose originator passes the test."""
    return lambda e: test(e.orig)


def answered(test: SideTest) -> Test:
    """The flows whose responder passes the test."""
    return lambda e: test(e.resp)


def on_ports(test: Test, *ports: int) -> Test:
    """The flows that pass a test too weak to stand alone, on the ports of its service."""
    return lambda e: e.where(e.on(*ports), test)


def any_of(*tests: Test) -> Test:
    """The flows that pass one of the tests."""

    def told(e: Evidence) -> Mask:
        hit = tests[0](e)
        for test in tests[1:]:
            hit = hit | test(e)
        return as_mask(hit)

    return told


def as_mask(value: object) -> Mask:
    """A comparison as an array of its type."""
    return np.asarray(value, dtype=np.bool_)


_PRINTABLE: Final = np.array([32 <= c < 127 or c in (9, 10, 13) for c in range(256)], np.bool_)
