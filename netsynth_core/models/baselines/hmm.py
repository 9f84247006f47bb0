"""Hidden Markov models with an end: Baum-Welch by hmmlearn over the symbols, delays and sizes by symbol.

All words are given to hmmlearn as one sequence with end markers between them. One state emits the end marker and
nothing else, and no other state emits it, so that its row holds the first states of words and the sequence's
probability is the product of the words'. (Words one by one would leave that row empty, and cost a call each.)

The probability of a word, learnt from N words, is N / (N + 1) of that under the hidden model and, so that nothing is
impossible, 1 / (N + 1) of that of symbols drawn each by its share. All probabilities sum to one.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from netsynth_core.errors import DocumentError, InvalidParameter
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.running import LONGEST_SAMPLE, recode
from netsynth_core.models.baselines.counting import hidden_automaton
from netsynth_core.models.baselines.encoding import Encoded, encode
from netsynth_core.models.baselines.params import HmmParams
from netsynth_core.models.baselines.rival import FactsBody, StrictBody, facts_of, facts_to_body
from netsynth_core.models.baselines.symbols import SymbolRival, Symbols, SymbolsBody, mixed_bits
from netsynth_core.models.document import Document, decode_body, migrate
from netsynth_core.models.params import Params
from netsynth_core.monitor import SILENT, Monitor, stopping

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_NEAR_ONE: Final = 1e-6
LEAST_RUNS: Final = 1000
"""As an automaton, the model shows what so many words (or the training words, when they are more) would take."""


class HmmBody(StrictBody):
    """Version 1 of the document. The last state is the end."""

    symbols: SymbolsBody
    moves: list[list[float]] = Field(min_length=2, max_length=501)
    """P(next state | state): the row of the end holds the first states of words."""
    emissions: list[list[float]]
    """P(symbol | state) of each state but the end."""
    facts: FactsBody


@dataclass(frozen=True, eq=False)
class Hmm(SymbolRival):
    """Hidden states, their moves and emissions."""

    kind: ClassVar[str] = "hmm"
    schema: ClassVar[type[Params]] = HmmParams

    moves: Floats
    """(states + 1, states + 1): P(next | state); the last is the end, whose row holds the first states of words."""
    emissions: Floats
    """(states, symbols)."""

    @classmethod
    def fit(cls, data: Words, params: HmmParams, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Self:
        """Baum-Welch from a random start.

        Raises
        ------
        NotEnoughData
            When there is no word.
        """
        words = encode(data)
        monitor.step("hidden Markov model", 0, params.iterations)
        seen = _part(words, params.symbols)
        moves, emissions, finished = _baum_welch(seen, params, rng, monitor)
        warnings = []
        if not finished:
            warnings.append("Baum-Welch stopped before its last iteration; more time may shorten the description.")
        if seen is not words:
            warnings.append(f"The iterations looked at {len(seen)} of {len(words)} words.")
        symbols = Symbols.of(words)
        free = int((moves > 0).sum() - len(moves) + (emissions > 0).sum() - len(emissions))
        bits = symbols.model_bits + moves.size + emissions.size
        bits += 0.5 * max(free, 0) * float(np.log2(len(words.symbols) + 1.0))
        made = cls(symbols, facts_of(data, words, params, model=0.0, described=0.0, sizes=0.0), moves, emissions)
        return made._priced(data, words, model=bits, warnings=tuple(warnings))

    def hidden_bits(self, words: Words) -> Floats:
        """Bits of the symbols of each word under the hidden model alone; infinite for what it cannot make."""
        from netsynth_core.models.baselines._kernels import hidden_bits

        out = np.zeros(len(words))
        hidden_bits(
            recode(words, self.symbols.alphabet).astype(np.int64),
            np.asarray(words.offsets, np.int64),
            self.moves[-1, :-1].copy(),
            np.ascontiguousarray(self.moves[:-1, :-1]),
            np.ascontiguousarray(self.emissions.T),
            self.moves[:-1, -1].copy(),
            float(self.moves[-1, -1]),
            out,
        )
        return out

    def _event_bits(self, words: Words) -> Floats:
        """Over all paths."""
        background = self.symbols.background_bits(words)
        return mixed_bits(self.hidden_bits(words), background, 1.0 / (self.symbols.words + 1.0))

    def sample(self, n: int, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Words:
        """Draw `n` words from the hidden model, with delays and sizes of their symbols.

        Raises
        ------
        InvalidParameter
            When `n` is negative.
        """
        if n < 0:
            raise InvalidParameter(f"{n} words cannot be drawn.", hint="Ask for 0 or more.")
        end = len(self.moves) - 1
        moves, emissions = np.cumsum(self.moves, axis=1), np.cumsum(self.emissions, axis=1)
        at, alive = np.full(n, end), np.arange(n)
        words, symbols = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for step in range(LONGEST_SAMPLE):
            if step % 64 == 0:
                monitor.step("drawing words", n - len(alive), n)
            at = _drawn(moves, at, rng)
            alive, at = alive[at != end], at[at != end]
            if not len(alive):
                break
            words.append(alive)
            symbols.append(_drawn(emissions, at, rng))
        owner = np.concatenate(words)
        order = np.argsort(owner, kind="stable")
        offsets = np.searchsorted(owner[order], np.arange(n + 1)).astype(np.int64)
        spoken = np.concatenate(symbols)[order]
        return self.symbols.timed(spoken, offsets, rng=rng, service=self.service, state=self.state)

    @cached_property
    def automaton(self) -> TimedAutomaton:
        """The model as an automaton: a location for each hidden state, a transition for each move and symbol.

        Counts are what as many words as it learnt from (at least `LEAST_RUNS`) would take, rounded; what they would
        take less than half a time is left out.

        Raises
        ------
        InvalidParameter
            When no run is left.
        """
        return hidden_automaton(self.moves, self.emissions, self.symbols, runs=max(self.symbols.words, LEAST_RUNS))

    @property
    def _size(self) -> dict[str, int]:
        return {
            "states": len(self.emissions),
            "moves": int((self.moves > _NEAR_ONE).sum()),
            "emissions": int((self.emissions > _NEAR_ONE).sum()),
        }

    def sentences(self) -> list[str]:
        """Where words start, and what each state says and where it goes, one sentence each; rare parts left out."""
        names = [*(f"state {q + 1}" for q in range(len(self.emissions))), "the end"]
        goes = [_shares(row, names) for row in self.moves]
        says = [_shares(row, self.symbols.alphabet) for row in self.emissions]
        inner = zip(names, says, goes, strict=False)
        return [f"start: goes to {goes[-1]}", *(f"{name}: says {said}; goes to {to}" for name, said, to in inner)]

    def to_document(self) -> Document:
        """The model as a document."""
        body = HmmBody(
            symbols=self.symbols.to_body(),
            moves=self.moves.tolist(),
            emissions=self.emissions.tolist(),
            facts=facts_to_body(self.facts),
        )
        return self._document(body)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """The model of a document."""
        raw = migrate(document, kind=cls.kind, version=cls.version, migrations={})
        body = decode_body(HmmBody, raw, kind=cls.kind)
        symbols = Symbols.from_body(body.symbols, kind=cls.kind)
        states = len(body.moves)
        sound = (
            all(len(row) == states for row in body.moves)
            and len(body.emissions) == states - 1
            and all(len(row) == len(symbols.alphabet) for row in body.emissions)
            and all(_is_law(row) for row in body.moves)
            and (not symbols.alphabet or all(_is_law(row) for row in body.emissions))
        )
        if not sound:
            raise DocumentError(
                "The hmm document is broken: its rows are no probabilities of its states and symbols.",
                hint="Learn the model again.",
            )
        return cls(
            symbols,
            cls._facts(body.facts),
            np.array(body.moves),
            np.array(body.emissions).reshape(states - 1, len(symbols.alphabet)),
        )


def _shares(row: Floats, names: Sequence[str]) -> str:
    """The entries of at least one per cent, the largest first."""
    order = np.argsort(-row, kind="stable")
    return ", ".join(f"{names[i]} {100 * row[i]:.0f} %" for i in order.tolist() if row[i] >= 0.01) or "nothing often"


def _is_law(row: list[float]) -> bool:
    return min(row) >= 0 and abs(sum(row) - 1.0) < _NEAR_ONE


def _drawn(running: Floats, rows: Ints, rng: np.random.Generator) -> Ints:
    """A column for each of the rows, by running sums of probabilities."""
    flat = running / running[:, -1:] + np.arange(len(running))[:, None]
    where = np.searchsorted(flat.ravel(), rng.random(len(rows)) + rows, side="right")
    return np.asarray(np.minimum(where - rows * running.shape[1], running.shape[1] - 1), np.int64)


def _part(words: Encoded, symbols: int) -> Encoded:
    """Evenly spread words of about so many symbols; the same object when there are no more."""
    if len(words.symbols) <= symbols:
        return words
    wanted = max(1, int(len(words) * symbols / len(words.symbols)))
    return words.take(np.unique(np.linspace(0, len(words) - 1, wanted).round().astype(np.int64)))


def _baum_welch(
    words: Encoded, params: HmmParams, rng: np.random.Generator, monitor: Monitor
) -> tuple[Floats, Floats, bool]:
    """Moves, emissions, and whether the iterations came to their end."""
    from hmmlearn.base import ConvergenceMonitor
    from hmmlearn.hmm import CategoricalHMM

    began = time.process_time()

    class Watch(ConvergenceMonitor):  # type: ignore[misc]
        """Reports each iteration, and ends them at the budget or when asked to."""

        early = False

        def report(self, log_prob: float) -> None:
            self.history.append(log_prob / np.log(2.0))
            self.iter += 1
            monitor.step("hidden Markov model", self.iter, params.iterations, bits=round(-self.history[-1], 3))

        @property
        def converged(self) -> bool:
            self.early = stopping(monitor) or time.process_time() - began > params.budget
            settled = len(self.history) > 1 and self.history[-1] - self.history[-2] < params.tolerance
            return self.early or settled or self.iter >= params.iterations

    states, letters = params.states, words.end
    model: Any = CategoricalHMM(
        n_components=states + 1,
        n_features=letters + 1,
        n_iter=params.iterations,
        init_params="",
        params="te",
        implementation="scaling",
        random_state=0,
    )
    model.startprob_ = np.eye(states + 1)[states]
    model.transmat_ = rng.dirichlet(np.ones(states + 1), states + 1)
    # all symbols near their own shares, so that rare ones are not improbable everywhere at the start
    counts = np.bincount(words.symbols, minlength=letters + 1)[:letters] + 0.5
    emissions = rng.gamma(2.0, size=(states, letters)) * (counts / counts.sum() if letters else 1.0)
    model.emissionprob_ = np.zeros((states + 1, letters + 1))
    if letters:
        model.emissionprob_[:states, :letters] = emissions / emissions.sum(axis=1, keepdims=True)
    else:
        model.emissionprob_[:states, letters] = 1.0
    model.emissionprob_[states, letters] = 1.0
    watch = model.monitor_ = Watch(params.tolerance, params.iterations, False)
    if params.iterations and letters:
        with _without_advice():
            model.fit(np.concatenate([[letters], words.symbols])[:, None])
    return *_repaired(
        model.transmat_, model.emissionprob_[:states, :letters], counts.astype(np.float64)
    ), not watch.early


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep hmmlearn from writing advice to the log: few data and states that are never left are taken care of here."""

    def refuse(record: logging.LogRecord) -> bool:
        return False

    log = logging.getLogger("hmmlearn.base")
    log.addFilter(refuse)
    try:
        yield
    finally:
        log.removeFilter(refuse)


def _repaired(moves: Floats, emissions: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Rows that sum to one: a state that was never left goes to the end, one that never spoke speaks by the shares."""
    moves, emissions = moves.copy(), emissions.copy()
    moves[moves.sum(axis=1) <= 0, -1] = 1.0
    if emissions.size:
        emissions[emissions.sum(axis=1) <= 0] = counts
        emissions /= emissions.sum(axis=1, keepdims=True)
    else:
        # without a symbol every word is empty
        moves[:] = 0.0
        moves[:, -1] = 1.0
    return moves / moves.sum(axis=1, keepdims=True), emissions
