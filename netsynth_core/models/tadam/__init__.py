"""TADAM: probabilistic timed automata learnt by minimum description length, with a model of noise."""

from netsynth_core.models.tadam.model import Tadam
from netsynth_core.models.tadam.params import TadamParams

__all__ = ["Tadam", "TadamParams"]
