"""Guesses on a table of another tool: which of its columns is which of ours, and in which units its times are.

Names are asked first, then values. Where one count stands for both sides it is said to be one (`packets`, `bytes`),
never that of the originator.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import numpy as np
import pyarrow as pa

from netsynth_core.flows.logs import cells

TimeUnit = Literal["s", "ms", "us", "ns", "text", "text month first"]
"""Numbers of seconds to nanoseconds since the epoch, or dates (ISO 8601; with slashes the day or the month first)."""
Column = str | tuple[str, ...]
"""A column of a table, or several of which the first that is not empty counts."""

FIELDS: Final[dict[str, str]] = {
    "ts": "start of the flow",
    "end": "end of the flow, in place of its duration",
    "duration": "duration",
    "proto": "protocol, name or number",
    "src_ip": "address of the originator",
    "src_port": "port of the originator",
    "dst_ip": "address of the responder",
    "dst_port": "port of the responder",
    "fwd_packets": "packets sent by the originator",
    "bwd_packets": "packets sent by the responder",
    "packets": "packets, where one column counts those of both sides, or of a record of one direction",
    "fwd_bytes": "bytes sent by the originator",
    "bwd_bytes": "bytes sent by the responder",
    "bytes": "bytes, where one column counts those of both sides, or of a record of one direction",
    "flags": "TCP flags, letters or a number",
    "service": "application protocol",
    "state": "connection state",
    "label": "label",
}
"""What a column can be mapped to, with a few words for a person."""

WIRESHARK: Final[dict[str, tuple[str, ...]]] = {
    "ts": ("frame.time_epoch",),
    "proto": ("ip.proto", "ipv6.nxt"),
    "src_ip": ("ip.src", "ipv6.src"),
    "src_port": ("tcp.srcport", "udp.srcport", "sctp.srcport"),
    "dst_ip": ("ip.dst", "ipv6.dst"),
    "dst_port": ("tcp.dstport", "udp.dstport", "sctp.dstport"),
    "bytes": ("frame.len",),
    "flags": ("tcp.flags",),
}
"""Display fields of Wireshark (``tshark -T fields``), one row a packet."""


def is_packet_table(header: Sequence[str]) -> bool:
    """Whether a header is that of packets: Wireshark's fields, or its list of packets as CSV."""
    names = {name.strip().lower() for name in header}
    if {"no.", "time", "source", "destination"} <= names:
        return True
    return any(name.startswith("frame.") for name in names) and not names & {"duration", "packets"}


def guess_columns(header: Sequence[str], sample_rows: Sequence[Sequence[str]]) -> dict[str, Column]:
    """Our names of the columns that can be told; the first column that fits best wins, each is taken once."""
    lowered = {name.strip().lower(): name for name in reversed(header)}
    fields = {ours: [lowered[field] for field in theirs if field in lowered] for ours, theirs in WIRESHARK.items()}
    if fields["src_ip"] and fields["dst_ip"]:
        return {ours: some[0] if len(some) == 1 else tuple(some) for ours, some in fields.items() if some}
    return dict(_by_names_and_values(header, sample_rows))


def _by_names_and_values(header: Sequence[str], sample_rows: Sequence[Sequence[str]]) -> dict[str, str]:
    names = {name: _plain(name) for name in dict.fromkeys(header)}
    found = _ways(names)
    for ours, patterns in _NAMES.items():
        if ours in found:
            continue
        for pattern in patterns:
            hit = next(
                (n for n, plain in names.items() if n not in found.values() and re.fullmatch(pattern, plain)), None
            )
            if hit is not None:
                found[ours] = hit
                break
    positions = {name: list(header).index(name) for name in names}
    for ours, fits in _VALUES.items():
        if ours in found:
            continue
        for name, position in positions.items():
            held = [row[position] for row in sample_rows if row[position].strip()]
            told = "port" not in ours or name.isdigit() or "port" in names[name]
            if told and name not in found.values() and held and all(fits(cell.strip()) for cell in held):
                found[ours] = name
                break
    for kind in ("packets", "bytes"):
        if f"fwd_{kind}" in found and f"bwd_{kind}" in found:
            found.pop(kind, None)
        elif kind not in found and f"fwd_{kind}" not in found and names.get(found.get(f"bwd_{kind}", "")) in _ONE_WAY:
            # the d of NetFlow's dPkts and dOctets is for delta
            found[kind] = found.pop(f"bwd_{kind}")
    return {ours: found[ours] for ours in FIELDS if ours in found}


