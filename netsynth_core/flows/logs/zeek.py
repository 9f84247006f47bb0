"""Zeek's conn.log: tab-separated with header lines (or one line of names, as zeek-cut writes), or JSON lines.

Bytes are those of IP packets (``orig_ip_bytes``); where a log has none, payload bytes and the shortest headers (20
bytes of IPv4 or 40 of IPv6, 20 of TCP or 8 of others) a packet. Fields beyond those below are left out, whatever
version writes them.
"""

import json
import re
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.draft import Draft
from netsynth_core.flows.logs.json_lines import read_any, read_typed
from netsynth_core.flows.logs.layout import delimiter_of, header_of
from netsynth_core.flows.logs.report import NO_DURATION, NO_RECORD, NO_TIME, Tally
from netsynth_core.flows.logs.rows import Rows
from netsynth_core.flows.logs.text import Sheet, Text, read_sheet

FIELDS: Final = (
    "ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "ip_proto", "service", "duration", "orig_bytes",
    "resp_bytes", "conn_state", "history", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes", "label",
    "detailedlabel",
)  # fmt: skip
SERVICES: Final = {
    "ssl": "tls", "krb_tcp": "kerberos", "krb": "kerberos", "krb_udp": "kerberos", "dnp3_tcp": "dnp3",
    "dnp3_udp": "dnp3", "ldap_tcp": "ldap", "ldap_udp": "ldap", "postgres": "postgresql", "spicy_ldap_tcp": "ldap",
    "spicy_ldap_udp": "ldap", "rfb": "vnc", "dce_rpc": "dcerpc",
}  # fmt: skip
"""Zeek's names of services that are called otherwise here."""

_WRAPPERS: Final = ("gssapi", "ntlm", "ssl", "spnego")
_NOTHING: Final = ("-", "(empty)")


def is_zeek(text: Text) -> bool:
    """Whether a text starts like a conn.log of either form."""
    names = _field_names(text)
    return {"ts", "id.orig_h", "id.resp_h", "proto"} <= names and ("conn_state" in names or "duration" in names)


def other_log(text: Text) -> str | None:
    """The name of another of Zeek's logs, such as ``http``; None when it is none of them."""
    path = re.search(rb"^#path[ \t]+(\S{1,64})", text.data, re.MULTILINE)
    if path is not None:
        return path[1].decode("utf-8", errors="replace")
    return "" if {"ts", "uid"} <= _field_names(text) else None


def _field_names(text: Text) -> set[str]:
    """The fields of the header, or of the first JSON object."""
    first = _first(text)
    if first.startswith("{"):
        return {name.replace("id_", "id.") for name in _json_names(first)}
    if not first.lstrip().startswith("#"):
        return set(_plain_header(text)[1])
    fields = re.search(rb"^#fields.(.*)$", text.data, re.MULTILINE)
    return set(re.split(r"[\s,;|]+", fields[1].decode("utf-8", errors="replace"))) if fields else set()


def _plain_header(text: Text) -> tuple[int, list[str]]:
    """The line and the names of a header without ``#fields``, as zeek-cut and spreadsheets write it."""
    number, names = header_of(text, delimiter_of(text))
    return number, [re.sub(r"^id_(orig|resp)_", r"id.\1_", name) for name in names]


def read_zeek(text: Text, tally: Tally) -> Draft:
    """Flows of a conn.log."""
    if _first(text).startswith("{"):
        sheet, rows = _read_json(text, tally)
    else:
        sheet, rows = _read_tsv(text, tally)
    return _draft(sheet, tally, rows)


def _first(text: Text) -> str:
    return next((text.line(k) for k in range(min(20, len(text.start))) if text.line(k).strip()), "")


def _json_names(line: str) -> set[str]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return set(re.findall(r'"([\w.]+)"\s*:', line))
    return set(record) if isinstance(record, dict) else set()


# -- tab-separated ----------------------------------------------------------------------------------------------------


