"""Documents of strangers: what cannot be is refused by name, before anything is computed from it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from netsynth_core.errors import DocumentError
from netsynth_core.flows.words import Words
from netsynth_core.models.tadam import Tadam, TadamParams


@pytest.fixture(scope="module")
def model() -> Tadam:
    rng = np.random.default_rng(0)
    words = [[("a", int(rng.integers(5, 900)), 40), ("b", 3, int(rng.integers(0, 900)))] for _ in range(60)]
    data = Words.from_lists([[(symbol, delay) for symbol, delay, _ in word] for word in words])
    sizes = np.array([size for word in words for *_, size in word], np.int64)
    return Tadam.fit(replace(data, sizes=sizes, unit="us"), TadamParams(), rng=rng)


Spoil = Callable[[dict[str, Any]], None]


def _count(value: int) -> Spoil:
    def spoil(body: dict[str, Any]) -> None:
        body["noise"]["matches"] = value

    return spoil


def _sizes(points: list[int]) -> Spoil:
    def spoil(body: dict[str, Any]) -> None:
        body["automaton"]["size_points"] = points

    return spoil


def _size_count(body: dict[str, Any]) -> None:
    spoken = next(t for t in body["automaton"]["transitions"] if t["size"])
    spoken["size"][0] = [spoken["size"][0][0], 10**400]


def _law(body: dict[str, Any]) -> None:
    spoken = next(t for t in body["automaton"]["transitions"] if t["delay"] is not None)
    spoken["delay"] = [{"weight": 0.9, "mean": 3.0, "shape": 1e-300, "linear": False}]


def _seen(body: dict[str, Any]) -> None:
    spoken = next(t for t in body["automaton"]["transitions"] if t["delay"] is not None)
    spoken["delay"] = [{"first": 90, "last": 3}]


def _noise_law(body: dict[str, Any]) -> None:
    body["noise"]["addition_delay"] = [{"weight": 0.9, "mean": 3.0, "sd": 1.0}] * 2


def _twice(body: dict[str, Any]) -> None:
    body["automaton"]["alphabet"].append(body["automaton"]["alphabet"][0])


def _end(body: dict[str, Any]) -> None:
    body["automaton"]["alphabet"].append("$")


@pytest.mark.parametrize(
    "spoil",
    [
        _count(10**30),
        _count(10**400),
        _count(-1),
        _sizes([2**63]),
        _sizes([-50]),
        _sizes(list(range(100_000))),
        _size_count,
        _law,
        _seen,
        _noise_law,
        _twice,
        _end,
    ],
)
def test_what_cannot_be_is_refused(model: Tadam, spoil: Spoil) -> None:
    document = model.to_document()
    spoil(document.body)
    with pytest.raises(DocumentError):
        Tadam.from_document(document)


def test_samples_last_as_long_as_what_was_seen(model: Tadam) -> None:
    """Also from the stored model."""
    again = Tadam.from_document(model.to_document())
    drawn = again.sample(5_000, rng=np.random.default_rng(1))
    assert drawn.delays.max() < 1200
