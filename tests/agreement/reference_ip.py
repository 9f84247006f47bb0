"""The plain reader's second half: from an IP header to the payload (see `reference`)."""

import struct
from typing import Any

EXTENSIONS = (0, 43, 60, 135, 139, 140, 51)


class Skip(Exception):
    """A frame is no row; the text is the reason."""


def _need(raw: bytes, size: int, reason: str) -> None:
    if len(raw) < size:
        raise Skip(reason)


def read_ip(frame: bytes, at: int, true: int, version: int, *, tunnels: bool) -> dict[str, Any]:
    """One IP packet that starts at `at` of a frame of `true` bytes; all places are counted from the frame's start.

    Raises
    ------
    Skip
        When it is not whole.
    """
    packet = _headers(frame, at, true, version)
    if tunnels and packet["fragment"] != 2:
        stop = packet["stop"]
        try:
            version, at = _inside(frame, packet)
            found = _headers(frame[: max(stop, 0)], at, stop, version)
        except Skip:
            return packet
        if packet["fragment"] == 1 and found["fragment"] == 0:
            # the tunnel was fragmented: what this frame holds of the packet inside is its first fragment
            found |= {"shell": packet, "fragment": 1, "ident": packet["ident"]}
            found |= {"size": min(found["size"], stop - at), "stop": min(found["stop"], stop)}
        return found
    return packet


def _headers(frame: bytes, at: int, true: int, version: int) -> dict[str, Any]:
    packet: dict[str, Any] = dict.fromkeys(("sport", "dport", "flags", "seq", "ack", "window"), 0)
    raw = frame[at:]
    packet |= _ipv4(raw, true - at) if version == 4 else _ipv6(raw, true - at)
    packet["stop"] = at + packet["size"]
    packet["begin"] += at
    packet["payload"] = packet["begin"]
    if packet["fragment"] == 2:
        return packet
    body = frame[packet["begin"] :]
    left = packet["stop"] - packet["begin"]
    proto = packet["proto"]
    if proto == 6:
        packet |= _tcp(body, left, packet["begin"], first=packet["fragment"] == 1)
    elif proto == 17:
        packet |= _udp(body, left, packet["begin"])
    elif proto in (1, 58):
        packet |= _icmp(body, left, packet["begin"], proto)
    elif proto in (33, 132, 136):
        packet |= _ported(body, left, packet["begin"], proto)
    return packet


def _ipv4(raw: bytes, true: int) -> dict[str, Any]:
    _need(raw, 20, "truncated IPv4 header")
    first, _, size, ident, place, ttl, proto, _, src, dst = struct.unpack_from("!BBHHHBBH4s4s", raw)
    header = (first & 15) * 4
    if first >> 4 != 4 or header < 20:
        raise Skip("broken IPv4 header")
    _need(raw, header, "truncated IPv4 header")
    size = size or true
    if size < header:
        raise Skip("broken IPv4 header")
    fragment = 2 if place & 0x1FFF else 1 if place & 0x2000 else 0
    begin, outer = header, proto
    if proto == 51 and fragment != 2 and len(raw) >= begin + 2:
        proto, begin = raw[begin], begin + (raw[begin + 1] + 2) * 4
    return {
        "src": src, "dst": dst, "ttl": ttl, "size": size, "ident": ident,
        "fragment": fragment, "proto": proto, "outer": outer, "begin": begin,
    }  # fmt: skip


def _ipv6(raw: bytes, true: int) -> dict[str, Any]:
    _need(raw, 40, "truncated IPv6 header")
    if raw[0] >> 4 != 6:
        raise Skip("broken IPv6 header")
    size, proto, ttl = struct.unpack_from("!HBB", raw, 4)
    total = size + 40 if size or proto == 59 else max(true, 40)
    at, fragment, ident = 40, 0, 0
    while proto in EXTENSIONS or proto == 44:
        if proto == 44:
            _need(raw, at + 8, "truncated IPv6 extension header")
            proto, place, ident = struct.unpack_from("!BxHI", raw, at)
            at += 8
            if place & 0xFFF8:
                fragment = 2
                break
            fragment = 1 if place & 1 else fragment
        else:
            _need(raw, at + 2, "truncated IPv6 extension header")
            words = raw[at + 1]
            proto, at = raw[at], at + ((words + 2) * 4 if proto == 51 else (words + 1) * 8)
    return {
        "src": raw[8:24], "dst": raw[24:40], "ttl": ttl, "size": total, "ident": ident,
        "fragment": fragment, "proto": proto, "outer": None, "begin": at,
    }  # fmt: skip


