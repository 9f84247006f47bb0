"""Header layouts as tables: one description of each header serves building, reading and the emitting kernel.

A layout is a tuple of fields in wire order, all big-endian. `build` fills one, `read` takes one apart, `offset_of`
says where a field stands.
"""

from typing import Final, NamedTuple


class HeaderField(NamedTuple):
    """One field of a header."""

    name: str
    width: int
    """Bytes."""
    default: int = 0
    """Value when `build` is given none."""


Layout = tuple[HeaderField, ...]

PCAP_FILE: Final[Layout] = (
    HeaderField("magic", 4, 0xA1B23C4D),
    HeaderField("major", 2, 2),
    HeaderField("minor", 2, 4),
    HeaderField("zone", 4),
    HeaderField("figures", 4),
    HeaderField("snaplen", 4, 262_144),
    HeaderField("link", 4, 1),
)
"""pcap file header, nanosecond flavour, Ethernet (draft-ietf-opsawg-pcap section 4)."""

PCAP_RECORD: Final[Layout] = (
    HeaderField("seconds", 4),
    HeaderField("nanoseconds", 4),
    HeaderField("captured", 4),
    HeaderField("length", 4),
)

ETHERNET: Final[Layout] = (
    HeaderField("destination", 6),
    HeaderField("source", 6),
    HeaderField("type", 2, 0x0800),
)

IPV4: Final[Layout] = (
    HeaderField("version_ihl", 1, 0x45),
    HeaderField("tos", 1),
    HeaderField("length", 2),
    HeaderField("id", 2),
    HeaderField("fragment", 2, 0x4000),
    HeaderField("ttl", 1, 64),
    HeaderField("proto", 1),
    HeaderField("checksum", 2),
    HeaderField("source", 4),
    HeaderField("destination", 4),
)
"""RFC 791 section 3.1; the default of the fragment word is Don't Fragment."""

IPV6: Final[Layout] = (
    HeaderField("version_flow", 4, 0x6000_0000),
    HeaderField("payload_length", 2),
    HeaderField("next", 1),
    HeaderField("hop_limit", 1, 64),
    HeaderField("source", 16),
    HeaderField("destination", 16),
)
"""RFC 8200 section 3."""

TCP: Final[Layout] = (
    HeaderField("source_port", 2),
    HeaderField("destination_port", 2),
    HeaderField("sequence", 4),
    HeaderField("acknowledgement", 4),
    HeaderField("offset", 1, 0x50),
    HeaderField("flags", 1),
    HeaderField("window", 2),
    HeaderField("checksum", 2),
    HeaderField("urgent", 2),
)
"""RFC 9293 section 3.1, without options."""

UDP: Final[Layout] = (
    HeaderField("source_port", 2),
    HeaderField("destination_port", 2),
    HeaderField("length", 2),
    HeaderField("checksum", 2),
)
"""RFC 768."""

ICMP: Final[Layout] = (
    HeaderField("type", 1),
    HeaderField("code", 1),
    HeaderField("checksum", 2),
    HeaderField("identifier", 2),
    HeaderField("sequence", 2),
)
"""RFC 792 and RFC 4443; for other messages than echo the last two words are the message's own."""


def size_of(layout: Layout) -> int:
    """Bytes of a header."""
    return sum(field.width for field in layout)


def offset_of(layout: Layout, name: str) -> int:
    """Where a field starts, in bytes.

    >>> offset_of(IPV4, "ttl")
    8
    """
    at = 0
    for field in layout:
        if field.name == name:
            return at
        at += field.width
    raise KeyError(name)


def build(layout: Layout, **values: int) -> bytes:
    """The header with these values; fields not named have their defaults.

    >>> build(UDP, source_port=53, destination_port=4000, length=8).hex()
    '00350fa000080000'
    """
    unknown = set(values) - {field.name for field in layout}
    if unknown:
        raise KeyError(min(unknown))
    return b"".join(values.get(field.name, field.default).to_bytes(field.width, "big") for field in layout)


def read(layout: Layout, data: bytes, start: int = 0) -> dict[str, int]:
    """The fields of the header at `start`.

    >>> read(UDP, bytes.fromhex("00350fa000080000"))["destination_port"]
    4000
    """
    values = {}
    for field in layout:
        values[field.name] = int.from_bytes(data[start : start + field.width], "big")
        start += field.width
    return values


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071): ones' complement of the ones' complement sum of 16-bit words.

    >>> hex(checksum(bytes.fromhex("45000073000040004011" "0000" "c0a80001c0a800c7")))
    '0xb861'
    """
    if len(data) % 2:
        data += b"\0"
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
