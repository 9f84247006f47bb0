"""Metering: equal to a plain twin on random traffic, Zeek's states on scripted conversations, each rule by itself."""

from dataclasses import replace
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture import PacketTable, join_packets, read_capture
from netsynth_core.errors import InvalidParameter, NotEnoughData
from netsynth_core.flows.columns import FlowColumns, MeteredFlows
from netsynth_core.flows.fast_csv import csv_parts
from netsynth_core.flows.metering import FlowMeter, Mark, Metered, MeterParams, meter_flows
from netsynth_core.flows.services import server_name
from netsynth_core.flows.states import STATES
from tests.capture.traffic import ACK, FIN, PSH, RST, START, SYN, mixed, pcap, web
from tests.flows.meter_twin import P, S, table, twin

A, B = "192.0.2.1", "198.51.100.7"


def talk(*script: tuple[str, int], gap: int = S // 1000, port: int = 40000, server: int = 80) -> Metered:
    """A TCP conversation: ``(">", flags)`` from A to B, ``("<", flags)`` back; all SYN of a side have one number."""
    packets = []
    for k, (way, flags) in enumerate(script):
        if way == ">":
            packets.append(P(START + k * gap, A, port, B, server, flags, seq=1 if flags & SYN else 0))
        else:
            packets.append(P(START + k * gap, B, server, A, port, flags, seq=2 if flags & SYN else 0))
    return meter_flows(table(packets))


HOSTS = ("192.0.2.1", "192.0.2.2", "2001:db8::1")
TCP_FLAGS = st.sampled_from([SYN, SYN, SYN | ACK, ACK, PSH | ACK, FIN | ACK, FIN, RST, RST | ACK, 0, SYN | FIN, 63])
REST = {
    "ack": st.integers(0, 1),
    "window": st.sampled_from([0, 9]),
    "length": st.sampled_from([0, 0, 5]),
    "ip_id": st.sampled_from([0, 3]),
    "fragment": st.sampled_from([0, 0, 0, 2]),
}
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
        **REST,
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
        **REST,
    ),
)
TALK = st.builds(
    P,
    at=st.integers(0, 400).map(lambda k: START + k * S // 100),
    src=st.just("192.0.2.1"),
    sport=st.just(40000),
    dst=st.just("192.0.2.2"),
    dport=st.just(80),
    proto=st.just(6),
    size=st.integers(40, 50),
    flags=st.sampled_from([SYN, SYN | ACK, *[ACK] * 12, PSH | ACK, FIN | ACK, RST | ACK, RST, FIN | RST]),
    seq=st.integers(-4, 12),
    ack=st.integers(-4, 12),
    window=st.sampled_from([0, 9, 9, 9]),
    length=st.sampled_from([0, 0, 0, 1, 1, 2, 3]),
    ip_id=st.sampled_from([0, 7]),
    fragment=st.sampled_from([0] * 9 + [2]),
)
BACK = TALK.map(lambda p: p._replace(src=p.dst, sport=p.dport, dst=p.src, dport=p.sport))
CONNECTION = st.lists(TALK | BACK, max_size=40).map(
    lambda ps: [p._replace(seq=p.seq % 2**32, ack=p.ack % 2**32) for p in ps]
)
PARAMS = MeterParams(idle_timeout_tcp=6, idle_timeout_udp=4, idle_timeout_icmp=3, active_timeout=20, linger=2)


FACTS = (
    "ts", "duration", "src_ip", "fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes", "flags", "state", "history"
)  # fmt: skip


def same_as_twin(packets: list[P]) -> None:
    metered = meter_flows(table(packets), PARAMS)
    expected, marks = twin(packets, PARAMS)
    frame = metered.flows.frame
    assert [tuple(row) for row in frame[list(FACTS)].itertuples(index=False)] == [facts for facts, _, _ in expected]
    conversations = metered.conversations
    cuts = conversations.offsets
    for i, (_, rows, directions) in enumerate(expected):
        assert conversations.rows(i).tolist() == rows
        assert conversations.direction[cuts[i] : cuts[i + 1]].tolist() == directions
    assert conversations.flow_of().tolist() == [i for i, (_, rows, _) in enumerate(expected) for _ in rows]
    assert metered.marks.tolist() == marks


@given(st.lists(PACKETS, max_size=60))
def test_metering_equals_its_plain_twin(packets: list[P]) -> None:
    same_as_twin(packets)


@given(CONNECTION)
def test_states_history_and_marks_of_a_connection_equal_the_plain_twin(packets: list[P]) -> None:
    same_as_twin(packets)


def cut(packets: PacketTable, first: int, last: int) -> PacketTable:
    return replace(packets, **{name: getattr(packets, name)[first:last] for name in PacketTable.column_names()})


@given(st.lists(PACKETS, max_size=40) | CONNECTION, st.lists(st.integers(0, 40), max_size=4))
def test_any_cutting_into_windows_gives_the_same_flows(packets: list[P], cuts: list[int]) -> None:
    whole = table(sorted(packets))
    meter, slim = FlowMeter(PARAMS), FlowMeter(PARAMS, keep_packets=False)
    edges = sorted({0, *(min(at, len(packets)) for at in cuts), len(packets)})
    for first, last in pairwise(edges):
        meter.feed(cut(whole, first, last))
        slim.feed(cut(whole, first, last))
    parts, once = meter.finish(), meter_flows(whole, PARAMS)
    assert parts.flows.frame.equals(once.flows.frame)
    assert parts.conversations.packets.tolist() == once.conversations.packets.tolist()
    assert parts.conversations.direction.tolist() == once.conversations.direction.tolist()
    assert parts.marks.tolist() == once.marks.tolist()
    assert parts.options.mss.tolist() == once.options.mss.tolist()
    assert slim.finish().flows.frame.equals(once.flows.frame)


@given(st.lists(PACKETS, max_size=60) | CONNECTION, st.integers(1, 7))
def test_bounded_memory_gives_the_same_flows(packets: list[P], held: int) -> None:
    whole = table(sorted(packets))
    meter = FlowMeter(PARAMS, keep_packets=False, held=held)
    for row in range(len(whole)):
        if row % 3 == 0:
            meter.make_room(int(whole.ts[row]))
        meter.feed(cut(whole, row, row + 1))
    flows = meter.finish().source
    once = meter_flows(whole, PARAMS)
    assert isinstance(flows, MeteredFlows) and isinstance(once.source, FlowColumns)
    assert len(flows) == len(once.source)
    assert flows.service_counts() == once.source.service_counts()
    assert (flows.has_history, flows.has_server_names) == (once.source.has_history, once.source.has_server_names)
    assert b"".join(csv_parts(flows)) == b"".join(csv_parts(once.source))
    if len(flows):
        assert flows.table().frame.equals(once.flows.frame)


def test_flows_that_are_over_leave_their_records() -> None:
    meter = FlowMeter(keep_packets=False, most_open=64, held=100)
    packets = [P(START + k * 5 * S, A, 1024 + k % 5000, B, 9999, proto=17) for k in range(3000)]
    for first in range(0, len(packets), 500):
        meter.feed(table(packets[first : first + 500]))
    metered = meter.finish()
    assert metered.notes == () and meter.flow_count == 3000
    assert metered.flows.frame.equals(meter_flows(table(packets)).flows.frame)


def test_more_open_flows_than_there_is_room_for_end_early_and_it_is_said() -> None:
    meter = FlowMeter(keep_packets=False, most_open=64)
    scan = [P(START + k * S // 1000, A, 1024 + k, B, 80, SYN) for k in range(1000)]
    talk = [P(START + k * S // 1000 + 1, A, 1000, B, 80, ACK, length=1, seq=k, ack=1) for k in range(0, 1000, 9)]
    meter.feed(table(sorted(scan + talk)))
    metered = meter.finish()
    frame = metered.flows.frame
    # what goes on is not what ends early
    assert len(frame) == 1001 and int(frame["fwd_packets"].max()) == len(talk)
    assert len(metered.notes) == 1 and "64 flows were open at once" in metered.notes[0]
    assert "had been silent for at least 0.0" in metered.notes[0]


def test_without_its_packets_a_metering_has_no_conversations() -> None:
    meter = FlowMeter(keep_packets=False)
    meter.feed(table([P(START, A, 40000, B, 80, SYN)]))
    metered = meter.finish()
    assert len(metered.flows) == 1 and len(metered.marks) == 0
    with pytest.raises(NotEnoughData, match="not kept"):
        _ = metered.conversations


def test_windows_out_of_order_are_metered_as_they_come_and_said() -> None:
    meter = FlowMeter()
    meter.feed(table([P(START + 9 * S, A, 40000, B, 80, SYN)]))
    meter.feed(table([P(START, A, 40001, B, 80, SYN), P(START + 9 * S, A, 40002, B, 80, SYN)]))
    metered = meter.finish()
    assert metered.flows.frame["src_port"].tolist() == [40001, 40000, 40002]
    assert [metered.conversations.rows(i).tolist() for i in range(3)] == [[1], [0], [2]]
    assert metered.notes and metered.notes[0].startswith("1 packet came")


@pytest.mark.parametrize("keep_packets", [True, False])
def test_a_window_that_goes_back_in_time_begins_a_flow_earlier_or_is_of_another(keep_packets: bool) -> None:
    def flows(*seconds: int) -> list[list[int]]:
        meter = FlowMeter(keep_packets=keep_packets)
        for second in seconds:
            meter.feed(table([P(START + second * S, A, 40000, B, 53, proto=17)]))
        frame = meter.finish().flows.frame
        return [[(ts - START) // S, length // S] for ts, length in frame[["ts", "duration"]].to_numpy().tolist()]

    assert flows(9000, 8990, 8995) == [[8990, 10]]
    assert flows(9000, 8940, 8881, 9010) == [[8881, 129]]
    assert flows(9000, 8939, 8950) == [[8939, 11], [9000, 0]]
    assert flows(9000, 3000, 3030, 3100) == [[3000, 30], [3100, 0], [9000, 0]]


@given(st.lists(PACKETS, max_size=40))
def test_no_packet_and_no_byte_is_lost(packets: list[P]) -> None:
    frame = meter_flows(table(packets)).flows.frame
    assert int(frame["fwd_packets"].sum() + frame["bwd_packets"].sum()) == len(packets)
    assert int(frame["fwd_bytes"].sum() + frame["bwd_bytes"].sum()) == sum(p.size for p in packets)


@pytest.mark.parametrize("order", [(0, 0, 1, 1), (0, 1, 0, 1)])
@pytest.mark.parametrize("hosts", [(A, B), ("2001:db8::1", "2001:db8::2")])
def test_a_refused_connection_captured_twice_without_identifications_is_one(
    order: tuple[int, ...], hosts: tuple[str, str]
) -> None:
    one, other = hosts
    frames = [P(0, one, 40000, other, 80, SYN, seq=1), P(0, other, 80, one, 40000, RST | ACK, ack=2)]
    script = [frames[which]._replace(at=START + k * 20_000) for k, which in enumerate(order)]
    metered = meter_flows(table(script))
    assert metered.flows.frame[["state", "history", "fwd_packets"]].to_numpy().tolist() == [["REJ", "Sr", 2]]
    seen: set[int] = set()
    for which, mark in zip(order, metered.marks.tolist(), strict=True):
        assert bool(mark & Mark.DUPLICATE_FRAME) == (which in seen)
        seen.add(which)
    later = [frames[0]._replace(at=START), frames[1]._replace(at=START + 10), frames[0]._replace(at=START + S // 500)]
    assert len(meter_flows(table(later)).flows) == 2


def test_flows_that_are_chosen_to_fall_together_do_not() -> None:
    rng = np.random.default_rng(5)
    net, bits, ports = 10 << 24, rng.integers(0, 1 << 24, 6000), rng.integers(0, 1 << 12, 6000)
    # both the sum and the difference of the two ends are the same for all
    packets = [
        P(START + k, str(IPv4Address(net | a)), p, str(IPv4Address(net | a ^ 0xFFFFFF)), p ^ 0xFFF, proto=17)
        for k, (a, p) in enumerate(zip(bits.tolist(), ports.tolist(), strict=True))
    ]
    meter = FlowMeter()
    meter.feed(table(packets))
    assert meter.flow_count > 5900
    free = np.flatnonzero(meter._table == 0)
    assert np.diff(free).max() < 100
    again = [p._replace(at=p.at + S, src=p.dst, sport=p.dport, dst=p.src, dport=p.sport) for p in packets]
    told = meter.flow_count
    meter.feed(table(again))
    assert meter.flow_count == told


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
    assert frame[["src_ip", "src_port", "dst_port", "state"]].to_numpy().tolist() == [[A, 40000, 80, code]]


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


def test_a_syn_inside_a_connection_begins_another_one() -> None:
    frame = talk(("<", ACK), (">", SYN), ("<", SYN | ACK), server=9999).flows.frame
    assert frame[["src_ip", "history"]].to_numpy().tolist() == [[B, "A"], [A, "Sh"]]


def test_syn_and_its_answer_in_the_wrong_order_are_one_connection() -> None:
    packets = [
        P(START, B, 9999, A, 40000, SYN | ACK, seq=70, ack=8),
        P(START + 1, A, 40000, B, 9999, SYN, seq=7),
        P(START + 2, A, 40000, B, 9999, ACK, seq=8, ack=71),
    ]
    frame = meter_flows(table(packets)).flows.frame
    assert frame[["src_ip", "state", "history"]].to_numpy().tolist() == [[A, "S1", "Hs^A"]]


def test_a_syn_ack_first_is_a_scan_until_traffic_follows() -> None:
    answer = P(START, B, 9999, A, 40000, SYN | ACK, seq=70, ack=8)
    scan = meter_flows(table([answer, P(START + 1, A, 40000, B, 9999, RST, seq=8)])).flows.frame
    assert scan[["src_ip", "state", "history"]].to_numpy().tolist() == [[B, "REJ", "Hr"]]
    talk_on = meter_flows(table([answer, P(START + 1, A, 40000, B, 9999, ACK, seq=8, ack=71)])).flows.frame
    assert talk_on[["src_ip", "history"]].to_numpy().tolist() == [[A, "^hA"]]


def test_a_new_syn_after_the_end_opens_a_new_flow_and_one_captured_twice_does_not() -> None:
    def syns(second: int, ip_id: int = 0, after: int = S) -> int:
        script = [
            P(START, A, 40000, B, 80, SYN, seq=1, ip_id=5),
            P(START + 1, B, 80, A, 40000, RST | ACK),
            P(START + after, A, 40000, B, 80, SYN, seq=second, ip_id=ip_id),
        ]
        return len(meter_flows(table(script)).flows)

    assert syns(2) == 2 and syns(1) == 2 and syns(1, ip_id=5, after=10) == 1


def test_a_repeated_syn_belongs_to_the_connection_it_asks_for() -> None:
    script = [P(START + k * S, A, 40000, B, 80, SYN, seq=seq) for k, seq in enumerate((1, 1, 2))]
    assert meter_flows(table(script)).flows.frame["fwd_packets"].tolist() == [2, 1]


def test_the_first_segment_of_a_broadcast_never_turns_round() -> None:
    packets = [P(START, A, 67, "255.255.255.255", 5000, proto=17), P(START + 1, A, 53, B, 5000, proto=17)]
    assert meter_flows(table(packets)).flows.frame["history"].tolist() == ["D", "^d"]


def data(at: int, seq: int, length: int, *, back: bool = False, ack: int = 1, **more: int) -> P:
    """A segment of a script that began at sequence number 1 on both sides; `at` in ms."""
    ends = (B, 80, A, 40000) if back else (A, 40000, B, 80)
    return P(START + at * S // 1000, *ends, ACK, seq=seq, ack=ack, length=length, **more)


HANDSHAKE = [
    P(START, A, 40000, B, 80, SYN, seq=0),
    P(START + 5 * S // 1000, B, 80, A, 40000, SYN | ACK, seq=0, ack=1),
    P(START + 10 * S // 1000, A, 40000, B, 80, ACK, seq=1, ack=1),
]


@pytest.mark.parametrize(
    ("script", "marks"),
    [
        ([data(20, 1, 10), data(30, 1, 10)], [0, Mark.RETRANSMISSION]),
        ([data(20, 11, 10), data(25, 1, 10)], [Mark.GAP_BEFORE, Mark.OUT_OF_ORDER]),
        ([data(20, 11, 10), data(35, 1, 10)], [Mark.GAP_BEFORE, Mark.RETRANSMISSION]),
        ([data(20, 0, 0)], [Mark.KEEP_ALIVE]),
        ([data(20, 1, 0)], [Mark.DUPLICATE_ACK]),
        ([data(20, 1, 0, window=0)], [Mark.ZERO_WINDOW]),
        ([data(20, 1, 0, window=7)], [0]),
        ([data(20, 1, 10, ip_id=9), data(21, 1, 10, ip_id=9)], [0, Mark.RETRANSMISSION | Mark.DUPLICATE_FRAME]),
        ([data(20, 1, 10, ip_id=9), data(21, 1, 10, ip_id=10)], [0, Mark.RETRANSMISSION]),
        ([data(20, 1, 10), data(20, 1, 10)], [0, Mark.RETRANSMISSION | Mark.DUPLICATE_FRAME]),
        ([data(20, 1, 0)] * 2, [Mark.DUPLICATE_ACK] * 2),
    ],
)
def test_the_story_of_each_mark(script: list[P], marks: list[int]) -> None:
    assert meter_flows(table([*HANDSHAKE, *script])).marks.tolist() == [0, 0, 0, *map(int, marks)]


@pytest.mark.parametrize(
    ("script", "history"),
    [
        ([data(20, 1, 10), data(30, 1, 10)], "ShADT"),
        ([data(20 + k, 1, 10) for k in range(12)], "ShADTT"),
        ([data(20, 11, 10), data(30, 1, 0, back=True, ack=21)], "ShADaG"),
        ([data(20, 1, 0, back=True, window=0)], "ShAwa"),
        ([data(20, 1, 0)._replace(flags=FIN | RST)], "ShAI"),
        ([data(20, 0, 0)._replace(flags=FIN | SYN)], "ShAQ"),
    ],
)
def test_letters_of_the_history(script: list[P], history: str) -> None:
    heard = meter_flows(table([*HANDSHAKE, *script])).flows.frame["history"].tolist()
    assert ["".join(sorted(text)) for text in heard] == ["".join(sorted(history))]


def test_options_of_both_sides_are_kept() -> None:
    offers = bytes([1, 2, 4, 5, 180, 3, 3, 200, 4, 2, 8, 10, *range(8), 0, 77])
    options = meter_flows(table(HANDSHAKE, offers), PARAMS).options
    assert options.mss.tolist() == [[1460, 1460]] and options.window_scale.tolist() == [[14, 14]]
    assert options.sack_permitted.tolist() == options.timestamps.tolist() == [[True, True]]
    silent = meter_flows(table(HANDSHAKE)).options
    assert silent.mss.tolist() == silent.window_scale.tolist() == [[-1, -1]]
    assert not silent.sack_permitted.any() and not silent.timestamps.any()


@given(st.binary(max_size=40))
def test_no_options_are_read_beyond_their_end(offers: bytes) -> None:
    options = meter_flows(table(HANDSHAKE[:1], offers)).options
    assert -1 <= int(options.mss[0, 0]) <= 65535 and -1 <= int(options.window_scale[0, 0]) <= 14


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
    assert frame["service"].value_counts().to_dict() == {"http": 2, "": 3, "dns": 1, "ntp": 1}
    assert frame["proto"].tolist() == ["UDP", "UDP", "ICMP", "UDP", "47", "TCP", "TCP"]
    assert frame["state"].tolist() == ["SF", "S0", "SF", "S0", "S0", "SF", "SF"]
    assert set(frame["server_name"]) == {"", "made.example"}


def test_joined_captures_make_the_same_flows_as_one(tmp_path: Path) -> None:
    frames = web()
    (tmp_path / "whole").write_bytes(pcap(frames))
    (tmp_path / "a").write_bytes(pcap(frames[:4]))
    (tmp_path / "b").write_bytes(pcap(frames[4:]))
    whole = meter_flows(read_capture(tmp_path / "whole").packets).flows.frame
    parts = join_packets([read_capture(tmp_path / name).packets for name in ("b", "a")])
    assert whole.equals(meter_flows(parts).flows.frame)


def hello(*extensions: bytes, records: int = 1) -> bytes:
    """A TLS ClientHello."""
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0"
    told = b"".join(extensions)
    body += len(told).to_bytes(2, "big") + told
    shake = b"\1" + len(body).to_bytes(3, "big") + body
    size = -(-len(shake) // records)
    parts = [shake[k : k + size] for k in range(0, len(shake), size)]
    return b"".join(b"\x16\3\1" + len(part).to_bytes(2, "big") + part for part in parts)


def asks(name: bytes, kind: int = 0) -> bytes:
    """The server name extension of a hello."""
    entry = bytes([kind]) + len(name).to_bytes(2, "big") + name
    listed = len(entry).to_bytes(2, "big") + entry
    return b"\0\0" + len(listed).to_bytes(2, "big") + listed


FIRST_WORDS = st.sampled_from(
    [
        hello(asks(b"a.example")), hello(b"\0\x0b\0\2\1\0", asks(b"B.example.")), hello(), hello(asks(b"")),
        hello(asks(b"a.example", kind=1)), hello(asks(b"two.example"), records=2), hello(asks(b"x y")),
        b"GET / HTTP/1.1\r\nHost: c.example:80\r\n\r\n", b"GET / HTTP/1.1\nA: b\nhOST:\t d.example \n\n",
        b"POST http://e.example/x HTTP/1.1\r\n\r\n", b"CONNECT f.example:443 HTTP/1.1\r\n\r\nHost: g.example\r\n",
        b"get / HTTP/1.0\r\nHost : h.example\r\n\r\n", b"EHLO made.example\r\n", b"SSH-2.0-x\r\n",
    ]
)  # fmt: skip


@given(FIRST_WORDS, st.integers(0, 300), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=3))
def test_the_server_name_is_that_of_the_first_payload(text: bytes, cut_at: int, changes: list[tuple[int, int]]) -> None:
    payload = bytearray(text[:cut_at] if cut_at < 200 else text)
    for at, value in changes:
        if at < len(payload):
            payload[at] = value
    packets = table([P(START, A, 40000, B, 80, PSH | ACK, length=len(payload))])
    packets = replace(
        packets,
        payload_offset=np.array([3], np.int64),
        payload_captured=np.array([len(payload)], np.int32),
        header_length=np.array([20], np.uint8),
        data=np.frombuffer(b"\0\0\0" + bytes(payload) + b"Host: behind.example\r\n", np.uint8),
    )
    assert meter_flows(packets).flows.frame["server_name"].tolist() == [server_name(bytes(payload))]
