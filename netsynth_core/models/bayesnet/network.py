"""A fitted Bayesian network over integer codes: sparse counts, probabilities derived from them, batch sampling.

Each variable's probability given its parents is ``(n(x, config) + BACK_OFF * f(x)) / (n(config) + BACK_OFF)`` with f
the variable's share over all samples: it sums to one over the values that occurred, whatever the configuration.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.bayesnet.scores import MAX_PARENTS

BACK_OFF = 0.5
"""Weight, in samples, of the variable's own share in every configuration."""


@dataclass(frozen=True, eq=False)
class Variable:
    """One variable with its counts."""

    alphabet: NDArray[np.int32]
    """Codes that occurred, ascending."""
    parents: tuple[int, ...]
    """Numbers of other variables; no variable is its own ancestor."""
    configs: NDArray[np.int64]
    """Configurations of the parents that occurred, ascending, as one number in mixed radix of the parents'
    alphabets."""
    offsets: NDArray[np.int64]
    """Where each configuration's entries begin in `values`; one longer than `configs`."""
    values: NDArray[np.int32]
    """Positions in `alphabet`."""
    counts: NDArray[np.int64]
    """How often each entry occurred, >= 1."""

    def share(self) -> NDArray[np.float64]:
        """Share of each value of the alphabet over all samples; sums to one."""
        total = np.bincount(self.values, weights=self.counts, minlength=len(self.alphabet))
        return np.asarray(total / total.sum(), np.float64)


def parents_first(parents: Sequence[Sequence[int]]) -> list[int]:
    """The variables in an order where parents come first: of those that may come next, the smallest number.

    Raises
    ------
    ValueError
        When a variable is its own ancestor.
    """
    order: list[int] = []
    waiting = list(range(len(parents)))
    done: set[int] = set()
    while waiting:
        ready = next((v for v in waiting if done.issuperset(parents[v])), None)
        if ready is None:
            raise ValueError("a variable is its own ancestor")
        order.append(ready)
        done.add(ready)
        waiting.remove(ready)
    return order


@dataclass(frozen=True, eq=False)
class Network:
    """Variables and the counts of each for every configuration of its parents."""

    variables: tuple[Variable, ...]

    @cached_property
    def order(self) -> list[int]:
        """Variables, parents first."""
        return parents_first([v.parents for v in self.variables])

    @classmethod
    def fit(cls, codes: NDArray[np.int32], parents: NDArray[np.int64]) -> "Network":
        """Count the samples `codes` (variables x samples, at least one sample) under the given parents (padded with
        -1)."""
        found = [np.unique(row, return_inverse=True) for row in codes]
        variables: list[Variable] = []
        for v, (alphabet, position) in enumerate(found):
            chosen = tuple(int(u) for u in parents[v] if u >= 0)
            config = np.zeros(len(position), np.int64)
            for u in chosen:
                config = config * len(found[u][0]) + found[u][1]
            keys, counts = np.unique(config * len(alphabet) + position, return_counts=True)
            configs, starts = np.unique(keys // len(alphabet), return_index=True)
            variables.append(
                Variable(
                    alphabet.astype(np.int32),
                    chosen,
                    configs,
                    np.append(starts, len(keys)).astype(np.int64),
                    (keys % len(alphabet)).astype(np.int32),
                    counts.astype(np.int64),
                )
            )
        return cls(tuple(variables))

    def parent_array(self) -> NDArray[np.int64]:
        """Parents as an array padded with -1."""
        table = np.full((len(self.variables), MAX_PARENTS), -1, np.int64)
        for v, variable in enumerate(self.variables):
            table[v, : len(variable.parents)] = variable.parents
        return table

    def sample(self, n: int, *, rng: np.random.Generator) -> NDArray[np.int32]:
        """Draw `n` samples by ancestral sampling; variables x n codes."""
        drawn = [np.zeros(n, np.int64) for _ in self.variables]
        for v in self.order:
            variable = self.variables[v]
            at, found = self._locate(variable, drawn, n)
            uniform = rng.random(n)
            cumulative = np.concatenate(([0], np.cumsum(variable.counts)))
            first = cumulative[variable.offsets[at]]
            total = np.where(found, cumulative[variable.offsets[at + 1]] - first, 0)
            spot = uniform * (total + BACK_OFF)
            share = np.cumsum(variable.share())
            rest = np.clip((spot - total) / BACK_OFF, 0.0, 1.0)
            general = np.minimum(np.searchsorted(share, rest, side="right"), len(share) - 1)
            entry = np.searchsorted(cumulative, first + np.minimum(np.floor(spot), total), side="right") - 1
            specific = variable.values[np.minimum(entry, len(variable.values) - 1)]
            drawn[v] = np.where(spot < total, specific, general).astype(np.int64)
        if not drawn:
            return np.zeros((0, n), np.int32)
        return np.stack([v.alphabet[d] for v, d in zip(self.variables, drawn, strict=True)])

    def log2_probability(self, codes: NDArray[np.int32]) -> NDArray[np.float64]:
        """log2 P of every cell (variables x samples); -inf for values that never occurred."""
        n = codes.shape[1]
        positions: list[NDArray[np.int64]] = []
        for v, variable in enumerate(self.variables):
            position = np.minimum(np.searchsorted(variable.alphabet, codes[v]), len(variable.alphabet) - 1)
            known = variable.alphabet[position] == codes[v]
            positions.append(np.where(known, position, len(variable.alphabet)).astype(np.int64))
        result = np.zeros(codes.shape)
        for v, variable in enumerate(self.variables):
            size = len(variable.alphabet)
            known = positions[v] < size
            position = np.minimum(positions[v], size - 1)
            at, found = self._locate(variable, positions, n)
            keys = np.repeat(variable.configs, np.diff(variable.offsets)) * size + variable.values
            wanted = variable.configs[at] * size + position
            entry = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            count = np.where(found & (keys[entry] == wanted), variable.counts[entry], 0)
            cumulative = np.concatenate(([0], np.cumsum(variable.counts)))
            total = np.where(found, cumulative[variable.offsets[at + 1]] - cumulative[variable.offsets[at]], 0)
            probability = (count + BACK_OFF * variable.share()[position]) / (total + BACK_OFF)
            result[v] = np.where(known, np.log2(probability), -np.inf)
        return result

    def _locate(
        self, variable: Variable, drawn: list[NDArray[np.int64]], n: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where in `configs` each sample's configuration stands, and whether it is there."""
        config = np.zeros(n, np.int64)
        known = np.ones(n, np.bool_)
        for u in variable.parents:
            size = len(self.variables[u].alphabet)
            known &= drawn[u] < size
            config = config * size + np.minimum(drawn[u], size - 1)
        at = np.minimum(np.searchsorted(variable.configs, config), len(variable.configs) - 1)
        return at.astype(np.int64), known & (variable.configs[at] == config)
