"""A pattern set made ready for the page: rows, grid, network edges, bits."""

from typing import Any

from netsynth_core.models.flowchronicle import FlowChronicle
from netsynth_core.models.flowchronicle.describe import delay_words
from netsynth_core.models.flowchronicle.learnt import EMPTY_ID, LearntPattern
from netsynth_core.models.flowchronicle.privacy import exposure_of
from netsynth_core.models.flowchronicle.tables import NodeTable, cell_names
from netsynth_core.models.flowchronicle.written import value_text
from pages.parts.text import plain

SPOKEN = {
    "fixed": "fixed at {text}",
    "free": "free, {values} values occurred",
    "reused": "reused, equal to {letter}",
}
HOSTS = ("src_ip", "dst_ip")
MOST_OPTIONS = 2000


def ranked(model: FlowChronicle) -> list[LearntPattern]:
    """Kept patterns by what they save, then the dropped ones."""
    kept = sorted(model.patterns, key=lambda p: (-p.saved_bits, int(p.id[1:])))
    return [*kept, *sorted(model.dropped, key=lambda p: int(p.id[1:]))]


def state_of(model: FlowChronicle, learnt: LearntPattern) -> str:
    """Kept, dropped or the rest, with a weight set by hand."""
    if any(p.id == learnt.id for p in model.dropped):
        return "✕ dropped"
    words = "◌ the rest" if learnt.id == EMPTY_ID else "✓ kept"
    return words if learnt.weight == 1 else f"{words}, x {learnt.weight:g}"


def privacy_mark(model: FlowChronicle, learnt: LearntPattern, k: int) -> str:
    """What it tells about single hosts, in a word or two."""
    if learnt.id == EMPTY_ID:
        return ""
    told = exposure_of(learnt, model.columns)
    marks = (["⚠ addresses"] if told.addresses else []) + (["⚠ few hosts"] if told.windows and told.hosts < k else [])
    return ", ".join(marks)


def earlier_cells(flow: int, column: str) -> list[tuple[int, str]]:
    """Address cells (flow from 1, column) that a cell may reuse: the nearest flow first, then its own."""
    if column not in HOSTS:
        return []
    before = [(earlier, name) for earlier in range(flow - 1, 0, -1) for name in HOSTS]
    return before + ([(flow, "src_ip")] if column == "dst_ip" else [])


def splittable(model: FlowChronicle, learnt: LearntPattern) -> list[tuple[int, str]]:
    """Free cells (flow from 1, column) that nothing reuses, those with few values first."""
    sources = learnt.pattern.sources()
    cells = learnt.pattern.free_cells(len(model.columns))
    sizes = [len(v.alphabet) for v in learnt.network.variables] or [0] * len(cells)
    found = [(n, cell) for n, cell in zip(sizes, cells, strict=True) if cell not in sources and n != 1]
    return [(flow + 1, model.columns[column].name) for _, (flow, column) in sorted(found)]


def bonds(model: FlowChronicle, first: LearntPattern, second: LearntPattern) -> list[tuple[int, str, int, str]]:
    """Addresses two patterns may share: (flow and column of the second, flow and column of the first), from 1."""
    ends = []
    for learnt in (second, first):
        free = learnt.pattern.free_cells(len(model.columns))
        ends.append([(f + 1, model.columns[c].name) for f, c in free if model.columns[c].name in HOSTS])
    return [(*target, *source) for target in ends[0] for source in ends[1]]


def column_order(model: FlowChronicle) -> list[str]:
    """The columns as shown: the addresses first, since what is reused ties the flows together."""
    names = [column.name for column in model.columns]
    return [name for name in HOSTS if name in names] + [name for name in names if name not in HOSTS]


def grid_rows(model: FlowChronicle, learnt: LearntPattern) -> list[dict[str, Any]]:
    """The pattern for the grid component."""
    rows = []
    for place, cells in enumerate(model.describe_pattern(learnt)):
        head = ""
        if place:
            head = delay_words(learnt, place - 1, model.columns)
        made = []
        place_of = {cell.column: cell for cell in cells}
        for cell in (place_of[name] for name in column_order(model)):
            text = plain(cell.text, limit=60)
            if cell.kind == "free" and cell.letter:
                text = f"{cell.letter} · {cell.values} values"
            elif cell.kind == "free":
                text = f"{cell.values} value{'' if cell.values == 1 else 's'}"
            said = SPOKEN[cell.kind].format(text=text, values=cell.values, letter=cell.letter)
            if cell.kind == "free" and cell.letter:
                said += f", called {cell.letter}"
            made.append({"kind": cell.kind, "text": text, "spoken": f"flow {place + 1}, {cell.column}: {said}"})
        rows.append({"head": head, "cells": made})
    return rows


def value_options(model: FlowChronicle, learnt: LearntPattern, flow: int, column: str) -> list[str]:
    """Values a cell could be fixed at: those that occurred in it first, then the others of the column."""
    place = next(i for i, c in enumerate(model.columns) if c.name == column)
    held = model.columns[place]
    cells = learnt.pattern.free_cells(len(model.columns))
    seen: list[int] = []
    if (flow - 1, place) in cells and learnt.network.variables:
        seen = [int(code) for code in learnt.network.variables[cells.index((flow - 1, place))].alphabet]
    if held.kind == "number":
        return [value_text(held, code) for code in (seen or range(held.size))]
    first = [held.values[code] for code in seen if code < held.size]
    rest = [value for value in held.values if value not in set(first)]
    return (first + rest)[:MOST_OPTIONS]


def network_edges(model: FlowChronicle, learnt: LearntPattern) -> list[tuple[str, str]]:
    """(cell, the cell it depends on), named ``1.dst_port``: flow, field."""
    cells = cell_names(learnt, model.columns)
    return [
        (cells[child], cells[parent])
        for child, variable in enumerate(learnt.network.variables)
        for parent in variable.parents
    ]


def table_columns(table: NodeTable) -> dict[str, list[Any]]:
    """The table of a cell, column by column: what is given, how often, and the share of each value in percent."""
    columns: dict[str, list[Any]] = {
        f"given {name}": [plain(row.given[place], limit=60) for row in table.rows]
        for place, name in enumerate(table.parents)
    }
    columns["windows"] = [row.count for row in table.rows]
    for place, value in enumerate(table.values):
        name = plain(value, limit=40)
        # two bins may read alike when rounded
        name = name if name not in columns else f"{name} ({place + 1})"
        columns[name] = [100 * row.probabilities[place] for row in table.rows]
    return columns


def network_dot(edges: list[tuple[str, str]], *, colour: str) -> str:
    """The network as DOT in one colour; the names are fields of the flow table, nothing from a capture."""
    lines = " ".join(f'"{parent}" -> "{child}";' for child, parent in edges)
    look = f'color="{colour}", fontcolor="{colour}", fontname=Helvetica'
    return f'digraph {{ bgcolor="transparent"; node [shape=box, style=rounded, {look}]; edge [{look}]; {lines} }}'


def waterfall(model: FlowChronicle) -> list[tuple[str, float]]:
    """What each pattern saves, and what they save or lose only together, down to the whole codelength."""
    steps = [(p.id, -p.saved_bits) for p in ranked(model) if p.saved_bits and p in model.patterns]
    rest = model.bits.total - model.bits.empty - sum(change for _, change in steps)
    return [*steps, ("shared between patterns", rest)] if steps else steps
