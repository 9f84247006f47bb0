"""Anomalies in event logs, every learner in one table: ``python tests/benchmarks/log_anomalies.py [log|row ...]``.

Logs: ``hdfs`` learns from ``../shared/data/hdfs/hdfs_train`` and scores ``hdfs_test_normal``, ``hdfs_test_abnormal``;
``timed`` takes the complete blocks of ``timed_hdfs_20000.csv`` with their delays, every other usual one to learn from;
``planted`` makes a log with known anomalies: an event missing, extra, unknown, out of order, once too often, too slow.

Columns: AU-ROC; TPR, FPR and F1 at Youden's threshold (chosen on the labels, so flattering); the same at the threshold
that 0.5 % of held-out training words pass (five folds of the training set: no label, no test word). F1 is for a
prevalence of 2.93 %. CPU seconds are those of one fit and all scores.

Rows: a unigram, the distance to the nearest training count vector and the code of counts, so that nobody is fooled by
an easy task; the bits of every registered kind, per word and per event; then the surprise of TADAM's automata.
"""

import sys
import time
from collections.abc import Callable, Iterator
from csv import DictReader
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import NetsynthError
from netsynth_core.evaluate.anomaly import Calls, au_roc, calls_at, folds, usual_threshold, youden
from netsynth_core.flows.words import Words
from netsynth_core.flows.words_io import read_words
from netsynth_core.models.counts import CountCode
from netsynth_core.models.generator import Describing, Level
from netsynth_core.models.registry import Kind, kinds
from netsynth_core.models.tadam import Tadam
from netsynth_core.models.tadam.surprise import SIDES, Detector

HDFS = Path(__file__).parents[2] / ".." / "shared" / "data" / "hdfs"
PREVALENCE = 0.0293
FALSE_ALARMS = 0.005
FOLDS = 5
SETTINGS = {"tadam": {"max_transitions": 0}}
"""As its help says for anomalies; every other kind at its defaults."""

Floats = NDArray[np.float64]
Scorer = Callable[[Words], dict[str, Floats]]
Learner = Callable[[Words], Scorer]


@dataclass(frozen=True)
class Task:
    """Words to learn from and words to tell apart."""

    name: str
    train: Words
    usual: Words
    anomalous: dict[str, Words]
    """By kind of anomaly; one without a name where there is one kind."""


# -- logs -------------------------------------------------------------------------------------------------------------


def hdfs() -> Iterator[Task]:
    """The sequences of HDFS."""
    train, usual, anomalous = (read_words(HDFS / f"hdfs_{name}") for name in ("train", "test_normal", "test_abnormal"))
    yield Task("HDFS", train, usual, {"": anomalous})


def timed() -> Iterator[Task]:
    """Complete blocks with their seconds between lines."""
    usual, anomalous = [], []
    with (HDFS / "timed_hdfs_20000.csv").open() as file:
        for row in DictReader(file):
            if row["write_complete"] != "1":
                continue
            pairs = [pair.split(":") for pair in row["t_event_pairs"].split()]
            times = [int(pair[0]) for pair in pairs]
            gaps = [0, *(max(b - a, 0) for a, b in pairwise(times))]
            word = [(pair[1], gap) for pair, gap in zip(pairs, gaps, strict=True)]
            (usual if row["label"] == "normal" else anomalous).append(word)
    make = lambda words: Words.from_lists(words, unit="s")  # noqa: E731
    yield Task("HDFS with delays (29 abnormal blocks)", make(usual[::2]), make(usual[1::2]), {"": make(anomalous)})


