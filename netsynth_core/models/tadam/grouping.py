"""What words cost when a chain describes them: the measure by which conversations are joined or kept apart.

A chain has one location per symbol, as the automaton that the learner starts from; its price is the learner's own (see
`netsynth_core.models.tadam.length`), without noise, with the symbols of the group named among those of all groups.
Payloads are told apart no finer than by class and first token, but those of two services are not alike: each payload on
a transition that several services take costs the (Krichevsky-Trofimov) bits that say whose it is.

Every term but those of the alphabet belongs to one transition or to one location, so that two groups are joined at the
price of what they share: deciding costs milliseconds where learning costs seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log2
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.flows.words import Words
from netsynth_core.models.codelength import dirichlet_multinomial, log2_binomial, universal_integer
from netsynth_core.models.delays import DelayScale, SizeScale, fit_delay_laws
from netsynth_core.models.tadam.length import prequential_sizes

_FIRST_SIZES: Final = 1_000_000
"""Sizes that the common scale is made from, evenly spread: it need not be the best one, but the same for all groups."""


@dataclass(frozen=True, eq=False)
class Chain:
    """Counts of neighbouring symbols in some words, and what they cost."""

    symbols: int
    """Symbols of all groups; also the code of the start (before) and of the end (behind)."""
    pairs: NDArray[np.int64]
    """Transitions that occur, ``before * (symbols + 1) + behind``, ascending."""
    counts: NDArray[np.int64]
    """How often each occurs."""
    delays: NDArray[np.int64]
    """Shape (transitions, delay codes): delays seen at each; none at the end."""
    sizes: NDArray[np.int64]
    """Shape (transitions, size codes)."""
    owners: NDArray[np.int64]
    """Shape (transitions, services): payloads of each service; none where the packets have no payload."""
    bits_of_pair: NDArray[np.float64]
    """Bits of each transition's delay law, delays, sizes and owners."""

    @property
    def before(self) -> NDArray[np.int64]:
        """The location each transition leaves."""
        return self.pairs // (self.symbols + 1)

    @cached_property
    def bits(self) -> float:
        """L(M) + L(D|M) in bits, but for what every grouping pays alike."""
        if not len(self.pairs):
            return 0.0
        starts = np.flatnonzero(np.diff(self.before, prepend=-1))
        choices = sum(
            universal_integer(len(part) + 1) + (dirichlet_multinomial(part, len(part)) if len(part) > 1 else 0.0)
            for part in np.split(self.counts, starts[1:])
        )
        behind = self.pairs % (self.symbols + 1)
        used = len(np.unique(behind[behind < self.symbols]))
        named = log2_binomial(self.symbols, used) + universal_integer(used + 1)
        targets = int((behind < self.symbols).sum())
        structure = (len(self.pairs) + targets) * log2(used + 1) + universal_integer(used + 2)
        return float(named + structure + choices + self.bits_of_pair.sum())

    def joined(self, other: "Chain") -> "Chain":
        """The chain of the words of both."""
        pairs = np.union1d(self.pairs, other.pairs)
        mine, theirs = np.searchsorted(pairs, self.pairs), np.searchsorted(pairs, other.pairs)
        counts = np.zeros(len(pairs), np.int64)
        delays = np.zeros((len(pairs), self.delays.shape[1]), np.int64)
        sizes = np.zeros((len(pairs), self.sizes.shape[1]), np.int64)
        owners = np.zeros((len(pairs), self.owners.shape[1]), np.int64)
        bits = np.zeros(len(pairs))
        for chain, place in ((self, mine), (other, theirs)):
            counts[place] += chain.counts
            delays[place] += chain.delays
            sizes[place] += chain.sizes
            owners[place] += chain.owners
            bits[place] = chain.bits_of_pair
        shared = np.intersect1d(mine, theirs)
        bits[shared] = _pair_bits(delays[shared], sizes[shared], owners[shared])
        return Chain(self.symbols, pairs, counts, delays, sizes, owners, bits)

    def shared(self, other: "Chain") -> int:
        """How many transitions both have."""
        return len(np.intersect1d(self.pairs, other.pairs, assume_unique=True))


