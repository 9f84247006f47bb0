"""Any table of flows through a mapping: which of its columns is which of ours, and in which units its times are.

`propose_mapping` guesses one from the names and some values; a person corrects it; `read_mapped` reads with it. A
mapping is a value that is saved as JSON and given back.

>>> proposal = propose_mapping(["start", "src", "dst"], [["1700000000.5", "10.0.0.1", "10.0.0.2"]])
>>> proposal.columns["ts"], proposal.ts_unit
('start', 's')
"""

import csv
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from netsynth_core.errors import SchemaError
from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.layout import DELIMITERS
from netsynth_core.flows.logs.text import Text, load_text
from netsynth_core.params import problem_of

TimeUnit = Literal["s", "ms", "us", "ns", "text", "text month first"]
"""Numbers of seconds to nanoseconds since the epoch, or dates (ISO 8601; with slashes the day or the month first)."""

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
    "fwd_bytes": "bytes sent by the originator",
    "bwd_bytes": "bytes sent by the responder",
    "flags": "TCP flags, letters or a number",
    "service": "application protocol",
    "state": "connection state",
    "label": "label",
}
"""What a column can be mapped to, with a few words for a person."""
REQUIRED: Final = ("ts", "src_ip", "dst_ip")
"""What a mapping must name; without `proto` every flow is taken as TCP."""


