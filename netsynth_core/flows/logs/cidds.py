"""NetFlow in the layout of CIDDS-001 (``Date first seen, Duration, Proto, Src IP Addr, ...``).

Two records of one direction each make a flow. Bytes may be written as ``1.4 M`` (then they are only that exact);
anonymised addresses such as ``EXT_SERVER`` and ``10000_34`` are kept; ICMP has ``type.code`` as the target's port. The
label is the type of the attack, or the class where there is none.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.draft import Draft
from netsynth_core.flows.logs.layout import has_columns
from netsynth_core.flows.logs.onesided import ZONE_NOTE, merged, netflow_endpoints
from netsynth_core.flows.logs.report import NO_COUNT, NO_DURATION, NO_TIME, Tally
from netsynth_core.flows.logs.rows import headed_rows
from netsynth_core.flows.logs.text import Text

NEEDED: Final = ("date first seen", "src ip addr", "dst ip addr", "proto")
_ROUNDED: Final = r"[kKmMgG]\s*$"


def is_cidds(text: Text) -> bool:
    """Whether a text has this header."""
    return has_columns(text, *NEEDED)


def read_cidds(text: Text, tally: Tally) -> Draft:
    """Flows of a CIDDS-001 log."""
    rows, lines = headed_rows(text, tally)
    sheet = rows.sheet
    rows.put("ts", cells.instants(sheet.get("date first seen")), NO_TIME)
    rows.put("duration", cells.decimal_ns(sheet.get("duration"), blank=0), NO_DURATION)
    netflow_endpoints(rows, "src ip addr", "src pt", "dst ip addr", "dst pt", "proto")
    rows.put("fwd_packets", cells.counts(sheet.get("packets")), NO_COUNT)
    rows.put("fwd_bytes", cells.counts(sheet.get("bytes")), NO_COUNT)
    flags = cells.flag_unions(sheet.get("flags"))
    rows.values["flags"] = pc.if_else(pa.array(rows.is_proto("TCP")), flags, "......")
    kind = cells.trimmed(sheet.get("attacktype"))
    told = pc.invert(pc.is_in(kind, value_set=pa.array(["", "---", "-"], pa.large_string())))
    rows.values["label"] = pc.if_else(told, kind, cells.trimmed(sheet.get("class")))
    notes = [ZONE_NOTE]
    rounded = int(cells.mask_of(pc.match_substring_regex(sheet.get("bytes"), _ROUNDED)).sum())
    if rounded:
        notes.append(f"{rounded} counts of bytes are written rounded, such as 1.4 M; they are taken as they stand.")
    return merged(rows, lines, tuple(notes))
