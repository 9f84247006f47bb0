"""Flows from whatever the user has: captures, flow tables or logs of other tools, told apart by what the files hold."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from netsynth_core.capture.options import ReadOptions
from netsynth_core.capture.packets import PacketTable, ReadReport
from netsynth_core.capture.reading import read_captures
from netsynth_core.capture.records import is_capture, read_head, unknown_format
from netsynth_core.capture.windows import CaptureWindows
from netsynth_core.errors import InvalidParameter, NetsynthError, NotEnoughData, UnknownFormat
from netsynth_core.files import content_hash, require_file
from netsynth_core.flows.columns import MeteredFlows
from netsynth_core.flows.compiling import compiling_beside
from netsynth_core.flows.metering import FlowMeter, Metered, MeterParams, meter_flows
from netsynth_core.flows.ordering import HOLD, in_order, merged
from netsynth_core.flows.table import FlowTable
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.units import count

if TYPE_CHECKING:
    from netsynth_core.flows.logs import LogReport, Mapping

_WINDOW: Final = 32 << 20
"""Bytes of the windows of captures in memory, all together."""

_LEAST: Final = 1 << 20
"""Bytes of a window at least, however many captures are read together."""
_COMPARED: Final = 1 << 16
"""Bytes at both ends by which copies of a capture are told."""
_BINARY: Final = (
    (b"\x0c\xa5", "a file of nfcapd", "Print it as CSV first: nfdump -o csv -r FILE > flows.csv."),
    (b"\xa5\x0c", "a file of nfcapd", "Print it as CSV first: nfdump -o csv -r FILE > flows.csv."),
    (b"\x83\x10", "a file of Argus", "Print it as CSV first: ra -c , -u -r FILE > flows.csv."),
)
"""First bytes of binary flow records, what they are, and what to do."""
_TUNNELS: Final = {"GRE": ("GRE", "47"), "IP in IP": ("IPIP", "4", "IPv6", "41")}
"""What tunnels are called among the protocols of a capture."""


@dataclass(frozen=True, eq=False)
class FlowSource:
    """Flows and, where they come from captures, what is beneath them."""

    held: FlowTable | MeteredFlows
    """The flows, as metering left them or as a file held them."""
    reports: list[ReadReport]
    """One per capture; empty for flow tables and logs."""
    packets: PacketTable | None
    metered: Metered | None
    notes: tuple[str, ...] = ()
    """Sentences on flows for a person; those on the reading of captures are in their reports."""
    logs: "tuple[LogReport, ...]" = ()
    """One per log of another tool, or table read through a mapping."""

    @cached_property
    def flows(self) -> FlowTable:
        """The flow table, made when it is first asked for."""
        return self.held.table() if isinstance(self.held, MeteredFlows) else self.held


def read_flows(
    paths: str | Path | Sequence[str | Path],
    params: MeterParams | None = None,
    *,
    options: ReadOptions | None = None,
    keep_packets: bool = True,
    folder: Path | None = None,
    mapping: "Mapping | None" = None,
    monitor: Monitor = SILENT,
) -> FlowSource:
    """Read flows from captures (metered here), or from flow tables (CSV, gzip CSV, Parquet) and logs of other tools.

    Parameters
    ----------
    paths
        Captures, or tables and logs of any kinds.
    options
        How captures are read.
    keep_packets
        Whether the packets of captures are wanted. Without, captures of any size are read in bounded memory, window by
        window, several by time; a packet is taken in the order of its file where it is a second older than the window
        before it, which the notes tell.
    folder
        Where flows wait that are too many for memory (`netsynth_core.flows.retired`); None = where the system has
        temporary files.
    mapping
        How to read the tables, when they are neither flow tables nor logs of a known kind.

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
    kinds = {str(name): _kind(name, mapping) for name in names}
    capture = next((name for name, kind in kinds.items() if kind == "capture"), None)
    table = next((name for name, kind in kinds.items() if kind != "capture"), None)
    if capture is not None and mapping is not None:
        raise InvalidParameter(
            f"{capture} is a capture; a mapping says how a table is read.", hint="Leave the mapping out."
        )
    if capture is not None and table is not None:
        raise UnknownFormat(
            f"{capture} is a capture and {table} a flow table; one kind is needed.",
            hint="Turn the capture into a flow table first (netsynth flows), or give the files one kind at a time.",
        )
    if capture is not None:
        _refuse_twice(names)
        inside = options is not None and options.tunnels
        if not keep_packets:
            metered, reports = _meter_windows(names, params, options, folder, monitor)
            notes = (*metered.notes, *(() if inside else _tunnel_notes(reports, metered.source)))
            return FlowSource(metered.source, reports, None, metered, notes)
        packets, reports = read_captures(names, options, monitor=monitor)
        metered = meter_flows(packets, params, monitor=monitor)
        notes = (*metered.notes, *(() if inside else _tunnel_notes(reports, metered.source)))
        return FlowSource(metered.source, reports, packets, metered, notes)
    return _from_tables(names, kinds, mapping, monitor)


