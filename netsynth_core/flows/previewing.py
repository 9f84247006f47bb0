"""The first flows of a table of unknown layout, as a mapping would read them: what a person looks at before reading."""

import tempfile
from pathlib import Path
from typing import Final

from netsynth_core.capture.records import read_head
from netsynth_core.files import require_file
from netsynth_core.flows.logs import LogReport, Mapping, read_mapped
from netsynth_core.flows.table import FlowTable

HEAD_BYTES: Final = 1 << 16


def preview_mapped(path: str | Path, mapping: Mapping) -> tuple[FlowTable, LogReport]:
    """Read the whole lines of the first `HEAD_BYTES` bytes (unpacked) of a table through a mapping.

    Raises
    ------
    SchemaError
        When the mapping does not fit, or no row of them is a flow.
    StorageError, UnknownFormat
        When the file cannot be read.
    """
    head = read_head(require_file(path), HEAD_BYTES)
    whole = head if len(head) < HEAD_BYTES else head[: head.rfind(b"\n") + 1] or head
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "head.csv"
        part.write_bytes(whole)
        return read_mapped(part, mapping)
