"""One contract, run over every registered kind of generator."""

import dataclasses
import json
import random
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from netsynth_core.errors import Cancelled, DocumentError, InvalidEdit, InvalidParameter, NetsynthError, NewerDocument
from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.words import Words
from netsynth_core.models.document import Document, read_document, write_document
from netsynth_core.models.edits import Edit
from netsynth_core.models.generator import Describing, Level, ModelCard
from netsynth_core.models.registry import Kind, get_kind, kinds, load_model
from netsynth_core.monitor import CallbackMonitor


class ForeignEdit(Edit):
    """An edit that no kind declares."""

    op: Literal["foreign"] = "foreign"


def flow_data(n: int = 240, seed: int = 5) -> FlowTable:
    """DNS then HTTPS of one client, with some lone NTP in between."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    now = 1_700_000_000 * 10**9
    while len(rows) < n:
        now += int(rng.exponential(2e9))
        client = f"10.0.0.{rng.integers(2, 9)}"
        if rng.random() < 0.2:
            rows.append(flow(now, "UDP", client, "10.0.0.1", 123, 1, 1, 76, 76, 10**6, "......"))
            continue
        rows.append(flow(now, "UDP", client, "10.0.0.1", 53, 1, 1, 60 + int(rng.integers(30)), 120, 10**6, "......"))
        packets = int(rng.integers(6, 20))
        server = f"198.51.100.{rng.integers(1, 20)}"
        start = now + int(rng.lognormal(np.log(5e7), 0.4))
        rows.append(
            flow(start, "TCP", client, server, 443, packets, packets, packets * 90, packets * 700, 10**9, ".AP.SF")
        )
    return FlowTable.from_columns(pd.DataFrame(rows[:n]))


def flow(*values: Any) -> dict[str, Any]:
    """One row in the order of the columns a flow always has."""
    names = [
        "ts",
        "proto",
        "src_ip",
        "dst_ip",
        "dst_port",
        "fwd_packets",
        "bwd_packets",
        "fwd_bytes",
        "bwd_bytes",
        "duration",
        "flags",
    ]
    return dict(zip(names, values, strict=True))


def word_data(n: int = 120, seed: int = 5) -> Words:
    """Handshake, some questions and answers, and an end, with a few packets missing."""
    rng = np.random.default_rng(seed)
    words = []
    for _ in range(n):
        word = [("S_>_Empty", 0, 0), ("SA_<_Empty", 900, 0), ("A_>_Empty", 80, 0)]
        for _ in range(int(rng.geometric(0.5))):
            word += [("PA_>_Text-GET", int(rng.lognormal(8, 1)), 120), ("PA_<_Text", int(rng.lognormal(9, 1)), 700)]
        word += [("FA_>_Empty", 4000, 0), ("FA_<_Empty", 700, 0), ("A_>_Empty", 60, 0)]
        if rng.random() < 0.1:
            word.pop(int(rng.integers(1, len(word))))
        words.append(word)
    return Words.from_lists(words, unit="us", service="http", state="SF")


def training_data(kind: Kind) -> Any:
    """What a kind of that level learns from."""
    return flow_data() if kind.level == Level.FLOW else word_data()


def fitted(kind: Kind, seed: int = 0) -> Any:
    """A model of that kind on the training data, default parameters."""
    params = kind.params_class()()
    return kind.model_class().fit(training_data(kind), params, rng=np.random.default_rng(seed))


def sample_bytes(sample: Any) -> bytes:
    """Everything that is in a sample, for comparison."""
    if isinstance(sample, FlowTable):
        return sample.frame.to_csv(index=False).encode()
    sizes = b"" if sample.sizes is None else sample.sizes.tobytes()
    parts = (sample.symbols.tobytes(), sample.delays.tobytes(), sample.offsets.tobytes(), sizes)
    return b"|".join((json.dumps([sample.alphabet, sample.unit, sample.service, sample.state]).encode(), *parts))


@pytest.fixture(scope="module", params=[kind.name for kind in kinds()])
def kind(request: pytest.FixtureRequest) -> Kind:
    return get_kind(request.param)


@pytest.fixture(scope="module")
def model(kind: Kind) -> Any:
    return fitted(kind)


def test_the_registry_agrees_with_the_class(kind: Kind, model: Any) -> None:
    assert type(model).kind == kind.name
    assert type(model).level == kind.level
    assert type(model).version >= 1
    assert all(issubclass(edit, Edit) for edit in type(model).edits)
    for name, field in kind.params_class().model_fields.items():
        assert field.description, f"{kind.name}.{name} has no help"


def test_a_model_is_a_frozen_value(model: Any) -> None:
    assert dataclasses.is_dataclass(model)
    first = dataclasses.fields(model)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(model, first, None)


def test_the_card_says_what_the_model_is(kind: Kind, model: Any) -> None:
    card = model.describe()
    assert isinstance(card, ModelCard)
    assert card.kind == kind.name
    assert card.level == kind.level
    assert np.isfinite([card.codelength.model, card.codelength.data, card.codelength.empty]).all()
    assert card.codelength.total <= card.codelength.empty + 1e-6
    assert card.size and all(value >= 0 for value in card.size.values())
    json.dumps([card.trained_on, card.parameters, card.size], allow_nan=False)


@pytest.mark.parametrize("n", [0, 1, 57])
def test_a_sample_is_valid_and_of_the_size_asked_for(kind: Kind, model: Any, n: int) -> None:
    sample = model.sample(n, rng=np.random.default_rng(1))
    assert len(sample) == n
    assert isinstance(sample, FlowTable if kind.level == Level.FLOW else Words)


def test_same_seed_same_bytes(kind: Kind, model: Any) -> None:
    once, twice = (sample_bytes(model.sample(50, rng=np.random.default_rng(7))) for _ in range(2))
    assert once == twice
    assert once != sample_bytes(model.sample(50, rng=np.random.default_rng(8)))
    assert fitted(kind).to_document().content_hash() == model.to_document().content_hash()


def test_no_global_randomness_is_touched(kind: Kind) -> None:
    random.seed(3)
    np.random.seed(3)
    before = (random.getstate(), np.random.get_state()[1].tobytes())
    fitted(kind).sample(20, rng=np.random.default_rng(0))
    assert before == (random.getstate(), np.random.get_state()[1].tobytes())


def test_the_document_round_trips(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    write_document(path, model.to_document())
    again: Any = load_model(read_document(path))
    assert again.to_document().content_hash() == model.to_document().content_hash()
    assert again.describe() == model.describe()
    draws = [sample_bytes(m.sample(40, rng=np.random.default_rng(2))) for m in (model, again)]
    assert draws[0] == draws[1]


def test_a_document_without_its_arrays_still_samples_and_describes(model: Any, tmp_path: Path) -> None:
    document = dataclasses.replace(model.to_document(), arrays={})
    write_document(tmp_path / "model.json", document)
    again: Any = load_model(read_document(tmp_path / "model.json"))
    assert again.describe() == model.describe()
    assert len(again.sample(5, rng=np.random.default_rng(2))) == 5


def test_broken_and_newer_documents_are_refused(model: Any) -> None:
    document = model.to_document()
    with pytest.raises(NewerDocument):
        load_model(dataclasses.replace(document, version=document.version + 1))
    with pytest.raises(DocumentError):
        load_model(dataclasses.replace(document, body={}))
    for name in document.body:
        broken = document.body | {name: {"unexpected": [1, "x"]}}
        with pytest.raises(DocumentError):
            load_model(dataclasses.replace(document, body=broken))


def test_a_document_of_hostile_values_raises_only_messages(model: Any) -> None:
    """Every leaf of the body replaced in turn by values of another kind: refused by message, or still a model."""
    document = model.to_document()
    leaves = list(paths(document.body))
    rng = np.random.default_rng(0)
    for index in rng.choice(len(leaves), min(60, len(leaves)), replace=False):
        for value in (None, -1, "x" * 50, 1e308, [], {}):
            body = json.loads(json.dumps(document.body))
            put(body, leaves[index], value)
            try:
                restored: Any = load_model(
                    Document(document.kind, document.version, document.card, body, document.arrays)
                )
                restored.describe()
            except NetsynthError:
                continue


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> Any:
    """Paths to the leaves of nested lists and dictionaries."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*prefix, key))
    elif isinstance(value, list):
        for key, item in enumerate(value):
            yield from paths(item, (*prefix, key))
    else:
        yield prefix


