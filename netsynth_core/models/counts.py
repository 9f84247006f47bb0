"""A code for how often each symbol occurs in a word: the counts that were seen, and what new ones may look like.

A word has counts that were seen before, each as often as then, or new ones: with the share of words that were the only
ones of theirs (Good 1953). New counts are like seen ones, all of these alike, but some symbols moved: a symbol keeps
its count with a probability that is learnt from how the seen counts differ among themselves, each left out in turn,
and moves k up or down with weight 1 / (k (k + 1)). So a symbol that always comes three times is dear when it comes
twice, one whose number differs from word to word is cheap. All sums to one; a share is kept for counts unlike any.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

MOST_CELLS = 20_000_000
"""Pairs of seen vectors times symbols while learning: beyond, only the most frequent vectors are kept as examples."""
PASSES = 25
UNLIKE = 0.5
"""A vector's worth of probability among the new ones, kept for those unlike any that was seen."""
_BLOCK = 1 << 22
_FREQUENT = 1e-3
"""Among examples that are equally like a vector the more frequent one is named."""


@dataclass(frozen=True)
class Difference:
    """One symbol whose count is not the expected one."""

    symbol: int
    """Column of the counts; the last one is that of unknown symbols."""
    seen: int
    expected: int
    bits: float
    """What the difference costs, over no difference."""


