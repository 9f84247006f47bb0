"""What an analyst may change of a learnt automaton, as values."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from netsynth_core.models.edits import Edit


class PruneTransition(Edit):
    """Leave out a transition; the words that took it find another path, or are explained by noise."""

    title: ClassVar[str] = "Prune transition"
    example: ClassVar[dict[str, Any]] = {"transition": "e7"}
    op: Literal["prune_transition"] = "prune_transition"
    transition: str = Field(
        max_length=20, description="Id of the transition, such as e7; netsynth show lists them with their counts."
    )


class MergeLocations(Edit):
    """Make two locations one."""

    title: ClassVar[str] = "Merge locations"
    example: ClassVar[dict[str, Any]] = {"keep": "q3", "absorb": "q5"}
    op: Literal["merge_locations"] = "merge_locations"
    keep: str = Field(max_length=20, description="Id of the location that stays, such as q3.")
    absorb: str = Field(
        max_length=20, description="Id of the location that goes into it; its transitions lead to and from the other."
    )


class RenameLocation(Edit):
    """Give a location another name."""

    title: ClassVar[str] = "Rename location"
    example: ClassVar[dict[str, Any]] = {"location": "q3", "name": "logged in"}
    op: Literal["rename_location"] = "rename_location"
    location: str = Field(max_length=20, description="Id of the location, such as q3.")
    name: str = Field(min_length=1, max_length=200, description="What people read in drawings and tables.")
