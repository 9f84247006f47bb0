"""CICFlowMeter's CSV: the layout of CICIDS2017 (`` Source IP``, ...) and that of later versions (``Src IP``, ...).

Bytes are payload there; the header bytes it counts and 20 of IPv4 (40 of IPv6) a packet are added. Durations are in
microseconds. Dates have the day first; the files of 2017 lost AM and PM, which is left as written and noted.
"""

import re
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.draft import Draft
from netsynth_core.flows.logs.layout import delimiter_of, header_of, rows_after
from netsynth_core.flows.logs.report import NO_DURATION, NO_RECORD, NO_TIME, Tally
from netsynth_core.flows.logs.rows import Rows
from netsynth_core.flows.logs.text import Text, read_sheet

NAMES: Final = {
    "srcip": "src", "sourceip": "src", "srcport": "sport", "sourceport": "sport", "dstip": "dst",
    "destinationip": "dst",
    "dstport": "dport", "destinationport": "dport", "protocol": "proto", "timestamp": "ts", "flowduration": "duration",
    "totalfwdpackets": "fwd_packets", "totfwdpkts": "fwd_packets", "totalfwdpacket": "fwd_packets",
    "totalbackwardpackets": "bwd_packets", "totbwdpkts": "bwd_packets", "totalbwdpackets": "bwd_packets",
    "totallengthoffwdpackets": "fwd_payload", "totlenfwdpkts": "fwd_payload", "totallengthoffwdpacket": "fwd_payload",
    "totallengthofbwdpackets": "bwd_payload", "totlenbwdpkts": "bwd_payload", "totallengthofbwdpacket": "bwd_payload",
    "fwdheaderlength": "fwd_header", "fwdheaderlen": "fwd_header", "bwdheaderlength": "bwd_header",
    "bwdheaderlen": "bwd_header", "label": "label",
    **{f"{name}flag{word}": name for name in ("fin", "syn", "rst", "psh", "ack", "urg") for word in ("count", "cnt")},
}  # fmt: skip
"""Names with blanks and capitals taken out -> ours."""
NEEDED: Final = ("src", "dst", "dport", "proto", "ts", "duration", "fwd_packets")
_FLAGS: Final = ("urg", "ack", "psh", "rst", "syn", "fin")
_HEADERS: Final = 60
"""Most bytes of a TCP header."""


def is_cicflowmeter(text: Text) -> bool:
    """Whether a text has the columns of CICFlowMeter that make a flow."""
    return set(NEEDED) <= set(_names(text)[1])


def has_features_only(text: Text) -> bool:
    """Whether it is one of CICFlowMeter's tables without addresses, made for classifiers."""
    names = set(_names(text)[1])
    return {"dport", "duration", "fwd_packets", "bwd_packets"} <= names and "src" not in names


def _names(text: Text) -> tuple[int, list[str]]:
    number, header = header_of(text, delimiter_of(text))
    return number, [NAMES.get(re.sub(r"[^a-z]", "", name), "") for name in header]


def read_cicflowmeter(text: Text, tally: Tally) -> Draft:
    """Flows of CICFlowMeter's CSV."""
    number, names = _names(text)
    lines = rows_after(text, number)
    wanted = [*NEEDED, "sport", "bwd_packets", "label", *_FLAGS]
    wanted += [f"{way}_{what}" for way in ("fwd", "bwd") for what in ("payload", "header")]
    rows = Rows(read_sheet(text, lines, names, tally, delimiter=delimiter_of(text), wanted=wanted), tally)
    sheet = rows.sheet
    # one of the files of 2017 ends in hundreds of thousands of lines of nothing but commas
    rows.refuse(cells.is_blank(sheet.get("src")) & cells.is_blank(sheet.get("dst")), NO_RECORD)
    rows.put("ts", cells.instants(sheet.get("ts"), day_first=_day_first(sheet.get("ts"))), NO_TIME)
    rows.put("duration", _durations(sheet.get("duration")), NO_DURATION)
    rows.endpoints("src", "sport", "dst", "dport", "proto")
    six = cells.mask_of(pc.match_substring(sheet.get("src"), ":"))
    guessed = False
    for way in ("fwd", "bwd"):
        packets = rows.count(f"{way}_packets", f"{way}_packets")
        payload = cells.counts(sheet.get(f"{way}_payload"))[0]
        header, ok = cells.counts(sheet.get(f"{way}_header"), blank=None)
        least = packets * np.where(rows.is_proto("TCP"), 20, 8)
        ok &= (header >= least) & (header <= packets * _HEADERS)
        guessed |= bool((~ok & rows.good & (packets > 0)).any())
        rows.values[f"{way}_bytes"] = payload + np.where(ok, header, least) + packets * np.where(six, 40, 20)
    rows.values["flags"] = _flags(rows)
    rows.values["label"] = cells.trimmed(sheet.get("label"))
    return Draft(rows.frame(), len(lines), tuple(_notes(rows, guessed)))


def _durations(texts: Any) -> tuple[cells.Numbers, cells.Mask]:
    """Microseconds; the small negative ones that CICFlowMeter writes for packets out of order are 0."""
    ns, ok = cells.decimal_ns(texts, "us")
    negative = cells.mask_of(pc.match_substring_regex(cells.trimmed(texts), r"^-\d{1,6}(\.\d*)?$"))
    return ns, ok | negative


def _day_first(texts: Any) -> bool:
    """Whether dates have the day first: unless some second number is no month."""
    parts = pc.extract_regex(cells.trimmed(texts), r"^(?P<a>\d{1,2})[/-](?P<b>\d{1,2})[/-]\d{4}")
    second = cells.counts(pc.fill_null(pc.struct_field(parts, "b"), ""))[0]
    return not bool((second > 12).any())


def _flags(rows: Rows) -> Any:
    """The UAPRSF union of the counts of each flag."""
    bits = np.zeros(len(rows.good), np.int64)
    for k, name in enumerate(_FLAGS):
        bits |= (cells.counts(rows.sheet.get(name))[0] > 0).astype(np.int64) << k
    bits[~rows.is_proto("TCP")] = 0
    words = ["".join(c if value >> k & 1 else "." for k, c in enumerate("UAPRSF")) for value in range(64)]
    return pa.array(words, pa.large_string()).take(pa.array(bits))


def _notes(rows: Rows, guessed: bool) -> list[str]:
    notes = ["CICFlowMeter counts payload: its header bytes and those of IP were added."]
    if guessed:
        notes.append("Some of its header lengths are impossible; the shortest headers were taken there.")
    texts = cells.trimmed(rows.sheet.get("ts"))
    dated = cells.mask_of(pc.match_substring_regex(texts, r"^\d{1,2}[/-]\d{1,2}[/-]\d{4} \d{1,2}:"))
    half = cells.mask_of(pc.match_substring_regex(texts, r"[AaPp][Mm]$"))
    instants = pd.Series(rows.values["ts"][rows.good & dated & ~half] // 3_600_000_000_000 % 24)
    if len(instants) and instants.isin([1, 2, 3, 4, 5]).any() and not (instants > 12).any():
        notes.append(
            "No hour is beyond 12 and AM or PM is not written: afternoons may stand in the early morning, as in the "
            "files of 2017. Instants are as written."
        )
    notes.append("Its times name no zone; they are taken as UTC.")
    return notes
