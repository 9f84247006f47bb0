"""Documents: what is written is read back; what is broken, foreign or newer is refused by name."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netsynth_core.errors import DocumentError, NewerDocument, StorageError
from netsynth_core.models.document import Document, arrays_path, migrate, read_document, write_document
from netsynth_core.models.registry import load_model


def example() -> Document:
    return Document("demo", 2, {"kind": "demo"}, {"x": [1, 2]}, {"a": np.arange(5), "b": np.eye(2)})


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    write_document(path, example())
    again = read_document(path)
    assert again.body == {"x": [1, 2]}
    assert again.content_hash() == example().content_hash()
    np.testing.assert_array_equal(again.arrays["a"], np.arange(5))


def test_same_model_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    for name, seconds in (("one.json", 1.0), ("two.json", 2.0)):
        write_document(tmp_path / name, replace(example(), card={"kind": "demo", "seconds": seconds}))
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert arrays_path(tmp_path / "one.json").read_bytes() == arrays_path(tmp_path / "two.json").read_bytes()


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"format": 3}', "null", "[" * 100_000, '{"format":"netsynth/x","version":"1"}']
)
def test_what_is_no_document_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(DocumentError, match=r"model\.json"):
        read_document(path)


def test_foreign_formats_and_kinds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    envelope = {"format": "other/x", "version": 1, "created": "", "by": "", "card": {}, "body": {}}
    path.write_text(json.dumps(envelope))
    with pytest.raises(DocumentError, match="other/x"):
        read_document(path)
    path.write_text(json.dumps(envelope | {"format": "netsynth/nothing"}))
    with pytest.raises(DocumentError, match="nothing"):
        load_model(read_document(path))


def test_arrays_that_would_run_code_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    write_document(path, Document("demo", 1, {}, {}))
    np.savez(arrays_path(path), evil=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DocumentError, match=r"model\.npz is broken"):
        read_document(path)
    arrays_path(path).write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(DocumentError, match=r"model\.npz is broken"):
        read_document(path)


def test_arrays_that_unpack_to_far_more_are_refused_before_they_are_read(tmp_path: Path) -> None:
    write_document(tmp_path / "model.json", Document("demo", 1, {}, {}))
    np.savez_compressed(arrays_path(tmp_path / "model.json"), zeros=np.zeros(120 * 2**20, np.uint8))
    with pytest.raises(DocumentError, match="unpacks to 120 MiB"):
        read_document(tmp_path / "model.json")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        read_document(tmp_path / "none.json")


def test_migrations_run_one_step_at_a_time() -> None:
    steps = {1: lambda body: body | {"two": True}, 2: lambda body: body | {"three": body["two"]}}
    body = migrate(Document("demo", 1, {}, {"one": 1}), kind="demo", version=3, migrations=steps)
    assert body == {"one": 1, "two": True, "three": True}


def test_newer_and_unknown_versions_are_refused() -> None:
    with pytest.raises(NewerDocument, match="version 9") as caught:
        migrate(Document("demo", 9, {}, {}, by="netsynth 7.0"), kind="demo", version=3, migrations={})
    assert "netsynth 7.0" in caught.value.hint
    with pytest.raises(DocumentError, match="No migration"):
        migrate(Document("demo", 1, {}, {}), kind="demo", version=2, migrations={})
    with pytest.raises(DocumentError, match="'other'"):
        migrate(Document("other", 1, {}, {}), kind="demo", version=1, migrations={})
