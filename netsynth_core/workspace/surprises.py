"""Sequences ranked by how surprising a model finds them: what the command writes and the page shows."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from netsynth_core.errors import InvalidParameter, NotEnoughData
from netsynth_core.files import write_text
from netsynth_core.models.generator import Describing
from netsynth_core.models.tadam import Tadam
from netsynth_core.models.tadam.tracing import leaving, trace
from netsynth_core.monitor import SILENT, Monitor

if TYPE_CHECKING:
    from netsynth_core.flows.words import Words
    from netsynth_core.models.tadam.surprise import Detector, Reason, Scores

By = Literal["surprise", "bits", "per-event"]
FALSE_ALARMS = 0.01
"""Share of usual sequences that may be taken for anomalies, unless another is asked for."""
COLUMNS = (
    *("rank", "case", "word", "events", "surprise", "bits", "bits_per_event", "anomaly", "side", "leaves_at"),
    *("leaves_from", "why"),
)


@dataclass(frozen=True)
class Ranked:
    """One sequence and why it stands where it does."""

    word: int
    case: str
    events: int
    bits: float
    """Of the cheapest explanation."""
    surprise: float | None
    """Rarity of its rarest side, bits; None for models that know no sides."""
    side: str
    """The rarest side: events, order or times; empty when there is none."""
    rarity: dict[str, float] = field(default_factory=dict)
    """Bits of each side."""
    leaves_at: int | None = None
    """Event where it first leaves the automaton; its length = at the end; None when it does not."""
    leaves_from: str = ""
    """Location it leaves."""
    explained: bool = True
    """Whether a path of the automaton explains it, with whatever noise."""
    reasons: "tuple[Reason, ...]" = ()
    anomaly: bool | None = None
    """Whether it reaches the threshold; None without one."""

    @property
    def bits_per_event(self) -> float:
        """Bits over the number of events; an empty sequence counts as one event."""
        return self.bits / max(self.events, 1)

    def to_json(self) -> dict[str, Any]:
        """The columns of the table, reasons in full."""
        return {
            "case": self.case,
            "word": self.word,
            "events": self.events,
            "surprise": _rounded(self.surprise),
            "bits": _rounded(self.bits),
            "bits_per_event": _rounded(self.bits_per_event),
            "anomaly": self.anomaly,
            "side": self.side,
            "sides": {name: _rounded(bits) for name, bits in self.rarity.items()},
            "leaves_at": self.leaves_at,
            "leaves_from": self.leaves_from,
            "explained": self.explained,
            "reasons": [
                {"side": r.side, "event": r.symbol, "position": r.position, "bits": _rounded(r.bits), "why": r.sentence}
                for r in self.reasons
            ],
        }


@dataclass(frozen=True)
class Ranking:
    """All sequences, the most surprising first."""

    rows: tuple[Ranked, ...]
    by: By
    threshold: float | None
    """In bits of `by`; None when there is none."""

    @property
    def anomalies(self) -> int:
        """Sequences that reach the threshold."""
        return sum(row.anomaly is True for row in self.rows)


def detector_of(model: Any) -> "Detector | None":
    """The detector of an automaton with its training words; None for other models."""
    from netsynth_core.models.tadam.surprise import Detector

    held = isinstance(model, Tadam) and model.observations is not None and len(model.observations)
    return Detector.of(model) if held else None


def usual_bits(model: Describing, words: "Words", *, by: By, false_alarms: float = FALSE_ALARMS) -> float:
    """The threshold of a model without a detector: the least value (of `by`) that few enough of `words` reach.

    Parameters
    ----------
    words
        What the model learnt from.
    by
        ``bits`` or ``per-event``.
    false_alarms
        Largest share of them that may reach it; beyond all of them where equal values leave no other.
    """
    bits = np.asarray(model.word_bits(words), np.float64)
    value = np.sort(bits if by == "bits" else bits / np.maximum(np.diff(words.offsets), 1))
    if not len(value):
        return 0.0
    reach = len(value) - np.searchsorted(value, value, side="left")
    few = value[reach <= false_alarms * len(value)]
    return float(few[0] if len(few) else np.nextafter(value[-1], np.inf))


def rank(
    model: Any,
    words: "Words",
    cases: Sequence[str] = (),
    *,
    detector: "Detector | None",
    by: By | None = None,
    threshold: float | None = None,
    false_alarms: float = FALSE_ALARMS,
    explained: int | None = None,
    monitor: Monitor = SILENT,
) -> Ranking:
    """Rank sequences.

    Parameters
    ----------
    cases
        Their names; by number when empty.
    detector
        `detector_of` the model.
    by
        What to rank by; None = surprise where there is a detector, else bits per event.
    threshold
        From how many bits (of `by`) on a sequence is an anomaly; None = as many as `false_alarms` of the training words
        reach, where there is a detector and `by` is the surprise.
    explained
        How many get reasons, from the top; None = all.

    Raises
    ------
    NotEnoughData
        When there is no sequence.
    InvalidParameter
        When the model cannot be asked for that.
    """
    if not isinstance(model, Describing):
        raise InvalidParameter(
            f"Models of the kind {getattr(model, 'kind', '')} price no sequences.",
            hint="Name a packet-level model, such as tadam.",
        )
    by = by or ("surprise" if detector is not None else "per-event")
    if by not in get_args(By):
        raise InvalidParameter(f"There is no order by {by!r}.", hint=f"Order by {', '.join(get_args(By))}.")
    if by == "surprise" and detector is None:
        raise InvalidParameter(
            "Surprise is told by an automaton of TADAM with its training words at hand.",
            hint="Keep its .npz beside its .json, or rank by bits or per-event.",
        )
    if not len(words):
        raise NotEnoughData("There is no sequence to rank.", hint="Write one sequence a line.")
    monitor.step("pricing sequences", 0, len(words))
    scores = None if detector is None else detector.score(words)
    bits = np.asarray(model.word_bits(words), np.float64)
    events = np.diff(words.offsets)
    value = bits if by == "bits" else bits / np.maximum(events, 1)
    if by == "surprise" and scores is not None and detector is not None:
        value = scores.surprise
        threshold = detector.threshold(false_alarms) if threshold is None else threshold
    order = np.lexsort((-bits, -value))
    rows = _rows(model, words, cases, order, bits, scores, detector, explained)
    called = [None if threshold is None else bool(value[word] >= threshold) for word in order]
    monitor.step("pricing sequences", len(words), len(words))
    return Ranking(tuple(_called(row, is_one) for row, is_one in zip(rows, called, strict=True)), by, threshold)


def _called(row: Ranked, anomaly: bool | None) -> Ranked:
    from dataclasses import replace

    return row if anomaly is None else replace(row, anomaly=anomaly)


def _rows(
    model: Any,
    words: "Words",
    cases: Sequence[str],
    order: Any,
    bits: Any,
    scores: "Scores | None",
    detector: "Detector | None",
    explained: int | None,
) -> Iterable[Ranked]:
    from netsynth_core.models.automata.running import departures
    from netsynth_core.models.baselines.rival import AutomatonRival

    aligned = model.align(words) if isinstance(model, Tadam) else None
    # without a model of noise every difference leaves the automaton, and the first one tells where
    left = departures(model.automaton, words) if isinstance(model, AutomatonRival) else None
    surprise = None if scores is None else scores.surprise
    for place, word in enumerate(order.tolist()):
        names = len(words[word].symbols)
        away = None
        if aligned is not None:
            away = leaving(trace(model.automaton, aligned[word], names))
        at = None if aligned is None or away is None else aligned[word].ops[0].position
        before = "" if away is None else away.before
        if left is not None:
            at, before = left[word] or (None, "")
        told = scores is not None and detector is not None and (explained is None or place < explained)
        yield Ranked(
            word=word,
            case=cases[word] if cases else str(word),
            events=names,
            bits=float(bits[word]),
            surprise=None if surprise is None else float(surprise[word]),
            side="" if scores is None else scores.rarest(word),
            rarity={} if scores is None else {side: float(scores.rarity[side][word]) for side in scores.rarity},
            leaves_at=at,
            leaves_from=before,
            explained=aligned is None or aligned[word].accepted,
            reasons=detector.reasons(words, word, scores) if told else (),  # type: ignore[union-attr,arg-type]
        )


@dataclass(frozen=True)
class EventFacts:
    """One event of a sequence, and what the automaton made of it."""

    position: int
    event: str
    """``$`` for the end."""
    delay: int
    """Time since the event before, in the unit of the words."""
    excess: float
    """Bits of event and delay above what was expected there."""
    location: str
    """Id of the location it comes at."""
    transition: str
    """Id of the transition it takes; empty when it takes none."""
    remark: str
    """How it differs from the automaton; empty when it does not."""


_REMARKS = {
    "deletion": "an event is missing before it",
    "re-emission": "comes twice",
    "transposition": "swapped with its neighbour",
    "addition": "the automaton has no such step here",
}


def facts_of(model: Any, detector: "Detector", words: "Words", word: int) -> list[EventFacts]:
    """Every event of one sequence and its end."""
    one = words.take(np.array([word]))
    scores = detector.score(one)
    steps = scores.steps
    excess = steps.bits - steps.expected + steps.delay_bits - steps.delay_expected
    names = [*one.names(0), "$"]
    delays = [*one[0].delays.tolist(), 0]
    walked = trace(model.automaton, model.align(one)[0], len(names) - 1)
    at = {step.position: step for step in walked if step.position is not None}
    gone: set[int] = set()
    for before, after in pairwise(walked):
        if before.op == "deletion" and after.position is not None:
            gone.add(after.position)
    found = []
    for position, name in enumerate(names):
        step = at.get(position)
        kinds = [*(["deletion"] if position in gone else []), *([step.op] if step is not None and step.op else [])]
        remark = "; ".join(_REMARKS[kind] for kind in kinds) if walked else "no path explains the sequence"
        place, way = (step.before, step.transition or "") if step is not None else ("", "")
        found.append(EventFacts(position, name, delays[position], float(excess[position]), place, way, remark))
    return found


def table_text(ranking: Ranking) -> str:
    """The ranking as CSV, one line a sequence, reasons joined."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for place, row in enumerate(ranking.rows, 1):
        held = row.to_json()
        held |= {"rank": place, "why": " ".join(r.sentence for r in row.reasons)}
        writer.writerow(["" if held[name] is None else held[name] for name in COLUMNS])
    return out.getvalue()


def write_ranking(path: Path, ranking: Ranking) -> None:
    """Write a ranking as CSV, or as JSON lines where the name ends so."""
    if path.name.lower().endswith(".jsonl"):
        lines = [json.dumps({"rank": k, **row.to_json()}, ensure_ascii=False) for k, row in enumerate(ranking.rows, 1)]
        write_text(path, "\n".join(lines) + "\n")
    else:
        write_text(path, table_text(ranking))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)
