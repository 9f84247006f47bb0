"""Gives every packet of a draft its payload pattern: equal wants are made once."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.flows.services import RULES
from netsynth_core.forge.columns import Draft
from netsynth_core.forge.payloads.learnt import LearntPayloads
from netsynth_core.forge.payloads.makers import JOINS, MAKERS, make
from netsynth_core.forge.payloads.pattern import PatternStore, Want
from netsynth_core.forge.payloads.strict import LOW, ONES, SHORT, UNSERVED, ZERO
from netsynth_core.forge.plan import Plan

_SPREAD: Final = np.uint64(0xD6E8FEB86659FD93)
CHECKED: Final = LOW | ZERO | ONES | SHORT | UNSERVED
"""Ports on which readers take only well-formed messages."""


@dataclass
class Payloads:
    """Patterns of all packets drafted so far; wants met before are not made again."""

    tokens: tuple[str, ...]
    store: PatternStore = field(default_factory=PatternStore)
    made: dict[Want, tuple[int, int]] = field(default_factory=dict)
    """Pattern and size of each want."""
    learnt: LearntPayloads = field(default_factory=LearntPayloads)
    """What the transitions of the models carry; see there for which payload goes first."""
    resized: int = 0
    """Packets whose protocol has no message of the size drawn."""

    def assign(
        self, plan: Plan, draft: Draft, flows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
        """Pattern and own word of each packet; sizes that a protocol cannot have are changed in `draft`.

        Parameters
        ----------
        plan, draft
            Draft flow i is plan row ``flows[i]``.
        """
        from netsynth_core.forge.payloads._kernels import gather_wants

        n = len(draft.size)
        names = sorted({rule.name for rule in RULES} | set(plan.service[flows].tolist()))
        code = {name: i for i, name in enumerate(names)}
        service = np.array([code[name] for name in plan.service[flows]], np.int64)
        join = np.array([JOINS.get(name, 0) for name in names], np.int64)[service]
        columns = plan.columns
        proto = columns.proto[flows].astype(np.int64)
        wants = np.zeros((n, 4), np.int64)
        own = np.zeros(n, np.uint16)
        gather_wants(draft, proto, columns.seed[flows], join, plan.limit[flows], wants, own)
        lengths = np.diff(draft.offsets)
        flow = np.repeat(np.arange(len(flows)), lengths)
        port = _doors(plan, flows)
        messages = columns.messages[flows]
        icmp = (proto == 1) | (proto == 58)
        way = draft.direction.astype(np.int64)
        door = np.where(icmp[flow], messages[flow, way, 0].astype(np.int64), port[flow])
        way ^= plan.swapped[flows][flow]
        head = (((service[flow] * 256 + proto[flow]) * 65536 + door) * 2 + way) * 8 + draft.kind
        size, token = draft.size.astype(np.int64), draft.token.astype(np.int64) + 1
        # two words hold a whole want: the first what it belongs to, the second its sizes and place
        first = (head << 20) | token
        second = (size << 42) | (wants[:, 0] << 22) | (wants[:, 1] << 6) | (wants[:, 2] << 3) | wants[:, 3]
        pattern = np.zeros(n, np.int32)
        special = self._from_models(plan, draft, flows, flow, names, service, icmp, port, pattern)
        live = np.flatnonzero((draft.size > 0) & ~special)
        if len(live) == 0:
            return pattern, own
        rows, which = _distinct(first[live], second[live])
        chosen = np.empty((len(rows), 2), np.int64)
        columns_of = np.column_stack([head, token, size, wants])[live[rows]]
        for row, key in enumerate(columns_of.tolist()):
            chosen[row] = self._one(key, names)
        pattern[live] = chosen[which, 0]
        sizes = chosen[which, 1]
        self.resized += int(np.count_nonzero(sizes != draft.size[live]))
        draft.size[live] = sizes
        return pattern, own

    def _from_models(
        self,
        plan: Plan,
        draft: Draft,
        flows: NDArray[np.int64],
        flow: NDArray[np.int64],
        names: list[str],
        service: NDArray[np.int64],
        icmp: NDArray[np.bool_],
        port: NDArray[np.int64],
        pattern: NDArray[np.int32],
    ) -> NDArray[np.bool_]:
        """Serve the packets whose payload comes from their transition's model; returns which these are."""
        if not self.learnt.models:
            return np.zeros(len(draft.size), bool)
        made = np.array([name in MAKERS for name in names], bool)[service] | icmp
        proto = plan.columns.proto[flows].tolist()
        checked = np.array([door in CHECKED for door in zip(proto, port.tolist(), strict=True)], bool)
        repeats, writes = self.learnt.chosen(draft.carried, draft.size, (made | checked)[flow])
        special = repeats | writes
        if not special.any():
            return special
        place = np.arange(len(flow)) - draft.offsets[:-1][flow]
        with np.errstate(over="ignore"):
            choice = plan.columns.seed[flows][flow] ^ ((place.astype(np.uint64) + np.uint64(1)) * _SPREAD)
            choice = (choice ^ (choice >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            choice ^= choice >> np.uint64(31)
        limit = plan.limit[flows][flow]
        rows = np.flatnonzero(repeats)
        if len(rows):
            self.learnt.repeat(rows, draft.carried, draft.size, limit, choice, pattern, self.store)
        rows = np.flatnonzero(writes)
        if len(rows):
            self.learnt.write(rows, draft.carried, draft.size, choice, pattern, self.store)
        # in order, so that a copy of a copy has what the first had
        for row in np.flatnonzero(special & (draft.copy > 0)).tolist():
            pattern[row] = pattern[row - draft.copy[row]]
            draft.size[row] = draft.size[row - draft.copy[row]]
        return special

    def _one(self, key: list[int], names: list[str]) -> tuple[int, int]:
        head, token, size, rest, peer, place, variant = key
        head, kind = divmod(head, 8)
        head, way = divmod(head, 2)
        head, door = divmod(head, 65536)
        service, proto = divmod(head, 256)
        want = Want(
            service=names[service],
            proto=proto,
            port=door,
            direction=way,
            kind=kind,
            token=self.tokens[token - 1] if token else "",
            size=size,
            rest=rest,
            continued=bool(place & 4),
            peer=peer,
            ordinal=place & 3,
            variant=variant,
        )
        found = self.made.get(want)
        if found is None:
            made = make(want)
            found = self.made[want] = (self.store.add(made), size if made.size < 0 else made.size)
        return found


def _doors(plan: Plan, flows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The port of each flow that readers go by: the server's, or where no service is known the lower strict one."""
    proto = plan.columns.proto[flows].tolist()
    ports = plan.columns.ports[flows].astype(np.int64)
    doors = np.where(plan.swapped[flows], ports[:, 0], ports[:, 1])
    for i in np.flatnonzero(plan.service[flows] == ""):
        for port in np.sort(ports[i]).tolist():
            if (proto[i], port) in CHECKED:
                doors[i] = port
                break
    return doors


def _distinct(first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One position of each distinct pair of words, and which of them each position holds."""
    order = np.lexsort((second, first))
    new = np.ones(len(order), bool)
    new[1:] = (first[order[1:]] != first[order[:-1]]) | (second[order[1:]] != second[order[:-1]])
    which = np.empty(len(order), np.int64)
    which[order] = np.cumsum(new) - 1
    return order[new], which
