"""The body of a TADAM document, version 2: strict pydantic models, both directions, and the way from version 1.

Version 2 has gamma laws and single codes among the parts of delay laws, and delays by payload size.
"""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from netsynth_core.errors import DocumentError, InvalidParameter, SchemaError
from netsynth_core.models.automata.body import (
    AutomatonBody,
    Count,
    PartBody,
    SizeCounts,
    automaton_from_body,
    automaton_to_body,
    law_from_body,
    law_to_body,
    size_from_body,
)
from netsynth_core.models.codelength import Codelength
from netsynth_core.models.document import Migration
from netsynth_core.models.tadam.noise import NoiseModel
from netsynth_core.models.tadam.params import TadamParams

if TYPE_CHECKING:
    from netsynth_core.models.tadam.model import Tadam


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NoiseBody(_Strict):
    """Counts and laws of the noise model."""

    matches: Count
    missing: Count
    duplicates: Count
    swaps: Count
    additions: Count
    duplicate_delay: list[PartBody]
    addition_delay: list[PartBody]
    accepted: Count
    rejected: Count
    noisy: Count
    copies_alike: Count
    copies_unlike: Count
    addition_size: SizeCounts | None


class BitsBody(_Strict):
    """The codelength on the training words."""

    model: float
    data: float
    empty: float


class TadamBody(_Strict):
    """Everything a model is, but for the training words."""

    automaton: AutomatonBody
    noise: NoiseBody
    codelength: BitsBody
    service: str = Field(max_length=200)
    state: str = Field(max_length=200)
    trained_on: dict[str, str | int | float | None]
    parameters: dict[str, str | int | float | bool | None]
    warnings: list[str]


def to_body(model: "Tadam") -> TadamBody:
    """The body of a model's document."""
    noise = model.noise
    return TadamBody(
        automaton=automaton_to_body(model.automaton),
        noise=NoiseBody(
            matches=noise.matches,
            missing=noise.missing,
            duplicates=noise.duplicates,
            swaps=noise.swaps,
            additions=noise.additions,
            duplicate_delay=law_to_body(noise.duplicate_delay),
            addition_delay=law_to_body(noise.addition_delay),
            accepted=noise.accepted,
            rejected=noise.rejected,
            noisy=noise.noisy,
            copies_alike=noise.copies_alike,
            copies_unlike=noise.copies_unlike,
            addition_size=None if noise.addition_size is None else list(noise.addition_size.counts),
        ),
        codelength=BitsBody(model=model.codelength.model, data=model.codelength.data, empty=model.codelength.empty),
        service=model.service,
        state=model.state,
        trained_on=model.trained_on,
        parameters=model.params.model_dump(mode="json"),
        warnings=list(model.warnings),
    )


def from_version_1(body: dict[str, Any]) -> dict[str, Any]:
    """A body of version 1 as version 2: its laws are normals alone, whatever the size."""
    parameters = body.get("parameters")
    if not isinstance(parameters, dict):
        return body  # broken, as decoding it says
    # Transitions without `by_size` have one law whatever the size, and lists of normals are lists of parts.
    return {**body, "parameters": {**parameters, "score": "default"}}


MIGRATIONS: dict[int, Migration] = {1: from_version_1}


def from_body(body: TadamBody) -> dict[str, Any]:
    """The fields of a model, but for its training words.

    Raises
    ------
    DocumentError
        When the automaton or a parameter does not fit.
    """
    automaton = automaton_from_body(body.automaton)
    codes = automaton.scale.codes
    noise = body.noise.model_dump()
    try:
        noise["duplicate_delay"] = law_from_body(body.noise.duplicate_delay, codes)
        noise["addition_delay"] = law_from_body(body.noise.addition_delay, codes)
    except SchemaError as error:
        raise DocumentError(f"The tadam document is broken: {error.message}", hint=error.hint) from error
    sizes = automaton.size_scale
    added = body.noise.addition_size
    noise["addition_size"] = None if added is None or sizes is None else size_from_body(added, sizes.codes)
    try:
        params = TadamParams.checked(dict(body.parameters))
    except InvalidParameter as error:
        raise DocumentError(f"The tadam document is broken: {error.message}", hint=error.hint) from error
    return {
        "automaton": automaton,
        "noise": NoiseModel(**noise),
        "params": params,
        "codelength": Codelength(body.codelength.model, body.codelength.data, body.codelength.empty),
        "service": body.service,
        "state": body.state,
        "trained_on": dict(body.trained_on),
        "warnings": tuple(body.warnings),
    }
