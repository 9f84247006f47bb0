"""Edits of a pattern set. Patterns are named by their stable ids, flows and gaps by their place, from 1.

Each is a value; what it does is in `netsynth_core.models.flowchronicle.editing`.
"""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from netsynth_core.errors import NetsynthError
from netsynth_core.models.edits import Edit
from netsynth_core.units import parse_duration

MOST_FLOWS = 16
MOST_WEIGHT = 1000.0


class DropPattern(Edit):
    """Take a pattern out; its rows fall to the other patterns."""

    title = "Drop pattern"
    example: ClassVar[dict[str, Any]] = {"pattern": "p3"}
    op: Literal["drop_pattern"] = "drop_pattern"
    pattern: str = Field(description="Id of the pattern, such as p3.")

    def sentence(self) -> str:
        """The edit in one sentence."""
        return f"Drop pattern {self.pattern}."


class RestorePattern(Edit):
    """Bring a dropped pattern back as it was."""

    title = "Restore pattern"
    example: ClassVar[dict[str, Any]] = {"pattern": "p3"}
    op: Literal["restore_pattern"] = "restore_pattern"
    pattern: str = Field(description="Id of the dropped pattern.")

    def sentence(self) -> str:
        """The edit in one sentence."""
        return f"Restore pattern {self.pattern}."


class EditCell(Edit):
    """Make one cell of a pattern fixed, free or reused."""

    title = "Change cell"
    example: ClassVar[dict[str, Any]] = {
        "pattern": "p1",
        "flow": 2,
        "column": "dst_port",
        "cell": "fixed",
        "value": "443",
    }
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
    example: ClassVar[dict[str, Any]] = {"pattern": "p1", "name": "browsing"}
    op: Literal["rename_pattern"] = "rename_pattern"
    pattern: str = Field(description="Id of the pattern.")
    name: str = Field(max_length=80, description="Its new name; empty for none.")

    def sentence(self) -> str:
        """The edit in one sentence."""
        return f"Call pattern {self.pattern} {self.name!r}." if self.name else f"Take the name of {self.pattern} away."


def _checked_duration(value: str) -> str:
    try:
        parse_duration(value)
    except NetsynthError as error:
        raise ValueError(f"{value!r} is no duration: write such as 500ms or 2s") from error
    return value


class SetGap(Edit):
    """Change how late the next flow of a pattern may come."""

    title = "Change delay bound"
    example: ClassVar[dict[str, Any]] = {"pattern": "p1", "gap": 1, "within": "500ms"}
    op: Literal["set_gap"] = "set_gap"
    pattern: str = Field(description="Id of the pattern.")
    gap: int = Field(ge=1, description="Place of the gap, from 1: the one between flows 1 and 2.")
    within: str = Field(
        description="Longest delay, such as 500ms; the limits are doublings of 1 us, the next one is taken."
    )

    _within = field_validator("within")(_checked_duration)

    def sentence(self) -> str:
        """The edit in one sentence."""
        return f"In {self.pattern}, let flow {self.gap + 1} come within {self.within} of flow {self.gap}."


class SplitPattern(Edit):
    """Make two patterns of one: by a value of a free cell, or at a gap."""

    title = "Split pattern"
    example: ClassVar[dict[str, Any]] = {"pattern": "p1", "flow": 2, "column": "dst_port", "value": "443"}
    op: Literal["split_pattern"] = "split_pattern"
    pattern: str = Field(description="Id of the pattern.")
    gap: int = Field(default=0, ge=0, description="To cut: place of the gap, from 1; 0 to split by a value.")
    flow: int = Field(default=0, ge=0, description="To split by a value: place of the flow, from 1.")
    column: str = Field(default="", description="To split by a value: the free cell's column.")
    value: str = Field(default="", description="Windows with this value in the cell get a pattern of their own.")

    @model_validator(mode="after")
    def _one_way(self) -> "SplitPattern":
        if bool(self.gap) == bool(self.flow) or bool(self.flow) != bool(self.column):
            raise ValueError("give a gap, or a flow, a column and a value")
        return self

    def sentence(self) -> str:
        """The edit in one sentence."""
        if self.gap:
            return f"Cut {self.pattern} in two between flows {self.gap} and {self.gap + 1}."
        value = self.value or "none"
        return f"Give windows of {self.pattern} whose {self.column} of flow {self.flow} is {value} their own pattern."


