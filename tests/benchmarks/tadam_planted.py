"""TADAM against the planted automaton: ``python tests/benchmarks/tadam_planted.py [size ...]``.

Reads ``../shared/bench/words_<size>_noise<level>.txt`` and the truth beside them. For each: locations, transitions,
language recall and precision (3 000 fresh words each way, untimed), bits per clean word (60 when rejected; truth 6.18),
F1 of the noise operations found (right kind within one position of the observed word), codelength, CPU seconds, words
aligned per CPU second, peak memory. Run by hand; nothing is asserted.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from netsynth_core.flows.words import Words
from netsynth_core.flows.words_io import read_words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.running import sample_words, word_log2_probabilities
from netsynth_core.models.tadam import Tadam, TadamParams

BENCH = Path(__file__).parents[2] / ".." / "shared" / "bench"
KINDS = {"dup": "re-emission", "swap": "transposition", "miss": "deletion"}
FRESH = 3_000
LONGEST = 200


class Truth:
    """The planted automaton, run untimed."""

    def __init__(self, path: Path) -> None:
        raw = json.loads(path.read_text())
        self.initial = raw["initial"]
        self.accepting = set(raw["accepting"])
        self.edges: dict[object, list[tuple[str, object, float, float, float]]] = {}
        for e in raw["edges"]:
            entry = (e["symbol"], e["dst"], e["probability"], e["delay_mean"], e["delay_sd"])
            self.edges.setdefault(e["src"], []).append(entry)

    def draw(self, n: int, rng: np.random.Generator) -> Words:
        """Fresh clean words with delays."""
        words = []
        for _ in range(n):
            at, word = self.initial, []
            while at in self.edges and len(word) < LONGEST:
                edges = self.edges[at]
                symbol, at, _, mean, sd = edges[rng.choice(len(edges), p=[e[2] for e in edges])]
                word.append((symbol, max(0, round(float(rng.normal(mean, sd))))))
            words.append(word)
        return Words.from_lists(words)

    def accepts(self, names: list[str]) -> bool:
        """Untimed acceptance, all branches followed."""
        states = {self.initial}
        for name in names:
            states = {e[1] for q in states for e in self.edges.get(q, ()) if e[0] == name}
        return bool(states & self.accepting)


def true_operations(entry: dict[str, object], clean: int) -> list[tuple[str, int]]:
    """The planted operations with positions in the observed word."""
    found = []
    shift = 0
    for kind, index in entry["ops"]:  # type: ignore[attr-defined]
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


def operations_f1(model: Tadam, words: Words, truth: Path) -> tuple[float, dict[str, float]]:
    """F1 over all kinds, and by kind."""
    traces = json.loads(truth.read_text())["traces"]
    hits: dict[str, int] = dict.fromkeys(KINDS.values(), 0)
    planted = dict(hits)
    reported = dict(hits) | {"addition": 0}
    for alignment, entry in zip(model.align(words), traces, strict=True):
        todo = true_operations(entry, len(entry["clean"].split()))
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


def language(automaton: TimedAutomaton, truth: Truth) -> tuple[float, float, float]:
    """Recall, precision, bits per clean word."""
    fresh = truth.draw(FRESH, np.random.default_rng(20_261))
    log2 = word_log2_probabilities(automaton, fresh)
    good = np.isfinite(log2)
    own = sample_words(automaton, FRESH, rng=np.random.default_rng(20_262))
    right = np.mean([truth.accepts(own.names(i)[:LONGEST]) for i in range(FRESH)])
    return float(good.mean()), float(right), float(np.where(good, -log2, 60.0).mean())


def main(sizes: list[str]) -> None:
    """Print one line a file."""
    truth = Truth(BENCH / "true_automaton.json")
    print("file loc trans recall precision bits/word F1 (re-em transp del) codelength CPU_s align/s peak_MB")
    tiny = read_words(BENCH / "words_500_noise5.txt").take(np.arange(60))
    Tadam.fit(tiny, TadamParams(), rng=np.random.default_rng(0)).align(tiny)
    for size in sizes:
        for level in (0, 5, 10, 20):
            path = BENCH / f"words_{size}_noise{level}.txt"
            words = read_words(path)
            begun = time.process_time()
            model = Tadam.fit(words, TadamParams(), rng=np.random.default_rng(0))
            spent = time.process_time() - begun
            begun = time.process_time()
            model.align(words)
            speed = len(words) / (time.process_time() - begun)
            recall, precision, bits = language(model.automaton, truth)
            f1, each = operations_f1(model, words, path.with_suffix(".truth.json"))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            kinds = " ".join(f"{each[k]:.2f}" for k in KINDS.values())
            print(
                f"{path.stem} {len(model.automaton.locations)} {len(model.automaton.transitions)} {recall:.3f} "
                f"{precision:.3f} {bits:.2f} {f1:.3f} ({kinds}) {model.codelength.total:.0f} {spent:.2f} "
                f"{speed:.0f} {peak:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:] or ["500", "5k"])
