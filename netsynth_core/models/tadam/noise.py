"""The noise model and what an alignment says: how an observed word differs from a path of the automaton.

Before every symbol the code says which operation comes next, by frequencies learnt from all training words: a plain
match, or one of four kinds of noise. Positions count symbols of the observed word from 0.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from netsynth_core.models.delays import DelayLaw, SizeLaw

OpKind = Literal["deletion", "re-emission", "transposition", "addition"]
KINDS: tuple[OpKind, ...] = ("deletion", "re-emission", "transposition", "addition")


class NoiseOp(NamedTuple):
    """One difference between a word and its path."""

    kind: OpKind
    """deletion: a packet the automaton expects was not seen; re-emission: seen twice; transposition: two neighbours
    swapped; addition: a packet that does not belong."""
    position: int
    """Where the missing symbol would stand, the second of the two copies, the first of the swapped pair, or the
    spurious symbol."""


@dataclass(frozen=True)
class Alignment:
    """The cheapest explanation of one word."""

    word: int
    """Position of the word among those aligned."""
    bits: float
    """Codelength of the word; of its explicit spelling when it is rejected."""
    path: tuple[str, ...]
    """Ids of the transitions taken, those of missing packets and of ``$`` included; empty when rejected."""
    ops: tuple[NoiseOp, ...]
    """By position; empty for a word that fits exactly."""
    accepted: bool
    """False when no explanation is shorter than spelling the word out."""


@dataclass(frozen=True)
class NoiseModel:
    """Counted operations and the laws of the delays they bring."""

    matches: int
    """Symbols, and ends of words, that fitted a transition as they stood."""
    missing: int
    duplicates: int
    swaps: int
    additions: int
    duplicate_delay: DelayLaw
    """Delay of a copy after its original."""
    addition_delay: DelayLaw
    accepted: int
    """Words explained by a path."""
    rejected: int
    noisy: int = 0
    """Accepted words with at least one operation."""
    copies_alike: int = 0
    """Copies with the payload size of their original."""
    copies_unlike: int = 0
    addition_size: SizeLaw | None = None
    """Sizes of additions and of copies unlike their original; None when the words hold no sizes."""

    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """matches, deletions, re-emissions, transpositions, additions."""
        return (self.matches, self.missing, self.duplicates, self.swaps, self.additions)
