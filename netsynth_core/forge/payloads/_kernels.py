"""Compiled look at a draft that tells what each payload has to be: its place in messages and its counterpart."""

import numpy as np
from numba import njit

from netsynth_core.forge._kernels import mix


@njit(cache=True, nogil=True)
def _same_message(draft, at, stop, join, limit):
    """Bytes of the packets behind `at` that go on with its message, and the last of these packets."""
    rest = np.int64(0)
    last = at
    whole = draft.size[at] == limit
    for k in range(at + 1, stop):
        if draft.size[k] == 0:
            continue
        if draft.direction[k] != draft.direction[at] or draft.copy[k] > 0:
            break
        if join == 2 and draft.token[k] >= 0:
            break
        if join == 1 and (not whole or rest + draft.size[k] > 14000):
            break
        rest += draft.size[k]
        last = k
        whole = draft.size[k] == limit
    return rest, last


@njit(cache=True, nogil=True)
def gather_wants(draft, proto, seed, join, limit, wants, own):
    """Fill per packet with payload: bytes that follow in its message, size of its counterpart, place, variant.

    `join`: 0 every packet is a message, 1 packets behind a full segment go on with it, 2 all packets up to the other
    side's next or to the next first word do, 3 packets of equal ordinal answer each other. Place is the ordinal (0-3)
    plus 4 where the packet goes on with a message. `own` becomes a word both packets of equal ordinal share.
    """
    for f in range(len(draft.offsets) - 1):
        first, stop = draft.offsets[f], draft.offsets[f + 1]
        sent = np.zeros(2, np.int64)
        until = np.full(2, -1, np.int64)
        variant = np.int64(mix(seed[f] ^ np.uint64(0x2545F4914F6CDD1D)) & np.uint64(7))
        partner = np.array([first, first], np.int64)
        for k in range(first, stop):
            if draft.size[k] == 0:
                continue
            d = np.int64(draft.direction[k])
            if draft.copy[k] > 0:
                wants[k] = wants[k - draft.copy[k]]
                own[k] = own[k - draft.copy[k]]
                continue
            place = min(sent[d], 3)
            if join[f] == 1 or join[f] == 2:
                if k <= until[d]:
                    place |= 4
                else:
                    wants[k, 0], until[d] = _same_message(draft, k, stop, join[f], limit[f])
            if join[f] == 3:
                p = partner[d]
                while p < stop and (draft.direction[p] == d or draft.size[p] == 0):
                    p += 1
                if p < stop:
                    wants[k, 1] = draft.size[p]
                    partner[d] = p + 1
            own[k] = np.uint16(mix(seed[f] + np.uint64(sent[d])) & np.uint64(0xFFFF))
            wants[k, 2] = place
            # first packets differ most; behind them two variants do, and fewer patterns are made
            wants[k, 3] = variant if place == 0 or proto[f] != 6 else variant & 1
            sent[d] += 1
