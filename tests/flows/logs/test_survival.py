"""Hostile logs: whatever is cut or changed, the reader answers or refuses in words, and every row is accounted for."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netsynth_core.errors import NetsynthError
from netsynth_core.flows.logs import Mapping, propose_mapping, read_head, read_log, read_mapped
from netsynth_core.flows.source import kind_of
from tests.flows.logs import samples

SPICE = [
    b"\0",
    b'"',
    b"\n",
    b"\r",
    b",",
    b"\t",
    b"#",
    b"{",
    b"}",
    b"\xff",
    b"-1",
    b"1e400",
    b"9" * 30,
    b"NaN",
    b"\\u0000",
]
SPICE += [
    b"\xed\xa0\x80",
    b"#fields\t",
    b"#separator \\x41\n",
    b"0x",
    b"99999999999.9",
    b"9999-12-31 23:59:59",
    b" " * 9,
]
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), st.one_of(st.sampled_from(SPICE), st.binary(max_size=6))),
    min_size=1,
    max_size=6,
)


def mutated(text: bytes, edits: list[tuple[float, int, bytes]], keep: float) -> bytes:
    for place, cut, put in edits:
        at = int(place * len(text))
        text = text[:at] + put + text[at + cut :]
    return text[: int(keep * len(text)) + 1]


@pytest.mark.parametrize("name", samples.LOGS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(edits=EDITS, keep=st.just(1.0) | st.floats(0, 1))
def test_a_mutated_log_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, edits: list[tuple[float, int, bytes]], keep: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated"
    path.write_bytes(mutated(samples.LOGS[name].encode("latin-1"), edits, keep))
    try:
        flows, report = read_log(path)
    except NetsynthError as error:
        assert error.hint and str(path) in error.message
        return
    frame = flows.frame
    assert 0 < len(frame) == report.flows <= report.rows
    # every row is a flow, part of one, or counted
    if report.format in ("zeek", "argus", "cicflowmeter"):
        assert len(frame) + sum(report.skipped.values()) == report.rows
    assert report.skipped.keys() == report.first_skipped.keys()
    assert all(
        1 <= line <= path.read_bytes().count(b"\n") + path.read_bytes().count(b"\r") + 1
        for line in report.first_skipped.values()
    )
    assert (frame[["ts", "duration", "fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes"]] >= 0).all(axis=None)
    assert frame["src_port"].between(-1, 65535).all() and frame["dst_port"].between(-1, 65535).all()
    assert (frame["flags"].str.len() == 6).all() and (frame["src_ip"] != "").all()


@settings(max_examples=60, deadline=None)
@given(edits=EDITS, name=st.sampled_from(["argus", "cidds", "ugr", "nfdump"]))
def test_a_mutated_table_is_mapped_or_refused(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[float, int, bytes]], name: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "table"
    path.write_bytes(mutated(samples.LOGS[name].encode("latin-1"), edits, 1.0))
    try:
        table = read_head(path)
        mapping = propose_mapping(table.header, table.rows, delimiter=table.delimiter, has_header=table.has_header)
        assert Mapping.model_validate_json(mapping.model_dump_json()) == mapping
        flows, report = read_mapped(path, mapping)
        assert len(flows) == report.flows
    except NetsynthError as error:
        assert error.hint


@settings(max_examples=100, deadline=None)
@given(
    content=st.binary(min_size=1, max_size=200)
    | st.text(min_size=1, max_size=200).map(lambda t: t.encode("utf-8", "replace"))
)
def test_any_bytes_have_a_kind_or_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(content)
    try:
        assert kind_of(path) in ("capture", "log", "table")
    except NetsynthError as error:
        assert error.hint


def test_a_quote_that_swallows_lines_costs_only_its_own(tmp_path: Path) -> None:
    lines = samples.CIDDS.splitlines()
    lines.insert(3, lines[1].replace("normal,---", 'nor"mal,"--,-'))
    (tmp_path / "log").write_text("\n".join(lines))
    flows, report = read_log(tmp_path / "log")
    assert len(flows) == 3 and sum(report.skipped.values()) == 1
