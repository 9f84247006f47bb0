"""A cut holds the chosen frames, byte for byte, in the kind of file they came from; tshark reads the same packets."""

import gzip
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.capture.cut import cut_capture, form_of, frames_of
from netsynth_core.capture.packets import PacketTable
from netsynth_core.capture.reading import read_capture, read_captures
from netsynth_core.capture.records import read_head
from netsynth_core.errors import InvalidParameter, NotEnoughData, TruncatedCapture, UnknownFormat
from tests.capture.traffic import Frame, enhanced, frames_in, interface, obsolete, segment, simple
from tests.capture.traffic import section as traffic_section
from tests.factories import START, office_pcap, write_pcap
from tests.tools import needs

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
FRAMES = [bytes([n]) * (20 + n) for n in range(12)]


def frame_bytes(path: Path) -> list[tuple[int, bytes]]:
    """Instant and bytes of every frame, plainly read."""
    return [(frame.ts, frame.data) for frame in frames_in(path)]


def block(kind: int, body: bytes, order: str) -> bytes:
    """A pcapng block."""
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def section(order: str, *, first: int, resolution: int = 6) -> bytes:
    """A pcapng section: two interfaces, a statistics block between packets, enhanced, simple and old packet blocks."""
    # the stated length must not survive a cut
    parts = [block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, 1234), order)]
    option = struct.pack(f"{order}HHB3x", 9, 1, resolution) + bytes(4)
    parts += [block(1, struct.pack(f"{order}HHI", 1, 0, 0) + option, order)] * 2
    for n in range(first, first + 6):
        frame = FRAMES[n]
        ticks = n * 1000
        sizes = struct.pack(f"{order}II", len(frame), len(frame))
        padded = frame + bytes(-len(frame) % 4)
        if n % 6 == 2:
            parts.append(block(3, struct.pack(f"{order}I", len(frame)) + frame, order))
        elif n % 6 == 3:
            parts.append(block(2, struct.pack(f"{order}HHII", 1, 0, 0, ticks) + sizes + frame, order))
        else:
            comment = struct.pack(f"{order}HH", 1, 4) + b"note" + bytes(4)
            parts.append(block(6, struct.pack(f"{order}III", n % 2, 0, ticks) + sizes + padded + comment, order))
        parts.append(block(5, struct.pack(f"{order}III", 0, 0, 0), order))
    return b"".join(parts)


def pcapng(path: Path) -> Path:
    """Two sections of two byte orders and two resolutions."""
    path.write_bytes(section("<", first=0) + section(">", first=6, resolution=9))
    return path


def numbers(*values: int) -> list[np.ndarray]:
    return [np.array(values, np.uint32)]


@pytest.mark.parametrize("magic", ["d4c3b2a1", "a1b2c3d4", "4d3cb2a1", "a1b23c4d", "34cdb2a1", "a1b2cd34"])
def test_a_pcap_stays_a_pcap_with_its_header_and_records(tmp_path: Path, magic: str) -> None:
    order = ">" if magic.startswith("a1") else "<"
    extra = bytes(range(8)) if "cd" in magic else b""
    header = bytes.fromhex(magic) + struct.pack(f"{order}HHiIII", 2, 4, -3600, 9, 4096, 1)
    records = [struct.pack(f"{order}IIII", 100 + n, n, len(f), 2000) + extra + f for n, f in enumerate(FRAMES)]
    source, target = tmp_path / "a.pcap", tmp_path / "b.pcap"
    source.write_bytes(header + b"".join(records))
    report = cut_capture([source], numbers(7, 2, 2), target)
    assert target.read_bytes() == header + records[2] + records[7]
    assert (report.format, report.packets, report.bytes) == ("pcap", 2, target.stat().st_size)


