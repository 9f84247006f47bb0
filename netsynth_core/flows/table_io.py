"""Flow tables as files: the exchange format in CSV (plain or gzip) and Parquet, both directions.

Reading is lenient about order, case and missing optional columns, and exact about time: decimal seconds become integer
nanoseconds without passing through a float. What cannot be a value is refused with its line and column.
"""

import gzip
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.capture.addresses import parse_address
from netsynth_core.capture.packets import PROTO_NAMES
from netsynth_core.errors import SchemaError, UnknownFormat
from netsynth_core.files import atomic_path, require_file
from netsynth_core.flows.parquet import read_parquet, write_parquet
from netsynth_core.flows.services import services_by_port
from netsynth_core.flows.table import COLUMNS, UNSET_PORT, FlowTable
from netsynth_core.units import NS_PER_S, count, format_number

REQUIRED: Final = tuple(name for name, (_, default) in COLUMNS.items() if default is None)
UNPACKED_LIMIT: Final = 4 << 30
"""Most bytes a gzip CSV may unpack to."""

_HEADER_LIMIT: Final = 1 << 20

_DOTTED: Final = re.compile(r"\d+\.\d+\.\d+\.\d+")
_DECIMAL: Final = r"^\s*(-?)(\d*)(?:\.(\d*))?\s*$"
_PROTOCOLS: Final = {name.lower(): name for name in PROTO_NAMES.values()} | {
    str(number): name for number, name in PROTO_NAMES.items()
}
_ALIASES: Final = {"icmp6": "ICMPv6", "ipv6-icmp": "ICMPv6", "icmpv6": "ICMPv6"}
# names that flow exporters write, by the IANA registry
_PROTO_NUMBERS: Final = {
    "hopopt": "0", "igmp": "2", "ggp": "3", "ipip": "4", "ipencap": "4", "st": "5", "egp": "8", "igp": "9", "igrp": "9",
    "rdp": "27", "dccp": "33", "ipv6": "41", "ipv6-route": "43", "ipv6-frag": "44", "rsvp": "46", "gre": "47",
    "esp": "50", "ah": "51", "ipv6-no": "59", "ipv6-nonxt": "59", "ipv6-opts": "60", "eigrp": "88", "ospf": "89",
    "ospfigp": "89", "etherip": "97", "pim": "103", "ipcomp": "108", "vrrp": "112", "l2tp": "115", "sctp": "132",
    "udplite": "136", "mpls-in-ip": "137",
}  # fmt: skip


def read_flow_table(path: str | Path) -> FlowTable:
    """Read a flow table.

    Where it has no column of services, each flow gets the one its responder's port stands for.

    Raises
    ------
    SchemaError
        When a required column is missing or a cell is no value; the message names line and column.
    UnknownFormat
        When the file is neither CSV nor Parquet.
    StorageError
        When it cannot be read.
    """
    return _read(path)[0]


def read_flow_rows(path: str | Path) -> tuple[FlowTable, NDArray[np.int64]]:
    """Read a flow table, and where each of its rows stood in the file.

    Returns
    -------
    tuple[FlowTable, NDArray[np.int64]]
        The table in order of start, and per row of it the 0-based row of the file (header not counted).
    """
    return _read(path)[:2]


def read_flow_table_noted(path: str | Path) -> tuple[FlowTable, tuple[str, ...]]:
    """Read a flow table, and say for which columns it has empty cells that are taken for 0."""
    table, _, notes = _read(path)
    return table, notes


def _read(path: str | Path) -> tuple[FlowTable, NDArray[np.int64], tuple[str, ...]]:
    target = require_file(path)
    raw, first_line = _load(target)
    raw.columns = [str(name).strip().lstrip("\ufeff").lower() for name in raw.columns]
    _require_columns(target, [str(name) for name in raw.columns])
    frame = pd.DataFrame(index=raw.index)
    blanks: dict[str, NDArray[np.bool_]] = {}
    for name in COLUMNS:
        if name in raw.columns:
            column = _Column(target, name, raw[name], first_line)
            frame[name] = column.parse()
            blanks[name] = column.blank
    if "service" not in frame and len(frame):
        frame["service"] = services_by_port(
            frame["dst_port"].to_numpy(dtype=np.int32), frame["proto"].to_numpy(dtype=object)
        )
    order = np.argsort(frame["ts"].to_numpy(), kind="stable").astype(np.int64)
    return FlowTable.from_columns(frame), order, _blank_notes(frame, blanks)


