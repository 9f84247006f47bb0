"""The packets of chosen flows as a capture of their own: cut out of the captures behind a flows artefact."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from netsynth_core.errors import InvalidParameter, NetsynthError
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.workspace import contents
from netsynth_core.workspace.store import Workspace

if TYPE_CHECKING:
    from netsynth_core.capture.cut import CutReport

AT_ONCE_BYTES = 50_000_000
"""Larger cuts are made by a job."""
SOURCE_AT_ONCE_BYTES = 1_000_000_000
"""Cuts of larger files too: they are read through up to the last frame."""


def cut_flows(
    workspace: Workspace, id: str, rows: Sequence[int], target: Path, *, monitor: Monitor = SILENT
) -> "CutReport":
    """Copy the packets of some flows into a capture.

    Parameters
    ----------
    rows
        Rows of the flow table of the artefact `id`.

    Raises
    ------
    WorkspaceError
        When the flows came from a flow log.
    InvalidParameter
        When there is no such row.
    StorageError, NotEnoughData
        When a capture is gone, or was changed.
    """
    import numpy as np

    from netsynth_core.capture.cut import cut_capture, frames_of

    artefact = workspace.get(id)
    metered = contents.metered_of(workspace, id)
    if not rows or max(rows) >= len(metered.flows):
        raise InvalidParameter(
            f"{'No row was chosen' if not rows else f'There is no row {max(rows)}'} of {len(metered.flows)} flows.",
            hint="Choose rows of the flow table.",
        )
    packets = contents.packets_of(workspace, id, monitor=monitor)
    paths = [contents.capture_path(workspace, ref.id) for ref in artefact.inputs]
    chosen = np.concatenate([metered.conversations.rows(int(row)) for row in rows])
    return cut_capture(paths, frames_of(packets, chosen, files=len(paths)), target, monitor=monitor)


def cut_suffix(workspace: Workspace, id: str) -> str:
    """The ending that fits a cut of these flows: ``.pcapng`` where a source is one."""
    from netsynth_core.capture.cut import form_of

    # where a capture is gone, making the cut will say so
    with suppress(NetsynthError):
        return f".{form_of([contents.capture_path(workspace, ref.id) for ref in workspace.get(id).inputs])}"
    reports = contents.reports_of(workspace, id)
    return ".pcapng" if any(report.format.endswith("pcapng") for report in reports) else ".pcap"


def format_rows(rows: Iterable[int]) -> str:
    """Rows as text, runs joined: ``1,5-9``.

    >>> format_rows([5, 1, 6, 7])
    '1,5-7'
    """
    runs: list[list[int]] = []
    for row in sorted(set(rows)):
        if runs and row == runs[-1][1] + 1:
            runs[-1][1] = row
        else:
            runs.append([row, row])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)


def parse_rows(text: str, *, most: int = 50_000_000) -> list[tuple[int, int]]:
    """Ranges of rows, both ends included, sorted and without overlap.

    >>> parse_rows("5-9,1,7-12")
    [(1, 1), (5, 12)]

    Raises
    ------
    InvalidParameter
        When a part is no number and no range, or beyond `most`.
    """
    found: list[tuple[int, int]] = []
    for part in text.split(","):
        first, dash, end = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or (dash and not end.isdecimal()):
            raise InvalidParameter(f"{part.strip()[:40]!r} names no rows.", hint="Write rows as 1,5-9.")
        low, high = int(first), int(end) if dash else int(first)
        if not low <= high <= most:
            raise InvalidParameter(f"{part.strip()[:40]!r} names no rows.", hint="Write rows as 1,5-9.")
        found.append((low, high))
    joined: list[tuple[int, int]] = []
    for low, high in sorted(found):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return joined
