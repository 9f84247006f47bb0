"""Generators to compare with: Bayesian networks beside FlowChronicle, learners of words beside TADAM.

Of flows: networks on single flows, and on blocks of consecutive flows. Of words: TAG, RTI+, hidden Markov models, a
first-order chain, and the table of the sequences seen.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsynth_core.models.baselines.blocks import Independent, Sequential
    from netsynth_core.models.baselines.hmm import Hmm
    from netsynth_core.models.baselines.lookup import Lookup
    from netsynth_core.models.baselines.markov import Markov
    from netsynth_core.models.baselines.params import (
        HmmParams,
        IndependentParams,
        LookupParams,
        MarkovParams,
        RtiParams,
        SequenceParams,
        TagParams,
    )
    from netsynth_core.models.baselines.rti.model import Rti
    from netsynth_core.models.baselines.tag import Tag

__all__ = [
    "Hmm",
    "HmmParams",
    "Independent",
    "IndependentParams",
    "Lookup",
    "LookupParams",
    "Markov",
    "MarkovParams",
    "Rti",
    "RtiParams",
    "SequenceParams",
    "Sequential",
    "Tag",
    "TagParams",
]

_HOMES = {
    "Hmm": "hmm",
    "HmmParams": "params",
    "Independent": "blocks",
    "IndependentParams": "params",
    "Lookup": "lookup",
    "LookupParams": "params",
    "Markov": "markov",
    "MarkovParams": "params",
    "Rti": "rti.model",
    "RtiParams": "params",
    "SequenceParams": "params",
    "Sequential": "blocks",
    "Tag": "tag",
    "TagParams": "params",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
