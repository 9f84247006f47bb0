"""An independent reader finds nothing malformed: tshark over forged captures of many services."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from netsynth_core.flows.services import RULES
from netsynth_core.forge import forge_capture
from netsynth_core.forge.payloads.makers import MAKERS
from netsynth_core.forge.payloads.strict import DOORS
from tests.forge.forging import http_words, model_of, pooled_words, table
from tests.tools import needs

CHECKS = [item for name in ("ip", "tcp", "udp") for item in ("-o", f"{name}.check_checksum:TRUE")]
BAD = (
    '_ws.malformed || _ws.expert.group == "Malformed" || ip.checksum.status == 0 || tcp.checksum.status == 0 '
    "|| udp.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0"
)


def _rows(capture: Path, filter: str) -> list[str]:
    command = ["tshark", "-r", str(capture), *CHECKS, "-Y", filter]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@needs("tshark")
def test_tshark_finds_no_malformed_packet_and_no_bad_checksum(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    doors = [("TCP", p) for rule in RULES if rule.name in MAKERS for p in rule.tcp]
    doors += [("UDP", p) for rule in RULES if rule.name in MAKERS for p in rule.udp]
    doors += [("TCP", 9999), ("UDP", 9998), ("ICMP", 0)]
    rows: list[dict[str, object]] = []
    for proto, port in doors:
        for turn in range(3):
            fwd, bwd = (int(rng.integers(2, 9)) + 2 for _ in range(2))
            octets = {"fwd_bytes": fwd * int(rng.integers(70, 600)), "bwd_bytes": bwd * int(rng.integers(70, 1100))}
            ends = {
                "src_ip": f"10.0.{len(rows) // 250}.{len(rows) % 250 + 1}",
                "dst_ip": "10.9.0.1",
                "src_port": 50_000,
            }
            if turn == 2:
                ends |= {"src_ip": f"fd00::{len(rows) + 1:x}", "dst_ip": "fd00:9::1"}
            more = {"src_port": 128 if turn == 2 else 8} if proto == "ICMP" else {}
            flags = ".AP.SF" if proto == "TCP" else "......"
            rows.append({"proto": proto, "dst_port": port, "fwd_packets": fwd, "bwd_packets": bwd, "flags": flags}
                        | octets | ends | more)  # fmt: skip
    web = {"service": "http", "state": "SF", "dst_port": 80, "src_ip": "10.1.1.1"}
    rows += [
        web | {"fwd_packets": f, "bwd_packets": f, "fwd_bytes": 150 * f, "bwd_bytes": 700 * f} for f in range(6, 20)
    ]
    report = forge_capture(table(rows), [model_of(http_words())], path=tmp_path / "x.pcap", rng=rng)
    assert report.drawn >= 10
    assert _rows(tmp_path / "x.pcap", BAD) == []
    # nothing here is noise, so nothing may look like loss or repetition either
    suspicious = "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || tcp.analysis.duplicate_ack"
    assert _rows(tmp_path / "x.pcap", f"{suspicious} || tcp.analysis.retransmission || tcp.analysis.out_of_order") == []


@needs("tshark")
@pytest.mark.parametrize("swapped", [False, True])
def test_packets_of_pooled_models_stay_valid(tmp_path: Path, swapped: bool) -> None:
    rng = np.random.default_rng(8)
    doors = [("TCP", p) for rule in RULES if rule.name in MAKERS for p in rule.tcp]
    doors += [("UDP", p) for rule in RULES if rule.name in MAKERS for p in rule.udp]
    doors += [("TCP" if proto == 6 else "UDP", port) for proto, port in DOORS]
    rows: list[dict[str, object]] = []
    for proto, port in doors:
        for _ in range(3):
            turns = int(rng.integers(1, 5))
            opening_and_end = (4, 2) if proto == "TCP" else (0, 0)
            row: dict[str, object] = {"src_ip": f"10.0.{len(rows) // 250}.{len(rows) % 250 + 1}", "dst_ip": "10.9.0.1"}
            row |= {"src_port": port, "dst_port": 50_001} if swapped else {"src_port": 50_001, "dst_port": port}
            row |= {"proto": proto, "service": proto.lower(), "state": "SF" if proto == "TCP" else ""}
            row |= {"flags": ".AP.SF" if proto == "TCP" else "......"}
            row |= {"fwd_packets": turns + opening_and_end[0], "bwd_packets": turns + opening_and_end[1]}
            row |= {"fwd_bytes": -1, "bwd_bytes": -1}
            rows.append(row)
    models = [model_of(pooled_words("tcp")), model_of(pooled_words("udp"))]
    report = forge_capture(table(rows), models, path=tmp_path / "x.pcap", rng=rng)
    assert report.drawn == len(rows)
    assert _rows(tmp_path / "x.pcap", BAD) == []
    # the service's port is the server's: answers come from it
    wrong = "(dns.flags.response == 1 && udp.dstport == 53) || (dns.flags.response == 0 && udp.srcport == 53)"
    assert _rows(tmp_path / "x.pcap", f"{wrong} || (dhcp.type == 2 && udp.dstport == 67)") == []
    assert len(_rows(tmp_path / "x.pcap", "dns.flags.response == 1 && udp.srcport == 53")) >= 3
