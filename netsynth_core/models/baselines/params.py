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
