"""Patterns in words: the grid of cells a page shows, and one sentence for each pattern."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.learnt import LearntPattern
from netsynth_core.models.flowchronicle.pattern import Fixed, Pattern, Reused
from netsynth_core.units import count, format_bits, format_duration

PORT_NAMES = {
    ("TCP", "20"): "ftp data",
    ("TCP", "21"): "ftp",
    ("TCP", "22"): "ssh",
    ("TCP", "23"): "telnet",
    ("TCP", "25"): "smtp",
    ("UDP", "53"): "dns",
    ("TCP", "53"): "dns over TCP",
    ("UDP", "67"): "dhcp",
    ("TCP", "80"): "http",
    ("TCP", "88"): "kerberos",
    ("UDP", "88"): "kerberos",
    ("TCP", "110"): "pop3",
    ("UDP", "123"): "ntp",
    ("UDP", "137"): "netbios name",
    ("UDP", "138"): "netbios datagram",
    ("TCP", "143"): "imap",
    ("TCP", "389"): "ldap",
    ("TCP", "443"): "https",
    ("UDP", "443"): "quic",
    ("TCP", "445"): "smb",
    ("TCP", "587"): "smtp submission",
    ("TCP", "993"): "imaps",
    ("UDP", "1900"): "ssdp",
    ("TCP", "3306"): "mysql",
    ("TCP", "3389"): "rdp",
    ("UDP", "5353"): "mdns",
    ("TCP", "8080"): "http proxy",
}
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


VERBS = {
    "dns": "looks up a name at",
    "mdns": "asks by mDNS at",
    "ssdp": "asks by SSDP at",
    "ntp": "asks the time of",
    "dhcp": "asks for an address at",
    "kerberos": "gets a ticket from",
    "smtp": "sends mail to",
    "smtp submission": "sends mail to",
}
OPENED = {"https": "HTTPS", "http": "HTTP", "tls": "TLS", "ssh": "SSH", "smb": "SMB", "rdp": "RDP", "ldap": "LDAP"}
NAMED = 0.1
"""Least share of a service that a sentence names."""


def contact_words(fixed: Mapping[str, str]) -> str:
    """What the source of a flow does to its destination, such as ``opens HTTPS to``.

    Parameters
    ----------
    fixed
        Values in words of the columns that have but one.
    """
    proto, port, service = fixed.get("proto"), fixed.get("dst_port"), fixed.get("service")
    name = service if service and service != "none" else PORT_NAMES.get((proto or "", port or ""), "")
    if name in VERBS:
        return VERBS[name]
    if name:
        return f"opens {OPENED.get(name, name)} to" if proto != "UDP" else f"sends {name} to"
    words = "opens TCP" if proto == "TCP" else f"sends {proto}" if proto else "contacts"
    if port and proto in ("TCP", "UDP", None):
        return f"{words} {'to ' if proto else ''}port {port} of"
    return f"{words} to" if proto else words


def pattern_sentence(learnt: LearntPattern, columns: Sequence[Column]) -> str:
    """The pattern in one sentence: who contacts whom, after which delay (its median and quartiles)."""
    known = constants(learnt, columns)
    if not learnt.pattern.covered:
        most = [f"{name} ({100 * share:.0f} %)" for name, share in _services(learnt, columns, 0)[:3]]
        return "Single flows that no pattern explains" + (f", most of them {', '.join(most)}" if most else "")
    parts = []
    before = ""
    for j in range(len(learnt.pattern)):
        source, target = (_end_words(learnt, columns, j, name, known[j]) for name in END_NAMES)
        words = f"{contact_words(known[j])} {target}"
        several = [f"{name} {100 * share:.0f} %" for name, share in _services(learnt, columns, j) if share >= NAMED]
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
    return f"{words}, saves {format_bits(learnt.saved_bits)}" if learnt.pattern.covered else words


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
    return f"one of {count(len(variables[own].alphabet), 'host')}"


def _services(learnt: LearntPattern, columns: Sequence[Column], flow: int) -> list[tuple[str, float]]:
    """Services of a flow with their shares, the largest first; empty where the cell is not free."""
    place = next((c for c, column in enumerate(columns) if column.name == "service"), None)
    cells = learnt.pattern.free_cells(len(columns))
    if place is None or (flow, place) not in cells or not learnt.network.variables:
        return []
    variable = learnt.network.variables[cells.index((flow, place))]
    found = [
        (columns[place].values[code], float(p)) for code, p in zip(variable.alphabet, variable.share(), strict=True)
    ]
    return sorted(((name, p) for name, p in found if name), key=lambda item: (-item[1], item[0]))
