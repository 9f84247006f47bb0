"""The codelength of an automaton and of words given it, term by term. Every code is proper; all bits are base 2.

Model, L(M):
    L_N(locations)                                   Rissanen's universal code
    for each location     L_N(transitions out + 1)
    for each transition   log2(symbols + 1) to name its symbol or ``$``, log2(locations - 1) to name its target, and the
                          parameters of its delay law (`DelayLaw.parameter_bits`)
    for copies, additions the parameters of their delay laws
Data, L(D|M), of all words together:
    paths                 at each location the prequential (Krichevsky-Trofimov) code of the transitions taken, so that
                          probabilities need no precision of their own
    delays                -log2 of the transition's law; after a missing packet, of the law of the sum of both delays
    sizes                 prequential code with one pseudo-count over all codes, and log2 of a bin's width inside bins
    operations            prequential code over match, missing, copy, swap, addition (those switched on)
    copies                delay by their law; one prequential bit whether the size is the original's, else the size
    additions             log2(symbols + 1), delay by their law, size prequentially
    status                prequential code of explained or spelt out
    words spelt out       L_N(length + 1), and evenly log2 of symbols, delay and size codes for each symbol
The codes of the delays and sizes inside their bins cost the same for every model and are left out.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import log2

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from netsynth_core.models.codelength import LN2, dirichlet_multinomial, universal_integer
from netsynth_core.models.delays import DelayLaw, fit_delay_laws
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.models.tadam.structure import Structure, Usage

_IMAGINED = 0.1


@dataclass(frozen=True)
class NoiseSwitches:
    """Which operations may be used."""

    missing: bool = True
    copies: bool = True
    swaps: bool = True
    additions: bool = True

    @classmethod
    def of(cls, params: TadamParams) -> "NoiseSwitches":
        """The switches of the learner's parameters."""
        return cls(params.missing, params.duplicates, params.swaps, params.additions)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """match, missing, copy, swap, addition."""
        return np.array([True, self.missing, self.copies, self.swaps, self.additions])


@dataclass(frozen=True, eq=False)
class Fitted:
    """Laws fitted to a usage, and the bits that follow from them."""

    laws: list[DelayLaw]
    delay_probabilities: NDArray[np.float64]
    delay_bits: NDArray[np.float64]
    size_bits: NDArray[np.float64]
    step_bits: NDArray[np.float64]
    """-log2 of each transition's probability, (count + 1/2) over the sum at its source."""
    op_bits: NDArray[np.float64]
    copy_delay: DelayLaw
    added_delay: DelayLaw
    copy_delay_bits: NDArray[np.float64]
    added_delay_bits: NDArray[np.float64]
    added_size_bits: NDArray[np.float64]
    copy_size_bits: NDArray[np.float64]
    status_bits: NDArray[np.float64]
    """Explained, spelt out."""
    delay_row: NDArray[np.int64] | None = None
    """Shape (transitions, size codes): row of `delay_bits` for a delay beside a size; None = the transition's."""
    published: bool = False
    """Whether these are the prices of `length_published`, which differ in kind: see there."""


def fit(
    structure: Structure, usage: Usage, switches: NoiseSwitches, *, optimism: float = 0.0, linear: bool = False
) -> Fitted:
    """Laws of a usage.

    Parameters
    ----------
    optimism
        Pseudo-share of each kind of noise, added to what was counted: above 0 while a search asks what noise would
        cost if there were more of it.
    linear
        Whether delay codes count time itself (`DelayScale.linear`).
    """
    copies = usage.copy_delays
    if optimism > 0:
        # What repeats the symbol before it may be copies: their delays give the law of copies a first shape.
        copies = copies + _IMAGINED * usage.delays[repeats(structure)].sum(axis=0)
    rows = np.concatenate([usage.delays, copies[None], usage.added_delays[None]])
    laws, probabilities = fit_delay_laws(rows, linear=linear)
    bits = -np.log2(np.maximum(probabilities, 1e-30))
    edges = structure.transitions
    total = np.zeros(structure.locations)
    np.add.at(total, structure.source, usage.count + 0.5)
    mask = switches.mask
    ops = usage.ops + 0.5 + optimism * max(1.0, float(usage.ops.sum())) * np.array([0.0, 1, 1, 1, 1])
    return Fitted(
        laws=laws[:edges],
        delay_probabilities=probabilities[:edges],
        delay_bits=bits[:edges],
        size_bits=size_bits_of_counts(usage.sizes),
        step_bits=-np.log2((usage.count + 0.5) / total[structure.source]),
        op_bits=-np.log2(ops / ops[mask].sum()),
        copy_delay=laws[edges],
        added_delay=laws[edges + 1],
        copy_delay_bits=bits[edges],
        added_delay_bits=bits[edges + 1],
        added_size_bits=size_bits_of_counts(usage.added_sizes[None])[0],
        copy_size_bits=-np.log2((usage.copy_sizes + 0.5) / (usage.copy_sizes.sum() + 1.0)),
        status_bits=-np.log2(
            np.array([usage.accepted + 0.5, usage.rejected + 0.5]) / (usage.accepted + usage.rejected + 1)
        ),
    )


