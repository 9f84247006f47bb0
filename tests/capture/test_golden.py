"""Golden captures: report, flows and words of kept files, byte for byte as they are kept."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from netsynth_core.flows.extraction import extract_words
from netsynth_core.flows.source import read_flows
from netsynth_core.flows.table_io import write_flow_table
from netsynth_core.flows.words_io import format_words

GOLDEN = Path(__file__).parent / "golden"
CAPTURES = sorted(path.name for path in GOLDEN.glob("*.pcap*") if path.suffix != ".txt")


def told(capture: Path, scratch: Path) -> str:
    """All that is read from a capture, as one text."""
    source = read_flows(capture)
    assert source.packets is not None and source.metered is not None
    report = asdict(source.reports[0]) | {"path": capture.name}
    write_flow_table(scratch / "flows.csv", source.flows)
    words = extract_words(source.packets, source.metered)
    parts = [json.dumps(report, indent=1), (scratch / "flows.csv").read_text("utf-8"), *map(format_words, words)]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def test_there_are_golden_captures() -> None:
    assert len(CAPTURES) == 5


@pytest.mark.parametrize("name", CAPTURES)
def test_a_golden_capture_reads_as_ever(name: str, tmp_path: Path) -> None:
    assert told(GOLDEN / name, tmp_path) == (GOLDEN / f"{name}.txt").read_text("utf-8")
