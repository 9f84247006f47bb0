"""Reading automata in the JSON layout of the published tool chain (`netsynth_core.models.automata.fosr`).

Both versions of it are read. What a file may hold is bounded; what it holds beyond the layout is passed over.
"""

import base64
import binascii
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.special import gammainc, ndtr

from netsynth_core.errors import InvalidParameter, SchemaError
from netsynth_core.files import require_file
from netsynth_core.flows.states import STATES
from netsynth_core.flows.symbols import FLAG_ORDER, Symbol, format_symbol, parse_symbol
from netsynth_core.models.automata.automaton import END, Location, TimedAutomaton, Transition, closure
from netsynth_core.models.automata.editing import default_names
from netsynth_core.models.automata.fosr import MICROSECONDS, SHARES, UNITS
from netsynth_core.models.automata.payloads import MOST_BYTES, PayloadModel, PayloadModels
from netsynth_core.models.automata.templates import byte_templates, text_templates
from netsynth_core.models.delays import DelayScale, SizeLaw, SizeScale, fit_delay_laws
from netsynth_core.params import problem_of

MOST_FILE: Final = 64 << 20
MOST_EDGES: Final = 20_000
_SERVICES: Final = {
    "ssl": "tls",
    "https": "tls",
    "krb": "kerberos",
    "krb_tcp": "kerberos",
    "ldap_tcp": "ldap",
    "ldap_udp": "ldap",
}
_SYMBOL: Final = re.compile(r"^(?:([A-Z]{1,8})_)?([<>])(?:_([^:]*)(?::(.*))?)?$", re.DOTALL)


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class _Law(_Lenient):
    law: Literal["gamma", "constant"]
    value: float = Field(0.0, ge=-1e6, le=1e18)
    shape: float = Field(1.0, gt=0, le=1e9)
    loc: float = Field(0.0, ge=-1e6, le=1e6)
    scale: float = Field(1.0, gt=0, le=1e6)


class _Payloads(_Lenient):
    type: Literal["NoPayload", "Lengths", "Text", "Base64", "HexCodes"] | None = None
    lengths: list[int] = Field(default_factory=list, max_length=1_000_000)
    content: list[str] = Field(default_factory=list, max_length=1_000_000)
    weights: list[int] | None = None


class _Edge(_Lenient):
    src: int = Field(ge=0, le=10**9)
    dst: int = Field(ge=0, le=10**9)
    symbol: str = Field(max_length=2000)
    count: int = Field(ge=0, le=2**53)
    p: float = Field(1.0, ge=0, le=1.000001)
    mu: list[float] | None = Field(None, max_length=2)
    cov: list[list[float]] | None = Field(None, max_length=2)
    distrib: _Law | None = None
    payloads: _Payloads = Field(default_factory=_Payloads)


class _File(_Lenient):
    edges: list[_Edge] = Field(min_length=1, max_length=MOST_EDGES)
    noise: dict[str, float] | None = None
    statistics: dict[str, float] | None = None
    initial_state: int
    accepting_state: int
    protocol: str = Field("", max_length=40)
    l7protocol: str | None = Field(None, max_length=200)
    metadata: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    """What a file of this layout holds."""

    automaton: TimedAutomaton
    payloads: PayloadModels
    noise: Mapping[str, float]
    """Share of each operation, ``none`` among them."""
    service: str
    state: str
    notes: tuple[str, ...]
    """What could not be taken as it stands."""