def _ways(names: Mapping[str, str]) -> dict[str, str]:
    """The two counts of each kind where they are called in and out.

    NetFlow's IN_BYTES are those of the originator and OUT_BYTES those of the answer; the bytes_out of firewalls and
    proxies are what the client sent.
    """
    found: dict[str, str] = {}
    for kind, words in (("packets", _PKT), ("bytes", _BYT)):
        for fwd, bwd in ((rf"in{words}", rf"out{words}"), (rf"{words}out", rf"{words}in")):
            first = next((name for name, plain in names.items() if re.fullmatch(fwd, plain)), None)
            second = next((name for name, plain in names.items() if re.fullmatch(bwd, plain)), None)
            if first is not None and second is not None and f"fwd_{kind}" not in found:
                found[f"fwd_{kind}"], found[f"bwd_{kind}"] = first, second
    return found


def is_one_directional(
    columns: Mapping[str, Column], header: Sequence[str], sample_rows: Sequence[Sequence[str]]
) -> bool:
    """Whether rows are records of one direction: some flow stands there a second time with its ends exchanged, or the
    counts have the names that NetFlow and IPFIX give those of one direction."""
    if any(name.startswith("bwd_") for name in columns) or not {"packets", "bytes", "fwd_packets"} & columns.keys():
        return False
    if is_packet_table(header):
        return False
    counted = [name for kind in ("packets", "bytes") if isinstance(name := columns.get(kind), str)]
    if any(_plain(name) in _ONE_WAY for name in counted):
        return True
    ends = [[columns.get(f"{side}_{what}") for what in ("ip", "port")] for side in ("src", "dst")]
    places = [[list(header).index(name) if isinstance(name, str) else -1 for name in end] for end in ends]

    def key(row: Sequence[str], *sides: int) -> tuple[str, ...]:
        return tuple(row[place] if place >= 0 else "" for side in sides for place in places[side])

    seen = {key(row, 0, 1) for row in sample_rows}
    return any(key(row, 1, 0) in seen and key(row, 0) != key(row, 1) for row in sample_rows)


_ONE_WAY: Final = frozenset(
    ("packetdeltacount", "octetdeltacount", "dpkts", "doctets", "inpkts", "inbytes", "packettotalcount")
)


def doubts(columns: Mapping[str, Column], header: Sequence[str], sample_rows: Sequence[Sequence[str]]) -> list[str]:
    """What a person should look at in a proposal, in sentences."""
    notes = []
    for kind in ("packets", "bytes"):
        fwd, bwd = columns.get(f"fwd_{kind}"), columns.get(f"bwd_{kind}")
        if isinstance(fwd, str) and isinstance(bwd, str) and re.search(r"(^|_| )(in|out)(_| |$)", fwd.lower()):
            notes.append(f"{fwd!r} is taken for what the originator sent and {bwd!r} for the answer: check that.")
    ts = columns.get("ts")
    if isinstance(ts, str) and _plain(ts) in ("relstart", "relativestart"):
        notes.append(f"{ts!r} counts from the start of the capture: flows begin on 1970-01-01.")
    if isinstance(ts, str) and is_ambiguous([row[list(header).index(ts)] for row in sample_rows]):
        notes.append(AMBIGUOUS)
    return notes


AMBIGUOUS: Final = (
    "No date has a day above 12, so days and months cannot be told apart: the day is read first "
    "(ts_unit 'text month first' reads the month first)."
)


def is_ambiguous(values: Sequence[str]) -> bool:
    """Whether dates with slashes are among the values, and none says which number is the month."""
    found = [match for value in values if (match := re.match(r"\s*(\d{1,2})[/.-](\d{1,2})[/.-]\d{4}", value))]
    return bool(found) and all(int(part) <= 12 for match in found for part in match.groups())


