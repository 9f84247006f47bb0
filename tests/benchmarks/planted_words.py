"""Planted timed automata of many shapes, words drawn from them with noise, and scores of what a learner finds.

The noise is that of the word benchmark: walking over a clean word, each symbol is hit with the given rate by one of
three, equally likely: repeated (the copy's delay ~ N(25, 3)), exchanged with the next one, or removed (its delay goes
to the next symbol, as a sum of times). Delays are decibel of a microsecond.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.running import sample_words, word_log2_probabilities
from netsynth_core.models.tadam import Alignment

Word = list[tuple[str, int]]
KINDS = {"dup": "re-emission", "swap": "transposition", "miss": "deletion"}
FRESH = 3_000
LONGEST = 200
REJECTED_BITS = 60.0


@dataclass(frozen=True)
class Edge:
    """One planted edge; the word ends in END."""

    source: object
    symbol: str
    target: object
    probability: float
    mean: float
    sd: float


class Planted:
    """A planted automaton: drawn from, and run untimed."""

    def __init__(
        self, edges: list[Edge], *, initial: object = 0, accepting: frozenset[object] = frozenset({"END"})
    ) -> None:
        self.initial = initial
        self.accepting = accepting
        self.edges: dict[object, list[Edge]] = {}
        for edge in edges:
            self.edges.setdefault(edge.source, []).append(edge)
        self._shares = {q: np.array([e.probability for e in out]) for q, out in self.edges.items()}

    @classmethod
    def read(cls, path: Path) -> "Planted":
        """The planted automaton of a JSON file of the word benchmark."""
        raw = json.loads(path.read_text())
        edges = [
            Edge(e["src"], e["symbol"], e["dst"], e["probability"], e["delay_mean"], e["delay_sd"])
            for e in raw["edges"]
        ]
        return cls(edges, initial=raw["initial"], accepting=frozenset(raw["accepting"]))

    @property
    def size(self) -> int:
        """Number of edges."""
        return sum(len(out) for out in self.edges.values())

    def draw(self, n: int, rng: np.random.Generator) -> list[Word]:
        """Fresh clean words with delays."""
        words = []
        for _ in range(n):
            at, word = self.initial, []
            while at in self.edges and len(word) < LONGEST:
                out = self.edges[at]
                edge = out[rng.choice(len(out), p=self._shares[at])]
                word.append((edge.symbol, max(0, round(float(rng.normal(edge.mean, edge.sd)))) if word else 0))
                at = edge.target
            words.append(word)
        return words

    def accepts(self, names: list[str]) -> bool:
        """Untimed acceptance, all branches followed."""
        states = {self.initial}
        for name in names:
            states = {e.target for q in states for e in self.edges.get(q, ()) if e.symbol == name}
        return bool(states & self.accepting)


def spoil(words: list[Word], rate: float, rng: np.random.Generator) -> tuple[list[Word], list[list[tuple[str, int]]]]:
    """Words with noise, and of each word the operations (kind, position in the clean word)."""
    spoilt, truth = [], []
    for word in words:
        made: Word = []
        ops = []
        carried = 0.0
        at = 0
        while at < len(word):
            symbol, delay = word[at]
            if carried:
                delay, carried = round(10 * np.log10(10 ** (delay / 10) + carried)), 0.0
            kind = ("dup", "swap", "miss")[rng.integers(3)] if rng.random() < rate else ""
            if (kind == "swap" and at + 1 == len(word)) or (kind == "miss" and len(word) == 1):
                kind = "dup"
            made.append((symbol, delay))
            if kind:
                ops.append((kind, at))
            if kind == "dup":
                made.append((symbol, max(0, round(float(rng.normal(25, 3))))))
            elif kind == "swap":
                made.insert(-1, word[at + 1])
                at += 1
            elif kind == "miss":
                made.pop()
                carried = 10 ** (delay / 10)
            at += 1
        spoilt.append(made)
        truth.append(ops)
    return spoilt, truth


def true_operations(ops: list[tuple[str, int]], clean: int) -> list[tuple[str, int]]:
    """The planted operations with positions in the observed word."""
    found = []
    shift = 0
    for kind, index in ops:
        at = index + shift
        if kind == "dup" or (kind == "swap" and index == clean - 1):
            found.append(("re-emission", at + 1))
            shift += 1
        elif kind == "swap":
            found.append(("transposition", at))
        else:
            found.append(("deletion", at))
            shift -= 1
    return found


def operations_f1(
    alignments: list[Alignment], truth: list[list[tuple[str, int]]], lengths: list[int]
) -> tuple[float, dict[str, float]]:
    """F1 of the operations found (right kind within one position), over all kinds and by kind."""
    hits: dict[str, int] = dict.fromkeys(KINDS.values(), 0)
    planted = dict(hits)
    reported = dict(hits) | {"addition": 0}
    for alignment, ops, length in zip(alignments, truth, lengths, strict=True):
        todo = true_operations(ops, length)
        for kind, _ in todo:
            planted[kind] += 1
        for op in alignment.ops:
            reported[op.kind] += 1
            near = [t for t in todo if t[0] == op.kind and abs(t[1] - op.position) <= 1]
            if near:
                todo.remove(min(near, key=lambda t: abs(t[1] - op.position)))
                hits[op.kind] += 1

    def f1(hit: int, a: int, b: int) -> float:
        return 2 * hit / (a + b) if a + b else 1.0

    each = {kind: f1(hits[kind], planted[kind], reported[kind]) for kind in planted}
    return f1(sum(hits.values()), sum(planted.values()), sum(reported.values())), each


def language(automaton: TimedAutomaton, truth: Planted) -> tuple[float, float, float]:
    """Recall, precision, bits per clean word (60 when rejected)."""
    fresh = Words.from_lists(truth.draw(FRESH, np.random.default_rng(20_261)))
    log2 = word_log2_probabilities(automaton, fresh)
    good = np.isfinite(log2)
    own = sample_words(automaton, FRESH, rng=np.random.default_rng(20_262))
    right = np.mean([truth.accepts(own.names(i)[:LONGEST]) for i in range(FRESH)])
    return float(good.mean()), float(right), float(np.where(good, -log2, REJECTED_BITS).mean())


# --- shapes ---------------------------------------------------------------------------------------------------------


def _chain(start: object, symbols: str, end: object, share: float, rng: np.random.Generator) -> list[Edge]:
    """A way from `start` to `end` that reads the symbols (one character each), entered with probability `share`."""
    edges = []
    at = start
    for place, symbol in enumerate(symbols):
        to = end if place == len(symbols) - 1 else f"{start}>{symbols}:{place}>{end}"
        mean, sd = float(rng.uniform(15, 65)), float(rng.uniform(1.5, 4))
        edges.append(Edge(at, symbol, to, share if place == 0 else 1.0, mean, sd))
        at = to
    return edges


def context_shape(back: int, rng: np.random.Generator) -> list[Edge]:
    """Which way a word goes on after a common middle is told by the symbol `back` places before."""
    middle = "mnopq"[: back - 1]
    edges = _chain(0, "s", 1, 1.0, rng)
    for side, (first, last) in enumerate((("x", "a"), ("y", "b"))):
        edges += _chain(1, first + middle, ("split", side), 0.5, rng)
        edges += _chain(("split", side), last, "talk", 0.9, rng) + _chain(("split", side), "cb", "talk", 0.1, rng)
    return edges + _chain("talk", "w", 1, 0.5, rng) + _chain("talk", "fg", "END", 0.5, rng)


def delay_shape(gap: float, rng: np.random.Generator) -> list[Edge]:
    """Branches told by the delay of one symbol alone, `gap` decibel apart, twice in a word."""
    edges = _chain(0, "sab", 1, 1.0, rng)
    edges += [Edge(1, "r", "fast", 0.6, 30, 2.5), Edge(1, "r", "slow", 0.4, 30 + gap, 2.5)]
    edges += _chain("fast", "q", 1, 0.15, rng) + _chain("fast", "d", 2, 0.85, rng)
    edges += _chain("slow", "q", 1, 0.8, rng) + _chain("slow", "e", 2, 0.2, rng)
    edges += [Edge(2, "v", "early", 0.5, 40, 2), Edge(2, "v", "late", 0.5, 40 + gap, 2)]
    edges += _chain("early", "fg", "END", 1.0, rng)
    return edges + _chain("late", "hg", "END", 0.9, rng) + _chain("late", "ab", 1, 0.1, rng)


def rare_shape(share: float, rng: np.random.Generator) -> list[Edge]:
    """A talk with three true branches of probability `share` each, one of them an early end."""
    edges = _chain(0, "sab", 1, 1.0 - share, rng) + _chain(0, "sk", "END", share, rng)
    edges += _chain(1, "qr", 1, 0.6, rng) + _chain(1, "qtuv", 1, share, rng)
    edges += _chain(1, "fga", "END", 0.4 - 2 * share, rng) + _chain(1, "kkk", "END", share, rng)
    return edges


def loop_shape(rng: np.random.Generator) -> list[Edge]:
    """Loops within loops, true repetitions of one symbol, and a counted repetition (exactly three)."""
    edges = [*_chain(0, "s", 1, 1.0, rng), Edge(1, "d", 1, 0.65, 18, 2.5), Edge(1, "a", 2, 0.35, 45, 3)]
    edges += _chain(2, "qrr", 2, 0.4, rng) + _chain(2, "w", 3, 0.3, rng) + _chain(2, "n", 1, 0.3, rng)
    return edges + _chain(3, "ttt", 4, 1.0, rng) + _chain(4, "fg", "END", 0.7, rng) + _chain(4, "a", 2, 0.3, rng)


def random_shape(states: int, symbols: int, rng: np.random.Generator) -> list[Edge]:
    """A random automaton: every state has one to three ways out, at least one of them forward to the end."""
    letters = [chr(ord("A") + i) for i in range(symbols)]
    edges = []
    for q in range(states):
        ways = int(rng.integers(1, 4))
        shares = rng.dirichlet(np.full(ways, 2.0))
        shares = np.maximum(shares, 0.04) / np.maximum(shares, 0.04).sum()
        used = rng.choice(symbols, ways, replace=False)
        for way in range(ways):
            ahead = q + 1 + int(rng.integers(0, 2))
            to: object = ahead if way == 0 else int(rng.integers(0, states))
            if way == 0 and (ahead >= states or (q > states // 2 and rng.random() < 0.3)):
                to = "END"
            mean, sd = float(rng.uniform(10, 65)), float(rng.uniform(1, 4))
            edges.append(Edge(q, letters[used[way]], to, float(shares[way]), mean, sd))
    return _only_reached(edges)


def _only_reached(edges: list[Edge]) -> list[Edge]:
    reached: set[object] = {0}
    while True:
        more = {e.target for e in edges if e.source in reached} - reached
        if not more:
            return [e for e in edges if e.source in reached]
        reached |= more


SHAPES: dict[str, Callable[[np.random.Generator], list[Edge]]] = {
    "context-2": lambda rng: context_shape(2, rng),
    "context-3": lambda rng: context_shape(3, rng),
    "context-4": lambda rng: context_shape(4, rng),
    "delay-20": lambda rng: delay_shape(20, rng),
    "delay-12": lambda rng: delay_shape(12, rng),
    "rare-1": lambda rng: rare_shape(0.01, rng),
    "loops": loop_shape,
    "random-8": lambda rng: random_shape(8, 6, rng),
    "random-14": lambda rng: random_shape(14, 10, rng),
    "random-20": lambda rng: random_shape(20, 12, rng),
}


def planted(shape: str, seed: int) -> Planted:
    """A planted automaton of a shape."""
    return Planted(SHAPES[shape](np.random.default_rng(seed)))