def chains_of(groups: Sequence[Words]) -> list[Chain]:
    """The chain of each group, on scales that are common to all of them.

    Parameters
    ----------
    groups
        Words of one unit. Sizes count where all of them have sizes; symbols that end in ``Empty`` have no payload.

    Raises
    ------
    ValueError
        When the units differ.
    """
    if not groups:
        return []
    if len({words.unit for words in groups}) > 1:
        raise ValueError("chains are compared on words of one unit")
    alphabet = sorted({name for words in groups for name in words.alphabet})
    place = {name: code for code, name in enumerate(alphabet)}
    scale = DelayScale.of(groups[0].unit, max(int(words.delays.max(initial=0)) for words in groups))
    sized = [words.sizes for words in groups if words.sizes is not None]
    size_scale = None
    if len(sized) == len(groups):
        sizes = np.concatenate(sized)
        size_scale = SizeScale.of(sizes[:: max(1, len(sizes) // _FIRST_SIZES)])
    services = sorted({words.service for words in groups})
    shape = _Shape(place, scale, size_scale, {name: code for code, name in enumerate(services)})
    return [_chain(words, shape) for words in groups]


@dataclass(frozen=True)
class _Shape:
    """What all chains have in common."""

    symbols: dict[str, int]
    scale: DelayScale
    size_scale: SizeScale | None
    services: dict[str, int]


def _chain(words: Words, shape: _Shape) -> Chain:
    place, scale, size_scale = shape.symbols, shape.scale, shape.size_scale
    symbols = len(place)
    codes = np.array([place[name] for name in words.alphabet], np.int64)
    here = codes[words.symbols] if len(words.symbols) else np.zeros(0, np.int64)
    filled = np.diff(words.offsets) > 0
    before = np.empty_like(here)
    before[1:] = here[:-1]
    before[words.offsets[:-1][filled]] = symbols
    last = np.full(len(words), symbols, np.int64)
    last[filled] = here[words.offsets[1:][filled] - 1]
    keys = np.concatenate([before * (symbols + 1) + here, last * (symbols + 1) + symbols])
    pairs, index, counts = np.unique(keys, return_inverse=True, return_counts=True)
    inside = index[: len(here)]
    delays = _histograms(inside, scale.encode(words.delays), len(pairs), scale.codes)
    size_codes = 1 if size_scale is None else size_scale.codes
    coded = np.zeros(len(here), np.int32)
    if size_scale is not None and words.sizes is not None:
        coded = size_scale.encode(words.sizes)
    sizes = _histograms(inside, coded, len(pairs), size_codes)
    loaded = np.zeros(symbols + 1, np.bool_)
    loaded[[code for name, code in place.items() if not name.endswith("Empty")]] = True
    owners = np.zeros((len(pairs), len(shape.services)), np.int64)
    owners[:, shape.services[words.service]] = counts * loaded[pairs % (symbols + 1)]
    bits = _pair_bits(delays, sizes, owners)
    return Chain(symbols, pairs, counts.astype(np.int64), delays, sizes, owners, bits)


def _histograms(rows: NDArray[np.int64], codes: NDArray[np.int32], height: int, width: int) -> NDArray[np.int64]:
    flat = np.bincount(rows * width + codes, minlength=height * width)
    return flat.astype(np.int64).reshape(height, width)


def _pair_bits(delays: NDArray[np.int64], sizes: NDArray[np.int64], owners: NDArray[np.int64]) -> NDArray[np.float64]:
    """Bits of the law, the delays, the sizes and the owners of each row; 0 for a row without any."""
    seen = delays.sum(axis=1)
    bits = np.zeros(len(delays))
    rows = np.flatnonzero(seen)
    if not len(rows):
        return bits
    laws, probabilities = fit_delay_laws(delays[rows].astype(np.float64))
    told = -np.log2(np.maximum(probabilities, 1e-30))
    bits[rows] = (delays[rows] * told).sum(axis=1)
    bits[rows] += [law.parameter_bits(int(n)) for law, n in zip(laws, seen[rows].tolist(), strict=True)]
    if sizes.shape[1] > 1:
        bits[rows] += prequential_sizes(sizes[rows].astype(np.float64))
    for row in np.flatnonzero((owners > 0).sum(axis=1) > 1).tolist():
        shares = owners[row][owners[row] > 0]
        bits[row] += dirichlet_multinomial(shares, len(shares))
    return bits