def guess_time_unit(values: Sequence[str]) -> TimeUnit:
    """The unit of instants, by their size (1980 to 2100) or form."""
    held = [value.strip() for value in values if value.strip()]
    numbers = [float(value) for value in held if re.fullmatch(r"\d+(\.\d*)?([eE]\+?\d+)?", value)]
    if numbers and len(numbers) * 2 >= len(held):
        typical = float(np.median(numbers))
        for unit, least in (("ns", 3e17), ("us", 3e14), ("ms", 3e11)):
            if typical >= least:
                return unit  # type: ignore[return-value]
        return "s"
    slashed = [re.match(r"(\d{1,2})[/.-](\d{1,2})[/.-]\d{4}", value) for value in held]
    second = [int(match[2]) for match in slashed if match]
    return "text month first" if second and max(second) > 12 else "text"


def _plain(name: str) -> str:
    """A name in lower case, words run together."""
    return re.sub(r"[^a-z0-9]+", "", re.sub(r"\(.*?\)", "", name.lower()))


def guess_duration_unit(name: str, values: Sequence[str]) -> cells.Unit:
    """The unit of a duration: what its name says, else what agrees with the span of the flow's times."""
    lowered = name.lower()
    for unit, pattern in (
        ("us", r"micro|\busec|_us\b|\(us\)|[µμ]s"),
        ("ms", r"milli|msec|_ms\b|\(ms\)|ms$"),
        ("ns", r"nano|nsec|_ns\b|\(ns\)"),
    ):
        if re.search(pattern, lowered):
            return unit  # type: ignore[return-value]
    if _plain(name) == "flowduration":
        return "us"
    ns, ok = cells.decimal_ns(pa.array(list(values), pa.large_string()))
    seconds = ns[ok & (ns > 0)] / 1e9
    if not len(seconds) or np.any(seconds != np.floor(seconds)):
        return "s"
    most = float(seconds.max())
    return "ns" if most > 1e10 else "us" if most > 1e7 else "ms" if most > 1e5 else "s"


def is_value(cell: str) -> bool:
    """Whether a cell is no name of a column: a number, an instant or an address."""
    return bool(re.fullmatch(r"[-+]?[\d.:/ T,-]*\d[\d.:/ TZ,+-]*", cell)) or _is_ip(cell)


def _is_ip(cell: str) -> bool:
    from netsynth_core.flows.table_io import is_address

    return is_address(cell)


def _is_instant(cell: str) -> bool:
    """A date, or a number that is one since 1980 in some unit."""
    if re.fullmatch(r"\d+(\.\d*)?", cell):
        return any(3e8 * scale <= float(cell) < 4.2e9 * scale for scale in (1, 1e3, 1e6, 1e9))
    return bool(cells.instants(pa.array([cell], pa.large_string()))[1][0])


