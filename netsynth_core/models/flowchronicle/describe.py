"""Patterns in words: the grid of cells a page shows, and one sentence for each pattern."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from netsynth_core.flows.hosts import is_shared
from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.contacts import REFUSED, UNANSWERED, contact_words, service_name
from netsynth_core.models.flowchronicle.learnt import LearntPattern
from netsynth_core.models.flowchronicle.pattern import Fixed, Pattern, Reused
from netsynth_core.units import count, format_bits, format_duration

END_NAMES = {"src_ip": "source", "dst_ip": "destination"}


@dataclass(frozen=True)
class CellView:
    """One cell of the grid of a pattern."""

    column: str
    kind: Literal["fixed", "free", "reused"]
    text: str
    """What to show: the value; ``A``; ``= A``; ``12 values``."""
    letter: str = ""
    """Letter of the shared address, for cells that give or reuse one."""
    values: int = 0
    """Free cells: how many different values occurred."""


def letters(pattern: Pattern) -> dict[tuple[int, int], str]:
    """A letter for each free cell that later cells reuse, in order of the flows."""
    names = {}
    for place, cell in enumerate(sorted(pattern.sources())):
        names[cell] = chr(ord("A") + place % 26) + ("" if place < 26 else str(place // 26))
    return names


def cell_views(learnt: LearntPattern, columns: Sequence[Column]) -> list[list[CellView]]:
    """The grid: flows x columns."""
    names = letters(learnt.pattern)
    cells = learnt.pattern.free_cells(len(columns))
    sizes = {cell: len(v.alphabet) for cell, v in zip(cells, learnt.network.variables, strict=False)}
    grid = []
    for j, flow in enumerate(learnt.pattern.flows):
        row = []
        for c, column in enumerate(columns):
            cell = flow.cell(c)
            if isinstance(cell, Fixed):
                row.append(CellView(column.name, "fixed", column.text(cell.code)))
            elif isinstance(cell, Reused):
                letter = names[cell.flow, cell.source]
                row.append(CellView(column.name, "reused", f"= {letter}", letter))
            else:
                count = sizes.get((j, c), 0)
                letter = names.get((j, c), "")
                words = f"{count} value{'' if count == 1 else 's'}"
                row.append(CellView(column.name, "free", letter or f"free: {words}", letter, count))
        grid.append(row)
    return grid


def constants(learnt: LearntPattern, columns: Sequence[Column]) -> list[dict[str, str]]:
    """For each flow, the value in words of every column that has but one: fixed, or free and always the same."""
    values = [
        {columns[c.column].name: columns[c.column].text(c.code) for c in flow.fixed} for flow in learnt.pattern.flows
    ]
    cells = learnt.pattern.free_cells(len(columns))
    for (flow, c), variable in zip(cells, learnt.network.variables, strict=False):
        if len(variable.alphabet) == 1 and (flow, c) not in learnt.pattern.sources():
            values[flow][columns[c].name] = columns[c].text(int(variable.alphabet[0]))
    return values


NAMED = 0.1
"""Least share of a service, port or host that a sentence names."""
MOSTLY = 0.9
"""Share from which the outcome of a connection is told for all of them."""


def pattern_sentence(learnt: LearntPattern, columns: Sequence[Column]) -> str:
    """The pattern in one sentence: who contacts whom, after which delay (its median and quartiles)."""
    if not learnt.pattern.covered:
        return _left_words(learnt, columns)
    known = constants(learnt, columns)
    parts = []
    before = ""
    for j in range(len(learnt.pattern)):
        source, target = (_end_words(learnt, columns, j, name, known[j]) for name in END_NAMES)
        outcome = {name: value for name in ("state", "flags") if (value := _mostly(learnt, columns, j, name))}
        shares = _shares(learnt, columns, j, "service")
        several = [f"{service_name(name)} {_percent(share)}" for name, share in shares if name and share >= NAMED]
        ports = _shares(learnt, columns, j, "dst_port")
        open_port = len(ports) > 1 and not several and known[j].get("proto") in ("TCP", "UDP")
        which = f"one of {count(len(ports), 'port')}" if open_port else ""
        words = f"{contact_words({**outcome, **known[j]}, which)} {target}"
        if len(several) > 1 or (several and "service" not in known[j]):
            words += f" ({', '.join(several[:2])})"
        if j == 0:
            parts.append(f"{source} {words}")
        else:
            words = words if source == before else f"{source} {words}"
            parts.append(f"and {delay_words(learnt, j - 1, columns)} {words}")
        before = source
    sentence = ", ".join(parts)
    # An address keeps its case.
    return sentence[0].upper() + sentence[1:] if sentence.startswith(("one of ", "a host ")) else sentence


def delay_words(learnt: LearntPattern, gap: int, columns: Sequence[Column]) -> str:
    """The delay of a gap, such as ``80 ms later (IQR 55-130 ms, depending on dst_port of flow 1)``."""
    law = learnt.delays[gap]
    if not learnt.usage:
        return "later"
    cause = f"depending on {columns[law.cell[1]].name} of flow {law.cell[0] + 1}" if law.cell is not None else ""
    low, middle, high = (format_duration(law.quantile(share)) for share in (0.25, 0.5, 0.75))
    if not law.quantile(0.75):
        return f"at the same time ({cause})" if cause else "at the same time"
    shorter = low.removesuffix(high[high.index(" ") :]) if " " in high else low
    spread = f"IQR {f'{shorter}-{high}' if low != high else low}"
    return f"{middle} later ({', '.join(part for part in (spread, cause) if part)})"


def worth_words(learnt: LearntPattern, rows: int) -> str:
    """How often it occurs and what it is worth: ``812 times, 19 % of all flows, saves 14 210 bits``."""
    share = 100 * learnt.usage * len(learnt.pattern) / max(rows, 1)
    shown = f"{share:.0f}" if share >= 10 else f"{share:.2g}"
    words = f"{count(learnt.usage, 'time')}, {shown} % of all flows"
    if not learnt.pattern.covered:
        return words
    if learnt.saved_bits < 0:
        return f"{words}, costs {format_bits(-learnt.saved_bits)}"
    return f"{words}, saves {format_bits(learnt.saved_bits)}"


WORTH_NOTE = (
    "What a pattern saves is what the description would be longer by if it alone were taken out. Patterns share what "
    "they explain, so these figures do not add up to the whole."
)
"""What the bits of a pattern stand against."""


def _left_words(learnt: LearntPattern, columns: Sequence[Column]) -> str:
    """The flows in no pattern: their services, and where those say little their ports and hosts."""
    if not learnt.usage:
        return "Every flow is in a pattern"
    told = [(service_name(name), p) for name, p in _shares(learnt, columns, 0, "service") if name][:3]
    proto = (_shares(learnt, columns, 0, "proto") or [("", 0.0)])[0]
    if sum(p for _, p in told) < 0.5:
        told = [(name, p) for name, p in told if p >= NAMED]
        if proto[1] >= 0.5:
            told.append(proto)
        if proto[0] in ("TCP", "UDP"):
            told += [(f"to port {name}", p) for name, p in _shares(learnt, columns, 0, "dst_port")[:2] if p >= NAMED]
    state = _shares(learnt, columns, 0, "state")
    for codes, word in ((UNANSWERED, "without an answer"), (REFUSED, "refused")):
        share = sum(p for name, p in state if name in codes)
        told += [(word, share)] if share >= 0.5 else []
    for end, word in (("src_ip", "from"), ("dst_ip", "to")):
        told += [(f"{word} {name}", p) for name, p in _shares(learnt, columns, 0, end)[:1] if p >= 0.5]
    told = sorted(((name, p) for name, p in told if _tells(p)), key=lambda item: -item[1])
    if not told:
        return "Single flows that no pattern explains"
    lead = "most of them" if told[0][1] >= 0.5 else "among them"
    return f"Single flows that no pattern explains, {lead} " + ", ".join(f"{n} ({_percent(p)})" for n, p in told)


def _tells(share: float) -> bool:
    """Whether a share is more than 0 % when it is shown."""
    return share >= 0.005


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _end_words(learnt: LearntPattern, columns: Sequence[Column], flow: int, end: str, fixed: Mapping[str, str]) -> str:
    """One end of a flow: its letter, its address, or how many hosts it may be and what they depend on."""
    place = next(c for c, column in enumerate(columns) if column.name == end)
    names = letters(learnt.pattern)
    cell = learnt.pattern.flows[flow].cell(place)
    if isinstance(cell, Reused):
        return "itself" if cell.flow == flow else names[cell.flow, cell.source]
    if end in fixed:
        return fixed[end]
    if (flow, place) in names:
        return names[flow, place]
    cells = learnt.pattern.free_cells(len(columns))
    variables = learnt.network.variables
    if not variables:
        return "a host"
    own = cells.index((flow, place))
    for other, letter in names.items():
        at = cells.index(other)
        if at in variables[own].parents or own in variables[at].parents:
            return f"a host that depends on {letter}"
    named = [columns[place].text(int(code)) for code in variables[own].alphabet]
    groups = sum(map(is_shared, named))
    if not groups:
        return f"one of {count(len(named), 'host')}"
    if groups == len(named):
        return f"one of {count(groups, 'group')}"
    return f"one of {count(len(named) - groups, 'host')} or {count(groups, 'group')}"


def _shares(learnt: LearntPattern, columns: Sequence[Column], flow: int, name: str) -> list[tuple[str, float]]:
    """Values of a free cell with their shares, the largest first; empty where the cell is not free."""
    place = next((c for c, column in enumerate(columns) if column.name == name), None)
    cells = learnt.pattern.free_cells(len(columns))
    if place is None or (flow, place) not in cells or not learnt.network.variables:
        return []
    variable = learnt.network.variables[cells.index((flow, place))]
    values = columns[place].values
    found = [(values[code], float(p)) for code, p in zip(variable.alphabet, variable.share(), strict=True)]
    return sorted(found, key=lambda item: (-item[1], item[0]))


def _mostly(learnt: LearntPattern, columns: Sequence[Column], flow: int, name: str) -> str:
    """The value that nearly all flows have in a free cell; empty where there is none."""
    shares = _shares(learnt, columns, flow, name)
    return shares[0][0] if shares and shares[0][1] >= MOSTLY else ""
