"""The TADAM generator: a timed automaton with its noise model, as a frozen value that can be sampled and stored."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.payloads import PayloadModels
from netsynth_core.models.automata.running import sample_words
from netsynth_core.models.codelength import Codelength
from netsynth_core.models.document import Document, decode_body, migrate
from netsynth_core.models.edits import Edit, EditEffect
from netsynth_core.models.generator import Level, ModelCard
from netsynth_core.models.tadam.body import MIGRATIONS, TadamBody, from_body, to_body
from netsynth_core.models.tadam.data import Observations
from netsynth_core.models.tadam.edits import MergeLocations, PruneTransition, RenameLocation
from netsynth_core.models.tadam.noise import Alignment, NoiseModel
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.monitor import SILENT, Monitor

if TYPE_CHECKING:
    from netsynth_core.models.tadam.editing import Outcome


@dataclass(frozen=True, eq=False)
class Tadam:
    """A probabilistic timed automaton learnt from timed words."""

    kind: ClassVar[str] = "tadam"
    version: ClassVar[int] = 2
    level: ClassVar[Level] = Level.PACKET
    edits: ClassVar[tuple[type[Edit], ...]] = (PruneTransition, MergeLocations, RenameLocation)

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
    payloads: PayloadModels | None = None
    """What the packets of each transition carry; None when it was learnt without packets."""

    @property
    def unit(self) -> str:
        """Unit of the delays of sampled words: that of the training words."""
        return self.automaton.scale.unit

    @classmethod
    def fit(cls, data: Words, params: TadamParams, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Self:
        """Learn an automaton from words; nothing is drawn, so `rng` only serves the common interface.

        Raises
        ------
        NotEnoughData
            When there is no word.
        """
        from netsynth_core.models.tadam.learner import learn

        learnt = learn(data, params, monitor)
        return cls(
            automaton=learnt.automaton,
            noise=learnt.noise,
            params=params,
            codelength=learnt.codelength,
            service=data.service,
            state=data.state,
            trained_on=data.summary(),
            observations=learnt.observations,
            warnings=learnt.warnings,
        )

    def align(self, words: Words) -> list[Alignment]:
        """The cheapest explanation of each word; symbols unknown to the automaton count as additions.

        Raises
        ------
        SchemaError
            When the words are in another unit than the training words.
        """
        from netsynth_core.models.tadam.explain import explain_words

        return explain_words(self.automaton, self.noise, self.params, words)

    def word_bits(self, words: Words, *, timed: bool = True) -> NDArray[np.float64]:
        """Bits of the cheapest explanation of each word, noise included; of symbols alone without `timed`.

        Unknown symbols are additions, all of one class of their own.

        Raises
        ------
        SchemaError
            When the words are in another unit than the training words.
        """
        from netsynth_core.models.tadam.surprise import word_bits

        return word_bits(self, words, timed=timed)

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
        """A new model with one edit done: the training words are aligned again, counts, laws and bits follow.

        Raises
        ------
        InvalidEdit
            When the edit names something that is not there, would leave no run, or the training words are gone.
        """
        return self._edited(edit).model

    def preview(self, edit: Edit) -> EditEffect:
        """What an edit would do, in bits and sentences."""
        return self._edited(edit).effect

    def changed_words(self, edit: Edit) -> NDArray[np.int64]:
        """The training words (positions) whose explanation an edit would change."""
        return self._edited(edit).words

    def transition_delays(self, id: str) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Delays of a transition as seen in the training words and as its law has them.

        Returns
        -------
        codes, counts, probabilities
            Codes of the delay scale from the first to the last that matters, how often each was seen, P(code).

        Raises
        ------
        InvalidEdit
            When there is no such transition, or it has no delays, or the training words are gone.
        """
        from netsynth_core.models.tadam.explain import seen_delays

        return seen_delays(self.automaton, self.noise, self.params, self.observations, id)

    def _edited(self, edit: Edit) -> "Outcome[Self]":
        from netsynth_core.models.tadam.editing import carry_out

        return carry_out(self, edit)

    def to_document(self) -> Document:
        """The model as a document; the training words are its arrays."""
        return Document(
            kind=self.kind,
            version=self.version,
            card=self.describe().to_json(),
            body=to_body(self).model_dump(mode="json"),
            arrays=(
                ({} if self.observations is None else self.observations.to_arrays())
                | ({} if self.payloads is None else self.payloads.to_arrays())
            ),
        )

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """The model of a document."""
        body = decode_body(
            TadamBody, migrate(document, kind=cls.kind, version=cls.version, migrations=MIGRATIONS), kind=cls.kind
        )
        parts = from_body(body)
        automaton = parts["automaton"]
        arrays = {name: array for name, array in document.arrays.items() if not name.startswith("payload_")}
        observations = Observations.from_arrays(
            arrays,
            symbols=len(automaton.alphabet),
            delays=automaton.scale.codes,
            sizes=1 if automaton.size_scale is None else automaton.size_scale.codes,
        )
        payloads = PayloadModels.from_arrays(document.arrays)
        return replace(cls(**parts), observations=observations, payloads=payloads)
