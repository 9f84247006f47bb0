"""RTI+: probabilistic real-time automata by likelihood-ratio tests, in the red-blue order.

Every location has a law of the next symbol (the end marker is one) and, independent of it, one of the delay in bins at
quantiles of all delays. Blue locations, the ends of transitions out of the red part, are known by the words that come
to them, as prefix trees. The most visited blue location is looked at: the split of its transition by delay that the
test finds most significant is made when it is significant; else the red location that it differs least from takes it
in, when the difference is not significant; else it becomes red itself. The test statistic is twice the logarithm of
the likelihood ratio, summed over all parts that fold onto each other, against the chi-squared law of as many degrees
of freedom as there are parameters to spare.

Chosen here where the publication leaves it open: symbols and bins seen less than `pooled` times in both parts together
are one category; parts seen less than `pooled` times are not compared, and blue locations as rare are merged without a
test into the red location that makes their next two symbols likeliest (which also settles ties); several parts that
fold onto one red location are compared with it one by one. Guards that no word needs extend to all delays, so that
there are no gaps.

Source: Verwer, de Weerdt, Witteveen, *A likelihood-ratio test for identifying probabilistic deterministic real-time
automata from positive data*, ICGI 2010.
"""

import time
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from netsynth_core.flows.words import Words
from netsynth_core.models.baselines.counting import automaton_of_runs
from netsynth_core.models.baselines.encoding import Encoded, encode
from netsynth_core.models.baselines.params import RtiParams
from netsynth_core.models.baselines.rival import AutomatonRival
from netsynth_core.models.baselines.rti._kernels import (
    Data,
    Room,
    Tables,
    compare_merges,
    compare_splits,
    cut,
    likelihoods,
    most_visited,
    run_tails,
    run_words,
    tails_of,
)
from netsynth_core.models.params import Params
from netsynth_core.monitor import SILENT, Monitor, stopping

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
ROOT: Final = 0
FINAL: Final = 1
_STEPS: Final = 2
_MOST_TAILS: Final = 100
_TICK: Final = 64


