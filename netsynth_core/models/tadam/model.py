"""The TADAM generator: a timed automaton with its noise model, as a frozen value that can be sampled and stored."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from netsynth_core.errors import InvalidEdit, NotEnoughData
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.running import sample_words
from netsynth_core.models.codelength import Codelength
from netsynth_core.models.delays import DelayLaw, DelayScale, SizeScale
from netsynth_core.models.document import Document, decode_body, migrate
from netsynth_core.models.edits import Edit
from netsynth_core.models.generator import Level, ModelCard
from netsynth_core.models.tadam.body import TadamBody, from_body, to_body
from netsynth_core.models.tadam.data import Observations, deduplicate, encode_words
from netsynth_core.models.tadam.noise import NoiseModel
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.models.tadam.structure import markov_chain, to_automaton
from netsynth_core.monitor import SILENT, Monitor


@dataclass(frozen=True, eq=False)
class Tadam:
    """A probabilistic timed automaton learnt from timed words."""

    kind: ClassVar[str] = "tadam"
    version: ClassVar[int] = 1
    level: ClassVar[Level] = Level.PACKET
    edits: ClassVar[tuple[type[Edit], ...]] = ()

    automaton: TimedAutomaton
    noise: NoiseModel
    params: TadamParams
    codelength: Codelength
    service: str
    """Service of the words it learnt from; empty when unknown."""
    state: str
    """Connection state of the words; empty when unknown."""
    trained_on: dict[str, Any]
    observations: Observations | None = None
    """Encoded training words; None when the document came without its arrays: then edits are refused."""
    warnings: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """Unit of the delays of sampled words: that of the training words."""
        return self.automaton.scale.unit

    @classmethod
    def fit(cls, data: Words, params: TadamParams, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Self:
        """Learn an automaton."""
        if len(data) == 0:
            raise NotEnoughData("There is no word to learn from.", hint="Give at least one conversation.")
        used = np.unique(data.symbols)
        alphabet = tuple(sorted(data.alphabet[i] for i in used))
        scale = DelayScale.of(data.unit, int(data.delays.max(initial=0)))
        size_scale = None if data.sizes is None else SizeScale.of(data.sizes)
        observations = deduplicate(encode_words(data, alphabet, scale, size_scale))
        size_codes = 1 if size_scale is None else size_scale.codes
        structure, usage = markov_chain(observations, alphabet, delay_codes=scale.codes, size_codes=size_codes)
        automaton = to_automaton(structure, usage, None, alphabet=alphabet, scale=scale, size_scale=size_scale)
        uniform = DelayLaw((), scale.codes)
        noise = NoiseModel(len(data.symbols) + len(data), 0, 0, 0, 0, uniform, uniform, len(data), 0)
        return cls(
            automaton=automaton,
            noise=noise,
            params=params,
            codelength=Codelength(0.0, 0.0, 0.0),
            service=data.service,
            state=data.state,
            trained_on={
                "service": data.service,
                "state": data.state,
                "unit": data.unit,
                "words": len(data),
                "symbols": len(data.symbols),
            },
            observations=observations,
        )

    def sample(self, n: int, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Words:
        """Draw `n` words without noise: delays in the unit of the training words, sizes when those had sizes."""
        return sample_words(self.automaton, n, rng=rng, monitor=monitor, service=self.service, state=self.state)

    def describe(self) -> ModelCard:
        """Locations, transitions, noise, codelength."""
        return ModelCard(
            kind=self.kind,
            level=self.level,
            codelength=self.codelength,
            size={
                "locations": len(self.automaton.locations),
                "transitions": len(self.automaton.transitions),
                "noisy_words": self.noise.noisy,
                "rejected_words": self.noise.rejected,
                "deletions": self.noise.missing,
                "re_emissions": self.noise.duplicates,
                "transpositions": self.noise.swaps,
                "additions": self.noise.additions,
            },
            trained_on=self.trained_on,
            parameters=self.params.model_dump(mode="json"),
            warnings=self.warnings,
        )

    def apply(self, edit: Edit) -> Self:
        """A new model with one edit done."""
        raise InvalidEdit(f"There is no edit {edit.op!r} for this model.", hint="Its edits are: none.")

    def to_document(self) -> Document:
        """The model as a document; the training words are its arrays."""
        card = self.describe()
        return Document(
            kind=self.kind,
            version=self.version,
            card={
                "size": card.size,
                "codelength": card.codelength.to_json(),
                "trained_on": card.trained_on,
                "parameters": card.parameters,
                "warnings": list(card.warnings),
            },
            body=to_body(self).model_dump(mode="json"),
            arrays={} if self.observations is None else self.observations.to_arrays(),
        )

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """The model of a document."""
        body = decode_body(
            TadamBody, migrate(document, kind=cls.kind, version=cls.version, migrations={}), kind=cls.kind
        )
        parts = from_body(body)
        automaton = parts["automaton"]
        observations = Observations.from_arrays(
            document.arrays,
            symbols=len(automaton.alphabet),
            delays=automaton.scale.codes,
            sizes=1 if automaton.size_scale is None else automaton.size_scale.codes,
        )
        return replace(cls(**parts), observations=observations)
