"""Words from captures are hostile: what is shown through Markdown goes through here first."""

import re

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&@^=/])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def plain(text: object, *, limit: int = 200) -> str:
    """Text without control and direction marks, cut to `limit` characters; for widgets that show text as it is."""
    clean = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text))
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def md(text: object, *, limit: int = 200) -> str:
    """Text that Markdown shows literally: no links, pictures, colours, icons, formulas or HTML come of it."""
    return _MARKUP.sub(r"\\\1", plain(text, limit=limit))


def number(value: float, *, digits: int = 4) -> str:
    """A figure as people read it: thin groups for large ones, significant digits for the rest."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    if abs(value) >= 10_000:
        return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{value:.{digits}g}"


def count(amount: int, one: str, many: str | None = None) -> str:
    """``1 flow``, ``2 flows``."""
    return f"{number(amount)} {one if amount == 1 else many or one + 's'}"
