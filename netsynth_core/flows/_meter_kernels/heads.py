"""First payloads of either side: their first bytes, and where the name of the server stands that a client asks for."""

import numpy as np

from netsynth_core.flows._meter_kernels.compiled import part

HELLO = np.int64(4096)


@part
def unfinished(data, at, captured, length):
    """How many bytes of the TLS ClientHello that a payload begins are still to come, `HELLO` in all at most.

    0 where none begins or it is whole. RFC 8446 sections 5.1 and 4.
    """
    if captured < length or data[at] != 22 or (captured > 1 and data[at + 1] != 3):
        return np.int64(0)
    if captured > 5 and data[at + 5] != 1:
        return np.int64(0)
    whole = HELLO
    if captured > 8:
        record = (np.int64(data[at + 3]) << 8 | np.int64(data[at + 4])) + 5
        body = (np.int64(data[at + 6]) << 16 | np.int64(data[at + 7]) << 8 | np.int64(data[at + 8])) + 9
        # one that is in several records has their headers in it too
        whole = min(record, HELLO) if body <= record else HELLO
    return max(whole - np.int64(captured), np.int64(0))


@part
def _hello_name(data, at, stop):
    """Where the host name of a TLS ClientHello lies, from its record header on: (first, behind the last).

    Both 0 where there is none, first -1 where its records must be put together. RFC 8446 section 4.1.2, RFC 6066
    section 3.
    """
    body = at + 5
    if body >= stop or data[body] != 1:
        return np.int64(0), np.int64(0)
    if (np.int64(data[at + 3]) << 8 | np.int64(data[at + 4])) < stop - body:
        return np.int64(-1), np.int64(0)
    at = body + 38
    for width in (1, 2, 1):
        if at + width > stop:
            return np.int64(0), np.int64(0)
        size = np.int64(data[at])
        if width == 2:
            size = size << 8 | np.int64(data[at + 1])
        at += width + size
    at += 2
    while at + 9 <= stop:
        size = np.int64(data[at + 2]) << 8 | np.int64(data[at + 3])
        if data[at] == 0 and data[at + 1] == 0:
            if data[at + 6] != 0:
                return np.int64(-1), np.int64(0)
            first = at + 9
            last = first + (np.int64(data[at + 7]) << 8 | np.int64(data[at + 8]))
            if last > min(stop, at + 4 + size):
                return np.int64(-1), np.int64(0)
            return first, last
        at += 4 + size
    return np.int64(-1), np.int64(0)


@part
def _host_field(data, at, stop):
    """Where the value of the Host field of a request lies: (first, behind the last); first -1 where it has none."""
    while at < stop:
        if data[at] == 10:
            host = at + 6 < stop and data[at + 1] | 32 == 104 and data[at + 2] | 32 == 111 and data[at + 3] | 32 == 115
            if host and data[at + 4] | 32 == 116 and data[at + 5] == 58:
                first = at + 6
                while first < stop and (data[first] == 32 or data[first] == 9):
                    first += 1
                last = first
                while last < stop and data[last] != 13 and data[last] != 10:
                    last += 1
                return (first if last < stop else np.int64(-1)), last
            if at + 2 < stop and data[at + 1] == 13 and data[at + 2] == 10:
                return np.int64(-1), np.int64(0)
        at += 1
    return np.int64(-1), np.int64(0)


@part
def first_bytes(data, payload_offset, payload_captured, rows, heads, asked, names):
    """Copy the first bytes of payloads, and the name of the server that those of clients ask for.

    `rows` are packets with payload; `heads` (n, width) is zero behind a payload's end. `asked` (n) is 0 where nobody is
    asked for, 1 where `names` (n, width, zero behind the end) is what stands there, 2 where this loop cannot tell.
    """
    for k in range(len(rows)):
        i = rows[k]
        start = np.int64(payload_offset[i])
        stop = start + np.int64(payload_captured[i])
        size = min(stop - start, heads.shape[1])
        for at in range(size):
            heads[k, at] = data[start + at]
        for at in range(size, heads.shape[1]):
            heads[k, at] = 0
        asked[k] = 0
        if size < 6:
            continue
        first = last = np.int64(0)
        if data[start] == 22 and data[start + 1] == 3:
            first, last = _hello_name(data, start, stop)
        else:
            at = start
            while at < stop and at < start + 20 and (64 < data[at] < 91 or 96 < data[at] < 123 or data[at] in (45, 95)):
                at += 1
            if at < stop and at > start + 2 and data[at] == 32:
                first, last = _host_field(data, at, stop)
        if first == 0:
            continue
        told = first > 0 and last > first and last - first <= names.shape[1]
        for at in range(names.shape[1]):
            letter = data[first + at] if told and at < last - first else 0
            told = told and (letter != 0 or at >= last - first)
            names[k, at] = letter
        asked[k] = 1 if told else 2
