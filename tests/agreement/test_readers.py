"""The fast path and the plain reader give the same columns and the same reasons, on whole and on broken captures.

By default a slice of the mutations is read, of a fixed seed; NETSYNTH_FUZZ=100000 reads that many (about ten minutes),
NETSYNTH_FUZZ_FROM begins elsewhere. The captures of the shared folder are left out, with a reason, where it is absent.
Every file is read from memory that ends at a forbidden page: a reader that looks behind the file kills the process.
"""

import gzip
import os
import random
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from netsynth_core.capture.packets import Capture, PacketTable
from netsynth_core.capture.windows import CaptureWindows
from netsynth_core.errors import NetsynthError
from netsynth_core.flows.extraction import extract_words
from netsynth_core.flows.metering import meter_flows
from netsynth_core.flows.payloads import classify
from tests.agreement.comparison import differences, fast, guarded, plain
from tests.agreement.corpus import DATA, made_captures, poisoned, shared, unpacked
from tests.agreement.mutation import mutant
from tests.agreement.reference import records
from tests.capture.traffic import block, section

MUTATIONS = int(os.environ.get("NETSYNTH_FUZZ", "1500"))
FIRST = int(os.environ.get("NETSYNTH_FUZZ_FROM", "0"))
SHARE = 12
"""One mutation of so many also goes through windows, flows, words and payload classes."""

SECONDS_PER_MB, ROOM = 5.0, 12 << 20
"""Time allowed per MB (and for a first MB always), and memory allowed beyond twice the file: tables of fixed size."""

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"there is no {DATA.resolve()}")


@pytest.mark.parametrize("tunnels", [False, True])
@pytest.mark.parametrize("name", list(made_captures()))
def test_made_captures_are_read_alike(name: str, tunnels: bool) -> None:
    content = made_captures()[name]
    reading = plain(content, tunnels=tunnels)
    assert reading is not None and reading.frames > 5
    assert differences(content, tunnels=tunnels) == []


@needs_data
@pytest.mark.parametrize("folder", ["nasty", "pcap"])
def test_real_captures_are_read_alike(folder: str) -> None:
    found, rows = {}, 0
    for path in shared(folder):
        try:
            content = unpacked(path)
        except (OSError, EOFError):
            continue
        if len(content) > 1 << 20 and MUTATIONS < 100_000:
            content = content[: 1 << 19]
        reading = plain(content)
        rows += 0 if reading is None else len(reading.rows)
        for tunnels in (False, True):
            if problems := differences(content, tunnels=tunnels):
                found[f"{path.name} tunnels={tunnels}"] = problems
    assert found == {}
    assert rows > (1_000 if folder == "nasty" else 50_000)


def test_broken_captures_are_read_alike_in_time() -> None:
    differences(made_captures()["link 1"], tunnels=True)
    for number in range(FIRST, FIRST + MUTATIONS):
        content = mutant(number, real=DATA.is_dir())
        begin = time.process_time()
        assert differences(content, tunnels=number % 2 == 1) == [], f"mutation {number}"
        spent = time.process_time() - begin
        assert spent < SECONDS_PER_MB * max(len(content) / 1e6, 1), f"mutation {number} took {spent:.1f} s"


def test_broken_captures_become_flows_words_and_windows(tmp_path: Path) -> None:
    for number in range(FIRST, FIRST + MUTATIONS, SHARE):
        content = mutant(number, real=DATA.is_dir())
        capture = fast(guarded(content))
        if capture is None:
            with pytest.raises(NetsynthError):
                list(CaptureWindows(_written(content, tmp_path)))
            continue
        _same_in_windows(content, capture, tmp_path, 1 << random.Random(number).randrange(6, 15))
        packets = capture.packets
        metered = meter_flows(packets)
        flows = metered.flows.frame
        sizes = flows["fwd_packets"].sum() + flows["bwd_packets"].sum()
        assert sizes == len(packets), f"mutation {number}"
        assert len(metered.marks) == len(packets)
        words = extract_words(packets, metered)
        assert sum(len(group) for group in words) <= len(flows)
        assert len(classify(packets)) == len(packets)


def _written(content: bytes, folder: Path) -> Path:
    path = folder / "mutant"
    path.write_bytes(content)
    return path


