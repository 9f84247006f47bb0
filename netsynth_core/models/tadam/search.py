"""The search for the automaton of smallest codelength: clean, restore, split, merge, and again, until nothing helps.

Every accepted move lowers the codelength of all words as it really is after aligning them again; gains that are only
predicted decide the order of trying. The search draws nothing and stops at its budget with the best automaton so far.
"""

from collections.abc import Callable

from netsynth_core.models.tadam.cleaning import clean
from netsynth_core.models.tadam.merging import merge
from netsynth_core.models.tadam.moves import OPTIMISM, Clock
from netsynth_core.models.tadam.params import TadamParams
from netsynth_core.models.tadam.restoring import restore
from netsynth_core.models.tadam.splitting import split
from netsynth_core.models.tadam.state import State, Task, settle
from netsynth_core.models.tadam.structure import Structure, Usage

Phase = Callable[[Task, State, TadamParams, Clock], State]
PHASES: tuple[Phase, ...] = (split, merge, clean, restore)


def resettled(task: Task, state: State, clock: Clock) -> State:
    """The state with its words aligned again, when that helps: splits and merges only recount."""
    again = settle(task, state.structure, state.usage, tick=clock.tick)
    if again.bits >= state.bits - 1e-6:
        return state
    clock.accept(again, "align")
    return again


def search(task: Task, structure: Structure, usage: Usage, params: TadamParams, clock: Clock) -> tuple[State, bool]:
    """Search from a structure whose words fit without noise.

    Returns
    -------
    state, finished
        The best state, and False when the budget ended the search.
    """
    state = settle(task, structure, usage, optimism=OPTIMISM, tick=clock.tick)
    clock.accept(state, "start")
    for _ in range(params.max_rounds):
        begun = state.bits
        for phase in PHASES:
            state = resettled(task, phase(task, state, params, clock), clock)
            if clock.over():
                return state, False
        if state.bits > begun - 1e-6:
            return state, True
    return state, True
