"""TADAM against planted automata of many shapes, by hand.

``python tests/benchmarks/tadam_shapes.py [--words N] [--seeds K] [shape ...]``

For each shape (see `planted_words`), seed and noise of 0, 5, 10 and 20 % per symbol: planted and found transitions,
language recall and precision (3 000 fresh words each way, untimed), bits per clean word beside the truth's own, F1 of
the noise operations found, CPU seconds. Run by hand; nothing is asserted.
"""

import argparse
import time

import numpy as np
from planted_words import SHAPES, language, operations_f1, planted, spoil

from netsynth_core.flows.words import Words
from netsynth_core.models.tadam import Tadam, TadamParams

LEVELS = (0, 5, 10, 20)
WANTED = {0: (0.99, 0.95, 0.0), 5: (0.97, 0.93, 0.80), 10: (0.96, 0.90, 0.75), 20: (0.92, 0.75, 0.65)}
"""Recall, precision and F1 that are wanted at each level; what falls short is marked."""


def line(shape: str, seed: int, level: int, count: int) -> str:
    """Learn once and describe what was found."""
    truth = planted(shape, seed)
    clean = truth.draw(count, np.random.default_rng([seed, 1]))
    spoilt, ops = spoil(clean, level / 100, np.random.default_rng([seed, 2, level]))
    words = Words.from_lists(spoilt, unit="dbus")
    begun = time.process_time()
    model = Tadam.fit(words, TadamParams(), rng=np.random.default_rng(0))
    spent = time.process_time() - begun
    recall, precision, bits = language(model.automaton, truth)
    f1, _ = operations_f1(model.align(words), ops, [len(word) for word in clean])
    short = [
        n
        for n, got, want in zip(("recall", "precision", "F1"), (recall, precision, f1), WANTED[level], strict=True)
        if got < want
    ]
    return (
        f"{shape:10} {seed} {level:2}%  {truth.size:3} {len(model.automaton.transitions):3}  "
        f"{recall:.3f} {precision:.3f} "
        f"{bits:6.2f}  {f1:.3f}  {model.codelength.total:9.0f} {spent:6.2f}  {' '.join(short)}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shapes", nargs="*", default=list(SHAPES))
    parser.add_argument("--words", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--levels", type=int, nargs="*", default=LEVELS)
    asked = parser.parse_args()
    print("shape   seed noise  edges found recall precision bits  F1  codelength CPU_s  below what is wanted")
    for shape in asked.shapes:
        for seed in range(asked.seeds):
            for level in asked.levels:
                print(line(shape, seed, level, asked.words), flush=True)


if __name__ == "__main__":
    main()
