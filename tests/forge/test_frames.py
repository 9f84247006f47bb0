"""The frame kernel equals its plain twin, byte by byte."""

from pathlib import Path

import dpkt
import numpy as np

from netsynth_core.forge import forge_capture
from netsynth_core.forge.frames import Frame, frame_bytes
from netsynth_core.forge.tcp import LAYOUTS
from tests.forge.forging import frames_of, table


def _twin(raw: bytes) -> Frame:
    """What a frame says, read with dpkt and the option layouts."""
    link = dpkt.ethernet.Ethernet(raw)
    ip = link.data
    six = isinstance(ip, dpkt.ip6.IP6)
    values: dict[str, object] = {
        "source_mac": int.from_bytes(link.src, "big"), "destination_mac": int.from_bytes(link.dst, "big"),
        "source": int.from_bytes(ip.src, "big"), "destination": int.from_bytes(ip.dst, "big"), "ipv6": six,
        "ttl": ip.hlim if six else ip.ttl, "proto": ip.nxt if six else ip.p, "identification": 0 if six else ip.id,
    }  # fmt: skip
    segment = raw[54 if six else 34 :]
    if isinstance(ip.data, dpkt.tcp.TCP):
        tcp = ip.data
        options = dict(dpkt.tcp.parse_opts(tcp.opts)) if tcp.opts else {}
        shape = [kind for kind, _ in dpkt.tcp.parse_opts(tcp.opts)] if tcp.opts else []
        layout = next(
            i for i, known in enumerate(LAYOUTS)
            if [k for k, _ in dpkt.tcp.parse_opts(known.raw)] == shape and len(known.raw) == len(tcp.opts)
        )  # fmt: skip
        stamps = options.get(8, bytes(8))
        values |= {
            "source_port": tcp.sport, "destination_port": tcp.dport, "sequence": tcp.seq, "acknowledgement": tcp.ack,
            "flags": tcp.flags, "window": tcp.win, "layout": layout, "payload": bytes(tcp.data),
            "stamp": int.from_bytes(stamps[:4], "big"), "echo": int.from_bytes(stamps[4:], "big"),
        }  # fmt: skip
    elif isinstance(ip.data, dpkt.udp.UDP):
        values |= {"source_port": ip.data.sport, "destination_port": ip.data.dport, "payload": segment[8:]}
    else:
        values |= {"source_port": segment[0], "destination_port": segment[1], "payload": segment[8:]}
        values["sequence"] = int.from_bytes(segment[4:8], "big")
    return Frame(**values)  # type: ignore[arg-type]


def test_the_kernel_writes_what_the_twin_writes(tmp_path: Path) -> None:
    hosts = [("192.0.2.1", "198.51.100.7"), ("2001:db8::1", "2001:db8::7"), ("EXT", "OPEN_NET")]
    rows: list[dict[str, object]] = []
    for source, sink in hosts:
        ends = {"src_ip": source, "dst_ip": sink}
        rows += [ends, ends | {"fwd_bytes": 240, "bwd_bytes": 200}, ends | {"dst_port": 443, "service": "tls"}]
        rows += [ends | {"proto": "UDP", "dst_port": 53, "flags": "......"}]
        echo = 128 if ":" in source else 8
        rows += [ends | {"proto": "ICMP", "src_port": echo, "dst_port": 0, "flags": "......"}]
        rows += [ends | {"proto": "ICMP", "src_port": 3, "dst_port": 1, "bwd_packets": 0, "flags": "......"}]
    forge_capture(table(rows), [], path=tmp_path / "x.pcap", rng=np.random.default_rng(0))
    frames = frames_of(tmp_path / "x.pcap")
    protocols = {_twin(raw).proto for _, raw in frames}
    assert protocols == {1, 6, 17, 58}
    for _, raw in frames:
        assert frame_bytes(_twin(raw)) == raw
