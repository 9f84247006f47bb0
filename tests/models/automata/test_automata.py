"""Automata as values: invariants, running against readable twins, hand edits, drawing of hostile names."""

import itertools
import math
import re
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.errors import DocumentError, InvalidEdit, SchemaError
from netsynth_core.flows.words import Words
from netsynth_core.models.automata import (
    END,
    Location,
    TimedAutomaton,
    Transition,
    draw_svg,
    least_taken,
    to_dot,
    to_json,
)
from netsynth_core.models.automata.body import AutomatonBody, automaton_from_body, automaton_to_body
from netsynth_core.models.automata.editing import merge_locations, prune_transition, rename_location
from netsynth_core.models.automata.layout import QUICK_ABOVE, Drawn, LayoutTooSlow, lay_out
from netsynth_core.models.automata.running import accepts, departures, sample_words, word_log2_probabilities
from netsynth_core.models.delays import DelayLaw, DelayScale, Normal

SCALE = DelayScale("dbus", "plain")
LAW = DelayLaw((Normal(0.99, 40.0, 2.0),), SCALE.codes)
HOSTILE = (
    "<b>x</b>",
    "a&b",
    'say "hi"',
    "back\\slash\\N",
    "new\nline",
    "<script>alert(1)</script>",
    "x" * 300,
    "]; n0 -> n1 [",
    "é<é>",
    "\u202eevil",
    "\\",
    "--",
    "n0:port",
)


def automaton(edges: list[tuple[str, str, str, int]], *, names: dict[str, str] | None = None) -> TimedAutomaton:
    """An automaton of (source, symbol, target, count); q0 is initial, q1 final."""
    ids = sorted({end for s, _, t, _ in edges for end in (s, t)} | {"q0", "q1"})
    return TimedAutomaton(
        alphabet=tuple(sorted({symbol for _, symbol, _, _ in edges if symbol != END})),
        locations=tuple(Location(id, (names or {}).get(id, id)) for id in ids),
        transitions=tuple(
            Transition(f"e{i}", s, t, symbol, count, None if symbol == END else LAW)
            for i, (s, symbol, t, count) in enumerate(edges, 1)
        ),
        initial="q0",
        final="q1",
        scale=SCALE,
    )


LOOP = automaton(
    [("q0", "a", "q2", 10), ("q2", "b", "q2", 30), ("q2", "a", "q3", 4), ("q2", END, "q1", 6), ("q3", END, "q1", 4)]
)
TWINS = automaton(
    [("q0", "a", "q2", 6), ("q0", "a", "q3", 4), ("q2", "b", "q2", 2), ("q2", END, "q1", 6), ("q3", "b", "q2", 4)]
)


def words_of(*texts: str) -> Words:
    return Words.from_lists([[(letter, 40) for letter in text] for text in texts], unit="dbus")


def probability(machine: TimedAutomaton, word: list[str], at: str | None = None) -> float:
    """Twin of the kernel: the sum over all paths, by recursion."""
    here = machine.initial if at is None else at
    wanted = word[0] if word else END
    total = 0.0
    for transition in machine.outgoing[here]:
        if transition.symbol == wanted:
            rest = 1.0 if not word else probability(machine, word[1:], transition.target)
            total += machine.probability(transition) * rest
    return total


@pytest.mark.parametrize("machine", [LOOP, TWINS], ids=["loop", "twins"])
def test_probabilities_of_words_equal_the_twin_and_sum_to_one(machine: TimedAutomaton) -> None:
    texts = ["".join(t) for n in range(7) for t in itertools.product("ab", repeat=n)]
    words = words_of(*texts)
    found = word_log2_probabilities(machine, words)
    for text, log2 in zip(texts, found, strict=True):
        expected = probability(machine, list(text))
        assert (2.0**log2 if math.isfinite(log2) else 0.0) == pytest.approx(expected)
    # Words of up to six symbols have most of the mass; the longer ones the rest.
    assert 0.75 < np.exp2(found[np.isfinite(found)]).sum() <= 1 + 1e-9
    np.testing.assert_array_equal(accepts(machine, words), np.isfinite(found))


@pytest.mark.parametrize("machine", [LOOP, TWINS], ids=["loop", "twins"])
def test_a_word_leaves_the_automaton_behind_its_longest_readable_part(machine: TimedAutomaton) -> None:
    """Brute force: some longer word begins with a part that can be read, and none with one symbol more."""
    words = ["".join(t) for n in range(8) for t in itertools.product("ab", repeat=n)]
    known = [w for w, good in zip(words, accepts(machine, words_of(*words)), strict=True) if good]
    for text in (w for w in words if len(w) <= 5):
        left = departures(machine, words_of(text))[0]
        if text in known:
            assert left is None
            continue
        readable = max(n for n in range(len(text) + 1) if any(w.startswith(text[:n]) for w in known))
        assert left is not None and left[0] == readable


def test_departures_name_the_location_before_them() -> None:
    assert departures(LOOP, words_of("ba", "ab", "abz", "aab", "")) == [
        (0, "q0"),
        None,
        (2, "q2"),
        (2, "q3"),
        (0, "q0"),
    ]
    assert departures(TWINS, words_of("aa")) == [(1, "q2")]


