"""Doing recipes: each step takes its inputs from the workspace and puts what it makes back as artefacts.

Every artefact appears whole, at the end of its making; a step that fails or is cancelled leaves those it had finished.
"""

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsynth_core.errors import InvalidParameter, NotEnoughData, SchemaError, TruncatedCapture, UnknownFormat
from netsynth_core.files import storage_error, write_text
from netsynth_core.flows.facts import byte_total, packet_total
from netsynth_core.models.automata.payloads import KEEPS, NOTHING, TEMPLATES
from netsynth_core.models.document import write_document
from netsynth_core.models.generator import Level
from netsynth_core.models.registry import get_kind
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.workspace import contents, fitting, steps
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.edited import open_model
from netsynth_core.workspace.groups import decide_groups
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.store import LEARNED, Workspace

if TYPE_CHECKING:
    from netsynth_core.capture.packets import PacketTable
    from netsynth_core.flows.metering import Metered

Doer = Callable[[Workspace, Recipe, Monitor], list[Artefact]]


def do_recipe(workspace: Workspace, recipe: Recipe, *, monitor: Monitor = SILENT) -> list[Artefact]:
    """Do a recipe in this process.

    Returns
    -------
    list of Artefact
        What was made, the main result last.

    Raises
    ------
    NetsynthError
        When an input or parameter is not fit for the step.
    Cancelled
        When the monitor wants it.
    """
    return _STEPS[recipe.step](workspace, recipe, monitor)


def take_parameters(recipe: Recipe, **defaults: Any) -> dict[str, Any]:
    """The recipe's parameters over these defaults.

    Raises
    ------
    InvalidParameter
        When the recipe has one that is not among them, or one of another type.
    """
    for name, value in recipe.parameters.items():
        if name not in defaults:
            raise InvalidParameter(
                f"The step {recipe.step} has no parameter {name!r}.", hint=f"It has: {', '.join(defaults) or 'none'}."
            )
        kind = type(defaults[name])
        if defaults[name] is not None and not isinstance(value, kind):
            raise InvalidParameter(
                f"The parameter {name!r} of the step {recipe.step} is {value!r}.", hint=f"Give {kind.__name__}."
            )
    return {**defaults, **recipe.parameters}


def _need(recipe: Recipe, least: int, what: str) -> None:
    if len(recipe.inputs) < least:
        raise InvalidParameter(f"The step {recipe.step} was given too few inputs.", hint=f"It needs {what}.")


def _add(
    workspace: Workspace,
    recipe: Recipe,
    kind: ArtefactKind,
    fill: Callable[[Path], dict[str, Any]],
    *,
    name: str,
) -> Artefact:
    inputs = tuple(workspace.reference(id) for id in recipe.inputs)
    return workspace.add(kind, fill, name=recipe.name or name, inputs=inputs, recipe=recipe)


def _capture(workspace: Workspace, recipe: Recipe, monitor: Monitor) -> list[Artefact]:
    from netsynth_core.flows.source import kind_of

    values = take_parameters(recipe, path="", copy=False)
    source = Path(values["path"])
    monitor.step("reading the file", 0, 1)
    kind_of(source)

    def fill(folder: Path) -> dict[str, Any]:
        facts = contents.capture_facts(source)
        if values["copy"]:
            try:
                shutil.copyfile(source, folder / f"capture{''.join(source.suffixes[-2:])}")
            except OSError as error:
                raise storage_error(error, source, "copy") from error
        return {**facts, "copied": values["copy"]}

    return [_add(workspace, recipe, ArtefactKind.CAPTURE, fill, name=source.name)]


