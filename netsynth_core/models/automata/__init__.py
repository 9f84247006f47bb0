"""Probabilistic timed automata: the types, running, editing, drawing. Nothing here learns."""

from netsynth_core.models.automata.automaton import END, Location, TimedAutomaton, Transition
from netsynth_core.models.automata.export import least_taken, to_dot, to_json
from netsynth_core.models.automata.layout import Drawn, LayoutTooSlow, draw_svg, lay_out

__all__ = [
    "END",
    "Drawn",
    "LayoutTooSlow",
    "Location",
    "TimedAutomaton",
    "Transition",
    "draw_svg",
    "lay_out",
    "least_taken",
    "to_dot",
    "to_json",
]
