"""Recipes make artefacts that name what they came from; the same recipe makes the same thing."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from netsynth_core.capture import read_capture
from netsynth_core.errors import (
    Cancelled,
    InvalidParameter,
    NotEnoughData,
    SchemaError,
    StorageError,
    TruncatedCapture,
    UnknownFormat,
    WorkspaceError,
)
from netsynth_core.flows.source import read_flows
from netsynth_core.flows.table_io import write_flow_table
from netsynth_core.models.edits import parse_edit
from netsynth_core.monitor import CallbackMonitor
from netsynth_core.workspace import Artefact, ArtefactKind, Recipe, Step, Workspace, contents, stale
from netsynth_core.workspace.chain import generate_chain
from netsynth_core.workspace.doing import do_recipe
from netsynth_core.workspace.edited import apply_edit, open_model
from tests.factories import flow_table, office_pcap, write_pcap


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "ws")


@pytest.fixture
def pcap(tmp_path: Path) -> Path:
    return office_pcap(tmp_path / "office.pcap", 40)


def do(workspace: Workspace, step: str, *inputs: str, **parameters: object) -> list[Artefact]:
    return do_recipe(workspace, Recipe(step=Step(step), inputs=inputs, parameters=parameters))


def test_a_capture_by_reference_knows_when_its_file_changed(workspace: Workspace, pcap: Path) -> None:
    held = do(workspace, "capture", path=str(pcap))[-1]
    assert held.files == () and held.facts["size"] == pcap.stat().st_size
    assert contents.capture_path(workspace, held.id) == pcap and stale(workspace) == {}
    flows = do(workspace, "flows", held.id)[-1]
    os.utime(pcap, ns=(1, 1))
    assert contents.capture_path(workspace, held.id) == pcap
    office_pcap(pcap, 5)
    assert set(stale(workspace)) == {held.id, flows.id}
    with pytest.raises(StorageError, match="was changed since"):
        contents.capture_path(workspace, held.id)
    pcap.unlink()
    assert "no longer there" in stale(workspace)[held.id][0].sentence
    with pytest.raises(StorageError, match="does not exist"):
        contents.capture_path(workspace, held.id)


def test_a_copied_capture_needs_its_original_no_more(workspace: Workspace, pcap: Path) -> None:
    held = do(workspace, "capture", path=str(pcap), copy=True)[-1]
    content = pcap.read_bytes()
    pcap.unlink()
    assert contents.capture_path(workspace, held.id).read_bytes() == content and stale(workspace) == {}
    assert do(workspace, "flows", held.id)[-1].facts["flows"] == 80


def test_flows_keep_their_conversations_and_packets_can_be_shown(workspace: Workspace, pcap: Path) -> None:
    capture = do(workspace, "capture", path=str(pcap))[-1]
    flows = do(workspace, "flows", capture.id, idle_timeout_tcp=60)[-1]
    assert flows.inputs[0].id == capture.id and flows.facts["services"] == {"dns": 40, "http": 40}
    metered, packets = contents.metered_of(workspace, flows.id), contents.packets_of(workspace, flows.id)
    assert len(metered.flows) == len(metered.conversations) == 80
    assert np.array_equal(packets.ts, read_capture(pcap).packets.ts)
    rows = metered.conversations.rows(1)
    assert len(rows) == 10 and int(packets.ts[rows[0]]) == int(metered.flows.frame["ts"].iloc[1])
    (report,) = contents.reports_of(workspace, flows.id)
    assert report.packets == 480 and report.path == str(pcap)


def test_marks_and_options_are_kept_and_older_workspaces_have_none(workspace: Workspace, pcap: Path) -> None:
    flows = do(workspace, "flows", do(workspace, "capture", path=str(pcap))[-1].id)[-1]
    once, held = read_flows(pcap).metered, contents.metered_of(workspace, flows.id)
    assert once is not None and held.marks.tolist() == once.marks.tolist()
    for name in ("mss", "window_scale", "sack_permitted", "timestamps"):
        assert getattr(held.options, name).tolist() == getattr(once.options, name).tolist()
    path = workspace.path(flows.id, contents.CONVERSATIONS)
    with np.load(path) as arrays:
        older = {name: arrays[name] for name in ("offsets", "packets", "direction")}
    np.savez_compressed(path, **older)
    held = contents.metered_of(workspace, flows.id)
    assert held.marks.shape == (480,) and not held.marks.any()
    assert held.options.mss.shape == (80, 2) and set(held.options.mss.ravel().tolist()) == {-1}


def test_words_remember_their_flows(workspace: Workspace, pcap: Path) -> None:
    flows = do(workspace, "flows", do(workspace, "capture", path=str(pcap))[-1].id)[-1]
    words = do(workspace, "words", flows.id)[-1]
    assert [entry["path"] for entry in words.facts["files"]] == ["dns-SF.txt", "http-SF.txt"]
    (http,) = contents.words_of(workspace, words.id, "http/SF")
    assert http.flow_rows is not None and http.service == "http"
    services = contents.flows_of(workspace, flows.id).frame["service"].to_numpy()[http.flow_rows]
    assert set(services) == {"http"}
    with pytest.raises(WorkspaceError, match="no group 'smtp'"):
        contents.words_of(workspace, words.id, "smtp")


def test_the_whole_chain_in_a_workspace(workspace: Workspace, pcap: Path) -> None:
    capture = do(workspace, "capture", path=str(pcap))[-1]
    made = do(workspace, "generate", capture.id, flows=50)
    kinds = [artefact.kind.value for artefact in made]
    assert kinds == ["flows", "model", "words", "model", "model", "synthetic", "synthetic", "report"]
    assert stale(workspace) == {}
    synthetic, forged = made[5], made[6]
    assert synthetic.facts["content"] == "flows" and len(contents.flows_of(workspace, synthetic.id)) == 50
    assert forged.facts["content"] == "pcap" and len(contents.flows_of(workspace, forged.id)) > 0
    report = made[-1]
    assert workspace.path(report.id, "report.html").exists() and report.inputs[1].id == synthetic.id
    assert [a.id for a in do(workspace, "generate", capture.id, flows=50)] == [a.id for a in made]
    assert len(workspace.artefacts()) == len(made) + 1


def test_a_flow_log_has_no_packets(workspace: Workspace, tmp_path: Path) -> None:
    write_flow_table(tmp_path / "log.csv", flow_table())
    flows = do(workspace, "flows", do(workspace, "capture", path=str(tmp_path / "log.csv"))[-1].id)[-1]
    assert contents.reports_of(workspace, flows.id) == [] and flows.facts["conversations"] == 0
    with pytest.raises(WorkspaceError, match="flow log"):
        contents.metered_of(workspace, flows.id)
    with pytest.raises(WorkspaceError, match="flow log"):
        do(workspace, "words", flows.id)


def test_logs_and_mapped_tables_tell_what_was_left_out(workspace: Workspace, tmp_path: Path) -> None:
    log = tmp_path / "flows.txt"
    log.write_text(
        "Date first seen,Duration,Proto,Src IP Addr,Src Pt,Dst IP Addr,Dst Pt,Packets,Bytes,Flags\n"
        "2017-03-15 00:00:01.500,0.1,TCP,10.0.0.3,4001,10.0.0.2,80,1,60,....S.\nrubbish\n"
    )
    capture = do(workspace, "capture", path=str(log))[-1]
    facts = do(workspace, "flows", capture.id)[-1].facts
    assert facts["flows"] == 1 and facts["first_skipped"] == {"wrong number of cells": 3}
    assert [(log["format"], log["rows"], log["skipped"]) for log in facts["logs"]] == [
        ("cidds", 2, {"wrong number of cells": 1})
    ]
    other = tmp_path / "other.csv"
    other.write_text("when;who;whom\n1700000000;10.0.0.1;10.0.0.2\n")
    capture = do(workspace, "capture", path=str(other))[-1]
    mapping = {"columns": {"ts": "when", "src_ip": "who", "dst_ip": "whom"}, "delimiter": ";"}
    with pytest.raises(SchemaError, match="names no column"):
        do(workspace, "flows", capture.id, mapping={"columns": {}})
    capture = do(workspace, "capture", path=str(other))[-1]
    made = do(workspace, "flows", capture.id, mapping=mapping)[-1]
    assert made.facts["flows"] == 1 and made.facts["logs"][0]["format"] == "mapping"


def test_a_model_of_words_is_sampled_as_words(workspace: Workspace, pcap: Path) -> None:
    flows = do(workspace, "flows", do(workspace, "capture", path=str(pcap))[-1].id)[-1]
    words = do(workspace, "words", flows.id)[-1]
    (model,) = do(workspace, "fit", words.id, kind="tadam", groups=["http/SF"])
    assert workspace.label(model.id).name == "http/SF" and model.facts["level"] == "packet"
    spoken = do(workspace, "sample", model.id, n=4)[-1]
    (drawn,) = contents.words_of(workspace, spoken.id)
    assert len(drawn) == 4 and drawn.service == "http"


def test_superseding_marks_what_was_made_from_the_old_one(workspace: Workspace, pcap: Path) -> None:
    capture = do(workspace, "capture", path=str(pcap))[-1]
    old = do(workspace, "flows", capture.id)[-1]
    words = do(workspace, "words", old.id)[-1]
    new = do_recipe(
        workspace,
        Recipe(step="flows", inputs=(capture.id,), parameters={"idle_timeout_udp": 5}, supersedes=old.id),
    )[-1]
    assert new.id != old.id
    marks = stale(workspace)
    assert set(marks) == {words.id} and new.id in marks[words.id][0].sentence


def test_deleting_an_input_is_seen(workspace: Workspace, pcap: Path) -> None:
    capture = do(workspace, "capture", path=str(pcap))[-1]
    flows = do(workspace, "flows", capture.id)[-1]
    lies = workspace.delete(capture.id)
    assert "was deleted" in stale(workspace)[flows.id][0].sentence
    workspace.restore(lies.name)
    assert stale(workspace) == {}


@pytest.mark.parametrize(
    "step, parameters, words",
    [
        ("flows", {}, "too few inputs"),
        ("evaluate", {}, "too few inputs"),
        ("capture", {"paht": "x"}, "no parameter 'paht'"),
        ("capture", {"path": "x", "copy": "yes"}, "copy"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(
    workspace: Workspace, step: str, parameters: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidParameter, match=words):
        do(workspace, step, **parameters)


def test_a_cancelled_step_leaves_what_was_finished_and_nothing_half(workspace: Workspace, pcap: Path) -> None:
    capture = do(workspace, "capture", path=str(pcap))[-1]

    def stop_at_automata(phase: str, done: int, total: int | None, facts: dict[str, object]) -> None:
        if phase.startswith("automaton 2"):
            raise Cancelled

    with pytest.raises(Cancelled):
        do_recipe(workspace, Recipe(step="generate", inputs=(capture.id,)), monitor=CallbackMonitor(stop_at_automata))
    kinds = sorted(artefact.kind.value for artefact in workspace.artefacts())
    assert kinds == ["capture", "flows", "model", "model", "words"]
    assert list((workspace.folder / "tmp").iterdir()) == [] and workspace.broken() == []


def test_generate_from_a_workspace_uses_its_models_with_their_edits(
    workspace: Workspace, pcap: Path, tmp_path: Path
) -> None:
    capture = do(workspace, "capture", path=str(pcap))[-1]
    flows = do(workspace, "flows", capture.id)[-1]
    model = do(workspace, "fit", flows.id, kind="flowchronicle")[-1].id
    raw = {"op": "rename_pattern", "pattern": "p1", "name": "kept"}
    apply_edit(workspace, model, parse_edit(raw, open_model(workspace, model).model.edits))
    (tmp_path / "out").mkdir()
    result = generate_chain([workspace.folder], tmp_path / "out", flows=30)
    assert result.patterns["learnt"] is False and all(a["learnt"] for a in result.automata)
    written = json.loads((tmp_path / "out" / "models" / "patterns.json").read_text())
    assert any(pattern["name"] == "kept" for pattern in written["body"]["patterns"]) and written["card"]["seed"] == 0
    assert result.sample["rows"] == 30


@pytest.mark.parametrize("content", [b"Call me Ishmael.\n", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_file_of_another_kind_is_not_taken_in(workspace: Workspace, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(UnknownFormat, match="neither a capture nor a flow table"):
        do(workspace, "capture", path=str(tmp_path / "other"))
    assert workspace.artefacts() == []


def test_a_capture_that_was_never_readable_goes_to_the_trash(workspace: Workspace, pcap: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.pcap").write_bytes(pcap.read_bytes()[:10])
    (tmp_path / "odd.csv").write_text("ts,proto\n1,TCP\n")
    for name in ("cut.pcap", "odd.csv"):
        held = do(workspace, "capture", path=str(tmp_path / name))[-1]
        with pytest.raises((TruncatedCapture, SchemaError)) as caught:
            do(workspace, "flows", held.id)
        assert "taken out of the workspace" in caught.value.hint
    assert workspace.artefacts() == [] and len(workspace.trash()) == 2


def test_a_capture_that_was_read_once_stays_when_it_cannot_be_read_again(workspace: Workspace, tmp_path: Path) -> None:
    write_flow_table(tmp_path / "log.csv", flow_table())
    held = do(workspace, "capture", path=str(tmp_path / "log.csv"), copy=True)[-1]
    do(workspace, "flows", held.id)
    workspace.path(held.id, held.files[0]).write_text("ts,proto\n1,TCP\n")
    with pytest.raises(SchemaError):
        do(workspace, "flows", held.id)
    assert workspace.get(held.id) == held


def test_generate_from_a_workspace_takes_the_flows_its_models_learnt_from(
    workspace: Workspace, pcap: Path, tmp_path: Path
) -> None:
    learnt = do(workspace, "flows", do(workspace, "capture", path=str(pcap))[-1].id)[-1]
    do(workspace, "fit", learnt.id, kind="flowchronicle")
    for name, frames in (("later.pcap", 20), ("none.pcap", 0)):
        other = office_pcap(tmp_path / name, frames) if frames else write_pcap(tmp_path / name, [])
        do(workspace, "flows", do(workspace, "capture", path=str(other))[-1].id)
    (tmp_path / "out").mkdir()
    result = generate_chain([workspace.folder], tmp_path / "out", flows=20)
    assert result.read["artefact"] == learnt.id and result.patterns["learnt"] is False
    assert any("office.pcap: the newest flows that models were learnt from" in line for line in result.lines())


def test_generate_from_a_workspace_of_empty_flows_says_so(workspace: Workspace, tmp_path: Path) -> None:
    empty = do(workspace, "capture", path=str(write_pcap(tmp_path / "none.pcap", [])))[-1]
    do(workspace, "flows", empty.id)
    (tmp_path / "out").mkdir()
    with pytest.raises(NotEnoughData, match="1 flow tables without a flow"):
        generate_chain([workspace.folder], tmp_path / "out")


def test_kinds_are_artefact_kinds(workspace: Workspace) -> None:
    with pytest.raises(ValueError):
        workspace.artefacts("nonsense")
    assert workspace.artefacts(ArtefactKind.MODEL) == []
