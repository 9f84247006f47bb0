"""Compiled loops over payload bytes: the class of each packet's payload.

The plain twin is in tests/flows/test_payloads.py. Positions are unsigned, which spares the compiler the
indices that count from the end.
"""

import numpy as np
from numba import njit

from netsynth_core.flows.payloads import BROKEN, CLOSED
from netsynth_core.machine import OPTIONS

_kernel = njit(**OPTIONS)  # type: ignore[call-overload]

_ONE = np.uint64(1)
_TWO = np.uint64(2)
_FOUR = np.uint64(4)
_LANES = np.uint64(0x0F0F0F0F0F0F0F0F)
_EIGHT = np.uint64(8)
_BYTE = np.uint64(255)
_NIBBLE = np.uint64(15)

_BLOCK = np.uint64(32)
_MANY = np.uint64(240)


@_kernel
def classify_payloads(
    data, payload_offset, payload_captured, payload_length, prefix, least, skip, bound, moves, counts, classes
):  # fmt: skip
    """Class of each payload: 0 empty, 1 text, 2 random, 3 replay.

    `prefix` most bytes looked at, `least` fewest bytes judged for randomness, `skip` bytes before the ciphertext of a
    TLS record, `bound` most deviation from uniform nibbles that counts as random, by number of bytes judged;
    `moves` the states of text (`netsynth_core.flows.payloads.text_moves`), `counts` room for 32 numbers.
    """
    for i in range(len(payload_offset)):
        if payload_length[i] == 0:
            classes[i] = 0
            continue
        size = min(np.int64(payload_captured[i]), prefix)
        start = np.uint64(payload_offset[i])
        stop = np.uint64(payload_offset[i] + size)
        if size > 0 and _is_text(data, start, stop, size < payload_length[i], moves):
            classes[i] = 1
            continue
        classes[i] = 3
        if size >= skip + least and data[start] == 23 and data[start + _ONE] == 3 and data[start + _TWO] <= 4:
            start += np.uint64(skip)
            size -= skip
        if size < least:
            continue
        total = _squares(data, start, stop, counts)
        # both chi-squares at once: sum of (c - n/16)^2 / (n/16) over 2 x 16 cells
        if 16.0 * total / size - 2.0 * size <= bound[size]:
            classes[i] = 2


@_kernel
def _squares(data, start, stop, counts):
    """Sum of the squared counts of high and of low nibbles.

    Counters of 4 bits lie side by side in one word for 15 bytes, then in lanes of 8 bits for 240: no counter in memory
    is written twice in a row, which would stall on equal bytes.
    """
    counts[:] = 0
    at = start
    while at < stop:
        high_even = high_odd = low_even = low_odd = np.uint64(0)
        pause = min(stop, at + _MANY)
        while at < pause:
            end = min(pause, at + _NIBBLE)
            high = low = np.uint64(0)
            while at < end:
                byte = np.uint64(data[at])
                high += _ONE << ((byte >> _FOUR) << _TWO)
                low += _ONE << ((byte & _NIBBLE) << _TWO)
                at += _ONE
            high_even += high & _LANES
            high_odd += (high >> _FOUR) & _LANES
            low_even += low & _LANES
            low_odd += (low >> _FOUR) & _LANES
        for lane in range(8):
            move = np.uint64(lane) * _EIGHT
            counts[lane] += np.int64((high_even >> move) & _BYTE)
            counts[8 + lane] += np.int64((high_odd >> move) & _BYTE)
            counts[16 + lane] += np.int64((low_even >> move) & _BYTE)
            counts[24 + lane] += np.int64((low_odd >> move) & _BYTE)
    total = 0
    for value in range(32):
        total += counts[value] * counts[value]
    return total


@_kernel
def _is_text(data, start, stop, cut, moves):
    """Whether bytes are printable UTF-8 with tabs and line ends, all of them or a head that an empty line closes.

    `cut` forgives a character cut off at the end. Most payloads are decided without a branch per byte: by a control
    character before any line end, or by none and no letter above 127 at all.
    """
    if data[start] >= 0x80:
        # a first byte above 127 is far more often a binary header than a letter
        return False
    controls = ends = letters = 0
    at = start
    while at < stop:
        pause = min(stop, at + _BLOCK)
        while at < pause:
            c = data[at]
            ends += c == 10
            controls += ((c < 32) & (c != 9) & (c != 10) & (c != 13)) | (c == 127)
            letters += c >= 128
            at += _ONE
        if controls > 0 and ends == 0:
            return False
        if controls + letters > 0:
            return _is_text_slowly(data, start, stop, cut, moves)
    return True


@_kernel
def _is_text_slowly(data, start, stop, cut, moves):
    """The same byte by byte, through the states of `moves`."""
    state = np.uint8(0)
    at = start
    while at < stop:
        state = moves[state, data[at]]
        at += _ONE
    return state <= CLOSED or (cut and state > BROKEN)