def put(value: Any, path: tuple[Any, ...], leaf: Any) -> None:
    """Set the leaf at `path`."""
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = leaf


def test_words_have_prices(kind: Kind, model: Any) -> None:
    """One finite price a word, whatever stands beside it; strange words cost more; the unseen has a price too."""
    if kind.level == Level.FLOW:
        assert not isinstance(model, Describing)
        return
    assert isinstance(model, Describing)
    words = word_data(40)
    bits = model.word_bits(words)
    assert bits.shape == (40,) and bits.dtype == np.float64
    assert np.isfinite(bits).all() and (bits >= 0).all()
    np.testing.assert_allclose(model.word_bits(words.take(np.arange(40)[::-1].copy())), bits[::-1], atol=1e-6)
    assert len(model.word_bits(words.take(np.zeros(0, np.int64)))) == 0
    usual = [("S_>_Empty", 0, 0), ("SA_<_Empty", 900, 0), ("A_>_Empty", 80, 0)]
    usual += [("PA_>_Text-GET", 2900, 120), ("PA_<_Text", 8100, 700)]
    usual += [("FA_>_Empty", 4000, 0), ("FA_<_Empty", 700, 0), ("A_>_Empty", 60, 0)]
    strange = [usual, [*usual[:4], ("never seen", 5, 0), *usual[4:]], usual[::-1], [], [("never seen", 0, 0)] * 3]
    prices = model.word_bits(Words.from_lists(strange, unit="us", service="http", state="SF"))
    assert np.isfinite(prices).all() and prices[0] < min(prices[1], prices[2])


def test_a_foreign_edit_is_refused(model: Any) -> None:
    with pytest.raises(InvalidEdit):
        model.apply(ForeignEdit())


def test_fitting_can_be_cancelled(kind: Kind) -> None:
    def stop(*_: object) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        kind.model_class().fit(
            training_data(kind), kind.params_class()(), rng=np.random.default_rng(0), monitor=CallbackMonitor(stop)
        )


def test_unknown_parameters_are_refused(kind: Kind) -> None:
    with pytest.raises(InvalidParameter):
        kind.params_class().from_settings(["no_such_parameter=1"])


def test_too_little_data_is_said_or_learnt_from(kind: Kind) -> None:
    """No data: a message. One row or word: a message or a model that samples."""
    data = training_data(kind)
    empty = data.take(np.zeros(0, np.int64))
    params = kind.params_class()()
    with pytest.raises(NetsynthError):
        kind.model_class().fit(empty, params, rng=np.random.default_rng(0))
    try:
        small = kind.model_class().fit(data.take(np.zeros(1, np.int64)), params, rng=np.random.default_rng(0))
    except NetsynthError:
        return
    assert len(small.sample(3, rng=np.random.default_rng(0))) == 3
