"""The prefix tree of many words: one node for each beginning of a word, in breadth-first order.

It is where learners of automata that merge start from, and the smallest automaton that accepts nothing but the words.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PrefixTree:
    """Nodes as columns; node 0 is the root, nodes of one depth follow one another, each by parent and symbol."""

    parent: Ints
    """Node one symbol shorter; -1 for the root."""
    symbol: Ints
    """Last symbol of the beginning; -1 for the root."""
    visits: Ints
    """Words that begin so."""
    arrived: Ints
    """For each symbol of the words, the node it leads to."""
    last: Ints
    """For each word, the node at which it ends."""

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def ends(self) -> Ints:
        """Words that end at each node."""
        return np.bincount(self.last, minlength=len(self)).astype(np.int64)


def prefix_tree(symbols: NDArray[np.integer], offsets: NDArray[np.integer]) -> PrefixTree:
    """The prefix tree of words in flat arrays.

    Parameters
    ----------
    symbols
        Codes >= 0.
    offsets
        n + 1 positions: word i is ``symbols[offsets[i]:offsets[i + 1]]``.
    """
    spoken = np.asarray(symbols, np.int64)
    starts, lengths = np.asarray(offsets[:-1], np.int64), np.diff(offsets).astype(np.int64)
    size = int(spoken.max(initial=0)) + 1
    arrived = np.zeros(len(spoken), np.int64)
    at = np.zeros(len(lengths), np.int64)
    alive = np.arange(len(lengths), dtype=np.int64)
    parents, read, visits = [np.array([-1])], [np.array([-1])], [np.array([len(lengths)])]
    nodes = 1
    for depth in range(int(lengths.max(initial=0))):
        alive = alive[lengths[alive] > depth]
        place = starts[alive] + depth
        keys, inverse, counts = np.unique(at[alive] * size + spoken[place], return_inverse=True, return_counts=True)
        at[alive] = arrived[place] = nodes + inverse
        parents.append(keys // size)
        read.append(keys % size)
        visits.append(counts)
        nodes += len(keys)
    return PrefixTree(
        np.concatenate(parents).astype(np.int64),
        np.concatenate(read).astype(np.int64),
        np.concatenate(visits).astype(np.int64),
        arrived,
        at,
    )
