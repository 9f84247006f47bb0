"""What the learners beside TADAM have in common: facts of the fit, the card, and automata as their documents hold them.

`Rival` is the base of all, `AutomatonRival` of those whose result is a timed automaton (`tag`, `rti`, `markov`), and
`SymbolRival` (`netsynth_core.models.baselines.symbols`) of those that price delays by symbol (`hmm`, `lookup`). A guard
is held as the law of the delays seen behind it: it has a floor, so that every delay keeps a probability; samples stay
between the delays seen.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from netsynth_core.errors import DocumentError, InvalidEdit, InvalidParameter, SchemaError
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.body import AutomatonBody, automaton_from_body, automaton_to_body
from netsynth_core.models.automata.running import sample_words
from netsynth_core.models.baselines.counting import automaton_bits
from netsynth_core.models.baselines.encoding import Encoded, spelt_bits
from netsynth_core.models.baselines.pricing import automaton_word_bits, size_bits
from netsynth_core.models.codelength import Codelength
from netsynth_core.models.document import Document, decode_body, migrate
from netsynth_core.models.edits import Edit
from netsynth_core.models.generator import Level, ModelCard
from netsynth_core.models.params import Params
from netsynth_core.monitor import SILENT, Monitor

BY_SYMBOL = "Delays and payload sizes depend on the symbol alone."
PRICED = (
    "The codelength prices events, delays and, where the words hold them, payload sizes, as that of every learner "
    "does; bits of single conversations are those of events and delays."
)
LONGER = "The model is longer than the words sent without one: it learnt the words rather than a rule."


@dataclass(frozen=True)
class Facts:
    """What a fit says besides the model itself."""

    params: Params
    codelength: Codelength
    service: str
    """Service of the words it learnt from; empty when unknown."""
    state: str
    """Connection state of the words; empty when unknown."""
    trained_on: dict[str, Any]
    warnings: tuple[str, ...] = ()


class StrictBody(BaseModel):
    """Base of what documents hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BitsBody(StrictBody):
    """The codelength on the training words."""

    model: float
    data: float
    empty: float


class FactsBody(StrictBody):
    """Facts as a document holds them."""

    parameters: dict[str, str | int | float | bool | None]
    codelength: BitsBody
    service: str = Field(max_length=200)
    state: str = Field(max_length=200)
    trained_on: dict[str, str | int | float | None]
    warnings: list[str]


class AutomatonRivalBody(StrictBody):
    """Version 1 of the documents of automata."""

    automaton: AutomatonBody
    facts: FactsBody


def facts_of(
    data: Words,
    words: Encoded,
    params: Params,
    *,
    model: float,
    described: float,
    sizes: float,
    warnings: tuple[str, ...] = (),
) -> Facts:
    """The facts of a fit.

    Parameters
    ----------
    model, described
        Bits of the model, and of events and delays of the training words given it.
    sizes
        Bits of their payload sizes.
    """
    bits = Codelength(model, described + sizes, spelt_bits(words))
    said = (*warnings, LONGER) if bits.total > bits.empty else warnings
    return Facts(params, bits, data.service, data.state, data.summary(), said)


def facts_to_body(facts: Facts) -> FactsBody:
    """Facts as a document holds them."""
    bits = facts.codelength
    return FactsBody(
        parameters=facts.params.model_dump(mode="json"),
        codelength=BitsBody(model=bits.model, data=bits.data, empty=bits.empty),
        service=facts.service,
        state=facts.state,
        trained_on=facts.trained_on,
        warnings=list(facts.warnings),
    )


def facts_from_body(body: FactsBody, schema: type[Params], *, kind: str) -> Facts:
    """The facts of a document.

    Raises
    ------
    DocumentError
        When a parameter does not fit.
    """
    try:
        params = schema.checked(dict(body.parameters))
    except InvalidParameter as error:
        raise DocumentError(f"The {kind} document is broken: {error.message}", hint=error.hint) from error
    bits = Codelength(body.codelength.model, body.codelength.data, body.codelength.empty)
    return Facts(params, bits, body.service, body.state, dict(body.trained_on), tuple(body.warnings))


