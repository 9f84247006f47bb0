"""The JSON layout of Fos-R: what is written is read again; what is broken is refused by name."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.errors import NetsynthError, SchemaError
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.fosr import LAYOUTS, to_fosr
from netsynth_core.models.automata.fosr_reading import read_fosr
from netsynth_core.models.automata.payloads import PayloadModel, PayloadModels
from netsynth_core.models.tadam import Tadam, TadamParams
from netsynth_core.models.tadam.imported import tadam_of

BINARY = bytes(range(200, 256)) * 2


@pytest.fixture(scope="module")
def model() -> Tadam:
    rng = np.random.default_rng(1)
    words = []
    for _ in range(80):
        word = [("S_>_Empty", 0, 0), ("SA_<_Empty", int(rng.lognormal(10, 0.3)), 0), ("A_>_Empty", 150, 0)]
        for _ in range(int(rng.integers(1, 4))):
            word += [("PA_>_Text-GET", int(rng.lognormal(8, 0.5)), 90), ("PA_<_Replay", 5000, len(BINARY))]
        words.append([*word, ("FA_>_Empty", 30, 0), ("FA_<_Empty", 300, 0)])
    made = Words.from_lists(words, unit="us", service="http", state="SF")
    return Tadam.fit(made, TadamParams(), rng=np.random.default_rng(0))


def payloads_of(model: Tadam) -> PayloadModels:
    found = []
    for t in model.automaton.transitions:
        if "Text" in t.symbol:
            found.append(PayloadModel(t.id, "Text", 9, samples=(b"GET /a\r\n", b"GET /b\r\n"), weights=(3, 6)))
        elif "Replay" in t.symbol:
            found.append(PayloadModel(t.id, "Replay", 9, samples=(BINARY,), weights=(9,)))
    return PayloadModels(tuple(found))


def written(model: Tadam, path: Path, layout: str, payloads: PayloadModels | None = None) -> dict[str, Any]:
    made = to_fosr(
        model.automaton, layout=layout, service="http", state="SF", noise=model.noise.counts, payloads=payloads
    )
    path.write_text(json.dumps(made))
    return made


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_written_is_read_again(model: Tadam, layout: str, tmp_path: Path) -> None:
    made = written(model, tmp_path / "a.json", layout, payloads_of(model))
    fields = {"src", "dst", "symbol", "p", "count", "payloads"}
    fields |= {"mu", "cov"} if layout == "normal" else {"distrib"}
    assert all(set(edge) == fields for edge in made["edges"])
    read = read_fosr(tmp_path / "a.json")
    before, after = model.automaton, read.automaton
    assert (read.service, read.state) == ("http", "SF")
    assert after.alphabet == before.alphabet
    assert sorted((t.symbol, t.count) for t in after.transitions) == sorted(
        (t.symbol, t.count) for t in before.transitions
    )
    again = tadam_of(read, source="a.json")
    drawn = model.sample(300, rng=np.random.default_rng(2))
    assert all(a.accepted for a in again.align(drawn))
    kept = {sample for held in read.payloads.models for sample in held.samples}
    assert kept == {b"GET /a\r\n", b"GET /b\r\n", BINARY}
    sizes = {int(s) for s in again.sample(200, rng=np.random.default_rng(3)).sizes}  # type: ignore[union-attr]
    assert {0, 8, len(BINARY)} <= sizes
    # delays keep their middle: SYN-ACKs come after about 22 ms
    replies = [t for t in after.transitions if t.symbol == "SA_<_Empty"]
    laws = [t.delay for t in replies if t.delay is not None]
    assert laws
    assert all(abs(law.quantile(0.5) - (10 * np.log10(np.exp(10)) + after.scale.offset)) <= 2 for law in laws)


def test_a_second_round_trip_changes_nothing_more(model: Tadam, tmp_path: Path) -> None:
    written(model, tmp_path / "a.json", "normal", payloads_of(model))
    first = tadam_of(read_fosr(tmp_path / "a.json"), source="a")
    written(first, tmp_path / "b.json", "normal", first.payloads)
    second = tadam_of(read_fosr(tmp_path / "b.json"), source="b")
    names = [[(t.source, t.target, t.symbol, t.count) for t in m.automaton.transitions] for m in (first, second)]
    assert names[0] == names[1]
    assert first.payloads == second.payloads


def test_an_imported_model_lives_in_a_document(model: Tadam, tmp_path: Path) -> None:
    written(model, tmp_path / "a.json", "normal", payloads_of(model))
    first = tadam_of(read_fosr(tmp_path / "a.json"), source="a.json")
    again = Tadam.from_document(first.to_document())
    assert again.payloads == first.payloads
    assert again.to_document().content_hash() == first.to_document().content_hash()


def test_both_spellings_of_payloads_are_read(tmp_path: Path) -> None:
    def edge(src: int, dst: int, symbol: str, payloads: dict[str, Any]) -> dict[str, Any]:
        law = {"mu": [2.0, 3.0], "cov": [[1.0, 0.0], [0.0, 1e-6]]}
        return {"src": src, "dst": dst, "symbol": symbol, "p": 1.0, "count": 5, "payloads": payloads, **law}

    file = {
        "edges": [
            edge(0, 7, "AP_>_Replay", {"type": "HexCodes", "content": ["00ff01"]}),
            edge(7, 8, "PA_<_Replay", {"type": "Base64", "content": [base64.b64encode(b"abc").decode()]}),
            edge(8, 9, "PA_<_Replay", {"content": ["00ff02"], "weights": [4]}),
            edge(9, 3, "PA_>_dns.id=1-and-x=2", {"type": "Lengths", "lengths": [3, 9], "weights": [1, 3]}),
            edge(3, 1, "$", {"type": "NoPayload"}),
        ],
        "statistics": {"no-noise": 0.9, "substitution": 0.1},
        "initial_state": 0,
        "accepting_state": 1,
        "protocol": "tcp",
        "metadata": {"automaton_name": "dns", "anything": [1, {"else": None}]},
    }
    (tmp_path / "a.json").write_text(json.dumps(file))
    read = read_fosr(tmp_path / "a.json")
    assert [held.samples for held in read.payloads.models] == [(b"\0\xff\1",), (b"abc",), (b"\0\xff\2",)]
    symbols = ["PA_>_Replay", "PA_<_Replay", "PA_<_Replay", "PA_>_Replay", "$"]
    assert [t.symbol for t in read.automaton.transitions] == symbols
    assert read.service == "dns"
    assert any("spelt otherwise" in note for note in read.notes)
    law = read.automaton.transitions[0].delay
    assert law is not None
    # 2 ms on a scale of decibel microseconds
    assert abs(law.quantile(0.5) - (33 + read.automaton.scale.offset)) <= 1


GOOD: dict[str, Any] = {
    "edges": [
        {"src": 0, "dst": 2, "symbol": ">_Replay", "p": 1, "count": 3, "mu": [0, 4], "cov": [[1, 0], [0, 1]]},
        {"src": 2, "dst": 1, "symbol": "$", "p": 1, "count": 3, "mu": [0, 0], "cov": [[1, 0], [0, 1]]},
    ],
    "noise": {"none": 1.0},
    "initial_state": 0,
    "accepting_state": 1,
    "protocol": "udp",
}


@pytest.mark.parametrize(
    "change",
    [
        {"edges": []},
        {"edges": "many"},
        {"initial_state": 5},
        {"accepting_state": 0},
        {"edges": [GOOD["edges"][0] | {"symbol": "<script>"}, GOOD["edges"][1]]},
        {"edges": [GOOD["edges"][0] | {"symbol": "$"}, GOOD["edges"][1]]},
        {"edges": [GOOD["edges"][0] | {"count": -1}, GOOD["edges"][1]]},
        {"edges": [GOOD["edges"][0] | {"mu": [float("nan"), 0]}, GOOD["edges"][1]]},
        {"edges": [GOOD["edges"][0] | {"payloads": {"type": "HexCodes", "content": ["0g"]}}, GOOD["edges"][1]]},
        {"edges": [GOOD["edges"][0] | {"payloads": {"type": "Pickle", "content": []}}, GOOD["edges"][1]]},
        {
            "edges": [
                GOOD["edges"][0] | {"payloads": {"type": "Text", "content": ["a"], "weights": [1, 2]}},
                GOOD["edges"][1],
            ]
        },
        {"edges": [GOOD["edges"][0] | {"payloads": {"type": "Lengths", "lengths": [10**9]}}, GOOD["edges"][1]]},
    ],
)
def test_broken_files_are_refused_with_a_hint(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(GOOD))
    assert len(read_fosr(path).automaton.transitions) == 2
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(SchemaError) as caught:
        read_fosr(path)
    assert "a.json" in caught.value.message
    assert caught.value.hint


@settings(max_examples=60, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=8,
    ),
    place=st.sampled_from(["edges", "noise", "metadata", "protocol", "initial_state", "0"]),
)
def test_no_content_is_a_crash(value: Any, place: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("fosr") / "a.json"
    made = dict(GOOD)
    if place == "0":
        made["edges"] = [GOOD["edges"][0] | {"payloads": value, "mu": value}, GOOD["edges"][1]]
    else:
        made[place] = value
    path.write_text(json.dumps(made))
    try:
        read_fosr(path)
    except NetsynthError as error:
        assert error.hint


@pytest.mark.parametrize("layout", LAYOUTS)
def test_made_up_payloads_are_not_taken_for_stored_ones(model: Tadam, layout: str, tmp_path: Path) -> None:
    made = written(model, tmp_path / "a.json", layout)
    places = made["metadata"]["made_up_payloads"]
    assert places == [i for i, edge in enumerate(made["edges"]) if edge["payloads"].get("content")] != []
    read = read_fosr(tmp_path / "a.json")
    assert read.payloads.stored_bytes == 0 and not any("replay" in note for note in read.notes)
    made["metadata"]["made_up_payloads"] = [places[0], -1, 10**9, "x", True]
    (tmp_path / "b.json").write_text(json.dumps(made))
    stored = [bool(held.samples) for held in read_fosr(tmp_path / "b.json").payloads.models]
    assert stored.count(False) == 1
    full = written(model, tmp_path / "c.json", layout, payloads_of(model))
    assert "made_up_payloads" not in full["metadata"]


def test_other_files_of_this_package_are_refused_by_what_they_are(model: Tadam, tmp_path: Path) -> None:
    from netsynth_core.models.automata import to_json
    from netsynth_core.models.document import write_document

    (tmp_path / "drawn.json").write_text(json.dumps(to_json(model.automaton)))
    with pytest.raises(SchemaError, match="export --format json writes") as caught:
        read_fosr(tmp_path / "drawn.json")
    assert "Copy the model itself" in caught.value.hint and "no JSON" not in caught.value.message
    write_document(tmp_path / "model.json", model.to_document())
    with pytest.raises(SchemaError, match="a model of netsynth already"):
        read_fosr(tmp_path / "model.json")
