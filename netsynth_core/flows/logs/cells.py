"""Texts to values, a column at a time: instants, durations, counts, ports, protocols, addresses, flags.

Every function returns the values and a mask of the rows that hold one; nothing raises for what a cell holds.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from netsynth_core.capture.addresses import format_address, parse_address
from netsynth_core.flows.logs.ports import PORT_NAMES
from netsynth_core.flows.table import UNSET_PORT
from netsynth_core.flows.table_io import protocol_name
from netsynth_core.units import NS_PER_S

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]
Unit = Literal["s", "ms", "us", "ns"]
UNIT_NS: Final[dict[Unit, int]] = {"s": NS_PER_S, "ms": 1_000_000, "us": 1_000, "ns": 1}
MOST: Final = 10**15
"""Largest count that is believed: packets or bytes of one flow."""
LAST: Final = 2**62
"""Latest instant that is believed, ns since the epoch: the year 2116."""

_DECIMALS: Final[dict[Unit, int]] = {"s": 9, "ms": 6, "us": 3, "ns": 0}
_ISO: Final = r"^[12]\d{3}-\d\d?-\d\d?[ T]\d\d?:\d\d(:\d\d(\.\d+)?)? ?(Z|[+-]\d\d:?\d\d)?$"
_ISO_EXACT: Final = r"^[12]\d{3}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?$"
_ZONE: Final = r"(Z|[+-]\d\d:?\d\d)$"
_DATE: Final = (
    r"^(?P<a>\d{1,2})[/.-](?P<b>\d{1,2})[/.-](?P<year>[12]\d{3})[ T](?P<hour>\d{1,2}):(?P<minute>\d{1,2})"
    r"(?::(?P<second>\d{1,2})(?:\.(?P<fraction>\d{1,9}))?)? ?(?P<half>[AaPp][Mm])?$"
)
_CLOCK: Final = r"^(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?$"
_BYTE: Final = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_SIZES: Final = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def trimmed(texts: Any) -> Any:
    """The texts without blanks around them."""
    return pc.utf8_trim_whitespace(texts)


def mask_of(array: Any) -> Mask:
    """A numpy mask of an arrow one; nulls are False."""
    return np.asarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def mapped(texts: Any, function: Callable[[str], str | None]) -> tuple[Any, Mask]:
    """Texts through a function of the distinct ones; None is no value."""
    coded = texts.dictionary_encode()
    answers = pa.array([function(text) for text in coded.dictionary.to_pylist()], pa.large_string())
    if not len(answers):
        return texts, np.zeros(0, bool)
    values = answers.take(coded.indices)
    return pc.fill_null(values, ""), mask_of(values.is_valid())


def is_blank(texts: Any) -> Mask:
    """Which are empty or one of the marks logs write for nothing."""
    return mask_of(pc.is_in(texts, value_set=pa.array(["", "-", "(empty)", "NaN", "nan", "null", "None"], texts.type)))


# -- numbers ----------------------------------------------------------------------------------------------------------


def decimal_ns(texts: Any, unit: Unit = "s", *, blank: int | None = None) -> tuple[Numbers, Mask]:
    """Nanoseconds of decimal numbers of a unit, exactly; scientific notation is taken as a double.

    Parameters
    ----------
    texts
        Such as ``1489104004.896``; negative ones are no values.
    blank
        What an empty cell means; None: it is no value.
    """
    texts = trimmed(texts)
    places = _DECIMALS[unit]
    fraction = rf"(\.\d{{0,{places}}})?" if places else r"(\.0*)?"
    if not places:
        texts = pc.replace_substring_regex(texts, r"^(\d+)\.0*$", r"\1")
    shaped = pc.match_substring_regex(texts, rf"^\d{{1,{19 - places}}}{fraction}$")
    exact = pc.cast(pc.if_else(shaped, texts, "0"), pa.decimal128(38, places))
    words = np.frombuffer(exact.buffers()[1], np.int64).reshape(-1, 2)[exact.offset : exact.offset + len(exact)]
    ok = mask_of(shaped)
    ns = np.where(ok, words[:, 0], 0)
    ok &= (words[:, 1] == 0) & (ns >= 0)
    odd = np.flatnonzero(~ok)
    if len(odd):
        ns[odd], ok[odd] = _odd_decimals(texts.take(pa.array(odd)), unit, blank)
    return ns, ok


def _odd_decimals(texts: Any, unit: Unit, blank: int | None) -> tuple[Numbers, Mask]:
    """Numbers with a sign, an exponent, more digits than the unit has, or none before the point."""
    cut = pc.replace_substring_regex(texts, rf"^\+?(\d*\.\d{{{max(1, _DECIMALS[unit])}}})\d*$", r"\1")
    values = pd.to_numeric(pd.Series(cut.to_pandas()), errors="coerce").to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        ok = np.isfinite(values) & (values >= 0) & (values * UNIT_NS[unit] < LAST)
    whole = np.floor(np.where(ok, values, 0.0))
    rest = np.where(ok, values, 0.0) - whole
    ns = whole.astype(np.int64) * UNIT_NS[unit] + np.rint(rest * UNIT_NS[unit]).astype(np.int64)
    if blank is not None:
        empty = is_blank(texts)
        ns[empty], ok = blank, ok | empty
    return np.where(ok, ns, 0), ok


def counts(texts: Any, *, blank: int | None = 0) -> tuple[Numbers, Mask]:
    """Whole numbers from 0 to `MOST`; ``12.0``, ``1,200`` and ``1.4 M`` too (a thousand, million, billion; decimal)."""
    texts = trimmed(texts)
    shaped = pc.match_substring_regex(texts, r"^\d{1,15}$")
    values = np.asarray(pc.cast(pc.if_else(shaped, texts, "0"), pa.int64()).to_numpy(zero_copy_only=False))
    ok = mask_of(shaped)
    values = np.array(values, np.int64)
    odd = np.flatnonzero(~ok)
    if len(odd):
        values[odd], ok[odd] = _odd_counts(texts.take(pa.array(odd)), blank)
    return values, ok


def _odd_counts(texts: Any, blank: int | None) -> tuple[Numbers, Mask]:
    grouped = pc.match_substring_regex(texts, r"^\d{1,3}([,' \x{a0}\x{202f}]\d{3})+$")
    texts = pc.if_else(grouped, pc.replace_substring_regex(texts, r"[^\d]", ""), texts)
    parts = pc.extract_regex(texts, r"^(?P<number>\d+(?:\.\d*)?(?:[eE][+]?\d{1,2})?) ?(?P<unit>[kKmMgGtT]?)[iI]?[bB]?$")
    digits = pc.struct_field(parts, "number")
    number = pc.cast(pc.if_else(pc.equal(digits, ""), None, digits), pa.float64())
    unit = pd.Series(pc.utf8_lower(pc.struct_field(parts, "unit")).to_pandas()).map(_SIZES).fillna(1).to_numpy(float)
    floats = np.asarray(pc.fill_null(number, np.nan).to_numpy(zero_copy_only=False), dtype=np.float64) * unit
    ok = np.isfinite(floats) & (floats <= MOST)
    values = np.rint(np.where(ok, floats, 0)).astype(np.int64)
    if blank is not None:
        empty = is_blank(texts)
        values[empty], ok = blank, ok | empty
    return values, ok


def ports(texts: Any, *, blank: int | None = UNSET_PORT) -> tuple[NDArray[np.int32], Mask]:
    """Ports 0 to 65535: decimal, hexadecimal with ``0x``, or the name of a service (`PORT_NAMES`)."""
    texts = trimmed(texts)
    shaped = pc.match_substring_regex(texts, r"^\d{1,5}$")
    values = np.array(pc.cast(pc.if_else(shaped, texts, "0"), pa.int32()).to_numpy(zero_copy_only=False), np.int32)
    ok = mask_of(shaped)
    odd = np.flatnonzero(~ok)
    if len(odd):
        some = texts.take(pa.array(odd))
        named, known = mapped(some, _odd_port)
        numbers = np.array(
            pc.cast(pc.if_else(pc.equal(named, ""), "0", named), pa.int32()).to_numpy(zero_copy_only=False), np.int32
        )
        if blank is not None:
            empty = is_blank(some)
            numbers[empty], known = blank, known | empty
        values[odd], ok[odd] = numbers, known
    return np.where(ok & (values <= 65535), values, UNSET_PORT).astype(np.int32), ok & (values <= 65535)


def _odd_port(text: str) -> str | None:
    lowered = text.lower()
    if lowered.startswith("0x"):
        try:
            number = int(lowered, 16)
        except ValueError:
            return None
        return str(number) if 0 <= number <= 65535 else None
    if lowered.endswith(".0") and lowered[:-2].isascii() and lowered[:-2].isdigit() and len(lowered) <= 7:
        return lowered[:-2]
    number = PORT_NAMES.get(lowered, -1)
    return str(number) if number >= 0 else None


# -- words ------------------------------------------------------------------------------------------------------------


def protocols(texts: Any) -> tuple[Any, Mask]:
    """Names of the exchange format of protocol names or numbers."""
    return mapped(trimmed(texts), lambda text: protocol_name(text.lower().removesuffix(".0")))


def addresses(texts: Any) -> tuple[Any, Mask]:
    """Addresses, and names that stand for them; what looks like IPv4 must be it.

    IPv6 is written as RFC 5952 does, without a zone, and IPv4 inside it (RFC 4291 section 2.5.5.2) as IPv4: one host
    has one name.
    """
    texts = trimmed(texts)
    if pc.any(pc.match_substring(texts, ":")).as_py():
        texts = mapped(texts, canonical)[0]
    dotted = mask_of(pc.match_substring_regex(texts, r"^\d+\.\d+\.\d+\.\d+$"))
    sound = mask_of(pc.match_substring_regex(texts, rf"^{_BYTE}(\.{_BYTE}){{3}}$"))
    size = np.asarray(pc.binary_length(texts).to_numpy(zero_copy_only=False))
    return texts, ~is_blank(texts) & (~dotted | sound) & (size <= 255)


def canonical(text: str) -> str:
    """The one spelling of an IPv6 address; other texts as they are.

    >>> canonical("FE80:0::1%eth0"), canonical("::ffff:10.0.0.1"), canonical("00:16:3e:11:22:33")
    ('fe80::1', '10.0.0.1', '00:16:3e:11:22:33')
    """
    if ":" not in text:
        return text
    try:
        return format_address(*parse_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        return text


def flag_unions(texts: Any) -> Any:
    """The UAPRSF union of flag texts: letters, or a number (``0x1b``, ``27``) as RFC 9293 3.1 orders the bits."""
    return mapped(trimmed(texts), flag_union)[0]


def flag_union(text: str) -> str:
    """The UAPRSF union of one flag text; letters that are none of them are left out.

    >>> flag_union(".AP.SF"), flag_union("0x12"), flag_union("FSPA_FSRPA")
    ('.AP.SF', '.A..S.', '.APRSF')
    """
    lowered = text.lower()
    try:
        bits = int(lowered, 16) if lowered.startswith("0x") else int(lowered)
    except ValueError:
        upper = text.upper()
        return "".join(letter if letter in upper else "." for letter in "UAPRSF")
    return "".join(letter if bits & bit else "." for letter, bit in zip("UAPRSF", (32, 16, 8, 4, 2, 1), strict=True))


# -- instants ---------------------------------------------------------------------------------------------------------


def instants(texts: Any, unit: Unit = "s", *, day_first: bool = True) -> tuple[Numbers, Mask]:
    """Nanoseconds since the epoch of numbers of a unit, ISO 8601 texts, or dates with slashes.

    A text without zone is taken as UTC. Dates are day/month/year, or month/day/year unless `day_first`;
    year/month/day is known by itself. A clock without date counts from 1970-01-01.
    """
    texts = trimmed(texts)
    ns, ok = decimal_ns(texts, unit)
    for read in (_iso, _clock, _dates):
        rest = np.flatnonzero(~ok)
        if not len(rest):
            break
        some = texts.take(pa.array(rest))
        ns[rest], ok[rest] = _dates(some, day_first=day_first) if read is _dates else read(some)
    ok &= (ns >= 0) & (ns < LAST)
    return np.where(ok, ns, 0), ok


def _iso(texts: Any) -> tuple[Numbers, Mask]:
    slashed = pc.replace_substring_regex(texts, r"^([12]\d{3})[/.](\d\d?)[/.](\d\d?)[ .T-](\d\d?:)", r"\1-\2-\3 \4")
    texts = pc.replace_substring(slashed, ",", ".")
    shaped = mask_of(pc.match_substring_regex(texts, _ISO))
    zoned = mask_of(pc.match_substring_regex(texts, _ZONE))
    exact = shaped & mask_of(pc.match_substring_regex(texts, _ISO_EXACT))
    ns, ok = np.zeros(len(shaped), np.int64), np.zeros(len(shaped), bool)
    for chosen, kind in ((exact & zoned, pa.timestamp("ns", "UTC")), (exact & ~zoned, pa.timestamp("ns"))):
        rows = np.flatnonzero(chosen)
        if len(rows):
            ns[rows], ok[rows] = _cast_instants(texts.take(pa.array(rows)), kind)
    rows = np.flatnonzero(shaped & ~exact)
    if len(rows):
        ns[rows], ok[rows] = _odd_instants(texts.take(pa.array(rows)))
    return ns, ok


def _cast_instants(texts: Any, kind: Any) -> tuple[Numbers, Mask]:
    try:
        ns = pc.cast(pc.cast(texts, kind), pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return _odd_instants(texts)
    return np.array(ns, np.int64), np.ones(len(texts), bool)


def _odd_instants(texts: Any) -> tuple[Numbers, Mask]:
    """ISO texts among which some are no dates, or have one digit where two are usual."""
    found = pd.to_datetime(pd.Series(texts.to_pandas()), errors="coerce", utc=True, format="ISO8601")
    odd = found.isna()
    if odd.any():
        padded = pd.Series(texts.to_pandas())[odd].str.replace(r"(?<!\d)(\d)(?!\d)", r"0\1", regex=True, n=4)
        found[odd] = pd.to_datetime(padded, errors="coerce", utc=True, format="ISO8601")
    ok = found.notna().to_numpy(dtype=bool)
    inside = ok & (found.dt.year.fillna(0).to_numpy() < 2116)
    ns = np.zeros(len(found), np.int64)
    ns[inside] = found[inside].dt.as_unit("ns").astype("int64").to_numpy()
    return ns, inside


def _number(parts: Any, name: str, default: str = "0") -> Numbers:
    texts = pc.fill_null(pc.struct_field(parts, name), "")
    return np.array(
        pc.cast(pc.if_else(pc.equal(texts, ""), default, texts), pa.int64()).to_numpy(zero_copy_only=False), np.int64
    )


def _fraction(parts: Any) -> Numbers:
    texts = pc.fill_null(pc.struct_field(parts, "fraction"), "")
    digits = pc.utf8_rpad(texts, 9, "0")
    return np.array(pc.cast(digits, pa.int64()).to_numpy(zero_copy_only=False), np.int64)


def _clock(texts: Any) -> tuple[Numbers, Mask]:
    parts = pc.extract_regex(texts, _CLOCK)
    hour, minute, second = (_number(parts, name) for name in ("hour", "minute", "second"))
    ok = mask_of(parts.is_valid()) & (hour < 24) & (minute < 60) & (second < 61)
    return (hour * 3600 + minute * 60 + second) * NS_PER_S + _fraction(parts), ok


def _dates(texts: Any, *, day_first: bool = True) -> tuple[Numbers, Mask]:
    parts = pc.extract_regex(texts, _DATE)
    a, b, year, hour, minute, second = (_number(parts, name) for name in ("a", "b", "year", "hour", "minute", "second"))
    day, month = (a, b) if day_first else (b, a)
    half = pd.Series(pc.utf8_lower(pc.fill_null(pc.struct_field(parts, "half"), "")).to_pandas()).to_numpy(dtype=object)
    ok = mask_of(parts.is_valid()) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    ok &= (hour < 24) & (minute < 60) & (second < 61) & ((half == "") | ((hour >= 1) & (hour <= 12)))
    hour = np.where(half == "am", hour % 12, np.where(half == "pm", hour % 12 + 12, hour))
    months = (np.where(ok, year, 1970) - 1970) * 12 + np.where(ok, month, 1) - 1
    begin = months.astype("datetime64[M]").astype("datetime64[D]")
    date = begin + np.where(ok, day - 1, 0).astype("timedelta64[D]")
    ok &= date.astype("datetime64[M]").astype(np.int64) == months
    ns = date.astype(np.int64) * 86400 + hour * 3600 + minute * 60 + second
    ok &= (ns >= 0) & (ns < LAST // NS_PER_S)
    return np.where(ok, ns, 0) * NS_PER_S + np.where(ok, _fraction(parts), 0), ok