def _flows(workspace: Workspace, recipe: Recipe, monitor: Monitor) -> list[Artefact]:
    from netsynth_core.flows.logs import checked_mapping
    from netsynth_core.flows.metering import MeterParams
    from netsynth_core.flows.source import read_flows

    _need(recipe, 1, "at least one capture or flow log")
    given = dict(recipe.parameters)
    mapping = checked_mapping(given.pop("mapping")) if given.get("mapping") else None
    options = contents.read_options(given.pop("options", None))
    params = MeterParams.checked({name: value for name, value in given.items() if name != "mapping"})
    paths = [contents.capture_path(workspace, id) for id in recipe.inputs]
    try:
        source = read_flows(paths, params, options=options, mapping=mapping, monitor=monitor)
    except (UnknownFormat, SchemaError, TruncatedCapture) as error:
        if (
            mapping is not None
            or len(recipe.inputs) > 1
            or any(recipe.inputs[0] in (r.id for r in a.inputs) for a in workspace.artefacts())
        ):
            raise
        # a file that was never readable would stand among the captures for ever
        workspace.delete(recipe.inputs[0])
        raise type(error)(error.message, hint=f"{error.hint} The file was taken out of the workspace again.") from error
    name = " + ".join(workspace.label(id).name for id in recipe.inputs)
    fill = lambda folder: contents.write_flows(folder, source)  # noqa: E731
    return [_add(workspace, recipe, ArtefactKind.FLOWS, fill, name=name)]


def _cut(workspace: Workspace, recipe: Recipe, monitor: Monitor) -> list[Artefact]:
    from netsynth_core.workspace.cutting import cut_flows, cut_suffix, parse_rows

    _need(recipe, 1, "flows that were read from a capture")
    values = take_parameters(recipe, rows="")
    source = recipe.inputs[0]
    rows = [row for low, high in parse_rows(values["rows"]) for row in range(low, high + 1)]

    def fill(folder: Path) -> dict[str, Any]:
        target = folder / f"capture{cut_suffix(workspace, source)}"
        report = cut_flows(workspace, source, rows, target, monitor=monitor)
        facts = {**contents.capture_facts(target), "path": target.name, "copied": True}
        return {**facts, "packets": report.packets, "flows_cut": len(rows)}

    name = f"{len(rows)} flows of {workspace.label(source).name}"
    return [_add(workspace, recipe, ArtefactKind.CAPTURE, fill, name=name)]


def _words(workspace: Workspace, recipe: Recipe, monitor: Monitor) -> list[Artefact]:
    from netsynth_core.flows.extraction import extract_words

    _need(recipe, 1, "flows that were read from a capture")
    take_parameters(recipe)
    source = recipe.inputs[0]
    metered = contents.metered_of(workspace, source)
    packets = contents.packets_of(workspace, source, monitor=monitor)
    monitor.step("reading conversations", 0, 1)
    grouping = decide_groups(extract_words(packets, metered), metered.flows)
    groups = grouping.groups
    if not groups:
        raise NotEnoughData("There is no conversation in these flows.", hint="Choose a capture with IP packets.")

    def fill(folder: Path) -> dict[str, Any]:
        entries = contents.write_groups(folder, groups)
        contents.write_flow_rows(folder, entries, groups)
        joinings = [joining.to_json() for joining in grouping.joinings]
        return {"files": entries, "words": sum(len(words) for words in groups), "grouping": joinings}

    return [_add(workspace, recipe, ArtefactKind.WORDS, fill, name=f"words of {workspace.label(source).name}")]


def _events(workspace: Workspace, recipe: Recipe, monitor: Monitor) -> list[Artefact]:
    from netsynth_core.flows.event_logs import read_event_log

    values = take_parameters(recipe, path="", case="", event="", time="")
    path = Path(values["path"])
    monitor.step("reading the log", 0, 1)
    log = read_event_log(path, case=values["case"], event=values["event"], time=values["time"])
    fill = lambda folder: contents.write_log(folder, path, log)  # noqa: E731
    return [_add(workspace, recipe, ArtefactKind.WORDS, fill, name=path.name)]


