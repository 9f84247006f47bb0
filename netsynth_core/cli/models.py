"""Commands on a learnt model: ``show``, ``windows``, ``align``, ``edit``, ``export``."""

import json
from pathlib import Path
from typing import Any

import click

from netsynth_core.cli.inputs import PATH, output_file, output_option, read_model
from netsynth_core.cli.output import Output, common_options
from netsynth_core.errors import InvalidEdit, InvalidParameter, NotEnoughData

_SUCH = '{"op": "drop_pattern", "pattern": "p3"}; netsynth kinds --edits lists them'
model_argument = click.argument("model_path", metavar="MODEL.json", type=PATH)


@click.command("show", epilog="Example: netsynth show patterns.json")
@model_argument
@click.option("--pattern", "pattern_id", metavar="ID", help="One pattern, such as p1: cells, network, tables, windows.")
@common_options
def show_command(out: Output, model_path: Path, pattern_id: str | None) -> None:
    """Say what a model is: its size, its codelength, what it learnt from, and its parts in words."""
    from dataclasses import asdict

    from netsynth_core.models.document import read_document
    from netsynth_core.models.registry import load_model
    from netsynth_core.workspace.drawings import sentences

    document = read_document(model_path)
    model = load_model(document)
    if pattern_id is not None:
        from netsynth_core.workspace.drawings import pattern_lines

        lines, facts = pattern_lines(model, pattern_id)
        out.result(facts, lines)
        return
    card = asdict(model.describe())
    card["codelength"] = model.describe().codelength.to_json()
    for name in ("seed", "seconds"):
        if card[name] is None:
            card[name] = document.card.get(name)
    card |= {"file": str(model_path), "created": document.created, "by": document.by, "edits": _edit_names(model)}
    parts = sentences(model)
    out.result({**card, "parts": parts}, [*_card_lines(card), "", *parts])


def _edit_names(model: Any) -> list[str]:
    return [str(kind.model_fields["op"].default) for kind in model.edits]


def _card_lines(card: dict[str, Any]) -> list[str]:
    from netsynth_core.units import format_bits

    bits = card["codelength"]
    saved = f", {100 * (1 - bits['total'] / bits['empty']):.1f} % less than the empty model" if bits["empty"] else ""
    if card["size"].get("patterns") == 0 and not card["size"].get("dropped"):
        saved = ": the empty model itself, since no pattern makes the description shorter"
    names = {k: "re-emissions" if k == "re_emissions" else k.replace("_", " ") for k in card["size"]}
    size = [_amount(v, names[k]) for k, v in card["size"].items()]
    seconds = f" in {card['seconds']:.3g} s" if card["seconds"] is not None else ""
    trained = [_trained(k, v) for k, v in card["trained_on"].items() if not isinstance(v, dict | list) and v != ""]
    said = [
        f"codelength: {format_bits(bits['total'])} = {format_bits(bits['model'])} (model) "
        f"+ {format_bits(bits['data'])} (data){saved}",
        f"learnt from: {', '.join(trained)}",
        f"parameters: {', '.join(f'{k} {_setting(v)}' for k, v in card['parameters'].items())}",
    ]
    learnt = f"learnt{seconds}, seed {card['seed']}"
    if "imported" in card["trained_on"]:
        # learnt elsewhere: neither its words nor how it was learnt are known, only what the file counts
        learnt = "imported"
        size = [_amount(v, names[k]) for k, v in card["size"].items() if not k.endswith("_words")]
        said = ["codelength: unknown without training words", f"as the file says: {', '.join(trained)}"]
    return [
        f"{card['kind']} ({card['level']} level), {learnt}",
        f"size: {', '.join(size)}",
        *said,
        *[f"warning: {sentence}" for sentence in card["warnings"]],
        *[f"note: {sentence}" for sentence in card["notes"]],
    ]


