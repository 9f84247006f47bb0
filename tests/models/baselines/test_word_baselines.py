"""The learners beside TADAM: planted truth, proper probabilities, sums over paths, bad input, kept documents."""

import itertools
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from netsynth_core.errors import DocumentError, InvalidParameter, NotEnoughData, SchemaError
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.running import accepts, word_log2_probabilities
from netsynth_core.models.baselines import (
    Hmm,
    HmmParams,
    Lookup,
    LookupParams,
    Markov,
    MarkovParams,
    Rti,
    RtiParams,
    Tag,
)
from netsynth_core.models.baselines.encoding import encode
from netsynth_core.models.baselines.hmm import _repaired
from netsynth_core.models.baselines.pricing import size_bits
from netsynth_core.models.baselines.rti._kernels import (
    compare_merges,
    compare_splits,
    most_visited,
    ratio,
    run_tails,
    tails_of,
)
from netsynth_core.models.baselines.rti.model import Learner
from netsynth_core.models.delays import SizeLaw, SizeScale
from netsynth_core.models.document import read_document
from netsynth_core.models.registry import get_kind, load_model
from netsynth_core.monitor import SILENT

KINDS = ("tag", "rti", "hmm", "markov", "lookup")
KEPT = Path(__file__).parent / "kept"


def fit(name: str, words: Words, **settings: Any) -> Any:
    """A model of that kind."""
    kind = get_kind(name)
    params = kind.params_class().checked(settings)
    return kind.model_class().fit(words, params, rng=np.random.default_rng(0))


def spoken(texts: list[str], delay: int = 5) -> Words:
    """Words of one-letter symbols, all delays alike."""
    return Words.from_lists([[(a, delay) for a in text] for text in texts], unit="dbus")


def every_word(letters: str, longest: int) -> Words:
    """All words over the letters up to a length."""
    return spoken(["".join(w) for n in range(longest + 1) for w in itertools.product(letters, repeat=n)])


def branching(n: int = 600, seed: int = 1) -> Words:
    """After x, a fast reply means a then e, a slow one b then b: only the delay of x tells."""
    rng = np.random.default_rng(seed)
    words = []
    for _ in range(n):
        fast = rng.random() < 0.5
        word = [("s", 0), ("x", round(float(rng.normal(20 if fast else 60, 2))))]
        word += [("a", 10), ("e", 10)] if fast else [("b", 10), ("b", 10)]
        words.append(word)
    return Words.from_lists(words, unit="dbus")


# --- prices -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_prices_are_those_of_a_probability_over_all_words(name: str) -> None:
    """All words of two letters and one that stands for all unseen ones, up to a length, have nearly the mass of one."""
    model = fit(name, spoken(["ab", "ab", "a", "", "abb", "ab", "b", "", "a", ""]))
    mass = np.exp2(-model.word_bits(every_word("ab?", 9), timed=False)).sum()
    assert 0.98 < mass <= 1 + 1e-9


@pytest.mark.parametrize("name", KINDS)
def test_delays_are_priced_by_a_probability_too(name: str) -> None:
    model = fit(name, branching(60))
    for delays in ((0, None), (None, 12)):
        timed = [[("s", d if delays[0] is None else 0), ("x", d if delays[1] is None else 12)] for d in range(256)]
        words = Words.from_lists(timed, unit="dbus")
        whole = np.exp2(-model.word_bits(words.take(np.zeros(1, np.int64)), timed=False))[0]
        assert np.exp2(-model.word_bits(words)).sum() <= whole * (1 + 1e-9)
    both = Words.from_lists([[("s", d)] for d in range(256)], unit="dbus")
    assert np.exp2(-model.word_bits(both)).sum() == pytest.approx(np.exp2(-model.word_bits(both, timed=False))[0])


