"""Rows on their way from cells to flows: each column says which rows it has no value for, and why."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from netsynth_core.capture.packets import PROTO_ICMP, PROTO_ICMP6, PROTO_NAMES
from netsynth_core.flows.logs import cells
from netsynth_core.flows.logs.layout import delimiter_of, header_of, rows_after
from netsynth_core.flows.logs.report import NO_ADDRESS, NO_COUNT, NO_PORT, NO_PROTOCOL, Tally
from netsynth_core.flows.logs.text import Sheet, Text, read_sheet
from netsynth_core.flows.metering import ICMP_PAIRS

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]


class Rows:
    """Columns of the flow table under construction, one value per row of the sheet.

    A row that is refused once is out; it is counted under the first reason.
    """

    def __init__(self, sheet: Sheet, tally: Tally) -> None:
        self.sheet, self.tally = sheet, tally
        self.good: Mask = np.ones(len(sheet), bool)
        self.values: dict[str, Any] = {}

    def refuse(self, bad: Mask, reason: str) -> None:
        """Take rows out."""
        hit = bad & self.good
        if hit.any():
            self.tally.add(reason, self.sheet.lines[hit])
            self.good &= ~bad

    def put(self, name: str, parsed: tuple[Any, Mask], reason: str) -> Any:
        """Set a column; rows without a value are refused for the reason."""
        values, ok = parsed
        self.refuse(~ok, reason)
        self.values[name] = values
        return values

    def endpoints(self, source: str, source_port: str, target: str, target_port: str, proto: str) -> None:
        """Set addresses, ports and protocol from the columns of these names; missing ports are unset."""
        self.put("src_ip", cells.addresses(self.sheet.get(source)), NO_ADDRESS)
        self.put("dst_ip", cells.addresses(self.sheet.get(target)), NO_ADDRESS)
        self.put("proto", cells.protocols(self.sheet.get(proto)), NO_PROTOCOL)
        self.put("src_port", cells.ports(self.sheet.get(source_port)), NO_PORT)
        self.put("dst_port", cells.ports(self.sheet.get(target_port), blank=0), NO_PORT)

    def count(self, name: str, column: str) -> Numbers:
        """Set a column of counts; empty is 0."""
        values: Numbers = self.put(name, cells.counts(self.sheet.get(column)), NO_COUNT)
        return values

    def is_proto(self, *names: str) -> Mask:
        """Which rows are of one of these protocols."""
        import pyarrow.compute as pc

        return cells.mask_of(pc.is_in(self.values["proto"], value_set=pa.array(names, pa.large_string())))

    def icmp(self, kind: Numbers, code: Numbers, where: Mask) -> None:
        """Set the ports of ICMP rows as metering does: the type, and the code or the type of the answer."""
        source, target = np.array(self.values["src_port"], np.int32), np.array(self.values["dst_port"], np.int32)
        source[where], target[where] = kind[where], code[where]
        for number, request, answer in ICMP_PAIRS:
            same = where & self.is_proto(PROTO_NAMES[number])
            target[same & (source == request)] = answer
            target[same & (source == answer)] = request
        self.values["src_port"], self.values["dst_port"] = source, target

    def swap(self, where: Mask) -> None:
        """Turn rows around: the second endpoint is the originator."""
        if not where.any():
            return
        import pyarrow.compute as pc

        turned = pa.array(where)
        for one, other in (
            ("src_ip", "dst_ip"),
            ("src_port", "dst_port"),
            ("fwd_packets", "bwd_packets"),
            ("fwd_bytes", "bwd_bytes"),
        ):
            a, b = self.values[one], self.values[other]
            if isinstance(a, np.ndarray):
                self.values[one], self.values[other] = np.where(where, b, a), np.where(where, a, b)
            else:
                self.values[one], self.values[other] = pc.if_else(turned, b, a), pc.if_else(turned, a, b)

    def objects(self, name: str) -> NDArray[np.object_]:
        """A column of texts as Python strings, all rows."""
        return np.asarray(self.values[name].to_pandas(), dtype=object)

    def frame(self) -> pd.DataFrame:
        """The good rows."""
        columns = {}
        kept = None if self.good.all() else np.flatnonzero(self.good)
        for name, values in self.values.items():
            if isinstance(values, np.ndarray):
                columns[name] = pd.Series(values if kept is None else values[kept])
            else:
                chosen = values if kept is None else values.take(pa.array(kept))
                columns[name] = pd.Series(chosen.to_pandas())
        return pd.DataFrame(columns)


ICMP_NAMES = (PROTO_NAMES[PROTO_ICMP], PROTO_NAMES[PROTO_ICMP6])


def headed_rows(text: Text, tally: Tally) -> tuple[Rows, int]:
    """The rows of a table that begins with its header, and how many lines stand behind the header."""
    mark = delimiter_of(text)
    number, names = header_of(text, mark)
    lines = rows_after(text, number)
    return Rows(read_sheet(text, lines, names, tally, delimiter=mark), tally), len(lines)
