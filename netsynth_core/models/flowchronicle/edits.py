"""Edits of a pattern set: drop, restore, change a cell, rename. Patterns are named by their stable ids."""

from typing import Literal

from pydantic import Field

from netsynth_core.models.edits import Edit


class DropPattern(Edit):
    """Take a pattern out; its rows fall to the other patterns."""

    title = "Drop pattern"
    op: Literal["drop_pattern"] = "drop_pattern"
    pattern: str = Field(description="Id of the pattern, such as p3.")

    def sentence(self) -> str:
        """The edit in one sentence."""
        return f"Drop pattern {self.pattern}."


class RestorePattern(Edit):
    """Bring a dropped pattern back as it was."""

    title = "Restore pattern"
    op: Literal["restore_pattern"] = "restore_pattern"
    pattern: str = Field(description="Id of the dropped pattern.")

    def sentence(self) -> str:
        """The edit in one sentence."""
        return f"Restore pattern {self.pattern}."


class EditCell(Edit):
    """Make one cell of a pattern fixed, free or reused."""

    title = "Change cell"
    op: Literal["edit_cell"] = "edit_cell"
    pattern: str = Field(description="Id of the pattern.")
    flow: int = Field(ge=1, description="Place of the flow in the pattern, from 1.")
    column: str = Field(description="Column of the cell, such as dst_port.")
    cell: Literal["fixed", "free", "reused"] = Field(description="What the cell becomes.")
    value: str = Field(
        default="",
        description="For fixed: the value as in the flow table; for numbers, any value of the bin (duration in s).",
    )
    from_flow: int = Field(
        default=0, ge=0, description="For reused: place of the earlier flow, from 1, or of this one."
    )
    from_column: str = Field(default="", description="For reused: src_ip or dst_ip of that flow.")

    def sentence(self) -> str:
        """The edit in one sentence."""
        cell = {
            "fixed": f"fixed at {self.value}",
            "free": "free",
            "reused": f"equal to {self.from_column} of flow {self.from_flow}",
        }[self.cell]
        return f"In {self.pattern}, make {self.column} of flow {self.flow} {cell}."


class RenamePattern(Edit):
    """Give a pattern a name."""

    title = "Rename pattern"
    op: Literal["rename_pattern"] = "rename_pattern"
    pattern: str = Field(description="Id of the pattern.")
    name: str = Field(max_length=80, description="Its new name; empty for none.")

    def sentence(self) -> str:
        """The edit in one sentence."""
        return f"Call pattern {self.pattern} {self.name!r}." if self.name else f"Take the name of {self.pattern} away."
