"""Model documents: versioned JSON, large arrays in an ``.npz`` beside it; opening one runs no code.

A document is ``{"format": "netsynth/<kind>", "version", "created", "by", "card", "body"}``. Kinds decode `body` with
strict pydantic models; a change of the body raises the kind's version and adds one step to its migrations.
"""

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

import netsynth_core
from netsynth_core.errors import DocumentError, NewerDocument
from netsynth_core.files import content_hash, dump_json, require_file, write_bytes, write_text
from netsynth_core.params import problem_of

MAX_JSON_BYTES = 256 * 2**20
MAX_ARRAY_BYTES = 4 * 2**30
FREE_ARRAY_BYTES = 64 * 2**20
MAX_ARRAY_RATIO = 200
FORMAT_PREFIX = "netsynth/"

Arrays = dict[str, np.ndarray[Any, Any]]
Body = TypeVar("Body", bound=BaseModel)
Migration = Callable[[dict[str, Any]], dict[str, Any]]


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="forbid")
    format: str
    version: int
    created: str
    by: str
    card: dict[str, Any]
    body: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Document:
    """A model as a readable document."""

    kind: str
    version: int
    card: dict[str, Any]
    body: dict[str, Any]
    arrays: Arrays = field(default_factory=dict)
    """Kept in ``<name>.npz`` beside ``<name>.json``; names are of the kind's own choosing."""
    created: str = ""
    """ISO 8601, UTC; set when the document is written. Not part of `content_hash`."""
    by: str = f"netsynth {netsynth_core.__version__}"

    def content_hash(self) -> str:
        """12 hexadecimal digits that name kind, version, body and arrays; the card and the date do not count."""
        parts: list[bytes | str] = [self.kind, str(self.version), dump_json(self.body)]
        for name in sorted(self.arrays):
            array = np.ascontiguousarray(self.arrays[name])
            parts += [name, str(array.dtype), str(array.shape), array.tobytes()]
        return content_hash(*parts)


def _now() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def arrays_path(path: str | os.PathLike[str]) -> Path:
    """Where the arrays of the document at `path` lie."""
    return Path(path).with_suffix(".npz")


def write_document(path: str | os.PathLike[str], document: Document) -> None:
    """Write the document and its arrays, each whole or not at all; the arrays first.

    The same model gives the same bytes but for the wall clock: `created`, and the card's `seconds`. Where the
    environment sets ``SOURCE_DATE_EPOCH`` (as for reproducible builds) that is the date, and `seconds` is left out.

    Raises
    ------
    StorageError
        When the disk is full or the path cannot be written.
    """
    if document.arrays:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **document.arrays)  # type: ignore[arg-type]
        write_bytes(arrays_path(path), buffer.getvalue())
    reproducible = "SOURCE_DATE_EPOCH" in os.environ
    card = {k: v for k, v in document.card.items() if k != "seconds"} if reproducible else document.card
    envelope = {
        "format": FORMAT_PREFIX + document.kind,
        "version": document.version,
        "created": document.created or _now(),
        "by": document.by,
        "card": card,
        "body": document.body,
    }
    write_text(path, dump_json(envelope))


def read_document(path: str | os.PathLike[str]) -> Document:
    """Read a document and the arrays beside it.

    Raises
    ------
    DocumentError
        When it is not a netsynth document, too large, or its arrays are broken.
    StorageError
        When the file is missing, a directory or empty.
    """
    source = require_file(path)
    if source.stat().st_size > MAX_JSON_BYTES:
        raise DocumentError(
            f"{source} is larger than {MAX_JSON_BYTES >> 20} MiB.", hint="This is no model netsynth wrote."
        )
    try:
        raw = json.loads(source.read_bytes())
        envelope = _Envelope.model_validate(raw, strict=True)
    except (ValueError, RecursionError) as error:
        reason = _reason(error) if isinstance(error, ValidationError) else str(error)
        raise DocumentError(
            f"{source} is no netsynth model document: {reason[:200]}.",
            hint="Name a model written by netsynth fit or exported from the app.",
        ) from error
    if not envelope.format.startswith(FORMAT_PREFIX):
        raise DocumentError(
            f"{source} has the format {envelope.format[:80]!r}.",
            hint=f"A format that starts with {FORMAT_PREFIX!r} is needed.",
        )
    return Document(
        kind=envelope.format.removeprefix(FORMAT_PREFIX),
        version=envelope.version,
        card=envelope.card,
        body=envelope.body,
        arrays=_read_arrays(arrays_path(source)),
        created=envelope.created,
        by=envelope.by,
    )


def _read_arrays(path: Path) -> Arrays:
    if not path.exists():
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > min(MAX_ARRAY_BYTES, FREE_ARRAY_BYTES + MAX_ARRAY_RATIO * path.stat().st_size):
            raise DocumentError(f"{path} unpacks to {size >> 20} MiB.", hint="This is no file netsynth wrote.")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except DocumentError:
        raise
    except (OSError, ValueError, zipfile.BadZipFile, KeyError, EOFError) as error:
        raise DocumentError(
            f"{path} is broken: {error}.", hint="Restore the .npz that was written with the model, or learn it again."
        ) from error


def migrate(document: Document, *, kind: str, version: int, migrations: Mapping[int, Migration]) -> dict[str, Any]:
    """The body of a document at the current version of its kind.

    Parameters
    ----------
    migrations
        ``{v: step}``: `step` turns a body of version v into one of version v + 1.

    Raises
    ------
    NewerDocument
        When the document's version is above `version`.
    DocumentError
        When it is of another kind, or no migration leads from its version.
    """
    if document.kind != kind:
        raise DocumentError(
            f"The document holds a {document.kind!r} model, not {kind!r}.", hint="Name a model of the right kind."
        )
    if document.version > version:
        raise NewerDocument(
            f"The {kind} document has version {document.version}; this netsynth reads up to {version}.",
            hint=f"It was written by {document.by}: update netsynth.",
        )
    body = document.body
    for step in range(document.version, version):
        if step not in migrations:
            raise DocumentError(f"No migration leads from version {step} of {kind}.", hint="Learn the model again.")
        body = migrations[step](body)
    return body


def _reason(error: ValidationError) -> str:
    where = ".".join(map(str, error.errors()[0]["loc"]))
    return f"{where + ': ' if where else ''}{problem_of(error)[0]}"


def decode_body(schema: type[Body], body: dict[str, Any], *, kind: str) -> Body:
    """`body` as a strict pydantic model, with a message for people."""
    try:
        return schema.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DocumentError(
            f"The {kind} document is broken at {where}: {problem_of(error)[0]}.",
            hint="Restore it from a copy, or learn the model again.",
        ) from error
