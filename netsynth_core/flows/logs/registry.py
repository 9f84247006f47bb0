"""The log formats: how each is told by content, read, and turned into a checked flow table with its report."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from netsynth_core.errors import SchemaError, UnknownFormat
from netsynth_core.flows.logs.argus import is_argus, read_argus
from netsynth_core.flows.logs.cicflowmeter import has_features_only, is_cicflowmeter, read_cicflowmeter
from netsynth_core.flows.logs.cidds import is_cidds, read_cidds
from netsynth_core.flows.logs.draft import Draft
from netsynth_core.flows.logs.mapped import read_through
from netsynth_core.flows.logs.mapping import Mapping, sniff_delimiter
from netsynth_core.flows.logs.nfdump import is_nfdump, read_nfdump
from netsynth_core.flows.logs.report import LogReport, Tally
from netsynth_core.flows.logs.suricata import is_suricata, read_suricata
from netsynth_core.flows.logs.text import Text, load_head, load_text
from netsynth_core.flows.logs.ugr import is_ugr, read_ugr
from netsynth_core.flows.logs.zeek import is_zeek, other_log, read_zeek
from netsynth_core.flows.services import services_by_port
from netsynth_core.flows.table import FlowTable


@dataclass(frozen=True)
class LogFormat:
    """One layout of logs."""

    name: str
    title: str
    """What a person calls it."""
    expected: str
    """What a row must hold, for messages."""
    tells: Callable[[Text], bool]
    """Whether the beginning of a text is of this layout."""
    read: Callable[[Text, Tally], Draft]


FORMATS: Final = (
    LogFormat(
        "zeek",
        "Zeek conn.log",
        "ts, id.orig_h, id.resp_h and proto under a #fields line, or in JSON objects, one a line",
        is_zeek,
        read_zeek,
    ),
    LogFormat(
        "suricata",
        "Suricata eve.json",
        "events of the type flow or netflow, one JSON object a line",
        is_suricata,
        read_suricata,
    ),
    LogFormat("argus", "Argus CSV (ra -c ,)", "StartTime, Proto, SrcAddr and DstAddr", is_argus, read_argus),
    LogFormat("nfdump", "nfdump CSV (nfdump -o csv)", "ts, sa, da, sp, dp, pr, ipkt and ibyt", is_nfdump, read_nfdump),
    LogFormat(
        "cidds",
        "NetFlow as in CIDDS-001",
        "Date first seen, Proto, Src IP Addr and Dst IP Addr",
        is_cidds,
        read_cidds,
    ),
    LogFormat(
        "cicflowmeter",
        "CICFlowMeter CSV",
        "Source IP, Destination IP, Protocol, Timestamp and Flow Duration",
        is_cicflowmeter,
        read_cicflowmeter,
    ),
    LogFormat(
        "ugr",
        "NetFlow as in UGR'16",
        "end, duration, addresses, ports, protocol, flags, packets and bytes",
        is_ugr,
        read_ugr,
    ),
)
"""Every layout, in the order in which they are asked."""


def format_of(path: str | Path) -> LogFormat | None:
    """The layout of a log, by how it begins; None when it is none of `FORMATS`.

    Raises
    ------
    StorageError
        When it cannot be read.
    UnknownFormat
        When it is one that holds no flows, such as a table of features without addresses.
    """
    text = load_head(path)
    if b"\0" in text.data:
        return None
    found = next((form for form in FORMATS if form.tells(text)), None)
    other = other_log(text) if found is None else None
    if other is not None:
        raise UnknownFormat(
            f"{path} is {other + '.log' if other else 'a log'} of Zeek; flows stand in its conn.log.",
            hint="Give conn.log, in Zeek's own form or as JSON lines.",
        )
    if found is None and has_features_only(text):
        raise UnknownFormat(
            f"{path} is a table of CICFlowMeter's features without addresses and times; flows need both.",
            hint="Take the tables with Source IP and Timestamp (of CICIDS2017: GeneratedLabelledFlows).",
        )
    return found


def is_table(path: str | Path) -> bool:
    """Whether a file looks like a delimited table: lines that a delimiter splits alike into at least three cells, or
    a header of flow columns."""
    text = load_head(path)
    if b"\0" in text.data:
        return False
    lines = [text.line(k) for k in range(min(20, len(text.start)))]
    filled = [line for line in lines if line.strip()]
    if not filled or filled[0].lstrip().startswith(("{", "[", "<")):
        return False
    return sniff_delimiter(filled) is not None or "," in filled[0]


def read_log(path: str | Path) -> tuple[FlowTable, LogReport]:
    """Read a log of one of `FORMATS`.

    Rows that are no flows are left out and counted; without a column of services the responder's port says it.

    Raises
    ------
    UnknownFormat
        When it is of none of them.
    SchemaError
        When not one row of it is a flow; the message says what was expected.
    StorageError
        When it cannot be read.
    """
    form = format_of(path)
    if form is None:
        raise UnknownFormat(
            f"{path} is no log of a known kind ({', '.join(f.title for f in FORMATS)}).",
            hint="Read it through a mapping: netsynth flows --show-mapping proposes one.",
        )
    text = load_text(path)
    tally = Tally()
    return _checked(text, form.name, form.title, form.expected, form.read(text, tally), tally)


def read_mapped(path: str | Path, mapping: Mapping) -> tuple[FlowTable, LogReport]:
    """Read any delimited table through a mapping.

    Raises
    ------
    SchemaError
        When the mapping does not fit the table, or not one row of it is a flow.
    StorageError, UnknownFormat
        When it cannot be read.
    """
    text = load_text(path)
    tally = Tally()
    draft = read_through(text, mapping, tally)
    expected = ", ".join(f"{ours} in {' or '.join(map(repr, mapping.names_of(ours)))}" for ours in mapping.columns)
    return _checked(text, "mapping", "table read through a mapping", expected, draft, tally)


def _checked(
    text: Text, name: str, title: str, expected: str, draft: Draft, tally: Tally
) -> tuple[FlowTable, LogReport]:
    """The flow table of a draft and the report."""
    frame = draft.frame
    if not len(frame) and draft.rows:
        reasons = ", ".join(
            f"{reason}: {n} (first in line {tally.first[reason]})" for reason, n in tally.skipped.items()
        )
        raise SchemaError(
            f"{text.path} looks like {title}, but none of its {draft.rows} rows is a flow "
            f"({reasons or 'no flow in it'}).",
            hint=f"Expected are {expected}.",
        )
    if not len(frame):
        raise SchemaError(f"{text.path} ({title}) holds no rows.", hint=f"Expected are {expected}.")
    if "service" not in frame:
        frame["service"] = services_by_port(
            frame["dst_port"].to_numpy(dtype=np.int32), frame["proto"].to_numpy(dtype=object)
        )
    flows = FlowTable.from_columns(frame)
    report = LogReport(
        path=str(text.path),
        format=name,
        rows=draft.rows,
        flows=len(flows),
        skipped=dict(sorted(tally.skipped.items(), key=lambda item: (-item[1], item[0]))),
        first_skipped=dict(sorted(tally.first.items())),
        notes=tuple(dict.fromkeys((*text.notes, *draft.notes))),
    )
    return flows, report