def test_a_pcapng_keeps_sections_interfaces_and_the_blocks_of_chosen_packets(tmp_path: Path) -> None:
    source, target = pcapng(tmp_path / "a.pcapng"), tmp_path / "b.pcapng"
    whole = frame_bytes(source)
    assert [frame for _, frame in whole] == FRAMES
    report = cut_capture([source], numbers(0, 3, 7, 10), target)
    assert (report.format, report.packets) == ("pcapng", 4)
    assert frame_bytes(target) == [whole[n] for n in (0, 3, 7, 10)]
    written = target.read_bytes()
    assert written.count(b"note") == 3
    assert written.count(struct.pack("<q", 1234)) == 0
    only_second = tmp_path / "c.pcapng"
    cut_capture([source], numbers(7), only_second)
    assert int.from_bytes(only_second.read_bytes()[8:12], "big") == 0x1A2B3C4D


@given(chosen=st.sets(st.integers(0, 11), min_size=1))
def test_any_choice_gives_those_frames(tmp_path_factory: pytest.TempPathFactory, chosen: set[int]) -> None:
    folder = tmp_path_factory.mktemp("cut")
    source, target = pcapng(folder / "a.pcapng"), folder / "b.pcapng"
    cut_capture([source], numbers(*chosen), target)
    assert [frame for _, frame in frame_bytes(target)] == [FRAMES[n] for n in sorted(chosen)]


def test_packed_sources_are_streamed_and_members_joined(tmp_path: Path) -> None:
    plain = office_pcap(tmp_path / "a.pcap", sessions=30)
    raw = plain.read_bytes()
    cut_capture([plain], numbers(1, 50, 300), tmp_path / "plain.pcap")
    packed = {
        "a.pcap.gz": gzip.compress(raw[:5000]) + gzip.compress(raw[5000:]),
        "a.pcap.zst": zstandard.compress(raw[:5000]) + zstandard.compress(raw[5000:]),
    }
    for name, content in packed.items():
        (tmp_path / name).write_bytes(content)
        cut_capture([tmp_path / name], numbers(1, 50, 300), tmp_path / "cut.pcap")
        assert (tmp_path / "cut.pcap").read_bytes() == (tmp_path / "plain.pcap").read_bytes()


def test_several_pcaps_become_one_in_order_of_time_and_mixed_kinds_sections(tmp_path: Path) -> None:
    a = write_pcap(tmp_path / "a.pcap", [(START + n * 100, FRAMES[n]) for n in (0, 2, 4)])
    b = write_pcap(tmp_path / "b.pcap", [(START + n * 100, FRAMES[n]) for n in (1, 3, 5)])
    packets = [*numbers(0, 2), *numbers(0, 1)]
    report = cut_capture([a, b], packets, tmp_path / "c.pcap")
    assert (report.format, [f for _, f in frame_bytes(tmp_path / "c.pcap")]) == (
        "pcap",
        [FRAMES[n] for n in (0, 1, 3, 4)],
    )
    c = pcapng(tmp_path / "d.pcapng")
    mixed = cut_capture([a, c], [*numbers(1), *numbers(10)], tmp_path / "e.pcapng")
    assert (mixed.format, mixed.packets) == ("pcapng", 2)
    assert frame_bytes(tmp_path / "e.pcapng") == [(START + 200, FRAMES[2]), frame_bytes(c)[10]]


def test_rows_of_a_table_know_their_frames(tmp_path: Path) -> None:
    paths = [office_pcap(tmp_path / "a.pcap", sessions=2), office_pcap(tmp_path / "b.pcap", sessions=1)]
    packets = read_captures(paths)[0]
    rows = np.array([5, 0, 20], np.int64)
    cut_capture(paths, frames_of(packets, rows, files=2), tmp_path / "c.pcap")
    again = read_capture(tmp_path / "c.pcap").packets
    assert sorted(again.payload(i) for i in range(3)) == sorted(packets.payload(int(row)) for row in rows)


