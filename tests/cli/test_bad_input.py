"""What is wrong with an input is said in a sentence, with what to do; nothing that was saved before is lost."""

import errno
import gzip
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import netsynth_core.files
from netsynth_core.cli import main
from tests.factories import flow_table, office_pcap, ping_words, write_pcap

OLD = "saved before"


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def assert_mendable(result: Result, *names: str) -> None:
    """Exit code 2, a message that names these, a hint, nothing on stdout and no traceback."""
    assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ") and "\nHint: " in result.stderr
    assert "Traceback" not in result.stderr
    for name in names:
        assert name in result.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from netsynth_core.flows.table_io import write_flow_table
    from netsynth_core.flows.words_io import write_words

    folder = tmp_path_factory.mktemp("made")
    office_pcap(folder / "office.pcap", 10)
    write_flow_table(folder / "flows.csv", flow_table(60))
    write_words(folder / "words.txt", ping_words())
    for args in (
        ("fit", "flowchronicle", folder / "flows.csv", "-o", folder / "patterns.json"),
        ("fit", "tadam", folder / "words.txt", "-o", folder / "ping.json"),
        ("fit", "tadam", folder / "office.pcap", "--service", "http", "-o", folder / "http.json"),
    ):
        assert run(*args).exit_code == 0
    return folder


def missing(folder: Path) -> Path:
    return folder / "nowhere.pcap"


def directory(folder: Path) -> Path:
    (folder / "a-folder").mkdir()
    return folder / "a-folder"


def empty(folder: Path) -> Path:
    (folder / "empty.pcap").touch()
    return folder / "empty.pcap"


def prose(folder: Path) -> Path:
    (folder / "prose.txt").write_text("Call me Ishmael.\nSome years ago - never mind how long precisely.\n")
    return folder / "prose.txt"


def binary(folder: Path) -> Path:
    (folder / "binary.bin").write_bytes(bytes(range(256)) * 20)
    return folder / "binary.bin"


def header_only(folder: Path) -> Path:
    office_pcap(folder / "whole.pcap", 1)
    (folder / "cut.pcap").write_bytes((folder / "whole.pcap").read_bytes()[:10])
    return folder / "cut.pcap"


def wrong_column(folder: Path) -> Path:
    (folder / "wrong.csv").write_text(
        "ts,proto,src_ip,dst_ip,dst_port\n1.5,TCP,192.0.2.1,192.0.2.2,80\n2.5,TCP,192.0.2.1,192.0.2.2,http\n"
    )
    return folder / "wrong.csv"


def no_column(folder: Path) -> Path:
    (folder / "lacking.csv").write_text("ts,proto,src_ip,dst_ip\n1.5,TCP,192.0.2.1,192.0.2.2\n")
    return folder / "lacking.csv"


