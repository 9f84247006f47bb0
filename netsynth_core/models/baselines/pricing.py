"""Prices of words: -log2 of a proper probability over all timed words, with a share kept for what was never seen.

At every step a run of an automaton follows a transition, or leaves the automaton for one symbol with the probability
t / (n + t) of a location that was visited n times and has t transitions (Witten and Bell 1991, method C). Such a symbol
is drawn from the shares of the symbols in the training words (half a visit each besides, one symbol standing for all
that were never seen), its delay from all delays of that symbol, and the run goes on behind one of the symbol's
transitions, by their counts; behind a symbol never seen, at any location, by its visits. The shares of all words, the
end marker and delays included, sum to one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.running import flatten, recode
from netsynth_core.models.codelength import dirichlet_multinomial
from netsynth_core.models.delays import SizeLaw

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spelt:
    """Words to price: codes with end markers; the code after the end marker's stands for symbols never seen."""

    symbols: Ints
    delays: Ints
    offsets: Ints


def spell(words: Words, automaton_alphabet: tuple[str, ...], delays: Ints) -> Spelt:
    """Words with end markers over the symbols of a model."""
    letters = len(automaton_alphabet)
    old = np.asarray(words.offsets, np.int64)
    offsets = old + np.arange(len(old))
    place = np.arange(len(words.symbols)) + np.repeat(np.arange(len(words)), np.diff(old))
    symbols = np.full(offsets[-1], letters, np.int64)
    codes = recode(words, automaton_alphabet).astype(np.int64)
    symbols[place] = np.where(codes < 0, letters + 1, codes)
    timed = np.zeros(offsets[-1], np.int64)
    timed[place] = delays
    return Spelt(symbols, timed, offsets)


def background_shares(counts: Ints) -> Floats:
    """P(symbol) outside a model: counts of the symbols and, last, of the end marker, half a visit more for each.

    Returns
    -------
    NDArray[np.float64]
        One entry more than `counts`: the share of all symbols never seen.
    """
    seen = np.concatenate([counts, [0]]) + 0.5
    shares: Floats = seen / seen.sum()
    return shares


def size_bits(laws: Iterable[SizeLaw | None]) -> float:
    """Prequential bits of the sizes that laws were counted from, as TADAM prices them; a law of many places once.

    Sizes inside the bins of their scale cost every model the same and are left out.
    """
    own = {id(law): law for law in laws if law is not None}
    return sum(
        dirichlet_multinomial(np.array([n for _, n in law.counts], np.int64), law.codes, alpha=1.0 / law.codes)
        for law in own.values()
    )


def automaton_word_bits(automaton: TimedAutomaton, words: Words, *, timed: bool = True) -> Floats:
    """Bits of each word under an automaton.

    Parameters
    ----------
    timed
        Whether delays are priced too.
    """
    from netsynth_core.models.baselines._kernels import price_words

    flat = flatten(automaton)
    letters = len(automaton.alphabet)
    order = np.argsort(flat.symbol, kind="stable")
    source, target, symbol, count = (a[order] for a in (flat.source, flat.target, flat.symbol, flat.count))
    first = np.searchsorted(symbol, np.arange(letters + 2)).astype(np.int64)
    visits = np.bincount(source, weights=count, minlength=len(flat.location_ids))
    ways = np.bincount(source, minlength=len(flat.location_ids)).astype(np.float64)
    escape = np.divide(ways, visits + ways, out=np.ones(len(visits)), where=ways > 0)
    by_symbol = np.bincount(symbol, weights=count, minlength=letters + 1)
    resume = count / np.maximum(by_symbol[symbol], 1)
    unused = by_symbol[symbol] == 0
    resume[unused] = 1.0 / np.bincount(symbol, minlength=letters + 1)[symbol[unused]]
    tables, law = _tables(automaton, [flat.ids[i] for i in order], timed=timed)
    plain = np.full((letters + 2, tables.shape[1]), 1.0 / tables.shape[1])
    plain[letters] = 0.0
    plain[letters, 0] = 1.0
    for a in range(letters):
        mine = slice(int(first[a]), int(first[a + 1]))
        if mine.start < mine.stop:
            plain[a] = resume[mine] @ tables[law[mine]]
    delays = automaton.scale.encode(words.delays).astype(np.int64) if timed else np.zeros(len(words.delays), np.int64)
    spelt = spell(words, automaton.alphabet, delays)
    out = np.zeros(len(words))
    price_words(
        spelt.symbols,
        spelt.delays,
        spelt.offsets,
        source,
        target,
        first,
        count / np.maximum(visits + ways, 1)[source],
        law,
        tables,
        escape,
        background_shares(by_symbol.astype(np.int64)),
        plain,
        resume,
        visits / max(visits.sum(), 1),
        flat.final,
        flat.initial,
        out,
    )
    return np.maximum(out, 0.0)


def _tables(automaton: TimedAutomaton, ids: list[str], *, timed: bool) -> tuple[Floats, Ints]:
    """P(delay code) of each law once, and the row of each transition; the end marker has the code 0 for sure."""
    codes = automaton.scale.codes if timed else 1
    sure = np.zeros(codes)
    sure[0] = 1.0
    rows: dict[int, int] = {}
    tables = [sure]
    law = np.zeros(len(ids), np.int64)
    for i, name in enumerate(ids):
        delay = automaton.by_transition[name].delay
        if delay is None or not timed:
            continue
        if id(delay) not in rows:
            rows[id(delay)] = len(tables)
            tables.append(delay.probabilities)
        law[i] = rows[id(delay)]
    return np.array(tables), law
