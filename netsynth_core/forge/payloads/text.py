"""Running text for bodies: made of invented words, printable, in lines."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_SYLLABLES = ("ba", "co", "de", "fi", "lo", "ma", "ne", "pi", "ra", "su", "ta", "ve", "wo", "xi", "zu", "qua")


@lru_cache(maxsize=1)
def running_text() -> NDArray[np.uint8]:
    """About 32 kB of text that belongs to nobody; the same on every machine."""
    state = 1
    words: list[str] = []
    length = 0
    while length < 32_000:
        state = (state * 6364136223846793005 + 1442695040888963407) & ((1 << 64) - 1)
        parts = [_SYLLABLES[(state >> shift) & 15] for shift in range(60, 60 - 4 * (1 + (state >> 33) % 4), -4)]
        words.append("".join(parts) + ("\n" if (state >> 40) % 11 == 0 else " "))
        length += len(words[-1])
    return np.frombuffer("".join(words).encode("ascii"), np.uint8)
