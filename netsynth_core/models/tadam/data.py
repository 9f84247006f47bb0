"""The training words as the learner sees them: integer codes in flat arrays, equal words kept once with a weight.

The arrays travel with the model (beside its document), because an edit recounts and reprices from them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import DocumentError
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.running import recode
from netsynth_core.models.delays import DelayScale, SizeScale
from netsynth_core.models.document import Arrays


@dataclass(frozen=True, eq=False)
class Observations:
    """Encoded words. Word u is the slice ``offsets[u]:offsets[u + 1]``; all its values are codes."""

    symbols: NDArray[np.int32]
    """-1 for symbols too rare to be learnt."""
    delays: NDArray[np.int32]
    sizes: NDArray[np.int32]
    """All 0 when the words hold no sizes."""
    offsets: NDArray[np.int64]
    weights: NDArray[np.int64]
    """How many original words each stands for, >= 1."""
    origin: NDArray[np.int64]
    """Encoded word of each original word."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def words(self) -> int:
        """Number of original words."""
        return len(self.origin)

    def take(self, rows: NDArray[np.int64]) -> "Observations":
        """Some encoded words, with their weights; `origin` is then the identity."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        index = np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Observations(
            self.symbols[index],
            self.delays[index],
            self.sizes[index],
            offsets,
            self.weights[rows],
            np.arange(len(rows), dtype=np.int64),
        )

    def known(self) -> "Observations":
        """The same words without their unknown symbols (code -1)."""
        known = self.symbols >= 0
        offsets = np.concatenate([[0], np.cumsum(known)])[self.offsets].astype(np.int64)
        return Observations(
            self.symbols[known], self.delays[known], self.sizes[known], offsets, self.weights, self.origin
        )

    def to_arrays(self) -> Arrays:
        """The arrays of a document."""
        return {
            "symbols": self.symbols,
            "delays": self.delays,
            "sizes": self.sizes,
            "offsets": self.offsets,
            "weights": self.weights,
            "origin": self.origin,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, *, symbols: int, delays: int, sizes: int) -> "Observations | None":
        """The observations of a document, or None when it came without arrays.

        Parameters
        ----------
        symbols, delays, sizes
            Number of codes of each kind.

        Raises
        ------
        DocumentError
            When arrays are missing or do not fit together.
        """
        if not arrays:
            return None
        try:
            found = cls(
                arrays["symbols"].astype(np.int32, casting="same_kind"),
                arrays["delays"].astype(np.int32, casting="same_kind"),
                arrays["sizes"].astype(np.int32, casting="same_kind"),
                arrays["offsets"].astype(np.int64, casting="same_kind"),
                arrays["weights"].astype(np.int64, casting="same_kind"),
                arrays["origin"].astype(np.int64, casting="same_kind"),
            )
        except (KeyError, TypeError) as error:
            raise DocumentError(
                f"The arrays beside the model are not its own: {error}.", hint="Restore the .npz written with it."
            ) from error
        n = len(found.symbols)
        sound = (
            all(array.ndim == 1 for array in found.to_arrays().values())
            and len(found.offsets) >= 1
            and found.offsets[0] == 0
            and found.offsets[-1] == n == len(found.delays) == len(found.sizes)
            and (np.diff(found.offsets) >= 0).all()
            and len(found.weights) == len(found)
            and _within(found.symbols, symbols, least=-1)
            and _within(found.delays, delays)
            and _within(found.sizes, sizes)
            and _within(found.origin, len(found))
        )
        if not sound:
            raise DocumentError(
                "The arrays beside the model do not fit it.", hint="Restore the .npz that was written with the model."
            )
        return found


def _within(codes: NDArray[np.int32] | NDArray[np.int64], size: int, *, least: int = 0) -> bool:
    return len(codes) == 0 or (int(codes.min()) >= least and int(codes.max()) < size)


def encode_words(
    words: Words, alphabet: tuple[str, ...], scale: DelayScale, size_scale: SizeScale | None
) -> Observations:
    """Every word in codes, each by itself (weight 1); symbols outside `alphabet` become -1."""
    n = len(words.symbols)
    sizes = np.zeros(n, np.int32)
    if size_scale is not None and words.sizes is not None:
        sizes = size_scale.encode(words.sizes)
    return Observations(
        recode(words, alphabet).astype(np.int32),
        scale.encode(words.delays),
        sizes,
        np.asarray(words.offsets, np.int64),
        np.ones(len(words), np.int64),
        np.arange(len(words), dtype=np.int64),
    )


def deduplicate(observations: Observations) -> Observations:
    """Equal words once, in order of first appearance, with their number as weight."""
    columns = np.stack([observations.symbols, observations.delays, observations.sizes], axis=1).astype(np.int32)
    index: dict[bytes, int] = {}
    origin = np.empty(len(observations), np.int64)
    firsts: list[int] = []
    offsets = observations.offsets.tolist()
    for word in range(len(observations)):
        key = columns[offsets[word] : offsets[word + 1]].tobytes()
        at = index.setdefault(key, len(firsts))
        if at == len(firsts):
            firsts.append(word)
        origin[word] = at
    unique = observations.take(np.array(firsts, np.int64))
    weights = np.bincount(origin, weights=observations.weights, minlength=len(firsts)).astype(np.int64)
    return Observations(unique.symbols, unique.delays, unique.sizes, unique.offsets, weights, origin)
