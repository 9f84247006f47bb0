"""What the forge makes for a service is read again as that service."""

from pathlib import Path

import numpy as np

from netsynth_core.flows.services import RULES
from netsynth_core.flows.source import read_flows
from netsynth_core.forge import forge_capture
from netsynth_core.forge.payloads.makers import MAKERS
from tests.forge.forging import table


def test_forged_flows_are_of_their_service(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = []
    for rule in RULES:
        doors = [("TCP", port) for port in rule.tcp] + [("UDP", port) for port in rule.udp]
        for proto, port in doors if rule.name in MAKERS else ():
            for turn in range(4):
                ends = {"src_ip": f"10.1.{len(rows) // 250}.{len(rows) % 250 + 1}", "dst_port": port, "proto": proto}
                octets = {"fwd_bytes": 540 + 200 * turn, "bwd_bytes": 600 + 300 * turn}
                flags = {"flags": ".AP.SF" if proto == "TCP" else "......", "state": "SF"}
                rows.append(ends | octets | flags | {"service": rule.name})
    forge_capture(table(rows), [], path=tmp_path / "a.pcap", rng=np.random.default_rng(1))
    read = read_flows(tmp_path / "a.pcap").flows.frame
    found = {(row.src_ip, row.dst_port): row.service for row in read.itertuples()}
    pairs = [
        (row["service"], row["proto"], row["dst_port"], found.get((row["src_ip"], row["dst_port"]))) for row in rows
    ]
    assert len(rows) > 150
    assert [pair for pair in pairs if pair[0] != pair[3]] == []
