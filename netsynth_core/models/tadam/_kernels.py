"""Kernels of the alignment: the cheapest path and noise operations of a word by dynamic programming, and recounting.

Recurrences over (symbols read l, location q), all in bits; ``before[l, q]`` is the cost of having read l symbols with q
reached by an operation that reads, ``closed[l, q]`` that after any missing packets besides:

    closed[l, q] = min over p of before[l, p] + missing(p, q)
    before[l, q] = min of
        match          before[l - 1, p] + match + step(e) + delay(e) + size(e)            e from p to q reads symbol l
        missing+match  closed[l - 1, o] + missing + step(d) + match + step(e) + sum(d, e) d from o to p, then e
        re-emission    before[l - 1, q] + copy + copy delay, when symbol l equals symbol l - 1
        addition       before[l - 1, q] + addition + log2 of the alphabet + its delay and size
        transposition  closed[l - 2, o] + swap + step(d) + step(e) + own delays, sizes     d reads symbol l, e l - 1

The twin that a property test compares with is a shortest-path search over an explicit graph (tests).
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from netsynth_core.models._kernels import sum_law

INFINITE = 1e18
SUM_LEAST = 1e-4
COPY = -2
ADDITION = -3
OP_MISSING, OP_COPY, OP_SWAP, OP_ADDITION = 0, 1, 2, 3


class Graph(NamedTuple):
    """An automaton's transitions in the orders that the alignment walks them."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    symbol: NDArray[np.int64]
    symbol_first: NDArray[np.int64]
    """Transitions that read symbol a: ``symbol_edges[symbol_first[a]:symbol_first[a + 1]]``."""
    symbol_edges: NDArray[np.int64]
    in_first: NDArray[np.int64]
    """Transitions into location q (those of ``$`` left out), likewise."""
    in_edges: NDArray[np.int64]
    pair_first: NDArray[np.int64]
    """Neighbouring pairs (d, e) are numbered ``pair_first[e] + k``, d the k-th transition into e's source."""
    end_edge: NDArray[np.int64]
    """The transition of ``$`` of each location; -1 where there is none."""


class Prices(NamedTuple):
    """Bits of everything an alignment is made of."""

    step: NDArray[np.float64]
    delay: NDArray[np.float64]
    """Shape (rows, delay codes); the first rows are those of the transitions."""
    row: NDArray[np.int64]
    """Shape (transitions, size codes): row of `delay` of each size."""
    size: NDArray[np.float64]
    pair: NDArray[np.float64]
    """Shape (pairs, delay codes): the delay after a missing packet is the sum of both. Rows are filled when needed."""
    pair_known: NDArray[np.bool_]
    """Which rows of `pair` are filled."""
    probability: NDArray[np.float64]
    """Shape (transitions, delay codes), for the sums."""
    added: NDArray[np.int32]
    """Code of the sum of two codes."""
    copy_delay: NDArray[np.float64]
    added_delay: NDArray[np.float64]
    """The delay of an addition and its symbol."""
    added_size: NDArray[np.float64]
    op: NDArray[np.float64]
    """match, missing, copy, swap, addition; infinite when switched off."""
    copy_size: NDArray[np.float64]
    """Size of a copy: [as the original, another (its own bits besides)]."""
    copy_like_original: bool
    """Whether delay and size of a copy are priced by the transition it repeats, which must be a plain match."""


@njit(cache=True, nogil=True)
def missing_closure(
    graph: Graph, step: NDArray[np.float64], op_missing: float, bits: NDArray[np.float64], last: NDArray[np.int64]
) -> None:
    """Cheapest way from each location to each other over missing packets alone, and the last transition on it."""
    locations = bits.shape[0]
    bits[:] = INFINITE
    last[:] = -1
    for q in range(locations):
        bits[q, q] = 0.0
    for e in range(graph.source.shape[0]):
        p, q = graph.source[e], graph.target[e]
        price = op_missing + step[e]
        if graph.symbol[e] + 1 < graph.symbol_first.shape[0] and price < bits[p, q]:
            bits[p, q] = price
            last[p, q] = e
    for via in range(locations):
        for p in range(locations):
            head = bits[p, via]
            if head >= INFINITE or p == via:
                continue
            for q in range(locations):
                if head + bits[via, q] < bits[p, q]:
                    bits[p, q] = head + bits[via, q]
                    last[p, q] = last[via, q]


