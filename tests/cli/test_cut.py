"""``netsynth cut`` copies the packets of the rows it is given."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from netsynth_core.cli import main
from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.source import read_flows
from netsynth_core.workspace.cutting import format_rows, parse_rows
from tests.factories import office_pcap


def test_the_cut_has_the_flows_of_the_rows(tmp_path: Path) -> None:
    source = office_pcap(tmp_path / "a.pcap", sessions=4)
    done = CliRunner().invoke(main, ["cut", str(source), "--rows", "0,5-6", "-o", str(tmp_path / "b.pcap"), "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    whole, cut = read_flows(source).flows.frame, read_flows(tmp_path / "b.pcap").flows.frame
    assert cut.equals(whole.iloc[[0, 5, 6]].reset_index(drop=True))
    assert (answer["flows"], answer["packets"]) == (3, int((cut["fwd_packets"] + cut["bwd_packets"]).sum()))


def test_a_row_that_is_not_there_is_told(tmp_path: Path) -> None:
    source = office_pcap(tmp_path / "a.pcap", sessions=1)
    done = CliRunner().invoke(main, ["cut", str(source), "--rows", "2", "-o", str(tmp_path / "b.pcap")])
    assert done.exit_code == 2
    assert "There is no row 2: there are 2 flows." in done.stderr
    assert not (tmp_path / "b.pcap").exists()


@pytest.mark.parametrize("text", ["", "x", "1-", "3-1", "1;2", "-4", "99999999999"])
def test_what_names_no_rows_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_rows(text)


def test_rows_written_and_read_are_the_same_rows() -> None:
    rows = [0, 1, 2, 7, 9, 10]
    assert format_rows(reversed(rows)) == "0-2,7,9-10"
    assert [row for low, high in parse_rows(format_rows(rows)) for row in range(low, high + 1)] == rows
