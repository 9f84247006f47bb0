"""Compiled loops over conversations: where turns begin, and the first words of texts.

What they do is tested through words, in tests/flows/test_extraction.py.
"""

from numba import njit

from netsynth_core.machine import OPTIONS

_kernel = njit(**OPTIONS)  # type: ignore[call-overload]


@_kernel
def turns(offsets, rows, ways, payload_length, begins):
    """Mark the positions whose payload begins a turn: the payload before it went the other way, or there was none."""
    for f in range(len(offsets) - 1):
        way = 2
        for at in range(offsets[f], offsets[f + 1]):
            if payload_length[rows[at]] > 0:
                begins[at] = ways[at] != way
                way = ways[at]
            else:
                begins[at] = False


@_kernel
def _is_space(c):
    return c == 32 or c == 9 or c == 10 or c == 13


@_kernel
def first_words(data, payload_offset, payload_captured, rows, out):
    """The first words of some payloads. `out` is (rows, words, bytes), zero behind a word; longer words are cut."""
    for k in range(len(rows)):
        at = payload_offset[rows[k]]
        stop = at + min(payload_captured[rows[k]], 256)
        for w in range(out.shape[1]):
            while at < stop and _is_space(data[at]):
                at += 1
            b = 0
            while at < stop and not _is_space(data[at]):
                if b < out.shape[2]:
                    out[k, w, b] = data[at]
                    b += 1
                at += 1
            for rest in range(b, out.shape[2]):
                out[k, w, rest] = 0
