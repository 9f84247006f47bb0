"""The codelength of TADAM as published, with its proven errors mended: a second score, for comparison.

With n locations, s symbols (``$`` among them), and one normal law a transition (and one of its payload sizes):

    L(M) = L_N(n) + 2 log2 n                                       initial and final location
         + 4 log2 100                                              probabilities of the operations
         + (transitions + 1 - n) log2 100                          probabilities of the transitions
         + for each transition 2 log2 n + log2 s + L_N(floor mean) + L_N(floor 10 variance)
    L(D|M) of a word that fits     for each step  c_match - log2 p(e) - log2 max(P(v|e), 1/1000)
           of a repaired word      its alignment, without the floor: missing c - log2 p(e); copy c - log2 P(v|e) of the
                                   transition it repeats; swap c and both steps; addition c + log2 s + L_N(v)
           of a word without path  log2 s + L_N(v) for each symbol
           and which are without   -N_ok log2 (N_ok / N) - N_un log2 (N_un / N)
    p(e) = (uses + 1/2) / sum at its source; P(operation) = (uses + 1) / sum, matches at least three quarters

L_N is the universal code of n + 1. Mended against the published program (version 0.2.1):

- L_N adds positive iterated logarithms only; the program added the first negative one too, so that numbers just above
  4, 16 and 65536 were nearly free and code lengths were not monotone;
- the mass of a cell in delay and size is the product of two masses of one dimension (four corners of a law without
  correlation); the program took the difference of two corners, which is the mass of no cell;
- the best pass of expectation-maximisation counts, not the last; every word is aligned, not only those whose transition
  was deleted, and a copy never jumps between locations.

Kept as published though no proper code: the floor of 1/1000, and that which words are repaired costs nothing. ``$`` is
never noise, and there is no substitution. Payload sizes are scored as round(log10 size), as in its network driver.
"""

from math import log2

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from netsynth_core.models.codelength import universal_integer, universal_integers
from netsynth_core.models.delays import DelayLaw, Normal, SizeScale
from netsynth_core.models.tadam.data import Observations
from netsynth_core.models.tadam.length import Fitted, Length, NoiseSwitches
from netsynth_core.models.tadam.structure import Structure, Usage

RIDGE = 1e-6
"""Least variance."""
FLOOR_BITS = log2(1000.0)
MOST_NOISE = 0.25
PRECISION_BITS = log2(100.0)
_LEAST = 1e-30


def integer_bits(n: int) -> float:
    """L_N(n) of an integer n >= 0, bits.

    >>> integer_bits(15) < integer_bits(16) < integer_bits(65536)
    True
    """
    return universal_integer(n + 1)


