"""The document body of what generating needs: strict schemas, both directions, and the step from version 1.

Version 1 held the course of the starts in as many parts as it pleased, one quantile function for each gap and nine
quantiles of each code of a number, and knew neither the week, nor links, nor how numbers go together.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from netsynth_core.errors import DocumentError
from netsynth_core.models.flowchronicle.columns import NUMBERS, Column
from netsynth_core.models.flowchronicle.generation.chains import Link
from netsynth_core.models.flowchronicle.generation.delays import DELAY_KNOTS, DelayLaw
from netsynth_core.models.flowchronicle.generation.intensity import COURSE, HOURS, StartCounts
from netsynth_core.models.flowchronicle.generation.rhythms import GAP_KNOTS, Rhythm
from netsynth_core.models.flowchronicle.generation.starts import StartLaw
from netsynth_core.models.flowchronicle.generation.values import SHAPES, NumberLaw, Tail

LIMIT = 2**62
FIRST_KNOTS = 9
"""Quantiles a code had in version 1."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class StartsBody(_Strict):
    """See `StartCounts`."""

    week: list[FiniteFloat] = Field(min_length=HOURS, max_length=HOURS)
    course: list[FiniteFloat] = Field(min_length=COURSE, max_length=COURSE)
    dispersion: FiniteFloat = Field(ge=1, le=1e12)


class StartLawBody(_Strict):
    """See `StartLaw`; the column by name."""

    all: StartsBody
    cell: str | None
    codes: list[int]
    parts: list[StartsBody]
    usage: list[int]
    rhythms: list["RhythmBody"] = []
    """None in documents that were written before there were any."""


class RhythmBody(_Strict):
    """See `Rhythm`; the columns by name."""

    cells: dict[str, int] = Field(min_length=1)
    counts: StartsBody
    usage: int = Field(ge=1, le=LIMIT)
    runs: list[list[int]] = Field(min_length=1)
    knots: list[int]


class CellBody(_Strict):
    """A cell by flow (0-based) and column."""

    flow: int = Field(ge=0, le=63)
    column: str


class DelayBody(_Strict):
    """See `DelayLaw`."""

    knots: list[int]
    cell: CellBody | None
    codes: list[int]
    counts: list[int]
    by_code: list[list[int]]


class TailBody(_Strict):
    """See `Tail`."""

    shape: FiniteFloat = Field(ge=SHAPES[0], le=SHAPES[1])
    scale: FiniteFloat = Field(gt=0, le=LIMIT)
    most: FiniteFloat = Field(gt=0, le=LIMIT)


class NumberLawBody(_Strict):
    """See `NumberLaw`."""

    codes: list[int]
    offsets: list[int]
    levels: list[FiniteFloat]
    values: list[int]
    tail: TailBody | None


class LinkBody(_Strict):
    """See `Link`; patterns by id, the column by name."""

    before: str
    flow: int = Field(ge=0, le=63)
    end: str
    next: str
    share: FiniteFloat = Field(ge=0, le=1)
    pair_share: FiniteFloat = Field(ge=0, le=1)
    knots: list[int]
    count: int = Field(ge=1, le=LIMIT)
    hosts: list[int]
    shares: list[FiniteFloat]


def broken(where: str, needs: str) -> DocumentError:
    """A document that is not sound."""
    return DocumentError(
        f"The flowchronicle document is broken at {where}: {needs}.",
        hint="Restore it from a copy, or learn the model again.",
    )


def _ascending(values: list[int], count: int, where: str) -> NDArray[np.int64]:
    sound = len(values) == count and all(0 <= v <= LIMIT for v in values)
    if not sound or any(a > b for a, b in pairwise(values)):
        raise broken(where, f"{count} ascending values are needed")
    return np.array(values, np.int64)