@pytest.mark.parametrize("name", ["tag", "rti", "markov"])
def test_prices_are_sums_over_all_ways_through_and_beside_an_automaton(name: str) -> None:
    model = fit(name, branching(80))
    automaton = model.automaton
    counts = {a: sum(t.count for t in automaton.transitions if t.symbol == a) for a in (*automaton.alphabet, "$")}
    whole = sum(counts.values()) + 0.5 * (len(counts) + 1)

    def background(symbol: str) -> float:
        return (counts.get(symbol, 0) + 0.5) / whole

    def delay(transition: Any, code: int) -> float:
        return 1.0 if transition.delay is None else float(transition.delay.probabilities[code])

    def mass(at: str, rest: list[tuple[str, int]]) -> float:
        if not rest:
            return 1.0 if at == automaton.final else 0.0
        (symbol, code), after = rest[0], rest[1:]
        leaving = automaton.outgoing[at]
        visits = sum(t.count for t in leaving)
        total = sum(
            t.count / (visits + len(leaving)) * delay(t, code) * mass(t.target, after)
            for t in leaving
            if t.symbol == symbol
        )
        escape = len(leaving) / (visits + len(leaving)) * background(symbol)
        if symbol in counts:
            same = [t for t in automaton.transitions if t.symbol == symbol]
            law = sum(t.count / counts[symbol] * delay(t, code) for t in same)
            return total + escape * law * sum(t.count / counts[symbol] * mass(t.target, after) for t in same)
        share = {q: sum(t.count for t in automaton.outgoing[q]) / sum(counts.values()) for q in automaton.by_location}
        return escape / automaton.scale.codes * sum(share[q] * mass(q, after) for q in share if share[q])

    texts = [[("s", 0), ("x", 20), ("a", 10)], [("x", 61), ("b", 10), ("?", 3), ("b", 9)], [("?", 3)], [], [("a", 200)]]
    words = Words.from_lists(texts, unit="dbus")
    for bits, text in zip(model.word_bits(words), texts, strict=True):
        assert bits == pytest.approx(-math.log2(mass(automaton.initial, [*text, ("$", 0)])), abs=1e-9)


def test_hidden_prices_are_sums_over_all_states() -> None:
    model = fit("hmm", spoken(["ab", "aab", "b", "", "abab"] * 5), states=3, iterations=3)
    words = every_word("ab", 4)
    end = len(model.moves) - 1
    for i in range(len(words)):
        codes = words[i].symbols
        total = 0.0
        for path in itertools.product(range(end), repeat=len(codes)):
            at, share = end, 1.0
            for q, a in zip(path, codes, strict=True):
                share *= model.moves[at, q] * model.emissions[q, a]
                at = q
            total += share * model.moves[at, end]
        assert np.exp2(-model.hidden_bits(words)[i]) == pytest.approx(total, abs=1e-12)


def test_a_state_that_is_never_left_does_not_break_prices() -> None:
    moves = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    repaired, emissions = _repaired(moves, np.array([[0.2, 0.8], [0.0, 0.0]]), np.array([3.0, 1.0]))
    assert repaired.sum(axis=1) == pytest.approx([1, 1, 1]) and repaired[0, -1] == 1
    assert emissions[1] == pytest.approx([0.75, 0.25])
    # far more states than the words have: most are never left, and some never entered
    model = fit("hmm", spoken(["ab", "ab"]), states=12)
    assert np.isfinite(model.word_bits(spoken(["ab", "ba", "abab", "", "?"]))).all()


@pytest.mark.parametrize("name", KINDS)
def test_what_was_seen_is_cheaper_than_what_was_not_and_all_has_a_price(name: str) -> None:
    model = fit(name, spoken(["abc", "abc", "abd"] * 10))
    usual, unusual, unseen = model.word_bits(spoken(["abc", "cba", "a?c"]))
    assert 0 <= usual < min(unusual, unseen) and max(unusual, unseen) < 200
    with pytest.raises(SchemaError, match="delays in us"):
        model.word_bits(Words.from_lists([[("a", 3)]], unit="us"))


# --- planted truth ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tag", "rti"])
def test_a_branch_that_only_the_delay_tells_is_split(name: str) -> None:
    automaton = fit(name, branching()).automaton
    replies = [t for t in automaton.transitions if t.symbol == "x"]
    assert len(replies) == 2 and len({t.target for t in replies}) == 2
    middles = sorted(t.delay.quantile(0.5) for t in replies if t.delay is not None)
    assert middles[0] == pytest.approx(20, abs=2) and middles[1] == pytest.approx(60, abs=2)
    model = fit(name, branching())
    own = model.sample(400, rng=np.random.default_rng(3))
    assert {"".join(own.names(i)) for i in range(400)} == {"sxae", "sxbb"}
    without = {"tag": {"intervals": False}, "rti": {"splits": False}}[name]
    assert len([t for t in fit(name, branching(), **without).automaton.transitions if t.symbol == "x"]) == 1


