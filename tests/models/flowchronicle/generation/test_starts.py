"""Starts by the value of a cell: where the data say so, and only for spans that tell the hours."""

import numpy as np
import pytest

from netsynth_core.models.flowchronicle.generation.intensity import DAY, HOUR, MONDAY, WEEK
from netsynth_core.models.flowchronicle.generation.starts import fit_starts

BEGIN = MONDAY + 2800 * WEEK
SPAN = (BEGIN, BEGIN + 4 * DAY - 1)


def flows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts at any time of four days and codes of three columns that know nothing of them."""
    rng = np.random.default_rng(seed)
    return np.sort(rng.integers(*SPAN, n)), rng.integers(0, 4, (n, 3)).astype(np.int32)


def test_the_cell_that_tells_day_from_night_is_found() -> None:
    starts, codes = flows(800, 0)
    night = (starts - BEGIN) // HOUR % 24 < 4
    codes[:, 1] = np.where(night, 2, np.where(codes[:, 1] == 2, 3, codes[:, 1]))
    law = fit_starts(starts, codes, [0, 1, 2], SPAN)
    assert law.cell == 1
    assert sum(law.usage) == 800 and len(law.parts) == len(law.codes) + 1
    at = list(law.codes).index(2)
    assert law.usage[at] == night.sum()
    assert law.parts[at].week.reshape(7, 24)[:, 4:].sum() == 0
    windows = np.array([[[0, 2, 0]], [[0, 77, 0]]], np.int32)
    assert law.part_of(windows).tolist() == [at, len(law.codes)]


@pytest.mark.parametrize("seed", range(10))
def test_independent_starts_depend_on_nothing(seed: int) -> None:
    starts, codes = flows(500, seed)
    assert fit_starts(starts, codes, [0, 1, 2], SPAN).cell is None


@pytest.mark.parametrize("seed", range(5))
def test_bursts_of_one_value_are_no_profile(seed: int) -> None:
    """Forty flows of one value within a minute, a few times: that says nothing about its hours."""
    rng = np.random.default_rng(seed)
    bursts = rng.integers(BEGIN, SPAN[1] - HOUR, 12)
    starts = np.concatenate([b + rng.integers(0, 60 * 10**9, 40) for b in bursts])
    codes = np.repeat(rng.integers(0, 3, (12, 1)), 40, axis=0).astype(np.int32)
    order = np.argsort(starts)
    assert fit_starts(starts[order], codes[order], [0], SPAN).cell is None


def test_a_short_span_is_not_asked() -> None:
    starts, codes = flows(600, 1)
    short = BEGIN + (starts - BEGIN) // 400
    codes[:, 0] = (short - BEGIN) > 5 * 60 * 10**9
    assert fit_starts(short, codes, [0], (BEGIN, BEGIN + 15 * 60 * 10**9)).cell is None