def test_what_cannot_be_cut_is_said_and_leaves_no_file(tmp_path: Path) -> None:
    source = office_pcap(tmp_path / "a.pcap", sessions=1)
    with pytest.raises(NotEnoughData, match="frame 101 was asked for"):
        cut_capture([source], numbers(0, 100), tmp_path / "b.pcap")
    with pytest.raises(NotEnoughData, match="No frame was chosen"):
        cut_capture([source], [np.zeros(0, np.uint32)], tmp_path / "b.pcap")
    (tmp_path / "text.pcap").write_text("this is no capture, only a line of text")
    with pytest.raises(UnknownFormat, match="text file"):
        cut_capture([tmp_path / "text.pcap"], numbers(0), tmp_path / "b.pcap")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pcap", "text.pcap"]


def readable(folder: str) -> list[Path]:
    """Captures of a folder of real ones with at least two frames; none where the folder is absent."""
    found = sorted((SHARED / folder).glob("*.pcap*")) if (SHARED / folder).is_dir() else []
    return [path for path in found if path.suffix in (".pcap", ".pcapng", ".gz") and path.stat().st_size < 20_000_000]


@pytest.mark.parametrize("folder", ["pcap", "nasty"])
def test_every_second_frame_of_real_captures(tmp_path: Path, folder: str) -> None:
    paths = readable(folder)
    if not paths:
        pytest.skip(f"{SHARED / folder} is absent")
    compared = 0
    for path in paths:
        try:
            whole = frame_bytes(path)
        except (UnknownFormat, ValueError):
            continue
        if len(whole) < 2:
            continue
        target = tmp_path / f"cut.{form_of([path])}"
        report = cut_capture([path], [np.arange(0, len(whole), 2, dtype=np.uint32)], target)
        cut = frame_bytes(target)
        # a simple packet block takes the instant of the packet before it, which may be one that was not chosen
        assert [frame for _, frame in cut] == [frame for _, frame in whole[::2]], path.name
        assert report.packets == len(cut)
        compared += 1
    assert compared > 5


@needs("tshark", "editcap", "capinfos")
@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_tshark_reads_the_cut_as_the_same_packets(tmp_path: Path, kind: str) -> None:
    source = office_pcap(tmp_path / "a.pcap", sessions=3)
    if kind == "pcapng":
        made = tmp_path / "a.pcapng"
        subprocess.run(["editcap", "-F", "pcapng", str(source), str(made)], check=True)
        source = made
    chosen = [0, 2, 11, 17, 30]
    cut_capture([source], numbers(*chosen), tmp_path / f"b.{kind}")

    def fields(path: Path, *more: str) -> list[str]:
        names = [
            part
            for name in ("frame.time_epoch", "frame.len", "ip.src", "ip.id", "tcp.seq_raw")
            for part in ("-e", name)
        ]
        command = ["tshark", "-n", "-r", str(path), *more, "-T", "fields", *names]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    wanted = " || ".join(f"frame.number == {n + 1}" for n in chosen)
    assert fields(tmp_path / f"b.{kind}") == fields(source, "-Y", wanted)
    counted = subprocess.run(
        ["capinfos", "-Mc", str(tmp_path / f"b.{kind}")], check=True, capture_output=True, text=True
    )
    assert counted.stdout.split()[-1] == str(len(chosen))
    format = subprocess.run(["capinfos", "-t", str(tmp_path / f"b.{kind}")], check=True, capture_output=True, text=True)
    assert format.stdout.split()[-1] == kind


@pytest.mark.parametrize("ending", ["pcap.gz", "pcap.zst", "pcapng", "pcapng.gz", "CAP"])
def test_the_ending_says_what_is_written(tmp_path: Path, ending: str) -> None:
    source = office_pcap(tmp_path / "a.pcap", sessions=1)
    target = tmp_path / f"b.{ending}"
    report = cut_capture([source], numbers(0, 3), target)
    written = read_capture(target).report.format
    packing = {"gz": "gzip ", "zst": "zstd "}.get(ending.rpartition(".")[2], "")
    assert written == f"{packing}{report.format}"
    assert report.format == ("pcapng" if "pcapng" in ending else "pcap")
    assert report.bytes == target.stat().st_size
    assert [frame for _, frame in frame_bytes(target)] == [frame for _, frame in frame_bytes(source)[0:4:3]]


