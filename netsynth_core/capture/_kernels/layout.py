"""The arrays that the decoding kernel and its caller share: what stands at which index.

An interface is a column of a table; the fields of a packet are what the readers of headers hand to the loop.
"""

import numpy as np

# what the kernel counts besides frames and rows
UNDATED, WAITS_UNTIL, TAKEN, STATE = range(4)
"""Frames without an instant; the number of the frame before which later fragments wait for a first one; rows that
left the columns with earlier windows."""

# an interface: a row of a (n, INTERFACE) table, as small as can be, since a file may describe millions
DESCRIBED, OFFSET, INTERFACE = range(3)
"""Link type (16 bits), the byte that tells the resolution, snaplen (31 bits), from the lowest bit on; offset, s."""

AT_UNIT, AT_SNAPLEN = 16, 24
"""How far to shift `DESCRIBED` to the right for the byte of the resolution and the snaplen."""

# a link type: a row of a (65536, LINK) table
ROUTE, FRAMES, LINK = range(3)
"""The way to IP, the bytes of the link header and where the EtherType is, 8 bits each from the lowest; frames seen."""

# a resolution: a row of a (256, UNIT) table
EXPONENT, BINARY, MULTIPLIER, LIMIT, UNIT = range(5)
"""Exponent and whether it is one of 2; ns per tick and the last tick for which that factor serves (-1: none)."""

NEAR = 1 << 32
"""Largest offset, s, for which `MULTIPLIER` serves."""

# ways from the start of a frame to IP; those from `WIFI` on, most of them through IEEE 802.11, are for `rare`
NO_WAY, TYPED, VERSION_AT_ONCE, LLC_AT_ONCE, PPP, FAMILY, TOKEN_RING, FILTER_LOG = range(8)
WIFI, WIFI_RADIOTAP, WIFI_PRISM, WIFI_AVS, PER_PACKET, NETFILTER = range(8, 14)

# why the kernel came back
FULL, PAUSED, SHORT, DAMAGED, SECTION, INTERFACE_BLOCK = range(6)
"""Columns full; `pause` or `halt` reached; the bytes end before the next record does; a record that cannot be; a
section header; an interface description."""

NO_INSTANT = np.iinfo(np.int64).min

# the fields of one packet: where its IP header is and of which version; protocol, ports, length by the IP header; where
# the transport header, the payload and its end are; TCP's numbers; identification; one of the values below. Of a packet
# that was found in the first fragment of another one: where the header of that is (0: it was not) and its version; the
# identification is then of that. Of a later fragment of a tunnel: 1 + the place that has the addresses inside
(
    IP, VERSION, PROTO, SOURCE, DESTINATION, SIZE, BEGIN, AT_PAYLOAD, STOP,
    SEQ, ACK, FLAGS, WINDOW, IDENT, FRAGMENT, SHELL, SHELL_VERSION, ELSEWHERE, FIELDS,
) = range(19)  # fmt: skip

WHOLE, FIRST, LATER = range(3)
"""Values of the column `fragment`: a whole packet, a first fragment, a later one."""

# the table of fragments (`_kernels.fragments`): places, in groups
SLOTS, WAYS = 1 << 14, 4
TIMEOUT = 60 * 10**9
"""ns for which fragments belong together (RFC 8200 section 4.5)."""

REACH = 64
"""A later fragment that comes before its first one waits for it so many frames."""

WAITING = 16
"""Later fragments of one datagram that can wait for their first."""

# per place: instant of the last fragment; protocol (-1 unknown) and ports of the first fragment, and where they are
# those of a packet inside (MOVED 1) its four words of addresses; how many rows wait
TS, PROTOCOL, PORTS, MOVED, ADDRESSES, WAIT, FACTS = *range(5), 8, 9
KEYS = 5
