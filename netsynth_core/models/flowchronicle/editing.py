"""How edits change the patterns of a model, and what they do, in words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from netsynth_core.errors import InvalidEdit
from netsynth_core.models.edits import Edit
from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.cover import match
from netsynth_core.models.flowchronicle.edits import (
    MOST_FLOWS,
    AddPattern,
    DropPattern,
    EditCell,
    MergePatterns,
    RestorePattern,
    SetGap,
    SetWeight,
    SplitPattern,
)
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.learnt import EMPTY_ID, LearntPattern
from netsynth_core.models.flowchronicle.pattern import (
    WITHIN_STEPS,
    Fixed,
    Free,
    PartialFlow,
    Pattern,
    Reused,
    check_pattern,
    concatenate,
    cut,
    in_common,
    rebind,
)
from netsynth_core.units import NS_PER_US, count, format_bits, format_duration, format_number, parse_duration

if TYPE_CHECKING:
    from netsynth_core.models.flowchronicle.model import FlowChronicle

Patterns = tuple[LearntPattern, ...]
UNKNOWN = np.zeros((0, 0), np.int64)
"""Parents that are to be learnt."""


@dataclass(frozen=True)
class Change:
    """Patterns after an edit, not yet covered and counted."""

    patterns: Patterns
    dropped: Patterns
    made: tuple[str, ...] = ()
    """Ids of patterns that are new or changed: they must occur."""


def changed_patterns(model: "FlowChronicle", edit: Edit) -> Change:
    """What an edit makes of the patterns of a model.

    An edit that makes patterns gives them new ids; those it replaces are dropped, and can be restored.

    Raises
    ------
    InvalidEdit
        When the edit cannot be done.
    """
    for kind, make in _MAKERS.items():
        if isinstance(edit, kind):
            change: Change = make(model, edit)
            return change
    raise InvalidEdit(
        f"{type(edit).__name__} is no edit of a pattern set.",
        hint=f"Its edits are: {', '.join(kind.__name__ for kind in model.edits)}.",
    )


def _drop(model: "FlowChronicle", edit: DropPattern) -> Change:
    gone = editable(model, edit.pattern)
    return Change(_without(model, gone), (*model.dropped, gone))


def _restore(model: "FlowChronicle", edit: RestorePattern) -> Change:
    for learnt in model.dropped:
        if learnt.id == edit.pattern:
            if any(p.pattern == learnt.pattern for p in model.patterns):
                raise InvalidEdit(
                    f"Another pattern has the same cells as {learnt.id}.", hint="Change or drop that one first."
                )
            return Change((*model.patterns, learnt), tuple(p for p in model.dropped if p.id != learnt.id))
    raise InvalidEdit(
        f"No dropped pattern is called {edit.pattern!r}.",
        hint=f"Dropped are: {', '.join(p.id for p in model.dropped) or 'none'}.",
    )


def _in_place(model: "FlowChronicle", learnt: LearntPattern, changed: Pattern) -> Change:
    """The pattern changed, its id kept."""
    _check(model, changed, beside=_without(model, learnt))
    fresh = replace(learnt, pattern=changed, parents=UNKNOWN)
    return Change(tuple(fresh if p.id == learnt.id else p for p in model.patterns), model.dropped, (learnt.id,))


def _made(model: "FlowChronicle", patterns: Sequence[tuple[Pattern, str]], *replaced: LearntPattern) -> Change:
    """New patterns (with names), and those they replace dropped."""
    kept = _without(model, *replaced)
    gone = tuple(dict.fromkeys(replaced))
    number = max([0, *(int(p.id[1:]) for p in (*model.patterns, *model.dropped))])
    fresh: list[LearntPattern] = []
    for pattern, name in patterns:
        _check(model, pattern, beside=(*kept, *fresh))
        number += 1
        fresh.append(replace(model.empty, id=f"p{number}", name=name, pattern=pattern, parents=UNKNOWN, weight=1.0))
    return Change((*kept, *fresh), (*model.dropped, *gone), tuple(p.id for p in fresh))


def _without(model: "FlowChronicle", *gone: LearntPattern) -> Patterns:
    ids = {p.id for p in gone}
    return tuple(p for p in model.patterns if p.id not in ids)


def _check(model: "FlowChronicle", pattern: Pattern, *, beside: Patterns) -> None:
    """Refuse what the language does not hold, what says nothing, and what is there already."""
    hosts = tuple(i for i, c in enumerate(model.columns) if c.kind == "host")
    check_pattern(pattern, tuple(c.size for c in model.columns), hosts)
    if not pattern.covered:
        raise InvalidEdit("A pattern needs a cell that is not free.", hint="Fix or reuse a cell, or drop the pattern.")
    for other in beside:
        if other.pattern == pattern:
            raise InvalidEdit(f"{other.id} has these cells already.", hint="Drop one of the two.")


def require_possible(pattern: Pattern, model: "FlowChronicle", index: FlowIndex) -> None:
    """Refuse a pattern that occurs nowhere in the training flows, whatever the other patterns take.

    Raises
    ------
    InvalidEdit
        With the flow that no row fits, or that the flows never follow one another so.
    """
    for place, flow in enumerate(pattern.flows):
        if not len(index.rows_for(pattern, place)):
            cells = [f"{model.columns[c.column].name} {model.columns[c.column].text(c.code)}" for c in flow.fixed]
            cells += [f"the same {model.columns[c.source].name} and {model.columns[c.column].name}"
                      for c in pattern.own(place)]  # fmt: skip
            raise InvalidEdit(
                f"No flow has {' with '.join(cells)}, so flow {place + 1} cannot occur.",
                hint="Choose values that occur together.",
            )
    if not len(match(pattern, index, np.zeros(len(index), np.bool_))):
        raise InvalidEdit(
            "The pattern occurs nowhere: flows like these never follow one another with such addresses and delays.",
            hint="Allow a longer delay, or free a cell.",
        )


def editable(model: "FlowChronicle", id_: str) -> LearntPattern:
    """The pattern with an id, which must not be the empty one."""
    for learnt in model.patterns:
        if learnt.id == id_:
            return learnt
    raise InvalidEdit(
        f"There is no pattern {id_!r} to edit.",
        hint=f"The patterns are: {', '.join(p.id for p in model.patterns) or 'none'}.",
    )


def _with_cell(model: "FlowChronicle", edit: EditCell) -> Change:
    learnt = editable(model, edit.pattern)
    _flow_of(learnt, edit.flow)
    column = _column(model.columns, edit.column)
    target = (edit.flow - 1, column)
    if edit.cell == "reused":
        source = (edit.from_flow - 1, _column(model.columns, edit.from_column))
        reused = Reused(column, *source)
        taken = target in learnt.pattern.sources()
        changed = rebind(learnt.pattern, target, source) if taken else learnt.pattern.with_cell(target[0], reused)
    elif edit.cell == "fixed":
        changed = learnt.pattern.with_cell(target[0], Fixed(column, code_of(model.columns[column], edit.value)))
    else:
        changed = learnt.pattern.with_cell(target[0], Free(column))
    if changed == learnt.pattern:
        raise InvalidEdit("The cell is like that already.", hint="Choose another cell or value.")
    return _in_place(model, learnt, changed)


def _with_gap(model: "FlowChronicle", edit: SetGap) -> Change:
    learnt = editable(model, edit.pattern)
    gap = _gap_of(learnt, edit.gap)
    within = list(learnt.pattern.within)
    within[gap] = limit_of(edit.within)
    if tuple(within) == learnt.pattern.within:
        raise InvalidEdit(
            f"The limit is {limit_words(within[gap])} already.",
            hint="Limits are doublings: give half, or twice as long.",
        )
    return _in_place(model, learnt, replace(learnt.pattern, within=tuple(within)))


def _split(model: "FlowChronicle", edit: SplitPattern) -> Change:
    learnt = editable(model, edit.pattern)
    if edit.gap:
        there = {p.pattern for p in model.patterns}
        halves = dict.fromkeys(cut(learnt.pattern, _gap_of(learnt, edit.gap) + 1))
        parts = [(half, "") for half in halves if half not in there]
        if not parts:
            raise InvalidEdit("Both parts are there already.", hint=f"Drop {learnt.id} instead.")
        return _made(model, parts, learnt)
    _flow_of(learnt, edit.flow)
    column = _column(model.columns, edit.column)
    if not isinstance(learnt.pattern.flows[edit.flow - 1].cell(column), Free):
        raise InvalidEdit(f"{edit.column} of flow {edit.flow} is not free.", hint="Split by a free cell.")
    if (edit.flow - 1, column) in learnt.pattern.sources():
        raise InvalidEdit(
            f"{edit.column} of flow {edit.flow} is reused by other cells.", hint="Split by a cell nothing reuses."
        )
    fixed = Fixed(column, code_of(model.columns[column], edit.value))
    return _made(model, [(learnt.pattern.with_cell(edit.flow - 1, fixed), "")])


def _merge(model: "FlowChronicle", edit: MergePatterns) -> Change:
    if edit.first == edit.second and edit.how == "in_common":
        raise InvalidEdit("A pattern has all in common with itself.", hint="Name two patterns.")
    first, second = editable(model, edit.first), editable(model, edit.second)
    if edit.how == "in_common":
        if len(first.pattern) != len(second.pattern):
            raise InvalidEdit(
                f"{first.id} has {count(len(first.pattern), 'flow')}, {second.id} {len(second.pattern)}.",
                hint="Patterns with as many flows have something in common; others can be joined in sequence.",
            )
        return _made(model, [(in_common(first.pattern, second.pattern), "")], first, second)
    joined = concatenate(first.pattern, second.pattern, limit_of(edit.within))
    if len(joined) > MOST_FLOWS:
        raise InvalidEdit(f"The pattern would have {len(joined)} flows.", hint=f"At most {MOST_FLOWS} are possible.")
    if edit.flow:
        _flow_of(second, edit.flow)
        _flow_of(first, edit.from_flow)
        target = (len(first.pattern) + edit.flow - 1, _column(model.columns, edit.column))
        source = (edit.from_flow - 1, _column(model.columns, edit.from_column))
        if not isinstance(joined.flows[target[0]].cell(target[1]), Free):
            raise InvalidEdit(
                f"{edit.column} of flow {edit.flow} of {second.id} is not free.", hint="Share a free address of it."
            )
        joined = rebind(joined, target, source)
    gone = () if edit.keep else (first,) if first.id == second.id else (first, second)
    return _made(model, [(joined, "")], *gone)


def _add(model: "FlowChronicle", edit: AddPattern) -> Change:
    flows = []
    for flow in edit.flows:
        columns = [*flow.fixed, *flow.reused]
        if len(set(columns)) != len(columns):
            raise InvalidEdit("A cell is both fixed and reused.", hint="Give each cell once.")
        fixed = []
        for name, value in flow.fixed.items():
            column = _column(model.columns, name)
            fixed.append(Fixed(column, code_of(model.columns[column], value)))
        reused = [
            Reused(_column(model.columns, name), cell.flow - 1, _column(model.columns, cell.column))
            for name, cell in flow.reused.items()
        ]
        flows.append(PartialFlow(tuple(sorted(fixed)), tuple(sorted(reused))))
    limits = tuple(limit_of(flow.within) for flow in edit.flows[1:])
    return _made(model, [(Pattern(tuple(flows), limits), edit.name)])


_MAKERS: dict[type[Edit], Callable[[Any, Any], Change]] = {
    DropPattern: _drop,
    RestorePattern: _restore,
    EditCell: _with_cell,
    SetGap: _with_gap,
    SplitPattern: _split,
    MergePatterns: _merge,
    AddPattern: _add,
}


def weighted(model: "FlowChronicle", edit: SetWeight) -> tuple[Patterns, LearntPattern]:
    """The patterns and the empty pattern with one weight set."""
    learnt = model.pattern(edit.pattern)
    if not learnt.usage:
        raise InvalidEdit(f"{learnt.id} has no window, so nothing is generated by it.", hint="Change its cells first.")
    if learnt.weight == edit.weight:
        raise InvalidEdit("The weight is that already.", hint="Give another one; 1 is as often as in the data.")
    fresh = replace(learnt, weight=edit.weight)
    patterns = tuple(fresh if p.id == fresh.id else p for p in model.patterns)
    empty = fresh if fresh.id == EMPTY_ID else model.empty
    require_some(patterns, empty)
    return patterns, empty


def require_some(patterns: Patterns, empty: LearntPattern) -> None:
    """Refuse weights under which nothing is generated."""
    if not any(p.usage and p.weight for p in (*patterns, empty)):
        raise InvalidEdit("Nothing would be generated.", hint="Leave a pattern in use with a weight above 0.")


def limit_of(duration: str) -> int:
    """The exponent w of the smallest limit 2**w microseconds that lets a delay of `duration` through."""
    within = max(-(-parse_duration(duration) // NS_PER_US) - 1, 0).bit_length()
    if within >= WITHIN_STEPS:
        raise InvalidEdit(f"{duration} is too long a delay.", hint=f"At most {limit_words(WITHIN_STEPS - 1)}.")
    return within


def limit_words(within: int) -> str:
    """A gap limit in words."""
    return format_duration(NS_PER_US << within)


def _flow_of(learnt: LearntPattern, flow: int) -> None:
    if not 1 <= flow <= len(learnt.pattern):
        raise InvalidEdit(f"{learnt.id} has {count(len(learnt.pattern), 'flow')}, not {flow}.", hint="Count from 1.")


def _gap_of(learnt: LearntPattern, gap: int) -> int:
    if gap > len(learnt.pattern) - 1:
        gaps = len(learnt.pattern) - 1
        raise InvalidEdit(f"{learnt.id} has {count(gaps, 'gap')}, not {gap}.", hint="Count gaps from 1.")
    return gap - 1


def _column(columns: tuple[Column, ...], name: str) -> int:
    for number, column in enumerate(columns):
        if column.name == name:
            return number
    raise InvalidEdit(f"There is no column {name!r}.", hint=f"The columns are: {', '.join(c.name for c in columns)}.")


def code_of(column: Column, value: str) -> int:
    """The code of a value as written in a flow table.

    Raises
    ------
    InvalidEdit
        When no training flow has it.
    """
    if column.kind != "number":
        if value in column.values:
            return column.values.index(value)
        raise InvalidEdit(f"No flow has the {column.name} {value!r}.", hint="Choose a value of the training flows.")
    try:
        number = float(value) * (1e9 if column.name == "duration" else 1.0)
    except ValueError as error:
        raise InvalidEdit(f"{value!r} is no number for {column.name}.", hint="Write a number.") from error
    if number == 0:
        return 0
    if not len(column.knots) or not column.edges[0] <= number <= column.edges[-1]:
        raise InvalidEdit(f"No flow has the {column.name} {value}.", hint="Choose a value of the training flows.")
    return int(np.clip(np.searchsorted(column.edges, number, side="right"), 1, len(column.knots)))


def effect_sentences(before: "FlowChronicle", after: "FlowChronicle", edit: Edit) -> tuple[str, ...]:
    """What an edit changes: bits, windows of each pattern, rows left."""
    if isinstance(edit, SetWeight):
        return _weight_sentences(before, after, edit)
    change = after.bits.total - before.bits.total
    if abs(change) < 0.5:
        first = "The description keeps its length."
    else:
        first = f"The description becomes {format_bits(abs(change))} {'longer' if change > 0 else 'shorter'}."
    sentences = [edit.sentence(), first]
    if isinstance(edit, SetGap):
        limit = after.pattern(edit.pattern).pattern.within[edit.gap - 1]
        sentences.append(f"The limit taken is {limit_words(limit)}.")
    old, new = ({p.id: p for p in m.patterns} for m in (before, after))
    sentences += [f"New: {id_}: {after.sentence(new[id_])}." for id_ in new if id_ not in old]
    for id_ in sorted(old.keys() | new.keys(), key=lambda p: int(p[1:])):
        then, now = (p[id_].usage if id_ in p else 0 for p in (old, new))
        if then != now:
            sentences.append(f"Windows of {id_}: {format_number(then)} before, {format_number(now)} after.")
        elif id_ not in old:
            sentences.append(f"{id_} gets no window: patterns with more cells take its flows.")
    if before.empty.usage != after.empty.usage:
        sentences.append(
            f"Flows in no window: {format_number(before.empty.usage)} before, {format_number(after.empty.usage)} after."
        )
    return tuple(sentences)


def _weight_sentences(before: "FlowChronicle", after: "FlowChronicle", edit: SetWeight) -> tuple[str, ...]:
    """The shares that change, and what the weights cost: the label of each window at the weights instead of the counts.

    With u windows of a pattern and weight w that is the sum of u log2(share / (u w / sum of u w)).
    """
    old, new = (_shares(m) for m in (before, after))
    sentences = [
        edit.sentence(),
        "The description of the data keeps its length.",
        f"Of the flows that are generated {_percent(old[edit.pattern])} are of {edit.pattern} now, "
        f"{_percent(new[edit.pattern])} with the new weight.",
    ]
    learnt = [p for p in (*after.patterns, after.empty) if p.usage]
    usage = np.array([p.usage for p in learnt], np.float64)
    weights = usage * np.array([p.weight for p in learnt])
    if (weights == 0).any():
        sentences.append("The data themselves could not be generated any more: a pattern in them has the weight 0.")
    else:
        bits = float(usage @ (np.log2(usage / usage.sum()) - np.log2(weights / weights.sum())))
        sentences.append(f"To name the patterns of the data at these weights takes {format_bits(bits)} more.")
    return tuple(sentences)


def _shares(model: "FlowChronicle") -> dict[str, float]:
    flows = {p.id: p.usage * p.weight * len(p.pattern) for p in (*model.patterns, model.empty)}
    total = sum(flows.values())
    return {id_: n / total for id_, n in flows.items()}


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
