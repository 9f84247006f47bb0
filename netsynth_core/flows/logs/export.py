"""Flow tables as the logs of other tools: Zeek's conn.log and the CSV of nfdump; ``.gz`` is packed.

Equal tables give equal bytes. What a layout has no place for is left out: conn.log holds no flags (they follow from the
history), no payload bytes and no server names, nfdump's CSV neither service, state, label nor history.
"""

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from netsynth_core.capture.packets import PROTO_NAMES
from netsynth_core.errors import InvalidParameter
from netsynth_core.files import atomic_path
from netsynth_core.flows.metering import ICMP_PAIRS
from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.table_io import write_flow_table
from netsynth_core.flows.writing import seconds_texts
from netsynth_core.units import NS_PER_S

CONN_FIELDS: Final = {
    "ts": "time", "uid": "string", "id.orig_h": "addr", "id.orig_p": "port", "id.resp_h": "addr", "id.resp_p": "port",
    "proto": "enum", "service": "string", "duration": "interval", "orig_bytes": "count", "resp_bytes": "count",
    "conn_state": "string", "local_orig": "bool", "local_resp": "bool", "missed_bytes": "count", "history": "string",
    "orig_pkts": "count", "orig_ip_bytes": "count", "resp_pkts": "count", "resp_ip_bytes": "count",
    "tunnel_parents": "set[string]", "ip_proto": "count",
}  # fmt: skip
"""Fields of conn.log and their types, as Zeek 8 writes them."""
NETFLOW_FIELDS: Final = (
    "ts", "te", "td", "sa", "da", "sp", "dp", "pr", "flg", "fwd", "stos", "ipkt", "ibyt", "opkt", "obyt",
)  # fmt: skip
"""The columns of ``nfdump -o csv`` that say something; the many zero ones behind them are left out."""

WRITERS: Final = ("csv", "parquet", "zeek", "netflow")
"""What flows can be written as."""

_DIGITS: Final = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "S1")
_NUMBERS: Final = {name: str(number) for number, name in PROTO_NAMES.items()}


def write_flows_as(path: str | Path, flows: FlowTable, form: str | None = None) -> None:
    """Write flows in one of `WRITERS`; by default ``.log`` is Zeek's, ``.parquet`` Parquet and the rest a flow table.

    Raises
    ------
    InvalidParameter
        When the form is none of `WRITERS`, or does not go with the ending.
    StorageError
        When the file cannot be written.
    """
    name = str(path).lower()
    if form is None:
        form = "zeek" if name.endswith((".log", ".log.gz")) else "parquet" if name.endswith(".parquet") else "csv"
    if form not in WRITERS:
        raise InvalidParameter(f"There is no format {form!r}.", hint=f"Formats are: {', '.join(WRITERS)}.")
    if (form == "parquet") != name.endswith(".parquet"):
        raise InvalidParameter(
            f"{path} is to hold {form}.", hint="Parquet goes into .parquet, everything else into another ending."
        )
    if form == "zeek":
        write_conn_log(path, flows)
    elif form == "netflow":
        write_netflow_csv(path, flows)
    else:
        write_flow_table(path, flows)


