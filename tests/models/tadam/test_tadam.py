"""The learner finds planted protocols again, tells noise from them, and its models keep their promises."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from netsynth_core.errors import Cancelled, DocumentError, InvalidEdit, NotEnoughData, SchemaError
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.running import accepts, sample_words
from netsynth_core.models.document import read_document, write_document
from netsynth_core.models.tadam import MergeLocations, PruneTransition, RenameLocation, Tadam, TadamParams, learner
from netsynth_core.monitor import SILENT, CallbackMonitor

BENCH = Path(__file__).parents[3] / ".." / "shared" / "bench"
Planted = list[list[tuple[str, int]]]


def clean_words(n: int, rng: np.random.Generator) -> Planted:
    """A protocol with a branch told by delay alone: a fast answer ends the talk, a slow one asks again."""
    words = []
    for _ in range(n):
        word = [("syn", 0), ("ack", round(rng.normal(40, 2)))]
        while True:
            word.append(("ask", round(rng.normal(50, 2))))
            fast = rng.random() < 0.5
            word.append(("answer", round(rng.normal(25 if fast else 60, 2))))
            if fast:
                break
        word.append(("fin", round(rng.normal(45, 2))))
        words.append(word)
    return words


def spoil(words: Planted, rng: np.random.Generator, rate: float) -> tuple[Planted, list[list[tuple[str, int]]]]:
    """Copies, swaps and missing packets, and what was done with positions in the spoilt word."""
    spoilt, truth = [], []
    for word in words:
        made: list[tuple[str, int]] = []
        ops = []
        at = 0
        while at < len(word):
            kind = rng.choice(["none", "copy", "swap", "miss"], p=[1 - rate, rate / 3, rate / 3, rate / 3])
            if kind == "copy":
                made += [word[at], (word[at][0], round(rng.normal(10, 2)))]
                ops.append(("re-emission", len(made) - 1))
            elif kind == "swap" and at + 1 < len(word):
                ops.append(("transposition", len(made)))
                made += [word[at + 1], word[at]]
                at += 1
            elif kind == "miss" and at + 1 < len(word):
                ops.append(("deletion", len(made)))
                both = 10 ** (word[at][1] / 10) + 10 ** (word[at + 1][1] / 10)
                made.append((word[at + 1][0], round(10 * np.log10(both))))
                at += 1
            else:
                made.append(word[at])
            at += 1
        spoilt.append(made)
        truth.append(ops)
    return spoilt, truth


def learn(words: Words, **settings: object) -> Tadam:
    return Tadam.fit(words, TadamParams.checked(settings), rng=np.random.default_rng(0))


def spoilt_words(seed: int = 7, n: int = 400, rate: float = 0.06) -> tuple[Words, list[list[tuple[str, int]]]]:
    rng = np.random.default_rng(seed)
    words, truth = spoil(clean_words(n, rng), rng, rate)
    return Words.from_lists(words, unit="dbus", service="made", state="SF"), truth


def test_a_planted_protocol_is_found_under_noise() -> None:
    words, truth = spoilt_words()
    model = learn(words)
    # start, syn, asking (after the ack and after a slow answer alike), ask, fast answer, fin, end.
    assert len(model.automaton.locations) == 7
    assert len(model.automaton.transitions) == 7
    answers = [t for t in model.automaton.transitions if t.symbol == "answer"]
    assert sorted(round(t.delay.normals[0].mean) for t in answers if t.delay) == pytest.approx([25, 60], abs=1)
    fresh = Words.from_lists(clean_words(300, np.random.default_rng(99)), unit="dbus")
    assert accepts(model.automaton, fresh).all()
    found = [[(op.kind, op.position) for op in a.ops] for a in model.align(words)]
    hits = sum(
        any(kind == k and abs(at - p) <= 1 for k, p in found[word])
        for word, ops in enumerate(truth)
        for kind, at in ops
    )
    planted, reported = sum(map(len, truth)), sum(map(len, found))
    assert 2 * hits / (planted + reported) > 0.9


def test_clean_words_teach_no_noise() -> None:
    words = Words.from_lists(clean_words(300, np.random.default_rng(3)), unit="dbus")
    model = learn(words)
    assert model.noise.noisy == model.noise.rejected == 0
    assert accepts(model.automaton, words).all()
    assert all(alignment.accepted and not alignment.ops for alignment in model.align(words))


@pytest.mark.skipif(not BENCH.is_dir(), reason="../shared/bench/words_500_noise5.txt is not there")
def test_the_bench_automaton_is_found_again() -> None:
    lines = (BENCH / "words_500_noise5.txt").read_text().splitlines()
    words = Words.from_lists(
        [[(s, int(d)) for s, _, d in (i.rpartition(":") for i in line.split())] for line in lines], unit="dbus"
    )
    truth = json.loads((BENCH / "words_500_noise5.truth.json").read_text())["traces"]
    clean = [[(s, int(d)) for s, _, d in (i.rpartition(":") for i in t["clean"].split())] for t in truth]
    model = learn(words)
    assert len(model.automaton.transitions) <= 40
    assert accepts(model.automaton, Words.from_lists(clean, unit="dbus")).mean() >= 0.97


def test_every_accepted_move_shortens_the_description() -> None:
    bits: list[float] = []

    def watch(phase: str, done: int, total: int | None, facts: dict[str, object]) -> None:
        if "move" in facts:
            bits.append(float(str(facts["bits"])))

    words, _ = spoilt_words()
    model = Tadam.fit(words, TadamParams(), rng=np.random.default_rng(0), monitor=CallbackMonitor(watch))
    assert len(bits) > 3
    assert all(after < before for before, after in pairwise(bits))
    assert model.codelength.total == pytest.approx(bits[-1], abs=0.01)
    assert model.codelength.total < model.codelength.empty


def test_equal_words_give_equal_documents(tmp_path: Path) -> None:
    words, _ = spoilt_words(n=150)
    first, second = learn(words), learn(words)
    assert first.to_document().content_hash() == second.to_document().content_hash()
    write_document(tmp_path / "m.json", first.to_document())
    back = Tadam.from_document(read_document(tmp_path / "m.json"))
    assert back.to_document().content_hash() == first.to_document().content_hash()
    assert back.align(words) == first.align(words)
    one = first.sample(50, rng=np.random.default_rng(5))
    other = back.sample(50, rng=np.random.default_rng(5))
    np.testing.assert_array_equal(one.symbols, other.symbols)
    np.testing.assert_array_equal(one.delays, other.delays)


def test_alignment_bits_add_up_to_the_data_they_describe() -> None:
    words, _ = spoilt_words()
    model = learn(words)
    total = sum(alignment.bits for alignment in model.align(words))
    # Prequential against plug-in prices: the same up to the learning cost of the probabilities.
    assert total == pytest.approx(model.codelength.data, rel=0.02)


def test_cancelling_stops_the_search() -> None:
    def stop(phase: str, done: int, total: int | None, facts: dict[str, object]) -> None:
        if done >= 2:
            raise Cancelled

    words, _ = spoilt_words()
    with pytest.raises(Cancelled):
        Tadam.fit(words, TadamParams(), rng=np.random.default_rng(0), monitor=CallbackMonitor(stop))


def test_a_used_up_budget_leaves_a_model_and_a_warning() -> None:
    words, _ = spoilt_words()
    model = learn(words, budget=1e-6)
    assert "budget" in model.warnings[0]
    assert len(model.sample(5, rng=np.random.default_rng(0))) == 5


def test_a_search_on_part_of_the_words_counts_all() -> None:
    words, _ = spoilt_words(n=600)
    model = learn(words, search_symbols=1000)
    assert model.noise.accepted + model.noise.rejected == 600
    assert "looked at" in model.warnings[0]


@pytest.mark.parametrize(
    "words",
    [
        [[("a", 0)]],
        [[]],
        [[], [], [("a", 3)]],
        [[("a", 0)] * 50] * 4,
        [[("a", 5), ("b", 5)]] * 30,
        [[("a", 0)] * n for n in range(20)],
    ],
)
def test_tiny_and_odd_words_are_learnt(words: Planted) -> None:
    data = Words.from_lists(words, unit="us")
    model = learn(data)
    assert len(model.align(data)) == len(words)
    assert len(model.sample(20, rng=np.random.default_rng(0))) == 20
    assert np.isfinite(model.codelength.total)


def test_no_word_at_all_is_refused() -> None:
    with pytest.raises(NotEnoughData, match="no word"):
        learn(Words.from_lists([], unit="us"))


@pytest.mark.parametrize("kind", ["missing", "duplicates", "swaps", "additions"])
def test_switched_off_noise_is_not_used(kind: str) -> None:
    words, _ = spoilt_words(n=200)
    model = learn(words, **{kind: False})
    position = ["missing", "duplicates", "swaps", "additions"].index(kind) + 1
    assert model.noise.counts[position] == 0


def test_unknown_symbols_and_other_units() -> None:
    words, _ = spoilt_words(n=200)
    model = learn(words)
    odd = Words.from_lists(
        [[("syn", 0), ("ufo", 3), ("ack", 40), ("ask", 50), ("answer", 25), ("fin", 45)]], unit="dbus"
    )
    alignment = model.align(odd)[0]
    assert [tuple(op) for op in alignment.ops] == [("addition", 1)]
    with pytest.raises(SchemaError, match="delays in us"):
        model.align(Words.from_lists([[("syn", 0)]], unit="us"))


def test_sizes_are_learnt_and_sampled() -> None:
    rng = np.random.default_rng(2)
    words = [
        [("ask", 0, 120), ("answer", int(rng.integers(900, 1100)), int(rng.choice([700, 1460])))] for _ in range(200)
    ]
    model = learn(Words.from_lists(words, unit="us"))
    drawn = model.sample(300, rng=np.random.default_rng(0))
    assert drawn.sizes is not None
    assert set(drawn.sizes[drawn.symbols == drawn.alphabet.index("ask")].tolist()) == {120}
    assert set(drawn.sizes[drawn.symbols == drawn.alphabet.index("answer")].tolist()) == {700, 1460}


def joint_words(n: int, seed: int) -> Words:
    """Answers with few bytes come at once, long ones after a while; a timer ticks at one and the same delay."""
    rng = np.random.default_rng(seed)
    words = []
    for _ in range(n):
        size = int(rng.choice([40, 80, 900, 1400]))
        soon = int(rng.lognormal(5 if size < 100 else 9, 0.3))
        words.append(
            [("ask", 0, 60), ("wait", int(rng.exponential(4000)), 0), ("answer", soon, size), ("tick", 5000, 0)]
        )
    return Words.from_lists(words, unit="us", service="made")


def test_delays_that_differ_by_payload_size_are_told_apart_and_drawn_so() -> None:
    model = learn(joint_words(600, 3))
    laws = {t.symbol: t for t in model.automaton.transitions if t.by_size is not None}
    assert set(laws) == {"answer"} or len({t for t in model.automaton.transitions if t.symbol == "answer"}) == 2
    drawn = model.sample(600, rng=np.random.default_rng(0))
    assert drawn.sizes is not None
    answers = drawn.symbols == drawn.alphabet.index("answer")
    small = answers & (drawn.sizes < 100)
    assert np.median(drawn.delays[small]) == pytest.approx(np.exp(5), rel=0.15)
    assert np.median(drawn.delays[answers & ~small]) == pytest.approx(np.exp(9), rel=0.15)
    bits = sum(alignment.bits for alignment in model.align(joint_words(600, 3)))
    assert bits == pytest.approx(model.codelength.data, rel=0.03)


def test_delays_whatever_the_size_have_one_law() -> None:
    rng = np.random.default_rng(5)
    words = [[("ask", 0, 60), ("answer", int(rng.lognormal(7, 0.5)), int(rng.choice([40, 900])))] for _ in range(600)]
    model = learn(Words.from_lists(words, unit="us"))
    assert all(t.by_size is None for t in model.automaton.transitions)


class StopAfter:
    """A watcher that wants the best so far after some steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    @property
    def stopping(self) -> bool:
        return self.left <= 0

    def step(self, phase: str, done: int, total: int | None = None, **facts: object) -> None:
        self.left -= 1


