"""Header tables: building and reading are inverse, checksums are those of an independent computation."""

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.forge.headers import ETHERNET, ICMP, IPV4, IPV6, TCP, UDP, build, checksum, offset_of, read, size_of

LAYOUTS = {"ethernet": (ETHERNET, 14), "ipv4": (IPV4, 20), "ipv6": (IPV6, 40)}
LAYOUTS |= {"tcp": (TCP, 20), "udp": (UDP, 8), "icmp": (ICMP, 8)}


@pytest.mark.parametrize("name", LAYOUTS)
@given(st.data())
def test_reading_gives_back_what_was_built(name: str, data: st.DataObject) -> None:
    layout, size = LAYOUTS[name]
    values = {f.name: data.draw(st.integers(0, 256**f.width - 1)) for f in layout}
    raw = build(layout, **values)
    assert len(raw) == size == size_of(layout)
    assert read(layout, b"xx" + raw, 2) == values
    for field in layout:
        at = offset_of(layout, field.name)
        assert int.from_bytes(raw[at : at + field.width], "big") == values[field.name]


def test_fields_stand_where_dpkt_reads_them() -> None:
    segment = dpkt.tcp.TCP(
        build(TCP, source_port=1, destination_port=2, sequence=3, acknowledgement=4, flags=18, window=5)
    )
    assert (segment.sport, segment.dport, segment.seq, segment.ack, segment.flags, segment.win) == (1, 2, 3, 4, 18, 5)
    packet = dpkt.ip.IP(build(IPV4, length=20, id=7, ttl=9, proto=99, source=1, destination=2))
    assert (packet.len, packet.id, packet.ttl, packet.p, packet.df) == (20, 7, 9, 99, 1)


@given(st.binary(max_size=300))
def test_the_checksum_is_the_internet_checksum(data: bytes) -> None:
    assert checksum(data) == dpkt.in_cksum(data)


def test_an_unknown_field_is_no_field() -> None:
    with pytest.raises(KeyError):
        build(UDP, colour=3)
    with pytest.raises(KeyError):
        offset_of(UDP, "colour")
