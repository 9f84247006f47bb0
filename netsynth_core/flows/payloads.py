"""Payload classes: what the bytes of one packet look like.

====== ==============================================================================================================
class  rule, on the first `PREFIX` captured bytes
====== ==============================================================================================================
Empty  no payload
Text   UTF-8 whose every character is printable, a tab or a line end, and whose first character is ASCII
Random at least `LEAST` bytes whose byte entropy is what uniform bytes of that number would have, less a margin
Replay anything else: structured bytes, short bytes, bytes that were not captured
====== ==============================================================================================================
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from netsynth_core.capture.packets import PacketTable

EMPTY, TEXT, RANDOM, REPLAY = range(4)
CLASS_NAMES: Final = ("Empty", "Text", "Random", "Replay")

PREFIX: Final = 1024
"""Most bytes looked at."""
LEAST: Final = 48
"""Fewest bytes that can be called random."""


def classify(packets: PacketTable) -> NDArray[np.uint8]:
    """The class of each packet's payload, as a position in `CLASS_NAMES`."""
    from netsynth_core.flows import _kernels

    classes = np.empty(len(packets), np.uint8)
    _kernels.classify_payloads(
        packets.data,
        packets.payload_offset,
        packets.payload_captured,
        packets.payload_length,
        PREFIX,
        LEAST,
        entropy_bounds(),
        classes,
    )
    return classes


@lru_cache(maxsize=1)
def entropy_bounds() -> NDArray[np.float64]:
    """Least entropy (bits per byte) that counts as random, by the number of bytes 0..PREFIX.

    The expectation of the plug-in entropy of n uniform bytes is exact (a binomial sum over one cell); the margin is
    0.35 bits for few bytes and shrinks to 0.12 for `PREFIX`, which leaves room for a header of a few dozen bytes.
    """
    bounds = np.full(PREFIX + 1, np.inf)
    for n in range(LEAST, PREFIX + 1):
        counts = np.arange(2, min(n, 60) + 1)
        bounds[n] = np.log2(n) - 256 * float(np.sum(binom.pmf(counts, n, 1 / 256) * counts * np.log2(counts))) / n
        bounds[n] -= 0.12 + 0.23 * (LEAST / n)
    return bounds
