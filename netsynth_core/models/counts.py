"""A code for how often each symbol occurs in a word: a mixture around the words that were seen.

P(counts) = sum over seen vectors u of their share times, for each symbol, P(count | count in u). A symbol keeps its
count with probability 1 - c, learnt for each symbol by leaving each word out in turn; otherwise it moves k up or down
with weight 1 / (k (k + 1)). So a symbol that always comes three times is dear when it comes twice, one whose number
differs from word to word is cheap. Everything sums to one; a small share is kept for vectors unlike all that were seen.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

MOST_CELLS = 20_000_000
"""Pairs of seen vectors times symbols while learning: beyond, only the most frequent vectors are kept."""
PASSES = 25
UNLIKE = 0.5
"""Words' worth of probability kept for vectors unlike all that were seen."""
_BLOCK = 1 << 22
_LEAST = 1e-300


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
    moving: Floats
    """Probability of each column that a count above 0 is another one."""
    appearing: Floats
    """Probability of each column that a count of 0 is another one."""

    @classmethod
    def learn(cls, counts: Counts, weights: Counts | None = None) -> "CountCode":
        """The code of these vectors.

        Parameters
        ----------
        counts
            Shape (words, columns), >= 0.
        weights
            How many words each row stands for; all 1 when None.
        """
        weights = np.ones(len(counts), np.int64) if weights is None else weights
        vectors, place = np.unique(counts, axis=0, return_inverse=True)
        weight = np.bincount(place.ravel(), weights=weights, minlength=len(vectors)).astype(np.int64)
        most = max(1, int((MOST_CELLS / max(vectors.shape[1], 1)) ** 0.5))
        kept = np.sort(np.argsort(-weight, kind="stable")[:most])
        vectors, weight = vectors[kept], weight[kept]
        columns = vectors.shape[1]
        start = cls(vectors, weight, np.full(columns, 0.1), np.full(columns, 0.01))
        return start._settled()

    def _settled(self) -> "CountCode":
        """Expectation-maximisation of the two probabilities, each word explained by the others."""
        rows, columns = self.seen.shape
        shape = np.zeros((rows, rows))
        differs = np.empty((columns, rows, rows), bool)
        for column in range(columns):
            here = self.seen[:, column]
            differs[column] = here[:, None] != here[None, :]
            shape += _move_bits(here[:, None], here[None, :])
        held = (self.seen > 0).T
        others = self._others()
        code = self
        flat = differs.reshape(columns, -1)
        for _ in range(PASSES):
            ways = code._log_share(others, differs, shape, held)
            total = np.logaddexp2.reduce(np.concatenate([ways, self._unlike_row(self.seen)[:, None]], axis=1), axis=1)
            part = np.exp2(ways - total[:, None]) * self.weight[:, None]
            mass = part.sum(axis=0)
            changed = np.empty((columns, rows))
            for column in range(columns):
                changed[column] = (part * flat[column].reshape(rows, rows)).sum(axis=0)
            moved, kept = (changed * held).sum(axis=1), (mass * held).sum(axis=1)
            came, none = (changed * ~held).sum(axis=1), (mass * ~held).sum(axis=1)
            code = CountCode(self.seen, self.weight, (moved + 0.5) / (kept + 1.0), (came + 0.5) / (none + 1.0))
        return code

    def _others(self) -> Floats:
        """log2 of the share of vector j when one word of vector i is left out, shape (i, j)."""
        left = np.broadcast_to(self.weight.astype(np.float64), (len(self.weight),) * 2).copy()
        np.fill_diagonal(left, self.weight - 1.0)
        share: Floats = np.log2(np.maximum(left / (self.weight.sum() - 1.0 + UNLIKE), _LEAST))
        return share

    def _log_share(self, shares: Floats, differs: NDArray[np.bool_], shape: Floats, held: NDArray[np.bool_]) -> Floats:
        ways = shares - shape
        for column in range(len(differs)):
            odds = np.where(held[column], self.moving[column], self.appearing[column])
            ways += np.where(differs[column], np.log2(odds), np.log2(1.0 - odds))
        return ways

    def _unlike_row(self, counts: Counts, *, left_out: int = 1) -> Floats:
        """log2 of what vectors unlike all others get: each count n by itself, 1 / ((n + 1) (n + 2))."""
        spread = -np.log2((counts + 1.0) * (counts + 2.0)).sum(axis=1)
        row: Floats = np.log2(UNLIKE / (self.weight.sum() - left_out + UNLIKE)) + spread
        return row

    def bits(self, counts: Counts) -> Floats:
        """-log2 P of each row of counts; columns as learnt."""
        distinct, place = np.unique(counts, axis=0, return_inverse=True)
        share = np.log2(self.weight / (self.weight.sum() + UNLIKE))
        found = np.empty(len(distinct))
        block = max(1, _BLOCK // max(len(self.seen), 1))
        for low in range(0, len(distinct), block):
            part = distinct[low : low + block]
            ways = share[None, :] + self._kernel(part)
            unlike = self._unlike_row(part, left_out=0)[:, None]
            found[low : low + block] = -np.logaddexp2.reduce(np.concatenate([ways, unlike], axis=1), axis=1)
        bits: Floats = np.maximum(found, 0.0)[place.ravel()]
        return bits

    def others_bits(self, counts: Counts) -> Floats:
        """`bits` of rows that were learnt from, each as if one word with these counts had been left out."""
        distinct, place = np.unique(counts, axis=0, return_inverse=True)
        known = {row.tobytes(): k for k, row in enumerate(np.ascontiguousarray(self.seen))}
        own = np.array([known.get(row.tobytes(), -1) for row in np.ascontiguousarray(distinct)], np.int64)
        found = np.empty(len(distinct))
        block = max(1, _BLOCK // max(len(self.seen), 1))
        for low in range(0, len(distinct), block):
            part, mine = distinct[low : low + block], own[low : low + block]
            left = np.broadcast_to(self.weight.astype(np.float64), (len(part), len(self.weight))).copy()
            rows = np.flatnonzero(mine >= 0)
            left[rows, mine[rows]] -= 1.0
            share = np.log2(np.maximum(left / (left.sum(axis=1, keepdims=True) + UNLIKE), _LEAST))
            gone = np.where(mine >= 0, 1, 0)
            spread = -np.log2((part + 1.0) * (part + 2.0)).sum(axis=1)
            unlike = np.log2(UNLIKE / (self.weight.sum() - gone + UNLIKE)) + spread
            ways = np.concatenate([share + self._kernel(part), unlike[:, None]], axis=1)
            found[low : low + block] = -np.logaddexp2.reduce(ways, axis=1)
        bits: Floats = np.maximum(found, 0.0)[place.ravel()]
        return bits

    def _kernel(self, counts: Counts) -> Floats:
        """log2 P(counts | seen vector), shape (rows of counts, vectors)."""
        ways = np.broadcast_to(self._unmoved, (len(counts), len(self.seen))).copy()
        for column in range(self.seen.shape[1]):
            there, here = self.seen[None, :, column], counts[:, None, column]
            odds = np.where(there > 0, self.moving[column], self.appearing[column])
            ways += np.where(there == here, 0.0, np.log2(odds) - np.log2(1.0 - odds) - _move_bits(here, there))
        return ways

    @cached_property
    def _unmoved(self) -> Floats:
        """log2 P(no count moves) of each seen vector."""
        odds = np.where(self.seen > 0, self.moving[None, :], self.appearing[None, :])
        return np.asarray(np.log2(1.0 - odds).sum(axis=1))

    def differences(self, counts: Counts, *, left_out: bool = False) -> tuple[Difference, ...]:
        """How one vector (one dimension) differs from the seen one that explains it best, the dearest first.

        Parameters
        ----------
        left_out
            Whether one word with these counts is left out of what was seen.
        """
        weight = self.weight.astype(np.float64)
        if left_out and len(weight) > 1:
            weight[(self.seen == counts).all(axis=1)] -= 1.0
        ways = np.log2(np.maximum(weight, _LEAST)) + self._kernel(counts[None, :])[0]
        best = self.seen[int(np.argmax(ways))]
        found = []
        for column in np.flatnonzero(best != counts).tolist():
            odds = float(self.moving[column] if best[column] > 0 else self.appearing[column])
            move = float(_move_bits(counts[column : column + 1], best[column : column + 1])[0])
            bits = float(np.log2(1.0 - odds) - np.log2(odds)) + move
            found.append(Difference(column, int(counts[column]), int(best[column]), bits))
        return tuple(sorted(found, key=lambda difference: (-difference.bits, difference.symbol)))


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
