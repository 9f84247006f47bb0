"""The table of the symbol sequences seen, with how often: what a learner must beat to have learnt more than the words.

A sequence that was seen n times among N words of t different sequences has the probability n / (N + t), besides its
part of the share t / (N + t) that is kept for the unseen (Witten and Bell 1991, method C): there every symbol is drawn
by its share of all symbols. Delays and sizes are drawn by symbol. All probabilities sum to one.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from netsynth_core.errors import DocumentError, InvalidParameter
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.prefix_tree import prefix_tree
from netsynth_core.models.automata.running import recode
from netsynth_core.models.baselines.counting import tree_automaton
from netsynth_core.models.baselines.encoding import Encoded, encode
from netsynth_core.models.baselines.params import LookupParams
from netsynth_core.models.baselines.rival import FactsBody, StrictBody, facts_of, facts_to_body
from netsynth_core.models.baselines.symbols import SymbolRival, Symbols, SymbolsBody, mixed_bits
from netsynth_core.models.codelength import universal_integers
from netsynth_core.models.document import Document, decode_body, migrate
from netsynth_core.models.params import Params
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.units import count

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
MOST_SHOWN: Final = 50
MOST_SYMBOLS: Final = 40
"""Sequences that are shown as sentences, and symbols of each."""
MOST_LOCATIONS = 50_000
"""A table whose prefix tree is larger is not shown, exported or forged from as an automaton."""


class LookupBody(StrictBody):
    """Version 1 of the document: sequences one behind the other."""

    symbols: SymbolsBody
    sequences: list[int]
    lengths: list[int] = Field(min_length=1)
    counts: list[int] = Field(min_length=1)
    facts: FactsBody


@dataclass(frozen=True, eq=False)
class Lookup(SymbolRival):
    """The sequences seen, the most frequent first."""

    kind: ClassVar[str] = "lookup"
    schema: ClassVar[type[Params]] = LookupParams

    sequences: Ints
    """Symbol codes of all sequences."""
    offsets: Ints
    counts: Ints
    """How often each was seen, >= 1."""

    @classmethod
    def fit(cls, data: Words, params: LookupParams, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Self:
        """Count the sequences; `rng` only serves the common interface.

        Raises
        ------
        NotEnoughData
            When there is no word.
        """
        words = encode(data)
        monitor.step("counting sequences", 0, len(words))
        sequences, offsets, counts = _table(words)
        symbols = Symbols.of(words)
        unpriced = facts_of(data, words, params, model=0.0, described=0.0, sizes=0.0)
        bits = symbols.model_bits + _table_bits(sequences, offsets, counts, words.end)
        return cls(symbols, unpriced, sequences, offsets, counts)._priced(data, words, model=bits)

    @property
    def _unseen(self) -> float:
        return len(self.counts) / (len(self.counts) + int(self.counts.sum()))

    @cached_property
    def _row(self) -> dict[bytes, int]:
        """Where each sequence is."""
        ends = self.offsets.tolist()
        return {self.sequences[a:b].tobytes(): i for i, (a, b) in enumerate(pairwise(ends))}

    def rows(self, words: Words) -> Ints:
        """Which sequence each word is; -1 for one never seen."""
        codes = recode(words, self.symbols.alphabet).astype(np.int64)
        ends = words.offsets.tolist()
        found = (self._row.get(codes[a:b].tobytes(), -1) for a, b in pairwise(ends))
        return np.fromiter(found, np.int64, len(words))

    def _event_bits(self, words: Words) -> Floats:
        rows = self.rows(words)
        share = np.where(rows >= 0, self.counts[rows], 0) / int(self.counts.sum())
        seen = -np.log2(share, out=np.full(len(rows), -np.inf), where=share > 0)
        return mixed_bits(seen, self.symbols.background_bits(words), self._unseen)

    def sample(self, n: int, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Words:
        """Draw `n` of the sequences by how often they were seen, with delays and sizes of their symbols.

        Raises
        ------
        InvalidParameter
            When `n` is negative.
        """
        if n < 0:
            raise InvalidParameter(f"{n} words cannot be drawn.", hint="Ask for 0 or more.")
        monitor.step("drawing words", 0, n)
        running = np.cumsum(self.counts)
        rows = np.searchsorted(running, rng.random(n) * running[-1], side="right")
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        index = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return self.symbols.timed(
            self.sequences[index], offsets, rng=rng, service=self.facts.service, state=self.facts.state
        )

    @cached_property
    def automaton(self) -> TimedAutomaton:
        """The table as an automaton: its prefix tree, whose runs have the same probabilities as the table.

        Raises
        ------
        InvalidParameter
            When it has more than `MOST_LOCATIONS` locations.
        """
        tree = prefix_tree(self.sequences, self.offsets)
        if len(tree) > MOST_LOCATIONS:
            raise InvalidParameter(
                f"The table of sequences is a tree of {len(tree)} locations; at most {MOST_LOCATIONS} can be used as "
                "an automaton.",
                hint="Take a learnt automaton (tadam), or learn the table from fewer words.",
            )
        return tree_automaton(tree, self.counts, self.symbols)

    @property
    def _size(self) -> dict[str, int]:
        return {"sequences": len(self.counts), "symbols": len(self.sequences)}

    def sentences(self) -> list[str]:
        """The most frequent sequences, one sentence each."""
        whole, shown = int(self.counts.sum()), []
        for i, seen in enumerate(self.counts[:MOST_SHOWN].tolist()):
            codes = self.sequences[self.offsets[i] : self.offsets[i + 1]].tolist()
            text = " ".join(self.symbols.alphabet[a] for a in codes[:MOST_SYMBOLS]) or "nothing"
            more = f" and {count(len(codes) - MOST_SYMBOLS, 'symbol')} more" if len(codes) > MOST_SYMBOLS else ""
            shown.append(f"{count(seen, 'time')}, {100 * seen / whole:.1f} %: {text}{more}")
        rest = len(self.counts) - MOST_SHOWN
        return [*shown, f"and {count(rest, 'sequence')} more"] if rest > 0 else shown

    def to_document(self) -> Document:
        """The model as a document."""
        body = LookupBody(
            symbols=self.symbols.to_body(),
            sequences=self.sequences.tolist(),
            lengths=np.diff(self.offsets).tolist(),
            counts=self.counts.tolist(),
            facts=facts_to_body(self.facts),
        )
        return self._document(body)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """The model of a document."""
        raw = migrate(document, kind=cls.kind, version=cls.version, migrations={})
        body = decode_body(LookupBody, raw, kind=cls.kind)
        symbols = Symbols.from_body(body.symbols, kind=cls.kind)
        sound = (
            len(body.lengths) == len(body.counts)
            and min(body.lengths) >= 0
            and sum(body.lengths) == len(body.sequences)
            and min(body.counts) >= 1
            and sum(body.counts) <= 2**53
            and min(body.sequences, default=0) >= 0
            and max(body.sequences, default=-1) < len(symbols.alphabet)
        )
        if not sound:
            raise DocumentError(
                "The lookup document is broken: its sequences do not fit together.", hint="Learn the model again."
            )
        return cls(
            symbols,
            cls._facts(body.facts),
            np.array(body.sequences, np.int64),
            np.concatenate([[0], np.cumsum(body.lengths)]).astype(np.int64),
            np.array(body.counts, np.int64),
        )


def _table(words: Encoded) -> tuple[Ints, Ints, Ints]:
    """Sequences (without end markers), offsets and counts; the most frequent first, then the first to be seen."""
    seen: dict[bytes, int] = {}
    ends = words.offsets.tolist()
    for a, b in pairwise(ends):
        key = words.symbols[a : b - 1].tobytes()
        seen[key] = seen.get(key, 0) + 1
    ranked = sorted(seen, key=lambda key: -seen[key])
    lengths = [len(key) // 8 for key in ranked]
    return (
        np.frombuffer(b"".join(ranked), np.int64).copy(),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.array([seen[key] for key in ranked], np.int64),
    )


def _table_bits(sequences: Ints, offsets: Ints, counts: Ints, letters: int) -> float:
    """Bits of the table: sequences with their end markers spelt out evenly, counts by the universal code."""
    spelt = (len(sequences) + len(offsets) - 1) * float(np.log2(letters + 1))
    return spelt + float(universal_integers(counts).sum())
