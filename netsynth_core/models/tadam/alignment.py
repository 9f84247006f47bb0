"""Aligning words with an automaton: the cheapest path and noise operations of each, and what they add up to.

The search is exact dynamic programming (see `_kernels`); words beyond `BLOCK_CELLS` cells of (symbol, location) are
aligned in stretches, each ending at its cheapest location, so that memory stays bounded whatever a word's length.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.codelength import universal_integers
from netsynth_core.models.delays import DelayScale
from netsynth_core.models.tadam.data import Observations
from netsynth_core.models.tadam.length import Fitted, NoiseSwitches
from netsynth_core.models.tadam.structure import INITIAL, Structure, Usage

if TYPE_CHECKING:
    from netsynth_core.models.tadam._kernels import Graph, Prices

BLOCK_CELLS = 1 << 24


def build_graph(structure: Structure) -> "Graph":
    """The transitions in the orders that the kernel walks."""
    from netsynth_core.models.tadam._kernels import Graph

    speaking = structure.symbol < structure.symbols
    order = np.argsort(structure.symbol, kind="stable")
    order = order[speaking[order]]
    entering = np.argsort(structure.target, kind="stable")
    entering = entering[speaking[entering]]
    in_first = np.searchsorted(structure.target[entering], np.arange(structure.locations + 1))
    pairs = np.where(speaking, (in_first[1:] - in_first[:-1])[structure.source], 0)
    end_edge = np.full(structure.locations, -1, np.int64)
    end_edge[structure.source[~speaking]] = np.flatnonzero(~speaking)
    return Graph(
        source=structure.source.astype(np.int64),
        target=structure.target.astype(np.int64),
        symbol=structure.symbol.astype(np.int64),
        symbol_first=np.searchsorted(structure.symbol[order], np.arange(structure.symbols + 1)).astype(np.int64),
        symbol_edges=order.astype(np.int64),
        in_first=in_first.astype(np.int64),
        in_edges=entering.astype(np.int64),
        pair_first=np.concatenate([[0], np.cumsum(pairs)])[:-1].astype(np.int64),
        end_edge=end_edge,
    )


def _pair_count(graph: "Graph", structure: Structure) -> int:
    """Number of neighbouring pairs of transitions."""
    speaking = structure.symbol < structure.symbols
    return int((graph.in_first[1:] - graph.in_first[:-1])[structure.source[speaking]].sum())


def sum_table(scale: DelayScale) -> NDArray[np.int32]:
    """Code of the sum of the delays of any two codes."""
    codes = np.arange(scale.codes, dtype=np.int32)
    return scale.add(np.repeat(codes, scale.codes), np.tile(codes, scale.codes)).reshape(scale.codes, scale.codes)


def sum_law_bits(
    before: NDArray[np.int64], after: NDArray[np.int64], probabilities: NDArray[np.float64], table: NDArray[np.int32]
) -> NDArray[np.float64]:
    """-log2 P(code) of the sum of two transitions' delays, one row for each (before, after)."""
    from netsynth_core.models._kernels import sum_laws
    from netsynth_core.models.tadam._kernels import SUM_LEAST

    out = np.zeros((len(before), probabilities.shape[1]))
    sum_laws(before, after, probabilities, table, SUM_LEAST, out)
    return out


def build_prices(
    structure: Structure, graph: "Graph", fitted: Fitted, switches: NoiseSwitches, table: NDArray[np.int32]
) -> "Prices":
    """Bits of everything that the kernel adds up."""
    from netsynth_core.models.tadam._kernels import INFINITE, Prices

    op = np.where(switches.mask, fitted.op_bits, INFINITE)
    pairs = _pair_count(graph, structure)
    rows = np.empty((pairs, fitted.delay_bits.shape[1] if switches.missing else 1))
    if fitted.published and switches.missing and pairs:
        entering = (graph.in_first[1:] - graph.in_first[:-1])[structure.source]
        speaking = structure.symbol < structure.symbols
        rows[:] = np.repeat(fitted.delay_bits, np.where(speaking, entering, 0), axis=0)
    return Prices(
        step=fitted.step_bits,
        delay=fitted.delay_bits,
        row=np.repeat(np.arange(structure.transitions)[:, None], fitted.size_bits.shape[1], axis=1)
        if fitted.delay_row is None
        else fitted.delay_row,
        size=fitted.size_bits,
        pair=rows,
        pair_known=np.full(pairs, fitted.published),
        probability=fitted.delay_probabilities,
        added=table,
        copy_delay=fitted.copy_delay_bits,
        added_delay=fitted.added_delay_bits + np.log2(structure.symbols + 1),
        added_size=fitted.added_size_bits,
        op=op.astype(np.float64),
        copy_size=fitted.copy_size_bits,
        copy_like_original=fitted.published,
    )


@dataclass(frozen=True, eq=False)
class Aligned:
    """The alignments of many words, in flat arrays as the kernel writes them."""

    bits: NDArray[np.float64]
    """Cost of each word's cheapest explanation, its explicit spelling included."""
    explained: NDArray[np.bool_]
    """False for words that are spelt out."""
    steps: NDArray[np.int32]
    where: NDArray[np.int32]
    ends: NDArray[np.int64]
    """Entries of word i end here; those of words that are spelt out are to be ignored."""


