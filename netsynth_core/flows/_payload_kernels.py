"""Compiled loops over payload bytes: the class of each packet's payload.

The plain twin is in tests/flows/test_payloads.py. Bytes are read through slices, whose indices the compiler knows to be
no less than zero.
"""

import numpy as np
from numba import njit

_inner = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Decorator of what only kernels call: without a way in from Python it is compiled in half the time."""

_ONE = np.uint64(1)
_TWO = np.uint64(2)
_FOUR = np.uint64(4)
_LANES = np.uint64(0x0F0F0F0F0F0F0F0F)
_EIGHT = np.uint64(8)
_BYTE = np.uint64(255)
_NIBBLE = np.uint64(15)
_EMPTY_LINE = np.uint32(0x0D0A0D0A)
_BLOCK = 32


@njit(cache=True, nogil=True, error_model="numpy")
def classify_payloads(data, payload_offset, payload_captured, payload_length, prefix, least, skip, bound, classes):
    """Class of each payload: 0 empty, 1 text, 2 random, 3 replay.

    `prefix` most bytes looked at, `least` fewest bytes judged for randomness, `skip` bytes before the ciphertext of a
    TLS record, `bound` most deviation from uniform nibbles that counts as random, by number of bytes judged.
    """
    counts = np.zeros(32, np.int64)
    for i in range(len(payload_offset)):
        if payload_length[i] == 0:
            classes[i] = 0
            continue
        start = np.int64(payload_offset[i])
        size = min(np.int64(payload_captured[i]), prefix)
        part = data[start : start + size]
        if size > 0 and _is_text(part, size < payload_length[i]):
            classes[i] = 1
            continue
        classes[i] = 3
        if size >= skip + least and part[0] == 23 and part[1] == 3 and part[2] <= 4:
            part = part[skip:]
        size = len(part)
        if size < least:
            continue
        total = _squares(part, counts)
        # both chi-squares at once: sum of (c - n/16)^2 / (n/16) over 2 x 16 cells
        if 16.0 * total / size - 2.0 * size <= bound[size]:
            classes[i] = 2


@_inner
def _squares(part, counts):
    """Sum of the squared counts of high and of low nibbles.

    Counters of 4 bits lie side by side in one word for 15 bytes, then in lanes of 8 bits for 240: no counter in memory
    is written twice in a row, which would stall on equal bytes.
    """
    counts[:] = 0
    for block in range(0, len(part), 240):
        high_even = high_odd = low_even = low_odd = np.uint64(0)
        for group in range(block, min(len(part), block + 240), 15):
            few = part[group : min(group + 15, len(part))]
            high = low = np.uint64(0)
            for k in range(len(few)):
                byte = np.uint64(few[k])
                high += _ONE << ((byte >> _FOUR) << _TWO)
                low += _ONE << ((byte & _NIBBLE) << _TWO)
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


@_inner
def _is_text(part, cut):
    """Whether bytes are printable UTF-8 with tabs and line ends, all of them or a head that an empty line closes.

    `cut` forgives a character cut off at the end. Most payloads are decided without a branch per byte: by a control
    character before any line end, or by none and no letter above 127 at all.
    """
    if part[0] >= 0x80:
        # a first byte above 127 is far more often a binary header than a letter
        return False
    controls = ends = letters = 0
    for begin in range(0, len(part), _BLOCK):
        few = part[begin : begin + _BLOCK]
        for k in range(len(few)):
            c = few[k]
            ends += c == 10
            controls += ((c < 32) & (c != 9) & (c != 10) & (c != 13)) | (c == 127)
            letters += c >= 128
        if controls > 0 and ends == 0:
            return False
        if controls + letters > 0:
            return _is_text_slowly(part, cut)
    return True


@_inner
def _is_text_slowly(part, cut):
    """The same byte by byte."""
    more = 0
    last = np.uint32(0)
    closed = False
    for k in range(len(part)):
        c = part[k]
        if more > 0:
            if c & 0xC0 != 0x80:
                return closed
            more -= 1
            continue
        last = np.uint32(last << np.uint32(8)) | np.uint32(c)
        if c >= 0x80:
            if c < 0xC2 or c > 0xF4:
                return closed
            more = 1 + (c >= 0xE0) + (c >= 0xF0)
        elif (c < 32 and c != 9 and c != 10 and c != 13) or c == 127:
            return closed
        closed |= last == _EMPTY_LINE
    return more == 0 or cut or closed
