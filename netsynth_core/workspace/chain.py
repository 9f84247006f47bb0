"""The whole chain in one call: read, learn, sample, forge, compare, and put the results into a folder.

Nothing appears in the folder before everything is made: the results are built in a hidden folder inside it and renamed
into place, so that an interrupted run leaves what was there before.
"""

import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsynth_core.errors import NotEnoughData, StorageError
from netsynth_core.files import file_sha256, storage_error, write_text
from netsynth_core.models.document import Document, write_document
from netsynth_core.models.generator import Generator, Level
from netsynth_core.models.registry import get_kind, load_model
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.units import count, format_bits, format_bytes, format_number
from netsynth_core.workspace import contents, fitting, steps
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.edited import document_of
from netsynth_core.workspace.groups import Grouping, decide_groups
from netsynth_core.workspace.renaming import Renaming, learnt_hosts
from netsynth_core.workspace.store import Workspace

if TYPE_CHECKING:
    from netsynth_core.capture.options import ReadOptions
    from netsynth_core.capture.packets import PacketTable
    from netsynth_core.flows.metering import Metered
    from netsynth_core.flows.table import FlowTable
    from netsynth_core.flows.words import Words

AnyModel = Generator[Any, Any, Any]
PATTERNS = "patterns"
RESULTS = ("flows.csv", "synthetic.csv", "synthetic.pcap", "report.json", "report.html", "models")


@dataclass
class ChainResult:
    """What the chain did, step by step."""

    folder: Path
    read: dict[str, Any] = field(default_factory=dict)
    patterns: dict[str, Any] = field(default_factory=dict)
    automata: list[dict[str, Any]] = field(default_factory=list)
    grouping: list[dict[str, Any]] = field(default_factory=list)
    """Which conversations each automaton learnt from, and the bits that decided it."""
    sample: dict[str, Any] = field(default_factory=dict)
    forge: dict[str, Any] = field(default_factory=dict)
    evaluate: dict[str, Any] = field(default_factory=dict)
    step_seconds: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The steps' summaries and the files."""
        return {
            "read": self.read,
            "patterns": self.patterns,
            "automata": self.automata,
            "grouping": self.grouping,
            "sample": self.sample,
            "forge": self.forge,
            "evaluate": self.evaluate,
            "step_seconds": self.step_seconds,
            "files": {name: str(self.folder / name) for name in RESULTS},
        }

    def _automata_line(self) -> str:
        parts = sum(len(group["parts"]) for group in self.grouping)
        saved = sum(group["saved_bits"] for group in self.grouping)
        if parts <= len(self.grouping):
            return f"{len(self.automata)}"
        return f"{len(self.automata)}, of {parts} pairs of service and state; joining them saved {format_bits(saved)}"

    def lines(self) -> list[str]:
        """The result for a person."""
        bits = self.patterns["codelength"]
        verdicts = ", ".join(f"{count} {name}" for name, count in self.evaluate["verdicts"].items())
        return [
            *([f"taken:     {self.read['chosen']}"] if "chosen" in self.read else []),
            f"read:      {count(self.read['flows'], 'flow')}, {count(self.read['packets'], 'packet')}",
            f"patterns:  {format_number(self.patterns.get('patterns', 0))}, {format_bits(bits['total'])} "
            f"instead of {format_bits(bits['empty'])}",
            f"automata:  {self._automata_line()}",
            f"sampled:   {count(self.sample['rows'], 'flow')}",
            f"forged:    {self.forge['account']}",
            f"           {count(self.forge['packets'], 'packet')}, {format_bytes(self.forge['bytes'])}",
            f"compared:  {verdicts}",
            f"written to {self.folder}: {', '.join(RESULTS)}",
        ]


@dataclass(frozen=True, eq=False)
class _Material:
    """What the chain starts from."""

    flows: "FlowTable"
    grouping: Grouping
    facts: dict[str, Any]
    patterns: Document | None = None
    automata: dict[str, Document] = field(default_factory=dict)
    """Models there are already, by group name."""
    packets: "PacketTable | None" = None
    """The packets the groups were extracted from; None for flow tables."""
    metered: "Metered | None" = None

    @property
    def groups(self) -> "list[Words]":
        """What one automaton each is learnt from."""
        return self.grouping.groups


