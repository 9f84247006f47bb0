"""From frames to packets: link, IP and transport headers become the columns of `PacketTable`.

A frame that holds no whole IP packet gives no row; it is counted by reason, with the number of the first of its kind.
Nothing raises on broken bytes.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.packets import PacketTable, ReadReport
from netsynth_core.capture.records import Frames
from netsynth_core.monitor import SILENT, Monitor

REASONS: Final = (
    "",
    "not IP: ARP",
    "not IP: LLC",
    "not IP: other EtherType",
    "truncated link header",
    "truncated IPv4 header",
    "broken IPv4 header",
    "truncated IPv6 header",
    "broken IPv6 header",
    "truncated IPv6 extension header",
    "truncated TCP header",
    "truncated UDP header",
    "truncated ICMP header",
    "broken TCP header",
    "broken UDP header",
    "IP fragment after the first",
    "unsupported link type",
    "instant out of range",
    "not IP: LLDP",
    "not IP: PPP control",
    "not IP: EAPOL",
    "broken ICMP header",
    "not IP: unknown version or family",
)
"""Text of each reason code of `_kernels`; code 0 is a row."""

LINK_NAMES: Final = {
    0: "loopback (BSD)",
    1: "Ethernet",
    9: "PPP",
    10: "FDDI",
    12: "raw IP",
    14: "raw IP",
    50: "PPP (HDLC)",
    101: "raw IP",
    105: "IEEE 802.11",
    108: "loopback (OpenBSD)",
    113: "Linux cooked v1",
    127: "IEEE 802.11 radiotap",
    228: "raw IPv4",
    229: "raw IPv6",
    276: "Linux cooked v2",
}

_DTYPES: Final = {
    "ts": np.int64,
    "src_hi": np.uint64,
    "src_lo": np.uint64,
    "dst_hi": np.uint64,
    "dst_lo": np.uint64,
    "proto": np.uint8,
    "src_port": np.uint16,
    "dst_port": np.uint16,
    "ip_length": np.int32,
    "flags": np.uint8,
    "seq": np.uint32,
    "ack": np.uint32,
    "window": np.uint16,
    "ttl": np.uint8,
    "payload_offset": np.int64,
    "payload_length": np.int32,
    "payload_captured": np.int32,
    "frame": np.uint32,
    "file": np.uint16,
    "ip_id": np.uint16,
    "header_length": np.uint8,
    "fragment": np.uint8,
}


def dissect(frames: Frames, path: str, *, monitor: Monitor = SILENT) -> tuple[PacketTable, ReadReport]:
    """Dissect frames into packets.

    Parameters
    ----------
    frames
        Where the frames lie.
    path
        What the report calls the file.

    Returns
    -------
    tuple[PacketTable, ReadReport]
        The packets in file order, and what was met on the way.
    """
    from netsynth_core.capture import _kernels

    n = len(frames.offset)
    columns = {name: np.empty(n, dtype) for name, dtype in _DTYPES.items()}
    reason = np.empty(n, np.uint8)
    given = (frames.data, frames.offset, frames.captured, frames.length, frames.ts, frames.link)
    arrays: list[NDArray[np.generic]] = [*given, *columns.values(), reason]
    rows, size = _kernels.dissect_frames(*arrays)
    monitor.step("dissecting", n, n, packets=int(rows))
    packets = PacketTable(data=frames.data, **{name: column[:rows] for name, column in columns.items()})
    return packets, _report(frames, path, packets, int(size), reason)


def _report(frames: Frames, path: str, packets: PacketTable, size: int, reason: NDArray[np.uint8]) -> ReadReport:
    counts = np.bincount(reason, minlength=len(REASONS))
    skipped = {REASONS[code]: int(counts[code]) for code in np.argsort(-counts, kind="stable") if code and counts[code]}
    first = {text: int(np.argmax(reason == REASONS.index(text))) + 1 for text in skipped}
    links, per_link = np.unique(frames.link, return_counts=True)
    names: dict[str, int] = {}
    for code, count in zip(links.tolist(), per_link.tolist(), strict=True):
        name = LINK_NAMES.get(code, f"link type {code}")
        names[name] = names.get(name, 0) + count
    notes = list(frames.notes)
    if len(reason) == 0:
        notes.append("The file holds a header and no packets.")
    elif len(packets) == 0:
        notes.append("No frame of the file holds an IP packet.")
    return ReadReport(
        path=path,
        format=frames.format,
        packets=len(packets),
        bytes=size,
        first_ts=int(packets.ts.min()) if len(packets) else None,
        last_ts=int(packets.ts.max()) if len(packets) else None,
        link_types=names,
        skipped=skipped,
        first_skipped=first,
        notes=tuple(notes),
        truncated=frames.truncated,
    )
