"""TADAM: probabilistic timed automata learnt by minimum description length, with a model of noise."""

from netsynth_core.models.tadam.edits import MergeLocations, PruneTransition, RenameLocation
from netsynth_core.models.tadam.model import Tadam
from netsynth_core.models.tadam.noise import Alignment, NoiseModel, NoiseOp
from netsynth_core.models.tadam.params import TadamParams

__all__ = [
    "Alignment",
    "MergeLocations",
    "NoiseModel",
    "NoiseOp",
    "PruneTransition",
    "RenameLocation",
    "Tadam",
    "TadamParams",
]