def _setting(value: Any) -> str:
    """A parameter's value: large numbers in groups, times without a trailing zero."""
    from netsynth_core.units import format_number

    return format_number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _amount(value: Any, name: str) -> str:
    """``1 pattern``, ``12 651 windows``."""
    from netsynth_core.units import format_number

    return f"{format_number(value)} {name.removesuffix('s') if value == 1 else name}"


def _trained(name: str, value: Any) -> str:
    """One fact on the training data, for people: instants as dates, spans in seconds or minutes."""
    from netsynth_core.units import format_duration, format_instant, format_number

    if isinstance(value, bool) or not isinstance(value, int):
        return f"{name} {value}"
    if name in ("first", "last"):
        return f"{name} {format_instant(value)}"
    return f"{name} {format_duration(value) if name == 'resolution' else format_number(value)}"


def _require_method(model: Any, name: str, path: Path, what: str) -> None:
    if not hasattr(model, name):
        raise InvalidParameter(
            f"{path} is a {model.kind} model, which has no {what}.", hint=f"Name a model with {what}."
        )


@click.command("windows", epilog="Example: netsynth windows patterns.json flows.csv -o windows.csv")
@model_argument
@click.argument("flows_path", metavar="FLOWS", type=PATH)
@output_option("WINDOWS.csv", "Where to write window,pattern,position,row; row counts from 0 in the file FLOWS.")
@common_options
def windows_command(out: Output, model_path: Path, flows_path: Path, output: Path) -> None:
    """Find where the patterns of a model occur in flows: the cover, no two windows sharing a row."""
    from netsynth_core.workspace.covering import cover_file

    output_file(output, (".csv",))
    model = read_model(model_path)
    _require_method(model, "windows", model_path, "patterns")
    with out.monitor() as monitor:
        summary = cover_file(model, flows_path, output, monitor=monitor)
    out.result({**summary, "file": str(output), "seconds": out.seconds()})


@click.command("align", epilog="Example: netsynth align http.json words/http-SF.txt -o align.jsonl")
@model_argument
@click.argument("words_path", metavar="WORDS", type=PATH)
@output_option("ALIGN.jsonl", "Where to write one JSON object per word.")
@common_options
def align_command(out: Output, model_path: Path, words_path: Path, output: Path) -> None:
    """Explain each word by a path of an automaton and noise operations; for kind tadam, which has a model of noise.

    Words and positions in the file count from 0.
    """
    from netsynth_core.flows.words_io import notes_on
    from netsynth_core.workspace.covering import align_file
    from netsynth_core.workspace.steps import words_of_file

    output_file(output)
    model = read_model(model_path)
    if hasattr(model, "word_bits") and not hasattr(model, "align"):
        raise InvalidParameter(
            f"{model_path} is a {model.kind} model, which has no model of noise to align words with.",
            hint="Only automata of kind tadam have one; netsynth surprise ranks words by any packet-level model.",
        )
    _require_method(model, "align", model_path, "automaton")
    words = words_of_file(words_path)
    if not len(words):
        raise NotEnoughData(f"{words_path} holds no word.", hint="Write one word a line.")
    with out.monitor() as monitor:
        summary = align_file(model, words, output, monitor=monitor)
    told = list(notes_on(words))
    if "imported" in model.describe().trained_on:
        told.append(
            "The model was imported: its laws of delay and size are rebuilt from what the file holds, so bits and "
            "noise differ from those of the model that was exported."
        )
    notes = out.note(told)
    out.result({**summary, "file": str(output), "seconds": out.seconds()} | ({"notes": notes} if out.as_json else {}))


