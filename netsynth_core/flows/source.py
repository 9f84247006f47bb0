"""Flows from whatever the user has: captures or flow tables, told apart by what the files hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from netsynth_core.capture.packets import PacketTable, ReadReport
from netsynth_core.capture.reading import read_captures
from netsynth_core.capture.records import is_capture, read_head, unknown_format
from netsynth_core.errors import NotEnoughData, UnknownFormat
from netsynth_core.files import require_file
from netsynth_core.flows.metering import Metered, MeterParams, meter_flows
from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.table_io import is_address, read_flow_table
from netsynth_core.monitor import SILENT, Monitor


@dataclass(frozen=True, eq=False)
class FlowSource:
    """Flows and, where they come from captures, what is beneath them."""

    flows: FlowTable
    reports: list[ReadReport]
    """One per capture; empty for flow tables."""
    packets: PacketTable | None
    metered: Metered | None
    notes: tuple[str, ...] = ()
    """Sentences on flow tables for a person; those on captures are in their reports."""


def read_flows(
    paths: str | Path | Sequence[str | Path], params: MeterParams | None = None, *, monitor: Monitor = SILENT
) -> FlowSource:
    """Read flows from captures (metered here) or from flow tables (CSV, gzip CSV, Parquet).

    Raises
    ------
    UnknownFormat
        When a file is neither, or the two kinds are mixed.
    SchemaError, TruncatedCapture, StorageError
        As the readers of the two kinds.
    NotEnoughData
        When no path is given.
    """
    names = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not names:
        raise NotEnoughData("No input was given.", hint="Name a capture or a flow table.")
    kinds = {str(name): kind_of(name) for name in names}
    if len(set(kinds.values())) > 1:
        capture = next(name for name, kind in kinds.items() if kind == "capture")
        table = next(name for name, kind in kinds.items() if kind == "table")
        raise UnknownFormat(
            f"{capture} is a capture and {table} a flow table; one kind is needed.",
            hint="Turn the capture into a flow table first (netsynth flows), or give the files one kind at a time.",
        )
    if "capture" in kinds.values():
        packets, reports = read_captures(names, monitor=monitor)
        metered = meter_flows(packets, params, monitor=monitor)
        return FlowSource(metered.flows, reports, packets, metered)
    tables = []
    for done, name in enumerate(names):
        monitor.step("reading flow tables", done, len(names))
        tables.append(read_flow_table(name))
    flows = tables[0]
    if len(tables) > 1:
        flows = FlowTable.from_columns(pd.concat([table.frame for table in tables], ignore_index=True))
    return FlowSource(flows, [], None, None, _table_notes(flows))


def _table_notes(flows: FlowTable) -> tuple[str, ...]:
    """What a person should know of a flow table."""
    names = pd.unique(pd.concat([flows.frame["src_ip"], flows.frame["dst_ip"]], ignore_index=True))
    strangers = sorted(str(name) for name in names if not is_address(str(name)))
    if not strangers:
        return ()
    such = strangers[0][:40]
    if len(strangers) == 1:
        return (f"1 name that is no address ({such}) is kept as it is.",)
    return (f"{len(strangers)} names that are no addresses (such as {such}) are kept as they are.",)


def kind_of(path: str | Path) -> str:
    """``capture`` or ``table``, by the first bytes of a file.

    Raises
    ------
    UnknownFormat
        When it is neither; the message names what it is.
    """
    target = require_file(path)
    head = read_head(target)
    if is_capture(head):
        return "capture"
    if head[:4] == b"PAR1":
        return "table"
    error = unknown_format(head, target)
    text = head.decode("utf-8", errors="replace")
    first = text.lstrip("\ufeff").split("\n", 1)[0]
    if "\0" not in text and "," in first and not text.lstrip().startswith(("{", "[")):
        return "table"
    if first.startswith("#separator"):
        raise UnknownFormat(
            f"{target} is a log of Zeek, neither a capture nor a flow table.",
            hint="Open the capture it was made from, or export conn.log as CSV with the columns of a flow table.",
        )
    raise UnknownFormat(
        error.message.replace("no pcap or pcapng capture", "neither a capture nor a flow table"),
        hint="Give a pcap or pcapng capture, or a flow table (CSV with a header, or Parquet).",
    )