def order(rng: np.random.Generator) -> list[tuple[str, int]]:
    """An order in a shop: payment and packing side by side, as many items packed as were put in, sometimes returned."""

    def wait(mean: float) -> int:
        return int(rng.lognormal(np.log(mean), 0.4))

    items = int(rng.integers(1, 5))
    word = [("open", 0)] + [("add", wait(20_000)) for _ in range(items)] + [("checkout", wait(60_000))]
    pay = ["pay", *(["retry", "pay"] if rng.random() < 0.15 else [])]
    pack = ["pick"] * items + ["pack"]
    while pay or pack:
        take = pay if rng.random() < len(pay) / (len(pay) + len(pack)) else pack
        word.append((take.pop(0), wait(400_000 if take is pack else 5_000)))
    word += [("ship", wait(3_600_000)), ("deliver", wait(80_000_000))]
    if rng.random() < 0.1:
        word += [("return", wait(200_000_000)), ("refund", wait(4_000_000))]
    return word


def spoilt(kind: str, rng: np.random.Generator) -> list[tuple[str, int]]:
    """An order with one thing wrong."""
    word = order(rng)
    at = int(rng.integers(1, len(word)))
    if kind == "missing":
        del word[[k for k, item in enumerate(word) if item[0] in ("checkout", "pack", "ship")][int(rng.integers(3))]]
    elif kind == "extra":
        word.insert(at, (["ship", "refund", "open"][int(rng.integers(3))], 1_000))
    elif kind == "unknown":
        word.insert(at, ("error", 1_000))
    elif kind == "count":
        word.insert([item[0] for item in word].index("pick"), ("pick", 400_000))
    elif kind == "swapped":
        first = [k for k, item in enumerate(word) if item[0] in ("checkout", "ship")][int(rng.integers(2))]
        word[first - 1], word[first] = word[first], word[first - 1]
    else:
        slow = [k for k, item in enumerate(word) if item[0] in ("checkout", "ship", "deliver")][int(rng.integers(3))]
        word[slow] = (word[slow][0], word[slow][1] * 30)
    return word


def planted() -> Iterator[Task]:
    """A made log."""
    rng = np.random.default_rng(5)
    train = Words.from_lists([order(rng) for _ in range(2000)], unit="us")
    usual = Words.from_lists([order(rng) for _ in range(2000)], unit="us")
    kinds = ("missing", "extra", "unknown", "count", "swapped", "slow")
    wrong = {kind: Words.from_lists([spoilt(kind, rng) for _ in range(400)], unit="us") for kind in kinds}
    yield Task("Orders in a shop", train, usual, wrong)


# -- learners ---------------------------------------------------------------------------------------------------------


def matrix(words: Words, alphabet: tuple[str, ...]) -> NDArray[np.int64]:
    """Counts of each symbol, one column more for those that `alphabet` lacks."""
    from netsynth_core.models.automata.running import recode
    from netsynth_core.models.counts import count_matrix

    return count_matrix(recode(words, alphabet).astype(np.int32), words.offsets, len(alphabet))


def per_event(bits: Floats, words: Words) -> Floats:
    """Bits per event; an empty word counts as one event."""
    return np.asarray(bits / np.maximum(np.diff(words.offsets), 1))


def unigram(train: Words) -> Scorer:
    """Frequencies of single events, half an event added to each and to the unknown one."""
    counts = matrix(train, train.alphabet).sum(axis=0)
    bits = -np.log2((counts + 0.5) / (counts + 0.5).sum())

    def score(words: Words) -> dict[str, Floats]:
        spelt = matrix(words, train.alphabet) @ bits
        return {"unigram, bits per word": spelt, "unigram, bits per event": per_event(spelt, words)}

    return score


def nearest(train: Words) -> Scorer:
    """Distance to the nearest count vector of the training words, over the word's length."""
    seen = np.unique(matrix(train, train.alphabet), axis=0)

    def score(words: Words) -> dict[str, Floats]:
        rows, place = np.unique(matrix(words, train.alphabet), axis=0, return_inverse=True)
        near = np.array([np.abs(seen - row).sum(axis=1).min() for row in rows], np.float64)[place.ravel()]
        return {"nearest count vector": near, "nearest count vector, per event": per_event(near, words)}

    return score


