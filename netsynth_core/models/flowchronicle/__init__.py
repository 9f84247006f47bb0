"""FlowChronicle: flow patterns by MDL, each with a Bayesian network over its free cells."""

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
