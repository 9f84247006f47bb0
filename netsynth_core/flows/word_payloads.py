"""The payloads behind timed words: which bytes of the capture each symbol stands for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netsynth_core.flows.extraction import whole_packets
from netsynth_core.flows.words import Words

if TYPE_CHECKING:
    from netsynth_core.capture.packets import PacketTable
    from netsynth_core.flows.metering import Metered


@dataclass(frozen=True, eq=False)
class PayloadSource:
    """The captured payload of every symbol of some words."""

    data: NDArray[np.uint8]
    """The bytes of the capture."""
    offset: NDArray[np.int64]
    """Where each symbol's payload starts in `data`."""
    captured: NDArray[np.int64]
    """Bytes of it in `data`."""
    length: NDArray[np.int64]
    """True payload lengths; of those of which less was captured only the length is known."""


def payload_source(packets: "PacketTable", metered: "Metered", words: Words) -> PayloadSource | None:
    """The payloads of words that were extracted from these packets; None where they do not fit them.

    Parameters
    ----------
    words
        With `flow_rows`, rows of ``metered.flows``.
    """
    if words.flow_rows is None or len(words) == 0:
        return None
    kept, sizes = whole_packets(packets, metered.conversations)
    lengths = np.diff(words.offsets)
    if int(words.flow_rows.max()) >= len(kept) or np.any(np.diff(kept.offsets)[words.flow_rows] != lengths):
        return None
    at = np.repeat(kept.offsets[:-1][words.flow_rows] - words.offsets[:-1], lengths) + np.arange(words.offsets[-1])
    rows = kept.packets[at]
    return PayloadSource(
        packets.data,
        packets.payload_offset[rows].astype(np.int64),
        packets.payload_captured[rows].astype(np.int64),
        sizes[at],
    )