def _meter_windows(
    names: Sequence[str | Path],
    params: MeterParams | None,
    options: ReadOptions | None,
    folder: Path | None,
    monitor: Monitor,
) -> tuple[Metered, list[ReadReport]]:
    """Meter captures window by window; while one is metered, the next is read."""
    size = max(_WINDOW // len(names), _LEAST)
    captures = [
        CaptureWindows(name, options, window_bytes=size, file=k, monitor=monitor) for k, name in enumerate(names)
    ]
    ordered = [in_order(capture) for capture in captures]
    tables = ordered[0] if len(names) == 1 else merged(ordered, [_start(name, options) for name in names])
    with ThreadPoolExecutor(1) as reader, compiling_beside() as wait_for_loops:
        coming = reader.submit(next, tables, None)
        meter = FlowMeter(params, keep_packets=False, folder=folder)
        wait_for_loops()
        while (packets := coming.result()) is not None:
            coming = reader.submit(next, tables, None)
            meter.feed(packets)
            del packets
    metered, reports = meter.finish(), [capture.report for capture in captures]
    packets_read = sum(report.packets for report in reports)
    monitor.step("metering flows", packets_read, packets_read, flows=meter.flow_count)
    return metered, reports


def _start(name: str | Path, options: ReadOptions | None) -> int:
    """An instant before the first packets of a capture, ns."""
    first = next(iter(CaptureWindows(name, options, window_bytes=1 << 16)), None)
    return np.iinfo(np.int64).min if first is None else int(first.ts.min()) - HOLD


def _from_tables(
    names: Sequence[str | Path], kinds: dict[str, str], mapping: "Mapping | None", monitor: Monitor
) -> FlowSource:
    """Flows of tables and logs, joined."""
    import pandas as pd

    from netsynth_core.flows.logs import read_log, read_mapped
    from netsynth_core.flows.table_io import read_flow_table_noted

    several = len(names) > 1
    tables, logs, blanks = [], list["LogReport"](), list[str]()
    for done, name in enumerate(names):
        monitor.step("reading flow tables", done, len(names))
        if mapping is None and kinds[str(name)] == "table":
            table, said = read_flow_table_noted(name)
            tables.append(table)
            blanks += [f"{name}: {note}" if several else note for note in said]
            continue
        flows, report = read_log(name) if mapping is None else read_mapped(name, mapping)
        tables.append(flows)
        logs.append(report)
    flows = tables[0]
    if len(tables) > 1:
        flows = FlowTable.from_columns(pd.concat([table.frame for table in tables], ignore_index=True))
    notes = blanks + [f"{report.path}: {note}" if several else note for report in logs for note in report.notes]
    notes += [f"{name} holds no rows." for name, table in zip(names, tables, strict=True) if not len(table)]
    repeated = int(flows.frame.duplicated().sum()) if several else 0
    if repeated:
        notes.append(f"{count(repeated, 'row')} of these tables repeat others: has a file been given twice?")
    return FlowSource(flows, [], None, None, (*dict.fromkeys(notes), *_table_notes(flows)), tuple(logs))


def _refuse_twice(names: Sequence[str | Path]) -> None:
    """See that no capture is given twice, as the same file or as a copy of it."""
    seen: dict[object, str | Path] = {}
    for name in names:
        path = Path(name)
        stat = path.stat()
        with path.open("rb") as handle:
            head = handle.read(_COMPARED)
            handle.seek(max(stat.st_size - _COMPARED, 0))
            copied = stat.st_size, content_hash(head, handle.read(_COMPARED))
        for key in ((stat.st_dev, stat.st_ino), copied):
            if key in seen:
                same = "twice" if str(seen[key]) == str(name) else f"as {seen[key]} too"
                raise InvalidParameter(
                    f"{name} was given {same}; its packets would count double.", hint="Give each capture once."
                )
        seen[stat.st_dev, stat.st_ino] = seen[copied] = name


def _tunnel_notes(reports: Sequence[ReadReport], held: FlowTable | MeteredFlows) -> tuple[str, ...]:
    """That there are tunnels, into which nobody looked."""
    found = {
        title: sum(report.protocols.get(name, 0) for report in reports for name in names)
        for title, names in _TUNNELS.items()
    }
    if isinstance(held, MeteredFlows):
        vxlan = held.service_counts().get("vxlan", 0)
    else:
        vxlan = int((held.frame["service"] == "vxlan").sum())
    said = [f"{count(n, 'packet')} of {title}" for title, n in found.items() if n]
    said += [f"{count(vxlan, 'flow')} of VXLAN"] if vxlan else []
    if not said:
        return ()
    return (f"There are tunnels: {', '.join(said)}. They are flows as they are; --tunnels reads the packets inside.",)


def _kind(name: str | Path, mapping: "Mapping | None") -> str:
    """The kind of a file; with a mapping everything that is no capture is a table."""
    try:
        return kind_of(name)
    except NetsynthError:
        if mapping is None:
            raise
        return "table"


def _table_notes(flows: FlowTable) -> tuple[str, ...]:
    """What a person should know of a flow table."""
    import pandas as pd

    from netsynth_core.flows.table_io import is_address

    names = pd.unique(pd.concat([flows.frame["src_ip"], flows.frame["dst_ip"]], ignore_index=True))
    strangers = sorted(str(name) for name in names if not is_address(str(name)))
    if not strangers:
        return ()
    such = strangers[0][:40]
    if len(strangers) == 1:
        return (f"1 name that is no address ({such}) is kept as it is.",)
    return (f"{len(strangers)} names that are no addresses (such as {such}) are kept as they are.",)


def needs_mapping(path: str | Path) -> bool:
    """Whether a file is a delimited table that is neither a flow table of ours nor a log of a known kind.

    `netsynth_core.flows.logs.propose_mapping` guesses a mapping for it.

    Raises
    ------
    UnknownFormat
        When it is nothing that can be read.
    """
    from netsynth_core.flows.logs import read_head as read_table_head
    from netsynth_core.flows.table_io import REQUIRED

    if kind_of(path) != "table":
        return False
    with Path(path).open("rb") as handle:
        if handle.read(4) == b"PAR1":
            return False
    table = read_table_head(path, rows=2)
    return not set(REQUIRED) <= {name.lower() for name in table.header}


def kind_of(path: str | Path) -> str:
    """``capture``, ``log`` or ``table``, by the first bytes of a file.

    A log is one of `netsynth_core.flows.logs.FORMATS`; a table is Parquet, or text that a comma, semicolon, tab or bar
    splits into cells: a flow table, or another one that can be read through a mapping.

    Raises
    ------
    UnknownFormat
        When it is none of these; the message names what it is.
    """
    target = require_file(path)
    head = read_head(target)
    if is_capture(head):
        return "capture"
    if head[:4] == b"PAR1":
        return "table"
    from netsynth_core.flows.logs.advice import advice_on
    from netsynth_core.flows.logs.registry import format_of, is_table
    from netsynth_core.flows.logs.text import load_head

    if format_of(target) is not None:
        return "log"
    known = advice_on(load_head(target))
    if known is not None:
        raise UnknownFormat(f"{path} is neither a capture nor a flow table: it is {known[0]}.", hint=known[1])
    if is_table(target):
        return "table"
    for magic, what, hint in _BINARY:
        if head.startswith(magic):
            raise UnknownFormat(f"{path} is neither a capture nor a flow table: it is {what}.", hint=hint)
    error = unknown_format(head, target)
    raise UnknownFormat(
        error.message.replace("no pcap or pcapng capture", "neither a capture nor a flow table"),
        hint="Give a pcap or pcapng capture, a flow table (CSV with a header, or Parquet), or a log of Zeek, Argus, "
        "nfdump, CICFlowMeter or Suricata.",
    )
