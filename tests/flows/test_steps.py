"""A conversation packet by packet: numbers as tshark counts them, symbols as automata see them, bytes shown safely."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.flows.extraction import extract_words
from netsynth_core.flows.source import FlowSource, read_flows
from netsynth_core.flows.steps import (
    conversation_marks,
    conversation_steps,
    flag_words,
    hex_dump,
    mark_words,
    readable_text,
)
from tests.factories import office_pcap
from tests.tools import needs

SAMPLE = Path(__file__).parents[2] / "sample_data" / "small.pcap"


def read(path: Path) -> FlowSource:
    source = read_flows(path)
    assert source.packets is not None and source.metered is not None
    return source


def test_a_made_conversation_is_told_as_it_was_made(tmp_path: Path) -> None:
    source = read(office_pcap(tmp_path / "a.pcap", sessions=1))
    steps = conversation_steps(source.packets, source.metered, 1)
    assert steps.flags[:4] == ("SYN", "SYN ACK", "ACK", "PSH ACK")
    assert steps.forward.tolist() == [True, False, True, True, False, False, True, True, False, True]
    assert steps.seq[:5].tolist() == [0, 0, 1, 1, 1]
    assert steps.ack[:3].tolist() == [-1, 1, 1]
    assert (steps.payload[3], steps.classes[3], steps.symbols[3]) == (48, "Text", "PA_>_Text-GET")
    assert steps.frames.tolist() == list(range(3, 13))
    assert not any(steps.marks)


def test_marks_alone_are_those_of_the_steps() -> None:
    source = read(SAMPLE)
    for row in range(len(source.flows)):
        marks = conversation_marks(source.metered, row)
        assert marks == conversation_steps(source.packets, source.metered, row, symbols=()).marks
    assert conversation_marks(replace(source.metered, marks=np.zeros(0, np.uint8)), 0) == ()


def test_the_symbols_are_those_of_the_words() -> None:
    source = read(SAMPLE)
    for words in extract_words(source.packets, source.metered, by=("service",)):
        assert words.flow_rows is not None
        for place in range(min(len(words), 2)):
            steps = conversation_steps(source.packets, source.metered, int(words.flow_rows[place]))
            assert list(steps.symbols) == words.names(place)


@needs("tshark")
def test_sequence_numbers_are_those_of_tshark() -> None:
    source = read(SAMPLE)
    fields = [part for name in ("frame.number", "tcp.seq", "tcp.ack") for part in ("-e", name)]
    command = ["tshark", "-n", "-r", str(SAMPLE), "-Y", "tcp && !icmp", "-T", "fields", *fields]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    told = {int(line.split("\t")[0]): [int(word or 0) for word in line.split("\t")[1:]] for line in lines}
    compared = 0
    for row in range(len(source.flows)):
        steps = conversation_steps(source.packets, source.metered, row, symbols=())
        for frame, seq, ack in zip(steps.frames, steps.seq, steps.ack, strict=True):
            if seq >= 0:
                assert told[int(frame)] == [seq, max(ack, 0)], frame
                compared += 1
    assert compared > 500


def test_a_part_without_its_beginning_starts_at_one(tmp_path: Path) -> None:
    from netsynth_core.capture.cut import cut_capture

    source = office_pcap(tmp_path / "a.pcap", sessions=1)
    cut_capture([source], [np.arange(5, 12, dtype=np.uint32)], tmp_path / "b.pcap")
    found = read(tmp_path / "b.pcap")
    steps = conversation_steps(found.packets, found.metered, 0)
    assert steps.seq.min() >= 1 and steps.ack[steps.ack >= 0].min() >= 1
    assert steps.seq[0] == 1 and steps.seq[np.flatnonzero(~steps.forward)[0]] == 1


def test_words_for_bits() -> None:
    assert flag_words(0) == "" and flag_words(0x3F) == "FIN SYN RST PSH ACK URG"
    assert mark_words(0) == "" and mark_words(64 + 2) == "out of order, duplicate frame"


@given(data=st.binary(max_size=300))
def test_a_preview_shows_every_byte_and_no_control_character(data: bytes) -> None:
    dump = hex_dump(data)
    shown = "".join(line[6:54] for line in dump.splitlines()).replace(" ", "")
    assert bytes.fromhex(shown) == data
    for text in (dump, readable_text(data)):
        assert all(c.isprintable() or c in "\n\t" for c in text)