@click.command("edit", epilog="Example: netsynth edit http.json edits.jsonl -o http-edited.json")
@model_argument
@click.argument("edits_path", metavar="EDITS.jsonl", type=PATH)
@click.option("-o", "--output", metavar="NEW.json", type=PATH, help="Where to write the edited model.")
@click.option("--preview", is_flag=True, help="Say what each edit would cost and change; write nothing.")
@common_options
def edit_command(out: Output, model_path: Path, edits_path: Path, output: Path | None, preview: bool) -> None:
    """Apply edits to a model, one JSON object a line: {"op": ..., arguments}, or a record of the app's history.

    Each is checked; when one does not fit, nothing is written. netsynth kinds --edits lists every edit with its
    arguments and an example, such as {"op": "set_weight", "pattern": "p1", "weight": 2}.
    """
    from dataclasses import replace

    from netsynth_core.models.document import read_document, write_document
    from netsynth_core.models.registry import load_model
    from netsynth_core.units import count

    if preview == (output is not None):
        raise click.UsageError("Give -o NEW.json to write the edited model, or --preview to see what edits cost.")
    if output is not None:
        output_file(output, (".json",))
    document = read_document(model_path)
    model = load_model(document)
    done: list[dict[str, Any]] = []
    lines: list[str] = []
    before = model.describe().codelength
    for number, raw in _read_edits(edits_path):
        model, entry = _apply(model, raw, f"{edits_path} line {number}", preview=preview)
        done.append(entry)
        lines += _edit_lines(entry)
    payload = {"edits": done, "before": before.to_json(), "after": model.describe().codelength.to_json()}
    if output is None:
        out.result(payload, [*lines, f"{count(len(done), 'edit')}, not written"])
        return
    edited = model.to_document()
    write_document(output, replace(edited, card={**document.card, **edited.card}))
    out.result({**payload, "file": str(output)}, [*lines, f"{count(len(done), 'edit')}, written to {output}"])


def _edit_lines(entry: dict[str, Any]) -> list[str]:
    from netsynth_core.units import format_bits

    bits = f"{format_bits(entry['before']['total'])} -> {format_bits(entry['after']['total'])}"
    return [f"{entry['sentence']} {bits}", *(f"  {sentence}" for sentence in entry.get("sentences", ())[1:])]


def _apply(model: Any, raw: Any, where: str, *, preview: bool) -> tuple[Any, dict[str, Any]]:
    from netsynth_core.models.edits import parse_edit

    try:
        edit = parse_edit(raw, model.edits)
        effect = model.preview(edit) if preview else None
        changed = model.apply(edit)
    except InvalidEdit as error:
        raise InvalidEdit(f"{where}: {error.message}", hint=error.hint) from error
    before, after = model.describe().codelength, changed.describe().codelength
    entry = {
        "op": edit.op,
        "sentence": edit.sentence(),
        "before": before.to_json(),
        "after": after.to_json(),
    }
    return changed, entry if effect is None else {**entry, "sentences": list(effect.sentences)}


def _read_edits(path: Path) -> list[tuple[int, Any]]:
    """Line numbers and edits of a file; lines of a history are taken for the edit in them."""
    from netsynth_core.files import require_file, storage_error

    try:
        lines = require_file(path).read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidEdit(f"{path} is no UTF-8 text.", hint="Write one JSON object a line.") from error
    except OSError as error:
        raise storage_error(error, path, "read") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            raw = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidEdit(
                f"{path} line {number} is no JSON: {error}.", hint=f"Write one JSON object a line, such as {_SUCH}."
            ) from error
        found.append((number, raw["edit"] if isinstance(raw, dict) and "edit" in raw else raw))
    return found


