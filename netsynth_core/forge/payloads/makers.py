"""Which maker serves which service."""

from typing import Final

from netsynth_core.forge.payloads.generic import generic
from netsynth_core.forge.payloads.pattern import Made, Maker, Want

JOINS: Final[dict[str, int]] = {}
"""How messages of a service span packets: see `netsynth_core.forge.payloads._kernels.gather_wants`."""

MAKERS: Final[dict[str, Maker]] = {}


def make(want: Want) -> Made:
    """The payload wanted; where the protocol has none like it, one by class alone."""
    maker = MAKERS.get(want.service)
    made = maker(want) if maker is not None else None
    return generic(want) if made is None else made