def _read_tsv(text: Text, tally: Tally) -> tuple[Sheet, int]:
    """All cells; a file may hold several logs after one another, each with its own fields."""
    firsts = text.firsts()
    comments = np.flatnonzero(firsts == ord("#"))
    rows = np.flatnonzero(firsts != ord("#")).astype(np.int64)
    separator = "\t"
    unset = set(_NOTHING)
    sections: list[tuple[int, str, str]] = []
    for number in comments.tolist():
        line = text.line(number)
        if line.startswith("#separator"):
            separator = _unescape(line[len("#separator") :].strip()) or "\t"
            continue
        name, _, value = line.partition(separator)
        if name in ("#unset_field", "#empty_field") and value:
            unset.add(value.strip())
        elif name == "#fields":
            sections.append((number, value, separator))
    if not sections:
        number, names = _plain_header(text)
        rows, mark = rows[rows > number], delimiter_of(text)
        part = read_sheet(text, rows, names, tally, delimiter=mark, quoted=mark != "\t", wanted=FIELDS)
        return _blanked(part, unset), len(rows)
    begins = np.array([number for number, _, _ in sections])
    # the same header is met again where a log was rotated
    layouts = list(dict.fromkeys((fields, mark) for _, fields, mark in sections))
    codes = {layout: code for code, layout in enumerate(layouts)}
    layout_of = np.array([codes[fields, mark] for _, fields, mark in sections])
    section = np.searchsorted(begins, rows) - 1
    early, rows, section = rows[section < 0], rows[section >= 0], section[section >= 0]
    tally.add(NO_RECORD, text.places[early])
    mine = layout_of[section]
    order = np.argsort(mine, kind="stable")
    parts = []
    for own in np.split(rows[order], np.flatnonzero(np.diff(mine[order])) + 1):
        fields, mark = layouts[layout_of[np.searchsorted(begins, own[0]) - 1]] if len(own) else layouts[0]
        parts.append(read_sheet(text, own, fields.split(mark), tally, delimiter=mark, quoted=False, wanted=FIELDS))
    return _blanked(_joined(parts), unset), len(rows) + len(early)


def _unescape(word: str) -> str:
    r"""The character of ``\x09``, or the word itself when it is one character."""
    match = re.fullmatch(r"\\x([0-9a-fA-F]{2})", word)
    mark = chr(int(match[1], 16)) if match else word
    return mark if len(mark) == 1 and mark.isascii() and mark not in '\n\r"' else "\t"


def _joined(parts: list[Sheet]) -> Sheet:
    if len(parts) == 1:
        return parts[0]
    names = [name for name in FIELDS if any(part.has(name) for part in parts)]
    lines = np.concatenate([part.lines for part in parts])
    order = np.argsort(lines)
    columns = {name: pa.concat_arrays([part.get(name) for part in parts]).take(pa.array(order)) for name in names}
    return Sheet(columns, lines[order])


def _blanked(sheet: Sheet, unset: set[str]) -> Sheet:
    """Empty cells where the log writes its marks for nothing."""
    marks = pa.array(sorted(unset), pa.large_string())
    columns = {
        name: pc.if_else(pc.is_in(column, value_set=marks), "", column) for name, column in sheet.columns.items()
    }
    return Sheet(columns, sheet.lines)


# -- JSON lines -------------------------------------------------------------------------------------------------------


def _read_json(text: Text, tally: Tally) -> tuple[Sheet, int]:
    rows = np.arange(len(text))
    table = _parse_json(text, rows)
    if table is not None:
        return Sheet(table, text.places[rows]), len(rows)
    sheet = read_any(
        text, rows, FIELDS, lambda record, name: record.get(name, record.get(name.replace(".", "_"))), tally
    )
    return _blanked(sheet, set(_NOTHING)), len(rows)


def _parse_json(text: Text, rows: NDArray[np.int64]) -> dict[str, Any] | None:
    """All records at once; None when one of them is not as the first one promises."""
    names = {name: name for name in FIELDS}
    if '"id_orig_h"' in text.line(int(rows[0])):
        names = {name: name.replace(".", "_") for name in FIELDS}
    kinds = {"ts": pa.float64(), "duration": pa.float64()}
    kinds |= {name: pa.int64() for name in FIELDS if name.endswith(("_p", "_bytes", "_pkts", "ip_proto"))}
    schema = pa.schema([(names[name], kinds.get(name, pa.string())) for name in FIELDS])
    table = read_typed(text, schema, len(rows))
    if table is None:
        return None
    columns = {}
    for name in FIELDS:
        column = table[names[name]].combine_chunks()
        if pa.types.is_floating(column.type):
            # six decimals are what Zeek writes, and what a double holds of an instant
            valid = pc.and_kleene(pc.is_finite(column), pc.less(pc.abs(column), 1e11))
            column = pc.cast(pc.round(pc.if_else(valid, column, None), 6), pa.decimal128(20, 6))
        columns[name] = pc.fill_null(pc.cast(column, pa.large_string()), "")
    return columns


# -- both -------------------------------------------------------------------------------------------------------------


