"""FlowChronicle: the fitted model. Fitting, sampling, windows, edits and documents.

A model is a value. It carries its training flows (encoded) when it has them: edits count and score on them anew.
Without them it still samples, shows and covers other flows.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import InvalidEdit, InvalidParameter, NotEnoughData
from netsynth_core.files import content_hash
from netsynth_core.flows.table import FlowTable
from netsynth_core.models.codelength import Codelength
from netsynth_core.models.document import Document
from netsynth_core.models.edits import Edit, EditEffect
from netsynth_core.models.flowchronicle.columns import Column, learn_columns
from netsynth_core.models.flowchronicle.cover import Cover, cover_key, match
from netsynth_core.models.flowchronicle.describe import CellView, cell_views, pattern_sentence, worth_words
from netsynth_core.models.flowchronicle.edits import (
    AddPattern,
    DropPattern,
    EditCell,
    MergePatterns,
    RenamePattern,
    RestorePattern,
    SetGap,
    SetWeight,
    SplitPattern,
)
from netsynth_core.models.flowchronicle.generation import drawing
from netsynth_core.models.flowchronicle.generation.chains import Link
from netsynth_core.models.flowchronicle.generation.machines import learn_machines
from netsynth_core.models.flowchronicle.generation.values import learn_together
from netsynth_core.models.flowchronicle.generation.words import timing_notes
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.learnt import (
    EMPTY_ID,
    LearntPattern,
    empty_placed,
    learn_pattern,
    tail_shapes,
)
from netsynth_core.models.flowchronicle.length import resolution
from netsynth_core.models.flowchronicle.length_published import learn_published_columns
from netsynth_core.models.flowchronicle.params import FlowChronicleParams
from netsynth_core.models.flowchronicle.pattern import Pattern
from netsynth_core.models.flowchronicle.privacy import privacy_notes
from netsynth_core.models.flowchronicle.repair import Rules, SourcePorts, learn_rules, learn_source_ports
from netsynth_core.models.flowchronicle.score import score_of
from netsynth_core.models.flowchronicle.solution import Placed, Scorer, Solution, without
from netsynth_core.models.flowchronicle.stored import hosts_of, index_flows, stored_parts, to_document
from netsynth_core.models.flowchronicle.support import Support, learn_support
from netsynth_core.models.flowchronicle.timing import in_time, links_between
from netsynth_core.models.generator import Level, ModelCard
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.units import count


@dataclass(frozen=True, eq=False)
class FlowChronicle:
    """Flow patterns, each with a Bayesian network over its free cells (FlowChronicle, CoNEXT 2024)."""

    kind: ClassVar[str] = "flowchronicle"
    version: ClassVar[int] = 3
    level: ClassVar[Level] = Level.FLOW
    edits: ClassVar[tuple[type[Edit], ...]] = (
        EditCell,
        SetGap,
        DropPattern,
        RestorePattern,
        SplitPattern,
        MergePatterns,
        AddPattern,
        SetWeight,
        RenamePattern,
    )

    columns: tuple[Column, ...]
    patterns: tuple[LearntPattern, ...]
    """By id."""
    dropped: tuple[LearntPattern, ...]
    """Patterns an edit took out, as they were."""
    empty: LearntPattern
    """The empty pattern: all cells of the rows in no window."""
    bits: Codelength
    rules: Rules
    support: Support
    source_ports: tuple[SourcePorts, ...]
    trained_on: dict[str, Any]
    """rows, first and last start (ns), resolution (ns), content hash."""
    links: tuple[Link, ...]
    """Which patterns follow which; numbers of `patterns`, the empty one last."""
    machines: NDArray[np.int64]
    """The machine of each address code (`learn_machines`)."""
    together: NDArray[np.float64]
    """How the number columns go together inside their bins (`learn_together`)."""
    parameters: dict[str, Any]
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    training: FlowIndex | None = field(default=None, repr=False)
    """The encoded training flows; None when the document came without its arrays."""

    @classmethod
    def fit(
        cls,
        data: FlowTable,
        params: FlowChronicleParams,
        *,
        rng: np.random.Generator,
        monitor: Monitor = SILENT,
    ) -> Self:
        """Mine the patterns of a flow table. The search is deterministic; `rng` is not drawn from.

        Raises
        ------
        NotEnoughData
            When the table has no flow.
        """
        from netsynth_core.models.flowchronicle.mining import mine

        began = time.monotonic()
        if not len(data):
            raise NotEnoughData("There is no flow to learn from.", hint="Give a capture or flow table with flows.")
        monitor.step("encoding flows", 0, len(data))
        published = params.score == "published"
        columns = learn_published_columns(data) if published else learn_columns(data, bins=params.bins)
        index = index_flows(columns, data)
        mined = mine(index, params, monitor)
        solution = mined.solution
        empty_total = mined.scorer.empty().total
        bare = cls.unmined(
            data,
            columns,
            index,
            empty=_empty(solution, mined.scorer, columns),
            bits=Codelength(0.0, empty_total, empty_total),
            parameters=params.model_dump(),
            warnings=mined.warnings,
        )
        ranked = sorted(solution.placed, key=lambda p: (-p.windows.size, cover_key(p.pattern)))
        names = {placed.pattern: (f"p{rank}", "", 1.0) for rank, placed in enumerate(ranked, start=1)}
        fitted = bare._with_solution(solution, names, mined.scorer)
        return replace(fitted, seconds=round(time.monotonic() - began, 3))

    @classmethod
    def unmined(
        cls,
        data: FlowTable,
        columns: tuple[Column, ...],
        index: FlowIndex,
        *,
        empty: LearntPattern,
        bits: Codelength,
        parameters: dict[str, Any],
        warnings: tuple[str, ...] = (),
    ) -> Self:
        """A model of the empty pattern alone, with all that sampling needs beside the patterns."""
        return cls(
            columns=columns,
            patterns=(),
            dropped=(),
            empty=empty,
            bits=bits,
            rules=learn_rules(data),
            support=learn_support(index.codes, columns),
            source_ports=learn_source_ports(data),
            trained_on={
                "rows": len(data),
                "first": int(index.ts[0]),
                "last": int(index.ts[-1]),
                "resolution": resolution(index.ts),
                "content": content_hash(index.codes.tobytes(), index.ts.tobytes()),
            },
            links=(),
            machines=learn_machines(index.codes[:, list(index.hosts)], index.ts, hosts_of(columns)),
            together=learn_together(index.codes[:, -index.numbers.shape[1] :], index.numbers),
            parameters=parameters,
            warnings=warnings,
            training=index,
        )

    def _with_solution(
        self,
        solution: Solution,
        names: dict[Pattern, tuple[str, str, float]],
        scorer: Scorer,
        known: dict[int, LearntPattern] | None = None,
    ) -> Self:
        """The model with the patterns, networks and bits of a solution.

        `names` are id, name and weight of each pattern; `known` what was learnt before, by the identity of its
        placement.
        """
        span = (self.trained_on["first"], self.trained_on["last"])
        shapes = tail_shapes(self.columns, scorer.index.numbers)
        learnt = []
        for placed in solution.placed:
            id_, name, weight = names[placed.pattern]
            saved = _saved(placed, solution, scorer)
            one = (known or {}).get(id(placed))
            if one is None:
                one = learn_pattern(
                    placed, scorer, id_=id_, name=name, saved_bits=saved, span=span, columns=self.columns, shapes=shapes
                )
                one = in_time(one, placed, scorer, self.columns, self.trained_on)
            learnt.append(replace(one, id=id_, name=name, weight=weight, saved_bits=saved))
        ranked = sorted(zip(learnt, solution.placed, strict=True), key=lambda pair: int(pair[0].id[1:]))
        empty = _empty(solution, scorer, self.columns)
        empty = in_time(empty, empty_placed(solution), scorer, self.columns, self.trained_on)
        placed_windows = [*(placed.windows for _, placed in ranked), solution.left[:, None]]
        return replace(
            self,
            patterns=tuple(p for p, _ in ranked),
            empty=replace(empty, weight=self.empty.weight),
            links=links_between((*(p for p, _ in ranked), empty), placed_windows, scorer.index, self.machines),
            bits=Codelength(solution.model_bits, solution.data_bits, self.bits.empty),
        )

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host the model may draw."""
        return hosts_of(self.columns)

    @property
    def multi_flow_patterns(self) -> tuple[LearntPattern, ...]:
        """Patterns of two or more flows."""
        return tuple(p for p in self.patterns if len(p.pattern) > 1)

    def pattern(self, id_: str) -> LearntPattern:
        """The pattern with an id.

        Raises
        ------
        InvalidEdit
            When no pattern has it.
        """
        for learnt in (*self.patterns, self.empty):
            if learnt.id == id_:
                return learnt
        raise InvalidEdit(
            f"There is no pattern {id_!r}.",
            hint=f"The patterns are: {', '.join(p.id for p in self.patterns) or 'none'}.",
        )

    def describe_pattern(self, learnt: LearntPattern) -> list[list[CellView]]:
        """The pattern as a grid of cells: flows x columns."""
        return cell_views(learnt, self.columns)

    def sentence(self, learnt: LearntPattern) -> str:
        """The pattern in one sentence."""
        return pattern_sentence(learnt, self.columns)

    def whole_sentence(self, learnt: LearntPattern) -> str:
        """The same with how often it occurs and what it saves."""
        if any(learnt is gone for gone in self.dropped):
            return f"{self.sentence(learnt)}; dropped, it had {count(learnt.usage, 'window')}"
        if learnt.id == EMPTY_ID and not learnt.usage:
            return self.sentence(learnt)
        return f"{self.sentence(learnt)}; {worth_words(learnt, self.trained_on['rows'])}"

    @cached_property
    def cover(self) -> Cover:
        """The windows on the training flows.

        Raises
        ------
        InvalidParameter
            When the model came without them.
        """
        if self.training is None:
            raise InvalidParameter(
                "The model came without its training flows.", hint="Keep the .npz beside the model, or give flows."
            )
        return self._cover(self.training)

    def windows(self, flows: FlowTable) -> Cover:
        """Where the patterns occur in any flow table, training or not."""
        return self._cover(index_flows(self.columns, flows))

    def codelength(self, flows: FlowTable) -> Codelength:
        """Bits of a flow table under these patterns and structures, its counts sent with it, and under the empty one.

        Raises
        ------
        NotEnoughData
            When the table has no flow.
        """
        if not len(flows):
            raise NotEnoughData("There is no flow to score.", hint="Give a table with flows.")
        solution, scorer = self._solved(index_flows(self.columns, flows), self.patterns)
        return Codelength(solution.model_bits, solution.data_bits, scorer.empty().total)

    def _cover(self, index: FlowIndex) -> Cover:
        claimed = np.zeros(len(index), np.bool_)
        found = {}
        for learnt in sorted(self.patterns, key=lambda p: cover_key(p.pattern)):
            found[learnt.id] = match(learnt.pattern, index, claimed)
        return Cover({p.id: found[p.id] for p in self.patterns}, len(index))

    def _solved(self, index: FlowIndex, patterns: tuple[LearntPattern, ...]) -> tuple[Solution, Scorer]:
        scorer = Scorer(index, score_of(self.parameters.get("score", "default"), index, self.empty.parents))
        return self._solve(scorer, patterns, scorer.empty(parents=self.empty.parents)), scorer

    def _solve(self, scorer: Scorer, patterns: tuple[LearntPattern, ...], base: Solution) -> Solution:
        """Patterns with windows keep their structures; others learn one as soon as they have some.

        A pattern without windows has nothing to tell by a network, whichever it had before: it pays for none, so that
        the bits are those of the patterns however one came to them.
        """
        parents = {p.pattern: p.parents for p in patterns if len(p.parents) and p.usage}
        solution = scorer.solve([p.pattern for p in patterns], base=base, parents=parents, keep_unused=True)
        return _without_idle_networks(solution, scorer)

    def sample(self, n: int, *, rng: np.random.Generator, monitor: Monitor = SILENT) -> FlowTable:
        """Draw exactly `n` flows over the training span; see `drawing.stream`."""
        limit = drawing.MOST_TABLE
        return drawing.joined(drawing.stream(self, n, None, None, rng=rng, monitor=monitor, most=limit))

    def sample_for(
        self, duration: int, start: int | None = None, *, rng: np.random.Generator, monitor: Monitor = SILENT
    ) -> FlowTable:
        """Draw the flows of `duration` ns from `start` (ns) at the training rate; see `drawing.stream`."""
        limit = drawing.MOST_TABLE
        return drawing.joined(drawing.stream(self, None, duration, start, rng=rng, monitor=monitor, most=limit))

    def stream(
        self,
        n: int | None = None,
        duration: int | None = None,
        start: int | None = None,
        *,
        rng: np.random.Generator,
        monitor: Monitor = SILENT,
    ) -> Iterator[FlowTable]:
        """Draw flows as tables of successive slices of time, in bounded memory; see `drawing.stream`."""
        return drawing.stream(self, n, duration, start, rng=rng, monitor=monitor)

    def describe(self) -> ModelCard:
        """The model card."""
        windows = sum(p.usage for p in self.patterns)
        size = {
            "patterns": len(self.patterns),
            "multi_flow_patterns": len(self.multi_flow_patterns),
            "windows": windows,
            "rows_covered": sum(p.usage * len(p.pattern) for p in self.patterns),
            "dropped": len(self.dropped),
        }
        return ModelCard(
            kind=self.kind,
            level=self.level,
            codelength=self.bits,
            size=size,
            trained_on=dict(self.trained_on),
            parameters=dict(self.parameters),
            seconds=self.seconds,
            warnings=(*self.warnings, *privacy_notes(self, int(self.parameters["privacy_k"]))),
            notes=timing_notes(self),
        )

    def apply(self, edit: Edit) -> Self:
        """A new model with one edit done: patterns covered, counted and scored anew on the training flows.

        Raises
        ------
        InvalidEdit
            When the edit is not of this kind, names what is not there, breaks the pattern language, or needs the
            training flows and the model came without them.
        """
        if isinstance(edit, RenamePattern):
            self._editable(edit.pattern)
            renamed = [replace(p, name=edit.name) if p.id == edit.pattern else p for p in self.patterns]
            return self._kept(replace(self, patterns=tuple(renamed)))
        from netsynth_core.models.flowchronicle.editing import (
            changed_patterns,
            require_possible,
            require_some,
            weighted,
        )

        if isinstance(edit, SetWeight):
            patterns, empty = weighted(self, edit)
            return self._kept(replace(self, patterns=patterns, empty=empty))
        change = changed_patterns(self, edit)
        if self.training is None:
            raise InvalidEdit(
                "The model came without its training flows, so the edit cannot be scored.",
                hint="Keep the .npz that was written with the model beside it.",
            )
        for learnt in change.patterns:
            if learnt.id in change.made:
                require_possible(learnt.pattern, self, self.training)
        before, scorer = self.solved
        solution = self._solve(scorer, change.patterns, before)
        names = {p.pattern: (p.id, p.name, p.weight) for p in change.patterns}
        after = replace(self._with_solution(solution, names, scorer, known=self._known()), dropped=change.dropped)
        require_some(after.patterns, after.empty)
        after.__dict__["solved"] = (solution, scorer)
        return after

    @cached_property
    def solved(self) -> tuple[Solution, Scorer]:
        """The patterns covered and scored on the training flows: what an edit goes on from."""
        if self.training is None:
            raise InvalidParameter("The model came without its training flows.", hint="Keep the .npz beside the model.")
        return self._solved(self.training, self.patterns)

    def _kept(self, other: Self) -> Self:
        """Another model of the same patterns, which need not be covered again."""
        if "solved" in self.__dict__:
            other.__dict__["solved"] = self.__dict__["solved"]
        return other

    def _known(self) -> dict[int, LearntPattern]:
        """What was learnt of each pattern of `solved`, by the identity of its placement."""
        learnt = {p.pattern: p for p in self.patterns}
        return {id(placed): learnt[placed.pattern] for placed in self.solved[0].placed}

    def _editable(self, id_: str) -> LearntPattern:
        learnt = self.pattern(id_)
        if learnt.id == EMPTY_ID:
            raise InvalidEdit("The empty pattern cannot be edited.", hint="Name one of the other patterns.")
        return learnt

    def preview(self, edit: Edit) -> EditEffect:
        """What an edit would do, in bits and sentences."""
        from netsynth_core.models.flowchronicle.editing import effect_sentences

        after = self.apply(edit)
        return EditEffect(self.bits.total, after.bits.total, effect_sentences(self, after, edit))

    def to_document(self) -> Document:
        """The model as a document; the training flows in its arrays."""
        return to_document(self)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """The model of a document, every part checked."""
        return cls(**stored_parts(document, kind=cls.kind, version=cls.version))


def _without_idle_networks(solution: Solution, scorer: Scorer) -> Solution:
    """The solution, its patterns without windows without network too."""
    placed = tuple(
        p if len(p.windows) or not (p.structure.parents >= 0).any() else scorer.place(p.pattern, p.windows, None)
        for p in solution.placed
    )
    return replace(solution, placed=placed)


def _saved(placed: Placed, solution: Solution, scorer: Scorer) -> float:
    """Bits that taking a pattern out costs: what the edit that drops it says."""
    rest = scorer.solve(without(solution.patterns, placed.pattern), base=solution, keep_unused=True)
    return _without_idle_networks(rest, scorer).total - solution.total


def _empty(solution: Solution, scorer: Scorer, columns: tuple[Column, ...]) -> LearntPattern:
    return learn_pattern(
        empty_placed(solution),
        scorer,
        id_=EMPTY_ID,
        name="",
        saved_bits=0.0,
        span=(int(scorer.index.ts[0]), int(scorer.index.ts[-1])),
        columns=columns,
        shapes=tail_shapes(columns, scorer.index.numbers),
    )
