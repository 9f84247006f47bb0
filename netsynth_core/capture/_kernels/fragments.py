"""Which first fragment a later one belongs to: a table of bounded size that outlives the windows of a file.

A datagram is known by addresses, protocol and identification (RFC 791 section 3.2; the protocol is that of the IP
header, whatever extension follows. For IPv6 RFC 8200 section 4.5: its identification has 32 bits and the protocol is
not part of it). The table has `SLOTS` places in groups of `WAYS`; the oldest of a group gives way. What is remembered
is forgotten after `TIMEOUT` of capture time.
"""

import numpy as np

from netsynth_core.capture._kernels.layout import (
    ADDRESSES,
    DESTINATION,
    ELSEWHERE,
    FIRST,
    FRAGMENT,
    IDENT,
    IP,
    KEYS,
    MOVED,
    PORTS,
    PROTO,
    PROTOCOL,
    REACH,
    SHELL,
    SHELL_VERSION,
    SOURCE,
    TIMEOUT,
    TS,
    VERSION,
    WAIT,
    WAITING,
    WAYS,
)
from netsynth_core.capture._kernels.words import bare32, be32, be64, byte, inner, least

MAPPED = 0xFFFF00000000


@inner
def place_of(keys, facts, key, ts):
    """The place of the datagram that `key` names, made ready where it is not known.

    The last word of `key` is never 0, the mark of an empty place. A new place has `PROTOCOL` -1 and nothing waits.
    """
    mixed = np.uint64(0)
    for k in range(KEYS):
        mixed = (mixed ^ key[k] ^ (mixed >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
    group = np.int64(mixed >> np.uint64(52)) * WAYS
    oldest = group
    for place in range(group, group + WAYS):
        same = abs(ts - facts[place, TS]) <= TIMEOUT
        for k in range(KEYS):
            same &= keys[place, k] == key[k]
        if same:
            facts[place, TS] = ts
            return place
        if facts[place, TS] < facts[oldest, TS]:
            oldest = place
    for k in range(KEYS):
        keys[oldest, k] = key[k]
    facts[oldest, TS] = ts
    facts[oldest, PROTOCOL] = -1
    facts[oldest, WAIT] = 0
    return oldest


@inner
def _key_of(data, ip, version, ident, key):
    """What names the datagram that the header at `ip` belongs to; the protocol is that of the header itself."""
    for k in range(KEYS):
        key[k] = 0
    if version == 4:
        key[1] = bare32(data, ip + 12)
        key[3] = bare32(data, ip + 16)
        key[4] = np.uint64(byte(data, ip + 9) << 32) | np.uint64(ident) | np.uint64(4 << 40)
    else:
        for k in range(4):
            key[k] = be64(data, ip + 8 + 8 * k)
        key[4] = np.uint64(ident) | np.uint64(6 << 40)


@inner
def _remember(data, fields, facts, place):
    """What a first fragment tells of all fragments of its datagram."""
    facts[place, PROTOCOL] = fields[PROTO]
    facts[place, PORTS] = fields[SOURCE] << 16 | fields[DESTINATION]
    facts[place, MOVED] = np.int64(fields[SHELL] != 0)
    if fields[SHELL] != 0:
        ip = fields[IP]
        if fields[VERSION] == 4:
            for k in range(2):
                facts[place, ADDRESSES + 2 * k] = 0
                facts[place, ADDRESSES + 2 * k + 1] = MAPPED | be32(data, ip + 12 + 4 * k)
        else:
            for k in range(4):
                facts[place, ADDRESSES + k] = np.int64(be64(data, ip + 8 + 8 * k))


@inner
def move(facts, place, row, src_hi, src_lo, dst_hi, dst_lo):
    """Give a row the addresses of the packet inside."""
    src_hi[row] = np.uint64(facts[place, ADDRESSES])
    src_lo[row] = np.uint64(facts[place, ADDRESSES + 1])
    dst_hi[row] = np.uint64(facts[place, ADDRESSES + 2])
    dst_lo[row] = np.uint64(facts[place, ADDRESSES + 3])


@inner
def attribute(
    data, fields, ts, frame, row, taken, keys, facts, waiting, key, protos, sources, destinations,
    src_hi, src_lo, dst_hi, dst_lo,
):  # fmt: skip
    """Join fragments: a later one takes protocol and ports of its first one, or waits for it.

    A first one is remembered, and what waits for it gets its protocol and ports; where they are those of a packet
    inside of it (`SHELL`), its addresses too. Returns the frame before which the row waits, 0 where it does not. Rows
    wait under the number they have in the whole file: `taken` of them are no longer in the columns, and out of reach.
    `key` is room for `KEYS` words.
    """
    if fields[SHELL] != 0:
        _key_of(data, fields[SHELL], fields[SHELL_VERSION], fields[IDENT], key)
    else:
        _key_of(data, fields[IP], fields[VERSION], fields[IDENT], key)
    place = place_of(keys, facts, key, ts)
    if fields[FRAGMENT] == FIRST:
        _remember(data, fields, facts, place)
        for k in range(least(facts[place, WAIT], WAITING)):
            waiter = waiting[place, k, 1] - taken
            if frame - waiting[place, k, 0] <= REACH and 0 <= waiter < row:
                protos[waiter] = fields[PROTO]
                sources[waiter] = fields[SOURCE]
                destinations[waiter] = fields[DESTINATION]
                if fields[SHELL] != 0:
                    move(facts, place, waiter, src_hi, src_lo, dst_hi, dst_lo)
        facts[place, WAIT] = 0
    elif facts[place, PROTOCOL] < 0:
        k = facts[place, WAIT]
        waiting[place, k % WAITING, 0] = frame
        waiting[place, k % WAITING, 1] = row + taken
        facts[place, WAIT] = k + 1
        return frame + REACH + 1
    else:
        fields[PROTO] = facts[place, PROTOCOL]
        fields[SOURCE] = facts[place, PORTS] >> 16
        fields[DESTINATION] = facts[place, PORTS] & 0xFFFF
        if facts[place, MOVED] != 0:
            fields[ELSEWHERE] = place + 1
    return 0
