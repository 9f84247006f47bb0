"""TAG: deterministic timed automata from what can follow (the k-future), with guards of the delays seen.

The prefix tree's locations with the same strings of k symbols behind them are merged and folded until all differ. Then
a location that one transition enters is split where the delays on it, of the words that go on in one way, lie apart
from those of all others; when nothing can be split, locations of equal futures and overlapping guards are merged, and
so on until neither applies. All classes of equal futures are merged at once rather than pair after pair; the loop of
the published learner, which has no proven end, is bounded here.

Source: Cornanguer, Largouët, Rozé, Termier, *TAG: Learning Timed Automata from Logs*, AAAI 2022.
"""

import time
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from netsynth_core.flows.words import Words
from netsynth_core.models.automata.merging import FINAL, ROOT, Futures, Machine, OverlappingGuards, SameSymbol, classes
from netsynth_core.models.baselines.counting import automaton_of_runs
from netsynth_core.models.baselines.encoding import Encoded, encode
from netsynth_core.models.baselines.params import TagParams
from netsynth_core.models.baselines.rival import AutomatonRival
from netsynth_core.models.params import Params
from netsynth_core.monitor import SILENT, Monitor, stopping

Ints = NDArray[np.int64]
MOST_ROUNDS: Final = 100
"""Rounds of splitting and merging by delay at most; the published loop has no proven end."""


class Tag(AutomatonRival):
    """The automaton of TAG."""

    kind: ClassVar[str] = "tag"
    schema: ClassVar[type[Params]] = TagParams
    notes: ClassVar[tuple[str, ...]] = ("Guards are held as laws of the delays seen behind them.",)

    @classmethod
    def fit(cls, data: Words, params: TagParams, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Self:
        """Merge, then split by delay; nothing is drawn, so `rng` only serves the common interface.

        Raises
        ------
        NotEnoughData
            When there is no word.
        """
        words = encode(data)
        learner = _Learner(words, params, monitor)
        warnings = []
        if not learner.learn():
            warnings.append(
                f"Merging stopped before its end ({params.budget:g} s of CPU time, {MOST_ROUNDS} rounds, or when "
                "asked to); more may change the automaton."
            )
        machine = learner.machine
        source, target, symbol = (np.array(a, np.int64) for a in (machine.source, machine.target, machine.symbol))
        became = np.array([machine.location_of(q) for q in range(len(machine.leaving))], np.int64)
        automaton = automaton_of_runs(
            words,
            became[source],
            became[target],
            symbol,
            machine.runs(),
            initial=ROOT,
            final=FINAL,
            by_symbol=False,
        )
        return cls._made(automaton, data, words, params, tuple(warnings))


class _Learner:
    """The machine being merged, and when to stop."""

    def __init__(self, words: Encoded, params: TagParams, monitor: Monitor) -> None:
        self.words, self.params, self.monitor = words, params, monitor
        self.began = time.process_time()
        self.machine = Machine.of_words(words.symbols, words.delays, words.offsets, end=words.end)
        self.futures = Futures(params.k)
        self.done = 0

    def learn(self) -> bool:
        """Whether the end was reached."""
        while self._merged_by_symbol():
            if self._over():
                return False
        if not self.params.intervals:
            return True
        for _ in range(MOST_ROUNDS):
            split = False
            while self._split():
                split = True
                if self._over():
                    return False
            if not self._merged_by_guard() and not split:
                return True
            if self._over():
                return False
        return False

    def _over(self) -> bool:
        return stopping(self.monitor) or time.process_time() - self.began > self.params.budget

    def _step(self) -> None:
        self.done += 1
        self.monitor.step("merging what goes on alike", self.done, None, locations=len(self.machine.locations()))

    def _alike(self) -> list[list[int]]:
        self._step()
        return classes(self.futures.of(self.machine, self.machine.locations()))

    def _merged_by_symbol(self) -> bool:
        """Merge all locations of equal futures; whether there were any."""
        pairs = [(members[0], other) for members in self._alike() for other in members[1:]]
        self.machine.merge(pairs, SameSymbol())
        return bool(pairs)

    def _merged_by_guard(self) -> bool:
        """Merge locations of equal futures whose guards overlap for a symbol; whether there were any."""
        pairs = []
        clash = OverlappingGuards()
        for members in self._alike():
            for i, other in enumerate(members[1:], 1):
                # the first before it that it overlaps with
                near = next((one for one in members[:i] if self._overlap(one, other, clash)), None)
                if near is not None:
                    pairs.append((near, other))
        self.machine.merge(pairs, clash)
        return bool(pairs)

    def _overlap(self, one: int, other: int, clash: OverlappingGuards) -> bool:
        mine, theirs = self.machine.leaving[one], self.machine.leaving[other]
        return any(clash(self.machine, e, f) for a in mine if a in theirs for e in mine[a] for f in theirs[a])

    def _split(self) -> bool:
        """Split every location that can be, once; whether any was."""
        self._step()
        machine, delays = self.machine, self.words.delays
        runs = machine.runs()
        entering: dict[int, int] = {}
        for e in machine.transitions():
            q = machine.location_of(machine.target[e])
            entering[q] = -1 if q in entering else e
        order = np.argsort(runs, kind="stable")
        bounds = np.searchsorted(runs[order], np.arange(len(machine.source) + 1))
        changed = False
        for q, e in entering.items():
            if e < 0 or q in (ROOT, FINAL, machine.source[e]) or sum(map(len, machine.leaving[q].values())) < 2:
                continue
            visits = order[bounds[e] : bounds[e + 1]]
            way = self._apart(delays[visits], runs[visits + 1])
            if way is not None:
                self._cut(e, q, way, visits[runs[visits + 1] == way], visits)
                changed = True
        return changed

    def _apart(self, delays: Ints, after: Ints) -> int | None:
        """The way on whose delays lie below or above those of all others; None when none does."""
        order = np.lexsort((delays, after))
        ways, first, counts = np.unique(after[order], return_index=True, return_counts=True)
        if len(ways) < 2:
            return None
        sorted_delays = delays[order]
        low, high = sorted_delays[first], sorted_delays[first + counts - 1]
        total = len(delays)
        for i in range(len(ways)):
            if min(int(counts[i]), total - int(counts[i])) < self.params.least:
                continue
            others = np.arange(len(ways)) != i
            if high[i] < low[others].min() or low[i] > high[others].max():
                return int(ways[i])
        return None

    def _cut(self, edge: int, location: int, way: int, mine: Ints, visits: Ints) -> None:
        """Give the words that go on by `way` a location of their own behind `edge`."""
        machine, delays = self.machine, self.words.delays
        rest = np.setdiff1d(visits, mine, assume_unique=True)
        new = machine.add_location()
        made = machine.add_transition(
            machine.source[edge], new, machine.symbol[edge], int(delays[mine].min()), int(delays[mine].max())
        )
        machine.low[edge], machine.high[edge] = int(delays[rest].min()), int(delays[rest].max())
        machine.move_source(way, new)
        machine.taken[mine] = made
        machine.target[edge] = location