def _same_in_windows(content: bytes, capture: Capture, folder: Path, window: int) -> None:
    windows = CaptureWindows(_written(content, folder), window_bytes=window)
    tables = list(windows)
    for name in PacketTable.column_names():
        if name != "payload_offset":
            pieces = [getattr(table, name) for table in tables]
            joined = np.concatenate(pieces) if pieces else getattr(capture.packets, name)[:0]
            np.testing.assert_array_equal(joined, getattr(capture.packets, name), err_msg=name)
    ours, whole = windows.report, capture.report
    assert (ours.packets, ours.skipped, ours.link_types, ours.truncated) == (
        whole.packets, whole.skipped, whole.link_types, whole.truncated,
    )  # fmt: skip


def test_memory_stays_below_twice_the_file() -> None:
    """Beyond the tables of fixed size; a hostile length field reserves nothing."""
    numbers = range(FIRST, FIRST + MUTATIONS, 5 * SHARE)
    contents = [guarded(mutant(number, real=DATA.is_dir())) for number in numbers]
    contents.append(guarded(made_captures()["link 1"] * 400))
    fast(contents[0])
    tracemalloc.start()
    try:
        for content in contents:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            capture = fast(content)
            spent = tracemalloc.get_traced_memory()[1] - before
            assert spent < 2 * len(content) + ROOM
            del capture
    finally:
        tracemalloc.stop()


def test_many_interfaces_take_less_than_twice_the_file() -> None:
    frame = made_captures()["pcapng"]
    described = section() + block(1, struct.pack("<HHI", 1, 0, 0)) * 200_000
    content = guarded(described + frame[len(section()) :])
    fast(guarded(frame))
    tracemalloc.start()
    try:
        fast(content)
        assert tracemalloc.get_traced_memory()[1] < 1.5 * len(content) + ROOM
    finally:
        tracemalloc.stop()


def _frames(content: bytes) -> list[tuple[int, int, bytes, int]]:
    """The frames of a capture whose instants int64 holds: link, instant, bytes, true length."""
    return [
        (record.link, record.ts, content[record.start : record.start + record.kept], max(record.true, record.kept))
        for record in records(content)
        if record.link is not None and record.ts is not None and 0 <= record.ts < 2**62
    ]


def test_what_lies_behind_a_frame_has_no_say() -> None:
    """Other bytes right behind the captured end of each frame change no column, class, mark or flow."""
    sources = list(made_captures().values())
    sources += [mutant(number, real=DATA.is_dir()) for number in range(FIRST, FIRST + MUTATIONS // 4)]
    poisons = [b"\0" * 96, b"\xff" * 96, bytes((0x45, 0, 0, 40) * 24)]
    checked = 0
    for place, source in enumerate(sources):
        if plain(source) is None:
            continue
        frames = _frames(source)
        if not frames:
            continue
        readings = [fast(guarded(poisoned(frames, poison)), tunnels=place % 2 == 1) for poison in poisons]
        assert all(reading is not None for reading in readings)
        tables = [reading.packets for reading in readings if reading is not None]
        for table in tables[1:]:
            for name in PacketTable.column_names():
                np.testing.assert_array_equal(getattr(table, name), getattr(tables[0], name), err_msg=name)
            np.testing.assert_array_equal(classify(table), classify(tables[0]))
        if place % 10 == 0 and len(tables[0]):
            first, *others = (meter_flows(table) for table in tables)
            for other in others:
                assert other.flows.frame.equals(first.flows.frame)
                np.testing.assert_array_equal(other.marks, first.marks)
        checked += len(frames)
    assert checked > 1_000


def test_a_section_header_longer_than_its_file_ends_the_reading() -> None:
    content = made_captures()["pcapng"]
    claims = content[:4] + (1 << 20).to_bytes(4, "little") + content[8:]
    capture = fast(guarded(claims))
    assert capture is not None
    assert (capture.report.packets, capture.report.truncated) == (0, True)


def test_windows_say_too_that_a_section_header_claims_more_than_its_file_has(tmp_path: Path) -> None:
    for content in (made_captures()["pcapng"], made_captures()["pcapng"] * 2):
        last = content.rindex(bytes.fromhex("0a0d0d0a"))
        claims = content[: last + 4] + (1 << 20).to_bytes(4, "little") + content[last + 8 :]
        capture = fast(guarded(claims))
        assert capture is not None and capture.report.truncated
        _same_in_windows(claims, capture, tmp_path, 1 << 12)
        _same_in_windows(gzip.compress(claims), capture, tmp_path, 1 << 12)
