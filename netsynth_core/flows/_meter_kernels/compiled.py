"""How the loops of metering are compiled."""

from numba import njit

from netsynth_core.machine import OPTIONS

part = njit(**OPTIONS)  # type: ignore[call-overload]
"""Decorator of the loops and of the functions compiled into them. Numba compiles one more of a function for each
literal or width of its arguments: it is called from few places, with variables."""
