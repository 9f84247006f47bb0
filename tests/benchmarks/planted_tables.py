"""Flow tables of any size with planted sessions, like the benchmark tables but larger: ``python
tests/benchmarks/planted_tables.py 200k DIR``.

The mix of sessions and their delays are those of ``shared/bench/README.md``, the sizes follow the tables there. A table
of s times 20 000 flows has s**0.5 times the clients (60) and external hosts (300), lasts s**0.6 times 15.4 hours and
has s**0.4 times the sessions a second: one million flows are a week of 690 clients at two flows a second. The truth has
the columns row, session, kind, pos of the benchmark tables.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.flows.table import FlowTable

Floats = NDArray[np.float64]
Names = NDArray[np.object_]
MIX = {"web": 0.38, "web4": 0.10, "http": 0.08, "mail": 0.10, "proxy": 0.08, "smb": 0.06, "noise": 0.20}
FLOWS_PER_SESSION = 1.892
RATE = 0.30
START = 1_489_104_000
FLAGS = np.array([".AP.SF", ".APRSF", ".AP.S.", ".A..SF"], object)
FLAG_SHARES = [0.78, 0.10, 0.08, 0.04]
RESOLVER, MAIL, PROXY, FILES, DOMAIN = (f"192.168.100.{n}" for n in (5, 4, 7, 8, 3))


@dataclass(frozen=True)
class Size:
    """Sizes of the TCP flows of one service: median packets and log-sd, median bytes a packet each way, seconds."""

    packets: float
    spread: float
    forward: float
    backward: float
    seconds: float


SIZES = {
    80: Size(8, 0.68, 220, 1180, 0.37),
    443: Size(14, 0.72, 150, 690, 0.68),
    993: Size(11, 0.70, 80, 290, 0.55),
    8080: Size(15, 0.69, 170, 880, 0.73),
    445: Size(39, 0.69, 165, 740, 2.0),
    88: Size(5, 0.56, 90, 330, 0.26),
    22: Size(60, 0.80, 75, 90, 3.0),
}


class Network:
    """Who there is, and how active."""

    def __init__(self, scale: float, rng: np.random.Generator) -> None:
        self.rng = rng
        clients, hosts = round(60 * scale**0.5), round(300 * scale**0.5)
        self.clients = np.array([f"192.168.{200 + i // 250}.{2 + i % 250}" for i in range(clients)], object)
        weights = rng.lognormal(0.0, 1.1, clients)
        self.activity = weights / weights.sum()
        self.hosts = np.array(
            [f"{1 + i % 199}.{rng.integers(256)}.{i // 199}.{rng.integers(1, 255)}" for i in range(hosts)], object
        )
        popular = (1.0 + np.arange(hosts)) ** -1.1
        self.popularity = popular / popular.sum()

    def some_clients(self, n: int) -> Names:
        """Clients by their activity."""
        return self.clients[self.rng.choice(len(self.clients), n, p=self.activity)]

    def some_hosts(self, n: int) -> Names:
        """External hosts by their popularity."""
        return self.hosts[self.rng.choice(len(self.hosts), n, p=self.popularity)]

    def delay(self, n: int, median: float, spread: float) -> Floats:
        """Log-normal delays, s."""
        return self.rng.lognormal(np.log(median), spread, n)

    def tcp(self, ts: Floats, src: Names | str, dst: Names | str, port: int) -> pd.DataFrame:
        """Answered TCP flows of a service."""
        n, rng, size = len(ts), self.rng, SIZES[port]
        forward = np.maximum(3, np.rint(rng.lognormal(np.log(size.packets), size.spread, n)))
        backward = np.maximum(2, np.rint(forward * rng.lognormal(0.06, 0.2, n)))
        return pd.DataFrame(
            {
                "ts": ts, "proto": "TCP", "src_ip": src, "dst_ip": dst, "dst_port": port,
                "fwd_packets": forward, "bwd_packets": backward,
                "fwd_bytes": 40 * forward + rng.lognormal(np.log(size.packets * (size.forward - 40)), 0.6, n),
                "bwd_bytes": 40 * backward + rng.lognormal(np.log(size.packets * (size.backward - 40)), 1.0, n),
                "duration": size.seconds / size.packets * forward * rng.lognormal(0.0, 0.9, n),
                "flags": rng.choice(FLAGS, n, p=FLAG_SHARES),
            }
        )  # fmt: skip

    def udp(
        self, ts: Floats, src: Names | str, dst: Names | str, port: int, asked: float, answered: float
    ) -> pd.DataFrame:
        """One datagram, answered by one of `answered` bytes (0: by none)."""
        n, rng = len(ts), self.rng
        back = float(answered > 0)
        return pd.DataFrame(
            {
                "ts": ts, "proto": "UDP", "src_ip": src, "dst_ip": dst, "dst_port": port,
                "fwd_packets": 1.0, "bwd_packets": back, "fwd_bytes": asked + rng.normal(0, 7 * (port == 53), n),
                "bwd_bytes": answered * rng.lognormal(0.0, 0.3 * (port == 53), n),
                "duration": back * rng.lognormal(np.log(0.012), 0.8, n), "flags": "......",
            }
        )  # fmt: skip

    def session(self, kind: str, ts: Floats) -> list[pd.DataFrame]:
        """Sessions of one kind that start at `ts`: a frame for each position, a row for each session."""
        n = len(ts)
        src, host = self.some_clients(n), self.some_hosts(n)
        if kind in ("web", "http"):
            web = self.tcp(ts + self.delay(n, 0.08, 0.6), src, host, 443 if kind == "web" else 80)
            return [self.udp(ts, src, RESOLVER, 53, 73, 145), web]
        if kind == "web4":
            second = ts + self.delay(n, 0.01, 0.5)
            web = self.tcp(second + self.delay(n, 0.08, 0.6), src, host, 443)
            return [self.udp(ts, src, RESOLVER, 53, 73, 145), self.udp(second, src, RESOLVER, 53, 83, 172), web]
        if kind == "mail":
            return [self.tcp(ts, src, MAIL, 993), self.tcp(ts + self.delay(n, 1.2, 0.6), src, host, 443)]
        if kind == "proxy":
            return [self.tcp(ts, src, PROXY, 8080), self.tcp(ts + self.delay(n, 0.03, 0.5), PROXY, host, 443)]
        return [self.tcp(ts, src, FILES, 445), self.tcp(ts + self.delay(n, 0.15, 0.5), src, DOMAIN, 88)]

    def noise(self, ts: Floats) -> pd.DataFrame:
        """Lone flows: NTP, NetBIOS, ICMP, SSH, SSDP, SYN probes from outside, HTTPS."""
        which = self.rng.integers(0, 7, len(ts))
        parts = [ts[which == k] for k in range(7)]
        clients = [self.some_clients(len(part)) for part in parts]
        ping = self.udp(parts[2], clients[2], self.some_hosts(len(parts[2])), 0, 84, 84).assign(proto="ICMP")
        probe = self.udp(parts[5], self.some_hosts(len(parts[5])), clients[5], 0, 40, 40).assign(proto="TCP")
        probe["dst_port"] = self.rng.choice([22, 23, 80, 445, 3389, 8080], len(probe))
        probe["flags"] = self.rng.choice(np.array(["...RS.", ".A.RS."], object), len(probe))
        return pd.concat(
            [
                self.udp(parts[0], clients[0], DOMAIN, 123, 76, 76),
                self.udp(parts[1], clients[1], "192.168.255.255", 137, 78, 0),
                ping,
                self.tcp(parts[3], clients[3], "192.168.100.2", 22),
                self.udp(parts[4], clients[4], "239.255.255.250", 1900, 161, 0),
                probe,
                self.tcp(parts[6], clients[6], self.some_hosts(len(parts[6])), 443),
            ]
        )


def session_starts(n: int, scale: float, rng: np.random.Generator) -> Floats:
    """`n` starts with the daily rhythm of the benchmark tables, s, ascending."""
    grid = np.arange(0, 40 * 86400 * max(scale, 1.0) ** 0.6, 60.0)
    hour = grid / 3600 % 24
    rate = RATE * scale**0.4 * (0.35 + 0.65 * np.exp(-(((hour - 13) / 5) ** 2)))
    mass = np.concatenate(([0.0], np.cumsum(rate * 60.0)))
    return np.asarray(np.interp(np.cumsum(rng.exponential(1.0, n)), mass, np.append(grid, grid[-1] + 60.0)))


def planted_table(flows: int, *, seed: int = 0) -> tuple[FlowTable, pd.DataFrame]:
    """About `flows` flows of whole sessions, and their truth (row, session, kind, pos)."""
    rng = np.random.default_rng(seed)
    scale = flows / 20_000
    network = Network(scale, rng)
    starts = session_starts(round(flows / FLOWS_PER_SESSION), scale, rng)
    kinds = rng.choice(len(MIX), len(starts), p=list(MIX.values()))
    frames = []
    for number, kind in enumerate(MIX):
        members = np.flatnonzero(kinds == number)
        if kind == "noise":
            noise = network.noise(starts[members])
            noise["session"] = members[np.searchsorted(starts[members], noise["ts"].to_numpy())]
            frames.append(noise.assign(kind=kind, pos=0))
            continue
        frames += [
            part.assign(session=members, kind=kind, pos=pos)
            for pos, part in enumerate(network.session(kind, starts[members]))
        ]
    table = pd.concat(frames, ignore_index=True)
    table["ts"] = (np.rint(table["ts"] * 1000).astype(np.int64) + START * 1000) * 1_000_000
    table["duration"] = np.rint(table["duration"] * 1000).astype(np.int64) * 1_000_000
    for name in ("fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes"):
        table[name] = np.rint(table[name]).astype(np.int64)
    table = table.sort_values(["ts", "session", "pos"], kind="stable", ignore_index=True)
    truth = table[["session", "kind", "pos"]].copy()
    truth.insert(0, "row", np.arange(len(truth)))
    return FlowTable.from_columns(table), truth


def count_of(name: str) -> int:
    """The number of flows that ``5k`` or ``1m`` means."""
    scale = {"k": 1_000, "m": 1_000_000}.get(name[-1:].lower(), 1)
    return int(float(name[:-1] if scale > 1 else name) * scale)


def write_table(name: str, folder: Path, *, seed: int = 0) -> tuple[Path, Path]:
    """Write ``flows_NAME.parquet`` and ``flows_NAME_truth.parquet`` unless they are there; their paths."""
    from netsynth_core.flows.table_io import write_flow_table

    paths = folder / f"flows_{name}.parquet", folder / f"flows_{name}_truth.parquet"
    if not all(path.exists() for path in paths):
        flows, truth = planted_table(count_of(name), seed=seed)
        write_flow_table(paths[0], flows)
        truth.to_parquet(paths[1])
    return paths


def main() -> None:
    """Write tables by name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="+", help="such as 200k 1m")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    for name in options.tables:
        write_table(name, options.folder)


if __name__ == "__main__":
    main()