@njit(cache=True, nogil=True)
def _close(
    before: NDArray[np.float64],
    missing: NDArray[np.float64],
    closed: NDArray[np.float64],
    origin: NDArray[np.int32],
) -> None:
    locations = before.shape[0]
    best = 0
    for q in range(locations):
        closed[q] = before[q]
        origin[q] = q
        if before[q] < before[best]:
            best = q
    if before[best] >= INFINITE:
        return
    head = before[best]
    for q in range(locations):
        if head + missing[best, q] < closed[q]:
            closed[q] = head + missing[best, q]
            origin[q] = best
    for p in range(locations):
        # A location that others reach more cheaply over missing packets cannot improve on them.
        if before[p] >= INFINITE or before[p] > closed[p] or p == best:
            continue
        head = before[p]
        for q in range(locations):
            if head + missing[p, q] < closed[q]:
                closed[q] = head + missing[p, q]
                origin[q] = p


@njit(cache=True, nogil=True)
def _forward(
    symbols: NDArray[np.int32],
    delays: NDArray[np.int32],
    sizes: NDArray[np.int32],
    low: int,
    high: int,
    word_low: int,
    start: int,
    graph: Graph,
    prices: Prices,
    missing: NDArray[np.float64],
    before: NDArray[np.float64],
    closed: NDArray[np.float64],
    made: NDArray[np.int32],
    origin: NDArray[np.int32],
) -> None:
    """Fill `before`, `closed` (three rows each, used in turn), `made` and `origin` (one row a symbol, plus one)."""
    edges = graph.source.shape[0]
    pairs = prices.pair.shape[0]
    op_match, op_missing, op_copy, op_swap, op_added = prices.op
    before[0, :] = INFINITE
    before[0, start] = 0.0
    _close(before[0], missing, closed[0], origin[0])
    for step in range(1, high - low + 1):
        at = low + step - 1
        symbol, delay, size = symbols[at], delays[at], sizes[at]
        old, new, older = (step - 1) % 3, step % 3, (step - 2) % 3
        row = before[new]
        was = before[old]
        how = made[step]
        added = op_added + prices.added_delay[delay] + prices.added_size[size]
        copied = INFINITE
        repeats = at > word_low and symbols[at - 1] == symbol
        if repeats and not prices.copy_like_original:
            copied = op_copy + prices.copy_delay[delay]
            copied += prices.copy_size[0] if sizes[at - 1] == size else prices.copy_size[1] + prices.added_size[size]
        extra, code = (copied, COPY) if copied < added else (added, ADDITION)
        for q in range(row.shape[0]):
            row[q] = min(was[q] + extra, INFINITE)
            how[q] = code
        if repeats and prices.copy_like_original and step > 1:
            for q in range(row.shape[0]):
                e = made[step - 1, q]
                if (
                    0 <= e < edges
                    and was[q] + op_copy + prices.delay[prices.row[e, size], delay] + prices.size[e, size] < row[q]
                ):
                    row[q] = was[q] + op_copy + prices.delay[prices.row[e, size], delay] + prices.size[e, size]
                    how[q] = COPY
        if symbol >= 0:
            for slot in range(graph.symbol_first[symbol], graph.symbol_first[symbol + 1]):
                e = graph.symbol_edges[slot]
                p, q = graph.source[e], graph.target[e]
                base = op_match + prices.step[e] + prices.size[e, size]
                cost = was[p] + base + prices.delay[prices.row[e, size], delay]
                if cost < row[q]:
                    row[q] = cost
                    how[q] = e
                base += op_missing
                if base >= INFINITE:
                    continue
                pair = graph.pair_first[e]
                for k in range(graph.in_first[p], graph.in_first[p + 1]):
                    d = graph.in_edges[k]
                    cost = base + closed[old, graph.source[d]] + prices.step[d]
                    if cost < row[q]:
                        if not prices.pair_known[pair]:
                            one, other = prices.probability[d], prices.probability[e]
                            sum_law(one, other, prices.added, SUM_LEAST, prices.pair[pair])
                            prices.pair_known[pair] = True
                        cost += prices.pair[pair, delay]
                        if cost < row[q]:
                            row[q] = cost
                            how[q] = edges + pair
                    pair += 1
        if step >= 2 and symbols[at - 1] != symbol and symbols[at - 1] >= 0 and op_swap < INFINITE:
            first = symbols[at - 1]
            for slot in range(graph.symbol_first[first], graph.symbol_first[first + 1]):
                e = graph.symbol_edges[slot]
                p, q = graph.source[e], graph.target[e]
                base = (
                    op_swap
                    + prices.step[e]
                    + prices.delay[prices.row[e, sizes[at - 1]], delays[at - 1]]
                    + prices.size[e, sizes[at - 1]]
                )
                if base >= row[q]:
                    continue
                pair = graph.pair_first[e]
                for k in range(graph.in_first[p], graph.in_first[p + 1]):
                    d = graph.in_edges[k]
                    if graph.symbol[d] == symbol:
                        cost = base + closed[older, graph.source[d]] + prices.step[d]
                        cost += prices.delay[prices.row[d, size], delay] + prices.size[d, size]
                        if cost < row[q]:
                            row[q] = cost
                            how[q] = edges + pairs + pair
                    pair += 1
        _close(row, missing, closed[new], origin[step])


