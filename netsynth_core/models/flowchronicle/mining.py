"""From an encoded flow table to its patterns: one search, on all flows or on stretches of a long table.

Long tables are searched in a few stretches of neighbouring flows, evenly spread; the patterns found are then covered,
counted and priced on all flows, and those that do not pay there are left out. Only the finding of patterns is limited.
"""

from dataclasses import dataclass

import numpy as np

from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.params import FlowChronicleParams
from netsynth_core.models.flowchronicle.privacy import generalised
from netsynth_core.models.flowchronicle.search import Search
from netsynth_core.models.flowchronicle.solution import Scorer, Solution
from netsynth_core.monitor import Monitor

STRETCHES = 8


@dataclass(frozen=True, eq=False)
class Mined:
    """What was found on a table."""

    solution: Solution
    scorer: Scorer
    warnings: tuple[str, ...]


def mine(index: FlowIndex, params: FlowChronicleParams, monitor: Monitor) -> Mined:
    """Search for patterns and settle them on the whole table."""
    part = stretches(index, params.search_flows)
    search = _search(part, params, monitor)
    outcome = search.run()
    warnings = []
    if outcome.stopped:
        by = f"by the budget of {params.budget}" if outcome.stopped == "budget" else "by hand"
        so_far = "this is the best so far" if outcome.solution.placed else "before any pattern was found"
        joint = ": " if outcome.solution.placed else " "
        warnings.append(f"The search was ended {by}{joint}{so_far}; more time may find more patterns.")
    solution = outcome.solution
    if part is not index:
        search = _search(index, params.model_copy(update={"budget": ""}), monitor)
        solution = search.settle(solution.patterns)
        warnings.append(
            f"The search looked at {len(part):,} of {len(index):,} flows, in {STRETCHES} stretches; all were counted. "
            "A pattern that occurs only in between is not found; search_flows sets how many are looked at."
        )
    if len(index) > 1 and int(index.ts[0]) == int(index.ts[-1]):
        warnings.append(
            "All flows start at the same time: the order of the flows of a pattern, and its delays, say nothing."
        )
    if params.generalise:
        solution = generalised(solution, search.scorer, params.privacy_k)
    return Mined(solution, search.scorer, tuple(warnings))


def stretches(index: FlowIndex, flows: int) -> FlowIndex:
    """The same index when it has no more flows; else about so many of them, in stretches evenly spread."""
    n = len(index)
    if n <= flows:
        return index
    length = max(flows // STRETCHES, 1)
    begins = np.linspace(0, n - length, STRETCHES).astype(np.int64)
    rows = np.unique((begins[:, None] + np.arange(length)).ravel())
    return FlowIndex(
        np.ascontiguousarray(index.codes[rows]),
        index.ts[rows],
        index.sizes,
        index.hosts,
        index.categories,
        index.numbers[rows],
    )


def _search(index: FlowIndex, params: FlowChronicleParams, monitor: Monitor) -> Search:
    return Search(
        index,
        least=params.least_rows,
        most_flows=params.most_flows,
        seconds=params.budget_seconds,
        monitor=monitor,
        score=params.score,
    )
