"""Edits: what they do, what they refuse, and that undoing leads back."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netsynth_core.errors import InvalidEdit
from netsynth_core.models.edits import Edit, parse_edit
from netsynth_core.models.flowchronicle import (
    AddPattern,
    DropPattern,
    EditCell,
    FlowChronicle,
    MergePatterns,
    NewCell,
    NewFlow,
    RenamePattern,
    RestorePattern,
    SetGap,
    SetWeight,
    SplitPattern,
)
from netsynth_core.models.flowchronicle.pattern import Fixed, Free, Pattern, Reused, check_pattern
from netsynth_core.models.flowchronicle.written import value_text


def web(model: FlowChronicle) -> str:
    """Id of a pattern whose second flow reuses the source of the first."""
    source = [c.name for c in model.columns].index("src_ip")
    return next(p.id for p in model.multi_flow_patterns if Reused(source, 0, source) in p.pattern.flows[1].reused)


def column(model: FlowChronicle, name: str) -> int:
    """Number of a column."""
    return [c.name for c in model.columns].index(name)


def test_a_dropped_pattern_leaves_its_rows_to_the_others_and_comes_back_as_it_was(model: FlowChronicle) -> None:
    name = web(model)
    dropped = model.apply(DropPattern(pattern=name))
    assert name not in {p.id for p in dropped.patterns}
    assert dropped.bits.total - model.bits.total == pytest.approx(model.pattern(name).saved_bits)
    assert dropped.bits.empty == model.bits.empty
    back = dropped.apply(RestorePattern(pattern=name))
    assert back.to_document().content_hash() == model.to_document().content_hash()


def test_a_cell_becomes_free_and_reused_again(model: FlowChronicle) -> None:
    name = web(model)
    freed = model.apply(EditCell(pattern=name, flow=2, column="src_ip", cell="free"))
    assert freed.pattern(name).pattern.flows[1].cell(column(model, "src_ip")) == Free(column(model, "src_ip"))
    assert freed.bits.total > model.bits.total
    edit = EditCell(pattern=name, flow=2, column="src_ip", cell="reused", from_flow=1, from_column="src_ip")
    back = freed.apply(edit)
    assert back.pattern(name).pattern == model.pattern(name).pattern
    assert back.pattern(name).usage == model.pattern(name).usage


def test_a_fixed_cell_holds_in_every_window_and_every_draw(model: FlowChronicle, planted: Any) -> None:
    name = web(model)
    grid = column(model, "dst_ip")
    second = model.pattern(name).pattern.flows[1]
    assert isinstance(second.cell(grid), Free)
    row = model.cover.windows[name][0, 1]
    address = str(planted.flows.frame["dst_ip"].iloc[int(row)])
    fixed = model.apply(EditCell(pattern=name, flow=2, column="dst_ip", cell="fixed", value=address))
    rows = fixed.cover.windows[name][:, 1]
    assert len(rows)
    assert set(planted.flows.frame["dst_ip"].iloc[rows]) == {address}
    assert isinstance(fixed.pattern(name).pattern.flows[1].cell(grid), Fixed)


def test_preview_says_what_apply_does(model: FlowChronicle) -> None:
    edit = DropPattern(pattern=web(model))
    effect = model.preview(edit)
    after = model.apply(edit)
    assert (effect.before_bits, effect.after_bits) == (model.bits.total, after.bits.total)
    assert effect.sentences[0] == edit.sentence()
    assert "longer" in effect.sentences[1]


def test_a_name_changes_nothing_else(model: FlowChronicle) -> None:
    named = model.apply(RenamePattern(pattern="p1", name="Browsing"))
    assert named.pattern("p1").name == "Browsing"
    assert named.apply(RenamePattern(pattern="p1", name="")).to_document().content_hash() == (
        model.to_document().content_hash()
    )


@pytest.mark.parametrize(
    "edit",
    [
        DropPattern(pattern="p99"),
        DropPattern(pattern="empty"),
        RestorePattern(pattern="p1"),
        RenamePattern(pattern="empty", name="x"),
        EditCell(pattern="p1", flow=9, column="proto", cell="free"),
        EditCell(pattern="p1", flow=1, column="colour", cell="free"),
        EditCell(pattern="p1", flow=1, column="proto", cell="fixed", value="SCTP"),
        EditCell(pattern="p1", flow=1, column="fwd_bytes", cell="fixed", value="many"),
        EditCell(pattern="p1", flow=1, column="src_ip", cell="reused", from_flow=1, from_column="src_ip"),
        EditCell(pattern="p1", flow=2, column="proto", cell="reused", from_flow=1, from_column="proto"),
        EditCell(pattern="p1", flow=2, column="src_ip", cell="reused", from_flow=0, from_column="src_ip"),
    ],
)
def test_what_cannot_be_done_is_refused(model: FlowChronicle, edit: Edit) -> None:
    with pytest.raises(InvalidEdit):
        model.apply(edit)


def test_the_source_of_a_reuse_cannot_be_fixed_under_it(model: FlowChronicle) -> None:
    name = web(model)
    client = model.columns[column(model, "src_ip")].values[0]
    with pytest.raises(InvalidEdit):
        model.apply(EditCell(pattern=name, flow=1, column="src_ip", cell="fixed", value=client))


def test_without_training_flows_only_names_can_be_changed(model: FlowChronicle) -> None:
    bare = FlowChronicle.from_document(replace(model.to_document(), arrays={}))
    with pytest.raises(InvalidEdit):
        bare.apply(DropPattern(pattern="p1"))
    assert bare.apply(RenamePattern(pattern="p1", name="x")).pattern("p1").name == "x"


def random_edit(model: FlowChronicle, rng: np.random.Generator) -> Edit:
    """Some edit, possible or not."""
    names = [p.id for p in (*model.patterns, *model.dropped)] or ["p1"]
    name = names[int(rng.integers(len(names)))]
    which = int(rng.integers(9))
    if which == 0:
        return DropPattern(pattern=name)
    if which == 1:
        return RestorePattern(pattern=name)
    if which == 2:
        return RenamePattern(pattern=name, name=f"n{rng.integers(9)}")
    if which == 3:
        return SetGap(pattern=name, gap=int(rng.integers(1, 3)), within=f"{2 ** int(rng.integers(0, 24))}us")
    if which == 4:
        return SetWeight(pattern=name, weight=float(rng.integers(0, 4)))
    if which == 5:
        return SplitPattern(pattern=name, gap=int(rng.integers(1, 3)))
    if which == 6:
        how = ["in_sequence", "in_common"][int(rng.integers(2))]
        second = names[int(rng.integers(len(names)))]
        return MergePatterns(first=name, second=second, how=how, keep=bool(rng.integers(2)))
    chosen = model.columns[int(rng.integers(len(model.columns)))]
    return EditCell(
        pattern=name,
        flow=int(rng.integers(1, 4)),
        column=chosen.name,
        cell=["fixed", "free", "reused"][int(rng.integers(3))],
        value=chosen.values[0] if chosen.values else "0",
        from_flow=1,
        from_column=["src_ip", "dst_ip"][int(rng.integers(2))],
    )


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_edits_keep_the_invariants_and_replay_to_the_same_bytes(model: FlowChronicle, seed: int) -> None:
    """Undo is replaying fewer edits, redo replaying them again: every state must come back byte for byte."""
    rng = np.random.default_rng(seed)
    done: list[Edit] = []
    states = [model]
    for _ in range(6):
        edit = random_edit(states[-1], rng)
        try:
            states.append(states[-1].apply(parse_edit(edit.model_dump(), FlowChronicle.edits)))
        except InvalidEdit:
            continue
        done.append(edit)
        check(states[-1])
    replayed = model
    for edit, state in zip(done, states[1:], strict=True):
        replayed = replayed.apply(edit)
        assert replayed.to_document().content_hash() == state.to_document().content_hash()


def test_a_pattern_left_without_windows_pays_for_no_network(model: FlowChronicle, planted: Any) -> None:
    """The bits after an edit are those of covering, scoring and learning anew, whatever the pattern was before."""
    learnt = max((p for p in model.patterns if len(p.pattern) > 1), key=lambda p: p.usage)
    dropped = model.apply(DropPattern(pattern=learnt.id))
    wider = AddPattern(flows=flows_of(model, learnt.pattern, "1h"), name="wider")
    restored = dropped.apply(wider).apply(RestorePattern(pattern=learnt.id))
    assert len([p for p in restored.patterns if not p.usage]) == 1
    assert restored.codelength(planted.flows).total == pytest.approx(restored.bits.total, rel=1e-12)
    back = restored.apply(DropPattern(pattern=restored.patterns[-1].id))
    assert back.codelength(planted.flows).total == pytest.approx(back.bits.total, rel=1e-12)


def flows_of(model: FlowChronicle, pattern: Pattern, within: str) -> tuple[NewFlow, ...]:
    """A pattern as one adds it by hand."""
    return tuple(
        NewFlow(
            fixed={model.columns[c.column].name: value_text(model.columns[c.column], c.code) for c in flow.fixed},
            reused={
                model.columns[r.column].name: NewCell(flow=r.flow + 1, column=model.columns[r.source].name)
                for r in flow.reused
            },
            within=within,
        )
        for flow in pattern.flows
    )


def check(model: FlowChronicle) -> None:
    """The invariants of an edited model."""
    rows = [row for window in model.cover for row in window.rows]
    assert len(rows) == len(set(rows))
    assert len(rows) + model.empty.usage == model.trained_on["rows"]
    hosts = tuple(i for i, c in enumerate(model.columns) if c.kind == "host")
    for learnt in model.patterns:
        check_pattern(learnt.pattern, tuple(c.size for c in model.columns), hosts)
    again = FlowChronicle.from_document(model.to_document())
    assert again.to_document().content_hash() == model.to_document().content_hash()
    scored, _ = again.solved
    assert model.bits.total == pytest.approx(scored.total, rel=1e-12)
    assert len(model.sample(30, rng=np.random.default_rng(0))) == 30
