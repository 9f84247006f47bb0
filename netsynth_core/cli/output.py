"""What commands say: one JSON object or a few lines on stdout, progress on stderr."""

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from netsynth_core.errors import InvalidParameter
from netsynth_core.files import dump_json, storage_error
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.units import format_number

F = TypeVar("F", bound=Callable[..., Any])
PLAIN_EVERY_S = 2.0
_NOTHING: tuple[Any, ...] = ({}, [], (), None, "")


def close_stdout() -> None:
    """Nothing can be written there any more: keep Python from trying again when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def finite(value: Any) -> Any:
    """`value` as JSON can say it: NaN and infinity become null, NumPy numbers plain ones, tuples lists."""
    if isinstance(value, dict):
        return {str(name): finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):
        return finite(value.tolist())
    return str(value)


@dataclass
class Output:
    """Where a command's result, messages and progress go."""

    as_json: bool
    verbose: bool
    began: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Since the command began."""
        return round(time.monotonic() - self.began, 3)

    def result(self, payload: dict[str, Any], lines: Sequence[str] | None = None) -> None:
        """Say the result: as one JSON object, or as these lines (default: one line a key)."""
        payload = finite(payload)
        text = (
            dump_json(payload) if self.as_json else "\n".join(figure_lines(payload) if lines is None else lines) + "\n"
        )
        try:
            click.echo(text, nl=False)
        except BrokenPipeError:
            raise
        except OSError as error:
            close_stdout()
            raise storage_error(error, "standard output", "write to") from error

    def note(self, notes: Sequence[str]) -> list[str]:
        """Notes for a person, on stderr, each once; returns them for the JSON object."""
        told = list(dict.fromkeys(notes))
        for note in told:
            self.say(f"Note: {note}")
        return told

    def say(self, message: str) -> None:
        """A message for a person, on stderr."""
        click.echo(message, err=True)

    def announce_compiling(self, inputs: Sequence[Path]) -> None:
        """Say that captures will wait for the packet reader to be compiled, where that was not done before."""
        from netsynth_core.capture.decode import kernels_cached
        from netsynth_core.capture.records import is_capture, read_head
        from netsynth_core.flows.compiling import is_compiled

        captures = [path for path in inputs if path.is_file() and is_capture(read_head(path))]
        if captures and not (is_compiled() and all(map(kernels_cached, captures))):
            self.say("Compiling the packet reader for this machine (once, a few seconds)...")

    @contextmanager
    def monitor(self) -> Iterator[Monitor]:
        """Progress inside the block: a bar on a terminal, lines with ``-v``, otherwise silence."""
        if sys.stderr.isatty():
            with _bar() as bar:
                yield bar
        elif self.verbose:
            yield _PlainMonitor(self)
        else:
            yield SILENT


def figure_lines(payload: dict[str, Any], indent: str = "") -> Iterator[str]:
    """One line a key, its figures as people read them; seeds and empty values as they are."""
    for name, value in payload.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{name}:"
            yield from figure_lines(value, indent + "  ")
        elif isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            for item in value:
                held = {k: v for k, v in item.items() if v not in _NOTHING}
                yield f"{indent}{name}: " + ", ".join(f"{k} {_shown(v, k)}" for k, v in held.items())
        elif value not in _NOTHING:
            yield f"{indent}{name}: {_shown(value, name)}"


def _shown(value: Any, name: str = "") -> str:
    """A value in one line, as people write it."""
    if isinstance(value, dict):
        return "; ".join(f"{k} {_shown(v, k)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item) for item in value)
    return _figure(value, name)


def _figure(value: Any, name: str = "") -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or name == "seed":
        return str(value)
    return format_number(value)


@dataclass
class _PlainMonitor:
    output: Output
    phase: str = ""
    last: float = 0.0

    def step(self, phase: str, done: int, total: int | None = None, **facts: object) -> None:
        now = time.monotonic()
        if phase == self.phase and now - self.last < PLAIN_EVERY_S:
            return
        self.phase, self.last = phase, now
        count = f" {done}" + (f" of {total}" if total is not None else "") if done or total else ""
        detail = ", ".join(f"{name} {value}" for name, value in facts.items())
        self.output.say(f"{phase}{count}" + (f" ({detail})" if detail else ""))


@contextmanager
def _bar() -> Iterator[Monitor]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[facts]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None, facts="")

        class Bar:
            def step(self, phase: str, done: int, total: int | None = None, **facts: object) -> None:
                detail = " ".join(f"{name} {value}" for name, value in facts.items())
                progress.update(task, description=escape(phase), completed=done, total=total, facts=escape(detail))

        yield Bar()


def refuse_own_input(options: Mapping[str, Any]) -> None:
    """See that a command does not write over a file that it reads.

    Parameters
    ----------
    options
        What the command was given; ``output`` is what it writes, every other path is an input.

    Raises
    ------
    InvalidParameter
        When both are one file, whatever its names.
    """
    output = options.get("output")
    if not isinstance(output, Path):
        return
    if str(output) == "-":
        raise InvalidParameter(
            "Results are written to files, not to standard output.", hint="Name a file with -o; --json tells figures."
        )
    for name, value in options.items():
        for path in value if isinstance(value, tuple) else (value,):
            if name == "output" or not isinstance(path, Path):
                continue
            with suppress(OSError):
                if path.is_file() and output.exists() and path.samefile(output):
                    raise InvalidParameter(
                        f"{output} is the file that is read; it would be lost.", hint="Write to another file with -o."
                    )


def common_options(function: F) -> F:
    """Add ``--json`` and ``-v``; the command gets an `Output` as its first argument.

    A command whose ``output`` is one of the other files it names is refused before it begins.
    """

    @click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else there.")
    @click.option("-v", "--verbose", is_flag=True, help="Say on stderr what is being done.")
    @wraps(function)
    def command(*args: Any, as_json: bool, verbose: bool, **options: Any) -> Any:
        refuse_own_input(options)
        return function(Output(as_json, verbose), *args, **options)

    return command  # type: ignore[return-value]


seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed gives the same bytes."
)
