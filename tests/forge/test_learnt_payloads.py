"""Forged packets carry what their transitions do: stored payloads with replay on, none of them with it off."""

from dataclasses import dataclass, replace
from pathlib import Path

import dpkt
import numpy as np
import pytest

from netsynth_core.flows.symbols import parse_symbol
from netsynth_core.forge import forge_capture
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.payloads import PayloadModel, PayloadModels
from netsynth_core.models.automata.templates import Part, Template
from tests.forge.forging import Model, assert_checksums, frames_of, http_words, model_of, table


@dataclass(frozen=True)
class Carrying:
    """A model whose transitions have payload models."""

    automaton: TimedAutomaton
    service: str
    state: str
    payloads: PayloadModels


def carrying(model: Model, service: str) -> tuple[Carrying, set[bytes]]:
    """Every transition with payload stores payloads of its own."""
    rng = np.random.default_rng(5)
    found, stored = [], set()
    for t in model.automaton.transitions:
        if t.symbol == "$" or parse_symbol(t.symbol).payload == "Empty":
            continue
        samples = tuple(rng.bytes(size) for size in (120, 300, 700, 1300))
        stored.update(samples)
        templates = (Template((Part(b"WORD "), Part(b"", "digits", 4, 12), Part(b" END\r\n")), 9),)
        kind = parse_symbol(t.symbol).payload
        found.append(PayloadModel(t.id, kind, 9, ((120, 9),), templates, samples, (1, 2, 3, 4)))  # type: ignore[arg-type]
    return Carrying(model.automaton, service, model.state, PayloadModels(tuple(found))), stored


def payloads_in(path: Path) -> list[bytes]:
    found = []
    for _, frame in frames_of(path):
        assert_checksums(frame)
        segment = dpkt.ethernet.Ethernet(frame).data.data
        if segment.data:
            found.append(bytes(segment.data))
    return found


def shingles(data: bytes) -> set[bytes]:
    return {data[i : i + 8] for i in range(len(data) - 7)}


@pytest.mark.parametrize("service", ["http", "secret-proto"])
def test_replay_repeats_stored_payloads_and_without_it_none_is_left(service: str, tmp_path: Path) -> None:
    model, stored = carrying(model_of(http_words()), service)
    flows = table([{"service": service, "state": "SF", "fwd_packets": 6, "bwd_packets": 5}] * 60)
    on, off = tmp_path / "on.pcap", tmp_path / "off.pcap"
    report = forge_capture(flows, [model], path=on, replay=True, rng=np.random.default_rng(1))
    assert report.drawn == 60
    seen = payloads_in(on)
    assert seen and set(seen) <= stored
    assert any("repeat payloads of the capture" in note for note in report.notes)
    forge_capture(flows, [model], path=off, rng=np.random.default_rng(1))
    captured = set().union(*(shingles(payload) for payload in stored))
    made = payloads_in(off)
    assert made and not any(captured & shingles(payload) for payload in made)
    # services with a maker are served by it, others by the templates of their transitions
    assert all(payload.startswith(b"WORD ") for payload in made) == (service == "secret-proto")


def test_the_nearest_stored_length_is_taken_by_its_weight(tmp_path: Path) -> None:
    model, _ = carrying(model_of(http_words()), "secret-proto")
    two = tuple(replace(held, samples=(b"a" * 200, b"b" * 200), weights=(1, 3)) for held in model.payloads.models)
    flows = table([{"service": "secret-proto", "state": "SF", "fwd_packets": 6, "bwd_packets": 5}] * 400)
    forge_capture(
        flows, [replace(model, payloads=PayloadModels(two))], path=tmp_path / "a.pcap", replay=True,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    seen = payloads_in(tmp_path / "a.pcap")
    assert {len(payload) for payload in seen} == {200}
    share = sum(payload[:1] == b"b" for payload in seen) / len(seen)
    assert abs(share - 0.75) < 6 * np.sqrt(0.75 * 0.25 / len(seen))


def test_replay_of_nothing_is_told(tmp_path: Path) -> None:
    flows = table([{"service": "http", "state": "SF"}])
    report = forge_capture(
        flows, [model_of(http_words())], path=tmp_path / "a.pcap", replay=True, rng=np.random.default_rng(1)
    )
    assert any("no model stores payloads" in note for note in report.notes)


def test_flows_are_the_same_however_they_are_batched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = carrying(model_of(http_words()), "secret-proto")
    flows = table([{"service": "secret-proto", "state": "SF", "fwd_packets": 6, "bwd_packets": 5}] * 40)
    for replay in (True, False):
        paths = []
        for batch in (200_000, 50):
            monkeypatch.setattr("netsynth_core.forge.forge.BATCH", batch)
            paths.append(tmp_path / f"{batch}-{replay}.pcap")
            forge_capture(flows, [model], path=paths[-1], replay=replay, rng=np.random.default_rng(1))
        assert sorted(payloads_in(paths[0])) == sorted(payloads_in(paths[1]))