def _fit(workspace: Workspace, recipe: Recipe, monitor: Monitor) -> list[Artefact]:
    _need(recipe, 1, "flows, or words")
    values = take_parameters(recipe, kind="", settings={}, groups=[], payloads=TEMPLATES)
    source = workspace.get(recipe.inputs[0])
    entry = get_kind(values["kind"])
    entry.params_class().checked(values["settings"])
    if entry.level is Level.FLOW:
        flows = contents.flows_of(workspace, source.id)
        fitted = fitting.fit_model(entry.name, flows, values["settings"], seed=recipe.seed, monitor=monitor)
        return [_add_model(workspace, recipe, fitted, {}, name=f"{entry.name} of {workspace.label(source.id).name}")]
    names = values["groups"] or [contents.group_name(e["service"], e["state"]) for e in source.facts.get("files", [])]
    groups = [contents.words_of(workspace, source.id, name)[0] for name in names]
    made: dict[int, Artefact] = {}
    learnt = fitting.fit_each(groups, values["settings"], seed=recipe.seed, kind=entry.name, monitor=monitor)
    behind = _packets_behind(workspace, source, values["payloads"], monitor)
    for place, fitted in learnt:
        if behind is not None:
            fitted = fitting.with_payloads(fitted, groups[place], *behind, keep=values["payloads"])
        one = recipe.model_copy(update={"parameters": {**values, "groups": [names[place]]}})
        facts = {"group": names[place], "service": groups[place].service, "state": groups[place].state}
        made[place] = _add_model(workspace, one, fitted, facts, name=names[place])
    return [made[place] for place in range(len(names))]


def _packets_behind(
    workspace: Workspace, words: Artefact, keep: str, monitor: Monitor
) -> "tuple[PacketTable, Metered] | None":
    """The packets that words were extracted from; None where payloads are not to be learnt or the flows had none."""
    if keep not in KEEPS:
        raise InvalidParameter(f"Payloads cannot be kept as {keep!r}.", hint=f"Use one of {', '.join(KEEPS)}.")
    tables = [workspace.get(ref.id) for ref in words.inputs]
    tables = [table for table in tables if contents.CONVERSATIONS in table.files]
    if keep == NOTHING or words.kind is not ArtefactKind.WORDS or not tables:
        return None
    packets = contents.packets_of(workspace, tables[0].id, monitor=monitor)
    return packets, contents.metered_of(workspace, tables[0].id)


def _add_model(
    workspace: Workspace, recipe: Recipe, fitted: fitting.Fitted, facts: dict[str, Any], *, name: str
) -> Artefact:
    def fill(folder: Path) -> dict[str, Any]:
        write_document(folder / LEARNED, fitted.document)
        level = fitted.model.level.value
        return {**fitted.summary(), **facts, "level": level, "model_hash": fitted.document.content_hash()}

    return _add(workspace, recipe, ArtefactKind.MODEL, fill, name=name)


def _sample(workspace: Workspace, recipe: Recipe, monitor: Monitor) -> list[Artefact]:
    from netsynth_core.flows.table import FlowTable
    from netsynth_core.flows.table_io import write_flow_table

    _need(recipe, 1, "a model")
    values = take_parameters(recipe, n=None, duration_ns=None, start_ns=None)
    model = open_model(workspace, recipe.inputs[0]).model
    made = steps.sample_model(
        model,
        values["n"],
        duration_ns=values["duration_ns"],
        start_ns=values["start_ns"],
        seed=recipe.seed,
        monitor=monitor,
    )

    def fill(folder: Path) -> dict[str, Any]:
        if isinstance(made, FlowTable):
            write_flow_table(folder / contents.FLOWS, made)
            packets, size = packet_total(made), byte_total(made)
            return {"content": "flows", "flows": len(made), "packets": packets, "bytes": size}
        return {"content": "words", "words": len(made), "files": contents.write_groups(folder, [made])}

    name = f"{len(made)} {'flows' if isinstance(made, FlowTable) else 'words'}"
    return [_add(workspace, recipe, ArtefactKind.SYNTHETIC, fill, name=f"{name}, seed {recipe.seed}")]


