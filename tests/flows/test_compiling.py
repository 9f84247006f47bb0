"""The loops of metering that another process compiles are those that reading calls."""

import subprocess
import sys
from pathlib import Path

import pytest

from netsynth_core.flows import _meter_kernels as kernels
from netsynth_core.flows.compiling import compile_loops, compile_writing, compiling_beside, is_compiled
from netsynth_core.flows.fast_csv import write_columns
from netsynth_core.flows.source import read_flows
from tests.capture.traffic import mixed, pcap

LOOPS = (kernels.meter, kernels.rehash, kernels.ended, kernels.first_bytes, kernels.write_rows)


def test_what_is_compiled_ahead_fits_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(mixed()))
    compile_loops()
    compile_writing()
    ahead = [loop.kinds for loop in LOOPS]
    write_columns(tmp_path / "a.csv", read_flows(tmp_path / "a.pcap", keep_packets=False).held)
    assert [loop.kinds for loop in LOOPS] == ahead


def test_once_compiled_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_loops()
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    assert is_compiled()
    with compiling_beside() as wait:
        wait()


def test_a_helper_that_cannot_start_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsynth_core.flows.compiling.is_compiled", lambda: False)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with compiling_beside() as wait:
        wait()