def _blank_notes(frame: pd.DataFrame, blanks: dict[str, NDArray[np.bool_]]) -> tuple[str, ...]:
    """Which numbers are missing, and what stands in for them; ports only where the protocol has some."""
    ported = frame["proto"].isin(("TCP", "UDP", "SCTP", "DCCP")).to_numpy(dtype=bool)
    notes = []
    for name, blank in blanks.items():
        missing = blank & ported if name == "dst_port" else blank
        number, of = int(missing.sum()), int(ported.sum()) if name == "dst_port" else len(frame)
        if name == "src_port" or not number:
            continue
        taken = "port 0" if name == "dst_port" else f"{name} 0"
        flows = "flow of TCP or UDP" if name == "dst_port" else "flow"
        if number == of:
            said = f"Column {name!r} is empty: every {flows} is taken to have {taken}"
        else:
            said = f"Column {name!r} is empty in {count(number, 'row')} of {format_number(of)}: {taken} is taken there"
        notes.append(f"{said}, and patterns and models are learnt from that.")
    return tuple(notes)


def write_flow_table(path: str | Path, table: FlowTable) -> None:
    """Write a flow table: Parquet for ``.parquet``, gzip CSV for ``.gz``, CSV otherwise; whole or not at all.

    Equal tables give equal bytes.
    """
    target = Path(path)
    frame = table.exported()
    frame["ts"] = format_seconds(frame["ts"].to_numpy())
    frame["duration"] = format_seconds(frame["duration"].to_numpy())
    with atomic_path(target) as temporary:
        if target.suffix == ".parquet":
            write_parquet(temporary, table.exported())
            return
        frame["src_port"] = frame["src_port"].astype("str").where(table.frame["src_port"] != UNSET_PORT, "")
        text = frame.to_csv(index=False, lineterminator="\n").encode("utf-8")
        if target.suffix == ".gz":
            text = gzip.compress(text, compresslevel=6, mtime=0)
        temporary.write_bytes(text)


def format_seconds(ns: NDArray[np.int64]) -> NDArray[np.object_]:
    """Decimal seconds of nanoseconds: exact, at least 3 and at most 9 decimals."""
    if len(ns) == 0:
        return np.zeros(0, dtype=object)
    whole, rest = np.divmod(np.abs(ns), NS_PER_S)
    digits = np.strings.ljust(np.strings.rstrip(np.strings.zfill(rest.astype("U9"), 9), "0"), 3, "0")
    text = np.strings.add(np.strings.add(whole.astype("U20"), "."), digits)
    return np.where(ns < 0, np.strings.add("-", text), text).astype(object)


def _require_columns(target: Path, names: Sequence[str]) -> None:
    """Refuse a table that lacks a column a flow needs."""
    missing = [name for name in REQUIRED if name not in names]
    if not missing:
        return
    from netsynth_core.flows.logs.guessing import is_packet_table, is_value

    hint = f"A flow table needs the columns {', '.join(REQUIRED)}; rename yours to these."
    if target.suffix != ".parquet":
        hint = f"{hint} Or read it through a mapping: netsynth flows --show-mapping proposes one."
    if is_packet_table(names):
        raise SchemaError(
            f"{target} is a table of packets, and flows are needed.",
            hint="Give the capture itself. Without it each row can be read as a flow of one packet, through a mapping: "
            "netsynth flows --show-mapping proposes one.",
        )
    if any(is_value(name) for name in names):
        raise SchemaError(
            f"{target} has no header: its first line holds values, such as {names[0]!r}.",
            hint="Write it with its header (nfdump -o csv without -q), or read it through a mapping that numbers the "
            "columns '1', '2', ...: netsynth flows --show-mapping proposes one.",
        )
    raise SchemaError(f"{target} has no column {missing[0]!r}; it has {', '.join(map(repr, names))}.", hint=hint)


def _header(source: io.BytesIO | Path) -> tuple[list[str], str]:
    """The names in the first line, and the delimiter that gives most of the names a flow table needs."""
    if isinstance(source, Path):
        with source.open("rb") as handle:
            line = handle.readline(_HEADER_LIMIT)
    else:
        line = source.readline(_HEADER_LIMIT)
        source.seek(0)
    text = line.decode("utf-8", errors="replace").lstrip("\ufeff").strip("\r\n")
    split = {mark: [cell.strip().strip('"').lower() for cell in text.split(mark)] for mark in (",", ";", "\t", "|")}
    best = max(split, key=lambda mark: (len(set(REQUIRED) & set(split[mark])), len(split[mark])))
    mark = best if set(REQUIRED) & set(split[best]) or "," not in text else ","
    return split[best], mark