def check_unit(words: Words, unit: str) -> None:
    """Refuse to price words whose delays are in another unit than those learnt from.

    Raises
    ------
    SchemaError
        When they are.
    """
    if len(words) and words.unit != unit:
        raise SchemaError(
            f"The words have delays in {words.unit or 'an unknown unit'}; the model was learnt from "
            f"{unit or 'an unknown unit'}.",
            hint="Convert the delays, or learn a model from words of this unit.",
        )


class Rival(ABC):
    """What every kind of them is and can; its data are those of the kinds."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    level: ClassVar[Level] = Level.PACKET
    edits: ClassVar[tuple[type[Edit], ...]] = ()
    schema: ClassVar[type[Params]]
    notes: ClassVar[tuple[str, ...]] = ()

    facts: Facts

    @property
    def service(self) -> str:
        """Service of the words it learnt from; empty when unknown."""
        return self.facts.service

    @property
    def state(self) -> str:
        """Connection state of the words; empty when unknown."""
        return self.facts.state

    @property
    @abstractmethod
    def _size(self) -> dict[str, int]:
        """Figures of size for the card."""

    def describe(self) -> ModelCard:
        """Size, codelength, and what is priced."""
        return ModelCard(
            kind=self.kind,
            level=self.level,
            codelength=self.facts.codelength,
            size=self._size,
            trained_on=self.facts.trained_on,
            parameters=self.facts.params.model_dump(mode="json"),
            warnings=self.facts.warnings,
            notes=(*self.notes, PRICED),
        )

    def apply(self, edit: Edit) -> Self:
        """Nothing of it can be edited.

        Raises
        ------
        InvalidEdit
            Always.
        """
        raise InvalidEdit(
            f"Models of the kind {self.kind} cannot be edited ({edit.op}).",
            hint="Learn tadam: its automata can be edited.",
        )

    def _document(self, body: BaseModel) -> Document:
        return Document(self.kind, self.version, self.describe().to_json(), body.model_dump(mode="json"))

    @classmethod
    def _facts(cls, body: FactsBody) -> Facts:
        return facts_from_body(body, cls.schema, kind=cls.kind)


@dataclass(frozen=True, eq=False)
class AutomatonRival(Rival):
    """A learnt timed automaton without a model of noise."""

    automaton: TimedAutomaton
    facts: Facts

    @property
    def unit(self) -> str:
        """Unit of the delays of sampled words: that of the training words."""
        return self.automaton.scale.unit

    @classmethod
    def _made(
        cls, automaton: TimedAutomaton, data: Words, words: Encoded, params: Params, warnings: tuple[str, ...] = ()
    ) -> Self:
        described = float(automaton_word_bits(automaton, data).sum())
        facts = facts_of(
            data,
            words,
            params,
            model=automaton_bits(automaton),
            described=described,
            sizes=size_bits(t.size for t in automaton.transitions),
            warnings=warnings,
        )
        return cls(automaton, facts)

    def word_bits(self, words: Words, *, timed: bool = True) -> NDArray[np.float64]:
        """Bits of the events of each word, over all paths, and when `timed` of the delays; sizes are not priced.

        Raises
        ------
        SchemaError
            When the delays are priced and in another unit than those learnt from.
        """
        if timed:
            check_unit(words, self.unit)
        return automaton_word_bits(self.automaton, words, timed=timed)

    def sample(self, n: int, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Words:
        """Draw `n` words: delays in the unit of the training words, sizes when those had sizes."""
        return sample_words(self.automaton, n, rng=rng, monitor=monitor, service=self.service, state=self.state)

    @property
    def _size(self) -> dict[str, int]:
        return {"locations": len(self.automaton.locations), "transitions": len(self.automaton.transitions)}

    def to_document(self) -> Document:
        """The model as a document."""
        return self._document(
            AutomatonRivalBody(automaton=automaton_to_body(self.automaton), facts=facts_to_body(self.facts))
        )

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """The model of a document."""
        raw = migrate(document, kind=cls.kind, version=cls.version, migrations={})
        body = decode_body(AutomatonRivalBody, raw, kind=cls.kind)
        return cls(automaton_from_body(body.automaton), cls._facts(body.facts))
