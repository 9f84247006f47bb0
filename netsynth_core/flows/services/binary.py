"""Services with a binary header over TCP: secure channels, shells, files, databases, queues."""

from typing import Final

import numpy as np

from netsynth_core.flows.services.evidence import Evidence, Mask, Numbers, Side, as_mask

_HANDSHAKES: Final = (0, 1, 2, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25)
_TLS_MOST: Final = 18432
"""Most bytes of a protected record, RFC 5246 section 6.2.3: 2^14 + 2048."""
_MONGO_OPERATIONS: Final = (1, 2001, 2002, 2004, 2005, 2006, 2007, 2010, 2011, 2012, 2013)
_RPC_PROGRAMS: Final = (100000, 100003, 100005, 100021, 100024, 100227)
_NFS_PROGRAMS: Final = (100003, 100005, 100021, 100227)
_SEGMENT: Final = 500
"""From how many bytes on a first packet may hold only the beginning of a message."""


def _fits(length: Numbers, s: Side) -> Mask:
    """Whether a message of this length is the packet, or begins in a full one."""
    return as_mask((length == s.size) | ((length > s.size) & (s.size >= _SEGMENT)))


def tls(s: Side) -> Mask:
    """A record of TLS (RFC 8446 section 5.1), or the client's greeting of SSL 2 (RFC 5246 appendix E.2)."""

    def record(part: Side) -> Mask:
        length = part.word(3)
        kind = part.byte(0)
        plain = (kind == 22) & part.among(5, _HANDSHAKES) & (length >= 4)
        hidden = (kind == 22) & (length >= 16)
        alert = (kind == 21) & ((length == 2) | (length >= 16)) & (part.size >= 7)
        change = (kind == 20) & (length == 1)
        data = (kind == 23) | (kind == 24)
        framed = (length > 0) & (length <= _TLS_MOST) & (part.size >= 6)
        return as_mask(framed & (plain | hidden | alert | change | data))

    def greeting(part: Side) -> Mask:
        ciphers, session, challenge = part.word(5), part.word(7), part.word(9)
        version = part.word(3)
        sane = (ciphers % 3 == 0) & (ciphers > 0) & np.isin(session, (0, 16)) & (challenge >= 16) & (challenge <= 32)
        whole = (part.word(0) & 0x7FFF) == 9 + ciphers + session + challenge
        return as_mask(sane & whole & ((version == 2) | (version >> 8 == 3)))

    record_gate = as_mask((s.byte(0) >= 20) & (s.byte(0) <= 24) & (s.byte(1) == 3) & (s.byte(2) <= 4))
    greeting_gate = as_mask((s.byte(0) >= 0x80) & (s.byte(2) == 1) & (s.byte(3) <= 3) & (s.size >= 28))
    return as_mask(s.where(record_gate, record) | s.where(greeting_gate, greeting))


def mysql(e: Evidence) -> Mask:
    """The server's greeting or refusal, or the client's answer to it (MySQL client/server protocol: handshake)."""

    def greeting(s: Side) -> Mask:
        length = s.number(0, 3, little=True)
        # a version such as 8.0.36 or 11.4.2-MariaDB
        digit = (s.byte(5) >= 0x31) & (s.byte(5) <= 0x39)
        wide = (s.byte(6) >= 0x30) & (s.byte(6) <= 0x39) & (s.byte(7) == 0x2E)
        digit &= (s.byte(6) == 0x2E) | wide
        return as_mask(((s.byte(4) == 10) | (s.byte(4) == 9)) & digit & (length >= 30) & (length + 4 >= s.size))

    def refusal(s: Side) -> Mask:
        code = s.word(5, little=True)
        return as_mask(
            (s.byte(4) == 0xFF) & (s.number(0, 3, little=True) + 4 == s.size) & (code >= 1000) & (code < 4000)
        )

    def answer(s: Side) -> Mask:
        whole = s.number(0, 3, little=True) + 4 <= s.size
        return as_mask(whole & s.at(13, bytes(19)) & (s.byte(3) <= 2) & (s.byte(5) & 0x82 != 0))

    def told(s: Side) -> Mask:
        return as_mask(greeting(s) | refusal(s))

    first = e.resp.where(as_mask((e.resp.byte(3) == 0) & (e.resp.byte(2) == 0) & (e.resp.size >= 9)), told)
    reply = e.orig.where(as_mask((e.orig.byte(3) == 1) & (e.orig.byte(2) == 0) & (e.orig.size >= 36)), answer)
    return as_mask(first | reply)


