"""One-directional records to bidirectional flows (RFC 5103): merged by reversed key.

The rule: records of one protocol between the same two endpoints (address and port; for ICMP the addresses and the kind
of exchange), whichever way they point, are one flow as long as each starts at most 120 s after all earlier ones ended.
So the two directions find each other, and so do the pieces into which an exporter's active timeout cuts a long flow. A
new SYN of a side that sent one before starts another flow once a FIN or RST was seen (a port that is used again). The
originator is the source of the record that starts first; of records that start together, the one whose other end is a
server port (a well-known one, else the lower), else the one that stands first.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.flows.services import server_ports
from netsynth_core.flows.table import UNSET_PORT
from netsynth_core.units import NS_PER_S

MERGE_GAP_NS: Final = 120 * NS_PER_S
"""Records further apart than this are of different flows (the rule of the CIDDS-001 flow merging)."""

_COUNTED: Final = ("packets", "bytes")


def merge_directions(records: pd.DataFrame, *, gap_ns: int = MERGE_GAP_NS) -> pd.DataFrame:
    """Merge one-directional records into flows.

    Parameters
    ----------
    records
        ``ts`` and ``duration`` (ns), ``proto``, ``src_ip``, ``src_port``, ``dst_ip``, ``dst_port``, ``packets``,
        ``bytes``, ``flags``
        (UAPRSF) and optionally ``label``, ``service``. ICMP has type and answering type (or code) as ports.
    gap_ns
        Longest silence inside a flow, ns.

    Returns
    -------
    pandas.DataFrame
        Columns of a flow table, in order of start. Every packet and byte of the records is in it once.
    """
    if not len(records):
        return _empty(records)
    records = records.reset_index(drop=True)
    forward, key = _keys(records)
    begin = records["ts"].to_numpy(dtype=np.int64)
    end = begin + records["duration"].to_numpy(dtype=np.int64)
    rank = _rank(records)
    order = np.lexsort((np.arange(len(records)), rank, begin, key))
    key, begin, end, forward = key[order], begin[order], end[order], forward[order]
    flags = records["flags"].astype("str").to_numpy(dtype=object)[order]
    latest = pd.Series(end).groupby(key).cummax().to_numpy()
    fresh = np.ones(len(order), bool)
    fresh[1:] = (key[1:] != key[:-1]) | (begin[1:] - latest[:-1] > gap_ns)
    part = np.cumsum(fresh) - 1
    part = part * (len(order) + 1) + _reused(part, forward, records["proto"].to_numpy(dtype=object)[order], flags)
    flow, _ = pd.factorize(part)
    return _flows(records.iloc[order], flow, forward, begin, end, flags)


def _keys(records: pd.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Per record whether it points from the lesser endpoint to the greater, and the number of its pair of endpoints."""
    names, _ = pd.factorize(pd.concat([records["src_ip"], records["dst_ip"]], ignore_index=True))
    source, target = names[: len(records)].astype(np.int64), names[len(records) :].astype(np.int64)
    a = source * 65537 + records["src_port"].to_numpy(dtype=np.int64) + 1
    b = target * 65537 + records["dst_port"].to_numpy(dtype=np.int64) + 1
    proto, _ = pd.factorize(records["proto"])
    low, _ = pd.factorize(np.minimum(a, b))
    high, _ = pd.factorize(np.maximum(a, b))
    pair, _ = pd.factorize(low.astype(np.int64) * (int(high.max()) + 1) + high)
    key, _ = pd.factorize(pair.astype(np.int64) * (int(proto.max()) + 1) + proto)
    return a <= b, key.astype(np.int64)


def looks_answered(
    source: NDArray[np.int32], target: NDArray[np.int32], proto: NDArray[np.object_]
) -> NDArray[np.bool_]:
    """Which rows go from a port that servers listen on to one that they do not."""
    to_server, from_server = _listening(target, proto), _listening(source, proto)
    carried = (proto == "TCP") | (proto == "UDP")
    return np.asarray(from_server & ~to_server & carried, dtype=np.bool_)


def _listening(port: NDArray[np.int32], proto: NDArray[np.object_]) -> NDArray[np.bool_]:
    row = (proto == "UDP").astype(np.int64)
    known = server_ports().astype(bool)[row, np.clip(port, 0, 65535)]
    return np.asarray(known | ((port >= 0) & (port < 1024)), dtype=np.bool_)


