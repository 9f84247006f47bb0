"""The compiled loops of metering: whether an earlier run left them, and compiling them beside other work.

Compiling takes seconds of one core, once per machine. The loops that read captures are compiled by whoever reads first,
then the one that writes flows; those of metering, about as much work, at the same time by another process, which leaves
them where this one finds them.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

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
        Waits until they are, and compiles the loop that writes flows meanwhile. When the other process fails, the
        loops are compiled when they are first called.
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
            compile_writing()
            helper.wait()

    try:
        yield wait
    finally:
        if helper is not None and helper.poll() is None:
            helper.kill()
            helper.wait()


def compile_loops() -> None:
    """Compile the loops by metering one packet and making room for more."""
    from netsynth_core.flows.metering import FlowMeter

    meter = FlowMeter(keep_packets=False)
    meter.feed(_one_packet())
    meter.make_room(0)


def compile_writing() -> None:
    """Compile the loop that writes flows by writing one."""
    from netsynth_core.flows.columns import HISTORY_WORDS, FlowColumns
    from netsynth_core.flows.fast_csv import csv_parts

    dtypes = {
        "ts": np.int64, "duration": np.int64, "proto": np.uint8, "src_hi": np.uint64, "src_lo": np.uint64,
        "dst_hi": np.uint64, "dst_lo": np.uint64, "src_port": np.int32, "dst_port": np.int32, "fwd_packets": np.int64,
        "bwd_packets": np.int64, "fwd_bytes": np.int64, "bwd_bytes": np.int64, "flags": np.uint8, "state": np.uint8,
        "service": np.int32,
    }  # fmt: skip
    columns: dict[str, Any] = {name: np.zeros(1, dtype) for name, dtype in dtypes.items()}
    history, names = np.zeros((1, HISTORY_WORDS), np.uint64), np.full(1, "", object)
    list(csv_parts(FlowColumns(**columns, history=history, services=("",), server_name=names)))


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