def _forge(workspace: Workspace, recipe: Recipe, monitor: Monitor) -> list[Artefact]:
    _need(recipe, 1, "flows, and packet-level models")
    values = take_parameters(recipe, replay=False)
    flows = contents.flows_of(workspace, recipe.inputs[0])
    models = [open_model(workspace, id).model for id in recipe.inputs[1:]]

    def fill(folder: Path) -> dict[str, Any]:
        report = steps.forge_flows(
            flows,
            models,
            path=folder / contents.PCAP,
            seed=recipe.seed,
            replay=bool(values["replay"]),
            monitor=monitor,
        )
        return {"content": "pcap", **asdict(report)}

    name = f"packets of {workspace.label(recipe.inputs[0]).name}"
    return [_add(workspace, recipe, ArtefactKind.SYNTHETIC, fill, name=name)]


def _evaluate(workspace: Workspace, recipe: Recipe, monitor: Monitor) -> list[Artefact]:
    _need(recipe, 2, "real flows and synthetic flows")
    values = take_parameters(recipe, holdout="")
    real, synthetic = (contents.flows_of(workspace, id) for id in recipe.inputs[:2])
    holdout = contents.flows_of(workspace, values["holdout"]) if values["holdout"] else None
    patterns = open_model(workspace, recipe.inputs[2]).model if len(recipe.inputs) > 2 else None
    report = steps.compare(real, synthetic, holdout=holdout, patterns=patterns, seed=recipe.seed, monitor=monitor)
    provenance = {
        "real": workspace.reference(recipe.inputs[0]).model_dump(),
        "synthetic": workspace.reference(recipe.inputs[1]).model_dump(),
        "seed": recipe.seed,
    }
    page = steps.report_page(report, real, synthetic, provenance=provenance)

    def fill(folder: Path) -> dict[str, Any]:
        report.write(folder / contents.REPORT)
        write_text(folder / contents.REPORT_PAGE, page)
        return {"metrics": len(report.metrics), "rows": dict(report.rows)}

    name = f"{workspace.label(recipe.inputs[1]).name} against {workspace.label(recipe.inputs[0]).name}"
    return [_add(workspace, recipe, ArtefactKind.REPORT, fill, name=name)]


def _generate(workspace: Workspace, recipe: Recipe, monitor: Monitor) -> list[Artefact]:
    _need(recipe, 1, "captures, or flows")
    values = take_parameters(recipe, flows=None, settings={})
    made: list[Artefact] = []

    def do(step: Step, inputs: list[str], **parameters: Any) -> list[Artefact]:
        found = do_recipe(
            workspace,
            Recipe(step=step, inputs=tuple(inputs), parameters=parameters, seed=recipe.seed),
            monitor=monitor,
        )
        made.extend(found)
        return found

    flows = workspace.get(recipe.inputs[0])
    if flows.kind is ArtefactKind.CAPTURE:
        flows = do(Step.FLOWS, list(recipe.inputs))[-1]
    contents.require_kind(flows, ArtefactKind.FLOWS)
    settings = values["settings"]
    patterns = do(Step.FIT, [flows.id], kind="flowchronicle", settings=settings.get("flowchronicle", {}))[-1]
    automata: list[Artefact] = []
    if contents.CONVERSATIONS in flows.files:
        words = do(Step.WORDS, [flows.id])[-1]
        automata = do(Step.FIT, [words.id], kind="tadam", settings=settings.get("tadam", {}))
    synthetic = do(Step.SAMPLE, [patterns.id], n=values["flows"] or int(flows.facts["flows"]))[-1]
    do(Step.FORGE, [synthetic.id, *(model.id for model in automata)])
    do(Step.EVALUATE, [flows.id, synthetic.id, patterns.id])
    return made


_STEPS: dict[Step, Doer] = {
    Step.CAPTURE: _capture,
    Step.FLOWS: _flows,
    Step.CUT: _cut,
    Step.WORDS: _words,
    Step.EVENTS: _events,
    Step.FIT: _fit,
    Step.SAMPLE: _sample,
    Step.FORGE: _forge,
    Step.EVALUATE: _evaluate,
    Step.GENERATE: _generate,
}