def test_a_loop_is_found_by_tag_and_rti() -> None:
    """One location is left and entered by each question and answer: words of other lengths are accepted too."""
    rng = np.random.default_rng(2)
    words = spoken(["o" + "qr" * int(rng.geometric(0.5)) + "c" for _ in range(400)])
    for name in ("tag", "rti"):
        automaton = fit(name, words).automaton
        assert accepts(automaton, spoken(["o" + "qr" * n + "c" for n in range(1, 30)])).all()
        assert not accepts(automaton, spoken(["oqc", "qr", "o", "oqrr"])).any()
        # TAG takes the place behind o for one behind a reply after which, by chance, no word of that length ended
        assert name == "tag" or not accepts(automaton, spoken(["oc"])).any()
        assert len(automaton.locations) <= 6


def test_tests_of_rti_keep_apart_what_differs_only_in_shares() -> None:
    """After a, c follows nine times of ten, after b, d: the same symbols, so TAG takes them for one, RTI+ does not."""
    rng = np.random.default_rng(4)
    texts = []
    for _ in range(500):
        first = "ab"[int(rng.integers(2))]
        usual = rng.random() < 0.9
        texts.append(first + ("c" if (first == "a") == usual else "d"))
    first = {}
    for name in ("tag", "rti"):
        automaton = fit(name, spoken(texts)).automaton
        first[name] = {t.target for t in automaton.transitions if t.source == automaton.initial}
    assert len(first["tag"]) == 1 and len(first["rti"]) == 2


def test_futures_of_tag_reach_as_far_as_k() -> None:
    texts = ["axyp", "bxyr"] * 20
    merged = fit("tag", spoken(texts), k=2).automaton
    apart = fit("tag", spoken(texts), k=3).automaton
    crossed = spoken(["axyr", "bxyp"])
    assert accepts(merged, crossed).all() and not accepts(apart, crossed).any()


def test_a_chain_counts_what_follows_what() -> None:
    model = fit("markov", spoken(["ab", "aab", "b"]))
    automaton = model.automaton
    share = {(automaton.by_location[t.source].name, t.symbol): automaton.probability(t) for t in automaton.transitions}
    assert share == pytest.approx(
        {("start", "a"): 2 / 3, ("start", "b"): 1 / 3, ("a", "a"): 1 / 3, ("a", "b"): 2 / 3, ("b", "$"): 1}
    )
    assert isinstance(model, Markov) and MarkovParams() == model.facts.params


def test_a_hidden_model_finds_two_phases() -> None:
    """x and y come from both phases in other shares, only the second one ends: a chain of symbols cannot tell."""
    rng = np.random.default_rng(5)
    texts = []
    for _ in range(400):
        text = "".join(rng.choice(["x", "y"], p=[0.95, 0.05], size=8)) + "".join(
            rng.choice(["x", "y"], p=[0.05, 0.95], size=8)
        )
        texts.append(text)
    words = spoken(texts)
    hidden, chain = fit("hmm", words, states=2, iterations=100), fit("markov", words)
    assert hidden.word_bits(words).sum() < 0.97 * chain.word_bits(words).sum()
    assert sorted(hidden.emissions[:, 0]) == pytest.approx([0.05, 0.95], abs=0.04)


def test_a_table_knows_shares_of_sequences_and_is_its_own_tree() -> None:
    texts = ["ab"] * 6 + ["a"] * 3 + [""] * 2 + ["abb"]
    model = fit("lookup", spoken(texts))
    assert model.describe().size == {"sequences": 4, "symbols": 6}
    log2 = word_log2_probabilities(model.automaton, spoken(["ab", "a", "", "abb", "b"]))
    assert np.exp2(log2) == pytest.approx([0.5, 0.25, 1 / 6, 1 / 12, 0])
    seen, unseen = np.exp2(-model.word_bits(spoken(["ab", "b"]), timed=False))
    assert 6 / 16 < seen < 6 / 16 + 4 / 16 and unseen < 4 / 16
    drawn = model.sample(3000, rng=np.random.default_rng(0))
    shares = np.bincount(np.diff(drawn.offsets), minlength=4) / 3000
    assert shares == pytest.approx([1 / 6, 0.25, 0.5, 1 / 12], abs=0.03)
    assert isinstance(model, Lookup) and LookupParams() == model.facts.params


