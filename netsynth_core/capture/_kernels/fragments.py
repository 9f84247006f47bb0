"""Which first fragment a later one belongs to: a table of bounded size that outlives the windows of a file.

A datagram is known by addresses, protocol and identification (RFC 791 section 3.2; for IPv6 RFC 8200 section 4.5: its
identification has 32 bits and the protocol is not part of it). The table has `SLOTS` places in groups of `WAYS`; the
oldest of a group gives way. What is remembered is forgotten after `TIMEOUT` of capture time.
"""

import numpy as np

from netsynth_core.capture._kernels.layout import (
    DESTINATION,
    FIRST,
    FRAGMENT,
    IDENT,
    IP,
    KEYS,
    PORTS,
    PROTO,
    PROTOCOL,
    REACH,
    SOURCE,
    TIMEOUT,
    TS,
    VERSION,
    WAIT,
    WAITING,
    WAYS,
)
from netsynth_core.capture._kernels.words import bare32, be64, inner, least


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
def attribute(data, fields, ts, frame, row, keys, facts, waiting, key, protos, sources, destinations):
    """Join fragments: a later one takes protocol and ports of its first one, or waits for it.

    A first one is remembered, and what waits for it gets its protocol and ports. Returns the frame until which the row
    waits, 0 where it does not. `key` is room for `KEYS` words.
    """
    ip, ident = fields[IP], np.uint64(fields[IDENT])
    for k in range(KEYS):
        key[k] = 0
    if fields[VERSION] == 4:
        key[1] = bare32(data, ip + 12)
        key[3] = bare32(data, ip + 16)
        key[4] = np.uint64(fields[PROTO] << 32) | ident | np.uint64(4 << 40)
    else:
        for k in range(4):
            key[k] = be64(data, ip + 8 + 8 * k)
        key[4] = ident | np.uint64(6 << 40)
    place = place_of(keys, facts, key, ts)
    if fields[FRAGMENT] == FIRST:
        for k in range(least(facts[place, WAIT], WAITING)):
            if frame - waiting[place, k, 0] <= REACH:
                waiter = waiting[place, k, 1]
                protos[waiter] = fields[PROTO]
                sources[waiter] = fields[SOURCE]
                destinations[waiter] = fields[DESTINATION]
        facts[place, PROTOCOL] = fields[PROTO]
        facts[place, PORTS] = fields[SOURCE] << 16 | fields[DESTINATION]
        facts[place, WAIT] = 0
    elif facts[place, PROTOCOL] < 0:
        k = facts[place, WAIT]
        waiting[place, k % WAITING, 0] = frame
        waiting[place, k % WAITING, 1] = row
        facts[place, WAIT] = k + 1
        return frame + REACH
    else:
        fields[PROTO] = facts[place, PROTOCOL]
        fields[SOURCE] = facts[place, PORTS] >> 16
        fields[DESTINATION] = facts[place, PORTS] & 0xFFFF
    return 0
