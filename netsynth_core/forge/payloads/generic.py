"""Payloads by class alone, for ports whose protocol has no maker of its own."""

from netsynth_core.capture.packets import PROTO_UDP
from netsynth_core.flows.payloads import LEAST
from netsynth_core.forge.columns import ANY, FILL_LOW, FILL_RANDOM, FILL_TEXT, FILL_ZERO, RANDOM, TEXT
from netsynth_core.forge.payloads.pattern import Made, Want
from netsynth_core.forge.payloads.strict import LOW, ONES, SHORT, SHORTEST, ZERO

_BEGINNING = b"\x80\x8a"
"""No text, and no type that readers look for in datagrams of any port (200-213 would be RTCP)."""


def generic(want: Want) -> Made:
    """Text that begins with the token, random bytes, or bytes of few values that are neither.

    On ports of `netsynth_core.forge.payloads.strict` the class gives way to what readers put up with.
    """
    door = (want.proto, want.port)
    size = max(want.size, SHORTEST) if want.proto == PROTO_UDP else want.size
    if door in ZERO:
        return Made(b"", FILL_ZERO, size=size)
    if door in ONES:
        return Made(b"\1" * size, size=size)
    if door in LOW and want.kind != TEXT:
        return Made(_BEGINNING[: want.size], FILL_LOW, size=size)
    if door in SHORT and want.size < SHORTEST:
        return Made(_BEGINNING, FILL_LOW, size=SHORTEST)
    if want.kind == TEXT:
        if want.token:
            return Made((want.token + " ").encode("ascii")[: want.size], FILL_TEXT)
        return Made(b"", FILL_TEXT)
    if want.kind == RANDOM or (want.kind == ANY and want.size >= LEAST):
        return Made(_BEGINNING[: want.size], FILL_RANDOM)
    return Made(_BEGINNING[: want.size], FILL_LOW)
