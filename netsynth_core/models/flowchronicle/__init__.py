"""FlowChronicle: flow patterns by MDL, each with a Bayesian network over its free cells.

Names are loaded when they are first asked for, so that parameters and edits come without the machinery of the model.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsynth_core.models.flowchronicle.cover import Cover, Window
    from netsynth_core.models.flowchronicle.edits import (
        AddPattern,
        DropPattern,
        EditCell,
        MergePatterns,
        NewCell,
        NewFlow,
        RenamePattern,
        RestorePattern,
        SetGap,
        SetWeight,
        SplitPattern,
    )
    from netsynth_core.models.flowchronicle.model import FlowChronicle
    from netsynth_core.models.flowchronicle.params import FlowChronicleParams

__all__ = [
    "AddPattern",
    "Cover",
    "DropPattern",
    "EditCell",
    "FlowChronicle",
    "FlowChronicleParams",
    "MergePatterns",
    "NewCell",
    "NewFlow",
    "RenamePattern",
    "RestorePattern",
    "SetGap",
    "SetWeight",
    "SplitPattern",
    "Window",
]

_HOMES = {
    "AddPattern": "edits",
    "Cover": "cover",
    "DropPattern": "edits",
    "EditCell": "edits",
    "FlowChronicle": "model",
    "FlowChronicleParams": "params",
    "MergePatterns": "edits",
    "NewCell": "edits",
    "NewFlow": "edits",
    "RenamePattern": "edits",
    "RestorePattern": "edits",
    "SetGap": "edits",
    "SetWeight": "edits",
    "SplitPattern": "edits",
    "Window": "cover",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