def write_conn_log(path: str | Path, flows: FlowTable) -> None:
    """Write a conn.log, tab-separated with Zeek's header lines.

    Unset values are ``-``. The ``uid`` follows from the flow's instant and place. Payload bytes, which a flow table
    does not hold, are unset; ``orig_ip_bytes`` and ``resp_ip_bytes`` are its bytes. A column ``label`` is added
    where some flow has one.
    """
    frame = flows.frame
    proto = _words(frame["proto"])
    named = pc.is_in(proto, value_set=_array(list(PROTO_NAMES.values())))
    single = (frame["fwd_packets"] + frame["bwd_packets"] <= 1) & (frame["duration"] == 0)
    columns = {
        "ts": _seconds(frame["ts"].to_numpy()),
        "uid": _array(_uids(frame)),
        "id.orig_h": _escaped(frame["src_ip"]),
        "id.orig_p": _unless(frame["src_port"], frame["src_port"] < 0),
        "id.resp_h": _escaped(frame["dst_ip"]),
        "id.resp_p": _unless(frame["dst_port"], frame["dst_port"] < 0),
        "proto": pc.if_else(named, pc.replace_substring(pc.utf8_lower(proto), "icmpv6", "icmp"), "unknown_transport"),
        "service": _escaped(_zeek_services(frame)),
        "duration": pc.if_else(pa.array(single.to_numpy()), "-", _seconds(frame["duration"].to_numpy())),
        "conn_state": _escaped(frame["state"]),
        "missed_bytes": "0",
        "history": _escaped(frame["history"]),
        "orig_pkts": _numbers(frame["fwd_packets"]),
        "orig_ip_bytes": _numbers(frame["fwd_bytes"]),
        "resp_pkts": _numbers(frame["bwd_packets"]),
        "resp_ip_bytes": _numbers(frame["bwd_bytes"]),
        "tunnel_parents": "(empty)",
        "ip_proto": _array(frame["proto"].map(lambda name: _NUMBERS.get(name, name)).to_numpy(dtype=object)),
    }
    fields = dict(CONN_FIELDS)
    if (frame["label"] != "").any():
        fields["label"] = "string"
        columns["label"] = _escaped(frame["label"])
    instants = frame["ts"].to_numpy() if len(frame) else np.zeros(1, np.int64)
    head = (
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
        f"#open\t{_moment(int(instants[0]))}\n#fields\t"
        + "\t".join(fields)
        + "\n#types\t"
        + "\t".join(fields.values())
        + "\n"
    )
    body = _lines([columns.get(name, "-") for name in fields], "\t", len(frame))
    _write(path, head + body + f"#close\t{_moment(int(instants[-1]))}\n")


def write_netflow_csv(path: str | Path, flows: FlowTable) -> None:
    """Write CSV as ``nfdump -o csv`` does, one row per flow, the responder in ``opkt`` and ``obyt``.

    Instants are UTC. ICMP has 256 times the type plus the code as ``dp``. Tables in which no flow was answered are read
    again as records of one direction.
    """
    frame = flows.frame
    ts = frame["ts"].to_numpy()
    source, target = _netflow_ports(frame)
    columns = [
        _dates(ts),
        _dates(ts + frame["duration"].to_numpy()),
        _seconds(frame["duration"].to_numpy()),
        _quoted(frame["src_ip"]),
        _quoted(frame["dst_ip"]),
        _numbers(source),
        _numbers(target),
        pc.replace_substring(_words(frame["proto"]), "ICMPv6", "ICMP6"),
        pc.binary_join_element_wise(_text(".."), _words(frame["flags"]), _text("")),
        "0",
        "0",
        _numbers(frame["fwd_packets"]),
        _numbers(frame["fwd_bytes"]),
        _numbers(frame["bwd_packets"]),
        _numbers(frame["bwd_bytes"]),
    ]
    _write(path, ",".join(NETFLOW_FIELDS) + "\n" + _lines(columns, ",", len(frame)))


def _write(path: str | Path, text: str) -> None:
    content = text.encode("utf-8")
    if str(path).lower().endswith(".gz"):
        content = gzip.compress(content, compresslevel=6, mtime=0)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _lines(columns: Sequence[Any], mark: str, count: int) -> str:
    """The rows, each ended; columns that are one text are that text in every row."""
    if not count:
        return ""
    whole = [_text(column) if isinstance(column, str) else column for column in columns]
    joined = pc.binary_join_element_wise(*whole, _text(mark))
    return "\n".join(joined.to_pylist()) + "\n"


def _text(text: str) -> Any:
    return pa.scalar(text, pa.large_string())


def _array(values: Any) -> Any:
    return pa.array(values, pa.large_string())


def _words(column: "pd.Series[str]") -> Any:
    return pa.array(column.to_numpy(dtype=object), pa.large_string())


def _numbers(values: Any) -> Any:
    return pc.cast(pa.array(np.asarray(values, dtype=np.int64)), pa.large_string())


