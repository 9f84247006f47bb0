"""What a model says about single hosts: patterns that hold raw addresses, and patterns that rest on few hosts.

A fixed address cell is an address in a rule. A pattern whose windows all come from fewer than k hosts tells what those
hosts do, even with their names taken away. Generalising frees every fixed address cell, drops what then still rests on
fewer than k hosts or no longer pays, and scores the rest anew. Networks, delays and links keep addresses in their
tables in any case, since flows are drawn with them: renaming (`netsynth sample --anonymise`, `--hosts`) is what takes
those away.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from netsynth_core.errors import InvalidEdit
from netsynth_core.flows.hosts import is_shared
from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.learnt import LearntPattern
from netsynth_core.models.flowchronicle.pattern import Fixed, Pattern, check_pattern
from netsynth_core.models.flowchronicle.solution import Placed, Scorer, Solution, without
from netsynth_core.units import count

if TYPE_CHECKING:
    from netsynth_core.models.flowchronicle.model import FlowChronicle

LISTED = 8
KEPT = (
    "The document and the flows drawn from it hold raw addresses in any case. Draw with --anonymise or --hosts to give "
    "out flows without them, and keep the model to yourself."
)


@dataclass(frozen=True)
class Exposure:
    """What one pattern tells about single hosts."""

    pattern: str
    """Its id."""
    addresses: tuple[str, ...]
    """Raw addresses that it shows: in fixed cells, and in free ones that only ever have the one value."""
    hosts: int
    """Hosts its windows start from."""
    windows: int


def exposure_of(learnt: LearntPattern, columns: Sequence[Column]) -> Exposure:
    """What a pattern tells; told from its cells and its network, so that it needs no training flows."""
    shown = [(cell.column, cell.code) for flow in learnt.pattern.flows for cell in flow.fixed]
    cells = learnt.pattern.free_cells(len(columns))
    for (_, column), variable in zip(cells, learnt.network.variables, strict=False):
        if len(variable.alphabet) == 1:
            shown.append((column, int(variable.alphabet[0])))
    hosts_shown = {columns[column].values[code] for column, code in shown if columns[column].kind == "host"}
    fixed = {host for host in hosts_shown if not is_shared(host)}
    source = next(c for c, column in enumerate(columns) if column.name == "src_ip")
    hosts = 1 if learnt.usage else 0
    if not isinstance(learnt.pattern.flows[0].cell(source), Fixed) and learnt.network.variables:
        hosts = len(learnt.network.variables[cells.index((0, source))].alphabet)
    return Exposure(learnt.id, tuple(sorted(fixed)), hosts, learnt.usage)


def exposures(model: "FlowChronicle") -> tuple[Exposure, ...]:
    """What each pattern tells about single hosts."""
    return tuple(exposure_of(p, model.columns) for p in model.patterns if p.usage)


def privacy_notes(model: "FlowChronicle", k: int) -> tuple[str, ...]:
    """What the model tells about single hosts, for its card; empty when it tells nothing."""
    told = exposures(model)
    notes = []
    raw = [e for e in told if e.addresses]
    if raw:
        addresses = sorted({address for e in raw for address in e.addresses})
        notes.append(
            f"{count(len(raw), 'pattern')} {'shows' if len(raw) == 1 else 'show'} raw addresses "
            f"({_listed([e.pattern for e in raw])}): {_listed(addresses)}."
        )
    few = [e for e in told if e.hosts < k]
    if few:
        rest, they = ("rests", "it tells") if len(few) == 1 else ("rest", "they tell")
        notes.append(
            f"{count(len(few), 'pattern')} {rest} on fewer than {k} hosts ({_listed([e.pattern for e in few])}): "
            f"{they} what single hosts do. Learn with generalise=true to leave them out."
        )
    if model.parameters.get("generalise"):
        notes.append(KEPT)
    return tuple(notes)


def pattern_privacy(learnt: LearntPattern, columns: Sequence[Column], k: int) -> str:
    """What one pattern tells about single hosts, in a sentence; empty when it tells nothing."""
    told = exposure_of(learnt, columns)
    parts = []
    if told.addresses:
        parts.append(
            f"shows {'the address' if len(told.addresses) == 1 else 'the addresses'} {_listed(told.addresses)}"
        )
    if told.windows and told.hosts < k:
        parts.append(f"rests on {count(told.hosts, 'host')}, fewer than {k}")
    return f"Privacy: {told.pattern} {' and '.join(parts)}." if parts else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def generalised(solution: Solution, scorer: Scorer, k: int) -> Solution:
    """The solution without addresses in its patterns, and without patterns that rest on fewer than `k` hosts."""
    index = scorer.index
    freed = {_freed(p.pattern, index.hosts) for p in solution.placed}
    patterns = sorted(p for p in freed if _sound(p, index.sizes, index.hosts))
    base = replace(solution, placed=())
    while True:
        solved = scorer.solve(patterns, base=base)
        few = {p.pattern for p in solved.placed if _hosts(p, scorer) < k}
        if not few:
            if not solved.placed:
                return solved
            costs = [
                (scorer.solve(without(solved.patterns, p.pattern), base=solved).total, p.pattern) for p in solved.placed
            ]
            cheapest, worst = min(costs)
            if cheapest >= solved.total:
                return solved
            few = {worst}
        patterns = [p for p in solved.patterns if p not in few]
        base = solved


def _hosts(placed: Placed, scorer: Scorer) -> int:
    return len(np.unique(scorer.index.codes[placed.windows[:, 0], scorer.index.hosts[0]]))


def _freed(pattern: Pattern, hosts: tuple[int, ...]) -> Pattern:
    """The pattern with its fixed address cells free."""
    flows = tuple(
        replace(flow, fixed=tuple(cell for cell in flow.fixed if cell.column not in hosts)) for flow in pattern.flows
    )
    return replace(pattern, flows=flows)


def _sound(pattern: Pattern, sizes: tuple[int, ...], hosts: tuple[int, ...]) -> bool:
    """Whether the language holds the pattern, and it says something at all."""
    try:
        check_pattern(pattern, sizes, hosts)
    except InvalidEdit:
        return False
    return pattern.covered > 0