def _load(target: Path) -> tuple[pd.DataFrame, int]:
    """All cells of a file as text (Parquet: as they are), and the line of its first row."""
    with target.open("rb") as handle:
        head = handle.read(4)
    if head == b"PAR1":
        return read_parquet(target), 0
    if head[:2] == b"\x1f\x8b":
        try:
            with gzip.open(target) as packed:
                content = packed.read(UNPACKED_LIMIT + 1)
        except (OSError, EOFError) as error:
            raise UnknownFormat(f"{target} is damaged gzip data: {error}.", hint="Copy or pack it again.") from error
        if len(content) > UNPACKED_LIMIT:
            raise UnknownFormat(f"{target} unpacks to more than {UNPACKED_LIMIT >> 30} GiB.", hint="Split the table.")
        source: io.BytesIO | Path = io.BytesIO(content)
    else:
        source = target
    names, mark = _header(source)
    try:
        frame = pd.read_csv(
            source,
            sep=mark,
            dtype="str",
            keep_default_na=False,
            encoding="utf-8",
            skipinitialspace=True,
            skip_blank_lines=False,
        )
    except UnicodeDecodeError as error:
        raise UnknownFormat(
            f"{target} is no UTF-8 text: {error.reason} at byte {error.start}.", hint="Save the table as CSV in UTF-8."
        ) from error
    except pd.errors.EmptyDataError:
        raise SchemaError(f"{target} holds no header line.", hint="Start the table with its column names.") from None
    except pd.errors.ParserError as error:
        _require_columns(target, names)
        told = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        said = f"line {told[2]} has {told[3]} cells, the header {told[1]}" if told else "a quote is not closed"
        raise SchemaError(
            f"{target} is no regular CSV: {said}.", hint="Give every line the same number of cells."
        ) from error
    if isinstance(frame.index, pd.RangeIndex):
        return frame, 2
    _require_columns(target, names)
    raise SchemaError(
        f"{target} has more cells in its rows than names in its header.", hint="Give every column a name."
    )


