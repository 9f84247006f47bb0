"""What forging did: figures, and what could not be done as asked, by reason."""

from dataclasses import dataclass, field
from typing import Final

LEFT_OUT: Final = "left out: "
"""How the reasons in `ForgeReport.fallbacks` begin whose flows became no packet."""


@dataclass(frozen=True)
class ForgeReport:
    """The outcome of `netsynth_core.forge.forge_capture`."""

    packets: int
    """Frames written."""
    bytes: int
    """Sum of their lengths, bytes, without record headers."""
    flows: int
    """Flows that became packets."""
    fallbacks: dict[str, int] = field(default_factory=dict)
    """Flows not drawn from an automaton, or left out (these begin with `LEFT_OUT`), by reason."""
    seconds: float = 0.0
    """Wall time."""
    notes: tuple[str, ...] = ()
    """Sentences for a person: stand-in addresses, sizes cut to a segment, re-emitted packets."""
    drawn: int = 0
    """Flows whose packets were drawn from an automaton."""
    exact: int = 0
    """Flows whose packet counts are those of the flow table."""

    @property
    def by_default(self) -> dict[str, int]:
        """Flows that became default conversations, by reason."""
        return {why: count for why, count in self.fallbacks.items() if not why.startswith(LEFT_OUT)}

    @property
    def left_out(self) -> dict[str, int]:
        """Flows that became no packet, by reason (without `LEFT_OUT`)."""
        return {why.removeprefix(LEFT_OUT): n for why, n in self.fallbacks.items() if why.startswith(LEFT_OUT)}

    @property
    def asked(self) -> int:
        """Flows of the table: those forged, drawn or by default, and those left out."""
        return self.flows + sum(self.left_out.values())
