"""Parameters of the baselines."""

from netsynth_core.models.params import Params, parameter


class IndependentParams(Params):
    """What the network on single flows may be told."""

    bins: int = parameter(
        24, "Bins each number (packets, bytes, duration) is cut into, at its quantiles; zero has its own.", ge=2, le=200
    )


class SequenceParams(IndependentParams):
    """What the network on blocks of flows may be told."""

    block: int = parameter(5, "Flows of a block.", unit="flows", ge=2, le=10)


class MarkovParams(Params):
    """A first-order chain has nothing to choose."""


class LookupParams(Params):
    """A table of sequences has nothing to choose."""


class TagParams(Params):
    """What TAG may be told."""

    k: int = parameter(
        2,
        "Locations are the same when the same strings of so many symbols can follow them.",
        unit="symbols",
        ge=1,
        le=10,
    )
    intervals: bool = parameter(
        True, "Split a location where the delay before it tells what follows; guards are the delays seen."
    )
    least: int = parameter(
        1,
        "Conversations that must be on each side of a split by delay; 1 as published, more against outliers.",
        ge=1,
        le=1_000_000,
        advanced=True,
    )
    budget: float = parameter(
        600.0, "CPU time after which the search stops with the automaton so far.", unit="s", gt=0, le=1e6
    )


class RtiParams(Params):
    """What RTI+ may be told."""

    significance: float = parameter(
        0.05,
        "Level of the likelihood-ratio tests: parts are kept apart when chance makes such a difference more rarely.",
        gt=0,
        lt=1,
    )
    bins: int = parameter(
        4, "Bins of the delay, at quantiles of all delays (4 = quartiles), that the tests compare.", ge=1, le=50
    )
    pooled: int = parameter(
        10,
        "Symbols and bins seen more rarely are compared together; parts seen more rarely are not tested.",
        ge=1,
        le=10_000,
    )
    splits: bool = parameter(True, "Split transitions by delay where what follows differs.")
    budget: float = parameter(
        600.0, "CPU time after which the tests stop; what is left is merged untested.", unit="s", gt=0, le=1e6
    )


class HmmParams(Params):
    """What a hidden Markov model may be told."""

    states: int = parameter(16, "Hidden states, the end not counted.", ge=1, le=500)
    iterations: int = parameter(40, "Iterations of Baum-Welch at most.", ge=0, le=10_000)
    tolerance: float = parameter(
        0.01,
        "Iterations end when the words become less than so much shorter.",
        unit="bits",
        ge=0,
        le=1e9,
        advanced=True,
    )
    symbols: int = parameter(
        1_000_000,
        "The iterations look at words up to this many symbols (evenly spread).",
        unit="symbols",
        ge=100,
        le=10**9,
        advanced=True,
    )
    budget: float = parameter(
        600.0, "CPU time after which the iterations stop with the model so far.", unit="s", gt=0, le=1e6
    )