def _rank(records: pd.DataFrame) -> NDArray[np.int64]:
    """0 for records that look sent by the originator, 2 for those that look like answers, by their ports."""
    source = records["src_port"].to_numpy(dtype=np.int32)
    target = records["dst_port"].to_numpy(dtype=np.int32)
    proto = records["proto"].to_numpy(dtype=object)
    carried = ((proto == "TCP") | (proto == "UDP")) & (source != UNSET_PORT)
    to_server, from_server = _listening(target, proto), _listening(source, proto)
    rank = np.where(to_server == from_server, np.sign(target - source).astype(np.int64) + 1, 1)
    rank = np.where(to_server & ~from_server, 0, np.where(from_server & ~to_server, 2, rank))
    return np.where(carried, rank, 1).astype(np.int64)


def _reused(
    part: NDArray[np.int64], forward: NDArray[np.bool_], proto: NDArray[np.object_], flags: NDArray[np.object_]
) -> NDArray[np.int64]:
    """How many times, up to each record, the ports of its part were used again: SYNs of one side after an end."""
    text = pd.Series(flags, dtype="str")
    tcp = proto == "TCP"
    syn = text.str.contains("S", regex=False).to_numpy(dtype=bool) & tcp
    closing = (text.str.contains("F", regex=False) | text.str.contains("R", regex=False)).to_numpy(dtype=bool) & tcp
    closed = pd.Series(closing.astype(np.int64)).groupby(part).cumsum().to_numpy() - closing > 0
    side = part * 2 + forward
    sent = pd.Series(syn.astype(np.int64)).groupby(side).cumsum().to_numpy()
    again = syn & closed & (sent > 1)
    nth = pd.Series(again.astype(np.int64)).groupby(side).cumsum().to_numpy()
    used = pd.Series(np.where(syn, nth, 0)).groupby(part).cummax()
    return used.to_numpy().astype(np.int64)


def _flows(
    records: pd.DataFrame,
    flow: NDArray[np.int64],
    forward: NDArray[np.bool_],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    flags: NDArray[np.object_],
) -> pd.DataFrame:
    """One row per flow number; records are in order of start within each flow."""
    count = int(flow.max()) + 1
    first = np.full(count, len(flow), np.int64)
    np.minimum.at(first, flow, np.arange(len(flow)))
    last = np.zeros(count, np.int64)
    np.maximum.at(last, flow, end)
    head = records.iloc[first].reset_index(drop=True)
    made = head[["proto", "src_ip", "src_port", "dst_ip", "dst_port"]].copy()
    made["ts"], made["duration"] = begin[first], last - begin[first]
    onward = forward == forward[first][flow]
    for name in _COUNTED:
        values = records[name].to_numpy(dtype=np.int64)
        for way, mask in (("fwd", onward), ("bwd", ~onward)):
            total = np.zeros(count, np.int64)
            np.add.at(total, flow[mask], values[mask])
            made[f"{way}_{name}"] = total
    made["flags"] = _unions(flags, flow, count)
    for name in ("label", "service"):
        if name in records:
            made[name] = _telling(records[name].astype("str").to_numpy(dtype=object), flow, first)
    order = np.argsort(made["ts"].to_numpy(), kind="stable")
    return made.iloc[order].reset_index(drop=True)


def _unions(flags: NDArray[np.object_], flow: NDArray[np.int64], count: int) -> NDArray[np.object_]:
    codes, texts = pd.factorize(flags)
    bits = np.array([sum(1 << k for k, c in enumerate("UAPRSF") if c in text) for text in texts], np.int64)
    union = np.zeros(count, np.int64)
    np.bitwise_or.at(union, flow, bits[codes])
    words = np.array(["".join(c if v >> k & 1 else "." for k, c in enumerate("UAPRSF")) for v in range(64)], object)
    return words[union]


def _telling(texts: NDArray[np.object_], flow: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.object_]:
    """Per flow the text of its first record, unless that says nothing and a later one does."""
    chosen = texts[first].copy()
    quiet = pd.Series(texts, dtype="str").str.lower().isin(["", "normal", "background", "benign"]).to_numpy(dtype=bool)
    loud = np.flatnonzero(~quiet)
    where, at = np.unique(flow[loud], return_index=True)
    silent = quiet[first][where]
    chosen[where[silent]] = texts[loud[at]][silent]
    return chosen


def _empty(records: pd.DataFrame) -> pd.DataFrame:
    made = records.rename(columns={"packets": "fwd_packets", "bytes": "fwd_bytes"})
    return made.assign(bwd_packets=np.zeros(0, np.int64), bwd_bytes=np.zeros(0, np.int64))
