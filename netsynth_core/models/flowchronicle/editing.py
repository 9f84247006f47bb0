"""How edits change the patterns of a model, and what they do, in words."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netsynth_core.errors import InvalidEdit
from netsynth_core.models.edits import Edit
from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.edits import DropPattern, EditCell, RestorePattern
from netsynth_core.models.flowchronicle.learnt import LearntPattern
from netsynth_core.models.flowchronicle.pattern import Cell, Fixed, Free, Reused, check_pattern

if TYPE_CHECKING:
    from netsynth_core.models.flowchronicle.model import FlowChronicle

Patterns = tuple[LearntPattern, ...]


def changed_patterns(model: "FlowChronicle", edit: Edit) -> tuple[Patterns, Patterns]:
    """Patterns and dropped patterns after an edit, not yet covered and counted.

    Raises
    ------
    InvalidEdit
        When the edit cannot be done.
    """
    if isinstance(edit, DropPattern):
        gone = editable(model, edit.pattern)
        return tuple(p for p in model.patterns if p.id != gone.id), (*model.dropped, gone)
    if isinstance(edit, RestorePattern):
        for learnt in model.dropped:
            if learnt.id == edit.pattern:
                if any(p.pattern == learnt.pattern for p in model.patterns):
                    raise InvalidEdit(
                        f"Another pattern has the same cells as {learnt.id}.", hint="Change or drop that one first."
                    )
                return (*model.patterns, learnt), tuple(p for p in model.dropped if p.id != learnt.id)
        raise InvalidEdit(
            f"No dropped pattern is called {edit.pattern!r}.",
            hint=f"Dropped are: {', '.join(p.id for p in model.dropped) or 'none'}.",
        )
    if isinstance(edit, EditCell):
        return _with_cell(model, edit), model.dropped
    raise InvalidEdit(
        f"{type(edit).__name__} is no edit of a pattern set.",
        hint=f"Its edits are: {', '.join(kind.__name__ for kind in model.edits)}.",
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


def _with_cell(model: "FlowChronicle", edit: EditCell) -> Patterns:
    learnt = editable(model, edit.pattern)
    if edit.flow > len(learnt.pattern):
        raise InvalidEdit(f"{learnt.id} has {len(learnt.pattern)} flows, not {edit.flow}.", hint="Count from 1.")
    column = _column(model.columns, edit.column)
    cell: Cell = Free(column)
    if edit.cell == "fixed":
        cell = Fixed(column, code_of(model.columns[column], edit.value))
    elif edit.cell == "reused":
        cell = Reused(column, edit.from_flow - 1, _column(model.columns, edit.from_column))
    changed = learnt.pattern.with_cell(edit.flow - 1, cell)
    hosts = tuple(i for i, c in enumerate(model.columns) if c.kind == "host")
    check_pattern(changed, tuple(c.size for c in model.columns), hosts)
    if changed == learnt.pattern:
        raise InvalidEdit("The cell is like that already.", hint="Choose another cell or value.")
    if not changed.covered:
        raise InvalidEdit("A pattern needs a cell that is not free.", hint="Drop the pattern instead.")
    if any(p.pattern == changed for p in model.patterns):
        raise InvalidEdit("Another pattern has these cells already.", hint="Drop one of the two.")
    fresh = replace(learnt, pattern=changed, parents=np.zeros((0, 0), np.int64))
    return tuple(fresh if p.id == learnt.id else p for p in model.patterns)


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
    change = after.bits.total - before.bits.total
    if abs(change) < 0.5:
        first = "The description keeps its length."
    else:
        first = f"The description becomes {abs(change):,.0f} bits {'longer' if change > 0 else 'shorter'}."
    sentences = [edit.sentence(), first]
    old, new = ({p.id: p.usage for p in m.patterns} for m in (before, after))
    for id_ in sorted(old.keys() | new.keys(), key=lambda p: int(p[1:])):
        if old.get(id_, 0) != new.get(id_, 0):
            sentences.append(f"Windows of {id_}: {old.get(id_, 0)} before, {new.get(id_, 0)} after.")
    if before.empty.usage != after.empty.usage:
        sentences.append(f"Flows in no window: {before.empty.usage} before, {after.empty.usage} after.")
    return tuple(sentences)
