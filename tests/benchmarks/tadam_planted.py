"""TADAM against the planted automaton: ``python tests/benchmarks/tadam_planted.py [size ...] [--levels L ...]``.

Reads ``../shared/bench/words_<size>_noise<level>.txt`` and the truth beside them; other sizes (``50k``, ``50000``) are
drawn from the planted automaton with noise of the same kind. For each: locations, transitions, language recall and
precision (3 000 fresh words each way, untimed), bits per clean word (60 when rejected; truth 6.18), F1 of the noise
operations found (right kind within one position of the observed word), share of clean words with an operation (at
noise 0), codelength, CPU and wall seconds, words aligned and symbols sampled per CPU second, peak memory. Run by hand;
nothing is asserted.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from planted_words import KINDS, Planted, language, operations_f1, spoil

from netsynth_core.flows.words import Words
from netsynth_core.flows.words_io import read_words
from netsynth_core.models.tadam import Tadam, TadamParams

BENCH = Path(__file__).parents[2] / ".." / "shared" / "bench"
Operations = list[list[tuple[str, int]]]


def load(size: str, level: int, truth: Planted) -> tuple[str, Words, Operations, list[int]]:
    """Words of the benchmark, or drawn ones, with the true operations and lengths of the clean words."""
    path = BENCH / f"words_{size}_noise{level}.txt"
    if path.is_file():
        traces = json.loads(path.with_suffix(".truth.json").read_text())["traces"]
        ops = [[(kind, at) for kind, at in trace["ops"]] for trace in traces]
        return path.stem, read_words(path), ops, [len(trace["clean"].split()) for trace in traces]
    count = int(size.replace("k", "000"))
    clean = truth.draw(count, np.random.default_rng([count, 1]))
    spoilt, ops = spoil(clean, level / 100, np.random.default_rng([count, 2, level]))
    return f"drawn_{size}_noise{level}", Words.from_lists(spoilt), ops, [len(word) for word in clean]


def rate(work: Callable[[], object], amount: int) -> float:
    """Amount per CPU second; the work is done again until it took half a second."""
    work()
    begun, done = time.process_time(), 0
    while time.process_time() - begun < 0.5:
        work()
        done += amount
    return done / (time.process_time() - begun)


def main() -> None:
    """Print one line a file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", nargs="*", default=["500", "5k"])
    parser.add_argument("--levels", type=int, nargs="*", default=[0, 5, 10, 20])
    parser.add_argument("--score", default="default", choices=["default", "published"])
    asked = parser.parse_args()
    truth = Planted.read(BENCH / "true_automaton.json")
    tiny = read_words(BENCH / "words_500_noise5.txt").take(np.arange(60))
    params = TadamParams.model_validate({"score": asked.score})
    Tadam.fit(tiny, params, rng=np.random.default_rng(0)).align(tiny)
    print(
        "file loc trans recall precision bits/word F1 (re-em transp del) alarms codelength CPU_s wall_s align/s "
        "symbols/s MB"
    )
    for size in asked.sizes:
        for level in asked.levels:
            name, words, ops, lengths = load(size, level, truth)
            begun, wall = time.process_time(), time.monotonic()
            model = Tadam.fit(words, params, rng=np.random.default_rng(0))
            spent, wall = time.process_time() - begun, time.monotonic() - wall
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            speed = rate(lambda m=model, w=words: m.align(w), len(words))
            drawn = len(model.sample(20_000, rng=np.random.default_rng(0)).symbols)
            sampling = rate(lambda m=model: m.sample(20_000, rng=np.random.default_rng(0)), drawn)
            recall, precision, bits = language(model.automaton, truth)
            found = model.align(words)
            f1, each = operations_f1(found, ops, lengths)
            alarms = np.mean([bool(a.ops) or not a.accepted for a, true in zip(found, ops, strict=True) if not true])
            kinds = " ".join(f"{each[k]:.2f}" for k in KINDS.values())
            print(
                f"{name} {len(model.automaton.locations)} {len(model.automaton.transitions)} {recall:.3f} "
                f"{precision:.3f} {bits:.2f} {f1:.3f} ({kinds}) {alarms:.4f} {model.codelength.total:.0f} {spent:.2f} "
                f"{wall:.1f} {speed:.0f} {sampling:.0f} {peak:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
