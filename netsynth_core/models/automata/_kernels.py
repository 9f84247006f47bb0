"""Kernels that run automata: random walks and untimed acceptance. Twins: `netsynth_core.models.automata.running`."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def walk(
    first: NDArray[np.int64],
    cumulative: NDArray[np.float64],
    target: NDArray[np.int64],
    initial: int,
    final: int,
    uniforms: NDArray[np.float64],
    words: int,
    longest: int,
    path: NDArray[np.int64],
    ends: NDArray[np.int64],
    state: NDArray[np.int64],
) -> int:
    """Walk from where `state` stands until all words are done or the uniforms are used up.

    Parameters
    ----------
    first
        Transitions of location q are ``first[q]:first[q + 1]``.
    cumulative
        Running sum of the probabilities inside each location's slice; the last is 1.
    path
        Room for the transitions taken, as long as `uniforms`.
    ends
        ``ends[i]`` becomes the number of transitions taken before word i ended, over all words and calls.
    state
        Word, location, steps in this word, steps over all; changed in place, so that a call can go on.

    Returns
    -------
    int
        Uniforms used.
    """
    word, at, steps, total = state[0], state[1], state[2], state[3]
    used = 0
    while word < words and used < uniforms.shape[0]:
        low, high = first[at], first[at + 1] - 1
        draw = uniforms[used]
        while low < high:
            middle = (low + high) // 2
            if cumulative[middle] > draw:
                high = middle
            else:
                low = middle + 1
        path[used] = low
        used += 1
        total += 1
        steps += 1
        at = target[low]
        if at == final or steps >= longest:
            ends[word] = total
            word += 1
            at = initial
            steps = 0
    state[0], state[1], state[2], state[3] = word, at, steps, total
    return used


@njit(cache=True, nogil=True)
def untimed_probabilities(
    symbols: NDArray[np.int32],
    offsets: NDArray[np.int64],
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    first_of_symbol: NDArray[np.int64],
    by_symbol: NDArray[np.int64],
    probability: NDArray[np.float64],
    end_probability: NDArray[np.float64],
    initial: int,
    out: NDArray[np.float64],
) -> None:
    """log2 of the probability of each word, summed over all paths; -inf when it is not accepted.

    Transitions that read symbol a are ``by_symbol[first_of_symbol[a]:first_of_symbol[a + 1]]``; symbol codes outside
    the automaton's alphabet are negative.
    """
    locations = end_probability.shape[0]
    now = np.zeros(locations, np.float64)
    then = np.zeros(locations, np.float64)
    for word in range(offsets.shape[0] - 1):
        now[:] = 0.0
        now[initial] = 1.0
        scale = 0.0
        alive = True
        for at in range(offsets[word], offsets[word + 1]):
            then[:] = 0.0
            symbol = symbols[at]
            whole = 0.0
            if symbol >= 0:
                for slot in range(first_of_symbol[symbol], first_of_symbol[symbol + 1]):
                    edge = by_symbol[slot]
                    mass = now[source[edge]] * probability[edge]
                    then[target[edge]] += mass
                    whole += mass
            if whole <= 0.0:
                alive = False
                break
            for location in range(locations):
                now[location] = then[location] / whole
            scale += np.log2(whole)
        mass = 0.0
        if alive:
            for location in range(locations):
                mass += now[location] * end_probability[location]
        out[word] = scale + np.log2(mass) if mass > 0.0 else -np.inf
