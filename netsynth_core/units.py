"""Time, bits and bytes: parsing what people write and printing what people read.

Instants are integer nanoseconds since the Unix epoch; they never pass through a float.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from netsynth_core.errors import InvalidParameter

NS_PER_S = 1_000_000_000
NS_PER_US = 1_000

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|min|h|d)?\s*$")
_SCALE = {
    "ns": 1,
    "us": NS_PER_US,
    "ms": 1_000_000,
    "s": NS_PER_S,
    None: NS_PER_S,
    "m": 60 * NS_PER_S,
    "min": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
    "d": 86400 * NS_PER_S,
}


def seconds_to_ns(text: str) -> int:
    """Exact nanoseconds of a decimal number of seconds written as text.

    >>> seconds_to_ns("1489104004.896")
    1489104004896000000

    Raises
    ------
    ValueError
        When the text is no finite decimal number.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no number of seconds") from None
    if not value.is_finite():
        raise ValueError(f"{text!r} is no finite number of seconds")
    return int((value * NS_PER_S).to_integral_value())


def ns_to_seconds(ns: int) -> str:
    """Decimal seconds of integer nanoseconds, without trailing zeros beyond milliseconds.

    >>> ns_to_seconds(1489104004896000000)
    '1489104004.896'
    """
    sign = "-" if ns < 0 else ""
    whole, rest = divmod(abs(ns), NS_PER_S)
    digits = f"{rest:09d}".rstrip("0")
    return f"{sign}{whole}.{digits.ljust(3, '0')}"


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration such as ``90``, ``90s``, ``5m``, ``1.5h`` or ``2d``.

    >>> parse_duration("1.5m") // NS_PER_S
    90
    """
    match = _DURATION.match(text)
    if match is None:
        raise InvalidParameter(
            f"{text!r} is no duration.", hint="Write a number and a unit, such as 90s, 5m, 1.5h or 2d."
        )
    return int(Decimal(match[1]) * _SCALE[match[2]])


def parse_instant(text: str) -> int:
    """Nanoseconds since the epoch of Unix seconds or an ISO 8601 instant (UTC unless it says otherwise)."""
    try:
        return seconds_to_ns(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidParameter(
            f"{text!r} is no instant.", hint="Write Unix seconds or ISO 8601, such as 2026-03-01T09:00:00."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86400 + delta.seconds) * NS_PER_S + delta.microseconds * NS_PER_US


def format_instant(ns: int) -> str:
    """UTC date and time of an instant, to the millisecond."""
    seconds, rest = divmod(ns, NS_PER_S)
    try:
        moment = datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return f"{ns_to_seconds(ns)} s"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03d} UTC"


def format_duration(ns: int | float) -> str:
    """A duration in the unit a person would pick.

    >>> format_duration(90 * NS_PER_S)
    '1 min 30 s'
    """
    value = float(ns)
    if value < 0:
        return "-" + format_duration(-value)
    if value < 1e3:
        return f"{value:.0f} ns"
    if value < 1e6:
        return f"{value / 1e3:.3g} µs"
    if value < 1e9:
        return f"{value / 1e6:.3g} ms"
    seconds = value / 1e9
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours / 24:.1f} days"


def format_number(value: float) -> str:
    """A figure as people read it: thin groups for large ones, four significant digits for small ones.

    >>> format_number(12345), format_number(383.198)
    ('12 345', '383.2')
    """
    if value != int(value) and abs(value) < 1000:
        return f"{value:.4g}"
    return f"{value:,.0f}".replace(",", " ")


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "word"), count(2, "word")
    ('1 word', '2 words')
    """
    return f"{format_number(number)} {noun}{'' if number == 1 else 's'}"


def format_bits(bits: float) -> str:
    """Bits with a thin group separator: ``12 345 bits``."""
    return f"{bits:,.0f}".replace(",", " ") + " bits"


def format_bytes(size: float) -> str:
    """Bytes in decimal units: ``1.2 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
