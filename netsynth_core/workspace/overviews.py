"""The overview of a flows artefact: made when its flows are read, computed on demand for older ones."""

from pathlib import Path
from typing import TYPE_CHECKING

from netsynth_core.workspace.store import Workspace

if TYPE_CHECKING:
    from netsynth_core.flows.overview import Overview
    from netsynth_core.flows.source import FlowSource

OVERVIEW = "overview.npz"


def make_overview(folder: Path, source: "FlowSource") -> None:
    """Write the overview of a flow source into the folder of its artefact."""
    from netsynth_core.flows.overview import overview_of_flows, write_overview

    metered = source.metered
    known = source.packets is not None and metered is not None and metered.kept is not None
    overview = overview_of_flows(
        source.flows,
        packets=source.packets if known else None,
        conversations=metered.conversations if known and metered is not None else None,
        marks=metered.marks if known and metered is not None else None,
    )
    write_overview(folder / OVERVIEW, overview)


def overview_of(workspace: Workspace, id: str) -> "Overview":
    """The overview of a flows artefact.

    Raises
    ------
    WorkspaceError, StorageError, DocumentError
        When what it must be computed from is not there any more, or is broken.
    """
    from netsynth_core.flows.overview import overview_of_flows, read_overview
    from netsynth_core.workspace import contents

    path = workspace.path(id, OVERVIEW)
    if path.exists():
        return read_overview(path)
    if contents.CONVERSATIONS not in workspace.get(id).files:
        return overview_of_flows(contents.flows_of(workspace, id))
    metered = contents.metered_of(workspace, id)
    packets = contents.packets_of(workspace, id)
    held = metered.conversations
    return overview_of_flows(metered.flows, packets=packets, conversations=held, marks=metered.marks)
