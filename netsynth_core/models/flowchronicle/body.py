"""The document body of a FlowChronicle model: strict schemas, and both directions between them and the model's parts.

Everything a number could break is checked here, so that a document that decodes is a sound model.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from netsynth_core.errors import InvalidEdit
from netsynth_core.models.bayesnet.network import Network, Variable, parents_first
from netsynth_core.models.bayesnet.scores import MAX_PARENTS
from netsynth_core.models.flowchronicle.columns import CATEGORIES, KNOTS, NUMBERS, Column, ColumnKind
from netsynth_core.models.flowchronicle.edits import MOST_WEIGHT
from netsynth_core.models.flowchronicle.generation import body as generation
from netsynth_core.models.flowchronicle.generation.body import broken
from netsynth_core.models.flowchronicle.generation.values import NumberLaw
from netsynth_core.models.flowchronicle.learnt import EMPTY_ID, LearntPattern
from netsynth_core.models.flowchronicle.params import FlowChronicleParams
from netsynth_core.models.flowchronicle.pattern import Fixed, PartialFlow, Pattern, Reused, check_pattern
from netsynth_core.models.flowchronicle.repair import Rules, SourcePorts
from netsynth_core.models.flowchronicle.support import Group, Support

LIMIT = 2**62
KINDS: dict[str, ColumnKind] = {**dict(CATEGORIES), **dict.fromkeys(NUMBERS, "number")}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ColumnBody(_Strict):
    """One column."""

    name: str
    values: list[str] | None
    """Null for numbers, and for ``dst_ip``, which has those of ``src_ip``."""
    edges: list[int]
    knots: list[list[int]]
    step: int = Field(ge=1, le=LIMIT)


class VariableBody(_Strict):
    """One variable of a network; see `Variable`."""

    alphabet: list[int]
    parents: list[int]
    configs: list[int]
    offsets: list[int]
    values: list[int]
    counts: list[int]


class ReusedBody(_Strict):
    """Which cell is reused."""

    flow: int
    """Place of the earlier flow, 0-based."""
    column: str


class FlowBody(_Strict):
    """One partial flow: fixed codes and reused cells by column."""

    fixed: dict[str, int]
    reused: dict[str, ReusedBody]


class PatternBody(_Strict):
    """One learnt pattern; see `LearntPattern`."""

    id: str = Field(pattern=r"^(p[1-9]\d{0,8}|empty)$")
    name: str = Field(max_length=200)
    flows: list[FlowBody] = Field(min_length=1, max_length=64)
    within: list[int]
    network: list[VariableBody]
    usage: int = Field(ge=0, le=LIMIT)
    model_bits: FiniteFloat
    data_bits: FiniteFloat
    saved_bits: FiniteFloat
    starts: generation.StartLawBody
    delays: list[generation.DelayBody]
    numbers: list[generation.NumberLawBody]
    parents: list[list[int]]
    weight: FiniteFloat = Field(ge=0, le=MOST_WEIGHT)


class RulesBody(_Strict):
    """See `Rules`."""

    least_bytes: dict[str, FiniteFloat]
    most_bytes: dict[str, FiniteFloat]
    packets_with_bytes: bool
    lone_packet_takes_no_time: bool
    more_packets_take_time: bool
    least_duration: int = Field(ge=0, le=LIMIT)
    flags_for_tcp_only: bool
    tcp_flags: str


class GroupBody(_Strict):
    """See `Group`; the columns by name, the combinations by code."""

    columns: list[str] = Field(min_length=1)
    zero: list[str]
    seen: list[list[int]] = Field(min_length=1)


class SupportBody(_Strict):
    """See `Support`."""

    one_family: bool
    apart: bool
    groups: list[GroupBody]


class PortBody(_Strict):
    """A source port and how many flows had it."""

    port: int = Field(ge=0, le=65535)
    flows: int = Field(ge=1, le=LIMIT)


class SourcePortsBody(_Strict):
    """See `SourcePorts`."""

    proto: str
    dst_port: int
    ports: list[PortBody] = Field(min_length=1)
    ephemeral: int = Field(ge=0, le=LIMIT)


class BitsBody(_Strict):
    """Codelengths, bits."""

    model: FiniteFloat
    data: FiniteFloat
    empty: FiniteFloat


class TrainedOnBody(_Strict):
    """What the model learnt from."""

    rows: int = Field(ge=1, le=LIMIT)
    first: int = Field(ge=-LIMIT, le=LIMIT)
    last: int = Field(ge=-LIMIT, le=LIMIT)
    resolution: int = Field(ge=1, le=LIMIT)
    content: str


class Body(_Strict):
    """The whole body."""

    columns: list[ColumnBody]
    patterns: list[PatternBody]
    dropped: list[PatternBody]
    empty: PatternBody
    rules: RulesBody
    support: SupportBody
    source_ports: list[SourcePortsBody]
    links: list[generation.LinkBody]
    machines: list[list[int]]
    together: list[list[FiniteFloat]]
    bits: BitsBody
    trained_on: TrainedOnBody
    parameters: FlowChronicleParams
    warnings: list[str]


def _ints(values: list[int], where: str, *, low: int, high: int, dtype: Any = np.int64) -> NDArray[Any]:
    if any(not low <= v <= high for v in values):
        raise broken(where, f"integers {low}..{high} are needed")
    return np.array(values, dtype=dtype)


def columns_to_body(columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    """The columns, addresses once."""
    return [
        {
            "name": c.name,
            "values": None if c.kind == "number" or c.name == "dst_ip" else list(c.values),
            "edges": c.edges.tolist(),
            "knots": c.knots.tolist(),
            "step": c.step,
        }
        for c in columns
    ]


def columns_from_body(bodies: list[ColumnBody]) -> tuple[Column, ...]:
    """The columns; addresses shared again."""
    names = [b.name for b in bodies]
    needed = [n for n in KINDS if n in names or n not in ("service", "state")]
    if names != needed:
        raise broken("columns", f"the columns {needed} are needed, in this order")
    columns: list[Column] = []
    hosts: tuple[str, ...] = ()
    for body in bodies:
        kind = KINDS[body.name]
        where = f"columns.{body.name}"
        if kind == "number":
            knots = [_ints(row, where, low=0, high=LIMIT) for row in body.knots]
            if any(len(row) != KNOTS or (np.diff(row) < 0).any() for row in knots):
                raise broken(where, f"rows of {KNOTS} ascending knots are needed")
            edges = _ints(body.edges, where, low=0, high=LIMIT)
            if len(edges) != (len(knots) + 1 if knots else 0) or (np.diff(edges) < 0).any():
                raise broken(where, "one more edge than bins is needed, ascending")
            table = np.stack(knots) if knots else np.zeros((0, KNOTS), np.int64)
            columns.append(Column(body.name, kind, edges=edges, knots=table, step=body.step))
            continue
        values = hosts if body.name == "dst_ip" else tuple(body.values or ())
        if not values or len(set(values)) != len(values):
            raise broken(where, "distinct values are needed")
        if kind == "port" and not all(v == "-1" or (v.isascii() and v.isdigit() and len(v) < 10) for v in values):
            raise broken(where, "ports are needed")
        hosts = values if body.name == "src_ip" else hosts
        columns.append(Column(body.name, kind, values))
    return tuple(columns)


def pattern_to_body(learnt: LearntPattern, columns: tuple[Column, ...]) -> dict[str, Any]:
    """One learnt pattern."""
    flows = [
        {
            "fixed": {columns[c.column].name: c.code for c in flow.fixed},
            "reused": {columns[c.column].name: {"flow": c.flow, "column": columns[c.source].name} for c in flow.reused},
        }
        for flow in learnt.pattern.flows
    ]
    network = [
        {
            "alphabet": v.alphabet.tolist(),
            "parents": list(v.parents),
            "configs": v.configs.tolist(),
            "offsets": v.offsets.tolist(),
            "values": v.values.tolist(),
            "counts": v.counts.tolist(),
        }
        for v in learnt.network.variables
    ]
    return {
        "id": learnt.id,
        "name": learnt.name,
        "flows": flows,
        "within": list(learnt.pattern.within),
        "network": network,
        "usage": learnt.usage,
        "model_bits": learnt.model_bits,
        "data_bits": learnt.data_bits,
        "saved_bits": learnt.saved_bits,
        "starts": generation.starts_to_body(learnt.starts, columns),
        "delays": [generation.delay_to_body(law, columns) for law in learnt.delays],
        "numbers": [generation.law_to_body(law) for law in learnt.numbers],
        "parents": learnt.parents.tolist(),
        "weight": learnt.weight,
    }


def pattern_from_body(body: PatternBody, columns: tuple[Column, ...]) -> LearntPattern:
    """One learnt pattern, checked against the columns."""
    number = {c.name: i for i, c in enumerate(columns)}
    where = f"pattern {body.id}"
    try:
        flows = tuple(
            PartialFlow(
                tuple(sorted(Fixed(number[name], code) for name, code in flow.fixed.items())),
                tuple(sorted(Reused(number[n], cell.flow, number[cell.column]) for n, cell in flow.reused.items())),
            )
            for flow in body.flows
        )
        pattern = Pattern(flows, tuple(body.within))
        hosts = tuple(i for i, c in enumerate(columns) if c.kind == "host")
        check_pattern(pattern, tuple(c.size for c in columns), hosts)
    except KeyError as error:
        raise broken(where, f"{error} is no column") from error
    except InvalidEdit as error:
        raise broken(where, error.message) from error
    cells = pattern.free_cells(len(columns))
    if len(body.delays) != len(body.within):
        raise broken(where, "delays are needed for each gap")
    delays = tuple(generation.delay_from_body(law, len(pattern), columns, where) for law in body.delays)
    parents = np.full((len(cells), MAX_PARENTS), -1, np.int64)
    if len(body.parents) != len(cells):
        raise broken(where, "parents of every free cell are needed")
    for v, row in enumerate(body.parents):
        if len(row) != MAX_PARENTS or len(set(row) - {-1}) != sum(p != -1 for p in row):
            raise broken(where, f"{MAX_PARENTS} parents, or -1, are needed for every free cell")
        parents[v] = _ints(row, where, low=-1, high=len(cells) - 1)
    _check_order([[int(p) for p in row if p >= 0] for row in parents], where)
    sizes = [columns[c].size for _, c in cells]
    return LearntPattern(
        id=body.id,
        name=body.name,
        pattern=pattern,
        network=_network(body, sizes, where),
        usage=body.usage,
        model_bits=body.model_bits,
        data_bits=body.data_bits,
        saved_bits=body.saved_bits,
        starts=generation.starts_from_body(body.starts, columns, where),
        delays=delays,
        numbers=_number_laws(body, pattern, columns, where),
        parents=parents,
        weight=body.weight,
    )


def _number_laws(body: PatternBody, pattern: Pattern, columns: tuple[Column, ...], where: str) -> tuple[NumberLaw, ...]:
    """The laws of the number cells, with a quantile function for every code that can be drawn."""
    numbers = [i for i, c in enumerate(columns) if c.kind == "number"]
    if len(body.numbers) != len(pattern) * len(numbers):
        raise broken(where, "a law for every number cell is needed")
    laws = []
    drawn = {cell: item.alphabet for cell, item in zip(pattern.free_cells(len(columns)), body.network, strict=False)}
    for place, item in enumerate(body.numbers):
        flow, column = place // len(numbers), numbers[place % len(numbers)]
        cell = pattern.flows[flow].cell(column)
        needed = [cell.code] if isinstance(cell, Fixed) else drawn.get((flow, column), [])
        laws.append(generation.law_from_body(item, columns[column], needed if body.usage else [], where))
    return tuple(laws)


def _check_order(parents: Sequence[Sequence[int]], where: str) -> None:
    """Refuse parents that are not there, and variables that are their own ancestors."""
    if any(not 0 <= p < len(parents) for row in parents for p in row):
        raise broken(where, f"parents 0..{len(parents) - 1} are needed")
    try:
        parents_first(parents)
    except ValueError as error:
        raise broken(where, "an order in which parents come first is needed") from error


def _network(body: PatternBody, sizes: list[int], where: str) -> Network:
    """The network with every index checked."""
    if body.usage == 0 and not body.network:
        return Network(())
    if len(body.network) != len(sizes):
        raise broken(where, f"{len(sizes)} variables are needed, one for each free cell")
    _check_order([item.parents for item in body.network], where)
    variables: list[Variable] = []
    for v, (item, size) in enumerate(zip(body.network, sizes, strict=True)):
        alphabet = _ints(item.alphabet, where, low=0, high=size - 1, dtype=np.int32)
        parents = item.parents
        combinations = 1
        for p in parents:
            combinations *= len(body.network[p].alphabet)
        configs = _ints(item.configs, where, low=0, high=min(combinations, LIMIT) - 1)
        offsets = _ints(item.offsets, where, low=0, high=len(item.values))
        values = _ints(item.values, where, low=0, high=len(alphabet) - 1, dtype=np.int32)
        counts = _ints(item.counts, where, low=1, high=2**40)
        sound = (
            len(alphabet) > 0
            and len(configs) > 0
            and len(parents) <= MAX_PARENTS
            and bool((np.diff(alphabet) > 0).all())
            and bool((np.diff(configs) > 0).all())
            and len(offsets) == len(configs) + 1
            and offsets[0] == 0
            and offsets[-1] == len(values)
            and bool((np.diff(offsets) > 0).all())
            and len(counts) == len(values)
        )
        if not sound:
            raise broken(where, f"the counts of variable {v} do not fit together")
        variables.append(Variable(alphabet, tuple(parents), configs, offsets, values, counts))
    return Network(tuple(variables))


def rules_to_body(rules: Rules) -> dict[str, Any]:
    """The rules."""
    return dict(vars(rules))


def rules_from_body(body: RulesBody) -> Rules:
    """The rules, in range."""
    if any(not 0 <= v <= 1e9 for v in (*body.least_bytes.values(), *body.most_bytes.values())):
        raise broken("rules", "bytes a packet of 0..1e9 are needed")
    return Rules(**body.model_dump())


def support_to_body(support: Support, columns: tuple[Column, ...]) -> dict[str, Any]:
    """The support."""
    groups = [
        {
            "columns": [columns[c].name for c in group.columns],
            "zero": [columns[c].name for c in group.zero],
            "seen": group.seen.tolist(),
        }
        for group in support.groups
    ]
    return {"one_family": support.one_family, "apart": support.apart, "groups": groups}


def support_from_body(body: SupportBody, columns: tuple[Column, ...]) -> Support:
    """The support, in range."""
    place = {column.name: c for c, column in enumerate(columns)}
    groups = []
    for group in body.groups:
        names = (*group.columns, *group.zero)
        if any(name not in place for name in names) or any(len(row) != len(names) for row in group.seen):
            raise broken("support", "known columns and one code for each are needed")
        limits = [columns[place[n]].size for n in group.columns] + [2] * len(group.zero)
        if any(not 0 <= code < limit for row in group.seen for code, limit in zip(row, limits, strict=True)):
            raise broken("support", "codes of its columns are needed")
        at, zero = (tuple(place[n] for n in part) for part in (group.columns, group.zero))
        groups.append(Group(at, zero, np.array(group.seen, np.int32)))
    return Support(body.one_family, body.apart, tuple(groups))


def ports_to_body(ports: tuple[SourcePorts, ...]) -> list[dict[str, Any]]:
    """The source ports."""
    return [
        {
            "proto": p.proto,
            "dst_port": p.dst_port,
            "ports": [{"port": port, "flows": count} for port, count in p.ports],
            "ephemeral": p.ephemeral,
        }
        for p in ports
    ]


def ports_from_body(bodies: list[SourcePortsBody]) -> tuple[SourcePorts, ...]:
    """The source ports."""
    return tuple(
        SourcePorts(b.proto, b.dst_port, tuple((p.port, p.flows) for p in b.ports), b.ephemeral) for b in bodies
    )


def check_ids(patterns: tuple[LearntPattern, ...], dropped: tuple[LearntPattern, ...], empty: LearntPattern) -> None:
    """Refuse ids that are used twice, and an empty pattern that is none."""
    ids = [p.id for p in (*patterns, *dropped)]
    if len(set(ids)) != len(ids) or EMPTY_ID in ids or empty.id != EMPTY_ID or empty.pattern.covered:
        raise broken("patterns", "every pattern needs an id of its own")
    if any(len(p.network.variables) == 0 and p.usage and p.pattern.free_cells(1) for p in patterns):
        raise broken("patterns", "a pattern in use needs its network")
    if not any(p.usage and p.weight for p in (*patterns, empty)):
        raise broken("patterns", "some pattern must be in use")


def from_version_2(body: dict[str, Any]) -> dict[str, Any]:
    """The body of version 3: every pattern is generated as often as it occurs."""
    new = dict(body)
    new["patterns"] = [{**p, "weight": 1.0} for p in body["patterns"]]
    new["dropped"] = [{**p, "weight": 1.0} for p in body["dropped"]]
    new["empty"] = {**body["empty"], "weight": 1.0}
    return new
