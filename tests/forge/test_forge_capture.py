"""Forging: what is read back is what was asked for, and every frame is right by itself."""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import dpkt
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netsynth_core.forge.forge as forge_module
from netsynth_core.capture import read_capture
from netsynth_core.capture.addresses import format_address
from netsynth_core.errors import InvalidParameter, NotEnoughData, StorageError
from netsynth_core.flows.metering import MeterParams, meter_flows
from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.words import Words
from netsynth_core.forge import ForgeReport, forge_capture
from netsynth_core.forge.addresses import gather_hosts
from tests.forge.forging import START, assert_checksums, frames_of, http_words, model_of, table

LONG = MeterParams(idle_timeout_tcp=1e5, idle_timeout_udp=1e5, idle_timeout_icmp=1e5, linger=1e5)


def forge(flows: FlowTable, path: Path, *, models: list[object] | None = None, seed: int = 0) -> ForgeReport:
    return forge_capture(flows, models or [], path=path, rng=np.random.default_rng(seed))  # type: ignore[arg-type]


def read_back(path: Path) -> pd.DataFrame:
    return meter_flows(read_capture(path).packets, LONG).flows.frame


@st.composite
def flow_rows(draw: st.DrawFn) -> dict[str, object]:
    """One flow: any protocol, counts and bytes that may or may not fit each other."""
    proto = draw(st.sampled_from(["TCP", "TCP", "UDP", "ICMP"]))
    six = draw(st.booleans())
    fwd, bwd = draw(st.integers(1, 40)), draw(st.integers(0, 40))
    row: dict[str, object] = {
        "proto": proto, "fwd_packets": fwd, "bwd_packets": bwd,
        "src_ip": "2001:db8::5" if six else "192.0.2.5", "dst_ip": "2001:db8::9" if six else "198.51.100.9",
        "dst_port": draw(st.sampled_from([9999, 53, 443, 80, 22, 123, 1883, 88, 6379])),
        "fwd_bytes": fwd * draw(st.integers(20, 1600)), "bwd_bytes": bwd * draw(st.integers(20, 1600)),
        "duration": draw(st.sampled_from([0, 10**6, 10**9, 30 * 10**9])),
    }  # fmt: skip
    if proto == "TCP":
        row["state"] = draw(st.sampled_from(["SF", "S0", "S1", "REJ", "RSTO", "RSTR", "S2", "S3", "OTH", ""]))
        row["flags"] = draw(st.sampled_from(["......", ".AP.SF", ".AP...", "....S."]))
    else:
        row |= {"flags": "......", "state": ""}
    if proto == "ICMP":
        row |= {"src_port": 128 if six else 8, "dst_port": 129 if six else 0}
    return row


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(flow_rows(), min_size=1, max_size=6), st.integers(0, 99))
def test_flows_come_back_with_their_keys_and_counts(tmp_path: Path, rows: list[dict[str, object]], seed: int) -> None:
    # one host a flow, so that no two flows have one key
    flows = table([row | {"src_ip": str(row["src_ip"]).replace("5", str(i + 11))} for i, row in enumerate(rows)])
    report = forge(flows, tmp_path / "x.pcap", seed=seed)
    frames = frames_of(tmp_path / "x.pcap")
    assert report.packets == len(frames) == int((flows.frame["fwd_packets"] + flows.frame["bwd_packets"]).sum())
    assert report.bytes == sum(len(frame) for _, frame in frames)
    assert all(a <= b for (a, _), (b, _) in pairwise(frames))
    for _, frame in frames:
        assert_checksums(frame)
    packets = read_capture(tmp_path / "x.pcap").packets
    ends: dict[tuple[str, str], int] = defaultdict(int)
    for k in range(len(packets)):
        source = format_address(int(packets.src_hi[k]), int(packets.src_lo[k]))
        ends[source, format_address(int(packets.dst_hi[k]), int(packets.dst_lo[k]))] += 1
    for row in flows.frame.itertuples():
        assert ends[row.src_ip, row.dst_ip] == row.fwd_packets
        assert ends[row.dst_ip, row.src_ip] == row.bwd_packets


