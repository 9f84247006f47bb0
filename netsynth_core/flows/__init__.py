"""Flows, conversations and timed words: what the models learn from. The names below are looked up when first used."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsynth_core.flows.table import FlowTable
    from netsynth_core.flows.words import Words

__all__ = ["FlowTable", "Words"]


def __getattr__(name: str) -> Any:
    if name == "FlowTable":
        from netsynth_core.flows.table import FlowTable

        return FlowTable
    if name == "Words":
        from netsynth_core.flows.words import Words

        return Words
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
