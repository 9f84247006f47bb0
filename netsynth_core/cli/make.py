"""Commands that make traffic and judge it: ``sample``, ``forge``, ``evaluate``, ``generate``."""

from pathlib import Path

import click

from netsynth_core.cli.inputs import PATH, TABLE_ENDINGS, new_folder, output_file, output_option, read_model
from netsynth_core.cli.output import Output, common_options, seed_option
from netsynth_core.errors import NotEnoughData, StorageError


@click.command("sample", epilog="Example: netsynth sample patterns.json -n 2000 -o synthetic.csv")
@click.argument("model_path", metavar="MODEL.json", type=PATH)
@click.option("-n", "count", type=click.IntRange(min=1, max=1_000_000_000), help="How many flows or words.")
@click.option("--duration", help="Instead: flows of this much time at the real rate, such as 90s, 5m, 1h.")
@click.option("--start", help="When the first flow starts: Unix seconds or ISO 8601.")
@output_option("FILE", "Flows: .csv, .csv.gz or .parquet; words: any name.")
@seed_option
@common_options
def sample_command(
    out: Output,
    model_path: Path,
    count: int | None,
    duration: str | None,
    start: str | None,
    output: Path,
    seed: int,
) -> None:
    """Draw synthetic flows or words from a model."""
    from netsynth_core.models.generator import Level
    from netsynth_core.units import parse_duration, parse_instant
    from netsynth_core.workspace.steps import sample_model

    if (count is None) == (duration is None):
        raise click.UsageError("Give either -n N or --duration D.")
    duration_ns = parse_duration(duration) if duration is not None else None
    start_ns = parse_instant(start) if start is not None else None
    model = read_model(model_path)
    output_file(output, TABLE_ENDINGS if model.level is Level.FLOW else ())
    with out.monitor() as monitor:
        begun = out.seconds()
        made = sample_model(model, count, duration_ns=duration_ns, start_ns=start_ns, seed=seed, monitor=monitor)
        seconds = max(out.seconds() - begun, 1e-3)
        if model.level is Level.FLOW:
            from netsynth_core.flows.table_io import write_flow_table

            write_flow_table(output, made)  # type: ignore[arg-type]
        else:
            from netsynth_core.flows.words_io import write_words

            write_words(output, made)  # type: ignore[arg-type]
    out.result(
        {
            "rows": len(made),
            "seconds": round(seconds, 3),
            "rows_per_second": round(len(made) / seconds, 1),
            "seed": seed,
            "file": str(output),
        }
    )


@click.command("forge", epilog="Example: netsynth forge --flows synthetic.csv --words-model models -o synthetic.pcap")
@click.option("--flows", "flows_path", required=True, metavar="FLOWS", type=PATH, help="A flow table.")
@click.option(
    "--words-model",
    "models",
    multiple=True,
    required=True,
    metavar="DIR|MODEL",
    type=PATH,
    help="A packet-level model, or a folder of them. Repeatable; further ones may follow without the option.",
)
@click.argument("more", nargs=-1, metavar="[MODEL]...", type=PATH)
@output_option("OUT.pcap", "Where to write the capture.")
@seed_option
@common_options
def forge_command(
    out: Output, flows_path: Path, models: tuple[Path, ...], more: tuple[Path, ...], output: Path, seed: int
) -> None:
    """Make packets for each flow, from the automaton of its service and state, with right checksums and lengths."""
    from netsynth_core.flows.source import read_flows
    from netsynth_core.units import count, format_bytes, format_duration
    from netsynth_core.workspace.steps import forge_account, forge_flows

    output_file(output, (".pcap",))
    words_models = [read_model(path) for path in _model_files([*models, *more])]
    with out.monitor() as monitor:
        flows = read_flows([flows_path], monitor=monitor).flows
        report = forge_flows(flows, words_models, path=output, seed=seed, monitor=monitor)
    seconds = max(report.seconds, 1e-3)
    account = forge_account(report)
    out.result(
        {
            "packets": report.packets,
            "bytes": report.bytes,
            "flows": report.flows,
            "seconds": round(report.seconds, 3),
            "bytes_per_second": round(report.bytes / seconds, 1),
            "fallbacks": report.fallbacks,
            **account,
            "notes": list(report.notes),
            "file": str(output),
        },
        [
            f"forged {account['account']}",
            f"{count(report.packets, 'packet')}, {format_bytes(report.bytes)}, in {format_duration(seconds * 1e9)}",
            *(f"note: {note}" for note in report.notes),
            f"written to {output}",
        ],
    )