def explicit_bits(
    observations: Observations, structure: Structure, delay_codes: int, size_codes: int
) -> NDArray[np.float64]:
    """Bits that spell out each word: its length by the universal code, then symbols, delays and sizes evenly."""
    lengths = np.diff(observations.offsets)
    per_symbol = np.log2(structure.symbols + 1) + np.log2(delay_codes) + np.log2(size_codes)
    spelt: NDArray[np.float64] = universal_integers(lengths + 1) + lengths * per_symbol
    return spelt


def align(
    observations: Observations,
    structure: Structure,
    fitted: Fitted,
    switches: NoiseSwitches,
    *,
    table: NDArray[np.int32],
    chosen: NDArray[np.int64] | None = None,
    without: int = -1,
) -> Aligned:
    """The cheapest explanation of each word.

    Parameters
    ----------
    table
        `sum_table` of the delay scale.
    chosen
        Which words; all when None.
    without
        A transition that may not be taken; -1 = none.
    """
    graph = build_graph(structure)
    prices = build_prices(structure, graph, fitted, switches, table)
    return align_priced(observations, structure, graph, prices, fitted, chosen=chosen, without=without)


def align_priced(
    observations: Observations,
    structure: Structure,
    graph: "Graph",
    prices: "Prices",
    fitted: Fitted,
    *,
    chosen: NDArray[np.int64] | None = None,
    without: int = -1,
) -> Aligned:
    """`align` with graph and prices already built."""
    from netsynth_core.models.tadam._kernels import INFINITE, align_words, missing_closure

    if without >= 0:
        step = prices.step.copy()
        step[without] = INFINITE
        prices = prices._replace(step=step)
    locations = structure.locations
    missing = np.zeros((locations, locations))
    last = np.zeros((locations, locations), np.int64)
    missing_closure(graph, prices.step, float(prices.op[1]), missing, last)
    rows = np.arange(len(observations), dtype=np.int64) if chosen is None else chosen
    lengths = np.diff(observations.offsets)[rows]
    block = max(256, BLOCK_CELLS // max(locations, 1))
    room = int(2 * lengths.sum() + 8 * len(rows) + 1024)
    bits = np.zeros(len(rows))
    ends = np.zeros(len(rows), np.int64)
    while True:
        steps = np.zeros(room, np.int32)
        where = np.zeros(room, np.int32)
        done = align_words(
            observations.symbols,
            observations.delays,
            observations.sizes,
            observations.offsets,
            rows,
            INITIAL,
            block,
            graph,
            prices,
            missing,
            last,
            bits,
            steps,
            where,
            ends,
        )
        if done == len(rows):
            break
        room *= 2
    used = int(ends[-1]) if len(rows) else 0
    part = observations if chosen is None else observations.take(rows)
    spelt = _spelt(part, structure, fitted)
    costs = bits + fitted.status_bits[0]
    explained = costs <= spelt + fitted.status_bits[1]
    return Aligned(
        np.where(explained, costs, spelt + fitted.status_bits[1]), explained, steps[:used], where[:used], ends
    )


def _spelt(observations: Observations, structure: Structure, fitted: Fitted) -> NDArray[np.float64]:
    """Bits that spell out each word, by the score of the prices."""
    if not fitted.published:
        return explicit_bits(observations, structure, fitted.delay_bits.shape[1], fitted.size_bits.shape[1])
    from netsynth_core.models.tadam.length_published import spelt_bits

    return spelt_bits(observations, structure, fitted)


def entry_words(aligned: Aligned) -> NDArray[np.int64]:
    """The word that each entry belongs to."""
    return np.repeat(np.arange(len(aligned.ends)), np.diff(np.concatenate([[0], aligned.ends]))).astype(np.int64)


def use(
    observations: Observations, structure: Structure, aligned: Aligned, *, size_codes: int, delay_codes: int
) -> Usage:
    """What the alignments of all words use."""
    from netsynth_core.models.tadam._kernels import recount

    edges = structure.transitions
    count = np.zeros(edges, np.int64)
    delays = np.zeros((edges, delay_codes))
    sizes = np.zeros((edges, size_codes))
    ops = np.zeros(5, np.int64)
    copy_delays, added_delays, added_sizes = np.zeros(delay_codes), np.zeros(delay_codes), np.zeros(size_codes)
    copy_sizes = np.zeros(2, np.int64)
    noisy = np.zeros(len(observations), bool)
    recount(
        observations.delays,
        observations.sizes,
        observations.weights,
        aligned.explained,
        aligned.steps,
        aligned.where,
        aligned.ends,
        count,
        delays,
        sizes,
        copy_delays,
        added_delays,
        added_sizes,
        ops,
        noisy,
        structure.symbol == structure.symbols,
        copy_sizes,
    )
    words = entry_words(aligned)
    summed = np.flatnonzero((aligned.where < -1) & aligned.explained[words])
    sums = np.stack(
        [
            aligned.steps[summed - 1].astype(np.int64),
            aligned.steps[summed].astype(np.int64),
            observations.delays[-2 - aligned.where[summed]].astype(np.int64),
            observations.weights[words[summed]],
        ],
        axis=1,
    )
    spelt = explicit_bits(observations, structure, delay_codes, size_codes)
    weights = observations.weights
    return Usage(
        count=count,
        delays=delays,
        sizes=sizes,
        ops=ops,
        copy_delays=copy_delays,
        added_delays=added_delays,
        added_sizes=added_sizes,
        copy_sizes=copy_sizes,
        sums=sums,
        accepted=int(weights[aligned.explained].sum()),
        rejected=int(weights[~aligned.explained].sum()),
        noisy=int(weights[noisy].sum()),
        rejected_bits=float((weights * spelt)[~aligned.explained].sum()),
    )
