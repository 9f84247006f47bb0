"""Recipes: what is to be done, as JSON; steps do it, jobs do it in a child process.

A recipe names its inputs by artefact id and holds everything that shapes the result: the same recipe on the same inputs
makes the same bytes.
"""

from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netsynth_core.errors import DocumentError
from netsynth_core.files import dump_json, require_file
from netsynth_core.params import problem_of


class Step(StrEnum):
    """What a recipe does."""

    CAPTURE = "capture"
    """Take a file into the workspace; parameters ``path``, ``copy``."""
    FLOWS = "flows"
    """Inputs: captures or flow logs; parameters: those of `MeterParams`, ``options`` (those of `ReadOptions`), and for
    a flow log of unknown layout ``mapping`` (a `Mapping`)."""
    CUT = "cut"
    """Input: flows that were read from captures; parameter ``rows`` (such as ``1,5-9``). Makes a capture."""
    WORDS = "words"
    """Input: flows that were read from captures. Which conversations form a group, the words decide."""
    EVENTS = "events"
    """No input; parameters ``path`` (an event log), and ``case``, ``event``, ``time`` (names of columns; empty = told
    by their names). Makes words."""
    FIT = "fit"
    """Input: flows, or words; parameters ``kind``, ``settings`` {name: value}, ``groups`` [name] (none = all),
    ``payloads`` (``templates``, ``replay`` or ``none``: what automata keep of the packets)."""
    SAMPLE = "sample"
    """Input: a model; parameters ``n`` or ``duration_ns``, and ``start_ns``."""
    FORGE = "forge"
    """Inputs: flows (real or synthetic), then packet-level models; parameter ``replay`` (repeat stored payloads)."""
    EVALUATE = "evaluate"
    """Inputs: real flows, synthetic flows, then optionally a flow-level model; parameter ``holdout`` (artefact id)."""
    GENERATE = "generate"
    """Inputs: captures, or flows; parameters ``flows`` (how many), ``settings`` {kind: {name: value}}."""


class Recipe(BaseModel):
    """One thing to do.

    Examples
    --------
    >>> Recipe(step="fit", inputs=("flows-0a1b2c3d4e5f",), parameters={"kind": "flowchronicle"}).seed
    0
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Step
    inputs: tuple[str, ...] = ()
    """Artefact ids, in the order the step wants them."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """JSON values; each step checks its own."""
    seed: int = Field(0, ge=0)
    name: str = Field("", max_length=200)
    """Name of what is made, for people; empty = the step's own choice."""
    supersedes: str = ""
    """Artefact this one is made instead of: what was made from that one becomes stale. Empty = none."""

    def to_json(self) -> str:
        """The recipe as JSON text, equal recipes as equal bytes."""
        return dump_json(self.model_dump(mode="json"))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a recipe.

        Raises
        ------
        StorageError
            When the file is missing or empty.
        DocumentError
            When it holds no recipe.
        """
        try:
            return cls.model_validate_json(require_file(path).read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            raise DocumentError(
                f"{path} holds no recipe: {'.'.join(map(str, first['loc']))}: {problem_of(error)[0]}.",
                hint="Start the job again from the app.",
            ) from error