def repeats(structure: Structure) -> NDArray[np.bool_]:
    """Transitions that read a symbol which also leads to their source."""
    speaking = structure.symbol < structure.symbols
    arrives = np.zeros((structure.locations, structure.symbols + 1), bool)
    arrives[structure.target[speaking], structure.symbol[speaking]] = True
    again: NDArray[np.bool_] = speaking & arrives[structure.source, structure.symbol]
    return again


def size_bits_of_counts(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """-log2 of each size code by the counts of its row, one pseudo-count spread over all codes."""
    share = (counts + 1.0 / counts.shape[1]) / (counts.sum(axis=1, keepdims=True) + 1.0)
    bits: NDArray[np.float64] = -np.log2(share)
    return bits


def prequential_sizes(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Prequential bits of each row of counts, one pseudo-count spread over its columns."""
    alpha = 1.0 / counts.shape[1]
    seen = counts > 0
    parts = np.where(seen, gammaln(np.where(seen, counts, 1.0) + alpha) - gammaln(alpha), 0.0)
    bits: NDArray[np.float64] = (gammaln(counts.sum(axis=1) + 1.0) - gammaln(1.0) - parts.sum(axis=1)) / LN2
    return bits


def prequential_choices(counts: NDArray[np.int64]) -> float:
    """Krichevsky-Trofimov bits of choosing among as many transitions as there are counts."""
    return dirichlet_multinomial(counts, len(counts)) if len(counts) > 1 else 0.0


@dataclass(frozen=True)
class Length:
    """The terms of the codelength, bits."""

    structure: float
    """Locations, transitions, symbols, targets."""
    laws: float
    """Parameters of the delay laws."""
    paths: float
    delays: float
    sizes: float
    noise: float
    """Operations, copies, additions."""
    status: float
    """Which words are spelt out, and those."""

    @property
    def model(self) -> float:
        """L(M)"""
        return self.structure + self.laws

    @property
    def data(self) -> float:
        """L(D|M)"""
        return self.paths + self.delays + self.sizes + self.noise + self.status

    @property
    def total(self) -> float:
        """L(M) + L(D|M)"""
        return self.model + self.data


def transition_bits(structure: Structure) -> float:
    """Bits that name symbol and target of one transition (that of ``$`` has one target only)."""
    return log2(structure.symbols + 1) + log2(max(structure.locations - 1, 1))


def structure_bits(structure: Structure) -> float:
    """Bits of locations, transitions, symbols and targets."""
    out = np.bincount(structure.source, minlength=structure.locations)
    ending = int((structure.symbol == structure.symbols).sum())
    bits = universal_integer(structure.locations) + sum(universal_integer(int(n) + 1) for n in out)
    bits += structure.transitions * log2(structure.symbols + 1)
    return bits + (structure.transitions - ending) * log2(max(structure.locations - 1, 1))


def measure(
    structure: Structure, usage: Usage, fitted: Fitted, switches: NoiseSwitches, sum_bits: NDArray[np.float64]
) -> Length:
    """The codelength of all words.

    Parameters
    ----------
    sum_bits
        Bits of the common delay of each row of ``usage.sums``.
    """
    speaking = structure.symbol < structure.symbols
    seen = usage.delays.sum(axis=1)
    described = np.array([law.description for law in fitted.laws]).reshape(-1, 2)[speaking]
    laws = float((described[:, 0] + described[:, 1] * 0.5 * np.log2(seen[speaking] + 1.0)).sum())
    laws += fitted.copy_delay.parameter_bits(int(usage.copy_delays.sum()))
    laws += fitted.added_delay.parameter_bits(int(usage.added_delays.sum()))
    order = np.argsort(structure.source, kind="stable")
    bounds = np.searchsorted(structure.source[order], np.arange(structure.locations + 1))
    paths = sum(prequential_choices(usage.count[order[low:high]]) for low, high in pairwise(bounds))
    mask = switches.mask
    added = int(usage.ops[4])
    noise = dirichlet_multinomial(usage.ops[mask], int(mask.sum())) if mask.sum() > 1 else 0.0
    noise += float((usage.copy_delays * fitted.copy_delay_bits).sum())
    noise += float((usage.added_delays * fitted.added_delay_bits).sum()) + added * log2(structure.symbols + 1)
    noise += float(prequential_sizes(usage.added_sizes[None])[0])
    noise += dirichlet_multinomial(usage.copy_sizes, 2)
    return Length(
        structure=structure_bits(structure),
        laws=laws,
        paths=float(paths),
        delays=float((usage.delays * fitted.delay_bits).sum() + (usage.sums[:, 3] * sum_bits).sum()),
        sizes=float(prequential_sizes(usage.sizes[speaking]).sum()) if usage.sizes.shape[1] > 1 else 0.0,
        noise=noise,
        status=dirichlet_multinomial(np.array([usage.accepted, usage.rejected]), 2) + usage.rejected_bits,
    )
