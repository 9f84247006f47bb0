"""Windows: one after another they hold what `read_capture` holds, whatever their size and the packing of the file."""

import gzip
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.capture import CaptureWindows, PacketTable, ReadOptions, read_capture
from netsynth_core.capture import windows as windows_module
from netsynth_core.capture._kernels.fragments import REACH
from netsynth_core.capture.decode import kernels_cached
from netsynth_core.errors import NetsynthError
from tests.capture.test_fragments import DATAGRAMS, FILLER, pieces_of
from tests.capture.traffic import (
    Frame,
    block,
    enhanced,
    frames_in,
    interface,
    mixed,
    pcap,
    pcapng,
    section,
    simple,
    web,
)

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"

FRAMES = mixed()
FRAGMENTS = [
    Frame(FRAMES[0].ts + 10 * k, piece.data)
    for name, (version, proto, body) in enumerate(DATAGRAMS)
    for k, piece in enumerate(reversed(pieces_of(name, body, proto, version=version)))
]
CLASSIC = pcap(FRAMES + FRAGMENTS + web() + FRAGMENTS[::-1] + FRAMES)
BLOCKS = (
    section(">")
    + interface(order=">")
    + b"".join(enhanced(frame, order=">") + block(5, bytes(100), ">") for frame in FRAMES + FRAGMENTS)
    + block(0xBAD, bytes(5000), ">")
    + b"".join(enhanced(frame, order=">") for frame in FRAGMENTS)
    + section()
    + interface()
    + interface(101)
    + b"".join(enhanced(frame, number=k % 2) for k, frame in enumerate(FRAMES + FRAGMENTS))
    + simple(FRAMES[3].data, len(FRAMES[3].data))
    + enhanced(FRAMES[1], number=9)
)
FILES = {"pcap": CLASSIC, "pcapng": BLOCKS, "cut pcap": CLASSIC[:-7], "cut pcapng": BLOCKS[:-7]}
PACKINGS = {"plain": bytes, "gzip": gzip.compress, "zstd": zstandard.compress}


def told(tables: list[PacketTable]) -> dict[str, list[object]]:
    """All columns, with the payload bytes for their place in the file."""
    columns = {
        name: [value for table in tables for value in getattr(table, name).tolist()]
        for name in PacketTable.column_names()
        if name != "payload_offset"
    }
    columns["payload"] = [table.payload(row) for table in tables for row in range(len(table))]
    return columns


@settings(deadline=None)
@given(st.sampled_from(sorted(FILES)), st.sampled_from(sorted(PACKINGS)), st.integers(1, 9000))
def test_windows_of_any_size_hold_the_same(
    tmp_path_factory: pytest.TempPathFactory, name: str, packing: str, size: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "windows"
    path.write_bytes(PACKINGS[packing](FILES[name]))
    whole = read_capture(path)
    windows = CaptureWindows(path, window_bytes=size)
    assert told(list(windows)) == told([whole.packets])
    assert asdict(windows.report) == asdict(whole.report)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(sorted(FILES)), st.integers(1, 3000), st.integers(0, 1 << 16), st.integers(0, 255))
def test_windows_of_damaged_files_hold_the_same(
    tmp_path_factory: pytest.TempPathFactory, name: str, size: int, at: int, value: int
) -> None:
    content = bytearray(FILES[name])
    content[24 + at % (len(content) - 24)] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    try:
        whole = read_capture(path)
    except NetsynthError:
        with pytest.raises(NetsynthError):
            list(CaptureWindows(path, window_bytes=size))
        return
    windows = CaptureWindows(path, window_bytes=size)
    assert told(list(windows)) == told([whole.packets])
    assert asdict(windows.report) == asdict(whole.report)


