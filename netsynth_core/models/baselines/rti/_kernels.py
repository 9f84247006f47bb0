"""Kernels of RTI+: runs through the red part of a machine, and likelihood-ratio tests of folded parts.

Positions are those of the flat symbols, every word with its end marker. A blue location is known by its tails: the
positions of the words that have come to it, as a linked list (`tail`, `tail_next`). Twins: the tests of `rti`.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Data(NamedTuple):
    """The words."""

    symbol: NDArray[np.int64]
    delay: NDArray[np.int64]
    bin: NDArray[np.int64]
    """Bin of the delay; not counted at end markers."""
    end: int
    """The end marker's code, the largest."""
    longest: int
    """Largest delay code."""
    bins: int


class Tables(NamedTuple):
    """Locations and transitions, with room for more."""

    size: NDArray[np.int64]
    """Locations and transitions in use."""
    red: NDArray[np.int64]
    """1 red, 0 blue, -1 merged away."""
    visits: NDArray[np.int64]
    head: NDArray[np.int64]
    """First transition that leaves each location; -1 = none."""
    entering: NDArray[np.int64]
    """Transition that enters a blue location."""
    tail: NDArray[np.int64]
    tail_next: NDArray[np.int64]
    seen: NDArray[np.int64]
    """(locations, bins): delays of what leaves each red location."""
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    letter: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    uses: NDArray[np.int64]
    beside: NDArray[np.int64]
    """Next transition of the same source; -1 = none."""


@njit(cache=True, nogil=True)
def find(tables: Tables, location: int, symbol: int, delay: int) -> int:
    """The transition taken, or -1."""
    e = tables.head[location]
    while e >= 0:
        if tables.letter[e] == symbol and tables.low[e] <= delay <= tables.high[e]:
            return int(e)
        e = tables.beside[e]
    return -1


@njit(cache=True, nogil=True)
def add(tables: Tables, source: int, symbol: int, low: int, high: int, target: int) -> int:
    """A new transition; to a new blue location when `target` is -1."""
    e = tables.size[1]
    tables.size[1] += 1
    if target < 0:
        target = tables.size[0]
        tables.size[0] += 1
        tables.entering[target] = e
    tables.source[e], tables.target[e], tables.letter[e] = source, target, symbol
    tables.low[e], tables.high[e] = low, high
    tables.beside[e] = tables.head[source]
    tables.head[source] = e
    return int(e)


@njit(cache=True, nogil=True)
def run_tails(data: Data, tables: Tables, first: int, start: int, final: int) -> None:
    """Run a list of tails from a red location until each comes to a blue one, or ends."""
    place = first
    while place >= 0:
        following = tables.tail_next[place]
        q, at = start, place
        while True:
            tables.visits[q] += 1
            if tables.red[q] == 0:
                tables.tail_next[at] = tables.tail[q]
                tables.tail[q] = at
                break
            a = data.symbol[at]
            e = find(tables, q, a, data.delay[at])
            if e < 0:
                e = add(tables, q, a, 0, data.longest, final if a == data.end else -1)
            tables.uses[e] += 1
            if a == data.end:
                break
            tables.seen[q, data.bin[at]] += 1
            at += 1
            q = tables.target[e]
        place = following


@njit(cache=True, nogil=True)
def most_visited(tables: Tables) -> int:
    """The blue location with most visits, or -1."""
    best, most = -1, 0
    for q in range(tables.size[0]):
        if tables.red[q] == 0 and tables.visits[q] > most:
            best, most = q, tables.visits[q]
    return int(best)


@njit(cache=True, nogil=True)
def run_words(data: Data, tables: Tables, taken: NDArray[np.int64]) -> None:
    """The transition at each position, when all locations are red."""
    q = 0
    for at in range(data.symbol.shape[0]):
        taken[at] = find(tables, q, data.symbol[at], data.delay[at])
        q = 0 if data.symbol[at] == data.end else tables.target[taken[at]]


@njit(cache=True, nogil=True)
def cut(data: Data, tables: Tables, blue: int, after: int) -> None:
    """Split the transition into a blue location: delays up to `after` keep it, later ones get one of their own."""
    e = tables.entering[blue]
    new = add(tables, tables.source[e], tables.letter[e], after + 1, tables.high[e], -1)
    other = tables.target[new]
    tables.high[e] = after
    place = tables.tail[blue]
    tables.tail[blue] = -1
    tables.visits[blue] = 0
    tables.uses[e] = 0
    while place >= 0:
        following = tables.tail_next[place]
        late = data.delay[place - 1] > after
        q, edge = (other, new) if late else (blue, e)
        tables.tail_next[place] = tables.tail[q]
        tables.tail[q] = place
        tables.visits[q] += 1
        tables.uses[edge] += 1
        place = following


