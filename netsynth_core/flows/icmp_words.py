"""What ICMP flows are about, in words: their types and codes stand in the columns of ports (RFC 792, RFC 4443)."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_NAMES = {
    "icmp": {
        0: "echo reply", 3: "unreachable", 4: "source quench", 5: "redirect", 8: "echo", 9: "router advertisement",
        10: "router solicitation", 11: "time exceeded", 12: "parameter problem", 13: "timestamp",
        14: "timestamp reply", 17: "address mask", 18: "address mask reply",
    },
    "icmpv6": {
        1: "unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem", 128: "echo",
        129: "echo reply", 130: "listener query", 131: "listener report", 132: "listener done",
        133: "router solicitation", 134: "router advertisement", 135: "neighbor solicitation",
        136: "neighbor advertisement", 137: "redirect", 143: "listener report v2",
    },
}  # fmt: skip
"""Types by IANA's lists."""


def messages(frame: pd.DataFrame) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    """For each flow what its ICMP message is ("" for others), and whether its ports are ports."""
    said = np.full(len(frame), "", dtype=object)
    codes, protocols = pd.factorize(frame["proto"])
    has_ports = np.ones(len(frame), np.bool_)
    for at, name in enumerate(protocols):
        known = _NAMES.get(str(name).lower())
        if known is None:
            continue
        rows = np.flatnonzero(codes == at)
        has_ports[rows] = False
        kinds = frame["src_port"].to_numpy()[rows].tolist()
        said[rows] = [f"{known.get(kind, 'type')} ({kind})" if kind >= 0 else "" for kind in kinds]
    return said, has_ports
