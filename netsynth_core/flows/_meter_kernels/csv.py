"""Flows as lines of CSV, formatted straight from their columns."""

import numpy as np

from netsynth_core.flows._meter_kernels.compiled import part

_COMMA, _DOT, _MINUS, _COLON, _NEWLINE = np.frombuffer(b",.-:\n", np.uint8)
_SECOND = 1_000_000_000


@part
def _put_number(out, at, value):
    """A whole number, 0 or more; returns the place behind it."""
    stop = at + 1
    rest = value // 10
    while rest:
        stop += 1
        rest //= 10
    for place in range(stop - 1, at - 1, -1):
        out[place] = 48 + value % 10
        value //= 10
    return stop


@part
def _put_seconds(out, at, ns):
    """Nanoseconds as decimal seconds with at least 3 and at most 9 decimals."""
    if ns < 0:
        out[at] = _MINUS
        at += 1
        ns = -ns
    at = _put_number(out, at, ns // _SECOND)
    out[at] = _DOT
    rest = ns % _SECOND
    for place in range(at + 9, at, -1):
        out[place] = 48 + rest % 10
        rest //= 10
    stop = at + 10
    while stop > at + 4 and out[stop - 1] == 48:
        stop -= 1
    return stop


@part
def _put_address(out, at, hi, lo):
    """An address: dotted where it is IPv4-mapped, else as RFC 5952 has it."""
    if hi == 0 and lo >> np.uint64(32) == 0xFFFF:
        for k in range(4):
            at = _put_number(out, at, np.int64(lo >> np.uint64(24 - 8 * k) & np.uint64(255)))
            out[at] = _DOT
            at += 1
        return at - 1
    best, length, run = 8, 1, 0
    for k in range(8):
        word = hi if k < 4 else lo
        run = run + 1 if word >> np.uint64(48 - 16 * (k % 4)) & np.uint64(65535) == 0 else 0
        if run > length:
            best, length = k - run + 1, run
    k = 0
    while k < 8:
        if k == best:
            out[at] = _COLON
            out[at + 1] = _COLON
            at += 2
            k += length
            continue
        if k and k != best + length:
            out[at] = _COLON
            at += 1
        word = hi if k < 4 else lo
        group = np.int64(word >> np.uint64(48 - 16 * (k % 4)) & np.uint64(65535))
        shift = 12
        while shift and group >> shift == 0:
            shift -= 4
        while shift >= 0:
            digit = group >> shift & 15
            out[at] = 48 + digit if digit < 10 else 87 + digit
            at += 1
            shift -= 4
        k += 1
    return at


@part
def write_rows(
    begin, end, ts, duration, addresses, ports, counts, texts, pool, starts, history, letters, told, name, out
):  # fmt: skip
    """Write the lines of some flows; returns the bytes written.

    `addresses` (4, n) hi and lo of both ends, `ports` (2, n), `counts` (4, n) packets and bytes; `texts` (5, n)
    positions in the pool for proto, flags, service, state and server name: text k is ``pool[starts[k]:starts[k + 1]]``.
    `letters` are the history letters, `told` and `name` say whether histories and server names are written.
    """
    at = 0
    for row in range(begin, end):
        at = _put_seconds(out, at, ts[row])
        out[at] = _COMMA
        at = _put_seconds(out, at + 1, duration[row])
        for column in range(12):
            out[at] = _COMMA
            at += 1
            if column == 1 or column == 3:
                at = _put_address(out, at, addresses[column - 1, row], addresses[column, row])
            elif column == 2 or column == 4:
                at = _put_number(out, at, np.int64(ports[column // 2 - 1, row]))
            elif 4 < column < 9:
                at = _put_number(out, at, counts[column - 5, row])
            else:
                text = texts[0 if column == 0 else column - 8, row]
                for k in range(starts[text], starts[text + 1]):
                    out[at] = pool[k]
                    at += 1
        # the label, which captures do not have
        out[at] = _COMMA
        at += 1
        if told:
            out[at] = _COMMA
            at += 1
            for k in range(12 * history.shape[1]):
                letter = history[row, k // 12] >> np.uint64(5 * (k % 12)) & np.uint64(31)
                if letter == 0:
                    break
                out[at] = letters[letter]
                at += 1
        if name:
            out[at] = _COMMA
            at += 1
            for k in range(starts[texts[4, row]], starts[texts[4, row] + 1]):
                out[at] = pool[k]
                at += 1
        out[at] = _NEWLINE
        at += 1
    return at