@njit(cache=True, nogil=True)
def _missing_run(
    start: int,
    end: int,
    last: NDArray[np.int64],
    source: NDArray[np.int64],
    steps: NDArray[np.int32],
    where: NDArray[np.int32],
    used: int,
) -> int:
    """Write the missing packets from `start` to `end`, last one first."""
    q = end
    while q != start:
        e = last[start, q]
        steps[used] = e
        where[used] = -1
        used += 1
        q = source[e]
    return used


@njit(cache=True, nogil=True)
def _trace(
    low: int,
    length: int,
    location: int,
    closing: bool,
    graph: Graph,
    pairs: int,
    last: NDArray[np.int64],
    made: NDArray[np.int32],
    origin: NDArray[np.int32],
    steps: NDArray[np.int32],
    where: NDArray[np.int32],
) -> int:
    """Walk back; entries come last first: transition and symbol position, or COPY / ADDITION and position.

    A missing packet has the position -1; a match whose delay holds that of a missing packet before it has the
    position ``-2 - position``; the second transition of a swap is marked by `edges` added to its number.
    """
    edges = graph.source.shape[0]
    used = 0
    q = location
    step = length
    if closing:
        p = origin[step, q]
        used = _missing_run(p, q, last, graph.source, steps, where, used)
        q = p
    while step > 0:
        code = made[step, q]
        at = low + step - 1
        if code < 0:
            steps[used] = code
            where[used] = at
            used += 1
            step -= 1
            continue
        if code < edges:
            steps[used] = code
            where[used] = at
            used += 1
            q = graph.source[code]
            step -= 1
            continue
        swapped = code >= edges + pairs
        pair = code - edges - (pairs if swapped else 0)
        e = np.searchsorted(graph.pair_first, pair, side="right") - 1
        d = graph.in_edges[graph.in_first[graph.source[e]] + pair - graph.pair_first[e]]
        if swapped:
            steps[used] = e + edges
            where[used] = at - 1
            steps[used + 1] = d
            where[used + 1] = at
            step -= 2
        else:
            steps[used] = e
            where[used] = -2 - at
            steps[used + 1] = d
            where[used + 1] = -1
            step -= 1
        used += 2
        q = graph.source[d]
        p = origin[step, q]
        used = _missing_run(p, q, last, graph.source, steps, where, used)
        q = p
    return used


