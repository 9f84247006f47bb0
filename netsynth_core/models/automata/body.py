"""Automata inside model documents: strict pydantic twins of the frozen types, both directions."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from netsynth_core.errors import DocumentError, SchemaError
from netsynth_core.models.automata.automaton import Location, TimedAutomaton, Transition
from netsynth_core.models.delays import (
    LOG_CODES,
    PLAIN_CODES,
    DelayLaw,
    DelayScale,
    Gamma,
    Normal,
    Point,
    SizedDelays,
    SizeLaw,
    SizeScale,
)

Count = Annotated[int, Field(ge=0, le=2**53)]
"""How often something was seen."""
SizeCounts = list[tuple[int, Count]]
"""Size codes and how often each was seen."""
SizePoints = Annotated[list[Annotated[int, Field(ge=0, le=2**40)]], Field(max_length=4096)]
"""Payload sizes with a code of their own, bytes."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NormalBody(_Strict):
    """One normal of a delay law."""

    weight: float = Field(ge=0, le=1)
    mean: float = Field(ge=0, le=PLAIN_CODES)
    sd: float = Field(gt=0, le=1000)


class GammaBody(_Strict):
    """One gamma law of a delay law."""

    weight: float = Field(ge=0, le=1)
    mean: float = Field(ge=0, le=PLAIN_CODES)
    shape: float = Field(ge=1e-3, le=1000)
    linear: bool


class PointBody(_Strict):
    """One single code of a delay law."""

    weight: float = Field(ge=0, le=1)
    code: int = Field(ge=0, lt=PLAIN_CODES)


class SeenBody(_Strict):
    """The first and the last code that a delay law was learnt from."""

    first: int = Field(ge=0, lt=PLAIN_CODES)
    last: int = Field(ge=0, lt=PLAIN_CODES)


PartBody = NormalBody | GammaBody | PointBody | SeenBody


class LocationBody(_Strict):
    """One location."""

    id: str = Field(pattern=r"^q\d{1,9}$")
    name: str = Field(max_length=200)


class BySizeBody(_Strict):
    """Delays of small and of larger payloads."""

    most: float = Field(ge=0)
    small: list[PartBody]
    large: list[PartBody]


class TransitionBody(_Strict):
    """One transition; ``delay`` is null for the end marker, ``size`` also where there are no payload sizes."""

    id: str = Field(pattern=r"^e\d{1,9}$")
    source: str
    target: str
    symbol: str = Field(max_length=500)
    count: Count
    delay: list[PartBody] | None
    size: SizeCounts | None
    by_size: BySizeBody | None = None
    """Null where delays do not differ by size."""


class ScaleBody(_Strict):
    """The scale of the delays."""

    unit: Literal["us", "ns", "s", "dbus", ""]
    kind: Literal["decibel", "plain", "level"]


class AutomatonBody(_Strict):
    """A whole automaton."""

    alphabet: list[str] = Field(max_length=100_000)
    scale: ScaleBody
    size_points: SizePoints | None
    initial: str
    final: str
    locations: list[LocationBody] = Field(max_length=100_000)
    transitions: list[TransitionBody] = Field(max_length=1_000_000)


def law_to_body(law: DelayLaw) -> list[PartBody]:
    """A delay law as a document holds it; its number of codes follows from the scale."""
    return [
        *(NormalBody(weight=n.weight, mean=n.mean, sd=n.sd) for n in law.normals),
        *(GammaBody(weight=g.weight, mean=g.mean, shape=g.shape, linear=g.linear) for g in law.gammas),
        *(PointBody(weight=p.weight, code=p.code) for p in law.points),
        *(() if law.seen is None else (SeenBody(first=law.seen[0], last=law.seen[1]),)),
    ]


def law_from_body(body: list[PartBody], codes: int) -> DelayLaw:
    """The delay law of a document."""
    return DelayLaw(
        tuple(Normal(n.weight, n.mean, n.sd) for n in body if isinstance(n, NormalBody)),
        codes,
        tuple(Gamma(g.weight, g.mean, g.shape, g.linear) for g in body if isinstance(g, GammaBody)),
        tuple(Point(p.weight, p.code) for p in body if isinstance(p, PointBody)),
        next(((s.first, s.last) for s in body if isinstance(s, SeenBody)), None),
    )


def _by_size_to_body(laws: SizedDelays) -> BySizeBody:
    return BySizeBody(most=laws.most, small=law_to_body(laws.small), large=law_to_body(laws.large))


def _by_size_from_body(body: BySizeBody, codes: int) -> SizedDelays:
    return SizedDelays(body.most, law_from_body(body.small, codes), law_from_body(body.large, codes))


def size_from_body(body: list[tuple[int, int]], codes: int) -> SizeLaw:
    """The size law of a document.

    Raises
    ------
    DocumentError
        When a code lies outside the scale or a count is not positive.
    """
    if any(not 0 <= code < codes or count < 1 for code, count in body):
        raise DocumentError("A size law names a size code that is not there.", hint="Learn the model again.")
    return SizeLaw(tuple((code, count) for code, count in body), codes)


def automaton_to_body(automaton: TimedAutomaton) -> AutomatonBody:
    """The automaton as a document holds it."""
    return AutomatonBody(
        alphabet=list(automaton.alphabet),
        scale=ScaleBody(unit=automaton.scale.unit, kind=automaton.scale.kind),
        size_points=None if automaton.size_scale is None else list(automaton.size_scale.points),
        initial=automaton.initial,
        final=automaton.final,
        locations=[LocationBody(id=location.id, name=location.name) for location in automaton.locations],
        transitions=[
            TransitionBody(
                id=t.id,
                source=t.source,
                target=t.target,
                symbol=t.symbol,
                count=t.count,
                delay=None if t.delay is None else law_to_body(t.delay),
                size=None if t.size is None else [(code, count) for code, count in t.size.counts],
                by_size=None if t.by_size is None else _by_size_to_body(t.by_size),
            )
            for t in automaton.transitions
        ],
    )


def automaton_from_body(body: AutomatonBody) -> TimedAutomaton:
    """The automaton of a document.

    Raises
    ------
    DocumentError
        When it breaks an invariant of automata.
    """
    codes = LOG_CODES if body.scale.kind == "decibel" else PLAIN_CODES
    sizes = None if body.size_points is None else SizeScale(tuple(sorted(set(body.size_points))))
    try:
        return TimedAutomaton(
            alphabet=tuple(body.alphabet),
            locations=tuple(Location(location.id, location.name) for location in body.locations),
            transitions=tuple(
                Transition(
                    id=t.id,
                    source=t.source,
                    target=t.target,
                    symbol=t.symbol,
                    count=t.count,
                    delay=None if t.delay is None else law_from_body(t.delay, codes),
                    size=None if t.size is None or sizes is None else size_from_body(t.size, sizes.codes),
                    by_size=None if t.by_size is None or sizes is None else _by_size_from_body(t.by_size, codes),
                )
                for t in body.transitions
            ),
            initial=body.initial,
            final=body.final,
            scale=DelayScale(body.scale.unit, body.scale.kind),
            size_scale=sizes,
        )
    except SchemaError as error:
        raise DocumentError(f"The automaton is broken: {error.message}", hint=error.hint) from error