class Mapping(BaseModel):
    """How a table is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, str] = Field(description="Our name (a key of FIELDS) -> the table's own name of the column.")
    ts_unit: TimeUnit = Field("s", description="Unit of ts and end.")
    duration_unit: cells.Unit = Field("s", description="Unit of duration.")
    delimiter: Literal[",", ";", "\t", "|"] = Field(",", description="What stands between cells.")
    header: bool = Field(True, description="Whether the first line holds names; otherwise they are '1', '2', ...")
    one_directional: bool = Field(
        False, description="Whether rows are records of one direction, to be merged by reversed key."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = [name for name in self.columns if name not in FIELDS]
        if unknown:
            raise SchemaError(
                f"There is no column {unknown[0]!r} to map to.", hint=f"The columns are: {', '.join(FIELDS)}."
            )
        missing = [name for name in REQUIRED if name not in self.columns]
        if missing:
            raise SchemaError(
                f"The mapping names no column for {missing[0]!r} ({FIELDS[missing[0]]}).",
                hint=f"{', '.join(REQUIRED)} are always needed.",
            )
        return self


@dataclass(frozen=True)
class Table:
    """The head of a delimited table, for showing it and proposing a mapping."""

    header: tuple[str, ...]
    """Names of the columns; ``1``, ``2``, ... where the first line holds values."""
    rows: tuple[tuple[str, ...], ...]
    """The first rows that have as many cells."""
    delimiter: str
    has_header: bool
    line: int = 0
    """0-based line of the header."""


def read_head(path: str | Path, *, rows: int = 50) -> Table:
    """The head of a delimited text table (plain, gzip or Zstandard).

    Raises
    ------
    SchemaError
        When no delimiter (comma, semicolon, tab, bar) splits its lines alike.
    StorageError, UnknownFormat
        When it cannot be read.
    """
    return head_of(load_text(path), rows=rows)


def head_of(text: Text, *, rows: int = 50, delimiter: str | None = None, has_header: bool | None = None) -> Table:
    """`read_head` of a text that is loaded; what is known of it is given."""
    numbers = [k for k in range(min(len(text.start), rows + 20)) if text.line(k).strip()][: rows + 1]
    lines = [text.line(k) for k in numbers]
    mark = delimiter or sniff_delimiter(lines)
    if mark is None or not lines:
        raise SchemaError(
            f"{text.path} is no table: no comma, semicolon, tab or bar splits its lines into at least three cells.",
            hint="Give a table of flows with a header, or a log of one of the known tools.",
        )
    split = [tuple(cell.strip() for cell in next(csv.reader([line], delimiter=mark), [])) for line in lines]
    width = len(split[0])
    named = has_header if has_header is not None else not any(_is_value(cell) for cell in split[0])
    names = split[0] if named else tuple(map(str, range(1, width + 1)))
    body = tuple(row for row in split[named:] if len(row) == width)[:rows]
    return Table(names, body, mark, named, numbers[0])


def sniff_delimiter(lines: Sequence[str]) -> str | None:
    """The delimiter that splits most lines into the same number of cells, at least three; None when there is none."""
    best: tuple[float, str] | None = None
    for delimiter in DELIMITERS:
        widths = [len(next(csv.reader([line], delimiter=delimiter), [])) for line in lines]
        if not widths or widths[0] < 3:
            continue
        alike = sum(width == widths[0] for width in widths) / len(widths)
        if alike >= 0.5 and (best is None or alike * widths[0] > best[0]):
            best = (alike * widths[0], delimiter)
    return best[1] if best else None


def propose_mapping(
    header: Sequence[str], sample_rows: Sequence[Sequence[str]], *, delimiter: str = ",", has_header: bool = True
) -> Mapping:
    """Guess which column is which, from the names and, where these do not say, from the values.

    Parameters
    ----------
    header
        Names of the columns.
    sample_rows
        Some rows, each as long as the header.

    Returns
    -------
    Mapping
        With every column that could be told.

    Raises
    ------
    SchemaError
        When start or addresses are not found; the message names what is missing.
    """
    columns = guess_columns(header, sample_rows)
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise SchemaError(
            f"No column of {', '.join(map(repr, header))} looks like {' or '.join(FIELDS[m] for m in missing)}.",
            hint="Write a mapping by hand: a JSON object with columns (ours to theirs); "
            f"{', '.join(REQUIRED)} are always needed.",
        )
    cells_of = {name: [row[list(header).index(their)] for row in sample_rows] for name, their in columns.items()}
    one_directional = "bwd_packets" not in columns and "bwd_bytes" not in columns and "fwd_packets" in columns
    return Mapping(
        columns=columns,
        ts_unit=guess_time_unit(cells_of["ts"]),
        duration_unit=_duration_unit(columns.get("duration", ""), cells_of),
        delimiter=delimiter,
        header=has_header,
        one_directional=one_directional,
    )


def guess_columns(header: Sequence[str], sample_rows: Sequence[Sequence[str]]) -> dict[str, str]:
    """Our names of the columns that can be told; the first column that fits best wins, each is taken once."""
    names = {name: _plain(name) for name in dict.fromkeys(header)}
    found: dict[str, str] = {}
    for ours, patterns in _NAMES.items():
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
            if name not in found.values() and held and all(fits(cell.strip()) for cell in held):
                found[ours] = name
                break
    return {ours: found[ours] for ours in FIELDS if ours in found}


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


def read_mapping(path: str | Path) -> Mapping:
    """A mapping from its JSON file.

    Raises
    ------
    SchemaError
        When it is no mapping; the message says what does not fit.
    """
    text = load_text(path)
    try:
        value = json.loads(text.data[: 1 << 20])
    except (ValueError, RecursionError) as error:
        raise SchemaError(
            f"{path} is no JSON: {error}.", hint="Print a mapping with netsynth flows --show-mapping."
        ) from error
    return checked_mapping(value, where=str(path))


def checked_mapping(value: object, *, where: str = "The mapping") -> Mapping:
    """A mapping from the object that JSON holds.

    Raises
    ------
    SchemaError
        When it is no mapping; the message says what does not fit.
    """
    try:
        return Mapping.model_validate(value)
    except ValidationError as error:
        said, hint = problem_of(error)
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise SchemaError(
            f"{where} is no mapping: {place + ': ' if place else ''}{said}.",
            hint=hint or "Print one with netsynth flows --show-mapping and correct that.",
        ) from error


def _plain(name: str) -> str:
    """A name in lower case, words run together."""
    return re.sub(r"[^a-z0-9]+", "", re.sub(r"\(.*?\)", "", name.lower()))


def _duration_unit(name: str, held: dict[str, list[str]]) -> cells.Unit:
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
    values, ok = cells.decimal_ns(pa.array(held.get("duration", []), pa.large_string()))
    seconds = values[ok & (values > 0)] / 1e9
    if not len(seconds) or np.any(seconds != np.floor(seconds)):
        return "s"
    most = float(seconds.max())
    return "ns" if most > 1e10 else "us" if most > 1e7 else "ms" if most > 1e5 else "s"


def _is_value(cell: str) -> bool:
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
    r"(src|source|orig|originator|client|srce|idorig|s|sa)",
    r"(dst|dest|destination|resp|responder|server|idresp|d|da)",
)
_IP, _PORT = r"(ip|ipv4|ipaddr|addr|address|ipaddress|host|h|a|ipv4addr|computer|device)", r"(port|pt|p|portnumber|prt)"
_FWD, _BWD = (
    r"(src|source|orig|fwd|forward|out|client|s|s2d|c2s|toserver|srctodst|src2dst)",
    r"(dst|dest|destination|resp|bwd|backward|in|server|d|d2s|s2c|toclient|dsttosrc|dst2src|rev|reverse)",
)
_PKT, _BYT = (
    r"(pkts|packets|packet|pkt|packetcount|packettotalcount)",
    r"(bytes|byte|byts|octets|octet|bytecount|octettotalcount)",
)

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "ts": (
        "ts|stime|start|timestamp|flowstart(milli|micro|nano)?(seconds)?|begin|begintime|first|firstswitched|tsstart",
        ".*starttime.*|.*firstseen.*",
        "time|date|datetime",
    ),
    "end": (
        "te|ltime|end|flowend(milli|micro|nano)?(seconds)?|last|lastswitched|stop|stoptime|tsend",
        ".*(end|last)time.*|.*lastseen.*",
    ),
    "duration": ("duration|dur|td|flowduration|durationms|durations|elapsed|age|bidirectionaldurationms|.*duration.*",),
    "proto": ("proto|protocol|pr|prot|ipproto|ipprotocol|protocolidentifier|transport|l4proto|protocoltype",),
    "src_ip": (rf"{_SRC}{_IP}|srcip.*|sourceip.*|sa|src|source|saddr|ipv4srcaddr|ipsrc|ipsource",),
    "dst_ip": (
        rf"{_DST}{_IP}|dstip.*|destip.*|destinationip.*|da|dst|dest|destination|daddr|ipv4dstaddr|ipdst|ipdestination",
    ),
    "src_port": (rf"{_SRC}{_PORT}|sp|sport|l4srcport|srcprt|sourcetransportport|portsrc",),
    "dst_port": (rf"{_DST}{_PORT}|dp|dport|l4dstport|dstprt|destinationtransportport|portdst",),
    "fwd_packets": (
        rf"{_FWD}{_PKT}|{_PKT}{_FWD}|tot(al)?fwd{_PKT}|ipkt|spkts",
        rf"{_PKT}|inpkts|dpkts|packetdeltacount|tot{_PKT}|total{_PKT}|num{_PKT}",
    ),
    "bwd_packets": (rf"{_BWD}{_PKT}|{_PKT}{_BWD}|tot(al)?(bwd|backward){_PKT}|opkt|reversepacketdeltacount",),
    "fwd_bytes": (
        rf"{_FWD}(ip)?{_BYT}|{_BYT}{_FWD}|ibyt|sbytes|totlenfwdpkts|totallengthoffwdpackets?",
        rf"{_BYT}|inbytes|doctets|octetdeltacount|tot{_BYT}|total{_BYT}|num{_BYT}|byt",
    ),
    "bwd_bytes": (
        rf"{_BWD}(ip)?{_BYT}|{_BYT}{_BWD}|obyt|dbytes|totlenbwdpkts|totallengthofbwdpackets?|reverseoctetdeltacount",
    ),
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
