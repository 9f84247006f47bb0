"""Artefacts: what a workspace holds. Immutable, named by content, each naming what it was made from.

The record is ``artefact.json`` in the artefact's folder; what a person may change (name, note) lies in ``label.json``
beside it. A model's edits are kept beside it too and never touch the record.
"""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from netsynth_core.files import content_hash, dump_json
from netsynth_core.workspace.recipes import Recipe


class ArtefactKind(StrEnum):
    """What an artefact is."""

    CAPTURE = "capture"
    """A file that was given: a capture, or a flow log; kept by reference or as a copy."""
    FLOWS = "flows"
    """A flow table, with the conversations where it came from captures."""
    WORDS = "words"
    """Timed words in groups."""
    MODEL = "model"
    """A learnt model and its edits."""
    SYNTHETIC = "synthetic"
    """What was generated: flows, words or a pcap (`facts["content"]` says which)."""
    REPORT = "report"
    """A comparison of real and synthetic."""


class InputRef(BaseModel):
    """An artefact as it was when something was made from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    hash: str
    """Of the content; of a model, of its state with the edits at that time."""


class Artefact(BaseModel):
    """The immutable record of one artefact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """``<kind>-<12 hexadecimal digits>``: the digits name content, inputs and recipe."""
    kind: ArtefactKind
    name: str
    """As given when it was made; `Workspace.label` has the name to show."""
    created: str
    """ISO 8601, UTC."""
    hash: str
    """Of the files' bytes."""
    inputs: tuple[InputRef, ...] = ()
    recipe: Recipe | None = None
    """How it was made; its seed is in it."""
    files: tuple[str, ...] = ()
    """Names of its files in its folder; empty for a capture kept by reference."""
    facts: dict[str, Any] = Field(default_factory=dict)
    """Figures and words worth showing without opening the files."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Of netsynth, Python and the libraries that shape the result."""


class Label(BaseModel):
    """What a person may change about an artefact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    note: str = Field("", max_length=100_000)


class StaleReason(BaseModel):
    """One reason for which an artefact no longer follows from its inputs."""

    model_config = ConfigDict(frozen=True)

    input: str
    """Id of the input that moved on."""
    sentence: str


def artefact_id(kind: ArtefactKind, *, hash: str, inputs: tuple[InputRef, ...], recipe: Recipe | None) -> str:
    """The id of an artefact: equal content made in the same way from the same inputs has the same one."""
    parts: list[bytes | str] = [kind.value, hash, dump_json([ref.model_dump() for ref in inputs])]
    if recipe is not None:
        parts.append(dump_json({"step": recipe.step, "parameters": recipe.parameters, "seed": recipe.seed}))
    return f"{kind.value}-{content_hash(*parts)}"
