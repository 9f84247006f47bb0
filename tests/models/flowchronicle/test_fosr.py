"""The published JSON layout: its field list, and a reader that draws flows as the published one is said to."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from netsynth_core.cli import main
from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.table import FlowTable
from netsynth_core.models.document import write_document
from netsynth_core.models.flowchronicle import FlowChronicle, SetWeight
from netsynth_core.models.flowchronicle.fosr import MOST_CELLS, fosr_patterns

LISTS: dict[str, type] = {"SrcIP": str, "DstIP": str, "DstPt": int, "Proto": str, "Flags": str}
INTERVALS: dict[str, type] = {"FwdPkt": int, "BwdPkt": int, "FwdByt": int, "BwdByt": int, "Duration": float}
REUSE = {
    "ReuseSrcAsSrc": ("SrcIP", "SrcIP"),
    "ReuseSrcAsDst": ("SrcIP", "DstIP"),
    "ReuseDrcAsSrc": ("DstIP", "SrcIP"),
    "ReuseDrcAsDst": ("DstIP", "DstIP"),
}


def check_feature(feature: dict[str, Any]) -> None:
    """A type of the list, and a domain of its kind."""
    assert set(feature) == {"type", "domain"} and feature["domain"]
    if feature["type"] in LISTS:
        assert all(type(value) is LISTS[feature["type"]] for value in feature["domain"])
    else:
        kind = INTERVALS[feature["type"]]
        assert all(len(pair) == 2 and pair[0] < pair[1] for pair in feature["domain"])
        assert all(type(value) is kind for pair in feature["domain"] for value in pair)
    if feature["type"] == "DstPt":
        assert all(0 <= port < 65536 for port in feature["domain"])
    if feature["type"] == "Proto":
        assert set(feature["domain"]) <= {"TCP", "UDP", "ICMP"}


def check_layout(document: dict[str, Any]) -> None:
    """Every field of the list, and none besides."""
    assert set(document) == {"metadata", "pattern_weights", "patterns"}
    assert set(document["metadata"]) == {"input_file", "creation_time"}
    assert len(document["pattern_weights"]) == len(document["patterns"])
    assert all(type(weight) is int and weight > 0 for weight in document["pattern_weights"])
    for pattern in document["patterns"]:
        assert set(pattern) == {"partial_flows", "bayesian_network"}
        for cell in (cell for flow in pattern["partial_flows"] for cell in flow):
            if cell["type"] == "Fixed":
                assert set(cell) == {"type", "feature"}
                check_feature(cell["feature"])
                assert len(cell["feature"]["domain"]) == 1
            else:
                assert set(cell) == {"type", "row"} and cell["type"] in REUSE
        nodes = pattern["bayesian_network"]
        for place, node in enumerate(nodes):
            assert set(node) == {"feature", "partial_flow_number", "parents", "cpt"}
            check_feature(node["feature"])
            assert all(0 <= parent < place for parent in node["parents"])
            assert 0 <= node["partial_flow_number"] < len(pattern["partial_flows"])
            sizes = [len(nodes[parent]["feature"]["domain"]) for parent in node["parents"]]
            values = node["cpt"]["parents_values"]
            assert len({tuple(v) for v in values}) == len(values) == np.prod([1, *sizes])
            assert len(node["cpt"]["probas"]) == len(values)
            for row in node["cpt"]["probas"]:
                assert len(row) == len(node["feature"]["domain"]) and sum(row) == pytest.approx(1)
            assert len(values) * len(node["feature"]["domain"]) <= MOST_CELLS


def draw(document: dict[str, Any], n: int, rng: np.random.Generator) -> list[list[dict[str, Any]]]:
    """`n` windows as the published reader draws them: the network in its order, then fixed and reused cells."""
    weights = np.array(document["pattern_weights"], float)
    windows = []
    for choice in rng.choice(len(weights), n, p=weights / weights.sum()):
        pattern = document["patterns"][choice]
        flows: list[dict[str, Any]] = [{} for _ in pattern["partial_flows"]]
        drawn: list[int] = []
        for node in pattern["bayesian_network"]:
            table = node["cpt"]
            given = table["parents_values"].index([drawn[parent] for parent in node["parents"]])
            drawn.append(int(rng.choice(len(table["probas"][given]), p=table["probas"][given])))
            put(flows[node["partial_flow_number"]], node["feature"], drawn[-1], rng)
        for flow, cells in zip(flows, pattern["partial_flows"], strict=True):
            for cell in cells:
                if cell["type"] == "Fixed":
                    put(flow, cell["feature"], 0, rng)
                else:
                    source, target = REUSE[cell["type"]]
                    flow[target] = flows[cell["row"]][source]
        windows.append(flows)
    return windows


def put(flow: dict[str, Any], feature: dict[str, Any], place: int, rng: np.random.Generator) -> None:
    """One value; of an interval, a uniform one."""
    value = feature["domain"][place]
    flow[feature["type"]] = value if feature["type"] in LISTS else rng.uniform(*value)


def test_the_layout_is_the_published_one_and_its_reader_draws_the_patterns(planted: Any, model: FlowChronicle) -> None:
    made = fosr_patterns(model, input_file="flows.csv", created="2026-01-01T00:00:00Z")
    document = json.loads(json.dumps(made.document, allow_nan=False))
    check_layout(document)
    assert document["pattern_weights"] == [p.usage for p in (*model.patterns, model.empty) if p.usage]
    windows = draw(document, 3000, np.random.default_rng(0))
    flows = [flow for window in windows for flow in window]
    assert all(set(flow) == {*LISTS, *INTERVALS} for flow in flows)
    ports = Counter(flow["DstPt"] for flow in flows)
    real = planted.flows.frame["dst_port"].value_counts(normalize=True)
    assert set(ports) == set(real.index)
    for port, share in real.items():
        assert ports[port] / len(flows) == pytest.approx(share, abs=0.03)
    web = [w for w in windows if [f["DstPt"] for f in w] == [53, 443]]
    assert len(web) > 200
    assert all(w[0]["SrcIP"] == w[1]["SrcIP"] for w in web)
    packets = np.array([int(f["FwdPkt"]) for f in flows if f["DstPt"] == 443])
    mine = planted.flows.frame.query("dst_port == 443")["fwd_packets"]
    assert np.median(packets) == pytest.approx(mine.median(), rel=0.1)
    assert packets.max() <= mine.max()


def test_weights_set_by_hand_are_exported(model: FlowChronicle) -> None:
    name = model.patterns[0].id
    heavy = model.apply(SetWeight(pattern=name, weight=2.0))
    assert fosr_patterns(heavy).document["pattern_weights"][0] == 2 * model.patterns[0].usage


def test_what_the_layout_cannot_hold_is_left_out_and_said(planted: Any, fitted: Any) -> None:
    frame = planted.flows.frame.copy()
    sixth = frame["src_ip"] == frame["src_ip"].iloc[0]
    frame.loc[sixth, "src_ip"] = "2001:db8::5"
    frame.loc[frame["dst_port"] == 123, "proto"] = "SCTP"
    model = fitted(FlowTable.from_columns(frame))
    made = fosr_patterns(model)
    check_layout(made.document)
    assert any("left out" in note for note in made.notes)
    assert "2001:db8" not in json.dumps(made.document) and "SCTP" not in json.dumps(made.document)
    bare = FlowChronicle.from_document(replace(model.to_document(), arrays={}))
    with pytest.raises(InvalidParameter, match="training flows"):
        fosr_patterns(bare)


def test_by_command(model: FlowChronicle, tmp_path: Any) -> None:
    write_document(tmp_path / "m.json", model.to_document())
    out = tmp_path / "fosr.json"
    result = CliRunner().invoke(
        main, ["export", str(tmp_path / "m.json"), "--format", "fosr", "-o", str(out), "--json"]
    )
    assert result.exit_code == 0, result.output
    check_layout(json.loads(out.read_text("utf-8")))
    assert json.loads(result.stdout)["notes"]
