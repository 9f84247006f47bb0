"""The group of all commands: loads each when it is called, and turns errors into messages and exit codes."""

import contextlib
import errno
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import FrameType
from typing import Any

import click

from netsynth_core import __version__
from netsynth_core.errors import Cancelled, NetsynthError

EXIT_USER = 2
EXIT_INTERRUPTED = 130

_COMMANDS = {
    "flows": ("data", "Captures or flow tables to one flow table."),
    "cut": ("cut", "The packets of chosen flows as a capture of their own."),
    "words": ("data", "Conversations to timed words, one file per service and state."),
    "fit": ("learn", "Learn a model from flows or words."),
    "kinds": ("learn", "The kinds of models and their parameters."),
    "show": ("models", "A model in words."),
    "windows": ("models", "Where the patterns of a model occur in flows."),
    "align": ("models", "How an automaton explains each word."),
    "surprise": ("logs", "Sequences ranked by how surprising a model finds them."),
    "edit": ("models", "Apply edits to a model, each checked."),
    "export": ("models", "A drawing of an automaton or of patterns."),
    "import": ("models", "An automaton learnt elsewhere as a model."),
    "hosts": ("make", "The hosts of a model by role: a file to move them into another network."),
    "sample": ("make", "Synthetic flows or words from a model."),
    "forge": ("make", "Packets for flows: a pcap."),
    "evaluate": ("make", "Hold synthetic flows against real ones."),
    "generate": ("make", "The whole chain: read, fit, sample, forge, evaluate."),
    "run": ("serve", "Do the job in a folder: what the app starts."),
    "app": ("serve", "Start the app."),
}
"""Name -> (module of this package that defines it as ``<name>_command``, summary)."""


class NetsynthGroup(click.Group):
    """The commands, loaded when asked for, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of work."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"netsynth_core.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table above, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run a command line and exit with its code."""
        extra["standalone_mode"] = False
        args = list(sys.argv[1:] if args is None else args) or ["--help"]
        with _signals_interrupt():
            code = self._run(args, *rest, **extra)
        sys.exit(code)

    def _run(self, args: Sequence[str] | None, *rest: Any, **extra: Any) -> int:
        try:
            result = super().main(args, *rest, **extra)
            sys.stdout.flush()
        except NetsynthError as error:
            click.echo(f"Error: {error.message}\nHint: {error.hint}", err=True)
            return EXIT_USER
        except click.ClickException as error:
            _say_usage(error)
            return EXIT_USER
        except (KeyboardInterrupt, click.Abort, Cancelled):
            click.echo("Interrupted.", err=True)
            return EXIT_INTERRUPTED
        except (BrokenPipeError, SystemExit):
            # click turns a closed pipe into SystemExit; outside its standalone mode it raises it for nothing else.
            _close()
            return 0
        except OSError as error:
            # A library that wrote beside us, such as numba its cache, may be the one that finds the disk full.
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            name = error.filename or "a file"
            hint = "Free some disk space and try again; nothing that was saved before is lost."
            click.echo(f"Error: Cannot write {name}: {error.strerror}.\nHint: {hint}", err=True)
            return EXIT_USER
        return result if isinstance(result, int) else 0


def _say_usage(error: click.ClickException) -> None:
    """What is wrong with the command line, and where its help is."""
    click.echo(f"Error: {error.format_message()}", err=True)
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "netsynth"
    click.echo(f"Hint: {path} --help shows how it is used, with an example.", err=True)


def _close() -> None:
    """The reader of our output went away (``| head``): say nothing."""
    from netsynth_core.cli.output import close_stdout

    close_stdout()


class _Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM.

    A class of its own, because CPython remembers a plain KeyboardInterrupt that crossed ``exec`` of a string
    (dataclasses and numba do that while they load) and ends by SIGINT though it was caught.
    """


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does: what is half-written is removed on the way out.

    A signal that whoever started us ignores (``nohup``, a shell's ``&``) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise _Interrupted

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


@click.group(
    cls=NetsynthGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: netsynth generate sample_data/office.pcap.gz -o out",
)
@click.version_option(__version__, prog_name="netsynth")
def main() -> None:
    """Mine flow patterns, learn protocol automata, mend both, and generate synthetic traffic.

    Every command takes --json, and --seed where it draws: the same seed gives the same bytes. When a command fails,
    stdout stays empty, also with --json; stderr has two lines, Error: and Hint:, and the exit code is 2 (1 for a bug).
    """