@pytest.mark.parametrize("name", FILES)
def test_every_frame_of_the_file_is_counted(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(FILES[name])
    report = read_capture(path).report
    undescribed = report.skipped.get("interface that the file does not describe", 0)
    assert report.packets + sum(report.skipped.values()) - undescribed == len(frames_in(path))


def test_a_window_is_as_large_as_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap(web() * 3000))
    windows = CaptureWindows(path, window_bytes=1 << 18)
    tables = list(windows)
    assert len(tables) == -(-path.stat().st_size // (1 << 18))
    assert [int(table.frame[0]) for table in tables] == np.cumsum([0, *map(len, tables)])[:-1].tolist()
    assert max(len(table.data) for table in tables) <= (1 << 18) + (1 << 20)
    assert sum(map(len, windows)) == 30_000


def test_fragments_do_not_wait_across_a_giant_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_module, "_LONGEST_WAIT", 0)
    path = tmp_path / "giant.pcapng"
    first, later, *_ = pieces_of(5, DATAGRAMS[0][2], 17)
    parts = [enhanced(Frame(FRAMES[0].ts, piece.data)) for piece in (later, first)]
    path.write_bytes(section() + interface() + parts[0] * 3 + block(0xBAD, bytes(5 << 20)) + parts[1] * 3)
    assert told(list(CaptureWindows(path, window_bytes=400)))["src_port"] == [0] * 3 + [1001] * 3


def test_options_and_file_number_hold_for_windows(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(CLASSIC)
    windows = CaptureWindows(path, ReadOptions(tunnels=True), window_bytes=1000, file=3)
    assert {value for table in windows for value in table.file.tolist()} == {3}
    with pytest.raises(RuntimeError, match="once all windows were read"):
        _ = CaptureWindows(path).report


def test_what_was_read_once_is_known_to_be_compiled(tmp_path: Path) -> None:
    for name in ("pcap", "pcapng"):
        path = tmp_path / name
        path.write_bytes(FILES[name])
        read_capture(path)
        assert kernels_cached(path)


def test_a_window_cannot_be_written(tmp_path: Path) -> None:
    for pack in PACKINGS.values():
        path = tmp_path / "a"
        path.write_bytes(pack(CLASSIC))
        for table in CaptureWindows(path):
            with pytest.raises(ValueError, match="read-only"):
                table.data[0] = 1


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
def test_real_captures_read_alike_in_windows() -> None:
    for path in sorted((SHARED / "nasty").iterdir()):
        if path.stat().st_size > 3 << 20:
            continue
        try:
            whole = read_capture(path)
        except NetsynthError:
            continue
        windows = CaptureWindows(path, window_bytes=10_000)
        assert told(list(windows)) == told([whole.packets]), path
        assert asdict(windows.report) == asdict(whole.report), path


@pytest.mark.parametrize("gap", [1, REACH - 1, REACH, REACH + 1])
@pytest.mark.parametrize("kind", [pcap, pcapng])
def test_a_first_fragment_is_reached_over_every_border_of_windows(
    tmp_path: Path, gap: int, kind: Callable[[list[Frame]], bytes]
) -> None:
    path = tmp_path / "a"
    first, later, *_ = pieces_of(5, DATAGRAMS[0][2], 17)
    data = [FILLER] * 30 + [later.data] + [FILLER] * (gap - 1) + [first.data] + [FILLER] * 90
    path.write_bytes(kind([Frame(FRAMES[0].ts + k, frame) for k, frame in enumerate(data)]))
    whole = read_capture(path).packets
    assert int(whole.src_port[30]) == (1001 if gap <= REACH else 0)
    size = 20 + len(FILLER)
    for window in range(size // 2, path.stat().st_size + size, size // 2):
        tables = list(CaptureWindows(path, window_bytes=window))
        assert told(tables) == told([whole]), window


def test_fragments_without_a_first_do_not_make_windows_longer(tmp_path: Path) -> None:
    path = tmp_path / "orphans.pcap"
    frames = []
    for k in range(6000):
        *_, later = pieces_of(k, DATAGRAMS[0][2], 17)
        frames.append(Frame(FRAMES[0].ts + k, later.data if k % (REACH // 2) == 0 else FILLER))
    path.write_bytes(pcap(frames))
    windows = CaptureWindows(path, window_bytes=20_000)
    tables = list(windows)
    longest = max(16 + len(frame.data) for frame in frames)
    assert len(tables) >= path.stat().st_size // (20_000 + longest * (REACH + 1))
    assert max(len(table) for table in tables) <= 20_000 // (16 + len(FILLER)) + REACH + 2
    assert told(tables) == told([read_capture(path).packets])
    assert asdict(windows.report) == asdict(read_capture(path).report)
