"""Tokens of binary messages: what kind of message a payload begins with, in the names of its protocol.

Only services whose flows were recognised are read, only payloads that begin with a whole head of theirs get a token,
and only kinds that have a name here: a payload in the middle of a message, a protected one, or one of another kind has
none. Each reader names the section that says where the kind stands.

====== =================================================================================================
tls    records of the handshake, alerts (RFC 8446 sections 5.1 and 4, B.3; RFC 5246 section 7.4); data has no kind
ssh    the messages before encryption (RFC 4253 sections 6 and 12, RFC 4419 section 5)
dns    the type asked for, the response code when it is an error (RFC 1035 sections 4.1, 3.2; RFC 6895)
kerberos the application tag (RFC 4120 section 5.10)
ldap   the operation (RFC 4511 section 4.2 and behind)
smb    the command of SMB 2 and 3 (MS-SMB2 section 2.2.1)
mqtt   the type of the control packet (MQTT 5 section 2.1.2)
ntp    the association mode (RFC 5905 section 7.3)
dhcp   the message type (RFC 2132 section 9.6)
====== =================================================================================================
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.capture.packets import PROTO_TCP, PacketTable
from netsynth_core.flows.conversations import Conversations
from netsynth_core.flows.services.evidence import Side

Codes = NDArray[np.int64]
"""Kind of each payload, -1 where it has none."""

_TLS_MOST: Final = 18_432
_SSH_MOST: Final = 35_000
_NAME_LABELS: Final = 24


def _names(text: str) -> dict[int, str]:
    """Kinds by number, of lines such as ``1 ClientHello``."""
    words = text.split()
    return {int(code, 0): name for code, name in zip(words[::2], words[1::2], strict=True)}


_TLS: Final = _names("""
0x1601 ClientHello 0x1602 ServerHello 0x1604 Ticket 0x160b Certificate 0x160c ServerKey 0x160d CertRequest
0x160e HelloDone 0x160f CertVerify 0x1610 ClientKey 0x1614 Finished 0x1600 HelloReq 0x1400 ChangeSpec 0x1500 Alert
""")
_SSH: Final = _names("20 KEXINIT 21 NEWKEYS 30 KEX_INIT 31 KEX_REPLY 32 GEX_INIT 33 GEX_REPLY 34 GEX_REQ 1 DISCONNECT")
_DNS_ASKED: Final = _names("""
1 A 2 NS 5 CNAME 6 SOA 12 PTR 15 MX 16 TXT 28 AAAA 33 SRV 35 NAPTR 43 DS 48 DNSKEY 64 SVCB 65 HTTPS 251 IXFR 252 AXFR
255 ANY
""")
_DNS_ERRORS: Final = _names("1 FORMERR 2 SERVFAIL 3 NXDOMAIN 4 NOTIMP 5 REFUSED")
_DNS: Final = _DNS_ASKED | {(1 << 16) + code: name for code, name in _DNS_ERRORS.items()}
_KERBEROS: Final = _names("""
0x6a AS_REQ 0x6b AS_REP 0x6c TGS_REQ 0x6d TGS_REP 0x6e AP_REQ 0x6f AP_REP 0x74 KRB_SAFE 0x75 KRB_PRIV 0x7e KRB_ERROR
""")
_LDAP: Final = _names("""
0x60 BindReq 0x61 BindResp 0x42 Unbind 0x63 Search 0x64 Entry 0x65 SearchDone 0x66 ModifyReq 0x67 ModifyResp
0x68 AddReq 0x69 AddResp 0x4a DelReq 0x6b DelResp 0x6e CompareReq 0x6f CompareRes 0x50 Abandon 0x73 Reference
0x77 ExtReq 0x78 ExtResp
""")
_SMB: Final = _names("""
0 Negotiate 1 Session 2 Logoff 3 TreeConn 4 TreeDisc 5 Create 6 Close 7 Flush 8 Read 9 Write 10 Lock 11 Ioctl 12 Cancel
13 Echo 14 QueryDir 15 Notify 16 QueryInfo 17 SetInfo 18 Oplock
""")
_MQTT: Final = _names("""
1 CONNECT 2 CONNACK 3 PUBLISH 4 PUBACK 5 PUBREC 6 PUBREL 7 PUBCOMP 8 SUBSCRIBE 9 SUBACK 10 UNSUB 11 UNSUBACK 12 PINGREQ
13 PINGRESP 14 DISCONNECT 15 AUTH
""")
_NTP: Final = _names("1 active 2 passive 3 client 4 server 5 broadcast 6 control 7 private")
_DHCP: Final = _names("1 DISCOVER 2 OFFER 3 REQUEST 4 DECLINE 5 ACK 6 NAK 7 RELEASE 8 INFORM")


def _tls(s: Side, stream: bool) -> Codes:
    kind, body = s.byte(0).astype(np.int64), s.byte(5).astype(np.int64)
    length = s.word(3)
    framed = (kind >= 20) & (kind <= 22) & (s.byte(1) == 3) & (s.byte(2) <= 4) & (length > 0) & (length <= _TLS_MOST)
    # a plain handshake message says its own length, an encrypted one anything
    told = s.number(6, 3) + 4
    plain = (kind == 22) & (s.byte(6) == 0) & ((told <= length) | (body == 11))
    code = np.where(kind == 22, np.where(plain, 0x1600 + body, 0x1614), kind << 8)
    return np.where(framed & (s.size >= 6), code, -1)


def _ssh(s: Side, stream: bool) -> Codes:
    length, padding = s.long(0), s.byte(4).astype(np.int64)
    whole = (length >= 8) & (length <= _SSH_MOST) & (padding >= 4) & (padding + 2 <= length) & ((length + 4) % 8 == 0)
    return np.where(whole & (length + 4 <= np.maximum(s.size, 4096)), s.byte(5).astype(np.int64), -1)


def _dns(s: Side, stream: bool) -> Codes:
    head = 2 if stream else 0
    flags = s.word(head + 2)
    asked = (s.word(head + 4) == 1) & (s.size >= head + 17)
    at = np.full(len(s), head + 12, np.int64)
    for _ in range(_NAME_LABELS):
        step = s.pick(at)
        if not step.any():
            break
        at += np.where((step > 0) & (step < 64), step + 1, 0)
    ended = (s.pick(at) == 0) & (at + 4 < s.head.shape[1])
    kind = s.pick(at + 1) << 8 | s.pick(at + 2)
    error = np.where((flags & 0x8000) > 0, flags & 15, 0)
    code = np.where(error > 0, (1 << 16) + error, np.where(ended, kind, -1))
    return np.where(asked, code, -1)


def _kerberos(s: Side, stream: bool) -> Codes:
    head = 4 if stream else 0
    whole = s.byte(head + 1) >= 32
    if stream:
        whole = whole & (s.long(0) >= 32) & (s.byte(0) == 0)
    return np.where(whole, s.byte(head).astype(np.int64), -1)


def _ldap(s: Side, stream: bool) -> Codes:
    # 30 length 02 length message-id operation: lengths of one byte, or 8k and k bytes
    first = s.byte(1).astype(np.int64)
    at = np.where(first >= 0x80, 2 + (first & 7), 2)
    number = s.pick(at + 1)
    sane = (s.byte(0) == 0x30) & (s.pick(at) == 2) & (number >= 1) & (number <= 4)
    return np.where(sane, s.pick(at + 2 + number), -1)


def _smb(s: Side, stream: bool) -> Codes:
    return np.where(s.at(4, b"\xfeSMB"), s.word(16, little=True), -1)


def _mqtt(s: Side, stream: bool) -> Codes:
    kind, flags = s.byte(0).astype(np.int64) >> 4, s.byte(0) & 15
    plain = np.isin(kind, (6, 8, 10))
    sane = (kind == 3) | (flags == np.where(plain, 2, 0))
    return np.where(sane & (s.size >= 2), kind, -1)


def _ntp(s: Side, stream: bool) -> Codes:
    return (s.byte(0) & 7).astype(np.int64)


def _dhcp(s: Side, stream: bool) -> Codes:
    # options begin behind the cookie; the message type is nearly always the first one
    said = s.at(236, b"\x63\x82\x53\x63") & (s.byte(240) == 53) & (s.byte(241) == 1)
    return np.where(said, s.byte(242).astype(np.int64), -1)


Reader = Callable[[Side, bool], Codes]
READERS: Final[Mapping[str, tuple[Reader, int, Mapping[int, str]]]] = {
    "tls": (_tls, 9, _TLS),
    "ssh": (_ssh, 6, _SSH),
    "dns": (_dns, 128, _DNS),
    "kerberos": (_kerberos, 6, _KERBEROS),
    "ldap": (_ldap, 16, _LDAP),
    "smb": (_smb, 18, _SMB),
    "mqtt": (_mqtt, 2, _MQTT),
    "ntp": (_ntp, 1, _NTP),
    "dhcp": (_dhcp, 243, _DHCP),
}
"""By service: what reads a head, the bytes it looks at, and the kinds that have a name."""


def message_tokens(
    packets: PacketTable,
    conversations: Conversations,
    binary: NDArray[np.bool_],
    service: NDArray[np.object_],
) -> tuple[NDArray[np.int64], list[str]]:
    """Codes of the kinds of messages.

    Parameters
    ----------
    packets, conversations
        The packets and what belongs together.
    binary
        Per position of the conversations: whether it has a payload that is no text.
    service
        Per flow.

    Returns
    -------
    tuple
        A code per position and the tokens they stand for; code 0 is no token.
    """
    out = np.zeros(len(binary), np.int64)
    names = [""]
    of_flow, services = pd.factorize(service)
    spoken = np.array([name in READERS for name in services], np.bool_)
    where = np.flatnonzero(binary & np.repeat(spoken[of_flow], np.diff(conversations.offsets)))
    if not len(where):
        return out, names
    group = of_flow[np.searchsorted(conversations.offsets, where, side="right") - 1]
    for number, name in sorted(enumerate(services), key=lambda pair: str(pair[1])):
        if not spoken[number]:
            continue
        read, width, kinds = READERS[str(name)]
        mine = where[group == number]
        rows = conversations.packets[mine]
        stream = packets.proto[rows] == PROTO_TCP
        for tcp in (False, True):
            part, held = mine[stream == tcp], rows[stream == tcp]
            if not len(part):
                continue
            codes = read(_heads(packets, held, width), tcp)
            for code in np.unique(codes).tolist():
                if code in kinds:
                    token = kinds[code]
                    if token not in names:
                        names.append(token)
                    out[part[codes == code]] = names.index(token)
    return out, names


def _heads(packets: PacketTable, rows: NDArray[np.int64], width: int) -> Side:
    """The first bytes of some payloads, zero behind what was captured."""
    data, at, held = packets.data, packets.payload_offset[rows], packets.payload_captured[rows]
    inside = at + width <= len(data)
    if inside.all():
        head = np.lib.stride_tricks.sliding_window_view(data, width)[at]
    else:
        head = np.zeros((len(rows), width), np.uint8)
        if inside.any():
            head[inside] = np.lib.stride_tricks.sliding_window_view(data, width)[at[inside]]
        for row in np.flatnonzero(~inside).tolist():
            rest = data[at[row] :]
            head[row, : len(rest)] = rest
    short = np.flatnonzero(held < width)
    if len(short):
        head[short] *= np.arange(width) < held[short, None]
    return Side(head, packets.payload_length[rows].astype(np.int64))