def test_an_ending_of_another_format_is_refused(tmp_path: Path) -> None:
    source = pcapng(tmp_path / "a.pcapng")
    for name in ("b.pcap", "b.csv", "b"):
        with pytest.raises(InvalidParameter, match="pcapng"):
            cut_capture([source], numbers(0), tmp_path / name)
    before = source.read_bytes()
    (tmp_path / "link.pcapng").symlink_to(source)
    with pytest.raises(InvalidParameter, match="is read"):
        cut_capture([source], numbers(0), tmp_path / "link.pcapng")
    assert source.read_bytes() == before


def same_packets(source: Path, target: Path, rows: np.ndarray) -> None:
    """A cut of these rows of a capture, read again, holds those packets."""
    packets = read_capture(source).packets
    chosen = frames_of(packets, rows, files=1)
    cut_capture([source], chosen, target)
    again = read_capture(target).packets
    for name in PacketTable.column_names():
        # a simple packet block takes the instant of the packet before it; a frame's place in the file is another
        if name not in ("ts", "frame", "payload_offset", "proto", "src_port", "dst_port"):
            assert np.array_equal(getattr(again, name), getattr(packets, name)[rows]), (source.name, name)
    whole = packets.fragment[rows] != 2
    for name in ("proto", "src_port", "dst_port"):
        # a later fragment cannot be told without its first
        assert np.array_equal(getattr(again, name)[whole], getattr(packets, name)[rows][whole]), (source.name, name)


def test_frames_of_undescribed_interfaces_count(tmp_path: Path) -> None:
    made = [Frame(START + k, segment(True, 16, port=1000 + k)) for k in range(8)]
    parts = [simple(made[0].data, len(made[0].data)), interface()]
    parts += [enhanced(made[1]), enhanced(made[2], number=7), *map(enhanced, made[3:6]), obsolete(made[6], number=9)]
    (tmp_path / "a.pcapng").write_bytes(traffic_section() + b"".join(parts) + enhanced(made[7]))
    packets = read_capture(tmp_path / "a.pcapng").packets
    assert packets.frame.tolist() == [1, 3, 4, 5, 7]
    for row in range(len(packets)):
        same_packets(tmp_path / "a.pcapng", tmp_path / "b.pcapng", np.array([row]))


def test_lengths_that_changed_places_are_read_as_the_reader_does(tmp_path: Path) -> None:
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 3, 0, 0, 65535, 1)]
    for k in range(5):
        data = segment(True, 16, bytes(30), port=1000 + k)
        lengths = (len(data), len(data) + 9) if k % 2 else (len(data) + 9, len(data))
        parts.append(struct.pack("<IIII", 10, k, *lengths) + data)
    (tmp_path / "a.pcap").write_bytes(b"".join(parts))
    for row in range(5):
        same_packets(tmp_path / "a.pcap", tmp_path / "b.pcap", np.array([row]))
    other = pcapng(tmp_path / "c.pcapng")
    cut_capture([tmp_path / "a.pcap", other], [*numbers(2), *numbers(0)], tmp_path / "d.pcapng")
    assert read_capture(tmp_path / "d.pcapng").packets.src_port.tolist() == [1002]


@pytest.mark.parametrize("folder", ["pcap", "nasty"])
def test_packets_of_a_cut_of_real_captures_are_those_of_the_reader(tmp_path: Path, folder: str) -> None:
    paths = [path for path in readable(folder) if path.stat().st_size < 2_000_000]
    if not paths:
        pytest.skip(f"{SHARED / folder} is absent")
    compared = 0
    for path in paths:
        try:
            count = len(read_capture(path).packets)
        except (UnknownFormat, TruncatedCapture):
            continue
        for step in (1, 3):
            if count > step:
                target = tmp_path / f"cut{'.pcapng' if is_pcapng(path) else '.pcap'}"
                same_packets(path, target, np.arange(step - 1, count, step))
                compared += 1
    assert compared > 10


def is_pcapng(path: Path) -> bool:
    return read_head(path, 4) == bytes.fromhex("0a0d0d0a")
