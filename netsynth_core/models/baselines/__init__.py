"""Generators to compare FlowChronicle with: Bayesian networks on single flows, and on blocks of consecutive flows."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsynth_core.models.baselines.blocks import Independent, Sequential
    from netsynth_core.models.baselines.params import IndependentParams, SequenceParams

__all__ = ["Independent", "IndependentParams", "SequenceParams", "Sequential"]

_HOMES = {
    "Independent": "blocks",
    "IndependentParams": "params",
    "SequenceParams": "params",
    "Sequential": "blocks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
