"""Laws of delays and payload sizes: proper distributions over integer codes, with what their parameters cost.

A `DelayScale` turns delays of any unit into codes 0..n-1 and back; a `DelayLaw` is a mixture of discretised normals,
gamma laws, single codes and a uniform floor over these codes, so that every delay has a probability above zero and all
of them sum to one. A `SizeScale` and a `SizeLaw` do the same for payload sizes. All bits are base 2.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import log, log2, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammainc, ndtr, polygamma

from netsynth_core.errors import SchemaError
from netsynth_core.models.codelength import universal_integer

LOG_CODES = 192
PLAIN_CODES = 256
# 1 ns is -30 dB-microseconds: code 1. Code 0 is kept for "no time at all".
TIMED_OFFSET = 31
_MICROSECONDS = {"ns": 1e-3, "us": 1.0, "s": 1e6}

DEVIATIONS: NDArray[np.float64] = np.array([0.2, 0.4, 0.7, 1, 1.5, 2, 2.5, 3, 4, 5, 6.5, 9, 12, 17, 25, 40], np.float64)
"""Standard deviations a normal may have, in codes; 16 of them, so that naming one costs 4 bits."""
FINE: NDArray[np.float64] = np.round(0.2 * 200.0 ** (np.arange(128) / 127.0), 4)
"""Standard deviations of a normal that is named more finely (its mean on eighths), where that pays; 7 bits."""
SHAPES: NDArray[np.float64] = np.array(
    [0.25, 0.35, 0.45, 0.55, 0.7, 0.85, 1, 1.2, 1.45, 1.75, 2.1, 2.6, 3.3, 4.5, 6.5, 10], np.float64
)
"""Shapes a gamma law may have; 16 of them, so that naming one costs 4 bits."""
MAX_NORMALS = 4
"""Most normals and gamma laws of a law."""
MAX_POINTS = 3
_PER_NEPER = 10.0 / log(10.0)


@dataclass(frozen=True)
class DelayScale:
    """How delays of one unit become integer codes.

    A logarithmic scale has 10 codes a decade: code 0 is the delay 0, code k >= 1 stands for ``(k - offset)`` decibel of
    one microsecond (of one, when the unit is unknown). A plain scale takes integers as they are, up to 255; so does a
    level scale, whose integers of unknown unit are themselves decibel: two delays add up as the times they stand for.
    """

    unit: str
    """Unit of the delays: us, ns, s, dbus or empty (unknown)."""
    kind: Literal["decibel", "plain", "level"]

    @classmethod
    def of(cls, unit: str, largest: int) -> "DelayScale":
        """The scale for delays of `unit` up to `largest`; unknown integers above 255 go on the logarithmic scale."""
        return cls.candidates(unit, largest)[0]

    @classmethod
    def candidates(cls, unit: str, largest: int) -> tuple["DelayScale", ...]:
        """The scales that delays of `unit` up to `largest` may be on, the one to prefer first.

        Small integers of unknown unit may be times or levels; a learner takes what makes the description shorter.
        """
        if unit in _MICROSECONDS or (unit == "" and largest >= PLAIN_CODES):
            return (cls(unit, "decibel"),)
        if unit == "dbus" or largest == 0:
            return (cls(unit, "plain"),)
        return (cls(unit, "plain"), cls(unit, "level"))

    @property
    def codes(self) -> int:
        """Number of codes."""
        return LOG_CODES if self.kind == "decibel" else PLAIN_CODES

    @property
    def linear(self) -> bool:
        """Whether codes count time itself; they are decibel of it else."""
        return self.kind == "plain" and self.unit != "dbus"

    @property
    def offset(self) -> int:
        """Code of 0 dB on a logarithmic scale."""
        return TIMED_OFFSET if self.unit in _MICROSECONDS else 1

    def encode(self, delays: NDArray[np.int64]) -> NDArray[np.int32]:
        """Codes of delays >= 0; what lies beyond the scale gets its first or last code."""
        if self.kind != "decibel":
            return np.clip(delays, 0, PLAIN_CODES - 1).astype(np.int32)
        factor = _MICROSECONDS.get(self.unit, 1.0)
        level = 10.0 * np.log10(np.maximum(delays, 1) * factor)
        codes = np.clip(np.rint(level) + self.offset, 1, LOG_CODES - 1)
        coded: NDArray[np.int32] = np.where(delays <= 0, 0, codes).astype(np.int32)
        return coded

    def decode(self, codes: NDArray[np.int32], *, rng: np.random.Generator) -> NDArray[np.int64]:
        """Delays of codes, spread evenly (in decibel) over what rounds to each code."""
        if self.kind != "decibel":
            return np.asarray(codes, np.int64)
        level = codes - self.offset + rng.uniform(-0.5, 0.5, len(codes))
        values = np.rint(10.0 ** (level / 10.0) / _MICROSECONDS.get(self.unit, 1.0))
        return np.asarray(np.where(codes == 0, 0, np.minimum(values, 2.0**62)), np.int64)

    def add(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int32]:
        """Code of the sum of two delays, each at the centre of its code."""
        if self.linear:
            return np.asarray(np.minimum(first + second, PLAIN_CODES - 1), np.int32)
        offset = self.offset if self.kind == "decibel" else 0
        centre = np.log10(10.0 ** ((first - offset) / 10.0) + 10.0 ** ((second - offset) / 10.0)) * 10.0
        total = np.clip(np.rint(centre) + offset, 0, self.codes - 1).astype(np.int32)
        total = np.where(first == 0, second, total)
        return np.asarray(np.where(second == 0, first, total), np.int32)

    def describe(self, code: float) -> str:
        """A code as a person reads it: to two digits where it stands for a tenth of a decade, which is no finer."""
        if self.kind == "level" or (self.kind == "plain" and self.unit != "dbus"):
            return f"{code:.0f}"
        if self.unit == "":
            return "0" if code <= 0 else _two_digits(10.0 ** ((code - self.offset) / 10.0))
        if self.kind == "decibel" and code < 0.5:
            return "0"
        micro = 10.0 ** ((code - (self.offset if self.kind == "decibel" else 0)) / 10.0)
        for unit, size in (("s", 1e6), ("ms", 1e3), ("µs", 1.0)):
            if micro >= size:
                return f"{_two_digits(micro / size)} {unit}"
        return f"{_two_digits(micro * 1e3)} ns"


def _two_digits(value: float) -> str:
    """The value to two digits, without an exponent below a million.

    >>> _two_digits(125.9), _two_digits(2.512), _two_digits(10.0)
    ('130', '2.5', '10')
    """
    return f"{float(f'{value:.2g}'):g}"


@dataclass(frozen=True)
class Normal:
    """One normal of a delay law, in codes: log-normal in time where codes are decibel."""

    weight: float
    """Share of the values it explains, 0-1."""
    mean: float
    sd: float
    """Standard deviation, > 0."""


@dataclass(frozen=True)
class Gamma:
    """One gamma law of the time that codes stand for."""

    weight: float
    """Share of the values it explains, 0-1."""
    mean: float
    """Code of the mean time."""
    shape: float
    """> 0; 1 = exponential."""
    linear: bool = False
    """Whether codes count time itself; they are decibel of it else."""

    def cells(self, codes: int) -> NDArray[np.float64]:
        """Masses of the unit cells around 0..codes - 1, summing to one."""
        edges = np.arange(codes + 1) - 0.5
        ratio = np.maximum(edges, 0.0) / max(self.mean, 0.5) if self.linear else 10.0 ** ((edges - self.mean) / 10.0)
        cumulative = gammainc(self.shape, self.shape * ratio)
        return np.asarray(np.diff(cumulative) / (cumulative[-1] - cumulative[0]), np.float64)

    @property
    def as_normal(self) -> Normal:
        """The normal of the same mean and deviation in codes."""
        if self.linear:
            return Normal(self.weight, self.mean, max(self.mean / sqrt(self.shape), DEVIATIONS[0]))
        return Normal(self.weight, self.mean + _gamma_shift(self.shape), _PER_NEPER * sqrt(polygamma(1, self.shape)))


@dataclass(frozen=True)
class Point:
    """One code that is seen again and again."""

    weight: float
    """Share of the values it explains, 0-1."""
    code: int


def _gamma_shift(shape: float) -> float:
    """Mean of the code less the code of the mean, for codes in decibel."""
    return float(_PER_NEPER * (digamma(shape) - log(shape)))


@dataclass(frozen=True)
class DelayLaw:
    """A mixture on the integers 0..codes-1: normals, gamma laws, single codes, and a uniform floor with the rest."""

    normals: tuple[Normal, ...]
    """By ascending mean."""
    codes: int
    gammas: tuple[Gamma, ...] = ()
    """By ascending mean."""
    points: tuple[Point, ...] = ()
    """By ascending code."""
    seen: tuple[int, int] | None = None
    """First and last code it was learnt from; None = unknown. Sampling stays between them."""

    def __post_init__(self) -> None:
        spread = all(n.sd > 0 for n in self.normals) and all(g.shape > 0 for g in self.gammas)
        inside = all(0 <= p.code < self.codes for p in self.points)
        if self.seen is not None and not 0 <= self.seen[0] <= self.seen[1] < self.codes:
            raise SchemaError("A delay law was learnt from delays off its scale.", hint="Learn the model again.")
        if self.codes < 1 or not spread or not inside or any(not 0 <= part.weight <= 1 for part in self.parts):
            raise SchemaError("A delay law has a weight outside 0-1 or no spread.", hint="Learn the model again.")
        if sum(part.weight for part in self.parts) > 1 + 1e-9:
            raise SchemaError("The weights of a delay law exceed one.", hint="Learn the model again.")

    @property
    def parts(self) -> tuple[Normal | Gamma | Point, ...]:
        """All parts of the mixture but the floor; none = uniform."""
        return (*self.normals, *self.gammas, *self.points)

    @property
    def floor(self) -> float:
        """Weight of the uniform floor."""
        return max(0.0, 1.0 - sum(part.weight for part in self.parts))

    @cached_property
    def modes(self) -> tuple[Normal, ...]:
        """Every part as a normal of the same mean and deviation, by ascending mean."""
        found = [*self.normals, *(g.as_normal for g in self.gammas)]
        found += [Normal(p.weight, float(p.code), float(DEVIATIONS[0])) for p in self.points]
        return tuple(sorted(found, key=lambda n: (n.mean, n.sd, n.weight)))

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """P(code), summing to one."""
        total = np.full(self.codes, self.floor / self.codes)
        edges = np.arange(self.codes + 1) - 0.5
        for normal in self.normals:
            cumulative = ndtr((edges - normal.mean) / normal.sd)
            whole = cumulative[-1] - cumulative[0]
            total = total + normal.weight * np.diff(cumulative) / whole
        for gamma in self.gammas:
            total = total + gamma.weight * gamma.cells(self.codes)
        for point in self.points:
            total[point.code] += point.weight
        scaled: NDArray[np.float64] = total / total.sum()
        return scaled

    @cached_property
    def bits(self) -> NDArray[np.float64]:
        """-log2 P(code)."""
        return -np.log2(np.maximum(self.probabilities, 1e-30))

    @cached_property
    def _drawn(self) -> NDArray[np.float64]:
        """What sampling draws from: the law between the codes seen, without a floor where these are not known.

        The floor gives every delay a price, up to centuries; nobody waits for them.
        """
        if self.seen is not None:
            low, high = self.seen
            inside = np.zeros(self.codes)
            inside[low : high + 1] = self.probabilities[low : high + 1]
            return inside
        if not self.parts:
            return self.probabilities
        return np.asarray(np.maximum(self.probabilities - self.floor / self.codes, 0.0))

    def sample(self, n: int, *, rng: np.random.Generator) -> NDArray[np.int32]:
        """Draw `n` codes, no shorter and no longer than those it was learnt from."""
        cumulative = np.cumsum(self._drawn)
        drawn = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
        codes: NDArray[np.int32] = np.minimum(drawn, self.codes - 1).astype(np.int32)
        return codes

    @cached_property
    def description(self) -> tuple[float, int]:
        """Bits of the parameters but for the weights, and the number of weights.

        The number of parts by the universal code; each part names its family (coarse normal, fine normal, gamma law or
        single code, 2 bits), then its mean on half integers and one of 16 deviations or shapes, or its mean on eighths
        and one of 128 deviations, or its code.
        """
        fine = sum(2.0 * n.mean % 1.0 != 0.0 or n.sd not in DEVIATIONS for n in self.normals)
        bits = universal_integer(len(self.parts) + 1) + len(self.points) * point_bits(self.codes)
        bits += fine * FINE_BITS + (len(self.normals) + len(self.gammas)) * component_bits(self.codes)
        return bits, len(self.parts)

    def parameter_bits(self, count: int) -> float:
        """Bits of the parameters, for a law fitted to `count` values.

        `description`, and each free weight to the precision that `count` values allow (half log2 (count + 1); Rissanen
        1983).
        """
        bits, weights = self.description
        return bits + weights * 0.5 * log2(count + 1.0)

    def quantile(self, share: float) -> int:
        """Smallest code with at least `share` of the mass at or below it."""
        return int(np.searchsorted(np.cumsum(self.probabilities), share, side="left").clip(0, self.codes - 1))


FINE_BITS = 5.0
"""What a normal named finely costs more: 2 bits of its mean, 3 of its deviation."""


@dataclass(frozen=True)
class SizedDelays:
    """Delay laws of a transition that tells small payloads from larger ones."""

    most: float
    """Largest size (`SizeScale.centres`, bytes) of the small ones."""
    small: DelayLaw
    large: DelayLaw

    def is_small(self, scale: "SizeScale") -> NDArray[np.bool_]:
        """Which size codes count as small."""
        return np.asarray(scale.centres <= self.most, np.bool_)


def component_bits(codes: int) -> float:
    """Bits of one coarse normal or gamma law: its family, mean, and deviation or shape."""
    return float(2.0 + np.log2(2 * codes) + np.log2(len(DEVIATIONS)))


def point_bits(codes: int) -> float:
    """Bits of one single code with its family."""
    return 2.0 + log2(codes)


def fit_delay_laws(
    histograms: NDArray[np.float64], *, linear: bool = False
) -> tuple[list[DelayLaw], NDArray[np.float64]]:
    """The law of smallest codelength for each row of counts, its families and their number chosen by the data.

    Parameters
    ----------
    histograms
        Shape (laws, codes): how often each code was seen.
    linear
        Whether codes count time itself (`DelayScale.linear`): what gamma laws are laws of.

    Returns
    -------
    laws, probabilities
        One law a row, and P(code) of each, shape (laws, codes).
    """
    laws: list[DelayLaw] = []
    tables = np.empty(histograms.shape)
    for row, histogram in enumerate(np.ascontiguousarray(histograms, np.float64)):
        law, tables[row] = _fitted(histogram.tobytes(), linear)
        laws.append(law)
    return laws, tables


@lru_cache(maxsize=4)
def gamma_cells(codes: int, linear: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Masses of the cells of all gamma laws that may be fitted, and how far their mean code lies above the code's mean.

    Shapes (shapes, 2 codes, codes) with means at the half integers, and (shapes,).
    """
    table = np.empty((len(SHAPES), 2 * codes, codes))
    if linear:
        for row, shape in enumerate(SHAPES):
            for half in range(2 * codes):
                table[row, half] = Gamma(1.0, half / 2.0, float(shape), True).cells(codes)
        return table, np.zeros(len(SHAPES))
    # One curve a shape: a cell only depends on how far it lies from the mean, in steps of half a code.
    reach = 2 * codes
    gaps = np.arange(-reach, reach + 1) / 2.0
    for row, shape in enumerate(SHAPES):
        curve = gammainc(shape, shape * 10.0 ** (gaps / 10.0))
        for half in range(2 * codes):
            cumulative = curve[np.clip(reach - 1 - half + 2 * np.arange(codes + 1), 0, 2 * reach)]
            table[row, half] = np.diff(cumulative) / (cumulative[-1] - cumulative[0])
    return table, np.array([-_gamma_shift(float(shape)) for shape in SHAPES])


