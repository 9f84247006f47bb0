"""Parameters: pydantic models from which validation, page forms and command-line settings come.

Every field carries its range, and by `parameter` its unit and help text.
"""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from netsynth_core.errors import InvalidParameter, NetsynthError
from netsynth_core.units import NS_PER_S, parse_duration


def parameter(default: Any, help: str, *, unit: str = "", advanced: bool = False, **limits: Any) -> Any:
    """A field with help, unit and pydantic limits (`ge`, `le`, `gt`, `lt`)."""
    return Field(default, description=help, json_schema_extra={"unit": unit, "advanced": advanced}, **limits)


def problem_of(error: ValidationError) -> tuple[str, str]:
    """The first thing that does not fit, in words without a full stop, and what to do (empty where nobody said).

    Names of classes, which mean nothing to a person, are left out.
    """
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, NetsynthError):
        return cause.message.rstrip("."), cause.hint
    said = "an object is needed" if first["type"] in ("model_type", "model_attributes_type") else str(first["msg"])
    return said.removeprefix("Value error, ").removeprefix("Assertion failed, ").rstrip("."), ""


class Params(BaseModel):
    """Base of all parameter sets: immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _seconds(cls, value: Any, info: ValidationInfo) -> Any:
        """Seconds may be written as a duration: ``90s``, ``5m``."""
        extra = cls.model_fields[info.field_name or ""].json_schema_extra
        if isinstance(value, str) and isinstance(extra, dict) and extra.get("unit") == "s":
            try:
                float(value)
            except ValueError:
                return parse_duration(value) / NS_PER_S
        return value

    @classmethod
    def from_settings(cls, settings: Sequence[str]) -> Self:
        """Parameters from command-line settings ``name=value``.

        Raises
        ------
        InvalidParameter
            When a name is unknown or a value does not fit.
        """
        values: dict[str, str] = {}
        for setting in settings:
            name, sign, value = setting.partition("=")
            if not sign:
                raise InvalidParameter(
                    f"{setting!r} is no setting.", hint=f"Write --set name=value; names: {cls._names()}."
                )
            values[name.strip().replace("-", "_")] = value.strip()
        return cls.checked(values)

    @classmethod
    def checked(cls, values: dict[str, Any]) -> Self:
        """Parameters from a dictionary, with messages for people."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            said, hint = problem_of(error)
            field = cls.model_fields.get(name)
            if first["type"] == "extra_forbidden":
                raise InvalidParameter(
                    f"There is no parameter {name!r}.", hint=f"The parameters are: {cls._names()}."
                ) from error
            raise InvalidParameter(
                f"Parameter {name} is {first.get('input')!r}: {said}.",
                hint=hint or f"{name}: {field.description if field is not None else 'see netsynth kinds'}",
            ) from error

    @classmethod
    def _names(cls) -> str:
        return ", ".join(cls.model_fields) or "none"
