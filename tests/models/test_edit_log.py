"""The edit log: undo, redo and branches under any order of commands; broken logs are refused."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.errors import DocumentError, InvalidEdit
from netsynth_core.models.edits import Edit, EditLog, EditRecord, parse_edit


class AddEdit(Edit):
    """Adds a number; stands for any edit."""

    op: Literal["add"] = "add"
    amount: int


def record(log: EditLog, amount: int) -> EditRecord:
    return EditRecord(
        id=len(log.records) + 1,
        parent=log.head,
        edit=AddEdit(amount=amount).model_dump(),
        before_hash="a",
        after_hash="b",
        before_bits=2.0,
        after_bits=1.0,
    )


@given(st.lists(st.one_of(st.integers(1, 99), st.sampled_from(["undo", "redo"])), max_size=40))
def test_the_log_acts_as_a_list_with_a_cursor(commands: list[int | str]) -> None:
    log, done, undone = EditLog(), [], []  # type: ignore[var-annotated]
    for command in commands:
        if command == "undo":
            if not done:
                assert not log.can_undo
                continue
            log = log.undo()
            undone.append(done.pop())
        elif command == "redo":
            if not undone:
                assert not log.can_redo
                continue
            log = log.redo()
            done.append(undone.pop())
        else:
            log = log.done(record(log, int(command)))
            done.append(int(command))
            undone.clear()
        assert [r.edit["amount"] for r in log.path()] == done
        again = EditLog.from_files([r.to_line() for r in log.records], log.head_json())
        assert again == log


def test_an_edit_on_an_old_state_is_refused() -> None:
    log = EditLog()
    late = record(log, 1)
    log = log.done(record(log, 2))
    with pytest.raises(InvalidEdit, match="changed elsewhere"):
        log.done(late)


@pytest.mark.parametrize(
    ("lines", "head"),
    [
        (["{"], {"head": 0, "redo": []}),
        ([], {"head": 3, "redo": []}),
        ([], {"head": 0}),
        ([], []),
        (
            ['{"id":1,"parent":1,"edit":{},"before_hash":"","after_hash":"","before_bits":0,"after_bits":0}'],
            {"head": 1, "redo": []},
        ),
    ],
)
def test_broken_logs_are_refused(lines: list[str], head: object) -> None:
    with pytest.raises(DocumentError):
        EditLog.from_files(lines, head)


@pytest.mark.parametrize(
    "raw", [{"op": "none"}, [], {"op": "add"}, {"op": "add", "amount": "x"}, {"op": "add", "amount": 1, "more": 2}]
)
def test_edits_that_do_not_fit_are_refused(raw: object) -> None:
    with pytest.raises(InvalidEdit):
        parse_edit(raw, (AddEdit,))


def test_an_edit_round_trips() -> None:
    assert parse_edit(AddEdit(amount=3).model_dump(), (AddEdit,)) == AddEdit(amount=3)
