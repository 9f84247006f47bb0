"""What reading a log met: rows, flows, and what was left out by reason, with the first line of each kind."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

CELLS: Final = "wrong number of cells"
QUOTES: Final = "quote that is not closed"
LONG: Final = "line too long"
NO_RECORD: Final = "no record"
NO_TIME: Final = "no instant"
NO_DURATION: Final = "no duration"
NO_ADDRESS: Final = "no address"
NO_PORT: Final = "no port"
NO_PROTOCOL: Final = "no IP protocol"
NO_COUNT: Final = "no count"
OTHER_EVENT: Final = "another kind of event"


@dataclass(frozen=True)
class LogReport:
    """What was read of one log and what was not."""

    path: str
    format: str
    """Name of the layout, such as ``zeek`` (`netsynth_core.flows.logs.registry.FORMATS`)."""
    rows: int
    """Rows that were looked at: lines that are neither blank nor comments, header or summary."""
    flows: int
    """Flows they became; fewer than the good rows where one-directional records were merged."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Rows left out, by reason."""
    first_skipped: dict[str, int] = field(default_factory=dict)
    """Line (1-based) of the first row left out for each reason."""
    notes: tuple[str, ...] = ()
    """Sentences for a person: what was taken for granted."""


@dataclass
class Tally:
    """Rows left out so far."""

    skipped: dict[str, int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, lines: NDArray[np.int64]) -> None:
        """Count rows that stand on these lines."""
        if len(lines):
            first = int(lines.min())
            self.skipped[reason] = self.skipped.get(reason, 0) + len(lines)
            self.first[reason] = min(self.first.get(reason, first), first)