class _Column:
    """One column of text cells on its way to values."""

    def __init__(self, path: Path, name: str, cells: "pd.Series[str]", first_line: int) -> None:
        self.path, self.name, self.first_line = path, name, first_line
        self.cells = cells.reset_index(drop=True)
        self.blank = np.zeros(len(cells), np.bool_)
        """Which cells of a column of numbers are empty, once they are parsed."""

    def parse(self) -> NDArray[np.generic]:
        """The values, in the dtype of the flow table."""
        if self.name in ("ts", "duration"):
            return self._time()
        if self.name in ("src_port", "dst_port"):
            return self._port()
        if self.name.endswith(("_packets", "_bytes")):
            return self._count()
        parse: dict[str, Callable[[], NDArray[np.generic]]] = {"proto": self._proto, "flags": self._flags}
        return parse.get(self.name, self._text)()

    def refuse(self, bad: NDArray[np.bool_], needed: str, hint: str) -> None:
        """Raise for the first bad cell, if there is one."""
        if not bad.any():
            return
        row = int(np.argmax(bad))
        where = f"line {row + self.first_line}" if self.first_line else f"row {row}"
        raise SchemaError(
            f"{self.path} {where}: column {self.name!r} is {str(self.cells.iloc[row])!r}; {needed} is needed.",
            hint=hint,
        )

    def _texts(self) -> "pd.Series[str]":
        """The cells as texts without spaces around them, empty where there is none."""
        cells = self.cells
        if cells.dtype != "str":
            cells = cells.astype(object).where(cells.notna(), "").astype("str")
        return cells.fillna("").str.strip()

    def _integers(self, empty: int, most: int, needed: str, hint: str) -> NDArray[np.int64]:
        if pd.api.types.is_integer_dtype(self.cells.dtype):
            values = self.cells.to_numpy(dtype=np.int64)
        else:
            texts = self._texts().str.replace(r"\.0*$", "", regex=True)
            self.blank = blank = (texts == "").to_numpy(dtype=bool)
            shaped = texts.str.fullmatch(r"\d{1,18}").to_numpy(dtype=bool)
            self.refuse(~(shaped | blank), needed, hint)
            values = np.full(len(texts), empty, np.int64)
            values[~blank] = texts[~blank].astype("int64").to_numpy()
        self.refuse(((values < 0) | (values > most)) & (values != empty), needed, hint)
        return values

    def _port(self) -> NDArray[np.generic]:
        unset = UNSET_PORT if self.name == "src_port" else 0
        hint = "Export with numeric ports (nfdump -n)."
        return self._integers(unset, 65535, "a number 0-65535", hint).astype(np.int32)

    def _count(self) -> NDArray[np.generic]:
        return self._integers(0, 10**18, "a whole number, 0 or more,", "Export counts as plain numbers, without units.")

    def _time(self) -> NDArray[np.generic]:
        needed = "Unix seconds, 0 or more," if self.name == "ts" else "a number of seconds, 0 or more,"
        hint = "Write decimal seconds, such as 1489104004.896."
        if pd.api.types.is_integer_dtype(self.cells.dtype):
            instants = self.cells.to_numpy(dtype=np.int64)
            self.refuse(instants < 0, needed, hint)
            return instants
        texts = self._texts()
        self.blank = blank = (texts == "").to_numpy(dtype=bool)
        parts = texts.str.extract(_DECIMAL)
        whole, fraction = parts[1].fillna(""), parts[2].fillna("")
        sound = (~parts[1].isna() & ((whole != "") | (fraction != "")) & (whole.str.len() <= 10)).to_numpy(dtype=bool)
        odd = ~sound & ~blank
        ns = np.zeros(len(texts), np.int64)
        digits = fraction.str.slice(0, 10).str.ljust(10, "0")[sound].astype("int64").to_numpy()
        ns[sound] = whole[sound].replace("", "0").astype("int64").to_numpy() * NS_PER_S + (digits + 5) // 10
        if odd.any():
            self._scientific(texts, odd, ns)
        ns = np.where((parts[0] == "-").to_numpy(dtype=bool), -ns, ns)
        if self.name == "ts":
            self.refuse(blank, needed, hint)
        self.refuse(ns < 0, needed, hint)
        return ns

    def _scientific(self, texts: "pd.Series[str]", odd: NDArray[np.bool_], ns: NDArray[np.int64]) -> None:
        """Numbers such as 9.5e-05, which tables written from floats hold."""
        needed, hint = "a number of seconds", "Write decimal seconds, such as 1489104004.896."
        shaped = texts.str.fullmatch(r"[+-]?\d+(?:\.\d*)?[eE][+-]?\d{1,2}").to_numpy(dtype=bool)
        self.refuse(odd & ~shaped, needed, hint)
        values = texts[odd].astype("float64").to_numpy()
        beyond = np.zeros(len(texts), bool)
        beyond[odd] = np.abs(values) >= 2**33
        self.refuse(beyond, needed, hint)
        ns[odd] = np.rint(values * NS_PER_S).astype(np.int64)

    def _proto(self) -> NDArray[np.generic]:
        texts = self._texts().str.lower()
        distinct = {text: protocol_name(text) for text in texts.unique()}
        unknown = {text for text, name in distinct.items() if name is None}
        self.refuse(
            texts.isin(unknown).to_numpy(dtype=bool),
            "TCP, UDP, ICMP, ICMPv6 or an IP protocol number",
            "Use one of the names, or the number 0-255 of the protocol.",
        )
        return texts.map(distinct).to_numpy(dtype=object)

    def _flags(self) -> NDArray[np.generic]:
        texts = self._texts().str.upper()
        distinct = {text: _flag_text(text) for text in texts.unique()}
        unknown = {text for text, name in distinct.items() if name is None}
        self.refuse(
            texts.isin(unknown).to_numpy(dtype=bool),
            "a 6-character flag text such as '.AP.SF'",
            "Write the letters UAPRSF in this order, '.' for an unset one.",
        )
        return texts.map(distinct).to_numpy(dtype=object)

    def _text(self) -> NDArray[np.generic]:
        texts = self._texts()
        if self.name in ("src_ip", "dst_ip"):
            self.refuse(
                (texts == "").to_numpy(dtype=bool), "an address", "Fill in the address of every flow, or drop the row."
            )
            broken = {text for text in texts.unique() if _DOTTED.fullmatch(text) and not is_address(text)}
            self.refuse(
                texts.isin(broken).to_numpy(dtype=bool),
                "an IPv4 address",
                "Its four numbers are 0 to 255, without leading zeros; names that are no addresses may stand too.",
            )
        return texts.to_numpy(dtype=object)


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address, and not a name that stands for one."""
    try:
        parse_address(text)
    except ValueError:
        return False
    return True


def protocol_name(text: str) -> str | None:
    """The exchange name of a protocol's lower-case name or number; None when it is none."""
    if text in _PROTOCOLS:
        return _PROTOCOLS[text]
    if text in _ALIASES:
        return _ALIASES[text]
    if text in _PROTO_NUMBERS:
        return _PROTO_NUMBERS[text]
    return str(int(text)) if text.isascii() and text.isdigit() and int(text) <= 255 else None


def _flag_text(text: str) -> str | None:
    """The 6-character union of a flag text; None when it is none."""
    if not set(text) <= set("UAPRSFEC.-"):
        return None
    return "".join(letter if letter in text else "." for letter in "UAPRSF")