def _tcp(body: bytes, left: int, begin: int, *, first: bool) -> dict[str, int]:
    if first:
        body = body[: max(left, 0)]
    _need(body, 4 if first else 14, "truncated TCP header")
    sport, dport = struct.unpack_from("!HH", body)
    found = {"sport": sport, "dport": dport, "window": 0xFFFF}
    header = 20
    if len(body) >= 14:
        header = (body[12] >> 4) * 4
        if header < 20 or (header > left and not first):
            raise Skip("broken TCP header")
        found["flags"] = body[13]
    for name, kind, at in (("seq", "!I", 4), ("ack", "!I", 8), ("window", "!H", 14)):
        if len(body) >= at + struct.calcsize(kind):
            found[name] = struct.unpack_from(kind, body, at)[0]
    return found | {"payload": begin + header}


def _udp(body: bytes, left: int, begin: int) -> dict[str, int]:
    _need(body, 8, "truncated UDP header")
    sport, dport, size = struct.unpack_from("!HHH", body)
    size = size or left
    if size < 8 or left < 8:
        raise Skip("broken UDP header")
    return {"sport": sport, "dport": dport, "payload": begin + 8, "stop": begin + min(left, size)}


def _icmp(body: bytes, left: int, begin: int, proto: int) -> dict[str, int]:
    _need(body, 4, "truncated ICMP header")
    if left < 4:
        raise Skip("broken ICMP header")
    found = {"sport": body[0], "dport": body[1], "payload": begin + min(8, left)}
    if body[0] in ((0, 8) if proto == 1 else (128, 129)) and len(body) >= 6:
        found["seq"] = int.from_bytes(body[4:6], "big")
    return found


def _ported(body: bytes, left: int, begin: int, proto: int) -> dict[str, int]:
    _need(body, 8, "truncated SCTP, DCCP or UDP-Lite header")
    header = {132: 12, 136: 8, 33: body[4] * 4}[proto]
    if (proto == 33 and header < 12) or header > left:
        raise Skip("broken SCTP, DCCP or UDP-Lite header")
    sport, dport = struct.unpack_from("!HH", body)
    return {"sport": sport, "dport": dport, "payload": begin + header}


def _inside(frame: bytes, packet: dict[str, Any]) -> tuple[int, int]:
    """Version and place of the packet that another one carries."""
    from tests.agreement.reference_links import ether

    begin, proto = packet["begin"], packet["proto"]
    body = frame[begin:]
    if proto in (4, 41):
        return (4 if proto == 4 else 6), begin
    if proto == 17 and packet["dport"] in (4789, 8472) and len(body) >= 30 and body[8] & 8:
        return ether(frame, begin + 30, int.from_bytes(body[28:30], "big"))
    if proto == 47 and len(body) >= 4:
        flags, kind = struct.unpack_from("!HH", body)
        at = begin + 4 + 4 * sum(bool(flags & bit) for bit in (0x8000, 0x2000, 0x1000))
        if flags & 0x4007 == 0:
            if kind == 0x88BE and flags & 0x1000:
                at += 8
            if kind == 0x22EB and len(frame) >= at + 12:
                at += 20 if frame[at + 11] & 1 else 12
            if kind in (0x6558, 0x88BE, 0x22EB):
                _need(frame, at + 14, "no packet inside")
                return ether(frame, at + 14, int.from_bytes(frame[at + 12 : at + 14], "big"))
            if kind >= 0x600:
                return ether(frame, at, kind)
    raise Skip("no packet inside")
