"""nfdump's CSV (``nfdump -o csv``): versions 1.6 and early 1.7 (``ts,te,td,sa,da,...``) and later ones
(``firstSeen,duration,...``).

Records of one direction are merged; where any has packets of the other direction (``opkt``, as ``nfdump -b`` makes),
each record is a flow. Bytes are those of IP packets. Start and end are written in whole seconds, the duration in
milliseconds.
"""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.draft import Draft
from netsynth_core.flows.logs.layout import header_of, rows_after
from netsynth_core.flows.logs.merging import looks_answered
from netsynth_core.flows.logs.onesided import ZONE_NOTE, merged, netflow_endpoints
from netsynth_core.flows.logs.report import NO_COUNT, NO_DURATION, NO_TIME, Tally
from netsynth_core.flows.logs.rows import Rows
from netsynth_core.flows.logs.text import Text, read_sheet

NAMES: Final = {
    "firstseen": "ts", "lastseen": "te", "duration": "td", "proto": "pr", "srcaddr": "sa", "srcport": "sp",
    "dstaddr": "da", "dstport": "dp", "packets": "ipkt", "bytes": "ibyt", "flags": "flg", "outpackets": "opkt",
    "outbytes": "obyt",    "src4addr": "sa", "dst4addr": "da", "in packets": "ipkt", "in bytes": "ibyt",
    "out packets": "opkt", "out bytes": "obyt",
}  # fmt: skip
"""Names of later versions -> those of 1.6."""
NEEDED: Final = ("ts", "sa", "da", "sp", "dp", "pr", "ipkt", "ibyt")
_TRAILER: Final = ("Summary", "No matched flows", "Total flows", "Time window", "Sys:")


def is_nfdump(text: Text) -> bool:
    """Whether a text has nfdump's header."""
    names = _names(text)[1]
    return set(NEEDED) <= set(names)


def _names(text: Text) -> tuple[int, list[str]]:
    number, header = header_of(text)
    return number, [NAMES.get(name, name) for name in header]


def read_nfdump(text: Text, tally: Tally) -> Draft:
    """Flows of nfdump's CSV."""
    number, names = _names(text)
    lines = rows_after(text, number)
    for place in range(max(0, len(lines) - 8), len(lines)):
        # a summary of at most a few lines stands at the end
        if text.line(int(lines[place])).startswith(_TRAILER):
            lines = lines[:place]
            break
    rows = Rows(read_sheet(text, lines, names, tally), tally)
    sheet = rows.sheet
    rows.put("ts", cells.instants(sheet.get("ts")), NO_TIME)
    if sheet.has("td"):
        rows.put("duration", cells.decimal_ns(sheet.get("td"), blank=0), NO_DURATION)
    else:
        end, ok = cells.instants(sheet.get("te"))
        rows.put("duration", (np.maximum(end - rows.values["ts"], 0), ok), NO_DURATION)
    netflow_endpoints(rows, "sa", "sp", "da", "dp", "pr")
    rows.put("fwd_packets", cells.counts(sheet.get("ipkt"), blank=None), NO_COUNT)
    rows.put("fwd_bytes", cells.counts(sheet.get("ibyt"), blank=None), NO_COUNT)
    flags = cells.flag_unions(sheet.get("flg"))
    rows.values["flags"] = pc.if_else(pa.array(rows.is_proto("TCP")), flags, "......")
    back = rows.count("bwd_packets", "opkt")
    rows.count("bwd_bytes", "obyt")
    if (back[rows.good] > 0).any():
        # nfdump -b joins the directions without asking who began
        rows.swap(looks_answered(rows.values["src_port"], rows.values["dst_port"], rows.objects("proto")))
        return Draft(rows.frame(), len(lines), (ZONE_NOTE,))
    del rows.values["bwd_packets"], rows.values["bwd_bytes"]
    return merged(rows, len(lines), (ZONE_NOTE,))
