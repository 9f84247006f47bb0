"""Laws of delays and sizes by symbol alone, for models of the symbols (`hmm`, `lookup`), and words drawn with them."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from netsynth_core.errors import DocumentError, SchemaError
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.body import (
    Count,
    PartBody,
    ScaleBody,
    SizeCounts,
    SizePoints,
    law_from_body,
    law_to_body,
    size_from_body,
)
from netsynth_core.models.baselines.counting import delay_laws, size_laws
from netsynth_core.models.baselines.encoding import Encoded
from netsynth_core.models.baselines.pricing import background_shares, size_bits
from netsynth_core.models.baselines.rival import BY_SYMBOL, Facts, Rival, StrictBody, check_unit, facts_of
from netsynth_core.models.delays import LOG_CODES, PLAIN_CODES, DelayLaw, DelayScale, SizeLaw, SizeScale

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class SymbolBody(StrictBody):
    """One symbol as a document holds it."""

    name: str = Field(max_length=500)
    count: Count
    delay: list[PartBody]
    size: SizeCounts | None


class SymbolsBody(StrictBody):
    """All symbols as a document holds them."""

    scale: ScaleBody
    size_points: SizePoints | None
    words: int = Field(ge=1, le=2**53)
    symbols: list[SymbolBody] = Field(max_length=100_000)


@dataclass(frozen=True, eq=False)
class Symbols:
    """The symbols of the training words with their counts and laws."""

    alphabet: tuple[str, ...]
    counts: tuple[int, ...]
    """How often each occurs."""
    delays: tuple[DelayLaw, ...]
    sizes: tuple[SizeLaw, ...] | None
    """None when the words hold no payload sizes."""
    scale: DelayScale
    size_scale: SizeScale | None
    words: int
    """Training words."""

    @classmethod
    def of(cls, words: Encoded) -> Self:
        """Count symbols and fit their laws."""
        spoken = words.symbols != words.end
        rows, letters = words.symbols[spoken], words.end
        delays = delay_laws(rows, words.delays[spoken], letters, words.scale)
        size_codes = 0 if words.size_scale is None else words.size_scale.codes
        sizes = size_laws(rows, words.sizes[spoken], letters, size_codes)
        return cls(
            words.alphabet,
            tuple(np.bincount(rows, minlength=letters).tolist()),
            tuple(delays[a] for a in range(letters)),
            None if words.size_scale is None else tuple(sizes[a] for a in range(letters)),
            words.scale,
            words.size_scale,
            len(words),
        )

    @cached_property
    def background(self) -> Floats:
        """P(symbol) of the symbols, the end marker and, last, all that were never seen."""
        return background_shares(np.array([*self.counts, self.words], np.int64))

    def delay_bits(self, words: Words) -> Floats:
        """Bits of the delays of each word, by symbol; evenly for symbols never seen."""
        tables = np.array([*(law.bits for law in self.delays), np.full(self.scale.codes, np.log2(self.scale.codes))])
        code = {name: a for a, name in enumerate(self.alphabet)}
        row = np.array([code.get(name, len(self.alphabet)) for name in words.alphabet] or [0], np.int64)
        coded = self.scale.encode(words.delays)
        return _sums(np.asarray(tables[row[words.symbols], coded], np.float64), words)

    def background_bits(self, words: Words) -> Floats:
        """Bits of the symbols and the end of each word when every symbol is drawn by its share."""
        code = {name: a for a, name in enumerate(self.alphabet)}
        row = np.array([code.get(name, len(self.alphabet) + 1) for name in words.alphabet] or [0], np.int64)
        price = -np.log2(self.background)
        return np.asarray(_sums(price[row[words.symbols]], words) + price[len(self.alphabet)], np.float64)

    def timed(self, symbols: Ints, offsets: Ints, *, rng: np.random.Generator, service: str, state: str) -> Words:
        """Words of symbol codes without end markers, delays and sizes drawn for them."""
        delays, sizes = np.zeros((2, len(symbols)), np.int32)
        order = np.argsort(symbols, kind="stable")
        bounds = np.searchsorted(symbols[order], np.arange(len(self.alphabet) + 1))
        for a, law in enumerate(self.delays):
            rows = order[bounds[a] : bounds[a + 1]]
            if len(rows):
                delays[rows] = law.sample(len(rows), rng=rng)
                if self.sizes is not None:
                    sizes[rows] = self.sizes[a].sample(len(rows), rng=rng)
        return Words(
            alphabet=self.alphabet,
            symbols=symbols.astype(np.int32),
            delays=self.scale.decode(delays, rng=rng),
            offsets=np.asarray(offsets, np.int64),
            sizes=None if self.size_scale is None else self.size_scale.decode(sizes, rng=rng),
            unit=self.scale.unit,
            service=service,
            state=state,
        )

    @property
    def size_bits(self) -> float:
        """Bits of the payload sizes of the training words."""
        return size_bits(self.sizes or ())

    @property
    def model_bits(self) -> float:
        """Bits of the delay laws."""
        return sum(law.parameter_bits(count) for law, count in zip(self.delays, self.counts, strict=True))

    def to_body(self) -> SymbolsBody:
        """The symbols as a document holds them."""
        sizes: tuple[SizeLaw | None, ...] = self.sizes or (None,) * len(self.alphabet)
        return SymbolsBody(
            scale=ScaleBody(unit=self.scale.unit, kind=self.scale.kind),
            size_points=None if self.size_scale is None else list(self.size_scale.points),
            words=self.words,
            symbols=[
                SymbolBody(
                    name=name, count=count, delay=law_to_body(law), size=None if size is None else list(size.counts)
                )
                for name, count, law, size in zip(self.alphabet, self.counts, self.delays, sizes, strict=True)
            ],
        )

    @classmethod
    def from_body(cls, body: SymbolsBody, *, kind: str) -> Self:
        """The symbols of a document.

        Raises
        ------
        DocumentError
            When they do not fit together.
        """
        codes = LOG_CODES if body.scale.kind == "decibel" else PLAIN_CODES
        names = tuple(symbol.name for symbol in body.symbols)
        size_scale = None if body.size_points is None else SizeScale(tuple(sorted(set(body.size_points))))
        sizes = [symbol.size for symbol in body.symbols]
        if len(set(names)) != len(names) or any((size is None) != (size_scale is None) for size in sizes):
            raise DocumentError(
                f"The {kind} document is broken: its symbols repeat, or lack sizes.", hint="Learn the model again."
            )
        try:
            delays = tuple(law_from_body(symbol.delay, codes) for symbol in body.symbols)
        except SchemaError as error:
            raise DocumentError(f"The {kind} document is broken: {error.message}", hint=error.hint) from error
        return cls(
            names,
            tuple(symbol.count for symbol in body.symbols),
            delays,
            None
            if size_scale is None
            else tuple(size_from_body(size, size_scale.codes) for size in sizes if size is not None),
            DelayScale(body.scale.unit, body.scale.kind),
            size_scale,
            body.words,
        )


def _sums(values: Floats, words: Words) -> Floats:
    """The sum of the values of each word's symbols."""
    running = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(running[words.offsets[1:]] - running[words.offsets[:-1]], np.float64)


