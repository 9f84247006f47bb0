"""What several commands take: output paths that are checked before the work, and models read from files."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netsynth_core.errors import InvalidParameter, StorageError

if TYPE_CHECKING:
    from netsynth_core.models.generator import Generator

F = TypeVar("F", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
TABLE_ENDINGS = (".csv", ".csv.gz", ".parquet")


tunnels_option = click.option(
    "--tunnels", is_flag=True, help="Look one level into VXLAN, GRE and IP-in-IP: read the packets inside."
)


def output_option(metavar: str, help: str) -> Callable[[F], F]:
    """``-o``, required."""
    return click.option("-o", "--output", "output", required=True, metavar=metavar, type=PATH, help=help)


def output_file(path: Path, endings: tuple[str, ...] = ()) -> Path:
    """The path, once it is known that a file of one of these endings can be put there.

    Raises
    ------
    StorageError
        When it is a directory or no regular file, or its folder does not exist.
    InvalidParameter
        When it has another ending.
    """
    from netsynth_core.files import replaceable

    if endings and not path.name.lower().endswith(endings):
        raise InvalidParameter(
            f"{path} does not end in {' or '.join(endings)}.", hint="The ending says which format to write."
        )
    replaceable(path)
    if not path.parent.is_dir():
        raise StorageError(f"The folder {path.parent} does not exist.", hint="Create it first, or check the path.")
    return path


def output_folder(path: Path) -> Path:
    """The folder, made when there is none.

    Raises
    ------
    StorageError
        When it is a file or cannot be made.
    """
    from netsynth_core.files import storage_error

    if path.exists() and not path.is_dir():
        raise StorageError(f"{path} is a file.", hint="Name a folder; it is made when there is none.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path, "make the folder") from error
    return path


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """`output_folder`; when the block fails, folders that were made for it and hold nothing are gone again."""
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    output_folder(path)
    try:
        yield path
    except BaseException:
        with suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


def read_model(path: Path) -> "Generator[Any, Any, Any]":
    """The model of a document file."""
    from netsynth_core.models.document import read_document
    from netsynth_core.models.registry import load_model

    return load_model(read_document(path))


def peak_rss_bytes() -> int | None:
    """The most memory this process (or one of its children) has held, bytes; None where the system does not say."""
    if sys.platform == "win32":
        return None
    else:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return unit * max(resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
