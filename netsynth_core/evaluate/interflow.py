"""Inter-flow structure: do flows follow each other as in the real capture?

With a pattern set: how often each learnt multi-flow pattern occurs. Without a model: how soon a source (or the
destination) opens its next flow, which port follows which, and the autocorrelation of the load. What a flow knows of
its neighbours is worked out on whole tables before rows are drawn, so equal numbers are compared and no window is cut.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from netsynth_core.evaluate.marginals import LIN, VALLENDER, jensen_shannon
from netsynth_core.evaluate.metric import Measured, Metric, NotApplicable
from netsynth_core.evaluate.views import HORIZON_NS, TOP, Floats, Ints, View
from netsynth_core.flows.table import FlowTable
from netsynth_core.units import NS_PER_S, format_duration

LAGS: Final = (1, 2, 3, 5, 8, 13, 21, 34)
SEGMENTS: Final = 16
"""Equal stretches the shorter table is cut into; the load is correlated inside them only."""
MAX_BINS: Final = 4096
MAX_CELLS: Final = 2_000_000
"""Bins of one table at most."""


class PatternCover(Protocol):
    """The windows that a model finds in a flow table."""

    @property
    def windows(self) -> Mapping[str, NDArray[np.int64]]:
        """Rows (windows x flows of the pattern) by pattern id; no two windows share a row."""
        ...


class PatternSource(Protocol):
    """A model that finds its patterns in a flow table, such as FlowChronicle."""

    def windows(self, flows: FlowTable) -> PatternCover:
        """The cover of these flows."""
        ...


def window_starts(source: PatternSource, table: FlowTable, numbers: dict[str, int]) -> Ints:
    """Per row, the number of the multi-flow pattern whose window begins there, -1 = none.

    Parameters
    ----------
    numbers
        Pattern id to number; patterns not met before are added.
    """
    begins = np.full(len(table), -1, np.int64)
    if not len(table):
        return begins
    for name, rows in source.windows(table).windows.items():
        if len(rows) and rows.shape[1] > 1:
            begins[rows[:, 0]] = numbers.setdefault(name, len(numbers))
    return begins


def window_rates(reference: View, other: View) -> Measured:
    """Difference of the windows per flow of each multi-flow pattern: sum |r - s| / sum (r + s), 0..1 (Bray-Curtis)."""
    if not len(reference.window) or not len(other.window):
        raise NotApplicable("No pattern set was given.")
    size = 1 + max(int(reference.window.max()), int(other.window.max()))
    if size == 0:
        raise NotApplicable("No multi-flow pattern occurs on either side.")
    a, b = (
        1000 * np.bincount(view.window[view.window >= 0], minlength=size) / len(view.window)
        for view in (reference, other)
    )
    return Measured(float(np.abs(a - b).sum() / (a + b).sum()))


def window_remark(real: View, synthetic: View) -> str:
    """Windows per 1000 flows on both sides."""
    rates = [1000 * float((view.window >= 0).mean()) for view in (real, synthetic)]
    return f"Windows of multi-flow patterns per 1000 flows: {rates[0]:.3g} real, {rates[1]:.3g} synthetic."


def follow_share(gaps: Ints, within: float) -> float:
    """Share of flows whose next one starts at most `within` seconds later."""
    return float((gaps <= int(within * NS_PER_S)).mean())


def _need_rows(reference: View, other: View) -> None:
    if not len(reference) or not len(other):
        raise NotApplicable("One side has no flows.")


def follow_difference(gaps: Callable[[View], Ints], within: float) -> Callable[[View, View], float]:
    """|share followed within some seconds on one side - on the other|, 0..1."""

    def measure(reference: View, other: View) -> float:
        _need_rows(reference, other)
        return abs(follow_share(gaps(reference), within) - follow_share(gaps(other), within))

    return measure


def _follow_remark(gaps: Callable[[View], Ints], within: float) -> Callable[[View, View], str]:
    def remark(real: View, synthetic: View) -> str:
        a, b = follow_share(gaps(real), within), follow_share(gaps(synthetic), within)
        return f"Share of flows: {100 * a:.1f} % real, {100 * b:.1f} % synthetic."

    return remark


def next_gap_distance(reference: View, other: View) -> float:
    """Wasserstein-1 of log10(1 + µs to the source's next flow), in decades; no next flow counts as the horizon."""
    _need_rows(reference, other)
    a, b = (np.log10(1 + np.minimum(view.next_gap, HORIZON_NS) / 1_000) for view in (reference, other))
    return float(stats.wasserstein_distance(a, b))


def next_port_distance(reference: View, other: View) -> float:
    """Jensen-Shannon distance of (port now, port of the source's next flow), pooled ports, base 2, 0..1."""
    _need_rows(reference, other)
    side = TOP + 2

    def pairs(view: View) -> Ints:
        return np.bincount(view.pooled["dst_port"] * side + view.next_port, minlength=side * side)

    return jensen_shannon(pairs(reference), pairs(other))


def segment_length(spans: Sequence[int]) -> tuple[int, int]:
    """Bin width (ns) and bins per segment, the same for all tables.

    The shortest span is cut into `SEGMENTS`; bins are 1 s wide, narrower when a segment would have fewer than 64
    of them and wider when it would have more than `MAX_BINS`.
    """
    segment = min(spans) // SEGMENTS
    if segment < 64_000:
        raise NotApplicable("The shorter side spans too little time for a load curve.")
    width = min(max(NS_PER_S, -(-segment // MAX_BINS)), segment // 64)
    return width, segment // width


def segments(view: View, width: int, bins: int) -> Floats:
    """Load in bins, cut into whole segments: shape (k, 2, bins); [:, 0] flows, [:, 1] log10(1 + bytes)."""
    whole = int(view.span // (width * bins))
    k = min(whole, max(SEGMENTS, MAX_CELLS // bins))
    # A table that spans far longer than the other one is sampled evenly: it would fill the memory with empty bins.
    chosen = np.arange(k) * whole // max(k, 1)
    segment, within = np.divmod(view.start // width, bins)
    row = np.searchsorted(chosen, segment)
    inside = (row < k) & (chosen[np.minimum(row, k - 1)] == segment) if k else np.zeros(len(segment), bool)
    place = row[inside] * bins + within[inside]
    flows = np.bincount(place, minlength=k * bins)
    volume = np.bincount(place, weights=view.volume[inside], minlength=k * bins)
    both = np.stack([flows.astype(np.float64), np.log10(1 + volume)])
    return both.reshape(2, k, bins).transpose(1, 0, 2)


def autocorrelation(series: Floats, lags: Sequence[int]) -> Floats:
    """Autocorrelation at some lags, pooled over segments: shape (k, bins) -> (len(lags),), about one common mean."""
    centred = series - series.mean()
    variance = float((centred**2).mean())
    if variance <= 1e-12:
        raise NotApplicable("The load is constant.")
    return np.array([(centred[:, :-lag] * centred[:, lag:]).mean() / variance for lag in lags])


def correlation_difference(which: int) -> Callable[[Floats, Floats], Measured]:
    """Mean over `LAGS` of |difference of the autocorrelations|, 0..2; `which` 0 = flows, 1 = bytes."""

    def measure(reference: Floats, other: Floats) -> Measured:
        lags = [lag for lag in LAGS if lag <= reference.shape[2] // 4]
        gap = np.abs(autocorrelation(reference[:, which], lags) - autocorrelation(other[:, which], lags))
        return Measured(float(gap.mean()), {f"lag {lag}": float(g) for lag, g in zip(lags, gap, strict=True)})

    return measure


def _of_source(view: View) -> Ints:
    return view.next_gap


def _of_destination(view: View) -> Ints:
    return view.chain_gap


def _follow(name: str, gaps: Callable[[View], Ints], within: float, words: str) -> Metric:
    return Metric(
        name=name,
        family="inter-flow",
        goal="down",
        range=(0.0, 1.0),
        source="share of flows; measured before rows are drawn",
        meaning=f"The share of flows after which {words} within {within:g} s differs by",
        function=follow_difference(gaps, within),
        remark=_follow_remark(gaps, within),
        tolerance=0.02,
        unit="points",
    )


def _load(name: str, which: int, words: str) -> Metric:
    return Metric(
        name=name,
        family="inter-flow",
        goal="down",
        range=(0.0, 2.0),
        source="autocorrelation about one mean, pooled over segments, lags " + ", ".join(map(str, LAGS)) + " bins",
        meaning=f"The autocorrelation of {words} per time bin differs, on average over the lags, by",
        function=correlation_difference(which),
        draw="segments",
        tolerance=0.05,
    )


METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        name="pattern windows",
        family="inter-flow",
        goal="down",
        range=(0.0, 1.0),
        source="windows of each multi-flow pattern per 1000 flows, Bray-Curtis dissimilarity (1957)",
        meaning="The rates at which the learnt multi-flow patterns occur differ by",
        function=window_rates,
        remark=window_remark,
    ),
    _follow("next of source in 1 s", _of_source, 1.0, "the same source opens another"),
    _follow("next of source in 5 s", _of_source, 5.0, "the same source opens another"),
    _follow("chained in 1 s", _of_destination, 1.0, "the destination itself opens one (as a proxy does)"),
    Metric(
        name="wasserstein next of source",
        family="inter-flow",
        goal="down",
        range=(0.0, None),
        source=VALLENDER,
        meaning=f"The time to the source's next flow (at most {format_duration(HORIZON_NS)}) differs on average by",
        function=next_gap_distance,
        tolerance=0.1,
        unit="decades",
    ),
    Metric(
        name="jsd next port",
        family="inter-flow",
        goal="down",
        range=(0.0, 1.0),
        source=LIN,
        meaning="The shares of (port now, port of the source's next flow) differ by a Jensen-Shannon distance of",
        function=next_port_distance,
    ),
    _load("autocorrelation flows", 0, "flows"),
    _load("autocorrelation bytes", 1, "log bytes"),
)
