"""Compiled loops of metering: the flow table with timeouts, TCP endpoints by Zeek's rules, marks, first payloads.

State lives in two record arrays, one row per flow and one per side of a flow (row ``2 * flow + side``, side 0 sent the
first packet), so that a packet touches one place of each. A plain twin is in tests/flows; the words for states and
history letters are in `netsynth_core.flows.states`, those for marks in `netsynth_core.flows.metering`.
"""

from netsynth_core.flows._meter_kernels.records import FLOW, SIDE
from netsynth_core.machine import Loop

meter = Loop(f"{__name__}.loop", "meter", results=1)
rehash = Loop(f"{__name__}.loop", "rehash", results=1)
ended = Loop(f"{__name__}.loop", "ended", results=1)
lay_out = Loop(f"{__name__}.loop", "lay_out", results=0)
first_bytes = Loop(f"{__name__}.heads", "first_bytes", results=0)
write_rows = Loop(f"{__name__}.csv", "write_rows", results=1)

__all__ = ["FLOW", "SIDE", "ended", "first_bytes", "lay_out", "meter", "rehash", "write_rows"]
