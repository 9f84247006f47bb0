"""Files are written whole or not at all, and trouble with the disk is told in words."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from netsynth_core import files
from netsynth_core.errors import StorageError


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "kept.txt"
    target.write_text("old")
    with pytest.raises(StorageError, match="No space left") as caught, files.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "nothing that was saved before is lost" in caught.value.hint
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    with pytest.raises(StorageError, match="a device, a pipe or a socket") as caught:
        files.write_text(fifo, "new")
    assert "Name a file" in caught.value.hint
    assert fifo.is_fifo()
    (tmp_path / "to_pipe").symlink_to(fifo)
    with pytest.raises(StorageError, match="a device, a pipe or a socket"):
        files.write_text(tmp_path / "to_pipe", "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pipe", "to_pipe"]


def test_a_link_stays_and_the_file_it_names_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "results.csv"
    target.write_text("old")
    link = tmp_path / "link.csv"
    link.symlink_to(target)
    files.write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    dangling = tmp_path / "dangling.csv"
    dangling.symlink_to(tmp_path / "far" / "none.csv")
    files.write_text(dangling, "made")
    assert dangling.is_symlink()
    assert (tmp_path / "far" / "none.csv").read_text() == "made"
    assert len(list((tmp_path / "far").iterdir())) == 2


def test_a_clean_up_that_fails_does_not_hide_why_the_write_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(self: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", read_only)
    with pytest.raises(StorageError, match="Read-only file system") as caught, files.atomic_path(tmp_path / "out"):
        raise OSError(errno.EROFS, "Read-only file system")
    assert "read-only" in caught.value.hint


def test_a_real_limit_on_the_file_size_is_a_storage_error(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "from netsynth_core.files import write_bytes; from netsynth_core.errors import StorageError\n"
        "try: write_bytes(sys.argv[1], b'x' * 100_000)\n"
        "except StorageError as e: sys.exit(7)"
    )
    assert resource.RLIMIT_FSIZE is not None
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    assert subprocess.run([sys.executable, "-c", script, str(target)], check=False).returncode == 7
    assert target.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        files.require_file(tmp_path / "none")
    with pytest.raises(StorageError, match="is a directory"):
        files.require_file(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(StorageError, match="is empty"):
        files.require_file(tmp_path / "empty")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="is a pipe") as caught:
        files.require_file(tmp_path / "pipe")
    assert "Write it to a file first" in caught.value.hint


def test_a_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"):
        files.write_text(tmp_path / "none" / "file.txt", "x")


def test_content_hash_depends_on_the_borders_of_the_parts() -> None:
    assert files.content_hash("ab", "c") != files.content_hash("a", "bc")
    assert len(files.content_hash("a")) == 12