class Rti(AutomatonRival):
    """The automaton of RTI+."""

    kind: ClassVar[str] = "rti"
    schema: ClassVar[type[Params]] = RtiParams
    notes: ClassVar[tuple[str, ...]] = ("Guards are held as laws of the delays seen behind them.",)

    @classmethod
    def fit(cls, data: Words, params: RtiParams, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Self:
        """Test, split, merge; nothing is drawn, so `rng` only serves the common interface.

        Raises
        ------
        NotEnoughData
            When there is no word.
        """
        words = encode(data)
        learner = Learner(words, params, monitor)
        warnings = []
        if not learner.learn():
            warnings.append(
                f"The tests stopped at their budget of {params.budget:g} s or when asked to; what was left was merged "
                "untested."
            )
        tables, edges = learner.tables, int(learner.tables.size[1])
        automaton = automaton_of_runs(
            words,
            tables.source[:edges],
            tables.target[:edges],
            tables.letter[:edges],
            learner.runs(),
            initial=ROOT,
            final=FINAL,
            by_symbol=False,
        )
        return cls._made(automaton, data, words, params, tuple(warnings))


def delay_bins(delays: Ints, bins: int) -> Ints:
    """Bin of each delay code: 0..bins - 1, at the quantiles of all of them."""
    if not len(delays):
        return np.zeros(0, np.int64)
    inner = np.quantile(delays, np.arange(1, bins) / bins)
    return np.asarray(np.searchsorted(inner, delays, side="left"), np.int64)


class Learner:
    """The machine being learnt."""

    def __init__(self, words: Encoded, params: RtiParams, monitor: Monitor) -> None:
        self.params, self.monitor = params, monitor
        self.began = time.process_time()
        spoken = words.symbols != words.end
        bins = np.zeros(len(words.symbols), np.int64)
        bins[spoken] = delay_bins(words.delays[spoken], params.bins)
        self.data = Data(words.symbols, words.delays, bins, words.end, words.scale.codes - 1, params.bins)
        self.tables, self.room = _tables(len(words.symbols), params.bins), _room(self.data)
        self.tables.size[:] = (2, 0)
        self.tables.red[:2] = 1
        self.reds = [ROOT]
        starts = words.offsets[:-1]
        self.tables.tail_next[starts] = np.concatenate([starts[1:], [-1]])
        run_tails(self.data, self.tables, int(starts[0]), ROOT, FINAL)

    def learn(self) -> bool:
        """Whether all tests were made."""
        steps, over = 0, False
        while (blue := most_visited(self.tables)) >= 0:
            if steps % _TICK == 0:
                self.monitor.step("splitting and merging", steps, None, locations=len(self.reds))
                over = over or stopping(self.monitor) or time.process_time() - self.began > self.params.budget
            steps += 1
            if over or self.tables.visits[blue] < self.params.pooled:
                self._merge(blue, int(np.argmax(self._likelihoods(blue))))
            elif not (self.params.splits and self._split(blue)):
                self._merge_or_colour(blue)
        return not over

    def runs(self) -> Ints:
        """The transition at each position."""
        taken = np.zeros(len(self.data.symbol), np.int64)
        run_words(self.data, self.tables, taken)
        return taken

    def _split(self, blue: int) -> bool:
        """Make the most significant split by delay, if one is significant."""
        tails = np.empty(int(self.tables.visits[blue]), np.int64)
        tails_of(self.tables, blue, tails)
        before = self.data.delay[tails - 1]
        order = np.argsort(before, kind="stable")
        tails, before = tails[order], before[order]
        cuts = np.flatnonzero(np.diff(before)) + 1
        cuts = cuts[(cuts >= self.params.pooled) & (len(tails) - cuts >= self.params.pooled)]
        if not len(cuts):
            return False
        values, free = np.zeros(len(cuts)), np.zeros(len(cuts), np.int64)
        compare_splits(self.data, self.tables, self.room, tails, cuts, self.params.pooled, values, free)
        chance, surprise = _tested(values, free)
        best = int(np.lexsort((-surprise, chance))[0])
        if chance[best] >= self.params.significance:
            return False
        cut(self.data, self.tables, blue, int(before[cuts[best] - 1]))
        return True

    def _merge_or_colour(self, blue: int) -> None:
        reds = np.array(self.reds, np.int64)
        values, free = np.zeros(len(reds)), np.zeros(len(reds), np.int64)
        compare_merges(self.data, self.tables, self.room, blue, reds, self.params.pooled, values, free)
        chance, _ = _tested(values, free)
        best = int(np.lexsort((-self._likelihoods(blue), -chance))[0])
        if chance[best] > self.params.significance:
            self._merge(blue, best)
            return
        first = int(self.tables.tail[blue])
        self.tables.red[blue], self.tables.visits[blue], self.tables.tail[blue] = 1, 0, -1
        self.reds.append(blue)
        run_tails(self.data, self.tables, first, blue, FINAL)

    def _merge(self, blue: int, place: int) -> None:
        """Let a red location (its place in `reds`) take a blue one in."""
        red = self.reds[place]
        first = int(self.tables.tail[blue])
        self.tables.target[self.tables.entering[blue]] = red
        self.tables.red[blue], self.tables.tail[blue] = -1, -1
        run_tails(self.data, self.tables, first, red, FINAL)

    def _likelihoods(self, blue: int) -> Floats:
        out = np.zeros(len(self.reds))
        likelihoods(self.data, self.tables, blue, np.array(self.reds, np.int64), _STEPS, _MOST_TAILS, out)
        return out


def _tested(values: Floats, free: Ints) -> tuple[Floats, Floats]:
    """P(chance makes such a ratio or a larger one), and a surprise that still ranks where that vanishes.

    The surprise is the normal deviate of Wilson and Hilferty (1931).
    """
    from scipy.stats import chi2

    some = np.maximum(free, 1)
    chance = np.where(free > 0, chi2.sf(values, some), 1.0)
    spread = 2.0 / (9.0 * some)
    return chance, np.where(free > 0, (np.cbrt(values / some) - 1.0 + spread) / np.sqrt(spread), -np.inf)


def _tables(positions: int, bins: int) -> Tables:
    """Room for all that can come: a transition for each position at most, and one for each split."""
    room = 2 * positions + 2

    def column(value: int, size: int = room) -> Ints:
        return np.full(size, value, np.int64)

    return Tables(
        size=column(0, 2),
        red=column(0),
        visits=column(0),
        head=column(-1),
        entering=column(-1),
        tail=column(-1),
        tail_next=column(-1, positions),
        seen=np.zeros((room, bins), np.int64),
        source=column(0),
        target=column(0),
        letter=column(0),
        low=column(0),
        high=column(0),
        uses=column(0),
        beside=column(-1),
    )


def _room(data: Data) -> Room:
    positions, letters = len(data.symbol), data.end + 1
    return Room(
        one=np.zeros(positions, np.int64),
        other=np.zeros(positions, np.int64),
        scratch=np.zeros(positions, np.int64),
        stack=np.zeros((positions + 2, 5), np.int64),
        count_one=np.zeros(letters, np.int64),
        count_other=np.zeros(letters, np.int64),
        start=np.zeros(letters, np.int64),
        present=np.zeros(letters, np.int64),
        bins_one=np.zeros(data.bins, np.int64),
        bins_other=np.zeros(data.bins, np.int64),
        every=np.arange(data.bins, dtype=np.int64),
    )
