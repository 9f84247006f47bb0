"""Payload makers: sizes are kept, messages are whole, and classes are read again as they were asked for."""

import re
import struct

import dpkt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.forge import _kernels
from netsynth_core.forge.columns import ANY, RANDOM, REPLAY, TEXT
from netsynth_core.forge.payloads.dns import exchange
from netsynth_core.forge.payloads.makers import MAKERS, make
from netsynth_core.forge.payloads.names import host_labels
from netsynth_core.forge.payloads.pattern import PatternStore, Want
from netsynth_core.forge.payloads.strict import LOW, ONES, SHORT, SHORTEST, STRICT, UNSERVED, ZERO
from netsynth_core.forge.payloads.text import running_text

PLAIN = Want("", 6, 9999, 0, ANY, "", 100, 0, False, 0, 0, 0)


def payload(want: Want, *, seed: int = 7, word: int = 0xBEEF) -> bytes:
    """The bytes the kernel writes for a want."""
    made = make(want)
    store = PatternStore()
    store.add(made)
    size = want.size if made.size < 0 else made.size
    out = np.zeros(size + 8, np.uint8)
    _kernels._payload(out, 4, size, 0, store.columns(), np.uint16(word), np.uint64(seed), running_text())
    assert not out[:4].any()
    assert not out[size + 4 :].any()
    return out[4 : size + 4].tobytes()


@given(
    st.sampled_from(sorted([*MAKERS, ""])), st.sampled_from([6, 17]), st.integers(0, 1),
    st.sampled_from([TEXT, RANDOM, REPLAY, ANY]), st.integers(0, 3), st.integers(1, 1448), st.integers(0, 7),
)  # fmt: skip
def test_every_maker_makes_every_size(
    service: str, proto: int, way: int, kind: int, ordinal: int, size: int, variant: int
) -> None:
    want = Want(service, proto, 53, way, kind, "", size, 0, False, 60, ordinal, variant)
    made = make(want)
    assert 0 < len(payload(want)) <= 1500
    # only protocols whose messages have no such size may change it
    if made.size not in (-1, size):
        assert service in {"dns", "mdns", "llmnr", "netbios", "ntp", "dhcp", "kerberos", "ldap", "snmp", "radius",
                           "mqtt", "ssh", "tftp", "http", "ssdp", "quic", "mysql", "opcua",
                           "teredo", "rip", "dhcpv6", "vxlan",
                           "syslog"}  # fmt: skip


@given(
    st.sampled_from(sorted({"dns", "mdns", "llmnr", "ldap", "snmp", "kerberos", "mqtt"})), st.integers(0, 1),
    st.integers(0, 3), st.integers(1, 1448),
)  # fmt: skip
def test_strict_services_make_their_messages_of_any_class(service: str, way: int, ordinal: int, size: int) -> None:
    assert service in STRICT
    want = Want(service, 17, 53, way, ANY, "", size, 0, False, 60, ordinal, 0)
    plain = payload(want)
    for kind in (TEXT, RANDOM, REPLAY):
        styled = payload(want._replace(kind=kind, token="GET" if kind == TEXT else ""))
        assert (len(styled), styled[:1]) == (len(plain), plain[:1])


@given(st.integers(17, 250), st.integers(30, 500), st.integers(0, 7))
def test_a_dns_answer_repeats_the_question(query: int, response: int, variant: int) -> None:
    asked, answered = exchange(query, response, variant, True)
    question, answer = dpkt.dns.DNS(asked), dpkt.dns.DNS(answered)
    assert len(asked) == (19 if query == 18 else query)
    assert (question.qr, answer.qr) == (0, 1)
    assert question.qd[0].name == answer.qd[0].name
    assert question.qd[0].type == answer.qd[0].type
    assert len(answered) <= max(response, 12 + len(asked))


@given(st.integers(30, 120), st.integers(150, 480))
def test_dns_sizes_are_exact_where_records_fit(query: int, response: int) -> None:
    assert len(exchange(query, query + 16 + response, 0, True)[1]) == query + 16 + response


@given(st.integers(3, 255), st.integers(0, 7))
def test_host_names_have_the_length_asked_for(wire: int, variant: int) -> None:
    labels = host_labels(wire, variant)
    assert sum(len(label) + 1 for label in labels) + 1 == wire
    assert all(1 <= len(label) <= 63 and label.isalpha() for label in labels)


