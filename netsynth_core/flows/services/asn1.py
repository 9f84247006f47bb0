"""Services whose messages are BER: LDAP, Kerberos and SNMP (ITU-T X.690 section 8.1)."""

from typing import Final

import numpy as np

from netsynth_core.capture.packets import PROTO_TCP
from netsynth_core.flows.services.evidence import Evidence, Mask, Numbers, Side, as_mask

_KERBEROS_TAGS: Final = (0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x74, 0x75, 0x76, 0x7E)
"""[APPLICATION n] of RFC 4120 section 5.10: requests, replies, safe, private, credentials, error."""
_LDAP_OPERATIONS: Final = (
    *(0x42, 0x4A, 0x50, 0x60, 0x61, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69),
    *(0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x73, 0x77, 0x78, 0x79),
)
"""Tags of protocolOp, RFC 4511 section 4.2 to 4.13."""


def ber_length(s: Side, at: Numbers) -> tuple[Numbers, Numbers]:
    """Where the content behind a length at `at` begins, and the length; -1 where it is none in definite form."""
    first = s.pick(at)
    more = np.where(first < 0x80, 0, first & 0x7F)
    length = np.where(first < 0x80, first, 0)
    for k in range(1, 5):
        length = np.where(k <= more, length << 8 | s.pick(at + k), length)
    return at + 1 + more, np.where((more > 4) | (first == 0x80), -1, length)


def kerberos(e: Evidence) -> Mask:
    """A message tag, a sequence, and in it first the version 5; by TCP behind four bytes of length.

    RFC 4120 sections 5.4.1, 5.9.1 and 7.2.2; password changes: RFC 3244 section 2.
    """
    shift = 4 if e.proto == PROTO_TCP else 0

    def versioned(s: Side) -> Mask:
        inner, _ = ber_length(s, np.full(len(s), shift + 1))
        first, length = ber_length(s, inner + 1)
        hit = (s.pick(inner) == 0x30) & (length > 0) & (s.pick(first) >> 1 == 0xA0 >> 1)
        for k, value in enumerate((3, 2, 1, 5), 1):
            hit &= s.pick(first + k) == value
        return as_mask(hit & (shift == 0) | hit & (s.long(0) + 4 >= s.size))

    def password(s: Side) -> Mask:
        total = s.word(shift)
        return as_mask((total == s.size - shift) & np.isin(s.word(shift + 2), (1, 0xFF80)))

    def told(s: Side) -> Mask:
        return s.where(s.among(shift, _KERBEROS_TAGS), versioned)

    changes = e.where(e.on(464), lambda part: as_mask(password(part.orig) | password(part.resp)))
    return as_mask(told(e.orig) | told(e.resp) | changes)


def ldap(s: Side) -> Mask:
    """A sequence of a message identifier and an operation (RFC 4511 section 4.1.1)."""

    def told(part: Side) -> Mask:
        inner, length = ber_length(part, np.full(len(part), 1))
        width = part.pick(inner + 1)
        operation = np.isin(part.pick(inner + 2 + width), _LDAP_OPERATIONS)
        framed = (part.pick(inner) == 2) & (width >= 1) & (width <= 4) & (length >= 5)
        return as_mask(framed & operation)

    return s.where(as_mask((s.byte(0) == 0x30) & (s.size >= 7)), told)


def snmp(s: Side) -> Mask:
    """A sequence of the datagram's size: version, then community or header (RFC 1157 section 4, RFC 3412 section 6)."""

    def told(part: Side) -> Mask:
        inner, length = ber_length(part, np.full(len(part), 1))
        version, following = part.pick(inner + 2), part.pick(inner + 3)
        community = (version <= 1) & (following == 4)
        header = (version == 3) & (following == 0x30)
        framed = (part.pick(inner) == 2) & (part.pick(inner + 1) == 1) & (inner + length == part.size)
        return as_mask(framed & (community | header))

    return s.where(as_mask((s.byte(0) == 0x30) & (s.size >= 12)), told)
