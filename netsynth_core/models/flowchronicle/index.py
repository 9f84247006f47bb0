"""An encoded flow table with posting lists: which rows have a value, and where a host occurs next.

Built once per table; lists are made when first asked for and kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.pattern import Fixed, PartialFlow, Pattern

KEPT_LISTS = 4096


@dataclass(frozen=True, eq=False)
class FlowIndex:
    """Codes, starts and posting lists of one flow table."""

    codes: NDArray[np.int32]
    """Flows x columns."""
    ts: NDArray[np.int64]
    """Starts, ns, ascending."""
    sizes: tuple[int, ...]
    """Number of codes of each column."""
    hosts: tuple[int, ...]
    """The address columns."""
    categories: tuple[int, ...]
    """The columns that are no numbers."""
    numbers: NDArray[np.int64]
    """The values of the number columns, which are the last columns: flows x numbers."""

    def __len__(self) -> int:
        return len(self.ts)

    @cached_property
    def domains(self) -> NDArray[np.int64]:
        """Number of codes a column's cell may have here, with the code for unseen values where one occurs."""
        top = self.codes.max(axis=0, initial=0) + 1
        return np.asarray(np.maximum(self.sizes, top), np.int64)

    @cached_property
    def host_count(self) -> int:
        """Number of address codes, with the one for unseen addresses."""
        return max([1, *(int(self.domains[c]) for c in self.hosts)])

    @cached_property
    def _lists(self) -> dict[object, NDArray[np.int64]]:
        return {}

    @cached_property
    def _sorted(self) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
        orders, bounds = [], []
        for column in range(self.codes.shape[1]):
            values = self.codes[:, column]
            orders.append(np.argsort(values, kind="stable"))
            counts = np.bincount(values, minlength=int(self.domains[column]))
            bounds.append(np.concatenate(([0], np.cumsum(counts))))
        return orders, bounds

    def posting(self, column: int, code: int) -> NDArray[np.int64]:
        """Rows with a code in a column, ascending."""
        orders, bounds = self._sorted
        if code + 1 >= len(bounds[column]):
            return np.zeros(0, np.int64)
        return orders[column][bounds[column][code] : bounds[column][code + 1]]

    def rows_of(self, fixed: tuple[Fixed, ...]) -> NDArray[np.int64]:
        """Rows that have all these fixed cells, ascending."""
        if not fixed:
            return np.arange(len(self), dtype=np.int64)
        kept = self._lists.get(fixed)
        if kept is None:
            lists = sorted((self.posting(c.column, c.code) for c in fixed), key=len)
            rows = lists[0]
            for cell in fixed:
                rows = rows[self.codes[rows, cell.column] == cell.code]
            kept = self._keep(fixed, rows)
        return kept

    def rows_for(self, pattern: Pattern, flow: int) -> NDArray[np.int64]:
        """Rows that have the fixed cells of a flow of a pattern, and those that reuse its own; ascending."""
        fixed, own = pattern.flows[flow].fixed, tuple((r.column, r.source) for r in pattern.own(flow))
        if not own:
            return self.rows_of(fixed)
        kept = self._lists.get((fixed, own, None))
        if kept is None:
            rows = self.rows_of(fixed)
            for column, source in own:
                rows = rows[self.codes[rows, column] == self.codes[rows, source]]
            kept = self._keep((fixed, own, None), rows)
        return kept

    def keys_for(self, pattern: Pattern, flow: int) -> NDArray[np.int64]:
        """`rows_for`, as (addresses in the columns that reuse earlier flows, folded) * rows + row, ascending."""
        own = tuple((r.column, r.source) for r in pattern.own(flow))
        columns = tuple(r.column for r in pattern.earlier(flow))
        return self._keys(pattern.flows[flow].fixed, own, columns, lambda: self.rows_for(pattern, flow))

    def keys_of(self, flow: PartialFlow) -> NDArray[np.int64]:
        """Rows that have the flow's fixed cells, as (addresses in its reused columns, folded) * rows + row,
        ascending."""
        return self._keys(flow.fixed, (), tuple(c.column for c in flow.reused), lambda: self.rows_of(flow.fixed))

    def _keys(
        self,
        fixed: tuple[Fixed, ...],
        own: tuple[tuple[int, int], ...],
        columns: tuple[int, ...],
        rows_of: Callable[[], NDArray[np.int64]],
    ) -> NDArray[np.int64]:
        name = (fixed, own, columns)
        kept = self._lists.get(name)
        if kept is None:
            rows = rows_of()
            group = np.zeros(len(rows), np.int64)
            for column in columns:
                group = group * self.host_count + self.codes[rows, column]
            kept = self._keep(name, np.sort(group * len(self) + rows))
        return kept

    def _keep(self, name: object, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(self._lists) >= KEPT_LISTS:
            self._lists.clear()
        self._lists[name] = rows
        return rows
