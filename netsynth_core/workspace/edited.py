"""Models in a workspace: the learnt document, the log of edits beside it, and the model as it stands.

``learned.json`` never changes. ``edits.jsonl`` only grows. ``head.json`` says where the analyst stands; undo and redo
move it. The log is written before the head: a crash between the two leaves an edit that is not done, never half of one.
"""

import json
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from netsynth_core.errors import DocumentError, InvalidEdit, WorkspaceError
from netsynth_core.files import dump_json, write_text
from netsynth_core.models.document import Document, read_document
from netsynth_core.models.edits import Edit, EditLog, EditRecord, parse_edit
from netsynth_core.models.generator import Generator
from netsynth_core.models.registry import load_model
from netsynth_core.workspace.artefacts import ArtefactKind
from netsynth_core.workspace.store import LEARNED, Workspace, now_text

AnyModel = Generator[Any, Any, Any]
EDITS = "edits.jsonl"
HEAD = "head.json"
CACHED_STATES = 12


@dataclass(frozen=True, eq=False)
class ModelState:
    """A model as it stands, and the log that led there."""

    id: str
    model: AnyModel
    log: EditLog
    hash: str
    """Of the present state; what `apply_edit` wants as `expected_head`."""


class _Cache:
    """The last few states of models, by folder, learnt document and head; safe between threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._states: OrderedDict[tuple[str, int, int], AnyModel] = OrderedDict()

    def get(self, key: tuple[str, int, int]) -> AnyModel | None:
        with self._lock:
            if key in self._states:
                self._states.move_to_end(key)
            return self._states.get(key)

    def put(self, key: tuple[str, int, int], model: AnyModel) -> None:
        with self._lock:
            self._states[key] = model
            self._states.move_to_end(key)
            while len(self._states) > self._size:
                self._states.popitem(last=False)


_CACHE = _Cache(CACHED_STATES)


def read_log(folder: Path) -> EditLog:
    """The log of edits in a model's folder; empty when nothing was edited.

    Raises
    ------
    DocumentError
        When a file of it is broken; neither is changed.
    """
    edits, head = folder / EDITS, folder / HEAD
    lines = edits.read_text("utf-8").splitlines() if edits.exists() else []
    if not head.exists():
        return EditLog(EditLog.from_files(lines, {"head": 0, "redo": []}).records)
    try:
        return EditLog.from_files(lines, json.loads(head.read_text("utf-8")))
    except (DocumentError, ValueError) as error:
        reason = error.message if isinstance(error, DocumentError) else f"{HEAD}: {error}"
        raise DocumentError(
            f"The edits in {folder} cannot be read: {reason}",
            hint=f"Restore {EDITS} and {HEAD} from a copy; or move both away to go back to the model as learnt.",
        ) from error


def open_model(workspace: Workspace, id: str) -> ModelState:
    """The model as it stands: learnt, and the edits up to the head.

    Raises
    ------
    WorkspaceError
        When the artefact is missing or no model.
    DocumentError
        When a file is broken, or an edit no longer applies; nothing is changed.
    """
    folder = _folder(workspace, id)
    log = read_log(folder)
    stamp = (folder / LEARNED).stat().st_mtime_ns
    chain = log.path()
    ids = [0, *(record.id for record in chain)]
    start, model = len(ids) - 1, _CACHE.get((str(folder), stamp, ids[-1]))
    while model is None and start > 0:
        start -= 1
        model = _CACHE.get((str(folder), stamp, ids[start]))
    if model is None:
        model = load_model(read_document(folder / LEARNED))
    for record in chain[start:]:
        model = _replay(model, record, folder)
        _CACHE.put((str(folder), stamp, record.id), model)
    if not chain:
        _CACHE.put((str(folder), stamp, 0), model)
    hash = chain[-1].after_hash if chain else str(workspace.get(id).facts["model_hash"])
    return ModelState(id, model, log, hash)


def document_of(workspace: Workspace, id: str) -> Document:
    """The model as it stands as a document, its card with what the learnt one knew (seed, seconds)."""
    state = open_model(workspace, id)
    document = state.model.to_document()
    learnt = read_document(workspace.path(id, LEARNED)).card
    return replace(document, card={**learnt, **{k: v for k, v in document.card.items() if v is not None}})


def _replay(model: AnyModel, record: EditRecord, folder: Path) -> AnyModel:
    try:
        return model.apply(parse_edit(record.edit, model.edits))
    except InvalidEdit as error:
        raise DocumentError(
            f"Edit {record.id} in {folder / EDITS} no longer applies: {error.message}",
            hint=f"Move {HEAD} away to go back to the model as learnt; {EDITS} keeps what was done.",
        ) from error


def _folder(workspace: Workspace, id: str) -> Path:
    if workspace.get(id).kind is not ArtefactKind.MODEL:
        raise WorkspaceError(f"{id} is no model.", hint="Choose a model of the workspace.")
    return workspace.path(id)


def _require_head(state: ModelState, expected_head: str | None) -> None:
    if expected_head is not None and expected_head != state.hash:
        raise WorkspaceError(
            f"The model {state.id} was changed in another tab.", hint="Reload to see its present state, then edit it."
        )


def make_record(model: AnyModel, edit: Edit, log: EditLog, *, why: str = "") -> tuple[AnyModel, EditRecord]:
    """Apply an edit and record what it did.

    Raises
    ------
    InvalidEdit
        When the edit does not fit the model.
    """
    changed = model.apply(edit)
    record = EditRecord(
        id=len(log.records) + 1,
        parent=log.head,
        edit=edit.model_dump(mode="json"),
        why=why,
        at=now_text(),
        before_hash=model.to_document().content_hash(),
        after_hash=changed.to_document().content_hash(),
        before_bits=model.describe().codelength.total,
        after_bits=changed.describe().codelength.total,
    )
    return changed, record


def apply_edit(
    workspace: Workspace, id: str, edit: Edit, *, why: str = "", expected_head: str | None = None
) -> EditRecord:
    """Do one edit on a model and write it to the log.

    Parameters
    ----------
    expected_head
        `ModelState.hash` the analyst saw; None = whatever it is now.

    Raises
    ------
    InvalidEdit
        When the edit does not fit the model.
    WorkspaceError
        When the model was changed in another tab meanwhile.
    """
    with workspace.lock():
        state = open_model(workspace, id)
        _require_head(state, expected_head)
        changed, record = make_record(state.model, edit, state.log, why=why)
        _write(workspace, id, state.log.done(record))
        folder = workspace.path(id)
        _CACHE.put((str(folder), (folder / LEARNED).stat().st_mtime_ns, record.id), changed)
    return record


def undo(workspace: Workspace, id: str, *, expected_head: str | None = None) -> ModelState:
    """Undo the last edit; the log keeps it."""
    return _move_head(workspace, id, "undo", expected_head)


def redo(workspace: Workspace, id: str, *, expected_head: str | None = None) -> ModelState:
    """Do the last undone edit again."""
    return _move_head(workspace, id, "redo", expected_head)


def _move_head(workspace: Workspace, id: str, direction: str, expected_head: str | None) -> ModelState:
    with workspace.lock():
        state = open_model(workspace, id)
        _require_head(state, expected_head)
        log = state.log.undo() if direction == "undo" else state.log.redo()
        write_text(workspace.path(id, HEAD), dump_json(log.head_json()))
        return open_model(workspace, id)


def _write(workspace: Workspace, id: str, log: EditLog) -> None:
    write_text(workspace.path(id, EDITS), "".join(record.to_line() for record in log.records))
    write_text(workspace.path(id, HEAD), dump_json(log.head_json()))


def check_model(workspace: Workspace, id: str) -> list[str]:
    """What is wrong with a model's files, in sentences; empty when every edit leads to the state it recorded."""
    folder = _folder(workspace, id)
    problems = []
    model = load_model(read_document(folder / LEARNED))
    expected = str(workspace.get(id).facts["model_hash"])
    if model.to_document().content_hash() != expected:
        problems.append(f"{folder / LEARNED} is not as it was learnt.")
    for record in read_log(folder).path():
        model = _replay(model, record, folder)
        if model.to_document().content_hash() != record.after_hash:
            problems.append(f"Edit {record.id} in {folder / EDITS} leads to another state than it recorded.")
    return problems
