"""``netsynth flows`` and ``netsynth words``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsynth_core.cli.inputs import (
    PATH,
    TABLE_ENDINGS,
    output_file,
    output_folder,
    output_option,
    tunnels_option,
)
from netsynth_core.cli.output import Output, common_options, figure_lines
from netsynth_core.errors import InvalidParameter, NotEnoughData, SchemaError
from netsynth_core.quickstart import without_plugins, without_threads

if TYPE_CHECKING:
    from netsynth_core.flows.logs import Mapping
    from netsynth_core.flows.source import FlowSource

meter_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of metering. Repeatable. In seconds: idle_timeout_tcp=300, idle_timeout_udp, idle_timeout_icmp, "
    "active_timeout, linger.",
)


@click.command("flows", epilog="Example: netsynth flows office.pcap.gz -o flows.csv")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=PATH)
@click.option(
    "-o",
    "--output",
    "output",
    metavar="FLOWS",
    type=PATH,
    help="Where to write: .csv, .csv.gz, .parquet, or .log and .log.gz (Zeek's conn.log).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "parquet", "zeek", "netflow"]),
    help="What to write, whatever the ending.",
)
@click.option("--mapping", "mapping_path", metavar="JSON", type=PATH, help="Read the tables through this mapping.")
@click.option(
    "--show-mapping",
    is_flag=True,
    help="Print a mapping proposed for the table (or write it with -o m.json), to correct by hand.",
)
@meter_option
@tunnels_option
@common_options
def flows_command(
    out: Output,
    inputs: tuple[Path, ...],
    output: Path | None,
    form: str | None,
    mapping_path: Path | None,
    show_mapping: bool,
    settings: tuple[str, ...],
    tunnels: bool,
) -> None:
    """Read captures, flow tables or logs of other tools (Zeek, Argus, nfdump, CICFlowMeter, Suricata, any CSV through a
    mapping), and write one flow table or log."""
    if show_mapping:
        _show_mapping(out, inputs, output)
        return
    without_plugins()
    without_threads()
    from netsynth_core.capture.options import ReadOptions
    from netsynth_core.flows.facts import flow_facts
    from netsynth_core.flows.metering import MeterParams
    from netsynth_core.flows.source import read_flows

    if output is None:
        raise InvalidParameter("Nothing says where to write.", hint="Name a file with -o, such as -o flows.csv.")
    output_file(output, (*TABLE_ENDINGS, ".log", ".log.gz"))
    mapping = _read_mapping(mapping_path)
    params, options = MeterParams.from_settings(settings), ReadOptions(tunnels=tunnels)
    out.announce_compiling(inputs)
    with out.monitor() as monitor:
        source = read_flows(
            list(inputs),
            params,
            options=options,
            keep_packets=False,
            folder=output.absolute().parent,
            mapping=mapping,
            monitor=monitor,
        )
        _write(output, source, form)
    facts = flow_facts(source)
    answer = {**facts, "notes": out.note(facts["notes"]), "file": str(output), "seconds": out.seconds()}
    # the notes stand on stderr already
    out.result(answer, list(figure_lines({name: value for name, value in answer.items() if name != "notes"})))


def _read_mapping(path: Path | None) -> "Mapping | None":
    if path is None:
        return None
    from netsynth_core.flows.logs import read_mapping

    return read_mapping(path)


def _write(output: Path, source: "FlowSource", form: str | None) -> None:
    """Write flows in the form asked for; those of captures straight from their columns where it is CSV."""
    from netsynth_core.flows.columns import MeteredFlows

    plain = form in (None, "csv") and output.name.lower().endswith((".csv", ".csv.gz"))
    if plain and isinstance(source.held, MeteredFlows):
        from netsynth_core.flows.fast_csv import write_columns

        write_columns(output, source.held)
        return
    from netsynth_core.flows.logs.export import write_flows_as

    write_flows_as(output, source.flows, form)


def _show_mapping(out: Output, inputs: tuple[Path, ...], output: Path | None) -> None:
    """Print the mapping proposed for a table, or write it, as the JSON that ``--mapping`` takes.

    Where start or addresses are not found it is a skeleton with empty places.
    """
    from netsynth_core.files import write_text
    from netsynth_core.flows.logs import propose_mapping, read_head
    from netsynth_core.flows.logs.guessing import doubts, is_packet_table
    from netsynth_core.flows.logs.mapping import skeleton

    if len(inputs) > 1:
        raise InvalidParameter("A mapping is proposed for one table at a time.", hint="Name one file.")
    path = inputs[0]
    _refuse_known(path)
    if output is not None:
        output_file(output, (".json",))
    table = read_head(path)
    notes = []
    try:
        mapping = propose_mapping(table.header, table.rows, delimiter=table.delimiter, has_header=table.has_header)
        notes += doubts(mapping.columns, table.header, table.rows)
        values = mapping.model_dump()
    except SchemaError as error:
        values = skeleton(table)
        notes.append(f"{error.message} Fill in the empty places by hand.")
    if is_packet_table(table.header):
        notes.append("The table holds packets; with this mapping each is a flow. Give the capture itself if you can.")
    out.note(notes)
    text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    if output is None:
        out.result(values, [text.rstrip()])
        return
    write_text(output, text)
    out.result({"file": str(output), "mapping": values}, [f"written to {output}"])


def _refuse_known(path: Path) -> None:
    """Say so where a file needs no mapping."""
    from netsynth_core.flows.logs import format_of
    from netsynth_core.flows.source import kind_of, needs_mapping

    kind = kind_of(path)
    form = format_of(path) if kind == "log" else None
    if form is None and (kind != "table" or needs_mapping(path)):
        if kind != "capture":
            return
        what = "capture"
    else:
        what = form.title if form is not None else "flow table"
    raise InvalidParameter(
        f"{path} is a {what}, which needs no mapping.", hint=f"Read it as it is: netsynth flows {path} -o flows.csv."
    )


@click.command("words", epilog="Example: netsynth words office.pcap.gz -o words --service http")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=PATH)
@output_option("DIR", "Folder for the word files; made when there is none.")
@click.option("--service", "services", multiple=True, help="Only conversations of this service. Repeatable.")
@click.option("--by", default="service,state", show_default=True, help="One file per: service, or service,state.")
@meter_option
@tunnels_option
@common_options
def words_command(
    out: Output,
    inputs: tuple[Path, ...],
    output: Path,
    services: tuple[str, ...],
    by: str,
    settings: tuple[str, ...],
    tunnels: bool,
) -> None:
    """Read captures and write the timed words of their conversations, one file per service and state."""
    from netsynth_core.capture.options import ReadOptions
    from netsynth_core.flows.extraction import extract_words
    from netsynth_core.flows.metering import MeterParams
    from netsynth_core.flows.source import read_flows
    from netsynth_core.units import count, format_number
    from netsynth_core.workspace.contents import write_groups

    grouping = tuple(part.strip() for part in by.split(","))
    if grouping not in (("service",), ("service", "state")):
        raise InvalidParameter(f"Words cannot be grouped by {by!r}.", hint="Write --by service or --by service,state.")
    params, options = MeterParams.from_settings(settings), ReadOptions(tunnels=tunnels)
    out.announce_compiling(inputs)
    with out.monitor() as monitor:
        source = read_flows(list(inputs), params, options=options, monitor=monitor)
        if source.packets is None or source.metered is None:
            raise NotEnoughData(
                f"{inputs[0]} is a flow table, which holds no packets.", hint="Give the capture it was made from."
            )
        groups = extract_words(source.packets, source.metered, by=grouping)
    wanted = set(services)
    found = sorted({words.service or "unknown" for words in groups})
    missing = sorted(wanted - set(found))
    if missing:
        raise NotEnoughData(
            f"No conversation is of the service {missing[0]!r}.", hint=f"The services are: {', '.join(found)}."
        )
    groups = [words for words in groups if not wanted or (words.service or "unknown") in wanted]
    entries = write_groups(output_folder(output), groups)
    files = [{**entry, "path": str(output / entry["path"])} for entry in entries]
    lines = [
        f"{f['path']}: {count(f['words'], 'word')}, {count(f['symbols'], 'symbol')}, "
        f"{format_number(f['alphabet'])} different"
        for f in files
    ]
    out.result({"files": files, "seconds": out.seconds()}, lines)
