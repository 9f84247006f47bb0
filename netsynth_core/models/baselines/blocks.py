"""Bayesian networks on blocks of consecutive flows: IndependentBN and SequenceBN of the FlowChronicle paper.

`Independent` has one network over the columns of a single flow. `Sequential` cuts the table, in order of time, into
disjoint blocks of five flows, whatever hosts they are of, and has one network over the columns of all five; the flows
that are left at the end of the table have a network of their own. Columns, bins, structure learning and its score,
tables, delays, starts by time of day, values inside bins, rules and sampling are those of FlowChronicle, so that only
the patterns make the difference.

Differences from the published baselines: numbers are cut at quantiles and keep their tails instead of a mixture of 40
Gaussians below the 90th percentile and a uniform law above; parents are chosen by the codelength, at most three a cell;
time of day is an intensity instead of two more variables; the delay of each flow of a block may depend on its cells.
Blocks with a flow that cannot be are drawn again, as FlowChronicle's windows are; without that the shares of single
values are nearer to the data's and what depends on several columns is further off, for fewer metrics within the floor.
"""

import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from netsynth_core.errors import DocumentError, InvalidEdit, NotEnoughData
from netsynth_core.flows.table import FlowTable
from netsynth_core.models.baselines.params import IndependentParams, SequenceParams
from netsynth_core.models.bayesnet.structure import Structure
from netsynth_core.models.codelength import Codelength
from netsynth_core.models.document import Document, decode_body, migrate
from netsynth_core.models.edits import Edit
from netsynth_core.models.flowchronicle.columns import learn_columns
from netsynth_core.models.flowchronicle.generation import drawing
from netsynth_core.models.flowchronicle.learnt import EMPTY_ID, LearntPattern, learn_pattern, tail_shapes
from netsynth_core.models.flowchronicle.model import FlowChronicle
from netsynth_core.models.flowchronicle.params import FlowChronicleParams
from netsynth_core.models.flowchronicle.pattern import PartialFlow, Pattern
from netsynth_core.models.flowchronicle.solution import EMPTY_PATTERN, Placed, Scorer
from netsynth_core.models.flowchronicle.stored import index_flows
from netsynth_core.models.generator import Level, ModelCard
from netsynth_core.monitor import SILENT, Monitor

Ints = NDArray[np.int64]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    block: int = Field(ge=1, le=10)
    flowchronicle: int = Field(ge=1)
    """Version of `model`."""
    model: dict[str, Any]
    """Columns, networks and laws, as a FlowChronicle model of one pattern, or none, whose cells are all free."""