def mixed_bits(one: Floats, other: Floats, weight: float) -> Floats:
    """-log2 of ``(1 - weight) 2**-one + weight 2**-other``; `one` may be infinite."""
    first, second = -one + np.log2(1.0 - weight), -other + np.log2(weight)
    mixed: Floats = np.maximum(-np.logaddexp2(first, second), 0.0)
    return mixed


@dataclass(frozen=True, eq=False)
class SymbolRival(Rival):
    """A learner of sequences whose delays and payload sizes are those of each symbol."""

    notes: ClassVar[tuple[str, ...]] = (BY_SYMBOL,)

    symbols: Symbols
    facts: Facts

    @property
    def unit(self) -> str:
        """Unit of the delays of sampled words: that of the training words."""
        return self.symbols.scale.unit

    @abstractmethod
    def _event_bits(self, words: Words) -> Floats:
        """Bits of the events of each word."""

    def word_bits(self, words: Words, *, timed: bool = True) -> Floats:
        """Bits of the events of each word, and when `timed` of the delays; sizes are not priced.

        Raises
        ------
        SchemaError
            When the delays are priced and in another unit than those learnt from.
        """
        bits = self._event_bits(words)
        if timed:
            check_unit(words, self.unit)
            bits = bits + self.symbols.delay_bits(words)
        return bits

    def _priced(self, data: Words, words: Encoded, *, model: float, warnings: tuple[str, ...] = ()) -> Self:
        """The same with its codelength on the words it learnt from, `model` bits of it those of the model."""
        facts = facts_of(
            data,
            words,
            self.facts.params,
            model=model,
            described=float(self.word_bits(data).sum()),
            sizes=self.symbols.size_bits,
            warnings=warnings,
        )
        return replace(self, facts=facts)
