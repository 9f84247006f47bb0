"""Argus records as ``ra`` prints them with ``-c ,`` (or another mark), whichever fields were asked for, and the
CTU-13 .binetflow layout.

Argus counts whole frames: 14 bytes of Ethernet a packet are taken off, unless some flow is too small to have them.
Where only the total of packets is there, it is split evenly, within what the bytes of each side allow. Status records
of a long flow stay apart, as Argus wrote them (``racluster`` joins them).
"""

from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.draft import Draft
from netsynth_core.flows.logs.layout import has_columns
from netsynth_core.flows.logs.report import NO_ADDRESS, NO_DURATION, NO_PORT, NO_PROTOCOL, NO_TIME, Tally
from netsynth_core.flows.logs.rows import ICMP_NAMES, Rows, headed_rows
from netsynth_core.flows.logs.text import Text
from netsynth_core.units import count

NEEDED: Final = ("starttime", "proto", "srcaddr", "dstaddr")
ETHERNET: Final = 14
LEAST: Final = 34
"""Bytes of the smallest frame that holds IPv4 on Ethernet."""
_STATES: Final = {"con": ".A..S.", "fin": ".A..SF", "rst": ".A.R..", "req": "....S.", "acc": ".A..S.", "clo": ".A..SF"}
"""What Argus's words for the state of TCP say about flags, where the state is not written as flags."""


def is_argus(text: Text) -> bool:
    """Whether a text has a header of ra."""
    return has_columns(text, *NEEDED)


def read_argus(text: Text, tally: Tally) -> Draft:
    """Flows of ra's CSV."""
    rows, lines = headed_rows(text, tally)
    sheet = rows.sheet
    notes: list[str] = []
    rows.put("proto", cells.protocols(sheet.get("proto")), NO_PROTOCOL)
    rows.put("ts", cells.instants(sheet.get("starttime")), NO_TIME)
    _durations(rows, notes)
    rows.put("src_ip", cells.addresses(sheet.get("srcaddr")), NO_ADDRESS)
    rows.put("dst_ip", cells.addresses(sheet.get("dstaddr")), NO_ADDRESS)
    _ports(rows)
    _counts(rows, notes)
    state = cells.trimmed(sheet.get("state"))
    rows.values["flags"] = pc.if_else(pa.array(rows.is_proto("TCP")), cells.mapped(state, flags_of_state)[0], "......")
    if sheet.has("label"):
        rows.values["label"] = cells.trimmed(sheet.get("label"))
    way = cells.trimmed(sheet.get("dir"))
    turned = cells.mask_of(pc.match_substring_regex(way, r"^<[?|]*-?$"))
    _states(rows, turned, notes)
    rows.swap(turned)
    return Draft(rows.frame(), lines, tuple(notes))


def flags_of_state(state: str) -> str:
    """The UAPRSF union of a state: both sides' flags (``FSPA_FSPA``), or what Argus's word for it says.

    >>> flags_of_state("S_RA"), flags_of_state("CON")
    ('.A.RS.', '.A..S.')
    """
    if "_" in state or state.lower() not in _STATES:
        letters = set(state.upper())
        return cells.flag_union(state) if letters <= set("FSRPAUECW_") else "......"
    return _STATES[state.lower()]


def state_of_argus(state: str, *, tcp: bool) -> str:
    """Zeek's code of a state, where it says enough to know it; else nothing.

    Of TCP both sides' flags (``SPA_SPA``) tell who closed or reset; of the words only CLO and those of a connection
    that no side has ended, since FIN and RST do not say whose they are. Of other protocols CON is traffic of both
    sides, INT and REQ that of one.

    >>> [state_of_argus(text, tcp=True) for text in ("S_", "S_RA", "FSPA_FSPA", "SPA_SRPA", "CON", "RST")]
    ['S0', 'REJ', 'SF', 'RSTR', 'S1', '']
    """
    if not tcp:
        return {"CON": "SF", "INT": "S0", "REQ": "S0"}.get(state.upper(), "")
    if "_" not in state:
        return {"REQ": "S0", "ACC": "S1", "CON": "S1", "CLO": "SF"}.get(state.upper(), "")
    one, _, other = state.upper().partition("_")
    if not set(one + other) <= set("FSRPAUEC") or "S" not in one:
        return ""
    if "S" not in other:
        rejected = "R" in other and set(other) <= set("RA")
        return "REJ" if rejected else "S0" if not other and one == "S" else ""
    if "R" in one or "R" in other:
        return "" if "R" in one and "R" in other else "RSTO" if "R" in one else "RSTR"
    return {(False, False): "S1", (True, True): "SF", (True, False): "S2", (False, True): "S3"}[
        "F" in one, "F" in other
    ]


