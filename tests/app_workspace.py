"""Workspaces for tests of the app: an empty one, and one filled through the core's own steps, built once a session."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from netsynth_core.workspace import Artefact, Recipe, Step, Workspace
from netsynth_core.workspace.contents import group_name
from netsynth_core.workspace.doing import do_recipe
from tests.factories import office_pcap

SMALL = Path(__file__).parent.parent / "sample_data" / "small.pcap"


def do(workspace: Workspace, step: Step, *inputs: str, seed: int = 0, **parameters: object) -> Artefact:
    """One step in this process; its main result."""
    return do_recipe(workspace, Recipe(step=step, inputs=inputs, parameters=parameters, seed=seed))[-1]


@cache
def _filled() -> Path:
    """A recorded capture with its automata; a made one with its pattern, synthetic flows, packets and report."""
    folder = Path(tempfile.mkdtemp(prefix="netsynth-app-"))
    workspace = Workspace.create(folder / "filled")
    recorded = do(workspace, Step.FLOWS, do(workspace, Step.CAPTURE, path=str(SMALL), copy=True).id)
    words = do(workspace, Step.WORDS, recorded.id)
    groups = [group_name(entry["service"], entry["state"]) for entry in words.facts["files"]]
    do(workspace, Step.FIT, words.id, kind="tadam", groups=groups[:2])

    path = office_pcap(folder / "office.pcap")
    made = do(workspace, Step.FLOWS, do(workspace, Step.CAPTURE, path=str(path), copy=True).id)
    patterns = do(workspace, Step.FIT, made.id, kind="flowchronicle")
    flows = do(workspace, Step.SAMPLE, patterns.id, n=60, seed=1)
    automata = [a.id for a in workspace.artefacts("model") if a.facts["level"] == "packet"]
    do(workspace, Step.FORGE, flows.id, *automata)
    do(workspace, Step.EVALUATE, made.id, flows.id, patterns.id)
    return workspace.folder


def filled_workspace(folder: Path) -> Workspace:
    """A copy of the filled workspace, the test's own."""
    shutil.copytree(_filled(), folder)
    return Workspace.open(folder)


def remove_filled() -> None:
    """Delete what `filled_workspace` copies from."""
    if _filled.cache_info().currsize:
        shutil.rmtree(_filled().parent, ignore_errors=True)
        _filled.cache_clear()


def models(workspace: Workspace, kind: str) -> list[Artefact]:
    """The models of a kind, oldest first."""
    return [artefact for artefact in workspace.artefacts("model") if artefact.facts["kind"] == kind]
