"""Kernels that price words with automata and hidden Markov models.

Twins: sums over all paths in the tests of these kinds.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def price_words(
    symbols: NDArray[np.int64],
    delays: NDArray[np.int64],
    offsets: NDArray[np.int64],
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    first: NDArray[np.int64],
    share: NDArray[np.float64],
    law: NDArray[np.int64],
    laws: NDArray[np.float64],
    escape: NDArray[np.float64],
    background: NDArray[np.float64],
    plain: NDArray[np.float64],
    resume: NDArray[np.float64],
    stay: NDArray[np.float64],
    final: int,
    initial: int,
    out: NDArray[np.float64],
) -> None:
    """-log2 of the probability of each word, summed over all ways through the automaton and beside it.

    Parameters
    ----------
    symbols
        0..A-1, A for the end marker (the last symbol of each word), A + 1 for a symbol the automaton lacks.
    source, target, share, law, resume
        Per transition, sorted by symbol: ends; probability to take it, what escapes left out; row of `laws`; share
        among the transitions of the same symbol, by which a run goes on that has left the automaton.
    first
        Transitions of symbol a are ``first[a]:first[a + 1]``, A + 2 positions.
    laws
        P(delay code), a law a row.
    escape, stay
        Per location: probability to leave the automaton for one symbol; share of all runs, by which a run goes on
        after a symbol that no transition reads.
    background, plain
        P(symbol) for A + 2 symbols, and P(delay code) for each, of a step outside the automaton.
    """
    locations = escape.shape[0]
    now = np.zeros(locations, np.float64)
    then = np.zeros(locations, np.float64)
    letters = background.shape[0] - 2
    for word in range(offsets.shape[0] - 1):
        now[:] = 0.0
        now[initial] = 1.0
        bits = 0.0
        for at in range(offsets[word], offsets[word + 1]):
            symbol = symbols[at]
            lost = 0.0
            for q in range(locations):
                lost += now[q] * escape[q]
                then[q] = 0.0
            lost *= background[symbol] * plain[symbol, delays[at]]
            if symbol > letters or (symbol < letters and first[symbol] == first[symbol + 1]):
                for q in range(locations):
                    then[q] = lost * stay[q]
            else:
                for e in range(first[symbol], first[symbol + 1]):
                    then[target[e]] += now[source[e]] * share[e] * laws[law[e], delays[at]]
                if symbol == letters:
                    then[final] += lost
                else:
                    for e in range(first[symbol], first[symbol + 1]):
                        then[target[e]] += lost * resume[e]
            whole = 0.0
            for q in range(locations):
                whole += then[q]
            bits -= np.log2(whole)
            for q in range(locations):
                now[q] = then[q] / whole
        out[word] = bits


@njit(cache=True, nogil=True)
def hidden_bits(
    symbols: NDArray[np.int64],
    offsets: NDArray[np.int64],
    initial: NDArray[np.float64],
    moves: NDArray[np.float64],
    emissions: NDArray[np.float64],
    ending: NDArray[np.float64],
    empty: float,
    out: NDArray[np.float64],
) -> None:
    """-log2 of the probability of each word under a hidden Markov model with an end, over all paths.

    Parameters
    ----------
    symbols
        Codes without end markers; negative for a symbol the model lacks: such a word gets infinity.
    initial, moves, ending
        P(first state), P(next state | state), P(end | state); each row of `moves` with its `ending` sums to one.
    emissions
        Shape (symbols, states): P(symbol | state).
    empty
        P(the word is empty).
    """
    states = initial.shape[0]
    now = np.zeros(states, np.float64)
    then = np.zeros(states, np.float64)
    for word in range(offsets.shape[0] - 1):
        if offsets[word] == offsets[word + 1]:
            out[word] = -np.log2(empty) if empty > 0.0 else np.inf
            continue
        bits = 0.0
        whole = 1.0
        for at in range(offsets[word], offsets[word + 1]):
            whole = 0.0
            if symbols[at] >= 0:
                for j in range(states):
                    mass = 0.0
                    if at == offsets[word]:
                        mass = initial[j]
                    else:
                        for i in range(states):
                            mass += now[i] * moves[i, j]
                    then[j] = mass * emissions[symbols[at], j]
                    whole += then[j]
            if whole <= 0.0:
                break
            bits -= np.log2(whole)
            for j in range(states):
                now[j] = then[j] / whole
        last = 0.0
        if whole > 0.0:
            for i in range(states):
                last += now[i] * ending[i]
        out[word] = bits - np.log2(last) if last > 0.0 else np.inf
