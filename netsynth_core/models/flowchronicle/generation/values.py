"""Numbers behind codes: a continuous quantile function for each code of a number cell, with a fitted tail at the top.

Few distinct values are kept as they are, with their shares; many become quantiles, log-linear in between, hence
monotone inside every bin. Above the largest quantiles of a column's top bin stands a generalised Pareto law
(Balkema, de Haan 1974; Pickands 1975), of greatest likelihood: with xi the shape and sigma the scale, an excess x over
the threshold has P(X > x) = (1 + xi x / sigma)^(-1 / xi). The shape of a pattern is shrunk towards the one of the whole
column. The law is cut (renewed, without a lump) where fewer than one in `BEYOND` times as many excesses as were seen
would lie, and at ten times the largest value seen.

Values are drawn inside limits: bytes between the headers and the most that their packets can carry. A limit restricts
the uniform number to the share of the law that lies inside; it does not move what was drawn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from netsynth_core.models.flowchronicle.columns import Column

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_DISTINCT = 12
"""Distinct values that are kept as they are."""
KNOTS = 17
"""Quantiles kept of more."""
BODY = 0.75
"""Share of a top code's values below the threshold of its tail."""
LEAST_EXCESSES = 25
"""Excesses that a shape of its own needs."""
SHAPE_WEIGHT = 30.0
"""Excesses that the shape of the column counts as."""
SHAPES = (-0.5, 1.5)
BEYOND = 20
MOST_FITTED = 20_000


@dataclass(frozen=True)
class Tail:
    """A generalised Pareto law above the last knot of the top code."""

    shape: float
    """xi."""
    scale: float
    """sigma, > 0."""
    most: float
    """Largest value drawn."""


@dataclass(frozen=True, eq=False)
class NumberLaw:
    """The values behind the codes of one number cell of a pattern, as quantile functions of its own windows."""

    codes: NDArray[np.int32]
    """Codes that occurred, ascending."""
    offsets: Ints
    """Where each code's points begin; one longer than `codes`."""
    levels: Floats
    """Shares (0-1), ascending within a code from 0; the last is 1, or where the tail begins."""
    values: Ints
    """The value at each level, ascending within a code. Two levels of one value are a value with a share of its own;
    two values of one level are a jump."""
    tail: Tail | None = None
    """Above the last point of the last code."""

    @classmethod
    def fit(cls, codes: NDArray[np.int32], values: Ints, column: Column, shape: float) -> "NumberLaw":
        """The law of the values of each code; `shape` is the one of the column's tail."""
        found, group = np.unique(codes, return_inverse=True)
        order = np.lexsort((values, group))
        cuts = np.searchsorted(group[order], np.arange(len(found) + 1))
        ordered = values[order]
        levels, points, tail = [], [], None
        for g, code in enumerate(found):
            part = ordered[cuts[g] : cuts[g + 1]]
            if code == len(column.knots) and code > 0:
                level, point, tail = _top(part, shape)
            else:
                level, point = _points(part)
            levels.append(level)
            points.append(point)
        offsets = np.concatenate(([0], np.cumsum([len(p) for p in points]))).astype(np.int64)
        empty = np.zeros(0, np.int64)
        return cls(
            found.astype(np.int32),
            offsets,
            np.concatenate(levels) if levels else np.zeros(0),
            np.concatenate(points) if points else empty,
            tail,
        )

    def draw(self, codes: NDArray[np.int32], uniform: Floats, step: int, low: Ints, high: Ints) -> Ints:
        """Values of codes that occurred, in `low`..`high` where the code has values there, multiples of `step`.

        Parameters
        ----------
        uniform
            Uniform numbers in [0, 1), one a value: larger ones give larger values.
        low, high
            Limits of each value; where no value of the code lies between them, the nearest limit is taken.
        """
        from netsynth_core.models.flowchronicle.generation._kernels import draw_quantiles

        rows = np.searchsorted(self.codes, codes).astype(np.int64)
        tail = self.tail or Tail(0.0, 0.0, 0.0)
        out = np.empty(len(rows), np.int64)
        parameters = np.array([tail.shape, tail.scale, tail.most])
        draw_quantiles(rows, uniform, self.offsets, self.levels, self.values, parameters, step, low, high, out)
        return out


def _points(ordered: Ints) -> tuple[Floats, Ints]:
    """Levels and values of a quantile function of sorted values."""
    distinct, counts = np.unique(ordered, return_counts=True)
    if len(distinct) <= MOST_DISTINCT:
        edges = np.concatenate(([0.0], np.cumsum(counts) / len(ordered)))
        edges[-1] = 1.0
        return np.repeat(edges, 2)[1:-1], np.repeat(distinct, 2)
    at = np.rint(np.linspace(0, len(ordered) - 1, KNOTS)).astype(np.int64)
    return at / (len(ordered) - 1), ordered[at]


