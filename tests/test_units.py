"""Time and bits keep their exact values on the way through text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core import units
from netsynth_core.errors import InvalidParameter


@given(st.integers(-(2**62), 2**62))
def test_seconds_round_trip_is_exact(ns: int) -> None:
    assert units.seconds_to_ns(units.ns_to_seconds(ns)) == ns


@pytest.mark.parametrize("text", ["", "abc", "1.2.3", "nan", "inf", "-inf"])
def test_no_number_of_seconds(text: str) -> None:
    with pytest.raises(ValueError):
        units.seconds_to_ns(text)


@pytest.mark.parametrize(
    ("text", "ns"), [("90", 90 * 10**9), ("1.5m", 90 * 10**9), ("2 h", 7200 * 10**9), ("5ms", 5_000_000), ("7ns", 7)]
)
def test_durations(text: str, ns: int) -> None:
    assert units.parse_duration(text) == ns


@pytest.mark.parametrize("text", ["", "-5s", "5 weeks", "1e3s", "s"])
def test_wrong_durations_say_what_to_write(text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        units.parse_duration(text)
    assert "such as 90s" in caught.value.hint


def test_instants() -> None:
    assert units.parse_instant("2026-03-01T09:00:00") == 1772355600 * 10**9
    assert units.parse_instant("2026-03-01T10:00:00+01:00") == 1772355600 * 10**9
    assert units.parse_instant("12.5") == 12_500_000_000
    assert units.format_instant(1772355600123_000_000) == "2026-03-01 09:00:00.123 UTC"


@pytest.mark.parametrize(
    ("ns", "text"),
    [(5, "5 ns"), (1500, "1.5 µs"), (2_500_000, "2.5 ms"), (90 * 10**9, "1 min 30 s"), (3 * 86400 * 10**9, "3.0 days")],
)
def test_readable_durations(ns: int, text: str) -> None:
    assert units.format_duration(ns) == text


def test_readable_sizes() -> None:
    assert units.format_bytes(999) == "999 B"
    assert units.format_bytes(1_234_567) == "1.23 MB"
    assert units.format_bits(1234567.4) == "1 234 567 bits"
