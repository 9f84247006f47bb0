"""From a capture to a forged one: what is kept of payloads, and what of it comes out again."""

from dataclasses import replace
from pathlib import Path

import dpkt
import numpy as np
import pytest

from netsynth_core.flows.extraction import extract_words
from netsynth_core.flows.source import FlowSource, read_flows
from netsynth_core.flows.table import FlowTable
from netsynth_core.models.document import Document, read_document, write_document
from netsynth_core.models.registry import load_model
from netsynth_core.workspace.fitting import Fitted, fit_model, with_payloads
from netsynth_core.workspace.steps import forge_flows
from tests.forge.forging import frames_of

CAPTURE = Path(__file__).parents[2] / "sample_data" / "small.pcap"


@pytest.fixture(scope="module")
def source() -> FlowSource:
    return read_flows([CAPTURE])


@pytest.fixture(scope="module")
def learnt(source: FlowSource) -> list[tuple[Fitted, Fitted]]:
    """Automata of the capture, once with templates and once with stored payloads."""
    assert source.packets is not None and source.metered is not None
    found = []
    groups = sorted(extract_words(source.packets, source.metered), key=lambda words: -len(words))
    for words in groups[:3]:
        plain = fit_model("tadam", words, {"budget": 20.0}, seed=0)
        kept = [with_payloads(plain, words, source.packets, source.metered, keep=k) for k in ("templates", "replay")]
        found.append((kept[0], kept[1]))
    return found


def captured(source: FlowSource) -> list[bytes]:
    assert source.packets is not None
    return [source.packets.payload(row) for row in np.flatnonzero(source.packets.payload_captured > 0)]


def forged(source: FlowSource, models: list[Fitted], path: Path, *, replay: bool) -> list[bytes]:
    frame = source.flows.frame
    services = {fitted.model.service for fitted in models}
    flows = FlowTable(frame[frame["service"].isin(services)].reset_index(drop=True))
    forge_flows(flows, [fitted.model for fitted in models], path=path, seed=1, replay=replay)
    segments = [dpkt.ethernet.Ethernet(frame).data.data for _, frame in frames_of(path)]
    return [bytes(segment.data) for segment in segments if not isinstance(segment, bytes) and bytes(segment.data)]


def test_stored_payloads_are_those_of_the_capture(source: FlowSource, learnt: list[tuple[Fitted, Fitted]]) -> None:
    real = set(captured(source))
    for templates, stored in learnt:
        assert templates.model.payloads is not None and templates.model.payloads.stored_bytes == 0
        assert stored.model.payloads is not None
        samples = {sample for model in stored.model.payloads.models for sample in model.samples}
        assert samples and samples <= real


def test_replay_brings_them_back_and_without_it_they_are_gone(
    source: FlowSource, learnt: list[tuple[Fitted, Fitted]], tmp_path: Path
) -> None:
    models = [stored for _, stored in learnt]
    samples = {s for fitted in models for held in fitted.model.payloads.models for s in held.samples}
    on = forged(source, models, tmp_path / "on.pcap", replay=True)
    # longest first: what is cut to a segment is the beginning of a stored payload
    assert sum(payload in samples or any(s.startswith(payload) for s in samples) for payload in on) > 0.9 * len(on)
    off = forged(source, models, tmp_path / "off.pcap", replay=False)
    assert off
    assert not samples & {payload for payload in off if len(payload) >= 64}
    # what is made does not depend on what is stored: not one byte of it can have come through
    plain = [templates for templates, _ in learnt]
    assert forged(source, plain, tmp_path / "plain.pcap", replay=False) == off
    assert (tmp_path / "plain.pcap").read_bytes() == (tmp_path / "off.pcap").read_bytes()


def test_a_model_without_stored_payloads_writes_none_into_its_document(
    source: FlowSource, learnt: list[tuple[Fitted, Fitted]], tmp_path: Path
) -> None:
    templates, stored = learnt[0]
    for fitted, bytes_kept in ((templates, False), (stored, True)):
        write_document(tmp_path / "m.json", fitted.document)
        document: Document = read_document(tmp_path / "m.json")
        assert (len(document.arrays["payload_bytes"]) > 0) == bytes_kept
        again = load_model(document)
        assert again.payloads == fitted.model.payloads
        assert replace(document, arrays=again.to_document().arrays).content_hash() == document.content_hash()
