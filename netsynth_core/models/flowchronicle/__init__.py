"""FlowChronicle: flow patterns by MDL, each with a Bayesian network over its free cells.

Names are loaded when they are first asked for, so that parameters and edits come without the machinery of the model.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsynth_core.models.flowchronicle.cover import Cover, Window
    from netsynth_core.models.flowchronicle.edits import DropPattern, EditCell, RenamePattern, RestorePattern
    from netsynth_core.models.flowchronicle.model import FlowChronicle
    from netsynth_core.models.flowchronicle.params import FlowChronicleParams

__all__ = [
    "Cover",
    "DropPattern",
    "EditCell",
    "FlowChronicle",
    "FlowChronicleParams",
    "RenamePattern",
    "RestorePattern",
    "Window",
]

_HOMES = {
    "Cover": "cover",
    "DropPattern": "edits",
    "EditCell": "edits",
    "FlowChronicle": "model",
    "FlowChronicleParams": "params",
    "RenamePattern": "edits",
    "RestorePattern": "edits",
    "Window": "cover",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
