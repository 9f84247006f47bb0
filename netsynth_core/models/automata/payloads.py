"""What the packets of a transition carry: nothing, random bytes, texts by template, or stored bytes.

A payload model is learnt from the packets behind the training words: each word is aligned, and the payloads of the
packets that a transition reads are its own. Lengths and templates (`netsynth_core.models.automata.templates`) are
always learnt; payloads themselves are stored only where that is asked for (`REPLAY`), at most `MOST_SAMPLES` a
transition and `MOST_BYTES` a model. In a model document they are three arrays: JSON text, and the stored bytes.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from netsynth_core.errors import DocumentError, SchemaError
from netsynth_core.flows.symbols import Symbol, parse_symbol
from netsynth_core.flows.word_payloads import PayloadSource
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.templates import Part, Template, byte_templates, text_templates
from netsynth_core.models.document import Arrays, decode_body

NOTHING, TEMPLATES, REPLAY = KEEPS = ("none", "templates", "replay")
"""What is learnt of payloads: nothing; lengths and templates; these and stored bytes."""
MOST_WORDS: Final = 20_000
"""Most words whose payloads are looked at, evenly spread."""
MOST_LOOKED_AT: Final = 256
"""Most payloads of a transition that templates are learnt from."""
MOST_SAMPLES: Final = 64
"""Most different payloads stored for a transition."""
MOST_LENGTHS: Final = 64
MOST_BYTES: Final = 8 << 20
"""Most bytes stored in one model."""
_ARRAYS: Final = ("payload_models", "payload_bytes", "payload_offsets")

PayloadKind = Literal["Empty", "Text", "Random", "Replay"]


@dataclass(frozen=True)
class PayloadModel:
    """The payloads of one transition."""

    transition: str
    kind: PayloadKind
    """Payload class of its symbol."""
    seen: int
    """Packets it was learnt from."""
    lengths: tuple[tuple[int, int], ...] = ()
    """(bytes, how often): the most frequent lengths, ascending."""
    templates: tuple[Template, ...] = ()
    samples: tuple[bytes, ...] = ()
    """Stored payloads; empty unless replay was asked for."""
    weights: tuple[int, ...] = ()
    """How often each sample was seen."""

    def sentence(self) -> str:
        """What it carries, for people."""
        if self.kind == "Empty":
            return "no payload"
        sizes = [size for size, _ in self.lengths]
        span = f"{min(sizes)}-{max(sizes)} B" if sizes and min(sizes) < max(sizes) else f"{sizes[0]} B" if sizes else ""
        what = {"Text": "text", "Random": "random bytes", "Replay": "structured bytes"}[self.kind]
        parts = [f"{what}, {span}" if span else what]
        if self.templates:
            parts.append(f"template {self.templates[0].shown()[:120]}")
            if len(self.templates) > 1:
                parts[-1] += f" and {len(self.templates) - 1} more"
        if self.samples:
            parts.append(f"{len(self.samples)} stored for replay")
        return "; ".join(parts)


@dataclass(frozen=True)
class PayloadModels:
    """The payload models of an automaton's transitions, by id."""

    models: tuple[PayloadModel, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {model.transition: model for model in self.models})

    def get(self, transition: str) -> PayloadModel | None:
        """The model of a transition; None where nothing was learnt of it."""
        by_id: Mapping[str, PayloadModel] = self.__dict__["_by_id"]
        return by_id.get(transition)

    @property
    def stored_bytes(self) -> int:
        """Bytes of stored payloads."""
        return sum(len(sample) for model in self.models for sample in model.samples)

    def to_arrays(self) -> Arrays:
        """The arrays of a document."""
        samples = [sample for model in self.models for sample in model.samples]
        offsets = np.zeros(len(samples) + 1, np.int64)
        np.cumsum([len(sample) for sample in samples], out=offsets[1:])
        text = json.dumps({"version": 1, "models": [_body(model) for model in self.models]}, separators=(",", ":"))
        joined = b"".join(samples)
        return {
            "payload_models": np.frombuffer(text.encode("ascii"), np.uint8).copy(),
            "payload_bytes": np.frombuffer(joined, np.uint8).copy(),
            "payload_offsets": offsets,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "PayloadModels | None":
        """The payload models of a document; None when it has none.

        Raises
        ------
        DocumentError
            When the arrays are broken.
        """
        if not any(name in arrays for name in _ARRAYS):
            return None
        broken = DocumentError("The payloads of the model are broken.", hint="Learn the model again.")
        try:
            text, octets, offsets = (arrays[name] for name in _ARRAYS)
            raw = json.loads(text.astype(np.uint8, casting="safe").tobytes())
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise broken from error
        if not isinstance(raw, dict):
            raise broken
        body = decode_body(_ModelsBody, raw, kind="payloads")
        fits = offsets.ndim == 1 and len(offsets) and offsets.dtype == np.int64 and octets.dtype == np.uint8
        if not fits or offsets[0] != 0 or offsets[-1] != len(octets) or len(octets) > MOST_BYTES:
            raise broken
        if np.any(np.diff(offsets) < 0) or sum(len(m.weights) for m in body.models) != len(offsets) - 1:
            raise broken
        whole, bounds = octets.tobytes(), offsets.tolist()
        samples = iter(whole[a:b] for a, b in pairwise(bounds))
        return cls(tuple(_from_body(model, samples) for model in body.models))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _PartBody(_Strict):
    literal: str = Field(max_length=4096)
    field: Literal["", "digits", "hex", "letters", "mixed", "bytes"]
    low: int = Field(ge=0, le=65_535)
    high: int = Field(ge=0, le=65_535)


class _TemplateBody(_Strict):
    parts: list[_PartBody] = Field(max_length=4096)
    seen: int = Field(ge=0)


class _ModelBody(_Strict):
    transition: str = Field(pattern=r"^e\d{1,9}$")
    kind: PayloadKind
    seen: int = Field(ge=0)
    lengths: list[tuple[int, int]] = Field(max_length=MOST_LENGTHS)
    templates: list[_TemplateBody] = Field(max_length=64)
    weights: list[int] = Field(max_length=100_000)


class _ModelsBody(_Strict):
    version: Literal[1]
    models: list[_ModelBody] = Field(max_length=1_000_000)


def _body(model: PayloadModel) -> dict[str, Any]:
    return {
        "transition": model.transition,
        "kind": model.kind,
        "seen": model.seen,
        "lengths": model.lengths,
        "templates": [
            {
                "parts": [
                    {"literal": p.literal.decode("latin-1"), "field": p.field, "low": p.low, "high": p.high}
                    for p in template.parts
                ],
                "seen": template.seen,
            }
            for template in model.templates
        ],
        "weights": model.weights,
    }


def _from_body(body: _ModelBody, samples: Iterator[bytes]) -> PayloadModel:
    try:
        templates = tuple(
            Template(
                tuple(Part(p.literal.encode("latin-1"), p.field, p.low, max(p.low, p.high)) for p in t.parts), t.seen
            )
            for t in body.templates
        )
    except UnicodeEncodeError as error:
        raise DocumentError("A payload template is broken.", hint="Learn the model again.") from error
    if any(size < 0 or count < 1 for size, count in body.lengths) or any(w < 1 for w in body.weights):
        raise DocumentError("A payload model counts below one.", hint="Learn the model again.")
    stored = tuple(next(samples) for _ in body.weights)
    return PayloadModel(
        body.transition, body.kind, body.seen, tuple(body.lengths), templates, stored, tuple(body.weights)
    )


# -- learning ---------------------------------------------------------------------------------------------------------


class Explained(Protocol):
    """What learning needs of an alignment (`netsynth_core.models.tadam.noise.Alignment`)."""

    @property
    def path(self) -> tuple[str, ...]:
        """Ids of the transitions taken."""
        ...

    @property
    def ops(self) -> Sequence[tuple[str, int]]:
        """Kind and position of each noise operation."""
        ...


class Aligns(Protocol):
    """What learning needs of a model: an automaton, and paths of words."""

    @property
    def automaton(self) -> TimedAutomaton:
        """Over packet symbols."""
        ...

    def align(self, words: Words) -> Sequence[Explained]:
        """The explanation of each word."""
        ...


def reads(model: TimedAutomaton, word: Explained, names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Position in the word and transition of every symbol that a transition reads; `names` are the word's symbols."""
    ops: dict[int, list[str]] = defaultdict(list)
    for kind, position in word.ops:
        ops[position].append(kind)
    at, step = 0, 0
    path = word.path
    while step < len(path):
        waiting = ops.get(at, [])
        if "deletion" in waiting:
            waiting.remove("deletion")
            step += 1
        elif at >= len(names):
            return
        elif "addition" in waiting or "re-emission" in waiting:
            at += 1
        elif "transposition" in waiting and step + 1 < len(path) and at + 1 < len(names):
            swapped = ((at + 1, path[step]), (at, path[step + 1]))
            yield from ((p, id) for p, id in swapped if _agrees(model, id, names[p]))
            at, step = at + 2, step + 2
        else:
            if _agrees(model, path[step], names[at]):
                yield at, path[step]
            at, step = at + 1, step + 1


def _agrees(automaton: TimedAutomaton, transition: str, name: str) -> bool:
    found = automaton.by_transition.get(transition)
    return found is not None and found.symbol == name


def learn_payloads(model: Aligns, words: Words, source: PayloadSource, *, keep: str) -> PayloadModels | None:
    """Learn what each transition carries.

    Parameters
    ----------
    words
        The training words.
    source
        The payloads of their symbols, in the same order.
    keep
        One of `KEEPS`.

    Returns
    -------
    PayloadModels or None
        None when `keep` is ``none`` or the symbols are no packet symbols.
    """
    try:
        kinds = {name: parse_symbol(name) for name in model.automaton.alphabet}
    except SchemaError:
        return None
    if keep == NOTHING or len(words) == 0:
        return None
    rows = np.unique(np.linspace(0, len(words) - 1, min(len(words), MOST_WORDS)).round().astype(np.int64))
    part = words if len(rows) == len(words) else words.take(rows)
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row, explained in zip(rows.tolist(), model.align(part), strict=True):
        begin = int(words.offsets[row])
        for at, id in reads(model.automaton, explained, words.names(row)):
            places[id].append((row, begin + at))
    found = []
    room = MOST_BYTES
    for transition in model.automaton.transitions:
        taken = places.get(transition.id)
        if not taken or transition.symbol not in kinds:
            continue
        symbol = kinds[transition.symbol]
        learnt = _learn_one(transition.id, symbol, taken, source, keep=keep, room=room)
        room -= sum(len(sample) for sample in learnt.samples)
        found.append(learnt)
    return PayloadModels(tuple(found))


def _learn_one(
    id: str, symbol: Symbol, taken: list[tuple[int, int]], source: PayloadSource, *, keep: str, room: int
) -> PayloadModel:
    kind = symbol.payload
    at = np.array([position for _, position in taken], np.int64)
    lengths = Counter(source.length[at].tolist())
    frequent = tuple(sorted(sorted(lengths.items(), key=lambda item: (-item[1], item[0]))[:MOST_LENGTHS]))
    if kind == "Empty":
        return PayloadModel(id, "Empty", len(taken))
    whole = [(row, p) for row, p in taken if 0 < source.length[p] == source.captured[p]]
    spread = np.unique(np.linspace(0, len(whole) - 1, min(len(whole), MOST_LOOKED_AT)).round().astype(np.int64))
    chosen = [whole[i] for i in spread.tolist()] if whole else []
    messages = [source.data[source.offset[p] : source.offset[p] + source.length[p]].tobytes() for _, p in chosen]
    templates: tuple[Template, ...] = ()
    # a text without a first word goes on with a message: bodies are content, not protocol
    if messages and (kind == "Replay" or symbol.token):
        learner = text_templates if kind == "Text" else byte_templates
        templates = learner(messages, [row for row, _ in chosen])
    samples: list[tuple[bytes, int]] = []
    if keep == REPLAY:
        for message, count in sorted(Counter(messages).items(), key=lambda item: (-item[1], item[0]))[:MOST_SAMPLES]:
            if len(message) <= room:
                room -= len(message)
                samples.append((message, count))
    return PayloadModel(
        id,
        _kind(kind),
        len(taken),
        frequent,
        templates,
        tuple(message for message, _ in samples),
        tuple(count for _, count in samples),
    )


def _kind(name: str) -> PayloadKind:
    kinds: dict[str, PayloadKind] = {"Empty": "Empty", "Text": "Text", "Random": "Random", "Replay": "Replay"}
    return kinds[name]
