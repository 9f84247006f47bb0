"""When windows start: what a span can tell, shrinkage, and starts that were held out."""

import numpy as np
import pytest

from netsynth_core.models.flowchronicle.generation.intensity import (
    COURSE,
    DAY,
    HOUR,
    HOURS,
    MONDAY,
    SLOTS,
    WEEK,
    Intensities,
    Known,
    StartCounts,
    draw_starts,
    exposure,
    hour_of_week,
    shrunk,
)

BEGIN = MONDAY + 2800 * WEEK
PROFILES = {
    # an hour of the week -> windows an hour
    "office": lambda h: 14.0 if 8 <= h % 24 < 18 and h // 24 < 5 else 0.3,
    "backup": lambda h: 9.0 if h % 24 in (2, 3) else 0.05,
    "monday": lambda h: 4.0 if h // 24 == 0 else 0.4,
    "flat": lambda h: 1.0,
}


def planted(profile: str, begin: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """Starts of a Poisson process with an hourly profile."""
    hours = np.arange(begin, begin + length, HOUR)
    counts = rng.poisson([PROFILES[profile](int(hour_of_week(np.array([h]))[0])) for h in hours])
    starts = np.repeat(hours, counts) + rng.integers(0, HOUR, counts.sum())
    return np.sort(starts[starts < begin + length])


def learnt(starts: list[np.ndarray], begin: int, length: int) -> Intensities:
    last = begin + length - 1
    counts = tuple(StartCounts.fit(s, begin, last) for s in starts)
    return Intensities(counts, np.array([len(s) for s in starts], float), begin, last)


def log_density(rates: np.ndarray, starts: np.ndarray, days: int) -> float:
    """Mean log density of starts over the first days of a week, from a rate by slot of the week."""
    density = rates / (rates[: days * 24 * SLOTS].sum() * HOUR / SLOTS)
    return float(np.log(density[(starts - MONDAY) % WEEK // (HOUR // SLOTS)]).mean())


def replay_density(seen: np.ndarray, starts: np.ndarray, days: int) -> float:
    """The same for stamps of the week replayed with a jitter of 10 ms, one in a hundred anywhere."""
    stamps, points = np.sort(seen % WEEK), starts % WEEK
    near = np.searchsorted(stamps, points + 10**7) - np.searchsorted(stamps, points - 10**7)
    return float(np.log(0.99 * near / (len(stamps) * 2e7) + 0.01 / (days * DAY)).mean())


@pytest.mark.parametrize("days", [3, 7, 14])
def test_held_out_starts_are_likelier_than_under_replay_a_flat_rate_or_bare_counts(days: int) -> None:
    rng = np.random.default_rng(days)
    trained = [planted(name, BEGIN, days * DAY, rng) for name in PROFILES]
    # the same weekdays two weeks later, never seen
    held = [planted(name, BEGIN + 2 * WEEK, days * DAY, rng) for name in PROFILES]
    rates = learnt(trained, BEGIN, days * DAY).week
    gains = {}
    for name, row, seen, new in zip(PROFILES, rates, trained, held, strict=True):
        part = min(days, 7)
        mine, flat = log_density(row, new, part), log_density(np.ones(HOURS * SLOTS), new, part)
        bare = np.repeat(np.bincount(hour_of_week(seen), minlength=HOURS) + 0.01, SLOTS)
        assert mine > replay_density(seen, new, part), name
        # hours run into each other, which costs a profile with steps a little
        assert mine > log_density(bare, new, part) - 0.05, name
        gains[name] = mine - flat
    assert gains["office"] > 0.25 and gains["backup"] > 0.8
    assert gains["flat"] > -0.03
    if days == 14:
        assert gains["office"] > 0.9 and gains["monday"] > 0.2


def test_minutes_say_nothing_about_hours_and_two_days_nothing_about_weekdays() -> None:
    rng = np.random.default_rng(0)
    short = learnt([planted("office", BEGIN + 9 * HOUR, HOUR, rng)], BEGIN + 9 * HOUR, 24 * 60 * 10**9)
    assert np.allclose(short.week, short.week[0, 0])
    assert "nothing about the hour" in short.known.sentence()
    two = learnt([planted("office", BEGIN, 2 * DAY, rng)], BEGIN, 2 * DAY)
    by_day = two.week[0].reshape(7, -1)
    assert np.allclose(by_day, by_day[0]) and not np.allclose(by_day[0], by_day[0, 0])
    assert "nothing about the weekday" in two.known.sentence()
    # Friday and Saturday: a weekend day, but a single working day
    assert not Known.of(BEGIN + 4 * DAY, BEGIN + 6 * DAY - 1).weekends
    assert Known.of(BEGIN + 2 * DAY, BEGIN + 7 * DAY - 1).weekends
    week = Known.of(BEGIN, BEGIN + WEEK - 1)
    assert week.weekdays and "the weekday" in week.sentence()


def test_what_was_never_seen_is_taken_from_the_level_above() -> None:
    """Monday to Friday teach the hours; the weekend gets them too."""
    rng = np.random.default_rng(1)
    rates = learnt([planted("backup", BEGIN, 5 * DAY, rng)], BEGIN, 5 * DAY).week[0].reshape(7, 24, SLOTS)
    assert np.allclose(rates[5], rates[1])
    assert rates[5, 2:4].mean() > 20 * rates[5, 8:20].mean()


def test_clumps_of_starts_are_no_profile() -> None:
    """Starts in bursts of forty at random times: the profile stays nearly flat, as for the bursts themselves."""
    rng = np.random.default_rng(2)
    bursts = np.sort(rng.integers(BEGIN, BEGIN + 3 * DAY, 60))
    starts = np.sort(np.repeat(bursts, 40) + rng.integers(0, 10**11, 2400))
    counts = StartCounts.fit(starts[starts < BEGIN + 3 * DAY], BEGIN, BEGIN + 3 * DAY - 1)
    assert counts.dispersion > 15
    rates = Intensities((counts,), np.array([2400.0]), BEGIN, BEGIN + 3 * DAY - 1).week[0]
    assert rates.max() / rates.mean() < 2.5
    assert StartCounts.fit(planted("flat", BEGIN, 14 * DAY, rng), BEGIN, BEGIN + 14 * DAY - 1).dispersion < 1.3


def test_windows_expected_in_training_are_those_that_were_seen() -> None:
    rng = np.random.default_rng(3)
    for length in (3 * HOUR, 3 * DAY + HOUR, 2 * WEEK):
        starts = [planted(name, BEGIN, length, rng) for name in ("office", "flat")]
        known = learnt(starts, BEGIN, length)
        for edges, expected in (known.as_trained(), known.over(BEGIN, length)):
            assert edges[0] == BEGIN and edges[-1] == BEGIN + length
            assert expected.sum(axis=1) == pytest.approx([len(s) for s in starts], rel=0.02)


def test_shrinkage_is_the_mean_of_a_gamma_law_and_stops_at_a_poisson_law() -> None:
    counts, expected = np.array([90.0, 10, 50, 50]), np.full(4, 50.0)
    factors, gain = shrunk(counts, expected, 1.0)
    assert gain > 0 and 1 < factors[0] < 1.8 and 0.2 < factors[1] < 1
    assert (abs(shrunk(counts, expected, 20.0)[0] - 1) <= abs(factors - 1) + 1e-12).all()
    assert (shrunk(np.array([52.0, 48, 50, 50]), expected, 1.0)[0] == 1).all()


def test_exposure_counts_hours() -> None:
    hours = exposure(BEGIN + HOUR // 2, BEGIN + WEEK + 2 * HOUR - 1)
    assert hours.sum() == pytest.approx(169.5)
    assert hours[0] == pytest.approx(1.5) and hours[1] == pytest.approx(2) and hours[2] == pytest.approx(1)


def test_starts_follow_the_parts_and_stay_inside() -> None:
    edges = np.array([0, 10, 110, 200], np.int64) + BEGIN
    cumulative = np.array([0.0, 3.0, 3.0, 4.0])
    drawn = draw_starts(edges, cumulative, np.array([0.0, 3.0]), 8000, rng=np.random.default_rng(0))
    shares = np.histogram(drawn, edges)[0] / 8000
    assert shares == pytest.approx([0.75, 0, 0.25], abs=0.02)
    assert drawn.min() >= edges[0] and drawn.max() < edges[-1]
    late = draw_starts(edges, cumulative, np.array([2.5, 3.0]), 100, rng=np.random.default_rng(0))
    assert late.min() >= BEGIN + 155
    assert len(draw_starts(edges, np.zeros(4), np.array([0.0, 3.0]), 5, rng=np.random.default_rng(0))) == 5


def test_the_course_of_a_short_span_is_followed() -> None:
    rng = np.random.default_rng(5)
    length = 24 * 60 * 10**9
    busy = BEGIN + np.sort(rng.integers(0, length // 2, 600))
    edges, expected = learnt([busy], BEGIN, length).as_trained()
    assert len(edges) == COURSE + 1
    assert expected[0, : COURSE // 2].sum() > 0.97 * 600
