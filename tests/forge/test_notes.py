"""What a forge reports is said in whole sentences, for one thing as for many."""

from types import SimpleNamespace
from typing import Any

from netsynth_core.forge.drafting.models import Drafter
from netsynth_core.forge.payloads.learnt import LearntPayloads


def test_one_thing_and_many_are_told_apart() -> None:
    def drafted(again: int, nearly: int) -> list[str]:
        held: Any = SimpleNamespace(again=again, nearly=nearly)
        return Drafter.notes(held)

    assert drafted(0, 0) == []
    assert [said.split()[:3] for said in drafted(1, 1)] == [["1", "packet", "was"], ["1", "flow", "of"]]
    assert [said.split()[:3] for said in drafted(2, 2)] == [["2", "packets", "were"], ["2", "flows", "of"]]

    def replayed(number: int) -> str:
        held: Any = SimpleNamespace(replayed=number, replay=False, models=())
        return " ".join(LearntPayloads.notes(held)).split(" payloads")[0]

    assert [replayed(n) for n in (0, 1, 3)] == ["", "1 packet repeats", "3 packets repeat"]
