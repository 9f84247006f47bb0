"""Edits as values, and the log that lets each of them be undone.

An `Edit` is one change by the analyst; each kind of model declares its own (discriminated by `op`). The `EditLog` is a
tree of records with a head: undo moves the head to the parent, redo back down, a new edit after an undo starts a branch
and the old tail is kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from netsynth_core.errors import DocumentError, InvalidEdit
from netsynth_core.params import problem_of


class Edit(BaseModel):
    """Base of all edits. Subclasses set `op: Literal["..."]` with its one value as default, and their arguments.

    Things are named by stable ids, never by position.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: str
    title: ClassVar[str] = ""
    """What the edit does, in two or three words, for menus."""
    example: ClassVar[dict[str, Any]] = {}
    """Arguments of one such edit, to copy from; empty = made of the fields."""

    def sentence(self) -> str:
        """The edit in one sentence, for the history."""
        arguments = ", ".join(f"{k} {v}" for k, v in self.model_dump(exclude={"op"}).items())
        return f"{self.title or self.op}: {arguments}"


@dataclass(frozen=True)
class EditEffect:
    """What an edit does to a model, before it is done: figures and sentences for the analyst."""

    before_bits: float
    """Codelength (model + data) of the model as it is, bits."""
    after_bits: float
    """Codelength after the edit, bits."""
    sentences: tuple[str, ...] = ()
    """What changes, in words, the most important first."""

    @property
    def saved_bits(self) -> float:
        """Bits saved; negative when the edit makes the description longer."""
        return self.before_bits - self.after_bits


def parse_edit(raw: Any, kinds: tuple[type[Edit], ...]) -> Edit:
    """An edit from its JSON object.

    Raises
    ------
    InvalidEdit
        When `op` is unknown for this model or an argument does not fit.
    """
    by_op = {str(kind.model_fields["op"].default): kind for kind in kinds}
    op = raw.get("op") if isinstance(raw, dict) else None
    if op not in by_op:
        raise InvalidEdit(
            f"There is no edit {op!r} for this kind of model.", hint=f"Its edits are: {', '.join(by_op) or 'none'}."
        )
    try:
        return by_op[op].model_validate(raw)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        said = f"{where}: {problem_of(error)[0]}" if where else problem_of(error)[0]
        raise InvalidEdit(f"Edit {op}: {said}.", hint=_fields_hint(by_op[op])) from error


def _fields_hint(kind: type[Edit]) -> str:
    """What an edit takes, and one to copy from."""
    fields = [name for name in kind.model_fields if name != "op"]
    needed = [name for name in fields if kind.model_fields[name].is_required()]
    more = [name for name in fields if name not in needed]
    beside = f", and may take {', '.join(more)}" if more else ""
    return f"It needs {', '.join(needed) or 'nothing'}{beside}: {example_line(kind)}"


def example_line(kind: type[Edit]) -> str:
    """One edit of a kind as a line of JSON."""
    made = kind.example or {
        name: f"<{name}>" for name, field in kind.model_fields.items() if name != "op" and field.is_required()
    }
    return json.dumps({"op": kind.model_fields["op"].default, **made})


@dataclass(frozen=True)
class EditField:
    """One argument of an edit, for lists of edits."""

    name: str
    type: str
    """What it holds, in words: text, whole number, number, yes or no, list, or the choices."""
    required: bool
    default: Any
    """None where it is required."""
    help: str


def edit_fields(kind: type[Edit]) -> tuple[EditField, ...]:
    """The arguments of an edit, the ones it needs first."""
    schema = kind.model_json_schema()["properties"]
    found = [
        EditField(
            name,
            " | ".join(map(str, schema[name]["enum"]))
            if "enum" in schema[name]
            else _TYPES.get(schema[name].get("type", ""), "value"),
            field.is_required(),
            None if field.is_required() else field.get_default(call_default_factory=True),
            field.description or "",
        )
        for name, field in kind.model_fields.items()
        if name != "op"
    ]
    return tuple(sorted(found, key=lambda one: not one.required))


_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "yes or no", "array": "list"}


class EditRecord(BaseModel):
    """One done edit: what, why, when, on which state, with which effect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int
    """1, 2, ... in order of writing."""
    parent: int
    """Id of the record whose state this one changed; 0 = the model as learnt."""
    edit: dict[str, Any]
    why: str = ""
    at: str = ""
    """ISO 8601 instant, UTC."""
    before_hash: str
    after_hash: str
    before_bits: float
    after_bits: float

    def to_line(self) -> str:
        """The record as one line of ``edits.jsonl``."""
        return self.model_dump_json() + "\n"


@dataclass(frozen=True)
class EditLog:
    """All edits ever done on one learnt model, and where the analyst stands."""

    records: tuple[EditRecord, ...] = ()
    head: int = 0
    """Id of the record that is the current state; 0 = as learnt."""
    redo_stack: tuple[int, ...] = field(default=())
    """Ids undone, last undone last; cleared by a new edit."""

    def path(self) -> tuple[EditRecord, ...]:
        """Records from the learnt model to the head, in order of doing."""
        by_id = {record.id: record for record in self.records}
        chain: list[EditRecord] = []
        at = self.head
        while at:
            record = by_id.get(at)
            if record is None or record.parent >= record.id:
                raise DocumentError(
                    f"The edit log has no sound record {at}.", hint="Restore edits.jsonl and head.json."
                )
            chain.append(record)
            at = record.parent
        return tuple(reversed(chain))

    def done(self, record: EditRecord) -> EditLog:
        """The log with a new edit at its head."""
        if record.parent != self.head or record.id != len(self.records) + 1:
            raise InvalidEdit("The model was changed elsewhere.", hint="Reload and do the edit again.")
        return EditLog((*self.records, record), record.id, ())

    @property
    def can_undo(self) -> bool:
        """Whether an edit stands above the learnt model."""
        return self.head != 0

    @property
    def can_redo(self) -> bool:
        """Whether an undone edit can be done again."""
        return bool(self.redo_stack)

    def undo(self) -> EditLog:
        """The log with the last edit undone."""
        if not self.can_undo:
            raise InvalidEdit("There is nothing to undo.", hint="The model is as it was learnt.")
        parent = next(r.parent for r in self.records if r.id == self.head)
        return replace(self, head=parent, redo_stack=(*self.redo_stack, self.head))

    def redo(self) -> EditLog:
        """The log with the last undone edit done again."""
        if not self.can_redo:
            raise InvalidEdit("There is nothing to redo.", hint="Undo something first.")
        return replace(self, head=self.redo_stack[-1], redo_stack=self.redo_stack[:-1])

    def head_json(self) -> dict[str, Any]:
        """What ``head.json`` holds."""
        return {"head": self.head, "redo": list(self.redo_stack)}

    @classmethod
    def from_files(cls, lines: list[str], head: Any) -> EditLog:
        """The log of the lines of ``edits.jsonl`` and the object of ``head.json``.

        Raises
        ------
        DocumentError
            When either is broken.
        """
        try:
            records = tuple(EditRecord.model_validate_json(line) for line in lines if line.strip())
            cursor = TypeAdapter(dict[Literal["head", "redo"], Any]).validate_python(head)
            log = cls(records, int(cursor["head"]), tuple(int(i) for i in cursor["redo"]))
        except (ValidationError, KeyError, TypeError, ValueError) as error:
            raise DocumentError(
                f"The edit log is broken: {error}.", hint="Restore edits.jsonl and head.json from a copy."
            ) from error
        log.path()
        return log
