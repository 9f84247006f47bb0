"""Parameters of FlowChronicle."""

from typing import Literal

from pydantic import field_validator

from netsynth_core.models.params import Params, parameter
from netsynth_core.units import NS_PER_S, parse_duration

ScoreName = Literal["default", "published"]


class FlowChronicleParams(Params):
    """What the miner may be told; the defaults suit most captures."""

    bins: int = parameter(
        24, "Bins each number (packets, bytes, duration) is cut into, at its quantiles; zero has its own.", ge=2, le=200
    )
    least_rows: int = parameter(
        8, "Fewest flows that must share a value before patterns are built on it.", unit="flows", ge=2, le=100_000
    )
    most_flows: int = parameter(6, "Most flows of one pattern.", unit="flows", ge=1, le=16)
    score: ScoreName = parameter(
        "default",
        "What the search minimises: the default codelength, or the one of the publication (with its ten columns and 40 "
        "bins, whatever bins says) to compare results.",
        title="Score the search goes by",
        advanced=True,
    )
    budget: str = parameter(
        "", "Time after which the search ends with the best so far, such as 120s or 5m; empty for no limit."
    )
    search_flows: int = parameter(
        200_000,
        "The search looks at no more flows than this, in stretches evenly spread; windows, networks and bits come from "
        "all flows.",
        unit="flows",
        ge=1000,
        le=100_000_000,
        advanced=True,
        title="Flows the search looks at",
    )
    privacy_k: int = parameter(
        5,
        "Patterns that rest on fewer hosts than this are named in the card.",
        unit="hosts",
        ge=1,
        le=100_000,
        title="Hosts a pattern should rest on",
    )
    generalise: bool = parameter(
        False,
        "Free every fixed address and leave out patterns that rest on fewer than privacy_k hosts; longer descriptions.",
        title="Learn without fixed addresses and rare patterns",
        advanced=True,
    )

    @field_validator("budget")
    @classmethod
    def _check_budget(cls, value: str) -> str:
        if value:
            parse_duration(value)
        return value

    @property
    def budget_seconds(self) -> float | None:
        """The budget in seconds; None for none."""
        return parse_duration(self.budget) / NS_PER_S if self.budget else None