@given(st.integers(6, 1448), st.integers(0, 3), st.integers(0, 1), st.sampled_from([RANDOM, REPLAY, ANY]))
def test_tls_payloads_are_whole_records(size: int, ordinal: int, way: int, kind: int) -> None:
    raw = payload(PLAIN._replace(service="tls", size=size, ordinal=ordinal, direction=way, kind=kind))
    if size in (6, 7) or size > 7:
        at = 0
        while at < len(raw):
            kind_byte, version, length = struct.unpack(">BHH", raw[at : at + 5])
            assert kind_byte in (20, 21, 22, 23)
            assert version >> 8 == 3
            at += 5 + length
        assert at == len(raw)


def test_a_tls_record_counts_the_packets_behind_it() -> None:
    raw = payload(PLAIN._replace(service="tls", size=1448, rest=2000, ordinal=2, direction=1, kind=RANDOM))
    assert struct.unpack(">H", raw[3:5])[0] == 1448 + 2000 - 5


@given(st.integers(160, 1448), st.integers(0, 5000), st.integers(0, 7))
def test_http_bodies_are_as_long_as_they_say(size: int, rest: int, variant: int) -> None:
    want = PLAIN._replace(service="http", port=80, size=size, rest=rest, direction=1, kind=TEXT, token="HTTP/1.1")
    head, _, body = payload(want._replace(variant=variant)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    length = next(int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: "))
    assert length == len(body) + rest


@given(st.integers(40, 1000), st.sampled_from(["GET", "HEAD", "DELETE", "OPTIONS"]), st.integers(0, 7))
def test_http_requests_are_whole(size: int, method: str, variant: int) -> None:
    raw = payload(PLAIN._replace(service="http", size=size, kind=TEXT, token=method, variant=variant))
    assert len(raw) == size
    request = dpkt.http.Request(raw)
    assert (request.method, request.version) == (method, "1.1")


SPOKEN = [(service, kind) for service in ("imap", "smtp", "pop3", "ftp", "http", "") for kind in (TEXT, RANDOM, REPLAY)]


@pytest.mark.parametrize(
    ("service", "kind"), [*SPOKEN, ("tls", RANDOM), ("tls", REPLAY), ("ssh", RANDOM), ("redis", TEXT)]
)
def test_classes_are_read_again(service: str, kind: int) -> None:
    from netsynth_core.capture.packets import PacketTable
    from netsynth_core.flows.payloads import classify

    raws = [
        payload(PLAIN._replace(service=service, size=size, kind=kind, ordinal=3, direction=way), seed=size)
        for size in range(40, 1400, 90)
        for way in (0, 1)
    ]
    n = len(raws)
    sizes = np.array([len(raw) for raw in raws], np.int32)
    columns = {name: np.zeros(n, np.int64) for name in PacketTable.column_names()}
    columns["payload_offset"] = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    columns["payload_length"] = columns["payload_captured"] = sizes
    table = PacketTable(data=np.frombuffer(b"".join(raws), np.uint8), **columns)  # type: ignore[arg-type]
    read = np.asarray(classify(table))
    assert np.mean(read == kind) >= 0.9


@given(st.integers(1, 600), st.integers(0, 3), st.sampled_from(["", "LOGIN", "FETCH", "LOGOUT", "+"]))
def test_imap_requests_are_one_tagged_command(size: int, ordinal: int, token: str) -> None:
    raw = payload(PLAIN._replace(service="imap", port=143, size=size, kind=TEXT, token=token, ordinal=ordinal))
    assert len(raw) == size
    if size >= 12:
        tag, command, *arguments = raw.removesuffix(b"\r\n").split(b" ")
        assert raw.count(b"\n") == 1
        assert tag == b"a%d" % (1 + ordinal)
        assert command in {b"LOGIN", b"FETCH", b"LOGOUT", b"NOOP", b"SELECT"}
        assert command != b"LOGIN" or len(arguments) == 2


@given(st.integers(1, 200), st.integers(0, 3), st.integers(0, 1))
def test_short_quic_packets_have_their_sample(size: int, ordinal: int, way: int) -> None:
    raw = payload(PLAIN._replace(service="quic", proto=17, port=443, size=size, ordinal=ordinal, direction=way))
    assert len(raw) == max(size, 29)


@pytest.mark.parametrize("size", [1, 4, 7, 8, 12, 40])
def test_router_solicitations_hold_one_whole_option(size: int) -> None:
    raw = payload(PLAIN._replace(proto=58, port=133, size=size))
    assert (len(raw), raw[1] * 8) == (8, 8)


def test_datagrams_of_no_known_protocol_are_no_rtcp() -> None:
    for size in (2, 40, 1472):
        raw = payload(PLAIN._replace(proto=17, size=size, kind=RANDOM))
        assert not 192 <= raw[1] <= 213


@given(st.integers(1, 300), st.sampled_from(["227", "229", "257"]), st.integers(0, 7))
def test_ftp_answers_about_addresses_hold_one(size: int, code: str, variant: int) -> None:
    raw = payload(PLAIN._replace(service="ftp", size=size, kind=TEXT, token=code, direction=1, variant=variant))
    forms = {"227": rb"227 .*\(\d+(,\d+){5}\)\r\n", "229": rb"229 .*\(\|\|\|\d+\|\)\r\n", "257": rb'257 "/\w*"\r\n'}
    assert len(raw) == size
    if size >= 32 or raw[:3] == code.encode():
        assert re.fullmatch(forms[code], raw)


def test_ftp_addresses_fit_their_size_or_give_way() -> None:
    port = re.compile(rb"PORT \d+(,\d+){5}\r\n")
    extended = re.compile(rb"EPRT \|[12]\|[0-9a-f.:]+\|\d+\|\r\n")
    for token, form in (("PORT", port), ("EPRT", extended)):
        made = [payload(PLAIN._replace(service="ftp", size=n, kind=TEXT, token=token)) for n in range(1, 80)]
        assert [len(raw) for raw in made] == list(range(1, 80))
        assert all(form.fullmatch(raw) or not raw.startswith(token.encode()) for raw in made)
        assert sum(form.fullmatch(raw) is not None for raw in made) >= 6


@given(st.integers(1, 600), st.sampled_from([RANDOM, REPLAY]), st.integers(0, 1))
def test_telnet_bytes_hold_no_command(size: int, kind: int, way: int) -> None:
    assert 255 not in payload(PLAIN._replace(service="telnet", port=23, size=size, kind=kind, direction=way))


def test_records_of_endless_bodies_stay_whole() -> None:
    want = PLAIN._replace(service="http", size=1000, rest=10**6, kind=RANDOM, direction=1, ordinal=2)
    assert struct.unpack(">H", payload(want)[3:5])[0] == 995


@given(st.integers(1, 400), st.integers(0, 1))
def test_datagrams_with_lengths_say_their_own(size: int, way: int) -> None:
    want = PLAIN._replace(proto=17, size=size, direction=way)
    inner = payload(want._replace(service="teredo"))
    assert dpkt.ip6.IP6(inner).plen == len(inner) - 40
    assert len(payload(want._replace(service="vxlan"))) == max(size, 8 + 14)
    lease = payload(want._replace(service="dhcpv6"))
    assert len(lease) == 4 or struct.unpack(">HH", lease[4:8]) == (18, len(lease) - 8)
    assert (len(payload(want._replace(service="rip", port=520))) - 4) % 20 == 0
    hello = payload(want._replace(service="opcua", proto=6))
    assert struct.unpack("<I", hello[4:8])[0] == len(hello)


def test_short_mysql_answers_are_whole() -> None:
    for size in range(1, 40):
        raw = payload(PLAIN._replace(service="mysql", size=size, direction=1, ordinal=2))
        assert int.from_bytes(raw[:3], "little") == len(raw) - 4 >= 7


@pytest.mark.parametrize("port", [49, 138, 1718, 2269, 3784, 4500, 12223, 44818])
def test_datagrams_on_checked_ports_hold_a_header(port: int) -> None:
    for size in (1, 23, 24, 25, 300):
        assert len(payload(PLAIN._replace(proto=17, port=port, size=size, kind=RANDOM))) == max(size, SHORTEST)


def test_port_tables_do_not_overlap() -> None:
    tables = [LOW, ZERO, ONES, SHORT, UNSERVED]
    assert sum(map(len, tables)) == len(frozenset().union(*tables))
