"""SSH (RFC 4253): banner, key exchange, then packets whose lengths are encrypted like all else.

The banner and the first binary packet (KEXINIT) are in clear and have exactly the size asked for; the packet after it
starts the key exchange and says NEWKEYS, where it has room to.
"""

import struct

from netsynth_core.forge.columns import ANY, FILL_LOW, FILL_RANDOM, RANDOM, REPLAY, TEXT
from netsynth_core.forge.payloads.names import digest, word
from netsynth_core.forge.payloads.pattern import Made, Want

_LEAST = 28
"""Bytes of the shortest packet with its authentication tag."""
_KEX = "curve25519-sha256"
_HOST_KEY = "ssh-ed25519"
_CIPHER = "chacha20-poly1305@openssh.com"
_MAC = "hmac-sha2-256-etm@openssh.com"


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _packet(payload: bytes, size: int) -> bytes | None:
    """A packet of exactly `size` bytes around a payload; padding takes 4 to 255."""
    padding = size - 5 - len(payload)
    if not 4 <= padding <= 255:
        return None
    return struct.pack(">IB", size - 4, padding) + payload + bytes(padding)


def _kexinit(size: int, variant: int) -> bytes | None:
    least = 1 + 16 + 40 + len(_KEX) + len(_HOST_KEY) + 2 * (len(_CIPHER) + len(_MAC) + 4) + 5
    spare = size - 5 - least - 8
    if spare < 0:
        return None
    # unknown methods behind the known ones take what is left
    more = f",{word(spare - 1, variant)}" if spare > 1 else ""
    lists = (_KEX + more, _HOST_KEY, _CIPHER, _CIPHER, _MAC, _MAC, "none", "none", "", "")
    body = (
        b"\x14" + digest(16, "cookie", variant) + b"".join(_string(name.encode("ascii")) for name in lists) + bytes(5)
    )
    return _packet(body, size)


def _exchange(want: Want) -> bytes | None:
    """The key exchange message of either side with NEWKEYS behind it, in exactly this size."""
    size = want.size - 16
    newkeys = _packet(b"\x15", 16)
    if newkeys is None:
        return None
    if want.direction == 0:
        first = _packet(b"\x1e" + _string(digest(32, "point", want.variant)), size)
    else:
        key = _string(b"ssh-ed25519") + _string(digest(32, "host", want.variant))
        signature = _string(b"ssh-ed25519") + _string(digest(64, "signature", want.variant))
        body = b"\x1f" + _string(key) + _string(digest(32, "point2", want.variant)) + _string(signature)
        # padding takes what is left, unless that is more than it may; then encrypted packets follow
        room = size - 5 - len(body)
        first = _packet(body, size if room <= 255 else 5 + len(body) + 8)
    if first is None:
        return None
    return first + newkeys


def ssh(want: Want) -> Made | None:
    """A banner, a key exchange packet, or encrypted bytes."""
    if want.kind in (TEXT, ANY) and want.ordinal == 0:
        name = b"SSH-2.0-"
        size = max(want.size, len(name) + 3)
        software = word(size - len(name) - 2, want.variant).encode("ascii")
        return Made(name + software + b"\r\n", size=size)
    if want.kind == TEXT:
        return None
    fill = FILL_LOW if want.kind == REPLAY else FILL_RANDOM
    if want.ordinal == 1:
        made = _kexinit(want.size, want.variant)
        if made is not None:
            return Made(made)
    if want.ordinal == 2:
        made = _exchange(want)
        if made is not None:
            return Made(made, fill)
    if want.kind == RANDOM and want.ordinal == 3 and want.size >= _LEAST:
        return Made(b"", fill)
    # messages to be ignored stand for all that comes in clear and is not told apart
    size = max(want.size, _LEAST)
    return Made(struct.pack(">IBBI", size - 4, 4, 2, size - 14), fill, size=size)
