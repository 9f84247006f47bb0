"""The list of edits: every line of it is an edit that is read, and what is wrong with one is said by its field."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netsynth_core.cli import main
from netsynth_core.errors import InvalidEdit
from netsynth_core.models.edits import edit_fields, example_line, parse_edit
from netsynth_core.models.flowchronicle import FlowChronicle


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_every_edit_is_listed_with_its_fields_and_one_to_copy() -> None:
    answer = json.loads(run("kinds", "--edits", "--json").stdout)
    listed = {(e["kind"], e["op"]): e for e in answer["edits"]}
    assert {op for kind, op in listed if kind == "flowchronicle"} == {
        str(edit.model_fields["op"].default) for edit in FlowChronicle.edits
    }
    assert any(kind == "tadam" for kind, _ in listed)
    for (_, op), entry in listed.items():
        example = json.loads(entry["example"])
        assert example["op"] == op and entry["summary"]
        assert {f["name"] for f in entry["fields"] if f["required"]} <= example.keys()
        assert all(f["help"] for f in entry["fields"]), op
        assert "<" not in entry["example"], op
    told = run("kinds", "--edits").stdout
    assert all(op in told for _, op in listed) and "weight (number, needed)" in told
    assert "kinds --edits" in " ".join(run("edit", "--help").stdout.split())


def test_examples_are_edits() -> None:
    for kind in FlowChronicle.edits:
        edit = parse_edit(json.loads(example_line(kind)), FlowChronicle.edits)
        assert type(edit) is kind and edit.sentence()
        fields = edit_fields(kind)
        assert [f.required for f in fields] == sorted((f.required for f in fields), reverse=True)


@pytest.mark.parametrize(
    ("raw", "said", "hint"),
    [
        ({"op": "set_weight", "pattern": "p1", "weight": -1}, "weight:", "It needs pattern, weight"),
        ({"op": "set_gap", "pattern": "p1", "gap": 1, "within": "soon"}, "within:", '"500ms"'),
        ({"op": "split_pattern", "pattern": "p1"}, "split_pattern: give a gap", "may take gap"),
        ({"op": "add_pattern", "flows": [{"fixed": 3}]}, "flows.0.fixed:", '"flows"'),
        ({"op": "drop_pattern"}, "pattern:", "It needs pattern: {"),
    ],
)
def test_a_wrong_edit_is_told_by_its_field(raw: dict[str, object], said: str, hint: str) -> None:
    with pytest.raises(InvalidEdit) as caught:
        parse_edit(raw, FlowChronicle.edits)
    assert said in caught.value.message and hint in caught.value.hint


def test_a_line_that_is_no_edit_is_answered_with_one(tmp_path: Path) -> None:
    from netsynth_core.cli.models import _read_edits

    (tmp_path / "e.jsonl").write_text("drop p3\n")
    with pytest.raises(InvalidEdit) as caught:
        _read_edits(tmp_path / "e.jsonl")
    assert "line 1" in caught.value.message and '{"op": "drop_pattern", "pattern": "p3"}' in caught.value.hint
