"""Metering: equal to a plain twin on random traffic, Zeek's states on scripted conversations, each rule by itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture import PacketTable, join_packets, read_capture
from netsynth_core.capture.addresses import parse_address
from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.metering import Metered, MeterParams, meter_flows
from netsynth_core.flows.services import server_ports
from netsynth_core.flows.states import STATES, state_of
from tests.capture.traffic import ACK, FIN, PSH, RST, START, SYN, mixed, pcap, web

A, B = "192.0.2.1", "198.51.100.7"
S = 1_000_000_000


class P(NamedTuple):
    """One packet of a script."""

    at: int
    src: str
    sport: int
    dst: str
    dport: int
    flags: int = 0
    proto: int = 6
    seq: int = 0
    size: int = 40


def table(packets: Sequence[P]) -> PacketTable:
    words = [(*parse_address(p.src), *parse_address(p.dst)) for p in packets]
    n = len(packets)

    def column(values: Sequence[int], dtype: type) -> np.ndarray:
        return np.array(values, dtype=dtype)

    return PacketTable(
        ts=column([p.at for p in packets], np.int64),
        src_hi=column([w[0] for w in words], np.uint64),
        src_lo=column([w[1] for w in words], np.uint64),
        dst_hi=column([w[2] for w in words], np.uint64),
        dst_lo=column([w[3] for w in words], np.uint64),
        proto=column([p.proto for p in packets], np.uint8),
        src_port=column([p.sport for p in packets], np.uint16),
        dst_port=column([p.dport for p in packets], np.uint16),
        ip_length=column([p.size for p in packets], np.int32),
        flags=column([p.flags for p in packets], np.uint8),
        seq=column([p.seq for p in packets], np.uint32),
        ack=np.zeros(n, np.uint32),
        window=np.zeros(n, np.uint16),
        ttl=np.full(n, 64, np.uint8),
        payload_offset=np.zeros(n, np.int64),
        payload_length=np.zeros(n, np.int32),
        payload_captured=np.zeros(n, np.int32),
        frame=np.arange(n, dtype=np.uint32),
        file=np.zeros(n, np.uint16),
        ip_id=np.zeros(n, np.uint16),
        header_length=np.full(n, 20, np.uint8),
        fragment=np.zeros(n, np.uint8),
        data=np.zeros(1, np.uint8),
    )


def talk(*script: tuple[str, int], gap: int = S // 1000, port: int = 40000, server: int = 9999) -> Metered:
    """A TCP conversation: ``(">", flags)`` from A to B, ``("<", flags)`` back; all SYN of a side have one number."""
    packets = []
    for k, (way, flags) in enumerate(script):
        if way == ">":
            packets.append(P(START + k * gap, A, port, B, server, flags, seq=1 if flags & SYN else 0))
        else:
            packets.append(P(START + k * gap, B, server, A, port, flags, seq=2 if flags & SYN else 0))
    return meter_flows(table(packets))


# ---- the plain twin -------------------------------------------------------------------------------------------------

ICMP_ANSWER = {(1, 8): 0, (1, 13): 14, (1, 15): 16, (1, 17): 18, (1, 10): 9}
ICMP_ANSWER |= {(58, 128): 129, (58, 133): 134, (58, 135): 136, (58, 139): 140, (58, 130): 131}
ICMP_ANSWER |= {(proto, answer): request for (proto, request), answer in ICMP_ANSWER.items()}
ONLY_ANSWERS = {(1, 0), (1, 14), (1, 16), (1, 18), (58, 129), (58, 140)}


class TwinFlow:
    """One flow of the twin: its packets and what each side last did."""

    def __init__(self, first: P) -> None:
        self.packets: list[int] = []
        self.first = first
        self.start = self.last = first.at
        self.state = {0: "inactive", 1: "inactive"}
        self.syn: dict[int, int] = {}
        self.turned = False


def twin(packets: Sequence[P], params: MeterParams) -> list[tuple[tuple[object, ...], list[int], list[int]]]:
    """Flows as ``(facts, rows, directions)`` in order of start, by dictionaries and one packet at a time."""
    seconds = {6: params.idle_timeout_tcp, 17: params.idle_timeout_udp}
    servers = server_ports()
    current: dict[tuple[object, ...], TwinFlow] = {}
    flows: list[TwinFlow] = []
    ways: dict[int, int] = {}
    for row in sorted(range(len(packets)), key=lambda k: packets[k].at):
        p = packets[row]
        dport = ICMP_ANSWER.get((p.proto, p.sport), p.dport) if p.proto in (1, 58) else p.dport
        one, other = (p.src, p.sport), (p.dst, dport)
        key = (p.proto, *sorted((one, other)))
        flow = current.get(key)
        way = 0 if flow is None or (flow.first.src, flow.first.sport) == one else 1
        pure = p.proto == 6 and p.flags & (SYN | ACK | RST | FIN) == SYN
        if flow is not None:
            gap = p.at - flow.last
            old = (
                gap > seconds.get(p.proto, params.idle_timeout_icmp) * S
                or p.at - flow.start > params.active_timeout * S
            )
            ended = "reset" in flow.state.values() or set(flow.state.values()) == {"closed"}
            again = pure and flow.syn.get(way) == p.seq
            if not old and p.proto == 6:
                old = ended and (gap > params.linger * S or (pure and not again))
                if not old and pure:
                    if way in flow.syn:
                        old = not again
                    else:
                        old = flow.state[way] in ("established", "closed", "reset", "partial")
            if old:
                flow = None
        if flow is None:
            flow = TwinFlow(p)
            way = 0
            flows.append(flow)
            current[key] = flow
            if p.proto == 6 and p.flags & SYN:
                flow.turned = bool(p.flags & ACK)
            elif p.proto in (6, 17):
                line = 0 if p.proto == 6 else 1
                flow.turned = bool(servers[line, p.sport] and not servers[line, p.dport])
            else:
                flow.turned = (p.proto, p.sport) in ONLY_ANSWERS
        elif pure and not flow.first.flags & SYN and 1 - way not in flow.syn:
            flow.turned = way == 1
        flow.last = p.at
        flow.packets.append(row)
        ways[row] = way
        step(flow, p, way)
    out = []
    for flow in flows:
        sides = [flow.state[1], flow.state[0]] if flow.turned else [flow.state[0], flow.state[1]]
        directions = [ways[row] ^ flow.turned for row in flow.packets]
        sizes = [packets[row].size for row in flow.packets]
        fwd = [size for size, way in zip(sizes, directions, strict=True) if not way]
        src = flow.first.dst if flow.turned else flow.first.src
        bits = 0
        for row in flow.packets:
            bits |= packets[row].flags
        letters = "".join(c if bits & b else "." for c, b in zip("UAPRSF", (32, 16, 8, 4, 2, 1), strict=True))
        facts = (flow.start, flow.last - flow.start, src, len(fwd), len(sizes) - len(fwd), sum(fwd))
        out.append(((*facts, sum(sizes) - sum(fwd), letters, state(*sides)), flow.packets, directions))
    return out


def step(flow: TwinFlow, p: P, way: int) -> None:
    """Move the states of both sides on by one packet."""
    if p.proto != 6:
        flow.state[way] = "active"
        return
    mine, peer = flow.state[way], flow.state[1 - way]
    if p.flags & SYN:
        flow.syn.setdefault(way, p.seq)
        if p.flags & ACK:
            if peer == "syn":
                mine = peer = "established"
            elif mine == "inactive":
                mine = "syn-ack"
        elif mine in ("inactive", "partial"):
            if peer == "syn-ack":
                mine = peer = "established"
            else:
                mine = "syn"
    elif not p.flags & RST and (mine, peer) in (("inactive", "syn"), ("syn", "syn")):
        mine = peer = "established"
    elif not p.flags & RST and mine == "inactive":
        mine = "partial"
    if p.flags & RST:
        mine = mine if mine == peer == "closed" else "reset"
    elif p.flags & FIN and mine != "reset":
        mine = "closed"
    flow.state[way], flow.state[1 - way] = mine, peer


NAMES = ("inactive", "partial", "syn", "syn-ack", "established", "closed", "reset", "active")


def state(originator: str, responder: str) -> str:
    return state_of(NAMES.index(originator), NAMES.index(responder))


HOSTS = ("192.0.2.1", "192.0.2.2", "2001:db8::1")
TCP_FLAGS = st.sampled_from([SYN, SYN, SYN | ACK, ACK, PSH | ACK, FIN | ACK, FIN, RST, RST | ACK, 0, SYN | FIN, 63])
PACKETS = st.one_of(
    st.builds(
        P,
        at=st.integers(0, 40).map(lambda k: START + k * S),
        src=st.sampled_from(HOSTS),
        sport=st.sampled_from([80, 53, 40000]),
        dst=st.sampled_from(HOSTS),
        dport=st.sampled_from([80, 443, 40000]),
        flags=TCP_FLAGS,
        proto=st.just(6),
        seq=st.integers(0, 1),
        size=st.integers(20, 1500),
    ),
    st.builds(
        P,
        at=st.integers(0, 40).map(lambda k: START + k * S),
        src=st.sampled_from(HOSTS),
        sport=st.sampled_from([0, 3, 8, 53, 128, 129, 135, 136]),
        dst=st.sampled_from(HOSTS),
        dport=st.sampled_from([0, 3, 53]),
        flags=st.just(0),
        proto=st.sampled_from([1, 17, 47, 58]),
        seq=st.just(0),
        size=st.integers(20, 1500),
    ),
)
PARAMS = MeterParams(idle_timeout_tcp=6, idle_timeout_udp=4, idle_timeout_icmp=3, active_timeout=20, linger=2)


@given(st.lists(PACKETS, max_size=60))
def test_metering_equals_its_plain_twin(packets: list[P]) -> None:
    metered = meter_flows(table(packets), PARAMS)
    expected = twin(packets, PARAMS)
    frame = metered.flows.frame
    names = ["ts", "duration", "src_ip", "fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes", "flags", "state"]
    assert [tuple(row) for row in frame[names].itertuples(index=False)] == [facts for facts, _, _ in expected]
    conversations = metered.conversations
    cuts = conversations.offsets
    for i, (_, rows, directions) in enumerate(expected):
        assert conversations.rows(i).tolist() == rows
        assert conversations.direction[cuts[i] : cuts[i + 1]].tolist() == directions
    assert conversations.flow_of().tolist() == [i for i, (_, rows, _) in enumerate(expected) for _ in rows]


@given(st.lists(PACKETS, max_size=40))
def test_no_packet_and_no_byte_is_lost(packets: list[P]) -> None:
    frame = meter_flows(table(packets)).flows.frame
    assert int(frame["fwd_packets"].sum() + frame["bwd_packets"].sum()) == len(packets)
    assert int(frame["fwd_bytes"].sum() + frame["bwd_bytes"].sum()) == sum(p.size for p in packets)


def test_the_table_grows_with_the_number_of_keys() -> None:
    packets = [P(START + k, A, 1024 + k, B, 80, ACK) for k in range(5000)]
    packets += [P(START + 5000 + k, B, 80, A, 1024 + k, ACK) for k in range(5000)]
    frame = meter_flows(table(packets)).flows.frame
    assert len(frame) == 5000 and set(frame["fwd_packets"]) == set(frame["bwd_packets"]) == {1}


OPEN = ((">", SYN), ("<", SYN | ACK), (">", ACK))
STORIES = {
    "S0": ((">", SYN), (">", SYN)),
    "S1": (*OPEN, (">", PSH | ACK), ("<", PSH | ACK)),
    "SF": (*OPEN, (">", FIN | ACK), ("<", FIN | ACK), (">", ACK)),
    "REJ": ((">", SYN), ("<", RST | ACK)),
    "S2": (*OPEN, (">", FIN | ACK), ("<", ACK)),
    "S3": (*OPEN, ("<", FIN | ACK), (">", ACK)),
    "RSTO": (*OPEN, (">", RST)),
    "RSTR": (*OPEN, ("<", RST)),
    "RSTOS0": ((">", SYN), (">", RST)),
    "RSTRH": (("<", SYN | ACK), ("<", RST)),
    "SH": ((">", SYN), (">", FIN)),
    "SHR": (("<", SYN | ACK), ("<", FIN | ACK)),
    "OTH": ((">", PSH | ACK), ("<", ACK)),
}


def test_there_is_a_story_for_every_state() -> None:
    assert tuple(STORIES) == STATES


@pytest.mark.parametrize("code", STORIES)
def test_the_story_of_each_state(code: str) -> None:
    frame = talk(*STORIES[code]).flows.frame
    assert frame[["src_ip", "src_port", "dst_port", "state"]].to_numpy().tolist() == [[A, 40000, 9999, code]]


def test_a_reset_after_both_sides_closed_changes_nothing() -> None:
    assert talk(*STORIES["SF"], ("<", RST)).flows.frame["state"].tolist() == ["SF"]


@pytest.mark.parametrize(("forward", "back", "code"), [(1, 0, "S0"), (0, 1, "S0"), (2, 3, "SF")])
def test_udp_states_say_who_was_heard(forward: int, back: int, code: str) -> None:
    packets = [P(START + k, A, 5000, B, 9999, proto=17) for k in range(forward)]
    packets += [P(START + 100 + k, B, 9999, A, 5000, proto=17) for k in range(back)]
    assert meter_flows(table(packets)).flows.frame["state"].tolist() == [code]


def test_an_answer_alone_from_a_server_port_is_the_responders() -> None:
    frame = meter_flows(table([P(START, B, 53, A, 5000, proto=17)])).flows.frame
    assert frame[["src_ip", "dst_port", "state", "bwd_packets"]].to_numpy().tolist() == [[A, 53, "SHR", 1]]


def test_a_late_syn_tells_the_originator() -> None:
    frame = talk(("<", ACK), (">", SYN), ("<", SYN | ACK)).flows.frame
    assert frame["src_ip"].tolist() == [A]


def test_a_new_syn_after_the_end_opens_a_new_flow_and_a_repeated_one_does_not() -> None:
    def syns(second: int) -> int:
        script = [
            P(START, A, 40000, B, 80, SYN, seq=1),
            P(START + 1, B, 80, A, 40000, RST | ACK),
            P(START + S, A, 40000, B, 80, SYN, seq=second),
        ]
        return len(meter_flows(table(script)).flows)

    assert syns(1) == 1 and syns(2) == 2


def test_packets_behind_the_end_belong_to_it_for_the_linger() -> None:
    end = (*STORIES["SF"],)
    short = [
        P(START + k, A, 40000, B, 80, f) if w == ">" else P(START + k, B, 80, A, 40000, f)
        for k, (w, f) in enumerate(end)
    ]
    for wait, flows in ((5 * S, 1), (15 * S, 2)):
        late = [*short, P(START + wait, A, 40000, B, 80, ACK)]
        assert len(meter_flows(table(late)).flows) == flows


@pytest.mark.parametrize(("proto", "seconds"), [(6, 300), (17, 60), (1, 60)])
def test_idle_timeouts_are_zeeks(proto: int, seconds: int) -> None:
    for wait, flows in ((seconds * S, 1), (seconds * S + 1, 2)):
        packets = [P(START, A, 8, B, 0, ACK, proto), P(START + wait, A, 8, B, 0, ACK, proto)]
        assert len(meter_flows(table(packets)).flows) == flows


def test_the_active_timeout_ends_a_flow_that_never_rests() -> None:
    packets = [P(START + k * S, A, 5000, B, 9999, proto=17) for k in range(31)]
    frame = meter_flows(table(packets), MeterParams(active_timeout=10)).flows.frame
    assert frame["fwd_packets"].tolist() == [11, 11, 9]


def test_echoes_share_a_flow_and_errors_stand_alone() -> None:
    packets = [
        P(START, A, 8, B, 0, proto=1),
        P(START + 1, B, 0, A, 0, proto=1),
        P(START + 2, B, 3, A, 1, proto=1),
        P(START + 3, A, 13, B, 0, proto=1),
        P(START + 4, B, 14, A, 0, proto=1),
    ]
    frame = meter_flows(table(packets)).flows.frame
    rows = frame[["src_ip", "src_port", "dst_port", "fwd_packets", "bwd_packets", "state"]].to_numpy().tolist()
    assert rows == [[A, 8, 0, 1, 1, "SF"], [B, 3, 1, 1, 0, "S0"], [A, 13, 14, 1, 1, "SF"]]


def test_packets_out_of_order_of_time_are_put_in_order() -> None:
    story = [P(START + k * S, A, 40000, B, 80, SYN, seq=k) for k in range(4)]
    metered = meter_flows(table([story[2], story[0], story[3], story[1]]))
    assert metered.conversations.packets.tolist() == [1, 3, 0, 2]
    assert metered.flows.frame["ts"].tolist() == [p.at for p in story]


def test_a_table_without_packets_has_no_flows() -> None:
    metered = meter_flows(table([]))
    assert len(metered.flows) == 0 and len(metered.conversations) == 0


def test_parameters_outside_their_range_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="idle_timeout_tcp"):
        MeterParams.from_settings(["idle_timeout_tcp=0"])


def test_a_capture_becomes_its_flows(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(mixed()))
    packets = read_capture(tmp_path / "a.pcap").packets
    frame = meter_flows(packets).flows.frame
    assert frame["service"].value_counts().to_dict() == {"http": 2, "": 2, "dns": 1, "ntp": 1}
    assert frame["proto"].tolist() == ["UDP", "UDP", "ICMP", "47", "TCP", "TCP"]
    assert frame["state"].tolist() == ["SF", "S0", "SF", "S0", "SF", "SF"]


def test_joined_captures_make_the_same_flows_as_one(tmp_path: Path) -> None:
    frames = web()
    (tmp_path / "whole").write_bytes(pcap(frames))
    (tmp_path / "a").write_bytes(pcap(frames[:4]))
    (tmp_path / "b").write_bytes(pcap(frames[4:]))
    whole = meter_flows(read_capture(tmp_path / "whole").packets).flows.frame
    parts = join_packets([read_capture(tmp_path / name).packets for name in ("b", "a")])
    assert whole.equals(meter_flows(parts).flows.frame)