@njit(cache=True, nogil=True)
def tails_of(tables: Tables, blue: int, out: NDArray[np.int64]) -> int:
    """Copy the tails of a blue location; their number."""
    number = 0
    place = tables.tail[blue]
    while place >= 0:
        out[number] = place
        number += 1
        place = tables.tail_next[place]
    return number


@njit(cache=True, nogil=True)
def ratio(one: NDArray[np.int64], other: NDArray[np.int64], which: NDArray[np.int64], least: int) -> tuple[float, int]:
    """Likelihood ratio of two multinomials against one, and its degrees of freedom.

    Parameters
    ----------
    one, other
        Counts of the categories.
    which
        The categories to look at; those seen less than `least` times in both together are pooled.
    """
    pooled_one, pooled_other, groups, total_one, total_other = 0, 0, 0, 0, 0
    value = 0.0
    for c in which:
        a, b = one[c], other[c]
        total_one += a
        total_other += b
        if a + b < least:
            pooled_one += a
            pooled_other += b
            continue
        groups += 1
        value += _gain(a, b)
    if pooled_one + pooled_other > 0:
        groups += 1
        value += _gain(pooled_one, pooled_other)
    if groups < 2 or total_one == 0 or total_other == 0:
        return 0.0, 0
    value -= _gain(total_one, total_other)
    return max(2.0 * value, 0.0), groups - 1


@njit(cache=True, nogil=True)
def _gain(a: int, b: int) -> float:
    value = -(a + b) * math.log(a + b)
    if a > 0:
        value += a * math.log(a)
    if b > 0:
        value += b * math.log(b)
    return value


class Room(NamedTuple):
    """Room for one comparison."""

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    scratch: NDArray[np.int64]
    stack: NDArray[np.int64]
    """(depth, 5): part of `one`; kind of partner; location, or part of `other`."""
    count_one: NDArray[np.int64]
    count_other: NDArray[np.int64]
    """Counts by symbol, 0 between uses."""
    start: NDArray[np.int64]
    present: NDArray[np.int64]
    bins_one: NDArray[np.int64]
    bins_other: NDArray[np.int64]
    every: NDArray[np.int64]
    """0..bins - 1."""


_RED, _BLUE, _PART = 0, 1, 2


@njit(cache=True, nogil=True)
def _spread(data: Data, part: NDArray[np.int64], counts: NDArray[np.int64], room: Room, present: int) -> None:
    """Order positions by symbol, in the order of `present`, and move each to the next one."""
    at = 0
    for k in range(present):
        room.start[room.present[k]] = at
        at += counts[room.present[k]]
    for i in range(part.shape[0]):
        a = data.symbol[part[i]]
        room.scratch[room.start[a]] = part[i] + 1
        room.start[a] += 1
    part[:] = room.scratch[: part.shape[0]]


