"""Learning: one model, or one automaton per group of conversations, two groups at a time.

The groups are learnt in child processes when there is enough to do; each group's result depends on its own words and
the seed alone, so that it is the same however many processes there are.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netsynth_core.errors import NetsynthError, NotEnoughData
from netsynth_core.models.document import Document
from netsynth_core.models.generator import Generator
from netsynth_core.models.registry import get_kind, load_model
from netsynth_core.monitor import SILENT, Monitor, stopping
from netsynth_core.workspace.contents import group_name

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

    from netsynth_core.capture.packets import PacketTable
    from netsynth_core.flows.metering import Metered
    from netsynth_core.flows.table import FlowTable
    from netsynth_core.flows.words import Words

AnyModel = Generator[Any, Any, Any]
Settings = Mapping[str, Any] | Sequence[str]

PROCESSES: Final = 2
"""Most groups learnt at once: more would not help on the two cores of a small machine."""
WORTH_SYMBOLS: Final = 20_000
"""Symbols in all groups from which starting child processes pays."""
LOOK_EVERY_S: Final = 0.2


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model and what learning it took."""

    name: str
    """Of the group it learnt from, such as ``http/SF``; ``flows`` for a flow-level model."""
    model: AnyModel
    document: Document
    """With seed and seconds in its card."""
    seconds: float

    def summary(self) -> dict[str, Any]:
        """Kind, seconds, codelength and the figures of size."""
        card = self.model.describe()
        return {
            "kind": card.kind,
            "seconds": self.seconds,
            "codelength": card.codelength.to_json(),
            **card.size,
            "warnings": list(card.warnings),
        }


def fit_model(
    kind: str,
    data: "FlowTable | Words",
    settings: Mapping[str, Any] | Sequence[str] = (),
    *,
    seed: int,
    name: str = "",
    monitor: Monitor = SILENT,
) -> Fitted:
    """Learn one model of a registered kind.

    Parameters
    ----------
    settings
        Parameters by name, or texts ``name=value``.

    Raises
    ------
    InvalidParameter
        When the kind or a setting is unknown or out of range.
    NotEnoughData
        When nothing can be learnt from the data.
    """
    entry = get_kind(kind)
    schema = entry.params_class()
    params = schema.checked(dict(settings)) if isinstance(settings, Mapping) else schema.from_settings(settings)
    begun = time.monotonic()
    model = entry.model_class().fit(data, params, rng=np.random.default_rng(seed), monitor=monitor)
    seconds = round(time.monotonic() - begun, 3)
    document = model.to_document()
    document = replace(document, card={**document.card, "seed": seed, "seconds": seconds})
    return Fitted(name or entry.level.value, model, document, seconds)


def with_payloads(
    fitted: Fitted, words: "Words", packets: "PacketTable", metered: "Metered", *, keep: str = "templates"
) -> Fitted:
    """The model with what its transitions carry, learnt from the packets behind its words.

    Unchanged where the kind explains no words by transitions, or the words do not say which flows they are of.

    Parameters
    ----------
    keep
        One of `netsynth_core.models.automata.payloads.KEEPS`.
    """
    from netsynth_core.flows.word_payloads import payload_source
    from netsynth_core.models.automata.payloads import NOTHING, learn_payloads

    model: Any = fitted.model
    if keep == NOTHING or words.flow_rows is None or not (hasattr(model, "align") and hasattr(model, "payloads")):
        return fitted
    source = payload_source(packets, metered, words)
    if source is None:
        return fitted
    model = replace(model, payloads=learn_payloads(model, words, source, keep=keep))
    document = replace(fitted.document, arrays=model.to_document().arrays)
    return replace(fitted, model=model, document=document)


@dataclass
class _Within:
    """A monitor that says which of several parts is at work."""

    monitor: Monitor
    part: str

    def step(self, phase: str, done: int, total: int | None = None, **facts: object) -> None:
        self.monitor.step(f"{self.part}: {phase}", done, total, **facts)

    @property
    def stopping(self) -> bool:
        """What the monitor inside says."""
        return stopping(self.monitor)


def within(monitor: Monitor, part: str) -> Monitor:
    """The monitor with `part` before every phase."""
    return _Within(monitor, part)


