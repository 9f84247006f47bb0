"""The ``netsynth`` command: everything the app does, in the terminal.

Promises: with ``--json`` one JSON object on stdout and nothing else there; exit code 0 done, 2 the user can mend it, 1
a bug, 130 interrupted (Ctrl-C or SIGTERM); no half-written file. Nothing heavy is imported before a command needs it.
"""

from netsynth_core.cli.group import NetsynthGroup, main

__all__ = ["NetsynthGroup", "main"]
