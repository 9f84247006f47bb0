"""Generating flows: any number, or those of any stretch of time, slice by slice of time, in order of their start.

A slice holds about `SLICE` flows; flows of its windows that start later wait for the slice they fall into. So memory
does not grow with the number of flows, and the same seed gives the same flows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.table import COLUMNS, FlowTable
from netsynth_core.models.flowchronicle.columns import NUMBERS
from netsynth_core.models.flowchronicle.generation.chains import Drawn, follow_windows
from netsynth_core.models.flowchronicle.generation.intensity import HOUR, Intensities, draw_starts
from netsynth_core.models.flowchronicle.generation.limits import FAR, Limits
from netsynth_core.models.flowchronicle.generation.rhythms import Beats, Rhythm, with_runs
from netsynth_core.models.flowchronicle.generation.starting import Starts, place_of
from netsynth_core.models.flowchronicle.generation.values import draw_uniforms
from netsynth_core.models.flowchronicle.learnt import LearntPattern
from netsynth_core.models.flowchronicle.repair import NO_FLAGS, draw_source_ports, separate
from netsynth_core.models.flowchronicle.support import draw_possible
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.units import format_duration

if TYPE_CHECKING:
    from netsynth_core.models.flowchronicle.model import FlowChronicle

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SLICE = 200_000
"""Flows of a slice, about."""
MOST_ROUNDS = 24
"""How often windows are drawn until each part of a pattern has its number."""
LEAST_DRAWN = 4096
MOST_POOL = 3
"""How many times the windows that are wanted are drawn for the sake of rhythms."""
MOST_TABLE = 50_000_000
"""Flows of one table in memory."""
MOST_STREAMED = 10_000_000_000


@dataclass(frozen=True, eq=False)
class Flows:
    """Sampled flows as codes."""

    codes: NDArray[np.int32]
    """Flows x columns."""
    numbers: Ints
    """Flows x number columns."""
    ts: Ints
    """ns."""

    def __len__(self) -> int:
        return len(self.ts)

    def take(self, rows: NDArray[np.bool_] | Ints | slice) -> "Flows":
        """Some of the flows."""
        return Flows(self.codes[rows], self.numbers[rows], self.ts[rows])

    @classmethod
    def joined(cls, parts: Sequence["Flows"]) -> "Flows":
        """All flows of the parts."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("codes", "numbers", "ts")))


