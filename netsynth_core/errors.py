"""Errors that the user can act on: each carries what happened and a hint that says what to do.

Anything else that is raised is a bug. `Cancelled` is no error: the user asked for it.
"""


class NetsynthError(Exception):
    """Something the user can mend.

    Parameters
    ----------
    message
        What, where, what was found, what is needed.
    hint
        What to do about it, one sentence.
    """

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} Hint: {self.hint}"


class UnknownFormat(NetsynthError, ValueError):
    """The file is not of any kind that can be read here."""


class TruncatedCapture(NetsynthError, ValueError):
    """The capture ends too early to hold a single whole packet or header."""


class SchemaError(NetsynthError, ValueError):
    """A table or a line has the wrong columns or values."""


class NotEnoughData(NetsynthError, ValueError):
    """There is too little data for what was asked."""


class InvalidParameter(NetsynthError, ValueError):
    """A parameter is unknown or outside its range."""


class InvalidEdit(NetsynthError, ValueError):
    """The edit names something that is not there, or would break the model."""


class DocumentError(NetsynthError, ValueError):
    """A model document is broken or not ours."""


class NewerDocument(DocumentError):
    """A document was written by a newer version of netsynth."""


class MissingExtra(NetsynthError, ImportError):
    """An optional dependency is not installed."""


class StorageError(NetsynthError, OSError):
    """A file cannot be read or written: missing, a directory, no permission, disk full."""


class WorkspaceError(NetsynthError, RuntimeError):
    """The workspace is locked, changed elsewhere, or does not hold what was asked for."""


class Cancelled(Exception):
    """The user cancelled; nothing half-done stays behind."""
