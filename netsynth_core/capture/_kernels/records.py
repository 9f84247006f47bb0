"""Records: those of classic pcap, and the packet blocks of pcapng with their instants.

Both readers return ``(status, size, start, interface, kept, true, ts)``: where the frame
starts (0: the record is no frame), the bytes of the record, of the frame as captured and as it was on the wire. The
status is `layout.FULL` where reading goes on.
"""

import numpy as np

from netsynth_core.capture._kernels.layout import (
    AT_SNAPLEN,
    AT_UNIT,
    BINARY,
    DAMAGED,
    DESCRIBED,
    EXPONENT,
    FULL,
    INTERFACE_BLOCK,
    LIMIT,
    MULTIPLIER,
    NEAR,
    NO_INSTANT,
    OFFSET,
    SECTION,
    SHORT,
    UNDATED,
)
from netsynth_core.capture._kernels.words import inner, least, word16, word32
from netsynth_core.capture.pcap import RECORD_LIMIT


@inner
def _slow_instant(ticks, exponent, binary, offset):
    """Nanoseconds of `ticks` of 10**-exponent or 2**-exponent s, or NO_INSTANT where int64 cannot hold them."""
    base = np.uint64(10**9)
    if binary != 0:
        shift = np.uint64(exponent)
        whole = ticks >> shift
        rest = ticks - (whole << shift)
        if exponent > 34:
            rest = rest >> np.uint64(exponent - 34)
            shift = np.uint64(34)
        fraction = (rest * base) >> shift
    else:
        unit = np.uint64(1)
        for _ in range(exponent):
            unit *= np.uint64(10)
        whole = ticks // unit
        fraction = ticks - whole * unit
        for _ in range(exponent - 9):
            fraction = fraction // np.uint64(10)
        for _ in range(9 - exponent):
            fraction *= np.uint64(10)
    if whole > np.uint64(2**33):
        return NO_INSTANT
    seconds = np.int64(whole) + offset
    if seconds > 2**33 or seconds < -(2**33):
        return NO_INSTANT
    return seconds * 1_000_000_000 + np.int64(fraction)


@inner
def read_record(data, at, big, header, fraction, swapped, last):
    """A record of classic pcap (draft-ietf-opsawg-pcap section 5).

    `header` bytes precede the frame, the second half of the instant counts `fraction` ns, and captured and true length
    may have changed places (`swapped`).
    """
    start = at + header
    if start > len(data):
        return SHORT, header, start, 0, 0, 0, last
    kept = word32(data, at + 8, big)
    true = word32(data, at + 12, big)
    if swapped and kept > true:
        both = kept + true
        kept = true
        true = both - kept
    status = FULL
    if kept > RECORD_LIMIT:
        status = DAMAGED
    elif start + kept > len(data):
        status = SHORT
    ts = word32(data, at, big) * 1_000_000_000 + word32(data, at + 4, big) * fraction
    return status, header + kept, start, 0, kept, true, ts


@inner
def read_block(data, at, big, final, interfaces, units, known, last, state):
    """Any block of pcapng (draft-ietf-opsawg-pcapng sections 4.3 and 4.4, appendix A).

    A block that is no packet need not lie in `data` whole, unless `final` says that nothing comes behind. A simple
    packet block has no instant: it takes `last`.
    """
    size = start = interface = kept = true = np.int64(0)
    ts = last
    status = FULL
    if at + 12 > len(data):
        return SHORT, size, start, interface, kept, true, ts
    kind = word32(data, at, big)
    size = word32(data, at + 4, big)
    long = kind == 6 or kind == 2
    packet = (long and size >= 32) or (kind == 3 and size >= 16)
    if kind == 0x0A0D0D0A:
        status = SECTION
    elif size < 12 or size % 4 != 0 or ((packet or kind == 1) and size > RECORD_LIMIT):
        status = DAMAGED
    elif at + size > len(data) and (packet or final or kind == 1):
        status = SHORT
    elif kind == 1:
        status = INTERFACE_BLOCK
    elif packet and kind == 3:
        start = at + 12
        true = word32(data, at + 8, big)
        kept = least(true, size - 16)
        if known > 0 and interfaces[0, DESCRIBED] >> AT_SNAPLEN > 0:
            kept = least(kept, interfaces[0, DESCRIBED] >> AT_SNAPLEN)
        state[UNDATED] += 1
    elif packet:
        start = at + 28
        interface = word32(data, at + 8, big) if kind == 6 else word16(data, at + 8, big)
        kept = word32(data, at + 20, big)
        true = word32(data, at + 24, big)
        if interface < known:
            if kept > size - 32:
                status = DAMAGED
            ticks = np.uint64(word32(data, at + 12, big) << 32) | np.uint64(word32(data, at + 16, big))
            unit, offset = interfaces[interface, DESCRIBED] >> AT_UNIT & 0xFF, interfaces[interface, OFFSET]
            near = offset <= NEAR and offset >= -NEAR
            if np.int64(ticks) >= 0 and np.int64(ticks) <= units[unit, LIMIT] and near:
                ts = np.int64(ticks) * units[unit, MULTIPLIER] + offset * 1_000_000_000
            else:
                ts = _slow_instant(ticks, units[unit, EXPONENT], units[unit, BINARY], offset)
    return status, size, start, interface, kept, true, ts
