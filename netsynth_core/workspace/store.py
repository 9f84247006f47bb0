"""The workspace: a folder that is the truth. Artefacts are immutable; a crash, a reload or a full disk loses nothing.

Layout::

    workspace.json             format, version, created, by
    artefacts/<id>/            artefact.json, label.json and the artefact's files; models: edits.jsonl, head.json
    jobs/<id>/                 see `netsynth_core.workspace.jobs`
    trash/<when>-<id>/         deleted artefacts; nothing is ever removed from it by netsynth
    tmp/<pid>-<start>-<token>/ what is being made; swept when its process is gone
    lock, notes.md

An artefact is made in ``tmp`` and renamed into place, so that a half one is never seen.
"""

import json
import os
import platform
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

import netsynth_core
from netsynth_core.errors import DocumentError, NewerDocument, WorkspaceError
from netsynth_core.files import content_hash, dump_json, file_sha256, require_file, storage_error, write_text
from netsynth_core.params import problem_of
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind, InputRef, Label, artefact_id
from netsynth_core.workspace.locks import folder_lock
from netsynth_core.workspace.processes import ProcessMark
from netsynth_core.workspace.recipes import Recipe

FORMAT = "netsynth/workspace"
VERSION = 1
RECORD = "artefact.json"
LABEL = "label.json"
LEARNED = "learned.json"
_LIBRARIES = ("numpy", "pandas", "scipy", "numba", "pgmpy")


class _Marker(BaseModel):
    model_config = ConfigDict(extra="forbid")
    format: str
    version: int
    created: str
    by: str


@dataclass(frozen=True)
class Broken:
    """An artefact whose record cannot be read; it is left as it is."""

    folder: Path
    problem: str


