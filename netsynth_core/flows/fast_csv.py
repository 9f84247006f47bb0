"""The CSV of metered flows straight from their columns: the same bytes as the flow table's writer, without pandas."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.files import atomic_path
from netsynth_core.flows.columns import FLAG_TEXTS, PROTO_TEXTS, FlowColumns, MeteredFlows
from netsynth_core.flows.states import HISTORY_LETTERS, STATES

NAMES: Final = (
    "ts", "duration", "proto", "src_ip", "src_port", "dst_ip", "dst_port", "fwd_packets", "bwd_packets", "fwd_bytes",
    "bwd_bytes", "flags", "service", "state", "label",
)  # fmt: skip
"""The columns every file has; `history` and `server_name` follow where one is set."""

_ROWS: Final = 1 << 15
_NUMBERS: Final = 400
"""Most bytes of the numbers, addresses and separators of a line."""


def write_columns(path: str | Path, flows: MeteredFlows) -> None:
    """Write flows as CSV, gzip for ``.gz``; whole or not at all."""
    target = Path(path)
    with atomic_path(target) as temporary, temporary.open("wb") as handle:
        if target.suffix != ".gz":
            for part in csv_parts(flows):
                handle.write(part)
            return
        # gzip without a time in its header: equal flows give equal bytes
        packer = zlib.compressobj(6, wbits=31)
        for part in csv_parts(flows):
            handle.write(packer.compress(part))
        handle.write(packer.flush())


def csv_parts(flows: MeteredFlows) -> Iterator[bytes]:
    """The CSV of flows in parts: the header, then lines."""
    told, named = flows.has_history, flows.has_server_names
    yield (",".join((*NAMES, *(["history"] if told else []), *(["server_name"] if named else []))) + "\n").encode()
    for part in flows.parts():
        yield from _lines(part, told=told, named=named)


def _lines(flows: FlowColumns, *, told: bool, named: bool) -> Iterator[bytes]:
    """The lines of some flows; whether they tell histories and server names."""
    from netsynth_core.flows._meter_kernels import write_rows

    texts, codes = _pool(flows)
    encoded = [_cell(text).encode() for text in texts]
    starts = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    pool = np.frombuffer(b"".join(encoded) or b"\0", np.uint8)
    letters = np.frombuffer(HISTORY_LETTERS.encode(), np.uint8)
    longest = _NUMBERS + 5 * max(map(len, encoded)) + 12 * flows.history.shape[1]
    out = np.empty(min(_ROWS, max(len(flows), 1)) * longest, np.uint8)
    addresses = np.stack([flows.src_hi, flows.src_lo, flows.dst_hi, flows.dst_lo])
    ports = np.stack([flows.src_port, flows.dst_port])
    counts = np.stack([flows.fwd_packets, flows.bwd_packets, flows.fwd_bytes, flows.bwd_bytes])
    for begin in range(0, len(flows), _ROWS):
        end = min(begin + _ROWS, len(flows))
        size = write_rows(
            begin, end, flows.ts, flows.duration, addresses, ports, counts, codes, pool, starts,
            flows.history, letters, told, named, out,
        )  # fmt: skip
        yield out[:size].tobytes()


def _pool(flows: FlowColumns) -> tuple[list[str], NDArray[np.int32]]:
    """All texts of the flows, and which of them stands in proto, flags, service, state and server name."""
    names = dict.fromkeys(flows.server_name.tolist())
    place = {name: k for k, name in enumerate(names)}
    asked = np.fromiter(map(place.__getitem__, flows.server_name.tolist()), np.int32, len(flows))
    columns: list[tuple[tuple[str, ...], NDArray[np.uint8] | NDArray[np.int32]]] = [
        (PROTO_TEXTS, flows.proto),
        (FLAG_TEXTS, flows.flags),
        (flows.services, flows.service),
        (STATES, flows.state),
        (tuple(place), asked),
    ]
    codes = np.empty((len(columns), len(flows)), np.int32)
    texts: list[str] = []
    for line, (table, column) in enumerate(columns):
        codes[line] = column.astype(np.int32) + len(texts)
        texts += table
    return texts, codes


def _cell(text: str) -> str:
    """A text as a cell of CSV (RFC 4180 section 2)."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text
