"""Reading a table through a mapping."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from netsynth_core.errors import SchemaError
from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.draft import Draft
from netsynth_core.flows.logs.guessing import AMBIGUOUS, FIELDS, is_ambiguous, is_packet_table
from netsynth_core.flows.logs.layout import rows_after
from netsynth_core.flows.logs.mapping import Mapping, head_of
from netsynth_core.flows.logs.onesided import merged
from netsynth_core.flows.logs.report import NO_ADDRESS, NO_PROTOCOL, NO_TIME, Tally
from netsynth_core.flows.logs.rows import Rows
from netsynth_core.flows.logs.text import Text, read_sheet
from netsynth_core.flows.table import UNSET_PORT
from netsynth_core.units import count

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]


def read_through(text: Text, mapping: Mapping, tally: Tally) -> Draft:
    """Flows of a table through a mapping.

    A row needs an instant, two addresses and a protocol. What else a cell does not hold is left empty, and the notes
    count it.

    Raises
    ------
    SchemaError
        When the table has no column of a name that the mapping uses, or is no table.
    """
    number, names = _names(text, mapping)
    wanted = [theirs for ours in mapping.columns for theirs in mapping.names_of(ours)]
    missing = [theirs for theirs in wanted if theirs not in names]
    if missing:
        raise SchemaError(
            f"{text.path} has no column {missing[0]!r}, which the mapping names; it has {', '.join(map(repr, names))}.",
            hint="Correct the mapping, or propose a new one (netsynth flows --show-mapping).",
        )
    lines = rows_after(text, number)
    sheet = read_sheet(text, lines, names, tally, delimiter=mapping.delimiter, wanted=wanted)
    reading = _Reading(Rows(sheet, tally), mapping, names)
    reading.ends()
    reading.times()
    reading.ports()
    reading.counts()
    reading.words()
    rows = reading.rows
    if not mapping.one_directional:
        return Draft(rows.frame(), len(lines), reading.told())
    del rows.values["bwd_packets"], rows.values["bwd_bytes"]
    return merged(rows, len(lines), reading.told())


class _Reading:
    """The columns of a sheet on their way through a mapping, and what a person should know of them."""

    def __init__(self, rows: Rows, mapping: Mapping, names: list[str]) -> None:
        self.rows, self.mapping, self.notes = rows, mapping, list[str]()
        self.of_packets = is_packet_table(names)
        # several columns behind one of ours: the first cell that is not empty
        for ours in mapping.columns:
            theirs = mapping.names_of(ours)
            joined = rows.sheet.get(theirs[0]) if theirs else rows.sheet.get("\0")
            for other in theirs[1:]:
                joined = pc.if_else(pa.array(cells.is_blank(cells.trimmed(joined))), rows.sheet.get(other), joined)
            rows.sheet.columns[f"\0{ours}"] = joined

    def has(self, ours: str) -> bool:
        """Whether the mapping names a column for this."""
        return bool(self.mapping.names_of(ours))

    def cells(self, ours: str) -> Any:
        """The texts of one of our columns; empty ones where it is not mapped."""
        return self.rows.sheet.get(f"\0{ours}")

    def lenient(self, name: str, parsed: tuple[Any, Mask], empty: int, ours: str) -> Numbers:
        """Set a column; cells without a value are left empty, and counted."""
        values, ok = parsed
        bad = ~ok & self.rows.good
        if bad.any():
            first = int(self.rows.sheet.lines[bad].min())
            cell = " or ".join(map(repr, self.mapping.names_of(ours)))
            odd = f"{count(int(bad.sum()), 'cell')} of {cell} (first in line {first})"
            self.notes.append(f"No {FIELDS[ours].partition(',')[0]} in {odd}: taken as empty.")
        self.rows.values[name] = np.where(ok, values, empty)
        return np.asarray(self.rows.values[name])

    def times(self) -> None:
        """Set start and duration."""
        mapping, rows = self.mapping, self.rows
        texts = mapping.ts_unit in ("text", "text month first")
        unit: cells.Unit = "s" if texts else mapping.ts_unit  # type: ignore[assignment]
        day_first = mapping.ts_unit != "text month first"
        begin = rows.put("ts", cells.instants(self.cells("ts"), unit, day_first=day_first), NO_TIME)
        slashed = pc.match_substring_regex(self.cells("ts"), r"^\s*\d{1,2}[/.-]\d{1,2}[/.-]\d{4}")
        if day_first and is_ambiguous(self.cells("ts").filter(slashed).unique().to_pylist()):
            self.notes.append(AMBIGUOUS)
        if self.has("duration"):
            parsed = cells.decimal_ns(self.cells("duration"), mapping.duration_unit, blank=0)
            self.lenient("duration", parsed, 0, "duration")
        elif self.has("end"):
            end, ok = cells.instants(self.cells("end"), unit, day_first=day_first)
            self.lenient("duration", (np.maximum(end - begin, 0), ok), 0, "end")
        else:
            rows.values["duration"] = np.zeros(len(rows.sheet), np.int64)

    def ends(self) -> None:
        """Set addresses and protocol."""
        rows = self.rows
        rows.put("src_ip", cells.addresses(self.cells("src_ip")), NO_ADDRESS)
        rows.put("dst_ip", cells.addresses(self.cells("dst_ip")), NO_ADDRESS)
        known = self.cells("proto") if self.has("proto") else rows.sheet.get("\0proto", "tcp")
        rows.put("proto", cells.protocols(known), NO_PROTOCOL)
        if not self.has("proto"):
            self.notes.append("No column says the protocol: every flow is taken as TCP.")

    def ports(self) -> None:
        """Set the ports."""
        rows = self.rows
        source = self.lenient("src_port", cells.ports(self.cells("src_port")), UNSET_PORT, "src_port")
        target = self.lenient("dst_port", cells.ports(self.cells("dst_port"), blank=0), 0, "dst_port")
        ported = rows.is_proto("TCP", "UDP") & rows.good
        if ported.any() and not ((source[ported] > 0) | (target[ported] > 0)).any():
            self.notes.append("No flow has a port.")
        for name in ("src_port", "dst_port"):
            rows.values[name] = rows.values[name].astype(np.int32)

    def counts(self) -> None:
        """Set packets and bytes of both sides, packets after the bytes that help to split them."""
        for kind in ("bytes", "packets"):
            fwd, bwd, total = (
                self.lenient(name, cells.counts(self.cells(name)), 0, name)
                for name in (f"fwd_{kind}", f"bwd_{kind}", kind)
            )
            del self.rows.values[kind]
            if self.has(kind):
                fwd, bwd = self._split(kind, fwd, bwd, total)
            if kind == "packets" and self.of_packets and not fwd.any():
                fwd = np.ones(len(fwd), np.int64)
                self.notes.append(
                    "Each row is a packet and is taken as a flow of one packet, its length as Wireshark counts it "
                    "(with link headers). Flows are metered from the capture itself: give that where you have it."
                )
            if not fwd.any() and not bwd.any() and len(fwd):
                self.notes.append(f"No row has a count of {kind}: all are 0.")
            self.rows.values[f"fwd_{kind}"], self.rows.values[f"bwd_{kind}"] = fwd, bwd

    def _split(self, kind: str, fwd: Numbers, bwd: Numbers, total: Numbers) -> tuple[Numbers, Numbers]:
        """Both sides of a count, of which the sum and at most one side are known."""
        if self.has(f"fwd_{kind}") and self.has(f"bwd_{kind}"):
            return fwd, bwd
        if self.has(f"fwd_{kind}"):
            return fwd, np.maximum(total - fwd, 0)
        if self.has(f"bwd_{kind}"):
            return np.maximum(total - bwd, 0), bwd
        if self.mapping.one_directional or self.of_packets:
            return total, np.zeros_like(total)
        name = self.mapping.names_of(kind)[0]
        if kind == "packets" and self.has("fwd_bytes") and self.has("bwd_bytes"):
            one, other = self.rows.values["fwd_bytes"], self.rows.values["bwd_bytes"]
            first = np.where(other == 0, total, np.where(one == 0, 0, (total + 1) // 2))
            self.notes.append(f"{name!r} counts the packets of both sides: half is given to each side that has bytes.")
            return first, total - first
        self.notes.append(
            f"{name!r} does not say which side's {kind} it counts: all are given to the originator (fwd_{kind}). "
            "Where rows are records of one direction, set one_directional to true."
        )
        return total, np.zeros_like(total)

    def words(self) -> None:
        """Set flags, service, state and label."""
        values = self.rows.values
        flags = cells.flag_unions(self.cells("flags"))
        values["flags"] = pc.if_else(pa.array(self.rows.is_proto("TCP")), flags, "......")
        for name in ("service", "state", "label"):
            if self.has(name):
                values[name] = cells.trimmed(self.cells(name))

    def told(self) -> tuple[str, ...]:
        """The notes."""
        return tuple(self.notes)


def _names(text: Text, mapping: Mapping) -> tuple[int, list[str]]:
    """The line of the header (-1 for none) and the names of the columns."""
    table = head_of(text, delimiter=mapping.delimiter, has_header=mapping.header)
    return table.line if mapping.header else -1, list(table.header)