def test_unknown_symbols_are_not_accepted() -> None:
    assert accepts(LOOP, words_of("a", "az", "z", "")).tolist() == [True, False, False, False]


def test_sampling_follows_the_counts() -> None:
    drawn = sample_words(LOOP, 20_000, rng=np.random.default_rng(0))
    lengths = np.diff(drawn.offsets)
    runs = np.array([drawn.names(i).count("b") for i in range(20_000)])
    seen = np.bincount(runs, minlength=12)[:12]
    expected = 20_000 * 0.25 * 0.75 ** np.arange(12)
    assert ((seen - expected) ** 2 / expected).sum() < 12 + 5 * math.sqrt(24)
    assert accepts(LOOP, drawn).all()
    ending = np.mean([drawn.names(i)[-1] == "a" and lengths[i] > 1 for i in range(20_000)])
    assert ending == pytest.approx(0.4, abs=0.02)
    assert abs(float(drawn.delays.mean()) - 40) < 1.5


def test_the_same_seed_draws_the_same_words() -> None:
    one, other = (sample_words(LOOP, 500, rng=np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(one.symbols, other.symbols)
    np.testing.assert_array_equal(one.delays, other.delays)


def test_words_without_end_are_cut() -> None:
    endless = automaton([("q0", "a", "q2", 1), ("q2", "a", "q2", 1), ("q2", END, "q1", 0)])
    drawn = sample_words(endless, 2, rng=np.random.default_rng(0))
    assert np.diff(drawn.offsets).tolist() == [10_000, 10_000]


@pytest.mark.parametrize(
    "change",
    [
        lambda a: {"initial": "q9"},
        lambda a: {"final": "q0"},
        lambda a: {"locations": (*a.locations, a.locations[0])},
        lambda a: {"locations": (*a.locations, Location("q8", "alone"))},
        lambda a: {"transitions": (*a.transitions, a.transitions[0])},
        lambda a: {"transitions": a.transitions[:3]},
        lambda a: {"transitions": (replace(a.transitions[0], target="q7"), *a.transitions[1:])},
        lambda a: {"transitions": (replace(a.transitions[0], symbol="zz"), *a.transitions[1:])},
        lambda a: {"transitions": (replace(a.transitions[0], delay=None), *a.transitions[1:])},
        lambda a: {"transitions": (replace(a.transitions[0], count=-1), *a.transitions[1:])},
        lambda a: {"transitions": (replace(a.transitions[0], target="q1"), *a.transitions[1:])},
        lambda a: {"transitions": (*a.transitions, Transition("e9", "q1", "q2", "a", 1, LAW))},
    ],
)
def test_broken_automata_cannot_be_made(change: Any) -> None:
    with pytest.raises(SchemaError):
        replace(LOOP, **change(LOOP))


def test_documents_hold_automata_exactly_and_refuse_broken_ones() -> None:
    body = automaton_to_body(LOOP)
    again = AutomatonBody.model_validate_json(body.model_dump_json())
    assert automaton_from_body(again) == LOOP
    broken = body.model_copy(update={"initial": "q77"})
    with pytest.raises(DocumentError):
        automaton_from_body(broken)


def test_json_export_adds_probabilities() -> None:
    made = to_json(LOOP)
    assert made["transitions"][1]["probability"] == pytest.approx(0.75)


# --- edits ----------------------------------------------------------------------------------------------------------


def test_pruning_takes_what_lies_on_no_run() -> None:
    pruned = prune_transition(LOOP, "e3")
    assert [q.id for q in pruned.locations] == ["q0", "q1", "q2"]
    assert [t.id for t in pruned.transitions] == ["e1", "e2", "e4"]
    with pytest.raises(InvalidEdit):
        prune_transition(LOOP, "e1")


def test_merging_folds_counts_laws_and_keeps_the_elder_id() -> None:
    merged = merge_locations(TWINS, "q2", "q3")
    assert [(t.id, t.source, t.symbol, t.target, t.count) for t in merged.transitions] == [
        ("e1", "q0", "a", "q2", 10),
        ("e5", "q2", "b", "q2", 6),
        ("e4", "q2", END, "q1", 6),
    ]
    for transition in merged.transitions:
        assert transition.delay is None or transition.delay.probabilities.sum() == pytest.approx(1)


def test_renaming_refuses_what_cannot_be_shown() -> None:
    assert rename_location(LOOP, "q2", "talking").location("q2").name == "talking"
    for name in ("", " ", "a\nb", "x" * 201):
        with pytest.raises(InvalidEdit):
            rename_location(LOOP, "q2", name)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_merging_never_loses_a_word(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = [("q0", "a", "q2", 5), ("q2", "b", "q3", 5), ("q3", "a", "q4", 5), ("q4", END, "q1", 5)]
    for _ in range(4):
        edges.append((f"q{rng.integers(2, 5)}", str(rng.choice(["a", "b"])), f"q{rng.integers(2, 5)}", 1))
    machine = automaton(list(dict.fromkeys(edges)))
    keep, absorb = rng.choice(["q2", "q3", "q4"], 2, replace=False)
    merged = merge_locations(machine, str(keep), str(absorb))
    drawn = sample_words(machine, 60, rng=rng)
    assert accepts(merged, drawn).all()


# --- drawing --------------------------------------------------------------------------------------------------------


def hostile() -> TimedAutomaton:
    """Every location and symbol is a trap."""
    edges = [("q0", HOSTILE[0], "q2", 1)]
    for i, symbol in enumerate(HOSTILE[1:], 2):
        edges.append((f"q{i}", symbol, f"q{i + 1}", 1))
    edges.append((f"q{len(HOSTILE) + 1}", END, "q1", 1))
    return automaton(edges, names={f"q{i}": name for i, name in enumerate(HOSTILE)})


def test_dot_holds_own_nodes_and_stable_ids() -> None:
    dot = to_dot(hostile())
    nodes = re.findall(r"^\t(n\d+) \[", dot, re.MULTILINE)
    assert nodes == [f"n{i}" for i in range(len(HOSTILE) + 2)]
    edges = re.findall(r"^\t(n\d+ -> n\d+) \[", dot, re.MULTILINE)
    assert len(edges) == len(HOSTILE) + 1
    assert len(re.findall(r"\bid=e\d+", dot)) == len(edges)
    assert not re.search(r"label=<", dot)
    assert "x" * 60 not in dot


def test_transitions_below_a_probability_and_those_named_are_left_out() -> None:
    dot = to_dot(LOOP, min_probability=0.3, leave_out={"e4"})
    assert set(re.findall(r"\bid=(e\d+)", dot)) == {"e1", "e2", "e5"}


def drawn_or_skip(dot: str) -> Drawn:
    drawn = draw_svg(dot)
    if drawn is None:
        pytest.skip("no layout engine: neither pygraphviz nor dot on the path")
    return drawn


def test_hostile_names_become_text_in_the_drawing() -> None:
    drawn = drawn_or_skip(to_dot(hostile()))
    root = ElementTree.fromstring(drawn.svg)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "script" not in tags
    texts = " ".join(element.text or "" for element in root.iter())
    assert "<script>" in texts
    ids = {element.get("id") for element in root.iter()}
    assert {f"e{i}" for i in range(1, len(HOSTILE) + 2)} <= ids
    assert {f"q{i}" for i in range(len(HOSTILE) + 2)} <= ids
    assert drawn.width > 0 and drawn.height > 0


def test_without_an_engine_there_is_no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsynth_core.models.automata.layout._engines", list)
    lay_out.cache_clear()
    assert draw_svg(to_dot(LOOP)) is None
    lay_out.cache_clear()


def test_a_slow_layout_is_tried_again_without_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import sys,time;d=sys.stdin.read();"
        'time.sleep(60) if \'label="a\' in d else None;print(\'<svg width="1pt" height="2pt"></svg>\')'
    )
    engines = [("made", [sys.executable, "-c", script])]
    monkeypatch.setattr("netsynth_core.models.automata.layout._engines", lambda: engines)
    lay_out.cache_clear()
    drawn = draw_svg(to_dot(LOOP), timeout=2.0)
    lay_out.cache_clear()
    assert drawn is not None and not drawn.labels
    assert (drawn.width, drawn.height) == (1.0, 2.0)


def fan(edges: int) -> TimedAutomaton:
    """So many transitions; all but the last, which ends, lead from one location to another, the first most often."""
    ways = [("q0", f"s{i}", "q2", 2 * edges - i) for i in range(edges - 1)]
    return automaton([*ways, ("q2", END, "q1", 2 * edges)])


def test_many_edges_are_laid_out_quickly_and_the_drawing_says_so() -> None:
    drawn = drawn_or_skip(to_dot(fan(QUICK_ABOVE + 1), labels=True))
    assert drawn.quick and not drawn.labels
    assert ">s0 " not in drawn.svg
    few = drawn_or_skip(to_dot(fan(QUICK_ABOVE), labels=False))
    assert not few.quick


def test_a_layout_that_never_ends_is_told_from_a_missing_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = [("made", [sys.executable, "-c", "import time;time.sleep(60)"])]
    monkeypatch.setattr("netsynth_core.models.automata.layout._engines", lambda: engines)
    with pytest.raises(LayoutTooSlow, match="5 edges took longer"):
        lay_out(to_dot(LOOP), timeout=0.2)
    assert draw_svg(to_dot(LOOP), timeout=0.2) is None


def test_the_least_taken_transitions_are_left_out_of_a_drawing() -> None:
    assert least_taken(fan(10), most=8) == {"e8", "e9"}
    assert least_taken(LOOP) == frozenset()


@pytest.mark.skipif(shutil.which("dot") is None, reason="dot is not on the path")
def test_dot_on_the_path_is_the_second_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    lay_out.cache_clear()
    drawn = draw_svg(to_dot(LOOP))
    lay_out.cache_clear()
    assert drawn is not None and "path" in drawn.engine
