"""Payload classes: what the bytes of one packet look like.

====== ========================================================================================================
class  rule, on the first `PREFIX` captured bytes
====== ========================================================================================================
Empty  no payload
Text   the first byte is ASCII, and every character is printable UTF-8, a tab or a line end: all of them, or a
       head that an empty line closes (an HTTP message with a binary body)
Random at least `LEAST` bytes whose nibbles are as even as those of uniform bytes, with some room for a header
Replay anything else: structured bytes, short bytes, bytes that were not captured
====== ========================================================================================================

Randomness is judged by two chi-squares at once, of the high and of the low nibbles against uniform, 30 degrees of
freedom together. Nibbles, because 16 bytes already tell structure from ciphertext with them, where a test on bytes
needs hundreds. Uniform bytes stay below `BOUNDS` 99.9 % of the time; the bounds widen with length, since a packet may
hold the headers of several encrypted records. A TLS application record is judged behind its 5-byte header and 8-byte
nonce (RFC 5288 section 3), which would outweigh a short ciphertext.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.packets import PacketTable
from netsynth_core.machine import Loop

EMPTY, TEXT, RANDOM, REPLAY = range(4)
CLASS_NAMES: Final = ("Empty", "Text", "Random", "Replay")

PREFIX: Final = 256
"""Most bytes looked at."""
LEAST: Final = 16
"""Fewest bytes that can be called random."""
TLS_SKIP: Final = 13
"""Bytes of a TLS application record before its ciphertext."""
BOUNDS: Final = ((0, 60.0), (64, 75.0), (256, 85.0))
"""From how many bytes on, the largest sum of the two chi-squares that counts as random."""

CLOSED: Final = 4
"""The state of a head that an empty line has closed, and the last of those that are text."""
BROKEN: Final = 5
"""The state of what is no text; behind it those that wait for the rest of a character."""

_CLASSIFY: Final = Loop(
    "netsynth_core.flows._payload_kernels", "classify_payloads", results=0, others=(Path(__file__),)
)


def classify(packets: PacketTable) -> NDArray[np.uint8]:
    """The class of each packet's payload, as a position in `CLASS_NAMES`; a window of a capture serves as well."""
    return classify_columns(packets.data, packets.payload_offset, packets.payload_captured, packets.payload_length)


def classify_columns(
    data: NDArray[np.uint8],
    payload_offset: NDArray[np.int64],
    payload_captured: NDArray[np.int32],
    payload_length: NDArray[np.int32],
) -> NDArray[np.uint8]:
    """The class of each payload of some packets.

    Parameters
    ----------
    data
        Bytes that the offsets point into.
    payload_offset, payload_captured, payload_length
        Columns as in `PacketTable`.

    Returns
    -------
    NDArray[np.uint8]
        Positions in `CLASS_NAMES`.
    """
    classes = np.empty(len(payload_offset), np.uint8)
    _CLASSIFY(
        data,
        payload_offset,
        payload_captured,
        payload_length,
        PREFIX,
        LEAST,
        TLS_SKIP,
        random_bounds(),
        text_moves(),
        np.empty(32, np.int64),
        classes,
    )
    return classes


@lru_cache(maxsize=1)
def text_moves() -> NDArray[np.uint8]:
    """States of a text by the state before and the byte read, (9, 256).

    0 plain, 1 to 3 the beginnings of an empty line (CR, CR LF, CR LF CR), 4 a head that one has closed, 5 no text, 6 to
    8 one to three bytes of a UTF-8 character missing (RFC 3629 section 4, without the rules on its second byte).
    """
    moves = np.full((9, 256), BROKEN, np.uint8)
    plain = np.full(256, BROKEN, np.uint8)
    plain[[9, 10, *range(32, 127)]] = 0
    plain[13] = 1
    plain[0xC2:0xE0], plain[0xE0:0xF0], plain[0xF0:0xF5] = 6, 7, 8
    moves[:CLOSED] = plain
    moves[1, 10], moves[2, 13], moves[3, 10] = 2, 3, CLOSED
    moves[CLOSED] = CLOSED
    moves[6, 0x80:0xC0], moves[7, 0x80:0xC0], moves[8, 0x80:0xC0] = 0, 6, 7
    return moves


@lru_cache(maxsize=1)
def random_bounds() -> NDArray[np.float64]:
    """`BOUNDS` by number of bytes, 0..PREFIX."""
    bounds = np.empty(PREFIX + 1, np.float64)
    for start, most in BOUNDS:
        bounds[start:] = most
    return bounds
