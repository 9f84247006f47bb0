"""Captures: bytes of pcap and pcapng files become columns of packets, and a report on what was met on the way."""

from netsynth_core.capture.options import ReadOptions
from netsynth_core.capture.packets import Capture, PacketTable, ReadReport
from netsynth_core.capture.reading import join_packets, read_bytes, read_capture, read_captures
from netsynth_core.capture.windows import CaptureWindows

__all__ = [
    "Capture",
    "CaptureWindows",
    "PacketTable",
    "ReadOptions",
    "ReadReport",
    "join_packets",
    "read_bytes",
    "read_capture",
    "read_captures",
]
