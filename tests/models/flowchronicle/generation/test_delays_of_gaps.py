"""Delays of a gap: by a cell where the data say so, together where they do not."""

import numpy as np
import pytest

from netsynth_core.models.flowchronicle.generation.delays import DELAY_KNOTS, LEAST_WINDOWS, fit_delays

MS = 10**6


def windows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes (windows x 2 flows x 3 columns) and independent delays about 20 ms."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 6, (n, 2, 3)).astype(np.int32)
    return codes, rng.lognormal(np.log(20 * MS), 0.6, n).astype(np.int64)


CELLS = [(0, 0), (0, 1), (1, 0), (1, 2)]


def test_the_cell_that_delays_depend_on_is_found() -> None:
    codes, delays = windows(600, 0)
    delays = np.where(codes[:, 1, 0] == 3, delays * 40, delays)
    law = fit_delays(delays, codes, CELLS)
    assert law.cell == (1, 0)
    again, _ = windows(20_000, 1)
    drawn = law.draw(again, rng=np.random.default_rng(0))
    slow = again[:, 1, 0] == 3
    assert np.median(drawn[slow]) == pytest.approx(np.median(delays[codes[:, 1, 0] == 3]), rel=0.25)
    assert np.median(drawn[~slow]) == pytest.approx(20 * MS, rel=0.15)
    assert law.knots[0] == delays.min() and drawn.min() >= delays.min() and drawn.max() <= delays.max()


@pytest.mark.parametrize("seed", range(12))
def test_independent_delays_depend_on_nothing(seed: int) -> None:
    codes, delays = windows(300, seed)
    law = fit_delays(delays, codes, CELLS)
    assert law.cell is None
    assert law.quantile(0.5) == pytest.approx(np.median(delays), rel=0.05)


def test_rare_values_share_the_delays_of_all() -> None:
    codes, delays = windows(400, 3)
    delays = np.where(codes[:, 0, 0] == 1, delays * 50, delays)
    codes[: LEAST_WINDOWS - 1, 0, 0] = 77
    law = fit_delays(delays, codes, CELLS)
    assert law.cell == (0, 0) and 77 not in law.codes
    rare = np.full((4000, 2, 3), 77, np.int32)
    drawn = law.draw(rare, rng=np.random.default_rng(0))
    assert np.median(drawn) == pytest.approx(np.median(delays), rel=0.2)


def test_no_window_and_equal_delays() -> None:
    none = fit_delays(np.zeros(0, np.int64), np.zeros((0, 2, 3), np.int32), CELLS)
    assert none.knots.shape == (DELAY_KNOTS,) and none.quantile(0.9) == 0
    codes, _ = windows(50, 4)
    same = fit_delays(np.full(50, 7 * MS), codes, CELLS)
    assert same.cell is None and (same.draw(codes, rng=np.random.default_rng(0)) == 7 * MS).all()