def test_tables_and_hidden_models_are_said_in_words() -> None:
    table = fit("lookup", spoken(["ab"] * 3 + [""]))
    assert table.sentences() == ["3 times, 75.0 %: a b", "1 time, 25.0 %: nothing"]
    hidden = fit("hmm", spoken(["ab"] * 30), states=2, iterations=50)
    start, *states = hidden.sentences()
    assert len(states) == 2 and start in ("start: goes to state 1 100 %", "start: goes to state 2 100 %")
    assert any("says a 100 %" in text for text in states) and any("goes to the end 100 %" in text for text in states)


def test_a_hidden_model_as_an_automaton_has_nearly_its_probabilities() -> None:
    words = spoken(["ab", "aab", "b", "abab"] * 500)
    model = fit("hmm", words, states=4)
    known = every_word("ab", 4)
    bits = model.hidden_bits(known)
    frequent = bits < 8
    assert np.exp2(word_log2_probabilities(model.automaton, known))[frequent] == pytest.approx(
        np.exp2(-bits[frequent]), abs=0.01
    )


def test_delays_and_sizes_are_drawn_as_they_were_seen() -> None:
    rng = np.random.default_rng(6)
    texts = [
        [("q", round(float(rng.normal(30, 3))), 100), ("r", round(float(rng.normal(60, 1))), 700)] for _ in range(300)
    ]
    words = Words.from_lists(texts, unit="dbus", service="s", state="SF")
    for name in KINDS:
        drawn = fit(name, words).sample(500, rng=np.random.default_rng(1))
        assert (drawn.unit, drawn.service, drawn.state) == ("dbus", "s", "SF")
        for symbol, middle, size in (("q", 30, 100), ("r", 60, 700)):
            mine = drawn.symbols == drawn.alphabet.index(symbol)
            assert abs(float(np.median(drawn.delays[mine])) - middle) <= 1
            assert drawn.sizes is not None and (drawn.sizes[mine] == size).mean() > 0.95


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_hard_input_is_learnt_from(name: str) -> None:
    rng = np.random.default_rng(0)
    inputs = {
        "one word": spoken(["abc"]),
        "all equal": spoken(["abc"] * 200),
        "empty words": spoken([""] * 5),
        "empty and not": spoken(["", "a", ""]),
        "no delays": spoken(["ab", "abc"] * 10, delay=0),
        "one long word": spoken(["ab" * 3000]),
        "5,000 symbols": Words.from_lists([[(f"e{a}", 0) for a in rng.integers(0, 5000, 6)] for _ in range(3000)]),
    }
    for what, words in inputs.items():
        settings = {"states": 3, "iterations": 5} if name == "hmm" else {}
        model = fit(name, words, **settings)
        bits = model.word_bits(words)
        assert np.isfinite(bits).all() and (bits >= 0).all(), what
        assert len(model.sample(20, rng=np.random.default_rng(0))) == 20, what
        assert model.describe().size, what
    with pytest.raises(NotEnoughData):
        fit(name, spoken(["ab"]).take(np.zeros(0, np.int64)))


@pytest.mark.parametrize("name", ["tag", "rti", "hmm"])
def test_a_search_that_is_asked_to_stop_keeps_what_it_has(name: str) -> None:
    kind = get_kind(name)
    watcher: Any = SimpleNamespace(step=lambda *_, **__: None, stopping=True)
    model = kind.model_class().fit(branching(200), kind.params_class()(), rng=np.random.default_rng(0), monitor=watcher)
    assert any("stopped" in warning for warning in model.describe().warnings)
    assert np.isfinite(model.word_bits(branching(20))).all()  # type: ignore[attr-defined]
    assert kind.stops


def test_a_table_too_large_for_a_tree_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fit("lookup", spoken(["abc"]))
    monkeypatch.setattr("netsynth_core.models.baselines.lookup.MOST_LOCATIONS", 3)
    with pytest.raises(InvalidParameter, match="tree of 4 locations"):
        _ = model.automaton


def test_a_negative_number_of_words_is_refused() -> None:
    for name in KINDS:
        with pytest.raises(InvalidParameter, match="-1 words"):
            fit(name, spoken(["ab"])).sample(-1, rng=np.random.default_rng(0))


# --- documents --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_kept_document_of_version_1_is_still_read(name: str) -> None:
    model: Any = load_model(read_document(KEPT / f"{name}-1.json"))
    assert type(model).kind == name and len(model.sample(5, rng=np.random.default_rng(0))) == 5
    bits = model.word_bits(spoken(["sxae", "sxbb", "sxab"]))
    assert np.isfinite(bits).all() and bits[2] > max(bits[:2])