def _draft(sheet: Sheet, tally: Tally, looked_at: int) -> Draft:
    rows = Rows(sheet, tally)
    notes = []
    rows.put("ts", cells.instants(sheet.get("ts")), NO_TIME)
    rows.put("duration", cells.decimal_ns(sheet.get("duration"), blank=0), NO_DURATION)
    proto = pc.utf8_lower(sheet.get("proto"))
    if sheet.has("ip_proto"):
        # newer versions name only TCP, UDP and ICMP, and give the number of the others
        number = sheet.get("ip_proto")
        proto = pc.if_else(pc.and_(pc.equal(proto, "unknown_transport"), pc.not_equal(number, "")), number, proto)
    six = cells.mask_of(pc.match_substring(sheet.get("id.orig_h"), ":"))
    newer = cells.mask_of(pc.equal(sheet.get("ip_proto"), "58"))
    proto = pc.if_else(pc.and_(pc.equal(proto, "icmp"), pa.array(six | newer)), "icmp6", proto)
    rows = _with_proto(rows, proto)
    for ours, theirs in (("fwd", "orig"), ("bwd", "resp")):
        packets = rows.count(f"{ours}_packets", f"{theirs}_pkts")
        size = rows.count(f"{ours}_bytes", f"{theirs}_ip_bytes")
        unsaid = cells.is_blank(sheet.get(f"{theirs}_ip_bytes"))
        if unsaid.any():
            payload = cells.counts(sheet.get(f"{theirs}_bytes"))[0]
            headers = np.where(six, 40, 20) + np.where(rows.is_proto("TCP"), 20, 8)
            guessed = payload + packets * headers
            rows.values[f"{ours}_bytes"] = np.where(unsaid, guessed, size)
            if (guessed[unsaid & rows.good] > 0).any():
                notes.append("Some flows have no count of IP bytes: payload and the shortest headers were taken.")
    history = sheet.get("history")
    tcp = rows.is_proto("TCP")
    rows.values["flags"] = pc.if_else(pa.array(tcp), cells.mapped(history, flags_of_history)[0], "......")
    rows.values["history"] = history
    rows.values["state"] = sheet.get("conn_state")
    if sheet.has("service"):
        rows.values["service"] = cells.mapped(sheet.get("service"), service_name)[0]
    if sheet.has("label") or sheet.has("detailedlabel"):
        label, detailed = (cells.mapped(sheet.get(name), unescaped)[0] for name in ("label", "detailedlabel"))
        rows.values["label"] = pc.if_else(pc.equal(label, ""), detailed, label)
    return Draft(rows.frame(), looked_at, tuple(dict.fromkeys(notes)))


def _with_proto(rows: Rows, proto: Any) -> Rows:
    """Set the endpoints of rows whose protocol stands in an array rather than in a column."""
    rows.sheet.columns["proto"] = proto
    rows.endpoints("id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto")
    return rows


def service_name(text: str) -> str:
    """The service of Zeek's list of analyzers: the first that is no mere wrapper, under its name here.

    >>> service_name("gssapi,smb"), service_name("ssl"), service_name("ssl,-ssl,http")
    ('smb', 'tls', 'http')
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    removed = {name[1:] for name in names if name.startswith("-")}
    left = [name for name in names if not name.startswith("-") and name not in removed]
    chosen = next((name for name in left if name not in _WRAPPERS), left[0] if left else "")
    return SERVICES.get(chosen, chosen)


def unescaped(text: str) -> str:
    r"""A text as it was before Zeek wrote its odd bytes as ``\x..``."""
    if "\\x" not in text:
        return text
    raw = re.sub(rb"\\x([0-9a-fA-F]{2})", lambda match: bytes([int(match[1], 16)]), text.encode("utf-8"))
    return raw.decode("utf-8", errors="replace")


def flags_of_history(history: str) -> str:
    """The flags that must have been seen for these history letters: UAPRSF; P stands for data, which mostly carry it.

    >>> flags_of_history("ShADadFf")
    '.AP.SF'
    """
    letters = set(history.upper())
    seen = {
        # a RST that refuses a SYN acknowledges it (RFC 9293 section 3.10.7.1)
        "A": bool(letters & set("AHDF")) or ("S" in history and "r" in history),
        "P": "D" in letters,
        "R": "R" in letters,
        "S": bool(letters & set("SH")),
        "F": "F" in letters,
    }
    return "".join(letter if seen.get(letter) else "." for letter in "UAPRSF")