@lru_cache(maxsize=4096)
def _fitted(histogram: bytes, linear: bool) -> tuple[DelayLaw, NDArray[np.float64]]:
    """Law and probabilities of one histogram (its float64 bytes); a search asks for the same ones again and again."""
    from netsynth_core.models._kernels import GAMMA, NORMAL, fit_law

    counts = np.frombuffer(histogram)
    codes = len(counts)
    room = MAX_NORMALS + MAX_POINTS
    kinds, means, spreads, weights = np.zeros(room, np.int64), np.zeros(room), np.zeros(room), np.zeros(room + 1)
    table = np.zeros(codes)
    prices = np.array([component_bits(codes), component_bits(codes) + FINE_BITS, point_bits(codes)])
    grids, gammas = (DEVIATIONS, FINE), (SHAPES, *gamma_cells(codes, linear))
    used = fit_law(counts, grids, gammas, MAX_NORMALS, prices, kinds, means, spreads, weights, table)
    parts = [(int(kinds[k]), float(means[k]), float(spreads[k]), float(weights[k])) for k in range(used)]
    parts.sort()
    table.setflags(write=False)
    law = DelayLaw(
        tuple(Normal(w, mean, sd) for kind, mean, sd, w in parts if kind == NORMAL),
        codes,
        tuple(Gamma(w, mean, shape, linear) for kind, mean, shape, w in parts if kind == GAMMA),
        tuple(Point(w, int(code)) for kind, code, _, w in parts if kind not in (NORMAL, GAMMA)),
        (int(np.flatnonzero(counts)[0]), int(np.flatnonzero(counts)[-1])) if counts.any() else None,
    )
    return law, table


