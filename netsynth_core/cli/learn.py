"""``netsynth fit`` and ``netsynth kinds``."""

import json
from pathlib import Path
from typing import Any

import click

from netsynth_core.cli.inputs import PATH, new_folder, output_file, output_option, peak_rss_bytes
from netsynth_core.cli.output import Output, common_options, figure_lines, seed_option
from netsynth_core.cli.stopping import stop_on_quit


@click.command("fit", epilog="Example: netsynth fit flowchronicle flows.csv -o patterns.json --set bins=32")
@click.argument("kind")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=PATH)
@output_option(
    "MODEL.json", "Where to write the model; its arrays go into MODEL.npz beside it. For a folder of words: a folder."
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter; see netsynth kinds.")
@click.option("--service", help="For packet-level kinds and a capture: the service whose conversations to learn.")
@click.option("--state", help="With --service: only conversations that ended in this state, such as SF.")
@click.option(
    "--minimum",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="For a folder of words: files with fewer words are left out.",
)
@click.option(
    "--payloads",
    type=click.Choice(["none", "templates", "replay"]),
    default="templates",
    show_default=True,
    help="What automata learnt from a capture keep of payloads: nothing, lengths and templates, or also the bytes.",
)
@click.option("--case", default="", metavar="NAME", help="For an event log: column of the case; default: by its name.")
@click.option("--event", default="", metavar="NAME", help="For an event log: column of the event.")
@click.option("--time", default="", metavar="NAME", help="For an event log: column of the time; - reads without times.")
@seed_option
@common_options
def fit_command(
    out: Output,
    kind: str,
    inputs: tuple[Path, ...],
    output: Path,
    settings: tuple[str, ...],
    service: str | None,
    state: str | None,
    minimum: int,
    payloads: str,
    case: str,
    event: str,
    time: str,
    seed: int,
) -> None:
    """Learn a model of KIND (netsynth kinds lists them).

    Flow-level kinds learn from captures or flow tables, packet-level kinds from a file of timed words or an event log,
    from one service of a capture, or from each file of a folder of words (netsynth words) into a folder of models:
    -o DIR.

    Ctrl-\\ ends the search and keeps the best so far (flow patterns and automata); Ctrl-C keeps nothing.
    """
    from netsynth_core.flows.facts import flow_notes
    from netsynth_core.models.document import write_document
    from netsynth_core.models.generator import Level
    from netsynth_core.models.registry import get_kind
    from netsynth_core.workspace.fitting import fit_model, with_payloads

    entry = get_kind(kind)
    entry.params_class().from_settings(settings)
    columns = {"case": case, "event": event, "time": time}
    if any(columns.values()) and (entry.level is not Level.PACKET or inputs[0].is_dir()):
        raise click.UsageError("--case, --event and --time are for packet-level kinds and one event log.")
    if entry.level is Level.PACKET and len(inputs) == 1 and inputs[0].is_dir():
        if service or state:
            raise click.UsageError("--service and --state are for captures; of a folder every file is learnt.")
        _fit_folder(out, kind, inputs[0], output, settings, minimum, seed)
        return
    output_file(output, (".json",))
    if entry.level is Level.PACKET and len(inputs) > 1:
        raise click.UsageError(f"{kind} learns from one file of words (or one capture) at a time.")
    if entry.level is Level.FLOW and (service or state):
        raise click.UsageError("--service and --state are for packet-level kinds.")
    with out.monitor() as monitor:
        data: Any
        notes: tuple[str, ...]
        if entry.level is Level.PACKET:
            data, source, notes = _words(inputs[0], columns, service, state, monitor)
        else:
            from netsynth_core.flows.source import read_flows

            source = read_flows(list(inputs), monitor=monitor)
            data, notes = source.flows, tuple(flow_notes(source))
        with stop_on_quit(monitor, out.say) as stoppable:
            fitted = fit_model(kind, data, settings, seed=seed, monitor=stoppable)
        if entry.level is Level.PACKET and source is not None and source.packets is not None:
            assert source.metered is not None
            fitted = with_payloads(fitted, data, source.packets, source.metered, keep=payloads)
        write_document(output, fitted.document)
    summary = fitted.summary()
    bits = summary["codelength"]
    if 0 < bits["empty"] < bits["total"] and not any("longer than" in warning for warning in summary["warnings"]):
        summary["warnings"].append("The model is longer than the empty model: it found nothing that is worth its bits.")
    for warning in summary["warnings"]:
        out.say(f"Warning: {warning}")
    answer = {**summary, "peak_rss_bytes": peak_rss_bytes(), "seed": seed, "file": str(output)}
    answer["notes"] = out.note(notes)
    # notes and warnings stand on stderr already
    out.result(answer, list(figure_lines(_for_people(answer))))


def _for_people(answer: dict[str, Any]) -> dict[str, Any]:
    """The result of `fit` with units; notes and warnings stand on stderr already."""
    from netsynth_core.units import format_bits, format_bytes

    said = {name: value for name, value in answer.items() if name not in ("notes", "warnings", "peak_rss_bytes")}
    said["seconds"] = f"{answer['seconds']:.3g} s"
    said["codelength"] = {name: format_bits(bits) for name, bits in answer["codelength"].items()}
    if answer["peak_rss_bytes"] is not None:
        said["most memory"] = format_bytes(answer["peak_rss_bytes"])
    return said


def _words(
    path: Path, columns: dict[str, str], service: str | None, state: str | None, monitor: Any
) -> tuple[Any, Any, tuple[str, ...]]:
    """Words to learn from, what was read of a capture (else None), and notes."""
    from netsynth_core.flows.words_io import notes_on

    if any(columns.values()):
        from netsynth_core.flows.event_logs import read_event_log

        if service or state:
            raise click.UsageError("--service and --state are for captures, --case, --event and --time for event logs.")
        log = read_event_log(path, **columns)
        return log.words, None, log.notes
    from netsynth_core.workspace.steps import words_and_source

    data, source = words_and_source(path, service=service, state=state, monitor=monitor)
    return data, source, notes_on(data)


def _fit_folder(
    out: Output, kind: str, folder: Path, output: Path, settings: tuple[str, ...], minimum: int, seed: int
) -> None:
    """One model per word file of a folder, of the same name; nothing is written before all are learnt."""
    from netsynth_core.errors import NotEnoughData
    from netsynth_core.flows.words_io import notes_on
    from netsynth_core.models.document import write_document
    from netsynth_core.units import count, format_bits
    from netsynth_core.workspace.fitting import fit_each
    from netsynth_core.workspace.steps import words_of_file

    files = sorted(path for path in folder.iterdir() if path.name.endswith((".txt", ".txt.gz")))
    held = {path.name.removesuffix(".gz").removesuffix(".txt"): words_of_file(path) for path in files}
    groups = {name: words for name, words in held.items() if len(words) >= minimum}
    if not groups:
        raise NotEnoughData(
            f"{folder} holds {count(len(files), 'word file')} (.txt), none with {minimum} words or more.",
            hint="Name the folder that netsynth words made, or lower --minimum.",
        )
    left_out = [name for name in held if name not in groups]
    notes = [f"{name}: {note}" for name, words in groups.items() for note in notes_on(words)]
    if left_out:
        notes.append(f"Fewer than {minimum} words, so no model of their own: {', '.join(left_out)}.")
    with new_folder(output) as target:
        names, found = list(groups), {}
        with out.monitor() as monitor, stop_on_quit(monitor, out.say) as stoppable:
            each = fit_each(list(groups.values()), settings, seed=seed, kind=kind, monitor=stoppable)
            for place, one in each:
                found[place] = one
                out.say(f"{len(found)} of {len(names)}: {names[place]} learnt in {one.seconds:.3g} s")
        entries = []
        for name, one in ((names[place], found[place]) for place in range(len(names))):
            write_document(target / f"{name}.json", one.document)
            entries.append({"file": str(target / f"{name}.json"), "words": len(groups[name]), **one.summary()})
    lines = [f"{e['file']}: {count(e['words'], 'word')}, {format_bits(e['codelength']['total'])}" for e in entries]
    out.result({"models": entries, "left_out": left_out, "notes": out.note(notes), "seed": seed}, lines)


@click.command("kinds", epilog="Example: netsynth kinds --edits")
@click.option("--edits", is_flag=True, help="List the edits of each kind instead: arguments, and one to copy from.")
@common_options
def kinds_command(out: Output, edits: bool) -> None:
    """List the kinds of models: what each learns from, its source, and its parameters with their ranges."""
    from netsynth_core.models.registry import kinds

    if edits:
        _list_edits(out)
        return
    entries: list[dict[str, Any]] = [
        {
            "kind": kind.name,
            "level": kind.level.value,
            "summary": kind.summary,
            "source": kind.source,
            "extra": kind.extra,
            "parameters": _parameters(kind),
        }
        for kind in kinds()
    ]
    lines: list[str] = []
    for entry in entries:
        extra = f", needs netsynth[{entry['extra']}]" if entry["extra"] else ""
        lines.append(f"{entry['kind']} (level {entry['level']}{extra}): {entry['summary']} [{entry['source']}]")
        lines += [f"  {_describe(parameter)}" for parameter in entry["parameters"]]
    out.result({"kinds": entries}, lines)


def _list_edits(out: Output) -> None:
    """Every edit of every kind, as `netsynth edit` reads them."""
    from dataclasses import asdict

    from netsynth_core.errors import MissingExtra
    from netsynth_core.models.edits import edit_fields, example_line
    from netsynth_core.models.registry import kinds

    entries: list[dict[str, Any]] = []
    for kind in kinds():
        try:
            made = kind.model_class().edits
        except MissingExtra:
            continue
        for edit in made:
            entries.append(
                {
                    "kind": kind.name,
                    "op": str(edit.model_fields["op"].default),
                    "summary": (edit.__doc__ or edit.title).strip().partition("\n")[0],
                    "fields": [asdict(field) for field in edit_fields(edit)],
                    "example": example_line(edit),
                }
            )
    lines: list[str] = []
    for entry in entries:
        if not lines or entry["kind"] != entries[entries.index(entry) - 1]["kind"]:
            lines += ([""] if lines else []) + [f"edits of {entry['kind']}, one JSON object a line:"]
        lines += ["", f"  {entry['op']}: {entry['summary']}", f"    {entry['example']}"]
        for field in entry["fields"]:
            said = "needed" if field["required"] else f"default {json.dumps(field['default'])}"
            lines.append(f"    {field['name']} ({field['type']}, {said}): {field['help']}".removesuffix(": "))
    out.result({"edits": entries}, lines)


def _parameters(kind: Any) -> list[dict[str, Any]]:
    from netsynth_core.errors import MissingExtra

    try:
        properties = kind.params_class().model_json_schema()["properties"]
    except MissingExtra:
        return []
    found = []
    for name, schema in properties.items():
        types = [part.get("type", "") for part in schema.get("anyOf", [schema])]
        limits = {
            key: next((part[key] for part in schema.get("anyOf", [schema]) if key in part), None)
            for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "enum")
        }
        found.append(
            {
                "name": name,
                "type": " or ".join(part for part in types if part) or "choice",
                "default": schema.get("default"),
                "minimum": limits["minimum"] if limits["minimum"] is not None else limits["exclusiveMinimum"],
                "maximum": limits["maximum"] if limits["maximum"] is not None else limits["exclusiveMaximum"],
                "choices": limits["enum"] or ([schema["const"]] if "const" in schema else []),
                "unit": schema.get("unit", ""),
                "help": schema.get("description", ""),
                "advanced": bool(schema.get("advanced", False)),
            }
        )
    return found


def _describe(parameter: dict[str, Any]) -> str:
    from netsynth_core.units import format_number

    unit = f" {parameter['unit']}" if parameter["unit"] else ""
    default = parameter["default"]
    if isinstance(default, int | float) and not isinstance(default, bool):
        default = format_number(default)
    low, high = parameter["minimum"], parameter["maximum"]
    if parameter["choices"]:
        span = "one of " + ", ".join(map(str, parameter["choices"]))
    elif low is not None and high is not None:
        span = f"{format_number(low)} to {format_number(high)}"
    elif low is not None:
        span = f"from {low:g}"
    else:
        span = parameter["type"] if high is None else f"up to {high:g}"
    if parameter["unit"] == "s":
        span += ", or a duration such as 90s or 5m"
    return f"{parameter['name']} = {default}{unit} ({span}): {parameter['help']}"
