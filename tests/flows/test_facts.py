"""Figures of flows: bytes are those of IP packets, frames are counted apart, ICMP has a name, files are named."""

from pathlib import Path

import dpkt
import pytest

from netsynth_core.flows.facts import flow_facts
from netsynth_core.flows.source import read_flows
from tests.factories import START, _frame, dns_conversation, office_pcap, write_pcap


def echo(request: bool) -> bytes:
    kind = dpkt.icmp.ICMP_ECHO if request else dpkt.icmp.ICMP_ECHOREPLY
    return bytes(dpkt.icmp.ICMP(type=kind, data=dpkt.icmp.ICMP.Echo(id=7, seq=1, data=b"made")))


def mixed(path: Path) -> Path:
    """A DNS question, a ping, a frame that is not IP, and one UDP packet of no known service."""
    there, back = ("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1")
    arp = bytes(dpkt.ethernet.Ethernet(type=0x0806, data=bytes(28)))
    other = bytes(dpkt.udp.UDP(sport=40001, dport=47999, ulen=12, data=b"made"))
    more = [
        (START + 10**9, _frame(*there, echo(True), 1)),
        (START + 2 * 10**9, _frame(*back, echo(False), 1)),
        (START + 3 * 10**9, arp),
        (START + 4 * 10**9, _frame(*there, other, 17)),
    ]
    return write_pcap(path, [*dns_conversation(START, "192.0.2.1", 40000), *more])


@pytest.mark.parametrize("keep", [True, False])
def test_bytes_are_those_of_the_flow_columns(tmp_path: Path, keep: bool) -> None:
    source = read_flows(mixed(tmp_path / "a.pcap"), keep_packets=keep)
    facts, frame = flow_facts(source), source.flows.frame
    assert facts["bytes"] == int(frame["fwd_bytes"].sum() + frame["bwd_bytes"].sum())
    # every frame here has an Ethernet header of 14 bytes and no trailer
    assert facts["frame_bytes"] == facts["bytes"] + 14 * facts["packets"]
    assert facts["services"] == {"dns": 1, "icmp": 1, "unknown": 1}
    assert "first_skipped_file" not in facts


def test_the_same_figures_of_the_table_that_is_written(tmp_path: Path) -> None:
    from netsynth_core.flows.table_io import write_flow_table

    source = read_flows(mixed(tmp_path / "a.pcap"))
    write_flow_table(tmp_path / "a.csv", source.flows)
    facts, again = flow_facts(source), flow_facts(read_flows(tmp_path / "a.csv"))
    assert all(facts[name] == again[name] for name in ("packets", "bytes", "flows", "services"))
    assert "frame_bytes" not in again


def test_of_several_files_each_is_named(tmp_path: Path) -> None:
    mixed(tmp_path / "a.pcap")
    whole = office_pcap(tmp_path / "whole.pcap", 2).read_bytes()
    (tmp_path / "b.pcap").write_bytes(whole[:-5])
    facts = flow_facts(read_flows([tmp_path / "b.pcap", tmp_path / "a.pcap"], keep_packets=False))
    assert facts["first_skipped_file"] == {reason: str(tmp_path / "a.pcap") for reason in facts["skipped"]}
    assert facts["truncated"] and facts["notes"]
    assert all(note.startswith(str(tmp_path / "b.pcap")) for note in facts["notes"])


def test_notes_of_logs_name_their_file_and_stand_once(tmp_path: Path) -> None:
    head = "ts,te,td,sa,da,sp,dp,pr,flg,ipkt,ibyt\n"
    for name, port in (("a.csv", 1), ("b.csv", 2)):
        row = f"2024-01-01 00:00:00,2024-01-01 00:00:01,1.0,10.0.0.1,10.0.0.2,{port},80,TCP,...A..,1,40\n"
        (tmp_path / name).write_text(head + row)
    facts = flow_facts(read_flows([tmp_path / "a.csv", tmp_path / "b.csv"]))
    assert all(note.startswith(str(tmp_path)) for note in facts["notes"]) and len(facts["notes"]) >= 2
    assert all("notes" not in log for log in facts["logs"])
