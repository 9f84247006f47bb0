"""Flows beside those Zeek tells of the same captures.

``zeek_flows.json`` has, per capture of the shared folder, what Zeek's own regression tests expect in conn.log:
protocol, ports, state, history, packets and IP bytes of both sides of each TCP and UDP flow that no tunnel carries. Of
captures that several of its tests read, the test that saw the most packets is taken; tests that stop early are left
out. Names of services are not compared: Zeek's are those of its analyzers (``dns`` for multicast DNS and NetBIOS names,
``ftpdata``, ``ldap_tcp``, ``ntlm`` inside of LDAP).
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from netsynth_core.capture import read_capture
from netsynth_core.flows.metering import MeterParams, meter_flows
from tests.agreement.corpus import DATA

Flow = tuple[str, int, int, str, str, int, int, int, int]

ZEEK: dict[str, list[Flow]] = {
    name: [tuple(flow) for flow in flows]  # type: ignore[misc]
    for name, flows in json.loads(Path(__file__).with_name("zeek_flows.json").read_text()).items()
}
CLOSING = MeterParams(linger=5)
"""As long as Zeek waits behind the end of a connection (tcp_close_delay)."""

APART = {
    # Zeek's X: it gave up to analyse what is said; the meter analyses nothing above TCP
    "zeek__testing__btest__Traces__ftp__fake-long-commands.pcap": 1,
    # a connection heard from its middle ends 3 s after one FIN in Zeek (tcp_partial_close_delay), a DNS flow when it
    # was silent for 10 s (dns_session_timeout): here they go on until their timeouts
    "zeek__testing__btest__Traces__tunnels__Teredo.pcap": 6,
}
"""Captures where flows of Zeek's are not ours, how many, and why."""


@pytest.mark.skipif(not DATA.is_dir(), reason=f"there is no {DATA.resolve()}")
def test_flows_states_histories_packets_and_bytes_are_those_of_zeek() -> None:
    apart, flows = {}, 0
    for name, theirs in ZEEK.items():
        path = DATA / "pcap" / name
        if not path.exists():
            continue
        flows += len(theirs)
        frame = meter_flows(read_capture(path).packets, CLOSING).flows.frame
        columns = ("proto", "src_port", "dst_port", "state", "history")
        counts = ("fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes")
        rows = zip(*(frame[column].tolist() for column in (*columns, *counts)), strict=True)
        ours = Counter((proto.lower(), *rest) for proto, *rest in rows)
        missing = Counter(theirs) - ours
        if missing:
            apart[name] = missing
    assert {name: missing.total() for name, missing in apart.items()} == APART, apart
    assert flows > 130
