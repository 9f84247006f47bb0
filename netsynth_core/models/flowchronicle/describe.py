"""Patterns in words: the grid of cells a page shows, and one sentence for each pattern."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.learnt import LearntPattern
from netsynth_core.models.flowchronicle.pattern import Fixed, Pattern, Reused
from netsynth_core.units import format_duration

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


def flow_words(fixed: Mapping[str, str]) -> str:
    """What kind of flow it is, in a word or two, from its columns of one value."""
    proto, port, service = fixed.get("proto"), fixed.get("dst_port"), fixed.get("service")
    if service and service != "none":
        words = service
    elif proto and port:
        words = PORT_NAMES.get((proto, port), f"{proto} to port {port}" if not proto.startswith("ICMP") else proto)
    elif port:
        words = f"any flow to port {port}"
    elif proto:
        words = f"any {proto} flow"
    else:
        words = "any flow"
    if "src_ip" in fixed:
        words += f" from {fixed['src_ip']}"
    if "dst_ip" in fixed:
        words += f" to {fixed['dst_ip']}"
    return words


def pattern_sentence(learnt: LearntPattern, columns: Sequence[Column]) -> str:
    """The pattern in one sentence, with the delay under which nine in ten of its gaps stay."""
    parts = []
    known = constants(learnt, columns)
    for j, flow in enumerate(learnt.pattern.flows):
        words = flow_words(known[j])
        if words == "any flow" and any(k == j and columns[c].name == "src_ip" for k, c in learnt.pattern.sources()):
            words = "any flow of one source"
        shared = []
        for cell in flow.reused:
            if cell.flow == j:
                shared.append("to itself")
                continue
            mine, theirs = END_NAMES[columns[cell.column].name], END_NAMES[columns[cell.source].name]
            where = "the flow before" if cell.flow == j - 1 else f"flow {cell.flow + 1}"
            if mine == theirs:
                same = f"the same {mine}" if cell.flow == j - 1 else f"the {mine} of {where}"
                shared.append(f"from {same}" if mine == "source" else f"to {same}")
            else:
                shared.append(f"{'from' if mine == 'source' else 'to'} the {theirs} of {where}")
        if j:
            words = f"then within {format_duration(learnt.delays[j - 1].quantile(0.9))} {words}"
        parts.append(" ".join([words, *shared]))
    sentence = ", ".join(parts)
    # Names of services keep their case, so that they read as in the tables.
    return sentence[0].upper() + sentence[1:] if sentence.startswith("any ") else sentence