def starts_to_body(law: StartLaw, columns: tuple[Column, ...]) -> dict[str, Any]:
    """The starts of a pattern."""
    return {
        "all": _counts_to_body(law.all),
        "cell": None if law.cell is None else columns[law.cell].name,
        "codes": law.codes.tolist(),
        "parts": [_counts_to_body(part) for part in law.parts],
        "usage": list(law.usage),
        "rhythms": [_rhythm_to_body(rhythm, columns) for rhythm in law.rhythms],
    }


def _rhythm_to_body(rhythm: Rhythm, columns: tuple[Column, ...]) -> dict[str, Any]:
    return {
        "cells": {columns[column].name: code for column, code in rhythm.cells},
        "counts": _counts_to_body(rhythm.counts),
        "usage": rhythm.usage,
        "runs": rhythm.runs.tolist(),
        "knots": rhythm.knots.tolist(),
    }


def _rhythm_from_body(body: RhythmBody, columns: tuple[Column, ...], where: str) -> Rhythm:
    """A rhythm, its group among the values and its runs in order."""
    numbers = {c.name: i for i, c in enumerate(columns)}
    known = all(name in numbers and 0 <= code < columns[numbers[name]].size for name, code in body.cells.items())
    sound = all(len(run) == 3 and 0 <= run[0] <= run[1] <= LIMIT and 1 <= run[2] <= LIMIT for run in body.runs)
    if not known or not sound:
        raise broken(where, "runs of a group of windows are needed")
    cells = tuple(sorted((numbers[name], code) for name, code in body.cells.items()))
    knots = _ascending(body.knots, GAP_KNOTS, where)
    return Rhythm(cells, _counts_from_body(body.counts, where), body.usage, np.array(body.runs, np.int64), knots)


def starts_from_body(body: StartLawBody, columns: tuple[Column, ...], where: str) -> StartLaw:
    """The starts of a pattern, checked."""
    everything = _counts_from_body(body.all, where)
    rhythms = tuple(_rhythm_from_body(rhythm, columns, where) for rhythm in body.rhythms)
    if body.cell is None:
        return StartLaw(everything, rhythms=rhythms)
    column = {c.name: i for i, c in enumerate(columns)}.get(body.cell)
    sound = (
        column is not None
        and len(body.parts) == len(body.usage) == len(body.codes) + 1 > 1
        and all(0 <= code < columns[column].size for code in body.codes)
        and all(a < b for a, b in pairwise(body.codes))
        and all(0 <= n <= LIMIT for n in body.usage)
    )
    if not sound:
        raise broken(where, "starts of every value of a column are needed")
    parts = tuple(_counts_from_body(part, where) for part in body.parts)
    return StartLaw(everything, column, np.array(body.codes, np.int32), parts, tuple(body.usage), rhythms)


def _counts_to_body(starts: StartCounts) -> dict[str, Any]:
    return {"week": starts.week.tolist(), "course": starts.course.tolist(), "dispersion": starts.dispersion}


def _counts_from_body(body: StartsBody, where: str) -> StartCounts:
    """Counts of starts, none negative."""
    if any(not 0 <= v <= LIMIT for v in (*body.week, *body.course)):
        raise broken(where, "counts of starts, 0 or more, are needed")
    return StartCounts(np.array(body.week), np.array(body.course), body.dispersion)


def delay_to_body(law: DelayLaw, columns: tuple[Column, ...]) -> dict[str, Any]:
    """The delays of one gap."""
    cell = None if law.cell is None else {"flow": law.cell[0], "column": columns[law.cell[1]].name}
    return {
        "knots": law.knots.tolist(),
        "cell": cell,
        "codes": law.codes.tolist(),
        "counts": law.counts.tolist(),
        "by_code": law.by_code.tolist(),
    }


