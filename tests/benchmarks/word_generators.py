"""Every generator of words against the planted automaton: ``python tests/benchmarks/word_generators.py [size ...]``.

Reads ``../shared/bench/words_<size>_noise<level>.txt``, or draws words where those are absent, as ``tadam_planted.py``
does, and scores by the same functions. One line a file and kind: locations and transitions (of a hidden Markov model
and of a table as automata), language recall and precision (3 000 fresh words each way, untimed), bits per fresh clean
word, 60 when rejected (truth 6.18; of a hidden Markov model by the model itself, over all states), bits per training
word with delays, model bits, CPU seconds to learn, and words priced per CPU second. Run by hand; nothing is asserted.

A hidden Markov model accepts what it can make at all, however rarely; as an automaton it keeps what 1 000 words (or
as many as it learnt from) would take.
"""

import argparse
import time
from typing import Any

import numpy as np
from planted_words import FRESH, LONGEST, REJECTED_BITS, Planted, language
from tadam_planted import BENCH, load

from netsynth_core.flows.words import Words
from netsynth_core.models.baselines import Hmm
from netsynth_core.models.generator import Level
from netsynth_core.models.registry import Kind, get_kind, kinds


def fit(kind: Kind, words: Words) -> Any:
    """A model of that kind with default parameters."""
    return kind.model_class().fit(words, kind.params_class()(), rng=np.random.default_rng(0))


def scores(model: Any, truth: Planted) -> tuple[float, float, float]:
    """Recall, precision, bits per clean word."""
    if not isinstance(model, Hmm):
        return language(model.automaton, truth)
    bits = model.hidden_bits(Words.from_lists(truth.draw(FRESH, np.random.default_rng(20_261))))
    own = model.sample(FRESH, rng=np.random.default_rng(20_262))
    right = np.mean([truth.accepts(own.names(i)[:LONGEST]) for i in range(FRESH)])
    known = np.isfinite(bits)
    return float(known.mean()), float(right), float(np.where(known, bits, REJECTED_BITS).mean())


def main() -> None:
    """Print one line a file and kind."""
    packet = [kind.name for kind in kinds() if kind.level == Level.PACKET]
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", nargs="*", default=["500", "5k"])
    parser.add_argument("--levels", type=int, nargs="*", default=[0, 5, 10, 20])
    parser.add_argument("--kinds", nargs="*", default=packet, choices=packet)
    asked = parser.parse_args()
    truth = Planted.read(BENCH / "true_automaton.json")
    tiny = Words.from_lists(truth.draw(60, np.random.default_rng(1)))
    print(f"{'file':<18}{'kind':<8}{'loc':>6}{'trans':>7}{'recall':>8}{'prec':>7}{'b/clean':>9}{'b/word':>8}"
          f"{'L(M)':>9}{'CPU s':>8}{'priced/s':>10}")  # fmt: skip
    for name in asked.kinds:
        fit(get_kind(name), tiny).word_bits(tiny)
    for size in asked.sizes:
        for level in asked.levels:
            file, words = load(size, level, truth)[:2]
            for name in asked.kinds:
                begun = time.process_time()
                model = fit(get_kind(name), words)
                spent = time.process_time() - begun
                begun = time.process_time()
                bits = model.word_bits(words)
                speed = len(words) / max(time.process_time() - begun, 1e-9)
                recall, precision, clean = scores(model, truth)
                automaton = model.automaton
                print(
                    f"{file:<18}{name:<8}{len(automaton.locations):>6}{len(automaton.transitions):>7}{recall:>8.3f}"
                    f"{precision:>7.3f}{clean:>9.2f}{bits.mean():>8.2f}{model.describe().codelength.model:>9.0f}"
                    f"{spent:>8.2f}{speed:>10.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
