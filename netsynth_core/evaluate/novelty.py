"""Novelty: does the generator make new flows, or repeat those it was given?

Flows repeat naturally (the same lookup, the same probe), and addresses are expected to be used again: no copies at all
is not the goal. The goal is as many as other real flows show: the floor.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.evaluate.metric import Goal, Metric, NotApplicable
from netsynth_core.evaluate.nearest import MOST_ROWS, nearest_distances
from netsynth_core.evaluate.views import RUN, View

Keys = NDArray[np.uint64]


def known_share(keys: Callable[[View], Keys]) -> Callable[[View, View], float]:
    """Share of the other rows whose key also occurs in the reference, 0..1."""

    def measure(reference: View, other: View) -> float:
        known, asked = keys(reference), keys(other)
        if not len(known) or not len(asked):
            raise NotApplicable("One side has no flows, or none that is long enough.")
        return float(np.isin(asked, known).mean())

    return measure


def new_share(keys: Callable[[View], Keys]) -> Callable[[View, View], float]:
    """Share of the other rows whose key does not occur in the reference, 0..1."""
    known = known_share(keys)
    return lambda reference, other: 1 - known(reference, other)


def nearer_share(training: View, held_out: View, other: View) -> float:
    """Share of the other rows that are nearer to a training row than to a held-out one; ties count half."""
    sides = [view.take(np.arange(min(len(view), MOST_ROWS))) for view in (training, held_out, other)]
    if any(not len(side) for side in sides):
        raise NotApplicable("One side has no flows.")
    to_training, to_held_out = (nearest_distances(sides[2], side) for side in sides[:2])
    return float((to_training < to_held_out).mean() + 0.5 * (to_training == to_held_out).mean())


def _remark(keys: Callable[[View], Keys], words: str) -> Callable[[View, View], str]:
    def remark(real: View, synthetic: View) -> str:
        return f"Among all real flows, {100 * known_share(keys)(real, synthetic):.1f} % of the synthetic ones {words}."

    return remark


def _key(view: View) -> Keys:
    return view.key


def _timed_key(view: View) -> Keys:
    return view.timed_key


def _run_key(view: View) -> Keys:
    runs: Keys = view.run_key[view.run_key != 0]
    return runs


def _endpoint(view: View) -> Keys:
    return view.endpoint


def _metric(
    name: str,
    function: Callable[[View, View], float],
    remark: Callable[[View, View], str],
    meaning: str,
    source: str,
    goal: Goal = "match",
) -> Metric:
    return Metric(
        name=name,
        family="novelty",
        goal=goal,
        range=(0.0, 1.0),
        source=source,
        meaning=meaning,
        function=function,
        remark=remark,
        tolerance=0.02,
        unit="share",
    )


METRICS: Final[tuple[Metric, ...]] = (
    _metric(
        "copies",
        known_share(_key),
        _remark(_key, "are exact copies but for the start"),
        "Flows that equal a real one in every column but the start:",
        "exact match; the goal is parity with real flows",
    ),
    _metric(
        "copies with start",
        known_share(_timed_key),
        _remark(_timed_key, "are exact copies, start included"),
        "Flows that equal a real one in every column, start included:",
        "exact match; the goal is parity with real flows",
    ),
    _metric(
        f"copied runs of {RUN}",
        known_share(_run_key),
        _remark(_run_key, f"begin a run of {RUN} that occurs there"),
        f"Runs of {RUN} flows whose addresses, ports and protocols all occur in this order in the real flows:",
        "n-gram overlap; the goal is parity with real flows",
    ),
    _metric(
        "new endpoints",
        new_share(_endpoint),
        _remark(_endpoint, "go to a (destination, port, protocol) that is known"),
        "Flows to a (destination, port, protocol) that the real flows compared never show:",
        "a host serves few ports: made-up endpoints betray a generator even where each column fits",
        "down",
    ),
    Metric(
        name="nearer to training",
        family="novelty",
        goal="down",
        range=(0.0, 1.0),
        source="distance to the closest record, training against hold-out of equal size; 50 % = nothing is memorised",
        meaning="Flows nearer to a training flow than to a held-out one (50 % = by chance):",
        function=nearer_share,
        draw="held-out",
        tolerance=0.05,
        unit="share",
    ),
)
