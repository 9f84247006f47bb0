"""Settings from the command line are checked with messages for people."""

import pytest

from netsynth_core.errors import InvalidParameter
from netsynth_core.models.params import Params, parameter


class Demo(Params):
    """Two parameters."""

    rounds: int = parameter(10, "How many rounds.", ge=1, le=50)
    noise: bool = parameter(True, "Whether noise is modelled.")


def test_settings_are_parsed() -> None:
    assert Demo.from_settings(["rounds=5", "noise=false"]) == Demo(rounds=5, noise=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["rounds"], "is no setting"),
        (["x=1"], "no parameter 'x'"),
        (["rounds=0"], "rounds is '0'"),
        (["rounds=a"], "rounds is 'a'"),
    ],
)
def test_wrong_settings(settings: list[str], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message) as caught:
        Demo.from_settings(settings)
    assert "rounds" in caught.value.hint


class Limited(Params):
    """One time."""

    budget: float = parameter(600.0, "CPU time.", unit="s", gt=0, le=1e6)


@pytest.mark.parametrize(("given", "seconds"), [("90s", 90.0), ("5m", 300.0), ("20", 20.0), ("1e2", 100.0), (7, 7.0)])
def test_seconds_may_be_written_as_a_duration(given: object, seconds: float) -> None:
    assert Limited.checked({"budget": given}).budget == seconds


@pytest.mark.parametrize("given", ["2x", "-5", "0s", "nan"])
def test_what_is_no_time_is_refused(given: str) -> None:
    with pytest.raises(InvalidParameter, match="budget"):
        Limited.from_settings([f"budget={given}"])