@pytest.mark.parametrize("steps", [0, 1, 3, 8])
def test_a_search_stopped_by_hand_gives_the_best_so_far(steps: int) -> None:
    words, _ = spoilt_words()
    model = Tadam.fit(words, TadamParams(), rng=np.random.default_rng(0), monitor=StopAfter(steps))
    assert "stopped by hand" in model.warnings[0]
    assert model.noise.accepted + model.noise.rejected == len(words)
    assert len(model.sample(5, rng=np.random.default_rng(0))) == 5
    assert model.codelength.total >= learn(words).codelength.total


def test_samples_carry_service_state_unit_and_real_delays() -> None:
    rng = np.random.default_rng(2)
    words = [[("a", 0), ("b", int(rng.lognormal(8, 0.3)))] for _ in range(300)]
    model = learn(Words.from_lists(words, unit="us", service="dns", state="SF"))
    drawn = model.sample(2000, rng=np.random.default_rng(0))
    assert (drawn.service, drawn.state, drawn.unit) == ("dns", "SF", "us")
    delays = drawn.delays[drawn.symbols == 1]
    assert np.median(delays) == pytest.approx(np.exp(8), rel=0.1)
    assert len(np.unique(delays)) > 500


def varied_words(n: int = 300) -> Words:
    """Many ways to say the same: more transitions than anyone wants to review."""
    rng = np.random.default_rng(8)
    kinds = [[f"k{rng.integers(12)}" for _ in range(6)] for _ in range(12)]
    words = [[("hello", 0), *((s, 30) for s in kinds[int(rng.integers(12))]), ("bye", 40)] for _ in range(n)]
    return Words.from_lists(words, unit="dbus")


