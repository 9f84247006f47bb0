"""The one interface of everything that is fitted and sampled.

A generator of level ``flow`` learns from and makes a `FlowTable`; one of level ``packet``, `Words`.
It is a frozen value: `fit` returns a fitted model, `apply` returns another one, nothing is changed in place.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.codelength import Codelength
from netsynth_core.monitor import SILENT, Monitor

if TYPE_CHECKING:
    from netsynth_core.flows.words import Words
    from netsynth_core.models.document import Document
    from netsynth_core.models.edits import Edit


class Level(StrEnum):
    """What a generator learns from and makes."""

    FLOW = "flow"
    PACKET = "packet"


@dataclass(frozen=True)
class ModelCard:
    """What a model is, in figures and words; stored in its document and printed by ``netsynth show``."""

    kind: str
    level: Level
    codelength: Codelength
    """Bits of the model as it is now, and of the empty model on the same data."""
    size: dict[str, int]
    """Figures of size, such as patterns and multi_flow_patterns, or locations and transitions."""
    trained_on: dict[str, Any]
    """What it learnt from: rows or words, span, names, content hash; JSON-able."""
    parameters: dict[str, Any]
    seed: int | None = None
    seconds: float | None = None
    warnings: tuple[str, ...] = field(default_factory=tuple)
    """Sentences for a person, such as that the search was stopped early."""
    notes: tuple[str, ...] = field(default_factory=tuple)
    """What else a person should know, such as what is inferred from what; nothing of it is wrong."""

    def to_json(self) -> dict[str, Any]:
        """The card of a document, which says kind and version itself; seed and seconds only where they are known."""
        told = {name: value for name in ("seed", "seconds") if (value := getattr(self, name)) is not None}
        return {
            "codelength": self.codelength.to_json(),
            "size": self.size,
            "trained_on": self.trained_on,
            "parameters": self.parameters,
            **told,
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }


Data = TypeVar("Data", contravariant=True)
Parameters = TypeVar("Parameters", contravariant=True)
Sample = TypeVar("Sample", covariant=True)


class Generator(Protocol[Data, Parameters, Sample]):
    """A fitted model that can be sampled, described, edited and stored."""

    kind: ClassVar[str]
    version: ClassVar[int]
    level: ClassVar[Level]
    edits: ClassVar[tuple[type["Edit"], ...]]

    @classmethod
    def fit(cls, data: Data, params: Parameters, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Self:
        """Learn a model.

        Raises
        ------
        NotEnoughData
            When nothing can be learnt from `data`.
        """
        ...

    def sample(self, n: int, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> Sample:
        """Draw `n` flows or words; the same generator state gives the same bytes."""
        ...

    def describe(self) -> ModelCard:
        """Size, codelength, training data, parameters and warnings."""
        ...

    def apply(self, edit: "Edit") -> Self:
        """A new model with one edit done.

        Raises
        ------
        InvalidEdit
            When the edit is not of this kind, names something that is not there, or breaks an invariant.
        """
        ...

    def to_document(self) -> "Document":
        """The model as a versioned document."""
        ...

    @classmethod
    def from_document(cls, document: "Document") -> Self:
        """The model of a document.

        Raises
        ------
        DocumentError
            When the document is broken, of another kind, or of a newer version.
        """
        ...


@runtime_checkable
class Describing(Protocol):
    """A fitted generator of words that prices them: the contract of every kind of level ``packet``."""

    def word_bits(self, words: "Words") -> NDArray[np.float64]:
        """Bits that describe each word, as float64 of one value a word.

        A value is finite and >= 0: -log2 of a probability (or of a part of one) over all words, with their
        delays where the kind models them, so that 2**-bits over all words sums to at most one. Symbols are
        matched by name; a share is kept for those that the model never saw, whose words have a price too.
        """
        ...