class MergePatterns(Edit):
    """Make one pattern of two: one after the other, or what both have in common."""

    title = "Merge patterns"
    example: ClassVar[dict[str, Any]] = {"first": "p1", "second": "p2", "within": "2s"}
    op: Literal["merge_patterns"] = "merge_patterns"
    first: str = Field(description="Id of a pattern; the merged one keeps it when nothing of it is kept.")
    second: str = Field(description="Id of another pattern.")
    how: Literal["in_sequence", "in_common"] = Field(
        default="in_sequence",
        description="in_sequence: the flows of the second after those of the first. in_common: cells that differ become"
        " free.",
    )
    within: str = Field(default="1s", description="In sequence: longest delay between the two.")
    flow: int = Field(default=0, ge=0, description="In sequence: flow of the second, from 1, that shares an address.")
    column: str = Field(default="", description="Its src_ip or dst_ip, ...")
    from_flow: int = Field(default=0, ge=0, description="... which equals that of this flow of the first, from 1, ...")
    from_column: str = Field(default="", description="... in src_ip or dst_ip.")
    keep: bool = Field(default=True, description="In sequence: whether windows that do not follow stay in the two.")

    _within = field_validator("within")(_checked_duration)

    @model_validator(mode="after")
    def _whole_bond(self) -> "MergePatterns":
        parts = (bool(self.flow), bool(self.column), bool(self.from_flow), bool(self.from_column))
        if any(parts) and not all(parts):
            raise ValueError("a shared address needs flow, column, from_flow and from_column")
        if any(parts) and self.how == "in_common":
            raise ValueError("a shared address is for patterns in sequence")
        return self

    def sentence(self) -> str:
        """The edit in one sentence."""
        if self.how == "in_common":
            return f"Put what {self.first} and {self.second} have in common in their place."
        bond = ""
        if self.flow:
            bond = (
                f", {self.column} of its flow {self.flow} equal to {self.from_column} of flow {self.from_flow}"
                f" of {self.first}"
            )
        rest = "" if self.keep else "; take the two away"
        return f"Join {self.second} to {self.first}, within {self.within}{bond}{rest}."


class NewCell(BaseModel):
    """Which address of an earlier flow a new cell equals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flow: int = Field(ge=1, le=MOST_FLOWS)
    """Place of that flow, from 1."""
    column: str
    """src_ip or dst_ip."""


class NewFlow(BaseModel):
    """One flow of a pattern added by hand; columns that are not named are free."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fixed: dict[str, str] = Field(default_factory=dict)
    """Values by column, as in the flow table."""
    reused: dict[str, NewCell] = Field(default_factory=dict)
    """Reused addresses by column."""
    within: str = "1s"
    """Longest delay after the flow before; of no meaning for the first."""

    _within = field_validator("within")(_checked_duration)


class AddPattern(Edit):
    """Add a pattern by hand."""

    title = "Add pattern"
    example: ClassVar[dict[str, Any]] = {
        "name": "lookup, then web",
        "flows": [
            {"fixed": {"proto": "UDP", "dst_port": "53"}},
            {
                "fixed": {"proto": "TCP", "dst_port": "443"},
                "reused": {"src_ip": {"flow": 1, "column": "src_ip"}},
                "within": "2s",
            },
        ],
    }
    op: Literal["add_pattern"] = "add_pattern"
    flows: tuple[NewFlow, ...] = Field(
        min_length=1,
        max_length=MOST_FLOWS,
        description='Its flows in order: {"fixed": {column: value}, "reused": {column: {"flow", "column"}}, "within"}.',
    )
    name: str = Field(default="", max_length=80, description="Its name; empty for none.")

    def sentence(self) -> str:
        """The edit in one sentence."""
        parts = []
        for place, flow in enumerate(self.flows):
            cells = [f"{column} = {value or 'none'}" for column, value in flow.fixed.items()]
            cells += [f"{column} = {cell.column} of flow {cell.flow}" for column, cell in flow.reused.items()]
            words = ", ".join(cells) or "anything"
            parts.append(f"within {flow.within} {words}" if place else words)
        return f"Add a pattern{f' {self.name!r}' if self.name else ''}: {'; then '.join(parts)}."


class SetWeight(Edit):
    """Set how often a pattern is generated, beside how often it occurs."""

    title = "Set weight"
    example: ClassVar[dict[str, Any]] = {"pattern": "p1", "weight": 2}
    op: Literal["set_weight"] = "set_weight"
    pattern: str = Field(description='Id of the pattern; "empty" is that of the flows in no window.')
    weight: float = Field(
        ge=0.0,
        le=MOST_WEIGHT,
        allow_inf_nan=False,
        description="1 = as often as in the data, 2 = twice as often, 0 = never.",
    )

    def sentence(self) -> str:
        """The edit in one sentence."""
        name = "flows in no window" if self.pattern == "empty" else self.pattern
        if self.weight == 0:
            return f"Never generate {name}."
        if self.weight == 1:
            return f"Generate {name} as often as it occurs."
        return f"Generate {name} {self.weight:g} times as often as it occurs."
