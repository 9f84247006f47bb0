"""The compiled loops of metering: whether an earlier run left them, and compiling them beside other work.

Compiling takes seconds of one core, once per machine. The loops that read captures are compiled by whoever reads first;
those here can be compiled at the same time by another process, which leaves them where this one finds them.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np

from netsynth_core.capture.packets import PacketTable


def is_compiled() -> bool:
    """Whether an earlier run left the compiled loops where this one finds them."""
    from netsynth_core.flows._meter_kernels import meter

    return meter.is_kept()


@contextmanager
def compiling_beside() -> Iterator[Callable[[], None]]:
    """Compile the loops in another process while the block does something else, where they are not compiled yet.

    Yields
    ------
    Callable[[], None]
        Waits until they are. When the other process fails, the loops are compiled when they are first called.
    """
    helper = None
    if sys.executable and not getattr(sys, "frozen", False) and not is_compiled():
        command = [sys.executable, "-c", f"from {__name__} import compile_loops; compile_loops()"]
        with suppress(OSError):
            helper = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

    def wait() -> None:
        if helper is not None:
            helper.wait()

    try:
        yield wait
    finally:
        if helper is not None and helper.poll() is None:
            helper.kill()
            helper.wait()


def compile_loops() -> None:
    """Compile the loops by metering one packet and writing its flow."""
    from netsynth_core.flows.columns import FlowColumns
    from netsynth_core.flows.fast_csv import csv_parts
    from netsynth_core.flows.metering import FlowMeter

    meter = FlowMeter(keep_packets=False)
    meter.feed(_one_packet())
    flows = meter.finish().source
    if isinstance(flows, FlowColumns):
        list(csv_parts(flows))


def _one_packet() -> PacketTable:
    """A table like those that reading yields: the types of its columns are what is compiled for."""
    dtypes = {
        "ts": np.int64, "src_hi": np.uint64, "src_lo": np.uint64, "dst_hi": np.uint64, "dst_lo": np.uint64,
        "proto": np.uint8, "src_port": np.uint16, "dst_port": np.uint16, "ip_length": np.int32, "flags": np.uint8,
        "seq": np.uint32, "ack": np.uint32, "window": np.uint16, "ttl": np.uint8, "payload_offset": np.int64,
        "payload_length": np.int32, "payload_captured": np.int32, "frame": np.uint32, "file": np.uint16,
        "ip_id": np.uint16, "header_length": np.uint8, "fragment": np.uint8,
    }  # fmt: skip
    data = np.zeros(64, np.uint8)
    data.setflags(write=False)
    return PacketTable(data=data, **{name: np.ones(1, dtype) for name, dtype in dtypes.items()})
