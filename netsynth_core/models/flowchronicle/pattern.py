"""The pattern language: an ordered list of partial flows whose cells are fixed, free or reused.

A cell is named by flow (0-based place in the pattern) and column number. Free is what is neither fixed nor reused. A
reused cell equals a free address cell of an earlier flow, of either address column, or one of its own flow in an
earlier column. Patterns are values: equal ones are equal, hashable, and ordered, whatever way they were built.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from netsynth_core.errors import InvalidEdit

WITHIN_STEPS = 44
"""Gap limits are 2**0 .. 2**43 microseconds (101 days)."""


@dataclass(frozen=True, order=True)
class Fixed:
    """The cell has this value."""

    column: int
    code: int


@dataclass(frozen=True, order=True)
class Reused:
    """The cell equals a free address cell of an earlier flow, or of an earlier column of its own flow."""

    column: int
    flow: int
    """Place of that flow in the pattern, 0-based."""
    source: int
    """Its column."""


@dataclass(frozen=True, order=True)
class Free:
    """The cell is drawn by the pattern's Bayesian network."""

    column: int


Cell = Fixed | Free | Reused


@dataclass(frozen=True, order=True)
class PartialFlow:
    """One flow of a pattern: the cells that are not free, each kind by ascending column."""

    fixed: tuple[Fixed, ...] = ()
    reused: tuple[Reused, ...] = ()

    def cell(self, column: int) -> Cell:
        """The cell of a column."""
        for cell in self.cells:
            if cell.column == column:
                return cell
        return Free(column)

    @property
    def cells(self) -> tuple[Fixed | Reused, ...]:
        """Fixed, then reused cells."""
        return (*self.fixed, *self.reused)

    @property
    def bound(self) -> frozenset[int]:
        """Columns that are fixed or reused."""
        known = self.__dict__.get("_bound")
        if known is None:
            known = self.__dict__["_bound"] = frozenset(c.column for c in self.cells)
        return frozenset(known)

    def with_cell(self, cell: Cell) -> "PartialFlow":
        """The flow with one cell replaced."""
        fixed = [c for c in self.fixed if c.column != cell.column]
        reused = [c for c in self.reused if c.column != cell.column]
        if isinstance(cell, Fixed):
            fixed.append(cell)
        elif isinstance(cell, Reused):
            reused.append(cell)
        return PartialFlow(tuple(sorted(fixed)), tuple(sorted(reused)))


@dataclass(frozen=True, order=True)
class Pattern:
    """Partial flows in the order of their starts, and how far apart neighbours may be."""

    flows: tuple[PartialFlow, ...]
    within: tuple[int, ...] = ()
    """For each gap, w: the next flow starts less than 2**w microseconds after the one before."""

    def __len__(self) -> int:
        return len(self.flows)

    def __hash__(self) -> int:
        # The search looks patterns up far more often than it builds them.
        known = self.__dict__.get("_hash")
        if known is None:
            known = self.__dict__["_hash"] = hash((self.flows, self.within))
        return int(known)

    @property
    def covered(self) -> int:
        """Number of fixed and reused cells."""
        return sum(len(f.fixed) + len(f.reused) for f in self.flows)

    def free_cells(self, columns: int) -> list[tuple[int, int]]:
        """(flow, column) of every free cell, in the order of the pattern's network."""
        return list(_free_cells(self, columns))

    def own(self, flow: int) -> tuple[Reused, ...]:
        """The cells of a flow that reuse a cell of the same flow."""
        return tuple(r for r in self.flows[flow].reused if r.flow == flow)

    def earlier(self, flow: int) -> tuple[Reused, ...]:
        """The cells of a flow that reuse a cell of an earlier flow."""
        return tuple(r for r in self.flows[flow].reused if r.flow < flow)

    def sources(self) -> set[tuple[int, int]]:
        """(flow, column) of the free cells that later cells reuse."""
        return {(r.flow, r.source) for flow in self.flows for r in flow.reused}

    def with_cell(self, flow: int, cell: Cell) -> "Pattern":
        """The pattern with one cell replaced."""
        flows = list(self.flows)
        flows[flow] = flows[flow].with_cell(cell)
        return replace(self, flows=tuple(flows))


@lru_cache(maxsize=4096)
def _free_cells(pattern: Pattern, columns: int) -> tuple[tuple[int, int], ...]:
    return tuple((j, c) for j, flow in enumerate(pattern.flows) for c in range(columns) if c not in flow.bound)


