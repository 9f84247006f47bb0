"""NTP, DHCP, QUIC, TFTP and RADIUS datagrams, and the bodies of ICMP messages."""

import struct

from netsynth_core.forge.columns import FILL_LOW, FILL_RANDOM, FILL_TEXT, FILL_ZERO, REPLAY, TEXT
from netsynth_core.forge.headers import IPV4, IPV6, UDP, build, checksum
from netsynth_core.forge.payloads.names import digest, word
from netsynth_core.forge.payloads.pattern import Made, Want


def ntp(want: Want) -> Made | None:
    """NTP version 4 (RFC 5905): 48 bytes, 68 with a digest; 12 are a control message."""
    if want.size == 12:
        return Made(b"\x16\x02\0\1" + bytes(8) if want.direction == 0 else b"\x16\x82\0\1" + bytes(8))
    size = 68 if want.size >= 58 else 48
    if want.direction == 0:
        # a client needs to say nothing but its own clock, which it may draw at random (RFC 9109)
        body = b"\x23\0\6\x20" + bytes(36)
        tail = struct.pack(">I", 1 + want.variant) if size == 68 else b""
        fill = FILL_RANDOM
        return (
            Made(body, fill, size=size) if size == 48 else Made(body + digest(8, want.variant) + tail, fill, size=size)
        )
    body = b"\x24\2\6\xe9" + digest(2, "delay", want.variant).rjust(4, b"\0") + bytes(2) + b"\1\x10" + b"\xcb\0\x71\5"
    fine = 2 if want.kind == REPLAY else 6
    stamps = b"".join(b"\xec\x20" + digest(fine, "stamp", want.variant, i).ljust(6, b"\0") for i in range(4))
    tail = struct.pack(">I", 1 + want.variant) if size == 68 else b""
    return Made((body + stamps)[:48] + tail, FILL_RANDOM, size=size)


def dhcp(want: Want) -> Made | None:
    """DHCP (RFC 2131): discover or request, offer or acknowledgement, padded behind the end option."""
    reply = want.direction == 1
    kind = (2 if want.ordinal == 0 else 5) if reply else (1 if want.ordinal == 0 else 3)
    number = digest(4, "xid", want.variant)
    given = b"\xc0\0\2" + bytes([20 + want.variant]) if reply else bytes(4)
    mac = b"\2" + digest(5, "mac", want.variant)
    head = (
        struct.pack(">BBBB", 2 if reply else 1, 1, 6, 0) + number + bytes(8) + given + bytes(8) + mac.ljust(16, b"\0")
    )
    options = b"\x63\x82\x53\x63" + bytes([53, 1, kind]) + b"\xff"
    whole = head + bytes(192) + options
    return Made(whole, FILL_ZERO, size=max(want.size, len(whole)))


_SHORTEST = 1 + 8 + 4 + 16
"""Bytes of the shortest QUIC packet with a short header and an identifier of 8 bytes."""


def quic(want: Want) -> Made | None:
    """QUIC version 1 (RFC 9000): a long header first in each direction, short headers after; all else is encrypted."""
    if want.kind == TEXT:
        return None
    fill = FILL_LOW if want.kind == REPLAY else FILL_RANDOM
    peer, own = digest(8, "id", want.variant, 1 - want.direction), digest(8, "id", want.variant, want.direction)
    if want.ordinal == 0 and want.size >= 60:
        left = want.size - 1 - 4 - 18 - 2
        return Made(b"\xe1\0\0\0\1\x08" + peer + b"\x08" + own + struct.pack(">H", 0x4000 | left), fill)
    # readers that know the connection look for a sample behind the identifier (RFC 9001 section 5.4.2)
    return Made(b"\x41" + peer, fill, size=max(want.size, _SHORTEST))


def tftp(want: Want) -> Made | None:
    """TFTP (RFC 1350): a read request first, then blocks and acknowledgements."""
    if want.direction == 0 and want.ordinal == 0 and want.size >= 10:
        return Made(b"\0\1" + word(want.size - 9, want.variant).encode("ascii") + b"\0octet\0")
    if want.size <= 4:
        return Made(b"\0\4\0\1", size=4)
    return Made(b"\0\3\0\1", FILL_TEXT)


def radius(want: Want) -> Made | None:
    """RADIUS (RFC 2865): code, identifier, length, authenticator, reply messages."""
    size = max(want.size, 20)
    room = size - 20
    if room in (1, 2):
        size, room = 20, 0
    attributes = b""
    while room:
        take = min(room, 253)
        if 0 < room - take < 3:
            take -= 3
        kind = 18 if want.direction else 1
        attributes += bytes([kind, take]) + word(take - 2, want.variant, room).encode("ascii")
        room -= take
    code = 2 if want.direction else 1
    head = struct.pack(">BBH", code, want.variant, size) + digest(16, "auth", want.variant)
    return Made(head + attributes, size=size)