def fit_automata(
    groups: "Sequence[Words]",
    settings: Settings = (),
    *,
    seed: int,
    kind: str = "tadam",
    processes: int | None = None,
    monitor: Monitor = SILENT,
) -> list[Fitted]:
    """Learn one packet-level model per group; the results are in the order of the groups.

    Parameters
    ----------
    processes
        How many groups to learn at once; None = `PROCESSES` when there is enough to do, else 1.
    """
    found = dict(fit_each(groups, settings, seed=seed, kind=kind, processes=processes, monitor=monitor))
    return [found[place] for place in range(len(groups))]


def fit_each(
    groups: "Sequence[Words]",
    settings: Settings = (),
    *,
    seed: int,
    kind: str = "tadam",
    processes: int | None = None,
    monitor: Monitor = SILENT,
) -> Iterator[tuple[int, Fitted]]:
    """`fit_automata`, each with its place among the groups as soon as it is learnt."""
    if processes is None:
        enough = sum(len(words.symbols) for words in groups) >= WORTH_SYMBOLS
        processes = min(PROCESSES, os.cpu_count() or 1) if enough else 1
    if min(processes, len(groups)) > 1:
        yield from _fit_beside(groups, settings, seed, kind, processes, monitor)
        return
    for place, words in enumerate(groups):
        name = group_name(words.service, words.state)
        part = within(monitor, f"automaton {place + 1} of {len(groups)}, {name}")
        part.step("starting", 0)
        yield place, fit_model(kind, words, settings, seed=seed, name=name, monitor=part)


def _fit_beside(
    groups: "Sequence[Words]", settings: Settings, seed: int, kind: str, processes: int, monitor: Monitor
) -> Iterator[tuple[int, Fitted]]:
    """Groups in child processes, the largest first."""
    order = sorted(range(len(groups)), key=lambda place: -len(groups[place].symbols))
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(
        min(processes, len(groups)), mp_context=context, initializer=_serve, initargs=(os.getpid(), stop)
    )
    plain = dict(settings) if isinstance(settings, Mapping) else list(settings)
    waiting: dict[Future[_Answer], int] = {}
    try:
        for place in order:
            waiting[pool.submit(_learn, kind, groups[place], plain, seed)] = place
        while waiting:
            done, _ = wait(waiting, timeout=LOOK_EVERY_S, return_when=FIRST_COMPLETED)
            at_work = [place for place in order if place in waiting.values()][:processes]
            names = ", ".join(group_name(groups[i].service, groups[i].state) for i in at_work)
            monitor.step("learning automata", len(groups) - len(waiting), len(groups), now=names)
            if stopping(monitor):
                stop.set()
            for future in sorted(done, key=lambda f: waiting[f]):
                place = waiting.pop(future)
                yield place, _fitted(future.result(), group_name(groups[place].service, groups[place].state))
    except BrokenProcessPool as error:
        raise NotEnoughData(
            "A process that learnt an automaton ended without a result.",
            hint="It was killed or ran out of memory: close other programs, or learn from a shorter capture.",
        ) from error
    finally:
        pool.shutdown(wait=not waiting, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()


@dataclass(frozen=True)
class _Answer:
    """What a child process sends back: a document, or what the user can mend."""

    document: Document | None
    seconds: float = 0.0
    error: tuple[type[NetsynthError], str, str] | None = None


class _Listening:
    """The monitor of a child process: silent, and asked to stop when the parent is."""

    asked: "Event | None" = None

    def step(self, phase: str, done: int, total: int | None = None, **facts: object) -> None:
        """Nobody watches a single group."""

    @property
    def stopping(self) -> bool:
        """Whether the parent wants the best so far."""
        return self.asked is not None and self.asked.is_set()


_LISTENING: Final = _Listening()


def _serve(parent: int, stop: "Event") -> None:
    """Listen to the wish to stop, leave Ctrl-C to the parent, and end when it has died."""
    _LISTENING.asked = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _learn(kind: str, words: "Words", settings: Settings, seed: int) -> _Answer:
    try:
        fitted = fit_model(kind, words, settings, seed=seed, monitor=_LISTENING)
    except NetsynthError as error:
        return _Answer(None, error=(type(error), error.message, error.hint))
    return _Answer(fitted.document, fitted.seconds)


def _fitted(answer: _Answer, name: str) -> Fitted:
    if answer.error is not None:
        child, message, hint = answer.error
        raise child(f"{name}: {message}", hint=hint)
    assert answer.document is not None
    return Fitted(name, load_model(answer.document), answer.document, answer.seconds)
