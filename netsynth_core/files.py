"""Files that are written whole or not at all, and read with messages that say what to do.

Every file netsynth writes goes through `atomic_path`: a temporary file beside the target, flushed to disk,
renamed over it. A crash, a full disk or Ctrl-C leaves the old file as it was.
"""

import errno
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from netsynth_core.errors import StorageError


def storage_error(error: OSError, path: str | os.PathLike[str], doing: str) -> StorageError:
    """Turn an operating-system error on `path` into a message with a hint; one that is told already stays."""
    if isinstance(error, StorageError):
        return error
    hints = {
        errno.ENOSPC: "Free some disk space and try again; nothing that was saved before is lost.",
        errno.EDQUOT: "The disk quota is used up: free some space; nothing that was saved before is lost.",
        errno.ENOENT: "Check the path; the folder that is to hold the file must exist.",
        errno.EACCES: "Check the permissions, or choose another folder.",
        errno.EISDIR: "Name a file, not a directory.",
        errno.ENOTDIR: "A part of the path is a file, not a directory.",
        errno.EROFS: "The disk is read-only: choose another folder.",
    }
    reason = os.strerror(error.errno) if error.errno else str(error)
    hint = hints.get(error.errno or 0, "Check the path and the disk, then try again.")
    return StorageError(f"Cannot {doing} {os.fspath(path)}: {reason}.", hint=hint)


def require_file(path: str | os.PathLike[str]) -> Path:
    """The path, once it is known to be a readable, non-empty regular file.

    Raises
    ------
    StorageError
        When it is missing, a directory, a pipe, empty or unreadable.
    """
    target = Path(path)
    try:
        found = target.stat()
        if stat.S_ISDIR(found.st_mode):
            raise StorageError(f"{target} is a directory.", hint="Name a file inside it.")
        if not stat.S_ISREG(found.st_mode):
            raise StorageError(
                f"{target} is a pipe, a device or a socket; inputs are read more than once.",
                hint="Write it to a file first, and name that.",
            )
        with target.open("rb"):
            pass
    except FileNotFoundError:
        if str(target) == "-":
            raise StorageError(
                "Standard input cannot be read; inputs are read more than once.",
                hint="Write it to a file first (... > capture.pcap), and name that.",
            ) from None
        raise StorageError(f"{target} does not exist.", hint="Check the path for a typing error.") from None
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(error, target, "read") from error
    if found.st_size == 0:
        raise StorageError(f"{target} is empty (0 bytes).", hint="Check that the file was saved or copied whole.")
    return target


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path`; when the block ends well it replaces `path`, otherwise it is removed.

    A symbolic link stays: the file it points to is replaced. Devices, fifos and sockets are never replaced.

    Yields
    ------
    Path
        Where to write. It keeps the suffixes of the target, so that libraries choose the right format.

    Raises
    ------
    StorageError
        For any operating-system error inside the block, and when `path` exists and is no regular file.
    """
    target = replaceable(Path(path))
    temporary = target.with_name(f".{secrets.token_hex(4)}.{Path(path).name}")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(target)
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(error, target, "write") from error
    finally:
        # on a read-only disk even this fails; the error that says so is already on its way
        with suppress(OSError):
            temporary.unlink()


def replaceable(path: Path) -> Path:
    """The regular or new file that `path` names, links followed.

    Raises
    ------
    StorageError
        When there is a directory, a device, a fifo or a socket.
    """
    try:
        target = Path(os.path.realpath(path)) if path.is_symlink() else path
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target
    except OSError as error:
        raise storage_error(error, path, "write") from error
    if stat.S_ISDIR(mode):
        raise StorageError(f"{path} is a directory.", hint="Name a file, not a directory.")
    if not stat.S_ISREG(mode):
        raise StorageError(
            f"{path} is a device, a pipe or a socket; results are written to regular files only.",
            hint="Name a file that is new or may be replaced.",
        )
    return target


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """Write UTF-8 text whole or not at all."""
    write_bytes(path, content.encode("utf-8"))


def dump_json(value: Any) -> str:
    """JSON text with sorted keys, so that equal values have equal bytes; NaN and infinity are refused."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def content_hash(*parts: bytes | str) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of the parts, each with its length before it."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8") if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()[:12]


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