def delay_from_body(body: DelayBody, flows: int, columns: tuple[Column, ...], where: str) -> DelayLaw:
    """The delays of one gap, checked."""
    knots = _ascending(body.knots, DELAY_KNOTS, where)
    if body.cell is None:
        return DelayLaw(knots)
    numbers = {c.name: i for i, c in enumerate(columns)}
    column = numbers.get(body.cell.column)
    if column is None or body.cell.flow >= flows:
        raise broken(where, "delays that depend on a cell of the pattern are needed")
    sound = (
        len(body.codes) == len(body.counts) == len(body.by_code)
        and all(0 <= code < columns[column].size for code in body.codes)
        and all(a < b for a, b in pairwise(body.codes))
        and all(1 <= n <= LIMIT for n in body.counts)
    )
    if not sound:
        raise broken(where, "codes of its cell, with their counts and delays, are needed")
    rows = [_ascending(row, DELAY_KNOTS, where) for row in body.by_code]
    return DelayLaw(
        knots,
        (body.cell.flow, column),
        np.array(body.codes, np.int32),
        np.array(body.counts, np.int64),
        np.stack(rows) if rows else np.zeros((0, DELAY_KNOTS), np.int64),
    )


def law_to_body(law: NumberLaw) -> dict[str, Any]:
    """The values of one number cell."""
    tail = law.tail
    return {
        "codes": law.codes.tolist(),
        "offsets": law.offsets.tolist(),
        "levels": law.levels.tolist(),
        "values": law.values.tolist(),
        "tail": None if tail is None else {"shape": tail.shape, "scale": tail.scale, "most": tail.most},
    }


def law_from_body(body: NumberLawBody, column: Column, needed: list[int], where: str) -> NumberLaw:
    """The values of one number cell, with a quantile function for every code that can be drawn."""
    levels, values = np.array(body.levels, np.float64), body.values
    offsets = body.offsets
    sound = (
        all(0 <= code < column.size for code in body.codes)
        and all(a < b for a, b in pairwise(body.codes))
        and set(needed) <= set(body.codes)
        and len(offsets) == len(body.codes) + 1
        and offsets[0] == 0
        and offsets[-1] == len(values) == len(levels)
        and all(b - a >= 2 for a, b in pairwise(offsets))
    )
    if not sound:
        raise broken(where, "a quantile function for every code of a number cell is needed")
    for row, (begin, end) in enumerate(pairwise(offsets)):
        _ascending(values[begin:end], end - begin, where)
        part = levels[begin:end]
        last = body.tail is not None and row == len(body.codes) - 1
        whole = 0 < part[-1] < 1 if last else part[-1] == 1
        if part[0] != 0 or not whole or bool((np.diff(part) < 0).any()):
            raise broken(where, "ascending shares from 0 to 1 are needed")
    tail = None
    if body.tail is not None:
        if not values or body.tail.most < values[-1]:
            raise broken(where, "a tail beyond the last value is needed")
        tail = Tail(body.tail.shape, body.tail.scale, body.tail.most)
    return NumberLaw(
        np.array(body.codes, np.int32), np.array(offsets, np.int64), levels, np.array(values, np.int64), tail
    )