def dhcpv6(want: Want) -> Made | None:
    """DHCPv6 (RFC 8415): solicit or reply, and one opaque option (an interface's name) that takes what is left."""
    kind = 7 if want.direction else 1
    head = bytes([kind]) + digest(3, "xid6", want.variant)
    if want.size < 9:
        return Made(head, size=4)
    return Made(head + struct.pack(">HH", 18, want.size - 8), FILL_TEXT)


def teredo(want: Want) -> Made | None:
    """Teredo (RFC 4380): an IPv6 packet in a datagram, with nothing that readers know in it (next header 59)."""
    size = max(want.size, 40)
    server, client = 0x2001 << 112 | 1, 0x2001 << 112 | 2 + want.variant
    source, sink = (server, client) if want.direction else (client, server)
    raw = build(IPV6, payload_length=size - 40, next=59, hop_limit=21, source=source, destination=sink)
    return Made(raw, FILL_LOW if want.kind == REPLAY else FILL_RANDOM, size=size)


def vxlan(want: Want) -> Made | None:
    """VXLAN (RFC 7348): a network number and a whole Ethernet frame of a type kept for experiments."""
    frame = b"\2" + digest(5, "inner", want.variant) + b"\2" + digest(5, "outer", want.variant) + b"\x88\xb5"
    head = b"\x08\0\0\0\0\0" + bytes([1 + want.variant, 0])
    fill = FILL_LOW if want.kind == REPLAY else FILL_RANDOM
    return Made(head + frame, fill, size=max(want.size, len(head + frame)))


def rip(want: Want) -> Made | None:
    """RIP version 2 and RIPng (RFC 2453, RFC 2080): a request or response with whole entries of 20 bytes."""
    entries = min(max((want.size - 4) // 20, 1), 25)
    head = bytes([2 if want.direction else 1, 1 if want.port == 521 else 2, 0, 0])
    if want.port == 521:
        entry = (0x20010DB8 << 96).to_bytes(16, "big") + b"\0\0\x20\1"
    else:
        entry = b"\0\2\0\0\xc0\0\2\0\xff\xff\xff\0\0\0\0\0\0\0\0\1"
    return Made(head + entry * entries, size=4 + 20 * entries)


_QUOTING = {1: (3, 4, 5, 11, 12), 58: (1, 2, 3, 4)}
_ECHOES = {1: (0, 8), 58: (128, 129)}


def icmp(want: Want) -> Made | None:
    """What stands behind the first 8 bytes of an ICMP or ICMPv6 message (`want.port` is its type)."""
    kind = want.port
    if kind in _ECHOES.get(want.proto, ()):
        pattern = bytes(range(16, 256))
        return Made(pattern[: max(0, min(want.size, 240))], FILL_ZERO)
    if kind in _QUOTING.get(want.proto, ()):
        return _quoted(want)
    if want.proto == 58:
        return _neighbour(want)
    return Made(b"", FILL_ZERO)


def _quoted(want: Want) -> Made:
    """The start of the packet that the message complains about: a datagram of the other side."""
    network = 28 if want.proto == 1 else 48
    size = max(want.size, network)
    datagram = build(UDP, source_port=40_000 + want.variant, destination_port=33_434, length=size - network + 8)
    if want.proto == 1:
        source, sink = int.from_bytes(b"\xc0\0\2\1", "big"), int.from_bytes(b"\xc6\x33\x64\1", "big")
        raw = build(IPV4, length=size, ttl=1, proto=17, source=source, destination=sink)
        raw = build(IPV4, length=size, ttl=1, proto=17, source=source, destination=sink, checksum=checksum(raw))
    else:
        base = 0x20010DB8 << 96
        raw = build(IPV6, payload_length=size - 40, next=17, hop_limit=1, source=base | 1, destination=base | 2)
    return Made(raw + datagram, FILL_ZERO, size=size)


def _neighbour(want: Want) -> Made:
    """Neighbour discovery (RFC 4861) and multicast listener (RFC 3810) bodies."""
    target = (0xFE80 << 112 | 0x0200_00FF_FE00_0000 | want.variant).to_bytes(16, "big")
    mac = b"\2" + digest(5, "neighbour", want.variant)
    if want.port in (135, 136):
        if want.size < 24:
            return Made(target, size=16)
        return Made(target + bytes([1 if want.port == 135 else 2, 1]) + mac, size=24)
    if want.port == 133:
        return Made(b"\1\1" + mac, size=8)
    if want.port == 134:
        return Made(bytes(8) + b"\1\1" + mac, size=16)
    if want.port == 143:
        group = b"\xff\2" + bytes(13) + bytes([1 + want.variant])
        records = max(1, want.size // 20)
        return Made((b"\4\0\0\0" + group) * records, size=20 * records)
    if want.port in (130, 131, 132):
        return Made(b"\xff\2" + bytes(13) + b"\1", size=16)
    return Made(b"", FILL_ZERO)
