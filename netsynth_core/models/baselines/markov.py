"""A first-order Markov chain with an end marker: one location for each last symbol, nothing older is remembered."""

from typing import ClassVar, Self

import numpy as np

from netsynth_core.flows.words import Words
from netsynth_core.models.baselines.counting import automaton_of_runs
from netsynth_core.models.baselines.encoding import encode
from netsynth_core.models.baselines.params import MarkovParams
from netsynth_core.models.baselines.rival import BY_SYMBOL, AutomatonRival
from netsynth_core.models.params import Params
from netsynth_core.monitor import SILENT, Monitor


class Markov(AutomatonRival):
    """The chain as a timed automaton; delays and sizes depend on the symbol alone."""

    kind: ClassVar[str] = "markov"
    schema: ClassVar[type[Params]] = MarkovParams
    notes: ClassVar[tuple[str, ...]] = (BY_SYMBOL,)

    @classmethod
    def fit(cls, data: Words, params: MarkovParams, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Self:
        """Count which symbol follows which; `rng` only serves the common interface.

        Raises
        ------
        NotEnoughData
            When there is no word.
        """
        words = encode(data)
        monitor.step("counting neighbours", 0, len(words))
        letters = words.end + 1
        # location 0 is the start, 1 + a is behind symbol a: the last one, behind the end marker, is the final location
        before = np.concatenate([[0], words.symbols[:-1] + 1])
        before[words.offsets[:-1]] = 0
        pairs, taken = np.unique(before * letters + words.symbols, return_inverse=True)
        automaton = automaton_of_runs(
            words,
            pairs // letters,
            pairs % letters + 1,
            pairs % letters,
            taken.astype(np.int64),
            initial=0,
            final=letters,
            by_symbol=True,
        )
        return cls._made(automaton, data, words, params)
