"""The command as a process: interrupted, piped, terminated, and quick to say what it can do."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsynth_core.workspace import JobState, Recipe, Workspace
from netsynth_core.workspace.jobs import read_status
from tests.factories import office_pcap

COMMAND = [sys.executable, "-m", "netsynth_core"]


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Children hear Ctrl-C and Ctrl-\\, also where the tests run in the background of a shell, which ignores them."""
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    if hasattr(signal, "SIGQUIT"):
        before[signal.SIGQUIT] = signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture that takes a while: 48 000 packets."""
    return office_pcap(tmp_path_factory.mktemp("large") / "large.pcap", 4000)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
@pytest.mark.parametrize("command", ["flows", "generate"])
def test_an_interrupted_command_leaves_no_half_file(
    command: str, number: signal.Signals, large: Path, tmp_path: Path
) -> None:
    out = tmp_path / "flows.csv" if command == "flows" else tmp_path
    (tmp_path / "flows.csv").write_text("saved before")
    with subprocess.Popen(
        [*COMMAND, command, str(large), "-o", str(out), "-v"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline()
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert output == "" and errors.endswith("Interrupted.\n") and "Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir()] == ["flows.csv"]
    assert (tmp_path / "flows.csv").read_text() == "saved before"


@pytest.mark.skipif(not hasattr(signal, "SIGQUIT"), reason="the system has no SIGQUIT")
def test_quitting_a_search_keeps_the_best_so_far(tmp_path: Path) -> None:
    """Ctrl-\\ on a terminal. The published score chains flows by chance, so that its search has no end in sight."""
    rows = ["ts,proto,src_ip,dst_ip,dst_port,fwd_packets,fwd_bytes"]
    for i in range(6000):
        host = i * 7919 % 97
        rows.append(
            f"{i}.{host:03},TCP,10.0.0.{host % 23},10.1.0.{host % 17},{[22, 80, 443][i % 3]},{1 + host},{99 * host}"
        )
    (tmp_path / "flows.csv").write_text("\n".join(rows))
    model = tmp_path / "model.json"
    fit = [*COMMAND, "fit", "flowchronicle", str(tmp_path / "flows.csv"), "-o", str(model), "-v"]
    with subprocess.Popen(
        [*fit, "--set", "score=published"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith(("joining", "lengthening")):
            assert process.poll() is None
        process.send_signal(signal.SIGQUIT)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "Stopping: the best so far is kept." in errors and "ended by hand" in errors
    assert any("ended by hand" in warning for warning in json.loads(model.read_text())["card"]["warnings"])


def test_an_interrupted_run_says_so_in_its_status(tmp_path: Path) -> None:
    with (tmp_path / "huge.pcap").open("wb") as handle:
        handle.write(b"\xd4\xc3\xb2\xa1")
        handle.truncate(8 << 40)
    workspace = Workspace.create(tmp_path / "ws")
    folder = workspace.jobs_folder / "20260101T000000000000-dddddd"
    folder.mkdir()
    (folder / "recipe.json").write_text(
        Recipe(step="capture", parameters={"path": str(tmp_path / "huge.pcap")}).to_json()
    )
    with subprocess.Popen([*COMMAND, "run", str(folder)], stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + 20
            while read_status(folder).state is not JobState.RUNNING:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 130
        finally:
            process.kill()
    assert read_status(folder).state is JobState.CANCELLED
    assert list((workspace.folder / "tmp").iterdir()) == [] and workspace.artefacts() == []


def test_a_closed_pipe_ends_quietly() -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {' '.join(COMMAND)} kinds --json | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "0" and done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("form", [["--json"], []], ids=["json", "lines"])
def test_a_full_disk_behind_stdout_is_said(form: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "kinds", *form], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert "standard output: No space left" in done.stderr and "Hint: " in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nsys.argv = ['netsynth', '--help']\n"
        "from netsynth_core.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'numpy', 'pandas', 'numba', 'pydantic', 'plotly', 'scipy', 'rich', 'streamlit', 'pgmpy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
    assert "generate" in done.stdout and "Example: " in done.stdout


def test_progress_is_on_stderr_and_the_result_alone_on_stdout(tmp_path: Path) -> None:
    office_pcap(tmp_path / "office.pcap", 5)
    done = subprocess.run(
        [*COMMAND, "flows", str(tmp_path / "office.pcap"), "-o", str(tmp_path / "f.csv"), "--json", "-v"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["flows"] == 10
    assert "metering" in done.stderr


def test_a_bug_shows_its_traceback_and_exits_with_1(tmp_path: Path) -> None:
    office_pcap(tmp_path / "office.pcap", 2)
    code = (
        "import sys, netsynth_core.flows.source as source\n"
        "def broken(*args, **more):\n    raise ZeroDivisionError('a bug')\n"
        "source.read_flows = broken\n"
        "from netsynth_core.cli import main\n"
        "main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "flows", str(tmp_path / "office.pcap"), "-o", str(tmp_path / "f.csv")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "ZeroDivisionError: a bug" in done.stderr and "Traceback" in done.stderr


def test_the_app_is_started_with_the_workspace_in_its_environment(tmp_path: Path) -> None:
    (tmp_path / "streamlit").mkdir()
    (tmp_path / "streamlit" / "__init__.py").touch()
    (tmp_path / "streamlit" / "__main__.py").write_text(
        "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['NETSYNTH_WORKSPACE']]))"
    )
    done = subprocess.run(
        [*COMMAND, "app", "--workspace", "ws", "--port", "8765", "--headless"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    arguments, workspace = json.loads(done.stdout)
    assert arguments[0] == "run" and Path(arguments[1]).name == "app.py"
    assert {"--server.address=127.0.0.1", "--server.port=8765", "--server.headless=true"} <= set(arguments)
    assert Path(workspace).is_absolute() and Path(workspace).name == "ws"