def test_large_automata_are_simplified_within_the_price_allowed() -> None:
    words = varied_words()
    shortest = learn(words, max_transitions=0)
    size = len(shortest.automaton.transitions)
    simple = learn(words, max_transitions=size - 4, simplify_cost=1.0)
    assert len(simple.automaton.transitions) <= size - 4
    assert "Simplified from" in simple.warnings[0]
    assert sum(simple.noise.counts[1:]) <= 0.25 * sum(simple.noise.counts)
    dear = learn(words, max_transitions=5, simplify_cost=0.01)
    assert dear.codelength.total <= 1.01 * shortest.codelength.total
    assert len(dear.automaton.transitions) > 5
    assert any("more than the 5 wanted" in said and "1 % longer" in said for said in dear.warnings)


def test_a_shorter_description_on_the_way_to_a_smaller_automaton_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even without a wanted number: the state of fewest bits among those that simplifying passes."""
    import netsynth_core.models.tadam.simplifying as simplifying

    def passed(bits: list[float]) -> tuple[float, float]:
        made = [_Sized(b, 70 - k) for k, b in enumerate(bits)]
        steps = iter(made[1:])
        dearest: list[float] = []

        def step(task: object, state: object, wanted: int, most: float, clock: object) -> object:
            dearest.append(most)
            found = next(steps, None)
            return found if found is not None and found.bits <= most else None

        monkeypatch.setattr(simplifying, "_step", step)
        clock = simplifying.Clock(SILENT, 60.0)
        best = simplifying.simplify(None, made[0], TadamParams(max_transitions=0), clock).state  # type: ignore[arg-type]
        return best.bits, min(dearest)

    assert passed([1000.0, 1010.0, 990.0, 1000.0, 1005.0]) == (990.0, 990.0 * 1.02)
    assert passed([1000.0, 1030.0, 900.0])[0] == 1000.0
    assert passed([1000.0, 1001.0, 1002.0])[0] == 1000.0


class _Sized:
    """A state of so many bits and transitions."""

    def __init__(self, bits: float, transitions: int) -> None:
        self.bits = bits
        self.structure = self
        self.transitions = transitions


def test_searches_that_end_early_are_simplified_as_well() -> None:
    words = varied_words()
    early = learn(words, budget=1e-6, max_transitions=40, simplify_cost=1.0)
    assert "budget" in early.warnings[0]
    assert len(early.automaton.transitions) <= 40 or any("more than the 40 wanted" in w for w in early.warnings)


def test_too_many_symbols_are_refused_in_words_that_hold() -> None:
    once = Words.from_lists([[(f"s{k}", 1)] for k in range(600)], unit="dbus")
    with pytest.raises(SchemaError, match="600 different symbols, and each was seen only once"):
        learn(once)


# --- edits ----------------------------------------------------------------------------------------------------------


def test_an_edit_says_first_what_can_no_longer_be_explained() -> None:
    talks = [["call", *["speak", "listen"] * 4, "part"]] * 60 + [["knock", "enter", *["sit", "talk"] * 4, "go"]] * 40
    words = Words.from_lists([[(s, 10) for s in talk] for talk in talks], unit="dbus")
    model = learn(words)
    first = next(t for t in model.automaton.transitions if t.symbol == "call")
    effect = model.preview(PruneTransition(transition=first.id))
    after = model.apply(PruneTransition(transition=first.id))
    assert after.noise.rejected == 60
    assert effect.sentences[1] == "60 of 100 conversations can no longer be explained."
    assert effect.sentences[2] == "Conversations explained: 100 -> 40 exactly, 0 -> 0 with noise, 0 -> 60 not at all."


def edited() -> tuple[Tadam, Words]:
    words, _ = spoilt_words(n=250)
    return learn(words), words


def test_pruning_explains_its_words_otherwise() -> None:
    model, words = edited()
    slow = max((t for t in model.automaton.transitions if t.symbol == "answer"), key=lambda t: t.delay.normals[0].mean)  # type: ignore[union-attr]
    users = [a.word for a in model.align(words) if slow.id in a.path]
    effect = model.preview(PruneTransition(transition=slow.id))
    assert effect.sentences[0] == PruneTransition(transition=slow.id).sentence()
    assert any(s.startswith(f"{len(users)} of 250 conversations used this transition") for s in effect.sentences)
    assert effect.after_bits > effect.before_bits == model.codelength.total
    after = model.apply(PruneTransition(transition=slow.id))
    assert slow.id not in after.automaton.by_transition
    assert after.codelength.total == effect.after_bits
    assert set(users) <= set(model.changed_words(PruneTransition(transition=slow.id)).tolist())
    assert set(after.automaton.by_transition) < set(model.automaton.by_transition)


def test_merging_folds_and_keeps_ids() -> None:
    model, _ = edited()
    answers = [t.target for t in model.automaton.transitions if t.symbol == "answer"]
    edit = MergeLocations(keep=answers[0], absorb=answers[1])
    after = model.apply(edit)
    assert answers[1] not in after.automaton.by_location
    assert set(after.automaton.by_transition) < set(model.automaton.by_transition)
    assert len([t for t in after.automaton.transitions if t.symbol == "answer"]) == 1
    assert after.codelength.total > model.codelength.total


def test_renaming_changes_nothing_but_the_name() -> None:
    model, _ = edited()
    after = model.apply(RenameLocation(location="q3", name="waiting"))
    assert after.automaton.location("q3").name == "waiting"
    assert after.codelength == model.codelength
    assert after.automaton.transitions == model.automaton.transitions


def test_edits_done_again_give_the_same_model() -> None:
    model, _ = edited()
    edits = [RenameLocation(location="q2", name="x"), PruneTransition(transition=model.automaton.transitions[3].id)]
    hashes = []
    for _ in range(2):
        state = model
        for edit in edits:
            try:
                state = state.apply(edit)
            except InvalidEdit:
                continue
        hashes.append(state.to_document().content_hash())
    assert hashes[0] == hashes[1] != model.to_document().content_hash()


@pytest.mark.parametrize(
    "edit",
    [
        PruneTransition(transition="e99"),
        PruneTransition(transition="e1"),
        MergeLocations(keep="q2", absorb="q2"),
        MergeLocations(keep="q1", absorb="q2"),
        MergeLocations(keep="q2", absorb="q0"),
        MergeLocations(keep="q2", absorb="q77"),
        RenameLocation(location="q77", name="x"),
        RenameLocation(location="q2", name="  "),
        RenameLocation(location="q2", name="a\x00b"),
    ],
)
def test_edits_that_do_not_fit_are_refused(edit: PruneTransition | MergeLocations | RenameLocation) -> None:
    words = Words.from_lists([[("a", 1), ("b", 2)]] * 20, unit="us")
    with pytest.raises(InvalidEdit):
        learn(words).apply(edit)


def test_without_training_words_edits_are_refused_with_a_hint() -> None:
    model, words = edited()
    document = model.to_document()
    bare = Tadam.from_document(type(document)(document.kind, document.version, document.card, document.body))
    assert bare.align(words) == model.align(words)
    pruned = next(t.id for t in model.automaton.transitions if t.symbol == "answer")
    with pytest.raises(InvalidEdit, match="npz"):
        bare.apply(PruneTransition(transition=pruned))


def test_random_edits_keep_every_invariant() -> None:
    model, words = edited()
    rng = np.random.default_rng(11)
    done = 0
    for _ in range(12):
        ids = [t.id for t in model.automaton.transitions]
        places = [q.id for q in model.automaton.locations]
        prune = PruneTransition(transition=str(rng.choice(ids)))
        merge = MergeLocations(keep=str(rng.choice(places)), absorb=str(rng.choice(places)))
        try:
            model = model.apply(prune if rng.random() < 0.5 else merge)
        except InvalidEdit:
            continue
        done += 1
        automaton: TimedAutomaton = model.automaton
        assert model.noise.accepted + model.noise.rejected == len(words)
        ending = sum(t.count for t in automaton.transitions if t.symbol == "$")
        assert ending == model.noise.accepted
        for place in automaton.locations:
            if place.id not in (automaton.initial, automaton.final):
                entering = sum(t.count for t in automaton.incoming[place.id])
                assert entering == sum(t.count for t in automaton.outgoing[place.id])
        if model.noise.accepted:
            assert len(sample_words(automaton, 3, rng=rng)) == 3
    assert done >= 2


# --- documents ------------------------------------------------------------------------------------------------------


def test_the_kept_document_of_version_1_is_still_read() -> None:
    document = read_document(Path(__file__).parent / "kept" / "version-1.json")
    model = Tadam.from_document(document)
    assert model.to_document().version == 2
    again = Tadam.from_document(model.to_document())
    assert again.to_document().content_hash() == model.to_document().content_hash()
    assert again.automaton == model.automaton
    assert (model.service, model.unit, model.observations is not None) == ("made", "us", True)
    assert len(model.sample(10, rng=np.random.default_rng(0))) == 10
    assert model.apply(RenameLocation(location="q2", name="asked")).automaton.location("q2").name == "asked"


def test_the_kept_document_of_version_2_is_still_read() -> None:
    """It holds gamma laws, single codes, and delays that differ by payload size."""
    document = read_document(Path(__file__).parent / "kept" / "version-2.json")
    model = Tadam.from_document(document)
    assert model.to_document().content_hash() == document.content_hash()
    laws = [t.delay for t in model.automaton.transitions if t.delay is not None]
    assert any(law.gammas for law in laws)
    assert any(law.points for law in laws)
    assert any(t.by_size is not None for t in model.automaton.transitions)
    assert len(model.sample(10, rng=np.random.default_rng(0))) == 10


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("automaton", "initial"), "q99"),
        (("automaton", "transitions", 0, "count"), -1),
        (("automaton", "transitions", 0, "id"), "<svg>"),
        (("automaton", "scale", "unit"), "weeks"),
        (("noise", "matches"), "many"),
        (("parameters", "budget"), -5),
        (("surprise",), 1),
    ],
)
def test_broken_documents_are_refused_by_name(where: tuple[str | int, ...], value: object, version: int) -> None:
    document = read_document(Path(__file__).parent / "kept" / f"version-{version}.json")
    body = json.loads(json.dumps(document.body))
    part = body
    for key in where[:-1]:
        part = part[key]
    part[where[-1]] = value
    with pytest.raises(DocumentError):
        Tadam.from_document(replace(document, body=body))


def test_arrays_of_another_model_are_refused() -> None:
    document = read_document(Path(__file__).parent / "kept" / "version-1.json")
    arrays = dict(document.arrays)
    arrays["symbols"] = arrays["symbols"] + 50
    with pytest.raises(DocumentError, match="arrays"):
        Tadam.from_document(replace(document, arrays=arrays))


@pytest.mark.parametrize(("levels", "kind"), [(True, "level"), (False, "plain")])
def test_whether_integers_are_times_or_levels_is_told_by_the_words(levels: bool, kind: str) -> None:
    """A packet that was missed leaves its delay in the next one: as a sum of times or of levels."""
    rng = np.random.default_rng(4)
    words = []
    for _ in range(400):
        word = [("a", 0), *((s, int(rng.normal(60, 2))) for s in "bcdefg")]
        for at in sorted(np.flatnonzero(rng.random(5) < 0.06) + 1, reverse=True):
            (_, first), (symbol, second) = word[at : at + 2]
            both = round(10 * np.log10(10 ** (first / 10) + 10 ** (second / 10))) if levels else first + second
            word[at : at + 2] = [(symbol, both)]
        words.append(word)
    model = Tadam.fit(Words.from_lists(words), TadamParams(), rng=np.random.default_rng(0))
    assert model.automaton.scale.kind == kind
    assert model.describe().size["transitions"] <= 8


def test_an_alphabet_that_is_none_is_refused() -> None:
    words = Words.from_lists([[(f"event{i}", 0), ("end", 0)] for i in range(600)])
    with pytest.raises(SchemaError, match="601 different symbols"):
        Tadam.fit(words, TadamParams(), rng=np.random.default_rng(0))


def test_of_a_large_alphabet_the_frequent_symbols_are_learnt() -> None:
    """A protocol of three symbols with a serial number now and then: 700 names seen once each."""
    words = [[("a", 0), ("b", 20), ("c", 30), *([(f"serial{i}", 9)] if i % 2 else [])] for i in range(1400)]
    data = Words.from_lists(words, unit="dbus")
    model = Tadam.fit(data, TadamParams(), rng=np.random.default_rng(0))
    assert model.automaton.alphabet == ("a", "b", "c")
    assert "Of 703 symbols the 3 most frequent are learnt" in model.warnings[0]
    assert [tuple(op) for op in model.align(data)[1].ops] == [("addition", 3)]
    assert model.noise.additions == 700
    assert model.apply(RenameLocation(location="q2", name="x")).automaton.alphabet == ("a", "b", "c")
    again = Tadam.from_document(model.to_document())
    assert again.align(data) == model.align(data)


def test_one_word_of_a_hundred_thousand_symbols_is_learnt_from() -> None:
    delays = np.random.default_rng(0).integers(20, 40, 100_000)
    words = [[("abc"[i % 3], int(delays[i])) for i in range(100_000)], *([[("a", 3), ("b", 20), ("c", 20)]] * 50)]
    model = learn(Words.from_lists(words, unit="dbus"))
    assert model.noise.accepted == 51
    assert [
        model.automaton.transition(id).symbol for id in model.align(Words.from_lists(words, unit="dbus"))[0].path[:6]
    ] == list("abcabc")
    assert len(model.automaton.transitions) <= 6


def test_negative_delays_are_refused() -> None:
    with pytest.raises(SchemaError, match="negative"):
        learn(Words.from_lists([[("a", 0), ("b", -5)]], unit="us"))


def test_searching_a_part_first_finds_the_same_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    words, _ = spoilt_words(n=600)
    whole = learn(words)
    monkeypatch.setattr(learner, "FIRST_SYMBOLS", (1000,))
    monkeypatch.setattr(learner, "LEAST_WORDS", 50)
    begun = learn(words)
    assert begun.noise.accepted + begun.noise.rejected == 600
    assert begun.codelength.total <= 1.01 * whole.codelength.total
    clean = Words.from_lists(clean_words(200, np.random.default_rng(9)), unit="dbus")
    assert accepts(begun.automaton, clean).mean() >= 0.99