def count_code(train: Words) -> Scorer:
    """The code of counts alone."""
    code = CountCode.learn(matrix(train, train.alphabet))

    def score(words: Words) -> dict[str, Floats]:
        bits = code.bits(matrix(words, train.alphabet))
        return {"code of counts, bits per word": bits, "code of counts, bits per event": per_event(bits, words)}

    return score


def registered(kind: Kind) -> Learner:
    """A registered kind by its bits; an automaton of TADAM by its surprise too."""

    def learn(train: Words) -> Scorer:
        params = kind.params_class().checked(SETTINGS.get(kind.name, {}))
        model = kind.model_class().fit(train, params, rng=np.random.default_rng(0))
        assert isinstance(model, Describing)
        detector = Detector.of(model) if isinstance(model, Tadam) else None

        def score(words: Words) -> dict[str, Floats]:
            bits = model.word_bits(words)
            found = {f"{kind.name}, bits per word": bits, f"{kind.name}, bits per event": per_event(bits, words)}
            if detector is None:
                return found
            scores = detector.score(words)
            found[f"{kind.name}, bits of events and order"] = scores.bits
            found |= {
                f"{kind.name}, surprise of {side}": scores.rarity[side] for side in SIDES if side in detector.tails
            }
            return found | {f"{kind.name}, surprise": scores.surprise}

        return score

    return learn


# -- table ------------------------------------------------------------------------------------------------------------


def run(task: Task, learner: Learner) -> Iterator[str]:
    """One learner's lines."""
    begun = time.process_time()
    scorer = learner(task.train)
    usual = scorer(task.usual)
    anomalous = {kind: scorer(words) for kind, words in task.anomalous.items()}
    seconds = time.process_time() - begun
    held_out: dict[str, Floats] = {name: np.zeros(len(task.train)) for name in usual}
    everything = np.arange(len(task.train))
    for part in folds(len(task.train), FOLDS):
        fold = learner(task.train.take(np.setdiff1d(everything, part)))
        for name, scores in fold(task.train.take(part)).items():
            held_out[name][part] = scores
    for kind, found in anomalous.items():
        for name in usual:
            area, best = au_roc(usual[name], found[name]), youden(usual[name], found[name])
            honest = calls_at(usual[name], found[name], usual_threshold(held_out[name], FALSE_ALARMS))
            label = f"{name} [{kind}]" if kind else name
            yield f"| {label} | {area:.4f} | {cells(best)} | {cells(honest)} | {seconds:.1f} |"


def cells(calls: Calls) -> str:
    """TPR, FPR and F1."""
    return f"{calls.tpr:.3f} | {calls.fpr:.4f} | {calls.f1(PREVALENCE):.3f}"


def main(names: list[str]) -> None:
    """Print the tables of these tasks; names of kinds after them limit the rows."""
    makers = {"hdfs": hdfs, "timed": timed, "planted": planted}
    chosen = [name for name in names if name in makers] or list(makers)
    wanted = {name for name in names if name not in makers}
    learners: dict[str, Learner] = {"unigram": unigram, "nearest": nearest, "counts": count_code}
    learners |= {kind.name: registered(kind) for kind in kinds() if kind.level is Level.PACKET}
    head = "| score | AU-ROC | TPR | FPR | F1 | TPR honest | FPR honest | F1 honest | CPU s |"
    for task in (task for name in chosen for task in makers[name]()):
        wrong = ", ".join(f"{len(words)} {kind or 'anomalous'}" for kind, words in task.anomalous.items())
        sizes = f"{len(task.train)} to learn from, {len(task.usual)} usual, {wrong}"
        print(f"\n{task.name}: {sizes}\n\n{head}\n|{' --- |' * 9}", flush=True)
        for name, learner in learners.items():
            if wanted and name not in wanted:
                continue
            try:
                for line in run(task, learner):
                    print(line, flush=True)
            except NetsynthError as error:
                print(f"| {name} | {error.message} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
