"""What a capture or flow log looks like from afar: load over time by protocol and service, hosts, who talks to whom.

Made once when flows are read, so that a page shows millions of packets without reading them; a few hundred kB.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.capture.packets import PROTO_NAMES, PacketTable
from netsynth_core.errors import DocumentError
from netsynth_core.files import atomic_path
from netsynth_core.flows.conversations import Conversations
from netsynth_core.flows.selecting import shown_services
from netsynth_core.flows.table import FlowTable
from netsynth_core.units import NS_PER_S

BINS: Final = 1800
"""Most bins a series is kept in; pages join them to wider ones."""
GROUPS: Final = 8
"""Most groups of one kind with a series of their own; the others are ``(other)``."""
HOSTS: Final = 200
"""Hosts kept of each ranking (packets, bytes, flows)."""
TALKERS: Final = 40
OTHER: Final = "(other)"
VERSION: Final = 1

NICE_NS: Final = tuple(
    int(step * scale)
    for scale in (1e6, 1e7, 1e8, 1e9, 1e10)
    for step in (1, 2, 5)
) + tuple(s * NS_PER_S for s in (60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800))  # fmt: skip
"""Round widths of bins, ns."""

MARK_NAMES: Final = {
    1: "retransmission",
    2: "out of order",
    4: "duplicate ACK",
    8: "zero window",
    16: "gap before",
    32: "keep-alive",
    64: "duplicate frame",
}
"""Bits of the marks of packets (`netsynth_core.flows.metering`) and their words."""


def bin_width(span: int, *, bins: int) -> int:
    """The smallest round bin width (ns) that cuts `span` into at most `bins` parts."""
    for width in NICE_NS:
        if span <= bins * width:
            return width
    return span // bins + 1


@dataclass(frozen=True, eq=False)
class Series:
    """Load over time of some groups: arrays of shape (groups, bins)."""

    names: tuple[str, ...]
    packets: NDArray[np.int64]
    bytes: NDArray[np.int64]
    """IP bytes."""


@dataclass(frozen=True)
class Host:
    """What one address did."""

    address: str
    packets_sent: int
    packets_received: int
    bytes_sent: int
    bytes_received: int
    flows_begun: int
    """Flows it is the originator of."""
    flows_answered: int


@dataclass(frozen=True, eq=False)
class Talkers:
    """Flows between the busiest originators and responders, busiest first."""

    originators: tuple[str, ...]
    responders: tuple[str, ...]
    matrix: NDArray[np.int64]
    """Flows, shape (originators, responders)."""
    all_originators: int
    all_responders: int
    flows: int


@dataclass(frozen=True, eq=False)
class Overview:
    """A flow source from afar."""

    start: int
    """Instant of the first packet (of flow logs: flow), ns."""
    width: int
    """Width of a bin, ns."""
    span: int
    """From the first to the last instant, ns."""
    from_packets: bool
    """Whether the series count packets when they came; else whole flows at their start."""
    by_protocol: Series
    by_service: Series
    marks: Series
    """Packets with a mark of the TCP analysis; a packet may have several."""
    flows: NDArray[np.int64]
    """Flows that start in each bin."""
    protocols: dict[str, tuple[int, int]]
    """Packets and IP bytes of each protocol, the most packets first."""
    hosts: tuple[Host, ...]
    """The busiest, the most bytes first."""
    all_hosts: int
    talkers: Talkers = field(repr=False)
    services: dict[str, int] = field(default_factory=dict)
    """Flows of each service, the most first; empty in an overview that was written before they were kept."""


def overview_of_flows(
    flows: FlowTable,
    *,
    packets: PacketTable | None = None,
    conversations: Conversations | None = None,
    marks: NDArray[np.uint8] | None = None,
) -> Overview:
    """The overview of a flow table, from its packets where they are known.

    Parameters
    ----------
    marks
        `Mark` bits per row of `packets`.
    """
    frame = flows.frame
    service = shown_services(frame)
    if packets is not None and conversations is not None:
        rows = conversations.packets
        ts, size = packets.ts[rows], packets.ip_length[rows].astype(np.int64)
        amount = np.ones(len(rows), np.int64)
        names = np.array([PROTO_NAMES.get(number, str(number)) for number in range(256)], dtype=object)
        used, proto_codes = np.unique(packets.proto[rows], return_inverse=True)
        protocols: Sequence[str] = [str(names[number]) for number in used.tolist()]
        codes, values = pd.factorize(service)
        service_codes = codes[conversations.flow_of()]
        marked = marks[rows] if marks is not None and len(marks) else np.zeros(len(rows), np.uint8)
    else:
        ts = frame["ts"].to_numpy(np.int64)
        amount = (frame["fwd_packets"] + frame["bwd_packets"]).to_numpy(np.int64)
        size = (frame["fwd_bytes"] + frame["bwd_bytes"]).to_numpy(np.int64)
        proto_codes, held = pd.factorize(frame["proto"])
        protocols = [str(name) for name in held]
        service_codes, values = pd.factorize(service)
        marked = np.zeros(len(frame), np.uint8)
    start = int(ts.min()) if len(ts) else 0
    span = int(np.ptp(ts)) if len(ts) else 0
    width = bin_width(span, bins=BINS)
    place = (ts - start) // width
    bins = int(place.max()) + 1 if len(ts) else 0
    protocol_totals = _totals(proto_codes, protocols, amount, size)
    of_flows = (frame["ts"].to_numpy(np.int64) - start) // width
    return Overview(
        start=start,
        width=width,
        span=span,
        from_packets=packets is not None and conversations is not None,
        by_protocol=_series(place, bins, proto_codes, protocols, amount, size),
        by_service=_series(place, bins, service_codes, [str(value) for value in values], amount, size),
        marks=_mark_series(place, bins, marked, amount, size),
        flows=np.bincount(np.clip(of_flows, 0, max(bins - 1, 0)), minlength=bins).astype(np.int64)[:bins],
        protocols=protocol_totals,
        hosts=_hosts(frame),
        all_hosts=int(pd.concat([frame["src_ip"], frame["dst_ip"]]).nunique()),
        talkers=talkers_of(flows),
        services={str(name): int(n) for name, n in pd.Series(service).value_counts().items()},
    )


def _totals(
    codes: NDArray[np.int64], names: Sequence[str], amount: NDArray[np.int64], size: NDArray[np.int64]
) -> dict[str, tuple[int, int]]:
    packets = np.bincount(codes, weights=amount, minlength=len(names))
    total = np.bincount(codes, weights=size, minlength=len(names))
    ranked = sorted(range(len(names)), key=lambda at: (-packets[at], names[at]))
    return {names[at]: (int(packets[at]), int(total[at])) for at in ranked}


def _series(
    place: NDArray[np.int64],
    bins: int,
    codes: NDArray[np.int64],
    names: Sequence[str],
    amount: NDArray[np.int64],
    size: NDArray[np.int64],
) -> Series:
    """Series of the largest groups; what is left over is one more."""
    weight = np.bincount(codes, weights=amount, minlength=len(names))
    ranked = sorted(range(len(names)), key=lambda at: (-weight[at], names[at]))
    most = ranked if len(ranked) <= GROUPS else ranked[: GROUPS - 1]
    to = np.full(max(len(names), 1), len(most), np.int64)
    to[most] = np.arange(len(most))
    shown = [names[at] for at in most] + ([OTHER] if len(most) < len(names) else [])
    cell = to[codes] * bins + place
    shape = len(shown), bins
    cells = shape[0] * bins
    return Series(
        tuple(shown),
        np.bincount(cell, weights=amount, minlength=cells)[:cells].astype(np.int64).reshape(shape),
        np.bincount(cell, weights=size, minlength=cells)[:cells].astype(np.int64).reshape(shape),
    )


def _mark_series(
    place: NDArray[np.int64],
    bins: int,
    marked: NDArray[np.uint8],
    amount: NDArray[np.int64],
    size: NDArray[np.int64],
) -> Series:
    names, packets, total = [], [], []
    for bit, name in MARK_NAMES.items():
        chosen = (marked & bit) != 0
        if chosen.any():
            names.append(name)
            packets.append(np.bincount(place[chosen], weights=amount[chosen], minlength=bins))
            total.append(np.bincount(place[chosen], weights=size[chosen], minlength=bins))
    shape = len(names), bins
    return Series(
        tuple(names),
        np.array(packets, np.float64).reshape(shape).astype(np.int64),
        np.array(total, np.float64).reshape(shape).astype(np.int64),
    )


def _hosts(frame: pd.DataFrame) -> tuple[Host, ...]:
    """The hosts with the most packets, bytes or flows."""
    codes, names = pd.factorize(pd.concat([frame["src_ip"], frame["dst_ip"]], ignore_index=True))
    src, dst, n = codes[: len(frame)], codes[len(frame) :], len(names)

    def summed(of: NDArray[np.int64], column: str | None) -> NDArray[np.int64]:
        weights = None if column is None else frame[column].to_numpy(np.float64)
        return np.bincount(of, weights=weights, minlength=n).astype(np.int64)

    sent = summed(src, "fwd_packets") + summed(dst, "bwd_packets")
    received = summed(src, "bwd_packets") + summed(dst, "fwd_packets")
    out = summed(src, "fwd_bytes") + summed(dst, "bwd_bytes")
    into = summed(src, "bwd_bytes") + summed(dst, "fwd_bytes")
    begun, answered = summed(src, None), summed(dst, None)
    chosen: set[int] = set()
    for amount in (sent + received, out + into, begun + answered):
        chosen |= set(np.argsort(-amount, kind="stable")[:HOSTS].tolist())
    order = sorted(chosen, key=lambda at: (-int(out[at] + into[at]), str(names[at])))
    columns = sent, received, out, into, begun, answered
    return tuple(Host(str(names[at]), *(int(column[at]) for column in columns)) for at in order)


def talkers_of(flows: FlowTable, *, most: int = TALKERS) -> Talkers:
    """Flows between the `most` busiest originators and the `most` busiest responders."""
    frame = flows.frame
    rows, columns = (_busiest(frame[name], most) for name in ("src_ip", "dst_ip"))
    at_row = pd.Index(rows).get_indexer(pd.Index(frame["src_ip"]))
    at_column = pd.Index(columns).get_indexer(pd.Index(frame["dst_ip"]))
    inside = (at_row >= 0) & (at_column >= 0)
    shape = len(rows), len(columns)
    cell = at_row[inside] * shape[1] + at_column[inside]
    matrix = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    return Talkers(
        tuple(rows),
        tuple(columns),
        matrix.astype(np.int64),
        int(frame["src_ip"].nunique()),
        int(frame["dst_ip"].nunique()),
        len(frame),
    )


def _busiest(values: "pd.Series[str]", most: int) -> list[str]:
    ranked = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return [str(name) for name in ranked.index[:most]]


# -- files ------------------------------------------------------------------------------------------------------------

_SERIES: Final = ("by_protocol", "by_service", "marks")


def write_overview(path: Path, overview: Overview) -> None:
    """Write an overview as an npz of integers and one JSON text."""
    arrays: dict[str, Any] = {"flows": overview.flows, "talkers": overview.talkers.matrix}
    meta: dict[str, Any] = {"version": VERSION, "hosts": [asdict(host) for host in overview.hosts]}
    for name in ("start", "width", "span", "from_packets", "protocols", "all_hosts", "services"):
        meta[name] = getattr(overview, name)
    talkers = overview.talkers
    meta["talkers"] = [
        talkers.originators,
        talkers.responders,
        talkers.all_originators,
        talkers.all_responders,
        talkers.flows,
    ]
    for name in _SERIES:
        series: Series = getattr(overview, name)
        meta[name] = series.names
        arrays[f"{name}_packets"], arrays[f"{name}_bytes"] = series.packets, series.bytes
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, **arrays)


def read_overview(path: Path) -> Overview:
    """Read an overview.

    Raises
    ------
    DocumentError
        When the file is broken or of another version.
    """
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as held:
            meta = json.loads(held["meta"].tobytes())
            if meta["version"] != VERSION:
                raise DocumentError(f"{path} is of version {meta['version']}.", hint="Read the capture again.")
            series = {
                name: Series(tuple(meta[name]), held[f"{name}_packets"], held[f"{name}_bytes"]) for name in _SERIES
            }
            originators, responders, *totals = meta["talkers"]
            return Overview(
                start=meta["start"],
                width=meta["width"],
                span=meta["span"],
                from_packets=meta["from_packets"],
                by_protocol=series["by_protocol"],
                by_service=series["by_service"],
                marks=series["marks"],
                flows=held["flows"],
                protocols={name: (packets, size) for name, (packets, size) in meta["protocols"].items()},
                hosts=tuple(Host(**host) for host in meta["hosts"]),
                all_hosts=meta["all_hosts"],
                talkers=Talkers(tuple(originators), tuple(responders), held["talkers"], *totals),
                services=meta.get("services", {}),
            )
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"{path} is broken: {error}.", hint="Read the capture again.") from error