def choose_windows(patterns: Sequence[LearntPattern], n: int, *, rng: np.random.Generator) -> Ints:
    """How many windows of each pattern make exactly `n` flows, or more only when no pattern fits what is missing.

    Patterns are drawn independently by usage times weight until the flows are complete; the last ones are drawn among
    those that fit.
    """
    sizes = np.array([len(p.pattern) for p in patterns], np.int64)
    usage = np.array([p.usage * p.weight for p in patterns], np.float64)
    counts = np.zeros(len(patterns), np.int64)
    missing = n
    while missing > 0:
        fit = usage * (sizes <= missing)
        if not fit.any():
            fit = usage * (sizes == sizes[usage > 0].min())
        draws = max(1, int(missing / float(sizes @ fit) * float(fit.sum())) // 2)
        if missing < 4 * int(sizes.max()):
            draws = 1
        chosen = rng.multinomial(draws, fit / fit.sum())
        if draws > 1 and int(sizes @ chosen) > missing:
            continue
        counts += chosen
        missing -= int(sizes @ chosen)
    return counts


class Drawer:
    """Draws the flows of one model."""

    def __init__(self, model: "FlowChronicle") -> None:
        self.model = model
        self.sources = (*model.patterns, model.empty)
        place = {column.name: c for c, column in enumerate(model.columns)}
        self.ends = (place["src_ip"], place["dst_ip"])
        self.limits = Limits.of(model.rules, model.columns)
        self.numbered = [c for c, column in enumerate(model.columns) if column.kind == "number"]
        self.parts = [
            (*(p.starts.parts or (p.starts.all,)), *(rhythm.counts for rhythm in p.starts.rhythms))
            for p in self.sources
        ]
        """The starts of each pattern: one, or one for each value of the cell they depend on; then its rhythms."""
        self.pattern = np.repeat(np.arange(len(self.sources)), [len(parts) for parts in self.parts])
        self.usage = np.array([n for p in self.sources for n in _usage(p)], np.int64)
        self.rhythms: list[Rhythm | None] = [
            rhythm for p in self.sources for rhythm in (*(None for _ in p.starts.parts or (0,)), *p.starts.rhythms)
        ]
        self.sizes = np.array([len(self.sources[p].pattern) for p in self.pattern], np.int64)
        self.weight = np.array([[self.sources[p].weight] for p in self.pattern])
        self._spare: dict[int, NDArray[np.int32]] = {}

    @cached_property
    def intensities(self) -> Intensities:
        """When the windows of each part of each pattern start."""
        counts = tuple(part for parts in self.parts for part in parts)
        usage = self.usage.astype(np.float64)
        return Intensities(counts, usage, self.model.trained_on["first"], self.model.trained_on["last"])

    def numbered_slices(
        self, n: int, begin: int | None, length: int | None, *, rng: np.random.Generator
    ) -> Iterator[Flows]:
        """Exactly `n` flows; over the training span when neither time is given."""
        first, last = self.model.trained_on["first"], self.model.trained_on["last"]
        beats = self._beats()
        as_trained = begin is None and length is None
        if as_trained:
            edges, expected = with_runs(*self.intensities.as_trained(), self.rhythms)
        else:
            edges, expected = self.intensities.over(
                first if begin is None else begin, last - first + 1 if length is None else length
            )
        expected = expected * self.weight
        totals = self._by_part(choose_windows(self.sources, n, rng=rng), rng)
        bounds, masses, cumulative = self._cut(edges, expected, n)
        left = totals.copy()
        rest = masses.sum(axis=1)
        missing = n
        waiting: list[Flows] = []
        for s in range(len(bounds) - 1):
            share = np.divide(masses[:, s], rest, out=np.zeros(len(rest)), where=rest > 0)
            counts = left
            if s < len(bounds) - 2:
                counts = rng.binomial(left, np.clip(share, 0.0, 1.0))
                for row in beats:
                    counts[row] = min(int(left[row]), int(left[row] * share[row] + rng.random()))
            left, rest = left - counts, rest - masses[:, s]
            end = None if s == len(bounds) - 2 else int(place_of(edges, bounds[s + 1]))
            starts = Starts(edges, cumulative, bounds[s : s + 2], beats, as_trained)
            flows = self._slice(counts, starts, waiting, end, rng).take(slice(missing))
            missing -= len(flows)
            yield flows

    def timed_slices(self, begin: int, length: int, *, rng: np.random.Generator) -> Iterator[Flows]:
        """The flows of `length` ns from `begin`, at the training rate; all start before the end."""
        edges, expected = self.intensities.over(begin, length)
        expected = expected * self.weight
        bounds, masses, cumulative = self._cut(edges, expected, float(self.sizes @ expected.sum(axis=1)))
        beats = self._beats()
        waiting: list[Flows] = []
        for s in range(len(bounds) - 1):
            end = begin + length if s == len(bounds) - 2 else int(place_of(edges, bounds[s + 1]))
            counts = rng.poisson(masses[:, s])
            for row, beat in beats.items():
                if beat.lasting:
                    counts[row] = int(masses[row, s] + rng.random())
            starts = Starts(edges, cumulative, bounds[s : s + 2], beats, False)
            yield self._slice(counts, starts, waiting, end, rng)

    def _beats(self) -> dict[int, Beats]:
        """What draws the starts of each rhythm, by part."""
        span = self.model.trained_on["last"] - self.model.trained_on["first"] + 1
        return {row: Beats(rhythm, span) for row, rhythm in enumerate(self.rhythms) if rhythm is not None}

    def _by_part(self, windows: Ints, rng: np.random.Generator) -> Ints:
        """Windows of each pattern as windows of its parts; a rhythm has its share to the window."""
        counts = np.zeros(len(self.pattern), np.int64)
        beating = np.array([rhythm is not None for rhythm in self.rhythms], np.bool_)
        for p, n in enumerate(windows):
            mine = self.pattern == p
            if not n:
                continue
            share = self.usage[mine] / max(int(self.usage[mine].sum()), 1)
            own = np.where(beating[mine], (n * share + rng.random(int(mine.sum()))).astype(np.int64), 0)
            own = np.minimum(own, np.maximum(n - (np.cumsum(own) - own), 0))
            rest = np.where(beating[mine], 0.0, share)
            left = n - int(own.sum())
            if left:
                rest = rest if rest.any() else share
                own = own + rng.multinomial(left, rest / rest.sum())
            counts[mine] = own
        return counts

    def flows_for(self, begin: int, length: int) -> float:
        """Expected number of flows of a stretch of time."""
        if length < 14 * 24 * HOUR:
            return float(self.sizes @ (self.weight * self.intensities.over(begin, length)[1]).sum(axis=1))
        return float(self.sizes @ (self.weight * self.intensities.week).mean(axis=1)) * length / HOUR

    def _cut(self, edges: Ints, expected: Floats, flows: float) -> tuple[Floats, Floats, Floats]:
        """Where slices are cut (in parts), windows expected in each (patterns x slices), and their running sums."""
        cumulative = np.concatenate((np.zeros((len(expected), 1)), np.cumsum(expected, axis=1)), axis=1)
        total = self.sizes @ cumulative
        pieces = max(1, int(np.ceil(flows / SLICE)))
        parts = np.arange(len(total), dtype=np.float64)
        bounds = np.interp(np.linspace(0, total[-1], pieces + 1), total, parts)
        bounds[0], bounds[-1] = 0.0, len(total) - 1
        bounds = np.unique(bounds)
        at = np.stack([np.interp(bounds, parts, row) for row in cumulative])
        return bounds, np.diff(at, axis=1), cumulative

    def _slice(
        self,
        counts: Ints,
        times: Starts,
        waiting: list[Flows],
        end: int | None,
        rng: np.random.Generator,
    ) -> Flows:
        """The flows of one slice in order of their start; later ones are left in `waiting`."""
        drawn, numbers, beating = [], [], []
        uniforms_of = self.model.together
        for place, learnt in enumerate(self.sources):
            mine = np.flatnonzero(self.pattern == place)
            codes = self._codes(place, counts[mine], rng)
            offsets = np.zeros(codes.shape[:2], np.int64)
            for gap, law in enumerate(learnt.delays):
                offsets[:, gap + 1] = offsets[:, gap] + law.draw(codes, rng=rng)
            first, bound = self._starts(place, mine, counts[mine], codes, times, rng)
            drawn.append(Drawn(codes, offsets, first))
            beating.append(bound)
            numbers.append(self._numbers(learnt, codes, uniforms_of, rng))
        starts = follow_windows(drawn, self.model.links, self.ends, self.model.machines, beating, rng=rng)
        width = len(self.model.columns)
        step = self.model.trained_on["resolution"]
        made = [
            Flows(
                d.codes.reshape(-1, width),
                values.reshape(-1, len(NUMBERS)),
                ((at[:, None] + d.offsets) // step * step).ravel(),
            )
            for d, values, at in zip(drawn, numbers, starts, strict=True)
        ]
        flows = Flows.joined([*waiting, *made])
        waiting.clear()
        if end is not None:
            later = flows.ts >= end
            waiting.append(flows.take(later))
            flows = flows.take(~later)
        return flows.take(np.argsort(flows.ts, kind="stable"))

    def _starts(
        self,
        place: int,
        parts: Ints,
        counts: Ints,
        codes: NDArray[np.int32],
        times: Starts,
        rng: np.random.Generator,
    ) -> tuple[Ints, NDArray[np.bool_]]:
        """Starts of the windows of one pattern, and which of them keep to a rhythm.

        A window that stands in for one of a rhythm the network did not draw has its start by the intensity.
        """
        starts = np.concatenate([
            draw_starts(times.edges, times.cumulative[part], times.bounds, int(n), rng=rng)
            for part, n in zip(parts, counts, strict=True)
        ])  # fmt: skip
        bound = np.zeros(len(starts), np.bool_)
        if not self.sources[place].starts.rhythms:
            return starts, bound
        base = int(parts[0])
        real = self.sources[place].starts.part_of(codes) + base
        for part in parts:
            if part in times.beats:
                rows = np.flatnonzero(real == part)
                starts[rows] = times.of_rhythm(int(part), len(rows), rng=rng)
                bound[rows] = True
        first = times.cumulative[base]
        stray = ~bound & (np.repeat(parts, counts) != real)
        starts[stray] = draw_starts(times.edges, first, times.bounds, int(stray.sum()), rng=rng)
        return starts, bound

    def _codes(self, place: int, counts: Ints, rng: np.random.Generator) -> NDArray[np.int32]:
        """Codes of windows of one pattern (windows x flows x columns): so many of each part, part by part.

        Contents are drawn by the network alone. What a slice has no place for waits for the next one, so that over all
        slices the shares stay those of the network.
        """
        columns, learnt = self.model.columns, self.sources[place]

        def draw(n: int) -> NDArray[np.int32]:
            return draw_possible(
                lambda many: draw_codes(learnt, many, len(columns), rng=rng), n, self.model.support, columns
            )

        wanted = int(counts.sum())
        if learnt.starts.cell is None and not learnt.starts.rhythms:
            return draw(wanted)
        pool = self._spare.get(place, draw(0))
        for _ in range(MOST_ROUNDS):
            if learnt.starts.rhythms and len(pool) > MOST_POOL * max(wanted, LEAST_DRAWN):
                break
            have = np.bincount(learnt.starts.part_of(pool), minlength=len(counts))
            missing = counts - have
            if not (missing > 0).any():
                break
            share = np.maximum(self.usage[self.pattern == place], 1) / max(learnt.usage, 1)
            pool = np.concatenate((pool, draw(int(np.clip((missing / share).max(), 1, max(wanted, LEAST_DRAWN))))))
        part = learnt.starts.part_of(pool)
        order = np.argsort(part, kind="stable")
        begins = np.searchsorted(part[order], np.arange(len(counts) + 1))
        taken = [order[b : b + min(n, e - b)] for b, e, n in zip(begins, begins[1:], counts, strict=False)]
        left = np.ones(len(pool), np.bool_)
        left[np.concatenate(taken)] = False
        spare = np.flatnonzero(left)
        short = counts - [len(t) for t in taken]
        for p in np.flatnonzero(short > 0):
            # a value the network all but never draws: other windows take its place
            taken[p] = np.concatenate((taken[p], spare[: short[p]]))
            spare = spare[short[p] :]
        chosen = np.concatenate(taken)
        self._spare[place] = pool[spare[-SLICE:]]
        if len(chosen) < wanted:
            chosen = np.concatenate((chosen, rng.choice(len(pool), wanted - len(chosen))))
        return pool[chosen]

    def _numbers(
        self, learnt: LearntPattern, codes: NDArray[np.int32], together: Floats, rng: np.random.Generator
    ) -> Ints:
        """Values of the number cells: windows x flows x numbers."""
        values = np.zeros((*codes.shape[:2], len(NUMBERS)), np.int64)
        if not len(codes):
            return values
        free = np.zeros(len(codes), np.int64), np.full(len(codes), FAR)
        for flow in range(codes.shape[1]):
            uniform = draw_uniforms(len(codes), together, rng=rng)
            own, out = codes[:, flow], values[:, flow]
            for number, column in enumerate(self.numbered):
                low, high = free
                if number in (2, 3):
                    low, high = self.limits.of_bytes(own, out[:, number - 2], number - 2)
                elif number == 4:
                    low, high = self.limits.of_duration(out[:, 0] + out[:, 1])
                law = learnt.numbers[flow * len(NUMBERS) + number]
                step = self.model.columns[column].step
                out[:, number] = law.draw(own[:, column], uniform[number], step, low, high)
        return values


def draw_codes(learnt: LearntPattern, n: int, columns: int, *, rng: np.random.Generator) -> NDArray[np.int32]:
    """Codes of `n` windows: windows x flows x columns."""
    pattern = learnt.pattern
    codes = np.zeros((n, len(pattern), columns), np.int32)
    drawn = learnt.network.sample(n, rng=rng) if n else np.zeros((len(pattern.free_cells(columns)), 0), np.int32)
    for row, (flow, column) in zip(drawn, pattern.free_cells(columns), strict=True):
        codes[:, flow, column] = row
    for j, flow_cells in enumerate(pattern.flows):
        for fixed in flow_cells.fixed:
            codes[:, j, fixed.column] = fixed.code
        for reused in flow_cells.reused:
            codes[:, j, reused.column] = codes[:, reused.flow, reused.source]
    return codes


def _usage(learnt: LearntPattern) -> tuple[int, ...]:
    """Windows of each part of a pattern, and of each of its rhythms."""
    beating = tuple(rhythm.usage for rhythm in learnt.starts.rhythms)
    return (*(learnt.starts.usage or (max(learnt.usage - sum(beating), 0),)), *beating)


class Decoder:
    """Makes flow tables of codes."""

    def __init__(self, model: "FlowChronicle") -> None:
        self.model = model
        self.place = {column.name: c for c, column in enumerate(model.columns)}
        self.texts = {
            column.name: pd.array(list(column.values), dtype="str")
            for column in model.columns
            if column.kind in ("name", "host")
        }
        ports = model.columns[self.place["dst_port"]].values
        self.ports = np.array([int(v) for v in ports], np.int32)

    def table(self, flows: Flows, *, rng: np.random.Generator) -> FlowTable:
        """The flow table of sampled flows in order of their start."""
        codes, n = self._with_flags(flows.codes), len(flows)
        values: dict[str, object] = {"ts": flows.ts}
        for name, texts in self.texts.items():
            values[name] = texts.take(codes[:, self.place[name]])
        for number, name in enumerate(NUMBERS):
            values[name] = np.ascontiguousarray(flows.numbers[:, number])
        values["dst_port"] = self.ports[codes[:, self.place["dst_port"]]]
        protos = self.model.columns[self.place["proto"]].values
        keys = [codes[:, self.place[name]] for name in ("proto", "src_ip", "dst_ip", "dst_port")]
        drawn = draw_source_ports(protos, keys[0], self.ports[keys[3]], self.model.source_ports, rng=rng)
        values["src_port"] = separate(keys, drawn, rng=rng)
        for name, (_, default) in COLUMNS.items():
            if name not in values:
                values[name] = pd.array([str(default)], dtype="str").take(np.zeros(n, np.int64))
        return FlowTable(pd.DataFrame({name: values[name] for name in COLUMNS}))

    def _with_flags(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """The codes with flags where TCP flows always had some, and without where others never had."""
        rules = self.model.rules
        flags = self.model.columns[self.place["flags"]].values
        protos = self.model.columns[self.place["proto"]].values
        if NO_FLAGS not in flags or "TCP" not in protos:
            return codes
        none, at = flags.index(NO_FLAGS), self.place["flags"]
        tcp = codes[:, self.place["proto"]] == protos.index("TCP")
        drawn = codes[:, at]
        if rules.flags_for_tcp_only:
            drawn = np.where(tcp, drawn, none)
        if rules.tcp_flags in flags:
            drawn = np.where(tcp & (drawn == none), flags.index(rules.tcp_flags), drawn)
        mended = codes.copy()
        mended[:, at] = drawn
        return mended


def stream(
    model: "FlowChronicle",
    n: int | None,
    duration: int | None,
    start: int | None,
    *,
    rng: np.random.Generator,
    monitor: Monitor = SILENT,
    most: int = MOST_STREAMED,
) -> Iterator[FlowTable]:
    """Flow tables of successive slices of time, in order over all.

    Parameters
    ----------
    n
        Exactly so many flows, over `duration` (the training span when None); None = as many as come at the training
        rate.
    duration
        ns from `start`; needed when `n` is None.
    start
        ns since the epoch; None = the training start.

    Raises
    ------
    InvalidParameter
        When the number is negative or too large, or the duration is not above 0.
    """
    drawer, decoder = Drawer(model), Decoder(model)
    if duration is not None and duration <= 0:
        raise InvalidParameter(f"A duration of {duration} ns has no flows.", hint="Give a duration above 0.")
    if n is not None:
        if not 0 <= n <= most:
            raise InvalidParameter(f"{n} flows cannot be drawn.", hint=f"Ask for 0 to {most} flows.")
        slices = drawer.numbered_slices(n, start, duration, rng=rng)
    else:
        if duration is None:
            raise InvalidParameter("Neither a number nor a duration was given.", hint="Give one of them.")
        begin = model.trained_on["first"] if start is None else start
        if drawer.flows_for(begin, duration) > most:
            raise InvalidParameter(
                f"{format_duration(duration)} at the training rate are too many flows.",
                hint=f"At most {most} are drawn at once: ask for less time, or for a number of flows.",
            )
        slices = drawer.timed_slices(begin, duration, rng=rng)
    done = 0
    for flows in slices:
        done += len(flows)
        monitor.step("sampling flows", done, n)
        yield decoder.table(flows, rng=rng)


def joined(tables: Iterator[FlowTable]) -> FlowTable:
    """One table of successive ones."""
    frames = [table.frame for table in tables]
    if len(frames) == 1:
        return FlowTable(frames[0])
    return FlowTable(pd.concat(frames, ignore_index=True))