def unreadable(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


BAD_TRAFFIC = [missing, directory, empty, prose, binary, header_only, wrong_column, no_column, unreadable]
BAD_FILES = [missing, directory, empty, binary, unreadable]
Bad = Callable[[Path], Path]


@pytest.mark.parametrize("bad", BAD_TRAFFIC)
@pytest.mark.parametrize(
    "command",
    [
        ["flows", "BAD", "-o", "out.csv"],
        ["fit", "flowchronicle", "BAD", "-o", "out.json"],
        ["forge", "--flows", "BAD", "--words-model", "MADE/ping.json", "-o", "out.pcap"],
        ["evaluate", "--real", "MADE/flows.csv", "--synthetic", "BAD", "-o", "out.json"],
        ["windows", "MADE/patterns.json", "BAD", "-o", "out.csv"],
    ],
    ids=lambda command: command[0],
)
def test_bad_traffic(command: list[str], bad: Bad, made: Path, tmp_path: Path) -> None:
    path = bad(tmp_path)
    out = tmp_path / command[-1]
    out.write_text(OLD)
    args = [arg.replace("BAD", str(path)).replace("MADE", str(made)) for arg in command[:-1]]
    assert_mendable(run(*args, out), path.name)
    assert out.read_text() == OLD
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("bad", BAD_TRAFFIC)
@pytest.mark.parametrize("command", ["words", "generate"])
def test_bad_traffic_for_commands_that_fill_a_folder(command: str, bad: Bad, tmp_path: Path) -> None:
    path = bad(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    (out / "flows.csv").write_text(OLD)
    assert_mendable(run(command, path, "-o", out), path.name)
    assert [p.name for p in out.iterdir()] == ["flows.csv"] and (out / "flows.csv").read_text() == OLD


@pytest.mark.parametrize("bad", [*BAD_FILES, prose])
@pytest.mark.parametrize(
    "command",
    [
        ["show", "BAD"],
        ["sample", "BAD", "-n", "5", "-o", "OUT"],
        ["windows", "BAD", "MADE/flows.csv", "-o", "OUT"],
        ["align", "BAD", "MADE/words.txt", "-o", "OUT"],
        ["edit", "BAD", "MADE/words.txt", "-o", "OUT"],
        ["export", "BAD", "-o", "OUT"],
        ["evaluate", "--real", "MADE/flows.csv", "--synthetic", "MADE/flows.csv", "--patterns", "BAD", "-o", "OUT"],
    ],
    ids=lambda command: command[0],
)
def test_bad_models(command: list[str], bad: Bad, made: Path, tmp_path: Path) -> None:
    path = bad(tmp_path)
    out = tmp_path / ("out.csv" if command[0] == "windows" else "out.json")
    out.write_text(OLD)
    args = [arg.replace("BAD", str(path)).replace("MADE", str(made)).replace("OUT", str(out)) for arg in command]
    assert_mendable(run(*args), path.name)
    assert out.read_text() == OLD


@pytest.mark.parametrize("bad", [*BAD_FILES, prose])
@pytest.mark.parametrize("command", [["fit", "tadam", "BAD"], ["align", "MADE/ping.json", "BAD"]], ids=["fit", "align"])
def test_bad_words(command: list[str], bad: Bad, made: Path, tmp_path: Path) -> None:
    path = tmp_path / "prose.txt" if bad is prose else bad(tmp_path)
    if bad is prose:
        path.write_text("a:1 b:2\nc:x\n")
    out = tmp_path / "out.json"
    out.write_text(OLD)
    args = [arg.replace("BAD", str(path)).replace("MADE", str(made)) for arg in command]
    assert_mendable(run(*args, "-o", out), path.name)
    assert out.read_text() == OLD


def test_a_capture_cut_in_the_middle_is_read_as_far_as_it_goes_and_says_so(tmp_path: Path) -> None:
    whole = office_pcap(tmp_path / "whole.pcap", 5).read_bytes()
    (tmp_path / "cut.pcap").write_bytes(whole[: len(whole) * 2 // 3])
    result = run("flows", tmp_path / "cut.pcap", "-o", tmp_path / "f.csv", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["truncated"] and 0 < answer["packets"] < 60 and answer["notes"]
    assert "Note: " in result.stderr
    squeezed = gzip.compress(whole)
    (tmp_path / "cut.pcap.gz").write_bytes(squeezed[: len(squeezed) * 2 // 3])
    assert json.loads(run("flows", tmp_path / "cut.pcap.gz", "-o", tmp_path / "f.csv", "--json").stdout)["truncated"]


@pytest.mark.parametrize(
    "args",
    [
        ["fit", "flowchronicle", "NONE.pcap", "-o", "OUT.json"],
        ["fit", "tadam", "NONE.pcap", "-o", "OUT.json"],
        ["windows", "MADE/patterns.json", "NONE.csv", "-o", "OUT.csv"],
        ["evaluate", "--real", "MADE/flows.csv", "--synthetic", "NONE.csv", "-o", "OUT.json"],
        ["generate", "NONE.pcap", "-o", "FOLDER"],
    ],
    ids=lambda args: " ".join(args[:2]),
)
def test_a_sound_capture_without_packets(args: list[str], made: Path, tmp_path: Path) -> None:
    write_pcap(tmp_path / "none.pcap", [])
    assert run("flows", tmp_path / "none.pcap", "-o", tmp_path / "none.csv", "--json").exit_code == 0
    names = {"NONE": str(tmp_path / "none"), "MADE": str(made), "OUT": str(tmp_path / "out"), "FOLDER": str(tmp_path)}
    for name, path in names.items():
        args = [arg.replace(name, path) for arg in args]
    result = run(*args)
    assert_mendable(result)
    assert " no " in result.stderr or "None of" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["none.csv", "none.pcap"]


def test_a_table_without_flows_becomes_a_capture_without_packets(made: Path, tmp_path: Path) -> None:
    head = (made / "flows.csv").read_text().splitlines()[0]
    (tmp_path / "none.csv").write_text(head + "\n")
    args = ("forge", "--flows", tmp_path / "none.csv", "--words-model", made / "http.json", "-o", tmp_path / "o.pcap")
    result = run(*args)
    assert result.exit_code == 0 and "0 of 0 flows" in result.stdout
    assert (tmp_path / "o.pcap").stat().st_size == 24


def test_a_model_of_a_newer_version_is_refused_by_name(made: Path, tmp_path: Path) -> None:
    for name in ("patterns.json", "ping.json"):
        held = json.loads((made / name).read_text())
        (tmp_path / name).write_text(json.dumps({**held, "version": 99, "by": "netsynth 9.9"}))
        result = run("show", tmp_path / name)
        assert_mendable(result, "version 99", "update netsynth")
        (tmp_path / name).write_text(json.dumps({**held, "format": "netsynth/unheard-of"}))
        assert_mendable(run("show", tmp_path / name), "unheard-of")
        (tmp_path / name).write_text(json.dumps(held)[: len(json.dumps(held)) // 2])
        assert_mendable(run("show", tmp_path / name), name)


@pytest.mark.parametrize(
    "args, words",
    [
        (["fit", "nothing", "MADE/flows.csv", "-o", "OUT/m.json"], ["nothing", "flowchronicle"]),
        (["fit", "tadam", "MADE/words.txt", "-o", "OUT/m.json", "--set", "nothing=3"], ["nothing"]),
        (["fit", "tadam", "MADE/words.txt", "-o", "OUT/m.json", "--set", "max_rounds=-1"], ["max_rounds"]),
        (["fit", "tadam", "MADE/flows.csv", "-o", "OUT/m.json"], ["flows.csv", "flow table", "netsynth words"]),
        (["align", "MADE/ping.json", "MADE/flows.csv", "-o", "OUT/a"], ["flows.csv", "flow table"]),
        (["fit", "tadam", "MADE/office.pcap", "-o", "OUT/m.json"], ["several services", "--service"]),
        (["fit", "tadam", "MADE/office.pcap", "--service", "smtp", "-o", "OUT/m.json"], ["smtp", "http/SF"]),
        (["words", "MADE/flows.csv", "-o", "OUT/w"], ["flow table"]),
        (["words", "MADE/office.pcap", "-o", "OUT/w", "--service", "smtp"], ["smtp", "dns"]),
        (["words", "MADE/office.pcap", "-o", "OUT/w", "--by", "port"], ["port", "service"]),
        (["flows", "MADE/office.pcap", "-o", "OUT/f.txt"], [".csv"]),
        (["flows", "MADE/office.pcap", "-o", "OUT/no/f.csv"], ["does not exist"]),
        (["flows", "MADE/office.pcap", "MADE/flows.csv", "-o", "OUT/f.csv"], ["one kind"]),
        (["flows", "MADE/office.pcap", "-o", "OUT/f.csv", "--set", "idle_timeout_tcp=x"], ["idle_timeout_tcp"]),
        (["windows", "MADE/ping.json", "MADE/flows.csv", "-o", "OUT/w.csv"], ["ping.json", "patterns"]),
        (["align", "MADE/patterns.json", "MADE/words.txt", "-o", "OUT/a"], ["patterns.json", "automaton"]),
        (["sample", "MADE/ping.json", "--duration", "5m", "-o", "OUT/w.txt"], ["time"]),
        (["sample", "MADE/patterns.json", "--duration", "soon", "-o", "OUT/f.csv"], ["soon"]),
        (["sample", "MADE/patterns.json", "-o", "OUT/f.csv"], ["-n N"]),
        (["sample", "MADE/patterns.json", "-n", "0", "-o", "OUT/f.csv"], ["-n"]),
        (["sample", "MADE/patterns.json", "-n", "5", "--seed", "-1", "-o", "OUT/f.csv"], ["--seed"]),
        (["run", "OUT"], ["recipe.json"]),
        (["nothing"], ["nothing"]),
        (["show"], ["MODEL.json"]),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_bad_requests(args: list[str], words: list[str], made: Path, tmp_path: Path) -> None:
    filled = [arg.replace("MADE", str(made)).replace("OUT", str(tmp_path)) for arg in args]
    assert_mendable(run(*filled), *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "args, content, lines",
    [
        (
            ["fit", "flowchronicle", "MADE/flows.csv", "-o", "OUT.json", "--set", "budget=2x"],
            "",
            ["Error: Parameter budget is '2x': '2x' is no duration.", "Hint: Write a number and a unit"],
        ),
        (["show", "OUT"], "[1]", ["is no netsynth model document: an object is needed.", "Hint: Name a model"]),
        (["show", "OUT"], "{}", ["is no netsynth model document: format: Field required.", "Hint: Name a model"]),
        (
            ["edit", "MADE/ping.json", "FIFO", "-o", "OUT.json"],
            "",
            ["is a pipe, a device or a socket", "Hint: Write it"],
        ),
    ],
    ids=["parameter", "list", "empty", "pipe"],
)
def test_messages_are_two_plain_lines(
    args: list[str], content: str, lines: list[str], made: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text(content)
    os.mkfifo(tmp_path / "fifo")
    names = {"MADE": str(made), "OUT": str(tmp_path / "out"), "FIFO": str(tmp_path / "fifo")}
    for name, path in names.items():
        args = [arg.replace(name, path) for arg in args]
    result = run(*args)
    assert_mendable(result)
    told = result.stderr.splitlines()
    assert len(told) == 2 and all(part in line for part, line in zip(lines, told, strict=True))
    assert ".." not in result.stderr and result.stderr.count("Hint:") == 1
    assert "Value error" not in result.stderr and "_Envelope" not in result.stderr


def test_models_of_other_symbols_cannot_be_forged(made: Path, tmp_path: Path) -> None:
    args = ("forge", "--flows", made / "flows.csv", "--words-model", made / "ping.json", "-o", tmp_path / "s.pcap")
    assert_mendable(run(*args), "ping")


def test_a_generate_folder_with_files_of_others_is_refused(made: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "thesis.tex").write_text("mine")
    assert_mendable(run("generate", made / "office.pcap", "-o", tmp_path), "thesis.tex")
    assert (tmp_path / "models" / "thesis.tex").read_text() == "mine"


COMMANDS_THAT_WRITE = [
    ("flows", ["flows", "MADE/office.pcap", "-o", "OUT/flows.csv"], "flows.csv"),
    ("words", ["words", "MADE/office.pcap", "-o", "OUT"], "http-SF.txt"),
    ("fit", ["fit", "flowchronicle", "MADE/flows.csv", "-o", "OUT/m.json"], "m.json"),
    ("sample", ["sample", "MADE/patterns.json", "-n", "30", "-o", "OUT/s.csv"], "s.csv"),
    ("forge", ["forge", "--flows", "MADE/flows.csv", "--words-model", "MADE/http.json", "-o", "OUT/s.pcap"], "s.pcap"),
    ("export", ["export", "MADE/ping.json", "-o", "OUT/p.dot"], "p.dot"),
    ("generate", ["generate", "MADE/office.pcap", "-o", "OUT"], "flows.csv"),
]


@pytest.mark.parametrize("name, args, file", COMMANDS_THAT_WRITE, ids=[c[0] for c in COMMANDS_THAT_WRITE])
def test_a_full_disk(
    name: str, args: list[str], file: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).write_text(OLD)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(netsynth_core.files.os, "fsync", full)
    filled = [arg.replace("MADE", str(made)).replace("OUT", str(tmp_path)) for arg in args]
    assert_mendable(run(*filled), "No space left", "Free some disk space")
    assert (tmp_path / file).read_text() == OLD
    assert [p.name for p in tmp_path.iterdir()] == [file]


def test_a_disk_that_a_library_finds_full(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "kernels.nbi")

    monkeypatch.setattr("netsynth_core.flows.source.read_flows", full)
    assert_mendable(run("flows", made / "office.pcap", "-o", tmp_path / "f.csv"), "kernels.nbi", "Free some disk space")


def test_a_file_that_may_not_grow_is_not_left_cut_short(made: Path, tmp_path: Path) -> None:
    (tmp_path / "flows.csv").write_text(OLD)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))

    done = subprocess.run(
        [sys.executable, "-m", "netsynth_core", "flows", str(made / "office.pcap"), "-o", str(tmp_path / "flows.csv")],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        env={**os.environ, "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", ""), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 2, done.stderr
    assert "flows.csv" in done.stderr and "Hint: " in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "flows.csv").read_text() == OLD and [p.name for p in tmp_path.iterdir()] == ["flows.csv"]