@dataclass(frozen=True, eq=False)
class _Blocks:
    """What both have in common."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    level: ClassVar[Level] = Level.FLOW
    edits: ClassVar[tuple[type[Edit], ...]] = ()

    inner: FlowChronicle
    """Its networks, as patterns without a cell."""
    block: int
    """Flows of a block."""
    seconds: float | None = None

    @classmethod
    def fit(
        cls, data: FlowTable, params: IndependentParams, *, rng: np.random.Generator, monitor: Monitor = SILENT
    ) -> Self:
        """Learn the networks. `rng` is not drawn from.

        Raises
        ------
        NotEnoughData
            When the table has no flow.
        """
        began = time.monotonic()
        if not len(data):
            raise NotEnoughData("There is no flow to learn from.", hint="Give a capture or flow table with flows.")
        block = params.block if isinstance(params, SequenceParams) else 1
        monitor.step("encoding flows", 0, len(data))
        columns = learn_columns(data, bins=params.bins)
        index = index_flows(columns, data)
        scorer = Scorer(index)
        whole = len(data) // block * block if block > 1 else 0
        windows = np.arange(whole, dtype=np.int64).reshape(-1, block)
        left = np.arange(whole, len(data), dtype=np.int64)[:, None]
        monitor.step("learning networks", 0, None)
        pattern = Pattern((PartialFlow(),) * block, _limits(index.ts, windows))
        placed = [_placed(pattern, windows, scorer)] if whole else []
        rest = _placed(EMPTY_PATTERN, left, scorer)
        span, shapes = (int(index.ts[0]), int(index.ts[-1])), tail_shapes(columns, index.numbers)

        def learnt(one: Placed, id_: str) -> LearntPattern:
            return learn_pattern(
                one, scorer, id_=id_, name="", saved_bits=0.0, span=span, columns=columns, shapes=shapes
            )

        everything = [*placed, rest]
        model_bits = sum(one.structure.model_bits for one in everything)
        data_bits = scorer.terms.common + sum(one.structure.data_bits for one in everything)
        unlinked = scorer.terms.common + sum(_without_edges(one, scorer).total for one in everything)
        inner = FlowChronicle.unmined(
            data,
            columns,
            index,
            empty=learnt(rest, EMPTY_ID),
            bits=Codelength(model_bits, data_bits, unlinked),
            parameters=FlowChronicleParams(bins=params.bins).model_dump(),
        )
        patterns = tuple(learnt(one, "p1") for one in placed)
        inner = replace(inner, patterns=patterns, training=None)
        return cls(inner, block, round(time.monotonic() - began, 3))

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host the model may draw."""
        return self.inner.hosts

    def sample(self, n: int, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> FlowTable:
        """Draw exactly `n` flows over the training span."""
        return self.inner.sample(n, rng=rng, monitor=monitor)

    def stream(
        self,
        n: int | None = None,
        duration: int | None = None,
        start: int | None = None,
        *,
        rng: np.random.Generator,
        monitor: Monitor = SILENT,
    ) -> Any:
        """Draw flows as tables of successive slices of time; see `FlowChronicle.stream`."""
        return self.inner.stream(n, duration, start, rng=rng, monitor=monitor)

    def describe(self) -> ModelCard:
        """The model card. The empty model is the same without edges."""
        inner = self.inner
        networks = [p.network for p in (*inner.patterns, inner.empty)]
        size = {
            "variables": sum(len(n.variables) for n in networks),
            "edges": sum(len(v.parents) for n in networks for v in n.variables),
            "blocks": sum(p.usage for p in inner.patterns) if self.block > 1 else inner.empty.usage,
        }
        parameters: dict[str, Any] = {"bins": inner.parameters["bins"]}
        if self.block > 1:
            parameters["block"] = self.block
        return ModelCard(
            kind=self.kind,
            level=self.level,
            codelength=inner.bits,
            size=size,
            trained_on=dict(inner.trained_on),
            parameters=parameters,
            seconds=self.seconds,
            warnings=inner.warnings,
            notes=(drawing.Drawer(inner).intensities.known.sentence(),),
        )

    def apply(self, edit: Edit) -> Self:
        """A baseline has nothing to edit.

        Raises
        ------
        InvalidEdit
            Always.
        """
        raise InvalidEdit(
            f"Models of the kind {self.kind} cannot be edited.", hint="Mine patterns with flowchronicle for that."
        )

    def to_document(self) -> Document:
        """The model as a document; it has no arrays."""
        inner = self.inner.to_document()
        body = {"block": self.block, "flowchronicle": inner.version, "model": inner.body}
        return Document(self.kind, self.version, self.describe().to_json(), body)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """The model of a document, every part checked."""
        raw = migrate(document, kind=cls.kind, version=cls.version, migrations={})
        body = decode_body(_Body, raw, kind=cls.kind)
        inner = FlowChronicle.from_document(Document(FlowChronicle.kind, body.flowchronicle, {}, body.model))
        blocks = [len(p.pattern) for p in inner.patterns]
        free = not any(p.pattern.covered for p in inner.patterns)
        if not free or blocks not in ([], [body.block] if body.block > 1 else []):
            raise DocumentError(
                f"The {cls.kind} document is broken: its network is not one over {body.block} free flows.",
                hint="Restore it from a copy, or learn the model again.",
            )
        seconds = document.card.get("seconds")
        return cls(inner, body.block, float(seconds) if isinstance(seconds, int | float) else None)


class Independent(_Blocks):
    """One Bayesian network over single flows, drawn independently of each other."""

    kind: ClassVar[Literal["independent"]] = "independent"


class Sequential(_Blocks):
    """One Bayesian network over blocks of five consecutive flows."""

    kind: ClassVar[Literal["sequence"]] = "sequence"


def _limits(ts: Ints, windows: Ints) -> tuple[int, ...]:
    """For each gap, the smallest limit that lets every delay through."""
    if not len(windows):
        return (0,) * int(windows.shape[1] - 1)
    longest: Ints = np.diff(ts[windows], axis=1).max(axis=0, initial=0) // 1000
    return tuple([int(delay).bit_length() for delay in longest])


def _placed(pattern: Pattern, windows: Ints, scorer: Scorer) -> Placed:
    """The blocks with a network learnt on them; which rows they are is known, so that saying so costs nothing."""
    codes, columns = scorer.window_codes(pattern, windows), _columns(pattern, scorer)
    return Placed(pattern, windows, scorer.terms.networks.learn(codes, columns), 0.0, 0.0)


def _without_edges(placed: Placed, scorer: Scorer) -> Structure:
    codes, columns = scorer.window_codes(placed.pattern, placed.windows), _columns(placed.pattern, scorer)
    return scorer.terms.networks.score(codes, columns, np.full_like(placed.structure.parents, -1))


def _columns(pattern: Pattern, scorer: Scorer) -> Ints:
    return np.array([c for _, c in pattern.free_cells(len(scorer.index.sizes))], np.int64)