@njit(cache=True, nogil=True)
def compare(
    data: Data, tables: Tables, room: Room, number: int, kind: int, partner: int, least: int
) -> tuple[float, int]:
    """Likelihood ratio and degrees of freedom of keeping the tails in ``room.one[:number]`` apart from a partner.

    Parameters
    ----------
    kind, partner
        0, a red location; 1, a blue location; 2, the tails in ``room.other[:partner]``.
    least
        Parts of fewer tails are not compared.
    """
    value, free = 0.0, 0
    stack = room.stack
    stack[0] = (0, number, kind, 0 if kind == _PART else partner, partner)
    depth = 1
    while depth > 0:
        depth -= 1
        low, high, kind, first, last = stack[depth]
        if kind == _BLUE:
            last = tails_of(tables, first, room.other)
            kind, first = _PART, 0
        if high - low < least or (kind == _PART and last - first < least):
            continue
        mine = room.one[low:high]
        theirs = room.other[first:last] if kind == _PART else room.other[:0]
        present = 0
        room.bins_one[:] = 0
        room.bins_other[:] = 0
        for place in mine:
            a = data.symbol[place]
            if room.count_one[a] == 0:
                room.present[present] = a
                present += 1
            room.count_one[a] += 1
            if a != data.end:
                room.bins_one[data.bin[place]] += 1
        if kind == _PART:
            for place in theirs:
                a = data.symbol[place]
                if room.count_one[a] == 0 and room.count_other[a] == 0:
                    room.present[present] = a
                    present += 1
                room.count_other[a] += 1
                if a != data.end:
                    room.bins_other[data.bin[place]] += 1
        elif tables.visits[first] < least:
            for k in range(present):
                room.count_one[room.present[k]] = 0
            continue
        else:
            e = tables.head[first]
            while e >= 0:
                a = tables.letter[e]
                if room.count_one[a] == 0 and room.count_other[a] == 0 and tables.uses[e] > 0:
                    room.present[present] = a
                    present += 1
                room.count_other[a] += tables.uses[e]
                e = tables.beside[e]
            room.bins_other[:] = tables.seen[first]
        more, degrees = ratio(room.count_one, room.count_other, room.present[:present], least)
        value += more
        free += degrees
        more, degrees = ratio(room.bins_one, room.bins_other, room.every, least)
        value += more
        free += degrees
        _spread(data, mine, room.count_one, room, present)
        if kind == _PART:
            _spread(data, theirs, room.count_other, room, present)
        here, there = low, first
        for k in range(present):
            a = room.present[k]
            ones, others = room.count_one[a], room.count_other[a]
            if a != data.end and ones >= least and others >= least:
                if kind == _PART:
                    stack[depth] = (here, here + ones, _PART, there, there + others)
                    depth += 1
                else:
                    depth = _follow(data, tables, room, here, here + ones, first, a, depth, least)
            here += ones
            there += others
            room.count_one[a] = 0
            room.count_other[a] = 0
    return value, free


@njit(cache=True, nogil=True)
def _follow(
    data: Data, tables: Tables, room: Room, low: int, high: int, location: int, symbol: int, depth: int, least: int
) -> int:
    """Put the tails behind a symbol of a red location on the stack, by the guards there; the stack's new depth."""
    e = tables.head[location]
    done = low
    while e >= 0:
        if tables.letter[e] == symbol:
            begun = done
            for i in range(done, high):
                place = room.one[i]
                if tables.low[e] <= data.delay[place - 1] <= tables.high[e]:
                    room.one[i] = room.one[done]
                    room.one[done] = place
                    done += 1
            target = tables.target[e]
            if done - begun >= least and tables.visits[target] >= least:
                room.stack[depth] = (begun, done, _RED if tables.red[target] == 1 else _BLUE, target, target)
                depth += 1
        e = tables.beside[e]
    return depth


@njit(cache=True, nogil=True)
def compare_merges(
    data: Data,
    tables: Tables,
    room: Room,
    blue: int,
    reds: NDArray[np.int64],
    least: int,
    values: NDArray[np.float64],
    free: NDArray[np.int64],
) -> None:
    """`compare` a blue location with each red one."""
    for k in range(reds.shape[0]):
        number = tails_of(tables, blue, room.one)
        values[k], free[k] = compare(data, tables, room, number, _RED, reds[k], least)


@njit(cache=True, nogil=True)
def compare_splits(
    data: Data,
    tables: Tables,
    room: Room,
    tails: NDArray[np.int64],
    cuts: NDArray[np.int64],
    least: int,
    values: NDArray[np.float64],
    free: NDArray[np.int64],
) -> None:
    """`compare` the first ``cuts[k]`` tails with the others."""
    for k in range(cuts.shape[0]):
        after = tails.shape[0] - cuts[k]
        room.one[: cuts[k]] = tails[: cuts[k]]
        room.other[:after] = tails[cuts[k] :]
        values[k], free[k] = compare(data, tables, room, cuts[k], _PART, after, least)


@njit(cache=True, nogil=True)
def likelihoods(
    data: Data, tables: Tables, blue: int, reds: NDArray[np.int64], steps: int, most: int, out: NDArray[np.float64]
) -> None:
    """Log-likelihood of the next `steps` symbols of (at most `most`) tails of a blue location from each red one."""
    letters = data.end + 1
    for k in range(reds.shape[0]):
        total = 0.0
        place = tables.tail[blue]
        looked = 0
        while place >= 0 and looked < most:
            q = reds[k]
            for at in range(place, place + steps):
                e = find(tables, q, data.symbol[at], data.delay[at])
                seen = tables.uses[e] if e >= 0 else 0
                total += math.log((seen + 0.5) / (tables.visits[q] + 0.5 * letters))
                if e < 0 or data.symbol[at] == data.end or tables.red[tables.target[e]] != 1:
                    break
                q = tables.target[e]
            place = tables.tail_next[place]
            looked += 1
        out[k] = total
