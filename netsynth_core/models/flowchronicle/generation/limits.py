"""What sampled numbers must obey because every training flow did, flow by flow: the rules of `repair` as arrays.

Bytes lie between the fewest and the most bytes a packet that were seen for what carries the flow (its protocol, its IP
version and, for TCP, its flags): at least headers, at most the learnt MTU.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.repair import Rules, carrier_key

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
FAR = 2**62
MOST_BYTES = 1e9


@dataclass(frozen=True, eq=False)
class Limits:
    """Bytes a packet by protocol, IP version and flags, and the rules about packets and durations."""

    rules: Rules
    place: dict[str, int]
    """Column numbers by name."""
    sixth: NDArray[np.bool_]
    """Which address codes are IPv6."""
    least: Floats
    """Fewest bytes a packet: protocols x IP versions x flags x directions."""
    most: Floats
    """Most."""

    @classmethod
    def of(cls, rules: Rules, columns: Sequence[Column]) -> "Limits":
        """The limits of a model's rules."""
        place = {column.name: c for c, column in enumerate(columns)}
        protos, flags, hosts = (columns[place[name]].values for name in ("proto", "flags", "src_ip"))
        shape = (len(protos), 2, len(flags), 2)
        least, most = np.zeros(shape), np.full(shape, np.inf)
        for p, proto in enumerate(protos):
            for version in range(2):
                for f, flag in enumerate(flags):
                    for way, name in enumerate(("fwd", "bwd")):
                        general, special = (
                            carrier_key(proto, version == 1),
                            carrier_key(proto, version == 1, flag, name),
                        )
                        known = special if special in rules.least_bytes else general
                        least[p, version, f, way] = rules.least_bytes.get(known, 0.0)
                        most[p, version, f, way] = rules.most_bytes.get(known, np.inf)
        sixth = np.array([":" in host for host in hosts], np.bool_)
        return cls(rules, place, sixth, least, most)

    def of_bytes(self, codes: NDArray[np.int32], packets: Ints, way: int) -> tuple[Ints, Ints]:
        """Fewest and most bytes of each flow (flows x columns) in one direction."""
        at = (
            codes[:, self.place["proto"]],
            self.sixth[codes[:, self.place["src_ip"]]].astype(np.int64),
            codes[:, self.place["flags"]],
            np.full(len(codes), way),
        )
        least, most = self.least[at], self.most[at]
        low = np.ceil(packets * least - 1e-6).astype(np.int64)
        high = np.where(np.isfinite(most), np.floor(packets * np.minimum(most, MOST_BYTES) + 1e-6), FAR)
        high = np.maximum(high.astype(np.int64), low)
        none = packets == 0
        if self.rules.packets_with_bytes:
            return np.where(none, 0, np.maximum(low, 1)), np.where(none, 0, np.maximum(high, 1))
        return np.where(none, 0, low), np.where(none, FAR, high)

    def of_duration(self, packets: Ints) -> tuple[Ints, Ints]:
        """Shortest and longest duration (ns) of flows with so many packets in both directions."""
        low, high = np.zeros(len(packets), np.int64), np.full(len(packets), FAR)
        if self.rules.lone_packet_takes_no_time:
            high[packets <= 1] = 0
        if self.rules.more_packets_take_time:
            low[packets > 1] = self.rules.least_duration
        return low, high
