"""Loops in machine code: called as what they are, kept for later processes, never used for other sources."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from netsynth_core import machine
from netsynth_core.machine import Loop
from tests.capture.traffic import mixed, pcap

SOURCE = """
from numba import njit
from netsynth_core.machine import OPTIONS

@njit(**OPTIONS)
def double(values, out, times):
    for at in range(len(values)):
        out[at, 0] = values[at] * 2 * times
    return len(values), times

@njit(**OPTIONS)
def nothing(values):
    values[0] = 7
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.syspath_prepend(str(tmp_path))
    machine._sources.cache_clear()
    monkeypatch.delitem(sys.modules, "some_loops", raising=False)
    (tmp_path / "some_loops.py").write_text(SOURCE)
    return tmp_path


def run(loop: Loop, factor: int = 3) -> list[float]:
    out = np.zeros((4, 1))
    assert loop(np.arange(4, dtype=np.int32), out, factor) == (4, factor)
    return [float(value) for value in out[:, 0]]


def double() -> Loop:
    return Loop("some_loops", "double", results=2)


def test_results_and_arrays_as_python_has_them(folder: Path) -> None:
    assert run(double()) == [0, 6, 12, 18]
    values = np.zeros(2, np.int64)
    assert Loop("some_loops", "nothing", results=0)(values) is None
    assert values.tolist() == [7, 0]


def test_what_is_kept_is_linked_without_compiling(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not double().is_kept()
    wanted = run(double())
    assert double().is_kept()
    monkeypatch.setattr(Loop, "_compile", lambda *_: pytest.fail("it was compiled again"))
    assert run(double()) == wanted


def test_other_kinds_of_arguments_are_compiled_apart(folder: Path) -> None:
    loop = double()
    run(loop)
    out = np.zeros((2, 1), np.int64)
    loop(np.array([2.5, 1.0]), out, 1)
    assert out.tolist() == [[5], [2]]
    assert len(loop.kinds) == 2


def test_a_changed_source_is_compiled_anew(folder: Path) -> None:
    run(double())
    (folder / "some_loops.py").write_text(SOURCE.replace("* 2", "* 5"))
    machine._sources.cache_clear()
    del sys.modules["some_loops"]
    assert not double().is_kept()
    assert run(double()) == [0, 15, 30, 45]
    assert len(list((folder / "kept" / "netsynth").iterdir())) == 1


@pytest.mark.parametrize("damage", [lambda kept: kept[:-1] + b"?", lambda kept: kept[:9], lambda kept: b""])
def test_a_damaged_file_is_compiled_anew(folder: Path, damage) -> None:
    run(double())
    (path,) = (folder / "kept" / "netsynth").iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert run(double()) == [0, 6, 12, 18]
    assert path.read_bytes() != damage(whole)


def test_arrays_that_lie_scattered_are_read_and_written(folder: Path) -> None:
    values, out = np.arange(8, dtype=np.int32)[::2], np.zeros((4, 3))[:, 1:2]
    double()(values, out, 1)
    assert out[:, 0].tolist() == [0, 4, 8, 12]


def test_where_nothing_can_be_kept_it_runs_all_the_same(folder: Path) -> None:
    (folder / "kept").write_text("no folder")
    assert run(double()) == [0, 6, 12, 18]


def test_a_wrong_number_of_results_is_refused(folder: Path) -> None:
    with pytest.raises(TypeError, match="returns"):
        run(Loop("some_loops", "double", results=1))


def test_flows_of_a_capture_need_no_numba_once_it_is_compiled(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(mixed()))
    tell = "import sys; from netsynth_core.cli import main\ntry: main()\nfinally: print('numba' in sys.modules)"
    told = []
    for name in ("one.csv", "two.csv"):
        command = [sys.executable, "-c", tell, "flows", str(tmp_path / "a.pcap"), "-o", str(tmp_path / name), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=True)
        told.append(done.stdout.splitlines()[-1])
    assert told[1] == "False"
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
