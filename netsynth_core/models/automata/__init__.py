"""Probabilistic timed automata: the types, running, editing, drawing. Nothing here learns."""

from netsynth_core.models.automata.automaton import END, Location, TimedAutomaton, Transition

__all__ = ["END", "Location", "TimedAutomaton", "Transition"]
