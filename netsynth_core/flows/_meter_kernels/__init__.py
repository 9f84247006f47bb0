"""Compiled loops of metering: the flow table with timeouts, TCP endpoints by Zeek's rules, marks, first payloads.

State lives in two record arrays, one row per flow and one per side of a flow (row ``2 * flow + side``, side 0 sent the
first packet), so that a packet touches one place of each. A plain twin is in tests/flows; the words for states and
history letters are in `netsynth_core.flows.states`, those for marks in `netsynth_core.flows.metering`.
"""

from netsynth_core.flows._meter_kernels.csv import write_rows
from netsynth_core.flows._meter_kernels.heads import first_bytes
from netsynth_core.flows._meter_kernels.loop import lay_out, meter, rehash
from netsynth_core.flows._meter_kernels.records import FLOW, SIDE

__all__ = ["FLOW", "SIDE", "first_bytes", "lay_out", "meter", "rehash", "write_rows"]