STATES = [
    ("SF", 6, 5, ".AP.SF"), ("SF", 2, 2, ".A..SF"), ("S0", 3, 0, "....S."), ("S1", 4, 3, ".AP.S."),
    ("REJ", 1, 1, ".A.RS."),
    ("S2", 5, 4, ".AP.SF"), ("S3", 5, 4, ".AP.SF"), ("RSTO", 4, 3, ".APRS."), ("RSTR", 4, 3, ".APRS."),
    ("RSTOS0", 2, 0, "...RS."), ("RSTRH", 0, 2, ".A.RS."), ("SH", 2, 0, ".A..SF"), ("SHR", 0, 2, ".A..SF"),
    ("OTH", 5, 4, ".AP..."), ("OTH", 3, 0, ".AP..."),
]  # fmt: skip


@pytest.mark.parametrize(("state", "fwd", "bwd", "flags"), STATES)
def test_a_default_conversation_ends_in_its_state(tmp_path: Path, state: str, fwd: int, bwd: int, flags: str) -> None:
    octets = {"fwd_bytes": 80 * fwd, "bwd_bytes": 80 * bwd}
    # where the responder speaks first, only the port of a server tells who it is
    port = {"dst_port": 80} if not fwd else {}
    row = {"state": state, "fwd_packets": fwd, "bwd_packets": bwd, "flags": flags, **octets, **port}
    forge(table([row]), tmp_path / "x.pcap")
    back = read_back(tmp_path / "x.pcap")
    assert back["state"].tolist() == [state]
    assert (back["fwd_packets"][0], back["bwd_packets"][0]) == (fwd, bwd)
    assert back["ts"][0] == START


def test_bytes_and_duration_are_kept_where_segments_can_hold_them(tmp_path: Path) -> None:
    rows = [{"fwd_bytes": 700 + 97 * i, "bwd_bytes": 3000 + 61 * i, "duration": 10**6 * (i + 1)} for i in range(20)]
    rows += [{"proto": "UDP", "fwd_bytes": 600 + i, "bwd_bytes": 700 + i, "flags": "......"} for i in range(5)]
    flows = table(rows)
    forge(flows, tmp_path / "x.pcap")
    back = read_back(tmp_path / "x.pcap")
    for name in ("ts", "src_port", "dst_port", "proto", "fwd_bytes", "bwd_bytes", "duration"):
        assert back[name].tolist() == flows.frame[name].tolist(), name


def test_sequence_and_acknowledgement_numbers_follow_each_other(tmp_path: Path) -> None:
    forge(table([{"fwd_packets": 30, "bwd_packets": 40, "fwd_bytes": 9000, "bwd_bytes": 40_000}]), tmp_path / "x.pcap")
    upcoming: dict[bytes, int] = {}
    acknowledged: dict[bytes, int] = {}
    stamps: dict[bytes, int] = {}
    for _, frame in frames_of(tmp_path / "x.pcap"):
        ip = dpkt.ethernet.Ethernet(frame).data
        segment = ip.data
        assert ip.df
        assert ip.len <= 1500
        if ip.src in upcoming:
            assert segment.seq == upcoming[ip.src]
        upcoming[ip.src] = (segment.seq + len(segment.data) + bool(segment.flags & 3)) % 2**32
        if segment.flags & 16:
            assert (upcoming[ip.dst] - segment.ack) % 2**32 < 2**31
            assert (segment.ack - acknowledged.get(ip.src, segment.ack)) % 2**32 < 2**31
            acknowledged[ip.src] = segment.ack
        else:
            assert segment.ack == 0
        options = dict(dpkt.tcp.parse_opts(segment.opts))
        if 8 in options:
            value, echo = (int.from_bytes(options[8][i : i + 4], "big") for i in (0, 4))
            assert echo == stamps.get(ip.dst, 0)
            stamps[ip.src] = value
        if segment.flags & 2:
            assert int.from_bytes(options[2], "big") == 1460
    a, b = upcoming
    assert acknowledged[a] == upcoming[b]
    assert acknowledged[b] == upcoming[a]


