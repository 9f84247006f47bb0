"""Probabilistic timed automata: the types, running, editing, drawing. Nothing here learns."""

from netsynth_core.models.automata.automaton import END, Location, TimedAutomaton, Transition
from netsynth_core.models.automata.export import to_dot, to_json
from netsynth_core.models.automata.layout import Drawn, draw_svg

__all__ = ["END", "Drawn", "Location", "TimedAutomaton", "Transition", "draw_svg", "to_dot", "to_json"]
