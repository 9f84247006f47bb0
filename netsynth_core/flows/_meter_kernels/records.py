"""What is known of a flow and of each of its sides, as records."""

import numpy as np

FLOW = np.dtype(
    [
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("first", "i8"),
        ("last", "i8"),
        ("sport", "u2"),
        ("dport", "u2"),
        ("proto", "u1"),
        ("turned", "u1"),
        ("flags", "u1"),
        ("letters", "u1"),
        ("syn_at", "i8"),
        ("rtt", "i8"),
        ("history", "u8", (3,)),
        ("serial", "i8"),
    ],
    align=True,
)
"""One flow: key as in its first packet, instants (ns), whether the originator is side 1, flags union, history;
which flow it is in order of their first packets, 0 for a record that is not used."""

SIDE = np.dtype(
    [
        ("bytes", "i8"),
        ("last", "i8"),
        ("reached", "i8"),
        ("print", "u8"),
        ("packets", "u4"),
        ("next", "u4"),
        ("start", "u4"),
        ("acked", "u4"),
        ("whole", "u4"),
        ("beyond", "u4"),
        ("lower", "u4"),
        ("upper", "u4"),
        ("ack", "u4"),
        ("fin", "u4"),
        ("was_syn", "u4"),
        ("was_fin", "u4"),
        ("was_rst", "u4"),
        ("rexmits", "u4"),
        ("zeros", "u4"),
        ("gaps", "u4"),
        ("mss", "i4"),
        ("window", "u2"),
        ("seen", "u2"),
        ("scale", "i1"),
        ("options", "u1"),
        ("state", "u1"),
        ("before", "u1"),
        ("notes", "u1"),
        ("dupacks", "u1"),
        ("hello", "u2"),
    ],
    align=True,
)
"""One side of a flow: what it sent (bytes, packets), its sequence space (next, start, acked by the peer, whole up to,
data beyond a hole, a second hole from lower to upper), the last acknowledgement and window it sent, TCP options, state,
what it was seen to do, and how many bytes of its ClientHello are still to come. All zero before its first packet; a
flow likewise."""
