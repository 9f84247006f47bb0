"""Training words as the learners of words see them: integer codes in flat arrays, every word with its end marker."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import NotEnoughData
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.running import recode
from netsynth_core.models.codelength import universal_integers
from netsynth_core.models.delays import DelayScale, SizeScale

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Encoded:
    """Words in codes. Word i is ``offsets[i]:offsets[i + 1]``; its last symbol is the end marker `end`."""

    alphabet: tuple[str, ...]
    """Symbols that occur, sorted."""
    scale: DelayScale
    size_scale: SizeScale | None
    """None when the words hold no payload sizes."""
    symbols: Ints
    delays: Ints
    """Codes of the scale; 0 at the end markers."""
    sizes: Ints
    """Codes of the size scale; 0 at the end markers, and where there are none."""
    offsets: Ints

    @property
    def end(self) -> int:
        """The code of the end marker."""
        return len(self.alphabet)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: Ints) -> "Encoded":
        """Some of the words."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        index = np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Encoded(
            self.alphabet,
            self.scale,
            self.size_scale,
            self.symbols[index],
            self.delays[index],
            self.sizes[index],
            offsets,
        )


def encode(data: Words) -> Encoded:
    """Words with end markers, over the symbols that occur.

    Raises
    ------
    NotEnoughData
        When there is no word.
    """
    if len(data) == 0:
        raise NotEnoughData(
            "There is no word to learn from; at least one is needed.",
            hint="Choose a service with conversations, or widen the filter.",
        )
    alphabet = tuple(sorted(data.alphabet[i] for i in np.unique(data.symbols)))
    scale = DelayScale.of(data.unit, int(data.delays.max(initial=0)))
    size_scale = None if data.sizes is None else SizeScale.of(data.sizes)
    old = np.asarray(data.offsets, np.int64)
    offsets = old + np.arange(len(old))
    place = np.arange(len(data.symbols)) + np.repeat(np.arange(len(data)), np.diff(old))
    symbols = np.full(offsets[-1], len(alphabet), np.int64)
    delays, sizes = np.zeros((2, offsets[-1]), np.int64)
    symbols[place] = recode(data, alphabet)
    delays[place] = scale.encode(data.delays)
    if size_scale is not None and data.sizes is not None:
        sizes[place] = size_scale.encode(data.sizes)
    return Encoded(alphabet, scale, size_scale, symbols, delays, sizes, offsets)


def spelt_bits(words: Encoded) -> float:
    """Bits that spell the words out, the empty model: lengths by the universal code, all else evenly.

    That is symbols, delays and, where there are any, payload sizes.
    """
    lengths = np.diff(words.offsets) - 1
    per_symbol = np.log2(words.end + 1) + np.log2(words.scale.codes)
    per_symbol += 0.0 if words.size_scale is None else np.log2(words.size_scale.codes)
    return float((universal_integers(lengths + 1) + lengths * per_symbol).sum())