SIZE_BINS = 64


@dataclass(frozen=True)
class SizeScale:
    """Codes of payload sizes: the frequent sizes by themselves, the others in two bins an octave."""

    points: tuple[int, ...]
    """Sizes with a code of their own, ascending."""

    @classmethod
    def of(cls, sizes: NDArray[np.int64], *, most: int = 128) -> "SizeScale":
        """The scale for these sizes: own codes for the (at most `most`) sizes that make up a 500th of the values."""
        values, counts = np.unique(sizes, return_counts=True)
        least = max(3, len(sizes) // 500)
        order = np.lexsort((values, -counts))[:most]
        return cls(tuple(sorted(int(values[i]) for i in order if counts[i] >= least)))

    @property
    def codes(self) -> int:
        """Number of codes."""
        return len(self.points) + SIZE_BINS

    @cached_property
    def _edges(self) -> NDArray[np.int64]:
        edges = np.floor(2.0 ** (np.arange(SIZE_BINS + 1) / 2.0)).astype(np.int64)
        return np.concatenate([[0], np.maximum.accumulate(edges[1:])])

    @cached_property
    def _widths(self) -> NDArray[np.int64]:
        inside = np.histogram(np.array(self.points, np.int64), self._edges)[0] if self.points else 0
        return np.asarray(np.maximum(np.diff(self._edges) - inside, 1), np.int64)

    def encode(self, sizes: NDArray[np.int64]) -> NDArray[np.int32]:
        """Codes of sizes >= 0."""
        points = np.array(self.points, np.int64)
        bins = np.clip(np.searchsorted(self._edges, sizes, side="right") - 1, 0, SIZE_BINS - 1)
        if not len(points):
            return np.asarray(bins, np.int32)
        at = np.minimum(np.searchsorted(points, sizes), len(points) - 1)
        return np.asarray(np.where(points[at] == sizes, at, bins + len(points)), np.int32)

    def decode(self, codes: NDArray[np.int32], *, rng: np.random.Generator) -> NDArray[np.int64]:
        """Sizes of codes; those of a bin are drawn evenly from it."""
        count = len(self.points)
        bins = np.clip(codes - count, 0, SIZE_BINS - 1)
        low, high = self._edges[bins], np.maximum(self._edges[bins + 1], self._edges[bins] + 1)
        spread = rng.integers(low, high)
        if not count:
            return spread
        own = np.array(self.points, np.int64)[np.minimum(codes, count - 1)]
        return np.asarray(np.where(codes < count, own, spread), np.int64)

    @property
    def centres(self) -> NDArray[np.float64]:
        """Size that each code stands for: its own, or the middle of its bin."""
        middles = (self._edges[:-1] + np.maximum(self._edges[1:] - 1, self._edges[:-1])) / 2.0
        return np.concatenate([np.array(self.points, np.float64), middles])

    def width_bits(self) -> NDArray[np.float64]:
        """Bits that name a size inside each code: 0 for sizes of their own, log2 of the bin's width else."""
        return np.concatenate([np.zeros(len(self.points)), np.log2(self._widths)])


@dataclass(frozen=True)
class SizeLaw:
    """Counts of size codes, as a categorical law with one pseudo-count spread over all codes.

    The codelength of the counted values is prequential (Dirichlet with total mass one), so the law has no parameters
    to pay for besides.
    """

    counts: tuple[tuple[int, int], ...]
    """(code, how often), by ascending code."""
    codes: int

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """P(code), summing to one."""
        counts = np.full(self.codes, 1.0 / self.codes)
        for code, count in self.counts:
            counts[code] += count
        share: NDArray[np.float64] = counts / counts.sum()
        return share

    def sample(self, n: int, *, rng: np.random.Generator) -> NDArray[np.int32]:
        """Draw `n` codes among those seen (all, when none was)."""
        if not self.counts:
            return rng.integers(0, self.codes, n).astype(np.int32)
        codes = np.array([code for code, _ in self.counts], np.int32)
        weight = np.array([count for _, count in self.counts], np.float64)
        return np.asarray(codes[np.searchsorted(np.cumsum(weight), rng.random(n) * weight.sum(), side="right")])
