"""Metered flows as plain columns: what metering yields and what files are written from.

Nothing here needs pandas until a `FlowTable` is asked for. Rows are in order of the flows' first packets.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.packets import PROTO_ICMP, PROTO_ICMP6, PROTO_NAMES
from netsynth_core.flows.states import HISTORY_LETTERS, STATES

if TYPE_CHECKING:
    from netsynth_core.flows.table import FlowTable

ICMP_PAIRS: Final = (
    *((PROTO_ICMP, q, a) for q, a in ((8, 0), (13, 14), (15, 16), (17, 18), (10, 9))),
    *((PROTO_ICMP6, q, a) for q, a in ((128, 129), (133, 134), (135, 136), (139, 140), (130, 131))),
)
"""ICMP types of requests and of their answers, which share a flow."""

PROTO_TEXTS: Final = tuple(PROTO_NAMES.get(number, str(number)) for number in range(256))
FLAG_TEXTS: Final = tuple(
    "".join(c if v & b else "." for c, b in zip("UAPRSF", (32, 16, 8, 4, 2, 1), strict=True)) for v in range(256)
)
"""The UAPRSF text of each value of the flags byte."""
HISTORY_WORDS: Final = 3
"""64-bit words of a history; each holds twelve letters of five bits, from the low bits up, 0 = none."""


@dataclass(frozen=True)
class FlowTotals:
    """Sums over flows."""

    ip_bytes: int = 0
    """Both directions."""
    icmp: int = 0
    icmp6: int = 0
    """Flows of ICMP and ICMPv6 without a service."""

    def __add__(self, other: "FlowTotals") -> "FlowTotals":
        return FlowTotals(self.ip_bytes + other.ip_bytes, self.icmp + other.icmp, self.icmp6 + other.icmp6)


class MeteredFlows(ABC):
    """Metered flows in order of their first packets, in memory or in a file."""

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def has_history(self) -> bool:
        """Whether any flow has a history."""

    @property
    @abstractmethod
    def has_server_names(self) -> bool:
        """Whether any flow has a server name."""

    @abstractmethod
    def service_counts(self) -> dict[str, int]:
        """Flows per service, ``""`` for unknown ones."""

    @abstractmethod
    def totals(self) -> FlowTotals:
        """Sums over all flows."""

    @abstractmethod
    def parts(self) -> "Iterator[FlowColumns]":
        """The flows in parts that fit into memory."""

    @abstractmethod
    def table(self) -> "FlowTable":
        """All of them as one table."""


@dataclass(frozen=True, eq=False)
class FlowColumns(MeteredFlows):
    """One value per flow and column; addresses and the originator as in `FlowTable`."""

    ts: NDArray[np.int64]
    """First packet, ns since the epoch, in order."""
    duration: NDArray[np.int64]
    """ns."""
    proto: NDArray[np.uint8]
    src_hi: NDArray[np.uint64]
    src_lo: NDArray[np.uint64]
    dst_hi: NDArray[np.uint64]
    dst_lo: NDArray[np.uint64]
    src_port: NDArray[np.int32]
    dst_port: NDArray[np.int32]
    fwd_packets: NDArray[np.int64]
    bwd_packets: NDArray[np.int64]
    fwd_bytes: NDArray[np.int64]
    bwd_bytes: NDArray[np.int64]
    flags: NDArray[np.uint8]
    """Union of the TCP flags."""
    state: NDArray[np.uint8]
    """Position in `STATES`."""
    history: NDArray[np.uint64]
    """(n, `HISTORY_WORDS`) letters as positions in `HISTORY_LETTERS`."""
    service: NDArray[np.int32]
    """Position in `services`."""
    services: tuple[str, ...]
    server_name: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def has_history(self) -> bool:
        """Whether any flow has a history."""
        return bool(self.history.any())

    @property
    def has_server_names(self) -> bool:
        """Whether any flow has a server name."""
        return any(self.server_name.tolist())

    def parts(self) -> "Iterator[FlowColumns]":
        """These flows at once."""
        yield self

    def service_counts(self) -> dict[str, int]:
        """Flows per service, ``""`` for unknown ones."""
        counts = np.bincount(self.service, minlength=len(self.services)).tolist()
        return {name: count for name, count in zip(self.services, counts, strict=True) if count}

    def totals(self) -> FlowTotals:
        """Sums over all flows."""
        nameless = np.array([name == "" for name in self.services], bool)[self.service]
        icmp, icmp6 = (int((nameless & (self.proto == number)).sum()) for number in (PROTO_ICMP, PROTO_ICMP6))
        return FlowTotals(int(self.fwd_bytes.sum() + self.bwd_bytes.sum()), icmp, icmp6)

    def histories(self) -> NDArray[np.str_]:
        """The history of each flow as text."""
        letters = np.zeros((len(self), 12 * HISTORY_WORDS), np.uint8)
        for k in range(12 * HISTORY_WORDS):
            letters[:, k] = self.history[:, k // 12] >> np.uint64(5 * (k % 12)) & np.uint64(31)
        texts = np.frombuffer(HISTORY_LETTERS.encode(), np.uint8)[letters]
        texts[letters == 0] = 0
        return np.ascontiguousarray(texts).view(f"S{12 * HISTORY_WORDS}")[:, 0].astype(np.str_)

    def table(self) -> "FlowTable":
        """The same flows as a table."""
        import pandas as pd

        from netsynth_core.capture.addresses import format_addresses
        from netsynth_core.flows.table import FlowTable

        def texts(values: tuple[str, ...], codes: NDArray[Any]) -> NDArray[np.object_]:
            chosen: NDArray[np.object_] = np.array(values, dtype=object)[codes]
            return chosen

        both = format_addresses(np.concatenate([self.src_hi, self.dst_hi]), np.concatenate([self.src_lo, self.dst_lo]))
        columns = {
            "ts": self.ts,
            "duration": self.duration,
            "proto": texts(PROTO_TEXTS, self.proto),
            "src_ip": both[: len(self)],
            "src_port": self.src_port,
            "dst_ip": both[len(self) :],
            "dst_port": self.dst_port,
            "fwd_packets": self.fwd_packets,
            "bwd_packets": self.bwd_packets,
            "fwd_bytes": self.fwd_bytes,
            "bwd_bytes": self.bwd_bytes,
            "flags": texts(FLAG_TEXTS, self.flags),
            "service": texts(self.services, self.service),
            "state": texts(STATES, self.state),
            "history": self.histories().astype(object),
            "server_name": self.server_name,
        }
        return FlowTable.from_columns(pd.DataFrame(columns))
