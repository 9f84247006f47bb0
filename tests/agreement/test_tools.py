"""Captures beside the tools people trust: frames as capinfos counts them, TCP and UDP packets, bytes and conversations
as tshark does.

By default every twelfth capture of the shared folder is compared; NETSYNTH_AGREEMENT=all compares all (minutes: tshark
starts once per file). tshark's own view is asked for without reassembly, so that a first fragment keeps its ports.
"""

import ipaddress
import os
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from netsynth_core.capture import read_capture
from netsynth_core.flows.metering import MeterParams, meter_flows
from tests.agreement.corpus import DATA, shared
from tests.tools import needs

ALL = os.environ.get("NETSYNTH_AGREEMENT") == "all"
STEP = 1 if ALL else 12
FIELDS = (
    *("frame.number", "frame.protocols", "tcp.stream", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport"),
    *("tcp.dstport", "udp.srcport", "udp.dstport", "ip.len", "ipv6.plen"),
)
PATIENT = MeterParams(idle_timeout_tcp=1e6, idle_timeout_udp=1e6, idle_timeout_icmp=1e6, active_timeout=1e8, linger=1e6)
"""tshark's conversations know no timeout, and what comes long after their end is still theirs."""

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"there is no {DATA.resolve()}")

Tuple = tuple[str, str, int, str, int]
Sums = dict[Tuple, tuple[int, int]]


FRAMES_APART: dict[str, str] = {}
"""Captures where capinfos counts other frames, and why."""

PACKETS_APART: dict[str, str] = {}
"""Captures where tshark sees other TCP or UDP packets or bytes, and why."""

STREAMS_APART: dict[str, str] = {
    "zeek__testing__btest__Traces__pop3__pop3.pcap": (
        "each of three attempts is refused by an RST and made again with the same sequence number: Zeek and we count "
        "three connections, tshark one, since it begins another only at a SYN with another number"
    )
}
"""Captures where tshark divides the packets of a tuple into other conversations, and why."""


@needs_data
@needs("capinfos")
def test_every_frame_is_a_row_or_skipped_with_a_reason() -> None:
    paths = shared("pcap")[:: 1 if ALL else 3]
    done = subprocess.run(["capinfos", "-TmrcM", *map(str, paths)], capture_output=True, text=True)
    counted = dict(line.rsplit(",", 1) for line in done.stdout.splitlines())
    apart = {}
    for path in paths:
        report = read_capture(path).report
        frames = report.packets + sum(report.skipped.values())
        if int(counted[str(path)]) != frames:
            apart[path.name] = (frames, counted[str(path)])
    assert set(apart) == set(FRAMES_APART) & {path.name for path in paths}, apart


def theirs(path: Path) -> tuple[dict[str, Sums], Counter[Tuple]]:
    """Packets and IP bytes per direction by tshark, and its TCP conversations per tuple."""
    fields = [word for name in FIELDS for word in ("-e", name)]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=f", "-E", "separator=|", *fields]
    command += ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    sums: dict[str, dict[Tuple, list[int]]] = {"TCP": defaultdict(lambda: [0, 0]), "UDP": defaultdict(lambda: [0, 0])}
    streams: dict[Tuple, set[str]] = defaultdict(set)
    for line in done.stdout.splitlines():
        row = dict(zip(FIELDS, line.split("|"), strict=True))
        layers = row["frame.protocols"].split(":")
        network = next((k for k, name in enumerate(layers) if name in ("ip", "ipv6")), None)
        if network is None:
            continue
        above = [name for name in layers[network + 1 :] if not name.startswith("ipv6.") and name != "ah"][:1]
        if above not in (["tcp"], ["udp"]):
            continue
        proto = above[0].upper()
        four = layers[network] == "ip"
        src, dst = (row["ip.src"], row["ip.dst"]) if four else (row["ipv6.src"], row["ipv6.dst"])
        sport, dport = row[f"{above[0]}.srcport"], row[f"{above[0]}.dstport"]
        if not sport:
            continue
        size = int(row["ip.len"]) if four else int(row["ipv6.plen"]) + 40
        key = (proto, _address(src), int(sport), _address(dst), int(dport))
        sums[proto][key][0] += 1
        sums[proto][key][1] += size
        if proto == "TCP":
            streams[_unordered(key)].add(row["tcp.stream"])
    tupled = {proto: {key: (v[0], v[1]) for key, v in table.items()} for proto, table in sums.items()}
    return tupled, Counter({key: len(found) for key, found in streams.items()})


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _unordered(key: Tuple) -> Tuple:
    proto, a, p, b, q = key
    return key if (a, p) <= (b, q) else (proto, b, q, a, p)


def ours(path: Path) -> tuple[dict[str, Sums], Counter[Tuple]]:
    """The same from our flows, later fragments left out, since tshark knows no ports for them."""
    packets = read_capture(path).packets
    metered = meter_flows(packets, PATIENT)
    frame = metered.flows.frame
    sums: dict[str, dict[Tuple, list[int]]] = {"TCP": defaultdict(lambda: [0, 0]), "UDP": defaultdict(lambda: [0, 0])}
    streams: Counter[Tuple] = Counter()
    columns = ("proto", "src_ip", "src_port", "dst_ip", "dst_port")
    parts = metered.conversations
    for flow, key in enumerate(zip(*(frame[name].tolist() for name in columns), strict=True)):
        if key[0] not in sums:
            continue
        proto, a, p, b, q = key
        rows, ways = parts.rows(flow), parts.direction[parts.offsets[flow] : parts.offsets[flow + 1]]
        whole = packets.fragment[rows] != 2
        for way, name in ((0, key), (1, (proto, b, q, a, p))):
            mine = rows[whole & (ways == way)]
            if len(mine):
                sums[proto][name][0] += len(mine)
                sums[proto][name][1] += int(packets.ip_length[mine].sum())
        if proto == "TCP" and whole.any():
            streams[_unordered(key)] += 1
    return {proto: {key: (v[0], v[1]) for key, v in table.items()} for proto, table in sums.items()}, streams


@needs_data
@needs("tshark")
def test_tuples_packets_bytes_and_conversations_are_those_of_tshark() -> None:
    packets, conversations = {}, {}
    paths = shared("pcap")[::STEP]
    compared = unique = 0
    for path in paths:
        (their_sums, their_streams), (our_sums, our_streams) = theirs(path), ours(path)
        compared += sum(map(len, our_sums.values()))
        for proto in ("TCP", "UDP"):
            mine, yours = our_sums[proto], their_sums[proto]
            odd = {
                key: (mine.get(key), yours.get(key))
                for key in mine.keys() | yours.keys()
                if mine.get(key) != yours.get(key)
            }
            if odd:
                packets[path.name] = (len(odd), len(yours), next(iter(odd.items())))
        if set(their_streams.values()) <= {1}:
            unique += 1
            if path.name not in packets and our_streams != their_streams:
                conversations[path.name] = our_streams - their_streams
    names = {path.name for path in paths}
    assert set(packets) == set(PACKETS_APART) & names, packets
    assert set(conversations) == set(STREAMS_APART) & names, conversations
    assert compared > 200 and unique > len(paths) // 2
