"""What a file is, by its first bytes: a capture, packed or not, or a stranger that is refused by name."""

from pathlib import Path
from typing import Final

from netsynth_core.capture import pcap, pcapng
from netsynth_core.capture.unpack import Unpacker, packing_of
from netsynth_core.errors import UnknownFormat

RECORD_LIMIT: Final = pcap.RECORD_LIMIT

# other formats a person may offer, by their first bytes -> (name, hint)
_STRANGERS: Final = (
    (b"BZh", "a bzip2 archive", "Unpack it first (bunzip2)."),
    (b"\xfd7zXZ", "an xz archive", "Unpack it first (unxz)."),
    (b"\x04\x22\x4d\x18", "an LZ4 archive", "Unpack it first (lz4 -d)."),
    (b"PK\x03\x04", "a ZIP archive", "Unpack it first and open the capture inside."),
    (b"snoop\0\0\0", "a Solaris snoop capture", "Convert it with editcap -F pcap."),
    (b"XCP\0", "a NetXRay capture", "Convert it with editcap -F pcap."),
    (b"TRSNIFF", "a Sniffer capture", "Convert it with editcap -F pcap."),
    (b"GMBU", "a Network Monitor capture", "Convert it with editcap -F pcap."),
    (b"RTSS", "a Network Monitor capture", "Convert it with editcap -F pcap."),
    (b"\x89PNG", "a PNG image", "Choose a .pcap or .pcapng file."),
    (b"%PDF", "a PDF document", "Choose a .pcap or .pcapng file."),
    (b"PAR1", "a Parquet table", "Give it where flow tables are read, or choose a .pcap or .pcapng file."),
    (b"\x7fELF", "a program", "Choose a .pcap or .pcapng file."),
    (b"SQLite format 3", "a SQLite database", "Choose a .pcap or .pcapng file."),
)


def is_capture(head: bytes) -> bool:
    """Whether the first (unpacked) bytes of a file are those of a pcap or pcapng file."""
    return head[:4] in pcap.MAGIC or head[:4] == pcapng.MAGIC


def read_head(path: Path, size: int = 4096) -> bytes:
    """The first bytes of a file, unpacked where it is compressed; shorter where the file is, or its data break."""
    with path.open("rb") as handle:
        head = handle.read(size)
    if not packing_of(head):
        return head
    unpacker, head = Unpacker(path, piece=size), b""
    try:
        while len(head) < size and (piece := unpacker.read()):
            head += piece
    finally:
        unpacker.close()
    return head[:size]


def unknown_format(head: bytes, path: Path) -> UnknownFormat:
    """The error that names what a file is instead of a capture."""
    for magic, name, hint in _STRANGERS:
        if head.startswith(magic):
            return UnknownFormat(f"{path} is {name}, no pcap or pcapng capture.", hint=hint)
    hint = "Choose a .pcap or .pcapng file; other captures can be converted with editcap -F pcap."
    try:
        text = head[:1024].decode("utf-8", errors="strict" if len(head) <= 1024 else "ignore")
    except UnicodeDecodeError:
        text = "\0"
    if text.lstrip()[:1] in ("{", "[") and "\0" not in text:
        return UnknownFormat(f"{path} is a JSON text, no pcap or pcapng capture.", hint=hint)
    if text and all(c.isprintable() or c in "\r\n\t" for c in text):
        return UnknownFormat(f"{path} is a text file, no pcap or pcapng capture.", hint=hint)
    return UnknownFormat(
        f"{path} is no pcap or pcapng capture: it starts with the bytes {head[:4].hex(' ')}.", hint=hint
    )
