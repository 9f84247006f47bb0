"""Commands that make traffic and judge it: ``hosts``, ``sample``, ``forge``, ``evaluate``, ``generate``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netsynth_core.cli.inputs import (
    PATH,
    TABLE_ENDINGS,
    new_folder,
    output_file,
    output_option,
    read_model,
    tunnels_option,
)
from netsynth_core.cli.output import Output, common_options, seed_option
from netsynth_core.errors import InvalidParameter, NotEnoughData, StorageError

if TYPE_CHECKING:
    from netsynth_core.workspace.renaming import Renaming

LEAST_DRAWN = 64
"""Flows or words that are drawn before the time is taken."""
F = TypeVar("F", bound=Callable[..., Any])


def renaming_options(command: F) -> F:
    """``--hosts``, ``--anonymise`` and ``--key-file``."""
    moved = "Move hosts into your own network; netsynth hosts writes the file to fill in."
    secret = "The secret to anonymise with; without it the key is made of the seed."
    options = (
        click.option("--hosts", "hosts_path", metavar="HOSTS.toml", type=PATH, help=moved),
        click.option("--anonymise", is_flag=True, help="Rename all hosts consistently, keeping shared prefixes."),
        click.option("--key-file", metavar="FILE", type=PATH, help=secret),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _renaming(
    hosts_path: Path | None, anonymise: bool, key_file: Path | None, seed: int, hosts: "Sequence[str]"
) -> "Renaming | None":
    from netsynth_core.workspace.renaming import by_key, by_plan

    if hosts_path is not None and anonymise:
        raise click.UsageError("Give either --hosts or --anonymise.")
    if key_file is not None and not anonymise:
        raise click.UsageError("--key-file belongs to --anonymise.")
    if hosts_path is not None:
        return by_plan(hosts_path, hosts)
    return by_key(key_file, seed) if anonymise else None


@click.command("hosts", epilog="Example: netsynth hosts patterns.json -o hosts.toml")
@click.argument("path", metavar="MODEL.json|FLOWS", type=PATH)
@output_option("HOSTS.toml", "Where to write the file to start from.")
@seed_option
@common_options
def hosts_command(out: Output, path: Path, output: Path, seed: int) -> None:
    """The hosts of a model or of flows by role: a file for `netsynth sample --hosts` to fill in."""
    from netsynth_core.flows.hosts import hosts_of, roles_of, write_hosts
    from netsynth_core.flows.source import read_flows
    from netsynth_core.models.generator import Level
    from netsynth_core.workspace.renaming import roles_of_model

    output_file(output, (".toml",))
    with out.monitor() as monitor:
        if path.suffix.lower() == ".json":
            model = read_model(path)
            if model.level is not Level.FLOW:
                raise InvalidParameter(f"{path} draws words, which have no hosts.", hint="Name a model of flows.")
            roles = roles_of_model(model, seed=seed, monitor=monitor)
        else:
            flows = read_flows([path], monitor=monitor).flows
            roles = roles_of(flows, hosts_of(flows))
    write_hosts(output, roles, source=path.name)
    counts = {role: len(hosts) for role, hosts in roles.items()}
    out.result(
        {"roles": counts, "hosts": sum(counts.values()), "file": str(output)},
        [*(f"{number:6}  {role}" for role, number in counts.items()), f"written to {output}"],
    )


@click.command("sample", epilog="Example: netsynth sample patterns.json -n 2000 -o synthetic.csv")
@click.argument("model_path", metavar="MODEL.json", type=PATH)
@click.option("-n", "count", type=click.IntRange(min=1, max=1_000_000_000), help="How many flows or words.")
@click.option("--duration", help="Flows of this much time, such as 90s, 5m, 7d; without -n at the real rate.")
@click.option("--start", help="When that time begins: Unix seconds or ISO 8601.")
@renaming_options
@output_option("FILE", "Flows: .csv, .csv.gz or .parquet; words: any name.")
@seed_option
@common_options
def sample_command(
    out: Output,
    model_path: Path,
    count: int | None,
    duration: str | None,
    start: str | None,
    hosts_path: Path | None,
    anonymise: bool,
    key_file: Path | None,
    output: Path,
    seed: int,
) -> None:
    """Draw synthetic flows or words from a model. Flows are written as they are drawn, in order of their start.

    seconds and rows_per_second are of drawing and writing; start_seconds is what loading took before.
    """
    from netsynth_core.models.generator import Level
    from netsynth_core.units import parse_duration, parse_instant
    from netsynth_core.workspace.renaming import learnt_hosts
    from netsynth_core.workspace.steps import sample_model, stream_model

    if count is None and duration is None:
        raise click.UsageError("Give -n N, --duration D, or both.")
    duration_ns = parse_duration(duration) if duration is not None else None
    start_ns = parse_instant(start) if start is not None else None
    model = read_model(model_path)
    flows = model.level is Level.FLOW
    output_file(output, TABLE_ENDINGS if flows else ())
    renaming = _renaming(hosts_path, anonymise, key_file, seed, learnt_hosts(model))
    if renaming is not None and not flows:
        raise InvalidParameter("Words have no hosts to rename.", hint="Rename the flows, and forge packets for them.")
    with out.monitor() as monitor:
        if flows:
            from netsynth_core.flows.writing import write_flow_stream

            # so that what is loaded once is not taken for the speed of drawing
            for _ in stream_model(model, LEAST_DRAWN, duration_ns=None, start_ns=None, seed=seed):
                pass
            begun = out.seconds()
            tables = stream_model(model, count, duration_ns=duration_ns, start_ns=start_ns, seed=seed, monitor=monitor)
            renamed = tables if renaming is None else (renaming.of(table) for table in tables)
            rows = write_flow_stream(output, renamed)
        else:
            from netsynth_core.flows.words_io import write_words

            sample_model(
                model, min(count or LEAST_DRAWN, LEAST_DRAWN), duration_ns=duration_ns, start_ns=start_ns, seed=seed
            )
            begun = out.seconds()
            words = sample_model(model, count, duration_ns=duration_ns, start_ns=start_ns, seed=seed, monitor=monitor)
            write_words(output, words)  # type: ignore[arg-type]
            rows = len(words)
        seconds = max(out.seconds() - begun, 1e-3)
    out.note(renaming.notes if renaming is not None else ())
    out.result(
        {
            "rows": rows,
            "seconds": round(seconds, 3),
            "start_seconds": round(begun, 3),
            "rows_per_second": round(rows / seconds, 1),
            "seed": seed,
            "file": str(output),
            **(renaming.facts if renaming is not None else {}),
        }
    )


replay_option = click.option(
    "--replay/--no-replay",
    default=False,
    show_default=True,
    help="Repeat captured payloads where automata store them; off, payloads are made up.",
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
@replay_option
@seed_option
@common_options
def forge_command(
    out: Output,
    flows_path: Path,
    models: tuple[Path, ...],
    more: tuple[Path, ...],
    output: Path,
    replay: bool,
    seed: int,
) -> None:
    """Make packets for each flow, from the automaton of its service and state, with right checksums and lengths."""
    from netsynth_core.flows.source import read_flows
    from netsynth_core.units import count, format_bytes, format_duration
    from netsynth_core.workspace.steps import forge_account, forge_flows

    output_file(output, (".pcap",))
    words_models = [read_model(path) for path in _model_files([*models, *more])]
    with out.monitor() as monitor:
        flows = read_flows([flows_path], monitor=monitor).flows
        report = forge_flows(flows, words_models, path=output, seed=seed, replay=replay, monitor=monitor)
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
@tunnels_option
@replay_option
@renaming_options
@seed_option
@common_options
def generate_command(
    out: Output,
    inputs: tuple[Path, ...],
    output: Path,
    count: int | None,
    tunnels: bool,
    replay: bool,
    hosts_path: Path | None,
    anonymise: bool,
    key_file: Path | None,
    seed: int,
) -> None:
    """The whole chain: read flows, learn patterns and automata, sample, forge packets, compare.

    Takes captures, one flow table, or a workspace, whose newest flows and models (with their edits) are used. Writes
    flows.csv (real), synthetic.csv, synthetic.pcap, report.json, report.html and models/. With --hosts or --anonymise
    the synthetic flows and packets have other hosts; they are compared before they are renamed.
    """
    from netsynth_core.capture.options import ReadOptions
    from netsynth_core.workspace.chain import RESULTS, generate_chain

    def rename(hosts: Sequence[str]) -> "Renaming | None":
        return _renaming(hosts_path, anonymise, key_file, seed, hosts)

    for path in inputs:
        if path.is_file() and path.name in RESULTS and output.is_dir() and path.parent.samefile(output):
            raise InvalidParameter(
                f"{path} is read and would be written over by the results.", hint="Name another folder with -o."
            )
    options = ReadOptions(tunnels=tunnels)
    out.announce_compiling(inputs)
    with new_folder(output) as folder, out.monitor() as monitor:
        result = generate_chain(
            list(inputs),
            folder,
            flows=count,
            rename=rename,
            options=options,
            replay=replay,
            seed=seed,
            monitor=monitor,
        )
    out.note([*result.read.get("notes", []), *result.sample.get("notes", [])])
    out.result({**result.to_json(), "seconds": out.seconds()}, result.lines())