def _unless(values: "pd.Series[int]", unset: "pd.Series[bool]") -> Any:
    return pc.if_else(pa.array(unset.to_numpy(dtype=bool)), "-", _numbers(values))


def _escaped(column: "pd.Series[str]") -> Any:
    """Texts as Zeek writes them: unset as ``-``, what would be taken for it or break the line as ``\\x..``."""
    words = _words(column)
    for mark in ("\\", "\t", "\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"):
        words = pc.replace_substring(words, mark, "".join(f"\\x{byte:02x}" for byte in mark.encode()))
    words = pc.replace_substring_regex(words, r"^-$", "\\\\x2d")
    words = pc.replace_substring_regex(words, r"^\(empty\)$", "\\\\x28empty)")
    return pc.if_else(pc.equal(words, ""), "-", words)


def _quoted(column: "pd.Series[str]") -> Any:
    """Texts as CSV holds them (RFC 4180)."""
    words = _words(column)
    odd = pc.match_substring_regex(words, r'[",\r\n]')
    inside = pc.replace_substring(words, '"', '""')
    return pc.if_else(odd, pc.binary_join_element_wise(_text('"'), inside, _text('"'), _text("")), words)


def _zeek_services(frame: pd.DataFrame) -> "pd.Series[str]":
    names = frame["service"].replace("tls", "ssl").replace("dcerpc", "dce_rpc").replace("vnc", "rfb")
    kerberos = np.where(frame["proto"] == "TCP", "krb_tcp", "krb")
    return names.where(names != "kerberos", pd.Series(kerberos, index=frame.index, dtype="str"))


def _netflow_ports(frame: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ports as NetFlow has them."""
    source = np.maximum(frame["src_port"].to_numpy(dtype=np.int64), 0)
    target = np.maximum(frame["dst_port"].to_numpy(dtype=np.int64), 0)
    for number, name in PROTO_NAMES.items():
        if not name.startswith("ICMP"):
            continue
        mine = (frame["proto"] == name).to_numpy(dtype=bool)
        exchange = [kind for proto, *pair in ICMP_PAIRS if proto == number for kind in pair]
        code = np.where(np.isin(source, exchange), 0, target)
        target = np.where(mine, source * 256 + code, target)
        source = np.where(mine, 0, source)
    return source, target


def _dates(ns: NDArray[np.int64]) -> Any:
    """UTC dates with at least three decimals of the second."""
    if not len(ns):
        return _array([])
    seconds = pc.strftime(pc.cast(pa.array(ns // NS_PER_S), pa.timestamp("s")), format="%Y-%m-%d %H:%M:%S")
    fractions = pc.utf8_slice_codeunits(_seconds(ns % NS_PER_S), 1)
    return pc.binary_join_element_wise(pc.cast(seconds, pa.large_string()), fractions, _text(""))


def _seconds(ns: NDArray[np.int64]) -> Any:
    return pc.cast(seconds_texts(ns), pa.large_string())


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns // NS_PER_S, tz=UTC).strftime("%Y-%m-%d-%H-%M-%S")


def _uids(frame: pd.DataFrame) -> NDArray[np.object_]:
    """Identifiers of Zeek's form, ``C`` and 17 letters or digits, that follow from instant, place and ports."""
    place = np.arange(len(frame), dtype=np.uint64)
    word = frame["ts"].to_numpy().astype(np.uint64) ^ (frame["src_port"].to_numpy().astype(np.uint64) << np.uint64(40))
    first = _mixed(word ^ _mixed(place))
    second = _mixed(first + place)
    letters = np.empty((len(frame), 18), "S1")
    letters[:, 0] = b"C"
    for k in range(17):
        rest = first if k < 9 else second
        letters[:, 1 + k] = _DIGITS[(rest % np.uint64(62)).astype(np.int64)]
        if k < 9:
            first = first // np.uint64(62)
        else:
            second = second // np.uint64(62)
    return np.ascontiguousarray(letters).view("S18").ravel().astype("U18").astype(object)


def _mixed(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The bits of a word spread over all of it (the finalizer of SplitMix64, Steele et al. 2014)."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