def now_text() -> str:
    """This instant as ISO 8601, UTC, to the microsecond, so that things made in one second keep their order."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def versions() -> dict[str, str]:
    """Versions of what shapes a result."""
    found = {"netsynth": netsynth_core.__version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Workspace:
    """A workspace folder; build it with `open`, `create` or `open_or_create`.

    Values of this class hold no state of their own: two of them on one folder see the same things.
    """

    folder: Path
    lock_timeout_s: float = 10.0

    # -- the folder -------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, folder: str | os.PathLike[str]) -> Self:
        """Make a new, empty workspace in a folder that is missing, empty, or holds files of another kind.

        Raises
        ------
        WorkspaceError
            When there is a workspace already.
        StorageError
            When the folder cannot be written.
        """
        root = Path(folder).absolute()
        if (root / "workspace.json").exists():
            raise WorkspaceError(f"{root} is a workspace already.", hint="Open it, or choose another folder.")
        try:
            for part in ("artefacts", "jobs", "trash", "tmp"):
                (root / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, root, "make the workspace") from error
        marker = _Marker(format=FORMAT, version=VERSION, created=now_text(), by=f"netsynth {netsynth_core.__version__}")
        write_text(root / "workspace.json", dump_json(marker.model_dump()))
        return cls(root)

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """Open a workspace; what dead processes left half-made is swept.

        Raises
        ------
        WorkspaceError
            When the folder is no workspace.
        NewerDocument
            When a newer netsynth made it.
        DocumentError
            When ``workspace.json`` is broken.
        """
        root = Path(folder).absolute()
        marker_path = root / "workspace.json"
        if not marker_path.exists():
            raise WorkspaceError(f"{root} is no netsynth workspace.", hint="Create one there, or check the path.")
        try:
            marker = _Marker.model_validate_json(require_file(marker_path).read_bytes())
        except ValidationError as error:
            raise DocumentError(
                f"{marker_path} is broken: {problem_of(error)[0]}.", hint="Restore it from a copy."
            ) from error
        if marker.format != FORMAT:
            raise DocumentError(f"{marker_path} has the format {marker.format!r}.", hint=f"{FORMAT!r} is needed.")
        if marker.version > VERSION:
            raise NewerDocument(
                f"The workspace {root} has version {marker.version}; this netsynth reads up to {VERSION}.",
                hint=f"It was made by {marker.by}: update netsynth.",
            )
        workspace = cls(root)
        workspace._sweep()
        return workspace

    @classmethod
    def open_or_create(cls, folder: str | os.PathLike[str]) -> Self:
        """The workspace in that folder, made when there is none."""
        return cls.open(folder) if (Path(folder) / "workspace.json").exists() else cls.create(folder)

    def lock(self) -> AbstractContextManager[None]:
        """Hold the workspace's lock: everything that changes a file others may change takes it."""
        return folder_lock(self.folder / "lock", timeout_s=self.lock_timeout_s)

    @property
    def jobs_folder(self) -> Path:
        """Where jobs lie."""
        return self.folder / "jobs"

    def notes(self) -> str:
        """The analyst's notes on the whole workspace."""
        path = self.folder / "notes.md"
        return path.read_text("utf-8") if path.exists() else ""

    def write_notes(self, text: str) -> None:
        """Replace the notes."""
        with self.lock():
            write_text(self.folder / "notes.md", text)

    def _sweep(self) -> None:
        for path in (self.folder / "tmp").glob("*-*-*"):
            pid, start, _ = path.name.split("-", 2)
            if pid.isdecimal() and not ProcessMark(int(pid), start).alive():
                shutil.rmtree(path, ignore_errors=True)

    # -- reading ----------------------------------------------------------------------------------------------------

    def path(self, id: str, file: str = "") -> Path:
        """Folder of an artefact, or a file in it.

        Raises
        ------
        WorkspaceError
            When there is no such artefact.
        """
        folder = self.folder / "artefacts" / id
        if not id or "/" in id or "\\" in id or id.startswith(".") or not folder.is_dir():
            raise WorkspaceError(
                f"The workspace holds no {id!r}.", hint="It may have been deleted: look into its trash folder."
            )
        return folder / file if file else folder

    def get(self, id: str) -> Artefact:
        """The record of an artefact.

        Raises
        ------
        WorkspaceError
            When there is no such artefact.
        DocumentError
            When its record is broken; the files stay as they are.
        """
        path = self.path(id, RECORD)
        try:
            return Artefact.model_validate_json(require_file(path).read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            raise DocumentError(
                f"{path} is broken: {'.'.join(map(str, first['loc']))}: {problem_of(error)[0]}.",
                hint="Restore it from a copy; the artefact's other files are untouched.",
            ) from error

    def artefacts(self, kind: ArtefactKind | str | None = None) -> list[Artefact]:
        """Every readable artefact (of one kind), oldest first; `broken` names the others."""
        return self._scan(kind)[0]

    def broken(self) -> list[Broken]:
        """Artefacts whose record cannot be read."""
        return self._scan(None)[1]

    def _scan(self, kind: ArtefactKind | str | None) -> tuple[list[Artefact], list[Broken]]:
        good: list[Artefact] = []
        bad: list[Broken] = []
        prefix = f"{ArtefactKind(kind).value}-" if kind else ""
        for folder in (self.folder / "artefacts").iterdir():
            if not folder.name.startswith(prefix) or folder.name.startswith("."):
                continue
            try:
                good.append(self.get(folder.name))
            except (DocumentError, OSError) as error:
                bad.append(Broken(folder, str(error)))
        return sorted(good, key=lambda a: (a.created, a.id)), sorted(bad, key=lambda b: b.folder.name)

    def label(self, id: str) -> Label:
        """The name to show and the note of an artefact."""
        path = self.path(id, LABEL)
        if not path.exists():
            return Label(name=self.get(id).name or id)
        try:
            return Label.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise DocumentError(f"{path} is broken.", hint="Delete it: only the name and the note are lost.") from error

    # -- changing ---------------------------------------------------------------------------------------------------

    def rename(self, id: str, name: str, *, note: str | None = None) -> Label:
        """Give an artefact another name (and note); its record and id stay.

        Raises
        ------
        WorkspaceError
            When the name is empty or too long.
        """
        with self.lock():
            old = self.label(id)
            try:
                label = Label(name=name.strip(), note=old.note if note is None else note)
            except ValidationError as error:
                raise WorkspaceError(
                    f"{name[:40]!r} cannot be a name: {problem_of(error)[0]}.", hint="Use 1 to 200 characters."
                ) from error
            write_text(self.path(id, LABEL), dump_json(label.model_dump()))
        return label

    def delete(self, id: str) -> Path:
        """Move an artefact into the trash folder; what was made from it stays and becomes stale.

        Returns
        -------
        Path
            Where it lies now; `restore` takes its name.
        """
        with self.lock():
            source = self.path(id)
            target = self.folder / "trash" / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{id}"
            self._move(source, target)
        return target

    def trash(self) -> list[str]:
        """Names of what was deleted, oldest first."""
        return sorted(path.name for path in (self.folder / "trash").iterdir() if path.is_dir())

    def restore(self, name: str) -> str:
        """Take a deleted artefact out of the trash; returns its id."""
        if name not in self.trash():
            raise WorkspaceError(f"The trash holds no {name!r}.", hint="List the trash and choose one of it.")
        id = name.split("-", 1)[1]
        with self.lock():
            target = self.folder / "artefacts" / id
            if target.exists():
                raise WorkspaceError(f"{id} is in the workspace again.", hint="Delete that one first.")
            self._move(self.folder / "trash" / name, target)
        return id

    @staticmethod
    def _move(source: Path, target: Path) -> None:
        try:
            source.replace(target)
        except OSError as error:
            raise storage_error(error, source, "move") from error

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder for making something; gone after the block unless `adopt` took it."""
        mark = ProcessMark.current()
        folder = self.folder / "tmp" / f"{mark.pid}-{mark.start}-{secrets.token_hex(4)}"
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise storage_error(error, folder, "make the folder") from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def reference(self, id: str) -> InputRef:
        """The artefact as an input: its id and the hash of its present state."""
        artefact = self.get(id)
        return InputRef(id=id, hash=self.current_hash(artefact))

    def current_hash(self, artefact: Artefact) -> str:
        """Hash of the present state: of a model, with its edits up to the head; of the rest, the record's."""
        if artefact.kind is not ArtefactKind.MODEL:
            return artefact.hash
        from netsynth_core.workspace.edited import read_log

        log = read_log(self.path(artefact.id))
        return log.path()[-1].after_hash if log.head else str(artefact.facts.get("model_hash", artefact.hash))

    def add(
        self,
        kind: ArtefactKind,
        fill: Callable[[Path], dict[str, Any]],
        *,
        name: str,
        inputs: tuple[InputRef, ...] = (),
        recipe: Recipe | None = None,
    ) -> Artefact:
        """Make an artefact: `fill` writes its files into the folder it is given and returns its facts.

        When `fill` raises, or the process dies, nothing is left. An artefact of the same content, inputs and recipe
        is made once: the older record is returned.
        """
        with self.staging() as folder:
            facts = json.loads(dump_json(fill(folder)))
            files = tuple(sorted(path.name for path in folder.iterdir()))
            hash = str(
                facts.get("sha256")
                or facts.get("model_hash")
                or content_hash(*(f"{f} {file_sha256(folder / f)}" for f in files))
            )[:12]
            id = artefact_id(kind, hash=hash, inputs=inputs, recipe=recipe)
            artefact = Artefact(
                id=id,
                kind=kind,
                name=name[:200],
                created=now_text(),
                hash=hash,
                inputs=inputs,
                recipe=recipe,
                files=files,
                facts=facts,
                versions=versions(),
            )
            write_text(folder / RECORD, dump_json(artefact.model_dump(mode="json")))
            with self.lock():
                target = self.folder / "artefacts" / id
                if target.exists():
                    return self.get(id)
                self._move(folder, target)
        return artefact
