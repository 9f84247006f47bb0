"""Marks of TCP packets against tshark's analysis on the sample capture.

The two differ where tshark calls bytes that were captured before out of order, because they came again within the first
round trip: here they are retransmissions. Fast and spurious retransmissions of tshark count as retransmissions.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from netsynth_core.capture import PacketTable, read_capture
from netsynth_core.capture.packets import PROTO_TCP
from netsynth_core.flows.metering import Mark, MeterParams, meter_flows

SAMPLE = Path(__file__).parents[2] / "sample_data" / "office.pcap.gz"
FIELDS = {
    "retransmission": Mark.RETRANSMISSION,
    "spurious_retransmission": Mark.RETRANSMISSION,
    "fast_retransmission": Mark.RETRANSMISSION,
    "out_of_order": Mark.OUT_OF_ORDER,
    "duplicate_ack": Mark.DUPLICATE_ACK,
    "zero_window": Mark.ZERO_WINDOW,
    "lost_segment": Mark.GAP_BEFORE,
    "keep_alive": Mark.KEEP_ALIVE,
}


def tshark_marks(path: Path, packets: PacketTable) -> NDArray[np.uint8]:
    """The marks of each row by tshark."""
    names = [part for name in FIELDS for part in ("-e", f"tcp.analysis.{name}")]
    command = [
        "tshark",
        "-n",
        "-r",
        str(path),
        "-Y",
        "tcp.analysis.flags",
        "-T",
        "fields",
        "-e",
        "frame.number",
        *names,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    by_frame = np.zeros(int(packets.frame.max()) + 1, np.uint8)
    for line in done.stdout.splitlines():
        number, *cells = line.split("\t")
        for mark, cell in zip(FIELDS.values(), cells, strict=True):
            by_frame[int(number) - 1] |= mark if cell else 0
    return by_frame[packets.frame]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_marks_are_those_of_tshark() -> None:
    packets = read_capture(SAMPLE).packets
    ours = meter_flows(packets, MeterParams(idle_timeout_tcp=1e6, linger=1e6)).marks
    theirs = tshark_marks(SAMPLE, packets)
    assert not theirs[packets.proto != PROTO_TCP].any()
    for mark in (Mark.DUPLICATE_ACK, Mark.ZERO_WINDOW, Mark.GAP_BEFORE, Mark.KEEP_ALIVE):
        assert np.array_equal(ours & mark, theirs & mark)
    again, swapped = ours & Mark.RETRANSMISSION != 0, ours & Mark.OUT_OF_ORDER != 0
    their_again, their_swapped = theirs & Mark.RETRANSMISSION != 0, theirs & Mark.OUT_OF_ORDER != 0
    assert np.count_nonzero(their_again & ~again) <= 0.002 * np.count_nonzero(their_again)
    assert not np.any(swapped & ~their_swapped)
    # what only we call a retransmission is out of order to tshark, though its bytes were captured before
    assert not np.any(again & ~their_again & ~their_swapped)
    assert np.count_nonzero(again & their_swapped) < 0.03 * np.count_nonzero(again)