def test_tables_that_do_not_fit_together_are_refused() -> None:
    hidden, table = (read_document(KEPT / f"{name}-1.json") for name in ("hmm", "lookup"))
    moves = [[v * 2 for v in row] for row in hidden.body["moves"]]
    for document, broken in (
        (hidden, {"moves": moves}),
        (hidden, {"emissions": hidden.body["emissions"][1:]}),
        (table, {"lengths": [*table.body["lengths"], 1]}),
        (table, {"sequences": [99 for _ in table.body["sequences"]]}),
        (table, {"counts": [0 for _ in table.body["counts"]]}),
    ):
        body = document.body | broken
        with pytest.raises(DocumentError, match="broken"):
            load_model(type(document)(document.kind, 1, document.card, body))


def test_classes_and_parameters_are_those_of_the_registry() -> None:
    assert [get_kind(name).model_class() for name in KINDS] == [Tag, Rti, Hmm, Markov, Lookup]
    with pytest.raises(InvalidParameter):
        HmmParams.checked({"states": 0})
    with pytest.raises(InvalidParameter):
        get_kind("rti").params_class().checked({"significance": 1})


# --- tests of RTI+ ----------------------------------------------------------------------------------------------------


def by_hand(one: list[int], other: list[int], least: int) -> tuple[float, int]:
    """Twice the log-likelihood ratio of two multinomials against one; rare categories are one."""
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a + b >= least]
    rare = [(a, b) for a, b in zip(one, other, strict=True) if 0 < a + b < least]
    if rare:
        pairs.append((sum(a for a, _ in rare), sum(b for _, b in rare)))
    if len(pairs) < 2 or not sum(one) or not sum(other):
        return 0.0, 0

    def likelihood(counts: list[int]) -> float:
        return sum(c * math.log(c / sum(counts)) for c in counts if c)

    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    joined = likelihood([a + b for a, b in pairs])
    return 2 * (likelihood(first) + likelihood(second) - joined), len(pairs) - 1


def test_the_likelihood_ratio_is_that_by_hand_and_of_a_contingency_table() -> None:
    rng = np.random.default_rng(7)
    for _ in range(200):
        one, other = rng.poisson(rng.choice([0.5, 3, 40], (2, 5)))
        least = int(rng.integers(1, 15))
        value, free = ratio(one, other, np.arange(5), least)
        expected = by_hand(one.tolist(), other.tolist(), least)
        assert (value, free) == (pytest.approx(expected[0], abs=1e-9), expected[1])
    table = np.array([[30, 10, 25], [12, 40, 22]])
    found = chi2_contingency(table, correction=False, lambda_="log-likelihood")
    assert ratio(table[0], table[1], np.arange(3), 10) == (pytest.approx(found.statistic), found.dof)


def folded(one: list[list[Any]], other: list[list[Any]], bins: int, least: int) -> tuple[float, int]:
    """The statistic of keeping two sets of tails apart, by their prefix trees: (symbol, bin) pairs, "$" at the end."""
    if min(len(one), len(other)) < least:
        return 0.0, 0
    symbols = sorted({tail[0][0] for tail in one + other})
    value, free = by_hand(*([sum(t[0][0] == a for t in tails) for a in symbols] for tails in (one, other)), least)
    seen = [[sum(t[0][0] != "$" and t[0][1] == b for t in tails) for b in range(bins)] for tails in (one, other)]
    more = by_hand(*seen, least)
    value, free = value + more[0], free + more[1]
    for a in symbols:
        if a != "$":
            deeper = ([t[1:] for t in tails if t[0][0] == a] for tails in (one, other))
            more = folded(*deeper, bins, least)
            value, free = value + more[0], free + more[1]
    return value, free


