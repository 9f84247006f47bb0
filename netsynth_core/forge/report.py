"""What forging did: figures, and what could not be done as asked, by reason."""

from dataclasses import dataclass, field


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
    """Flows not drawn from an automaton, or left out, by reason."""
    seconds: float = 0.0
    """Wall time."""
    notes: tuple[str, ...] = ()
    """Sentences for a person: stand-in addresses, sizes cut to a segment, re-emitted packets."""
    drawn: int = 0
    """Flows whose packets were drawn from an automaton."""
    exact: int = 0
    """Flows whose packet counts are those of the flow table."""
