"""Records: all ways of writing the same frames read alike; damage is said, never raised; strangers are refused."""

import gzip
import struct
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import dpkt
import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture import CaptureWindows, PacketTable, read_bytes, read_capture, read_captures, unpack
from netsynth_core.capture.addresses import format_address
from netsynth_core.capture.records import read_head
from netsynth_core.errors import NotEnoughData, StorageError, TruncatedCapture, UnknownFormat
from netsynth_core.flows.source import kind_of
from tests.capture.traffic import (
    START,
    Frame,
    block,
    enhanced,
    interface,
    mixed,
    obsolete,
    pcap,
    pcapng,
    section,
    segment,
    simple,
    twin,
    web,
)

US_FRAMES = [frame._replace(ts=frame.ts // 1000 * 1000) for frame in mixed()]


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def columns(packets: PacketTable) -> dict[str, list[int]]:
    """All columns but the place in the file."""
    return {name: getattr(packets, name).tolist() for name in PacketTable.column_names() if name != "payload_offset"}


Row = tuple[int, int, str, int, bytes]


def rows_of(packets: PacketTable) -> list[Row]:
    """Frame number, instant, source, protocol and payload of every row."""
    return [
        (
            int(packets.frame[row]),
            int(packets.ts[row]),
            format_address(int(packets.src_hi[row]), int(packets.src_lo[row])),
            int(packets.proto[row]),
            packets.payload(row),
        )
        for row in range(len(packets))
    ]


def expected(frames: list[Frame]) -> list[Row]:
    """The same of the whole IP packets among Ethernet frames, by dpkt."""
    rows: list[Row] = []
    for number, frame in enumerate(frames):
        if frame.length is not None and frame.length > len(frame.data):
            continue
        try:
            src, _, proto, *_, payload = twin(frame.data)
        except (AttributeError, ValueError, dpkt.UnpackError):
            continue
        rows.append((number, frame.ts, src, proto, payload))  # type: ignore[arg-type]
    return rows


WAYS = {
    "pcap-le-ns": pcap(US_FRAMES),
    "pcap-be-ns": pcap(US_FRAMES, order=">"),
    "pcap-le-us": pcap(US_FRAMES, nanoseconds=False),
    "pcap-be-us": pcap(US_FRAMES, order=">", nanoseconds=False),
    "pcapng-le": pcapng(US_FRAMES),
    "pcapng-be": pcapng(US_FRAMES, order=">"),
    "pcapng-us": section() + interface(resolution=6) + b"".join(enhanced(f, ticks=f.ts // 1000) for f in US_FRAMES),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("packing", ["", "gzip", "zstd"])
def test_every_way_of_writing_reads_alike(tmp_path: Path, way: str, packing: str) -> None:
    pack = {"": bytes, "gzip": gzip.compress, "zstd": zstandard.compress}[packing]
    content = pack(WAYS[way])
    path = written(tmp_path / "capture", content)
    capture = read_capture(path)
    assert rows_of(capture.packets) == expected(US_FRAMES)
    reference = read_capture(written(tmp_path / "reference", WAYS["pcap-le-ns"]))
    assert columns(capture.packets) == columns(reference.packets)
    assert capture.report.format == f"{packing} {way.split('-')[0]}".lstrip()
    assert [capture.packets.payload(k) for k in range(len(capture.packets))] == [
        reference.packets.payload(k) for k in range(len(reference.packets))
    ]


def test_columns_grow_with_the_file() -> None:
    once, often = read_bytes(pcap(web())).packets, read_bytes(pcap(web() * 5000)).packets
    assert often.frame.tolist() == list(range(50_000))
    for name in ("ts", "src_lo", "seq", "flags", "payload_length", "header_length"):
        assert np.array_equal(getattr(often, name), np.tile(getattr(once, name), 5000))


@given(st.binary(min_size=1, max_size=400))
def test_bytes_that_are_no_capture_are_refused(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    path = written(tmp_path_factory.getbasetemp() / "noise", b"#" + noise)
    with pytest.raises(UnknownFormat):
        read_capture(path)


@given(st.sampled_from(sorted(WAYS)), st.integers(24, len(WAYS["pcapng-le"]) - 1), st.integers(0, 255))
def test_a_broken_byte_never_raises_beyond_a_message(
    tmp_path_factory: pytest.TempPathFactory, way: str, at: int, value: int
) -> None:
    content = bytearray(WAYS[way])
    content[at % len(content)] = value
    path = written(tmp_path_factory.getbasetemp() / "broken", bytes(content))
    try:
        capture = read_capture(path)
    except (UnknownFormat, TruncatedCapture):
        return
    assert len(capture.packets) + sum(capture.report.skipped.values()) <= len(US_FRAMES) + 1


@given(st.sampled_from(["pcap-le-ns", "pcapng-be"]), st.integers(1, 2000))
def test_a_cut_file_gives_its_first_packets_and_says_so(
    tmp_path_factory: pytest.TempPathFactory, way: str, cut: int
) -> None:
    content = WAYS[way]
    kept = content[: max(len(content) - cut, 60)]
    path = written(tmp_path_factory.getbasetemp() / "cut", kept)
    capture = read_capture(path)
    report = capture.report
    found = report.packets + sum(report.skipped.values())
    assert rows_of(capture.packets) == expected(US_FRAMES[:found])
    if way == "pcap-le-ns":
        ends = np.cumsum([24, *(16 + len(f.data) for f in US_FRAMES)])
        assert found == int(np.searchsorted(ends, len(kept), side="right")) - 1
        assert report.truncated == (len(kept) not in set(ends.tolist()))
    if report.truncated:
        assert "ends in the middle" in report.notes[0]


def test_a_cut_gzip_file_gives_what_it_held(tmp_path: Path) -> None:
    content = gzip.compress(pcap(web() * 300))
    capture = read_capture(written(tmp_path / "cut.gz", content[: len(content) // 2]))
    assert 0 < len(capture.packets) < 3000
    assert capture.report.truncated
    assert "gzip data end too early" in capture.report.notes[0]


def test_joined_gzip_members_are_one_file(tmp_path: Path) -> None:
    content = pcap(web())
    path = written(tmp_path / "members.gz", gzip.compress(content[:100]) + gzip.compress(content[100:]))
    assert rows_of(read_capture(path).packets) == expected(web())


MEMBERS = {
    "empty first": lambda raw: gzip.compress(b"") + gzip.compress(raw),
    "three bytes first": lambda raw: gzip.compress(raw[:3]) + gzip.compress(raw[3:]),
    "long name": lambda raw: (
        gzip.compress(raw)[:3] + b"\x08" + bytes(6) + b"n" * 5000 + b"\0" + gzip.compress(raw)[10:]
    ),
    "zeros at the end": lambda raw: gzip.compress(raw) + bytes(512),
    "zeros between": lambda raw: gzip.compress(raw[:60]) + bytes(16) + gzip.compress(raw[60:]),
    "a megabyte of zeros between": lambda raw: gzip.compress(raw[:60]) + bytes(1 << 20) + gzip.compress(raw[60:]),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_gzip_of_every_build_is_known_and_read_whole(tmp_path: Path, name: str) -> None:
    content = pcap(web())
    path = written(tmp_path / "a.gz", MEMBERS[name](content))
    assert read_head(path) == content[:4096] and read_head(path, 4) == content[:4]
    assert kind_of(path) == "capture"
    capture = read_capture(path)
    assert rows_of(capture.packets) == expected(web())
    assert not capture.report.truncated and sum(map(len, CaptureWindows(path))) == len(capture.packets)


@pytest.mark.parametrize("limits", [{"UNPACK_LIMIT": 10_000}, {"UNPACK_FREE": 5_000, "UNPACK_RATIO": 20}])
def test_unpacking_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int]) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(unpack, name, value)
    path = written(tmp_path / "bomb.gz", gzip.compress(bytes(600_000)))
    with pytest.raises(UnknownFormat, match="unpacks to more than") as caught:
        read_capture(path)
    assert "gunzip" in caught.value.hint


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on address space is one of Linux")
def test_a_capture_too_large_for_memory_is_told(tmp_path: Path) -> None:
    path = tmp_path / "large.pcap"
    with path.open("wb") as handle:
        handle.write(pcap(web()))
        handle.truncate(1 << 40)
    script = "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 33, 1 << 33));"
    script += "from netsynth_core.capture import read_capture; read_capture(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert "StorageError" in done.stderr and "netsynth flows" in done.stderr


def test_pcapng_sections_interfaces_and_block_kinds(tmp_path: Path) -> None:
    a, b, c = segment(True, 2), segment(False, 18), segment(True, 16)
    quarter = 250_000_000
    content = (
        section(">")
        + interface(resolution=0x80 | 10, order=">")
        + interface(101, resolution=3, offset=1000, order=">")
        + enhanced(Frame(0, a), ticks=(5 << 10) + 256, order=">")
        + block(5, bytes(8), ">")
        + enhanced(Frame(0, b[14:]), number=1, ticks=7_250, order=">")
        + section("<")
        + interface(resolution=9)
        + obsolete(Frame(START, c))
        + simple(a, len(a))
        + enhanced(Frame(START, a), number=3)
    )
    capture = read_capture(written(tmp_path / "sections.pcapng", content))
    assert capture.packets.ts.tolist() == [5_000_000_000 + quarter, 1_007_000_000_000 + quarter, START, START]
    assert capture.packets.flags.tolist() == [2, 18, 16, 2]
    assert capture.report.link_types == {"Ethernet": 3, "raw IP": 1, "unknown": 1}
    assert capture.report.skipped == {"interface that the file does not describe": 1}
    assert capture.report.first_skipped == {"interface that the file does not describe": 5}
    assert any("1 packets carry no instant" in note for note in capture.report.notes)


@given(
    st.integers(0, 63),
    st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 2**50)),
    st.booleans(),
    st.sampled_from([0, 1, -5, 2**31, -(2**40)]),
)
def test_instants_of_any_resolution_are_exact(exponent: int, ticks: int, binary: bool, offset: int) -> None:
    exponent = exponent if binary else min(exponent, 19)
    unit = 2**exponent if binary else 10**exponent
    content = section() + interface(resolution=exponent | (128 if binary else 0), offset=offset)
    capture = read_bytes(content + enhanced(Frame(0, segment(True, 2)), ticks=ticks))
    if ticks // unit > 2**33 or abs(ticks // unit + offset) > 2**33:
        assert capture.report.skipped == {"instant out of range": 1}
    else:
        wanted = ticks * 10**9 // unit + offset * 10**9
        # 34 binary digits of a second are kept, which is finer than a nanosecond
        assert abs(int(capture.packets.ts[0]) - wanted) <= (1 if binary and exponent > 34 else 0)


def test_instants_beyond_nanoseconds_are_counted(tmp_path: Path) -> None:
    content = section() + interface(resolution=0) + enhanced(Frame(0, segment(True, 2)), ticks=2**40)
    report = read_capture(written(tmp_path / "late.pcapng", content)).report
    assert report.skipped == {"instant out of range": 1}


STRANGERS = {
    "text file": b"hello, this is no capture\n" * 10,
    "JSON": b'{"packets": []}',
    "PNG image": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "xz archive": b"\xfd7zXZ" + bytes(50),
    "snoop": b"snoop\0\0\0" + bytes(50),
    "ZIP archive": b"PK\3\4" + bytes(50),
    "starts with the bytes de ad be ef": bytes.fromhex("deadbeef") + bytes(50),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_are_refused_by_name(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "stranger.pcap", STRANGERS[name])
    with pytest.raises(UnknownFormat, match=name) as caught:
        read_capture(path)
    assert str(path) in caught.value.message and caught.value.hint


def test_directories_and_empty_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="directory"):
        read_capture(tmp_path)
    with pytest.raises(StorageError, match="empty"):
        read_capture(written(tmp_path / "empty.pcap", b""))
    with pytest.raises(StorageError, match="does not exist"):
        read_capture(tmp_path / "none.pcap")


def test_half_a_header_is_a_truncated_capture(tmp_path: Path) -> None:
    with pytest.raises(TruncatedCapture, match="10 of 24 bytes"):
        read_capture(written(tmp_path / "half.pcap", pcap(web())[:10]))
    with pytest.raises(TruncatedCapture, match="section header"):
        read_capture(written(tmp_path / "half.pcapng", pcapng(web())[:20]))


def test_sections_of_an_unknown_version_are_not_read(tmp_path: Path) -> None:
    newer = bytearray(section())
    newer[12] = 2
    with pytest.raises(UnknownFormat, match=r"version 2\.0 of pcapng"):
        read_capture(written(tmp_path / "newer", bytes(newer) + interface()))
    capture = read_capture(written(tmp_path / "second", pcapng(web()) + bytes(newer) + interface()))
    assert len(capture.packets) == 10 and capture.report.truncated
    assert "version 2.0" in capture.report.notes[0]


def test_a_header_alone_is_no_error(tmp_path: Path) -> None:
    capture = read_capture(written(tmp_path / "header.pcap", pcap([])))
    assert len(capture.packets) == 0 and capture.report.packets == 0
    assert capture.report.first_ts is None and not capture.report.truncated
    assert capture.report.notes == ("The file holds a header and no packets.",)


def test_a_damaged_record_header_stops_the_reading_there(tmp_path: Path) -> None:
    content = pcap(web()[:3]) + struct.pack("<IIII", 1, 1, 0xFFFFFFF0, 60) + bytes(200)
    capture = read_capture(written(tmp_path / "damaged.pcap", content))
    assert len(capture.packets) == 3 and capture.report.truncated
    assert "packet 4" in capture.report.notes[0] and "damaged" in capture.report.notes[0]


def test_checksum_bits_of_the_link_type_word_are_ignored(tmp_path: Path) -> None:
    content = bytearray(pcap(web()))
    content[20:24] = struct.pack("<I", 0x24000001)
    assert len(read_capture(written(tmp_path / "fcs.pcap", bytes(content))).packets) == 10


def test_several_captures_are_one_table_in_order_of_time(tmp_path: Path) -> None:
    late, early = web(START + 10**9), web(START, port=41000)
    paths = [written(tmp_path / "late.pcap", pcap(late)), written(tmp_path / "early.pcapng", pcapng(early))]
    packets, reports = read_captures(paths)
    assert [report.packets for report in reports] == [10, 10]
    assert packets.ts.tolist() == sorted(f.ts for f in late + early)
    assert packets.payload(3).startswith(b"GET /") and packets.payload(15).startswith(b"HTTP/1.1")
    with pytest.raises(NotEnoughData):
        read_captures([])


def test_the_bytes_of_a_capture_cannot_be_written(tmp_path: Path) -> None:
    for content in (WAYS["pcap-le-ns"], gzip.compress(WAYS["pcap-le-ns"])):
        packets = read_capture(written(tmp_path / "a", content)).packets
        with pytest.raises(ValueError, match="read-only"):
            packets.data[0] = 1


def test_the_report_is_json_able(tmp_path: Path) -> None:
    import json

    report = read_capture(written(tmp_path / "a", WAYS["pcap-le-ns"])).report
    assert json.loads(json.dumps(asdict(report)))["packets"] == report.packets
