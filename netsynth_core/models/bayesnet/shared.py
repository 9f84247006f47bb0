"""Tables that all patterns share: what holds of any row need not be learnt again by every pattern.

One network over the columns, learnt on all rows. A variable of a pattern either has tables of its own, or its values
are sent by these, which count on over the windows of all patterns and the rows in none: a rare pattern pays only for
what it changes, and a name lookup has as many bytes in one pattern as in the next. The code of the values is the
prequential one of `netsynth_core.models.bayesnet.scores`; it depends on the counts alone, not on the order of the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from netsynth_core.models.bayesnet.prior import Prior
from netsynth_core.models.bayesnet.scores import STRENGTHS, network_bits
from netsynth_core.models.bayesnet.structure import SharedCells, Structure
from netsynth_core.models.codelength import LN2

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SharedTables:
    """The shared network of a table, and where each of its rows counts in it."""

    parents: NDArray[np.int64]
    """Columns x 3, padded with -1; each parent stands before its child."""
    row_bits: NDArray[np.float32]
    """Bits of every cell (rows x columns) when all other rows are counted: what it saves not to send it."""
    _columns: tuple["_Counter", ...]

    @classmethod
    def of(cls, codes: NDArray[np.int32], parents: NDArray[np.int64], prior: Prior) -> "SharedTables":
        """Tables of `codes` (rows x columns) for given parents."""
        columns = []
        for v, row in enumerate(parents):
            config = np.zeros(len(codes), np.int64)
            for u in row[row >= 0]:
                config = _numbered(config * (int(codes[:, u].max(initial=0)) + 1) + codes[:, u])
            base = prior.shares[prior.first[v] + codes[:, v]]
            columns.append(_Counter.of(config, codes[:, v].astype(np.int64), base))
        row_bits = np.empty(codes.shape, np.float32)
        for v, column in enumerate(columns):
            row_bits[:, v] = column.last_bits()
        return cls(parents, row_bits, tuple(columns))

    def structure(self, rows: Sequence[Rows]) -> Structure:
        """The network with the bits of its values: ``rows[c]`` are the rows whose column c is sent by it."""
        bits = sum(column.bits(of) for column, of in zip(self._columns, rows, strict=True))
        return Structure(self.parents, network_bits(self.parents), bits, np.zeros(len(self.parents), np.bool_))

    def cells(self, rows: Sequence[Rows], columns: Sequence[int], parents: NDArray[np.int64]) -> SharedCells:
        """What they say about variables, each of them a column of some rows; `parents` are their parents here."""
        bits = [float(self.row_bits[of, c].sum(dtype=np.float64)) for of, c in zip(rows, columns, strict=True)]
        return SharedCells(np.array(bits, np.float64), parents)


@dataclass(frozen=True, eq=False)
class _Counter:
    """One column: the table and the entry of it that every row falls into."""

    config: NDArray[np.int32]
    """Configuration of the parents, by row."""
    entry: NDArray[np.int32]
    """Configuration and value, by row."""
    weight: NDArray[np.float64]
    """Strength of the prior times base share, by entry."""
    configs: int
    strength: float

    @classmethod
    def of(cls, config: Rows, values: Rows, base: NDArray[np.float64]) -> "_Counter":
        """The strength is the one that suits all rows best."""
        n = len(values)
        entry = _numbered(config * (int(values.max(initial=0)) + 1) + values)
        configs, entries = int(config.max(initial=-1)) + 1, int(entry.max(initial=-1)) + 1
        share = np.zeros(entries)
        share[entry] = base
        made = [cls(config.astype(np.int32), entry.astype(np.int32), s * share, configs, s) for s in STRENGTHS]
        return min(made, key=lambda one: one.bits(np.arange(n, dtype=np.int64)))

    def bits(self, rows: Rows) -> float:
        """Bits of the values of these rows."""
        from netsynth_core.models.bayesnet._kernels import counted_nats

        return counted_nats(self.config, self.entry, self.weight, self.configs, self.strength, rows) / LN2

    def last_bits(self) -> NDArray[np.float64]:
        """Bits of every row when it comes after all others."""
        total = np.bincount(self.config, minlength=self.configs)[self.config] - 1
        same = np.bincount(self.entry, minlength=len(self.weight))[self.entry] - 1
        return np.asarray(np.log2(total + self.strength) - np.log2(same + self.weight[self.entry]))


def twin_bits(counter: "_Counter", rows: Rows) -> float:
    """Readable twin of the kernel: by ln Gamma over the counts."""
    total = np.bincount(counter.config[rows], minlength=counter.configs)
    count = np.bincount(counter.entry[rows], minlength=len(counter.weight))
    s, w = counter.strength, counter.weight
    nats = np.sum(gammaln(total + s) - gammaln(s)) - np.sum(gammaln(count + w) - gammaln(w))
    return float(nats) / LN2


def _numbered(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The keys numbered from 0 without gaps."""
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)
