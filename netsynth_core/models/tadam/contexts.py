"""Where a split may cut: what goes on after a location, told apart by how it was entered.

An atom is a way into a location: a transition and one mode of its delays. An outcome is a way out: a transition and
a mode. `Walks` holds, for all explained words, the transitions taken in order with their modes; tables of atoms against
outcomes one or more steps later come from it.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from netsynth_core.models.codelength import LN2
from netsynth_core.models.delays import DelayLaw
from netsynth_core.models.tadam.alignment import entry_words
from netsynth_core.models.tadam.state import State, Task

_LEAST_MODE = 0.02


@dataclass(frozen=True, eq=False)
class Walks:
    """Transitions in order of words; entry i + 1 follows entry i unless ``begins[i + 1]``."""

    entry: NDArray[np.int64]
    """Position among the entries of the alignment."""
    transition: NDArray[np.int64]
    mode: NDArray[np.int64]
    begins: NDArray[np.bool_]
    weight: NDArray[np.int64]
    modes: NDArray[np.int64]
    """Number of modes of each transition."""
    mode_first: NDArray[np.int64]
    """Mode m of transition e has the number ``mode_first[e] + m`` among all ways."""

    @property
    def way(self) -> NDArray[np.int64]:
        """Transition and mode as one number."""
        return self.mode_first[self.transition] + self.mode


def mode_table(law: DelayLaw) -> NDArray[np.int64]:
    """The mode (position among the law's modes of weight) each code most likely comes from."""
    heavy = [normal for normal in law.modes if normal.weight >= _LEAST_MODE]
    if len(heavy) < 2:
        return np.zeros(law.codes, np.int64)
    codes = np.arange(law.codes)
    density = np.stack([np.log(n.weight) - 0.5 * ((codes - n.mean) / n.sd) ** 2 - np.log(n.sd) for n in heavy])
    chosen = np.argmax(density, axis=0)
    # Modes that lie inside each other are one mode: only cuts between separate peaks count.
    groups = [0]
    for left, right in pairwise(heavy):
        apart = right.mean - left.mean >= 2.0 * min(left.sd + right.sd, 2 * max(left.sd, right.sd))
        groups.append(groups[-1] + int(apart))
    table: NDArray[np.int64] = np.array(groups)[chosen]
    return np.asarray(np.maximum.accumulate(table), np.int64)


def walks(task: Task, state: State) -> Walks:
    """The walks of all explained words, re-emissions and additions left out."""
    aligned = state.aligned
    edges = state.structure.transitions
    words = entry_words(aligned)
    entry = np.flatnonzero((aligned.steps >= 0) & aligned.explained[words])
    steps = aligned.steps[entry].astype(np.int64)
    transition = np.where(steps >= edges, steps - edges, steps)
    tables = np.stack([mode_table(law) for law in state.fitted.laws])
    modes = tables.max(axis=1) + 1
    where = aligned.where[entry]
    seen = where >= 0
    mode = np.zeros(len(entry), np.int64)
    mode[seen] = tables[transition[seen], task.observations.delays[where[seen]]]
    mass = np.zeros((edges, int(modes.max(initial=1))))
    np.add.at(mass, (transition[seen], mode[seen]), 1.0)
    mode[~seen] = np.argmax(mass, axis=1)[transition[~seen]]
    word = words[entry]
    begins = np.ones(len(entry), bool)
    begins[1:] = word[1:] != word[:-1]
    return Walks(
        entry=entry,
        transition=transition,
        mode=mode,
        begins=begins,
        weight=task.observations.weights[word],
        modes=modes,
        mode_first=np.concatenate([[0], np.cumsum(modes)])[:-1],
    )


@dataclass(frozen=True)
class Price:
    """What a split is charged, bits."""

    transition: float
    """A transition with its name, target and the number of its normals."""
    normal: float
    """A further normal of a delay law."""
    location: float = 3.0


def block_bits(
    counts: NDArray[np.float64], incoming: NDArray[np.bool_], edge_of: NDArray[np.int64], price: Price
) -> NDArray[np.float64]:
    """Bits of blocks: the outcomes' prequential code and the price of transitions in and out.

    Parameters
    ----------
    counts
        Shape (blocks, outcomes).
    incoming
        Shape (blocks, transitions in): which of them a block has.
    edge_of
        Transition number (0, 1, ...) of each outcome.
    """
    used = counts > 0
    kinds = used.sum(axis=1)
    total = counts.sum(axis=1)
    start = 0.5 * np.maximum(kinds, 1)
    bits = gammaln(total + start) - gammaln(start)
    bits -= np.where(used, gammaln(counts + 0.5) - gammaln(0.5), 0.0).sum(axis=1)
    edges = np.zeros((counts.shape[0], int(edge_of.max(initial=0)) + 1), bool)
    for outcome, edge in enumerate(edge_of):
        edges[:, edge] |= used[:, outcome]
    leaving = edges.sum(axis=1)
    charged = price.transition * (leaving + incoming.sum(axis=1)) + price.normal * (kinds - 0.0) + price.location
    return np.asarray(bits / LN2 + charged, np.float64)


def best_partition(
    table: NDArray[np.float64], atom_edge: NDArray[np.int64], edge_of: NDArray[np.int64], price: Price
) -> tuple[NDArray[np.int64], float]:
    """The partition of atoms into blocks with the fewest bits, by merging the best pair again and again.

    Returns
    -------
    blocks, gain
        Block of each atom (0 = the heaviest), and the bits saved against one block.
    """
    atoms = len(table)
    incoming = np.zeros((atoms, int(atom_edge.max(initial=0)) + 1), bool)
    incoming[np.arange(atoms), atom_edge] = True
    counts = table.astype(np.float64).copy()
    label = np.arange(atoms)
    live = list(range(atoms))
    own = block_bits(counts, incoming, edge_of, price)
    joined = np.full((atoms, atoms), np.inf)
    for i in range(atoms):
        rest = np.arange(i + 1, atoms)
        if len(rest):
            both = block_bits(counts[i] + counts[rest], incoming[i] | incoming[rest], edge_of, price)
            joined[i, rest] = both - own[i] - own[rest]
    total = float(own.sum())
    best, best_label = total, label.copy()
    while len(live) > 1:
        i, j = (int(x) for x in np.unravel_index(int(np.argmin(joined)), joined.shape))
        total += float(joined[i, j])
        counts[i] += counts[j]
        incoming[i] |= incoming[j]
        label[label == j] = i
        live.remove(j)
        joined[j, :] = joined[:, j] = np.inf
        own[i : i + 1] = block_bits(counts[i : i + 1], incoming[i : i + 1], edge_of, price)
        others = np.array([k for k in live if k != i], np.int64)
        if len(others):
            both = block_bits(counts[i] + counts[others], incoming[i] | incoming[others], edge_of, price)
            delta = both - own[i] - own[others]
            joined[np.minimum(i, others), np.maximum(i, others)] = delta
        if total <= best + 1e-9:
            best, best_label = total, label.copy()
    whole = float(block_bits(table.sum(axis=0, keepdims=True), incoming_all(atom_edge), edge_of, price)[0])
    names, index = np.unique(best_label, return_inverse=True)
    mass = np.bincount(index, weights=table.sum(axis=1), minlength=len(names))
    rank = np.argsort(np.argsort(-mass, kind="stable"), kind="stable")
    return rank[index], whole - best


def incoming_all(atom_edge: NDArray[np.int64]) -> NDArray[np.bool_]:
    """One block that has all the transitions in."""
    row = np.zeros((1, int(atom_edge.max(initial=0)) + 1), bool)
    row[0, atom_edge] = True
    return row