def postgresql(e: Evidence) -> Mask:
    """The startup packet or a request before it (PostgreSQL frontend/backend protocol 3: message formats)."""

    def startup(s: Side) -> Mask:
        code, length = s.long(4), s.long(0)
        version = (code >> 16 == 3) & (code & 0xFFFF <= 2) & (length >= 9) & (s.byte(8) >= 0x61)
        request = np.isin(code, (80877103, 80877104)) & (length == 8)
        cancel = (code == 80877102) & (length >= 16)
        return as_mask((version | request | cancel) & (length >= s.size))

    def authentication(s: Side) -> Mask:
        return as_mask(s.at(0, b"R\0\0\0") & (s.long(5) <= 13) & (s.long(1) + 1 <= s.size))

    first = e.orig.where(as_mask((e.orig.byte(0) == 0) & (e.orig.byte(1) == 0) & (e.orig.size >= 8)), startup)
    reply = e.resp.where(as_mask(e.on(5432) & (e.resp.byte(0) == 0x52)), authentication)
    return as_mask(first | reply)


def mongodb(s: Side) -> Mask:
    """A header of length, identifiers and a known operation (MongoDB wire protocol: standard message header)."""

    def told(part: Side) -> Mask:
        length = part.long(0, little=True)
        known = np.isin(part.long(12, little=True), _MONGO_OPERATIONS)
        return as_mask(known & _fits(length, part) & (length <= 48_000_000))

    return s.where(as_mask((s.byte(15) == 0) & (s.byte(14) == 0) & (s.byte(3) <= 2) & (s.size >= 16)), told)


def mssql(s: Side) -> Mask:
    """A packet that opens a session: type, last packet, length, window 0 (MS-TDS 2.2.3.1; TDS 5.0 for type 2)."""

    def told(part: Side) -> Mask:
        opened = (part.byte(0) == 0x12) & (part.byte(8) == 0) & (part.byte(1) == 1)
        login = (part.byte(0) == 0x10) & (part.long(8, little=True) == part.word(2) - 8)
        early = (part.byte(0) == 0x02) & (part.word(2) == 512)
        return as_mask((opened | login | early) & (part.word(2) == part.size))

    return s.where(as_mask(s.among(0, (0x02, 0x10, 0x12)) & (s.byte(1) <= 1) & (s.byte(7) == 0) & (s.size >= 9)), told)


def oracle(s: Side) -> Mask:
    """A TNS connect, accept, refuse or redirect packet of the payload's size (Oracle Net: TNS header)."""

    def told(part: Side) -> Mask:
        version = part.word(8)
        connect = (part.byte(4) == 1) & (version >= 300) & (version <= 400)
        other = (part.byte(4) == 2) & (version >= 300) & (version <= 400) | (part.byte(4) == 11) & (part.size == 8)
        return as_mask((part.word(0) == part.size) & (connect | other))

    return s.where(as_mask(s.among(4, (1, 2, 11)) & (s.word(2) == 0) & (s.byte(5) <= 8) & (s.size >= 8)), told)


def cassandra(s: Side) -> Mask:
    """A frame of versions 3 to 5 that opens or answers (Cassandra native protocol specification section 2)."""

    def told(part: Side) -> Mask:
        return as_mask((part.long(5) == part.size - 9) & part.among(4, (0, 1, 2, 3, 5, 6, 14, 15, 16)))

    version = s.byte(0) & 0x7F
    return s.where(as_mask((version >= 3) & (version <= 5) & (s.byte(1) <= 0x1F) & (s.size >= 9)), told)


def kafka(e: Evidence) -> Mask:
    """A request: size, interface, version, correlation, on other ports the client's name (Kafka protocol guide)."""
    s = e.orig

    def told(part: Side) -> Mask:
        return as_mask((part.long(0) + 4 == part.size) & (part.word(4) <= 90) & (part.word(6) <= 20))

    def named(part: Side) -> Mask:
        name, first = part.word(12), part.byte(14)
        return as_mask((name > 0) & (name <= 200) & (14 + name <= part.size) & (first > 0x20) & (first < 0x7F))

    framed = s.where(as_mask((s.byte(0) == 0) & (s.byte(4) == 0) & (s.byte(6) == 0) & (s.size >= 14)), told)
    return as_mask(framed & (e.on(9092) | s.where(framed, named)))


def mqtt(s: Side) -> Mask:
    """CONNECT: a remaining length and the protocol's name (MQTT 3.1.1 and 5 section 3.1)."""
    names = [s.at(at, name) for at in (2, 3, 4) for name in (b"\0\4MQTT", b"\0\6MQIsdp")]
    return as_mask((s.byte(0) == 0x10) & np.logical_or.reduce(names))


def smb(s: Side) -> Mask:
    """A session message that holds an SMB header (RFC 1002 section 4.3.1, MS-SMB2 section 2.2.1), or a session request.

    Session requests (RFC 1002 section 4.3.2) carry SMB and nothing else today.
    """
    header = s.at(5, b"SMB") & s.among(4, (0xFC, 0xFD, 0xFE, 0xFF)) & (s.byte(0) == 0)
    request = (s.byte(0) == 0x81) & (s.byte(1) == 0) & (s.byte(4) == 0x20) & (s.word(2) + 4 == s.size) & (s.size >= 72)
    return as_mask(header | request)