def links_to_body(links: tuple[Link, ...], ids: list[str], columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    """The links; `ids` are those of the patterns, the empty one's last."""
    return [
        {
            "before": ids[link.before],
            "flow": link.flow,
            "end": columns[link.end].name,
            "next": ids[link.next],
            "share": link.share,
            "pair_share": link.pair_share,
            "knots": link.knots.tolist(),
            "count": link.count,
            "hosts": link.hosts.tolist(),
            "shares": link.shares.tolist(),
        }
        for link in links
    ]


def links_from_body(bodies: list[LinkBody], flows: dict[str, int], columns: tuple[Column, ...]) -> tuple[Link, ...]:
    """The links, checked against the number of flows of each pattern (by id, in order)."""
    place = {id_: p for p, id_ in enumerate(flows)}
    ends = {c.name: i for i, c in enumerate(columns) if c.kind == "host"}
    links = []
    for body in bodies:
        if body.before not in place or body.next not in place or body.end not in ends:
            raise broken("links", "patterns and address columns that are there are needed")
        if body.flow >= flows[body.before]:
            raise broken("links", f"a flow of {body.before} is needed")
        knots = _ascending(body.knots, DELAY_KNOTS, "links")
        sound = (
            len(body.hosts) == len(body.shares)
            and all(0 <= code < columns[ends[body.end]].size for code in body.hosts)
            and all(a < b for a, b in pairwise(body.hosts))
            and all(0 <= share <= 1 for share in body.shares)
        )
        if not sound:
            raise broken("links", "hosts, ascending, with a share each are needed")
        links.append(
            Link(
                place[body.before],
                body.flow,
                ends[body.end],
                place[body.next],
                body.share,
                body.pair_share,
                knots,
                body.count,
                np.array(body.hosts, np.int32),
                np.array(body.shares, np.float64),
            )
        )
    return tuple(links)


def machines_to_body(machines: NDArray[np.int64]) -> list[list[int]]:
    """Pairs of address codes that are one machine."""
    return [[int(machines[code]), code] for code in np.flatnonzero(machines != np.arange(len(machines))).tolist()]


def machines_from_body(pairs: list[list[int]], hosts: int) -> NDArray[np.int64]:
    """The machine of each address code."""
    machines = np.arange(hosts, dtype=np.int64)
    flat = [code for pair in pairs for code in pair]
    sound = all(len(pair) == 2 and 0 <= pair[0] < pair[1] < hosts for pair in pairs)
    if not sound or len(set(flat)) != len(flat):
        raise broken("machines", "pairs of different addresses are needed")
    for first, second in pairs:
        machines[second] = first
    return machines


def together_from_body(rows: list[list[float]]) -> NDArray[np.float64]:
    """How the number columns go together: a correlation matrix."""
    width = len(NUMBERS)
    if len(rows) != width or any(len(row) != width for row in rows):
        raise broken("together", f"{width} rows of {width} correlations are needed")
    matrix = np.array(rows, np.float64)
    sound = (
        bool((np.abs(matrix) <= 1 + 1e-9).all())
        and bool((np.abs(matrix - matrix.T) < 1e-9).all())
        and bool((np.abs(np.diag(matrix) - 1) < 1e-9).all())
        and float(np.linalg.eigvalsh(matrix)[0]) > 1e-9
    )
    if not sound:
        raise broken("together", "a correlation matrix is needed")
    return matrix


def from_version_1(body: dict[str, Any]) -> dict[str, Any]:
    """The body of version 2: times and values as they were, no links, numbers apart from each other."""
    new = dict(body)
    new["patterns"] = [_pattern_from_1(p) for p in body["patterns"]]
    new["dropped"] = [_pattern_from_1(p) for p in body["dropped"]]
    new["empty"] = _pattern_from_1(body["empty"])
    new["links"], new["machines"] = [], []
    new["together"] = np.eye(len(NUMBERS)).tolist()
    return new


def _pattern_from_1(pattern: dict[str, Any]) -> dict[str, Any]:
    counts = np.array(pattern["starts"], np.float64)
    sums = np.concatenate(([0.0], np.cumsum(counts)))
    course = np.diff(np.interp(np.linspace(0, len(counts), COURSE + 1), np.arange(len(sums)), sums))
    new = dict(pattern)
    everything = {"week": [0.0] * HOURS, "course": course.tolist(), "dispersion": 1.0}
    new["starts"] = {"all": everything, "cell": None, "codes": [], "parts": [], "usage": []}
    new["delays"] = [
        {"knots": knots, "cell": None, "codes": [], "counts": [], "by_code": []} for knots in pattern["delays"]
    ]
    shares = np.linspace(0, 1, FIRST_KNOTS).tolist()
    new["numbers"] = [
        {
            "codes": law["codes"],
            "offsets": [FIRST_KNOTS * i for i in range(len(law["codes"]) + 1)],
            "levels": shares * len(law["codes"]),
            "values": [v for row in law["knots"] for v in row],
            "tail": None,
        }
        for law in pattern["numbers"]
    ]
    return new