@click.command("export", epilog="Example: netsynth export http.json --format svg -o http.svg")
@model_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["dot", "svg", "json", "fosr", "fosr-gamma"]),
    default="dot",
    show_default=True,
)
@output_option("FILE", "Where to write the drawing.")
@common_options
def export_command(out: Output, model_path: Path, form: str, output: Path) -> None:
    """Draw an automaton, or the patterns of a model; or write either in the JSON layout of Fos-R.

    json is for other programs to read; netsynth import takes fosr and fosr-gamma. Of automata that layout has two
    versions: fosr (delays as normal laws) and the newer fosr-gamma.
    """
    from netsynth_core.files import dump_json, write_text
    from netsynth_core.workspace.drawings import drawing

    output_file(output)
    if form.startswith("fosr") and hasattr(read_model(model_path), "automaton"):
        _export_fosr(out, model_path, form, output)
        return
    if form == "fosr-gamma":
        raise InvalidParameter(f"{model_path} has no automaton.", hint="Patterns have the one layout fosr.")
    if form == "fosr":
        from netsynth_core.models.document import read_document
        from netsynth_core.models.flowchronicle.fosr import fosr_patterns

        model: Any = read_model(model_path)
        _require_method(model, "describe_pattern", model_path, "patterns")
        made = fosr_patterns(model, input_file=model_path.name, created=read_document(model_path).created)
        write_text(output, dump_json(made.document))
        notes = out.note(made.notes)
        summary = {"file": str(output), "format": form, "bytes": output.stat().st_size}
        out.result({**summary, "patterns": len(made.document["patterns"])} | ({"notes": notes} if out.as_json else {}))
        return
    drawn = drawing(read_model(model_path), form)
    write_text(output, drawn.text)
    notes = out.note(drawn.notes)
    summary = {"file": str(output), "format": form, "bytes": output.stat().st_size}
    out.result(summary | ({"notes": notes} if out.as_json else {}))


def _export_fosr(out: Output, model_path: Path, form: str, output: Path) -> None:
    from netsynth_core.files import dump_json, write_text
    from netsynth_core.models.automata.fosr import to_fosr
    from netsynth_core.models.document import read_document
    from netsynth_core.units import count

    model: Any = read_model(model_path)
    noise = getattr(model, "noise", None)
    made = to_fosr(
        model.automaton,
        layout="gamma" if form == "fosr-gamma" else "normal",
        service=getattr(model, "service", ""),
        state=getattr(model, "state", ""),
        noise=(1, 0, 0, 0, 0) if noise is None else noise.counts,
        payloads=getattr(model, "payloads", None),
        input_file=model_path.name,
        created=read_document(model_path).created,
    )
    write_text(output, dump_json(made))
    lost = ["Delays are written by mean and variance only: bits of a model imported from this file differ."]
    made_up = len(made["metadata"].get("made_up_payloads", ()))
    if made_up:
        lost.append(f"{count(made_up, 'edge')} without stored payloads: those in the file are made up, not captured.")
    notes = out.note(lost)
    summary = {"file": str(output), "format": form, "bytes": output.stat().st_size, "edges": len(made["edges"])}
    out.result(summary | ({"notes": notes} if out.as_json else {}))


@click.command("import", epilog="Example: netsynth import http-SF.json -o models/http-SF.json")
@click.argument("source", metavar="FILE", type=PATH)
@output_option("MODEL.json", "Where to write the model.")
@click.option(
    "--unit",
    type=click.Choice(["ns", "us", "ms", "s"]),
    help="Unit of the delays in the file; by default ms for TCP, us for others, as its learner writes them.",
)
@common_options
def import_command(out: Output, source: Path, output: Path, unit: str | None) -> None:
    """Take over an automaton in the JSON layout of Fos-R: a model to look at, align, sample and forge from."""
    from netsynth_core.models.automata.fosr_reading import read_fosr
    from netsynth_core.models.document import write_document
    from netsynth_core.models.tadam.imported import tadam_of

    output_file(output, (".json",))
    if output.exists() and output.samefile(source):
        raise InvalidParameter(f"{source} would be written over.", hint="Name another file with -o.")
    imported = read_fosr(source, unit=unit)
    model = tadam_of(imported, source=source.name)
    write_document(output, model.to_document())
    notes = out.note(imported.notes)
    # how many of its training words are noisy the file does not say
    size = {name: value for name, value in model.describe().size.items() if not name.endswith("_words")}
    summary = {"file": str(output), "service": model.service, "state": model.state, **size}
    out.result(summary | ({"notes": notes} if out.as_json else {}))
