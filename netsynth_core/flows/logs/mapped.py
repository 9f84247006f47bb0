"""Reading a table through a mapping."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from netsynth_core.errors import SchemaError
from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.draft import Draft
from netsynth_core.flows.logs.layout import rows_after
from netsynth_core.flows.logs.mapping import Mapping, head_of
from netsynth_core.flows.logs.onesided import merged
from netsynth_core.flows.logs.report import NO_DURATION, NO_TIME, Tally
from netsynth_core.flows.logs.rows import Rows
from netsynth_core.flows.logs.text import Text, read_sheet


def read_through(text: Text, mapping: Mapping, tally: Tally) -> Draft:
    """Flows of a table through a mapping.

    Raises
    ------
    SchemaError
        When the table has no column of a name that the mapping uses, or is no table.
    """
    number, names = _names(text, mapping)
    missing = [theirs for theirs in mapping.columns.values() if theirs not in names]
    if missing:
        raise SchemaError(
            f"{text.path} has no column {missing[0]!r}, which the mapping names; it has {', '.join(map(repr, names))}.",
            hint="Correct the mapping, or propose a new one (netsynth flows --show-mapping).",
        )
    lines = rows_after(text, number)
    wanted = list(mapping.columns.values())
    sheet = read_sheet(text, lines, names, tally, delimiter=mapping.delimiter, wanted=wanted)
    rows = Rows(sheet, tally)
    theirs = {ours: mapping.columns.get(ours, "\0") for ours in _ALL}
    month_first = mapping.ts_unit == "text month first"
    unit: cells.Unit = "s" if mapping.ts_unit in ("text", "text month first") else mapping.ts_unit  # type: ignore[assignment]
    begin = rows.put("ts", cells.instants(sheet.get(theirs["ts"]), unit, day_first=not month_first), NO_TIME)
    if "duration" in mapping.columns:
        rows.put(
            "duration", cells.decimal_ns(sheet.get(theirs["duration"]), mapping.duration_unit, blank=0), NO_DURATION
        )
    elif "end" in mapping.columns:
        end, ok = cells.instants(sheet.get(theirs["end"]), unit, day_first=not month_first)
        rows.put("duration", (np.maximum(end - begin, 0), ok), NO_DURATION)
    else:
        rows.values["duration"] = np.zeros(len(sheet), np.int64)
    if "proto" not in mapping.columns:
        sheet.columns["\0proto"] = sheet.get("\0proto", "tcp")
        theirs["proto"] = "\0proto"
    rows.endpoints(theirs["src_ip"], theirs["src_port"], theirs["dst_ip"], theirs["dst_port"], theirs["proto"])
    for name in ("fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes"):
        rows.count(name, theirs[name])
    flags = cells.flag_unions(sheet.get(theirs["flags"]))
    rows.values["flags"] = pc.if_else(pa.array(rows.is_proto("TCP")), flags, "......")
    for name in ("service", "state", "label"):
        if name in mapping.columns:
            rows.values[name] = cells.trimmed(sheet.get(theirs[name]))
    if not mapping.one_directional:
        return Draft(rows.frame(), len(lines))
    del rows.values["bwd_packets"], rows.values["bwd_bytes"]
    return merged(rows, len(lines))


_ALL = (
    "ts", "end", "duration", "proto", "src_ip", "src_port", "dst_ip", "dst_port", "fwd_packets", "bwd_packets",
    "fwd_bytes", "bwd_bytes", "flags", "service", "state", "label",
)  # fmt: skip


def _names(text: Text, mapping: Mapping) -> tuple[int, list[str]]:
    """The line of the header (-1 for none) and the names of the columns."""
    table = head_of(text, delimiter=mapping.delimiter, has_header=mapping.header)
    return table.line if mapping.header else -1, list(table.header)
