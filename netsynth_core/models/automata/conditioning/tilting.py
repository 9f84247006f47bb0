"""Runs of more packets than the table covers, drawn exactly: tilt, walk, accept, finish within the table.

A path of f forward and b backward packets gets the factor x^f y^b when every forward transition is weighted by x and
every backward one by y. All paths with the counts asked for get the same factor, so the law given the counts does not
change (exponential tilting; the saddle point of the generating function G(x, y), Daniels 1954). Tilted so that the
counts asked for are the expected ones, the automaton walks near them by itself, with transitions

    p(e) x^forward y^backward G(target) / G(source),

until as many packets are left as the table covers. There a walk at location q with (f, b) left is kept with probability
proportional to w = beta(q, f, b) x^f y^b / G(q), the odds of its going on as wanted, and finished by the table; others
are thrown away and walked anew. The runs kept have the automaton's law under the counts: no approximation. Memory is
that of the table; walks needed grow like the square root of (packets / packets of the table).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

STEPS: Final = 12
"""Most Newton steps for each number of packets on the way."""
NEAR: Final = 0.02
"""Squared distance, in standard deviations, at which a tilt is near enough; one that is off costs walks."""
LARGEST: Final = 4000
"""Most nodes of the product that are tilted."""


@dataclass(frozen=True, eq=False)
class Tilt:
    """The tilted walk towards some counts."""

    cumulative: NDArray[np.float64]
    """Per transition: running sum of the tilted probabilities at its source."""
    odds: NDArray[np.float64]
    """(packets left + 1, nodes): log w by the forward packets left, at the edge of the table; -inf where impossible."""
    best: float
    """Largest of `odds`."""


def tilt_towards(
    first: NDArray[np.int64],
    target: NDArray[np.int64],
    way: NDArray[np.int64],
    log_p: NDArray[np.float64],
    final: int,
    beta: NDArray[np.float64],
    *,
    fwd: float,
    bwd: float,
    left: int,
) -> Tilt | None:
    """The tilt under which `fwd` and `bwd` packets are expected; None when no run can.

    It serves all counts near these, but where one of them is zero and the other's is not.

    Parameters
    ----------
    first, target, way, log_p, final, beta
        As in `netsynth_core.models.automata.conditioning._kernels.backward`.
    left
        Packets left when the walk reaches the table: cells of `beta` with f + b = `left` are filled.
    """
    n = len(first) - 1
    if n > LARGEST or final < 0:
        return None
    source = np.repeat(np.arange(n), np.diff(first))
    usable = (way == 2) | ((way == 0) & (fwd > 0)) | ((way == 1) & (bwd > 0))
    alive = _can_end(source[usable], target[usable], final, n)
    usable &= alive[target] & alive[source] & np.isfinite(log_p)
    if not alive[0]:
        return None
    problem = _Problem(source, target, way, np.exp(log_p), usable, alive, final)
    point = _saddle(problem, np.array([fwd, bwd], np.float64))
    if point is None:
        return None
    values, solved = point
    log_g = np.where(alive, np.log(np.where(alive, solved.whole, 1.0)), -np.inf)
    factor = np.where(way == 0, values[0], np.where(way == 1, values[1], 0.0))
    with np.errstate(invalid="ignore"):
        weight = np.where(usable, np.exp(log_p + factor + log_g[target] - log_g[source]), 0.0)
    running = np.cumsum(weight)
    before = np.concatenate([[0.0], running])[first[:-1]]
    odds = np.full((left + 1, n), -np.inf)
    for f in range(max(0, left - beta.shape[1] + 1), min(left, beta.shape[0] - 1) + 1):
        if (f == 0 or fwd > 0) and (f == left or bwd > 0):
            odds[f] = beta[f, left - f] + (values[0] * f if f else 0.0) + (values[1] * (left - f) if left - f else 0.0)
    with np.errstate(invalid="ignore"):
        odds = np.where(alive & np.isfinite(odds), odds - np.where(alive, log_g, 0.0), -np.inf)
    best = float(odds.max())
    return Tilt(running - before[source], odds, best) if np.isfinite(best) else None


@dataclass(frozen=True, eq=False)
class _Problem:
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    way: NDArray[np.int64]
    probability: NDArray[np.float64]
    usable: NDArray[np.bool_]
    alive: NDArray[np.bool_]
    final: int


@dataclass(frozen=True, eq=False)
class _Solved:
    """ln G at the start, what runs are expected to count under the tilt, their covariance, and G of every node."""

    value: float
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    whole: NDArray[np.float64]


def _can_end(source: NDArray[np.int64], target: NDArray[np.int64], final: int, n: int) -> NDArray[np.bool_]:
    alive = np.zeros(n, bool)
    alive[final] = True
    while True:
        more = source[alive[target] & ~alive[source]]
        if len(more) == 0:
            return alive
        alive[more] = True


def _solve(problem: _Problem, values: NDArray[np.float64]) -> _Solved | None:
    """G and its logarithmic derivatives by two sparse solves with I - M; None where the sum over runs diverges."""
    n = len(problem.alive)
    parts = []
    for side in (0, 1):
        chosen = problem.usable & (problem.way == side)
        weight = problem.probability[chosen] * np.exp(values[side])
        rows, columns = problem.source[chosen], problem.target[chosen]
        parts.append(sparse.csc_matrix((weight, (rows, columns)), shape=(n, n)))
    ends = problem.usable & (problem.way == 2)
    last = np.bincount(problem.source[ends], weights=problem.probability[ends], minlength=n)
    last[problem.final] = 1.0
    last[~problem.alive] = 1.0
    try:
        inverse: Any = splu(sparse.eye(n, format="csc") - parts[0] - parts[1])
    except RuntimeError:
        return None
    # I - M is an M-matrix, and the sum over runs converges, exactly when this is at least one everywhere
    visits = inverse.solve(np.ones(n))
    whole: NDArray[np.float64] = inverse.solve(last)
    if not np.all(visits >= 1.0 - 1e-9) or not np.all(np.isfinite(visits)) or not np.all(whole > 0.0):
        return None
    begin = np.zeros(n)
    begin[0] = 1.0
    reached = inverse.solve(begin, trans="T")
    stepped = [part @ whole for part in parts]
    onward = [inverse.solve(vector) for vector in stepped]
    first = np.array([reached @ vector for vector in stepped]) / whole[0]
    second = np.empty((2, 2))
    for i in (0, 1):
        for j in (0, 1):
            second[i, j] = (reached @ (parts[i] @ onward[j]) + reached @ (parts[j] @ onward[i])) / whole[0]
        second[i, i] += first[i]
    return _Solved(float(np.log(whole[0])), first, second - np.outer(first, first), whole)


def _saddle(problem: _Problem, wanted: NDArray[np.float64]) -> tuple[NDArray[np.float64], _Solved] | None:
    """Logarithms of x and y at which `wanted` is expected: the least of the convex ln G - wanted * values.

    ln G rises to infinity at the edge of where it is finite, and what is wanted lies near that edge; so the minimum is
    followed by Newton's method from the counts expected without tilt to those wanted, as interior-point methods do.
    """
    values = np.zeros(2)
    now = _solve(problem, values)
    if now is None:
        return None
    mean = np.where(wanted > 0, np.maximum(now.mean, 1e-3), 1.0)
    ratio = np.where(wanted > 0, wanted, 1.0) / mean
    stages = 1 + int(np.ceil(1.5 * np.abs(np.log2(ratio)).max()))
    for stage in range(1, stages + 1):
        values, now = _newton(problem, np.where(wanted > 0, mean * ratio ** (stage / stages), 0.0), values, now)
    return values, now


def _newton(
    problem: _Problem, wanted: NDArray[np.float64], values: NDArray[np.float64], now: _Solved
) -> tuple[NDArray[np.float64], _Solved]:
    """Newton's method with steps halved until they descend; ends near enough, or where no step descends."""
    live = wanted > 0
    for _ in range(STEPS):
        slope = np.where(live, now.mean - wanted, 0.0)
        ridge = 1e-9 * (1.0 + np.trace(now.covariance))
        step = np.where(live, np.linalg.solve(now.covariance + ridge * np.eye(2), -slope), 0.0)
        if -slope @ step <= NEAR:
            break
        step *= min(1.0, 4.0 / float(np.abs(step).max()))
        height = now.value - wanted @ values
        for _ in range(50):
            there = _solve(problem, values + step)
            if there is not None and there.value - wanted @ (values + step) <= height:
                break
            step *= 0.5
        else:
            break
        values, now = values + step, there
    return values, now
