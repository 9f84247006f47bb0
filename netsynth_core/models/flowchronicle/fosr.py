"""A pattern set in the JSON layout of the published tool chain: the FlowChronicle format of Fos-R (version 0.1).

The layout: ``pattern_weights`` (windows of each pattern, the empty one among them), ``metadata`` (``input_file``,
``creation_time``) and ``patterns``, each with ``partial_flows`` (lists of fixed and reused cells; free ones are absent)
and ``bayesian_network`` (nodes in topological order: ``feature``, ``partial_flow_number``, ``parents``, ``cpt``). A
feature has a ``type`` and a ``domain``: addresses, ports, protocols and flags as lists, numbers as half-open intervals.
A table has ``probas`` for each of its ``parents_values``, which are places in the domains of the parents.

What the layout cannot hold is left out, and said: it has no service, no state, no delays and no source ports, and knows
IPv4, TCP, UDP and ICMP only. So the networks are learnt anew, over the columns it has and the windows it can hold.
Its reader looks every configuration of parents up, also one that never occurred: tables are written for all of them,
and a cell whose table would have more than `MOST_CELLS` entries loses the parent of most values.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import InvalidParameter
from netsynth_core.models.bayesnet.network import BACK_OFF, Network, Variable
from netsynth_core.models.flowchronicle.columns import Column
from netsynth_core.models.flowchronicle.index import FlowIndex
from netsynth_core.models.flowchronicle.pattern import Pattern
from netsynth_core.units import NS_PER_S, count, format_number

if TYPE_CHECKING:
    from netsynth_core.models.flowchronicle.model import FlowChronicle

FEATURES = {
    "proto": "Proto",
    "dst_port": "DstPt",
    "flags": "Flags",
    "src_ip": "SrcIP",
    "dst_ip": "DstIP",
    "fwd_packets": "FwdPkt",
    "bwd_packets": "BwdPkt",
    "fwd_bytes": "FwdByt",
    "bwd_bytes": "BwdByt",
    "duration": "Duration",
}
REUSES = {
    ("src_ip", "src_ip"): "ReuseSrcAsSrc",
    ("src_ip", "dst_ip"): "ReuseSrcAsDst",
    ("dst_ip", "src_ip"): "ReuseDrcAsSrc",
    ("dst_ip", "dst_ip"): "ReuseDrcAsDst",
}
"""By (source, column); spelt as the reader spells them."""
PROTOCOLS = ("TCP", "UDP", "ICMP")
MOST_CELLS = 100_000


@dataclass(frozen=True)
class FosrPatterns:
    """What is written, and what was left out."""

    document: dict[str, Any]
    notes: tuple[str, ...]


def fosr_patterns(model: "FlowChronicle", *, input_file: str = "", created: str = "") -> FosrPatterns:
    """The pattern set in the published layout.

    Raises
    ------
    InvalidParameter
        When the model came without its training flows, or no window can be held.
    """
    if model.training is None:
        raise InvalidParameter(
            "The model came without its training flows, and the layout needs networks over other columns.",
            hint="Keep the .npz that was written with the model beside it.",
        )
    writer = _Writer(model, model.training)
    patterns, weights = [], []
    for learnt in (*model.patterns, model.empty):
        windows = model.cover.uncovered[:, None] if learnt.id == model.empty.id else model.cover.windows[learnt.id]
        kept = windows[writer.fits[windows].all(axis=1)]
        weight = round(len(kept) * learnt.weight)
        if weight:
            patterns.append(writer.pattern(learnt.pattern, kept))
            weights.append(weight)
    if not patterns:
        raise InvalidParameter(
            "No flow can be written: the layout knows IPv4 addresses and TCP, UDP and ICMP only.",
            hint="Export the model as json.",
        )
    metadata = {"input_file": input_file, "creation_time": created}
    document = {"metadata": metadata, "pattern_weights": weights, "patterns": patterns}
    return FosrPatterns(document, tuple(writer.notes()))


class _Writer:
    def __init__(self, model: "FlowChronicle", index: FlowIndex) -> None:
        self.index = index
        self.columns = model.columns
        self.learner = model.solved[1].terms.networks
        self.kept = [c for c, column in enumerate(model.columns) if column.name in FEATURES]
        self.fits = _fitting(self.index.codes, model.columns)
        self.left_out = [column.name for column in model.columns if column.name not in FEATURES]
        self.cut: list[str] = []

    def notes(self) -> list[str]:
        notes = []
        missing = int((~self.fits).sum())
        if missing:
            notes.append(
                f"{count(missing, 'flow')} of {format_number(len(self.fits))} and the windows they are in are left out:"
                " the layout knows IPv4 addresses and TCP, UDP and ICMP only."
            )
        if self.left_out:
            notes.append(f"The layout has no {' and no '.join(self.left_out)}; networks are learnt without.")
        notes.append("The layout has no delays: its reader starts the flows of a pattern 500 ms after one another.")
        if self.cut:
            notes.append(
                f"{count(len(self.cut), 'table')} would have had more than {format_number(MOST_CELLS)} entries and "
                f"{'has' if len(self.cut) == 1 else 'have'} fewer parents: {', '.join(self.cut[:8])}."
            )
        return notes

    def pattern(self, pattern: Pattern, windows: NDArray[np.int64]) -> dict[str, Any]:
        flows = []
        for flow in pattern.flows:
            cells: list[dict[str, Any]] = []
            for fixed in flow.fixed:
                column = self.columns[fixed.column]
                if column.name in FEATURES:
                    cells.append({"type": "Fixed", "feature": feature(column, [fixed.code])})
            for reused in flow.reused:
                ends = self.columns[reused.source].name, self.columns[reused.column].name
                cells.append({"type": REUSES[ends], "row": reused.flow})
            flows.append(cells)
        return {"partial_flows": flows, "bayesian_network": self.network(pattern, windows)}

    def network(self, pattern: Pattern, windows: NDArray[np.int64]) -> list[dict[str, Any]]:
        cells = [cell for cell in pattern.free_cells(len(self.columns)) if cell[1] in self.kept]
        if not cells:
            return []
        codes = np.stack([self.index.codes[windows[:, flow], column] for flow, column in cells])
        codes = np.ascontiguousarray(codes, np.int32)
        parents = self.learner.learn(codes, np.array([c for _, c in cells], np.int64)).parents
        self._limit(codes, parents, [f"{flow + 1}.{self.columns[c].name}" for flow, c in cells])
        network = Network.fit(codes, parents)
        place = {v: n for n, v in enumerate(network.order)}
        nodes = []
        for v in network.order:
            flow, column = cells[v]
            variable = network.variables[v]
            nodes.append(
                {
                    "feature": feature(self.columns[column], variable.alphabet.tolist()),
                    "partial_flow_number": flow,
                    "parents": [place[p] for p in variable.parents],
                    "cpt": table(variable, [len(network.variables[p].alphabet) for p in variable.parents]),
                }
            )
        return nodes

    def _limit(self, codes: NDArray[np.int32], parents: NDArray[np.int64], names: Sequence[str]) -> None:
        """Take parents away, in place, until every table is small enough."""
        sizes = [len(np.unique(row)) for row in codes]
        for v, row in enumerate(parents):
            before = int((row >= 0).sum())
            while (row >= 0).any() and sizes[v] * int(np.prod([sizes[p] for p in row if p >= 0])) > MOST_CELLS:
                row[int(np.argmax([sizes[p] if p >= 0 else 0 for p in row]))] = -1
            if int((row >= 0).sum()) < before:
                self.cut.append(names[v])


def _fitting(codes: NDArray[np.int32], columns: Sequence[Column]) -> NDArray[np.bool_]:
    """Rows that the layout can hold."""
    fits = np.ones(len(codes), np.bool_)
    for c, column in enumerate(columns):
        if column.name == "proto":
            good = [value in PROTOCOLS for value in column.values]
        elif column.kind == "host":
            good = [_is_ipv4(value) for value in column.values]
        elif column.kind == "port":
            good = [0 <= int(value) <= 65535 or value == "-1" for value in column.values]
        else:
            continue
        fits &= np.array(good, np.bool_)[codes[:, c]]
    return fits


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def feature(column: Column, codes: Sequence[int]) -> dict[str, Any]:
    """A feature with the values of these codes as its domain; flows without a port have the port 0."""
    if column.kind == "port":
        domain: list[Any] = [max(int(column.values[code]), 0) for code in codes]
    elif column.kind == "number":
        domain = [_interval(column, code) for code in codes]
    else:
        domain = [column.values[code] for code in codes]
    return {"type": FEATURES[column.name], "domain": domain}


def _interval(column: Column, code: int) -> list[int] | list[float]:
    """The half-open interval of the training values of a bin; durations in seconds."""
    low, high = (0, 0) if code == 0 else (int(column.knots[code - 1, 0]), int(column.knots[code - 1, -1]))
    return [low / NS_PER_S, (high + 1) / NS_PER_S] if column.name == "duration" else [low, high + 1]


def table(variable: Variable, sizes: Sequence[int]) -> dict[str, Any]:
    """Probabilities for every configuration of the parents (of `sizes` values)."""
    share = variable.share()
    known = {int(config): at for at, config in enumerate(variable.configs)}
    probas = []
    for number in range(int(np.prod(sizes, dtype=np.int64)) if sizes else 1):
        counts = np.zeros(len(share))
        at = known.get(number)
        if at is not None:
            entries = slice(int(variable.offsets[at]), int(variable.offsets[at + 1]))
            counts[variable.values[entries]] = variable.counts[entries]
        probas.append(((counts + BACK_OFF * share) / (counts.sum() + BACK_OFF)).tolist())
    return {"parents_values": [list(values) for values in product(*map(range, sizes))], "probas": probas}
