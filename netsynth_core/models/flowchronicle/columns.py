"""Columns as integer codes: what the patterns are mined over, and the way back to values.

Addresses of both ends share one dictionary, so that a host has one code wherever it stands. Numbers are cut at their
quantiles; zero is a code of its own. A value that was not there in training gets the code `Column.other`.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.flows.table import FlowTable

ColumnKind = Literal["name", "port", "host", "number"]

CATEGORIES: Final[tuple[tuple[str, ColumnKind], ...]] = (
    ("proto", "name"),
    ("dst_port", "port"),
    ("service", "name"),
    ("state", "name"),
    ("flags", "name"),
    ("src_ip", "host"),
    ("dst_ip", "host"),
)
NUMBERS: Final = ("fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes", "duration")
KNOTS: Final = 17
"""Points of the quantile function kept in each bin."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column and its code."""

    name: str
    kind: ColumnKind
    values: tuple[str, ...] = ()
    """Names, ports (decimal) or addresses by code; empty for numbers. Both host columns have the same tuple."""
    edges: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Numbers: bin k >= 1 holds ``edges[k - 1] <= x < edges[k]``, the last one its right edge too."""
    knots: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, KNOTS), np.int64))
    """Numbers: quantiles of the training values of bin k in row k - 1, ascending."""
    step: int = 1
    """Numbers: the largest power of ten that divides every training value; sampled values are multiples of it."""

    @property
    def size(self) -> int:
        """Number of codes of training, without `other`."""
        return len(self.values) if self.kind != "number" else len(self.knots) + 1

    @property
    def other(self) -> int:
        """Code of a value that was not there in training."""
        return self.size

    def encode(self, values: "pd.Series[Any]") -> NDArray[np.int32]:
        """Codes of the values of a flow table's column."""
        if self.kind == "number":
            return self._encode_numbers(np.asarray(values.to_numpy(), np.int64))
        lookup = pd.Index(list(self.values))
        codes = lookup.get_indexer(pd.Index(values.astype(str)))
        return np.where(codes < 0, self.other, codes).astype(np.int32)

    def _encode_numbers(self, values: NDArray[np.int64]) -> NDArray[np.int32]:
        if len(self.knots) == 0:
            return np.where(values == 0, 0, self.other).astype(np.int32)
        codes = np.clip(np.searchsorted(self.edges, values, side="right"), 1, len(self.knots))
        return np.where(values == 0, 0, codes).astype(np.int32)

    def decode_numbers(self, codes: NDArray[np.int32], *, rng: np.random.Generator) -> NDArray[np.int64]:
        """Values of a number column's codes: drawn from the quantile function of each bin, so that tails keep their
        shape and values that fill a bin come out exactly."""
        zero = np.zeros((1, KNOTS), np.int64)
        return draw_numbers(codes, np.concatenate((zero, self.knots)), self.step, rng=rng)

    def text(self, code: int) -> str:
        """A code as a person reads it."""
        if code >= self.size:
            return "another value"
        if self.kind != "number":
            return self.values[code] or "none"
        if code == 0:
            return "0"
        low, high = self.knots[code - 1, 0], self.knots[code - 1, -1]
        if self.name == "duration":
            return f"{low / 1e9:.3g} s" if low == high else f"{low / 1e9:.3g}-{high / 1e9:.3g} s"
        return f"{low}" if low == high else f"{low}-{high}"


def quantile_knots(values: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """`count` quantiles of values, the smallest and the largest among them."""
    ordered = np.sort(values)
    return np.asarray(ordered[np.rint(np.linspace(0, len(ordered) - 1, count)).astype(np.int64)], np.int64)


def draw_numbers(
    rows: NDArray[np.int32] | NDArray[np.int64], knots: NDArray[np.int64], step: int, *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Values drawn from the quantile functions ``knots[rows]``, log-linear between knots, as multiples of `step`."""
    spot = rng.random(len(rows)) * (knots.shape[1] - 1)
    low = np.minimum(spot.astype(np.int64), knots.shape[1] - 2)
    left, right = knots[rows, low].astype(np.float64), knots[rows, low + 1].astype(np.float64)
    ratio = np.maximum(right, 1.0) / np.maximum(left, 1.0)
    drawn = np.where(left > 0, left * ratio ** (spot - low), left + (right - left) * (spot - low))
    drawn = np.where(left == right, left, np.clip(np.rint(drawn / step) * step, left, right))
    return np.asarray(drawn, np.int64)


def learn_columns(flows: FlowTable, *, bins: int) -> tuple[Column, ...]:
    """The columns worth modelling: the always present ones; service and state where any flow has them."""
    frame = flows.frame
    hosts = tuple(sorted(set(frame["src_ip"].astype(str)) | set(frame["dst_ip"].astype(str))))
    columns: list[Column] = []
    for name, kind in CATEGORIES:
        if name in ("service", "state") and not (frame[name] != "").any():
            continue
        if kind == "host":
            columns.append(Column(name, kind, hosts))
        elif kind == "port":
            columns.append(Column(name, kind, tuple(str(p) for p in sorted(int(p) for p in frame[name].unique()))))
        else:
            columns.append(Column(name, kind, tuple(sorted(set(frame[name].astype(str))))))
    columns += [_number_column(name, frame[name].to_numpy(np.int64), bins) for name in NUMBERS]
    return tuple(columns)


def _number_column(name: str, values: NDArray[np.int64], bins: int) -> Column:
    positive = np.sort(values[values != 0])
    if len(positive) == 0:
        return Column(name, "number")
    places = np.minimum((np.arange(bins) * len(positive)) // bins, len(positive) - 1)
    return column_of_edges(name, positive, np.unique(positive[places]))


def column_of_edges(name: str, positive: NDArray[np.int64], edges: NDArray[np.int64]) -> Column:
    """A number column of given bins: `edges` are their left ends, each bin holding one of the values (ascending)."""
    starts = np.searchsorted(positive, edges)
    stops = np.append(starts[1:], len(positive))
    knots = np.empty((len(edges), KNOTS), np.int64)
    for k, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        knots[k] = quantile_knots(positive[start:stop], KNOTS)
    step = 1
    while step < 10**9 and not (positive % (step * 10)).any():
        step *= 10
    return Column(name, "number", edges=np.append(edges, positive[-1]), knots=knots, step=step)


def numbers_of(flows: FlowTable) -> NDArray[np.int64]:
    """The number columns of a flow table, flows x numbers."""
    return np.ascontiguousarray(flows.frame[list(NUMBERS)].to_numpy(np.int64))


def encode_flows(columns: tuple[Column, ...], flows: FlowTable) -> NDArray[np.int32]:
    """Codes of a flow table, flows x columns.

    Addresses that training did not have get a code each, from `Column.other` on, so that reuse still compares them.
    """
    if not len(flows):
        return np.zeros((0, len(columns)), np.int32)
    codes = np.stack([c.encode(flows.frame[c.name]) for c in columns], axis=1)
    hosts = [i for i, c in enumerate(columns) if c.kind == "host"]
    unseen = {i: codes[:, i] == columns[i].other for i in hosts}
    if any(rows.any() for rows in unseen.values()):
        names = {i: flows.frame[columns[i].name].astype(str).to_numpy(dtype=object)[rows] for i, rows in unseen.items()}
        strangers = np.unique(np.concatenate(list(names.values())).astype(str))
        for i, rows in unseen.items():
            codes[rows, i] = columns[i].other + np.searchsorted(strangers, names[i].astype(str))
    return np.ascontiguousarray(codes, np.int32)
