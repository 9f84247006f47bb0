"""What is wanted of one payload, and what a maker gives: a pattern of fixed bytes around a filled middle.

Equal wants are made once and kept; millions of packets share a few thousand patterns, whose middles differ by seed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from netsynth_core.forge.columns import FILL_RANDOM, Patterns


class Want(NamedTuple):
    """One payload that is wanted."""

    service: str
    """Service of the flow; ``""`` when unknown."""
    proto: int
    port: int
    """Responder port, 0-65535; for ICMP the message type of this direction."""
    direction: int
    """0 originator to responder, 1 back."""
    kind: int
    """Payload class, see `netsynth_core.forge.columns`."""
    token: str
    """First word of a text; ``""`` when left open."""
    size: int
    """Bytes, > 0."""
    rest: int
    """Bytes of the same message in the packets behind this one."""
    continued: bool
    """Whether this packet goes on with a message begun before."""
    peer: int
    """Size of the packet of equal ordinal in the other direction; 0 without one."""
    ordinal: int
    """Payload packets of this direction before this one, at most 3."""
    variant: int
    """0-7, the same for all packets of a flow."""


class Made(NamedTuple):
    """The pattern of one payload."""

    prefix: bytes
    fill: int = FILL_RANDOM
    suffix: bytes = b""
    patch_at: int = -1
    """Where a 16-bit word of the packet's own (such as a DNS transaction id) goes."""
    size: int = -1
    """Bytes when they differ from those wanted; -1 = as wanted."""


Maker = Callable[[Want], Made | None]
"""Makes a payload, or None where the protocol has none of that size."""


@dataclass
class PatternStore:
    """Patterns made so far."""

    _arena: bytearray = field(default_factory=bytearray)
    _known: dict[bytes, int] = field(default_factory=dict)
    _rows: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)

    def add(self, made: Made) -> int:
        """The position of a pattern."""
        prefix_at = self._place(made.prefix)
        suffix_at = self._place(made.suffix)
        self._rows.append((prefix_at, len(made.prefix), suffix_at, len(made.suffix), made.fill, made.patch_at))
        return len(self._rows) - 1

    def _place(self, part: bytes) -> int:
        if part not in self._known:
            self._known[part] = len(self._arena)
            self._arena += part
        return self._known[part]

    def columns(self) -> Patterns:
        """The patterns as the kernel takes them."""
        rows = np.array(self._rows, np.int64).reshape(-1, 6)
        return Patterns(
            arena=np.frombuffer(bytes(self._arena) or b"\0", np.uint8),
            prefix_at=rows[:, 0].copy(),
            prefix_size=rows[:, 1].astype(np.int32),
            suffix_at=rows[:, 2].copy(),
            suffix_size=rows[:, 3].astype(np.int32),
            fill=rows[:, 4].astype(np.uint8),
            patch_at=rows[:, 5].astype(np.int32),
        )


def first_made(makers: Iterable[Maker], want: Want) -> Made | None:
    """What the first maker that can makes."""
    for maker in makers:
        made = maker(want)
        if made is not None:
            return made
    return None