def cell_bits(mean: NDArray[np.float64], sd: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """-log2 of the masses that normal laws have in the unit cells around `values`, shape (laws, values)."""
    high = ndtr((values[None] + 0.5 - mean[:, None]) / sd[:, None])
    low = ndtr((values[None] - 0.5 - mean[:, None]) / sd[:, None])
    return np.asarray(-np.log2(np.maximum(high - low, _LEAST)), np.float64)


def size_levels(scale: SizeScale | None) -> NDArray[np.float64]:
    """round(log10 size) of each size code; one code of level 0 when words have no sizes."""
    if scale is None:
        return np.zeros(1)
    return np.rint(np.log10(np.maximum(scale.centres, 1.0)))


def moments(
    counts: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each row of counts; 0 and the ridge where nothing was counted."""
    total = np.maximum(counts.sum(axis=1), 1.0)
    mean = counts @ values / total
    variance = np.maximum((counts * (values[None] - mean[:, None]) ** 2).sum(axis=1) / total, RIDGE)
    return mean, np.sqrt(variance)


def operation_bits(ops: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Bits of match, missing, copy, swap, addition; noise has at most a quarter of the probability."""
    share = np.where(mask, ops + 1.0, 0.0)
    share /= share.sum()
    noise = float(share[1:].sum())
    if noise > MOST_NOISE:
        share[1:] *= MOST_NOISE / noise
        share[0] = 1.0 - MOST_NOISE
    return np.asarray(-np.log2(np.where(mask, share, 1.0)), np.float64)


def fit_published(
    structure: Structure, usage: Usage, switches: NoiseSwitches, levels: NDArray[np.float64], *, optimism: float = 0.0
) -> Fitted:
    """Laws and prices of a usage; `optimism` as in `length.fit`."""
    histogram = usage.delays.copy()
    if len(usage.sums):
        # A symbol after a missing packet is scored on its own transition alone.
        np.add.at(histogram, (usage.sums[:, 1], usage.sums[:, 2]), usage.sums[:, 3])
    codes = histogram.shape[1]
    mean, sd = moments(histogram, np.arange(codes, dtype=np.float64))
    laws = [DelayLaw((Normal(1.0, float(m), float(s)),), codes) for m, s in zip(mean, sd, strict=True)]
    extra = np.array([0.0, 1, 1, 1, 1]) * optimism * max(1.0, float(usage.ops.sum()))
    return published_prices(
        structure, laws, usage.sizes, usage.count, usage.ops + extra, (usage.accepted, usage.rejected), switches, levels
    )


def published_prices(
    structure: Structure,
    laws: list[DelayLaw],
    sizes: NDArray[np.float64],
    count: NDArray[np.int64],
    ops: NDArray[np.int64] | NDArray[np.float64],
    status: tuple[int, int],
    switches: NoiseSwitches,
    levels: NDArray[np.float64],
) -> Fitted:
    """Prices that follow from laws (one normal each), counts of sizes, transitions, operations and words."""
    codes = laws[0].codes if laws else 1
    means = np.array([law.normals[0].mean if law.normals else 0.0 for law in laws])
    sds = np.array([law.normals[0].sd if law.normals else np.sqrt(RIDGE) for law in laws])
    values = np.arange(codes, dtype=np.float64)
    delay_bits = cell_bits(means, sds, values)
    total = np.zeros(structure.locations)
    np.add.at(total, structure.source, count + 0.5)
    sized = len(levels) > 1
    size_bits = cell_bits(*moments(sizes, levels), levels) if sized else np.zeros((structure.transitions, 1))
    nothing = DelayLaw((), codes)
    words = np.array(status) + 0.5
    return Fitted(
        laws=laws,
        delay_probabilities=np.exp2(-delay_bits),
        delay_bits=delay_bits,
        size_bits=size_bits,
        step_bits=-np.log2((count + 0.5) / total[structure.source]),
        op_bits=operation_bits(np.asarray(ops), switches.mask),
        copy_delay=nothing,
        added_delay=nothing,
        copy_delay_bits=np.zeros(codes),
        added_delay_bits=universal_integers(np.arange(codes) + 1),
        added_size_bits=universal_integers(levels.astype(np.int64) + 1) if sized else np.zeros(1),
        copy_size_bits=np.zeros(2),
        status_bits=-np.log2(words / words.sum()),
        published=True,
    )


def published_model(
    structure: Structure, fitted: Fitted, sizes: NDArray[np.float64], levels: NDArray[np.float64]
) -> float:
    """L(M), bits."""
    places, named = log2(structure.locations), log2(structure.symbols + 1)
    bits = integer_bits(structure.locations) + 2.0 * places + 4.0 * PRECISION_BITS
    bits += (structure.transitions + 1 - structure.locations) * PRECISION_BITS
    bits += structure.transitions * (2.0 * places + named)
    for law in fitted.laws:
        bits += integer_bits(int(law.normals[0].mean)) + integer_bits(int(10.0 * law.normals[0].sd ** 2))
    if len(levels) > 1:
        for mean, sd in zip(*moments(sizes, levels), strict=True):
            bits += integer_bits(int(mean)) + integer_bits(int(10.0 * sd**2)) + integer_bits(0)
    return bits


def word_bits(
    observations: Observations,
    structure: Structure,
    fitted: Fitted,
    steps: NDArray[np.int32],
    where: NDArray[np.int32],
    ends: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Bits of each word along its alignment; values of words without operation cost at most `FLOOR_BITS` each."""
    edges = structure.transitions
    words = np.repeat(np.arange(len(ends)), np.diff(np.concatenate([[0], ends])))
    real = steps >= 0
    swap = steps >= edges
    edge = np.where(swap, steps - edges, np.where(real, steps, 0)).astype(np.int64)
    closing = real & (structure.symbol[edge] == structure.symbols)
    after, missing = real & (where < -1), real & (where == -1) & ~closing
    at = np.where(after, -2 - where, np.maximum(where, 0)).astype(np.int64)
    # A copy is scored on the transition it repeats: the last one taken before it.
    order = np.arange(len(steps))
    last = np.maximum.accumulate(np.where(real, order, 0)) if len(steps) else order
    law = edge[last]
    delays, sizes = observations.delays[at] if len(at) else at, observations.sizes[at] if len(at) else at
    value = fitted.delay_bits[law, delays] + fitted.size_bits[law, sizes]
    noisy = np.zeros(len(ends), bool)
    noisy[words[(steps < 0) | swap | missing]] = True
    value = np.where(noisy[words], value, np.minimum(value, FLOOR_BITS))
    added = log2(structure.symbols + 1) + fitted.added_delay_bits[delays] + fitted.added_size_bits[sizes]
    op = fitted.op_bits
    # The second of the two transitions of a swap carries the operation's price.
    partner = np.zeros(len(steps), bool)
    partner[:-1] = swap[1:]
    cost = np.where(real, np.where(swap, op[3], np.where(partner, 0.0, op[0])) + fitted.step_bits[edge] + value, 0.0)
    cost = np.where(missing, op[1] + fitted.step_bits[edge], cost)
    cost = np.where(closing, op[0] + fitted.step_bits[edge], cost)
    cost = np.where(steps == -2, op[2] + value, np.where(steps == -3, op[4] + added, cost))
    return np.bincount(words, cost, len(ends)).astype(np.float64)


def spelt_bits(observations: Observations, structure: Structure, fitted: Fitted) -> NDArray[np.float64]:
    """Bits of each word without a path."""
    named = log2(structure.symbols + 1)
    each = named + fitted.added_delay_bits[observations.delays] + fitted.added_size_bits[observations.sizes]
    return np.diff(np.concatenate([[0.0], np.cumsum(each)])[observations.offsets])


def measure_published(
    observations: Observations,
    structure: Structure,
    usage: Usage,
    fitted: Fitted,
    levels: NDArray[np.float64],
    steps: NDArray[np.int32],
    where: NDArray[np.int32],
    ends: NDArray[np.int64],
    explained: NDArray[np.bool_],
) -> Length:
    """The codelength of all words along their alignments."""
    each = word_bits(observations, structure, fitted, steps, where, ends)
    weights = observations.weights
    spelt = float((weights * spelt_bits(observations, structure, fitted))[~explained].sum())
    split = np.array([usage.accepted, usage.rejected], np.float64)
    seen = split[split > 0]
    return Length(
        structure=published_model(structure, fitted, usage.sizes, levels),
        laws=0.0,
        paths=float((weights * each)[explained].sum()),
        delays=0.0,
        sizes=0.0,
        noise=0.0,
        status=spelt - float((seen * np.log2(seen / max(split.sum(), 1.0))).sum()),
    )