@dataclass(frozen=True, eq=False)
class CountCode:
    """A probability over vectors of counts."""

    seen: Counts
    """Shape (vectors, columns): the distinct vectors that were learnt from."""
    weight: Counts
    """How many words had each."""
    examples: NDArray[np.int64]
    """Rows of `seen` that new vectors are held against."""
    moving: Floats
    """Probability of each column that a count above 0 is another one in a new vector."""
    appearing: Floats
    """Probability of each column that a count of 0 is another one in a new vector."""

    @classmethod
    def learn(cls, counts: Counts, weights: Counts | None = None) -> "CountCode":
        """The code of these vectors.

        Parameters
        ----------
        counts
            Shape (words, columns), >= 0, at least one word.
        weights
            How many words each row stands for; all 1 when None.
        """
        weights = np.ones(len(counts), np.int64) if weights is None else weights
        vectors, place = np.unique(counts, axis=0, return_inverse=True)
        weight = np.bincount(place.ravel(), weights=weights, minlength=len(vectors)).astype(np.int64)
        columns = vectors.shape[1]
        most = max(1, int((MOST_CELLS / max(columns, 1)) ** 0.5))
        examples = np.sort(np.argsort(-weight, kind="stable")[:most]).astype(np.int64)
        start = cls(vectors, weight, examples, np.full(columns, 0.1), np.full(columns, 0.05))
        return start._settled()

    @property
    def new(self) -> float:
        """Probability of counts that were not seen, 0-1."""
        return self._new_share(0)

    def _new_share(self, left_out: int) -> float:
        return float(((self.weight == 1).sum() + 0.5) / (self.weight.sum() - left_out + 1.0))

    def _settled(self) -> "CountCode":
        """Expectation-maximisation of the two probabilities, each example explained by the others."""
        held = self.seen[self.examples]
        rows, columns = held.shape
        here, there = held.T[:, :, None], held.T[:, None, :]
        shape = np.zeros((rows, rows))
        differs = np.empty((columns, rows, rows), bool)
        for column in range(columns):
            differs[column] = here[column] != there[column]
            shape += _move_bits(here[column], there[column])
        there_is = (held > 0).T
        code = self
        for _ in range(PASSES):
            ways = -shape
            for column in range(columns):
                odds = np.where(there_is[column], code.moving[column], code.appearing[column])
                ways += np.where(differs[column], np.log2(odds), np.log2(1.0 - odds))
            np.fill_diagonal(ways, -np.inf)
            total = np.logaddexp2(np.logaddexp2.reduce(ways, axis=1), np.log2(UNLIKE) + _unlike(held))
            part = np.exp2(ways - total[:, None])
            mass = part.sum(axis=0)
            changed = np.stack([(part * differs[column]).sum(axis=0) for column in range(columns)])
            moved, kept = (changed * there_is).sum(axis=1), (mass * there_is).sum(axis=1)
            came, none = (changed * ~there_is).sum(axis=1), (mass * ~there_is).sum(axis=1)
            code = replace(code, moving=(moved + 0.5) / (kept + 1.0), appearing=(came + 0.5) / (none + 1.0))
        return code

    def bits(self, counts: Counts) -> Floats:
        """-log2 P of each row of counts; columns as learnt."""
        return self._bits(counts, 0)

    def others_bits(self, counts: Counts) -> Floats:
        """`bits` of rows that were learnt from, each as if one word with these counts had been left out."""
        return self._bits(counts, 1)

    def _bits(self, counts: Counts, left_out: int) -> Floats:
        distinct, place = np.unique(counts, axis=0, return_inverse=True)
        row = self._row(distinct)
        times = np.where(row >= 0, self.weight[row], 0)
        out = np.minimum(left_out, times)
        again = np.maximum(times - out, 0) / np.maximum(self.weight.sum() - out, 1)
        # a vector that was the only one of its kind is no example of itself
        gone = np.where((times == 1) & (out == 1), row, -1)
        new = self._like_bits(distinct, gone)
        share = self._new_share(0)
        with np.errstate(divide="ignore"):
            seen = np.log2((1.0 - share) * again)
        bits: Floats = -np.logaddexp2(seen, np.log2(share) - new)
        return np.asarray(np.maximum(bits, 0.0)[place.ravel()])

    def _row(self, counts: Counts) -> NDArray[np.int64]:
        """Row of `seen` that each vector equals; -1 where there is none."""
        known = {row.tobytes(): k for k, row in enumerate(np.ascontiguousarray(self.seen))}
        return np.array([known.get(row.tobytes(), -1) for row in np.ascontiguousarray(counts)], np.int64)

    def _like_bits(self, counts: Counts, gone: NDArray[np.int64]) -> Floats:
        """Bits of vectors as new ones; row ``gone`` of `seen` is no example."""
        found = np.empty(len(counts))
        block = max(1, _BLOCK // max(len(self.examples), 1))
        for low in range(0, len(counts), block):
            part = counts[low : low + block]
            ways = self._kernel(part)
            out = self.examples[None, :] == gone[low : low + block, None]
            ways[out] = -np.inf
            left = len(self.examples) - out.sum(axis=1)
            total = np.logaddexp2(np.logaddexp2.reduce(ways, axis=1), np.log2(UNLIKE) + _unlike(part))
            found[low : low + block] = np.log2(left + UNLIKE) - total
        return found

    def _kernel(self, counts: Counts) -> Floats:
        """log2 P(counts | example), shape (rows of counts, examples)."""
        ways = np.broadcast_to(self._unmoved, (len(counts), len(self.examples))).copy()
        for column in range(self.seen.shape[1]):
            there, here = self.seen[None, self.examples, column], counts[:, None, column]
            odds = np.where(there > 0, self.moving[column], self.appearing[column])
            ways += np.where(there == here, 0.0, np.log2(odds) - np.log2(1.0 - odds) - _move_bits(here, there))
        return ways

    @cached_property
    def _unmoved(self) -> Floats:
        """log2 P(no count moves) of each example."""
        odds = np.where(self.seen[self.examples] > 0, self.moving[None, :], self.appearing[None, :])
        return np.asarray(np.log2(1.0 - odds).sum(axis=1))

    def differences(self, counts: Counts, *, left_out: bool = False) -> tuple[Difference, ...]:
        """How one vector (one dimension) differs from the example that is most like it, the dearest first.

        Empty for vectors that were seen (by another word, when one word with these counts is to be left out).
        """
        row = int(self._row(counts[None, :])[0])
        if row >= 0 and self.weight[row] > (1 if left_out else 0):
            return ()
        ways = self._kernel(counts[None, :])[0] + np.log2(self.weight[self.examples]) * _FREQUENT
        ways[self.examples == row] = -np.inf
        best = self.seen[self.examples[int(np.argmax(ways))]]
        found = []
        for column in np.flatnonzero(best != counts).tolist():
            odds = float(self.moving[column] if best[column] > 0 else self.appearing[column])
            move = float(_move_bits(counts[column : column + 1], best[column : column + 1])[0])
            bits = float(np.log2(1.0 - odds) - np.log2(odds)) + move
            found.append(Difference(column, int(counts[column]), int(best[column]), bits))
        # a symbol that moves more often than it stays tells little
        told = [difference for difference in found if difference.bits > 0] or found
        return tuple(sorted(told, key=lambda difference: (-difference.bits, difference.symbol)))


def _unlike(counts: Counts) -> Floats:
    """log2 of what vectors unlike all others get: each count n by itself, 1 / ((n + 1) (n + 2))."""
    return np.asarray(-np.log2((counts + 1.0) * (counts + 2.0)).sum(axis=-1))


def _move_bits(here: Counts, there: Counts) -> Floats:
    """Bits of how far a count moved from `there` to `here`; 0 where it did not."""
    steps = np.abs(here - there)
    far = np.log2(np.maximum(steps, 1) * (steps + 1.0))
    up = np.where(there > 0, 1.0, 0.0)
    down = 1.0 + np.log2(there / (there + 1.0), where=there > 0, out=np.zeros(np.shape(there)))
    bits: Floats = np.where(here > there, far + up, np.where(here < there, far + down, 0.0))
    return bits


def count_matrix(symbols: NDArray[np.int32], offsets: NDArray[np.int64], columns: int) -> Counts:
    """How often each symbol occurs in each word, shape (words, columns + 1); the last column is for symbols < 0."""
    words = len(offsets) - 1
    row = np.repeat(np.arange(words, dtype=np.int64), np.diff(offsets))
    column = np.where(symbols < 0, columns, symbols)
    flat = np.bincount(row * (columns + 1) + column, minlength=words * (columns + 1))
    return flat.reshape(words, columns + 1).astype(np.int64)
