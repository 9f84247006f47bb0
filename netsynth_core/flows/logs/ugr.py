"""NetFlow in the layout of UGR'16: no header; end, duration, source, target, ports, protocol, flags, forwarding,
type of service, packets, bytes, label. Records of one direction, merged. An instant is the end minus the
duration.
"""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.draft import Draft
from netsynth_core.flows.logs.layout import header_of, rows_after
from netsynth_core.flows.logs.onesided import ZONE_NOTE, merged, netflow_endpoints
from netsynth_core.flows.logs.report import NO_COUNT, NO_DURATION, NO_TIME, Tally
from netsynth_core.flows.logs.rows import Rows
from netsynth_core.flows.logs.text import Text, read_sheet, split_line

NAMES: Final = ("te", "td", "sa", "da", "sp", "dp", "pr", "flg", "fwd", "stos", "pkt", "byt", "label")


def is_ugr(text: Text) -> bool:
    """Whether the first line holds an instant, a duration, two addresses, two ports and a protocol in these places."""
    number, header = header_of(text)
    if tuple(header[:12]) == NAMES[:12]:
        return True
    if len(header) not in (12, 13):
        return False
    first = [pa.array([cell.strip()], pa.large_string()) for cell in split_line(text.line(number))]
    return bool(
        cells.instants(first[0])[1][0]
        and "-" in str(first[0][0])
        and cells.decimal_ns(first[1])[1][0]
        and cells.ports(first[4], blank=None)[1][0]
        and cells.ports(first[5], blank=None)[1][0]
        and cells.protocols(first[6])[1][0]
        and cells.counts(first[10], blank=None)[1][0]
    )


def read_ugr(text: Text, tally: Tally) -> Draft:
    """Flows of a UGR'16 log, with or without its label."""
    number, header = header_of(text)
    lines = rows_after(text, number if header[:1] == ["te"] else number - 1)
    rows = Rows(read_sheet(text, lines, NAMES[: len(header)], tally), tally)
    sheet = rows.sheet
    end, ok = cells.instants(sheet.get("te"))
    rows.refuse(~ok, NO_TIME)
    length = rows.put("duration", cells.decimal_ns(sheet.get("td"), blank=0), NO_DURATION)
    rows.put("ts", (np.maximum(end - length, 0), end >= length), NO_TIME)
    netflow_endpoints(rows, "sa", "sp", "da", "dp", "pr")
    rows.put("fwd_packets", cells.counts(sheet.get("pkt")), NO_COUNT)
    rows.put("fwd_bytes", cells.counts(sheet.get("byt")), NO_COUNT)
    flags = cells.flag_unions(sheet.get("flg"))
    rows.values["flags"] = pc.if_else(pa.array(rows.is_proto("TCP")), flags, "......")
    rows.values["label"] = cells.trimmed(sheet.get("label"))
    return merged(rows, len(lines), (ZONE_NOTE,))
