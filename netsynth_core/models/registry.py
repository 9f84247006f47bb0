"""All kinds of generators, by name; a kind's module is imported when it is first asked for."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from netsynth_core.errors import DocumentError, InvalidParameter, MissingExtra
from netsynth_core.models.generator import Generator, Level
from netsynth_core.models.params import Params

if TYPE_CHECKING:
    from netsynth_core.models.document import Document


@dataclass(frozen=True)
class Kind:
    """One registered kind."""

    name: str
    level: Level
    module: str
    model: str
    params: str
    summary: str
    source: str
    """Paper or system it comes from."""
    extra: str = ""
    """Optional dependency group it needs; empty = none."""
    stops: bool = False
    """Whether its search may be ended early and keeps the best so far (`monitor.stopping`)."""

    def _load(self, name: str) -> Any:
        try:
            return getattr(import_module(self.module), name)
        except ImportError as error:
            if not self.extra:
                raise
            raise MissingExtra(
                f"{self.name} needs a package that is not installed: {error.name}.",
                hint=f"Install it with: pip install 'netsynth[{self.extra}]'.",
            ) from error

    def model_class(self) -> type[Generator[Any, Any, Any]]:
        """The generator class."""
        loaded: type[Generator[Any, Any, Any]] = self._load(self.model)
        return loaded

    def params_class(self) -> type[Params]:
        """The class of its parameters."""
        loaded: type[Params] = self._load(self.params)
        return loaded


_KINDS = (
    Kind(
        "flowchronicle",
        Level.FLOW,
        "netsynth_core.models.flowchronicle",
        "FlowChronicle",
        "FlowChronicleParams",
        "Flow patterns by MDL, each with a Bayesian network over its free cells.",
        "FlowChronicle, CoNEXT 2024",
        stops=True,
    ),
    Kind(
        "independent",
        Level.FLOW,
        "netsynth_core.models.baselines",
        "Independent",
        "IndependentParams",
        "Bayesian network on single flows, drawn independently; a baseline.",
        "IndependentBN of FlowChronicle, CoNEXT 2024",
    ),
    Kind(
        "sequence",
        Level.FLOW,
        "netsynth_core.models.baselines",
        "Sequential",
        "SequenceParams",
        "Bayesian network on blocks of five consecutive flows; a baseline.",
        "SequenceBN of FlowChronicle, CoNEXT 2024",
    ),
    Kind(
        "tadam",
        Level.PACKET,
        "netsynth_core.models.tadam",
        "Tadam",
        "TadamParams",
        "Probabilistic timed automaton by MDL, with a model of noise.",
        "TADAM, SDM 2025",
        stops=True,
    ),
    Kind(
        "tag",
        Level.PACKET,
        "netsynth_core.models.baselines",
        "Tag",
        "TagParams",
        "Timed automaton by merging what can be followed alike, split by delay; a baseline.",
        "TAG, AAAI 2022",
        stops=True,
    ),
    Kind(
        "rti",
        Level.PACKET,
        "netsynth_core.models.baselines",
        "Rti",
        "RtiParams",
        "Timed automaton by likelihood-ratio tests of splits and merges; a baseline.",
        "RTI+, ICGI 2010",
        stops=True,
    ),
    Kind(
        "hmm",
        Level.PACKET,
        "netsynth_core.models.baselines",
        "Hmm",
        "HmmParams",
        "Hidden Markov model of the symbols with an end; a baseline.",
        "Baum-Welch, by hmmlearn",
        stops=True,
    ),
    Kind(
        "markov",
        Level.PACKET,
        "netsynth_core.models.baselines",
        "Markov",
        "MarkovParams",
        "First-order chain of symbols with an end marker; a baseline.",
        "Markov 1913",
    ),
    Kind(
        "lookup",
        Level.PACKET,
        "netsynth_core.models.baselines",
        "Lookup",
        "LookupParams",
        "The sequences of symbols seen, with how often; a baseline.",
        "Table of the training words",
    ),
)


def kinds() -> tuple[Kind, ...]:
    """Every registered kind, in the order shown to people."""
    return _KINDS


def get_kind(name: str) -> Kind:
    """The kind of that name.

    Raises
    ------
    InvalidParameter
        When there is none.
    """
    for kind in _KINDS:
        if kind.name == name:
            return kind
    raise InvalidParameter(
        f"There is no kind of model {name!r}.", hint=f"The kinds are: {', '.join(k.name for k in _KINDS)}."
    )


def load_model(document: "Document") -> Generator[Any, Any, Any]:
    """The model of a document of any registered kind."""
    if all(kind.name != document.kind for kind in _KINDS):
        raise DocumentError(
            f"The document holds a model of the unknown kind {document.kind[:60]!r}.",
            hint="Update netsynth, or name a model it wrote.",
        )
    return get_kind(document.kind).model_class().from_document(document)