@njit(cache=True, nogil=True)
def align_words(
    symbols: NDArray[np.int32],
    delays: NDArray[np.int32],
    sizes: NDArray[np.int32],
    offsets: NDArray[np.int64],
    chosen: NDArray[np.int64],
    initial: int,
    block: int,
    graph: Graph,
    prices: Prices,
    missing: NDArray[np.float64],
    last: NDArray[np.int64],
    bits: NDArray[np.float64],
    steps: NDArray[np.int32],
    where: NDArray[np.int32],
    ends: NDArray[np.int64],
) -> int:
    """Align the `chosen` words.

    Words longer than `block` symbols are aligned in blocks: at the end of each block the cheapest location so far is
    kept. `bits` gets the cost of each chosen word (infinite: no explanation), `steps` and `where` its entries in word
    order (see `_trace`; ``where`` counts over all words), ``ends[i]`` where the entries of the i-th chosen word end.

    Returns
    -------
    int
        How many chosen words were done: less than all when `steps` was too short.
    """
    locations = missing.shape[0]
    before = np.empty((3, locations), np.float64)
    closed = np.empty((3, locations), np.float64)
    longest = 1
    for i in range(chosen.shape[0]):
        longest = max(longest, min(block, offsets[chosen[i] + 1] - offsets[chosen[i]]))
    made = np.empty((longest + 1, locations), np.int32)
    origin = np.empty((longest + 1, locations), np.int32)
    room = (longest + 1) * 2 + (longest + 2) * locations
    back_steps = np.empty(room, np.int32)
    back_where = np.empty(room, np.int32)
    pairs = prices.pair.shape[0]
    filled = 0
    for i in range(chosen.shape[0]):
        low, high = offsets[chosen[i]], offsets[chosen[i] + 1]
        at = low
        start = initial
        total = 0.0
        while True:
            stop = min(at + block, high)
            _forward(symbols, delays, sizes, at, stop, low, start, graph, prices, missing, before, closed, made, origin)
            length = stop - at
            final = stop == high
            best = INFINITE
            location = -1
            for q in range(locations):
                cost = before[length % 3, q]
                if final:
                    e = graph.end_edge[q]
                    cost = INFINITE if e < 0 else closed[length % 3, q] + prices.op[0] + prices.step[e]
                if cost < best:
                    best = cost
                    location = q
            if location < 0:
                total = INFINITE
                break
            total += best
            used = _trace(at, length, location, final, graph, pairs, last, made, origin, back_steps, back_where)
            if filled + used + 1 > steps.shape[0]:
                return i
            for k in range(used):
                steps[filled + k] = back_steps[used - 1 - k]
                where[filled + k] = back_where[used - 1 - k]
            filled += used
            if final:
                steps[filled] = graph.end_edge[location]
                where[filled] = -1
                filled += 1
                break
            at = stop
            start = location
        bits[i] = total
        if total >= INFINITE:
            filled = ends[i - 1] if i > 0 else 0
        ends[i] = filled
    return int(chosen.shape[0])


@njit(cache=True, nogil=True)
def recount(
    delays: NDArray[np.int32],
    sizes: NDArray[np.int32],
    weights: NDArray[np.int64],
    explained: NDArray[np.bool_],
    steps: NDArray[np.int32],
    where: NDArray[np.int32],
    ends: NDArray[np.int64],
    count: NDArray[np.int64],
    delay_hist: NDArray[np.float64],
    size_hist: NDArray[np.float64],
    copy_delay: NDArray[np.float64],
    added_delay: NDArray[np.float64],
    added_size: NDArray[np.float64],
    ops: NDArray[np.int64],
    noisy: NDArray[np.bool_],
    symbols_end: NDArray[np.bool_],
    copy_sizes: NDArray[np.int64],
) -> None:
    """Add up what the entries of the explained words use; `noisy` marks words with an operation.

    `ops` counts match, missing, copy, swap, addition; ``symbols_end[e]`` says whether transition e reads ``$``.
    """
    edges = count.shape[0]
    begin = 0
    for word in range(ends.shape[0]):
        weight = weights[word]
        if not explained[word]:
            begin = ends[word]
            continue
        for k in range(begin, ends[word]):
            code = steps[k]
            at = where[k]
            if code == COPY:
                copy_delay[delays[at]] += weight
                same = sizes[at - 1] == sizes[at]
                copy_sizes[0 if same else 1] += weight
                if not same:
                    added_size[sizes[at]] += weight
                ops[2] += weight
                noisy[word] = True
            elif code == ADDITION:
                added_delay[delays[at]] += weight
                added_size[sizes[at]] += weight
                ops[4] += weight
                noisy[word] = True
            else:
                e = code if code < edges else code - edges
                count[e] += weight
                if symbols_end[e]:
                    ops[0] += weight
                elif at == -1:
                    ops[1] += weight
                    noisy[word] = True
                elif at < -1:
                    size_hist[e, sizes[-2 - at]] += weight
                    ops[0] += weight
                else:
                    delay_hist[e, delays[at]] += weight
                    size_hist[e, sizes[at]] += weight
                    if code >= edges:
                        # The two transitions of a swap are one operation, not two matches.
                        ops[3] += weight
                        ops[0] -= weight
                        noisy[word] = True
                    else:
                        ops[0] += weight
        begin = ends[word]
