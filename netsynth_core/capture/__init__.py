"""Captures: bytes of pcap and pcapng files become columns of packets, and a report on what was met on the way."""

from netsynth_core.capture.packets import Capture, PacketTable, ReadReport
from netsynth_core.capture.reading import join_packets, read_capture, read_captures

__all__ = ["Capture", "PacketTable", "ReadReport", "join_packets", "read_capture", "read_captures"]
