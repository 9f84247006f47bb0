"""Words: the symbols, delays and sizes of known conversations; groups; tokens that recur; the text of symbols."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture import PacketTable, read_capture
from netsynth_core.errors import InvalidParameter, SchemaError
from netsynth_core.flows.extraction import extract_words, group_names
from netsynth_core.flows.metering import Metered, meter_flows
from netsynth_core.flows.symbols import Symbol, format_symbol, parse_symbol
from netsynth_core.flows.tokens import token_of
from netsynth_core.flows.words import Words
from tests.capture.traffic import ACK, FIN, PSH, START, SYN, Frame, mixed, pcap, segment, web
from tests.flows.meter_twin import P, table


def metered(path: Path, frames: list[Frame]) -> tuple[PacketTable, Metered]:
    path.write_bytes(pcap(frames))
    packets = read_capture(path).packets
    return packets, meter_flows(packets)


def group(groups: list[Words], service: str, state: str = "") -> Words:
    return next(words for words in groups if (words.service, words.state) == (service, state))


WEB = [
    "S_>_Empty",
    "SA_<_Empty",
    "A_>_Empty",
    "PA_>_Text-GET",
    "A_<_Empty",
    "PA_<_Text-HTTP/1.1",
    "A_>_Empty",
    "FA_>_Empty",
    "FA_<_Empty",
    "A_>_Empty",
]


def test_the_word_of_a_known_conversation(tmp_path: Path) -> None:
    frames = [f for k in range(3) for f in web(START + k * 10**9, port=40000 + k, gap=1_000_000 + 600 * k)]
    packets, flows = metered(tmp_path / "a", frames)
    (words,) = extract_words(packets, flows)
    assert (words.service, words.state, words.unit, len(words)) == ("http", "SF", "us", 3)
    assert words.names(0) == words.names(2) == WEB
    assert words[0].delays.tolist() == [0] + [1000] * 9
    assert words[1].delays.tolist() == [0] + [1001] * 9
    assert words.sizes is not None and words[0].sizes is not None
    assert words[0].sizes.tolist() == [0, 0, 0, 38, 0, 43, 0, 0, 0, 0]
    assert words.flow_rows is not None and words.flow_rows.tolist() == [0, 1, 2]
    assert list(words.alphabet) == sorted(set(WEB))


def test_groups_are_services_and_states(tmp_path: Path) -> None:
    packets, flows = metered(tmp_path / "a", [*mixed(), *web(START + 10**9, port=42000)[:6]])
    by_state = extract_words(packets, flows)
    keys = [(words.service, words.state) for words in by_state]
    assert keys == [("47", "S0"), ("dns", "SF"), ("http", "S1"), ("http", "SF"), ("icmp", "SF"), ("ntp", "S0")]
    by_service = extract_words(packets, flows, by=("service",))
    assert [(words.service, words.state) for words in by_service] == [
        (s, "") for s in ("47", "dns", "http", "icmp", "ntp")
    ]
    # the flow that is nothing but a later fragment has no word
    assert sum(len(words) for words in by_state) == sum(len(words) for words in by_service) == len(flows.flows) - 1
    assert group(by_service, "dns").names(0) == [">_Replay-A", "<_Replay-A"]
    assert group_names(flows.flows).tolist() == ["dns", "ntp", "icmp", "udp", "47", "http", "http", "http"]
    for words in by_state:
        assert words.flow_rows is not None
        assert set(flows.flows.frame["state"].to_numpy()[words.flow_rows]) == {words.state}
    with pytest.raises(InvalidParameter, match="colour"):
        extract_words(packets, flows, by=("colour",))


def test_no_packets_no_words(tmp_path: Path) -> None:
    packets, flows = metered(tmp_path / "a", [])
    assert extract_words(packets, flows) == []


def chat(k: int, lines: list[tuple[bool, bytes]], *, server: int = 80) -> list[Frame]:
    """A conversation of texts: SYN, SYN-ACK, the lines, FIN of both."""
    script = [(True, SYN, b""), (False, SYN | ACK, b"")]
    script += [(way, PSH | ACK, line) for way, line in lines]
    script += [(True, FIN | ACK, b""), (False, FIN | ACK, b"")]
    return [
        Frame(START + k * 10**9 + j * 1000, segment(way, flags, payload, port=41000 + k, server=server))
        for j, (way, flags, payload) in enumerate(script)
    ]


def test_tokens_begin_turns_and_recur_or_are_commands(tmp_path: Path) -> None:
    frames = []
    for k in range(12):
        lines = [(True, b"GET / HTTP/1.1\r\n\r\n"), (False, b"HTTP/1.1 200 OK\r\n\r\n"), (False, b"Once upon a time")]
        if k < 2:
            lines += [
                (True, b"BREW /pot HTTP/1.1\r\n\r\n"),
                (False, b"HTTP/1.1 418 Teapot\r\n\r\n"),
                (True, b"PUT / HTTP/1.1\r\n\r\n"),
            ]
        frames += chat(k, lines)
    packets, flows = metered(tmp_path / "a", frames)
    (words,) = extract_words(packets, flows)
    assert words.names(1)[2:5] == ["PA_>_Text-GET", "PA_<_Text-HTTP/1.1", "PA_<_Text"]
    assert words.names(0)[5:8] == ["PA_>_Text", "PA_<_Text-HTTP/1.1", "PA_>_Text-PUT"]


@pytest.mark.parametrize(
    ("words", "service", "token"),
    [
        ((b"GET", b"/", b"HTTP/1.1"), "http", "GET"),
        ((b"HTTP/1.1", b"200", b"OK"), "http", "HTTP/1.1"),
        ((b"M-SEARCH", b"*", b""), "ssdp", "M_SEARCH"),
        ((b"a1", b"login", b"ann"), "imap", "LOGIN"),
        ((b"a1", b"OK", b"done"), "imap", "OK"),
        ((b"*", b"OK", b""), "imap", "*"),
        ((b"mail", b"FROM:<a@b>", b""), "smtp", "MAIL"),
        ((b"250-mail.ex", b"", b""), "smtp", "250"),
        ((b"250", b"ok", b""), "smtp", "250"),
        ((b"SSH-2.0-Ope", b"", b""), "ssh", "SSH"),
        ((b"<13>Nov", b"21", b""), "syslog", ""),
        ((b"*2", b"$3", b"get"), "redis", "GET"),
        ((b"$5", b"hello", b""), "redis", "bulk"),
        ((b"$-1", b"", b""), "redis", "null"),
        ((b"+OK", b"", b""), "redis", "+OK"),
        ((b":3", b"", b""), "redis", "int"),
        ((b"elevenchars", b"", b""), "http", ""),
        (("größe".encode(), b"", b""), "http", "gr__e"),
        ((b"", b"", b""), "http", ""),
    ],
)
def test_tokens(words: tuple[bytes, ...], service: str, token: str) -> None:
    assert token_of(words, service) == token


SYMBOLS = st.builds(
    Symbol,
    flags=st.sets(st.sampled_from("SFRPAU")).map(lambda s: "".join(c for c in "SFRPAU" if c in s)),
    direction=st.sampled_from("<>"),
    payload=st.sampled_from(["Empty", "Random", "Replay"]),
    token=st.just(""),
) | st.builds(
    Symbol,
    flags=st.just("PA"),
    direction=st.sampled_from("<>"),
    payload=st.just("Text"),
    token=st.from_regex(r"[A-Za-z0-9.+/_*]{0,10}", fullmatch=True),
)


@given(SYMBOLS)
def test_symbols_and_their_text_are_one(symbol: Symbol) -> None:
    text = format_symbol(symbol)
    assert parse_symbol(text) == symbol
    assert not set(text) & set(" :$")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cPA",
        "AS_>_Empty",
        "S_>_Full",
        "PA_>_Empty-GET",
        "PA_>_Replay-thirteenchars",
        "PA_>_Text-elevenchars",
        "_>_Empty",
    ],
)
def test_what_is_no_symbol_is_refused(text: str) -> None:
    with pytest.raises(SchemaError):
        parse_symbol(text)


def test_every_symbol_of_words_can_be_parsed(tmp_path: Path) -> None:
    packets, flows = metered(tmp_path / "a", mixed())
    for words in extract_words(packets, flows):
        assert [format_symbol(parse_symbol(name)) for name in words.alphabet] == list(words.alphabet)
        assert np.all(words.delays[words.offsets[:-1]] == 0)


def test_what_later_fragments_carry_counts_with_their_first() -> None:
    def part(at: int, fragment: int, length: int, ip_id: int = 7) -> P:
        return P(START + at, "192.0.2.1", 5000, "192.0.2.9", 9, 0, 17, length=length, ip_id=ip_id, fragment=fragment)

    packets = table([part(0, 0, 3), part(1, 1, 100), part(2, 2, 50), part(3, 2, 20, 8), part(4, 2, 5), part(5, 0, 1)])
    flows = meter_flows(packets)
    assert flows.flows.frame["fwd_packets"].tolist() == [6]
    (words,) = extract_words(packets, flows)
    assert words.sizes is not None and words.sizes.tolist() == [3, 155, 1]
    assert words.delays.tolist() == [0, 0, 0] and len(words.names(0)) == 3


@pytest.mark.parametrize(
    ("order", "sizes"),
    [
        ("2 50, 1 100", [150]),
        ("2 5, 2 50, 1 100", [155]),
        ("2 50, 1 100, 2 7, 1 200", [150, 207]),
        ("1 100, 2 50, 1 200, 2 7", [150, 207]),
        ("2 50, 1 100, 2 7", [157]),
        ("2 50", []),
    ],
)
def test_fragments_in_reversed_order_count_with_their_own_first(order: str, sizes: list[int]) -> None:
    parts = [tuple(map(int, part.split())) for part in order.split(",")]
    packets = table(
        [
            P(START + k, "192.0.2.1", 5000, "192.0.2.9", 9, 0, 17, length=length, ip_id=7, fragment=fragment)
            for k, (fragment, length) in enumerate(parts)
        ]
    )
    groups = extract_words(packets, meter_flows(packets))
    assert [size for words in groups if words.sizes is not None for size in words.sizes.tolist()] == sizes
