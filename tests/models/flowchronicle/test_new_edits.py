"""Edits of gaps, splits, merges, patterns added by hand, and weights: each does what it says, at the price it says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

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
    RestorePattern,
    SetGap,
    SetWeight,
    SplitPattern,
)
from netsynth_core.models.flowchronicle.cover import cover_key, match
from netsynth_core.models.flowchronicle.length import gap_histogram, hazard_bits, label_bits, pattern_bits
from netsynth_core.models.flowchronicle.pattern import Fixed, Free, Reused, in_common


def name_of(model: FlowChronicle, flows: int) -> str:
    """Id of the most used pattern of so many flows."""
    return max((p for p in model.patterns if len(p.pattern) == flows), key=lambda p: p.usage).id


def column(model: FlowChronicle, name: str) -> int:
    """Number of a column."""
    return [c.name for c in model.columns].index(name)


def check_whole(model: FlowChronicle) -> None:
    """What an edit left behind is what covering, scoring and learning everything anew gives, and a sound document."""
    again = FlowChronicle.from_document(model.to_document())
    fresh, _ = again.solved
    assert model.bits.total == pytest.approx(fresh.total, rel=1e-12)
    assert model.to_document().content_hash() == again.to_document().content_hash()
    assert {p.id: p.usage for p in model.patterns} == {i: len(w) for i, w in again.cover.windows.items()}
    for learnt in model.patterns:
        saved = again.apply(DropPattern(pattern=learnt.id)).bits.total - model.bits.total
        assert learnt.saved_bits == pytest.approx(saved, abs=1e-6)


def test_a_gap_lets_through_what_it_says(model: FlowChronicle) -> None:
    name = name_of(model, 2)
    ts = model.training.ts if model.training is not None else np.zeros(0)
    narrow = model.apply(SetGap(pattern=name, gap=1, within="60ms"))
    assert narrow.pattern(name).pattern.within == (16,)
    rows = narrow.cover.windows[name]
    assert len(rows) and (ts[rows[:, 1]] - ts[rows[:, 0]] < 2**16 * 1000).all()
    assert narrow.pattern(name).usage < model.pattern(name).usage
    assert narrow.bits.total > model.bits.total
    check_whole(narrow)
    effect = model.preview(SetGap(pattern=name, gap=1, within="60ms"))
    assert "The limit taken is 65.5 ms." in effect.sentences
    for wrong in (SetGap(pattern=name, gap=2, within="1s"), SetGap(pattern=name, gap=1, within="9000d")):
        with pytest.raises(InvalidEdit):
            model.apply(wrong)


def test_a_pattern_is_split_by_a_value(model: FlowChronicle, planted: Any) -> None:
    name = name_of(model, 2)
    place = column(model, "dst_ip")
    learnt = model.pattern(name)
    assert isinstance(learnt.pattern.flows[1].cell(place), Free)
    servers = planted.flows.frame["dst_ip"].iloc[model.cover.windows[name][:, 1]]
    server = str(servers.value_counts().index[0])
    after = model.apply(SplitPattern(pattern=name, flow=2, column="dst_ip", value=server))
    (made,) = [p for p in after.patterns if all(q.id != p.id for q in model.patterns)]
    assert made.id == f"p{max(int(p.id[1:]) for p in model.patterns) + 1}"
    assert isinstance(made.pattern.flows[1].cell(place), Fixed)
    assert set(planted.flows.frame["dst_ip"].iloc[after.cover.windows[made.id][:, 1]]) == {server}
    both = after.pattern(name).usage + made.usage
    assert both == pytest.approx(learnt.usage, rel=0.05)
    check_whole(after)
    with pytest.raises(InvalidEdit, match="has these cells already"):
        after.apply(SplitPattern(pattern=name, flow=2, column="dst_ip", value=server))


def test_a_pattern_is_cut_at_a_gap_and_joined_again(model: FlowChronicle) -> None:
    name = name_of(model, 3)
    whole = model.pattern(name)
    # its second half, a question and a session, is a pattern already
    once = model.apply(SplitPattern(pattern=name, gap=1))
    assert [len(p.pattern) for p in once.patterns if all(q.id != p.id for q in model.patterns)] == [1]
    cut = model.apply(SplitPattern(pattern=name, gap=2))
    assert {p.id for p in cut.dropped} == {name}
    first, second = [p for p in cut.patterns if all(q.id != p.id for q in model.patterns)]
    assert (len(first.pattern), len(second.pattern)) == (2, 1)
    check_whole(cut)
    limit = f"{2 ** whole.pattern.within[1]}us"
    (shared,) = whole.pattern.flows[2].reused
    bond = {"flow": 1, "column": model.columns[shared.column].name, "from_flow": 1}
    bond["from_column"] = model.columns[shared.source].name
    joined = cut.apply(MergePatterns(first=first.id, second=second.id, within=limit, keep=False, **bond))
    (again,) = [p for p in joined.patterns if all(q.id != p.id for q in cut.patterns)]
    assert again.pattern == whole.pattern
    assert joined.bits.total == pytest.approx(model.bits.total, rel=1e-9)
    back = cut.apply(DropPattern(pattern=first.id)).apply(DropPattern(pattern=second.id))
    assert back.apply(RestorePattern(pattern=name)).bits.total == pytest.approx(model.bits.total, rel=1e-9)


def test_two_patterns_have_something_in_common(model: FlowChronicle) -> None:
    pairs = [p for p in model.patterns if len(p.pattern) == 2]
    first, second = pairs[0], pairs[1]
    common = in_common(first.pattern, second.pattern)
    edit = MergePatterns(first=first.id, second=second.id, how="in_common")
    if not common.covered:
        with pytest.raises(InvalidEdit, match="cell that is not free"):
            model.apply(edit)
        return
    after = model.apply(edit)
    assert {p.id for p in after.dropped} == {first.id, second.id}
    check_whole(after)


def test_patterns_of_other_lengths_have_nothing_in_common(model: FlowChronicle) -> None:
    with pytest.raises(InvalidEdit, match="joined in sequence"):
        model.apply(MergePatterns(first=name_of(model, 2), second=name_of(model, 3), how="in_common"))


def web_by_hand() -> AddPattern:
    """The planted web session."""
    return AddPattern(
        flows=(
            NewFlow(fixed={"proto": "UDP", "dst_port": "53"}),
            NewFlow(
                fixed={"proto": "TCP", "dst_port": "443"},
                reused={"src_ip": NewCell(flow=1, column="src_ip")},
                within="1s",
            ),
        ),
        name="browsing",
    )


def test_a_pattern_added_by_hand_pays_what_its_terms_say(make: Callable[..., Any], fitted: Callable[..., Any]) -> None:
    """From an empty pattern set: the bits of the new one, term by term, and the planted windows are found."""
    planted = make(400, 3, "wn")
    model = fitted(planted.flows)
    bare = model
    for learnt in model.patterns:
        bare = bare.apply(DropPattern(pattern=learnt.id))
    after = bare.apply(web_by_hand())
    (made,) = after.patterns
    assert made.name == "browsing"
    assert after.bits.total < bare.bits.total
    found = {w.rows for w in after.cover}
    assert len(found & planted.windows) / len(planted.windows) > 0.9
    solution, scorer = after.solved
    (placed,) = solution.placed
    index = scorer.index
    shape = pattern_bits(made.pattern, index.domains, index.hosts)
    gaps = sum(hazard_bits(c) for c in gap_histogram(made.pattern, placed.windows, index))
    assert made.model_bits == pytest.approx(shape + placed.structure.model_bits)
    assert made.data_bits == pytest.approx(gaps + placed.structure.data_bits)
    assert solution.start_bits == pytest.approx(label_bits(np.array([made.usage, after.empty.usage])))
    check_whole(after)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (AddPattern(flows=(NewFlow(),)), "cell that is not free"),
        (
            AddPattern(flows=(NewFlow(fixed={"proto": "UDP", "dst_port": "443"}),)),
            "No flow has proto UDP with dst_port",
        ),
        (
            AddPattern(
                flows=(NewFlow(fixed={"dst_port": "123"}), NewFlow(fixed={"dst_port": "8080"}, within="1us")),
            ),
            "occurs nowhere",
        ),
        (AddPattern(flows=(NewFlow(reused={"src_ip": NewCell(flow=1, column="dst_ip")}),)), "no address before it"),
        (
            AddPattern(
                flows=(
                    NewFlow(fixed={"dst_ip": "10.0.9.1"}),
                    NewFlow(reused={"src_ip": NewCell(flow=1, column="dst_ip")}),
                )
            ),
            "not free",
        ),
        (
            AddPattern(
                flows=(NewFlow(fixed={"src_ip": "10.0.0.2"}, reused={"src_ip": NewCell(flow=1, column="src_ip")}),)
            ),
            "both fixed and reused",
        ),
        (SplitPattern(pattern="p1", flow=1, column="proto", value="UDP"), "not free"),
        (SplitPattern(pattern="p1", flow=1, column="src_ip", value="10.0.0.2"), "reused by other cells"),
        (SplitPattern(pattern="p1", gap=7), "gap"),
        (MergePatterns(first="p1", second="p99"), "no pattern"),
        (SetWeight(pattern="p99", weight=2), "no pattern"),
        (SetWeight(pattern="p1", weight=1), "that already"),
    ],
)
def test_conflicts_and_what_cannot_occur_are_refused_with_the_reason(
    model: FlowChronicle, edit: Edit, reason: str
) -> None:
    with pytest.raises(InvalidEdit, match=reason):
        model.preview(edit)


@pytest.mark.parametrize(
    "raw",
    [
        {"op": "set_gap", "pattern": "p1", "gap": 1, "within": "soon"},
        {"op": "split_pattern", "pattern": "p1"},
        {"op": "split_pattern", "pattern": "p1", "gap": 1, "flow": 1, "column": "proto"},
        {"op": "merge_patterns", "first": "p1", "second": "p2", "flow": 1},
        {"op": "add_pattern", "flows": []},
        {"op": "set_weight", "pattern": "p1", "weight": -1},
        {"op": "set_weight", "pattern": "p1", "weight": float("nan")},
    ],
)
def test_edits_that_say_nothing_are_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(InvalidEdit):
        parse_edit(raw, FlowChronicle.edits)


def test_edits_are_the_same_from_their_json(model: FlowChronicle) -> None:
    for edit in (web_by_hand(), SetWeight(pattern="p1", weight=0.5), SplitPattern(pattern="p1", gap=1)):
        assert parse_edit(edit.model_dump(mode="json"), FlowChronicle.edits) == edit
        assert edit.sentence().endswith(".")


def test_a_cell_equals_another_of_its_own_flow(make: Callable[..., Any], fitted: Callable[..., Any]) -> None:
    """Where no host talks to itself this is refused as impossible; the reason names the flow."""
    model = fitted(make(200, 5, "w").flows)
    name = name_of(model, 2)
    edit = EditCell(pattern=name, flow=2, column="dst_ip", cell="reused", from_flow=2, from_column="src_ip")
    with pytest.raises(InvalidEdit):
        model.apply(edit)
    freed = model.apply(EditCell(pattern=name, flow=2, column="src_ip", cell="free"))
    with pytest.raises(InvalidEdit, match="the same src_ip and dst_ip, so flow 2 cannot occur"):
        freed.apply(edit)


def test_what_reused_a_cell_follows_when_it_is_reused_itself(model: FlowChronicle) -> None:
    name = name_of(model, 3)
    source = column(model, "src_ip")
    pattern = model.pattern(name).pattern
    assert [f.cell(source) for f in pattern.flows[1:]] == [Reused(source, 0, source)] * 2
    free = model.apply(EditCell(pattern=name, flow=2, column="src_ip", cell="free"))
    moved = free.apply(
        EditCell(pattern=name, flow=3, column="src_ip", cell="reused", from_flow=2, from_column="src_ip")
    )
    edit = EditCell(pattern=name, flow=2, column="src_ip", cell="reused", from_flow=1, from_column="src_ip")
    assert moved.apply(edit).pattern(name).pattern == pattern


def test_a_weight_changes_what_is_generated_and_nothing_else(model: FlowChronicle) -> None:
    name = name_of(model, 3)
    heavy = model.apply(SetWeight(pattern=name, weight=3.0))
    assert heavy.bits == model.bits
    assert heavy.cover.windows[name].tolist() == model.cover.windows[name].tolist()
    n = model.trained_on["rows"]
    rng = np.random.default_rng(0)
    plain, more = (len(m.windows(m.sample(n, rng=rng)).windows[name]) for m in (model, heavy))
    share = {m: m.pattern(name).usage * m.pattern(name).weight for m in (model, heavy)}
    total = {m: sum(p.usage * p.weight * len(p.pattern) for p in (*m.patterns, m.empty)) for m in (model, heavy)}
    expected = (share[heavy] / total[heavy]) / (share[model] / total[model])
    assert more / plain == pytest.approx(expected, rel=0.2)
    span = model.trained_on["last"] - model.trained_on["first"]
    drawn = len(heavy.sample_for(span, rng=np.random.default_rng(1)))
    assert drawn == pytest.approx(total[heavy], rel=0.1)
    effect = model.preview(SetWeight(pattern=name, weight=3.0))
    assert effect.before_bits == effect.after_bits
    assert any("bits more" in s for s in effect.sentences)
    assert heavy.apply(SetWeight(pattern=name, weight=1.0)).to_document().content_hash() == (
        model.to_document().content_hash()
    )


def test_a_weight_of_zero_is_never_generated_and_something_must_be(model: FlowChronicle) -> None:
    silent = model = model.apply(DropPattern(pattern=model.patterns[0].id))
    assert model.empty.usage
    for learnt in model.patterns:
        silent = silent.apply(SetWeight(pattern=learnt.id, weight=0.0))
    drawn = silent.sample(300, rng=np.random.default_rng(0))
    assert len(drawn) == 300
    with pytest.raises(InvalidEdit, match="Nothing would be generated"):
        silent.apply(SetWeight(pattern="empty", weight=0.0))
    effect = model.preview(SetWeight(pattern=model.patterns[0].id, weight=0.0))
    assert any("could not be generated" in s for s in effect.sentences)


def test_weights_stay_with_their_patterns_through_other_edits(model: FlowChronicle) -> None:
    lone = next(p.id for p in model.patterns if len(p.pattern) == 1)
    model = model.apply(DropPattern(pattern=lone))
    name = name_of(model, 2)
    edited = model.apply(SetWeight(pattern=name, weight=2.0)).apply(SetWeight(pattern="empty", weight=0.5))
    edited = edited.apply(SetGap(pattern=name_of(model, 3), gap=1, within="1s"))
    assert (edited.pattern(name).weight, edited.empty.weight) == (2.0, 0.5)
    dropped = edited.apply(DropPattern(pattern=name))
    assert dropped.apply(RestorePattern(pattern=name)).pattern(name).weight == 2.0


def test_windows_of_a_new_pattern_are_those_of_the_cover_made_anew(model: FlowChronicle) -> None:
    """Brute force beside the incremental cover: patterns in their order on unclaimed rows."""
    after = model.apply(SplitPattern(pattern=name_of(model, 3), gap=2))
    solution, scorer = after.solved
    claimed = np.zeros(len(scorer.index), np.bool_)
    for placed in sorted(solution.placed, key=lambda p: cover_key(p.pattern)):
        assert match(placed.pattern, scorer.index, claimed).tolist() == placed.windows.tolist()
    assert np.flatnonzero(~claimed).tolist() == solution.left.tolist()


def test_a_pattern_that_got_no_window_learns_its_network_when_it_gets_some(model: FlowChronicle) -> None:
    """A pattern whose rows others take has nothing to learn from until they are dropped."""
    name = name_of(model, 2)
    learnt = model.pattern(name)
    looser = replace(learnt.pattern, within=(learnt.pattern.within[0] + 4,))
    flows = []
    for place, flow in enumerate(looser.flows):
        fixed = {model.columns[c.column].name: model.columns[c.column].values[c.code] for c in flow.fixed
                 if model.columns[c.column].kind != "number"}  # fmt: skip
        reused = {
            model.columns[c.column].name: NewCell(flow=c.flow + 1, column=model.columns[c.source].name)
            for c in flow.reused
        }
        flows.append(NewFlow(fixed=fixed, reused=reused, within=f"{2 ** looser.within[0]}us" if place else "1s"))
    added = model.apply(AddPattern(flows=tuple(flows)))
    (made,) = [p for p in added.patterns if all(q.id != p.id for q in model.patterns)]
    after = added.apply(DropPattern(pattern=name))
    assert after.pattern(made.id).usage > made.usage
    assert after.bits.total == pytest.approx(model.bits.total, rel=0.02)
    check_whole(after)


def test_a_pattern_joined_to_itself_is_dropped_once(model: FlowChronicle) -> None:
    name = name_of(model, 2)
    after = model.apply(MergePatterns(first=name, second=name, how="in_sequence", within="1h", keep=False))
    assert [p.id for p in after.dropped] == [name]
    assert len(after.patterns[-1].pattern) == 4
    check_whole(after)


def test_a_pattern_after_itself_is_one_pattern_whose_parent_is_dropped_once(model: FlowChronicle) -> None:
    name = name_of(model, 2)
    after = model.apply(MergePatterns(first=name, second=name, within="1h", keep=False))
    assert [p.id for p in after.dropped].count(name) == 1
    assert FlowChronicle.from_document(after.to_document()).to_document().content_hash()
    longer = next(p for p in after.patterns if len(p.pattern) == 4)
    halves = after.apply(SplitPattern(pattern=longer.id, gap=2))
    made = [p.pattern for p in halves.patterns]
    assert len(made) == len(set(made))
    assert FlowChronicle.from_document(halves.to_document())