def generate_chain(
    inputs: Sequence[Path],
    folder: Path,
    *,
    flows: int | None = None,
    rename: Callable[[Sequence[str]], Renaming | None] | None = None,
    options: "ReadOptions | None" = None,
    replay: bool = False,
    seed: int = 0,
    monitor: Monitor = SILENT,
) -> ChainResult:
    """Do the whole chain.

    Parameters
    ----------
    inputs
        Captures, or flow tables, or one workspace. Of a workspace the newest flows that models were learnt from are
        used (else the newest that are not empty), and the newest models made from them, with their edits; what is
        missing is learnt. A flow table has no packets to learn automata from: its flows get packets by default rules.
    folder
        Exists; gets the files named in `RESULTS`, those of an earlier run are replaced.
    flows
        How many to make; None = as many as real ones.
    rename
        Given the hosts of the flow model, how the hosts of the synthetic flows and packets are renamed. Real and
        synthetic flows are compared before that.
    options
        How captures are read.
    replay
        Whether the models store captured payloads and the synthetic packets repeat them.

    Raises
    ------
    NetsynthError
        When an input cannot be read or holds too little, or the disk is full; `folder` is then as it was.
    """
    result = ChainResult(folder)
    with _replacing(folder) as made:
        begun = time.monotonic()

        def lap(name: str) -> None:
            nonlocal begun
            now = time.monotonic()
            result.step_seconds[name] = round(now - begun, 3)
            begun = now

        (made / "models").mkdir()
        material = _material([Path(path) for path in inputs], options, monitor)
        result.read = material.facts
        lap("read")
        patterns = _learn_patterns(material, made, result, seed, monitor)
        lap("patterns")
        automata = _learn_automata(material, made, result, seed, monitor, replay=replay)
        lap("automata")
        renaming = rename(learnt_hosts(patterns)) if rename is not None else None
        synthetic, renamed = _sample(material, patterns, flows, renaming, made, result, seed, monitor)
        lap("sample")
        _forge(renamed, automata, made, result, seed, monitor, replay=replay)
        lap("forge")
        _evaluate(material.flows, synthetic, patterns, made, result, seed, monitor)
        lap("evaluate")
    return result


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A hidden folder whose entries replace those of `folder` when the block ends well."""
    strangers = [p.name for p in (folder / "models").glob("*") if p.suffix not in (".json", ".npz")]
    if strangers:
        raise StorageError(
            f"{folder / 'models'} holds {strangers[0]}, which netsynth did not write.", hint="Choose another folder."
        )
    made = folder / f".netsynth-{secrets.token_hex(4)}"
    old = made / "replaced"
    try:
        old.mkdir(parents=True)
        yield made
        _swap(made, folder, old)
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(error, folder, "write into") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _swap(made: Path, folder: Path, old: Path) -> None:
    """Put the results in place; when one cannot be, all are put back as they were."""
    done: list[str] = []
    try:
        for name in RESULTS:
            if (folder / name).exists():
                (folder / name).replace(old / name)
            done.append(name)
            (made / name).replace(folder / name)
    except BaseException:
        for name in done:
            if (old / name).exists():
                if (folder / name).exists():
                    (folder / name).replace(made / name)
                (old / name).replace(folder / name)
        raise


def _material(inputs: Sequence[Path], options: "ReadOptions | None", monitor: Monitor) -> _Material:
    from netsynth_core.flows.extraction import extract_words
    from netsynth_core.flows.facts import flow_facts
    from netsynth_core.flows.source import read_flows

    if len(inputs) == 1 and (inputs[0] / "workspace.json").exists():
        return _from_workspace(Workspace.open(inputs[0]), monitor)
    source = read_flows(list(inputs), options=options, monitor=monitor)
    facts = flow_facts(source)
    if not len(source.flows):
        raise NotEnoughData(f"{inputs[0]} holds no flow.", hint="Give a capture with IP packets, or a table with rows.")
    grouping = Grouping([], ())
    if source.packets is not None and source.metered is not None:
        grouping = decide_groups(extract_words(source.packets, source.metered), source.flows)
    return _Material(source.flows, grouping, facts)


def _from_workspace(workspace: Workspace, monitor: Monitor) -> _Material:
    from netsynth_core.flows.extraction import extract_words

    tables = workspace.artefacts(ArtefactKind.FLOWS)
    if not tables:
        raise NotEnoughData(
            f"The workspace {workspace.folder} holds no flows.", hint="Read a capture in it first, or give the capture."
        )
    chosen, why = _chosen_flows(workspace, tables)
    grouping = Grouping([], ())
    if contents.CONVERSATIONS in chosen.files:
        packets = contents.packets_of(workspace, chosen.id, monitor=monitor)
        metered = contents.metered_of(workspace, chosen.id)
        grouping = decide_groups(extract_words(packets, metered), metered.flows)
    patterns: Document | None = None
    automata: dict[str, Document] = {}
    for artefact in workspace.artefacts(ArtefactKind.MODEL):
        if not _made_from(workspace, artefact, chosen.id):
            continue
        document = document_of(workspace, artefact.id)
        if get_kind(document.kind).level is Level.FLOW:
            patterns = document
        else:
            automata[contents.group_name(artefact.facts["service"], artefact.facts["state"])] = document
    flows = contents.flows_of(workspace, chosen.id)
    facts = {**chosen.facts, "artefact": chosen.id, "chosen": f"{workspace.label(chosen.id).name}: {why}"}
    return _Material(flows, grouping, facts, patterns, automata)


def _chosen_flows(workspace: Workspace, tables: list[Artefact]) -> tuple[Artefact, str]:
    """The newest flows that models were learnt from, else the newest; empty ones are passed over. And why."""
    filled = [table for table in tables if table.facts.get("flows")]
    if not filled:
        raise NotEnoughData(
            f"The workspace {workspace.folder} holds {len(tables)} flow tables without a flow.",
            hint="Read a capture with IP packets in it, or give the capture.",
        )
    models = workspace.artefacts(ArtefactKind.MODEL)
    learnt = [table for table in filled if any(_made_from(workspace, model, table.id) for model in models)]
    if learnt:
        return learnt[-1], "the newest flows that models were learnt from"
    return filled[-1], "the newest flows"


def _made_from(workspace: Workspace, artefact: Artefact, source: str) -> bool:
    """Whether `source` is among what an artefact was made from, at any remove."""
    held = {a.id: a for a in workspace.artefacts()}
    waiting = [artefact.id]
    while waiting:
        at = held.get(waiting.pop())
        if at is None:
            continue
        if any(ref.id == source for ref in at.inputs):
            return True
        waiting += [ref.id for ref in at.inputs]
    return False


def _summary(model: AnyModel) -> dict[str, Any]:
    card = model.describe()
    return {"kind": card.kind, "codelength": card.codelength.to_json(), **card.size, "warnings": list(card.warnings)}


def _learn_patterns(material: _Material, made: Path, result: ChainResult, seed: int, monitor: Monitor) -> AnyModel:
    path = made / "models" / f"{PATTERNS}.json"
    if material.patterns is not None:
        model = load_model(material.patterns)
        result.patterns = _summary(model) | {"learnt": False}
        write_document(path, material.patterns)
        return model
    fitted = fitting.fit_model(
        "flowchronicle", material.flows, {}, seed=seed, monitor=fitting.within(monitor, "patterns")
    )
    write_document(path, fitted.document)
    result.patterns = fitted.summary() | {"learnt": True}
    return fitted.model


def _learn_automata(
    material: _Material, made: Path, result: ChainResult, seed: int, monitor: Monitor, *, replay: bool = False
) -> list[AnyModel]:
    missing = [w for w in material.groups if contents.group_name(w.service, w.state) not in material.automata]
    result.grouping = [joining.to_json() for joining in material.grouping.joinings]
    learnt = {}
    for words, fitted in zip(missing, fitting.fit_automata(missing, seed=seed, monitor=monitor), strict=True):
        if material.packets is not None and material.metered is not None:
            fitted = fitting.with_payloads(
                fitted, words, material.packets, material.metered, keep="replay" if replay else "templates"
            )
        learnt[fitted.name] = fitted
    models: list[AnyModel] = []
    names = [contents.group_name(words.service, words.state) for words in material.groups]
    for name in [*names, *sorted(set(material.automata) - set(names))]:
        path = made / "models" / f"{name.replace('/', '-')}.json"
        if name in learnt:
            write_document(path, learnt[name].document)
            models.append(learnt[name].model)
            result.automata.append({"name": name, **learnt[name].summary(), "learnt": True})
        else:
            model = load_model(material.automata[name])
            write_document(path, material.automata[name])
            models.append(model)
            result.automata.append({"name": name, **_summary(model), "learnt": False})
    return models


def _sample(
    material: _Material,
    patterns: AnyModel,
    flows: int | None,
    renaming: Renaming | None,
    made: Path,
    result: ChainResult,
    seed: int,
    monitor: Monitor,
) -> "tuple[FlowTable, FlowTable]":
    """The synthetic flows, and the same under the names that are written."""
    from netsynth_core.flows.table import FlowTable
    from netsynth_core.flows.table_io import write_flow_table

    write_flow_table(made / "flows.csv", material.flows)
    begun = time.monotonic()
    synthetic = steps.sample_model(patterns, flows or len(material.flows), seed=seed, monitor=monitor)
    assert isinstance(synthetic, FlowTable)
    seconds = max(time.monotonic() - begun, 1e-3)
    renamed = synthetic if renaming is None else renaming.of(synthetic)
    write_flow_table(made / "synthetic.csv", renamed)
    result.sample = {
        "rows": len(synthetic),
        "seconds": round(seconds, 3),
        "rows_per_second": round(len(synthetic) / seconds, 1),
    }
    if renaming is not None:
        result.sample |= {**renaming.facts, "notes": list(renaming.notes)}
    return synthetic, renamed


def _forge(
    synthetic: "FlowTable",
    automata: Sequence[AnyModel],
    made: Path,
    result: ChainResult,
    seed: int,
    monitor: Monitor,
    *,
    replay: bool,
) -> None:
    path = made / "synthetic.pcap"
    report = steps.forge_flows(synthetic, automata, path=path, seed=seed, replay=replay, monitor=monitor)
    result.forge = {
        "packets": report.packets,
        "bytes": report.bytes,
        "flows": report.flows,
        "seconds": round(report.seconds, 3),
        "bytes_per_second": round(report.bytes / max(report.seconds, 1e-3), 1),
        "fallbacks": report.fallbacks,
        **steps.forge_account(report),
    }


def _evaluate(
    real: "FlowTable",
    synthetic: "FlowTable",
    patterns: AnyModel,
    made: Path,
    result: ChainResult,
    seed: int,
    monitor: Monitor,
) -> None:
    report = steps.compare(real, synthetic, patterns=patterns, seed=seed, monitor=monitor)
    report.write(made / "report.json")
    monitor.step("writing the report", 0, 1)
    hashes = {name: file_sha256(made / name)[:12] for name in ("flows.csv", "synthetic.csv")}
    provenance = {"files": hashes, "patterns": patterns.to_document().content_hash(), "seed": seed}
    write_text(made / "report.html", steps.report_page(report, real, synthetic, provenance=provenance))
    verdicts: dict[str, int] = {}
    for metric in report:
        verdicts[str(metric.verdict)] = verdicts.get(str(metric.verdict), 0) + 1
    result.evaluate = {"metrics": report.to_json()["metrics"], "verdicts": verdicts}