def test_identification_counts_up_per_host(tmp_path: Path) -> None:
    forge(table([{}, {}, {}]), tmp_path / "x.pcap")
    latest: dict[bytes, int] = {}
    for _, frame in frames_of(tmp_path / "x.pcap"):
        ip = dpkt.ethernet.Ethernet(frame).data
        assert ip.id == (latest.get(ip.src, ip.id - 1) + 1) % 65536
        latest[ip.src] = ip.id


def test_the_same_seed_gives_the_same_bytes_however_it_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"service": "http", "state": "SF", "dst_port": 80, "fwd_packets": 5 + i % 4, "bwd_packets": 4}
        for i in range(12)
    ]
    flows = table([row | {"ts": START + i * 10**7} for i, row in enumerate(rows)])
    models = [model_of(http_words())]
    forge(flows, tmp_path / "a.pcap", models=models)
    monkeypatch.setattr(forge_module, "BATCH", 20)
    forge(flows, tmp_path / "b.pcap", models=models)
    forge(flows, tmp_path / "c.pcap", models=models, seed=1)
    assert (tmp_path / "a.pcap").read_bytes() == (tmp_path / "b.pcap").read_bytes()
    assert (tmp_path / "a.pcap").read_bytes() != (tmp_path / "c.pcap").read_bytes()


def test_flows_are_drawn_from_the_automaton_of_their_service(tmp_path: Path) -> None:
    counts = [(7, 6), (6, 4), (9, 9), (30, 41), (8, 5)]
    web = {"service": "http", "state": "SF", "dst_port": 80}
    rows = [web | {"fwd_packets": f, "bwd_packets": b, "fwd_bytes": 100 * f, "bwd_bytes": 600 * b} for f, b in counts]
    flows = table([*rows, {"service": "ssh", "state": "SF", "dst_port": 22}])
    report = forge(flows, tmp_path / "x.pcap", models=[model_of(http_words())])
    assert report.drawn == len(counts)
    assert report.fallbacks == {"no automaton: ssh/SF": 1}
    back = read_back(tmp_path / "x.pcap")
    assert list(zip(back["fwd_packets"], back["bwd_packets"], strict=True))[: len(counts)] == counts
    assert set(back["state"]) == {"SF"}
    assert back["duration"].tolist() == flows.frame["duration"].tolist()
    first = [dpkt.ethernet.Ethernet(frame).data.data for _, frame in frames_of(tmp_path / "x.pcap")]
    assert any(bytes(segment.data).startswith(b"GET ") for segment in first)


def test_nearly_reachable_counts_are_made_by_emitting_again(tmp_path: Path) -> None:
    clean = [
        ("S_>_Empty", 0, 0),
        ("SA_<_Empty", 9, 0),
        ("A_>_Empty", 9, 0),
        ("PA_>_Replay", 9, 20),
        ("A_<_Empty", 9, 0),
    ]
    clean += [("FA_>_Empty", 9, 0), ("FA_<_Empty", 9, 0), ("A_>_Empty", 9, 0)]
    model = model_of(Words.from_lists([clean] * 5, unit="us", service="odd", state="SF"))
    flows = table([{"service": "odd", "state": "SF", "fwd_packets": 6, "bwd_packets": 4}])
    report = forge(flows, tmp_path / "x.pcap", models=[model])
    back = read_back(tmp_path / "x.pcap")
    assert (report.drawn, report.exact) == (1, 1)
    assert (back["fwd_packets"][0], back["bwd_packets"][0], back["state"][0]) == (6, 4, "SF")
    assert "emitted again" in report.notes[0]
    flows = table([{"service": "odd", "state": "SF", "fwd_packets": 60, "bwd_packets": 4}])
    far = forge(flows, tmp_path / "y.pcap", models=[model])
    assert far.fallbacks == {"counts not reachable: odd/SF": 1}


def test_symbols_that_are_no_packets_are_refused(tmp_path: Path) -> None:
    model = model_of(Words.from_lists([[("cS", 0), ("sSA", 3)]], unit="us", service="http", state="SF"))
    with pytest.raises(InvalidParameter, match="cS"):
        forge(table([{}]), tmp_path / "x.pcap", models=[model])
    assert not (tmp_path / "x.pcap").exists()