def dcerpc(s: Side) -> Mask:
    """Version 5, a known packet type, a sane data representation and fragment length (C706 section 12.6.3.1)."""

    def told(part: Side) -> Mask:
        length = np.where(part.byte(4) & 0x10 != 0, part.word(8, little=True), part.word(8))
        form = (part.byte(4) & 0xEE == 0) & (part.byte(5) <= 3) & (part.word(6) == 0)
        return as_mask(form & (part.byte(2) <= 20) & (length >= 16) & _fits(length, part))

    web = s.starts(b"ncacn_http/1.0")
    return as_mask(s.where(as_mask((s.byte(0) == 5) & (s.byte(1) <= 1) & (s.size >= 16)), told) | web)


def rdp(e: Evidence) -> Mask:
    """A connection request in TPKT with a cookie or a negotiation, or port 3389 (MS-RDPBCGR section 2.2.1.1).

    Behind the request RDP speaks TLS: records of it without a greeting are the middle of a session on port 3389.
    """

    def told(part: Evidence) -> Mask:
        s = part.orig
        asked = s.at(11, b"Cookie: ") | s.at(11, b"\1\0\x08\0") | s.at(11, b"\1\1\x08\0") | part.on(3389)
        return as_mask((s.byte(4) + 5 == s.word(2)) & (s.word(2) <= s.size) & asked)

    def middle(part: Evidence) -> Mask:
        data = (part.orig.byte(0) == 23) | (part.resp.byte(0) == 23)
        return as_mask(data & tls(part.orig) & (tls(part.resp) | (part.resp.size == 0)) & (part.orig.byte(0) != 22))

    request = e.where(as_mask((e.orig.word(0) == 0x0300) & (e.orig.byte(5) == 0xE0)), told)
    return as_mask(request | e.where(e.on(3389), middle))


def amqp(s: Side) -> Mask:
    """The protocol header (AMQP 0-9-1 section 4.2.2, AMQP 1.0 section 2.2)."""
    return s.starts(b"AMQP\0", b"AMQP\1", b"AMQP\2", b"AMQP\3")


def bgp(s: Side) -> Mask:
    """A marker of ones, a length and a message type (RFC 4271 section 4.1)."""
    return as_mask(s.starts(b"\xff" * 16) & s.where(as_mask(s.byte(18) <= 5), lambda p: as_mask(p.word(16) >= 19)))


def diameter(s: Side) -> Mask:
    """Version 1, the message's length, and flags without the reserved ones (RFC 6733 section 3)."""

    def told(part: Side) -> Mask:
        length, command = part.number(1, 3), part.number(5, 3)
        return as_mask((length >= 20) & (length % 4 == 0) & (length >= part.size) & (command >= 257) & (command < 400))

    return s.where(as_mask((s.byte(0) == 1) & (s.byte(4) & 0x0F == 0) & (s.byte(1) == 0) & (s.size >= 20)), told)


def rtmp(e: Evidence) -> Mask:
    """The first handshake chunk: version 3, a time, four zeros (Adobe RTMP specification section 5.2)."""
    s = e.orig
    return as_mask((s.byte(0) == 3) & (s.size >= 1200) & s.at(5, b"\0\0\0\0") & (e.on(1935) | (e.resp.byte(0) == 3)))


def socks(e: Evidence) -> Mask:
    """A greeting and its answer of versions 5 or 4 (RFC 1928 section 3, SOCKS 4 protocol)."""
    s, r = e.orig, e.resp
    greeting = (s.byte(0) == 5) & (s.byte(1) >= 1) & (s.size == s.byte(1).astype(np.int64) + 2)
    five = greeting & (r.byte(0) == 5) & (r.size >= 2) & r.among(1, (0, 1, 2, 3, 5, 6, 0xFF))
    four = (s.byte(0) == 4) & s.among(1, (1, 2)) & (r.byte(0) == 0) & r.among(1, range(0x5A, 0x5E)) & (r.size == 8)
    return as_mask(five & (r.size == 2) | four | (greeting & e.on(1080)))


def bitcoin(s: Side) -> Mask:
    """The main network's magic and a command in letters (Bitcoin protocol documentation: message structure)."""
    return as_mask(s.at(0, b"\xf9\xbe\xb4\xd9") & (s.byte(4) >= 0x61) & (s.byte(4) <= 0x7A))


def rpc(s: Side, shift: int) -> Mask:
    """A call of ONC RPC version 2 to the port mapper or the network file system (RFC 5531 sections 9 and 11)."""
    gate = as_mask(s.at(shift + 8, b"\0\0\0\2") & (s.long(shift + 4) == 0) & (s.size >= shift + 24))
    return s.where(gate, lambda part: as_mask(np.isin(part.long(shift + 12), _RPC_PROGRAMS)))


def nfs(s: Side, shift: int) -> Mask:
    """Such a call to the file system's own programs (RFC 7530, RFC 1813 section 5)."""
    return s.where(rpc(s, shift), lambda part: as_mask(np.isin(part.long(shift + 12), _NFS_PROGRAMS)))
