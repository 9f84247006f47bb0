"""``netsynth cut`` copies the packets of the rows it is given."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from netsynth_core.capture.options import ReadOptions
from netsynth_core.cli import main
from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.source import read_flows
from netsynth_core.workspace.cutting import format_rows, parse_rows
from tests.factories import START, _frame, dns_conversation, office_pcap, write_pcap


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


def test_no_command_writes_over_what_it_reads(tmp_path: Path) -> None:
    source = office_pcap(tmp_path / "a.pcap", sessions=3)
    held = source.read_bytes()
    (tmp_path / "link.pcap").symlink_to(source)
    for target in (source, tmp_path / "link.pcap"):
        done = CliRunner().invoke(main, ["cut", str(source), "--rows", "0", "-o", str(target)])
        assert done.exit_code == 2 and "the file that is read" in done.stderr
    table = tmp_path / "a.csv"
    assert CliRunner().invoke(main, ["flows", str(source), "-o", str(table)]).exit_code == 0
    before = table.read_bytes()
    for args in (
        ["flows", str(table), "-o", str(table)],
        ["evaluate", "--real", str(table), "--synthetic", str(table), "-o", str(table)],
        ["cut", str(source), "--rows", "0", "--flows", str(table), "-o", str(table)],
    ):
        done = CliRunner().invoke(main, args)
        assert done.exit_code == 2 and "Hint: Write to another file" in done.stderr, args
    assert (source.read_bytes(), table.read_bytes()) == (held, before)


def tunnelled(path: Path) -> Path:
    """Flows in order of time of which one lies inside GRE."""
    frames = [dns_conversation(START + n * 10**9, f"192.0.2.{n + 1}", 40000 + n) for n in range(3)]
    inner = [(ts, frame[14:]) for ts, frame in frames[0]]
    outer = [
        (ts, _frame("203.0.113.1", "203.0.113.2", b"\0\0\x08\0" + packet, 47)) for ts, packet in inner
    ]  # RFC 2784: no checksum, protocol IPv4
    more = [(ts + 500_000_000, packet) for ts, packet in frames[0]]
    return write_pcap(path, sorted([*outer, *more, *frames[1], *frames[2]]))


def test_rows_of_a_table_are_checked_against_it(tmp_path: Path) -> None:
    source, table = tunnelled(tmp_path / "a.pcap"), tmp_path / "a.csv"
    made = CliRunner().invoke(main, ["flows", str(source), "--tunnels", "-o", str(table), "--json"])
    assert made.exit_code == 0, made.output
    whole = read_flows(source, options=ReadOptions(tunnels=True)).flows.frame
    args = ["cut", str(source), "--rows", "0", "--flows", str(table), "-o", str(tmp_path / "b.pcap")]
    refused = CliRunner().invoke(main, args)
    assert refused.exit_code == 2 and "--tunnels" in refused.stderr
    done = CliRunner().invoke(main, [*args, "--tunnels"])
    assert done.exit_code == 0, done.output
    again = read_flows(tmp_path / "b.pcap", options=ReadOptions(tunnels=True)).flows.frame
    assert again.equals(whole.iloc[[0]].reset_index(drop=True))


def test_rows_count_as_they_stand_in_the_table(tmp_path: Path) -> None:
    source, table = office_pcap(tmp_path / "a.pcap", sessions=3), tmp_path / "a.csv"
    assert CliRunner().invoke(main, ["flows", str(source), "-o", str(table)]).exit_code == 0
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *reversed(rows)]) + "\n")
    args = ["cut", str(source), "--rows", "0", "--flows", str(table), "-o", str(tmp_path / "b.pcap")]
    assert CliRunner().invoke(main, args).exit_code == 0
    whole, cut = read_flows(source).flows.frame, read_flows(tmp_path / "b.pcap").flows.frame
    assert cut.equals(whole.iloc[[-1]].reset_index(drop=True))
    table.write_text("\n".join([header, *rows[1:]]) + "\n")
    shorter = CliRunner().invoke(main, args)
    assert shorter.exit_code == 2 and f"has {len(rows) - 1} rows" in shorter.stderr


def test_the_bare_command_prints_its_help() -> None:
    done = CliRunner().invoke(main, [])
    assert done.exit_code == 0 and "Commands" in done.stdout


def test_standard_input_and_output_are_no_files(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["flows", "-", "-o", str(tmp_path / "a.csv")])
    assert done.exit_code == 2 and "Standard input" in done.stderr
    done = CliRunner().invoke(main, ["flows", "a.pcap", "-o", "-"])
    assert done.exit_code == 2 and "standard output" in done.stderr
