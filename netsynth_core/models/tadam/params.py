"""Parameters of the TADAM learner."""

from typing import Literal

from netsynth_core.models.params import Params, parameter


class TadamParams(Params):
    """What may be set when a timed automaton is learnt."""

    start: Literal["markov"] = parameter(
        "markov", "Automaton the search starts from: one location per last symbol (Markov chain).", advanced=True
    )
    score: Literal["default", "published"] = parameter(
        "default",
        "What the search shortens: the codelength of this package, or that of TADAM as published with its proven "
        "errors mended (one normal law a transition, no heavy tails). The two are other codes: bits of the one do not "
        "compare with bits of the other.",
        advanced=True,
    )
    missing: bool = parameter(True, "Explain packets that were not captured (deletion).")
    duplicates: bool = parameter(True, "Explain packets that were captured twice (re-emission).")
    swaps: bool = parameter(True, "Explain neighbouring packets in the wrong order (transposition).")
    additions: bool = parameter(True, "Explain packets that do not belong (addition).")
    max_rounds: int = parameter(30, "Rounds of cleaning, splitting and merging at most.", ge=0, le=1000, advanced=True)
    budget: float = parameter(
        600.0,
        "CPU time after which the search stops with the best automaton so far.",
        unit="s",
        gt=0,
        le=1e6,
    )
    max_locations: int = parameter(200, "No split leads beyond this many locations.", ge=3, le=5000, advanced=True)
    max_transitions: int = parameter(
        60,
        "Simplify beyond this many transitions, so that a person can review the automaton; 0 = keep the shortest "
        "description, however large (tells rare words from noise best, so take it to detect anomalies).",
        ge=0,
        le=100_000,
    )
    simplify_cost: float = parameter(
        0.15,
        "How much longer the description may become by simplifying, before the automaton is left larger than wanted; "
        "0.15 = fifteen per cent.",
        ge=0,
        le=1,
        advanced=True,
    )
    search_symbols: int = parameter(
        1_000_000,
        "The search looks at words up to this many symbols (evenly spread); counts come from all words.",
        unit="symbols",
        ge=1000,
        le=10**9,
        advanced=True,
    )
