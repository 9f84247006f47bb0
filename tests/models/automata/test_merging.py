"""Prefix trees, merging and folding, and futures, against what they are by definition."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.models.automata.merging import FINAL, ROOT, Futures, Machine, OverlappingGuards, SameSymbol, classes
from netsynth_core.models.automata.prefix_tree import prefix_tree

END = 3
WORDS = st.lists(st.lists(st.integers(0, 2), max_size=6), min_size=1, max_size=12)


def flat(words: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Symbols and offsets."""
    offsets = np.concatenate([[0], np.cumsum([len(word) for word in words])]).astype(np.int64)
    return np.array([a for word in words for a in word], np.int64), offsets


def machine(words: list[list[int]], seed: int = 0) -> tuple[Machine, np.ndarray]:
    """The prefix tree of words with end markers and random delays, and the delays."""
    symbols, offsets = flat([[*word, END] for word in words])
    delays = np.where(symbols == END, 0, np.random.default_rng(seed).integers(0, 20, len(symbols)))
    return Machine.of_words(symbols, delays, offsets, end=END), delays


def strings(made: Machine, location: int, length: int) -> set[tuple[int, ...]]:
    """What can follow, by definition."""
    if length == 0 or not made.leaving[location]:
        return {()}
    found = set()
    for symbol, edges in made.leaving[location].items():
        for edge in edges:
            after = strings(made, made.location_of(made.target[edge]), length - 1)
            found |= {(symbol, *rest) for rest in after}
    return found


def check_runs(made: Machine, words: list[list[int]], delays: np.ndarray) -> None:
    """Every word is one run from the root to the end, over transitions of its symbols whose guards hold its delays."""
    runs = made.runs()
    symbols, offsets = flat([[*word, END] for word in words])
    for low, high in pairwise(offsets.tolist()):
        at = ROOT
        for place in range(low, high):
            edge = int(runs[place])
            assert made.location_of(made.source[edge]) == at
            assert made.symbol[edge] == symbols[place]
            assert made.low[edge] <= delays[place] <= made.high[edge]
            assert edge in made.leaving[at][made.symbol[edge]]
            at = made.location_of(made.target[edge])
        assert at == FINAL


@given(WORDS)
def test_a_prefix_tree_has_a_node_for_each_beginning(words: list[list[int]]) -> None:
    symbols, offsets = flat(words)
    tree = prefix_tree(symbols, offsets)
    beginnings = {tuple(word[:n]) for word in words for n in range(len(word) + 1)}
    assert len(tree) == len(beginnings)

    def spelt(node: int) -> tuple[int, ...]:
        return () if node == 0 else (*spelt(int(tree.parent[node])), int(tree.symbol[node]))

    for node in range(len(tree)):
        mine = spelt(node)
        assert tree.visits[node] == sum(tuple(word[: len(mine)]) == mine for word in words)
        assert tree.ends[node] == sum(tuple(word) == mine for word in words)
        assert tree.parent[node] < node
    for i, word in enumerate(words):
        assert spelt(int(tree.last[i])) == tuple(word)
        assert [len(spelt(int(q))) for q in tree.arrived[offsets[i] : offsets[i + 1]]] == list(range(1, len(word) + 1))


@given(WORDS, st.integers(1, 3), st.integers(0, 5))
def test_futures_are_equal_where_the_same_strings_can_follow(words: list[list[int]], k: int, seed: int) -> None:
    made, _ = machine(words)
    # make it nondeterministic too: any two locations may be merged when nothing clashes
    locations = [q for q in made.locations() if q != FINAL]
    one, other = np.random.default_rng(seed).choice(locations, 2)
    made.merge([(int(one), int(other))], lambda *_: False)
    numbers = Futures(k).of(made, made.locations())
    texts = {q: strings(made, q, k) for q in made.locations()}
    for q, number in numbers.items():
        assert all((number == numbers[p]) == (texts[q] == texts[p]) for p in numbers)


@given(WORDS, st.integers(0, 20))
@settings(max_examples=60)
def test_folding_leaves_no_clash_and_every_word_its_run(words: list[list[int]], seed: int) -> None:
    for clash in (SameSymbol(), OverlappingGuards()):
        made, delays = machine(words, seed)
        check_runs(made, words, delays)
        inner = [q for q in made.locations() if q != FINAL]
        pairs = np.random.default_rng(seed).choice(inner, (2, 2)).tolist()
        made.merge([tuple(pair) for pair in pairs], clash)
        check_runs(made, words, delays)
        for q in made.locations():
            for edges in made.leaving[q].values():
                assert not any(clash(made, e, f) for e in edges for f in edges if e != f)


def test_classes_are_those_of_two_or_more() -> None:
    assert classes({0: 5, 2: 7, 3: 5, 4: 8, 6: 7}) == [[0, 3], [2, 6]]
