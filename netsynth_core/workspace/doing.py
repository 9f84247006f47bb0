"""Doing recipes: each step takes its inputs from the workspace and puts what it makes back as artefacts.

Every artefact appears whole, at the end of its making; a step that fails or is cancelled leaves those it had finished.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netsynth_core.errors import InvalidParameter
from netsynth_core.files import storage_error
from netsynth_core.monitor import SILENT, Monitor
from netsynth_core.workspace import contents
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.store import Workspace

Doer = Callable[[Workspace, Recipe, Monitor], list[Artefact]]


def do_recipe(workspace: Workspace, recipe: Recipe, *, monitor: Monitor = SILENT) -> list[Artefact]:
    """Do a recipe in this process.

    Returns
    -------
    list of Artefact
        What was made, the main result last.

    Raises
    ------
    NetsynthError
        When an input or parameter is not fit for the step.
    Cancelled
        When the monitor wants it.
    """
    return _STEPS[recipe.step](workspace, recipe, monitor)


def take_parameters(recipe: Recipe, **defaults: Any) -> dict[str, Any]:
    """The recipe's parameters over these defaults.

    Raises
    ------
    InvalidParameter
        When the recipe has one that is not among them.
    """
    unknown = sorted(set(recipe.parameters) - set(defaults))
    if unknown:
        raise InvalidParameter(
            f"The step {recipe.step} has no parameter {unknown[0]!r}.", hint=f"It has: {', '.join(defaults) or 'none'}."
        )
    return {**defaults, **recipe.parameters}


def _capture(workspace: Workspace, recipe: Recipe, monitor: Monitor) -> list[Artefact]:
    values = take_parameters(recipe, path="", copy=False)
    source = Path(str(values["path"]))
    monitor.step("reading the file", 0, 1)

    def fill(folder: Path) -> dict[str, Any]:
        facts = contents.capture_facts(source)
        if values["copy"]:
            try:
                shutil.copyfile(source, folder / f"capture{''.join(source.suffixes[-2:])}")
            except OSError as error:
                raise storage_error(error, source, "copy") from error
        return {**facts, "copied": bool(values["copy"])}

    name = recipe.name or source.name
    return [workspace.add(ArtefactKind.CAPTURE, fill, name=name, recipe=recipe)]


def _flows(workspace: Workspace, recipe: Recipe, monitor: Monitor) -> list[Artefact]:
    from netsynth_core.flows.metering import MeterParams
    from netsynth_core.flows.source import read_flows

    params = MeterParams.checked(recipe.parameters)
    paths = [contents.capture_path(workspace, id) for id in recipe.inputs]
    if not paths:
        raise InvalidParameter("No capture was given.", hint="Choose at least one capture or flow log.")
    source = read_flows(paths, params, monitor=monitor)
    name = recipe.name or " + ".join(workspace.label(id).name for id in recipe.inputs)
    inputs = tuple(workspace.reference(id) for id in recipe.inputs)
    return [
        workspace.add(
            ArtefactKind.FLOWS,
            lambda folder: contents.write_flows(folder, source),
            name=name,
            inputs=inputs,
            recipe=recipe,
        )
    ]


_STEPS: dict[Step, Doer] = {Step.CAPTURE: _capture, Step.FLOWS: _flows}
