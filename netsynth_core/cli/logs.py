"""The command on event logs: ``surprise``."""

from pathlib import Path
from typing import Any

import click

from netsynth_core.cli.inputs import PATH, output_file, output_option, read_model
from netsynth_core.cli.output import Output, common_options

SHOWN = 5


@click.command("surprise", epilog="Example: netsynth surprise orders.json sample_data/orders.csv.gz -o surprise.csv")
@click.argument("model_path", metavar="MODEL.json", type=PATH)
@click.argument("log_path", metavar="LOG", type=PATH)
@output_option("SURPRISE.csv|.jsonl", "Where to write the ranking, one line a sequence.")
@click.option(
    "--by",
    type=click.Choice(["surprise", "bits", "per-event"]),
    help="What to rank by. Default: surprise for automata, per-event for other models.",
)
@click.option("--threshold", type=float, metavar="BITS", help="From how many bits on a sequence is an anomaly.")
@click.option(
    "--usual",
    "usual_path",
    metavar="LOG",
    type=PATH,
    help="Without --threshold, by bits or per-event: usual sequences, such as the training log, to take it from.",
)
@click.option(
    "--false-alarms",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="Without --threshold: share of the training (or usual) sequences that may be taken for anomalies.",
)
@click.option("--case", default="", metavar="NAME", help="Column of the case; default: told by its name.")
@click.option("--event", default="", metavar="NAME", help="Column of the event.")
@click.option("--time", default="", metavar="NAME", help="Column of the time; - reads without times.")
@common_options
def surprise_command(
    out: Output,
    model_path: Path,
    log_path: Path,
    output: Path,
    by: str | None,
    threshold: float | None,
    usual_path: Path | None,
    false_alarms: float,
    case: str,
    event: str,
    time: str,
) -> None:
    """Rank the sequences of a log by how surprising a model finds them; say where each leaves it, and why.

    LOG is a table with columns for case, event and perhaps time, a file with one sequence of events a line, or a file
    of timed words. Surprise of x bits: one training sequence in 2**x is so far out, by its events, their order or their
    times, whichever is rarest. Sentences count events from 1; leaves_at and the positions of .jsonl count from 0.

    Only an automaton of TADAM tells surprise, its side, and why; those of tag, rti and markov tell where a sequence
    leaves them; of all kinds there are bits and bits per event.
    """
    from netsynth_core.flows.event_logs import read_event_log
    from netsynth_core.models.generator import Describing
    from netsynth_core.workspace.surprises import detector_of, rank, usual_bits, write_ranking

    output_file(output, (".csv", ".jsonl"))
    model = read_model(model_path)
    log = read_event_log(log_path, case=case, event=event, time=time)
    detector = detector_of(model)
    told = threshold is None and usual_path is None
    if usual_path is not None:
        if threshold is not None or by == "surprise" or (by is None and detector is not None):
            raise click.UsageError("--usual is for --by bits or per-event without --threshold.")
        usual = read_event_log(usual_path, case=case, event=event, time=time).words
        if isinstance(model, Describing):
            order: Any = by or "per-event"
            threshold = usual_bits(model, usual, by=order, false_alarms=false_alarms)
    with out.monitor() as monitor:
        ranking = rank(
            model,
            log.words,
            log.cases,
            detector=detector,
            by=by,  # type: ignore[arg-type]
            threshold=threshold,
            false_alarms=false_alarms,
            monitor=monitor,
        )
    write_ranking(output, ranking)
    notes = out.note([*log.notes, *_lacking(model, detector, ranking.threshold)])
    top = [row.to_json() for row in ranking.rows[:SHOWN]]
    known = None if ranking.threshold is None else ranking.anomalies
    payload = {
        "sequences": len(ranking.rows),
        "by": ranking.by,
        "threshold": ranking.threshold,
        "anomalies": known,
        "top": top,
        "file": str(output),
        "seconds": out.seconds(),
    }
    out.result(payload | ({"notes": notes} if out.as_json else {}), _lines(ranking, output, told=told))


def _lines(ranking: Any, output: Path, *, told: bool) -> list[str]:
    """The result for people; `told`: training words told the threshold."""
    from netsynth_core.units import count

    lines = [f"{count(len(ranking.rows), 'sequence')}, ranked by {ranking.by}, written to {output}"]
    if ranking.threshold is not None:
        # the threshold that training words tell lies a hair above the last of them that is none
        reach = f"beyond {ranking.threshold:.2f} bits" if told else f"of {ranking.threshold:.2f} bits or more"
        lines.append(f"{count(ranking.anomalies, 'sequence')} {reach}")
    for row in ranking.rows[:SHOWN]:
        value = {"surprise": row.surprise, "bits": row.bits, "per-event": row.bits_per_event}[ranking.by]
        why = row.reasons[0].sentence if row.reasons else ""
        called = ", anomaly" if row.anomaly else ""
        lines.append(f"  {row.case}: {value:.2f} bits{called}. {why}".rstrip())
    return lines


def _lacking(model: Any, detector: object, threshold: float | None) -> list[str]:
    """Which columns stay empty, and why."""
    found = []
    if detector is None:
        kind = str(model.kind)
        held = (
            "its training words at hand (the .npz beside it)" if kind == "tadam" else "a model of noise and of rarity"
        )
        found.append(
            f"Only an automaton of TADAM with its training words tells surprise, side and why; this {kind} model "
            f"lacks {held}, so these columns are empty."
        )
    if threshold is None:
        found.append("No sequence is called an anomaly: give --threshold BITS, or --usual with usual sequences.")
    return found