def read_fosr(path: str | os.PathLike[str], *, unit: str | None = None) -> Imported:
    """Read an automaton in this layout.

    Parameters
    ----------
    unit
        Unit of the delays in ``mu``; None = ms for TCP, µs for others, as the published learner writes them.

    Raises
    ------
    SchemaError
        When the file is no such automaton, or too large.
    InvalidParameter
        When the unit is unknown.
    StorageError
        When the file is missing or empty.
    """
    if unit is not None and unit not in UNITS:
        raise InvalidParameter(f"There is no unit {unit!r}.", hint=f"Use one of {', '.join(UNITS)}.")
    source = require_file(path)
    hint = "Name an automaton written by the learner of Fos-R, or by netsynth export --format fosr."
    if source.stat().st_size > MOST_FILE:
        raise SchemaError(f"{source} is larger than {MOST_FILE >> 20} MiB.", hint=hint)
    try:
        raw = json.loads(source.read_bytes())
        held = None if _own(raw) else _File.model_validate(raw)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise SchemaError(f"{source}: {where}: {problem_of(error)[0]}.", hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{source} is no JSON: {str(error)[:200]}.", hint=hint) from error
    if held is None:
        raise _refused(raw, source)
    return _Reader(held, Path(source).name, unit).imported()


def _own(raw: Any) -> bool:
    """Whether it is another file of this package: a model, or what ``export --format json`` writes."""
    if not isinstance(raw, dict) or "edges" in raw:
        return False
    return str(raw.get("format", "")).startswith("netsynth") or {"transitions", "locations"} <= raw.keys()


def _refused(raw: dict[str, Any], source: Path) -> SchemaError:
    if "format" in raw:
        return SchemaError(f"{source} is a model of netsynth already.", hint="Use it as it is: nothing is to import.")
    return SchemaError(
        f"{source} is what netsynth export --format json writes, for other programs to read.",
        hint="Copy the model itself (.json and .npz), or export it with --format fosr.",
    )


class _Reader:
    def __init__(self, held: _File, name: str, unit: str | None) -> None:
        self.held = held
        self.name = name
        self.notes: list[str] = []
        self.replaced: set[str] = set()
        self.factor = MICROSECONDS[unit or ("ms" if held.protocol.lower() == "tcp" else "us")]
        self.scale = DelayScale("us", "decibel")

    def imported(self) -> Imported:
        edges = self._live()
        names = [END if edge.symbol == END else self._symbol(edge.symbol) for edge in edges]
        contents = [self._decoded(i, edge) for i, edge in enumerate(edges)]
        sizes = [self._size_counts(edge, *content) for edge, content in zip(edges, contents, strict=True)]
        size_scale = SizeScale(tuple(_points(sizes)))
        places = {state: i for i, state in enumerate(_order(edges, self.held.initial_state, self.held.accepting_state))}
        transitions = tuple(
            Transition(
                id=f"e{i + 1}",
                source=f"q{places[edge.src]}",
                target=f"q{places[edge.dst]}",
                symbol=name,
                count=edge.count,
                delay=None if name == END else fit_delay_laws(self._histogram(edge)[None, :])[0][0],
                size=None if name == END else _size_law(size_scale, sizes[i]),
            )
            for i, (edge, name) in enumerate(zip(edges, names, strict=True))
        )
        locations = tuple(Location(f"q{i}", f"q{i}") for i in range(len(places)))
        alphabet = tuple(sorted(set(names) - {END}))
        try:
            automaton = TimedAutomaton(alphabet, locations, transitions, "q0", "q1", self.scale, size_scale)
        except SchemaError as error:
            hint = "The end marker $ leads to the accepting state, and nothing else does."
            raise SchemaError(f"{self.name}: {error.message}", hint=hint) from error
        automaton = TimedAutomaton(alphabet, default_names(automaton), transitions, "q0", "q1", self.scale, size_scale)
        if self.replaced:
            shown = ", ".join(sorted(self.replaced)[:3])
            self.notes.append(f"{len(self.replaced)} symbols are spelt otherwise here, such as {shown[:120]}.")
        about = self.held.metadata
        service = str(about.get("service") or self.held.l7protocol or about.get("automaton_name") or "")[:200].lower()
        service = _SERVICES.get(service, service) or self.held.protocol.lower()
        state = str(about.get("conn_state") or "")
        return Imported(
            automaton,
            self._payload_models(transitions, contents, edges),
            self._shares(),
            service,
            state if state in STATES else "",
            tuple(self.notes),
        )

    def _live(self) -> list[_Edge]:
        """The edges that lie on a run and were taken."""
        start, end = self.held.initial_state, self.held.accepting_state
        edges = [edge for edge in self.held.edges if edge.count > 0]
        ahead = closure(start, [(edge.src, edge.dst) for edge in edges])
        behind = closure(end, [(edge.dst, edge.src) for edge in edges])
        live = [edge for edge in edges if {edge.src, edge.dst} <= ahead & behind]
        if not live or start == end:
            raise SchemaError(
                f"{self.name}: no path of counted edges leads from state {start} to state {end}.",
                hint="Check initial_state, accepting_state and the counts of the edges.",
            )
        if len(live) < len(self.held.edges):
            self.notes.append(f"{len(self.held.edges) - len(live)} edges lie on no counted path and are left out.")
        return live

    def _symbol(self, text: str) -> str:
        match = _SYMBOL.match(text)
        if match is None or set(match[1] or "") - set(FLAG_ORDER):
            raise SchemaError(
                f"{self.name}: {text[:60]!r} is no packet symbol.", hint="Symbols look like PA_>_Text:GET or <_Replay."
            )
        flags = "".join(letter for letter in FLAG_ORDER if letter in (match[1] or ""))
        kind = match[3] if match[3] in ("Empty", "Text", "Random", "Replay") else "Replay"
        longest = {"Empty": 0, "Text": 10}.get(kind, 12)
        token = re.sub(r"[^A-Za-z0-9.+/_*]", "_", (match[4] or "")[:longest])
        name = format_symbol(Symbol(flags, match[2], kind, token))
        if name.replace(f"{kind}-", f"{kind}:", 1) != text:
            self.replaced.add(f"{''.join(c if c.isprintable() else '?' for c in text)[:40]} -> {name}")
        return name

    def _histogram(self, edge: _Edge) -> NDArray[np.float64]:
        """How often each delay code is expected among the edge's count."""
        offset, codes = self.scale.offset, self.scale.codes
        levels = np.arange(codes) + 0.5 - offset
        if edge.distrib is not None:
            law = edge.distrib
            if law.law == "constant":
                below = np.where(levels >= law.value, 1.0, 0.0) if law.value > 0 else np.ones(codes)
            else:
                below = gammainc(law.shape, np.maximum((levels - law.loc) / law.scale, 0.0))
                below[levels < 0] = 0.0
        else:
            mean = (edge.mu or [0.0])[0] * self.factor
            variance = max((edge.cov or [[0.0]])[0][0] if (edge.cov or [[0.0]])[0] else 0.0, 0.0)
            spread = np.sqrt(variance + 1.0 / 12.0) * self.factor
            micro = 10.0 ** (levels / 10.0)
            # values below half a unit were written as 0
            micro = np.maximum(micro, 0.5 * self.factor)
            below = ndtr((micro - mean) / spread)
        below[-1] = 1.0
        share: NDArray[np.float64] = np.diff(below, prepend=0.0)
        return np.maximum(share, 0.0) * edge.count

    def _decoded(self, number: int, edge: _Edge) -> tuple[list[bytes], list[int]]:
        """The stored payloads of an edge with their weights."""
        held = edge.payloads
        if held.weights is not None:
            expected = len(held.lengths) if held.type == "Lengths" else len(held.content)
            if len(held.weights) != expected or any(not 0 <= w <= 2**53 for w in held.weights):
                raise SchemaError(
                    f"{self.name}: edge {number} has {len(held.weights)} weights for {expected} payloads, or bad ones.",
                    hint="Give one whole number from 0 on for each payload.",
                )
        if any(not 0 <= length <= 65_535 for length in held.lengths):
            raise SchemaError(
                f"{self.name}: edge {number} has a payload length beyond 65535.", hint="Lengths are bytes of a packet."
            )
        try:
            contents = [_bytes_of(text, held.type) for text in held.content]
        except (ValueError, binascii.Error) as error:
            raise SchemaError(
                f"{self.name}: edge {number} has a payload that is not {held.type or 'text'}: {str(error)[:80]}.",
                hint="Write it again from its source.",
            ) from error
        weights = held.weights if held.weights is not None and held.type != "Lengths" else [1] * len(contents)
        return contents, weights

    def _size_counts(self, edge: _Edge, contents: list[bytes], weights: list[int]) -> dict[int, int]:
        found: dict[int, int] = {}
        if edge.payloads.type == "Lengths" and edge.payloads.lengths:
            pairs = zip(edge.payloads.lengths, edge.payloads.weights or [1] * len(edge.payloads.lengths), strict=True)
        elif contents:
            pairs = zip([len(content) for content in contents], weights, strict=True)
        else:
            mean = max((edge.mu or [0.0, 0.0])[-1], 0.0) if edge.payloads.type != "NoPayload" else 0.0
            pairs = zip([round(min(mean, 65_535.0))], [1], strict=True)
        for size, weight in pairs:
            if weight:
                found[size] = found.get(size, 0) + weight
        return found or {0: 1}

    def _payload_models(
        self,
        transitions: Sequence[Transition],
        contents: Sequence[tuple[list[bytes], list[int]]],
        edges: Sequence[_Edge],
    ) -> PayloadModels:
        found, room = [], MOST_BYTES
        made_up = self._made_up()
        for transition, (messages, weights), edge in zip(transitions, contents, edges, strict=True):
            if transition.symbol == END or not messages:
                continue
            symbol = parse_symbol(transition.symbol)
            pairs = [(m, w) for m, w in zip(messages, weights, strict=True) if w and m]
            kept = []
            for message, weight in pairs:
                if len(message) <= room:
                    room -= len(message)
                    kept.append((message, weight))
            if symbol.payload not in ("Text", "Random", "Replay") or not kept:
                continue
            texts = [message for message, _ in kept]
            learn = text_templates if symbol.payload == "Text" else byte_templates
            templates = () if symbol.payload == "Random" else learn(texts, range(len(texts)))
            kind: Literal["Text", "Random", "Replay"] = (
                "Text" if symbol.payload == "Text" else "Random" if symbol.payload == "Random" else "Replay"
            )
            if id(edge) in made_up:
                # no bytes of a capture: their pattern and lengths are all there is to keep
                kept = []
            samples, seen = tuple(message for message, _ in kept), tuple(weight for _, weight in kept)
            found.append(PayloadModel(transition.id, kind, transition.count, (), templates, samples, seen))
        stored = sum(len(sample) for model in found for sample in model.samples)
        if stored:
            self.notes.append(f"The file holds {stored} bytes of payloads; they are repeated only with replay.")
        return PayloadModels(tuple(found))

    def _made_up(self) -> set[int]:
        """The edges (by identity) whose payloads the file calls made up."""
        listed = self.held.metadata.get("made_up_payloads", [])
        held = self.held.edges
        places = listed if isinstance(listed, list) else []
        return {id(held[i]) for i in places if type(i) is int and 0 <= i < len(held)}

    def _shares(self) -> Mapping[str, float]:
        given = self.held.noise or self.held.statistics or {}
        names = {**{name: name for name in SHARES}, "none": "none", "no-noise": "none"}
        shares = {names[key]: value for key, value in given.items() if key in names and 0 <= value <= 1}
        return {"none": 1.0} | shares


def _bytes_of(text: str, kind: str | None) -> bytes:
    if kind == "HexCodes":
        return bytes.fromhex(text)
    if kind == "Base64":
        return base64.b64decode(text, validate=True)
    if kind == "Text":
        return text.encode("utf-8")
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})*", text):
        return bytes.fromhex(text)
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return text.encode("utf-8")


def _order(edges: Sequence[_Edge], initial: int, final: int) -> list[int]:
    rest = sorted({state for edge in edges for state in (edge.src, edge.dst)} - {initial, final})
    return [initial, final, *rest]


def _points(sizes: Sequence[Mapping[int, int]], *, most: int = 256) -> list[int]:
    total: dict[int, int] = {}
    for counts in sizes:
        for size, weight in counts.items():
            total[size] = total.get(size, 0) + weight
    return sorted(sorted(total, key=lambda size: (-total[size], size))[:most])


def _size_law(scale: SizeScale, counts: Mapping[int, int]) -> SizeLaw:
    ordered = sorted(counts.items())
    codes = scale.encode(np.array([size for size, _ in ordered], np.int64)).tolist()
    found: dict[int, int] = {}
    for code, (_, weight) in zip(codes, ordered, strict=True):
        found[code] = found.get(code, 0) + weight
    return SizeLaw(tuple(sorted(found.items())), scale.codes)