def _top(ordered: Ints, shape: float) -> tuple[Floats, Ints, Tail | None]:
    """The same for the top code of a column, with a tail where the values are many enough to have one."""
    level, point = _points(ordered)
    if len(np.unique(ordered)) <= MOST_DISTINCT:
        return level, point, None
    start = int(BODY * (len(ordered) - 1))
    threshold = int(ordered[start])
    excess = (ordered[ordered > threshold] - threshold).astype(np.float64)
    if len(excess) < 4:
        return level, point, None
    if len(excess) >= LEAST_EXCESSES:
        own = fit_shape(excess)
        shape = (len(excess) * own + SHAPE_WEIGHT * shape) / (len(excess) + SHAPE_WEIGHT)
    scale = _scale(excess, shape)
    far = 1.0 / (BEYOND * len(excess))
    reach = scale * (far**-shape - 1) / shape if abs(shape) > 1e-9 else -scale * np.log(far)
    most = threshold + min(reach, 10.0 * float(ordered[-1]) - threshold)
    body = ordered[ordered <= threshold]
    level, point = _points(body)
    return level * (len(body) / len(ordered)), point, Tail(float(shape), float(scale), float(max(most, ordered[-1])))


def tail_shape(column: Column, values: Ints) -> float:
    """The shape of a column's tail: of the excesses of its top bin; 0 (exponential) where too few values lie there."""
    if not len(column.knots):
        return 0.0
    top = np.sort(values[values >= column.edges[-2]])
    start = int(BODY * (len(top) - 1)) if len(top) else 0
    excess = (top[top > top[start]] - top[start]).astype(np.float64) if len(top) else np.zeros(0)
    return fit_shape(excess) if len(excess) >= LEAST_EXCESSES else 0.0


def fit_shape(excess: Floats) -> float:
    """The shape xi of greatest likelihood for excesses > 0, within `SHAPES`.

    With theta = xi / sigma the likelihood has a maximum over xi in closed form, xi = mean ln(1 + theta x), and the
    search is over theta alone (Grimshaw 1993).
    """
    x = np.sort(excess)
    if len(x) > MOST_FITTED:
        x = x[np.linspace(0, len(x) - 1, MOST_FITTED).astype(np.int64)]
    mean, largest = float(x.mean()), float(x[-1])
    thetas = np.concatenate((-(1 - np.logspace(-4, -0.3, 60)) / largest, np.logspace(-4, 5, 160) / mean))
    shapes = np.array([np.log1p(t * x).mean() for t in thetas])
    sound = (np.abs(shapes) > 1e-9) & (shapes >= SHAPES[0])
    score = np.full(len(thetas), -np.inf)
    score[sound] = -np.log(shapes[sound] / thetas[sound]) - shapes[sound] - 1
    best = int(np.argmax(score))
    # the exponential law, xi = 0
    if score[best] <= -np.log(mean) - 1:
        return 0.0
    return float(np.clip(shapes[best], *SHAPES))


def _scale(excess: Floats, shape: float) -> float:
    """The scale of greatest likelihood for a given shape."""
    mean, largest = float(excess.mean()), float(excess.max())
    if abs(shape) < 1e-9:
        return mean
    scales = mean * np.logspace(-3, 2, 251)
    if shape < 0:
        scales = np.append(scales[scales > -shape * largest * (1 + 1e-6)], -shape * largest * 1.01)
    score = [-np.log(s) - (1 + 1 / shape) * np.log1p(shape * excess / s).mean() for s in scales]
    return float(scales[int(np.argmax(score))])


def learn_together(codes: NDArray[np.int32], numbers: Ints) -> Floats:
    """How the number columns go together inside their bins: correlation of the normal scores of their ranks.

    Parameters
    ----------
    codes, numbers
        Codes and values of the number columns, flows x numbers.

    Returns
    -------
    Floats
        A correlation matrix, numbers x numbers, positive definite. A pair of columns that is never spread at once
        inside two bins has 0.
    """
    width = numbers.shape[1]
    scores = np.full(numbers.shape, np.nan)
    for c in range(width):
        order = np.lexsort((numbers[:, c], codes[:, c]))
        cut = np.flatnonzero(np.diff(codes[order, c])) + 1
        for part in np.split(order, cut):
            values = numbers[part, c]
            if values[0] == values[-1]:
                continue
            left = np.searchsorted(values, values, side="left")
            right = np.searchsorted(values, values, side="right")
            scores[part, c] = ndtri((left + right) / (2.0 * len(part)))
    together = np.eye(width)
    for a in range(width):
        for b in range(a):
            both = ~(np.isnan(scores[:, a]) | np.isnan(scores[:, b]))
            if int(both.sum()) < 30:
                continue
            x, y = scores[both, a], scores[both, b]
            spread = float(np.sqrt(x.var() * y.var()))
            if spread > 1e-9:
                together[a, b] = together[b, a] = float(((x - x.mean()) * (y - y.mean())).mean()) / spread
    weights, vectors = np.linalg.eigh(together)
    mended = (vectors * np.maximum(weights, 1e-4)) @ vectors.T
    norm = np.sqrt(np.diag(mended))
    return np.asarray(mended / norm[:, None] / norm[None, :], np.float64)


def draw_uniforms(n: int, together: Floats, *, rng: np.random.Generator) -> Floats:
    """Uniform numbers, numbers x n, that go together as the columns do (a Gaussian copula)."""
    root = np.linalg.cholesky(together)
    normal = root @ rng.standard_normal((len(together), n))
    return np.asarray(np.clip(ndtr(normal), 0.0, 1.0 - 1e-12), np.float64)