def _model_files(paths: list[Path]) -> list[Path]:
    """The model documents of files and folders; other JSON files in a folder are passed over by their format."""
    from netsynth_core.models.document import read_document
    from netsynth_core.models.generator import Level
    from netsynth_core.models.registry import get_kind

    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        held = sorted(path.glob("*.json"))
        inside = [file for file in held if get_kind(read_document(file).kind).level is Level.PACKET]
        if not inside:
            raise StorageError(
                f"{path} holds no packet-level model.", hint="Name a folder of models from netsynth fit."
            )
        found += inside
    return found


@click.command(
    "evaluate", epilog="Example: netsynth evaluate --real flows.csv --synthetic synthetic.csv -o report.html"
)
@click.option("--real", required=True, metavar="FLOWS", type=PATH, help="What the model learnt from.")
@click.option("--synthetic", required=True, metavar="FLOWS", type=PATH, help="What it made.")
@click.option("--holdout", metavar="FLOWS", type=PATH, help="Real flows it never saw: the floor is measured on them.")
@click.option("--patterns", metavar="MODEL.json", type=PATH, help="A flow-level model, to compare its patterns.")
@output_option("REPORT", "Where to write: .json or .html.")
@seed_option
@common_options
def evaluate_command(
    out: Output, real: Path, synthetic: Path, holdout: Path | None, patterns: Path | None, output: Path, seed: int
) -> None:
    """Measure synthetic flows against real ones; every metric beside its noise floor."""
    from netsynth_core.files import write_text
    from netsynth_core.flows.source import read_flows
    from netsynth_core.workspace.steps import compare, report_page

    output_file(output, (".json", ".html"))
    with out.monitor() as monitor:
        tables = [read_flows([path], monitor=monitor).flows for path in (real, synthetic)]
        held = read_flows([holdout], monitor=monitor).flows if holdout is not None else None
        for path, table in zip((real, synthetic, holdout), (*tables, held), strict=True):
            if table is not None and not len(table):
                raise NotEnoughData(f"{path} holds no flow.", hint="Give tables with flows in them.")
        model = read_model(patterns) if patterns is not None else None
        report = compare(*tables, holdout=held, patterns=model, seed=seed, monitor=monitor)
    if output.suffix.lower() == ".html":
        provenance = {"real": str(real), "synthetic": str(synthetic), "holdout": str(holdout or ""), "seed": seed}
        write_text(output, report_page(report, *tables, provenance=provenance))
    else:
        report.write(output)
    lines = [f"{r.family:12} {r.name:28} {r.verdict.value:16} {r.sentence}" for r in report]
    out.result({**report.to_json(), "file": str(output), "seconds": out.seconds()}, lines)


@click.command("generate", epilog="Example: netsynth generate sample_data/office.pcap.gz -o out")
@click.argument("inputs", nargs=-1, required=True, metavar="WORKSPACE|CAPTURE...", type=PATH)
@output_option("DIR", "Folder for the results; made when there is none.")
@click.option("--flows", "count", type=click.IntRange(min=1), help="How many flows to make; default as many as real.")
@seed_option
@common_options
def generate_command(out: Output, inputs: tuple[Path, ...], output: Path, count: int | None, seed: int) -> None:
    """The whole chain: read flows, learn patterns and automata, sample, forge packets, compare.

    Takes captures, one flow table, or a workspace, whose newest flows and models (with their edits) are used. Writes
    flows.csv (real), synthetic.csv, synthetic.pcap, report.json, report.html and models/.
    """
    from netsynth_core.workspace.chain import generate_chain

    with new_folder(output) as folder, out.monitor() as monitor:
        result = generate_chain(list(inputs), folder, flows=count, seed=seed, monitor=monitor)
    out.note(result.read.get("notes", []))
    out.result({**result.to_json(), "seconds": out.seconds()}, result.lines())
