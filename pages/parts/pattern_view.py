"""A pattern set made ready for the page: rows, grid, network edges, bits."""

from typing import Any

from netsynth_core.models.flowchronicle import FlowChronicle
from netsynth_core.models.flowchronicle.learnt import LearntPattern
from netsynth_core.units import format_duration
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
            head = f"within {format_duration(learnt.delays[place - 1].quantile(0.9))}"
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
        return [_number_text(held, code) for code in (seen or range(held.size))]
    first = [held.values[code] for code in seen if code < held.size]
    rest = [value for value in held.values if value not in set(first)]
    return (first + rest)[:MOST_OPTIONS]


def _number_text(column: Any, code: int) -> str:
    """A value inside a number column's bin, as the edit takes it."""
    if code == 0 or code > len(column.knots):
        return "0"
    middle = int(column.knots[code - 1][len(column.knots[code - 1]) // 2])
    return f"{middle / 1e9:.9g}" if column.name == "duration" else str(middle)


def network_edges(model: FlowChronicle, learnt: LearntPattern) -> list[tuple[str, str]]:
    """(cell, the cell it depends on), named ``1.dst_port``: flow, field."""
    cells = [
        f"{flow + 1}.{model.columns[column].name}" for flow, column in learnt.pattern.free_cells(len(model.columns))
    ]
    return [
        (cells[child], cells[parent])
        for child, variable in enumerate(learnt.network.variables)
        for parent in variable.parents
    ]


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