def check_pattern(pattern: Pattern, sizes: tuple[int, ...], hosts: tuple[int, ...]) -> None:
    """Refuse what the language does not hold.

    Parameters
    ----------
    sizes
        Number of codes of each column.
    hosts
        The address columns.

    Raises
    ------
    InvalidEdit
        When a cell is out of range, bound twice, or reuses what is not an earlier free address cell.
    """
    if not pattern.flows or len(pattern.within) != len(pattern.flows) - 1:
        raise InvalidEdit("A pattern needs flows, and one limit for each gap.", hint="Restore the pattern.")
    if any(not 0 <= w < WITHIN_STEPS for w in pattern.within):
        raise InvalidEdit("A gap limit is out of range.", hint=f"Limits are 0..{WITHIN_STEPS - 1}.")
    for j, flow in enumerate(pattern.flows):
        columns = [c.column for c in flow.cells]
        if len(set(columns)) != len(columns) or any(not 0 <= c < len(sizes) for c in columns):
            raise InvalidEdit(f"Flow {j + 1} binds a column twice or one that is not there.", hint="Bind each once.")
        if any(not 0 <= c.code < sizes[c.column] for c in flow.fixed):
            raise InvalidEdit(f"Flow {j + 1} fixes a value that no flow has.", hint="Choose a value of the data.")
        for cell in flow.reused:
            before = 0 <= cell.flow < j or (cell.flow == j and cell.source < cell.column)
            if not before or cell.source not in hosts or cell.column not in hosts:
                raise InvalidEdit(
                    f"Flow {j + 1} reuses what is no address before it.",
                    hint="Reuse src_ip or dst_ip of an earlier flow, or make dst_ip equal to src_ip of the same flow.",
                )
            if cell.source in pattern.flows[cell.flow].bound:
                raise InvalidEdit(
                    f"Flow {j + 1} reuses a cell of flow {cell.flow + 1} that is not free.",
                    hint="Free that cell first, or reuse the cell it takes its value from.",
                )


def insert_flow(pattern: Pattern, place: int, flow: PartialFlow, within: tuple[int, ...]) -> Pattern:
    """The pattern with `flow` at `place`; what the old flows reuse keeps its meaning.

    Parameters
    ----------
    flow
        Its reused cells name flows by their places in the new pattern.
    within
        All gap limits of the new pattern.
    """
    moved = [
        replace(f, reused=tuple(sorted(replace(r, flow=r.flow + (r.flow >= place)) for r in f.reused)))
        for f in pattern.flows
    ]
    return Pattern((*moved[:place], flow, *moved[place:]), within)


def rebind(pattern: Pattern, cell: tuple[int, int], source: tuple[int, int]) -> Pattern:
    """The pattern with the free `cell` made a reuse of the free cell `source` before it; what reused `cell` follows."""
    flows = []
    for flow in pattern.flows:
        reused = tuple(sorted(Reused(r.column, *source) if (r.flow, r.source) == cell else r for r in flow.reused))
        flows.append(replace(flow, reused=reused))
    return Pattern(tuple(flows), pattern.within).with_cell(cell[0], Reused(cell[1], *source))


def constants_fixed(pattern: Pattern, constants: dict[tuple[int, int], int]) -> Pattern:
    """The pattern with the given free cells fixed; cells that reused one of them are fixed too."""
    flows = []
    for j, flow in enumerate(pattern.flows):
        done = flow
        for cell in flow.reused:
            if (cell.flow, cell.source) in constants:
                done = done.with_cell(Fixed(cell.column, constants[cell.flow, cell.source]))
        for (place, column), code in constants.items():
            if place == j:
                done = done.with_cell(Fixed(column, code))
        flows.append(done)
    return Pattern(tuple(flows), pattern.within)


def concatenate(first: Pattern, second: Pattern, within: int) -> Pattern:
    """The flows of `second` after those of `first`, at most 2**within microseconds later."""
    shift = len(first)
    moved = [replace(f, reused=tuple(sorted(replace(r, flow=r.flow + shift) for r in f.reused))) for f in second.flows]
    return Pattern((*first.flows, *moved), (*first.within, within, *second.within))


def interleave(first: Pattern, second: Pattern, order: tuple[int, ...], within: tuple[int, ...]) -> Pattern:
    """The flows of both in a given order, that of each kept: ``order[i]`` is the flow at place i, those of `second`
    numbered on after those of `first`."""
    flows = (*first.flows, *second.flows)
    spot = {flow: place for place, flow in enumerate(order)}
    moved = []
    for number in order:
        shift = len(first) if number >= len(first) else 0
        reused = tuple(sorted(replace(r, flow=spot[r.flow + shift]) for r in flows[number].reused))
        moved.append(replace(flows[number], reused=reused))
    return Pattern(tuple(moved), within)


def cut(pattern: Pattern, place: int) -> tuple[Pattern, Pattern]:
    """The flows before `place`, and those from it on.

    Of the cells of the second part that reused the same cell of the first, the first one becomes free; those of later
    flows reuse it.
    """
    names: dict[tuple[int, int], tuple[int, int]] = {}
    flows = []
    for j, flow in enumerate(pattern.flows[place:]):
        reused = []
        for cell in flow.reused:
            root = (cell.flow, cell.source)
            if cell.flow >= place:
                reused.append(Reused(cell.column, cell.flow - place, cell.source))
            elif root in names and names[root][0] < j:
                reused.append(Reused(cell.column, *names[root]))
            else:
                names.setdefault(root, (j, cell.column))
        flows.append(PartialFlow(flow.fixed, tuple(sorted(reused))))
    return Pattern(pattern.flows[:place], pattern.within[: place - 1]), Pattern(tuple(flows), pattern.within[place:])


def in_common(first: Pattern, second: Pattern) -> Pattern:
    """The cells that two patterns of as many flows have in common, with the longer limit of each gap."""
    flows = tuple(
        PartialFlow(
            tuple(c for c in a.fixed if c in b.fixed),
            tuple(c for c in a.reused if c in b.reused),
        )
        for a, b in zip(first.flows, second.flows, strict=True)
    )
    return Pattern(flows, tuple(map(max, first.within, second.within)))