def test_what_cannot_be_forged_is_counted_or_refused(tmp_path: Path) -> None:
    rows = [{}, {"fwd_packets": 0, "bwd_packets": 0}, {"proto": "47"}, {"src_ip": "2001:db8::1"}, {"ts": -5}]
    rows += [{"fwd_packets": 10**9}]
    report = forge(table(rows), tmp_path / "x.pcap")
    assert report.flows == 1
    assert report.fallbacks == {
        "left out: no packet": 1,
        "left out: protocol 47": 1,
        "left out: one end IPv4, the other IPv6": 1,
        "left out: instant before 1970 or after 2105": 1,
        "left out: more than 4000000 packets": 1,
        "no automaton: tcp/SF": 1,
    }
    with pytest.raises(NotEnoughData):
        forge(table(rows[1:]), tmp_path / "y.pcap")
    with pytest.raises(StorageError):
        forge(table([{}]), tmp_path / "nowhere" / "x.pcap")


def test_hosts_follow_from_their_names() -> None:
    names = ["EXT_SERVER", "10000_34", "192.0.2.1", "ff02::1", "224.0.0.251", "2001:db8::1"]
    hosts, source, destination = gather_hosts(names, names[::-1])
    again, _, _ = gather_hosts(names[:3], names[:3])
    assert hosts.stand_ins == ("EXT_SERVER", "10000_34")
    assert [hosts.names[i] for i in source] == names
    assert [hosts.names[i] for i in destination] == names[::-1]
    texts = [format_address(int(h), int(w)) for h, w in zip(hosts.hi, hosts.lo, strict=True)]
    assert all(text.startswith(("198.18.", "198.19.")) for text in texts[:2])
    assert len(set(texts)) == len(names)
    assert np.array_equal(hosts.mac[:3], again.mac)
    assert bytes(hosts.mac[3]) == bytes.fromhex("333300000001")
    assert bytes(hosts.mac[4]) == bytes.fromhex("01005e0000fb")
    assert all(hosts.mac[i, 0] & 3 == 2 for i in (0, 1, 2, 5))


def test_the_report_accounts_for_every_flow(tmp_path: Path) -> None:
    web = {"service": "http", "state": "SF", "dst_port": 80, "fwd_packets": 7, "bwd_packets": 6}
    mixed = {"src_ip": "2001:db8::1", "dst_ip": "192.0.2.9"}
    flows = table([web, web, {}, mixed, mixed, {"proto": "47"}])
    report = forge(flows, tmp_path / "x.pcap", models=[model_of(http_words())])
    assert report.by_default == {"no automaton: tcp/SF": 1}
    assert report.left_out == {"one end IPv4, the other IPv6": 2, "protocol 47": 1}
    assert (report.flows, report.drawn, report.asked) == (3, 2, 6)
    with pytest.raises(NotEnoughData, match="one end IPv4, the other IPv6 1"):
        forge(table([mixed]), tmp_path / "y.pcap")


@pytest.mark.parametrize("with_model", [False, True])
def test_no_flow_makes_an_empty_capture(tmp_path: Path, with_model: bool) -> None:
    none = FlowTable(table([{}]).frame.iloc[:0])
    report = forge(none, tmp_path / "x.pcap", models=[model_of(http_words())] if with_model else None)
    assert (report.packets, report.bytes, report.flows, report.asked) == (0, 0, 0, 0)
    assert frames_of(tmp_path / "x.pcap") == []
    assert len((tmp_path / "x.pcap").read_bytes()) == 24
    assert len(read_capture(tmp_path / "x.pcap").packets) == 0


