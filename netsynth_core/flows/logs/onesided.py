"""What the importers of one-directional records share: NetFlow's way of writing ICMP, and the way into
`merge_directions`.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.draft import Draft
from netsynth_core.flows.logs.merging import merge_directions
from netsynth_core.flows.logs.report import NO_ADDRESS, NO_PORT, NO_PROTOCOL
from netsynth_core.flows.logs.rows import ICMP_NAMES, Rows
from netsynth_core.units import count

ZONE_NOTE: Final = "Its times name no zone; they are taken as UTC."


def netflow_endpoints(rows: Rows, source: str, source_port: str, target: str, target_port: str, proto: str) -> None:
    """Set addresses, protocol and ports; for ICMP that of the target is ``type.code`` or 256 type + code."""
    sheet = rows.sheet
    rows.put("src_ip", cells.addresses(sheet.get(source)), NO_ADDRESS)
    rows.put("dst_ip", cells.addresses(sheet.get(target)), NO_ADDRESS)
    rows.put("proto", cells.protocols(sheet.get(proto)), NO_PROTOCOL)
    icmp = rows.is_proto(*ICMP_NAMES)
    text = cells.trimmed(sheet.get(target_port))
    ported = pc.if_else(pa.array(icmp), "0", text)
    rows.put("src_port", cells.ports(pc.if_else(pa.array(icmp), "0", sheet.get(source_port)), blank=0), NO_PORT)
    rows.put("dst_port", cells.ports(ported, blank=0), NO_PORT)
    if icmp.any():
        kind, code, ok = _icmp_words(text)
        rows.refuse(icmp & ~ok, NO_PORT)
        rows.icmp(kind, code, icmp)


def _icmp_words(texts: Any) -> tuple[cells.Numbers, cells.Numbers, cells.Mask]:
    parts = pc.extract_regex(texts, r"^(?P<kind>\d{1,3})\.(?P<code>\d{1,3})$")
    dotted = cells.mask_of(parts.is_valid())
    kind, code = (cells.counts(pc.fill_null(pc.struct_field(parts, name), ""))[0] for name in ("kind", "code"))
    both, whole = cells.counts(pc.if_else(pa.array(dotted), "0", texts))
    kind, code = np.where(dotted, kind, both >> 8), np.where(dotted, code, both & 255)
    return kind, code, (whole | dotted) & (kind < 256) & (code < 256)


def merged(rows: Rows, looked_at: int, notes: tuple[str, ...] = ()) -> Draft:
    """Merge the good rows, whose counts stand in ``fwd_packets`` and ``fwd_bytes``."""
    records = rows.frame().rename(columns={"fwd_packets": "packets", "fwd_bytes": "bytes"})
    flows = merge_directions(records)
    note = (
        f"{count(len(records), 'record')} of one direction each were merged into {count(len(flows), 'flow')} "
        "by reversed key, at most 120 s apart."
    )
    return Draft(flows, looked_at, (note, *notes))