def _states(rows: Rows, turned: cells.Mask, notes: list[str]) -> None:
    """Set the states, of the sides as they are turned."""
    state = cells.trimmed(rows.sheet.get("state"))
    around = pc.replace_substring_regex(state, r"^([A-Za-z]*)_([A-Za-z]*)$", r"\2_\1")
    state = pc.if_else(pa.array(turned), around, state)
    tcp, other = (cells.mapped(state, partial(state_of_argus, tcp=of_tcp))[0] for of_tcp in (True, False))
    rows.values["state"] = pc.if_else(pa.array(rows.is_proto("TCP")), tcp, other)
    told = rows.sheet.has("state")
    unknown = int((cells.mask_of(pc.equal(rows.values["state"], "")) & rows.good).sum()) if told else 0
    if unknown:
        notes.append(f"{count(unknown, 'state')} of Argus, such as FIN and RST without a side, are left empty.")


def _durations(rows: Rows, notes: list[str]) -> None:
    """Set the duration, and put clocks without a date in order."""
    sheet = rows.sheet
    start = sheet.get("starttime")
    clock = cells.mask_of(pc.match_substring_regex(cells.trimmed(start), r"^\d\d:\d\d:\d\d"))
    if clock.any():
        notes.append("Its times hold no date; 1970-01-01 is taken (ra -u prints dates).")
    elif not cells.decimal_ns(start)[1].any():
        notes.append("Its times name no zone; they are taken as UTC.")
    if sheet.has("dur"):
        rows.put("duration", cells.decimal_ns(sheet.get("dur"), blank=0), NO_DURATION)
    elif sheet.has("lasttime"):
        end, ok = cells.instants(sheet.get("lasttime"))
        rows.put("duration", (np.maximum(end - rows.values["ts"], 0), ok), NO_DURATION)


def _ports(rows: Rows) -> None:
    """Set the ports; ICMP has the type in the low byte of the source port and the code in the high one."""
    sheet = rows.sheet
    icmp = rows.is_proto(*ICMP_NAMES)
    carried = pa.array(rows.is_proto("TCP", "UDP") | icmp)
    source = rows.put("src_port", cells.ports(pc.if_else(carried, sheet.get("sport"), "")), NO_PORT)
    only = pa.array(~icmp & carried.to_numpy(zero_copy_only=False))
    rows.put("dst_port", cells.ports(pc.if_else(only, sheet.get("dport"), ""), blank=0), NO_PORT)
    word = np.maximum(source.astype(np.int64), 0)
    rows.icmp(word & 255, word >> 8, icmp)


def _counts(rows: Rows, notes: list[str]) -> None:
    """Set packets and bytes of both sides."""
    sheet = rows.sheet
    sides: dict[str, cells.Numbers] = {}
    for kind, short in (("packets", "pkts"), ("bytes", "bytes")):
        one, other = f"src{short}", f"dst{short}"
        total = rows.count(f"fwd_{kind}", f"tot{short}")
        if sheet.has(one):
            first = rows.count(f"fwd_{kind}", one)
            rest = rows.count(f"bwd_{kind}", other) if sheet.has(other) else np.maximum(total - first, 0)
        elif kind == "packets":
            first, rest = _split(total, sides)
        else:
            first, rest = total, np.zeros(len(total), np.int64)
        sides[f"fwd_{kind}"], sides[f"bwd_{kind}"] = first, rest
        if kind == "packets" and not sheet.has(one) and sheet.has("totpkts"):
            sides["total"] = total
    if "total" in sides:
        sides["fwd_packets"], sides["bwd_packets"] = _split(sides["total"], sides)
        notes.append("It has only the packets of both sides together; they are split by what the bytes allow.")
    good = rows.good
    ip = all(np.all(sides[f"{w}_bytes"][good] >= LEAST * sides[f"{w}_packets"][good]) for w in ("fwd", "bwd"))
    for way in ("fwd", "bwd"):
        frames = sides[f"{way}_bytes"]
        off = ETHERNET * sides[f"{way}_packets"] if ip else 0
        rows.values[f"{way}_packets"], rows.values[f"{way}_bytes"] = sides[f"{way}_packets"], frames - off
    if ip:
        notes.append("Argus counts whole frames: 14 bytes of Ethernet a packet were taken off.")
    else:
        notes.append("Bytes are taken as Argus wrote them: some flow is too small to have Ethernet headers in them.")


def _split(total: cells.Numbers, sides: dict[str, Any]) -> tuple[cells.Numbers, cells.Numbers]:
    """Packets of each side out of those of both: half each, none where a side has no bytes, at most what fits."""
    if "fwd_bytes" not in sides:
        return total, np.zeros(len(total), np.int64)
    one, other = sides["fwd_bytes"], sides["bwd_bytes"]
    most_one, most_other = one // LEAST, other // LEAST
    first = np.where(other == 0, total, np.where(one == 0, 0, (total + 1) // 2))
    first = np.where((one > 0) & (other > 0), np.clip(first, np.maximum(total - most_other, 1), most_one), first)
    first = np.clip(first, 0, total)
    return first, total - first
