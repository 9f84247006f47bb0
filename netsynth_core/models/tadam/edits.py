"""What an analyst may change of a learnt automaton, as values."""

from typing import ClassVar, Literal

from pydantic import Field

from netsynth_core.models.edits import Edit


class PruneTransition(Edit):
    """Leave out a transition; the words that took it find another path, or are explained by noise."""

    title: ClassVar[str] = "Prune transition"
    op: Literal["prune_transition"] = "prune_transition"
    transition: str = Field(max_length=20)
    """Id, such as e7."""


class MergeLocations(Edit):
    """Make two locations one."""

    title: ClassVar[str] = "Merge locations"
    op: Literal["merge_locations"] = "merge_locations"
    keep: str = Field(max_length=20)
    """Id of the location that stays."""
    absorb: str = Field(max_length=20)
    """Id of the location that goes into it."""


class RenameLocation(Edit):
    """Give a location another name."""

    title: ClassVar[str] = "Rename location"
    op: Literal["rename_location"] = "rename_location"
    location: str = Field(max_length=20)
    name: str = Field(min_length=1, max_length=200)
