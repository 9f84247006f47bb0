"""The columns of forging, as named tuples of arrays that kernels take whole.

A draft holds the packets of flows in flow order; frames add what the wire needs. No object stands for a packet.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EMPTY, TEXT, RANDOM, REPLAY, ANY = range(5)
"""Payload classes as in `netsynth_core.flows.payloads`; `ANY` leaves the choice to the payload maker."""


class Draft(NamedTuple):
    """Packets of flows before they have headers; flow i is the slice ``offsets[i]:offsets[i + 1]``."""

    offsets: NDArray[np.int64]
    direction: NDArray[np.uint8]
    """0 originator to responder, 1 back."""
    flags: NDArray[np.uint8]
    """TCP flags, low bit FIN; 0 without TCP."""
    size: NDArray[np.int32]
    """Payload bytes; for ICMP those behind the 8-byte header."""
    gap: NDArray[np.int64]
    """ns since the packet before; 0 for the first."""
    kind: NDArray[np.uint8]
    """Payload class."""
    token: NDArray[np.int32]
    """Position of the first word in the list of tokens; -1 without."""
    copy: NDArray[np.int32]
    """How many packets back in the flow the one stands that this repeats (a re-emission); 0 = none."""
    carried: NDArray[np.int32]
    """Position of the payload model of its transition among those of all models; -1 without."""


class FlowFacts(NamedTuple):
    """What frames need to know of each flow."""

    proto: NDArray[np.uint8]
    ends: NDArray[np.int64]
    """(n, 2) hosts: originator, responder."""
    ports: NDArray[np.uint16]
    """(n, 2); for ICMP unused."""
    ipv6: NDArray[np.bool_]
    start: NDArray[np.int64]
    """Instant of the first packet, ns."""
    seed: NDArray[np.uint64]
    messages: NDArray[np.uint8]
    """(n, 2, 2) ICMP type and code of each direction."""
    syn_layout: NDArray[np.uint8]
    """(n, 2) TCP option layout of each side's SYN."""
    later_layout: NDArray[np.uint8]
    syn_window: NDArray[np.int64]
    window: NDArray[np.int64]


class HostFacts(NamedTuple):
    """What frames need to know of each host."""

    address: NDArray[np.uint8]
    """(n, 16), IPv4 in the last four bytes."""
    mac: NDArray[np.uint8]
    ttl: NDArray[np.uint8]


class Patterns(NamedTuple):
    """Payload patterns: fixed bytes, a filled middle, fixed bytes; all in one arena."""

    arena: NDArray[np.uint8]
    prefix_at: NDArray[np.int64]
    prefix_size: NDArray[np.int32]
    suffix_at: NDArray[np.int64]
    suffix_size: NDArray[np.int32]
    fill: NDArray[np.uint8]
    """How the middle is filled: `FILL_RANDOM`, `FILL_TEXT`, `FILL_ZERO`, `FILL_LOW`."""
    patch_at: NDArray[np.int32]
    """Where the packet's own 16-bit word goes; -1 = nowhere."""


class Frames(NamedTuple):
    """Packets with everything that varies in their headers."""

    flow: NDArray[np.int64]
    ts: NDArray[np.int64]
    direction: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    size: NDArray[np.int32]
    seq: NDArray[np.uint32]
    """TCP sequence number; for ICMP the second word of the header."""
    ack: NDArray[np.uint32]
    window: NDArray[np.uint16]
    layout: NDArray[np.uint8]
    stamp: NDArray[np.uint32]
    echo: NDArray[np.uint32]
    pattern: NDArray[np.int32]
    word: NDArray[np.uint16]
    """The packet's own 16-bit word, for patterns that have a place for it."""
    filler: NDArray[np.uint64]
    """Seed of the filled middle."""


FILL_RANDOM, FILL_TEXT, FILL_ZERO, FILL_LOW = range(4)