@pytest.mark.parametrize(
    "row",
    [
        {"fwd_packets": 1, "bwd_packets": 0, "fwd_bytes": 0, "bwd_bytes": 0, "flags": "....S."},
        {"fwd_packets": 1, "bwd_packets": 0, "fwd_bytes": 0, "bwd_bytes": 0, "proto": "UDP"},
        {"fwd_packets": 1, "bwd_packets": 1, "fwd_bytes": 0, "bwd_bytes": 0, "proto": "ICMP", "src_port": 8},
        {"dst_ip": "239.255.255.250", "dst_port": 1900, "proto": "UDP", "bwd_packets": 0, "bwd_bytes": 0},
        {"dst_ip": "224.0.0.251", "dst_port": 5353, "src_port": 5353, "proto": "UDP", "bwd_packets": 0, "bwd_bytes": 0},
        {"dst_ip": "224.0.0.1", "proto": "ICMP", "src_port": 8, "dst_port": 0, "bwd_packets": 0, "bwd_bytes": 0},
        {"src_ip": "fe80::1", "dst_ip": "ff02::fb", "dst_port": 5353, "proto": "UDP", "bwd_packets": 0, "bwd_bytes": 0},
        {"src_ip": "fe80::1", "dst_ip": "ff02::2", "src_port": 133, "proto": "ICMP", "bwd_packets": 0, "bwd_bytes": 0},
        {"src_ip": "2001:db8::1", "dst_ip": "2001:db8::2", "dst_port": 443},
        {"src_ip": "0.0.0.0", "dst_ip": "255.255.255.255", "src_port": 68, "dst_port": 67, "proto": "UDP"},
    ],
)
def test_single_odd_flows_are_forged(tmp_path: Path, row: dict[str, object]) -> None:
    flows = table([row])
    report = forge(flows, tmp_path / "x.pcap")
    frames = frames_of(tmp_path / "x.pcap")
    assert report.packets == len(frames) == int(flows.frame[["fwd_packets", "bwd_packets"]].to_numpy().sum())
    for _, frame in frames:
        assert_checksums(frame)


def test_flows_of_services_without_a_model_are_drawn_from_that_of_their_protocol(tmp_path: Path) -> None:
    ask = {"proto": "UDP", "flags": "......", "state": "", "fwd_packets": 1, "bwd_packets": 1}
    ask |= {"fwd_bytes": 70, "bwd_bytes": 130}
    words = Words.from_lists([[(">_Random", 0, 42), ("<_Random", 90, 99)]] * 5, unit="us", service="udp", state="")
    flows = table([ask | {"service": "dns", "dst_port": 53}, ask | {"service": "", "dst_port": 53}, ask])
    report = forge(flows, tmp_path / "x.pcap", models=[model_of(words)])
    assert (report.drawn, report.fallbacks) == (3, {})
    for _, frame in frames_of(tmp_path / "x.pcap")[:4]:
        datagram = dpkt.ethernet.Ethernet(frame).data.data
        assert dpkt.dns.DNS(bytes(datagram.data)).qr == int(datagram.sport == 53)


def test_flows_that_the_models_of_their_service_cannot_make_are_drawn_from_that_of_their_protocol(
    tmp_path: Path,
) -> None:
    refused = Words.from_lists(
        [[("S_>_Empty", 0, 0), ("RA_<_Empty", 77_000, 0)]] * 9, unit="us", service="tcp", state="REJ"
    )
    row = {"service": "http", "state": "REJ", "dst_port": 80, "fwd_packets": 1, "bwd_packets": 1}
    flows = table([row | {"fwd_bytes": 60, "bwd_bytes": 40, "flags": ".A.RS."}])
    served = model_of(http_words())
    alone = forge(flows, tmp_path / "a.pcap", models=[served])
    assert alone.fallbacks == {"counts not reachable: http/REJ": 1}
    report = forge(flows, tmp_path / "b.pcap", models=[served, model_of(refused)])
    assert (report.drawn, report.fallbacks) == (1, {})
    assert list(read_back(tmp_path / "b.pcap")["state"]) == ["REJ"]


def test_what_a_strict_port_carries_goes_before_the_name_of_the_service(tmp_path: Path) -> None:
    mail = {"service": "smtp", "dst_port": 143, "fwd_packets": 8, "bwd_packets": 6, "fwd_bytes": 3000}
    forge(table([mail] * 4), tmp_path / "x.pcap")
    segments = [dpkt.ethernet.Ethernet(frame).data.data for _, frame in frames_of(tmp_path / "x.pcap")]
    asked = [bytes(segment.data) for segment in segments if segment.dport == 143 and segment.data]
    assert len(asked) >= 4
    assert all(raw.startswith(b"a") and raw.count(b"\n") == 1 for raw in asked)
