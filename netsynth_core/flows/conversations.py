"""Conversations as columns: which packets, in which direction, belong to which flow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Conversations:
    """The ordered packets of every flow; conversation i belongs to row i of the flow table."""

    offsets: NDArray[np.int64]
    """n + 1 positions: conversation i is ``offsets[i]:offsets[i + 1]`` of the other two."""
    packets: NDArray[np.int64]
    """Rows of the packet table, in order of time within a conversation."""
    direction: NDArray[np.uint8]
    """0 = originator to responder, 1 = back."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def rows(self, flow: int) -> NDArray[np.int64]:
        """Packet rows of one conversation."""
        return self.packets[int(self.offsets[flow]) : int(self.offsets[flow + 1])]

    def flow_of(self) -> NDArray[np.int64]:
        """The flow of each position of `packets`."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.offsets))
