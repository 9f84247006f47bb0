"""The steps of the work, on values: the only code that joins all floors.

Commands call these on files, `doing` on artefacts. Each takes a monitor and returns a result type; none writes a file
unless its name says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from netsynth_core.errors import InvalidParameter, NotEnoughData, UnknownFormat
from netsynth_core.files import require_file
from netsynth_core.models.generator import Generator, Level
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.units import count, format_number
from netsynth_core.workspace.contents import group_name
from netsynth_core.workspace.groups import join_words

if TYPE_CHECKING:
    from netsynth_core.evaluate import Report
    from netsynth_core.flows.source import FlowSource
    from netsynth_core.flows.table import FlowTable
    from netsynth_core.flows.words import Words
    from netsynth_core.forge.report import ForgeReport

AnyModel = Generator[Any, Any, Any]
MOST_TABLE = 50_000_000
"""Flows of one table in memory."""


def words_of_file(path: Path) -> "Words":
    """The words of a word file, a file of event sequences, or an event log whose columns are told by their names.

    Raises
    ------
    UnknownFormat
        When the file is a flow table, whose lines would otherwise be taken for events.
    SchemaError
        When it is an event log whose columns do not tell case or event.
    """
    from netsynth_core.capture.records import read_head
    from netsynth_core.flows.event_logs import looks_like_event_log, read_event_log, refuse_unnamed
    from netsynth_core.flows.table import COLUMNS
    from netsynth_core.flows.words_io import read_words

    head = read_head(require_file(path)).decode("utf-8", errors="replace").lstrip("\ufeff")
    names = {name.strip().strip('"').lower() for name in head.split("\n", 1)[0].split(",")}
    if len(names & set(COLUMNS)) >= 3:
        raise UnknownFormat(
            f"{path} is a flow table; timed words are needed.",
            hint="Give a word file (netsynth words makes them of a capture), or the capture with --service.",
        )
    if looks_like_event_log(head):
        return read_event_log(path).words
    refuse_unnamed(head, str(path))
    return read_words(path)


def words_of_path(
    path: Path, *, service: str | None = None, state: str | None = None, monitor: Monitor = SILENT
) -> "Words":
    """Words to learn from: a word file, or the conversations of one service (and state) of a capture.

    Raises
    ------
    NotEnoughData
        When no conversation is of that service and state.
    InvalidParameter
        When a capture holds several services and none was named.
    """
    return words_and_source(path, service=service, state=state, monitor=monitor)[0]


def words_and_source(
    path: Path, *, service: str | None = None, state: str | None = None, monitor: Monitor = SILENT
) -> "tuple[Words, FlowSource | None]":
    """`words_of_path`, and what was read of a capture; None for a word file."""
    from netsynth_core.capture.records import is_capture, read_head

    if not is_capture(read_head(require_file(path))):
        return words_of_file(path), None
    from netsynth_core.flows.extraction import extract_words
    from netsynth_core.flows.source import read_flows

    source = read_flows([path], monitor=monitor)
    assert source.packets is not None and source.metered is not None
    groups = extract_words(source.packets, source.metered)
    if not groups:
        raise NotEnoughData(f"{path} holds no conversation.", hint="Give a capture with IP packets.")
    counts: dict[str, int] = {}
    for words in groups:
        counts[group_name(words.service, words.state)] = len(words)
    listing = ", ".join(f"{name} ({n})" for name, n in sorted(counts.items(), key=lambda item: -item[1])[:12])
    chosen = [w for w in groups if service in (None, w.service) and state in (None, w.state)]
    if not chosen:
        wanted = group_name(service or "any service", state or "")
        raise NotEnoughData(f"{path} has no conversation of {wanted}.", hint=f"It has: {listing}.")
    if len({words.service for words in chosen}) > 1:
        raise InvalidParameter(
            f"{path} holds several services: {listing}.", hint="Name one with --service (and --state)."
        )
    return join_words(chosen, service=chosen[0].service, state=chosen[0].state if len(chosen) == 1 else ""), source


def sample_model(
    model: AnyModel,
    n: int | None = None,
    *,
    duration_ns: int | None = None,
    start_ns: int | None = None,
    seed: int,
    monitor: Monitor = SILENT,
) -> "FlowTable | Words":
    """Draw from a model: `n` flows or words, or the flows of a stretch of time.

    Parameters
    ----------
    duration_ns
        For flow-level models: the flows of so much time. Without `n` as many as the real traffic had in that time.
    start_ns
        Where the stretch of time begins, ns since the epoch; None = where the model puts it.

    Raises
    ------
    InvalidParameter
        When neither `n` nor `duration_ns` is given, or the model cannot be asked for a time.
    """
    if model.level is not Level.PACKET:
        return _joined(stream_model(model, n, duration_ns=duration_ns, start_ns=start_ns, seed=seed, monitor=monitor))
    if n is None or duration_ns is not None or start_ns is not None:
        raise InvalidParameter(
            "A packet-level model draws words, which have no place in time.", hint="Give -n N, without times."
        )
    words: Words = model.sample(n, rng=np.random.default_rng(seed), monitor=monitor)
    return words


def stream_model(
    model: AnyModel,
    n: int | None = None,
    *,
    duration_ns: int | None = None,
    start_ns: int | None = None,
    seed: int,
    monitor: Monitor = SILENT,
) -> "Iterator[FlowTable]":
    """Draw from a flow-level model, as tables of successive times where its kind can; see `sample_model`."""
    if n is None and duration_ns is None:
        raise InvalidParameter("Say how much to draw: a number or a duration.", hint="Give -n N or --duration D.")
    rng = np.random.default_rng(seed)
    if hasattr(model, "stream"):
        return iter(model.stream(n, duration_ns, start_ns, rng=rng, monitor=monitor))
    if duration_ns is not None or n is None:
        raise InvalidParameter(
            f"Models of the kind {model.kind} draw by number only.", hint="Give -n N, without a duration."
        )
    return iter([_moved(model.sample(n, rng=rng, monitor=monitor), start_ns)])


def _joined(tables: "Iterator[FlowTable]") -> "FlowTable":
    from netsynth_core.flows.table import FlowTable

    frames = []
    for table in tables:
        frames.append(table.frame)
        if sum(map(len, frames)) > MOST_TABLE:
            raise InvalidParameter(
                f"More than {format_number(MOST_TABLE)} flows are too many for one table.",
                hint="Ask for fewer, or write them with netsynth sample, which needs no table.",
            )
    return FlowTable(frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True))


def _moved(flows: "FlowTable", start_ns: int | None) -> "FlowTable":
    """The flows with the first one beginning at `start_ns`."""
    from netsynth_core.flows.table import FlowTable

    if start_ns is None or not len(flows):
        return flows
    ts = flows.frame["ts"]
    return FlowTable(flows.frame.assign(ts=ts + (start_ns - int(ts.iloc[0]))))


def compare(
    real: "FlowTable",
    synthetic: "FlowTable",
    *,
    holdout: "FlowTable | None" = None,
    patterns: AnyModel | None = None,
    seed: int,
    monitor: Monitor = SILENT,
) -> "Report":
    """Measure synthetic flows against real ones (`netsynth_core.evaluate.evaluate`).

    Parameters
    ----------
    patterns
        A flow-level model whose patterns are compared too; one that has none is passed over.

    Raises
    ------
    NotEnoughData
        When a table holds no flow.
    """
    from netsynth_core.evaluate import evaluate

    for name, table in (("real", real), ("synthetic", synthetic), ("hold-out", holdout)):
        if table is not None and not len(table):
            raise NotEnoughData(f"The {name} table holds no flow.", hint="Give tables with flows in them.")
    finder: Any = patterns if hasattr(patterns, "windows") else None
    rng = np.random.default_rng(seed)
    return evaluate(real, synthetic, holdout=holdout, patterns=finder, rng=rng, monitor=monitor)


def report_page(
    report: "Report", real: "FlowTable", synthetic: "FlowTable", *, provenance: Mapping[str, Any] | None = None
) -> str:
    """The report as one HTML page that needs nothing else: every metric, and the figures beneath them.

    Parameters
    ----------
    provenance
        What was compared: names, hashes, seed; shown as it is.
    """
    from netsynth_core.plots.report import report_html, standard_figures

    return report_html(report, standard_figures(real, synthetic, report), provenance=provenance)


def forge_account(report: "ForgeReport") -> dict[str, Any]:
    """What became of the flows: from automata, by default rules, left out and why; and the same as a sentence."""
    left_out, total = report.left_out, report.asked
    by_default = report.flows - report.drawn
    sentence = (
        f"{format_number(report.flows)} of {count(total, 'flow')}: {format_number(report.drawn)} from automata, "
        f"{format_number(by_default)} by default rules; {format_number(total - report.flows)} left out"
    )
    if left_out:
        ranked = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
        sentence += ": " + ", ".join(f"{reason} ({format_number(number)})" for reason, number in ranked)
    return {"drawn": report.drawn, "by_default": by_default, "left_out": left_out, "account": sentence + "."}


def forge_flows(
    flows: "FlowTable",
    models: Sequence[AnyModel],
    *,
    path: Path,
    seed: int,
    replay: bool = False,
    monitor: Monitor = SILENT,
) -> "ForgeReport":
    """Forge a capture from flows (`netsynth_core.forge.forge_capture`).

    Parameters
    ----------
    replay
        Whether packets repeat the payloads that models store.

    Raises
    ------
    InvalidParameter
        When a model is not of packet level.
    """
    from netsynth_core.forge.forge import forge_capture

    for model in models:
        if model.level is not Level.PACKET:
            raise InvalidParameter(
                f"Models of the kind {model.kind} make flows, not words.",
                hint="Forge with packet-level models, such as tadam.",
            )
    speakers: Any = list(models)
    rng = np.random.default_rng(seed)
    return forge_capture(flows, speakers, path=path, rng=rng, replay=replay, monitor=monitor)
