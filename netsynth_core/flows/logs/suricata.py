"""Suricata's eve.json: events of the types ``flow`` (both directions) and ``netflow`` (one direction each, merged).

Where a log has both, flow events are taken. Other events are counted and left out. Bytes are those of whole frames: 14
bytes of Ethernet a packet are taken off, unless some flow is too small to have them.
"""

import re
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.argus import ETHERNET, LEAST
from netsynth_core.flows.logs.draft import Draft
from netsynth_core.flows.logs.json_lines import read_any, read_typed
from netsynth_core.flows.logs.onesided import merged
from netsynth_core.flows.logs.report import NO_DURATION, NO_TIME, OTHER_EVENT, Tally
from netsynth_core.flows.logs.rows import ICMP_NAMES, Rows
from netsynth_core.flows.logs.text import Sheet, Text

SERVICES: Final = {
    "krb5": "kerberos", "pgsql": "postgresql", "rfb": "vnc", "failed": "", "unknown": "", "none": "", "ikev2": "ike",
}  # fmt: skip
"""Suricata's names of protocols that are called otherwise here, or say nothing."""

_TOP: Final = (
    "event_type",
    "timestamp",
    "src_ip",
    "src_port",
    "dest_ip",
    "dest_port",
    "proto",
    "app_proto",
    "icmp_type",
    "icmp_code",
)
_NESTED: Final = {
    "flow": ("pkts_toserver", "pkts_toclient", "bytes_toserver", "bytes_toclient", "start", "end"),
    "netflow": ("pkts", "bytes", "start", "end"),
    "tcp": ("tcp_flags",),
}
_NAMES: Final = (*_TOP, *(f"{name}.{inner}" for name, held in _NESTED.items() for inner in held))
_TEXTS: Final = ("event_type", "timestamp", "src_ip", "dest_ip", "proto", "app_proto", "start", "end", "tcp_flags")


def is_suricata(text: Text) -> bool:
    """Whether some of the first lines are events of Suricata."""
    lines = [text.line(k) for k in range(min(20, len(text)))]
    return any(line.startswith("{") and re.search(r'"event_type"\s*:', line) is not None for line in lines)


def read_suricata(text: Text, tally: Tally) -> Draft:
    """Flows of an eve.json."""
    lines = np.arange(len(text))
    sheet = _parse(text, lines) or read_any(text, lines, _NAMES, _value, tally)
    event = sheet.get("event_type")
    for kind in ("flow", "netflow"):
        chosen = cells.mask_of(pc.equal(event, kind))
        if not chosen.any():
            continue
        tally.add(OTHER_EVENT, sheet.lines[~chosen])
        rows = Rows(_taken(sheet, np.flatnonzero(chosen)), tally)
        return _flow_events(rows, len(lines)) if kind == "flow" else _netflow_events(rows, len(lines))
    tally.add(OTHER_EVENT, sheet.lines)
    return Draft(Rows(_taken(sheet, np.zeros(0, np.int64)), tally).frame(), len(lines))


def _flow_events(rows: Rows, looked_at: int) -> Draft:
    _common(rows, "flow")
    for way, side in (("fwd", "toserver"), ("bwd", "toclient")):
        rows.count(f"{way}_packets", f"flow.pkts_{side}")
        rows.count(f"{way}_bytes", f"flow.bytes_{side}")
    notes = _without_frames(rows, ("fwd", "bwd"))
    return Draft(rows.frame(), looked_at, notes)


def _netflow_events(rows: Rows, looked_at: int) -> Draft:
    _common(rows, "netflow")
    rows.count("fwd_packets", "netflow.pkts")
    rows.count("fwd_bytes", "netflow.bytes")
    notes = _without_frames(rows, ("fwd",))
    return merged(rows, looked_at, notes)


def _common(rows: Rows, kind: str) -> None:
    """Set times, endpoints, flags and service."""
    sheet = rows.sheet
    start = sheet.get(f"{kind}.start")
    start = pc.if_else(pc.equal(start, ""), sheet.get("timestamp"), start)
    begin = rows.put("ts", cells.instants(start), NO_TIME)
    end, ok = cells.instants(sheet.get(f"{kind}.end"))
    missing = cells.is_blank(sheet.get(f"{kind}.end"))
    rows.put("duration", (np.where(missing, 0, np.maximum(end - begin, 0)), ok | missing), NO_DURATION)
    rows.endpoints("src_ip", "src_port", "dest_ip", "dest_port", "proto")
    icmp = rows.is_proto(*ICMP_NAMES)
    if icmp.any():
        words = [cells.counts(sheet.get(name))[0] for name in ("icmp_type", "icmp_code")]
        rows.icmp(words[0], words[1], icmp)
    flags = cells.mapped(sheet.get("tcp.tcp_flags"), lambda text: cells.flag_union(f"0x{text}") if text else "......")[
        0
    ]
    rows.values["flags"] = pc.if_else(pa.array(rows.is_proto("TCP")), flags, "......")
    rows.values["service"] = cells.mapped(pc.utf8_lower(sheet.get("app_proto")), lambda text: SERVICES.get(text, text))[
        0
    ]


def _without_frames(rows: Rows, ways: tuple[str, ...]) -> tuple[str, ...]:
    """Take the Ethernet headers off the bytes; the sentence that says so."""
    good = rows.good
    framed = all(
        np.all(rows.values[f"{way}_bytes"][good] >= LEAST * rows.values[f"{way}_packets"][good]) for way in ways
    )
    if not framed:
        return ("Bytes are taken as Suricata wrote them: some flow is too small to have Ethernet headers in them.",)
    for way in ways:
        rows.values[f"{way}_bytes"] = rows.values[f"{way}_bytes"] - ETHERNET * rows.values[f"{way}_packets"]
    return ("Suricata counts whole frames: 14 bytes of Ethernet a packet were taken off.",)


def _taken(sheet: Sheet, rows: NDArray[np.int64]) -> Sheet:
    places = pa.array(rows)
    return Sheet({name: column.take(places) for name, column in sheet.columns.items()}, sheet.lines[rows])


def _parse(text: Text, lines: NDArray[np.int64]) -> Sheet | None:
    """All events at once; None when one of them is not as usual."""

    def kind(name: str) -> Any:
        return pa.string() if name in _TEXTS else pa.int64()

    fields = [(name, kind(name)) for name in _TOP]
    fields += [(name, pa.struct([(inner, kind(inner)) for inner in held])) for name, held in _NESTED.items()]
    table = read_typed(text, pa.schema(fields), len(lines))
    if table is None:
        return None
    columns = {name: _texts(table[name].combine_chunks()) for name in _TOP}
    for name, held in _NESTED.items():
        whole = table[name].combine_chunks()
        columns |= {f"{name}.{inner}": _texts(pc.struct_field(whole, inner)) for inner in held}
    return Sheet(columns, text.places[lines])


def _texts(column: Any) -> Any:
    return pc.fill_null(pc.cast(column, pa.large_string()), "")


def _value(event: dict[str, Any], name: str) -> object:
    outer, _, inner = name.partition(".")
    held = event.get(outer)
    if not inner:
        return held
    return held.get(inner) if isinstance(held, dict) else None