def _is_port(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and int(cell) <= 65535


def _is_proto(cell: str) -> bool:
    from netsynth_core.flows.table_io import protocol_name

    return not cell.isdigit() and protocol_name(cell.lower()) is not None


def _is_flags(cell: str) -> bool:
    return bool(re.fullmatch(r"[UAPRSFEC.]{6,8}", cell))


_SRC, _DST = (
    r"(src|source|orig|originator|initiator|client|cli|sender|srce|idorig|local|s|sa)",
    r"(dst|dest|destination|resp|responder|receiver|server|srv|target|remote|peer|idresp|d|da)",
)
_IP, _PORT = r"(ip|ipv4|ipaddr|addr|address|ipaddress|host|h|a|ipv4addr|computer|device)", r"(port|pt|p|portnumber|prt)"
_FWD, _BWD = (
    r"(src|source|orig|originator|initiator|fwd|forward|client|cli|s2d|c2s|toserver|srctodst|src2dst|sent|send|tx"
    r"|transmit|transmitted|up|upload|uploaded|outbound|outgoing|sender|ab|atob)",
    r"(dst|dest|destination|resp|responder|bwd|backward|server|srv|d2s|s2c|toclient|dsttosrc|dst2src|rev|reverse"
    r"|received|receive|recv|rcvd|rx|down|download|downloaded|inbound|incoming|receiver|ba|btoa)",
)
_PKT, _BYT = (
    r"(pkts|packets|packet|pkt|packetcount|packettotalcount)",
    r"(bytes|byte|byts|octets|octet|bytecount|octettotalcount)",
)

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "ts": (
        "ts|stime|start|timestamp|flowstart(milli|micro|nano)?(seconds)?|begin|begintime|first|firstswitched|tsstart"
        "|absstart|absolutestart",
        ".*starttime.*|.*firstseen.*",
        "time|date|datetime",
        "relstart|relativestart",
    ),
    "end": (
        "te|ltime|end|flowend(milli|micro|nano)?(seconds)?|last|lastswitched|stop|stoptime|tsend",
        ".*(end|last)time.*|.*lastseen.*",
    ),
    "duration": ("duration|dur|td|flowduration|durationms|durations|elapsed|age|bidirectionaldurationms|.*duration.*",),
    "proto": ("proto|protocol|pr|prot|ipproto|ipprotocol|protocolidentifier|transport|l4proto|protocoltype",),
    "src_ip": (
        rf"{_SRC}{_IP}|srcip.*|sourceip.*|sa|src|source|saddr|ipv4srcaddr|ipsrc|ipsource|addressa|addra",
        "client|orig|originator|initiator|sender|from",
    ),
    "dst_ip": (
        rf"{_DST}{_IP}|dstip.*|destip.*|destinationip.*|da|dst|dest|destination|daddr|ipv4dstaddr|ipdst|ipdestination"
        "|addressb|addrb",
        "server|resp|responder|receiver|target|to|peer",
    ),
    "src_port": (rf"{_SRC}{_PORT}|sp|sport|l4srcport|srcprt|sourcetransportport|portsrc|porta",),
    "dst_port": (rf"{_DST}{_PORT}|dp|dport|l4dstport|dstprt|destinationtransportport|portdst|portb", "port"),
    "fwd_packets": (rf"({_FWD}|s){_PKT}|{_PKT}{_FWD}|tot(al)?fwd{_PKT}|ipkt",),
    "bwd_packets": (rf"({_BWD}|d){_PKT}|{_PKT}{_BWD}|tot(al)?(bwd|backward){_PKT}|opkt|reversepacketdeltacount",),
    "fwd_bytes": (rf"({_FWD}|s)(ip)?{_BYT}|{_BYT}{_FWD}|ibyt|totlenfwdpkts|totallengthoffwdpackets?",),
    "bwd_bytes": (
        rf"({_BWD}|d)(ip)?{_BYT}|{_BYT}{_BWD}|obyt|totlenbwdpkts|totallengthofbwdpackets?|reverseoctetdeltacount",
    ),
    "packets": (rf"{_PKT}|inpkts|packetdeltacount|tot{_PKT}|total{_PKT}|num{_PKT}|bidirectional{_PKT}",),
    "bytes": (rf"{_BYT}|inbytes|octetdeltacount|tot{_BYT}|total{_BYT}|num{_BYT}|byt|bidirectional{_BYT}",),
    "flags": ("flags|flg|tcpflags|tcpcontrolbits|flgs|tcpflag",),
    "service": ("service|app|application|appproto|appname|applicationname|l7proto|l7protocol|applicationprotocol",),
    "state": ("connstate|state|connectionstate",),
    "label": ("label|class|attack|attacktype|category|detailedlabel|tag",),
}  # fmt: skip
"""Patterns of plain names, the better ones first."""

_VALUES: Final[dict[str, Callable[[str], bool]]] = {
    "ts": _is_instant,
    "proto": _is_proto,
    "src_ip": _is_ip,
    "dst_ip": _is_ip,
    "flags": _is_flags,
    "src_port": _is_port,
    "dst_port": _is_port,
}
"""What values tell where names do not, in the order of asking."""