@pytest.mark.parametrize("seed", range(4))
def test_splits_are_tested_by_the_statistic_of_both_prefix_trees(seed: int) -> None:
    """The first blue location behind the root, every cut of its tails by delay, against prefix trees by hand."""
    rng = np.random.default_rng(seed)
    texts = [
        [
            ("s", int(rng.integers(0, 12))),
            *(("abc"[int(a)], int(rng.integers(0, 12))) for a in rng.integers(0, 3, int(n))),
        ]
        for n in rng.integers(0, 5, 150)
    ]
    params = RtiParams(pooled=5, bins=3)
    learner = Learner(encode(Words.from_lists(texts, unit="dbus")), params, SILENT)
    blue = most_visited(learner.tables)
    tails = np.empty(150, np.int64)
    assert tails_of(learner.tables, blue, tails) == 150
    before = learner.data.delay[tails - 1]
    tails = tails[np.argsort(before, kind="stable")]
    cuts = np.flatnonzero(np.diff(np.sort(before))) + 1
    values, free = np.zeros(len(cuts)), np.zeros(len(cuts), np.int64)
    compare_splits(learner.data, learner.tables, learner.room, tails, cuts, 5, values, free)
    inner = np.quantile([d for text in texts for _, d in text], [1 / 3, 2 / 3])
    spelt = [[(a, int(np.searchsorted(inner, d, side="left"))) for a, d in text[1:]] + [("$", 0)] for text in texts]
    first = [text[0][1] for text in texts]
    for k, cut in enumerate(cuts):
        limit = np.sort(before)[cut - 1]
        low = [tail for tail, d in zip(spelt, first, strict=True) if d <= limit]
        high = [tail for tail, d in zip(spelt, first, strict=True) if d > limit]
        expected = folded(low, high, 3, 5)
        assert (values[k], free[k]) == (pytest.approx(expected[0], abs=1e-7), expected[1])


def test_a_merge_is_tested_like_a_split_where_the_red_part_is_a_tree() -> None:
    """Root and the first location behind it, red: folding the second one into it compares two prefix trees."""
    rng = np.random.default_rng(9)
    texts = [[("xy"[int(rng.integers(2))], 0), *(("ab"[int(a)], 0) for a in rng.integers(0, 2, 3))] for _ in range(300)]
    learner = Learner(encode(Words.from_lists(texts, unit="dbus")), RtiParams(bins=1), SILENT)
    red = most_visited(learner.tables)
    head = int(learner.tables.tail[red])
    learner.tables.red[red], learner.tables.visits[red], learner.tables.tail[red] = 1, 0, -1
    run_tails(learner.data, learner.tables, head, red, 1)
    (blue,) = (q for q in (2, 3) if q != red)
    values, free = np.zeros(1), np.zeros(1, np.int64)
    compare_merges(learner.data, learner.tables, learner.room, blue, np.array([red]), 10, values, free)
    spelt = {a: [[*text[1:], ("$", 0)] for text in texts if text[0][0] == a] for a in "xy"}
    expected = folded(spelt["x"], spelt["y"], 1, 10)
    assert (values[0], free[0]) == (pytest.approx(expected[0], abs=1e-7), expected[1])


@pytest.mark.parametrize("name", ["hmm", "lookup", "markov", "rti", "tadam", "tag"])
def test_every_learner_prices_the_same_fields(name: str) -> None:
    """Two sizes by chance at every symbol cost about a bit each (and what it takes to learn that), whoever learns."""
    rng = np.random.default_rng(4)
    talks = [["hello", *["ask", "tell"] * int(n), "bye"] for n in rng.integers(1, 4, 200)]
    sizes = [rng.choice([10, 700], len(talk)).tolist() for talk in talks]
    data = [[(s, 30) for s in talk] for talk in talks]
    plain = Words.from_lists(data, unit="us")
    flat = np.array([size for word in sizes for size in word], np.int64)
    sized = replace(plain, sizes=flat)
    kind = get_kind(name)
    bits = []
    for words in (plain, sized):
        model = kind.model_class().fit(words, kind.params_class()(), rng=np.random.default_rng(0))
        bits.append(model.describe().codelength)
    symbols = len(flat)
    assert 0.95 * symbols < bits[1].data - bits[0].data < 1.25 * symbols
    assert bits[1].empty - bits[0].empty == pytest.approx(symbols * np.log2(SizeScale.of(flat).codes))


def test_sizes_cost_what_their_shares_say_one_after_the_other() -> None:
    codes = [3, 3, 0, 3, 0, 0, 3]
    seen, bits = dict.fromkeys(range(5), 0.2), 0.0
    for code in codes:
        bits -= np.log2(seen[code] / sum(seen.values()))
        seen[code] += 1
    law = SizeLaw(((0, 3), (3, 4)), 5)
    assert size_bits([law, None, law]) == pytest.approx(bits)
    assert size_bits([law, SizeLaw(law.counts, 5)]) == pytest.approx(2 * bits)
