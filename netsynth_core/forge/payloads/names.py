"""Names and numbers that belong to nobody: host names under reserved domains (RFC 2606), words, digests."""

import hashlib
from functools import lru_cache

_LETTERS = b"etaoinshrdlcumwfgypbvk"
_TABLE = bytes(_LETTERS[byte % len(_LETTERS)] for byte in range(256))


def digest(size: int, *parts: object) -> bytes:
    """`size` bytes that follow from the parts; the same everywhere."""
    text = "/".join(map(str, parts)).encode("utf-8")
    return hashlib.shake_128(text).digest(size)


def word(size: int, *parts: object) -> str:
    """`size` letters that follow from the parts.

    >>> len(word(7, 1)), word(3, 1).isalpha()
    (7, True)
    """
    return digest(max(size, 0), "word", *parts).translate(_TABLE).decode("ascii")


@lru_cache(maxsize=4096)
def host_labels(wire: int, variant: int) -> tuple[str, ...]:
    """Labels of a host name whose DNS form (length bytes and root included) takes `wire` bytes; 1 or 3-255.

    >>> sum(len(label) + 1 for label in host_labels(40, 0)) + 1
    40
    """
    if wire == 1:
        return ()
    room = wire - 1
    tail: tuple[str, ...] = ()
    for candidate in (("example", "com"), ("example",), ("test",)):
        length = sum(len(label) + 1 for label in candidate)
        if room - length == 0 or room - length >= 2:
            tail, room = candidate, room - length
            break
    labels = []
    while room:
        take = min(room, 4 + (variant * 3 + room) % 9)
        if 0 < room - take < 2:
            take = room if room <= 64 else take - 1
        labels.append(word(take - 1, variant, room))
        room -= take
    return (*labels, *tail)
