"""What lies in an artefact's files, as values: one function to write each kind, one to read it.

Packets are not stored a second time: what needs them reads the capture again (`packets_of`), and the last capture read
is kept in memory.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from netsynth_core.errors import DocumentError, InvalidParameter, StorageError, WorkspaceError
from netsynth_core.files import dump_json, file_sha256, require_file, storage_error, write_text
from netsynth_core.flows.facts import flow_facts
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.overviews import make_overview
from netsynth_core.workspace.store import Workspace

if TYPE_CHECKING:
    from netsynth_core.capture.options import ReadOptions
    from netsynth_core.capture.packets import PacketTable, ReadReport
    from netsynth_core.flows.event_logs import EventLog
    from netsynth_core.flows.metering import Metered
    from netsynth_core.flows.source import FlowSource
    from netsynth_core.flows.table import FlowTable
    from netsynth_core.flows.words import Words

FLOWS = "flows.parquet"
CONVERSATIONS = "conversations.npz"
REPORTS = "reports.json"
FLOW_ROWS = "flow_rows.npz"
CASES = "cases.json"
PCAP = "synthetic.pcap"
REPORT = "report.json"
REPORT_PAGE = "report.html"


def require_kind(artefact: Artefact, *kinds: ArtefactKind) -> Artefact:
    """The artefact, once it is known to be of one of these kinds.

    Raises
    ------
    WorkspaceError
        When it is of another kind.
    """
    if artefact.kind not in kinds:
        raise WorkspaceError(
            f"{artefact.id} holds {artefact.kind.value}; {' or '.join(kinds)} is needed.", hint="Choose another input."
        )
    return artefact


# -- captures ---------------------------------------------------------------------------------------------------------


def capture_path(workspace: Workspace, id: str) -> Path:
    """Where the file of a capture artefact lies.

    Raises
    ------
    StorageError
        When it is kept by reference and no longer there, or was changed since it was taken in.
    """
    artefact = require_kind(workspace.get(id), ArtefactKind.CAPTURE)
    if artefact.files:
        return workspace.path(id, artefact.files[0])
    path = require_file(str(artefact.facts["path"]))
    stat = path.stat()
    unchanged = stat.st_size == artefact.facts["size"] and stat.st_mtime_ns == artefact.facts["mtime_ns"]
    if not unchanged and file_sha256(path) != artefact.facts["sha256"]:
        raise StorageError(
            f"{path} was changed since it was taken into the workspace.", hint="Open it again as a new capture."
        )
    return path


def capture_facts(path: Path) -> dict[str, Any]:
    """What a capture artefact says about its file.

    Raises
    ------
    StorageError
        When the file is missing, a directory, empty or unreadable.
    """
    source = require_file(path).absolute()
    stat = source.stat()
    try:
        sha256 = file_sha256(source)
    except OSError as error:
        raise storage_error(error, source, "read") from error
    return {
        "path": str(source),
        "file": source.name,
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "sha256": sha256,
    }


# -- flows ------------------------------------------------------------------------------------------------------------


def write_flows(folder: Path, source: "FlowSource") -> dict[str, Any]:
    """Write a flow table, its conversations and the reports on the reading; returns the facts."""
    import numpy as np

    from netsynth_core.flows.table_io import write_flow_table

    write_flow_table(folder / FLOWS, source.flows)
    write_text(folder / REPORTS, dump_json([asdict(report) for report in source.reports]))
    make_overview(folder, source)
    if source.metered is not None:
        held, options = source.metered.conversations, source.metered.options
        np.savez_compressed(
            folder / CONVERSATIONS,
            offsets=held.offsets,
            packets=held.packets,
            direction=held.direction,
            marks=source.metered.marks,
            mss=options.mss,
            window_scale=options.window_scale,
            sack_permitted=options.sack_permitted,
            timestamps=options.timestamps,
        )
    return flow_facts(source)


def flows_of(workspace: Workspace, id: str) -> "FlowTable":
    """The flow table of a flows artefact, or of a synthetic one: its flows, or those its packets make up.

    Raises
    ------
    WorkspaceError
        When it holds words.
    """
    from netsynth_core.flows.source import read_flows
    from netsynth_core.flows.table_io import read_flow_table

    artefact = require_kind(workspace.get(id), ArtefactKind.FLOWS, ArtefactKind.SYNTHETIC)
    if FLOWS in artefact.files:
        return read_flow_table(workspace.path(id, FLOWS))
    if PCAP in artefact.files:
        return read_flows([workspace.path(id, PCAP)]).flows
    raise WorkspaceError(f"{id} holds no flows.", hint="Choose flows that were read or generated.")


def reports_of(workspace: Workspace, id: str) -> "list[ReadReport]":
    """The reports on the reading of the captures behind a flows artefact; empty for flow logs."""
    from netsynth_core.capture.packets import ReadReport

    path = workspace.path(id, REPORTS)
    if not path.exists():
        return []
    try:
        return [ReadReport(**{**raw, "notes": tuple(raw["notes"])}) for raw in json.loads(path.read_bytes())]
    except (ValueError, TypeError, KeyError) as error:
        raise DocumentError(f"{path} is broken: {error}.", hint="Read the capture again.") from error


def metered_of(workspace: Workspace, id: str) -> "Metered":
    """Flows and conversations of a flows artefact that came from captures.

    Workspaces of versions that did not mark packets have no marks and no TCP options: all are unset.

    Raises
    ------
    WorkspaceError
        When it came from a flow log, which has no packets.
    """
    import numpy as np

    from netsynth_core.flows.conversations import Conversations
    from netsynth_core.flows.metering import Metered, TcpOptions

    artefact = require_kind(workspace.get(id), ArtefactKind.FLOWS)
    if CONVERSATIONS not in artefact.files:
        raise WorkspaceError(
            f"{workspace.label(id).name} was read from a flow log, which holds no packets.",
            hint="Open the capture itself to see packets and learn automata.",
        )
    path = workspace.path(id, CONVERSATIONS)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            held = Conversations(arrays["offsets"], arrays["packets"], arrays["direction"])
            marks = arrays["marks"] if "marks" in arrays else np.zeros(len(held.packets), np.uint8)
            names = ("mss", "window_scale", "sack_permitted", "timestamps")
            told = [arrays[name] for name in names if name in arrays]
            options = TcpOptions(*told) if len(told) == len(names) else TcpOptions.unset(len(held))
    except (OSError, ValueError, KeyError) as error:
        raise DocumentError(f"{path} is broken: {error}.", hint="Read the capture again.") from error
    return Metered(flows_of(workspace, id), held, marks, options)


def read_options(values: Any) -> "ReadOptions":
    """The options a recipe reads captures with.

    Raises
    ------
    InvalidParameter
        When they are none.
    """
    from netsynth_core.capture.options import ReadOptions

    if values is not None and not isinstance(values, dict):
        raise InvalidParameter(
            f"The options of reading are {values!r}.", hint="Give an object such as {'tunnels': true}."
        )
    return ReadOptions.checked(values or {})


def packets_of(workspace: Workspace, id: str, *, monitor: Monitor = SILENT) -> "PacketTable":
    """The packets behind a flows artefact, read from its captures again; the last ones read are kept in memory."""
    from netsynth_core.capture import read_captures

    artefact = require_kind(workspace.get(id), ArtefactKind.FLOWS)
    paths = [capture_path(workspace, ref.id) for ref in artefact.inputs]
    options = read_options(artefact.recipe.parameters.get("options") if artefact.recipe else None)
    key = tuple((f"{path} {options}", ref.hash) for path, ref in zip(paths, artefact.inputs, strict=True))
    with _READ.lock:
        if _READ.packets is None or _READ.key != key:
            _READ.packets = read_captures(paths, options, monitor=monitor)[0]
            _READ.key = key
        return _READ.packets


def packets_are_held(workspace: Workspace, id: str) -> bool:
    """Whether `packets_of` would answer from memory."""
    artefact = workspace.get(id)
    options = read_options(artefact.recipe.parameters.get("options") if artefact.recipe else None)
    held = [(place.endswith(f" {options}"), hash) for place, hash in _READ.key]
    return _READ.packets is not None and [(True, ref.hash) for ref in artefact.inputs] == held


@dataclass
class _LastRead:
    """The packets read last, so that showing one conversation after another reads the capture once."""

    lock: Lock = field(default_factory=Lock)
    key: tuple[tuple[str, str], ...] = ()
    packets: "PacketTable | None" = None


_READ = _LastRead()


# -- words ------------------------------------------------------------------------------------------------------------


def group_name(service: str, state: str) -> str:
    """How a group of conversations is called: ``http/SF``, ``http``, ``unknown``."""
    return "/".join(part for part in (service or "unknown", state) if part)


def write_groups(folder: Path, groups: "Sequence[Words]") -> list[dict[str, Any]]:
    """Write one file of timed words per group; returns what each holds."""
    from netsynth_core.flows.words_io import write_words

    entries: list[dict[str, Any]] = []
    for words in groups:
        path = folder / _free_name(group_name(words.service, words.state).replace("/", "-"), entries)
        write_words(path, words)
        entries.append(
            {
                "path": path.name,
                "service": words.service,
                "state": words.state,
                "words": len(words),
                "symbols": len(words.symbols),
                "alphabet": len(words.alphabet),
            }
        )
    return entries


def _free_name(stem: str, taken: list[dict[str, Any]]) -> str:
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in stem).lstrip(".") or "words"
    names = {entry["path"] for entry in taken}
    candidates = (f"{safe}.txt" if i == 1 else f"{safe}-{i}.txt" for i in range(1, len(names) + 2))
    return next(name for name in candidates if name not in names)


def write_flow_rows(folder: Path, entries: list[dict[str, Any]], groups: "Sequence[Words]") -> None:
    """Write which flow each word of each group comes from."""
    import numpy as np

    rows = {e["path"]: w.flow_rows for e, w in zip(entries, groups, strict=True) if w.flow_rows is not None}
    if rows:
        np.savez_compressed(folder / FLOW_ROWS, **rows)  # type: ignore[arg-type]


def words_of(workspace: Workspace, id: str, group: str | None = None) -> "list[Words]":
    """The groups of a words artefact (or the one of that name), with their flow rows where they are known.

    Raises
    ------
    WorkspaceError
        When there is no such group.
    """
    import numpy as np

    from netsynth_core.flows.words_io import read_words

    artefact = require_kind(workspace.get(id), ArtefactKind.WORDS, ArtefactKind.SYNTHETIC)
    entries = artefact.facts.get("files", [])
    chosen = [e for e in entries if group is None or group_name(e["service"], e["state"]) == group]
    if not chosen:
        names = ", ".join(group_name(e["service"], e["state"]) for e in entries) or "none"
        raise WorkspaceError(f"{id} has no group {group!r}.", hint=f"Its groups are: {names}.")
    rows_path = workspace.path(id, FLOW_ROWS)
    rows: dict[str, Any] = {}
    if rows_path.exists():
        with np.load(rows_path, allow_pickle=False) as arrays:
            rows = {name: arrays[name] for name in arrays.files}
    found = []
    for entry in chosen:
        words = replace(read_words(workspace.path(id, entry["path"])), service=entry["service"], state=entry["state"])
        flow_rows = rows.get(entry["path"])
        keep = flow_rows is not None and len(flow_rows) == len(words)
        found.append(replace(words, flow_rows=flow_rows) if keep else words)
    return found


def write_log(folder: Path, path: Path, log: "EventLog") -> dict[str, Any]:
    """Write the words of an event log and the names of its cases; returns the facts."""
    entries = write_groups(folder, [log.words])
    write_text(folder / CASES, dump_json(list(log.cases)))
    source = capture_facts(path)
    told = {"file": source["file"], "sha256": source["sha256"], "columns": log.columns, "notes": list(log.notes)}
    return {"files": entries, "words": len(log.words), "log": told}


def cases_of(workspace: Workspace, id: str) -> list[str]:
    """The names of the cases of a words artefact that came from an event log; empty for others."""
    path = workspace.path(id, CASES)
    if not path.exists():
        return []
    try:
        return [str(case) for case in json.loads(path.read_bytes())]
    except (ValueError, TypeError) as error:
        raise DocumentError(f"{path} is broken: {error}.", hint="Open the log again.") from error
