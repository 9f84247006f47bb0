"""Symbols: what one packet is to an automaton, and their text ``FLAGS_DIRECTION_CLASS``.

``S_>_Empty`` is a SYN of the originator, ``PA_<_Text-HTTP/1.1`` a text of the responder that begins with ``HTTP/1.1``,
``PA_>_Replay-ClientHello`` a binary message of a kind that has a name, ``>_Replay`` a datagram without flags.
"""

import re
from typing import Final, NamedTuple

from netsynth_core.errors import SchemaError

FLAG_ORDER: Final = "SFRPAU"
"""Letters of the flags in a symbol, in this order; ECE and CWR are left out."""

_LONGEST_WORD: Final = 10
_CLASSES: Final = ("Empty", "Text", "Random", "Replay")
_SYMBOL: Final = re.compile(r"^(?:([SFRPAU]+)_)?([<>])_(Empty|Text|Random|Replay)(?:-([A-Za-z0-9.+/_*]{1,12}))?$")


class Symbol(NamedTuple):
    """A packet class."""

    flags: str
    """Letters of `FLAG_ORDER`; ``""`` without TCP."""
    direction: str
    """``>`` originator to responder, ``<`` back."""
    payload: str
    """``Empty``, ``Text``, ``Random`` or ``Replay``."""
    token: str = ""
    """First token of a text (at most 10 characters), or the kind of a binary message: 1-12 characters of
    ``A-Z a-z 0-9 . + / _ *``; ``""`` when left out."""


def format_symbol(symbol: Symbol) -> str:
    """The text of a symbol.

    >>> format_symbol(Symbol("PA", ">", "Text", "GET"))
    'PA_>_Text-GET'
    """
    flags = f"{symbol.flags}_" if symbol.flags else ""
    token = f"-{symbol.token}" if symbol.token else ""
    return f"{flags}{symbol.direction}_{symbol.payload}{token}"


def parse_symbol(text: str) -> Symbol:
    """The symbol of a text.

    Raises
    ------
    SchemaError
        When it has not the form ``FLAGS_DIRECTION_CLASS``.
    """
    match = _SYMBOL.match(text)
    if match is None or "".join(c for c in FLAG_ORDER if c in (match[1] or "")) != (match[1] or ""):
        raise SchemaError(
            f"{text!r} is no packet symbol.", hint="Packet symbols look like S_>_Empty, PA_<_Random or >_Text-GET."
        )
    if match[4] and match[3] == "Empty":
        raise SchemaError(f"{text!r} has a token, but is empty.", hint="Only a payload is followed by a token.")
    if match[3] == "Text" and len(match[4] or "") > _LONGEST_WORD:
        raise SchemaError(
            f"The token of {text!r} is too long.", hint=f"First words of texts have at most {_LONGEST_WORD} characters."
        )
    return Symbol(match[1] or "", match[2], match[3], match[4] or "")
