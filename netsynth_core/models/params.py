"""Parameters of generators: the ones of `netsynth_core.params`, under the name the models use."""

from netsynth_core.params import Params, parameter

__all__ = ["Params", "parameter"]
